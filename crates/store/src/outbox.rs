//! What waits to be sent, in order for each recipient.

use std::collections::HashSet;

use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use crate::{StoreError, Tx};

/// Most rows one question is answered with.
const PAGE_LIMIT: usize = 1000;

/// Bytes of them, unless the first alone has more.
const PAGE_BYTES: usize = 8 * 1024 * 1024;

/// What is on its way already, and where nothing more can go now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OnTheWay {
    /// Rows that left, and whose answer has not come.
    pub rows: HashSet<i64>,
    /// Addresses to which as much is under way as may be: what waits for them holds up no other.
    pub full: HashSet<String>,
}

/// One message that waits to be sent.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct OutboxRow {
    /// Its number, in the order they were queued; given by the store.
    pub id: i64,
    /// The domain it goes to.
    pub to_domain: String,
    /// The address it goes to.
    pub to: String,
    /// What travels, in the runtime's words.
    pub message: String,
    /// The children it carries, if any, in their order.
    pub children: Vec<String>,
    /// What it is, in the runtime's words.
    pub kind: String,
    /// How often it was tried.
    pub attempts: u32,
    /// Not before this time, Unix milliseconds.
    pub not_before: i64,
}

impl std::fmt::Debug for OutboxRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OutboxRow({}, {} attempts)", self.id, self.attempts)
    }
}

#[derive(Serialize, Deserialize)]
struct Kept {
    to_domain: String,
    to: String,
    message: String,
    #[serde(default)]
    children: Vec<String>,
    kind: String,
}

/// A row is due if its time has come and nothing older for the same recipient still waits. Zero is said apart, so
/// that the index of the few that were put off is used, and not that of all that wait.
///
/// Of each only its place is read; of a few of them, then, the rest.
const DUE: &str = "SELECT id, lane, length(sealed) FROM outbox AS row
     WHERE (?1 IS NULL OR domain = ?1) AND not_before <= ?2
       AND NOT EXISTS (SELECT 1 FROM outbox AS older
                       WHERE older.lane = row.lane AND older.id < row.id
                             AND older.not_before > 0 AND older.not_before > ?2)
     ORDER BY id";

/// The same for one domain, by the index of domains.
const DUE_THERE: &str = "SELECT id, lane, length(sealed) FROM outbox AS row
     WHERE domain = ?1 AND not_before <= ?2
       AND NOT EXISTS (SELECT 1 FROM outbox AS older
                       WHERE older.lane = row.lane AND older.id < row.id
                             AND older.not_before > 0 AND older.not_before > ?2)
     ORDER BY id";

/// The oldest row of each recipient decides when the recipient is served next.
const NEXT: &str = "SELECT min(not_before) FROM outbox AS row
     WHERE domain = ?1
       AND NOT EXISTS (SELECT 1 FROM outbox AS older WHERE older.lane = row.lane AND older.id < row.id)";

impl Tx<'_> {
    /// Queues a message and returns its number. `id` of the row is not read.
    pub fn outbox_push(&self, row: &OutboxRow) -> Result<i64, StoreError> {
        self.writable()?;
        let kept = Kept {
            to_domain: row.to_domain.clone(),
            to: row.to.clone(),
            message: row.message.clone(),
            children: row.children.clone(),
            kind: row.kind.clone(),
        };
        let id = self.next_outbox_id()?;
        let sealed = self.cipher.outbox.seal_value("sealed", &id.to_be_bytes(), &kept)?;
        let lane = self.outbox_lane(&row.to);
        self.db
            .prepare_cached(
                "INSERT INTO outbox (id, domain, lane, not_before, attempts, sealed) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
            )?
            .execute(params![id, self.outbox_domain(&row.to_domain), lane, row.not_before, row.attempts, sealed])?;
        Ok(id)
    }

    /// What may be sent now, the oldest first, to one domain or to all. A message never overtakes
    /// an older one to the same address.
    pub fn outbox_due(&self, domain: Option<&str>, now_ms: i64, limit: usize) -> Result<Vec<OutboxRow>, StoreError> {
        self.outbox_due_but(domain, now_ms, limit, &OnTheWay::default())
    }

    /// The same without rows that are under way, and without those for addresses that take no more now.
    pub fn outbox_due_but(
        &self,
        domain: Option<&str>,
        now_ms: i64,
        limit: usize,
        on_the_way: &OnTheWay,
    ) -> Result<Vec<OutboxRow>, StoreError> {
        let full: HashSet<[u8; 32]> = on_the_way.full.iter().map(|to| self.outbox_lane(to)).collect();
        let (mut due, mut bytes) = (Vec::new(), 0);
        let mut query = self.db.prepare_cached(if domain.is_some() { DUE_THERE } else { DUE })?;
        let mut rows = query.query(params![domain.map(|domain| self.outbox_domain(domain)), now_ms])?;
        while let Some(row) = rows.next()? {
            let (id, lane, size): (i64, [u8; 32], usize) = (row.get(0)?, row.get(1)?, row.get(2)?);
            if on_the_way.rows.contains(&id) || full.contains(&lane) {
                continue;
            }
            bytes += size;
            if due.len() >= limit.min(PAGE_LIMIT) || (bytes > PAGE_BYTES && !due.is_empty()) {
                break;
            }
            due.push(id);
        }
        let mut query = self.db.prepare_cached("SELECT id, not_before, attempts, sealed FROM outbox WHERE id = ?1")?;
        due.into_iter().map(|id| self.open_outbox(query.query_row([id], Raw::read)?)).collect()
    }

    /// When something for this domain is due next, Unix milliseconds; `None` if nothing waits.
    pub fn outbox_next(&self, domain: &str) -> Result<Option<i64>, StoreError> {
        let at = self.db.prepare_cached(NEXT)?.query_row([self.outbox_domain(domain)], |row| row.get(0));
        Ok(at.optional()?.flatten())
    }

    /// Bytes of all that waits.
    pub fn outbox_bytes(&self) -> Result<u64, StoreError> {
        let bytes: i64 = self
            .db
            .prepare_cached("SELECT coalesce(sum(length(sealed)), 0) FROM outbox")?
            .query_row([], |row| row.get(0))?;
        Ok(bytes.unsigned_abs())
    }

    /// The domains for which something waits.
    pub fn outbox_domains(&self) -> Result<Vec<String>, StoreError> {
        let mut query = self.db.prepare_cached(
            "SELECT id, not_before, attempts, sealed FROM outbox
             WHERE id IN (SELECT min(id) FROM outbox GROUP BY domain) ORDER BY id",
        )?;
        let rows = query.query_map([], Raw::read)?;
        rows.map(|raw| Ok(self.open_outbox(raw?)?.to_domain)).collect()
    }

    /// Takes a message out: it was delivered or refused. Says whether it was there.
    pub fn outbox_done(&self, id: i64) -> Result<bool, StoreError> {
        self.writable()?;
        Ok(self.db.prepare_cached("DELETE FROM outbox WHERE id = ?1")?.execute([id])? > 0)
    }

    /// Puts a message off until `not_before`.
    pub fn outbox_retry(&self, id: i64, not_before: i64, attempts: u32) -> Result<(), StoreError> {
        self.writable()?;
        let found = self
            .db
            .prepare_cached("UPDATE outbox SET not_before = ?2, attempts = ?3 WHERE id = ?1")?
            .execute(params![id, not_before, attempts])?;
        if found == 0 { Err(StoreError::NoSuchRow) } else { Ok(()) }
    }

    /// Lets everything that waits for a domain be tried at once, as when it becomes reachable.
    pub fn outbox_hurry(&self, domain: &str) -> Result<usize, StoreError> {
        self.writable()?;
        Ok(self
            .db
            .prepare_cached("UPDATE outbox SET not_before = 0 WHERE domain = ?1 AND not_before > 0")?
            .execute([self.outbox_domain(domain)])?)
    }

    /// The number the next row gets: never one that was used before, so that a sealed row opens
    /// only as itself.
    fn next_outbox_id(&self) -> Result<i64, StoreError> {
        let last: Option<i64> = self
            .db
            .prepare_cached("SELECT seq FROM sqlite_sequence WHERE name = 'outbox'")?
            .query_row([], |row| row.get(0))
            .optional()?;
        Ok(last.unwrap_or(0) + 1)
    }

    fn outbox_domain(&self, domain: &str) -> [u8; 32] {
        self.cipher.outbox.blind("domain", &[domain.as_bytes()])
    }

    fn outbox_lane(&self, to: &str) -> [u8; 32] {
        self.cipher.outbox.blind("lane", &[to.as_bytes()])
    }

    fn open_outbox(&self, raw: Raw) -> Result<OutboxRow, StoreError> {
        let kept: Kept = self.cipher.outbox.open_value("sealed", &raw.id.to_be_bytes(), &raw.sealed)?;
        Ok(OutboxRow {
            id: raw.id,
            to_domain: kept.to_domain,
            to: kept.to,
            message: kept.message,
            children: kept.children,
            kind: kept.kind,
            attempts: raw.attempts,
            not_before: raw.not_before,
        })
    }
}

/// A row as it lies in the file.
struct Raw {
    id: i64,
    not_before: i64,
    attempts: u32,
    sealed: Vec<u8>,
}

impl Raw {
    fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self { id: row.get(0)?, not_before: row.get(1)?, attempts: row.get(2)?, sealed: row.get(3)? })
    }
}
