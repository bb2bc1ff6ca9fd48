//! What people do with the messages of a conversation, beyond writing them.
//!
//! Each word about a message (a reaction, an edit …) is a child of its own author, numbered, sealed and delivered
//! like every other. It is folded into the row of the message it names when it comes, so that a message is read as
//! it stands, and so that nobody can make it grow: what is kept of such words has bounds ([`after`]).

mod after;
mod body;
mod extra;
mod keep;
mod mentions;
mod moves;
mod polls;
mod receipts;
mod search;
mod typing;
mod view;

pub(crate) use after::{Act, After, Stamp};
pub(crate) use body::{Attached, Body, TEXT_LIMIT, fits, is_child_of, is_emoji};
pub(crate) use extra::{Extra, extra_of, put_extra};
pub(crate) use keep::{end_children, heard, sent_again, spoken};
pub(crate) use moves::Words;
pub(crate) use polls::Poll;
pub(crate) use receipts::{Marks, Settled, mark_read, on_receipt, our_tags, read_elsewhere};
pub(crate) use search::said_anew;
pub(crate) use typing::Typing;
pub(crate) use view::{message_of, messages_of, pinned};
