//! The append-only, hash-linked history of one persona: its root key, devices and attestations.
//!
//! A [`Sigchain`] that exists has been checked from its first entry on: numbering, links, who signed
//! what, and every signature. It reads no clock: whether a device counts *now* is asked with the time, and
//! no reset counts before [`Sigchain::settle`] was told the time and when the resets were first seen.

mod body;
mod entry;
mod equivocation;
mod error;
mod lines;
mod reset;
mod standing;
mod state;
mod write;

use keys::VerifyingKey;

pub use body::{AddDevice, Attest, EntryBody, Genesis, IdpLink, NewRoot, Reset, RevokeDevice, Veto};
pub use entry::{ENTRY_LIMIT, Entry, Signer};
pub use equivocation::{EQUIVOCATION_LIMIT, Equivocation, EquivocationError};
pub use error::{ChainError, DeviceError, ExtendError};
pub use reset::{RESET_DELAY_S, RESETS_LIMIT, ResetRecord, ResetStanding};
pub use standing::{Head, SealedText, Standing};
pub use state::{Attestation, DEVICE_LIFE_LIMIT_S, DEVICE_NAME_LIMIT, Device, Root, RootOrigin};

use crate::digest::{Digest, PersonaId};
use lines::{Lines, Mask};
use state::State;

/// Most entries of a chain.
pub const CHAIN_LIMIT: usize = 10_000;

/// A checked sigchain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sigchain {
    entries: Vec<Entry>,
    /// For each entry the lines it belongs to.
    masks: Vec<Mask>,
    lines: Lines,
    /// The line that counts.
    line: usize,
}

impl Sigchain {
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
        Ok(Self { lines: Lines::new(genesis, entry.iat()), masks: vec![1], line: 0, entries: vec![entry] })
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
        let applied = self.lines.apply(&entry)?;
        if let Some(base) = applied.opened {
            // What stood in the line below is the past of the new one.
            for mask in self.masks.iter_mut().filter(|mask| **mask & (1 << base) != 0) {
                *mask |= applied.mask;
            }
        }
        self.masks.push(applied.mask);
        self.entries.push(entry);
        Ok(())
    }

    /// Takes further entries as somebody handed them over: from a known one on, in order, those known
    /// already included. All of them or, on any fault, none. Says how many were new.
    pub fn extend<T: AsRef<str>>(&mut self, texts: &[T]) -> Result<usize, ExtendError> {
        if texts.len() > CHAIN_LIMIT {
            return Err(ExtendError::Chain(ChainError::TooManyEntries));
        }
        let mut longer = self.clone();
        for text in texts {
            let entry = Entry::parse(text.as_ref()).map_err(ExtendError::Chain)?;
            let known = usize::try_from(entry.seq()).ok().and_then(|seq| self.entries.get(seq));
            match known {
                Some(known) if known.hash() == entry.hash() => {}
                Some(known) => return Err(self.contradicted(known, &entry)),
                None => longer.append(entry).map_err(ExtendError::Chain)?,
            }
        }
        let new = longer.entries.len() - self.entries.len();
        *self = longer;
        Ok(new)
    }

    /// Another entry stands where one is known: proof against the owner only if the owner signed it.
    fn contradicted(&self, known: &Entry, other: &Entry) -> ExtendError {
        let proof = Equivocation {
            seq: known.seq(),
            before: self.entries[..known.seq() as usize].iter().map(|entry| entry.text().to_owned().into()).collect(),
            seen: known.text().to_owned().into(),
            shown: other.text().to_owned().into(),
        };
        match proof.verify() {
            Ok(_) => ExtendError::Equivocation(Box::new(proof)),
            Err(_) => ExtendError::Contradiction { seq: known.seq() },
        }
    }

    /// The entries from number `from` on, as they travel.
    pub fn suffix(&self, from: u64) -> Vec<String> {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        self.entries.iter().skip(from).map(|entry| entry.text().to_owned()).collect()
    }

    /// Decides which root key counts at `now`. `first_seen` says when the verifier first saw a reset with an
    /// issuer behind it, and nothing if it knows of no issuer. Without this call no reset counts.
    pub fn settle(&mut self, now: i64, first_seen: &dyn Fn(&ResetRecord) -> Option<i64>) {
        self.line = self.lines.in_force(now, first_seen);
    }

    /// Every reset of the chain, whatever became of it.
    pub fn resets(&self) -> impl Iterator<Item = &ResetRecord> {
        self.lines.resets()
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

    fn state(&self) -> &State {
        &self.lines.get(self.line).state
    }

    /// The current identity root key.
    pub fn irk(&self) -> VerifyingKey {
        self.state().root().irk
    }

    /// The root key at the time of entry `seq`.
    pub fn irk_at(&self, seq: u64) -> VerifyingKey {
        self.state().root_at(seq).irk
    }

    /// Every root key up to the current one, oldest first; never empty.
    pub fn roots(&self) -> &[Root] {
        &self.state().roots
    }

    /// Whether the key is or was the root key.
    pub fn was_root_key(&self, key: &VerifyingKey) -> bool {
        self.roots().iter().any(|root| root.irk == *key)
    }

    /// The reset that brought the line of the current root key, if one did.
    pub fn settled_reset(&self) -> Option<&ResetRecord> {
        self.lines.get(self.line).reset.as_ref()
    }

    /// The entries that count; those of a reset that does not count are left out.
    pub fn settled_entries(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        let bit: Mask = 1 << self.line;
        self.entries.iter().zip(&self.masks).filter(move |(_, mask)| **mask & bit != 0).map(|(entry, _)| entry)
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
        standing::head(self.last())
    }

    /// The newest entry that counts: somebody's unfounded reset behind it is not part of the history.
    pub fn settled_head(&self) -> Head {
        standing::head(self.settled_entries().next_back().unwrap_or_else(|| self.last()))
    }

    /// When the newest entry was signed.
    pub fn updated_at(&self) -> i64 {
        self.last().iat()
    }

    /// Every device the chain knows, revoked and expired ones too.
    pub fn devices(&self) -> impl Iterator<Item = &Device> {
        self.state().devices.values()
    }

    /// The device with this key, if it may speak for the persona at `now`.
    pub fn device(&self, dsk: &VerifyingKey, now: i64) -> Result<&Device, DeviceError> {
        let device = self.state().devices.get(dsk).ok_or(DeviceError::Unknown)?;
        if device.revoked {
            return Err(DeviceError::Revoked);
        }
        if device.replaced {
            return Err(DeviceError::BeforeReset);
        }
        if device.expires <= now {
            return Err(DeviceError::Expired { since: device.expires });
        }
        Ok(device)
    }

    /// What the owner recorded about the token with this hash.
    pub fn attestation(&self, pkt_hash: &Digest) -> Option<&Attestation> {
        self.attestations().iter().rev().find(|one| one.pkt_hash == *pkt_hash)
    }

    /// Every attestation, those taken back too.
    pub fn attestations(&self) -> &[Attestation] {
        &self.state().attestations
    }

    /// The resets on whose line the token with this hash is recorded with `upk` as its root key, outermost
    /// last; empty if it is recorded on no line that a reset opened. For each: does the owner of before know
    /// the issuer's subject?
    pub(crate) fn resets_backed_by(
        &self,
        pkt_hash: &Digest,
        upk: &VerifyingKey,
    ) -> Vec<(&ResetRecord, &[Attestation])> {
        let lines = self.lines.all();
        let records = |one: &Attestation, state: &State| {
            !one.withdrawn && one.pkt_hash == *pkt_hash && state.root_at(one.seq).irk == *upk
        };
        let holds = |state: &State| state.attestations.iter().any(|one| records(one, state));
        let mut at = lines.iter().rposition(|line| holds(&line.state));
        let mut found = Vec::new();
        while let Some(line) = at.map(|at| &lines[at]) {
            let Some(reset) = &line.reset else { break };
            found.push((reset, lines[line.base].state.attestations.as_slice()));
            at = Some(line.base);
        }
        found
    }

    /// The issuer that vouches for the key of a reset, as its owner recorded it: one that vouched for the
    /// persona before.
    pub fn reset_issuer(&self, reset: &ResetRecord) -> Option<&str> {
        let line =
            self.lines.all().iter().find(|line| line.reset.as_ref().is_some_and(|one| one.hash == reset.hash))?;
        let before = &self.lines.get(line.base).state;
        let known = line.state.attestations.iter().filter(|one| before.is_vouched(&one.iss, &one.sub));
        known.min_by_key(|one| one.pkt_hash != reset.pkt_hash).map(|one| one.iss.as_str())
    }

    /// Whether the token was recorded before the reset that brought the current root key.
    pub(crate) fn is_from_before_reset(&self, pkt_hash: &Digest) -> bool {
        let mut line = self.lines.get(self.line);
        while line.reset.is_some() {
            line = self.lines.get(line.base);
            if line.state.attestations.iter().any(|one| one.pkt_hash == *pkt_hash) {
                return true;
            }
        }
        false
    }

    /// Whether one and the same owner signed both as the next entry; see [`Equivocation`].
    fn is_two_faced(&self, one: &Entry, other: &Entry) -> bool {
        self.lines.owners(one) & self.lines.owners(other) != 0
    }

    /// How this chain stands to a head seen before.
    pub fn compare(&self, seen: &Head) -> Standing {
        standing::compare(&self.entries, seen)
    }
}
