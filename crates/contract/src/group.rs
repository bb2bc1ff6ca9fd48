//! The words about conversations of several people: who is in them, and what they may change.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{IdentityLine, TrustMark};

/// What somebody may change in a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum GroupRole {
    /// Writes and reads.
    Member,
    /// Also names the group, adds people, and takes members out.
    Admin,
    /// Also says who is an admin. One of their devices writes the group.
    Owner,
}

/// How we stand in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum GroupStanding {
    /// We are in it.
    Open,
    /// Somebody who is no contact added us; nothing is shown or told before we say yes.
    Asked,
    /// Nothing is said here any more.
    Over {
        /// `left`, `group-removed`, `group-ended`, `removed`, or why it could not be checked.
        reason: String,
    },
}

/// A group in the list of conversations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct GroupLine {
    /// How many people are in it, we too.
    pub people: u32,
    /// What we may change.
    pub role: GroupRole,
    /// How we stand in it.
    pub standing: GroupStanding,
    /// Whether it is so large that nobody is told who has, or has read, a message, and who is writing one.
    pub large: bool,
    /// How everybody is called who is or was in it, by address; of a large one who wrote in it.
    pub names: BTreeMap<String, String>,
}

/// Who is in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct GroupView {
    /// Which conversation.
    pub chat: String,
    /// How it is called.
    pub name: String,
    /// What we may change.
    pub role: GroupRole,
    /// How we stand in it.
    pub standing: GroupStanding,
    /// Whether this device writes the group; else what we change is asked of one that does.
    pub writes: bool,
    /// Whose device writes it, by address.
    pub owner: String,
    /// Who is in it, by role and name.
    pub people: Vec<GroupMember>,
}

/// Somebody in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct GroupMember {
    /// Their address.
    pub user: String,
    /// How they are called.
    pub name: String,
    /// What they may change.
    pub role: GroupRole,
    /// Whether that is us.
    pub me: bool,
    /// Whether they are a contact of ours; others are known by who vouches for them.
    pub contact: bool,
    /// Whether we blocked them: what they write is not shown.
    pub blocked: bool,
    /// Who vouches for them.
    pub identity: Option<IdentityLine>,
    /// How sure we are of them.
    pub mark: TrustMark,
    /// How many of their devices are in the sealed group; none while they are on their way in.
    pub devices: u32,
}

/// What became of a wish to change a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum GroupDone {
    /// It is so.
    Done,
    /// The device that writes the group was asked.
    Asked,
}

/// How far a message of ours came in a group, in numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct GroupCount {
    /// For how many people it is.
    pub of: u32,
    /// How many have it.
    pub delivered: u32,
    /// How many read it, as far as they tell.
    pub read: u32,
}

/// How far a message of ours came in a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct GroupReach {
    /// For whom it is, by address.
    pub of: Vec<String>,
    /// Who has it.
    pub delivered: Vec<String>,
    /// Who read it, as far as they tell.
    pub read: Vec<String>,
}
