//! What was seen of people before: which persona a subject and an address belong to, and how far its chain
//! had come.

use std::collections::BTreeMap;

use keys::VerifyingKey;
use message::UserAddress;
use serde::{Deserialize, Serialize};

use crate::chain::Head;
use crate::digest::PersonaId;
use crate::verified::VerifiedIdentity;

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
}

/// What a verifier remembers; [`PinBook`] in memory, the store on disk.
pub trait Pins {
    /// What the subject was pinned to.
    fn subject(&self, subject: &SubjectKey) -> Option<Pin>;
    /// What the address was pinned to.
    fn address(&self, user: &UserAddress) -> Option<Pin>;
    /// The newest head of the persona's chain, from whatever source.
    fn head(&self, persona: &PersonaId) -> Option<Head>;
}

/// Pins kept in memory; serialisable.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinBook {
    subjects: Vec<(SubjectKey, Pin)>,
    addresses: BTreeMap<String, Pin>,
    heads: BTreeMap<PersonaId, Head>,
}

impl PinBook {
    /// A book with nothing in it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Remembers a verified identity: pins what is new, and moves its chain's head forward.
    pub fn remember(&mut self, who: &VerifiedIdentity, now: i64) {
        let comparison = Comparison::Introduced;
        let pin = Pin { persona: who.persona(), irk: *who.irk(), comparison, since: now };
        for attested in who.attested() {
            if self.subject(&attested.subject).is_none() {
                self.subjects.push((attested.subject.clone(), pin));
            }
        }
        self.addresses.entry(who.user().to_string()).or_insert(pin);
        self.saw_head(who.persona(), who.head().clone());
    }

    /// Remembers a head if it is newer than the known one.
    pub fn saw_head(&mut self, persona: PersonaId, head: Head) {
        let known = self.heads.entry(persona).or_insert_with(|| head.clone());
        if head.seq > known.seq {
            *known = head;
        }
    }

    /// Records that the persona was compared in person.
    pub fn compared(&mut self, persona: &PersonaId) {
        let subjects = self.subjects.iter_mut().map(|(_, pin)| pin);
        for pin in subjects.chain(self.addresses.values_mut()).filter(|pin| pin.persona == *persona) {
            pin.comparison = Comparison::Verified;
        }
    }

    /// Forgets everything about a persona: the owner accepted a key change, or removed the contact.
    pub fn forget(&mut self, persona: &PersonaId) {
        self.subjects.retain(|(_, pin)| pin.persona != *persona);
        self.addresses.retain(|_, pin| pin.persona != *persona);
        self.heads.remove(persona);
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
}
