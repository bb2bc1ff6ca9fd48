//! Puts the master key where it is kept, and moves it from one way of keeping to another.
//!
//! A move is five steps, and a crash between any two leaves a profile that opens: (1) `key.json`
//! says what is about to be written where, (2) it is written there, (3) `key.json` points to it,
//! (4) the old place is emptied, (5) `key.json` no longer mentions it. What stands in `key.json` as
//! to be cleared is cleared at the next start.

use std::fs::OpenOptions;
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use keys::{PassphraseParams, SealKey, b64url, base32, from_b64url, passphrase_key, sha256};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::header::{Header, Kept, Place, write_private};
use crate::keyring::KeyringPlace;
use crate::{KeyError, KeySource, PASSPHRASE_MINIMUM, Protection};

/// The file of an unprotected key.
pub(crate) const OPEN_FILE: &str = "master.key";

/// Binds the wrapped key to what it is.
const WRAPPED: &[u8] = b"parlance-master-key-v1";

/// How long a keyring is waited for that is only to be tidied.
const TIDY_PATIENCE: Duration = Duration::from_secs(5);

/// The steps of a move, each named before it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Announce,
    Put,
    Switch,
    Forget,
    Tidy,
}

/// A key sealed under a passphrase, with all that is needed to open it but the passphrase.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Wrapped {
    pub(crate) params: PassphraseParams,
    pub(crate) wrapped: String,
}

impl Wrapped {
    fn new(key: &SealKey, passphrase: &str) -> Result<Self, KeyError> {
        if passphrase.chars().count() < PASSPHRASE_MINIMUM {
            return Err(KeyError::BadPassphrase);
        }
        let params = todays_params();
        let wrapping = passphrase_key(passphrase, &params).map_err(|_| KeyError::BadPassphrase)?;
        let wrapped = wrapping.seal(key.as_bytes(), WRAPPED).map_err(|_| KeyError::BadHeader)?;
        Ok(Self { params, wrapped: b64url(&wrapped) })
    }

    pub(crate) fn parse(text: &str) -> Result<Self, KeyError> {
        serde_json::from_str(text).map_err(|_| KeyError::WrongKey)
    }

    fn text(&self) -> Result<Zeroizing<String>, KeyError> {
        serde_json::to_string(self).map(Zeroizing::new).map_err(|_| KeyError::BadHeader)
    }

    pub(crate) fn open(&self, passphrase: &str) -> Result<SealKey, KeyError> {
        let wrapped = from_b64url(&self.wrapped).map_err(|_| KeyError::BadHeader)?;
        let wrapping = passphrase_key(passphrase, &self.params).map_err(|_| KeyError::BadHeader)?;
        let bytes = wrapping.open(&wrapped, WRAPPED).map_err(|_| KeyError::WrongPassphrase)?;
        key_of(&bytes)
    }
}

fn todays_params() -> PassphraseParams {
    let today = PassphraseParams::desktop();
    // The stories of this room open hundreds of profiles; those in `tests/` wait as people do.
    if cfg!(test) { PassphraseParams { memory_kib: 64, passes: 1, ..today } } else { today }
}

/// Whether a key is wrapped more weakly than it would be today.
pub(crate) fn is_outdated(params: &PassphraseParams) -> bool {
    params.is_weaker_than(&todays_params())
}

/// What is written where before `key.json` says so.
enum Put {
    Nothing,
    Keyring { place: KeyringPlace, entry: String, text: Zeroizing<String> },
    File(Zeroizing<String>),
}

impl Put {
    fn done(self, dir: &Path) -> Result<(), KeyError> {
        match self {
            Self::Nothing => Ok(()),
            Self::Keyring { place, entry, text } => Ok(place.set(&entry, text)?),
            Self::File(text) => write_private(dir, OPEN_FILE, text.as_bytes()),
        }
    }
}

/// Keeps `key` as `source` says from now on. `before` is asked before each step.
pub(crate) fn move_key(
    dir: &Path,
    key: &SealKey,
    source: &KeySource<'_>,
    before: &mut dyn FnMut(Step) -> Result<(), KeyError>,
) -> Result<Protection, KeyError> {
    let old = Header::read(dir)?;
    let (kept, put) = plan(dir, key, source, old.as_ref().map(|header| &header.kept))?;
    let goal = kept.place();
    if let Some(old) = &old {
        before(Step::Announce)?;
        let mut announced = old.clone();
        remember(&mut announced.clear, goal.clone(), &old.kept);
        announced.write(dir)?;
    }
    before(Step::Put)?;
    put.done(dir)?;
    before(Step::Switch)?;
    let mut header = Header::new(kept, key);
    if let Some(old) = old {
        for place in old.clear.into_iter().chain(old.kept.place()) {
            let kept = header.kept.clone();
            remember(&mut header.clear, Some(place), &kept);
        }
    }
    header.write(dir)?;
    before(Step::Forget)?;
    let left = clear(dir, &header);
    before(Step::Tidy)?;
    settle(dir, &header, left);
    Ok(header.protection())
}

/// Removes what an unfinished move left behind; what cannot be removed waits for the next time.
pub(crate) fn tidy(dir: &Path, header: &Header) {
    if !header.clear.is_empty() {
        let left = clear(dir, header);
        settle(dir, header, left);
    }
}

/// Empties the places that `header` names; returns those that could not be emptied.
fn clear(dir: &Path, header: &Header) -> Vec<Place> {
    let in_use = header.kept.place();
    let unused = header.clear.iter().filter(|place| in_use.as_ref() != Some(place));
    unused.filter(|place| remove(dir, place, TIDY_PATIENCE).is_err()).cloned().collect()
}

fn settle(dir: &Path, header: &Header, left: Vec<Place>) {
    if !left.is_empty() {
        tracing::warn!("the key could not be removed from where it was kept before");
    }
    if left == header.clear {
        return;
    }
    let mut tidied = header.clone();
    tidied.clear = left;
    if tidied.write(dir).is_err() {
        tracing::warn!("the description of the key could not be tidied");
    }
}

/// Takes the key out of a place; not there is no error.
pub(crate) fn remove(dir: &Path, place: &Place, patience: Duration) -> Result<(), KeyError> {
    match place {
        Place::Keyring { service, entry } => Ok(KeyringPlace { service: service.clone(), patience }.delete(entry)?),
        Place::File => Ok(wipe_file(&dir.join(OPEN_FILE))?),
    }
}

/// Overwrites a small file before it is removed; not there is no error. On media that never write
/// twice to one place the old bytes may stay until they are collected.
pub(crate) fn wipe_file(path: &Path) -> std::io::Result<()> {
    let mut file = match OpenOptions::new().write(true).open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
    };
    let length = usize::try_from(file.metadata()?.len()).unwrap_or(usize::MAX);
    file.rewind()?;
    file.write_all(&vec![0; length.min(64 * 1024)])?;
    file.sync_all()?;
    std::fs::remove_file(path)
}

fn remember(clear: &mut Vec<Place>, place: Option<Place>, in_use: &Kept) {
    if let Some(place) = place
        && in_use.place().as_ref() != Some(&place)
        && !clear.contains(&place)
    {
        clear.push(place);
    }
}

fn plan(dir: &Path, key: &SealKey, source: &KeySource<'_>, old: Option<&Kept>) -> Result<(Kept, Put), KeyError> {
    Ok(match source {
        KeySource::Keyring(place) => {
            let (service, entry) = (place.service.clone(), open_entry(dir)?);
            let put = Put::Keyring { place: place.clone(), entry: entry.clone(), text: encode(key) };
            (Kept::Keyring { service, entry }, put)
        }
        KeySource::Passphrase(passphrase) => {
            let Wrapped { params, wrapped } = Wrapped::new(key, passphrase)?;
            (Kept::Passphrase { params, wrapped }, Put::Nothing)
        }
        KeySource::KeyringAndPassphrase(place, passphrase) => {
            // A new passphrase goes beside the old one, not over it.
            let [first, second] = locked_entries(dir)?;
            let taken = matches!(old, Some(Kept::KeyringAndPassphrase { entry, .. }) if *entry == first);
            let (service, entry) = (place.service.clone(), if taken { second } else { first });
            let text = Wrapped::new(key, passphrase)?.text()?;
            let put = Put::Keyring { place: place.clone(), entry: entry.clone(), text };
            (Kept::KeyringAndPassphrase { service, entry }, put)
        }
        KeySource::Unprotected => (Kept::Unprotected, Put::File(encode(key))),
    })
}

/// The key behind a passphrase that a profile without `key.json` has in the keyring.
pub(crate) fn find_locked(dir: &Path, place: &KeyringPlace) -> Result<Option<Wrapped>, KeyError> {
    for entry in locked_entries(dir)? {
        if let Some(text) = place.get(&entry)? {
            return Wrapped::parse(&text).map(Some);
        }
    }
    Ok(None)
}

pub(crate) fn read_open(dir: &Path) -> Result<Option<SealKey>, KeyError> {
    match std::fs::read_to_string(dir.join(OPEN_FILE)) {
        Ok(text) => decode(&Zeroizing::new(text)).map(Some),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// Text, since some keyrings do not keep bytes.
fn encode(key: &SealKey) -> Zeroizing<String> {
    Zeroizing::new(b64url(key.as_bytes()))
}

pub(crate) fn decode(text: &str) -> Result<SealKey, KeyError> {
    let bytes = Zeroizing::new(from_b64url(text.trim()).map_err(|_| KeyError::WrongKey)?);
    key_of(&bytes)
}

fn key_of(bytes: &[u8]) -> Result<SealKey, KeyError> {
    let bytes = <&[u8; 32]>::try_from(bytes).map_err(|_| KeyError::WrongKey)?;
    Ok(SealKey::from_bytes(bytes))
}

/// The entry of a key that is kept by the keyring alone: one for each profile, named after the
/// folder, which nobody reads from the name.
pub(crate) fn open_entry(dir: &Path) -> Result<String, KeyError> {
    Ok(format!("master-key-{}", folder_name(dir)?))
}

/// The entries of a key behind a passphrase; one of them is used at a time.
pub(crate) fn locked_entries(dir: &Path) -> Result<[String; 2], KeyError> {
    let name = folder_name(dir)?;
    Ok([format!("locked-key-{name}"), format!("locked-key-{name}-2")])
}

fn folder_name(dir: &Path) -> Result<String, KeyError> {
    let dir: PathBuf = dir.canonicalize()?;
    Ok(base32(&sha256(dir.as_os_str().as_encoded_bytes()))[..26].to_owned())
}
