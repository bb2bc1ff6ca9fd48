//! Small facts the node remembers between starts.

use rusqlite::{OptionalExtension, params};

use super::{Records, RecordsError};

/// Ids handed out per start; after a crash the next start begins above anything handed out before.
const IDS_PER_START: u64 = 1 << 32;

impl Records {
    /// A remembered fact.
    pub fn setting(&self, key: &str) -> Result<Option<String>, RecordsError> {
        let mut ask = self.db.prepare_cached("SELECT value FROM settings WHERE key=?1")?;
        Ok(ask.query_row([key], |row| row.get(0)).optional()?)
    }

    /// Remembers a fact.
    pub fn set_setting(&self, key: &str, value: &str) -> Result<(), RecordsError> {
        self.db.execute(
            "INSERT INTO settings(key, value) VALUES(?1, ?2) ON CONFLICT(key) DO UPDATE SET value=?2",
            params![key, value],
        )?;
        Ok(())
    }

    /// The first delivery number of this start, above every number of earlier starts.
    pub fn next_delivery_block(&self) -> Result<u64, RecordsError> {
        let last: u64 = match self.setting("delivery-block")? {
            Some(text) => text.parse().map_err(|_| RecordsError::Corrupt("delivery number"))?,
            None => 0,
        };
        // 2^53 - 1 is the largest message id: two million starts.
        let next = last + IDS_PER_START;
        self.set_setting("delivery-block", &next.to_string())?;
        Ok(next)
    }
}
