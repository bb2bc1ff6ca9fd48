//! Fences guests: code we did not write, each in an engine of its own with no rights but its grants.
//!
//! A guest is JavaScript that runs in QuickJS-NG, which itself runs as
//! WebAssembly: a fault in the engine harms the guest's own memory and nothing
//! else. The engine has three imports (send, log, now). Everything a guest
//! wants goes out as a frame, is judged here by its [`message::Grants`], and
//! comes back as a frame.
//!
//! ```text
//!   Guest::post ─▶ inbox ─▶ worker thread ─▶ instance (wasm) ─▶ frames
//!                    ▲                                            │
//!                    ├── answers, refusals ◀── gate, broker ◀─────┤
//!                    │                                            ▼
//!                  network                                    GuestEvent
//! ```
//!
//! What this room does *not* know: packages, signatures, who asked for a guest,
//! whether a guest that stopped should start again.

mod broker;
mod clock;
mod control;
mod engine;
mod event;
mod frame;
mod gate;
mod guest;
mod inbox;
mod instance;
mod shelf;
mod spec;
mod ticker;
mod worker;

#[path = "../engine/config.rs"]
mod config;

pub use engine::{Engine, EngineError, StartError};
pub use event::{GuestEvent, LogLevel, StopCause};
pub use guest::{Guest, PostError, Stats};
pub use shelf::{MemoryShelf, Shelf, ShelfError};
pub use spec::{Budget, Entry, GuestSpec};
