//! What stands on this machine's screens: which of it can be shown to somebody, and how it looks now.
//!
//! [`Screens::list`] names screens and windows, [`Screens::preview`] gives a small picture for choosing, and
//! [`Screens::open`] gives a [`Capture`] of the one that was chosen. Nothing is captured by any other call. It knows no
//! call, no codec and no clock: whoever captures decides how often. Calls wait for the window system, so they belong on a thread that may wait.
//! A Wayland desktop names nothing: there the one source is the desktop's own dialog, which asks the person once it is opened.

mod error;
#[cfg(any(target_os = "windows", target_os = "macos"))]
mod foreign;
mod shot;
mod source;
#[cfg(target_os = "linux")]
mod wayland;
#[cfg(target_os = "linux")]
mod x11;

pub use error::ScreenError;
pub use shot::{MOST_SHOT_PIXELS, Shot};
pub use source::{Capture, Screens, Source, SourceKind};
