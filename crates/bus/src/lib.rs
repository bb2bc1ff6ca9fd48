//! Routes messages between the ports of one runtime.
//!
//! The bus never opens a socket, never reads a clock and never judges: it asks
//! for a verdict and waits for the answer. What it wants done it says as
//! [`Action`]s; what happened to them it is told by the next call.
//!
//! ```text
//!   guest ──post──▶ stamp `from` ──▶ who listens? ──▶ Judge ──verdict──▶ Deliver
//!                                        │ nobody here
//!                                        └──▶ the stub of the domain, or NeedRoute (parked meanwhile)
//! ```
//!
//! It is the middle of three layers: within a sandbox a minibus delivers, within
//! the runtime this bus, within a domain its Node.
//!
//! **Invariants.** Nothing reaches a port that does not listen there, except the
//! one final answer to its own request. Every request gets exactly one final
//! answer. A guest speaks only as its addresses. Everything that crosses a
//! sandbox is judged, requests and answers alike; core to core is not. All
//! tables are bounded, and the edge of each has a stated answer.

mod action;
mod bus;
mod ending;
mod entry;
mod flow;
mod limits;
mod listeners;
mod port;
mod routes;
mod stats;

pub use action::Action;
pub use bus::Bus;
pub use entry::Ticket;
pub use limits::*;
pub use listeners::{ListenError, Place};
pub use port::{Party, PortId, PortKind};
pub use routes::domain_of;
pub use stats::Stats;
