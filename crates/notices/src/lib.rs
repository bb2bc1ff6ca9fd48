//! Decides what the desktop is shown of what came, and when it is taken away again.
//!
//! A [`Desk`] hears the news of the app, what the person set and whether they look at the window; it answers with
//! notices to show and to withdraw, and with the numbers of badge and tray. It never shows anything itself, and the
//! time is an argument.

mod chat;
mod desk;
mod doors;
mod notice;
mod render;
mod words;

#[cfg(test)]
mod stories;

pub use desk::Desk;
pub use notice::{Action, Answer, Badge, Button, CallSign, Deed, Key, Notice, Urgency};
pub use words::{Language, Words};
