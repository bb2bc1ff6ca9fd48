//! Sealed chunks kept for whoever knows their name, and what each person may keep.

use rusqlite::{OptionalExtension, params};

use super::{Records, RecordsError};

/// What is known of a blob.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Blob {
    /// The account that put it here.
    pub name: String,
    /// Bytes of all its chunks.
    pub bytes: u64,
    /// Until when it is kept, in Unix milliseconds.
    pub until: i64,
}

impl Records {
    /// The blob of this name, if its time is not over.
    pub fn blob(&self, id: &str, now_ms: i64) -> Result<Option<Blob>, RecordsError> {
        let mut ask = self.db.prepare_cached("SELECT name, bytes, until FROM blobs WHERE id=?1 AND until>?2")?;
        let found = ask.query_row(params![id, now_ms], |row| {
            Ok(Blob { name: row.get(0)?, bytes: row.get(1)?, until: row.get(2)? })
        });
        Ok(found.optional()?)
    }

    /// How many blobs an account has, and the bytes they are reserved for.
    pub fn blob_use(&self, name: &str) -> Result<(u64, u64), RecordsError> {
        let mut ask = self.db.prepare_cached("SELECT count(*), coalesce(sum(bytes), 0) FROM blobs WHERE name=?1")?;
        Ok(ask.query_row([name], |row| Ok((row.get(0)?, row.get(1)?)))?)
    }

    /// Begins a blob.
    pub fn add_blob(&self, id: &str, blob: &Blob) -> Result<(), RecordsError> {
        self.db
            .prepare_cached("INSERT INTO blobs(id, name, bytes, until) VALUES(?1, ?2, ?3, ?4)")?
            .execute(params![id, blob.name, blob.bytes, blob.until])?;
        Ok(())
    }

    /// Keeps a blob until then.
    pub fn keep_blob(&self, id: &str, until: i64) -> Result<(), RecordsError> {
        self.db.prepare_cached("UPDATE blobs SET until=?2 WHERE id=?1 AND until<>?2")?.execute(params![id, until])?;
        Ok(())
    }

    /// Keeps a chunk; one that is there already stays as it is. Says whether it was new.
    pub fn add_chunk(&self, id: &str, index: u32, sealed: &str) -> Result<bool, RecordsError> {
        let added = self
            .db
            .prepare_cached("INSERT OR IGNORE INTO blob_chunks(blob, n, sealed) VALUES(?1, ?2, ?3)")?
            .execute(params![id, index, sealed])?;
        Ok(added == 1)
    }

    /// A chunk, as base64url.
    pub fn chunk(&self, id: &str, index: u32) -> Result<Option<String>, RecordsError> {
        let mut ask = self.db.prepare_cached("SELECT sealed FROM blob_chunks WHERE blob=?1 AND n=?2")?;
        Ok(ask.query_row(params![id, index], |row| row.get(0)).optional()?)
    }

    /// Which chunks of a blob are here, in order.
    pub fn chunks_here(&self, id: &str) -> Result<Vec<u32>, RecordsError> {
        let mut ask = self.db.prepare_cached("SELECT n FROM blob_chunks WHERE blob=?1 ORDER BY n")?;
        let rows = ask.query_map([id], |row| row.get(0))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Forgets a blob.
    pub fn delete_blob(&self, id: &str) -> Result<(), RecordsError> {
        // By hand and not by reference: with several nodes a chunk may come before its blob.
        self.db.prepare_cached("DELETE FROM blob_chunks WHERE blob=?1")?.execute([id])?;
        self.db.prepare_cached("DELETE FROM blobs WHERE id=?1")?.execute([id])?;
        Ok(())
    }

    /// Forgets blobs whose time is over, and chunks that belong to none.
    pub fn expire_blobs(&self, now_ms: i64) -> Result<usize, RecordsError> {
        let gone = self.db.prepare_cached("DELETE FROM blobs WHERE until<=?1")?.execute([now_ms])?;
        if gone > 0 {
            self.db.prepare_cached("DELETE FROM blob_chunks WHERE blob NOT IN (SELECT id FROM blobs)")?.execute([])?;
        }
        Ok(gone)
    }

    /// Forgets the blobs of an account.
    pub fn delete_blobs_of(&self, name: &str) -> Result<(), RecordsError> {
        self.db
            .prepare_cached("DELETE FROM blob_chunks WHERE blob IN (SELECT id FROM blobs WHERE name=?1)")?
            .execute([name])?;
        self.db.prepare_cached("DELETE FROM blobs WHERE name=?1")?.execute([name])?;
        Ok(())
    }
}
