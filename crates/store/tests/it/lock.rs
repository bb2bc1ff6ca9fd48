//! Stories of a profile that is locked while the app runs: nothing of its keys stays in memory.

use std::path::Path;

use store::{ChildRow, KeyError, KeySource, MasterKey, Store, StoreError};

const PASSPHRASE: &str = "correct horse";
const WRONG: &str = "correct house";
const NOW: u64 = 1_700_000_000_000;

fn open_at(dir: &Path, passphrase: &str, now_ms: u64) -> Result<MasterKey, KeyError> {
    MasterKey::open_at(dir, KeySource::Passphrase(passphrase), now_ms)
}

#[test]
fn a_closed_store_answers_nobody_and_lets_the_next_one_in() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("profile.db");
    let key = MasterKey::open(dir.path(), KeySource::Unprotected).unwrap();
    let store = Store::open(&path, &key).unwrap();
    store.write(|tx| tx.put("kind", "key", "kept")).unwrap();
    store.close();
    assert_eq!(store.write(|tx| tx.put("kind", "key", "lost")), Err(StoreError::Closed));
    assert_eq!(store.read(|tx| tx.get::<String>("kind", "key")), Err(StoreError::Closed));
    assert_eq!(store.scrub(), Err(StoreError::Closed));
    assert_eq!(store.check(), Err(StoreError::Closed));
    assert_eq!(store.version(), Err(StoreError::Closed));
    store.close();
    let next = Store::open(&path, &key).unwrap();
    assert_eq!(next.read(|tx| tx.get::<String>("kind", "key")).unwrap().as_deref(), Some("kept"));
}

#[test]
fn after_three_wrong_passphrases_the_right_one_has_to_wait_too() {
    let dir = tempfile::tempdir().unwrap();
    open_at(dir.path(), PASSPHRASE, NOW).unwrap();
    for _ in 0..3 {
        assert_eq!(open_at(dir.path(), WRONG, NOW).unwrap_err(), KeyError::WrongPassphrase);
    }
    assert_eq!(MasterKey::wait_s(dir.path(), NOW), Ok(5));
    assert_eq!(open_at(dir.path(), PASSPHRASE, NOW + 4_000).unwrap_err(), KeyError::TooSoon { wait_s: 1 });
    let back = NOW - 3_600_000;
    assert_eq!(open_at(dir.path(), PASSPHRASE, back).unwrap_err(), KeyError::TooSoon { wait_s: 5 });
    assert_eq!(open_at(dir.path(), WRONG, back + 5_000).unwrap_err(), KeyError::WrongPassphrase);
    assert_eq!(open_at(dir.path(), PASSPHRASE, back + 19_999).unwrap_err(), KeyError::TooSoon { wait_s: 1 });
    open_at(dir.path(), PASSPHRASE, back + 20_000).unwrap();
    assert_eq!(open_at(dir.path(), WRONG, back).unwrap_err(), KeyError::WrongPassphrase, "success forgives all");
}

#[test]
fn who_cannot_count_an_attempt_does_not_make_it() {
    let dir = tempfile::tempdir().unwrap();
    open_at(dir.path(), PASSPHRASE, NOW).unwrap();
    // A folder in the way of the file, since root may write anywhere.
    std::fs::create_dir_all(dir.path().join("attempts.json.new/x")).unwrap();
    assert!(matches!(open_at(dir.path(), PASSPHRASE, NOW), Err(KeyError::Failed(_))));
}

#[test]
fn an_erased_message_leaves_no_bytes_behind_not_even_sealed_ones() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("profile.db");
    let key = MasterKey::open(dir.path(), KeySource::Unprotected).unwrap();
    let store = Store::open(&path, &key).unwrap();
    let row = |seq: i64| ChildRow {
        id: format!("child-{seq}"),
        object: "comm://a.localhost/room".into(),
        author: "ben".into(),
        seq,
        // One that fits its page, and one that spills into others.
        value: "a secret to be forgotten ".repeat(if seq == 2 { 4 } else { 2000 }),
        ..ChildRow::default()
    };
    store.write(|tx| (1..=3).try_for_each(|seq| tx.add_child(&row(seq)).map(drop))).unwrap();
    let sealed = |n: i64| -> Vec<u8> {
        let db = rusqlite::Connection::open(&path).unwrap();
        db.query_row("SELECT sealed FROM child WHERE ordinal = ?1", [n], |row| row.get(0)).unwrap()
    };
    let (gone, emptied) = (sealed(1), sealed(2));
    let lies_about = |bytes: &[u8]| {
        // A piece from the middle: long rows are spread over pages of 4 KiB.
        let piece = &bytes[bytes.len() / 2..bytes.len() / 2 + 40];
        ["profile.db", "profile.db-wal"].iter().any(|name| {
            let file = std::fs::read(dir.path().join(name)).unwrap_or_default();
            file.windows(piece.len()).any(|part| part == piece)
        })
    };
    assert!(lies_about(&gone) && lies_about(&emptied), "they were there before");
    store
        .erase(|tx| {
            assert!(tx.delete_child("child-1")?);
            assert!(!tx.delete_child("child-1")?);
            tx.empty_child("child-2")
        })
        .unwrap();
    assert!(!lies_about(&gone) && !lies_about(&emptied));
    assert_eq!(std::fs::metadata(dir.path().join("profile.db-wal")).unwrap().len(), 0);
    assert_eq!(store.read(|tx| tx.child("child-3")).unwrap().unwrap().value, row(3).value);
}
