//! What was seen of people before: which persona a subject and an address belong to, and how far its chain
//! had come.

use std::collections::BTreeMap;

use keys::VerifyingKey;
use message::UserAddress;
use serde::{Deserialize, Serialize};

use crate::chain::{Head, RESETS_LIMIT, RootOrigin, Sigchain};
use crate::change::{Change, explain};
use crate::digest::{Digest, PersonaId};
use crate::error::KeyChange;
use crate::verified::VerifiedIdentity;

/// Resets remembered for one persona: those of its chain, and of one that contradicts it.
const RESETS_SEEN_LIMIT: usize = 2 * RESETS_LIMIT;

/// A person as an issuer names them.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SubjectKey {
    /// The issuer as in its table entry.
    pub issuer: String,
    /// The client, where the subject depends on it.
    #[serde(default)]
    pub client: Option<String>,
    /// The subject.
    pub subject: String,
}

/// Shows the issuer only.
impl std::fmt::Debug for SubjectKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "SubjectKey({} …)", self.issuer)
    }
}

/// How sure the owner of the pins is of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Comparison {
    /// Seen first when introduced; only the issuer's word.
    Introduced,
    /// Compared in person by code or QR.
    Verified,
}

/// What a subject or an address was seen with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// The persona.
    pub persona: PersonaId,
    /// Its root key.
    pub irk: VerifyingKey,
    /// How it was confirmed.
    pub comparison: Comparison,
    /// When it was pinned.
    pub since: i64,
    /// Whether it was compared in person before its keys changed in a way that asks for another comparison.
    #[serde(default)]
    pub was_verified: bool,
}

impl Pin {
    fn new(who: &VerifiedIdentity, now: i64) -> Self {
        let comparison = Comparison::Introduced;
        Self { persona: who.persona(), irk: *who.irk(), comparison, since: now, was_verified: false }
    }

    /// How sure the pin still is for a chain of its persona: a root key named by the one before is as good
    /// as that one; a recovery or a reset must be compared again. None if the pinned key leads nowhere.
    pub(crate) fn followed(&self, chain: &Sigchain) -> Option<Comparison> {
        let at = chain.roots().iter().position(|root| root.irk == self.irk)?;
        let unbroken = chain.roots()[at + 1..].iter().all(|root| root.origin == RootOrigin::Rotated);
        Some(if unbroken { self.comparison } else { Comparison::Introduced })
    }

    fn follow(&mut self, who: &VerifiedIdentity) {
        if let Some(comparison) = self.followed(who.chain()) {
            self.was_verified |= comparison < self.comparison;
            (self.irk, self.comparison) = (*who.irk(), comparison);
        }
    }
}

/// What a verifier remembers; [`PinBook`] in memory, the store on disk.
pub trait Pins {
    /// What the subject was pinned to.
    fn subject(&self, subject: &SubjectKey) -> Option<Pin>;
    /// What the address was pinned to.
    fn address(&self, user: &UserAddress) -> Option<Pin>;
    /// The newest head of the persona's chain, from whatever source.
    fn head(&self, persona: &PersonaId) -> Option<Head>;
    /// When a reset of the persona, with an issuer behind it, was first seen.
    fn reset_seen(&self, _persona: &PersonaId, _reset: &Digest) -> Option<i64> {
        None
    }
}

/// Pins kept in memory; serialisable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinBook {
    subjects: Vec<(SubjectKey, Pin)>,
    addresses: BTreeMap<String, Pin>,
    heads: BTreeMap<PersonaId, Head>,
    #[serde(default)]
    resets: BTreeMap<PersonaId, BTreeMap<Digest, i64>>,
}

impl PinBook {
    /// A book with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Remembers a verified identity: pins what is new, follows its chain with what is pinned, and moves the
    /// known head forward. Ask [`PinBook::changes`] before, if what changed shall be told.
    pub fn remember(&mut self, who: &VerifiedIdentity, now: i64) {
        for pin in self.pins_of(&who.persona()) {
            pin.follow(who);
        }
        for attested in who.attested() {
            if self.subject(&attested.subject).is_none() {
                self.subjects.push((attested.subject.clone(), Pin::new(who, now)));
            }
        }
        self.addresses.entry(who.user().to_string()).or_insert_with(|| Pin::new(who, now));
        self.saw_head(who.persona(), who.head().clone());
        for (reset, first_seen) in &who.resets {
            self.saw_reset(who.persona(), *reset, *first_seen);
        }
    }

    /// Remembers when a reset was first seen; later sights change nothing. For whoever verification did not
    /// let in, the reset stands in [`VerifyError::ResetPending`](crate::VerifyError::ResetPending).
    pub fn saw_reset(&mut self, persona: PersonaId, reset: Digest, now: i64) {
        let known = self.resets.entry(persona).or_default();
        if known.len() < RESETS_SEEN_LIMIT {
            known.entry(reset).or_insert(now);
        }
    }

    /// What changed about somebody since they were remembered last.
    pub fn changes(&self, who: &VerifiedIdentity) -> Vec<Change> {
        let subjects = who.attested().iter().filter_map(|one| self.subject(&one.subject));
        let pins = subjects.chain(self.address(who.user()));
        let oldest = pins
            .filter(|pin| pin.persona == who.persona())
            .min_by_key(|pin| who.chain().roots().iter().position(|root| root.irk == pin.irk));
        oldest.map(|pin| explain(&pin, self.head(&who.persona()).as_ref(), who)).unwrap_or_default()
    }

    /// The owner of the pins accepts new keys that nothing explains: subject and address are pinned anew,
    /// where they were pinned to the persona of before.
    pub fn accept(&mut self, change: &KeyChange, now: i64) {
        let verified = change.pinned.comparison == Comparison::Verified;
        let pin = Pin {
            persona: change.shown_persona,
            irk: change.shown_irk,
            comparison: Comparison::Introduced,
            since: now,
            was_verified: verified || change.pinned.was_verified,
        };
        let subject = self.subjects.iter_mut().find(|(known, _)| *known == change.subject).map(|(_, pin)| pin);
        let address = self.addresses.get_mut(change.user.address().as_str());
        for known in subject.into_iter().chain(address).filter(|known| known.persona == change.pinned.persona) {
            *known = pin;
        }
    }

    /// Remembers a head if it is newer than the known one.
    pub fn saw_head(&mut self, persona: PersonaId, head: Head) {
        let known = self.heads.entry(persona).or_insert_with(|| head.clone());
        if head.seq > known.seq {
            *known = head;
        }
    }

    /// Records that the persona was compared in person, with the keys it has now.
    pub fn compared(&mut self, persona: &PersonaId) {
        for pin in self.pins_of(persona) {
            (pin.comparison, pin.was_verified) = (Comparison::Verified, false);
        }
    }

    /// Takes a comparison back.
    pub fn uncompared(&mut self, persona: &PersonaId) {
        for pin in self.pins_of(persona) {
            (pin.comparison, pin.was_verified) = (Comparison::Introduced, false);
        }
    }

    /// Whether the persona was compared in person before its keys changed.
    pub fn was_verified(&self, persona: &PersonaId) -> bool {
        let pins = self.subjects.iter().map(|(_, pin)| pin).chain(self.addresses.values());
        pins.into_iter().any(|pin| pin.persona == *persona && pin.was_verified)
    }

    fn pins_of(&mut self, persona: &PersonaId) -> impl Iterator<Item = &mut Pin> {
        let pins = self.subjects.iter_mut().map(|(_, pin)| pin).chain(self.addresses.values_mut());
        pins.filter(move |pin| pin.persona == *persona)
    }

    /// Forgets everything about a persona: the owner accepted a key change, or removed the contact.
    pub fn forget(&mut self, persona: &PersonaId) {
        self.subjects.retain(|(_, pin)| pin.persona != *persona);
        self.addresses.retain(|_, pin| pin.persona != *persona);
        self.heads.remove(persona);
        self.resets.remove(persona);
    }
}

impl Pins for PinBook {
    fn subject(&self, subject: &SubjectKey) -> Option<Pin> {
        self.subjects.iter().find(|(known, _)| known == subject).map(|(_, pin)| *pin)
    }

    fn address(&self, user: &UserAddress) -> Option<Pin> {
        self.addresses.get(user.address().as_str()).copied()
    }

    fn head(&self, persona: &PersonaId) -> Option<Head> {
        self.heads.get(persona).cloned()
    }

    fn reset_seen(&self, persona: &PersonaId, reset: &Digest) -> Option<i64> {
        self.resets.get(persona)?.get(reset).copied()
    }
}
