//! What the runtime keeps on disk, as sealed records of the store.

use std::collections::BTreeMap;

use contract::{ContactState, IdentityLine, KeyChange, Refusal, TrustMark};
use message::{Address, UserAddress};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::chat::After;
use crate::circle::Circle;
use crate::trouble::{Failure, Outcome};

/// The kinds of records, each with its version in the name.
pub mod kind {
    /// The one [`super::Me`].
    pub const ME: &str = "me/2";
    /// [`super::Person`] by user address.
    pub const PERSON: &str = "person/2";
    /// [`super::Object`] by object address.
    pub const OBJECT: &str = "object/2";
    /// [`super::CommitLog`] by object address.
    pub const COMMITS: &str = "commits/1";
    /// When members of an object's group were heard ([`crate::behind::Heard`]), by object address.
    pub const HEARD: &str = "heard/1";
    /// When our leaf in an object's group was renewed ([`crate::refreshing::Fresh`]), by object address.
    pub const FRESH: &str = "fresh/1";
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
    /// Where the trail of verdicts ends ([`crate::trail_book`]).
    pub const TRAIL: &str = "trail/1";
    /// Lines of the trail by their number.
    pub const TRAIL_LINE: &str = "trail-line/1";
    /// What it takes to ask an issuer again without the person ([`crate::renewals::Renewing`]), by issuer.
    pub const RENEWING: &str = "renewing/1";
    /// The newest version that was seen of an organisation's policy, by the key it is signed with.
    pub const ORGANISATION: &str = "organisation/1";
    /// The one identity that is begun anew ([`crate::resetting::Restarting`]), until its time has come.
    pub const RESTART: &str = "restart/1";
    /// [`crate::chat::Extra`] by the conversation's address.
    pub const CHAT: &str = "chat/1";
    /// [`crate::call_book::Kept`] by its id.
    pub const PAST_CALL: &str = "past-call/1";
    /// What was measured in a call that is over (`call::quality::Sample`, in order), by its id.
    pub const CALL_FIGURES: &str = "call-figures/1";
    /// [`crate::muting::Mute`] by the conversation's address.
    pub const MUTE: &str = "mute/1";
    /// [`crate::files::Leaving`] by the name of its blob.
    pub const UPLOAD: &str = "upload/1";
    /// [`crate::files::Wanted`] by message.
    pub const DOWNLOAD: &str = "download/1";
    /// [`crate::files::Gone`] by the name of its blob.
    pub const GONE: &str = "file-gone/1";
    /// `contract::Settings`.
    pub const SETTINGS: &str = "settings/1";
    /// The code of our contact link.
    pub const CONTACT_CODE: &str = "contact-code/1";
    /// Somebody whom a contact introduced, by address.
    pub const VOUCHED: &str = "vouched/1";
    /// A link into a group that this device made ([`crate::doors::Link`]), by its id.
    pub const GROUP_INVITE: &str = "group-invite/1";
    /// A group we asked to be let into ([`crate::doors::Joining`]), by its address.
    pub const GROUP_JOINING: &str = "group-joining/1";
    /// A conversation that was read from a file ([`crate::archives::Archive`]), by its address.
    pub const ARCHIVE: &str = "archive/1";
    /// What the Reporter of a group showed of somebody who is not verified here yet ([`crate::sending::Introduction`]),
    /// by the group and the person.
    pub const UNMET: &str = "unmet/1";
    /// People whose keys changed ([`crate::comparing::Changed`]), in one record.
    pub const CHANGED: &str = "changed/1";
    /// How many messages of a group went to some of it only ([`crate::apart`]), by object address.
    pub const APART: &str = "apart/1";
    /// How often strangers were told that a link is none ([`crate::doors`]).
    pub const KNOCKS: &str = "knocks/1";
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
    /// Identity root key (secret); a device that may not add or revoke others has none.
    pub irk: Option<String>,
    /// Device signing key (secret).
    pub dsk: String,
    /// The sigchain, entry by entry.
    pub chain: Vec<String>,
    /// When resets in it were first seen here, in Unix seconds.
    #[serde(default)]
    pub resets: crate::settling::OwnResets,
    /// PK tokens.
    pub tokens: Vec<String>,
    /// Later words of the same issuers, signed by the root key.
    #[serde(default)]
    pub renewals: Vec<String>,
    /// How one comes back after losing every device; only a full device knows.
    #[serde(default)]
    pub recovery: Option<Recovery>,
    /// The data object of the own devices, once there is more than one.
    #[serde(default)]
    pub own: Option<Address>,
    /// Where sealed messages for this device arrive.
    pub inbox: Address,
    /// Address of the chat Hyperty.
    pub chat: Address,
    /// Address of the connector Hyperty.
    pub connector: Address,
}

/// How one comes back after losing every device.
#[derive(Clone, Serialize, Deserialize)]
pub struct Recovery {
    /// The 24 words (secret), until the person has shown that they kept them.
    pub words: Option<String>,
    /// What backups are sealed to; only the words open them.
    pub backup: keys::recovery::BackupPublic,
    /// The sheet that was written, while it is not confirmed.
    #[serde(default)]
    pub sheet: Option<String>,
    /// Unix milliseconds of the last backup.
    #[serde(default)]
    pub backup_at: Option<i64>,
}

impl Recovery {
    /// The words are here until they are kept elsewhere.
    pub(crate) fn new(words: &keys::recovery::RecoveryWords) -> Self {
        let text = words.text().to_string();
        Self { words: Some(text), backup: words.backup_public(), sheet: None, backup_at: None }
    }
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
    /// All who vouch.
    #[serde(default)]
    pub issuers: Vec<IdentityLine>,
    /// Their sigchain, as far as it was seen and checked.
    #[serde(default)]
    pub chain: Vec<String>,
    /// The PK tokens they showed when they were checked last, for those who are to know them in a group.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub tokens: Vec<String>,
    /// Later words of the same issuers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub renewals: Vec<String>,
    /// Unix milliseconds of when the codes were compared.
    #[serde(default)]
    pub compared_at: Option<i64>,
    /// A change of their keys that one should know of.
    #[serde(default)]
    pub change: Option<KeyChange>,
    /// Other keys under which they came, until a person decides.
    #[serde(default)]
    pub next: Option<NextKeys>,
    /// The conversation with them.
    pub chat: Option<Address>,
    /// Where the contact stood before we blocked them.
    #[serde(default)]
    pub before_block: Option<ContactState>,
}

/// Other keys under a known name, for which only an issuer has a word.
#[derive(Clone, Serialize, Deserialize)]
pub struct NextKeys {
    /// The address they came under.
    pub user: UserAddress,
    /// The other persona.
    pub persona: String,
    /// Its sigchain.
    pub chain: Vec<String>,
    /// What was begun under these keys and waits.
    pub objects: Vec<Address>,
}

/// What a data object is used for; its scheme says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ObjectUse {
    /// `comm://`
    Chat,
    /// `connection://`
    Call,
    /// `ctxt://`: what the devices of one person tell each other.
    Own,
    /// `door://`: somebody asks to be let into a group, and is answered.
    Door,
}

impl ObjectUse {
    /// Whether it is between one device of each side, and over before another one could be of use in it.
    pub(crate) fn is_brief(self) -> bool {
        matches!(self, Self::Call | Self::Door)
    }
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
    /// Another device of ours told of it; its group has not come to this one yet.
    Copied,
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
    /// The other side; of a group its owner.
    pub peer: UserAddress,
    /// Of a conversation of several people: who they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) circle: Option<Circle>,
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
    /// The other devices of the group and where they receive.
    pub members: Vec<Member>,
    /// Persona of the other side, from the group's leaf.
    pub peer_persona: Option<String>,
    /// The callee's description of a call, as it came sealed.
    #[serde(default)]
    pub sealed_answer: Option<String>,
    /// The latest description of the other side for another path, as it came sealed.
    #[serde(default)]
    pub sealed_path: Option<String>,
    /// The device that took a call, or that accepted while this one was still checking.
    #[serde(default)]
    pub answered_by: Option<String>,
    /// Of a call: why the other side ends it, told just before it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bye: Option<String>,
    /// Sealed messages of an epoch whose commit has not come yet.
    #[serde(default)]
    pub early: Vec<String>,
    /// What was refused, by its code.
    #[serde(default)]
    pub refusals: BTreeMap<String, Refused>,
    /// The gap we asked the other side to fill.
    #[serde(default)]
    pub asked: Option<Asked>,
    /// Why the other side could not be checked yet, once it took longer than a moment.
    #[serde(default)]
    pub unchecked: Option<String>,
    /// What we bring along to somebody who may not know us.
    #[serde(default)]
    pub brought: crate::brought::Words,
    /// How far the two sides knew each other before we blocked the other.
    #[serde(default)]
    pub before_block: Option<Standing>,
    /// What was typed and not sent.
    pub draft: String,
    /// Unix milliseconds of the last thing that happened.
    pub at: i64,
}

/// Another device in an object's group.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// Its key, as the group's leaf says.
    pub device: String,
    /// Whose it is.
    pub user: UserAddress,
    /// Where it receives.
    pub inbox: Option<Address>,
}

/// How often something was refused.
#[derive(Clone, Copy, Default, Serialize, Deserialize)]
pub struct Refused {
    /// How often.
    pub count: u32,
    /// Unix milliseconds of the last one.
    pub last_at: i64,
}

/// Commits of ours that a member may have missed, the oldest first.
#[derive(Default, Serialize, Deserialize)]
pub struct CommitLog {
    /// What was sealed for all, and the epoch it ended.
    pub commits: Vec<(u64, String)>,
    /// Unix milliseconds of when they were last sent again.
    pub resent_at: i64,
}

/// What we last said to have, to fill a gap.
#[derive(Clone, Serialize, Deserialize)]
pub struct Asked {
    /// Version of the object.
    pub version: u64,
    /// The last child of the other side without a gap before it.
    pub have: BTreeMap<sync::Author, u64>,
    /// In a large group: whose children were asked for besides.
    #[serde(default)]
    pub of: std::collections::BTreeSet<sync::Author>,
    /// Unix milliseconds.
    pub at: i64,
}

/// Which side of an object we are.
#[derive(Clone, Serialize, Deserialize)]
pub enum Side {
    /// We write it.
    Reporter(sync::Reporter),
    /// We watch what another person writes.
    Observer(sync::Observer),
    /// We watch what another device of ours writes, and may take it over.
    Standby(sync::Observer),
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
    /// How sure one could be when it came or left.
    #[serde(default = "introduced")]
    pub mark: TrustMark,
    /// What was said about it later.
    #[serde(default, skip_serializing_if = "After::is_nothing")]
    pub(crate) after: After,
}

fn introduced() -> TrustMark {
    TrustMark::Introduced
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
            circle: None,
            standing,
            side,
            system_lines: 0,
            children: sync::Children::default(),
            held: Vec::new(),
            members: Vec::new(),
            peer_persona: None,
            sealed_answer: None,
            sealed_path: None,
            answered_by: None,
            bye: None,
            early: Vec::new(),
            refusals: BTreeMap::new(),
            asked: None,
            unchecked: None,
            brought: Default::default(),
            before_block: None,
            draft: String::new(),
            at: now,
        }
    }

    /// Whether content may flow.
    pub fn is_open(&self) -> bool {
        matches!(self.standing, Standing::Open)
    }

    /// What we see of the other's, or of another device's, value.
    pub(crate) fn watched(&mut self) -> Outcome<&mut sync::Observer> {
        match &mut self.side {
            Side::Observer(observer) | Side::Standby(observer) => Ok(observer),
            Side::Reporter(_) => Err(Failure::new("malformed", "we are the Reporter")),
        }
    }

    /// The member that uses this device.
    pub(crate) fn member(&self, device: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.device == device)
    }

    /// What was refused in it, as a shell is told.
    pub(crate) fn refused(&self) -> Vec<Refusal> {
        let shown = |(code, refused): (&String, &Refused)| Refusal {
            code: code.clone(),
            count: refused.count,
            last_at: refused.last_at,
        };
        self.refusals.iter().map(shown).collect()
    }

    /// Whether somebody asks whose name is a mere claim until it can be checked.
    pub fn is_unchecked_request(&self) -> bool {
        self.unchecked.is_some()
            && self.circle.is_none()
            && self.purpose == ObjectUse::Chat
            && matches!((&self.standing, &self.side), (Standing::Verifying { .. }, Side::Observer(_)))
    }

    /// The group id is the object's address.
    pub(crate) fn group(&self) -> Outcome<seal::GroupId> {
        seal::GroupId::new(self.url.as_str()).ok_or_else(|| Failure::new("bad-address", "the address is no group id"))
    }
}
