//! People who can sign in at the embedded issuer, and the nonces it signed for them.

use rusqlite::{OptionalExtension, params};

use super::{Records, RecordsError};
use crate::limits::NONCES_PER_PERSON;

/// Someone who can sign in.
#[derive(Clone)]
pub struct Person {
    /// The subject of her tokens, and the name she may hold in the domain.
    pub name: String,
    /// How she wants to be called.
    pub shown: String,
    /// Argon2id parameters as JSON text.
    pub params: String,
    /// The hash of her password.
    pub hash: Vec<u8>,
}

impl Records {
    /// Someone by name.
    pub fn person(&self, name: &str) -> Result<Option<Person>, RecordsError> {
        let mut ask = self.db.prepare_cached("SELECT name, shown, params, hash FROM people WHERE name=?1")?;
        let found = ask.query_row([name], |row| {
            Ok(Person { name: row.get(0)?, shown: row.get(1)?, params: row.get(2)?, hash: row.get(3)? })
        });
        Ok(found.optional()?)
    }

    /// Adds someone; says false when the name is taken here, or bound to a persona nobody vouched for.
    pub fn add_person(&self, person: &Person, now_ms: i64) -> Result<bool, RecordsError> {
        // One statement, because the exchange may bind the same name on its own connection.
        let added = self.db.execute(
            "INSERT INTO people(name, shown, params, hash, created)
             SELECT ?1, ?2, ?3, ?4, ?5 WHERE NOT EXISTS (SELECT 1 FROM accounts WHERE name=?1)
             ON CONFLICT(name) DO NOTHING",
            params![person.name, person.shown, person.params, person.hash, now_ms],
        )?;
        Ok(added == 1)
    }

    /// Gives someone another password.
    pub fn set_password(&self, person: &Person) -> Result<(), RecordsError> {
        self.db.execute(
            "UPDATE people SET params=?2, hash=?3 WHERE name=?1",
            params![person.name, person.params, person.hash],
        )?;
        Ok(())
    }

    /// Whether the issuer has an account of that name.
    pub fn is_person(&self, name: &str) -> Result<bool, RecordsError> {
        let mut ask = self.db.prepare_cached("SELECT 1 FROM people WHERE name=?1")?;
        Ok(ask.exists([name])?)
    }

    /// Remembers that a nonce was signed for someone.
    pub fn signed_nonce(&self, name: &str, nonce: &str, now_ms: i64) -> Result<(), RecordsError> {
        self.db.execute(
            "INSERT OR REPLACE INTO nonces(name, nonce, at) VALUES(?1, ?2, ?3)",
            params![name, nonce, now_ms],
        )?;
        self.db.execute(
            "DELETE FROM nonces WHERE name=?1 AND nonce NOT IN
             (SELECT nonce FROM nonces WHERE name=?1 ORDER BY at DESC, nonce LIMIT ?2)",
            params![name, NONCES_PER_PERSON],
        )?;
        Ok(())
    }

    /// Whether this nonce was signed for this person, at that time or later.
    pub fn was_nonce_signed(&self, name: &str, nonce: &str, since_ms: i64) -> Result<bool, RecordsError> {
        let mut ask = self.db.prepare_cached("SELECT 1 FROM nonces WHERE name=?1 AND nonce=?2 AND at>=?3")?;
        Ok(ask.exists(params![name, nonce, since_ms])?)
    }
}
