//! The words about files: what a message carries, how far it is, and what waits to be sent.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::ChatMessage;

/// What a file is to a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum FileKind {
    /// A picture that may be shown.
    Picture,
    /// Something somebody said.
    Voice,
    /// Anything else.
    Other,
}

/// A file as a message tells of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct FileView {
    /// What it is.
    pub kind: FileKind,
    /// Its name; no path, no direction tricks.
    pub name: String,
    /// Bytes.
    #[ts(type = "number")]
    pub size: u64,
    /// Pixels from side to side, of a picture.
    pub width: Option<u32>,
    /// Pixels from top to bottom, of a picture.
    pub height: Option<u32>,
    /// How long it sounds, in milliseconds.
    pub duration_ms: Option<u32>,
    /// How loud it is from beginning to end, 0 to 255 each.
    pub wave: Vec<u8>,
    /// A small picture, as base64 of a JPEG.
    pub preview: Option<String>,
}

/// How far a message's file is on this device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(tag = "stage", rename_all = "kebab-case")]
pub enum FileState {
    /// It can be fetched.
    Away,
    /// It is being fetched.
    Coming {
        /// Bytes that are here.
        #[ts(type = "number")]
        done: u64,
        /// From the author's device itself, and not through a domain.
        directly: bool,
    },
    /// No domain keeps it: it comes when its author is there.
    Waiting {
        /// Bytes that are here.
        #[ts(type = "number")]
        done: u64,
    },
    /// It is here, whole and checked.
    Here {
        /// As what it may be shown: the media type its own bytes tell. Nothing that is not on the list.
        shown: Option<String>,
    },
    /// It cannot be had; why, as a code.
    Failed {
        /// `file-gone`, `file-tampered` ….
        code: String,
    },
}

/// A file that is on its way out; it becomes a message when the Node has all of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct Upload {
    /// Names it.
    pub file: String,
    /// The conversation.
    pub chat: String,
    /// What it is.
    pub view: FileView,
    /// What is said with it.
    pub text: String,
    /// Bytes the Node has.
    #[ts(type = "number")]
    pub done: u64,
    /// Why it does not go on, as a code; it waits for the person then.
    pub trouble: Option<String>,
    /// When it was sent, in Unix milliseconds.
    #[ts(type = "number")]
    pub at: i64,
}

/// A file that is being handed over by a shell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct FileTicket {
    /// Names it from now on.
    pub file: String,
    /// Most bytes of one part.
    pub part_bytes: u32,
}

/// A part of a file that is here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct FileBytes {
    /// The bytes, as base64.
    pub data: String,
    /// How many parts there are.
    pub parts: u32,
}

/// Where a file was saved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct SavedFile {
    /// Its path.
    pub path: String,
}

/// The files of a conversation, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct Gallery {
    /// The messages that carry them.
    pub messages: Vec<ChatMessage>,
    /// Ask for those before this ordinal; nothing when these were the last.
    pub before: Option<i32>,
}

/// How a file of a message stands, as news.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct FileNews {
    /// The conversation.
    pub chat: String,
    /// The message.
    pub message: String,
    /// How far it is.
    pub state: FileState,
}

/// A voice note that is being recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct VoiceState {
    /// How long it is, in milliseconds.
    pub duration_ms: u32,
    /// How loud the last moment was, 0 to 255.
    pub level: u8,
    /// Whether it came to its longest and waits to be sent.
    pub full: bool,
}
