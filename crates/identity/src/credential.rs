//! What an MLS leaf says about its owner: small enough for every member's tree.
//!
//! CBOR `{persona_id, irk, device_cert, chain_head, pkt_hash}`; the tokens themselves travel once, beside
//! the first message, and are named here by their hash.

use std::fmt;

use keys::VerifyingKey;
use serde::de::{Error, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::chain::{AddDevice, ChainError, DeviceError, Entry, EntryBody, Sigchain, Signer};
use crate::digest::{Digest, PersonaId};

/// The MLS credential type, in the private range.
pub const CREDENTIAL_TYPE: u16 = 0xF1A7;
/// Largest credential in bytes.
pub const CREDENTIAL_LIMIT: usize = 8192;
const HASHES_LIMIT: usize = 16;

/// Why a credential is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialError {
    /// Too large.
    #[error("a credential has at most {CREDENTIAL_LIMIT} bytes")]
    TooLarge,
    /// Not of the form of a credential.
    #[error("not of the form of a credential")]
    Malformed,
    /// The certificate in it is no signed `add_device` entry of its root key.
    #[error("the device certificate: {0}")]
    Certificate(ChainError),
    /// The certificate is an entry of another kind.
    #[error("the device certificate is not an add_device entry")]
    NotADevice,
    /// The chain is another persona's, or does not hold what the credential names.
    #[error("the credential belongs to another chain")]
    ForeignChain,
    /// The device may not speak for the persona.
    #[error(transparent)]
    Device(DeviceError),
    /// The leaf signs with another key.
    #[error("the leaf signs with another key than its certificate names")]
    NotTheLeaf,
}

/// A device as its `add_device` entry certifies it.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceCert {
    entry: Entry,
    body: AddDevice,
}

impl DeviceCert {
    fn of(entry: Entry) -> Result<Self, CredentialError> {
        match entry.body() {
            EntryBody::AddDevice(body) if entry.by() == Signer::Irk => Ok(Self { body: body.clone(), entry }),
            _ => Err(CredentialError::NotADevice),
        }
    }

    /// The device's key.
    pub fn dsk(&self) -> &VerifyingKey {
        &self.body.dsk
    }

    /// What its owner calls it.
    pub fn name(&self) -> &str {
        &self.body.name
    }

    /// When it stops counting.
    pub fn expires(&self) -> i64 {
        self.body.expires
    }

    /// The signed entry.
    pub fn entry(&self) -> &Entry {
        &self.entry
    }
}

impl fmt::Debug for DeviceCert {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceCert(…)")
    }
}

/// What an MLS leaf says about its owner.
#[derive(Clone, PartialEq, Eq)]
pub struct DeviceCredential {
    persona: PersonaId,
    irk: VerifyingKey,
    cert: DeviceCert,
    head: (u64, Digest),
    pkt_hashes: Vec<Digest>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Wire {
    persona_id: Bytes32,
    irk: Bytes32,
    device_cert: String,
    chain_head: (u64, Bytes32),
    pkt_hash: Vec<Bytes32>,
}

impl DeviceCredential {
    /// The credential of one device of a chain, naming the tokens its owner shows.
    pub fn of(chain: &Sigchain, dsk: &VerifyingKey, pkt_hashes: &[Digest], now: i64) -> Result<Self, CredentialError> {
        let device = chain.device(dsk, now).map_err(CredentialError::Device)?;
        let entry = chain.entries().iter().find(|entry| entry.hash() == device.entry);
        let entry = entry.cloned().ok_or(CredentialError::ForeignChain)?;
        if pkt_hashes.len() > HASHES_LIMIT {
            return Err(CredentialError::TooLarge);
        }
        let head = chain.head();
        Ok(Self {
            persona: chain.persona(),
            // The key that certified the device, which a rotation may have replaced since.
            irk: chain.irk_at(entry.seq()),
            cert: DeviceCert::of(entry)?,
            head: (head.seq, head.hash),
            pkt_hashes: pkt_hashes.to_vec(),
        })
    }

    /// As CBOR.
    pub fn encode(&self) -> Vec<u8> {
        let wire = Wire {
            persona_id: Bytes32(self.persona.0),
            irk: Bytes32(*self.irk.as_bytes()),
            device_cert: self.cert.entry.text().to_owned(),
            chain_head: (self.head.0, Bytes32(self.head.1.0)),
            pkt_hash: self.pkt_hashes.iter().map(|hash| Bytes32(hash.0)).collect(),
        };
        let mut bytes = Vec::with_capacity(512);
        ciborium::into_writer(&wire, &mut bytes).expect("a vector takes every write");
        bytes
    }

    /// Reads CBOR and checks that the root key in it certified the device in it. Whether that root key is
    /// the persona's, only the chain can tell: [`DeviceCredential::check`].
    pub fn decode(bytes: &[u8]) -> Result<Self, CredentialError> {
        if bytes.len() > CREDENTIAL_LIMIT {
            return Err(CredentialError::TooLarge);
        }
        let mut rest = bytes;
        let wire: Wire =
            ciborium::de::from_reader_with_recursion_limit(&mut rest, 8).map_err(|_| CredentialError::Malformed)?;
        if !rest.is_empty() || wire.pkt_hash.len() > HASHES_LIMIT {
            return Err(CredentialError::Malformed);
        }
        let irk = VerifyingKey::from_bytes(&wire.irk.0).map_err(|_| CredentialError::Malformed)?;
        let entry = Entry::parse(&wire.device_cert).map_err(CredentialError::Certificate)?;
        entry.check_signature(&irk).map_err(CredentialError::Certificate)?;
        Ok(Self {
            persona: PersonaId(wire.persona_id.0),
            irk,
            cert: DeviceCert::of(entry)?,
            head: (wire.chain_head.0, Digest(wire.chain_head.1.0)),
            pkt_hashes: wire.pkt_hash.into_iter().map(|hash| Digest(hash.0)).collect(),
        })
    }

    /// Checks the credential of a leaf that signs with `leaf` against its owner's chain.
    pub fn check(&self, chain: &Sigchain, leaf: &VerifyingKey, now: i64) -> Result<(), CredentialError> {
        let holds = |seq: u64, hash: Digest| {
            usize::try_from(seq).ok().and_then(|seq| chain.entries().get(seq)).is_some_and(|entry| entry.hash() == hash)
        };
        let same_keys = self.persona == chain.persona() && self.irk == chain.irk_at(self.cert.entry.seq());
        if !same_keys || !holds(self.cert.entry.seq(), self.cert.entry.hash()) || !holds(self.head.0, self.head.1) {
            return Err(CredentialError::ForeignChain);
        }
        if self.cert.dsk() != leaf {
            return Err(CredentialError::NotTheLeaf);
        }
        chain.device(leaf, now).map(|_| ()).map_err(CredentialError::Device)
    }

    /// The persona it claims.
    pub fn persona(&self) -> PersonaId {
        self.persona
    }

    /// The root key that certified the device: the persona's at that time.
    pub fn irk(&self) -> &VerifyingKey {
        &self.irk
    }

    /// The device.
    pub fn device(&self) -> &DeviceCert {
        &self.cert
    }

    /// Number and hash of the newest chain entry its owner knew.
    pub fn chain_head(&self) -> (u64, Digest) {
        self.head
    }

    /// The tokens its owner shows.
    pub fn pkt_hashes(&self) -> &[Digest] {
        &self.pkt_hashes
    }
}

impl fmt::Debug for DeviceCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DeviceCredential(…)")
    }
}

/// 32 bytes as a CBOR byte string, not as a list of numbers.
struct Bytes32([u8; 32]);

impl Serialize for Bytes32 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> Deserialize<'de> for Bytes32 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Reader;
        impl Visitor<'_> for Reader {
            type Value = Bytes32;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("32 bytes")
            }
            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Bytes32, E> {
                bytes.try_into().map(Bytes32).map_err(|_| E::invalid_length(bytes.len(), &self))
            }
        }
        deserializer.deserialize_bytes(Reader)
    }
}
