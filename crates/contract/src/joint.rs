//! Several calls at once: one that rests, and one of several people.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Whether a call rests, and whose wish that was. On hold neither side is heard or seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum CallHold {
    /// It goes on.
    #[default]
    No,
    /// We put it on hold.
    Us,
    /// They did.
    Them,
    /// Both did.
    Both,
}

/// The joint call that a call is a part of: between each two of its people there is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct JointView {
    /// The same for all its calls.
    pub id: String,
    /// Everybody but us who is in it, or was asked.
    pub people: Vec<JointPerson>,
}

/// Somebody in a joint call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct JointPerson {
    /// Their address.
    pub user: String,
    /// How they are called; the address if they are not known here.
    pub name: String,
    /// Where they are.
    pub place: JointPlace,
    /// We blocked them: neither is heard by the other, though both are in the call.
    pub blocked: bool,
    /// They are a contact of ours.
    pub known: bool,
}

/// Where somebody is in a joint call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum JointPlace {
    /// It rings at theirs.
    Asked,
    /// They took the call.
    Here,
    /// They left, or did not come.
    Gone,
}
