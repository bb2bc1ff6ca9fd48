//! The words about calls that are over: how they ended, how good they were, and the figures behind that.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A call that is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct PastCall {
    /// Unique.
    pub id: String,
    /// The other person.
    pub user: String,
    /// How they are called.
    pub name: String,
    /// Whether they called us.
    pub incoming: bool,
    /// Unix milliseconds of when it began to ring, or was begun.
    #[ts(type = "number")]
    pub begun_at: i64,
    /// How long the two spoke, in seconds; 0 if they did not.
    pub seconds: u32,
    /// What became of it.
    pub outcome: CallOutcome,
    /// Why it ended, as the stable code: `hung-up`, `failed-securing-timed-out` …; of a missed call that did not ring,
    /// why: `lines-taken`, `too-often`, `crossed`.
    pub reason: String,
    /// Whether a missed call was looked at, on any own device.
    pub seen: bool,
    /// How good it was.
    pub verdict: CallVerdict,
}

/// What became of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum CallOutcome {
    /// The two spoke.
    Answered,
    /// They called, and nobody answered.
    Missed,
    /// Whoever was called said no.
    Declined,
    /// Whoever was called is in another call.
    Busy,
    /// We called, and nobody answered.
    Unanswered,
    /// Another device of ours took it.
    Elsewhere,
    /// It came to no call; the reason says why.
    Failed,
}

/// How good a call was, as far as we heard it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct CallVerdict {
    /// In a word.
    pub grade: CallGrade,
    /// For how many seconds it was worse than good.
    pub seconds: u32,
    /// What was worst then.
    pub cause: Option<CallCause>,
}

/// How good a call was, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum CallGrade {
    /// Nothing was measured.
    #[default]
    Unknown,
    /// Good throughout, or nearly.
    Good,
    /// Worse than good for a while.
    Fair,
    /// Bad for a while.
    Poor,
}

/// What made a call worse than good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum CallCause {
    /// Voice was lost on its way to us.
    Loss,
    /// The way there and back was long.
    RoundTrip,
    /// Voice came unsteadily.
    Jitter,
    /// Nothing came at all.
    Silence,
}

/// A page of calls that are over, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct PastCalls {
    /// The calls.
    pub calls: Vec<PastCall>,
    /// Whether there are older ones.
    pub more: bool,
    /// How many missed calls nobody looked at.
    pub missed: u32,
}

/// A call that is over, and its figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct CallDetails {
    /// The call.
    pub call: PastCall,
    /// The voice codec, once there was one.
    pub codec: Option<String>,
    /// The codecs of what was seen, a camera or a screen, if anything was.
    pub picture_codecs: Vec<String>,
    /// The way the media took last.
    pub path: Option<CallPath>,
    /// Seconds between two samples.
    pub every: u32,
    /// The figures, in order.
    pub samples: Vec<CallSample>,
}

/// Which way media take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum CallPath {
    /// From device to device.
    Direct,
    /// Through a relay.
    Relayed,
}

/// What was measured in a span of a call.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct CallSample {
    /// The end of the span, in seconds from when voice flowed.
    pub at: u32,
    /// Milliseconds there and back, once known.
    pub round_trip_ms: Option<f32>,
    /// Per cent of the voice that came never or too late in the span.
    pub loss_percent: f32,
    /// How unsteadily it came, in milliseconds.
    pub jitter_ms: f32,
    /// Kilobits a second of voice that came, once known.
    pub kbps_in: Option<f32>,
    /// Kilobits a second of voice that left, once known.
    pub kbps_out: Option<f32>,
}
