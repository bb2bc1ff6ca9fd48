//! The words about links that lead into a group: made by somebody who may add people, followed by anybody who has one.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{IdentityLine, TrustMark};

/// A link into a group that this device made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct GroupInvite {
    /// Which link.
    pub id: String,
    /// Into which group.
    pub chat: String,
    /// `parlance:name@domain?group=…`; empty once nobody comes in by it any more.
    pub link: String,
    /// Unix milliseconds.
    #[ts(type = "number")]
    pub made_at: i64,
    /// When it ends, in Unix milliseconds.
    #[ts(type = "number")]
    pub until: i64,
    /// How many people may come by it; as many as there is room for if nothing is said.
    pub uses: Option<u32>,
    /// How many came or wait.
    pub used: u32,
    /// Whether a person says yes to each who comes.
    pub approval: bool,
    /// How it stands.
    pub state: GroupInviteState,
    /// Who came by it, the newest first.
    pub came: Vec<GroupGuest>,
}

/// How a link into a group stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum GroupInviteState {
    /// Somebody may come by it.
    Open,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
    /// As many came as were wanted.
    UsedUp,
}

/// Somebody who came by a link into a group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct GroupGuest {
    /// Their address.
    pub user: String,
    /// How they are called.
    pub name: String,
    /// Who vouches for them.
    pub identity: Option<IdentityLine>,
    /// How sure we are of them.
    pub mark: TrustMark,
    /// Unix milliseconds.
    #[ts(type = "number")]
    pub at: i64,
    /// What became of it.
    pub state: GroupGuestState,
}

/// What became of somebody who came by a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum GroupGuestState {
    /// A person has to say yes.
    Waits,
    /// They were let in.
    In,
    /// A person said no.
    Refused,
    /// They did not want to wait any longer.
    Gone,
}

/// What a link into a group says, before anybody hears that it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct GroupOffer {
    /// The group.
    pub chat: String,
    /// How it was called when the link was made.
    pub name: String,
    /// How many people were in it then.
    pub people: u32,
    /// Who invites, by address; the link is signed by a device of theirs.
    pub by: String,
    /// How they are called, if we know them.
    pub by_name: Option<String>,
    /// How sure we are of them, if we know them.
    pub by_mark: Option<TrustMark>,
    /// When it ends, in Unix milliseconds.
    #[ts(type = "number")]
    pub until: i64,
    /// Whether a person says yes to each who comes.
    pub approval: bool,
    /// Whether we are in that group already.
    pub inside: bool,
}

/// A group we asked to be let into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct GroupJoining {
    /// The group.
    pub chat: String,
    /// How it was called when the link was made.
    pub name: String,
    /// Who invites, by address.
    pub by: String,
    /// Unix milliseconds of when we asked.
    #[ts(type = "number")]
    pub at: i64,
    /// How that stands.
    pub state: GroupJoiningState,
    /// Why not, if it was refused.
    pub code: Option<String>,
}

/// How it stands with a group we asked to be let into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum GroupJoiningState {
    /// Whoever invites has not answered; perhaps they are away.
    Asked,
    /// They have it, and say yes themselves.
    Waits,
    /// They said yes; the group is on its way.
    Admitted,
    /// We are in it.
    In,
    /// It was refused.
    Refused,
}
