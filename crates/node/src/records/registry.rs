//! Where each device of a person has its inbox, and the key packages with which strangers begin.

use rusqlite::{OptionalExtension, params};

use super::{Records, RecordsError};
use crate::limits::{DEVICES_PER_ACCOUNT, KEY_PACKAGES};

/// What is known of a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The persona behind the name.
    pub persona: String,
    /// The sigchain as JSON text.
    pub chain: String,
    /// The devices that count now and have an inbox.
    pub devices: Vec<EntryDevice>,
}

/// Where one device is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryDevice {
    /// Its signing key as text.
    pub device: String,
    /// Where messages go.
    pub inbox: String,
    /// One key package, taken from the store unless it is the last.
    pub key_package: Option<String>,
}

/// Whose key packages a look-up takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Take {
    /// One of every device.
    All,
    /// One of each of these devices.
    Only(Vec<String>),
    /// None.
    Nothing,
}

impl Take {
    fn takes(&self, device: &str) -> bool {
        match self {
            Self::All => true,
            Self::Only(devices) => devices.iter().any(|one| one == device),
            Self::Nothing => false,
        }
    }
}

/// A person has as many devices in the registry as there may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TooManyDevices;

impl Records {
    /// Sets the inbox of a device of an account.
    pub fn register(&self, device: &str, inbox: &str) -> Result<Result<(), TooManyDevices>, RecordsError> {
        let others: usize = self
            .db
            .prepare_cached(
                "SELECT count(*) FROM registry r JOIN devices d ON d.key=r.device
                 WHERE d.name=(SELECT name FROM devices WHERE key=?1) AND r.device<>?1",
            )?
            .query_row([device], |row| row.get(0))?;
        if others >= DEVICES_PER_ACCOUNT {
            return Ok(Err(TooManyDevices));
        }
        // A device of no account gets no entry, whoever asks.
        self.db
            .prepare_cached(
                "INSERT INTO registry(device, inbox) SELECT key, ?2 FROM devices WHERE key=?1
                 ON CONFLICT(device) DO UPDATE SET inbox=?2",
            )?
            .execute(params![device, inbox])?;
        Ok(Ok(()))
    }

    /// Adds key packages of a device, keeping the newest [`KEY_PACKAGES`]; says how many there are.
    pub fn add_key_packages(&self, device: &str, packages: &[String]) -> Result<usize, RecordsError> {
        let mut add = self.db.prepare_cached(
            "INSERT OR IGNORE INTO key_packages(device, package) SELECT key, ?2 FROM devices WHERE key=?1",
        )?;
        for package in packages {
            add.execute(params![device, package])?;
        }
        self.db.execute(
            "DELETE FROM key_packages WHERE device=?1 AND id NOT IN
             (SELECT id FROM key_packages WHERE device=?1 ORDER BY id DESC LIMIT ?2)",
            params![device, KEY_PACKAGES],
        )?;
        self.key_packages_left(device)
    }

    /// How many key packages a device has.
    pub fn key_packages_left(&self, device: &str) -> Result<usize, RecordsError> {
        let mut ask = self.db.prepare_cached("SELECT count(*) FROM key_packages WHERE device=?1")?;
        Ok(ask.query_row([device], |row| row.get(0))?)
    }

    /// What is known of a name; takes the oldest key package of the devices asked for, but never the last one.
    pub fn look_up(&self, name: &str, take: &Take, now_s: i64) -> Result<Option<Entry>, RecordsError> {
        let Some(account) = self.account(name)? else { return Ok(None) };
        let mut ask = self.db.prepare_cached(
            "SELECT r.device, r.inbox FROM registry r JOIN devices d ON d.key=r.device
             WHERE d.name=?1 AND d.since<=?2 AND d.expires>?2 ORDER BY r.device LIMIT ?3",
        )?;
        let rows = ask.query_map(params![name, now_s, DEVICES_PER_ACCOUNT], |row| {
            Ok(EntryDevice { device: row.get(0)?, inbox: row.get(1)?, key_package: None })
        })?;
        let mut devices = rows.collect::<Result<Vec<_>, _>>()?;
        for one in devices.iter_mut().filter(|one| take.takes(&one.device)) {
            one.key_package = self.take_key_package(&one.device)?;
        }
        Ok(Some(Entry { persona: account.persona, chain: account.chain, devices }))
    }

    /// The oldest; any one when other nodes take from the same store at the same moment.
    fn take_key_package(&self, device: &str) -> Result<Option<String>, RecordsError> {
        let oldest: Option<(i64, String)> = self
            .db
            .prepare_cached(
                "SELECT id, package FROM key_packages WHERE device=?1 ORDER BY
                 CASE WHEN EXISTS(SELECT 1 FROM sqlite_master WHERE name='share_key_packages_INSERT')
                 THEN random() ELSE id END LIMIT 1",
            )?
            .query_row([device], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((id, package)) = oldest else { return Ok(None) };
        if self.key_packages_left(device)? > 1 {
            self.db.execute("DELETE FROM key_packages WHERE id=?1", [id])?;
        }
        Ok(Some(package))
    }

    /// Whether this is the inbox of a device that counts now.
    pub fn is_inbox(&self, inbox: &str, now_s: i64) -> Result<bool, RecordsError> {
        let mut ask = self.db.prepare_cached(
            "SELECT 1 FROM registry r JOIN devices d ON d.key=r.device
             WHERE r.inbox=?1 AND d.since<=?2 AND d.expires>?2",
        )?;
        Ok(ask.exists(params![inbox, now_s])?)
    }

    /// Deletes inboxes and key packages of devices that were not renewed in time.
    pub fn drop_expired_entries(&self, now_s: i64) -> Result<(), RecordsError> {
        for table in ["registry", "key_packages"] {
            let delete = format!("DELETE FROM {table} WHERE device IN (SELECT key FROM devices WHERE expires<=?1)");
            self.db.prepare_cached(&delete)?.execute([now_s])?;
        }
        Ok(())
    }
}
