//! Ed25519 signing keys, verifying keys and signatures.

use std::fmt;

use ed25519_dalek::Signer;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::{b64url, from_b64url, random};

/// Why bytes are not a verifying key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// Not base64url.
    #[error("the key is not base64url")]
    NotText,
    /// Not 32 bytes.
    #[error("an Ed25519 key has 32 bytes, this one has {length}")]
    WrongLength {
        /// How many there are.
        length: usize,
    },
    /// A second spelling of another key.
    #[error("the key is not in its canonical form")]
    NotCanonical,
    /// Not a point of the curve.
    #[error("the key is not a point of the curve")]
    NotAPoint,
    /// A point for which signatures prove nothing.
    #[error("the key is of small order")]
    SmallOrder,
}

/// Why a signature is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SignatureError {
    /// Not 64 bytes of base64url.
    #[error("a signature is 64 bytes of base64url")]
    NotASignature,
    /// It was not made by this key over these bytes.
    #[error("the signature was not made by this key over these bytes")]
    Wrong,
}

/// An Ed25519 secret key; wiped when dropped.
pub struct SigningKey(ed25519_dalek::SigningKey);

impl SigningKey {
    /// A fresh key.
    pub fn generate() -> Self {
        Self::from_bytes(&Zeroizing::new(random::<32>()))
    }

    /// The key of a stored 32-byte seed.
    pub fn from_bytes(seed: &[u8; 32]) -> Self {
        Self(ed25519_dalek::SigningKey::from_bytes(seed))
    }

    /// The seed, to be sealed and stored.
    pub fn to_bytes(&self) -> Zeroizing<[u8; 32]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    pub fn verifying_key(&self) -> VerifyingKey {
        VerifyingKey(self.0.verifying_key().to_bytes())
    }

    /// Signs `data`.
    pub fn sign(&self, data: &[u8]) -> Signature {
        Signature(self.0.sign(data).to_bytes())
    }
}

impl Clone for SigningKey {
    fn clone(&self) -> Self {
        Self::from_bytes(&self.to_bytes())
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningKey(…)")
    }
}

/// An Ed25519 public key: canonical, on the curve, not of small order. As text: base64url.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct VerifyingKey([u8; 32]);

impl VerifyingKey {
    /// Reads a key; the only way to get one from outside.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, KeyError> {
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| KeyError::WrongLength { length: bytes.len() })?;
        if !is_canonical(&bytes) {
            return Err(KeyError::NotCanonical);
        }
        let point = ed25519_dalek::VerifyingKey::from_bytes(&bytes).map_err(|_| KeyError::NotAPoint)?;
        if point.is_weak() {
            return Err(KeyError::SmallOrder);
        }
        Ok(Self(bytes))
    }

    /// Reads a key from base64url.
    pub fn parse(text: &str) -> Result<Self, KeyError> {
        Self::from_bytes(&from_b64url(text).map_err(|_| KeyError::NotText)?)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Checks a signature strictly: one key, one message, one signature.
    pub fn verify(&self, data: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        let point = ed25519_dalek::VerifyingKey::from_bytes(&self.0).map_err(|_| SignatureError::Wrong)?;
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        point.verify_strict(data, &signature).map_err(|_| SignatureError::Wrong)
    }
}

/// Whether the y coordinate is below the field's prime 2²⁵⁵ − 19 (the top bit is the sign of x).
fn is_canonical(bytes: &[u8; 32]) -> bool {
    let below_top = bytes[31] & 0x7f != 0x7f || bytes[1..31].iter().any(|b| *b != 0xff);
    below_top || bytes[0] < 0xed
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&b64url(&self.0))
    }
}

/// Shows nothing: a public key names a device or a person.
impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("VerifyingKey(…)")
    }
}

/// An Ed25519 signature. As text: base64url.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Takes 64 bytes; whether they sign anything is for [`VerifyingKey::verify`] to say.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, SignatureError> {
        bytes.try_into().map(Self).map_err(|_| SignatureError::NotASignature)
    }

    /// Reads base64url.
    pub fn parse(text: &str) -> Result<Self, SignatureError> {
        Self::from_bytes(&from_b64url(text).map_err(|_| SignatureError::NotASignature)?)
    }

    /// The 64 bytes.
    pub fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&b64url(&self.0))
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(…)")
    }
}

macro_rules! text_serde {
    ($type:ty) => {
        impl Serialize for $type {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = String::deserialize(deserializer)?;
                <$type>::parse(&text).map_err(serde::de::Error::custom)
            }
        }
    };
}
text_serde!(VerifyingKey);
text_serde!(Signature);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_key_signed_only_that_key_confirms() {
        let (key, other) = (SigningKey::generate(), SigningKey::generate());
        let signature = key.sign(b"hello");
        assert_eq!(key.verifying_key().verify(b"hello", &signature), Ok(()));
        assert_eq!(key.verifying_key().verify(b"hullo", &signature), Err(SignatureError::Wrong));
        assert_eq!(other.verifying_key().verify(b"hello", &signature), Err(SignatureError::Wrong));
    }

    #[test]
    fn a_key_of_small_order_is_refused() {
        let mut one = [0u8; 32];
        one[0] = 1;
        for weak in [[0u8; 32], one] {
            assert_eq!(VerifyingKey::from_bytes(&weak), Err(KeyError::SmallOrder));
        }
    }

    #[test]
    fn a_second_spelling_of_a_key_is_refused() {
        let mut bytes = [0xffu8; 32];
        for low in [0xed, 0xee, 0xff] {
            for top in [0x7f, 0xff] {
                (bytes[0], bytes[31]) = (low, top);
                assert_eq!(VerifyingKey::from_bytes(&bytes), Err(KeyError::NotCanonical));
            }
        }
    }

    #[test]
    fn a_key_travels_as_text() {
        let key = SigningKey::generate().verifying_key();
        let json = serde_json::to_string(&key).unwrap();
        assert_eq!(serde_json::from_str::<VerifyingKey>(&json).unwrap(), key);
        assert!(serde_json::from_str::<VerifyingKey>("\"AAAA\"").is_err());
    }

    #[test]
    fn no_key_shows_itself_in_a_log() {
        let key = SigningKey::generate();
        assert_eq!(
            format!("{key:?} {:?} {:?}", key.verifying_key(), key.sign(b"")),
            "SigningKey(…) VerifyingKey(…) Signature(…)"
        );
    }
}
