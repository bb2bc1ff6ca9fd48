//! The stages of a call, each with its name, its data and its end.

use serde::{Deserialize, Serialize};

use crate::end::EndReason;
use crate::fingerprint::Fingerprint;

/// The longest a stage may last, except ringing. No wait without an end.
pub const STAGE_LIMIT_MS: u64 = 10_000;
/// The longest a call rings.
pub const RINGING_LIMIT_MS: u64 = 45_000;
/// How long a call that lost its path may look for a new one.
pub const RECONNECT_LIMIT_MS: u64 = 10_000;

/// Where a call is. What only makes sense there is in there; times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "stage", rename_all = "kebab-case", rename_all_fields = "camelCase")]
pub enum CallState {
    /// Looking for the callee. Leaves when a device of the callee rings or answers.
    Finding {
        /// When it began.
        since: u64,
        /// When it gives up.
        until: u64,
        /// The callee exists and was invited; only no device has spoken yet.
        found: bool,
    },
    /// The callee's device rings. Leaves when someone decides.
    Ringing {
        /// When it began.
        since: u64,
        /// When it gives up.
        until: u64,
    },
    /// Accepted; the two devices prove who they are. Leaves when the certificate is the vouched one.
    Securing {
        /// When it began.
        since: u64,
        /// When it gives up.
        until: u64,
        /// A path between the devices exists.
        reachable: bool,
    },
    /// Secured; waiting for the first sound.
    Connecting {
        /// When it began.
        since: u64,
        /// When it gives up.
        until: u64,
        /// The certificate of the media path.
        fingerprint: Fingerprint,
    },
    /// People speak.
    Connected {
        /// When the first sound was heard.
        since: u64,
        /// The certificate of the media path.
        fingerprint: Fingerprint,
        /// Set while the path is lost: when it gives up.
        reconnecting_until: Option<u64>,
    },
    /// Over; there is no way back.
    Ended(Ended),
}

/// How and when a call ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Ended {
    /// Why.
    pub reason: EndReason,
    /// The same in a stable word.
    pub code: String,
    /// Who ended it.
    pub by: Party,
    /// When.
    pub at: u64,
    /// How long people could speak; nothing if they never could.
    pub spoke_ms: Option<u64>,
}

/// Who did something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Party {
    /// This device.
    Us,
    /// The peer.
    Them,
    /// Nobody: time or the network.
    Nobody,
}

/// The name of a stage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// [`CallState::Finding`].
    Finding,
    /// [`CallState::Ringing`].
    Ringing,
    /// [`CallState::Securing`].
    Securing,
    /// [`CallState::Connecting`].
    Connecting,
    /// [`CallState::Connected`].
    Connected,
    /// [`CallState::Ended`].
    Ended,
}

impl Stage {
    /// The stable word.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Finding => "finding",
            Self::Ringing => "ringing",
            Self::Securing => "securing",
            Self::Connecting => "connecting",
            Self::Connected => "connected",
            Self::Ended => "ended",
        }
    }
}

impl CallState {
    /// The name of the stage.
    pub fn stage(&self) -> Stage {
        match self {
            Self::Finding { .. } => Stage::Finding,
            Self::Ringing { .. } => Stage::Ringing,
            Self::Securing { .. } => Stage::Securing,
            Self::Connecting { .. } => Stage::Connecting,
            Self::Connected { .. } => Stage::Connected,
            Self::Ended(_) => Stage::Ended,
        }
    }

    /// When this stage gives up, if it does.
    pub fn deadline(&self) -> Option<u64> {
        match self {
            Self::Finding { until, .. }
            | Self::Ringing { until, .. }
            | Self::Securing { until, .. }
            | Self::Connecting { until, .. } => Some(*until),
            Self::Connected { reconnecting_until, .. } => *reconnecting_until,
            Self::Ended(_) => None,
        }
    }

    /// Whether the call is over.
    pub fn is_over(&self) -> bool {
        matches!(self, Self::Ended(_))
    }
}
