//! Makes the card of a link: what a page says of itself, fetched by who sends the link and carried in the message.
//!
//! Finding links, reading pages and reading cards of others is pure; [`visit`] alone asks anybody, and only through
//! `transport`. Whoever receives a card asks nobody: all that is shown stands in it.
//!
//! What this room does *not* know: who wants a card, settings, messages, conversations.

mod card;
mod error;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod limits;
mod link;
mod near;
mod page;
mod visit;

pub use card::Card;
pub use error::{LinkError, PreviewError};
pub use limits::{DESCRIPTION_LIMIT, PICTURE_LIMIT, PICTURE_SIDE, TITLE_LIMIT, URL_LIMIT};
pub use link::Link;
#[cfg(feature = "near")]
pub use near::look_near;
pub use visit::{Visit, visit};
