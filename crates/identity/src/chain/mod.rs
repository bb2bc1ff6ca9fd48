//! The append-only, hash-linked history of one persona: its root key, devices and attestations.
//!
//! A [`Sigchain`] that exists has been checked from its first entry on: numbering, links, who signed
//! what, and every signature. It reads no clock: whether a device counts *now* is asked with the time.

mod entry;
mod error;
mod standing;
mod state;

use keys::{SigningKey, VerifyingKey};

pub use entry::{AddDevice, Attest, ENTRY_LIMIT, Entry, EntryBody, Genesis, IdpLink, NewRoot, RevokeDevice, Signer};
pub use error::{ChainError, DeviceError};
pub use standing::{Equivocation, Head, SealedText, Standing};
pub use state::{Attestation, DEVICE_LIFE_LIMIT_S, DEVICE_NAME_LIMIT, Device};

use crate::digest::{Digest, PersonaId};
use state::State;

/// Most entries of a chain.
pub const CHAIN_LIMIT: usize = 10_000;

/// A checked sigchain.
#[derive(Debug, Clone)]
pub struct Sigchain {
    entries: Vec<Entry>,
    state: State,
}

impl Sigchain {
    /// Begins a persona with its root key and, if it has one, its recovery key.
    pub fn create(irk: &SigningKey, rk: Option<VerifyingKey>, now: i64) -> Self {
        let genesis = Genesis { irk: irk.verifying_key(), rk };
        let entry = Entry::sign(irk, Signer::Irk, 0, None, now, EntryBody::Genesis(genesis.clone()));
        Self { state: State::new(&genesis), entries: vec![entry] }
    }

    /// Reads and checks a whole chain.
    pub fn parse<T: AsRef<str>>(texts: &[T]) -> Result<Self, ChainError> {
        if texts.len() > CHAIN_LIMIT {
            return Err(ChainError::TooManyEntries);
        }
        let (first, rest) = texts.split_first().ok_or(ChainError::Empty)?;
        let mut chain = Self::from_genesis(Entry::parse(first.as_ref())?)?;
        for text in rest {
            chain.append(Entry::parse(text.as_ref())?)?;
        }
        Ok(chain)
    }

    fn from_genesis(entry: Entry) -> Result<Self, ChainError> {
        let EntryBody::Genesis(genesis) = entry.body() else { return Err(ChainError::NoGenesis) };
        if entry.seq() != 0 || entry.prev().is_some() || entry.by() != Signer::Irk {
            return Err(ChainError::NoGenesis);
        }
        entry.check_signature(&genesis.irk)?;
        Ok(Self { state: State::new(genesis), entries: vec![entry] })
    }

    /// Checks one more entry and appends it.
    pub fn append(&mut self, entry: Entry) -> Result<(), ChainError> {
        let (last, seq) = (self.last(), self.entries.len() as u64);
        if self.entries.len() >= CHAIN_LIMIT {
            return Err(ChainError::TooManyEntries);
        }
        if entry.seq() != seq {
            return Err(ChainError::WrongNumber { expected: seq, got: entry.seq() });
        }
        if entry.prev() != Some(last.hash()) {
            return Err(ChainError::BrokenLink { seq });
        }
        if entry.iat() < last.iat() {
            return Err(ChainError::BackInTime { seq });
        }
        let key = self.state.key_of(&entry)?;
        entry.check_signature(&key)?;
        self.state.apply(&entry)?;
        self.entries.push(entry);
        Ok(())
    }

    fn sign_next(&mut self, key: &SigningKey, by: Signer, now: i64, body: EntryBody) -> Result<&Entry, ChainError> {
        let last = self.last();
        let entry = Entry::sign(key, by, self.entries.len() as u64, Some(last.hash()), now.max(last.iat()), body);
        self.append(entry)?;
        Ok(self.last())
    }

    /// Lets a device speak for the persona until `expires`, or renews it.
    pub fn add_device(
        &mut self,
        irk: &SigningKey,
        dsk: VerifyingKey,
        name: &str,
        expires: i64,
        now: i64,
    ) -> Result<&Entry, ChainError> {
        let body = EntryBody::AddDevice(AddDevice { dsk, name: name.to_owned(), expires });
        self.sign_next(irk, Signer::Irk, now, body)
    }

    /// Ends a device's right to speak for the persona, for ever.
    pub fn revoke_device(
        &mut self,
        key: &SigningKey,
        by: Signer,
        dsk: VerifyingKey,
        now: i64,
    ) -> Result<&Entry, ChainError> {
        self.sign_next(key, by, now, EntryBody::RevokeDevice(RevokeDevice { dsk }))
    }

    /// Records that an issuer vouches for the root key.
    pub fn attest(&mut self, irk: &SigningKey, attest: Attest, now: i64) -> Result<&Entry, ChainError> {
        self.sign_next(irk, Signer::Irk, now, EntryBody::Attest(attest))
    }

    /// Records a further issuer.
    pub fn link_idp(&mut self, irk: &SigningKey, link: IdpLink, now: i64) -> Result<&Entry, ChainError> {
        self.sign_next(irk, Signer::Irk, now, EntryBody::LinkIdp(link))
    }

    /// Takes an issuer's word back.
    pub fn unlink_idp(&mut self, irk: &SigningKey, link: IdpLink, now: i64) -> Result<&Entry, ChainError> {
        self.sign_next(irk, Signer::Irk, now, EntryBody::UnlinkIdp(link))
    }

    fn last(&self) -> &Entry {
        self.entries.last().expect("a chain has its genesis")
    }

    /// The persona this is the history of.
    pub fn persona(&self) -> PersonaId {
        self.genesis_hash().into()
    }

    /// Hash of the first entry.
    pub fn genesis_hash(&self) -> Digest {
        self.entries[0].hash()
    }

    /// The current identity root key.
    pub fn irk(&self) -> VerifyingKey {
        self.state.irk
    }

    /// All entries.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// All entries as they travel.
    pub fn texts(&self) -> Vec<String> {
        self.entries.iter().map(|entry| entry.text().to_owned()).collect()
    }

    /// The newest entry's number and hash.
    pub fn head(&self) -> Head {
        let last = self.last();
        Head { seq: last.seq(), hash: last.hash(), entry: last.text().to_owned().into() }
    }

    /// When the newest entry was signed.
    pub fn updated_at(&self) -> i64 {
        self.last().iat()
    }

    /// Every device the chain knows, revoked and expired ones too.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        self.state.devices.values()
    }

    /// The device with this key, if it may speak for the persona at `now`.
    pub fn device(&self, dsk: &VerifyingKey, now: i64) -> Result<&Device, DeviceError> {
        let device = self.state.devices.get(dsk).ok_or(DeviceError::Unknown)?;
        if device.revoked {
            return Err(DeviceError::Revoked);
        }
        if device.expires <= now {
            return Err(DeviceError::Expired { since: device.expires });
        }
        Ok(device)
    }

    /// What the owner recorded about the token with this hash.
    pub fn attestation(&self, pkt_hash: &Digest) -> Option<&Attestation> {
        self.state.attestations.iter().rev().find(|one| one.pkt_hash == *pkt_hash)
    }

    /// Every attestation, those taken back too.
    pub fn attestations(&self) -> &[Attestation] {
        &self.state.attestations
    }

    /// How this chain stands to a head seen before.
    pub fn compare(&self, seen: &Head) -> Standing {
        standing::compare(&self.entries, seen)
    }
}
