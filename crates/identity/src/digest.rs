//! The names of things by their hash: [`Digest`] for entries and tokens, [`PersonaId`] for people.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Why a text is not a digest or the name of a persona.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the text form of 32 bytes")]
pub struct DigestError;

/// A SHA-256 hash; as text base64url.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest(pub [u8; 32]);

impl Digest {
    /// The hash of exactly these bytes.
    pub fn of(bytes: &[u8]) -> Self {
        Self(keys::sha256(bytes))
    }

    /// Reads base64url.
    pub fn parse(text: &str) -> Result<Self, DigestError> {
        let bytes = keys::from_b64url(text).map_err(|_| DigestError)?;
        bytes.try_into().map(Self).map_err(|_| DigestError)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&keys::b64url(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Digest(…)")
    }
}

/// One chosen identity of a person: the hash of the first entry of its sigchain; as text base32.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PersonaId(pub [u8; 32]);

impl PersonaId {
    /// Reads base32.
    pub fn parse(text: &str) -> Result<Self, DigestError> {
        let bytes = keys::from_base32(text).map_err(|_| DigestError)?;
        bytes.try_into().map(Self).map_err(|_| DigestError)
    }

    /// The hash of the genesis entry this persona is named by.
    pub fn genesis(&self) -> Digest {
        Digest(self.0)
    }
}

impl From<Digest> for PersonaId {
    fn from(genesis: Digest) -> Self {
        Self(genesis.0)
    }
}

impl fmt::Display for PersonaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&keys::base32(&self.0))
    }
}

/// Shows nothing: it names a person.
impl fmt::Debug for PersonaId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PersonaId(…)")
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
text_serde!(Digest);
text_serde!(PersonaId);
