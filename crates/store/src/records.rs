//! Records of any shape by kind and key, and the marks of what was seen before.

use rusqlite::{OptionalExtension, params};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_bytes::ByteBuf;
use zeroize::Zeroizing;

use crate::{StoreError, Tx};

/// How many marks are kept. A node delivers again only what was not acknowledged, which is
/// far less than this.
const SEEN_LIMIT: i64 = 100_000;

/// A record as it is sealed: the key goes inside, since the column shows only its blind name.
/// Bytes are written as bytes: a list of numbers takes many times as long to write and to read. Both are read.
type Kept = (String, ByteBuf);

impl Tx<'_> {
    /// The record of this kind under `key`.
    pub fn get<T: DeserializeOwned>(&self, kind: &str, key: &str) -> Result<Option<T>, StoreError> {
        let (kind, name) = self.record_name(kind, key);
        Ok(self.read_record(&kind, &name)?.0)
    }

    /// The same for what is asked for again and again and is no secret of this device: it stays in memory, as it was
    /// read, until it changes or the store is closed.
    pub fn recall<T>(&self, kind: &str, key: &str) -> Result<Option<T>, StoreError>
    where
        T: DeserializeOwned + Clone + Send + 'static,
    {
        if let Some(known) = self.memo.get(kind, key) {
            return Ok(known);
        }
        let (blind, name) = self.record_name(kind, key);
        let (value, size) = self.read_record(&blind, &name)?;
        self.memo.read(kind, key, value.as_ref(), size);
        Ok(value)
    }

    /// A record, and how large it is as it is sealed.
    fn read_record<T: DeserializeOwned>(
        &self,
        kind: &[u8; 32],
        name: &[u8; 32],
    ) -> Result<(Option<T>, usize), StoreError> {
        let sealed: Option<Vec<u8>> = self
            .db
            .prepare_cached("SELECT sealed FROM record WHERE kind = ?1 AND name = ?2")?
            .query_row(params![kind, name], |row| row.get(0))
            .optional()?;
        let size = sealed.as_ref().map_or(0, Vec::len);
        let value = sealed.map(|sealed| self.open_record(kind, name, &sealed).map(|(_, value)| value)).transpose()?;
        Ok((value, size))
    }

    /// Keeps a record in place of what was there.
    pub fn put<T: Serialize + ?Sized>(&self, kind: &str, key: &str, value: &T) -> Result<(), StoreError> {
        // JSON inside, so that everything that crosses our seams can be kept as it is.
        let value = serde_json::to_vec(value).map_err(|_| StoreError::Codec { place: "record" })?;
        self.put_json(kind, key, value)
    }

    /// Keeps a record whose value is JSON text already.
    pub(crate) fn put_json(&self, kind: &str, key: &str, value: Vec<u8>) -> Result<(), StoreError> {
        self.writable()?;
        self.memo.changes(kind, key);
        let (kind, name) = self.record_name(kind, key);
        let row = [kind, name].concat();
        let kept: Kept = (key.to_owned(), ByteBuf::from(value));
        let sealed = self.cipher.record.seal_value("sealed", &row, &kept)?;
        self.db
            .prepare_cached(
                "INSERT INTO record (kind, name, sealed) VALUES (?1, ?2, ?3)
                 ON CONFLICT (kind, name) DO UPDATE SET sealed = excluded.sealed",
            )?
            .execute(params![kind, name, sealed])?;
        Ok(())
    }

    /// Forgets a record; whether there was one.
    pub fn delete(&self, kind: &str, key: &str) -> Result<bool, StoreError> {
        self.writable()?;
        self.memo.changes(kind, key);
        let (kind, name) = self.record_name(kind, key);
        let gone =
            self.db.prepare_cached("DELETE FROM record WHERE kind = ?1 AND name = ?2")?.execute(params![kind, name])?;
        Ok(gone > 0)
    }

    /// All records of this kind with their keys, by key.
    pub fn list<T: DeserializeOwned>(&self, kind: &str) -> Result<Vec<(String, T)>, StoreError> {
        let kind = self.cipher.record.blind("kind", &[kind.as_bytes()]);
        let mut query = self.db.prepare_cached("SELECT name, sealed FROM record WHERE kind = ?1")?;
        let rows = query.query_map([kind], |row| Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
        let mut all = Vec::new();
        for row in rows {
            let (name, sealed) = row?;
            all.push(self.open_record(&kind, &name, &sealed)?);
        }
        all.sort_by(|a: &(String, T), b| a.0.cmp(&b.0));
        Ok(all)
    }

    /// How many records there are, of one kind or of all.
    pub(crate) fn count_records(&self, kind: Option<&str>) -> Result<u64, StoreError> {
        let kind = kind.map(|kind| self.cipher.record.blind("kind", &[kind.as_bytes()]));
        let count: i64 = self
            .db
            .prepare_cached("SELECT count(*) FROM record WHERE ?1 IS NULL OR kind = ?1")?
            .query_row([kind], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Shows all records of a kind, one after the other, with their values as JSON text.
    pub(crate) fn each_record<E: From<StoreError>>(
        &self,
        kind: &str,
        mut show: impl FnMut(&str, &str) -> Result<(), E>,
    ) -> Result<(), E> {
        let kind = self.cipher.record.blind("kind", &[kind.as_bytes()]);
        let mut query =
            self.db.prepare_cached("SELECT name, sealed FROM record WHERE kind = ?1").map_err(StoreError::from)?;
        let rows = query
            .query_map([kind], |row| Ok((row.get::<_, [u8; 32]>(0)?, row.get::<_, Vec<u8>>(1)?)))
            .map_err(StoreError::from)?;
        for row in rows {
            let (name, sealed) = row.map_err(StoreError::from)?;
            let (key, value): Kept = self.cipher.record.open_value("sealed", &[kind, name].concat(), &sealed)?;
            let value = Zeroizing::new(value.into_vec());
            let text = std::str::from_utf8(&value).map_err(|_| StoreError::Codec { place: "record" })?;
            show(&key, text)?;
        }
        Ok(())
    }

    /// Marks `id` as seen and says whether it was seen before.
    pub fn seen(&self, id: &str) -> Result<bool, StoreError> {
        self.writable()?;
        let name = self.cipher.seen.blind("name", &[id.as_bytes()]);
        let new = self.db.prepare_cached("INSERT OR IGNORE INTO seen (name) VALUES (?1)")?.execute([name])?;
        if new == 0 {
            return Ok(true);
        }
        self.db
            .prepare_cached("DELETE FROM seen WHERE ordinal <= ?1")?
            .execute([self.db.last_insert_rowid() - SEEN_LIMIT])?;
        Ok(false)
    }

    fn record_name(&self, kind: &str, key: &str) -> ([u8; 32], [u8; 32]) {
        let record = &self.cipher.record;
        (record.blind("kind", &[kind.as_bytes()]), record.blind("name", &[kind.as_bytes(), key.as_bytes()]))
    }

    fn open_record<T: DeserializeOwned>(
        &self,
        kind: &[u8; 32],
        name: &[u8; 32],
        sealed: &[u8],
    ) -> Result<(String, T), StoreError> {
        let row = [*kind, *name].concat();
        let (key, value): Kept = self.cipher.record.open_value("sealed", &row, sealed)?;
        let value = Zeroizing::new(value.into_vec());
        let value = serde_json::from_slice(&value).map_err(|_| StoreError::Codec { place: "record" })?;
        Ok((key, value))
    }
}
