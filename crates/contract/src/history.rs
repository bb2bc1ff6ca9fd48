//! The words about taking a history along, and about one that was brought.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// That a conversation was read from a file, and is nothing this app can vouch for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct ImportedLine {
    /// Who the file says wrote it, as `name@domain`.
    pub from: String,
    /// When the file says it was written, in Unix milliseconds.
    #[ts(type = "number")]
    pub made_at: i64,
    /// When it was imported here first, in Unix milliseconds.
    #[ts(type = "number")]
    pub imported_at: i64,
}

/// How far a history is that is written or read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum HistoryState {
    /// It is being written.
    Exporting {
        /// Messages that are written.
        done: u32,
        /// Of how many, about.
        total: u32,
    },
    /// It is being read and checked; nothing is kept yet.
    Checking {
        /// Messages that are checked.
        done: u32,
        /// Of how many, as the file says.
        total: u32,
    },
    /// It was checked and is being kept.
    Importing {
        /// Messages that are kept or were here.
        done: u32,
        /// Of how many.
        total: u32,
    },
    /// Neither.
    Idle,
}

/// What an import brought.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct HistoryImported {
    /// Messages that were not here.
    pub messages: u32,
    /// Messages that an earlier import had brought already.
    pub known: u32,
    /// Files that came with them.
    pub files: u32,
    /// The conversations that the file told of, as they are called here.
    pub chats: Vec<String>,
}
