//! What a shell can ask, what it is answered and what it is told unasked.
//!
//! Plain data, so that the runtime can speak these words itself. The TypeScript
//! side is generated from here: `TS_RS_EXPORT_DIR=ui/src/shell/generated cargo test -p contract`.

mod app;
mod call;
mod call_book;
mod chat;
mod conversation;
mod files;
mod group;
mod history;
mod invite;
mod joint;
mod module;
mod news;
mod notices;
mod person;
mod picture;
mod poll;
mod preview;
mod question;
mod screen;
mod settings;
mod sound;
mod trouble;
mod trust;

pub use app::*;
pub use call::*;
pub use call_book::*;
pub use chat::*;
pub use conversation::*;
pub use files::*;
pub use group::*;
pub use history::*;
pub use invite::*;
pub use joint::*;
pub use module::*;
pub use news::*;
pub use notices::*;
pub use person::*;
pub use picture::*;
pub use poll::*;
pub use preview::*;
pub use question::*;
pub use screen::*;
pub use settings::*;
pub use sound::*;
pub use trouble::*;
pub use trust::*;
