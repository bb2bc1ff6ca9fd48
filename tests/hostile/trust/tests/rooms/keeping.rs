//! Attacks on what a device keeps: a stolen disk, another key, moved and older values, guessing.

use std::ops::ControlFlow;
use std::path::{Path, PathBuf};

use keys::SigningKey;
use keys::recovery::RecoveryWords;
use message::Private;
use seal::{Device, GroupId};
use store::{
    BackupError, BackupPlan, ChildRow, ChildState, Keep, KeyError, KeySource, MasterKey, OutboxRow, Store, StoreError,
};

const SECRETS: [&str; 7] =
    ["secretdomain", "nastasia", "treasure", "secret-child", "secret-mark", "credential-of", "person-kind"];

const PHRASE: &str = "a long enough phrase";

struct Profile {
    dir: tempfile::TempDir,
    key: MasterKey,
}

impl Profile {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = MasterKey::open(dir.path(), KeySource::Passphrase(PHRASE)).unwrap();
        Self { dir, key }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("profile.db")
    }

    fn open(&self) -> Store {
        Store::open(&self.path(), &self.key).unwrap()
    }

    /// A profile with something of everything in it.
    fn lived_in() -> Self {
        let profile = Self::new();
        let ana = Device::new(&SigningKey::generate(), b"credential-of-ana".to_vec());
        let store = profile.open();
        store
            .write(|tx| -> Result<(), StoreError> {
                tx.put("person-kind", "user://secretdomain.example/anastasia", "Anastasia")?;
                tx.put("person-kind", "poor", "0")?;
                tx.put("person-kind", "rich", "1,000,000")?;
                tx.add_child(&ChildRow {
                    id: "secret-child".into(),
                    object: "comm://secretdomain.example/room".into(),
                    author: "user://secretdomain.example/anastasia".into(),
                    seq: 1,
                    state: ChildState::Received,
                    value: "the treasure is under the oak".into(),
                    ..ChildRow::default()
                })?;
                tx.outbox_push(&OutboxRow {
                    to_domain: "secretdomain.example".into(),
                    to: "hyperty://secretdomain.example/inbox".into(),
                    message: "the treasure is under the oak".into(),
                    ..OutboxRow::default()
                })?;
                tx.seen("secret-mark")?;
                seal::create(tx, &ana, &GroupId::new("comm://secretdomain.example/room").unwrap(), 1).unwrap();
                Ok(())
            })
            .unwrap();
        drop(store);
        profile
    }
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn files(folder: &Path) -> impl Iterator<Item = (PathBuf, Vec<u8>)> {
    std::fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().path())
        .map(|path| (path.clone(), std::fs::read(path).unwrap()))
}

/// Attack: L-01
/// By: a thief of the disk
/// Does: searches every file of a profile for names, addresses, words and keys
/// Holds: nothing is found
#[test]
fn a_thief_of_the_disk_reads_nothing() {
    let profile = Profile::lived_in();
    let mut seen = 0;
    for (path, bytes) in files(profile.dir.path()) {
        seen += bytes.len();
        for secret in SECRETS.iter().chain(&["a long enough phrase", "comm://", "hyperty://"]) {
            assert!(!contains(&bytes, secret.as_bytes()), "{secret} in {}", path.display());
        }
    }
    assert!(seen > 10_000, "there was something to search");
}

/// Attack: L-02
/// By: a thief of the disk
/// Does: opens the profile with another key, with a wrong passphrase, without one, and with the key file of another
/// Holds: refused each time
#[test]
fn a_profile_opens_with_its_own_key_only() {
    let (profile, other) = (Profile::lived_in(), Profile::new());
    assert_eq!(Store::open(&profile.path(), &other.key).unwrap_err(), StoreError::WrongKey);
    let open = |phrase: &str| MasterKey::open(profile.dir.path(), KeySource::Passphrase(phrase));
    for wrong in ["a long enough phrase ", "A long enough phrase"] {
        assert!(matches!(open(wrong), Err(KeyError::WrongPassphrase)), "{wrong}");
    }
    assert!(MasterKey::open(profile.dir.path(), KeySource::Unprotected).is_err());
    std::fs::copy(other.dir.path().join("key.json"), profile.dir.path().join("key.json")).unwrap();
    let swapped = open(PHRASE).unwrap();
    assert_eq!(Store::open(&profile.path(), &swapped).unwrap_err(), StoreError::WrongKey);
}

/// Attack: L-03
/// By: somebody who can write to the disk
/// Does: moves sealed values to other places, and swaps two of the same kind
/// Holds: what is moved does not open
#[test]
fn a_value_does_not_open_in_another_place() {
    let profile = Profile::lived_in();
    let db = rusqlite::Connection::open(profile.path()).unwrap();
    let mut rows = db.prepare("SELECT sealed FROM record").unwrap();
    let all: Vec<Vec<u8>> = rows.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    drop(rows);
    let shifted = |at: usize| &all[(at + 1) % all.len()];
    for (at, sealed) in all.iter().enumerate() {
        let marked = [b"moved".as_slice(), shifted(at)].concat();
        db.execute("UPDATE record SET sealed = ?1 WHERE sealed = ?2", [&marked, sealed]).unwrap();
    }
    db.execute("UPDATE record SET sealed = substr(sealed, 6)", []).unwrap();
    db.execute("UPDATE child SET sealed = ?1", [&all[0]]).unwrap();
    drop(db);
    let damaged = |place: &str| StoreError::Damaged { place: place.into() };
    let store = profile.open();
    for key in ["rich", "poor", "user://secretdomain.example/anastasia"] {
        assert_eq!(store.read(|tx| tx.get::<String>("person-kind", key)), Err(damaged("record")), "{key}");
    }
    assert_eq!(store.read(|tx| tx.child("secret-child")), Err(damaged("child")));
}

/// Attack: L-04
/// By: another user of the machine
/// Does: reads the files
/// Holds: they are readable by their owner alone
#[cfg(unix)]
#[test]
fn the_files_are_their_owners_alone() {
    use std::os::unix::fs::PermissionsExt;
    let profile = Profile::lived_in();
    let store = profile.open();
    for (path, _) in files(profile.dir.path()) {
        let mode = std::fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o077, 0, "{} has mode {mode:o}", path.display());
    }
    drop(store);
}

/// Attack: L-05
/// By: somebody who reads logs
/// Does: logs keys, phrases, groups and what they seal
/// Holds: none of it shows itself
#[test]
fn no_secret_shows_itself_in_a_log() {
    let profile = Profile::lived_in();
    let key = SigningKey::generate();
    let vault = seal::MemoryVault::new();
    let device = Device::new(&key, b"credential-of-ana".to_vec());
    let group = GroupId::new("comm://secretdomain.example/room").unwrap();
    seal::create(&vault, &device, &group, 1).unwrap();
    let phrase = Private(PHRASE.to_owned());
    let log = format!("{key:?} {device:?} {vault:?} {group:?} {phrase:?} {:?} {:?}", profile.key, profile.open());
    let bytes = key.to_bytes();
    for secret in SECRETS.iter().copied().chain(["a long enough", &keys::b64url(bytes.as_ref())]) {
        assert!(!log.contains(secret), "{secret} in {log}");
    }
    assert!(!log.contains(&format!("{}, {}, {}", bytes.as_ref()[0], bytes.as_ref()[1], bytes.as_ref()[2])));
}

/// Attack: L-06
/// By: somebody who can write to the disk
/// Does: damages the file, puts another file or a newer one in its place
/// Holds: it is said, nothing crashes, and a foreign file is left alone
#[test]
fn a_damaged_or_foreign_file_is_told_apart() {
    let profile = Profile::lived_in();
    let good = std::fs::read(profile.path()).unwrap();
    let mut half = good.clone();
    half[good.len() / 2..].fill(0xaa);
    for bad in [half, good[..good.len() / 3].to_vec(), vec![b'x'; 5000]] {
        std::fs::write(profile.path(), &bad).unwrap();
        for extra in ["-wal", "-shm"] {
            let _ = std::fs::remove_file(format!("{}{extra}", profile.path().display()));
        }
        match Store::open(&profile.path(), &profile.key) {
            Ok(store) => assert!(store.check().is_err()),
            Err(StoreError::NotOurs | StoreError::Damaged { .. }) => {}
            Err(other) => panic!("{other:?}"),
        }
    }
    assert_eq!(std::fs::read(profile.path()).unwrap(), vec![b'x'; 5000], "a foreign file is left alone");
}

/// A backup with some messages in it, and the words that open it.
fn backup(messages: i64) -> (Vec<u8>, RecoveryWords) {
    let profile = Profile::new();
    let (words, store) = (RecoveryWords::generate(), profile.open());
    let row = |seq: i64| ChildRow {
        id: format!("child-{seq}"),
        object: "comm://secretdomain.example/room".into(),
        author: "user://secretdomain.example/anastasia".into(),
        seq,
        value: "the treasure is under the oak ".repeat(50),
        ..ChildRow::default()
    };
    store.write(|tx| (1..=messages).try_for_each(|seq| tx.add_child(&row(seq)).map(drop))).unwrap();
    store.write(|tx| tx.put("person-kind", "user://secretdomain.example/anastasia", "Anastasia")).unwrap();
    let mut out = Vec::new();
    let plan = BackupPlan { made_at: 1, kinds: &["person-kind"], record: &mut |_, _, _| Keep::AsItIs };
    store.backup(&words.backup_public(), plan, &mut out, &mut |_| ControlFlow::Continue(())).unwrap();
    (out, words)
}

/// What is in a new profile after somebody tried to restore this.
fn restored(mut backup: &[u8], words: &RecoveryWords) -> (Result<(), BackupError>, usize) {
    let dir = tempfile::tempdir().unwrap();
    let key = MasterKey::open(dir.path(), KeySource::Unprotected).unwrap();
    let store = Store::open(&dir.path().join("profile.db"), &key).unwrap();
    let done = store
        .write(|tx| tx.restore(&mut backup, words, &["person-kind"], &mut |_| ControlFlow::Continue(())).map(drop));
    let people: Vec<(String, String)> = store.read(|tx| tx.list("person-kind")).unwrap();
    let room = "comm://secretdomain.example/room";
    let children = store.read(|tx| tx.children(room, None, 1000)).unwrap();
    (done, people.len() + children.len())
}

/// Attack: L-07
/// By: whoever keeps a backup for Ana, a cloud or a thief of the disk
/// Does: searches it, opens it with other words, cuts it short anywhere, bends each part, and puts parts of another in
/// Holds: nothing is read, and of a backup that is not whole nothing at all is restored
#[test]
fn a_backup_opens_whole_and_with_its_own_words_or_not_at_all() {
    let (good, words) = backup(200);
    for secret in SECRETS {
        assert!(!contains(&good, secret.as_bytes()), "{secret}");
    }
    assert_eq!(restored(&good, &words), (Ok(()), 201), "the honest case");
    assert_eq!(restored(&good, &RecoveryWords::generate()), (Err(BackupError::WrongWords), 0));
    let refused = |bytes: &[u8], how: &str| {
        let (done, left) = restored(bytes, &words);
        assert!(done.is_err() && left == 0, "{how}: {done:?}, {left} rows");
    };
    let lengths = [0, 1, 12, 91, 92, 93, 64 * 1024, good.len() / 2, good.len() - 17, good.len() - 1];
    for length in lengths {
        refused(&good[..length], "cut");
    }
    for at in lengths.iter().filter(|at| **at < good.len()) {
        let mut bent = good.clone();
        bent[*at] ^= 1;
        refused(&bent, "bent");
    }
    refused(&[&good[..], b"x"].concat(), "longer");
    let (other, _) = backup(200);
    let half = good.len() / 2;
    refused(&[&good[..half], &other[half..]].concat(), "mixed of two");
}

/// Attack: L-08
/// By: somebody at the keyboard of a locked profile
/// Does: guesses the passphrase, starts the app again, sets the clock back, and guesses on
/// Holds: each further guess waits, and the waiting stands on the disk
#[test]
fn the_wait_after_wrong_guesses_outlives_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let begun = 1_700_000_000_000;
    let open = |phrase: &str, now| MasterKey::open_at(dir.path(), KeySource::Passphrase(phrase), now);
    open(PHRASE, begun).unwrap();
    for _ in 0..3 {
        assert_eq!(open("a guess", begun).unwrap_err(), KeyError::WrongPassphrase);
    }
    // Nothing is kept in this process: each attempt reads the folder anew, as an app does that was just started.
    for now in [begun, begun + 4_999, begun - 3_600_000] {
        assert!(matches!(open(PHRASE, now), Err(KeyError::TooSoon { .. })), "{now}");
    }
    let copy = tempfile::tempdir().unwrap();
    for (path, bytes) in files(dir.path()) {
        std::fs::write(copy.path().join(path.file_name().unwrap()), bytes).unwrap();
    }
    let elsewhere = MasterKey::open_at(copy.path(), KeySource::Passphrase(PHRASE), begun - 3_600_000);
    assert!(matches!(elsewhere, Err(KeyError::TooSoon { .. })), "it travels with the profile");
}
