//! Accounts of the domain: which persona holds which name, and with which devices.

use std::collections::HashMap;

use identity::Sigchain;
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
    /// When it begins to count, in Unix seconds.
    pub since: i64,
    /// When it stops counting, in Unix seconds.
    pub expires: i64,
}

/// What an operator reads of an account.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct AccountLine {
    /// The name.
    pub name: String,
    /// The persona it is bound to.
    pub persona: String,
    /// How many devices count now.
    pub devices: usize,
}

impl Account {
    /// Its sigchain.
    pub fn chain(&self) -> Result<Sigchain, RecordsError> {
        let texts: Vec<String> = serde_json::from_str(&self.chain).map_err(|_| RecordsError::Corrupt("chain"))?;
        Sigchain::parse(&texts).map_err(|_| RecordsError::Corrupt("chain"))
    }
}

fn freed(name: &str) -> String {
    format!("shared/freed/{name}")
}

fn reset_leave(name: &str) -> String {
    format!("shared/may-reset/{name}")
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
        let mut ask = self.db.prepare_cached("SELECT name FROM devices WHERE key=?1 AND since<=?2 AND expires>?2")?;
        Ok(ask.query_row(params![key, now_s], |row| row.get(0)).optional()?)
    }

    /// Whether one of these devices counts, counted or will count for another name.
    pub fn is_elsewhere(&self, name: &str, devices: &[String]) -> Result<bool, RecordsError> {
        let mut ask = self.db.prepare_cached("SELECT 1 FROM devices WHERE key=?1 AND name<>?2")?;
        for device in devices {
            if ask.exists(params![device, name])? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Binds a name to a persona and its devices, or renews the chain of a bound one. Gives the devices
    /// it no longer has; their entries in the registry are gone.
    pub fn put_account(
        &self,
        name: &str,
        account: &Account,
        devices: &[DeviceRecord],
        now_ms: i64,
    ) -> Result<Vec<String>, RecordsError> {
        self.db.execute(
            "INSERT INTO accounts(name, persona, chain, created) VALUES(?1, ?2, ?3, ?4)
             ON CONFLICT(name) DO UPDATE SET chain=?3",
            params![name, account.persona, account.chain, now_ms],
        )?;
        let gone: Vec<String> =
            self.devices_of(name)?.into_iter().filter(|key| !devices.iter().any(|device| device.key == *key)).collect();
        for key in &gone {
            self.db.execute("DELETE FROM devices WHERE key=?1", [key])?;
        }
        // Another name's device was refused before; should one come through, it stays where it is.
        let mut add = self.db.prepare_cached(
            "INSERT INTO devices(key, name, since, expires) VALUES(?1, ?2, ?3, ?4)
             ON CONFLICT(key) DO UPDATE SET since=?3, expires=?4 WHERE name=?2",
        )?;
        for device in devices {
            add.execute(params![device.key, name, device.since, device.expires])?;
        }
        Ok(gone)
    }

    /// The devices a name's chain holds, those that do not count now too.
    pub fn devices_of(&self, name: &str) -> Result<Vec<String>, RecordsError> {
        let mut ask = self.db.prepare_cached("SELECT key FROM devices WHERE name=?1")?;
        let rows = ask.query_map([name], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The devices that began or ceased to count after one moment, up to another, in Unix seconds.
    pub fn devices_turned(&self, after_s: i64, now_s: i64) -> Result<Vec<String>, RecordsError> {
        let mut ask = self
            .db
            .prepare_cached("SELECT key FROM devices WHERE (since>?1 AND since<=?2) OR (expires>?1 AND expires<=?2)")?;
        let rows = ask.query_map(params![after_s, now_s], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Every account, by name.
    pub fn accounts(&self, now_s: i64) -> Result<Vec<AccountLine>, RecordsError> {
        let mut ask = self.db.prepare_cached(
            "SELECT a.name, a.persona, count(d.key) FROM accounts a
             LEFT JOIN devices d ON d.name=a.name AND d.since<=?1 AND d.expires>?1 GROUP BY a.name ORDER BY a.name",
        )?;
        let rows = ask.query_map([now_s], |row| {
            Ok(AccountLine { name: row.get(0)?, persona: row.get(1)?, devices: row.get(2)? })
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Frees a name; gives its devices, whose addresses are still theirs, if there was such an account.
    pub fn forget_account(&self, name: &str) -> Result<Option<Vec<String>>, RecordsError> {
        let devices = self.devices_of(name)?;
        let known = self.db.execute("DELETE FROM accounts WHERE name=?1", [name])? == 1;
        self.forbid_reset(name)?;
        self.delete_blobs_of(name)?;
        self.set_setting(&freed(name), &(self.times_freed(name)? + 1).to_string())?;
        Ok(known.then_some(devices))
    }

    /// How often a name was freed for somebody else.
    pub fn times_freed(&self, name: &str) -> Result<u64, RecordsError> {
        Ok(self.setting(&freed(name))?.and_then(|times| times.parse().ok()).unwrap_or(0))
    }

    /// Remembers when a reset of an account was first seen here: its days are counted from then.
    pub fn saw_reset(&self, name: &str, hash: &str, now_s: i64) -> Result<(), RecordsError> {
        self.db
            .execute("INSERT OR IGNORE INTO resets(name, hash, seen) VALUES(?1, ?2, ?3)", params![name, hash, now_s])?;
        Ok(())
    }

    /// When the resets of an account were first seen here, by their hashes, in Unix seconds.
    pub fn resets_seen(&self, name: &str) -> Result<HashMap<String, i64>, RecordsError> {
        let mut ask = self.db.prepare_cached("SELECT hash, seen FROM resets WHERE name=?1")?;
        let rows = ask.query_map([name], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// The operator lets an account begin anew until then.
    pub fn allow_reset(&self, name: &str, until_ms: i64) -> Result<(), RecordsError> {
        self.set_setting(&reset_leave(name), &until_ms.to_string())
    }

    /// Whether the operator lets an account begin anew now.
    pub fn may_reset(&self, name: &str, now_ms: i64) -> Result<bool, RecordsError> {
        let until = self.setting(&reset_leave(name))?;
        Ok(until.and_then(|until| until.parse::<i64>().ok()).is_some_and(|until| until > now_ms))
    }

    /// Takes that leave back; it serves once.
    pub fn forbid_reset(&self, name: &str) -> Result<(), RecordsError> {
        self.db.execute("DELETE FROM settings WHERE key=?1", [reset_leave(name)])?;
        Ok(())
    }

    /// Keeps an invitation, by its hash.
    pub fn add_invite(&self, hash: &[u8; 32], now_ms: i64) -> Result<(), RecordsError> {
        self.db
            .execute("INSERT OR IGNORE INTO invites(hash, created) VALUES(?1, ?2)", params![hash.as_slice(), now_ms])?;
        Ok(())
    }

    /// Whether there is such an invitation.
    pub fn is_invite(&self, hash: &[u8; 32]) -> Result<bool, RecordsError> {
        Ok(self.db.prepare_cached("SELECT 1 FROM invites WHERE hash=?1")?.exists([hash.as_slice()])?)
    }

    /// Uses an invitation up; says whether there was one.
    pub fn take_invite(&self, hash: &[u8; 32]) -> Result<bool, RecordsError> {
        Ok(self.db.execute("DELETE FROM invites WHERE hash=?1", [hash.as_slice()])? == 1)
    }
}
