//! Accounts of the domain: which persona holds which name, and with which devices.

use rusqlite::{OptionalExtension, params};

use super::{Records, RecordsError};

/// A name and the persona it is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Account {
    /// The persona, fixed when the account was made.
    pub persona: String,
    /// Its sigchain as JSON text.
    pub chain: String,
}

/// A device of an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeviceRecord {
    /// Its signing key as text.
    pub key: String,
    /// When it stops counting, in Unix seconds.
    pub expires: i64,
}

impl Records {
    /// The account of a name.
    pub fn account(&self, name: &str) -> Result<Option<Account>, RecordsError> {
        let mut ask = self.db.prepare_cached("SELECT persona, chain FROM accounts WHERE name=?1")?;
        let found = ask.query_row([name], |row| Ok(Account { persona: row.get(0)?, chain: row.get(1)? }));
        Ok(found.optional()?)
    }

    /// The name a device belongs to, while it counts.
    pub fn owner_of_device(&self, key: &str, now_s: i64) -> Result<Option<String>, RecordsError> {
        let mut ask = self.db.prepare_cached("SELECT name FROM devices WHERE key=?1 AND expires>?2")?;
        Ok(ask.query_row(params![key, now_s], |row| row.get(0)).optional()?)
    }

    /// Binds a name to a persona and its devices, or renews the chain of a bound one.
    pub fn put_account(
        &self,
        name: &str,
        account: &Account,
        devices: &[DeviceRecord],
        now_ms: i64,
    ) -> Result<(), RecordsError> {
        self.db.execute(
            "INSERT INTO accounts(name, persona, chain, created) VALUES(?1, ?2, ?3, ?4)
             ON CONFLICT(name) DO UPDATE SET chain=?3",
            params![name, account.persona, account.chain, now_ms],
        )?;
        self.db.execute("DELETE FROM devices WHERE name=?1", [name])?;
        let mut add = self
            .db
            .prepare_cached("INSERT INTO devices(key, name, expires) VALUES(?1, ?2, ?3) ON CONFLICT(key) DO NOTHING")?;
        for device in devices {
            add.execute(params![device.key, name, device.expires])?;
        }
        Ok(())
    }

    /// Keeps an invitation, by its hash.
    pub fn add_invite(&self, hash: &[u8; 32], now_ms: i64) -> Result<(), RecordsError> {
        self.db
            .execute("INSERT OR IGNORE INTO invites(hash, created) VALUES(?1, ?2)", params![hash.as_slice(), now_ms])?;
        Ok(())
    }

    /// Uses an invitation up; says whether there was one.
    pub fn take_invite(&self, hash: &[u8; 32]) -> Result<bool, RecordsError> {
        Ok(self.db.execute("DELETE FROM invites WHERE hash=?1", [hash.as_slice()])? == 1)
    }
}
