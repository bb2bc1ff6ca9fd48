//! The words about a call that is going on.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{CallHold, CallPictures, IdentityLine, JointView, SpokenCode};

/// A call, as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct CallView {
    /// The call's address (`connection://…`).
    pub call: String,
    /// The other person.
    pub user: String,
    /// How they are called.
    pub name: String,
    /// Who vouches for them; shown before accepting.
    pub identity: Option<IdentityLine>,
    /// What the two can read to each other, once it is known.
    pub code: Option<SpokenCode>,
    /// Whether they called us.
    pub incoming: bool,
    /// Where it stands.
    pub stage: CallStage,
    /// Unix milliseconds since when audio flows.
    #[ts(type = "number | null")]
    pub connected_at: Option<i64>,
    /// Whether the microphone is off.
    pub muted: bool,
    /// Whether they say that theirs is off.
    pub their_muted: bool,
    /// Level of my microphone, 0 to 100.
    pub input_level: i32,
    /// Level of the other side, 0 to 100.
    pub output_level: i32,
    /// The microphone in use, empty while it is not known yet, or `null` when there is none.
    pub microphone: Option<String>,
    /// Our camera and their picture.
    pub pictures: CallPictures,
    /// Whether it rests.
    pub hold: CallHold,
    /// The joint call it is a part of.
    pub joint: Option<JointView>,
}

/// Stages of a call, each with a limit (ux, rule 2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(tag = "at", rename_all = "kebab-case")]
pub enum CallStage {
    /// Looking for the other side.
    Finding,
    /// It rings there, or here when incoming.
    Ringing,
    /// Keys and identities are checked.
    Securing,
    /// Media finds its way.
    Connecting,
    /// Audio flows both ways, checked.
    Connected,
    /// The path was lost; another is looked for, for ten seconds.
    Reconnecting,
    /// Over.
    Ended {
        /// `hung-up`, `declined`, `busy`, `no-answer`, `offline`, `not-permitted`, `fingerprint-mismatch`, `dropped`, `failed-<stage>`.
        reason: String,
        /// How long it lasted, in seconds.
        seconds: i32,
    },
}
