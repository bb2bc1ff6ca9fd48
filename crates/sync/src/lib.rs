//! Keeps a data object equal on both sides: Reporter and Observer, as machines.
//!
//! One [`Reporter`] writes and numbers its changes without gaps; [`Observer`]s
//! only follow. Beside the value, an object has [`Children`], each written by
//! its own author, a device of a person, with gapless numbers of its own (chat messages are children).
//!
//! **Invariants.** Knows nothing of networks: it is told that something arrived,
//! in any order, any number of times, or never. A gap is never applied silently;
//! it leads to a [`Resync`]. Everything is bounded, and nothing is named
//! `__proto__`.

mod attribute;
mod author;
pub mod bundle;
mod change;
mod children;
mod document;
mod limits;
mod observer;
mod reporter;

pub use attribute::{Attribute, AttributeError};
pub use author::{AUTHOR_LIMIT, Author, NoAuthor};
pub use change::{Change, ChangeError, Operation, Resync, Snapshot};
pub use children::{ChildOutcome, Children, Missing};
pub use document::check_value;
pub use limits::*;
pub use observer::{Observer, Outcome};
pub use reporter::{Reporter, Since};
