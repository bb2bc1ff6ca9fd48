//! The story of an app that is killed fifty times while it sends, and loses nothing.
//!
//! The sender is this test binary started again; it is killed with SIGKILL at random moments.
//! After each death the store must be sound, every message must wait or be sent, and the receiver
//! must open every sealed message exactly once: no key of the ratchet was used twice, none is
//! missing.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use keys::SigningKey;
use seal::{Device, GroupId, MemoryVault, What};
use store::{ChildRow, ChildState, KeySource, MasterKey, OutboxRow, Store, StoreError, Tx};

const DIR: &str = "PARLANCE_KILL_TEST_DIR";
const CHAT: &str = "comm://a.localhost/kill";
const ANA: &str = "user://a.localhost/ana";
const INBOX: &str = "hyperty://b.localhost/inbox";
const KILLS: u32 = 50;

fn open(dir: &Path) -> Store {
    let key = MasterKey::open(dir, KeySource::Unprotected).unwrap();
    Store::open(&dir.join("profile.db"), &key).unwrap()
}

fn group() -> GroupId {
    GroupId::new(CHAT).unwrap()
}

/// Messages of one moment.
const MOMENT: i64 = 3;

/// What is said in one moment: for each the ratchet's step, the message and its place in the outbox, and in between
/// something that is undone alone; all in one transaction that waits for no disk.
fn send(store: &Store, ana: &Device) {
    store
        .write_soon(|tx| {
            for _ in 0..MOMENT {
                let undone: Result<(), StoreError> = tx.part(|| {
                    add(tx, ana)?;
                    Err(StoreError::NoSuchRow)
                });
                assert!(undone.is_err());
                tx.part(|| add(tx, ana))?;
            }
            Ok::<_, StoreError>(())
        })
        .unwrap();
}

fn add(tx: &Tx<'_>, ana: &Device) -> Result<(), StoreError> {
    let seq = tx.last_child(CHAT)?.map_or(1, |row| row.seq + 1);
    let sealed = seal::seal(tx, ana, &group(), seq.to_string().as_bytes())
        .map_err(|error| StoreError::Failed(error.to_string()))?;
    let id = format!("{CHAT}/children/{seq}");
    tx.add_child(&ChildRow {
        id: id.clone(),
        object: CHAT.into(),
        author: ANA.into(),
        seq,
        value: seq.to_string(),
        mine: true,
        ..ChildRow::default()
    })?;
    tx.outbox_push(&OutboxRow {
        to_domain: "b.localhost".into(),
        to: INBOX.into(),
        message: keys::b64url(&sealed),
        children: vec![id],
        ..OutboxRow::default()
    })
    .map(drop)
}

/// Not a test of its own: the app that is killed. Does nothing unless the story starts it.
#[test]
fn the_app_that_is_killed() {
    let Some(dir) = std::env::var_os(DIR) else { return };
    let store = open(Path::new(&dir));
    let seed: [u8; 32] = store.read(|tx| tx.get("me", "dsk")).unwrap().unwrap();
    let ana = Device::new(&SigningKey::from_bytes(&seed), b"Ana".to_vec());
    loop {
        send(&store, &ana);
    }
}

#[test]
fn fifty_kills_lose_no_message_and_use_no_key_twice() {
    let dir = tempfile::tempdir().unwrap();
    let ben = Device::new(&SigningKey::generate(), b"Ben".to_vec());
    let bens = MemoryVault::new();
    found_the_conversation(dir.path(), &ben, &bens);
    let mut read = 0;
    for kill in 0..KILLS {
        run_and_kill(dir.path(), Duration::from_millis(u64::from(keys::random::<1>()[0]) / 2 + 10));
        read += deliver(&open(dir.path()), &ben, &bens, read, kill);
    }
    assert!(read > i64::from(KILLS) / 2, "the app was killed before it sent anything: {read}");
    println!("{read} messages in {KILLS} lives");
}

fn found_the_conversation(dir: &Path, ben: &Device, bens: &MemoryVault) {
    let dsk = SigningKey::generate();
    let ana = Device::new(&dsk, b"Ana".to_vec());
    let package = seal::key_package(bens, ben, false).unwrap();
    let welcome = open(dir)
        .write(|tx| {
            tx.put("me", "dsk", &*dsk.to_bytes())?;
            seal::create(tx, &ana, &group(), 0).unwrap();
            Ok::<_, StoreError>(seal::invite(tx, &ana, &group(), &package, &mut |_| Ok(())).unwrap().welcome)
        })
        .unwrap();
    seal::inspect_welcome(bens, ben, &welcome).unwrap().join(bens, &mut |_| Ok(())).unwrap();
}

fn run_and_kill(dir: &Path, life: Duration) {
    let mut app = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "kill::the_app_that_is_killed", "--nocapture"])
        .env(DIR, dir)
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    std::thread::sleep(life);
    app.kill().unwrap();
    let end = app.wait().unwrap();
    assert!(end.code().is_none(), "the app ended by itself: {end}");
}

/// What the next start finds: checks it, and delivers what waits. Returns how many were new.
fn deliver(store: &Store, ben: &Device, bens: &MemoryVault, read: i64, kill: u32) -> i64 {
    store.check().unwrap();
    let waiting = store.read(|tx| tx.outbox_due(None, i64::MAX, 1000)).unwrap();
    let last = store.read(|tx| tx.last_child(CHAT)).unwrap().map_or(0, |row| row.seq);
    assert_eq!(last, read + waiting.len() as i64, "kill {kill}: a message is kept but does not wait, or waits unkept");
    assert_eq!(last % MOMENT, 0, "kill {kill}: half of a moment was kept");
    for (row, seq) in waiting.iter().zip(read + 1..) {
        let child = store.read(|tx| tx.child(&row.children[0])).unwrap().unwrap();
        assert_eq!((child.seq, child.state), (seq, ChildState::Queued));
        let sealed = keys::from_b64url(&row.message).unwrap();
        let opened =
            seal::open(bens, ben, &sealed, &mut |_| Ok(())).unwrap_or_else(|error| panic!("kill {kill}: {error}"));
        assert!(matches!(opened.what, What::Application(text) if text == seq.to_string().as_bytes()));
        store
            .write(|tx| {
                tx.outbox_done(row.id)?;
                tx.advance_child(&child.id, ChildState::Sent)
            })
            .unwrap();
    }
    waiting.len() as i64
}
