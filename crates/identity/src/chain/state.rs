//! What the entries of a chain add up to.

use std::collections::BTreeMap;
use std::fmt;

use keys::VerifyingKey;

use crate::digest::Digest;

use super::entry::{AddDevice, Attest, Entry, EntryBody, Genesis, IdpLink, RevokeDevice, Signer};
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
}

impl fmt::Debug for Attestation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attestation")
            .field("iss", &self.iss)
            .field("withdrawn", &self.withdrawn)
            .finish_non_exhaustive()
    }
}

#[derive(Debug, Clone)]
pub(super) struct State {
    pub irk: VerifyingKey,
    pub rk: Option<VerifyingKey>,
    pub devices: BTreeMap<VerifyingKey, Device>,
    pub attestations: Vec<Attestation>,
}

impl State {
    pub fn new(genesis: &Genesis) -> Self {
        Self { irk: genesis.irk, rk: genesis.rk, devices: BTreeMap::new(), attestations: Vec::new() }
    }

    /// The key that must have signed `entry`, if that signer may sign its kind at all.
    pub fn key_of(&self, entry: &Entry) -> Result<VerifyingKey, ChainError> {
        let recovery_may = matches!(entry.body(), EntryBody::RevokeDevice(_) | EntryBody::RotateIrk(_));
        match (entry.by(), self.rk) {
            (Signer::Irk, _) => Ok(self.irk),
            (Signer::Rk, Some(rk)) if recovery_may => Ok(rk),
            (Signer::Rk, _) => Err(ChainError::WrongSigner { seq: entry.seq() }),
        }
    }

    pub fn apply(&mut self, entry: &Entry) -> Result<(), ChainError> {
        let seq = entry.seq();
        match entry.body() {
            EntryBody::Genesis(_) => Err(ChainError::SecondGenesis { seq }),
            EntryBody::Attest(body) => self.attest(body, seq),
            EntryBody::AddDevice(body) => self.add_device(body, entry),
            EntryBody::RevokeDevice(body) => self.revoke_device(body, seq),
            EntryBody::LinkIdp(body) => check_subject(&body.iss, &body.sub, seq),
            EntryBody::UnlinkIdp(body) => self.unlink(body, seq),
            // Following them needs the delay, the veto and the explanation that belong to them.
            body @ (EntryBody::RotateIrk(_) | EntryBody::Reset(_)) => {
                Err(ChainError::Unsupported { seq, kind: body.kind() })
            }
        }
    }

    fn attest(&mut self, body: &Attest, seq: u64) -> Result<(), ChainError> {
        check_subject(&body.iss, &body.sub, seq)?;
        let Attest { pkt_hash, iss, sub, until } = body.clone();
        self.attestations.push(Attestation { pkt_hash, iss, sub, until, withdrawn: false });
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
            Some(known) => known.added,
            None => entry.iat(),
        };
        let AddDevice { dsk, name, expires } = body.clone();
        self.devices.insert(dsk, Device { dsk, name, added, expires, revoked: false, entry: entry.hash() });
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
