//! Somebody who was recognised. Only [`verify`](crate::verify) makes one.

use std::fmt;

use keys::VerifyingKey;
use message::{Domain, UserAddress};

use crate::chain::{Device, Head, Sigchain};
use crate::digest::{Digest, PersonaId};
use crate::error::PendingReset;
use crate::pins::SubjectKey;

/// Who vouches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Vouching {
    /// The person's own domain, about its own name.
    Domain(Domain),
    /// An issuer of the verifier's table.
    Issuer(String),
}

/// An e-mail address as an issuer told it.
#[derive(Clone, PartialEq, Eq)]
pub struct Email {
    /// The address.
    pub address: String,
    /// Whether the issuer checked it and can speak for its domain; otherwise show "unverified by …".
    pub authoritative: bool,
}

/// What a person calls themselves; never a key.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Display {
    /// Self-asserted name, free of control and direction characters.
    pub name: Option<String>,
    /// Self-asserted picture address.
    pub picture: Option<String>,
    /// E-mail address.
    pub email: Option<Email>,
}

macro_rules! hidden_debug {
    ($($type:ident),*) => {$(
        /// Shows nothing of the person.
        impl fmt::Debug for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(concat!(stringify!($type), "(…)"))
            }
        }
    )*};
}
hidden_debug!(Email, Display, VerifiedIdentity);

/// One issuer's word, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attested {
    /// Whom it names.
    pub subject: SubjectKey,
    /// Who vouches, in words for people.
    pub vouching: Vouching,
    /// When, by the token or its newest renewal.
    pub at: i64,
    /// Hash of the PK token.
    pub pkt_hash: Digest,
    /// Entra's own key of the person: tenant and object.
    pub entra: Option<(String, String)>,
    /// What it says for display.
    pub display: Display,
}

/// How the verifier knows the person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PinState {
    /// Never seen before; pin it now.
    New,
    /// Seen before with the same keys.
    Introduced,
    /// Compared in person.
    Verified,
}

/// Somebody who was recognised.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifiedIdentity {
    pub(crate) user: UserAddress,
    pub(crate) persona: PersonaId,
    pub(crate) irk: VerifyingKey,
    pub(crate) attested: Vec<Attested>,
    pub(crate) device: Device,
    pub(crate) head: Head,
    pub(crate) pin_state: PinState,
    pub(crate) fresh: bool,
    pub(crate) chain: Sigchain,
    /// Resets with an issuer behind them, and when they were first seen.
    pub(crate) resets: Vec<(Digest, i64)>,
    pub(crate) pending_reset: Option<PendingReset>,
}

impl VerifiedIdentity {
    /// The address claimed; the issuer vouches for it only when [`Vouching::Domain`] says so.
    pub fn user(&self) -> &UserAddress {
        &self.user
    }

    /// The persona.
    pub fn persona(&self) -> PersonaId {
        self.persona
    }

    /// Its root key.
    pub fn irk(&self) -> &VerifyingKey {
        &self.irk
    }

    /// The first issuer's word.
    pub fn primary(&self) -> &Attested {
        &self.attested[0]
    }

    /// Every issuer's word that was checked; at least one.
    pub fn attested(&self) -> &[Attested] {
        &self.attested
    }

    /// The issuer of the first word, as in its table entry.
    pub fn issuer(&self) -> &str {
        &self.primary().subject.issuer
    }

    /// The subject of the first word.
    pub fn subject(&self) -> &str {
        &self.primary().subject.subject
    }

    /// Who vouches, in words for people.
    pub fn vouching(&self) -> &Vouching {
        &self.primary().vouching
    }

    /// What the person calls themselves.
    pub fn display(&self) -> &Display {
        &self.primary().display
    }

    /// When an issuer vouched last.
    pub fn attested_at(&self) -> i64 {
        self.attested.iter().map(|one| one.at).max().unwrap_or_default()
    }

    /// Whether that is recent enough to be shown as fresh.
    pub fn is_fresh(&self) -> bool {
        self.fresh
    }

    /// The device that speaks.
    pub fn device(&self) -> &Device {
        &self.device
    }

    /// The sigchain, settled: its look-ups answer for the keys that count.
    pub fn chain(&self) -> &Sigchain {
        &self.chain
    }

    /// A reset of this persona that waits for its time; the keys shown here are those of before.
    pub fn pending_reset(&self) -> Option<&PendingReset> {
        self.pending_reset.as_ref()
    }

    /// The newest entry of the sigchain that counts.
    pub fn head(&self) -> &Head {
        &self.head
    }

    /// How the verifier knows the person.
    pub fn pin_state(&self) -> PinState {
        self.pin_state
    }
}
