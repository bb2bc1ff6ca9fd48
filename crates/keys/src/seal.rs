//! Sealing of bytes under a secret key: XChaCha20-Poly1305 with a random nonce.

use std::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::digest::hkdf_into;
use crate::{fill_random, random};

const NONCE_LENGTH: usize = 24;
const TAG_LENGTH: usize = 16;

/// By how many bytes a sealed text is longer than the plain one.
pub const SEAL_OVERHEAD: usize = NONCE_LENGTH + TAG_LENGTH;

/// Why bytes were not sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// More bytes than the cipher can take under one nonce.
    #[error("the text is too long to seal at once")]
    TooLong,
}

/// Why bytes were not opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Fewer bytes than a seal has.
    #[error("the sealed text is cut off")]
    TooShort,
    /// Another key, another place (`aad`), or changed bytes.
    #[error("the sealed text was not made with this key for this place, or was changed")]
    Forged,
}

/// A secret key that seals and opens; wiped when dropped.
///
/// It lies on the heap: moving it moves a pointer, and leaves no copy behind on the stack.
#[derive(Clone)]
pub struct SealKey(Box<Zeroizing<[u8; 32]>>);

impl SealKey {
    /// A fresh key.
    pub fn generate() -> Self {
        Self::filled(fill_random)
    }

    /// A stored or derived key.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self::filled(|key| key.copy_from_slice(bytes))
    }

    fn filled(fill: impl FnOnce(&mut [u8; 32])) -> Self {
        let mut key = Box::new(Zeroizing::new([0u8; 32]));
        fill(&mut key);
        Self(key)
    }

    /// The key's bytes, to be wrapped and stored.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Another key for one purpose; knowing it tells nothing about this one.
    pub fn derive(&self, purpose: &str) -> Self {
        Self::filled(|key| hkdf_into(self.as_bytes(), b"parlance-seal-key-v1", purpose.as_bytes(), key))
    }

    /// Seals `plain` for the place `aad`; the result starts with its nonce.
    pub fn seal(&self, plain: &[u8], aad: &[u8]) -> Result<Vec<u8>, SealError> {
        let nonce = random::<NONCE_LENGTH>();
        let body = self
            .cipher()
            .encrypt(XNonce::from_slice(&nonce), Payload { msg: plain, aad })
            .map_err(|_| SealError::TooLong)?;
        let mut sealed = Vec::with_capacity(NONCE_LENGTH + body.len());
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&body);
        Ok(sealed)
    }

    /// Opens what [`SealKey::seal`] made for the same place.
    pub fn open(&self, sealed: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        if sealed.len() < SEAL_OVERHEAD {
            return Err(OpenError::TooShort);
        }
        let (nonce, body) = sealed.split_at(NONCE_LENGTH);
        self.cipher()
            .decrypt(XNonce::from_slice(nonce), Payload { msg: body, aad })
            .map(Zeroizing::new)
            .map_err(|_| OpenError::Forged)
    }

    pub(crate) fn cipher(&self) -> XChaCha20Poly1305 {
        XChaCha20Poly1305::new(chacha20poly1305::Key::from_slice(self.as_bytes()))
    }
}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_sealed_opens_only_in_its_place_with_its_key() {
        let key = SealKey::generate();
        let sealed = key.seal(b"hello", b"messages/7").unwrap();
        assert_eq!(sealed.len(), 5 + SEAL_OVERHEAD);
        assert_eq!(key.open(&sealed, b"messages/7").unwrap().as_slice(), b"hello");
        assert_eq!(key.open(&sealed, b"messages/8").unwrap_err(), OpenError::Forged);
        assert_eq!(SealKey::generate().open(&sealed, b"messages/7").unwrap_err(), OpenError::Forged);
        assert_eq!(key.derive("other").open(&sealed, b"messages/7").unwrap_err(), OpenError::Forged);
    }

    #[test]
    fn a_changed_or_cut_seal_does_not_open() {
        let key = SealKey::generate();
        let sealed = key.seal(b"hello", b"").unwrap();
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(key.open(&changed, b"").unwrap_err(), OpenError::Forged);
            assert!(key.open(&sealed[..at], b"").is_err());
        }
    }

    #[test]
    fn two_seals_of_one_text_differ() {
        let key = SealKey::generate();
        assert_ne!(key.seal(b"hello", b"").unwrap(), key.seal(b"hello", b"").unwrap());
    }

    #[test]
    fn a_derived_key_is_the_same_tomorrow_and_another_for_another_purpose() {
        let key = SealKey::from_bytes(&[7; 32]);
        assert_eq!(key.derive("messages").as_bytes(), key.derive("messages").as_bytes());
        assert_ne!(key.derive("messages").as_bytes(), key.derive("index").as_bytes());
    }
}
