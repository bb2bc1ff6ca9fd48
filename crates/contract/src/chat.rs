//! The words about what people do with messages: answer, react, search, look back.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::ChatMessage;

/// What a message answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct Quote {
    /// The message that is answered.
    pub id: String,
    /// Who wrote it; nobody if it is not here.
    pub author: Option<String>,
    /// Whether I wrote it.
    pub mine: bool,
    /// The beginning of its words; nothing if they are gone or never came here.
    pub text: Option<String>,
}

/// How people felt about a message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct Reaction {
    /// The emoji.
    pub emoji: String,
    /// Who chose it, by address.
    pub who: Vec<String>,
    /// Whether I did.
    pub mine: bool,
}

/// A part of a conversation that is not its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct ChatPage {
    /// The messages, oldest first.
    pub messages: Vec<ChatMessage>,
    /// The one that was looked for.
    pub found: String,
    /// Whether there are older ones.
    pub older: bool,
    /// Whether there are newer ones.
    pub newer: bool,
}

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct SearchAnswer {
    /// The messages, newest first.
    pub found: Vec<ChatMessage>,
    /// Whether there are more before the last of them.
    pub more: bool,
    /// Whether all messages were looked at; after the app was opened it takes a moment to know them all.
    pub complete: bool,
}
