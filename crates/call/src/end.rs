//! How a call ends, in words with stable codes.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::stage::Stage;

/// Why a call is over. Each has a stable [`code`](EndReason::code) that can be copied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum EndReason {
    /// Somebody hung up.
    HungUp,
    /// The callee said no.
    Declined,
    /// The callee is in another call.
    Busy,
    /// It rang, and nobody answered.
    NoAnswer,
    /// No device of the callee was there.
    Offline,
    /// The callee does not accept calls from this caller.
    NotPermitted,
    /// Something went wrong, at `stage`.
    Failed {
        /// Where it went wrong.
        stage: Stage,
        /// What went wrong.
        code: FailureCode,
    },
    /// The certificate of the media path was not the one the peer vouched for.
    FingerprintMismatch,
    /// The connection was lost and did not come back.
    Dropped,
    /// Another device of the same person took the call.
    Elsewhere,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailureCode {
    /// There is no such person at that domain.
    NotFound,
    /// The stage's time was over.
    TimedOut,
    /// No path between the two devices was found.
    NoRoute,
    /// The two sides could not agree on a secure connection.
    NotSecured,
    /// The peer's session description was refused.
    BadDescription,
    /// The media engine failed.
    Media,
    /// The way to the peer's domain was lost.
    Signalling,
    /// The peer says it failed at its side.
    AtPeer,
}

impl EndReason {
    /// A word that stays the same for ever: `declined`, `failed-securing-timed-out`, …
    pub fn code(&self) -> Cow<'static, str> {
        let code = match self {
            Self::HungUp => "hung-up",
            Self::Declined => "declined",
            Self::Busy => "busy",
            Self::NoAnswer => "no-answer",
            Self::Offline => "offline",
            Self::NotPermitted => "not-permitted",
            Self::FingerprintMismatch => "fingerprint-mismatch",
            Self::Dropped => "dropped",
            Self::Elsewhere => "elsewhere",
            Self::Failed { stage, code } => {
                return Cow::Owned(format!("failed-{}-{}", stage.code(), code.code()));
            }
        };
        Cow::Borrowed(code)
    }

    /// What to tell the peer when we end the call for this reason.
    pub fn to_bye(self) -> ByeReason {
        match self {
            Self::HungUp => ByeReason::HungUp,
            Self::Declined => ByeReason::Declined,
            Self::Busy => ByeReason::Busy,
            Self::Elsewhere => ByeReason::Elsewhere,
            Self::NoAnswer | Self::Offline => ByeReason::NoAnswer,
            Self::NotPermitted => ByeReason::NotPermitted,
            Self::FingerprintMismatch => ByeReason::FingerprintMismatch,
            Self::Dropped => ByeReason::Dropped,
            Self::Failed { .. } => ByeReason::Failed,
        }
    }
}

impl FailureCode {
    /// The stable word.
    pub fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "not-found",
            Self::TimedOut => "timed-out",
            Self::NoRoute => "no-route",
            Self::NotSecured => "not-secured",
            Self::BadDescription => "bad-description",
            Self::Media => "media",
            Self::Signalling => "signalling",
            Self::AtPeer => "at-peer",
        }
    }
}

/// What a `bye` says, on the wire as its [`code`](ByeReason::code).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ByeReason {
    /// The peer hung up.
    HungUp,
    /// The peer said no.
    Declined,
    /// The peer is in another call.
    Busy,
    /// The call rang out.
    NoAnswer,
    /// The peer does not accept calls from us.
    NotPermitted,
    /// The certificate was not the one we vouched for.
    FingerprintMismatch,
    /// The peer lost the connection.
    Dropped,
    /// Another device of ours took the call; nobody but ourselves says so.
    Elsewhere,
    /// Something failed at the peer.
    Failed,
}

impl ByeReason {
    /// Reads what a peer wrote; an unknown word is only known to be a failure.
    pub fn parse(text: &str) -> Self {
        match text {
            "hung-up" | "hangup" | "" => Self::HungUp,
            "declined" => Self::Declined,
            "busy" => Self::Busy,
            "no-answer" => Self::NoAnswer,
            "not-permitted" => Self::NotPermitted,
            "fingerprint-mismatch" => Self::FingerprintMismatch,
            "dropped" => Self::Dropped,
            "elsewhere" => Self::Elsewhere,
            _ => Self::Failed,
        }
    }

    /// The word on the wire.
    pub fn code(&self) -> &'static str {
        match self {
            Self::HungUp => "hung-up",
            Self::Declined => "declined",
            Self::Busy => "busy",
            Self::NoAnswer => "no-answer",
            Self::NotPermitted => "not-permitted",
            Self::FingerprintMismatch => "fingerprint-mismatch",
            Self::Dropped => "dropped",
            Self::Elsewhere => "elsewhere",
            Self::Failed => "failed",
        }
    }

    /// What such a `bye` means for a call that was at `stage`.
    pub(crate) fn ends(self, stage: Stage) -> EndReason {
        match self {
            Self::HungUp => EndReason::HungUp,
            Self::Declined => EndReason::Declined,
            Self::Busy => EndReason::Busy,
            Self::NoAnswer => EndReason::NoAnswer,
            Self::NotPermitted => EndReason::NotPermitted,
            Self::FingerprintMismatch => EndReason::FingerprintMismatch,
            Self::Dropped => EndReason::Dropped,
            Self::Elsewhere => EndReason::Elsewhere,
            Self::Failed => EndReason::Failed { stage, code: FailureCode::AtPeer },
        }
    }
}
