//! A backup: the records and children of a store in one file that only the recovery words open.
//!
//! Whoever seals one needs the public half of the backup key only, so a device makes backups
//! without knowing the words. The state of the groups, the outbox and the master key are never in
//! it, and which records are is decided by the caller, since the store does not know its schema.
//!
//! **Layout.** `PRLCBKUP`, the version (u16, big endian), the length (u16) of a sealed box
//! ([`keys::sealed_box`]) and the box, which holds the key of the rest and is bound to what stands
//! before it. Then chunks of 64 KiB, sealed one by one ([`keys::SealStream`]), the last one shorter
//! or full. Opened and joined they are entries: a length (u32) and as many bytes of CBOR. The
//! first entry is `Head`, the last one `End`.
//!
//! **Who made it is not proven:** anybody who knows the public half can seal a backup. It is kept
//! sealed in the profile and never published.

mod format;
mod frame;
mod read;
mod write;

use crate::StoreError;

pub use write::{BackupPlan, Keep};

/// Why a backup was not written or not read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BackupError {
    /// Not a backup of ours.
    #[error("this is not a backup of ours")]
    NotABackup,
    /// A newer version of the app wrote it.
    #[error("the backup is of version {have}, this app knows up to {known}")]
    Newer {
        /// The version of the backup.
        have: u16,
        /// The newest version this app knows.
        known: u16,
    },
    /// These words do not open it, or its beginning was changed.
    #[error("these words do not open this backup")]
    WrongWords,
    /// It is cut off, or was changed.
    #[error("the backup is damaged")]
    Damaged,
    /// There is something in the store already.
    #[error("a backup is restored into an empty profile only")]
    NotEmpty,
    /// The disk it is written to is full.
    #[error("the disk is full")]
    DiskFull,
    /// Nothing may be written there.
    #[error("it cannot be written there: {0}")]
    Unwritable(String),
    /// It cannot be read.
    #[error("it cannot be read: {0}")]
    Unreadable(String),
    /// Whoever watched the progress said stop.
    #[error("stopped")]
    Stopped,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What is in a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BackupSummary {
    /// When it was made, Unix milliseconds.
    pub made_at: i64,
    /// How many records were written or restored.
    pub records: u64,
    /// How many children.
    pub children: u64,
    /// How many records were left out, of kinds that were not asked for or by the caller's choice.
    pub left_out: u64,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BackupProgress {
    /// Rows looked at.
    pub done: u64,
    /// Rows there are.
    pub of: u64,
}

/// What the work comes to after so many rows.
const TELL_EVERY: u64 = 64;
