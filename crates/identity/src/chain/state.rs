//! What the entries of one line of a chain add up to: root keys, devices, attestations.

use std::collections::BTreeMap;
use std::fmt;

use keys::VerifyingKey;

use crate::digest::Digest;

use super::body::{AddDevice, Attest, EntryBody, Genesis, IdpLink, NewRoot, RevokeDevice};
use super::entry::{Entry, Signer};
use super::error::ChainError;

/// Longest life of a device before it must be added again: a leap year.
pub const DEVICE_LIFE_LIMIT_S: i64 = 366 * 86_400;

/// Longest name of a device in characters.
pub const DEVICE_NAME_LIMIT: usize = 64;

const ISSUER_LIMIT: usize = 512;
const SUBJECT_LIMIT: usize = 255;

/// A device as the chain knows it.
#[derive(Clone, PartialEq, Eq)]
pub struct Device {
    /// Its signing key.
    pub dsk: VerifyingKey,
    /// What its owner calls it.
    pub name: String,
    /// When it was added first.
    pub added: i64,
    /// When it stops counting.
    pub expires: i64,
    /// Whether it was revoked.
    pub revoked: bool,
    /// Whether a reset ended it; it may be added again.
    pub replaced: bool,
    /// Hash of the entry that added it last.
    pub entry: Digest,
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Device").field("expires", &self.expires).field("revoked", &self.revoked).finish_non_exhaustive()
    }
}

/// An issuer's word as the owner recorded it.
#[derive(Clone, PartialEq, Eq)]
pub struct Attestation {
    /// Hash of the PK token.
    pub pkt_hash: Digest,
    /// The issuer.
    pub iss: String,
    /// The subject.
    pub sub: String,
    /// Until when it introduces the persona to strangers.
    pub until: i64,
    /// Whether the owner took it back.
    pub withdrawn: bool,
    /// Number of the entry that recorded it.
    pub seq: u64,
}

impl fmt::Debug for Attestation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attestation")
            .field("iss", &self.iss)
            .field("withdrawn", &self.withdrawn)
            .finish_non_exhaustive()
    }
}

/// How a root key came to be one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RootOrigin {
    /// It began the persona.
    Genesis,
    /// The root key before it named it.
    Rotated,
    /// The recovery key named it.
    Recovered,
    /// A reset brought it.
    Reset,
}

/// A root key, and from which entry on it was one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Root {
    /// The key.
    pub irk: VerifyingKey,
    /// The entry that made it the root key.
    pub seq: u64,
    /// When, by the signer's clock.
    pub at: i64,
    /// How.
    pub origin: RootOrigin,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct State {
    /// Never empty; the last one is in force.
    pub roots: Vec<Root>,
    pub devices: BTreeMap<VerifyingKey, Device>,
    pub attestations: Vec<Attestation>,
}

impl State {
    pub fn new(genesis: &Genesis, at: i64) -> Self {
        let root = Root { irk: genesis.irk, seq: 0, at, origin: RootOrigin::Genesis };
        Self { roots: vec![root], devices: BTreeMap::new(), attestations: Vec::new() }
    }

    /// What is left after a reset: whoever signed in knows nothing of the keys before, so no device and no
    /// issuer's word of before counts. Revoked devices stay revoked.
    pub fn after_reset(&self, root: Root) -> Self {
        let mut after = self.clone();
        after.roots.push(root);
        after.attestations.clear();
        after.devices.values_mut().for_each(|device| device.replaced = true);
        after
    }

    pub fn root(&self) -> &Root {
        self.roots.last().expect("a persona has a root key")
    }

    pub fn root_at(&self, seq: u64) -> &Root {
        self.roots.iter().rev().find(|root| root.seq <= seq).unwrap_or(&self.roots[0])
    }

    /// Whether the owner stands by a word of this issuer about this subject.
    pub fn is_vouched(&self, iss: &str, sub: &str) -> bool {
        self.attestations.iter().any(|one| !one.withdrawn && one.iss == iss && one.sub == sub)
    }

    /// Takes an entry whose signature was checked; one that is refused changes nothing.
    pub fn apply(&mut self, entry: &Entry) -> Result<(), ChainError> {
        let seq = entry.seq();
        match entry.body() {
            EntryBody::Attest(body) => self.attest(body, seq),
            EntryBody::AddDevice(body) => self.add_device(body, entry),
            EntryBody::RevokeDevice(body) => self.revoke_device(body, seq),
            EntryBody::LinkIdp(body) => check_subject(&body.iss, &body.sub, seq),
            EntryBody::UnlinkIdp(body) => self.unlink(body, seq),
            EntryBody::RotateIrk(body) => {
                self.rotate(body, entry);
                Ok(())
            }
            EntryBody::Genesis(_) | EntryBody::Reset(_) | EntryBody::Veto(_) => Err(ChainError::SecondGenesis { seq }),
        }
    }

    fn rotate(&mut self, body: &NewRoot, entry: &Entry) {
        let origin = if entry.by() == Signer::Rk { RootOrigin::Recovered } else { RootOrigin::Rotated };
        self.roots.push(Root { irk: body.irk, seq: entry.seq(), at: entry.iat(), origin });
    }

    fn attest(&mut self, body: &Attest, seq: u64) -> Result<(), ChainError> {
        check_subject(&body.iss, &body.sub, seq)?;
        let Attest { pkt_hash, iss, sub, until } = body.clone();
        self.attestations.push(Attestation { pkt_hash, iss, sub, until, withdrawn: false, seq });
        Ok(())
    }

    fn add_device(&mut self, body: &AddDevice, entry: &Entry) -> Result<(), ChainError> {
        let refuse = |fault| Err(ChainError::Device { seq: entry.seq(), fault });
        let name_fits =
            (1..=DEVICE_NAME_LIMIT).contains(&body.name.chars().count()) && !body.name.chars().any(char::is_control);
        if !name_fits {
            return refuse("a device's name has 1 to 64 characters");
        }
        if body.expires <= entry.iat() || body.expires > entry.iat().saturating_add(DEVICE_LIFE_LIMIT_S) {
            return refuse("a device is added for at most a year");
        }
        let added = match self.devices.get(&body.dsk) {
            Some(known) if known.revoked => return refuse("a revoked device is never added again"),
            Some(known) if !known.replaced => known.added,
            Some(_) | None => entry.iat(),
        };
        let AddDevice { dsk, name, expires } = body.clone();
        let entry = entry.hash();
        self.devices.insert(dsk, Device { dsk, name, added, expires, revoked: false, replaced: false, entry });
        Ok(())
    }

    fn revoke_device(&mut self, body: &RevokeDevice, seq: u64) -> Result<(), ChainError> {
        let device = self.devices.get_mut(&body.dsk);
        let device = device.ok_or(ChainError::Device { seq, fault: "a device is revoked that was never added" })?;
        device.revoked = true;
        Ok(())
    }

    fn unlink(&mut self, body: &IdpLink, seq: u64) -> Result<(), ChainError> {
        check_subject(&body.iss, &body.sub, seq)?;
        for one in self.attestations.iter_mut().filter(|one| one.iss == body.iss && one.sub == body.sub) {
            one.withdrawn = true;
        }
        Ok(())
    }
}

fn check_subject(iss: &str, sub: &str, seq: u64) -> Result<(), ChainError> {
    let issuer_fits = (1..=ISSUER_LIMIT).contains(&iss.len()) && iss.bytes().all(|b| b.is_ascii_graphic());
    let subject_fits =
        (1..=SUBJECT_LIMIT).contains(&sub.len()) && sub.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    if issuer_fits && subject_fits { Ok(()) } else { Err(ChainError::BadSubject { seq }) }
}
