//! One connected runtime: first a challenge, then a proven key.

use std::collections::{BTreeSet, HashSet};

use keys::{Signature, VerifyingKey};
use message::{Address, Domain, Message};
use serde::{Deserialize, Serialize};

use super::rate::{Bucket, Windows};
use crate::limits::Limits;

/// Names a session; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SessionId(pub u64);

impl SessionId {
    /// The node that has it; 0 when there is only one.
    pub fn slot(self) -> u8 {
        u8::try_from(self.0 >> 48).unwrap_or(u8::MAX)
    }
}

/// What a runtime is to the domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A device of the domain's own people.
    Member,
    /// A runtime of another domain, under a key made for this visit.
    Visitor,
}

impl Role {
    /// The word that is signed and answered.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Visitor => "visitor",
        }
    }
}

/// How a runtime proves its key (the body of `open`).
#[derive(Deserialize)]
pub struct Proof {
    /// What it wants to be.
    pub role: Role,
    /// Its key.
    pub key: VerifyingKey,
    /// The key's signature over the challenge.
    pub signature: Signature,
}

impl Proof {
    /// The bytes the key signs: nothing signed for one domain, role or moment fits another.
    pub fn signed_bytes(domain: &Domain, challenge: &str, role: Role) -> Vec<u8> {
        format!("parlance-session-v1\n{domain}\n{challenge}\n{}", role.as_str()).into_bytes()
    }

    /// Whether the key signed this challenge for this domain and role.
    pub fn holds(&self, domain: &Domain, challenge: &str) -> bool {
        self.key.verify(&Self::signed_bytes(domain, challenge, self.role), &self.signature).is_ok()
    }

    /// The address of a session with this key.
    pub fn address(&self, domain: &Domain) -> Address {
        let hash = keys::sha256(&[b"parlance-session-address-v1\n".as_slice(), self.key.as_bytes()].concat());
        let letter = match self.role {
            Role::Member => 'd',
            Role::Visitor => 'v',
        };
        let name = keys::base32(&hash[..20]);
        Address::new("runtime", domain, &format!("{letter}-{name}")).expect("base32 is fit for an address")
    }
}

/// A session whose key is proven.
pub struct Proven {
    /// What it is.
    pub role: Role,
    /// Its key as text; names the device in the records.
    pub device: String,
    /// Its own address.
    pub address: Address,
    /// The addresses allocated to it.
    pub addresses: HashSet<Address>,
    /// The account it belongs to.
    pub user: Option<String>,
    /// Messages under way to it that it has not confirmed.
    pub flights: BTreeSet<u64>,
    /// Their bytes.
    pub flight_bytes: usize,
    /// Its inboxes with kept messages that were not sent yet.
    pub waiting: BTreeSet<Address>,
    /// What it subscribed.
    pub subscriptions: HashSet<Address>,
    /// When it proved its key, in Unix milliseconds.
    pub since_ms: i64,
}

impl Proven {
    /// Whether messages of this session may come from this address.
    pub fn may_speak_as(&self, from: &Address) -> bool {
        self.owns(from) || self.owns(&from.base())
    }

    fn owns(&self, address: &Address) -> bool {
        self.address == *address || self.addresses.contains(address)
    }

    /// Visitors, and members with an account, may do what their role allows.
    pub fn is_admitted(&self) -> bool {
        self.role == Role::Visitor || self.user.is_some()
    }
}

/// Where a session stands.
pub enum Stage {
    /// It was given a challenge.
    Challenged {
        /// The challenge.
        challenge: String,
        /// When it must have proven its key.
        until_ms: i64,
    },
    /// It proved its key.
    Proven(Box<Proven>),
}

/// A connected runtime.
pub struct Session {
    /// Where it stands.
    pub stage: Stage,
    /// What it may still send, in messages.
    pub bucket: Bucket,
    /// The same in bytes.
    pub bytes: Bucket,
    /// Its registry reads.
    pub reads: Windows<()>,
    /// Its linking messages.
    pub linkings: u32,
}

impl Session {
    /// Counts a message against the session's rates; says whether it is within them.
    pub fn may_send(&mut self, message: &Message, limits: &Limits, now_ms: i64) -> bool {
        let bytes = message.body.as_str().len() as f64;
        self.bucket.take(1.0, limits.messages_per_second, limits.message_burst, now_ms)
            && self.bytes.take(bytes, limits.bytes_per_second, limits.byte_burst, now_ms)
    }

    /// What is known once the key is proven.
    pub fn proven(&self) -> Option<&Proven> {
        match &self.stage {
            Stage::Proven(proven) => Some(proven),
            Stage::Challenged { .. } => None,
        }
    }

    /// The same, to be changed.
    pub fn proven_mut(&mut self) -> Option<&mut Proven> {
        match &mut self.stage {
            Stage::Proven(proven) => Some(proven),
            Stage::Challenged { .. } => None,
        }
    }
}
