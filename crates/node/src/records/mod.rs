//! What the node keeps on disk: one SQLite file.

mod accounts;
mod addresses;
mod mailbox;
mod people;
mod registry;
mod settings;

use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;

pub use accounts::{Account, DeviceRecord};
pub use addresses::AllocateError;
pub use people::Person;

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

const FORMAT: i64 = 1;

const SCHEMA: &str = "
CREATE TABLE accounts(name TEXT PRIMARY KEY, persona TEXT NOT NULL, chain TEXT NOT NULL, created INTEGER NOT NULL) STRICT;
CREATE TABLE devices(key TEXT PRIMARY KEY, expires INTEGER NOT NULL, name TEXT NOT NULL REFERENCES accounts(name) ON DELETE CASCADE) STRICT;
CREATE INDEX devices_name ON devices(name);
CREATE TABLE addresses(address TEXT PRIMARY KEY, device TEXT NOT NULL, scheme TEXT NOT NULL, tag TEXT NOT NULL, number INTEGER NOT NULL, UNIQUE(device, scheme, tag, number)) STRICT;
CREATE TABLE registry(name TEXT PRIMARY KEY REFERENCES accounts(name) ON DELETE CASCADE, inbox TEXT NOT NULL) STRICT;
CREATE TABLE key_packages(id INTEGER PRIMARY KEY, name TEXT NOT NULL REFERENCES accounts(name) ON DELETE CASCADE, package TEXT NOT NULL, UNIQUE(name, package)) STRICT;
CREATE TABLE mailbox(id INTEGER PRIMARY KEY, inbox TEXT NOT NULL, sender TEXT NOT NULL, body TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
CREATE INDEX mailbox_inbox ON mailbox(inbox, id);
CREATE TABLE mailbox_use(inbox TEXT PRIMARY KEY, messages INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE people(name TEXT PRIMARY KEY, shown TEXT NOT NULL, params TEXT NOT NULL, hash BLOB NOT NULL, created INTEGER NOT NULL) STRICT;
CREATE TABLE nonces(name TEXT NOT NULL REFERENCES people(name) ON DELETE CASCADE, nonce TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(name, nonce)) STRICT, WITHOUT ROWID;
CREATE TABLE invites(hash BLOB PRIMARY KEY, created INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE settings(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
";

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
        let found: i64 = make.query_row("PRAGMA user_version", [], |row| row.get(0))?;
        match found {
            FORMAT => {}
            0 => make.execute_batch(&format!("{SCHEMA} PRAGMA user_version={FORMAT};"))?,
            _ => return Err(RecordsError::Newer { found, known: FORMAT }),
        }
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
