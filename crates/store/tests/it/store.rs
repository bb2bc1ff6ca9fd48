//! Stories of what a profile keeps, loses together, and never shows to a thief of the disk.

use std::path::{Path, PathBuf};

use keys::SigningKey;
use seal::{Device, GroupId, MemoryVault, Vault, What};
use store::{ChildRow, ChildState, KeySource, MasterKey, OnTheWay, OutboxRow, Store, StoreError, Tx};

struct Profile {
    _dir: tempfile::TempDir,
    path: PathBuf,
    key: MasterKey,
}

impl Profile {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = MasterKey::open(dir.path(), KeySource::Unprotected).unwrap();
        Self { path: dir.path().join("profile.db"), key, _dir: dir }
    }

    fn open(&self) -> Store {
        Store::open(&self.path, &self.key).unwrap()
    }
}

const CHAT: &str = "comm://a.localhost/quiet-room";

fn child(id: &str, author: &str, seq: i64, state: ChildState) -> ChildRow {
    ChildRow {
        id: id.into(),
        object: CHAT.into(),
        author: author.into(),
        seq,
        at: 1_700_000_000_000 + seq,
        state,
        value: format!("{{\"text\":\"words of {id}\"}}"),
        mine: state != ChildState::Received,
        unread: state == ChildState::Received,
        ..ChildRow::default()
    }
}

fn message(to: &str, text: &str) -> OutboxRow {
    let domain = to.split('/').nth(2).unwrap();
    OutboxRow { to_domain: domain.into(), to: to.into(), message: text.into(), ..OutboxRow::default() }
}

fn texts(rows: &[OutboxRow]) -> Vec<&str> {
    rows.iter().map(|row| row.message.as_str()).collect()
}

#[test]
fn records_come_back_after_the_app_was_closed() {
    let profile = Profile::new();
    let store = profile.open();
    store
        .write(|tx| {
            tx.put("person/1", "user://b.localhost/ben", "Ben")?;
            tx.put("person/1", "user://a.localhost/ana", "Ana")?;
            tx.put("settings/1", "settings", &vec![1, 2, 3])?;
            tx.put("person/1", "user://b.localhost/ben", "Benjamin")
        })
        .unwrap();
    drop(store);
    let store = profile.open();
    store
        .read(|tx| {
            assert_eq!(tx.get::<String>("person/1", "user://b.localhost/ben")?.as_deref(), Some("Benjamin"));
            assert_eq!(tx.get::<String>("person/2", "user://b.localhost/ben")?, None);
            let people: Vec<(String, String)> = tx.list("person/1")?;
            assert_eq!(people[0], ("user://a.localhost/ana".into(), "Ana".into()));
            assert_eq!(people.len(), 2);
            assert_eq!(tx.get::<Vec<u8>>("settings/1", "settings")?, Some(vec![1, 2, 3]));
            assert_eq!(tx.get::<u8>("settings/1", "settings"), Err(StoreError::Codec { place: "record" }));
            Ok::<_, StoreError>(())
        })
        .unwrap();
    assert!(store.write(|tx| tx.delete("settings/1", "settings")).unwrap());
    assert!(!store.write(|tx| tx.delete("settings/1", "settings")).unwrap());
}

#[test]
fn a_transaction_that_fails_leaves_nothing_behind() {
    let profile = Profile::new();
    let store = profile.open();
    let failed: Result<(), StoreError> = store.write(|tx| {
        tx.put("kind", "key", "half done")?;
        tx.add_child(&child("one", "ana", 1, ChildState::Queued))?;
        tx.outbox_push(&message("hyperty://b.localhost/inbox", "x"))?;
        tx.seen("mark")?;
        Vault::put(tx, "tree", b"group", b"state").unwrap();
        Err(StoreError::NoSuchRow)
    });
    assert_eq!(failed, Err(StoreError::NoSuchRow));
    store
        .read(|tx| {
            assert_eq!(tx.get::<String>("kind", "key")?, None);
            assert_eq!(tx.child("one")?, None);
            assert!(tx.outbox_due(None, i64::MAX, 10)?.is_empty());
            assert_eq!(Vault::get(tx, "tree", b"group").unwrap(), None);
            Ok::<_, StoreError>(())
        })
        .unwrap();
    assert!(!store.write(|tx| tx.seen("mark")).unwrap());
}

#[test]
fn a_panic_in_a_transaction_undoes_it_and_the_store_works_on() {
    let profile = Profile::new();
    let store = profile.open();
    let crash = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        store.write(|tx| -> Result<(), StoreError> {
            tx.put("kind", "key", "half done")?;
            panic!("a fault elsewhere")
        })
    }));
    assert!(crash.is_err());
    assert_eq!(store.read(|tx| tx.get::<String>("kind", "key")).unwrap(), None);
    store.write(|tx| tx.put("kind", "key", "done")).unwrap();
}

#[test]
fn what_did_not_wait_for_the_disk_is_there_at_once_and_is_brought_there_beside_a_writer() {
    let profile = Profile::new();
    let store = profile.open();
    let flusher = store.flusher();
    store.write_soon(|tx| tx.put("kind", "key", "soon")).unwrap();
    store
        .write(|tx| {
            // The lock is held, and the disk is brought up to date all the same.
            flusher.flush()?;
            assert_eq!(tx.get::<String>("kind", "key")?, Some("soon".into()));
            tx.put("kind", "key", "later")
        })
        .unwrap();
    store.write_soon(|tx| tx.put("kind", "key", "last")).unwrap();
    store.close();
    flusher.flush().unwrap();
    assert_eq!(profile.open().read(|tx| tx.get::<String>("kind", "key")).unwrap(), Some("last".into()));
}

#[test]
fn who_only_reads_cannot_write() {
    let profile = Profile::new();
    let store = profile.open();
    assert_eq!(store.read(|tx| tx.put("kind", "key", "x")), Err(StoreError::ReadOnly));
    assert_eq!(store.read(|tx| tx.seen("x")), Err(StoreError::ReadOnly));
    assert!(store.read(|tx| Ok::<_, StoreError>(Vault::put(tx, "t", b"k", b"v").is_err())).unwrap());
}

#[test]
fn messages_keep_their_order_and_cannot_be_kept_twice() {
    let profile = Profile::new();
    let store = profile.open();
    store
        .write(|tx| {
            for seq in 1..=5 {
                tx.add_child(&child(&format!("c{seq}"), "ana", seq, ChildState::Received))?;
            }
            assert_eq!(tx.add_child(&child("c1", "ana", 99, ChildState::Received)), Err(StoreError::Duplicate));
            assert_eq!(tx.add_child(&child("other", "ana", 5, ChildState::Received)), Err(StoreError::Duplicate));
            tx.add_child(&child("b5", "ben", 5, ChildState::Queued))?;
            Ok::<_, StoreError>(())
        })
        .unwrap();
    store
        .read(|tx| {
            let page = tx.children(CHAT, None, 2)?;
            assert_eq!([page[0].id.as_str(), page[1].id.as_str()], ["c5", "b5"]);
            let older = tx.children(CHAT, Some(page[0].ordinal), 2)?;
            assert_eq!([older[0].id.as_str(), older[1].id.as_str()], ["c3", "c4"]);
            assert_eq!(tx.last_child(CHAT)?.unwrap().value, "{\"text\":\"words of b5\"}");
            assert_eq!(tx.children("comm://a.localhost/other", None, 9)?, []);
            assert_eq!(tx.count_unread(CHAT)?, 5, "what we write is not unread");
            let mine = tx.child("b5")?.unwrap();
            assert_eq!((mine.author.as_str(), mine.seq, mine.mine, mine.unread), ("ben", 5, true, false));
            assert_eq!(tx.children_in(CHAT, ChildState::Queued)?, [mine]);
            Ok::<_, StoreError>(())
        })
        .unwrap();
    assert_eq!(store.write(|tx| tx.mark_read(CHAT)).unwrap(), 5);
    assert_eq!(store.write(|tx| tx.mark_read(CHAT)).unwrap(), 0);
}

#[test]
fn a_message_moves_on_but_never_back() {
    let profile = Profile::new();
    let store = profile.open();
    store
        .write(|tx| {
            tx.add_child(&child("one", "ana", 1, ChildState::Queued))?;
            assert!(tx.advance_child("one", ChildState::Delivered)?);
            assert!(!tx.advance_child("one", ChildState::Sent)?, "the receipt was faster than the node");
            assert_eq!(tx.child("one")?.unwrap().state, ChildState::Delivered);
            assert!(!tx.advance_child("none", ChildState::Sent)?);
            assert_eq!(tx.set_child_state("none", ChildState::Sent), Err(StoreError::NoSuchRow));
            tx.set_child_state("one", ChildState::Failed)?;
            assert!(tx.advance_child("one", ChildState::Sent)?, "a retry may succeed");
            tx.empty_child("one")?;
            let empty = tx.child("one")?.unwrap();
            assert_eq!((empty.value.as_str(), empty.seq), ("", 1));
            assert_eq!(tx.delete_children(CHAT)?, 1);
            Ok::<_, StoreError>(())
        })
        .unwrap();
}

#[test]
fn the_outbox_keeps_the_order_for_each_recipient() {
    let profile = Profile::new();
    let store = profile.open();
    let (ben, bea) = ("hyperty://b.localhost/ben", "hyperty://b.localhost/bea");
    store
        .write(|tx| {
            let first = tx.outbox_push(&message(ben, "1"))?;
            tx.outbox_push(&message(ben, "2"))?;
            tx.outbox_push(&message(bea, "3"))?;
            tx.outbox_push(&message("hyperty://c.localhost/carl", "4"))?;
            assert_eq!(texts(&tx.outbox_due(Some("b.localhost"), 0, 10)?), ["1", "2", "3"]);
            assert_eq!(texts(&tx.outbox_due(None, 0, 2)?), ["1", "2"]);
            assert_eq!(tx.outbox_domains()?, ["b.localhost", "c.localhost"]);
            tx.outbox_retry(first, 500, 1)?;
            assert_eq!(texts(&tx.outbox_due(Some("b.localhost"), 0, 10)?), ["3"], "2 may not overtake 1");
            assert_eq!(tx.outbox_next("b.localhost")?, Some(0));
            let bea = tx.outbox_due(Some("b.localhost"), 0, 10)?[0].id;
            assert!(tx.outbox_done(bea)?);
            assert!(!tx.outbox_done(bea)?);
            assert_eq!(tx.outbox_next("b.localhost")?, Some(500));
            assert_eq!(texts(&tx.outbox_due(Some("b.localhost"), 500, 10)?), ["1", "2"]);
            assert_eq!(tx.outbox_due(Some("b.localhost"), 500, 1)?[0].attempts, 1);
            assert_eq!(tx.outbox_hurry("b.localhost")?, 1);
            assert_eq!(tx.outbox_next("b.localhost")?, Some(0));
            assert_eq!(tx.outbox_next("nobody.localhost")?, None);
            assert_eq!(tx.outbox_retry(bea, 1, 1), Err(StoreError::NoSuchRow));
            Ok::<_, StoreError>(())
        })
        .unwrap();
}

#[test]
fn what_waits_for_an_address_that_takes_no_more_holds_up_no_other() {
    let profile = Profile::new();
    let store = profile.open();
    let (ben, bea) = ("hyperty://b.localhost/ben", "hyperty://b.localhost/bea");
    store
        .write(|tx| {
            for n in 0..300 {
                tx.outbox_push(&message(ben, &n.to_string()))?;
            }
            let last = tx.outbox_push(&message(bea, "for Bea"))?;
            let due = |on: &OnTheWay| {
                let rows = tx.outbox_due_but(Some("b.localhost"), 0, 256, on)?;
                Ok::<_, StoreError>(rows.into_iter().map(|row| row.message).collect::<Vec<String>>())
            };
            assert_eq!(due(&OnTheWay::default())?.len(), 256);
            let mut on = OnTheWay { full: [ben.to_owned()].into(), ..OnTheWay::default() };
            assert_eq!(due(&on)?, ["for Bea"]);
            on.rows.insert(last);
            assert_eq!(due(&on)?, [""; 0]);
            Ok::<_, StoreError>(())
        })
        .unwrap();
}

#[test]
fn much_that_waits_is_read_in_parts() {
    let profile = Profile::new();
    let store = profile.open();
    let large = "A".repeat(3 * 1024 * 1024);
    store
        .write(|tx| {
            for _ in 0..4 {
                tx.outbox_push(&message("hyperty://b.localhost/ben", &large))?;
            }
            assert_eq!(tx.outbox_due(None, 0, 10)?.len(), 2);
            assert!((4 * large.len() as u64..5 * large.len() as u64).contains(&tx.outbox_bytes()?));
            Ok::<_, StoreError>(())
        })
        .unwrap();
}

#[test]
fn what_arrives_twice_is_noticed() {
    let profile = Profile::new();
    let store = profile.open();
    assert!(!store.write(|tx| tx.seen("a message")).unwrap());
    drop(store);
    assert!(profile.open().write(|tx| tx.seen("a message")).unwrap());
}

#[test]
fn what_is_recalled_is_what_the_store_has_whatever_became_of_a_change() {
    let profile = Profile::new();
    let store = profile.open();
    let recalled = |store: &Store| store.read(|tx| tx.recall::<String>("person", "ben")).unwrap();
    assert_eq!(recalled(&store), None);
    store.write(|tx| tx.put("person", "ben", "Ben")).unwrap();
    assert_eq!(recalled(&store).as_deref(), Some("Ben"));
    let lost: Result<(), StoreError> = store.write(|tx| {
        tx.put("person", "ben", "Benedict")?;
        assert_eq!(tx.recall::<String>("person", "ben")?.as_deref(), Some("Benedict"));
        Err(StoreError::DiskFull)
    });
    assert!(lost.is_err());
    assert_eq!(recalled(&store).as_deref(), Some("Ben"));
    store
        .write(|tx| {
            let part: Result<(), StoreError> = tx.part(|| {
                assert!(tx.delete("person", "ben")?);
                assert_eq!(tx.recall::<String>("person", "ben")?, None);
                Err(StoreError::DiskFull)
            });
            assert!(part.is_err());
            assert_eq!(tx.recall::<String>("person", "ben")?.as_deref(), Some("Ben"));
            Ok::<_, StoreError>(())
        })
        .unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        store.write(|tx| -> Result<(), StoreError> {
            tx.put("person", "ben", "nobody")?;
            assert_eq!(tx.recall::<String>("person", "ben")?.as_deref(), Some("nobody"));
            panic!("in the middle")
        })
    }));
    assert!(panicked.is_err());
    assert_eq!(recalled(&store).as_deref(), Some("Ben"));
    store.write(|tx| tx.delete("person", "ben")).unwrap();
    assert_eq!(recalled(&store), None);
}

#[test]
fn the_groups_live_in_the_store_and_a_lost_send_does_not_use_up_a_key() {
    let profile = Profile::new();
    let store = profile.open();
    let (ana, ben) = (SigningKey::generate(), SigningKey::generate());
    let (ana, ben) = (Device::new(&ana, b"Ana".to_vec()), Device::new(&ben, b"Ben".to_vec()));
    let group = GroupId::new(CHAT).unwrap();
    let bens = MemoryVault::new();
    let package = seal::key_package(&bens, &ben, false).unwrap();
    let welcome = store
        .write(|tx| -> Result<_, StoreError> {
            seal::create(tx, &ana, &group, 0).unwrap();
            Ok(seal::invite(tx, &ana, &group, &package, &mut |_| Ok(())).unwrap().welcome)
        })
        .unwrap();
    seal::inspect_welcome(&bens, &ben, &welcome).unwrap().join(&bens, &mut |_| Ok(())).unwrap();
    let lost: Result<(), StoreError> = store.write(|tx| {
        seal::seal(tx, &ana, &group, b"never leaves").unwrap();
        Err(StoreError::DiskFull)
    });
    assert!(lost.is_err());
    drop(store);
    let store = profile.open();
    let sealed = store.write(|tx| Ok::<_, StoreError>(seal::seal(tx, &ana, &group, b"hello").unwrap())).unwrap();
    let opened = seal::open(&bens, &ben, &sealed, &mut |_| Ok(())).unwrap();
    assert!(matches!(opened.what, What::Application(text) if text == b"hello"));
}

#[test]
fn a_group_that_is_held_in_memory_is_never_ahead_of_what_the_store_kept() {
    let profile = Profile::new();
    let store = profile.open();
    let (ana, ben) = (SigningKey::generate(), SigningKey::generate());
    let (ana, ben) = (Device::new(&ana, b"Ana".to_vec()), Device::new(&ben, b"Ben".to_vec()));
    let group = GroupId::new(CHAT).unwrap();
    let bens = MemoryVault::new();
    let package = seal::key_package(&bens, &ben, false).unwrap();
    let welcome = store
        .write(|tx| {
            seal::create(tx, &ana, &group, 0).unwrap();
            Ok::<_, StoreError>(seal::invite(tx, &ana, &group, &package, &mut |_| Ok(())).unwrap().welcome)
        })
        .unwrap();
    seal::inspect_welcome(&bens, &ben, &welcome).unwrap().join(&bens, &mut |_| Ok(())).unwrap();
    let says = |text: &[u8]| seal::seal(&bens, &ben, &group, text).unwrap();
    let opens = |tx: &Tx<'_>, bytes: &[u8]| match seal::open(tx, &ana, bytes, &mut |_| Ok(())).map(|it| it.what) {
        Ok(What::Application(text)) => Ok(text),
        Ok(_) => Err("no text".to_owned()),
        Err(error) => Err(error.code().to_owned()),
    };
    let (first, second, third) = (says(b"one"), says(b"two"), says(b"three"));
    let opened = store.write(|tx| Ok::<_, StoreError>(opens(tx, &first))).unwrap();
    assert_eq!(opened.unwrap(), b"one");
    // The transaction is lost after the message was opened, as when the disk is full.
    let lost: Result<(), StoreError> = store.write(|tx| {
        assert_eq!(opens(tx, &second).unwrap(), b"two");
        Err(StoreError::DiskFull)
    });
    assert!(lost.is_err());
    store
        .write(|tx| {
            // A part of one is lost.
            let part: Result<(), StoreError> = tx.part(|| {
                assert_eq!(opens(tx, &second).unwrap(), b"two");
                Err(StoreError::DiskFull)
            });
            assert!(part.is_err());
            assert_eq!(opens(tx, &second).unwrap(), b"two", "it can be opened as if nothing had been");
            assert_eq!(opens(tx, &second), Err("replayed".into()));
            assert_eq!(opens(tx, &third).unwrap(), b"three");
            // What is sealed with the same group in between is no harm to what is opened after it.
            let ours = seal::seal(tx, &ana, &group, b"ours").unwrap();
            assert!(seal::open(&bens, &ben, &ours, &mut |_| Ok(())).is_ok());
            assert_eq!(opens(tx, &third), Err("replayed".into()));
            Ok::<_, StoreError>(())
        })
        .unwrap();
    // Somebody goes: the group that was held is another one now.
    let bens_leaf = |tx: &Tx<'_>| {
        seal::members(tx, &group).unwrap().into_iter().find(|member| member.dsk == ben.verifying_key()).unwrap().leaf
    };
    let removed =
        store.write(|tx| Ok::<_, StoreError>(seal::remove(tx, &ana, &group, &[bens_leaf(tx)], b"").is_ok())).unwrap();
    assert!(removed);
    let late = says(b"too late");
    assert!(store.write(|tx| Ok::<_, StoreError>(opens(tx, &late))).unwrap().is_err());
}

#[test]
fn a_thief_of_the_disk_finds_no_name_no_address_and_no_word() {
    let profile = Profile::new();
    let store = profile.open();
    let ana = Device::new(&SigningKey::generate(), b"credential-of-ana".to_vec());
    store
        .write(|tx| -> Result<(), StoreError> {
            tx.put("person-kind", "user://secretdomain.example/anastasia", "Anastasia Secretova")?;
            let mut row = child("secret-child-id", "user://secretdomain.example/anastasia", 1, ChildState::Received);
            row.object = "comm://secretdomain.example/room".into();
            row.value = "the treasure is under the oak".into();
            tx.add_child(&row)?;
            tx.outbox_push(&OutboxRow {
                to_domain: "secretdomain.example".into(),
                to: "hyperty://secretdomain.example/inbox".into(),
                message: "the treasure is under the oak".into(),
                children: vec!["secret-child-id".into()],
                ..OutboxRow::default()
            })?;
            tx.seen("secret-mark")?;
            seal::create(tx, &ana, &GroupId::new("comm://secretdomain.example/room").unwrap(), 0).unwrap();
            Ok(())
        })
        .unwrap();
    let secrets = [
        "secretdomain",
        "nastasia",
        "Secretova",
        "treasure",
        "secret-child",
        "secret-mark",
        "credential-of",
        "person-kind",
        "comm://",
        "hyperty://",
        "tree",
    ];
    let dir = profile.path.parent().unwrap();
    let look = || {
        for file in std::fs::read_dir(dir).unwrap() {
            let path = file.unwrap().path();
            let bytes = std::fs::read(&path).unwrap();
            for secret in secrets {
                assert!(!contains(&bytes, secret.as_bytes()), "{secret} in {}", path.display());
            }
        }
    };
    assert!(dir.join("profile.db-wal").exists());
    look();
    store.scrub().unwrap();
    assert_eq!(std::fs::metadata(dir.join("profile.db-wal")).unwrap().len(), 0);
    look();
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

#[cfg(unix)]
#[test]
fn only_the_user_can_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let profile = Profile::new();
    let store = profile.open();
    store.write(|tx| tx.put("kind", "key", "value")).unwrap();
    for file in std::fs::read_dir(profile.path.parent().unwrap()).unwrap() {
        let path = file.unwrap().path();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0, "{}", path.display());
    }
}

#[test]
fn a_value_moved_to_another_place_does_not_open() {
    let profile = Profile::new();
    let store = profile.open();
    store
        .write(|tx| {
            tx.put("kind", "rich", "1,000,000")?;
            tx.put("kind", "poor", "0")?;
            tx.add_child(&child("one", "ana", 1, ChildState::Received)).map(drop)
        })
        .unwrap();
    drop(store);
    let db = rusqlite::Connection::open(&profile.path).unwrap();
    let all: Vec<Vec<u8>> = db
        .prepare("SELECT sealed FROM record")
        .unwrap()
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    db.execute("UPDATE record SET sealed = CASE sealed WHEN ?1 THEN ?2 ELSE ?1 END", [&all[0], &all[1]]).unwrap();
    db.execute("UPDATE child SET sealed = ?1", [&all[0]]).unwrap();
    drop(db);
    let store = profile.open();
    let damaged = |place: &str| StoreError::Damaged { place: place.into() };
    assert_eq!(store.read(|tx| tx.get::<String>("kind", "poor")), Err(damaged("record")));
    assert_eq!(store.read(|tx| tx.child("one")), Err(damaged("child")));
}

#[test]
fn another_key_does_not_open_the_store() {
    let (profile, other) = (Profile::new(), Profile::new());
    drop(profile.open());
    assert_eq!(Store::open(&profile.path, &other.key).unwrap_err(), StoreError::WrongKey);
}

#[test]
fn a_profile_is_open_in_one_place_only() {
    let profile = Profile::new();
    let store = profile.open();
    assert_eq!(Store::open(&profile.path, &profile.key).unwrap_err(), StoreError::InUse);
    drop(store);
    profile.open();
}

#[test]
fn a_file_of_something_else_is_left_alone() {
    let profile = Profile::new();
    let other = rusqlite::Connection::open(&profile.path).unwrap();
    other.execute_batch("CREATE TABLE theirs (x)").unwrap();
    drop(other);
    assert_eq!(Store::open(&profile.path, &profile.key).unwrap_err(), StoreError::NotOurs);
    std::fs::write(&profile.path, "x".repeat(5000)).unwrap();
    assert_eq!(Store::open(&profile.path, &profile.key).unwrap_err(), StoreError::NotOurs);
}

#[test]
fn a_store_of_a_newer_app_is_left_alone() {
    let profile = Profile::new();
    drop(profile.open());
    let db = rusqlite::Connection::open(&profile.path).unwrap();
    db.pragma_update(None, "user_version", 99).unwrap();
    drop(db);
    let known = 4;
    assert_eq!(Store::open(&profile.path, &profile.key).unwrap_err(), StoreError::Newer { have: 99, known });
}

#[test]
fn a_damaged_file_is_reported_and_does_not_crash() {
    let profile = Profile::new();
    let store = profile.open();
    store
        .write(|tx| {
            for seq in 0..200 {
                tx.add_child(&child(&seq.to_string(), "ana", seq, ChildState::Received))?;
            }
            Ok::<_, StoreError>(())
        })
        .unwrap();
    store.check().unwrap();
    drop(store);
    damage(&profile.path);
    match Store::open(&profile.path, &profile.key) {
        Ok(store) => assert!(store.check().is_err()),
        Err(error) => assert!(matches!(error, StoreError::Damaged { .. }), "{error}"),
    }
}

fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let half = bytes.len() / 2;
    bytes[half..].fill(0xAA);
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn what_is_told_to_be_read_moves_on_and_never_back() {
    let profile = Profile::new();
    let store = profile.open();
    store
        .write(|tx| {
            for seq in 1..=500 {
                tx.add_child(&child(&format!("c{seq}"), "ana", seq, ChildState::Sent))?;
            }
            tx.set_child_state("c3", ChildState::Failed)?;
            let told = tx.advance_up_to(CHAT, "ana", 0, 400, ChildState::Delivered)?;
            assert!(told.len() <= 400 && told.last().unwrap().seq == 400, "the newest are told");
            assert_eq!(tx.child("c3")?.unwrap().state, ChildState::Delivered);
            let told = tx.advance_up_to(CHAT, "ana", 400, 500, ChildState::Read)?;
            assert_eq!((told.len(), tx.child("c400")?.unwrap().state), (100, ChildState::Delivered));
            assert!(tx.advance_up_to(CHAT, "ana", 0, 500, ChildState::Delivered)?.iter().all(|row| row.seq <= 400));
            assert_eq!(tx.child("c500")?.unwrap().state, ChildState::Read);
            // What was refused once and sent again has an old number.
            tx.set_child_state("c7", ChildState::Queued)?;
            let told = tx.advance_up_to(CHAT, "ana", 500, 500, ChildState::Delivered)?;
            assert_eq!(told.iter().map(|row| row.seq).collect::<Vec<_>>(), [7]);
            Ok::<_, StoreError>(())
        })
        .unwrap();
}

#[test]
fn a_word_about_a_message_is_no_line_of_its_own_but_keeps_its_number() {
    let profile = Profile::new();
    let store = profile.open();
    store
        .write(|tx| {
            tx.add_child(&child("one", "ana", 1, ChildState::Sent))?;
            tx.add_child(&ChildRow { hidden: true, ..child("two", "ana", 2, ChildState::Queued) })?;
            tx.replace_child("one", "{\"text\":\"better words\"}")?;
            let shown = tx.children(CHAT, None, 9)?;
            assert_eq!(shown.iter().map(|row| row.value.as_str()).collect::<Vec<_>>(), ["{\"text\":\"better words\"}"]);
            assert_eq!((tx.last_child(CHAT)?.unwrap().id.as_str(), tx.count_children_of(CHAT)?), ("one", 1));
            assert_eq!(tx.children_of(CHAT, "ana", 0, 9)?.len(), 2, "who missed it gets it again");
            assert_eq!(tx.children_in(CHAT, ChildState::Queued)?.len(), 1);
            Ok::<_, StoreError>(())
        })
        .unwrap();
}

#[test]
fn children_end_when_their_time_has_come() {
    let profile = Profile::new();
    let store = profile.open();
    store
        .write(|tx| {
            tx.add_child(&ChildRow { ends: Some(100), ..child("one", "ben", 1, ChildState::Received) })?;
            tx.add_child(&child("two", "ben", 2, ChildState::Received))?;
            tx.set_child_end("two", Some(200))?;
            let ended = |now| tx.ended_children(now, 9).map(|rows| rows.len());
            assert_eq!((ended(99)?, ended(100)?, ended(200)?), (0, 1, 2));
            assert_eq!(tx.mark_read_up_to(CHAT, "ben", 1)?, 1);
            assert_eq!(tx.unread_children(CHAT, 9)?.iter().map(|row| row.id.as_str()).collect::<Vec<_>>(), ["two"]);
            tx.empty_child("one")?;
            assert_eq!((ended(100)?, tx.children(CHAT, None, 9)?.len()), (0, 1));
            Ok::<_, StoreError>(())
        })
        .unwrap();
}

#[test]
fn what_was_brought_in_several_files_is_put_in_the_order_of_its_times_and_still_found() {
    let profile = Profile::new();
    let store = profile.open();
    let word = |row: &ChildRow| format!("word{}", row.seq);
    let at = [30, 40, 10, 20, 10, 50];
    store
        .write(|tx| {
            for (seq, at) in (1..).zip(at) {
                let other =
                    ChildRow { object: "other".into(), ..child(&format!("o{seq}"), "ben", seq, ChildState::Received) };
                tx.add_child(&other)?;
                tx.add_child(&ChildRow { at, ..child(&format!("m{seq}"), "ben", seq, ChildState::Received) })?;
            }
            let rows = tx.children_to_index(100)?;
            tx.index_next(rows.iter().map(|row| (row, Some(word(row)))))
        })
        .unwrap();
    let object = child("m", "ben", 1, ChildState::Received).object;
    let others = store.read(|tx| tx.children("other", None, 100)).unwrap();
    let order = || {
        let mut moved = 0;
        store
            .write(|tx| {
                tx.order_children(&object, |row| {
                    moved += 1;
                    tx.index_again(row, Some(&word(row)))
                })
            })
            .unwrap();
        moved
    };
    assert_eq!(order(), 5, "all but the last one moved");
    let rows = store.read(|tx| tx.children(&object, None, 100)).unwrap();
    assert_eq!(rows.iter().map(|row| row.seq).collect::<Vec<_>>(), [3, 5, 4, 1, 2, 6]);
    assert_eq!(store.read(|tx| tx.children("other", None, 100)).unwrap(), others, "others stay where they are");
    for row in &rows {
        let found = store.read(|tx| tx.find_words(&[word(row)], Some(&object), None, 10)).unwrap();
        assert_eq!(found.as_slice(), std::slice::from_ref(row));
    }
    assert_eq!(order(), 0, "once");
    let next =
        store.write(|tx| tx.add_child(&ChildRow { at: 60, ..child("m7", "ben", 7, ChildState::Received) })).unwrap();
    assert!(next > rows.last().unwrap().ordinal, "what comes later lies behind");
}
