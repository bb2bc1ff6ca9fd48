//! What the node keeps on disk: one SQLite file.

mod accounts;
mod addresses;
mod blobs;
mod depths;
mod mailbox;
mod people;
mod registry;
mod schema;
mod settings;
mod shared;

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

pub use accounts::{Account, DeviceRecord};
pub use addresses::AllocateError;
pub use blobs::Blob;
pub use depths::Depths;
pub use people::Person;
pub use registry::Take;
pub use shared::{Change, Replica, Stamps, is_mail};

/// The disk failed, or the file is not ours.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// SQLite said no.
    #[error("the node's database failed: {0}")]
    Database(#[from] rusqlite::Error),
    /// Written by a newer node.
    #[error("the database has format {found}, this program knows {known}")]
    Newer {
        /// The format found.
        found: i64,
        /// The newest format known.
        known: i64,
    },
    /// A stored value does not read.
    #[error("a stored {0} does not read")]
    Corrupt(&'static str),
}

/// An open database. The exchange and the issuer each hold one on the same file.
pub struct Records {
    db: Connection,
}

impl Records {
    /// Opens the file, making it if it is not there.
    pub fn open(path: &Path) -> Result<Self, RecordsError> {
        Self::prepare(Connection::open(path)?)
    }

    /// A database in memory, for tests.
    pub fn in_memory() -> Result<Self, RecordsError> {
        Self::prepare(Connection::open_in_memory()?)
    }

    fn prepare(mut db: Connection) -> Result<Self, RecordsError> {
        db.busy_timeout(Duration::from_secs(5))?;
        // FULL: a sender who reads 202 deletes his copy, so "kept" must survive a power cut.
        // The exchange puts many messages into one transaction, so one flush serves them all.
        db.execute_batch("PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL; PRAGMA foreign_keys=ON;")?;
        db.set_prepared_statement_cache_capacity(64);
        let make = db.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
        schema::prepare(&make)?;
        make.commit()?;
        Ok(Self { db })
    }

    /// Begins a transaction that [`Records::commit`] ends; nothing may be answered in between.
    pub fn begin(&self) -> Result<(), RecordsError> {
        Ok(self.db.execute_batch("BEGIN")?)
    }

    /// Ends what [`Records::begin`] began.
    pub fn commit(&self) -> Result<(), RecordsError> {
        Ok(self.db.execute_batch("COMMIT")?)
    }

    /// Forgets what was done since [`Records::begin`].
    pub fn roll_back(&self) {
        if !self.db.is_autocommit() {
            // Nothing more can be done when even this fails; SQLite rolls back on close.
            let _ = self.db.execute_batch("ROLLBACK");
        }
    }
}
