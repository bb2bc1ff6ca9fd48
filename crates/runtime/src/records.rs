//! What the runtime keeps on disk, as sealed records of the store.

use std::collections::BTreeMap;

use contract::{ContactState, IdentityLine};
use message::{Address, UserAddress};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::trouble::{Failure, Outcome};

/// The kinds of records, each with its version in the name.
pub mod kind {
    /// The one [`super::Me`].
    pub const ME: &str = "me/1";
    /// [`super::Person`] by user address.
    pub const PERSON: &str = "person/1";
    /// [`super::Object`] by object address.
    pub const OBJECT: &str = "object/1";
    /// `catalogue::Memory` by domain.
    pub const CATALOGUE: &str = "catalogue/1";
    /// The policy's rules (`policy::Rules`): consents, contacts, ceilings.
    pub const RULES: &str = "rules/1";
    /// Pins of personas (`identity::PinBook`).
    pub const PINS: &str = "pins/1";
    /// All issuers' keys that were ever seen (`identity::JwksBook`).
    pub const ISSUER_KEYS: &str = "issuer-keys/1";
    /// Which of our key packages have their private halves here.
    pub const KEY_PACKAGES: &str = "key-packages/1";
    /// `contract::Settings`.
    pub const SETTINGS: &str = "settings/1";
}

/// The person who uses this device.
#[derive(Clone, Serialize, Deserialize)]
pub struct Me {
    /// Their address.
    pub user: UserAddress,
    /// How they are called.
    pub name: String,
    /// The issuer that vouches.
    pub issuer: String,
    /// Identity root key (secret).
    pub irk: String,
    /// Device signing key (secret).
    pub dsk: String,
    /// The sigchain, entry by entry.
    pub chain: Vec<String>,
    /// PK tokens.
    pub tokens: Vec<String>,
    /// Where sealed messages for this device arrive.
    pub inbox: Address,
    /// Address of the chat Hyperty.
    pub chat: Address,
    /// Address of the connector Hyperty.
    pub connector: Address,
}

/// Somebody else.
#[derive(Clone, Serialize, Deserialize)]
pub struct Person {
    /// Their address.
    pub user: UserAddress,
    /// How they are called; empty until they are verified.
    pub name: String,
    /// Where the contact stands.
    pub contact: ContactState,
    /// The persona their domain or they themselves named.
    pub persona: Option<String>,
    /// Who vouches, once checked.
    pub identity: Option<IdentityLine>,
    /// Where sealed messages for them go.
    pub inbox: Option<Address>,
    /// Names of their devices.
    pub devices: Vec<String>,
    /// The conversation with them.
    pub chat: Option<Address>,
    /// Where the contact stood before we blocked them.
    #[serde(default)]
    pub before_block: Option<ContactState>,
}

/// What a data object is used for; its scheme says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ObjectUse {
    /// `comm://`
    Chat,
    /// `connection://`
    Call,
}

/// How far the two sides of an object know each other.
#[derive(Clone, Serialize, Deserialize)]
pub enum Standing {
    /// We invited; their acceptance has not come.
    Invited,
    /// Their introduction is here and is being checked. Leaves for `Request`, `Open` or `Refused`.
    Verifying {
        /// What they said of themselves (identity evidence, JSON).
        evidence: String,
    },
    /// They invited, are verified, and a person has to answer.
    Request,
    /// Both sides are verified.
    Open,
    /// Refused or over; the word says why.
    Closed {
        /// Why.
        reason: String,
    },
}

/// A data object and its place in synchronisation.
#[derive(Clone, Serialize, Deserialize)]
pub struct Object {
    /// Its address.
    pub url: Address,
    /// What for.
    pub purpose: ObjectUse,
    /// Its schema.
    pub schema: String,
    /// The other side.
    pub peer: UserAddress,
    /// How far the two sides know each other.
    pub standing: Standing,
    /// Ours, or what we see of theirs.
    pub side: Side,
    /// How many lines about what happened there are.
    #[serde(default)]
    pub system_lines: u64,
    /// Sequence numbers of the children, by author.
    pub children: sync::Children<Value>,
    /// Sealed words that came before their sender was verified, in order.
    pub held: Vec<Held>,
    /// Device key of the other side, from the group's leaf.
    pub peer_device: Option<String>,
    /// Persona of the other side, from the group's leaf.
    pub peer_persona: Option<String>,
    /// The callee's description of a call, as it came sealed.
    #[serde(default)]
    pub sealed_answer: Option<String>,
    /// The gap we asked the other side to fill.
    #[serde(default)]
    pub asked: Option<Asked>,
    /// Why the other side could not be checked yet, once it took longer than a moment.
    #[serde(default)]
    pub unchecked: Option<String>,
    /// How far the two sides knew each other before we blocked the other.
    #[serde(default)]
    pub before_block: Option<Standing>,
    /// What was typed and not sent.
    pub draft: String,
    /// Unix milliseconds of the last thing that happened.
    pub at: i64,
}

/// What we last said to have, to fill a gap.
#[derive(Clone, Serialize, Deserialize)]
pub struct Asked {
    /// Version of the object.
    pub version: u64,
    /// The last child of the other side without a gap before it.
    pub have: u64,
    /// Unix milliseconds.
    pub at: i64,
}

/// Which side of an object we are.
#[derive(Clone, Serialize, Deserialize)]
pub enum Side {
    /// We write it.
    Reporter(sync::Reporter),
    /// We watch it.
    Observer(sync::Observer),
}

/// A verified-later message: who wrote it and what it says.
#[derive(Clone, Serialize, Deserialize)]
pub struct Held {
    /// Device key of the author's leaf.
    pub device: String,
    /// The inner message, JSON.
    pub message: String,
}

/// What a child of an object says, as the store keeps it.
#[derive(Clone, Serialize, Deserialize)]
pub struct ChildValue {
    /// As the author wrote it.
    pub value: Value,
    /// For system lines: what the sentence needs.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub detail: BTreeMap<String, String>,
}

impl Object {
    /// An object as it begins: nothing was said in it yet.
    pub(crate) fn new(
        url: Address,
        purpose: ObjectUse,
        schema: String,
        peer: UserAddress,
        standing: Standing,
        side: Side,
        now: i64,
    ) -> Self {
        Self {
            url,
            purpose,
            schema,
            peer,
            standing,
            side,
            system_lines: 0,
            children: sync::Children::default(),
            held: Vec::new(),
            peer_device: None,
            peer_persona: None,
            sealed_answer: None,
            asked: None,
            unchecked: None,
            before_block: None,
            draft: String::new(),
            at: now,
        }
    }

    /// Whether content may flow.
    pub fn is_open(&self) -> bool {
        matches!(self.standing, Standing::Open)
    }

    /// Whether somebody asks whose name is a mere claim until it can be checked.
    pub fn is_unchecked_request(&self) -> bool {
        self.unchecked.is_some()
            && self.purpose == ObjectUse::Chat
            && matches!((&self.standing, &self.side), (Standing::Verifying { .. }, Side::Observer(_)))
    }

    /// The group id is the object's address.
    pub(crate) fn group(&self) -> Outcome<seal::GroupId> {
        seal::GroupId::new(self.url.as_str()).ok_or_else(|| Failure::new("bad-address", "the address is no group id"))
    }
}
