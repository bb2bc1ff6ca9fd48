//! The master key of a profile: in the keyring, behind a passphrase, behind both, or openly unprotected.

use std::path::Path;

use keys::SealKey;

use crate::attempts::{self, now_ms};
use crate::create_private_dir;
use crate::header::{Header, Kept};
use crate::keeping::{self, Wrapped};
use crate::keyring::{KeyringPlace, KeyringTrouble};
use crate::secret_page::SecretPage;

/// Fewest characters of a passphrase.
pub const PASSPHRASE_MINIMUM: usize = 8;

/// What protects the master key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protection {
    /// The system's keyring.
    Keyring,
    /// A passphrase.
    Passphrase,
    /// Both: the keyring has the key only as the passphrase has sealed it, since a keyring opens
    /// itself to every program of the user.
    KeyringAndPassphrase,
    /// Nothing: who reads the disk reads everything. Shown to the person for as long as it lasts.
    Unprotected,
}

impl Protection {
    /// Whether the profile can be locked while the app runs: whether a person has to say something
    /// to open it again.
    pub fn asks_a_person(self) -> bool {
        matches!(self, Self::Passphrase | Self::KeyringAndPassphrase)
    }
}

/// Where the master key shall come from. There is no way to get [`Protection::Unprotected`]
/// without asking for it.
pub enum KeySource<'a> {
    /// From the system's keyring.
    Keyring(KeyringPlace),
    /// From a passphrase.
    Passphrase(&'a str),
    /// From the system's keyring, opened by a passphrase.
    KeyringAndPassphrase(KeyringPlace, &'a str),
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
    /// After several wrong passphrases; the one that came with the question was not looked at.
    #[error("the next passphrase may be tried in {wait_s} s")]
    TooSoon {
        /// Seconds until then.
        wait_s: u64,
    },
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
    /// Somebody began to erase the profile: [`crate::erase_profile`] goes on with it.
    #[error("the profile is half erased")]
    HalfErased,
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
    page: SecretPage,
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
        Self::open_at(dir, source, now_ms())
    }

    /// The same at a given time (Unix milliseconds), which decides whether a passphrase may be tried.
    pub fn open_at(dir: &Path, source: KeySource<'_>, now_ms: u64) -> Result<MasterKey, KeyError> {
        create_private_dir(dir)?;
        let opened = match Header::read(dir)? {
            Some(header) => open_known(dir, &header, &source, now_ms).map(|key| (key, header.protection())),
            None => make(dir, &source, now_ms),
        };
        let opened = opened.map(|(key, protection)| MasterKey { page: SecretPage::holding(&key), protection });
        keys::wipe_stack();
        opened
    }

    /// Seconds until a passphrase may be tried at `now_ms`; 0 if it may be tried now.
    pub fn wait_s(dir: &Path, now_ms: u64) -> Result<u64, KeyError> {
        attempts::wait_s(dir, now_ms)
    }

    /// Keeps the same key in another way from now on: a new passphrase, the keyring, or nothing.
    ///
    /// A crash at any moment leaves a profile that opens, in the old way or in the new one; what
    /// it left behind elsewhere is removed at the next start.
    pub fn keep_by(&mut self, dir: &Path, source: KeySource<'_>) -> Result<(), KeyError> {
        let kept = keeping::move_key(dir, &self.key(), &source, &mut |_| Ok(()));
        keys::wipe_stack();
        self.protection = kept?;
        Ok(())
    }

    /// What protects it.
    pub fn protection(&self) -> Protection {
        self.protection
    }

    /// A copy to work with; it wipes itself.
    pub(crate) fn key(&self) -> SealKey {
        self.page.key()
    }
}

impl std::fmt::Debug for MasterKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "MasterKey({:?})", self.protection)
    }
}

fn open_known(dir: &Path, header: &Header, source: &KeySource<'_>, now_ms: u64) -> Result<SealKey, KeyError> {
    let key = match (&header.kept, source) {
        (Kept::Keyring { service, entry }, KeySource::Keyring(place)) => {
            let place = KeyringPlace { service: service.clone(), patience: place.patience };
            keeping::decode(&place.get(entry)?.ok_or(KeyError::Gone)?)?
        }
        (Kept::Passphrase { params, wrapped }, KeySource::Passphrase(passphrase)) => {
            let wrapped = Wrapped { params: params.clone(), wrapped: wrapped.clone() };
            guarded(dir, &wrapped, passphrase, now_ms)?
        }
        (Kept::KeyringAndPassphrase { service, entry }, KeySource::KeyringAndPassphrase(place, passphrase)) => {
            let place = KeyringPlace { service: service.clone(), patience: place.patience };
            let wrapped = Wrapped::parse(&place.get(entry)?.ok_or(KeyError::Gone)?)?;
            guarded(dir, &wrapped, passphrase, now_ms)?
        }
        (Kept::Unprotected, KeySource::Unprotected) => keeping::read_open(dir)?.ok_or(KeyError::Gone)?,
        _ => return Err(KeyError::ProtectedBy(header.protection())),
    };
    if !header.fits(&key) {
        return Err(KeyError::WrongKey);
    }
    match &header.kept {
        // Made when machines were slower: sealed anew, the key stays.
        Kept::Passphrase { params, .. } if keeping::is_outdated(params) => {
            keeping::move_key(dir, &key, source, &mut |_| Ok(()))?;
        }
        _ => keeping::tidy(dir, header),
    }
    Ok(key)
}

/// Tries a passphrase, if it may be tried at this time.
fn guarded(dir: &Path, wrapped: &Wrapped, passphrase: &str, now_ms: u64) -> Result<SealKey, KeyError> {
    attempts::begin(dir, now_ms)?;
    let key = wrapped.open(passphrase)?;
    attempts::succeeded(dir);
    Ok(key)
}

/// A profile without a header is new, or its header was lost: a key that is there is kept.
fn make(dir: &Path, source: &KeySource<'_>, now_ms: u64) -> Result<(SealKey, Protection), KeyError> {
    let found = match source {
        KeySource::Keyring(place) => {
            place.probe()?;
            place.get(&keeping::open_entry(dir)?)?.map(|text| keeping::decode(&text)).transpose()?
        }
        KeySource::KeyringAndPassphrase(place, passphrase) => {
            place.probe()?;
            let wrapped = keeping::find_locked(dir, place)?;
            wrapped.map(|wrapped| guarded(dir, &wrapped, passphrase, now_ms)).transpose()?
        }
        KeySource::Passphrase(_) => None,
        KeySource::Unprotected => keeping::read_open(dir)?,
    };
    let key = found.unwrap_or_else(SealKey::generate);
    let protection = keeping::move_key(dir, &key, source, &mut |_| Ok(()))?;
    Ok((key, protection))
}
