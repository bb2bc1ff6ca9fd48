//! Negotiates a call: what a session description may say, and the stages a call goes through.
//!
//! Plain thought: this crate opens no socket, reads no clock (`now_ms` is an argument) and
//! starts no task. Everything a peer wrote is hostile until [`Sdp::parse`] or
//! [`Candidate::parse`] has turned it into a type.

mod attempts;
mod candidate;
mod end;
mod fingerprint;
mod machine;
pub mod quality;
mod roster;
mod sdp;
mod searches;
mod stage;

pub use attempts::Attempts;
pub use candidate::{CANDIDATE_BYTES, Candidate, CandidateError, CandidateKind, Transport};
pub use end::{ByeReason, EndReason, FailureCode};
pub use fingerprint::{Fingerprint, FingerprintError};
pub use machine::{Action, CallMachine, Input, Role, Tone, WakeReason};
pub use roster::{JOINT_LIMIT, JointId, Place, Roster, RosterError, calls_first};
pub use sdp::{
    MediaKind, PictureCodec, SDP_BYTES, SDP_CANDIDATES, SDP_FINGERPRINTS, SDP_LINE_BYTES, SDP_LINES, SDP_SECTIONS, Sdp,
    SdpError, Setup,
};
pub use searches::Searches;
pub use stage::{CallState, Ended, Party, RECONNECT_LIMIT_MS, RINGING_LIMIT_MS, STAGE_LIMIT_MS, Stage};
