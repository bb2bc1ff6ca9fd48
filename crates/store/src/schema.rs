//! The tables, and how a store of an older version becomes one of today.

use rusqlite::{Connection, TransactionBehavior};

use crate::StoreError;

/// Marks the file as ours: "Prlc".
pub(crate) const APPLICATION_ID: i32 = 0x5072_6C63;

/// The version this app writes.
pub(crate) const VERSION: u32 = STEPS.len() as u32;

/// Step n leads from version n to n + 1; a step is never changed once it was released.
const STEPS: &[&str] = &[FIRST, UNREAD_AND_LANES, WORDS_ABOUT_WORDS, PUT_OFF];

const FIRST: &str = "
    CREATE TABLE proof (
        id INTEGER PRIMARY KEY CHECK (id = 1),
        sealed BLOB NOT NULL
    ) STRICT;
    CREATE TABLE record (
        kind BLOB NOT NULL,
        name BLOB NOT NULL,
        sealed BLOB NOT NULL,
        PRIMARY KEY (kind, name)
    ) STRICT, WITHOUT ROWID;
    CREATE TABLE vault (
        name BLOB NOT NULL PRIMARY KEY,
        sealed BLOB NOT NULL
    ) STRICT;
    CREATE TABLE child (
        ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
        id BLOB NOT NULL UNIQUE,
        object BLOB NOT NULL,
        author BLOB NOT NULL,
        seq INTEGER NOT NULL,
        state INTEGER NOT NULL,
        sealed BLOB NOT NULL,
        UNIQUE (object, author, seq)
    ) STRICT;
    CREATE INDEX child_of_object ON child (object, ordinal);
    CREATE TABLE outbox (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        domain BLOB NOT NULL,
        not_before INTEGER NOT NULL,
        attempts INTEGER NOT NULL,
        sealed BLOB NOT NULL
    ) STRICT;
    CREATE TABLE seen (
        ordinal INTEGER PRIMARY KEY AUTOINCREMENT,
        name BLOB NOT NULL UNIQUE
    ) STRICT;
";

/// What was there before counts as read; what was queued before shares one lane per domain.
const UNREAD_AND_LANES: &str = "
    ALTER TABLE child ADD COLUMN unread INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX child_unread ON child (object) WHERE unread = 1;
    ALTER TABLE outbox ADD COLUMN lane BLOB NOT NULL DEFAULT x'';
    UPDATE outbox SET lane = domain;
    CREATE INDEX outbox_of_domain ON outbox (domain, id);
    CREATE INDEX outbox_of_lane ON outbox (lane, id);
";

/// What was there before is shown and stays; what is on its way is found without looking at the rest.
const WORDS_ABOUT_WORDS: &str = "
    ALTER TABLE child ADD COLUMN hidden INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE child ADD COLUMN ends INTEGER;
    DROP INDEX child_of_object;
    CREATE INDEX child_shown ON child (object, ordinal) WHERE hidden = 0;
    CREATE INDEX child_on_its_way ON child (object, state, ordinal) WHERE state < 3;
    CREATE INDEX child_ends ON child (ends) WHERE ends IS NOT NULL;
";

/// Whether something older for the same recipient was put off is asked for each row that is due.
const PUT_OFF: &str = "
    CREATE INDEX outbox_put_off ON outbox (lane, id) WHERE not_before > 0;
";

/// Brings the store to the present version, step by step, each in its own transaction.
pub(crate) fn migrate(db: &mut Connection) -> Result<(), StoreError> {
    migrate_to(db, VERSION)
}

pub(crate) fn migrate_to(db: &mut Connection, goal: u32) -> Result<(), StoreError> {
    let have = version(db)?;
    let ours: i32 = db.pragma_query_value(None, "application_id", |row| row.get(0))?;
    if have > VERSION {
        return Err(StoreError::Newer { have, known: VERSION });
    }
    if (have > 0 || !is_empty(db)?) && ours != APPLICATION_ID {
        return Err(StoreError::NotOurs);
    }
    for (step, next) in STEPS.iter().zip(1..=goal).skip(have as usize) {
        let tx = db.transaction_with_behavior(TransactionBehavior::Exclusive)?;
        tx.execute_batch(step)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", next)?;
        tx.commit()?;
    }
    Ok(())
}

pub(crate) fn version(db: &Connection) -> Result<u32, StoreError> {
    let version: i64 = db.pragma_query_value(None, "user_version", |row| row.get(0))?;
    u32::try_from(version).map_err(|_| StoreError::NotOurs)
}

fn is_empty(db: &Connection) -> Result<bool, StoreError> {
    Ok(db.query_row("SELECT count(*) = 0 FROM sqlite_master", [], |row| row.get(0))?)
}
