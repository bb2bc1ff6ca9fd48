//! Signs documents and opens signed ones.
//!
//! As in DSSE the payload travels as the bytes that were signed and is never
//! written anew: `{"payload":"<base64url>","signatures":[{"keyid","sig"}]}`.
//! What is signed is `parlance-<part>-v1\n` and the payload, so that no document
//! can pass for another kind.

use std::collections::BTreeSet;
use std::fmt;

use keys::{Signature, SigningKey, VerifyingKey, b64url, base32, from_b64url, sha256};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::VerifyError;
use crate::limits::{DESCRIPTOR_LIMIT, ROOT_LIMIT, SIGNATURE_LIMIT, SNAPSHOT_LIMIT, SOURCE_LIMIT};

/// The documents of a catalogue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// Which keys speak for the catalogue.
    Root,
    /// Which packages exist.
    Snapshot,
    /// What one package is and may do.
    Descriptor,
    /// What one package runs.
    Source,
}

impl Part {
    /// Most bytes of this document.
    pub fn limit(self) -> usize {
        match self {
            Self::Root => ROOT_LIMIT,
            Self::Snapshot => SNAPSHOT_LIMIT,
            Self::Descriptor => DESCRIPTOR_LIMIT,
            Self::Source => SOURCE_LIMIT,
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Root => "root",
            Self::Snapshot => "snapshot",
            Self::Descriptor => "descriptor",
            Self::Source => "source",
        }
    }
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The short name of a key: the first 20 bytes of its SHA-256 in base32.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct KeyId(String);

impl KeyId {
    /// The name of a key.
    pub fn of(key: &VerifyingKey) -> Self {
        Self(base32(&sha256(key.as_bytes())[..20]))
    }
}

#[derive(Serialize, Deserialize)]
struct Envelope {
    payload: String,
    signatures: Vec<Signed>,
}

#[derive(Serialize, Deserialize)]
struct Signed {
    keyid: KeyId,
    sig: String,
}

/// Signs a document with all these keys.
pub(crate) fn seal<T: Serialize>(part: Part, document: &T, signers: &[&SigningKey]) -> Vec<u8> {
    let payload = serde_json::to_vec(document).expect("our own documents have text keys and no failing types");
    let signed = signed_bytes(part, &payload);
    let signatures = signers
        .iter()
        .map(|key| Signed { keyid: KeyId::of(&key.verifying_key()), sig: key.sign(&signed).to_string() })
        .collect();
    let envelope = Envelope { payload: b64url(&payload), signatures };
    serde_json::to_vec(&envelope).expect("an envelope is made of text")
}

fn signed_bytes(part: Part, payload: &[u8]) -> Vec<u8> {
    [format!("parlance-{part}-v1\n").as_bytes(), payload].concat()
}

/// A signed document whose signatures nobody has looked at yet.
pub(crate) struct Unverified {
    part: Part,
    payload: Vec<u8>,
    signatures: Vec<Signed>,
}

impl Unverified {
    pub(crate) fn parse(part: Part, bytes: &[u8]) -> Result<Self, VerifyError> {
        let limit = part.limit();
        if bytes.len() > limit {
            return Err(VerifyError::TooLarge { part, limit });
        }
        let envelope: Envelope =
            serde_json::from_slice(bytes).map_err(|_| malformed(part, "it is not a signed envelope"))?;
        if envelope.signatures.len() > SIGNATURE_LIMIT {
            return Err(malformed(part, "it has too many signatures"));
        }
        let payload = from_b64url(&envelope.payload).map_err(|_| malformed(part, "its payload is not base64url"))?;
        Ok(Self { part, payload, signatures: envelope.signatures })
    }

    /// Confirms that `threshold` different keys of `keys` signed this.
    pub(crate) fn check(&self, keys: &[VerifyingKey], threshold: usize) -> Result<(), VerifyError> {
        let part = self.part;
        if self.signatures.is_empty() {
            return Err(VerifyError::NotSigned { part });
        }
        let signed = signed_bytes(part, &self.payload);
        let mut agreeing = BTreeSet::new();
        let (mut known, mut broken) = (false, false);
        for claim in &self.signatures {
            let Some(key) = keys.iter().find(|key| KeyId::of(key) == claim.keyid) else { continue };
            known = true;
            if Signature::parse(&claim.sig).is_ok_and(|signature| key.verify(&signed, &signature).is_ok()) {
                agreeing.insert(key.as_bytes());
            } else {
                broken = true;
            }
        }
        if agreeing.len() >= threshold.max(1) {
            return Ok(());
        }
        Err(match (known, broken) {
            (false, _) => VerifyError::WrongKey { part },
            (true, true) => VerifyError::Tampered { part },
            (true, false) => VerifyError::NotSigned { part },
        })
    }

    /// Reads the payload. For what must be known before the signatures can be judged; check before believing.
    pub(crate) fn read<T: DeserializeOwned>(&self) -> Result<T, VerifyError> {
        serde_json::from_slice(&self.payload).map_err(|error| malformed(self.part, &error.to_string()))
    }
}

pub(crate) fn malformed(part: Part, reason: &str) -> VerifyError {
    // Bounded, because a parser's text can repeat what a stranger wrote.
    VerifyError::Malformed { part, reason: reason.chars().take(160).collect() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open(bytes: &[u8], keys: &[&SigningKey], threshold: usize) -> Result<String, VerifyError> {
        let keys: Vec<_> = keys.iter().map(|key| key.verifying_key()).collect();
        let unverified = Unverified::parse(Part::Descriptor, bytes)?;
        unverified.check(&keys, threshold)?;
        unverified.read()
    }

    #[test]
    fn what_is_signed_is_opened() {
        let key = SigningKey::generate();
        let bytes = seal(Part::Descriptor, &"hello", &[&key]);
        assert_eq!(open(&bytes, &[&key], 1).unwrap(), "hello");
    }

    #[test]
    fn one_key_does_not_count_twice() {
        let (one, two) = (SigningKey::generate(), SigningKey::generate());
        let bytes = seal(Part::Descriptor, &"hello", &[&one, &one]);
        assert_eq!(open(&bytes, &[&one, &two], 2), Err(VerifyError::NotSigned { part: Part::Descriptor }));
        let bytes = seal(Part::Descriptor, &"hello", &[&one, &two]);
        assert!(open(&bytes, &[&one, &two], 2).is_ok());
    }

    #[test]
    fn a_snapshot_does_not_pass_for_a_descriptor() {
        let key = SigningKey::generate();
        let bytes = seal(Part::Snapshot, &"hello", &[&key]);
        assert_eq!(open(&bytes, &[&key], 1), Err(VerifyError::Tampered { part: Part::Descriptor }));
    }

    #[test]
    fn no_signature_and_a_strangers_signature_are_different_words() {
        let (key, stranger) = (SigningKey::generate(), SigningKey::generate());
        let part = Part::Descriptor;
        assert_eq!(open(&seal(part, &"hello", &[]), &[&key], 1), Err(VerifyError::NotSigned { part }));
        assert_eq!(open(&seal(part, &"hello", &[&stranger]), &[&key], 1), Err(VerifyError::WrongKey { part }));
    }
}
