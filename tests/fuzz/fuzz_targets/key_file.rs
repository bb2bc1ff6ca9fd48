//! The files that say how a profile's key is kept: the first byte says which one somebody changed.
#![no_main]

use std::path::Path;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use store::{KeySource, MasterKey, Protection};
use tempfile::TempDir;

struct Profile {
    dir: TempDir,
    header: Vec<u8>,
    key: Vec<u8>,
}

static PROFILE: LazyLock<Profile> = LazyLock::new(|| {
    let dir = tempfile::tempdir().expect("a folder");
    MasterKey::open(dir.path(), KeySource::Unprotected).expect("a new key");
    let read = |name: &str| std::fs::read(dir.path().join(name)).expect("a file of the profile");
    let (header, key) = (read("key.json"), read("master.key"));
    Profile { dir, header, key }
});

fuzz_target!(|data: &[u8]| {
    let Some((which, rest)) = data.split_first() else { return };
    let Profile { dir, header, key } = &*PROFILE;
    let (header, key): (&[u8], &[u8]) = if which % 2 == 0 { (rest, key) } else { (header, rest) };
    put(dir.path(), "key.json", header);
    put(dir.path(), "master.key", key);
    let said = MasterKey::protection_of(dir.path());
    let opened = MasterKey::open(dir.path(), KeySource::Unprotected);
    if opened.is_ok() {
        assert_eq!(said, Ok(Some(Protection::Unprotected)));
        assert_eq!(MasterKey::open(dir.path(), KeySource::Passphrase("correct horse")).map(drop).is_ok(), false);
    }
});

fn put(dir: &Path, name: &str, bytes: &[u8]) {
    std::fs::write(dir.join(name), bytes).expect("a file of the profile");
}
