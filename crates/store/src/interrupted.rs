//! Stories of a key that is moved, and a profile that is erased, while the power goes off.

use std::path::Path;
use std::time::Duration;

use keys::b64url;

use crate::erase::{self, erase_steps};
use crate::header::Place;
use crate::keeping::{self, Step};
use crate::{EraseError, KeyError, KeySource, KeyringPlace, MasterKey, Protection, Store, StoreError, erase_profile};

const OLD: &str = "the old passphrase";
const NEW: &str = "the new passphrase";
const NOW: u64 = 1_700_000_000_000;

fn place() -> KeyringPlace {
    KeyringPlace { patience: Duration::from_secs(20), ..KeyringPlace::default() }
}

fn source(protection: Protection, passphrase: &str) -> KeySource<'_> {
    match protection {
        Protection::Keyring => KeySource::Keyring(place()),
        Protection::Passphrase => KeySource::Passphrase(passphrase),
        Protection::KeyringAndPassphrase => KeySource::KeyringAndPassphrase(place(), passphrase),
        Protection::Unprotected => KeySource::Unprotected,
    }
}

const ALL: [Protection; 4] =
    [Protection::Keyring, Protection::Passphrase, Protection::KeyringAndPassphrase, Protection::Unprotected];

/// The key as somebody finds it who asks the keyring and the disk but knows no passphrase.
fn lies_open(dir: &Path, key: &MasterKey) -> bool {
    let text = b64url(key.key().as_bytes());
    let on_disk = std::fs::read_dir(dir).unwrap().any(|file| {
        std::fs::read(file.unwrap().path()).unwrap().windows(text.len()).any(|part| part == text.as_bytes())
    });
    on_disk || entries(dir).iter().any(|entry| place().get(entry).unwrap().is_some_and(|found| found.contains(&text)))
}

fn entries(dir: &Path) -> Vec<String> {
    keeping::locked_entries(dir).unwrap().into_iter().chain([keeping::open_entry(dir).unwrap()]).collect()
}

fn remember(dir: &Path, key: &MasterKey) {
    Store::open(&dir.join("profile.db"), key).unwrap().write(|tx| tx.put("kind", "key", "kept")).unwrap();
}

fn remembers(dir: &Path, key: &MasterKey) {
    let store = Store::open(&dir.join("profile.db"), key).unwrap();
    assert_eq!(store.read(|tx| tx.get::<String>("kind", "key")).unwrap().as_deref(), Some("kept"));
}

#[test]
fn a_move_that_is_cut_off_at_any_step_leaves_a_profile_that_opens() {
    for from in ALL {
        for to in ALL {
            for at in [Step::Announce, Step::Put, Step::Switch, Step::Forget, Step::Tidy] {
                cut_off(from, to, at);
            }
        }
    }
}

fn cut_off(from: Protection, to: Protection, at: Step) {
    let story = format!("from {from:?} to {to:?}, cut off before {at:?}");
    let dir = tempfile::tempdir().unwrap();
    let key = MasterKey::open(dir.path(), source(from, OLD)).unwrap();
    remember(dir.path(), &key);
    let power_goes_off = |step| if step == at { Err(KeyError::Failed("dark".into())) } else { Ok(()) };
    let mut power = power_goes_off;
    keeping::move_key(dir.path(), &key.key(), &source(to, NEW), &mut power).unwrap_err();
    let switched = matches!(at, Step::Forget | Step::Tidy);
    let (now, passphrase) = if switched { (to, NEW) } else { (from, OLD) };
    assert_eq!(MasterKey::protection_of(dir.path()), Ok(Some(now)), "{story}");
    let mut key = MasterKey::open(dir.path(), source(now, passphrase)).expect(&story);
    assert_eq!(key.protection(), now);
    remembers(dir.path(), &key);
    let open_by_choice = matches!(now, Protection::Keyring | Protection::Unprotected);
    assert_eq!(lies_open(dir.path(), &key), open_by_choice, "{story}: what was left behind is gone after one start");
    key.keep_by(dir.path(), source(to, NEW)).expect(&story);
    remembers(dir.path(), &MasterKey::open(dir.path(), source(to, NEW)).expect(&story));
    erase_profile(dir.path()).unwrap();
}

#[test]
fn a_keyring_entry_behind_a_passphrase_opens_with_both_only() {
    let dir = tempfile::tempdir().unwrap();
    let key = MasterKey::open(dir.path(), KeySource::KeyringAndPassphrase(place(), OLD)).unwrap();
    assert!(key.protection().asks_a_person());
    remember(dir.path(), &key);
    assert!(!lies_open(dir.path(), &key));
    let open = |source| MasterKey::open_at(dir.path(), source, NOW).map(drop);
    let both = Protection::KeyringAndPassphrase;
    assert_eq!(open(KeySource::Keyring(place())), Err(KeyError::ProtectedBy(both)));
    assert_eq!(open(KeySource::Passphrase(OLD)), Err(KeyError::ProtectedBy(both)));
    assert_eq!(open(KeySource::KeyringAndPassphrase(place(), NEW)), Err(KeyError::WrongPassphrase));
    assert_eq!(open(KeySource::KeyringAndPassphrase(place(), OLD)), Ok(()));
    // A lost description does not cost the key, and a wrong passphrase makes no new one.
    std::fs::remove_file(dir.path().join("key.json")).unwrap();
    assert_eq!(open(KeySource::KeyringAndPassphrase(place(), NEW)), Err(KeyError::WrongPassphrase));
    remembers(dir.path(), &MasterKey::open(dir.path(), KeySource::KeyringAndPassphrase(place(), OLD)).unwrap());
    let [first, second] = keeping::locked_entries(dir.path()).unwrap();
    for entry in [first, second] {
        place().delete(&entry).unwrap();
    }
    assert_eq!(open(KeySource::KeyringAndPassphrase(place(), OLD)), Err(KeyError::Gone));
}

#[test]
fn a_description_of_an_older_app_is_read_and_a_finished_move_writes_none_it_could_not_read() {
    let dir = tempfile::tempdir().unwrap();
    let mut key = MasterKey::open(dir.path(), KeySource::Unprotected).unwrap();
    let text = || std::fs::read_to_string(dir.path().join("key.json")).unwrap();
    assert!(!text().contains("clear"));
    key.keep_by(dir.path(), KeySource::Passphrase(OLD)).unwrap();
    assert!(!text().contains("clear"));
    assert!(text().contains("\"in\": \"passphrase\""));
    let known = r#"{"v":1,"kept":{"in":"keyring","service":"s","entry":"e"},"check":"x"}"#;
    std::fs::write(dir.path().join("key.json"), known).unwrap();
    assert_eq!(MasterKey::protection_of(dir.path()), Ok(Some(Protection::Keyring)));
}

#[test]
fn an_erasure_that_is_cut_off_leaves_a_profile_that_opens_no_more_and_can_be_finished() {
    use erase::Step;
    for protection in ALL {
        for at in [Step::Announce, Step::Key, Step::Description, Step::Keyring, Step::Files, Step::Folder] {
            let story = format!("{protection:?}, cut off before {at:?}");
            let folder = tempfile::tempdir().unwrap();
            let dir = folder.path().join("profile");
            let key = MasterKey::open(&dir, source(protection, OLD)).unwrap();
            remember(&dir, &key);
            std::fs::create_dir_all(dir.join("packages/deep")).unwrap();
            std::fs::write(dir.join("packages/deep/file"), "x").unwrap();
            let names = entries(&dir);
            let mut dark = |step| if step == at { Err(EraseError::Failed("dark".into())) } else { Ok(()) };
            erase_steps(&dir, &mut dark).unwrap_err();
            match at {
                Step::Announce => remembers(&dir, &MasterKey::open(&dir, source(protection, OLD)).unwrap()),
                _ => {
                    let refused = MasterKey::open(&dir, source(protection, OLD)).unwrap_err();
                    assert_eq!(refused, KeyError::HalfErased, "{story}");
                    assert_eq!(MasterKey::protection_of(&dir), Err(KeyError::HalfErased), "{story}");
                }
            }
            erase_profile(&dir).expect(&story);
            assert!(!dir.exists(), "{story}");
            for name in names {
                assert!(place().get(&name).unwrap().is_none(), "{story}: {name}");
            }
            assert_eq!(erase_profile(&dir), Ok(()), "once more is no error");
        }
    }
}

#[test]
fn the_key_goes_before_the_files() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("profile");
    let key = MasterKey::open(&dir, KeySource::Keyring(place())).unwrap();
    remember(&dir, &key);
    let name = keeping::open_entry(&dir).unwrap();
    let mut dark = |step| if step == erase::Step::Files { Err(EraseError::Failed("dark".into())) } else { Ok(()) };
    erase_steps(&dir, &mut dark).unwrap_err();
    assert!(dir.join("profile.db").exists());
    assert!(place().get(&name).unwrap().is_none() && !dir.join("key.json").exists());
}

#[test]
fn an_open_profile_is_not_erased() {
    let dir = tempfile::tempdir().unwrap();
    let key = MasterKey::open(dir.path(), KeySource::Unprotected).unwrap();
    let store = Store::open(&dir.path().join("profile.db"), &key).unwrap();
    assert_eq!(erase_profile(dir.path()), Err(EraseError::InUse));
    store.write(|tx| tx.put("kind", "key", "still here")).unwrap();
    store.close();
    assert_eq!(store.read(|tx| tx.get::<String>("kind", "key")), Err(StoreError::Closed));
    assert_eq!(erase_profile(dir.path()), Ok(()));
}

#[test]
fn the_file_of_an_open_key_is_overwritten_before_it_is_removed() {
    let dir = tempfile::tempdir().unwrap();
    MasterKey::open(dir.path(), KeySource::Unprotected).unwrap();
    let (file, link) = (dir.path().join(keeping::OPEN_FILE), dir.path().join("another name"));
    std::fs::hard_link(&file, &link).unwrap();
    keeping::remove(dir.path(), &Place::File, Duration::ZERO).unwrap();
    assert!(!file.exists());
    assert!(std::fs::read(link).unwrap().iter().all(|byte| *byte == 0));
}
