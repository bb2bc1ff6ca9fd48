//! Addresses handed out to devices: stable for a device, a scheme and a key of its choice.

use message::{Address, Domain};
use rusqlite::{OptionalExtension, params};

use super::{Records, RecordsError};
use crate::limits::ADDRESSES_PER_DEVICE;

/// Why no addresses were handed out.
#[derive(Debug, thiserror::Error)]
pub enum AllocateError {
    /// The device holds as many as it may.
    #[error("a device holds at most {ADDRESSES_PER_DEVICE} addresses")]
    TooMany,
    /// The disk failed.
    #[error(transparent)]
    Records(#[from] RecordsError),
}

impl From<rusqlite::Error> for AllocateError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Records(error.into())
    }
}

impl Records {
    /// The first `number` addresses of this device for this scheme and tag; makes those that are missing.
    pub fn allocate(
        &self,
        domain: &Domain,
        device: &str,
        scheme: &str,
        tag: &str,
        number: usize,
    ) -> Result<Vec<Address>, AllocateError> {
        let mut ask = self.db.prepare_cached(
            "SELECT address FROM addresses WHERE device=?1 AND scheme=?2 AND tag=?3 ORDER BY number LIMIT ?4",
        )?;
        let known = ask.query_map(params![device, scheme, tag, number], |row| row.get::<_, String>(0))?;
        let mut all = Vec::with_capacity(number);
        for text in known {
            all.push(read(&text?)?);
        }
        if all.len() == number {
            return Ok(all);
        }
        let held: usize = self
            .db
            .prepare_cached("SELECT count(*) FROM addresses WHERE device=?1")?
            .query_row([device], |row| row.get(0))?;
        if held + (number - all.len()) > ADDRESSES_PER_DEVICE {
            return Err(AllocateError::TooMany);
        }
        let mut add = self
            .db
            .prepare_cached("INSERT INTO addresses(address, device, scheme, tag, number) VALUES(?1, ?2, ?3, ?4, ?5)")?;
        // Counting the addresses would not do: one that was released leaves its number free among the others.
        let mut next: usize = self
            .db
            .prepare_cached(
                "SELECT coalesce(max(number) + 1, 0) FROM addresses WHERE device=?1 AND scheme=?2 AND tag=?3",
            )?
            .query_row(params![device, scheme, tag], |row| row.get(0))?;
        while all.len() < number {
            let address = Address::new(scheme, domain, &keys::base32(&keys::random::<16>()))
                .map_err(|_| RecordsError::Corrupt("scheme"))?;
            add.execute(params![address.as_str(), device, scheme, tag, next])?;
            next += 1;
            all.push(address);
        }
        Ok(all)
    }

    /// All addresses of a device.
    pub fn addresses_of(&self, device: &str) -> Result<Vec<Address>, RecordsError> {
        let mut ask = self.db.prepare_cached("SELECT address FROM addresses WHERE device=?1")?;
        let rows = ask.query_map([device], |row| row.get::<_, String>(0))?;
        rows.map(|text| read(&text?)).collect()
    }

    /// The device that holds an address.
    pub fn holder_of(&self, address: &Address) -> Result<Option<String>, RecordsError> {
        let mut ask = self.db.prepare_cached("SELECT device FROM addresses WHERE address=?1")?;
        Ok(ask.query_row([address.as_str()], |row| row.get(0)).optional()?)
    }

    /// The inboxes of a device in which mail waits.
    pub fn inboxes_with_mail(&self, device: &str) -> Result<Vec<Address>, RecordsError> {
        let mut ask = self.db.prepare_cached(
            "SELECT u.inbox FROM mailbox_use u JOIN addresses a ON a.address=u.inbox WHERE a.device=?1 AND u.messages>0",
        )?;
        let rows = ask.query_map([device], |row| row.get::<_, String>(0))?;
        rows.map(|text| read(&text?)).collect()
    }

    /// Takes an address back from a device, with the mail that waits there.
    pub fn release(&self, device: &str, address: &Address) -> Result<bool, RecordsError> {
        let released = self
            .db
            .execute("DELETE FROM addresses WHERE address=?1 AND device=?2", params![address.as_str(), device])?;
        if released == 1 {
            self.db.execute("DELETE FROM mailbox WHERE inbox=?1", [address.as_str()])?;
            self.db.execute("DELETE FROM mailbox_use WHERE inbox=?1", [address.as_str()])?;
            self.db.execute("DELETE FROM registry WHERE inbox=?1", [address.as_str()])?;
        }
        Ok(released == 1)
    }

    /// Takes every address back from a device, with the mail that waits there; says which they were.
    pub fn release_all(&self, device: &str) -> Result<Vec<Address>, RecordsError> {
        let addresses = self.addresses_of(device)?;
        for address in &addresses {
            self.release(device, address)?;
        }
        Ok(addresses)
    }
}

fn read(text: &str) -> Result<Address, RecordsError> {
    Address::parse(text).map_err(|_| RecordsError::Corrupt("address"))
}
