//! Sealing to a public key: who seals needs no secret, who opens needs the secret half.
//!
//! HPKE (RFC 9180) in base mode with DHKEM(X25519, HKDF-SHA256), HKDF-SHA256 and
//! ChaCha20-Poly1305. A sealed box is the encapsulated key (32 bytes) and then the sealed text.
//! It says nothing about who sealed it.

use std::fmt;

use hpke_rs::hpke_types::{AeadAlgorithm, KdfAlgorithm, KemAlgorithm};
use hpke_rs::rustcrypto::HpkeRustCrypto;
use hpke_rs::{Hpke, HpkeKeyPair, HpkePrivateKey, HpkePublicKey, Mode};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use zeroize::Zeroizing;

use crate::{OpenError, SealError, b64url, from_b64url, random};

/// Length of an encapsulated key.
const ENCAPSULATED: usize = 32;

/// By how many bytes a sealed box is longer than what it holds.
pub const BOX_OVERHEAD: usize = ENCAPSULATED + 16;

/// Why bytes are not a public key to seal to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BoxKeyError {
    /// Not base64url.
    #[error("the key is not base64url")]
    NotText,
    /// Not 32 bytes.
    #[error("an X25519 key has 32 bytes, this one has {length}")]
    WrongLength {
        /// How many there are.
        length: usize,
    },
    /// A second spelling of another key.
    #[error("the key is not in its canonical form")]
    NotCanonical,
    /// A point with which no secret can be shared.
    #[error("the key is of small order")]
    SmallOrder,
}

/// The public half: canonical, not of small order. As text: base64url.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BoxPublic([u8; 32]);

impl BoxPublic {
    /// Reads a key; the only way to get one from outside.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, BoxKeyError> {
        let bytes: [u8; 32] = bytes.try_into().map_err(|_| BoxKeyError::WrongLength { length: bytes.len() })?;
        if !is_canonical(&bytes) {
            return Err(BoxKeyError::NotCanonical);
        }
        let key = Self(bytes);
        // A point of small order shares the secret zero, which HPKE refuses to seal with.
        key.seal(&[], &[], &[]).map_err(|_| BoxKeyError::SmallOrder)?;
        Ok(key)
    }

    /// Reads a key from base64url.
    pub fn parse(text: &str) -> Result<Self, BoxKeyError> {
        Self::from_bytes(&from_b64url(text).map_err(|_| BoxKeyError::NotText)?)
    }

    /// The 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals `plain` for one purpose (`info`) and one place (`aad`).
    pub fn seal(&self, plain: &[u8], info: &[u8], aad: &[u8]) -> Result<Vec<u8>, SealError> {
        let to = HpkePublicKey::new(self.0.to_vec());
        let (mut sealed, text) =
            hpke().seal(&to, info, aad, plain, None, None, None).map_err(|_| SealError::TooLong)?;
        sealed.extend_from_slice(&text);
        Ok(sealed)
    }
}

impl fmt::Display for BoxPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&b64url(&self.0))
    }
}

/// Shows nothing: a public key names a person.
impl fmt::Debug for BoxPublic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxPublic(…)")
    }
}

impl Serialize for BoxPublic {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for BoxPublic {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// The secret half; wiped when dropped.
pub struct BoxKey {
    secret: HpkePrivateKey,
    public: BoxPublic,
}

impl BoxKey {
    /// A fresh key pair.
    pub fn generate() -> Self {
        Self::derive(&Zeroizing::new(random::<32>()))
    }

    /// The key pair of 32 secret bytes (`DeriveKeyPair` of RFC 9180, section 7.1.3).
    pub fn derive(secret: &[u8; 32]) -> Self {
        let pair = hpke().derive_key_pair(secret).expect("X25519 has a key for any bytes");
        Self::of(pair)
    }

    fn of(pair: HpkeKeyPair) -> Self {
        let (secret, public) = pair.into_keys();
        let public = public.as_slice().try_into().expect("an X25519 key has 32 bytes");
        Self { secret, public: BoxPublic(public) }
    }

    /// What others seal to.
    pub fn public(&self) -> BoxPublic {
        self.public
    }

    /// Opens what [`BoxPublic::seal`] made for the same purpose and place.
    pub fn open(&self, sealed: &[u8], info: &[u8], aad: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        if sealed.len() < BOX_OVERHEAD {
            return Err(OpenError::TooShort);
        }
        let (encapsulated, text) = sealed.split_at(ENCAPSULATED);
        hpke()
            .open(encapsulated, &self.secret, info, aad, text, None, None, None)
            .map(Zeroizing::new)
            .map_err(|_| OpenError::Forged)
    }
}

impl fmt::Debug for BoxKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BoxKey(…)")
    }
}

fn hpke() -> Hpke<HpkeRustCrypto> {
    Hpke::new(Mode::Base, KemAlgorithm::DhKem25519, KdfAlgorithm::HkdfSha256, AeadAlgorithm::ChaCha20Poly1305)
}

/// Whether the coordinate is below the field's prime 2²⁵⁵ − 19.
fn is_canonical(bytes: &[u8; 32]) -> bool {
    bytes[31] < 0x7f || (bytes[31] == 0x7f && (bytes[1..31].iter().any(|byte| *byte != 0xff) || bytes[0] < 0xed))
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;

    fn hex(text: &str) -> Vec<u8> {
        HEXLOWER.decode(text.as_bytes()).unwrap()
    }

    /// RFC 9180, appendix A.2.1, sequence number 0.
    #[test]
    fn the_published_box_opens_with_the_published_key() {
        let seed = hex("1ac01f181fdf9f352797655161c58b75c656a6cc2716dcb66372da835542e1df");
        let key = BoxKey::derive(&seed.try_into().unwrap());
        let public = hex("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a");
        assert_eq!(key.public().as_bytes().as_slice(), public);
        let encapsulated = hex("1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a");
        let text = hex("1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28");
        let info = hex("4f6465206f6e2061204772656369616e2055726e");
        let opened = key.open(&[encapsulated, text].concat(), &info, b"Count-0").unwrap();
        assert_eq!(opened.as_slice(), b"Beauty is truth, truth beauty");
    }

    #[test]
    fn a_box_opens_only_with_its_key_for_its_purpose_in_its_place() {
        let key = BoxKey::generate();
        let sealed = key.public().seal(b"hello", b"letters", b"7").unwrap();
        assert_eq!(sealed.len(), 5 + BOX_OVERHEAD);
        assert_eq!(key.open(&sealed, b"letters", b"7").unwrap().as_slice(), b"hello");
        assert_eq!(key.open(&sealed, b"letters", b"8").unwrap_err(), OpenError::Forged);
        assert_eq!(key.open(&sealed, b"bills", b"7").unwrap_err(), OpenError::Forged);
        assert_eq!(BoxKey::generate().open(&sealed, b"letters", b"7").unwrap_err(), OpenError::Forged);
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert_eq!(key.open(&changed, b"letters", b"7").unwrap_err(), OpenError::Forged, "byte {at}");
            assert!(key.open(&sealed[..at], b"letters", b"7").is_err());
        }
        assert_ne!(sealed, key.public().seal(b"hello", b"letters", b"7").unwrap(), "two boxes differ");
    }

    #[test]
    fn a_public_key_that_shares_no_secret_is_refused() {
        let (zero, mut one, mut minus_one) = ([0u8; 32], [0u8; 32], [0xffu8; 32]);
        one[0] = 1;
        (minus_one[0], minus_one[31]) = (0xec, 0x7f);
        let eighth = hex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800");
        for weak in [zero.as_slice(), &one, &minus_one, &eighth] {
            assert_eq!(BoxPublic::from_bytes(weak), Err(BoxKeyError::SmallOrder));
        }
        let mut bytes = [0xffu8; 32];
        for (low, top) in [(0xed, 0x7f), (0xff, 0x7f), (0x00, 0x80), (0x00, 0xff)] {
            (bytes[0], bytes[31]) = (low, top);
            assert_eq!(BoxPublic::from_bytes(&bytes), Err(BoxKeyError::NotCanonical));
        }
        assert_eq!(BoxPublic::from_bytes(&[9; 31]), Err(BoxKeyError::WrongLength { length: 31 }));
    }

    #[test]
    fn a_public_key_travels_as_text_and_shows_itself_nowhere_else() {
        let key = BoxKey::generate();
        let json = serde_json::to_string(&key.public()).unwrap();
        assert_eq!(serde_json::from_str::<BoxPublic>(&json).unwrap(), key.public());
        assert_eq!(BoxPublic::parse(&key.public().to_string()), Ok(key.public()));
        assert!(serde_json::from_str::<BoxPublic>("\"AAAA\"").is_err());
        assert_eq!(format!("{key:?} {:?}", key.public()), "BoxKey(…) BoxPublic(…)");
    }
}
