//! The tables of the node's database, and the way to them from older formats.

use rusqlite::Transaction;

use super::RecordsError;

const FORMAT: i64 = 3;

const SCHEMA: &str = "
CREATE TABLE accounts(name TEXT PRIMARY KEY, persona TEXT NOT NULL, chain TEXT NOT NULL, created INTEGER NOT NULL) STRICT;
CREATE TABLE devices(key TEXT PRIMARY KEY, expires INTEGER NOT NULL, name TEXT NOT NULL REFERENCES accounts(name) ON DELETE CASCADE, since INTEGER NOT NULL DEFAULT 0) STRICT;
CREATE TABLE resets(name TEXT NOT NULL REFERENCES accounts(name) ON DELETE CASCADE, hash TEXT NOT NULL, seen INTEGER NOT NULL, PRIMARY KEY(name, hash)) STRICT, WITHOUT ROWID;
CREATE INDEX devices_name ON devices(name);
CREATE INDEX devices_since ON devices(since);
CREATE INDEX devices_expires ON devices(expires);
CREATE TABLE addresses(address TEXT PRIMARY KEY, device TEXT NOT NULL, scheme TEXT NOT NULL, tag TEXT NOT NULL, number INTEGER NOT NULL, UNIQUE(device, scheme, tag, number)) STRICT;
CREATE TABLE registry(device TEXT PRIMARY KEY REFERENCES devices(key) ON DELETE CASCADE, inbox TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX registry_inbox ON registry(inbox);
CREATE TABLE key_packages(id INTEGER PRIMARY KEY, device TEXT NOT NULL REFERENCES devices(key) ON DELETE CASCADE, package TEXT NOT NULL, UNIQUE(device, package)) STRICT;
CREATE TABLE mailbox(id INTEGER PRIMARY KEY, inbox TEXT NOT NULL, sender TEXT NOT NULL, body TEXT NOT NULL, until INTEGER NOT NULL) STRICT;
CREATE INDEX mailbox_inbox ON mailbox(inbox, id);
CREATE INDEX mailbox_until ON mailbox(until);
CREATE TABLE mailbox_use(inbox TEXT PRIMARY KEY, messages INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE people(name TEXT PRIMARY KEY, shown TEXT NOT NULL, params TEXT NOT NULL, hash BLOB NOT NULL, created INTEGER NOT NULL) STRICT;
CREATE TABLE nonces(name TEXT NOT NULL REFERENCES people(name) ON DELETE CASCADE, nonce TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(name, nonce)) STRICT, WITHOUT ROWID;
CREATE TABLE invites(hash BLOB PRIMARY KEY, created INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE settings(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
";

/// The blob store.
const FROM_2: &str = "
CREATE TABLE blobs(id TEXT PRIMARY KEY, name TEXT NOT NULL, bytes INTEGER NOT NULL, until INTEGER NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX blobs_name ON blobs(name);
CREATE INDEX blobs_until ON blobs(until);
CREATE TABLE blob_chunks(blob TEXT NOT NULL, n INTEGER NOT NULL, sealed TEXT NOT NULL, PRIMARY KEY(blob, n)) STRICT;
";

/// From one inbox per name to one per device: the entry goes to the device that holds the inbox.
/// Mail gets the end of its life instead of its beginning.
const FROM_1: &str = "
ALTER TABLE devices ADD COLUMN since INTEGER NOT NULL DEFAULT 0;
CREATE INDEX devices_since ON devices(since);
CREATE INDEX devices_expires ON devices(expires);
ALTER TABLE registry RENAME TO registry_1;
ALTER TABLE key_packages RENAME TO key_packages_1;
CREATE TABLE registry(device TEXT PRIMARY KEY REFERENCES devices(key) ON DELETE CASCADE, inbox TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE INDEX registry_inbox ON registry(inbox);
CREATE TABLE key_packages(id INTEGER PRIMARY KEY, device TEXT NOT NULL REFERENCES devices(key) ON DELETE CASCADE, package TEXT NOT NULL, UNIQUE(device, package)) STRICT;
INSERT INTO registry(device, inbox)
  SELECT a.device, r.inbox FROM registry_1 r JOIN addresses a ON a.address=r.inbox JOIN devices d ON d.key=a.device AND d.name=r.name;
INSERT INTO key_packages(device, package)
  SELECT d.key, k.package FROM key_packages_1 k JOIN devices d ON d.name=k.name JOIN registry r ON r.device=d.key ORDER BY k.id;
DROP TABLE registry_1;
DROP TABLE key_packages_1;
ALTER TABLE mailbox RENAME COLUMN at TO until;
UPDATE mailbox SET until=until+2592000000;
CREATE INDEX mailbox_until ON mailbox(until);
CREATE TABLE resets(name TEXT NOT NULL REFERENCES accounts(name) ON DELETE CASCADE, hash TEXT NOT NULL, seen INTEGER NOT NULL, PRIMARY KEY(name, hash)) STRICT, WITHOUT ROWID;
";

/// Makes the tables, or brings those of an older node to the present format.
pub(super) fn prepare(make: &Transaction<'_>) -> Result<(), RecordsError> {
    let found: i64 = make.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    let steps = match found {
        FORMAT => return Ok(()),
        0 => SCHEMA.to_owned() + FROM_2,
        1 => FROM_1.to_owned() + FROM_2,
        2 => FROM_2.to_owned(),
        _ => return Err(RecordsError::Newer { found, known: FORMAT }),
    };
    Ok(make.execute_batch(&format!("{steps} PRAGMA user_version={FORMAT};"))?)
}

#[cfg(test)]
mod tests {
    use super::super::Records;
    use super::*;
    use message::Address;

    /// What the first format looked like.
    const SCHEMA_1: &str = "
    CREATE TABLE accounts(name TEXT PRIMARY KEY, persona TEXT NOT NULL, chain TEXT NOT NULL, created INTEGER NOT NULL) STRICT;
    CREATE TABLE devices(key TEXT PRIMARY KEY, expires INTEGER NOT NULL, name TEXT NOT NULL REFERENCES accounts(name) ON DELETE CASCADE) STRICT;
    CREATE INDEX devices_name ON devices(name);
    CREATE TABLE addresses(address TEXT PRIMARY KEY, device TEXT NOT NULL, scheme TEXT NOT NULL, tag TEXT NOT NULL, number INTEGER NOT NULL, UNIQUE(device, scheme, tag, number)) STRICT;
    CREATE TABLE registry(name TEXT PRIMARY KEY REFERENCES accounts(name) ON DELETE CASCADE, inbox TEXT NOT NULL) STRICT;
    CREATE TABLE key_packages(id INTEGER PRIMARY KEY, name TEXT NOT NULL REFERENCES accounts(name) ON DELETE CASCADE, package TEXT NOT NULL, UNIQUE(name, package)) STRICT;
    CREATE TABLE mailbox(id INTEGER PRIMARY KEY, inbox TEXT NOT NULL, sender TEXT NOT NULL, body TEXT NOT NULL, at INTEGER NOT NULL) STRICT;
    CREATE INDEX mailbox_inbox ON mailbox(inbox, id);
    CREATE TABLE mailbox_use(inbox TEXT PRIMARY KEY, messages INTEGER NOT NULL, bytes INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE people(name TEXT PRIMARY KEY, shown TEXT NOT NULL, params TEXT NOT NULL, hash BLOB NOT NULL, created INTEGER NOT NULL) STRICT;
    CREATE TABLE nonces(name TEXT NOT NULL REFERENCES people(name) ON DELETE CASCADE, nonce TEXT NOT NULL, at INTEGER NOT NULL, PRIMARY KEY(name, nonce)) STRICT, WITHOUT ROWID;
    CREATE TABLE invites(hash BLOB PRIMARY KEY, created INTEGER NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE settings(key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    INSERT INTO accounts VALUES('ana', 'p', '[]', 1);
    INSERT INTO devices VALUES('laptop', 9000000000, 'ana'), ('tablet', 9000000000, 'ana');
    INSERT INTO addresses VALUES('hyperty://a.localhost/1', 'laptop', 'hyperty', 'inbox', 0);
    INSERT INTO registry VALUES('ana', 'hyperty://a.localhost/1');
    INSERT INTO key_packages(name, package) VALUES('ana', 'one'), ('ana', 'two');
    INSERT INTO mailbox VALUES(5, 'hyperty://a.localhost/1', 'runtime://a.localhost/v-1', '{}', 1800000000000);
    INSERT INTO mailbox_use VALUES('hyperty://a.localhost/1', 1, 2);
    PRAGMA user_version=1;";

    #[test]
    fn a_database_of_the_first_format_keeps_its_inbox_packages_and_mail() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.sqlite");
        rusqlite::Connection::open(&path).unwrap().execute_batch(SCHEMA_1).unwrap();
        let records = Records::open(&path).unwrap();
        let entry = records.look_up("ana", &crate::records::Take::All, 1_800_000_000).unwrap().unwrap();
        let [device] = entry.devices.as_slice() else { panic!("only one device had an inbox") };
        assert_eq!((device.device.as_str(), device.inbox.as_str()), ("laptop", "hyperty://a.localhost/1"));
        assert_eq!(device.key_package.as_deref(), Some("one"));
        let inbox = Address::parse("hyperty://a.localhost/1").unwrap();
        assert_eq!(records.kept_after(&inbox, 0, 10, 1_800_000_000_001).unwrap().len(), 1);
        records.expire_mail(1_800_000_000_000 + crate::limits::MAILBOX_AGE_MS).unwrap();
        assert!(records.kept_after(&inbox, 0, 10, 0).unwrap().is_empty());
        drop(records);
        Records::open(&path).unwrap();
    }

    #[test]
    fn a_database_of_a_newer_node_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.sqlite");
        rusqlite::Connection::open(&path).unwrap().execute_batch("PRAGMA user_version=99").unwrap();
        assert!(matches!(Records::open(&path), Err(RecordsError::Newer { found: 99, .. })));
    }
}
