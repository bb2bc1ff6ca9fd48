//! What several nodes of one domain know together: every change of a shared table goes out as a row, and comes in as one.
//!
//! Triggers write each change into `outgoing`, whoever makes it. A change is the last word on its key, and
//! carries the moment it was said: rows may come in any order, twice, or again after years, and every node
//! ends up with the same tables.

use std::path::Path;

use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Records, RecordsError};
use message::Address;

/// Changes taken out at once.
const TAKE: usize = 4_096;

/// Bytes of them: what one batch brings is always taken whole.
const TAKE_BYTES: usize = crate::limits::BATCH_MESSAGES * crate::limits::BODY_LIMIT;

/// How long the moment of a change is remembered, so that an older word on its key is known as such.
const CLOCK_MS: i64 = 35 * 24 * 3_600_000;

/// A table whose rows are everybody's.
struct Table {
    name: &'static str,
    keys: &'static [&'static str],
    others: &'static [&'static str],
    /// Columns of bytes, which travel as hexadecimal text.
    bytes: &'static [&'static str],
    /// The rows that are shared, if not all are.
    only: Option<&'static str>,
}

const fn table(name: &'static str, keys: &'static [&'static str], others: &'static [&'static str]) -> Table {
    Table { name, keys, others, bytes: &[], only: None }
}

const TABLES: [Table; 13] = [
    table("accounts", &["name"], &["persona", "chain", "created"]),
    table("devices", &["key"], &["expires", "name", "since"]),
    table("resets", &["name", "hash"], &["seen"]),
    table("addresses", &["address"], &["device", "scheme", "tag", "number"]),
    table("registry", &["device"], &["inbox"]),
    table("key_packages", &["device", "package"], &[]),
    table("mailbox", &["id"], &["inbox", "sender", "body", "until"]),
    Table { bytes: &["hash"], ..table("people", &["name"], &["shown", "params", "hash", "created"]) },
    table("nonces", &["name", "nonce"], &["at"]),
    Table { bytes: &["hash"], ..table("invites", &["hash"], &["created"]) },
    table("blobs", &["id"], &["name", "bytes", "until"]),
    table("blob_chunks", &["blob", "n"], &["sealed"]),
    Table { only: Some("key LIKE 'shared/%'"), ..table("settings", &["key"], &["value"]) },
];

/// Whether a change concerns mail, which has streams of its own.
pub fn is_mail(change: &Change) -> bool {
    change.table == "mailbox"
}

/// The last word on one key.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The table.
    #[serde(rename = "t")]
    pub table: String,
    /// The values of its key.
    #[serde(rename = "k")]
    pub key: Vec<Value>,
    /// The other values; nothing when the row is gone.
    #[serde(rename = "r")]
    pub row: Option<Vec<Value>>,
    /// When it was said: milliseconds in the upper bits, a counter in the lower 16.
    #[serde(rename = "s")]
    pub stamp: u64,
    /// Who said it; decides between two words of the same moment.
    #[serde(rename = "n")]
    pub slot: u8,
}

impl Change {
    /// Names the key among all tables.
    pub fn name(&self) -> String {
        format!("{}/{}", self.table, Value::Array(self.key.clone()))
    }

    /// A value of the key or the row, by its column.
    pub fn value(&self, column: &str) -> Option<&Value> {
        let table = TABLES.iter().find(|table| table.name == self.table)?;
        if let Some(at) = table.keys.iter().position(|key| *key == column) {
            return self.key.get(at);
        }
        self.row.as_ref()?.get(table.others.iter().position(|other| *other == column)?)
    }

    /// The same as text.
    pub fn text(&self, column: &str) -> Option<&str> {
        self.value(column)?.as_str()
    }
}

/// Stamps that never go back, and never behind a stamp that was seen.
#[derive(Debug, Default)]
pub struct Stamps {
    last: u64,
}

impl Stamps {
    fn next(&mut self, now_ms: i64) -> u64 {
        self.last = (now_ms.unsigned_abs() << 16).max(self.last + 1);
        self.last
    }

    fn saw(&mut self, stamp: u64) {
        self.last = self.last.max(stamp);
    }
}

impl Table {
    fn read(&self, row: &str, columns: &[&str]) -> String {
        let one = |column: &&str| {
            if self.bytes.contains(column) { format!("hex({row}.{column})") } else { format!("{row}.{column}") }
        };
        format!("json_array({})", columns.iter().map(one).collect::<Vec<_>>().join(", "))
    }

    fn trigger(&self, event: &str) -> String {
        let (name, row) = (self.name, if event == "DELETE" { "OLD" } else { "NEW" });
        let others = if event == "DELETE" { "NULL".to_owned() } else { self.read(row, self.others) };
        let only = self.only.map_or_else(String::new, |only| format!(" AND {row}.{only}"));
        format!(
            "CREATE TRIGGER IF NOT EXISTS share_{name}_{event} AFTER {event} ON {name}
             WHEN (SELECT applying FROM sharing)=0{only}
             BEGIN INSERT INTO outgoing(tbl, key, row) VALUES('{name}', {}, {others}); END;",
            self.read(row, self.keys)
        )
    }

    fn seed(&self) -> String {
        let (name, only) = (self.name, self.only.unwrap_or("1"));
        let (keys, others) = (self.read(name, self.keys), self.read(name, self.others));
        format!("INSERT INTO outgoing(tbl, key, row) SELECT '{name}', {keys}, {others} FROM {name} WHERE {only};")
    }

    fn place(&self, at: usize, column: &str) -> String {
        if self.bytes.contains(&column) { format!("unhex(?{at})") } else { format!("?{at}") }
    }

    fn put(&self) -> String {
        let columns: Vec<&str> = self.keys.iter().chain(self.others).copied().collect();
        let places: Vec<String> = columns.iter().enumerate().map(|(at, column)| self.place(at + 1, column)).collect();
        format!("INSERT OR REPLACE INTO {}({}) VALUES({})", self.name, columns.join(", "), places.join(", "))
    }

    fn delete(&self) -> String {
        let tests: Vec<String> = self
            .keys
            .iter()
            .enumerate()
            .map(|(at, column)| format!("{column}={}", self.place(at + 1, column)))
            .collect();
        format!("DELETE FROM {} WHERE {}", self.name, tests.join(" AND "))
    }
}

fn to_sql(value: &Value) -> Result<rusqlite::types::Value, RecordsError> {
    use rusqlite::types::Value as Sql;
    match value {
        Value::String(text) => Ok(Sql::Text(text.clone())),
        Value::Number(number) => number.as_i64().map(Sql::Integer).ok_or(RecordsError::Corrupt("number")),
        Value::Null => Ok(Sql::Null),
        _ => Err(RecordsError::Corrupt("shared value")),
    }
}

impl Records {
    /// Begins to share; what is there already goes out first.
    pub fn share(&self) -> Result<(), RecordsError> {
        let known: bool =
            self.db.prepare("SELECT 1 FROM sqlite_master WHERE type='trigger' AND name LIKE 'share_%'")?.exists([])?;
        let mut steps = String::from(
            "CREATE TABLE IF NOT EXISTS outgoing(n INTEGER PRIMARY KEY AUTOINCREMENT, tbl TEXT NOT NULL, key TEXT NOT NULL, row TEXT, stamp INTEGER) STRICT;
             CREATE TABLE IF NOT EXISTS clock(tbl TEXT NOT NULL, key TEXT NOT NULL, stamp INTEGER NOT NULL, slot INTEGER NOT NULL, PRIMARY KEY(tbl, key)) STRICT, WITHOUT ROWID;
             CREATE TABLE IF NOT EXISTS followed(stream TEXT PRIMARY KEY, sequence INTEGER NOT NULL) STRICT, WITHOUT ROWID;
             CREATE TABLE IF NOT EXISTS sharing(applying INTEGER NOT NULL) STRICT;
             INSERT INTO sharing SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM sharing);",
        );
        for table in &TABLES {
            for event in ["INSERT", "UPDATE", "DELETE"] {
                steps.push_str(&table.trigger(event));
            }
            if !known {
                steps.push_str(&table.seed());
            }
        }
        Ok(self.db.execute_batch(&format!("BEGIN IMMEDIATE; {steps} COMMIT;"))?)
    }

    /// Ends it: a node alone need not write everything twice.
    pub fn stop_sharing(&self) -> Result<(), RecordsError> {
        let mut ask = self.db.prepare("SELECT name FROM sqlite_master WHERE type='trigger' AND name LIKE 'share_%'")?;
        let names = ask.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()?;
        for name in names {
            self.db.execute_batch(&format!("DROP TRIGGER {name}"))?;
        }
        Ok(())
    }

    /// Takes the changes behind `after` that wait to go out, stamps them, and says how far they reach.
    pub fn outgoing(
        &self,
        after: i64,
        stamps: &mut Stamps,
        slot: u8,
        now_ms: i64,
    ) -> Result<(i64, Vec<Change>), RecordsError> {
        let mut ask =
            self.db.prepare_cached("SELECT n, tbl, key, row, stamp FROM outgoing WHERE n>?1 ORDER BY n LIMIT ?2")?;
        let mut rows = ask.query(params![after, TAKE])?;
        let (mut reached, mut changes, mut bytes) = (after, Vec::new(), 0);
        while let Some(row) = rows.next()? {
            let (table, key, others): (String, String, Option<String>) = (row.get(1)?, row.get(2)?, row.get(3)?);
            bytes += key.len() + others.as_ref().map_or(0, String::len);
            let read = |text: &str| serde_json::from_str(text).map_err(|_| RecordsError::Corrupt("shared row"));
            let change = Change {
                key: read(&key)?,
                row: others.as_deref().map(read).transpose()?,
                table,
                // What went out before a crash goes out again as old as it is.
                stamp: row.get::<_, Option<u64>>(4)?.unwrap_or_else(|| stamps.next(now_ms)),
                slot,
            };
            reached = row.get(0)?;
            if row.get::<_, Option<u64>>(4)?.is_none() {
                self.db
                    .prepare_cached("UPDATE outgoing SET stamp=?2 WHERE n=?1")?
                    .execute(params![reached, change.stamp])?;
                self.note_clock(&change)?;
            }
            changes.push(change);
            if bytes >= TAKE_BYTES {
                break;
            }
        }
        Ok((reached, changes))
    }

    fn note_clock(&self, change: &Change) -> Result<(), RecordsError> {
        self.db
            .prepare_cached("INSERT OR REPLACE INTO clock(tbl, key, stamp, slot) VALUES(?1, ?2, ?3, ?4)")?
            .execute(params![change.table, Value::Array(change.key.clone()).to_string(), change.stamp, change.slot])?;
        Ok(())
    }

    /// Forgets changes that are safe elsewhere.
    pub fn went_out(&self, until: i64) -> Result<(), RecordsError> {
        self.db.prepare_cached("DELETE FROM outgoing WHERE n<=?1")?.execute([until])?;
        Ok(())
    }

    /// Up to where the streams were followed.
    pub fn followed(&self) -> Result<Vec<(String, u64)>, RecordsError> {
        let mut ask = self.db.prepare_cached("SELECT stream, sequence FROM followed")?;
        let rows = ask.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok(rows.collect::<Result<_, _>>()?)
    }

    /// Forgets the moments of changes long past.
    pub fn forget_clock(&self, now_ms: i64) -> Result<(), RecordsError> {
        let before = (now_ms - CLOCK_MS).max(0) << 16;
        self.db.prepare_cached("DELETE FROM clock WHERE stamp<?1")?.execute([before])?;
        Ok(())
    }
}

/// The connection through which the changes of others come in. It answers for no references between
/// tables: the row a row refers to may come later.
pub struct Replica {
    records: Records,
}

impl Replica {
    /// Opens the same file once more.
    pub fn open(path: &Path) -> Result<Self, RecordsError> {
        let records = Records { db: Connection::open(path)? };
        records.db.busy_timeout(std::time::Duration::from_secs(5))?;
        // What is lost here with the power comes again: the streams have it, and `followed` was lost with it.
        records.db.execute_batch("PRAGMA synchronous=NORMAL; PRAGMA foreign_keys=OFF;")?;
        records.db.set_prepared_statement_cache_capacity(64);
        Ok(Self { records })
    }

    /// Puts changes into the tables in one transaction; gives those that were news.
    pub fn apply(
        &self,
        changes: Vec<Change>,
        followed: &[(String, u64)],
        stamps: &mut Stamps,
    ) -> Result<Vec<Change>, RecordsError> {
        self.records.db.execute_batch("BEGIN IMMEDIATE; UPDATE sharing SET applying=1;")?;
        match self.apply_all(changes, followed, stamps) {
            Ok(news) => {
                self.records.db.execute_batch("UPDATE sharing SET applying=0; COMMIT;")?;
                Ok(news)
            }
            Err(error) => {
                self.records.roll_back();
                Err(error)
            }
        }
    }

    fn apply_all(
        &self,
        changes: Vec<Change>,
        followed: &[(String, u64)],
        stamps: &mut Stamps,
    ) -> Result<Vec<Change>, RecordsError> {
        let mut news = Vec::new();
        for change in changes {
            stamps.saw(change.stamp);
            if self.is_news(&change)? {
                match self.apply_one(&change) {
                    // A row no node of this version writes; the others still count.
                    Err(RecordsError::Corrupt(what)) => tracing::warn!(what, "a shared row was left out"),
                    outcome => outcome?,
                }
                self.records.note_clock(&change)?;
                news.push(change);
            }
        }
        let mut note =
            self.records.db.prepare_cached("INSERT OR REPLACE INTO followed(stream, sequence) VALUES(?1, ?2)")?;
        for (stream, sequence) in followed {
            note.execute(params![stream, sequence])?;
        }
        Ok(news)
    }

    fn is_news(&self, change: &Change) -> Result<bool, RecordsError> {
        let mut ask = self.records.db.prepare_cached("SELECT stamp, slot FROM clock WHERE tbl=?1 AND key=?2")?;
        let key = Value::Array(change.key.clone()).to_string();
        let known: Option<(u64, u8)> =
            ask.query_row(params![change.table, key], |row| Ok((row.get(0)?, row.get(1)?))).optional()?;
        Ok(known.is_none_or(|known| known < (change.stamp, change.slot)))
    }

    fn apply_one(&self, change: &Change) -> Result<(), RecordsError> {
        let table = TABLES.iter().find(|table| table.name == change.table).ok_or(RecordsError::Corrupt("table"))?;
        let fits = change.key.len() == table.keys.len()
            && change.row.as_ref().is_none_or(|row| row.len() == table.others.len());
        if !fits {
            return Err(RecordsError::Corrupt("shared row"));
        }
        if is_mail(change) {
            return self.apply_mail(change);
        }
        let (statement, values) = match &change.row {
            Some(row) => (table.put(), change.key.iter().chain(row).map(to_sql).collect::<Result<Vec<_>, _>>()?),
            None => (table.delete(), change.key.iter().map(to_sql).collect::<Result<Vec<_>, _>>()?),
        };
        self.records.db.prepare_cached(&statement)?.execute(params_from_iter(values))?;
        Ok(())
    }

    /// Mail counts in the use of its inbox. The node that took it has looked at the quota.
    fn apply_mail(&self, change: &Change) -> Result<(), RecordsError> {
        let id = change.key[0].as_u64().ok_or(RecordsError::Corrupt("delivery number"))?;
        let inbox = match &change.row {
            Some(_) => change.text("inbox").map(str::to_owned),
            None => self.records.inbox_of_mail(id)?,
        };
        let Some(inbox) = inbox else { return Ok(()) };
        let inbox = Address::parse(&inbox).map_err(|_| RecordsError::Corrupt("address"))?;
        if change.row.is_none() {
            return self.records.confirmed(&inbox, id);
        }
        let text = |column| change.text(column).ok_or(RecordsError::Corrupt("shared row"));
        let until = change.value("until").and_then(Value::as_i64).ok_or(RecordsError::Corrupt("shared row"))?;
        self.records.put_mail(id, &inbox, text("sender")?, text("body")?, until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{Account, DeviceRecord};
    use message::{Body, Message, MessageType};

    struct Place {
        records: Records,
        replica: Replica,
        stamps: Stamps,
        slot: u8,
        out: i64,
        _folder: tempfile::TempDir,
    }

    impl Place {
        fn new(slot: u8) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let path = folder.path().join("node.sqlite");
            let records = Records::open(&path).unwrap();
            records.share().unwrap();
            let replica = Replica::open(&path).unwrap();
            Self { records, replica, stamps: Stamps::default(), slot, out: 0, _folder: folder }
        }

        fn says(&mut self, now_ms: i64) -> Vec<Change> {
            let (reached, changes) = self.records.outgoing(self.out, &mut self.stamps, self.slot, now_ms).unwrap();
            self.records.went_out(reached).unwrap();
            self.out = reached;
            changes
        }

        fn hears(&mut self, changes: &[Change]) -> usize {
            self.replica.apply(changes.to_vec(), &[], &mut self.stamps).unwrap().len()
        }
    }

    fn account(place: &Place, name: &str, persona: &str) {
        let device = DeviceRecord { key: format!("{name}-laptop"), since: 0, expires: 9_000_000_000 };
        let account = Account { persona: persona.into(), chain: "[]".into() };
        place.records.put_account(name, &account, &[device], 1).unwrap();
    }

    fn mail(id: u64) -> Message {
        let inbox = Address::parse("hyperty://a.localhost/1").unwrap();
        let from = Address::parse("runtime://a.localhost/v-1").unwrap();
        let body = Body::from_json(r#"{"v":1,"sealed":"aGk"}"#).unwrap();
        Message { id, kind: MessageType::Create, from, to: inbox, body }
    }

    #[test]
    fn what_one_node_writes_another_reads() {
        let (mut a, mut b) = (Place::new(1), Place::new(2));
        account(&a, "ana", "p");
        a.records.register("ana-laptop", "hyperty://a.localhost/1").unwrap().unwrap();
        a.records.add_key_packages("ana-laptop", &["one".into(), "two".into()]).unwrap();
        a.records.add_invite(&[7; 32], 1).unwrap();
        a.records.keep(&mail(5), 99).unwrap().unwrap();
        let said = a.says(1_000);
        b.hears(&said);
        let entry = b.records.look_up("ana", &crate::records::Take::All, 10).unwrap().unwrap();
        assert_eq!(entry.persona, "p");
        // Any of them: two nodes must not give the same one.
        assert!(["one", "two"].contains(&entry.devices[0].key_package.as_deref().unwrap()));
        assert!(b.records.take_invite(&[7; 32]).unwrap(), "bytes arrive as bytes");
        assert_eq!(b.records.kept_after(&mail(5).to, 0, 9, 1).unwrap()[0].message.body, mail(5).body);
        assert_eq!(b.records.depths().unwrap().messages, 1);
        b.records.confirmed(&mail(5).to, 5).unwrap();
        let answered = b.says(2_000);
        assert_eq!(
            answered.iter().map(|change| change.table.as_str()).collect::<Vec<_>>(),
            ["key_packages", "invites", "mailbox"]
        );
        a.hears(&answered);
        assert_eq!(a.records.depths().unwrap().messages, 0);
        assert!(a.says(3_000).is_empty(), "what was heard is not said again");
    }

    #[test]
    fn rows_may_come_in_any_order_and_twice() {
        let (mut a, mut b) = (Place::new(1), Place::new(2));
        account(&a, "ana", "p");
        a.records.keep(&mail(5), 99).unwrap().unwrap();
        let mut said = a.says(1_000);
        a.records.confirmed(&mail(5).to, 5).unwrap();
        a.records.forget_account("ana").unwrap();
        said.extend(a.says(1_001));
        said.reverse();
        b.hears(&said);
        b.hears(&said);
        assert_eq!(b.records.depths().unwrap(), a.records.depths().unwrap());
        assert_eq!(b.records.account("ana").unwrap(), None, "the device came before its account");
        assert_eq!(b.records.depths().unwrap().messages, 0, "a confirmed message does not rise again");
    }

    #[test]
    fn of_two_words_on_one_key_the_later_one_counts_everywhere() {
        let (mut a, mut b) = (Place::new(1), Place::new(2));
        account(&a, "ana", "first");
        let first = a.says(1_000);
        account(&b, "ana", "second");
        let second = b.says(1_000);
        a.hears(&second);
        b.hears(&first);
        let persona = |place: &Place| place.records.account("ana").unwrap().unwrap().persona;
        assert_eq!((persona(&a), persona(&b)), ("second".into(), "second".into()));
    }

    #[test]
    fn a_node_that_joins_brings_what_it_had() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.sqlite");
        let records = Records::open(&path).unwrap();
        records.add_invite(&[7; 32], 1).unwrap();
        records.share().unwrap();
        records.share().unwrap();
        let (_, said) = records.outgoing(0, &mut Stamps::default(), 1, 1).unwrap();
        assert_eq!(said.len(), 1);
        records.stop_sharing().unwrap();
        records.add_invite(&[8; 32], 1).unwrap();
        let (_, said) = records.outgoing(0, &mut Stamps::default(), 1, 1).unwrap();
        assert_eq!(said.len(), 1, "alone it notes nothing");
    }

    #[test]
    fn what_a_crash_held_back_is_no_newer_for_it() {
        let (mut a, mut b) = (Place::new(1), Place::new(2));
        account(&a, "ana", "before the crash");
        let (_, held) = a.records.outgoing(0, &mut a.stamps, 1, 1_000).unwrap();
        account(&b, "ana", "while it was down");
        let meanwhile = b.says(2_000);
        let (_, again) = a.records.outgoing(0, &mut Stamps::default(), 1, 3_000).unwrap();
        assert_eq!(again, held);
        b.hears(&again);
        a.hears(&meanwhile);
        for place in [&a, &b] {
            assert_eq!(place.records.account("ana").unwrap().unwrap().persona, "while it was down");
        }
    }

    #[test]
    fn a_row_that_is_none_is_left_out() {
        let mut b = Place::new(2);
        let stray = |table: &str, key: Vec<Value>| Change { table: table.into(), key, row: None, stamp: 1, slot: 1 };
        b.hears(&[
            stray("sqlite_master", vec![1.into()]),
            stray("accounts", vec![]),
            stray("mailbox", vec!["x".into()]),
        ]);
        account(&b, "ana", "p");
        assert_eq!(b.records.depths().unwrap().accounts, 1);
    }
}
