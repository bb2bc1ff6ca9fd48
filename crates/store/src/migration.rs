//! The story of a store that an older app left behind.

use rusqlite::{Connection, params};

use crate::cipher::Cipher;
use crate::{ChildState, KeySource, MasterKey, Store, StoreError, schema};

const CHAT: &str = "comm://a.localhost/old";

/// A child as version 1 sealed it.
#[derive(serde::Serialize)]
struct ChildOfVersion1<'a> {
    id: &'a str,
    object: &'a str,
    author: &'a str,
    seq: i64,
    at: i64,
    mine: bool,
    value: &'a str,
}

/// An outbox row as version 1 sealed it.
#[derive(serde::Serialize)]
struct OutboxOfVersion1<'a> {
    to_domain: &'a str,
    to: &'a str,
    message: &'a str,
    child: Option<&'a str>,
    kind: &'a str,
}

/// Writes a store with the statements of version 1, not with the code of today.
fn write_version_1(db: &mut Connection, cipher: &Cipher) {
    schema::migrate_to(db, 1).unwrap();
    let kind = cipher.record.blind("kind", &[b"person/1"]);
    let name = cipher.record.blind("name", &[b"person/1", b"ben"]);
    let record = ("ben".to_owned(), b"\"Ben\"".to_vec());
    let sealed = cipher.record.seal_value("sealed", &[kind, name].concat(), &record).unwrap();
    db.execute("INSERT INTO record (kind, name, sealed) VALUES (?1, ?2, ?3)", params![kind, name, sealed]).unwrap();
    let row =
        ChildOfVersion1 { id: "one", object: CHAT, author: "ben", seq: 1, at: 5, mine: false, value: "\"hello\"" };
    let id = cipher.child.blind("id", &[b"one"]);
    let (object, author) = (cipher.child.blind("object", &[CHAT.as_bytes()]), cipher.child.blind("author", &[b"ben"]));
    let sealed = cipher.child.seal_value("sealed", &id, &row).unwrap();
    db.execute(
        "INSERT INTO child (id, object, author, seq, state, sealed) VALUES (?1, ?2, ?3, 1, 4, ?4)",
        params![id, object, author, sealed],
    )
    .unwrap();
    for (number, text) in [(1_i64, "first"), (2, "second")] {
        let row = OutboxOfVersion1 {
            to_domain: "b.localhost",
            to: "hyperty://b.localhost/inbox",
            message: text,
            child: None,
            kind: "",
        };
        let sealed = cipher.outbox.seal_value("sealed", &number.to_be_bytes(), &row).unwrap();
        let domain = cipher.outbox.blind("domain", &[b"b.localhost"]);
        db.execute(
            "INSERT INTO outbox (id, domain, not_before, attempts, sealed) VALUES (?1, ?2, 0, 0, ?3)",
            params![number, domain, sealed],
        )
        .unwrap();
    }
}

#[test]
fn a_store_of_version_1_is_brought_up_to_date_with_everything_in_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("profile.db");
    let key = MasterKey::open(dir.path(), KeySource::Unprotected).unwrap();
    let mut db = Connection::open(&path).unwrap();
    write_version_1(&mut db, &Cipher::new(&key));
    assert_eq!(schema::version(&db), Ok(1));
    drop(db);
    for _ in 0..2 {
        let store = Store::open(&path, &key).unwrap();
        assert_eq!(store.version(), Ok(schema::VERSION));
        store.check().unwrap();
        store
            .read(|tx| {
                assert_eq!(tx.get::<String>("person/1", "ben")?.as_deref(), Some("Ben"));
                let child = tx.child("one")?.ok_or(StoreError::NoSuchRow)?;
                assert_eq!((child.value.as_str(), child.state), ("\"hello\"", ChildState::Received));
                assert_eq!(tx.count_unread(CHAT)?, 0, "what was there before counts as read");
                let waiting = tx.outbox_due(Some("b.localhost"), 0, 9)?;
                assert_eq!(waiting.iter().map(|row| row.message.as_str()).collect::<Vec<_>>(), ["first", "second"]);
                Ok::<_, StoreError>(())
            })
            .unwrap();
    }
}

#[test]
fn a_migration_that_fails_leaves_the_old_version_whole() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("profile.db");
    let key = MasterKey::open(dir.path(), KeySource::Unprotected).unwrap();
    let mut db = Connection::open(&path).unwrap();
    write_version_1(&mut db, &Cipher::new(&key));
    db.execute_batch("CREATE TABLE outbox_of_lane (in_the_way)").unwrap();
    assert!(schema::migrate(&mut db).is_err());
    assert_eq!(schema::version(&db), Ok(1));
    db.execute_batch("DROP TABLE outbox_of_lane").unwrap();
    schema::migrate(&mut db).unwrap();
    assert_eq!(schema::version(&db), Ok(schema::VERSION));
}
