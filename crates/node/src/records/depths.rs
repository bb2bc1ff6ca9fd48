//! How much is kept: what an operator watches.

use super::{Records, RecordsError};

/// How much is kept.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Depths {
    /// Inboxes in which mail waits.
    pub mailboxes: u64,
    /// Messages in mailboxes.
    pub messages: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Accounts.
    pub accounts: u64,
    /// Devices of accounts.
    pub devices: u64,
    /// Devices with an inbox in the registry.
    pub inboxes: u64,
    /// Key packages.
    pub key_packages: u64,
    /// Blobs.
    pub blobs: u64,
    /// Their bytes.
    pub blob_bytes: u64,
}

impl Records {
    /// Counts what is kept.
    pub fn depths(&self) -> Result<Depths, RecordsError> {
        let mut ask = self.db.prepare_cached(
            "SELECT (SELECT count(*) FROM mailbox_use WHERE messages>0),
                    (SELECT coalesce(sum(messages), 0) FROM mailbox_use),
                    (SELECT coalesce(sum(bytes), 0) FROM mailbox_use),
                    (SELECT count(*) FROM accounts), (SELECT count(*) FROM devices),
                    (SELECT count(*) FROM registry), (SELECT count(*) FROM key_packages),
                    (SELECT count(*) FROM blobs), (SELECT coalesce(sum(bytes), 0) FROM blobs)",
        )?;
        Ok(ask.query_row([], |row| {
            Ok(Depths {
                mailboxes: row.get(0)?,
                messages: row.get(1)?,
                bytes: row.get(2)?,
                accounts: row.get(3)?,
                devices: row.get(4)?,
                inboxes: row.get(5)?,
                key_packages: row.get(6)?,
                blobs: row.get(7)?,
                blob_bytes: row.get(8)?,
            })
        })?)
    }
}
