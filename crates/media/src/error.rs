//! What a call's media report, and why they may refuse.

use call::{CandidateError, FailureCode, Fingerprint, SdpError};
use serde::Serialize;

use crate::device::{DeviceState, Direction};
use crate::video_track::{CameraState, PictureState};

/// What happens in the media of one call.
#[derive(Debug, Clone, PartialEq)]
pub enum MediaEvent {
    /// We can be reached here: JSON for the peer's `add_candidate`.
    Candidate(String),
    /// A path exists; it is not secured yet.
    PathFound,
    /// The certificate shown is the vouched one. Comes just before `Connected`.
    SecuredBy {
        /// The certificate's fingerprint.
        fingerprint: Fingerprint,
    },
    /// Voice may flow both ways.
    Connected,
    /// The first sound of the peer was played.
    FirstAudio {
        /// Milliseconds since the call's media were opened.
        after_ms: u64,
    },
    /// How loud it is, each from 0 to 1; a few times a second, left out when nobody listens.
    Level {
        /// Our microphone.
        input: f32,
        /// The peer's voice.
        output: f32,
    },
    /// A sound device came, went or refused. The call goes on.
    Device {
        /// Which side of it.
        direction: Direction,
        /// How it is.
        state: DeviceState,
    },
    /// Another path should be looked for: whoever made the offer calls `CallMedia::restart` and
    /// brings the result to the peer; whoever answered asks the peer to do so.
    PathWanted,
    /// Our camera was switched, or gives no picture. The call goes on.
    Camera(CameraState),
    /// The peer's picture moves, stands still or is gone.
    Picture(PictureState),
    /// What the peer shows of a screen.
    Screen(PictureState),
    /// The path is lost for now.
    Interrupted,
    /// The path is back.
    Resumed,
    /// It is over; `Closed` follows.
    Failed {
        /// Why.
        reason: FailReason,
    },
    /// Everything is released. The last event.
    Closed,
}

/// Why the media of a call failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FailReason {
    /// The peer showed a certificate that is not in its sealed description.
    FingerprintMismatch,
    /// No path between the two devices was found.
    NoRoute,
    /// The handshake did not finish in time.
    NotSecured,
    /// The path was lost and did not come back.
    Dropped,
    /// The peer closed the media.
    PeerLeft,
    /// The engine stopped.
    Engine,
}

impl FailReason {
    /// A word that stays the same.
    pub fn code(&self) -> &'static str {
        match self {
            Self::FingerprintMismatch => "fingerprint-mismatch",
            Self::NoRoute => "no-route",
            Self::NotSecured => "not-secured",
            Self::Dropped => "dropped",
            Self::PeerLeft => "peer-left",
            Self::Engine => "engine",
        }
    }

    /// The same for the machine of the call.
    ///
    /// A mismatch is `Input::FingerprintMismatch` there and has no failure code.
    pub fn failure_code(&self) -> Option<FailureCode> {
        match self {
            Self::FingerprintMismatch => None,
            Self::NoRoute | Self::Dropped | Self::PeerLeft => Some(FailureCode::NoRoute),
            Self::NotSecured => Some(FailureCode::NotSecured),
            Self::Engine => Some(FailureCode::Media),
        }
    }
}

/// Why a request to the media of a call was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// More than [`crate::OPEN_CALLS`] at once.
    #[error("{limit} calls are open already")]
    TooManyCalls {
        /// How many may be.
        limit: usize,
    },
    /// The peer's description was refused.
    #[error(transparent)]
    Description(#[from] SdpError),
    /// The peer's candidate was refused.
    #[error(transparent)]
    Candidate(#[from] CandidateError),
    /// The peer sends candidates without end.
    #[error("a call takes {limit} candidates")]
    TooManyCandidates {
        /// How many it takes.
        limit: usize,
    },
    /// Descriptions came in an order that makes no sense (an answer to nothing, two offers).
    #[error("{0}")]
    OutOfOrder(&'static str),
    /// A description names another certificate than the call began with.
    #[error("the certificate of a call never changes")]
    OtherCertificate,
    /// A description for another path changes more than the path, or not even that.
    #[error("a search for another path has new ICE words and changes nothing else")]
    NotANewPath,
    /// The engine refused. Its own words may hold addresses, so they stay inside.
    #[error("the media engine could not {0}")]
    Engine(&'static str),
    /// The call's media are closed.
    #[error("the media of this call are closed")]
    Closed,
}
