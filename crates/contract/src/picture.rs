//! The picture of a call: whether the camera is on, whether theirs comes, and the wish for the pixels themselves.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::ShareView;

/// The pictures of a call.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct CallPictures {
    /// Our camera.
    pub camera: CameraView,
    /// The other side's picture.
    pub theirs: TheirPicture,
    /// What we show of our screen.
    pub share: ShareView,
    /// They show a screen.
    pub screen: bool,
}

/// How our camera is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(tag = "at", rename_all = "kebab-case")]
pub enum CameraView {
    /// Switched off.
    #[default]
    Off,
    /// Switched on; it gives nothing yet.
    Opening,
    /// It gives pictures.
    On {
        /// What people call it.
        name: String,
    },
    /// It gives none; the call goes on without it.
    Failed {
        /// `no-camera`, `camera-in-use`, `camera-not-permitted` or `camera-unusable`.
        code: String,
    },
}

/// How the other side's picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum TheirPicture {
    /// They show none.
    #[default]
    Off,
    /// It moves.
    On,
    /// It stands still though it should move.
    Frozen,
}

/// Asks for the newest picture of a call. It is no [`crate::Question`], since its answer is bytes: the number of the
/// picture (4 bytes), its width and its height (2 bytes each, all little-endian), then its planes (I420, no gaps).
/// No bytes at all if none came within a second.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct PictureWish {
    /// Which call.
    pub call: String,
    /// Whose picture.
    pub whose: PictureOf,
    /// The number of the picture that is known; any other is waited for.
    pub after: u32,
}

/// Whose picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum PictureOf {
    /// Our own, as our camera gives it.
    Own,
    /// The other side's.
    Theirs,
    /// What the other side shows of their screen.
    Screen,
}
