//! Stories of what a crash leaves behind and what another program can read: no core file, no key.
//!
//! The app of these stories is this test binary started again.

#![cfg(target_os = "linux")]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{Command, Output};

use store::{ChildRow, KeySource, MasterKey, Store};

const ACT: &str = "PARLANCE_MEMORY_TEST_ACT";
const DIR: &str = "PARLANCE_MEMORY_TEST_DIR";
const PASSPHRASE: &str = "correct horse";

fn act(name: &str, dir: &Path) -> Output {
    Command::new("sh")
        .args(["-c", "ulimit -c unlimited 2>/dev/null; exec \"$0\" --exact memory::the_act --nocapture"])
        .arg(std::env::current_exe().unwrap())
        .env(ACT, name)
        .env(DIR, dir)
        .current_dir(dir)
        .output()
        .unwrap()
}

/// A byte of the master key of the story. Only one is made at a time, so that the key itself is
/// nowhere but where the store put it.
fn byte(at: usize) -> u8 {
    let at = std::hint::black_box(at);
    (at as u8).wrapping_mul(0x3d).wrapping_add(0xa7) ^ (at as u8).rotate_left(3)
}

/// How often the key of the story lies in the memory of this process.
fn found_in_memory() -> usize {
    let maps = std::fs::read_to_string("/proc/self/maps").unwrap();
    let memory = File::open("/proc/self/mem").unwrap();
    let mut found = 0;
    let mut window = vec![0u8; 1024 * 1024];
    for line in maps.lines().filter(|line| line.contains(" rw") && !line.contains("[vvar")) {
        let (start, end) = line.split(' ').next().unwrap().split_once('-').unwrap();
        let (mut at, end) = (u64::from_str_radix(start, 16).unwrap(), u64::from_str_radix(end, 16).unwrap());
        while at < end {
            let length = usize::try_from(end - at).unwrap().min(window.len());
            let Ok(read) = memory.read_at(&mut window[..length], at) else { break };
            if read < 32 {
                break;
            }
            found +=
                window[..read].windows(32).filter(|part| part.iter().enumerate().all(|(n, b)| *b == byte(n))).count();
            at += (read - 31) as u64;
            if read < length || read == 32 {
                at += 31;
            }
        }
        // What was read is no copy that the next look may find.
        window.fill(0);
    }
    found
}

#[test]
fn a_hardened_process_leaves_no_core_and_cannot_be_read() {
    let dir = tempfile::tempdir().unwrap();
    let end = act("crash", dir.path());
    let said = String::from_utf8_lossy(&end.stdout);
    assert!(said.contains("hardened: core 0, dumpable 0"), "{said}{}", String::from_utf8_lossy(&end.stderr));
    assert_eq!(end.status.signal(), Some(6), "it crashed");
    assert!(!end.status.core_dumped());
    let left: Vec<_> = std::fs::read_dir(dir.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn after_the_lock_the_memory_holds_no_key() {
    let dir = tempfile::tempdir().unwrap();
    let bytes: Vec<u8> = (0..32).map(byte).collect();
    std::fs::write(dir.path().join("master.key"), keys::b64url(&bytes)).unwrap();
    let mut key = MasterKey::open(dir.path(), KeySource::Unprotected).unwrap();
    key.keep_by(dir.path(), KeySource::Passphrase(PASSPHRASE)).unwrap();
    let end = act("lock", dir.path());
    let said = String::from_utf8_lossy(&end.stdout);
    assert!(said.contains("the act is over"), "{said}{}", String::from_utf8_lossy(&end.stderr));
}

/// Not a test of its own: what the processes above do. Does nothing unless a story starts it.
#[test]
fn the_act() {
    let Ok(act) = std::env::var(ACT) else { return };
    let dir = std::env::var_os(DIR).unwrap();
    match act.as_str() {
        "crash" => crash(),
        "lock" => lock(Path::new(&dir)),
        other => panic!("no such act: {other}"),
    }
}

fn crash() {
    let hardened = store::harden_process();
    assert!(hardened.no_core && hardened.not_dumpable);
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let core: Vec<&str> = core.split_whitespace().skip(4).take(2).collect();
    assert_eq!(core, ["0", "0"]);
    let dumpable = rustix::process::dumpable_behavior().unwrap();
    assert_eq!(dumpable, rustix::process::DumpableBehavior::NotDumpable);
    println!("hardened: core 0, dumpable 0");
    std::process::abort();
}

fn lock(dir: &Path) {
    assert_eq!(found_in_memory(), 0, "nobody has opened it yet");
    let key = MasterKey::open(dir, KeySource::Passphrase(PASSPHRASE)).unwrap();
    assert_eq!(found_in_memory(), 1, "the key lies in its page and nowhere else");
    let store = Store::open(&dir.join("profile.db"), &key).unwrap();
    drop(key);
    store
        .write(|tx| {
            tx.put("kind", "key", "value")?;
            tx.add_child(&ChildRow { id: "one".into(), object: "room".into(), ..ChildRow::default() })
        })
        .unwrap();
    store.read(|tx| tx.child("one")).unwrap().unwrap();
    store.close();
    assert_eq!(found_in_memory(), 0, "the profile is locked");
    println!("the act is over");
}
