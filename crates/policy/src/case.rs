//! A message that crosses a sandbox, as it is brought before the policy.

use bus::Party;
use message::{Message, MessageType};

use crate::peer::Peer;

/// Everything a verdict on a message depends on; the bus's `Judge` holds the first four.
#[derive(Debug, Clone, Copy)]
pub struct Case<'a> {
    /// The message with its true sender.
    pub message: &'a Message,
    /// Who sends it.
    pub from: &'a Party,
    /// Who would get it.
    pub to: &'a [Party],
    /// Of an answer: what had been asked.
    pub answers: Option<MessageType>,
    /// The person whose words it carries, or to whom it goes, if the runtime knows one.
    pub peer: Option<&'a Peer>,
}
