//! Sound and camera: the devices to choose from, what is done to the voice, and the figures of a call.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// The devices there are, and what is used of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct SoundView {
    /// What one can speak into.
    pub microphones: Vec<SoundDevice>,
    /// What one can hear with.
    pub speakers: Vec<SoundDevice>,
    /// What one can be seen with.
    pub cameras: Vec<SoundDevice>,
    /// What is used with just these devices.
    pub choice: SoundChoice,
    /// What is done to one's voice.
    pub switches: VoiceSwitches,
    /// Whether the devices were set from outside when the app started, so that a choice changes nothing.
    pub fixed: bool,
    /// The same of the camera.
    pub camera_fixed: bool,
}

/// A sound device to choose.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SoundDevice {
    /// The stable id.
    pub id: String,
    /// The name, for people.
    pub name: String,
    /// Whether it is what the system would choose.
    pub default: bool,
}

/// The devices somebody chose by their ids; `null` is what the system calls its default.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SoundChoice {
    /// To speak into.
    pub microphone: Option<String>,
    /// To hear with.
    pub speaker: Option<String>,
    /// To ring with.
    pub ring: Option<String>,
    /// To be seen with.
    #[serde(default)]
    pub camera: Option<String>,
}

/// What is done to one's voice before it is sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct VoiceSwitches {
    /// What the own speaker plays is taken out.
    pub echo_cancellation: bool,
    /// Steady noise is taken out.
    pub noise_suppression: bool,
    /// Quiet and loud people come to the same level.
    pub gain_control: bool,
}

/// How a microphone or speaker does that is being tried.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SoundTest {
    /// The microphone, while it is tried.
    pub microphone: Option<TriedDevice>,
    /// The speaker, while it is tried.
    pub speaker: Option<TriedDevice>,
    /// Loudness of the microphone, 0 to 100.
    pub level: i32,
}

/// A device that is being tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct TriedDevice {
    /// `opening`, `working`, `instead` (another one, because the chosen one does not work), `missing`, `in-use`,
    /// `not-permitted`, `lost`, `broken` or `unreadable`.
    pub state: String,
    /// Which device works, by its name.
    pub name: Option<String>,
}

/// What a call's media say about themselves.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct CallFigures {
    /// Milliseconds that voice is held back to even out how unsteadily it comes.
    pub delay_ms: f32,
    /// How unsteadily it comes, in milliseconds.
    pub jitter_ms: f32,
    /// Milliseconds to the other side and back, once known.
    pub round_trip_ms: Option<f32>,
    /// Per cent of the voice that came never or too late.
    pub loss_percent: f32,
    /// Milliseconds until the first sound.
    pub first_audio_ms: Option<u32>,
}
