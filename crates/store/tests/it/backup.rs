//! Stories of a backup: sealed without the words, restored with them, and never half.

use std::io::Read;
use std::ops::ControlFlow;
use std::path::PathBuf;

use keys::SigningKey;
use keys::recovery::RecoveryWords;
use seal::{Device, GroupId, Vault};
use store::{
    BackupError, BackupPlan, BackupProgress, BackupSummary, ChildRow, ChildState, Keep, KeySource, MasterKey,
    OutboxRow, Store, StoreError,
};

const MADE_AT: i64 = 1_700_000_000_000;
const KINDS: [&str; 2] = ["me/1", "person/1"];
const CHAT: &str = "comm://a.localhost/quiet-room";

struct Profile {
    dir: tempfile::TempDir,
    store: Store,
}

impl Profile {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let key = MasterKey::open(dir.path(), KeySource::Unprotected).unwrap();
        let store = Store::open(&dir.path().join("profile.db"), &key).unwrap();
        Self { dir, store }
    }

    /// With `children` messages of some length in it.
    fn lived_in(children: i64) -> Self {
        let profile = Self::new();
        let ana = Device::new(&SigningKey::generate(), b"credential-of-ana".to_vec());
        profile
            .store
            .write(|tx| {
                tx.put("me/1", "me", &serde_json::json!({"name": "Ana", "dsk": "the-device-secret"}))?;
                tx.put("person/1", "ben", &serde_json::json!({"name": "Ben", "score": 0.1}))?;
                tx.put("key-packages/1", "ours", "private-package-keys")?;
                seal::create(tx, &ana, &GroupId::new(CHAT).unwrap(), 0).unwrap();
                tx.outbox_push(&OutboxRow {
                    to_domain: "b.localhost".into(),
                    to: "hyperty://b.localhost/inbox".into(),
                    message: "sealed-for-ben".into(),
                    ..OutboxRow::default()
                })?;
                (1..=children).try_for_each(|seq| tx.add_child(&child(seq)).map(drop))
            })
            .unwrap();
        profile
    }

    fn backup(&self, words: &RecoveryWords) -> (Vec<u8>, BackupSummary) {
        let mut out = Vec::new();
        let plan = BackupPlan { made_at: MADE_AT, kinds: &KINDS, record: &mut without_secrets };
        let summary = self.store.backup(&words.backup_public(), plan, &mut out, &mut go_on).unwrap();
        (out, summary)
    }

    fn restore(&self, mut backup: &[u8], words: &RecoveryWords) -> Result<BackupSummary, BackupError> {
        self.store.write(|tx| tx.restore(&mut backup, words, &KINDS, &mut go_on))
    }

    fn is_empty(&self) -> bool {
        self.store
            .read(|tx| {
                let people: Vec<(String, serde_json::Value)> = tx.list("person/1")?;
                Ok::<_, StoreError>(people.is_empty() && tx.children(CHAT, None, 1)?.is_empty())
            })
            .unwrap()
    }
}

fn child(seq: i64) -> ChildRow {
    ChildRow {
        id: format!("child-{seq}"),
        object: CHAT.into(),
        author: if seq % 2 == 0 { "ana".into() } else { "ben".into() },
        seq,
        at: MADE_AT + seq,
        state: if seq % 2 == 0 { ChildState::Delivered } else { ChildState::Received },
        value: format!("{{\"text\":\"{}\"}}", "words ".repeat(usize::try_from(seq % 500).unwrap())),
        mine: seq % 2 == 0,
        unread: seq % 3 == 0,
        ..ChildRow::default()
    }
}

fn without_secrets(kind: &str, _key: &str, value: &str) -> Keep {
    if kind != "me/1" {
        return Keep::AsItIs;
    }
    let mut me: serde_json::Value = serde_json::from_str(value).unwrap();
    me.as_object_mut().unwrap().remove("dsk");
    Keep::As(me.to_string())
}

fn go_on(_: BackupProgress) -> ControlFlow<()> {
    ControlFlow::Continue(())
}

#[test]
fn a_device_that_knows_no_words_seals_what_the_words_restore() {
    let words = RecoveryWords::generate();
    let profile = Profile::lived_in(1000);
    let (backup, written) = profile.backup(&words);
    assert!(backup.len() > 10 * 64 * 1024, "it has many chunks: {}", backup.len());
    assert_eq!((written.records, written.children, written.left_out), (2, 1000, 1));
    let again = RecoveryWords::parse(&words.text()).unwrap();
    let new = Profile::new();
    let restored = new.restore(&backup, &again).unwrap();
    assert_eq!(restored, BackupSummary { left_out: 0, ..written });
    new.store.check().unwrap();
    let read = |profile: &Profile| {
        profile.store.read(|tx| Ok::<_, StoreError>((tx.children(CHAT, None, 1000)?, tx.count_unread(CHAT)?))).unwrap()
    };
    assert!(read(&profile) == read(&new), "all children, in their order, with their states");
    new.store
        .read(|tx| {
            let me: serde_json::Value = tx.get("me/1", "me")?.unwrap();
            assert_eq!(me, serde_json::json!({"name": "Ana"}), "no key of the device");
            let ben: serde_json::Value = tx.get("person/1", "ben")?.unwrap();
            assert_eq!(ben, serde_json::json!({"name": "Ben", "score": 0.1}));
            assert_eq!(tx.get::<String>("key-packages/1", "ours")?, None);
            assert!(tx.outbox_domains()?.is_empty());
            Ok::<_, StoreError>(())
        })
        .unwrap();
    // The groups have no state there: the same group can be founded anew.
    let ana = Device::new(&SigningKey::generate(), b"Ana".to_vec());
    let founded: Result<(), StoreError> = new.store.write(|tx| {
        seal::create(tx, &ana, &GroupId::new(CHAT).unwrap(), 0).unwrap();
        Ok(())
    });
    founded.unwrap();
}

#[test]
fn nothing_can_be_read_in_a_backup() {
    let (backup, _) = Profile::lived_in(5).backup(&RecoveryWords::generate());
    for secret in ["Ana", "Ben", "words", "comm://", "person/1", "dsk"] {
        assert!(!backup.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret}");
    }
}

#[test]
fn other_words_do_not_open_it() {
    let (backup, _) = Profile::lived_in(5).backup(&RecoveryWords::generate());
    let new = Profile::new();
    assert_eq!(new.restore(&backup, &RecoveryWords::generate()), Err(BackupError::WrongWords));
    assert!(new.is_empty());
}

#[test]
fn a_backup_that_was_cut_reordered_or_changed_restores_nothing() {
    let words = RecoveryWords::generate();
    let (backup, _) = Profile::lived_in(400).backup(&words);
    let new = Profile::new();
    let damaged = |bytes: &[u8], how: &str| {
        let refused = new.restore(bytes, &words).expect_err(how);
        let expected = [BackupError::Damaged, BackupError::WrongWords, BackupError::NotABackup];
        let newer = matches!(refused, BackupError::Newer { .. });
        assert!(newer || expected.contains(&refused), "{how}: {refused}");
        assert!(new.is_empty(), "{how}");
    };
    let (chunk, head) = (64 * 1024 + 16, 8 + 2 + 2 + 80);
    let chunks = (backup.len() - head) / chunk;
    assert!(chunks >= 3);
    for whole in 0..=chunks {
        damaged(&backup[..head + whole * chunk], "cut between two chunks");
    }
    for length in [0, 1, 7, 8, 9, 11, 12, 50, head - 1, head + 1, head + 15, backup.len() - 1] {
        damaged(&backup[..length], "cut");
    }
    let mut swapped = backup.clone();
    swapped[head..head + 2 * chunk].rotate_left(chunk);
    damaged(&swapped, "two chunks swapped");
    let without = [&backup[..head + chunk], &backup[head + 2 * chunk..]].concat();
    damaged(&without, "a chunk missing");
    let twice = [&backup[..head + chunk], &backup[head..]].concat();
    damaged(&twice, "a chunk twice");
    damaged(&[backup.as_slice(), b"x"].concat(), "something after the end");
    damaged(&[backup.as_slice(), &backup[head..]].concat(), "two backups in one");
    for at in (0..head).chain((head..backup.len()).step_by(9973)).chain([backup.len() - 1]) {
        let mut changed = backup.clone();
        changed[at] ^= 0x10;
        damaged(&changed, &format!("byte {at} changed"));
    }
    new.restore(&backup, &words).unwrap();
}

#[test]
fn a_backup_of_a_newer_app_says_so() {
    let words = RecoveryWords::generate();
    let (mut backup, _) = Profile::lived_in(1).backup(&words);
    backup[9] = 2;
    assert_eq!(Profile::new().restore(&backup, &words), Err(BackupError::Newer { have: 2, known: 1 }));
    backup[9] = 0;
    assert_eq!(Profile::new().restore(&backup, &words), Err(BackupError::NotABackup));
    assert_eq!(Profile::new().restore(b"PK\x03\x04 something else", &words), Err(BackupError::NotABackup));
}

#[test]
fn nothing_is_restored_over_something() {
    let words = RecoveryWords::generate();
    let (backup, _) = Profile::lived_in(1).backup(&words);
    type Fill = fn(&store::Tx<'_>) -> Result<(), StoreError>;
    let fillings: [Fill; 3] = [
        |tx| tx.put("settings/1", "settings", "x"),
        |tx| tx.add_child(&child(7)).map(drop),
        |tx| Vault::put(tx, "tree", b"group", b"state").map_err(|error| StoreError::Failed(error.to_string())),
    ];
    for fill in fillings {
        let profile = Profile::new();
        profile.store.write(fill).unwrap();
        assert_eq!(profile.restore(&backup, &words), Err(BackupError::NotEmpty));
    }
}

#[test]
fn what_the_app_adds_is_kept_together_with_what_was_restored() {
    let words = RecoveryWords::generate();
    let (backup, _) = Profile::lived_in(3).backup(&words);
    let new = Profile::new();
    let failed: Result<(), BackupError> = new.store.write(|tx| {
        tx.restore(&mut backup.as_slice(), &words, &KINDS, &mut go_on)?;
        Err(StoreError::TooLarge.into())
    });
    assert_eq!(failed, Err(BackupError::Store(StoreError::TooLarge)));
    assert!(new.is_empty());
    let some = new.store.write(|tx| tx.restore(&mut backup.as_slice(), &words, &["person/1"], &mut go_on)).unwrap();
    assert_eq!((some.records, some.left_out), (1, 1), "kinds nobody asked for stay out");
}

#[cfg(target_os = "linux")]
#[test]
fn a_full_disk_and_a_place_where_nothing_may_be_written_are_told_apart() {
    let profile = Profile::lived_in(200);
    let to = RecoveryWords::generate().backup_public();
    let mut full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let plan = BackupPlan { made_at: MADE_AT, kinds: &KINDS, record: &mut without_secrets };
    let refused = profile.store.backup(&to, plan, &mut full, &mut go_on);
    assert_eq!(refused, Err(BackupError::DiskFull));
    for nowhere in ["/proc/backup", "/no/such/folder/backup"] {
        let plan = BackupPlan { made_at: MADE_AT, kinds: &KINDS, record: &mut without_secrets };
        let refused = profile.store.backup_to_file(&to, plan, nowhere.as_ref(), &mut go_on).unwrap_err();
        assert!(matches!(refused, BackupError::Unwritable(_)), "{refused}");
    }
}

#[test]
fn a_file_has_its_name_only_once_it_is_whole() {
    let profile = Profile::lived_in(300);
    let words = RecoveryWords::generate();
    let path = profile.dir.path().join("my.backup");
    let save = |progress: &mut dyn FnMut(BackupProgress) -> ControlFlow<()>| {
        let plan = BackupPlan { made_at: MADE_AT, kinds: &KINDS, record: &mut without_secrets };
        profile.store.backup_to_file(&words.backup_public(), plan, &path, progress)
    };
    let files = || -> Vec<PathBuf> {
        let all = std::fs::read_dir(profile.dir.path()).unwrap().map(|file| file.unwrap().path());
        all.filter(|path| path.to_string_lossy().contains("backup")).collect()
    };
    assert_eq!(save(&mut |_| ControlFlow::Break(())), Err(BackupError::Stopped));
    assert!(files().is_empty(), "what was stopped leaves nothing");
    let mut told = Vec::new();
    save(&mut |at| {
        told.push(at);
        ControlFlow::Continue(())
    })
    .unwrap();
    assert_eq!(told.last(), Some(&BackupProgress { done: 302, of: 302 }));
    assert!(told.windows(2).all(|pair| pair[0].done < pair[1].done) && told.len() > 3);
    assert!(files() == [path.as_path()]);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o077, 0);
    }
    let whole = std::fs::read(&path).unwrap();
    assert_eq!(save(&mut |_| ControlFlow::Break(())), Err(BackupError::Stopped));
    assert!(std::fs::read(&path).unwrap() == whole, "the old one stays until the new one is whole");
    Profile::new().restore(&whole, &words).unwrap();
}

#[test]
fn the_store_is_in_use_while_it_is_copied_and_the_copy_is_of_one_moment() {
    let profile = Profile::lived_in(200);
    let words = RecoveryWords::generate();
    let mut out = Vec::new();
    let mut late = 1000;
    let mut write_meanwhile = |_| {
        late += 1;
        profile.store.erase(|tx| tx.add_child(&child(late)).map(drop)).unwrap();
        ControlFlow::Continue(())
    };
    let plan = BackupPlan { made_at: MADE_AT, kinds: &KINDS, record: &mut without_secrets };
    let written = profile.store.backup(&words.backup_public(), plan, &mut out, &mut write_meanwhile).unwrap();
    assert_eq!(written.children, 200, "what came later is not in it");
    assert!(profile.store.read(|tx| tx.child("child-1001")).unwrap().is_some());
    Profile::new().restore(&out, &words).unwrap();
}

#[test]
fn closing_the_store_ends_a_copy() {
    let profile = Profile::lived_in(2000);
    let to = RecoveryWords::generate().backup_public();
    let copied = std::thread::scope(|scope| {
        let (tell, told) = std::sync::mpsc::channel();
        let store = &profile.store;
        let copy = scope.spawn(move || {
            let mut slow = |_| {
                let _ = tell.send(());
                std::thread::sleep(std::time::Duration::from_millis(20));
                ControlFlow::Continue(())
            };
            let plan = BackupPlan { made_at: MADE_AT, kinds: &KINDS, record: &mut without_secrets };
            store.backup(&to, plan, &mut std::io::sink(), &mut slow)
        });
        told.recv().unwrap();
        store.close();
        copy.join().unwrap()
    });
    assert_eq!(copied, Err(BackupError::Store(StoreError::Closed)));
}

#[test]
fn a_source_that_fails_is_told_apart_from_a_damaged_backup() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::ErrorKind::ConnectionReset.into())
        }
    }
    let words = RecoveryWords::generate();
    let (backup, _) = Profile::lived_in(300).backup(&words);
    let mut input = backup[..70_000].chain(Broken);
    let refused = Profile::new().store.write(|tx| tx.restore(&mut input, &words, &KINDS, &mut go_on)).unwrap_err();
    assert!(matches!(refused, BackupError::Unreadable(_)), "{refused}");
}
