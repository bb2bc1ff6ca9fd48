//! The small file `key.json` that says how a profile's master key is kept; it holds no secret.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::Path;

use keys::{PassphraseParams, SealKey, b64url, constant_time_eq, hmac_sha256};
use serde::{Deserialize, Serialize};

use crate::{KeyError, Protection};

pub(crate) const FILE: &str = "key.json";
/// Says that the profile is being erased, and where its key may still be.
pub(crate) const ERASING: &str = "erasing.json";
const VERSION: u32 = 1;

/// Larger than this the file is not ours.
const LIMIT: u64 = 16 * 1024;

/// What `key.json` says.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Header {
    v: u32,
    pub(crate) kept: Kept,
    /// A value only the right master key gives.
    check: String,
    /// Where a move that was not finished may have left the key; to be cleared.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) clear: Vec<Place>,
}

/// Where the master key is.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "in")]
pub(crate) enum Kept {
    /// In the system's keyring, under this name.
    Keyring { service: String, entry: String },
    /// Here, sealed under a key made from the passphrase.
    Passphrase { params: PassphraseParams, wrapped: String },
    /// In the system's keyring, and there sealed under a key made from the passphrase.
    KeyringAndPassphrase { service: String, entry: String },
    /// In a file beside it.
    Unprotected,
}

/// A place outside `key.json` that holds the key, in the open or wrapped.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case", tag = "in")]
pub(crate) enum Place {
    /// An entry of the keyring.
    Keyring { service: String, entry: String },
    /// The file of an unprotected key.
    File,
}

impl Kept {
    pub(crate) fn place(&self) -> Option<Place> {
        match self {
            Self::Keyring { service, entry } | Self::KeyringAndPassphrase { service, entry } => {
                Some(Place::Keyring { service: service.clone(), entry: entry.clone() })
            }
            Self::Passphrase { .. } => None,
            Self::Unprotected => Some(Place::File),
        }
    }
}

impl Header {
    pub(crate) fn new(kept: Kept, master: &SealKey) -> Self {
        Self { v: VERSION, kept, check: check(master), clear: Vec::new() }
    }

    /// Reads it, if the profile has one.
    pub(crate) fn read(dir: &Path) -> Result<Option<Self>, KeyError> {
        if dir.join(ERASING).exists() {
            return Err(KeyError::HalfErased);
        }
        let file = match File::open(dir.join(FILE)) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error.into()),
        };
        let mut text = String::new();
        file.take(LIMIT).read_to_string(&mut text).map_err(|_| KeyError::BadHeader)?;
        let header: Self = serde_json::from_str(&text).map_err(|_| KeyError::BadHeader)?;
        if header.v == VERSION { Ok(Some(header)) } else { Err(KeyError::BadHeader) }
    }

    pub(crate) fn write(&self, dir: &Path) -> Result<(), KeyError> {
        let text = serde_json::to_vec_pretty(self).map_err(|_| KeyError::BadHeader)?;
        write_private(dir, FILE, &text)
    }

    pub(crate) fn protection(&self) -> Protection {
        match self.kept {
            Kept::Keyring { .. } => Protection::Keyring,
            Kept::Passphrase { .. } => Protection::Passphrase,
            Kept::KeyringAndPassphrase { .. } => Protection::KeyringAndPassphrase,
            Kept::Unprotected => Protection::Unprotected,
        }
    }

    pub(crate) fn fits(&self, master: &SealKey) -> bool {
        constant_time_eq(self.check.as_bytes(), check(master).as_bytes())
    }
}

fn check(master: &SealKey) -> String {
    b64url(&hmac_sha256(master.derive("store/key-check").as_bytes(), b"parlance-key-check-v1")[..16])
}

/// Writes a file of the user's own so that after a crash it is the old or the new one, never half.
pub(crate) fn write_private(dir: &Path, name: &str, bytes: &[u8]) -> Result<(), KeyError> {
    let half = dir.join(format!("{name}.new"));
    let _ = fs::remove_file(&half);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(&half)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&half, dir.join(name))?;
    #[cfg(unix)]
    File::open(dir)?.sync_all()?;
    Ok(())
}
