//! What stands in a backup, once it is opened.

use serde::{Deserialize, Serialize};

use super::BackupError;
use crate::cipher::VALUE_LIMIT;
use crate::{ChildRow, ChildState};

pub(super) const MAGIC: &[u8; 8] = b"PRLCBKUP";
pub(super) const VERSION: u16 = 1;

/// What the sealed box is for.
pub(super) const PURPOSE: &[u8] = b"parlance-backup-v1";

/// Longest box; ours has 80 bytes.
pub(super) const BOX_LIMIT: usize = 1024;

/// Longest entry: a value and what stands around it.
pub(super) const ENTRY_LIMIT: usize = VALUE_LIMIT + 64 * 1024;

/// One entry.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) enum Entry {
    /// The first: when it was made, and how many rows there were to look at.
    Head { made_at: i64, rows: u64 },
    /// A record; its value is JSON text.
    Record { kind: String, key: String, value: String },
    /// A child.
    Child(Child),
    /// The last: what should have come before.
    End { records: u64, children: u64 },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Child {
    id: String,
    object: String,
    author: String,
    seq: i64,
    at: i64,
    state: i64,
    value: String,
    mine: bool,
    unread: bool,
    #[serde(default)]
    hidden: bool,
    #[serde(default)]
    ends: Option<i64>,
}

impl From<ChildRow> for Child {
    fn from(row: ChildRow) -> Self {
        Self {
            id: row.id,
            object: row.object,
            author: row.author,
            seq: row.seq,
            at: row.at,
            state: row.state.number(),
            value: row.value,
            mine: row.mine,
            unread: row.unread,
            hidden: row.hidden,
            ends: row.ends,
        }
    }
}

impl TryFrom<Child> for ChildRow {
    type Error = BackupError;

    fn try_from(child: Child) -> Result<Self, BackupError> {
        Ok(Self {
            ordinal: 0,
            id: child.id,
            object: child.object,
            author: child.author,
            seq: child.seq,
            at: child.at,
            state: ChildState::of_number(child.state).ok_or(BackupError::Damaged)?,
            value: child.value,
            mine: child.mine,
            unread: child.unread,
            hidden: child.hidden,
            ends: child.ends,
        })
    }
}
