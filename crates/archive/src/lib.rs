//! The file in which a person takes their history along: written as a stream, and read as what it is, a stranger's file.
//!
//! A tar of a few kinds of entries, in one order, sealed with a passphrase as an age file unless the person wants it
//! open (`docs/protocol/archive.md`). Pure: bytes in, bytes out; who reads the disk and keeps messages is the caller.
//!
//! **Invariant:** neither side ever holds more than one part (at most [`PART_MESSAGES`] messages) or one block of a file.
//! **Invariant:** whoever reads is shown an entry only when its name, kind, size and place in the order are as written
//! down; nothing in the file chooses a path on a disk. A file that was cut short ends as [`ArchiveError::Damaged`].
//! **Invariant:** what stands in a page is escaped, and a page fetches nothing.
//! **Invariant:** says nothing about who wrote a message: a file has no signatures of authors.

mod format;
mod page;
mod read;
mod words;
mod write;

pub use format::{
    Answer, ArchiveError, Attachment, CHATS_LIMIT, Chat, End, FILE_LIMIT, MESSAGES_LIMIT, Manifest, Message,
    PART_MESSAGES, Poll, Reaction, TEXT_LIMIT, VERSION,
};
pub use read::{Visitor, is_sealed, read};
pub use words::Language;
pub use write::Writer;
