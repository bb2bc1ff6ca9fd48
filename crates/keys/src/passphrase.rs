//! A sealing key from a passphrase: Argon2id with parameters that are stored beside it.

use argon2::{Algorithm, Argon2, Params, Version};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{SealKey, b64url, from_b64url, random};

/// The most memory stored parameters may ask for, in KiB; a changed file must not exhaust the machine.
const MEMORY_LIMIT_KIB: u32 = 1024 * 1024;
const PASSES_LIMIT: u32 = 16;
const LANES_LIMIT: u32 = 8;
const SALT_LENGTHS: std::ops::RangeInclusive<usize> = 16..=64;

/// Why a passphrase gave no key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PassphraseError {
    /// Parameters out of bounds or a salt that is none.
    #[error("the stored passphrase parameters are out of bounds")]
    BadParameters,
    /// The passphrase is longer than Argon2 takes.
    #[error("the passphrase is too long")]
    TooLong,
}

/// How a passphrase becomes a key: stored in the clear beside what the key seals.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassphraseParams {
    /// Memory in KiB.
    pub memory_kib: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Parallel lanes.
    pub lanes: u32,
    /// Salt as base64url.
    pub salt: String,
}

impl PassphraseParams {
    /// What a desktop affords today (64 MiB, three passes, one lane), with a fresh salt.
    pub fn desktop() -> Self {
        Self { memory_kib: 64 * 1024, passes: 3, lanes: 1, salt: b64url(&random::<16>()) }
    }

    /// Whether a key made with these is weaker than one made today, and should be made anew.
    pub fn is_outdated(&self) -> bool {
        self.is_weaker_than(&Self::desktop())
    }

    /// Whether guessing costs less than with `other`.
    pub fn is_weaker_than(&self, other: &Self) -> bool {
        self.memory_kib < other.memory_kib || self.passes < other.passes
    }
}

/// The sealing key of `passphrase` under stored parameters. Takes about half a second on purpose.
pub fn passphrase_key(passphrase: &str, params: &PassphraseParams) -> Result<SealKey, PassphraseError> {
    let in_bounds =
        params.memory_kib <= MEMORY_LIMIT_KIB && params.passes <= PASSES_LIMIT && params.lanes <= LANES_LIMIT;
    let salt = from_b64url(&params.salt).map_err(|_| PassphraseError::BadParameters)?;
    if !in_bounds || !SALT_LENGTHS.contains(&salt.len()) {
        return Err(PassphraseError::BadParameters);
    }
    let cost = Params::new(params.memory_kib, params.passes, params.lanes, Some(32))
        .map_err(|_| PassphraseError::BadParameters)?;
    let mut key = Zeroizing::new([0u8; 32]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, cost)
        .hash_password_into(passphrase.as_bytes(), &salt, key.as_mut())
        .map_err(|_| PassphraseError::TooLong)?;
    Ok(SealKey::from_bytes(&key))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cheap() -> PassphraseParams {
        PassphraseParams { memory_kib: 64, passes: 1, lanes: 1, salt: b64url(&[1; 16]) }
    }

    #[test]
    fn the_same_passphrase_gives_the_same_key_and_another_gives_another() {
        let key = passphrase_key("correct horse", &cheap()).unwrap();
        assert_eq!(key.as_bytes(), passphrase_key("correct horse", &cheap()).unwrap().as_bytes());
        assert_ne!(key.as_bytes(), passphrase_key("correct house", &cheap()).unwrap().as_bytes());
        let other_salt = PassphraseParams { salt: b64url(&[2; 16]), ..cheap() };
        assert_ne!(key.as_bytes(), passphrase_key("correct horse", &other_salt).unwrap().as_bytes());
    }

    #[test]
    fn parameters_that_would_exhaust_the_machine_are_refused() {
        for bad in [
            PassphraseParams { memory_kib: u32::MAX, ..cheap() },
            PassphraseParams { passes: 1000, ..cheap() },
            PassphraseParams { passes: 0, ..cheap() },
            PassphraseParams { lanes: 0, ..cheap() },
            PassphraseParams { lanes: 1000, ..cheap() },
            PassphraseParams { salt: String::new(), ..cheap() },
            PassphraseParams { salt: "***".into(), ..cheap() },
        ] {
            assert_eq!(passphrase_key("x", &bad).unwrap_err(), PassphraseError::BadParameters);
        }
    }

    #[test]
    fn weak_parameters_of_the_past_are_noticed() {
        assert!(cheap().is_outdated());
        assert!(!PassphraseParams::desktop().is_outdated());
    }
}
