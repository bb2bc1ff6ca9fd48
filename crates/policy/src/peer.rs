//! The person on the other side, as far as is known.

use std::collections::BTreeSet;

use message::{Domain, UserAddress};

/// How sure it is who is speaking.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// Tokens, chain and pin were checked, and hold.
    Verified(Assurance),
    /// Nothing was shown yet. What would be refused whatever was shown is refused with that reason; the rest as `unproven`.
    Unproven,
    /// Something was shown, and does not hold.
    Failed,
}

/// What the proof of an identity consists of.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Assurance {
    /// The issuers whose word was checked, as in the verifier's table.
    pub issuers: BTreeSet<String>,
    /// Domains in which they place the person: the own domain's issuer its domain, others the
    /// domain of an e-mail address for which they are authoritative. Never the claimed address alone.
    pub domains: BTreeSet<Domain>,
    /// Whether a code was compared with this person.
    pub compared: bool,
    /// How long ago an issuer vouched last.
    pub attested_age_s: i64,
}

/// Shows how much there is, and nothing of the person.
impl std::fmt::Debug for Assurance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Assurance({} issuers, compared {})", self.issuers.len(), self.compared)
    }
}

/// What somebody brings along who is not a contact.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Brought {
    /// Proof of work, checked and not used before.
    pub proof_of_work_bits: u8,
    /// A tag made with a contact link that the user gave out.
    pub contact_code: bool,
    /// A contact whose code was compared vouches for them.
    pub known_to_verified: bool,
    /// They are on the roster of a joint call that the user has taken.
    pub joint_call: bool,
    /// They come by a link into a group that the user gave out, or with a group into which the user asked by one.
    pub group_link: bool,
}

/// Why somebody's keys are others than before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyChange {
    /// A device that was known before signed the new ones.
    Vouched,
    /// The recovery key signed them.
    Recovered,
    /// Only the issuer says so.
    IssuerReset,
    /// Nobody says why.
    Unexplained,
}

/// The keys somebody speaks with, against those that were pinned.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Keys {
    /// The same, or pinned now for the first time.
    #[default]
    AsPinned,
    /// Others, and the user has not decided yet.
    Changed {
        /// Why.
        change: KeyChange,
        /// Whether a code had been compared with the keys before.
        was_verified: bool,
    },
}

/// A person on the other side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Peer {
    /// Who it claims to be.
    pub user: UserAddress,
    /// Whether that is so.
    pub identity: Identity,
    /// What a stranger brings along.
    pub brought: Brought,
    /// How their keys stand to what was pinned.
    pub keys: Keys,
    /// Whether the conversation has a device without a valid certificate.
    pub unproven_device: bool,
}

impl Peer {
    /// Somebody about whom nothing else is known.
    pub fn new(user: UserAddress, identity: Identity) -> Self {
        Self { user, identity, brought: Brought::default(), keys: Keys::AsPinned, unproven_device: false }
    }

    pub(crate) fn assurance(&self) -> Option<&Assurance> {
        match &self.identity {
            Identity::Verified(assurance) => Some(assurance),
            Identity::Unproven | Identity::Failed => None,
        }
    }
}

/// What is exchanged with a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Wish {
    /// They write to us first, or want us in a conversation.
    Write,
    /// They say something in a conversation that is open.
    Continue,
    /// They call us.
    Call,
    /// They show us their screen.
    Screen,
    /// We reach for them, or they answer when we did.
    Reach,
    /// We call them.
    ReachCall,
    /// We say something in a conversation that is open.
    Send,
}

impl Wish {
    /// Whether we are the ones who speak.
    pub(crate) fn is_ours(self) -> bool {
        matches!(self, Self::Reach | Self::ReachCall | Self::Send)
    }

    /// Whether something begins, rather than goes on.
    pub(crate) fn begins(self) -> bool {
        !matches!(self, Self::Continue | Self::Send)
    }
}
