//! Where a person's inbox is, and the key packages with which strangers begin.

use rusqlite::{OptionalExtension, params};

use super::{Records, RecordsError};
use crate::limits::KEY_PACKAGES;

/// What a stranger is told of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The persona behind the name.
    pub persona: String,
    /// The sigchain as JSON text.
    pub chain: String,
    /// Where messages go.
    pub inbox: String,
    /// One key package, taken from the store unless it is the last.
    pub key_package: Option<String>,
}

impl Records {
    /// Sets the inbox of a name. Another inbox is another device: its key packages start anew.
    pub fn register(&self, name: &str, inbox: &str) -> Result<(), RecordsError> {
        let before: Option<String> =
            self.db.query_row("SELECT inbox FROM registry WHERE name=?1", [name], |row| row.get(0)).optional()?;
        if before.as_deref() != Some(inbox) {
            self.db.execute("DELETE FROM key_packages WHERE name=?1", [name])?;
        }
        self.db.execute(
            "INSERT INTO registry(name, inbox) VALUES(?1, ?2) ON CONFLICT(name) DO UPDATE SET inbox=?2",
            params![name, inbox],
        )?;
        Ok(())
    }

    /// Adds key packages, keeping the newest [`KEY_PACKAGES`]; says how many there are.
    pub fn add_key_packages(&self, name: &str, packages: &[String]) -> Result<usize, RecordsError> {
        let mut add = self.db.prepare_cached("INSERT OR IGNORE INTO key_packages(name, package) VALUES(?1, ?2)")?;
        for package in packages {
            add.execute(params![name, package])?;
        }
        self.db.execute(
            "DELETE FROM key_packages WHERE name=?1 AND id NOT IN
             (SELECT id FROM key_packages WHERE name=?1 ORDER BY id DESC LIMIT ?2)",
            params![name, KEY_PACKAGES],
        )?;
        self.key_packages_left(name)
    }

    /// How many key packages a name has.
    pub fn key_packages_left(&self, name: &str) -> Result<usize, RecordsError> {
        let mut ask = self.db.prepare_cached("SELECT count(*) FROM key_packages WHERE name=?1")?;
        Ok(ask.query_row([name], |row| row.get(0))?)
    }

    /// What a stranger is told of a name; takes the oldest key package, but never the last one.
    pub fn look_up(&self, name: &str) -> Result<Option<Entry>, RecordsError> {
        let mut ask = self.db.prepare_cached(
            "SELECT a.persona, a.chain, r.inbox FROM accounts a JOIN registry r ON r.name=a.name WHERE a.name=?1",
        )?;
        let found = ask.query_row([name], |row| {
            Ok(Entry { persona: row.get(0)?, chain: row.get(1)?, inbox: row.get(2)?, key_package: None })
        });
        let Some(mut entry) = found.optional()? else { return Ok(None) };
        let oldest: Option<(i64, String)> = self
            .db
            .prepare_cached("SELECT id, package FROM key_packages WHERE name=?1 ORDER BY id LIMIT 1")?
            .query_row([name], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        if let Some((id, package)) = oldest {
            if self.key_packages_left(name)? > 1 {
                self.db.execute("DELETE FROM key_packages WHERE id=?1", [id])?;
            }
            entry.key_package = Some(package);
        }
        Ok(Some(entry))
    }
}
