//! Stories of where the master key is kept: in a real keyring, behind a passphrase, or in the open.

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;

use store::{KeyError, KeySource, KeyringPlace, KeyringTrouble, MasterKey, Protection, Store, StoreError};

const ACT: &str = "PARLANCE_KEYRING_TEST_ACT";

fn place() -> KeyringPlace {
    KeyringPlace { service: "org.parlance.test".into(), patience: Duration::from_secs(20) }
}

fn remembers(dir: &Path, key: &MasterKey) {
    let store = Store::open(&dir.join("profile.db"), key).unwrap();
    let known: Option<String> = store.read(|tx| tx.get("kind", "key")).unwrap();
    assert_eq!(known.as_deref(), Some("kept"));
}

fn remember(dir: &Path, key: &MasterKey) {
    Store::open(&dir.join("profile.db"), key).unwrap().write(|tx| tx.put("kind", "key", "kept")).unwrap();
}

#[test]
fn a_passphrase_opens_the_profile_and_another_does_not() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(MasterKey::protection_of(dir.path()), Ok(None));
    assert_eq!(MasterKey::open(dir.path(), KeySource::Passphrase("short")).unwrap_err(), KeyError::BadPassphrase);
    let key = MasterKey::open(dir.path(), KeySource::Passphrase("correct horse")).unwrap();
    assert_eq!(key.protection(), Protection::Passphrase);
    assert_eq!(MasterKey::protection_of(dir.path()), Ok(Some(Protection::Passphrase)));
    remember(dir.path(), &key);
    let wrong = MasterKey::open(dir.path(), KeySource::Passphrase("correct house"));
    assert_eq!(wrong.unwrap_err(), KeyError::WrongPassphrase);
    remembers(dir.path(), &MasterKey::open(dir.path(), KeySource::Passphrase("correct horse")).unwrap());
    let other_way = MasterKey::open(dir.path(), KeySource::Unprotected);
    assert_eq!(other_way.unwrap_err(), KeyError::ProtectedBy(Protection::Passphrase));
    assert!(!dir.path().join("master.key").exists());
}

#[test]
fn an_unprotected_profile_can_be_protected_later() {
    let dir = tempfile::tempdir().unwrap();
    let mut key = MasterKey::open(dir.path(), KeySource::Unprotected).unwrap();
    assert_eq!(key.protection(), Protection::Unprotected);
    remember(dir.path(), &key);
    key.keep_by(dir.path(), KeySource::Passphrase("correct horse")).unwrap();
    assert_eq!(key.protection(), Protection::Passphrase);
    assert!(!dir.path().join("master.key").exists(), "the open key is gone");
    remembers(dir.path(), &MasterKey::open(dir.path(), KeySource::Passphrase("correct horse")).unwrap());
}

#[test]
fn a_lost_or_changed_key_is_noticed_before_the_store_is_touched() {
    let dir = tempfile::tempdir().unwrap();
    MasterKey::open(dir.path(), KeySource::Unprotected).unwrap();
    let file = dir.path().join("master.key");
    std::fs::write(&file, keys::b64url(&[7; 32])).unwrap();
    assert_eq!(MasterKey::open(dir.path(), KeySource::Unprotected).unwrap_err(), KeyError::WrongKey);
    std::fs::remove_file(&file).unwrap();
    assert_eq!(MasterKey::open(dir.path(), KeySource::Unprotected).unwrap_err(), KeyError::Gone);
    std::fs::write(dir.path().join("key.json"), "{").unwrap();
    assert_eq!(MasterKey::open(dir.path(), KeySource::Unprotected).unwrap_err(), KeyError::BadHeader);
}

#[test]
fn a_lost_description_does_not_cost_the_key() {
    let dir = tempfile::tempdir().unwrap();
    remember(dir.path(), &MasterKey::open(dir.path(), KeySource::Unprotected).unwrap());
    std::fs::remove_file(dir.path().join("key.json")).unwrap();
    remembers(dir.path(), &MasterKey::open(dir.path(), KeySource::Unprotected).unwrap());
}

#[test]
fn no_key_shows_itself_in_a_log() {
    let dir = tempfile::tempdir().unwrap();
    let key = MasterKey::open(dir.path(), KeySource::Unprotected).unwrap();
    assert_eq!(format!("{key:?}"), "MasterKey(Unprotected)");
    let text = std::fs::read_to_string(dir.path().join("master.key")).unwrap();
    assert!(!std::fs::read_to_string(dir.path().join("key.json")).unwrap().contains(&text));
}

/// Starts one of the acts below in a process with its own surroundings.
#[cfg(target_os = "linux")]
fn act(name: &str, home: &Path, mut command: Command) -> Output {
    let runtime = home.join("runtime");
    std::fs::create_dir_all(&runtime).unwrap();
    command
        .env(ACT, name)
        .env("PARLANCE_KEYRING_TEST_EXE", std::env::current_exe().unwrap())
        .env("HOME", home)
        .env("XDG_RUNTIME_DIR", &runtime)
        .env("XDG_DATA_HOME", home.join("data"))
        .env("DBUS_SESSION_BUS_ADDRESS", format!("unix:path={}", home.join("bus").display()))
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .output()
        .unwrap()
}

#[cfg(target_os = "linux")]
fn succeeded(output: &Output) {
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success() && said.contains("the act is over"), "{said}");
}

#[cfg(target_os = "linux")]
const UNLOCKED: &str = r#"
    eval "$(printf 'test\n' | gnome-keyring-daemon --unlock --components=secrets)"
    "$PARLANCE_KEYRING_TEST_EXE" --exact keyring::the_act --nocapture; end=$?
    kill "$GNOME_KEYRING_PID" 2>/dev/null || true
    exit $end"#;

#[cfg(target_os = "linux")]
#[test]
fn a_real_keyring_keeps_the_key_from_one_start_to_the_next() {
    if !has("dbus-run-session") || !has("gnome-keyring-daemon") {
        eprintln!("no keyring to test with: install dbus and gnome-keyring");
        return;
    }
    let home = tempfile::tempdir().unwrap();
    for name in ["first start", "second start"] {
        let mut command = Command::new("dbus-run-session");
        command.args(["--", "bash", "-c", UNLOCKED]);
        succeeded(&act(name, home.path(), command));
    }
}

#[cfg(target_os = "linux")]
#[test]
fn without_a_keyring_the_reason_is_told_and_a_passphrase_helps() {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "keyring::the_act", "--nocapture"]);
    succeeded(&act("no bus", home.path(), command));
}

#[cfg(target_os = "linux")]
#[test]
fn a_keyring_that_hangs_is_not_waited_for_without_end() {
    let home = tempfile::tempdir().unwrap();
    // A bus that takes the call and never answers.
    let _bus = std::os::unix::net::UnixListener::bind(home.path().join("bus")).unwrap();
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "keyring::the_act", "--nocapture"]);
    succeeded(&act("silent bus", home.path(), command));
}

#[cfg(target_os = "linux")]
fn has(program: &str) -> bool {
    std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).any(|dir| dir.join(program).exists())
}

/// Not a test of its own: what the processes above do. Does nothing unless a story starts it.
#[test]
fn the_act() {
    let Ok(act) = std::env::var(ACT) else { return };
    let dir = Path::new(&std::env::var_os("HOME").unwrap()).join("profile");
    match act.as_str() {
        "first start" => {
            place().probe().unwrap();
            let key = MasterKey::open(&dir, KeySource::Keyring(place())).unwrap();
            assert_eq!(key.protection(), Protection::Keyring);
            assert!(!dir.join("master.key").exists());
            remember(&dir, &key);
            // Another profile has another key under the same service.
            let other = dir.with_file_name("other");
            let theirs = MasterKey::open(&other, KeySource::Keyring(place())).unwrap();
            assert_eq!(Store::open(&dir.join("profile.db"), &theirs).unwrap_err(), StoreError::WrongKey);
        }
        "second start" => {
            remembers(&dir, &MasterKey::open(&dir, KeySource::Keyring(place())).unwrap());
            std::fs::remove_file(dir.join("key.json")).unwrap();
            let mut key = MasterKey::open(&dir, KeySource::Keyring(place())).unwrap();
            remembers(&dir, &key);
            key.keep_by(&dir, KeySource::Passphrase("correct horse")).unwrap();
            remembers(&dir, &MasterKey::open(&dir, KeySource::Passphrase("correct horse")).unwrap());
        }
        "no bus" => {
            let refused = MasterKey::open(&dir, KeySource::Keyring(place())).unwrap_err();
            assert!(matches!(refused, KeyError::Keyring(KeyringTrouble::Absent(_))), "{refused:?}");
            assert_eq!(MasterKey::protection_of(&dir), Ok(None), "nothing was decided silently");
            let key = MasterKey::open(&dir, KeySource::Passphrase("correct horse")).unwrap();
            assert_eq!(key.protection(), Protection::Passphrase);
        }
        "silent bus" => {
            let hasty = KeyringPlace { patience: Duration::from_millis(300), ..place() };
            let refused = MasterKey::open(&dir, KeySource::Keyring(hasty)).unwrap_err();
            assert_eq!(refused, KeyError::Keyring(KeyringTrouble::Silent { after_ms: 300 }));
        }
        other => panic!("no such act: {other}"),
    }
    println!("the act is over");
}
