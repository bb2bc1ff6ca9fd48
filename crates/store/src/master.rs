//! The master key of a profile: in the keyring, behind a passphrase, or openly unprotected.

use std::path::{Path, PathBuf};

use keys::{PassphraseParams, SealKey, b64url, base32, from_b64url, passphrase_key, sha256};
use zeroize::Zeroizing;

use crate::create_private_dir;
use crate::header::{Header, Kept, write_private};
use crate::keyring::{KeyringPlace, KeyringTrouble};

/// Fewest characters of a passphrase.
pub const PASSPHRASE_MINIMUM: usize = 8;

/// The file of an unprotected key.
const OPEN_FILE: &str = "master.key";

/// Binds the wrapped key to what it is.
const WRAPPED: &[u8] = b"parlance-master-key-v1";

/// What protects the master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// The system's keyring.
    Keyring,
    /// A passphrase.
    Passphrase,
    /// Nothing: who reads the disk reads everything. Shown to the person for as long as it lasts.
    Unprotected,
}

/// Where the master key shall come from. There is no way to get [`Protection::Unprotected`]
/// without asking for it.
pub enum KeySource<'a> {
    /// From the system's keyring.
    Keyring(KeyringPlace),
    /// From a passphrase.
    Passphrase(&'a str),
    /// From a file beside the store, because the person said so.
    Unprotected,
}

/// Why there is no master key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The keyring cannot be used: ask for a passphrase.
    #[error(transparent)]
    Keyring(#[from] KeyringTrouble),
    /// The profile is protected in another way than was asked for.
    #[error("the profile is protected by {0:?}")]
    ProtectedBy(Protection),
    /// Not the passphrase of this profile.
    #[error("the passphrase is wrong")]
    WrongPassphrase,
    /// Shorter than [`PASSPHRASE_MINIMUM`], or absurdly long.
    #[error("a passphrase has at least {PASSPHRASE_MINIMUM} characters")]
    BadPassphrase,
    /// The keyring or the file no longer has the key.
    #[error("the key of this profile is gone")]
    Gone,
    /// What the keyring or the file has is not the key of this profile.
    #[error("this is not the key of this profile")]
    WrongKey,
    /// `key.json` cannot be read.
    #[error("the description of the key is damaged")]
    BadHeader,
    /// The file system failed.
    #[error("the key could not be read or written: {0}")]
    Failed(String),
}

impl From<std::io::Error> for KeyError {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.kind().to_string())
    }
}

/// The key everything in a profile is sealed with.
pub struct MasterKey {
    key: SealKey,
    protection: Protection,
}

impl MasterKey {
    /// How the profile in `dir` is protected; `None` if it has no key yet.
    pub fn protection_of(dir: &Path) -> Result<Option<Protection>, KeyError> {
        Ok(Header::read(dir)?.map(|header| header.protection()))
    }

    /// Opens the key of the profile in `dir`, or makes one, from `source` and from nowhere else.
    ///
    /// May take a second (Argon2id) or wait for a person (a locked keyring): call it off the
    /// thread that draws.
    pub fn open(dir: &Path, source: KeySource<'_>) -> Result<MasterKey, KeyError> {
        create_private_dir(dir)?;
        match Header::read(dir)? {
            Some(header) => open_known(dir, &header, source),
            None => make(dir, source),
        }
    }

    /// Keeps the same key in another way from now on: a new passphrase, the keyring, or nothing.
    pub fn keep_by(&mut self, dir: &Path, source: KeySource<'_>) -> Result<(), KeyError> {
        let old = Header::read(dir)?.map(|header| header.kept);
        let new = keep(dir, &self.key, &source)?;
        self.protection = new.protection();
        new.write(dir)?;
        forget(dir, old, &new.kept);
        Ok(())
    }

    /// What protects it.
    pub fn protection(&self) -> Protection {
        self.protection
    }

    pub(crate) fn key(&self) -> &SealKey {
        &self.key
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MasterKey({:?})", self.protection)
    }
}

fn open_known(dir: &Path, header: &Header, source: KeySource<'_>) -> Result<MasterKey, KeyError> {
    let protection = header.protection();
    let key = match (&header.kept, &source) {
        (Kept::Keyring { service, entry }, KeySource::Keyring(place)) => {
            let place = KeyringPlace { service: service.clone(), patience: place.patience };
            decode(&place.get(entry)?.ok_or(KeyError::Gone)?)?
        }
        (Kept::Passphrase { params, wrapped }, KeySource::Passphrase(passphrase)) => {
            let key = unwrap(params, wrapped, passphrase)?;
            if params.is_outdated() && header.fits(&key) {
                // Made when machines were slower: sealed anew, the key stays.
                keep(dir, &key, &source)?.write(dir)?;
            }
            key
        }
        (Kept::Unprotected, KeySource::Unprotected) => match read_open(dir)? {
            Some(key) => key,
            None => return Err(KeyError::Gone),
        },
        _ => return Err(KeyError::ProtectedBy(protection)),
    };
    if header.fits(&key) { Ok(MasterKey { key, protection }) } else { Err(KeyError::WrongKey) }
}

/// A profile without a header is new, or its header was lost: a key that is there is kept.
fn make(dir: &Path, source: KeySource<'_>) -> Result<MasterKey, KeyError> {
    let found = match &source {
        KeySource::Keyring(place) => {
            place.probe()?;
            place.get(&entry_name(dir)?)?.map(|text| decode(&text)).transpose()?
        }
        KeySource::Passphrase(_) => None,
        KeySource::Unprotected => read_open(dir)?,
    };
    let key = found.unwrap_or_else(SealKey::generate);
    let header = keep(dir, &key, &source)?;
    header.write(dir)?;
    Ok(MasterKey { key, protection: header.protection() })
}

/// Puts the key where `source` says and returns the header for it.
fn keep(dir: &Path, key: &SealKey, source: &KeySource<'_>) -> Result<Header, KeyError> {
    let kept = match source {
        KeySource::Keyring(place) => {
            let entry = entry_name(dir)?;
            place.set(&entry, encode(key))?;
            Kept::Keyring { service: place.service.clone(), entry }
        }
        KeySource::Passphrase(passphrase) => {
            if passphrase.chars().count() < PASSPHRASE_MINIMUM {
                return Err(KeyError::BadPassphrase);
            }
            let params = PassphraseParams::desktop();
            let wrapping = passphrase_key(passphrase, &params).map_err(|_| KeyError::BadPassphrase)?;
            let wrapped = wrapping.seal(key.as_bytes(), WRAPPED).map_err(|_| KeyError::BadHeader)?;
            Kept::Passphrase { params, wrapped: b64url(&wrapped) }
        }
        KeySource::Unprotected => {
            write_private(dir, OPEN_FILE, encode(key).as_bytes())?;
            Kept::Unprotected
        }
    };
    Ok(Header::new(kept, key))
}

/// Takes the key out of where it was before; what cannot be removed stays, with a warning.
fn forget(dir: &Path, old: Option<Kept>, new: &Kept) {
    let gone = match (old, new) {
        (Some(Kept::Keyring { service, entry }), Kept::Passphrase { .. } | Kept::Unprotected) => {
            KeyringPlace { service, ..KeyringPlace::default() }.delete(&entry).is_ok()
        }
        (Some(Kept::Unprotected), Kept::Keyring { .. } | Kept::Passphrase { .. }) => {
            std::fs::remove_file(dir.join(OPEN_FILE)).is_ok()
        }
        _ => true,
    };
    if !gone {
        tracing::warn!("the key could not be removed from where it was kept before");
    }
}

fn unwrap(params: &PassphraseParams, wrapped: &str, passphrase: &str) -> Result<SealKey, KeyError> {
    let wrapped = from_b64url(wrapped).map_err(|_| KeyError::BadHeader)?;
    let wrapping = passphrase_key(passphrase, params).map_err(|_| KeyError::BadHeader)?;
    let bytes = wrapping.open(&wrapped, WRAPPED).map_err(|_| KeyError::WrongPassphrase)?;
    key_of(&bytes)
}

fn read_open(dir: &Path) -> Result<Option<SealKey>, KeyError> {
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

fn decode(text: &str) -> Result<SealKey, KeyError> {
    let bytes = Zeroizing::new(from_b64url(text.trim()).map_err(|_| KeyError::WrongKey)?);
    key_of(&bytes)
}

fn key_of(bytes: &[u8]) -> Result<SealKey, KeyError> {
    let bytes = <&[u8; 32]>::try_from(bytes).map_err(|_| KeyError::WrongKey)?;
    Ok(SealKey::from_bytes(bytes))
}

/// One entry for each profile: it is named after the folder, which nobody reads from the name.
fn entry_name(dir: &Path) -> Result<String, KeyError> {
    let dir: PathBuf = dir.canonicalize()?;
    Ok(format!("master-key-{}", &base32(&sha256(dir.as_os_str().as_encoded_bytes()))[..26]))
}
