//! What stands in an archive, and within which bounds.

use serde::{Deserialize, Serialize};

/// The version this app writes, and the newest it reads.
pub const VERSION: u32 = 1;

/// What the manifest calls itself.
pub(crate) const FORMAT: &str = "parlance-history";

/// Messages of one part of a conversation.
pub const PART_MESSAGES: usize = 200;

/// Conversations of one archive.
pub const CHATS_LIMIT: usize = 10_000;

/// Messages of one archive.
pub const MESSAGES_LIMIT: u64 = 5_000_000;

/// Bytes of one file; no message carries more.
pub const FILE_LIMIT: u64 = 64 * 1024 * 1024;

/// Characters of one message.
pub const TEXT_LIMIT: usize = 16_384;

/// Bytes of the manifest and of the end.
pub(crate) const MANIFEST_LIMIT: u64 = 8 * 1024 * 1024;

/// Bytes of one part with messages.
pub(crate) const PART_LIMIT: u64 = 64 * 1024 * 1024;

/// Bytes of one message, as a line.
pub(crate) const LINE_LIMIT: usize = 8 * 1024 * 1024;

/// Bytes of one page; pages are written and never read back.
pub(crate) const PAGE_LIMIT: u64 = 256 * 1024 * 1024;

/// Bytes of an address or of the name of a message.
const NAME_LIMIT: usize = 1024;

/// Reactions of one message, and people at one of them; votes of one answer.
const PEOPLE_LIMIT: usize = 1_100;

/// Answers of one poll.
const OPTIONS_LIMIT: usize = 12;

/// The first entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Manifest {
    /// Always `parlance-history`.
    pub format: String,
    /// Of the format.
    pub version: u32,
    /// When it was written, Unix milliseconds.
    pub made_at: i64,
    /// Who wrote it, as `name@domain`.
    pub user: String,
    /// How they are called.
    pub name: String,
    /// The conversations, in the order of their folders.
    pub chats: Vec<Chat>,
}

/// A conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Chat {
    /// Its address.
    pub chat: String,
    /// How it is called.
    pub name: String,
    /// The other person, or the owner of a group, as `name@domain`.
    pub user: String,
    /// Whether several people are in it.
    pub group: bool,
    /// How many lines it had when writing began; some of them may have gone since.
    pub messages: u64,
}

/// One message, as a line of JSON.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Message {
    /// Its name, unique everywhere.
    pub id: String,
    /// Who wrote it, as `name@domain`.
    pub author: String,
    /// Unix milliseconds.
    pub at: i64,
    /// Its words now; with a file what is said with it.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// The message it answers.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reply: Option<String>,
    /// Whether its words were changed.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub edited: bool,
    /// Whether it came from another conversation.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub forwarded: bool,
    /// Whether its author took it back; then there are no words.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub deleted: bool,
    /// How people felt about it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub reactions: Vec<Reaction>,
    /// The file it carries.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<Attachment>,
    /// What it asks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub poll: Option<Poll>,
}

/// One emoji, and who chose it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reaction {
    /// The emoji.
    pub emoji: String,
    /// As `name@domain`.
    pub who: Vec<String>,
}

/// A file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Attachment {
    /// The entry with its bytes; nothing if it was not on the device.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Its name.
    pub name: String,
    /// What it is said to be.
    pub media: String,
    /// Bytes.
    pub size: u64,
    /// SHA-256 of its bytes, as base64url.
    pub digest: String,
    /// Width and height in pixels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pixels: Option<(u32, u32)>,
    /// How long it sounds, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u32>,
    /// How loud it is, as base64url.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub wave: String,
    /// A small JPEG, as base64url.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub preview: String,
}

/// A question with answers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Poll {
    /// What is asked.
    pub question: String,
    /// The answers.
    pub options: Vec<Answer>,
    /// Whether one may choose more than one.
    pub several: bool,
    /// Whether apps do not show who chose what.
    pub hidden: bool,
    /// Whether it takes no more votes.
    pub closed: bool,
}

/// One answer of a poll.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Answer {
    /// Its words.
    pub text: String,
    /// Who chose it, as `name@domain`.
    pub who: Vec<String>,
}

/// The last entry: without it a file was cut short.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    /// Messages that were written.
    pub messages: u64,
    /// Files that were written.
    pub files: u64,
}

/// Why an archive cannot be written or read. Nothing of what stands in it is in its words.
#[derive(Debug, thiserror::Error)]
pub enum ArchiveError {
    /// Something else.
    #[error("this is no file with a history")]
    NotAnArchive,
    /// A newer app wrote it.
    #[error("the file is of version {have}, this app knows {VERSION}")]
    Newer {
        /// Its version.
        have: u32,
    },
    /// It is sealed.
    #[error("the file is sealed with a passphrase")]
    PassphraseNeeded,
    /// Another one sealed it.
    #[error("this is not the passphrase of the file")]
    WrongPassphrase,
    /// Opening it would take more memory than any file of this app wants.
    #[error("the passphrase of the file is made to cost more than is allowed")]
    TooCostly,
    /// It was cut short, changed, or does not follow the format.
    #[error("the file is damaged: {0}")]
    Damaged(&'static str),
    /// There is more in it than any app writes.
    #[error("the file holds too much: {0}")]
    TooMuch(&'static str),
    /// The disk.
    #[error("the file cannot be written or read: {}", .0.kind())]
    Io(std::io::Error),
}

impl Manifest {
    /// Whether this app reads it.
    pub(crate) fn check(&self) -> Result<(), ArchiveError> {
        if self.format != FORMAT {
            return Err(ArchiveError::NotAnArchive);
        }
        if self.version != VERSION {
            return Err(ArchiveError::Newer { have: self.version });
        }
        if self.chats.len() > CHATS_LIMIT {
            return Err(ArchiveError::TooMuch("chats"));
        }
        let addresses: std::collections::HashSet<&str> = self.chats.iter().map(|chat| chat.chat.as_str()).collect();
        if addresses.len() < self.chats.len() {
            return Err(ArchiveError::Damaged("a conversation stands in it twice"));
        }
        let long = |text: &String| text.len() > NAME_LIMIT;
        if [&self.user, &self.name].into_iter().any(long)
            || self.chats.iter().any(|chat| [&chat.chat, &chat.name, &chat.user].into_iter().any(long))
        {
            return Err(ArchiveError::Damaged("a name is too long"));
        }
        Ok(())
    }
}

impl Message {
    /// Whether it is within its bounds.
    pub(crate) fn check(&self) -> Result<(), ArchiveError> {
        let name = |text: &String| text.len() <= NAME_LIMIT;
        let people = |all: &Vec<String>| all.len() <= PEOPLE_LIMIT && all.iter().all(name);
        let poll = self.poll.as_ref().is_none_or(|poll| {
            poll.options.len() <= OPTIONS_LIMIT && poll.options.iter().all(|one| name(&one.text) && people(&one.who))
        });
        let fine = !self.id.is_empty()
            && name(&self.id)
            && name(&self.author)
            && self.reply.as_ref().is_none_or(name)
            && self.text.chars().count() <= TEXT_LIMIT
            && self.reactions.len() <= PEOPLE_LIMIT
            && self.reactions.iter().all(|one| name(&one.emoji) && people(&one.who))
            && self.file.as_ref().is_none_or(|file| file.size <= FILE_LIMIT || file.path.is_none())
            && poll;
        if fine { Ok(()) } else { Err(ArchiveError::Damaged("a message is out of bounds")) }
    }
}

/// Where a conversation stands in the file, from 1.
pub(crate) fn folder(chat: usize) -> String {
    format!("chats/{chat:05}")
}
