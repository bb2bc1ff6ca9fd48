//! Captures, encodes, sends and plays voice and picture of a call; hides the engine that does it.
//!
//! One [`MediaEngine`] lives in a runtime. Each call is a [`CallMedia`]: it makes and reads
//! session descriptions, finds a path (ICE), secures it (DTLS-SRTP) and carries Opus over it.
//!
//! **The fingerprint rule.** The descriptions handed in come out of a sealed object that the
//! peer signed. After the handshake the certificate that was really shown must hash to one of
//! the fingerprints in there. Until then the gate is closed: nothing received is decoded or
//! played, nothing recorded is sent. On a mismatch it stays closed for ever and the call fails.
//!
//! Threads: one voice thread while a call is open, for all of them (it must not wait for anything else), one for each
//! sound device in use, one for a camera that is on, two for a screen that is shown and one for each picture that comes. Sockets and timers run on the caller's tokio runtime.

mod binding;
mod check;
mod choice;
mod codec;
mod codecs;
mod config;
mod desk;
mod device;
mod device_period;
mod direct;
mod echo;
mod engine;
mod error;
mod gate;
#[cfg(test)]
mod hearing;
mod jitter;
mod leg;
mod length;
mod level;
mod mix;
mod negotiation;
mod net;
mod note;
mod ogg_opus;
mod paths;
mod peer;
mod playout;
mod processing;
mod relay;
mod resample;
mod resend;
mod session;
mod share;
mod sink;
mod source;
mod stats;
mod supervisor;
mod tone;
mod usage;
mod video_assembly;
mod video_camera;
mod video_feedback;
mod video_h264;
mod video_packets;
mod video_path;
mod video_screen;
mod video_sending;
mod video_studio;
mod video_track;
mod voice;
mod wav;

pub use check::MicrophoneCheck;
pub use choice::{DeviceChoice, DeviceChoices};
pub use codecs::{H264, openh264_places};
pub use config::{AudioConfig, ConfigError, Microphone, NetworkConfig, Speaker, VoiceProcessing};
pub use device::{DeviceInfo, DeviceState, Direction};
pub use direct::{
    BadFrame, DESCRIPTION_BYTES, DIRECT_CONNECTIONS, DirectAnswer, DirectChannel, DirectError, DirectOffer, Frame,
    Pieces, Refusal, parts,
};
pub use engine::{MediaEngine, OPEN_CALLS};
pub use error::{FailReason, MediaError, MediaEvent};
pub use note::{Note, Recorder, sound_of};
pub use ogg_opus::NOTE_LIMIT_MS;
pub use relay::{Deframer, FrameError, RELAYS, RelayServer, RelayTransport, RelayUri, RelayUriError};
pub use screen::{ScreenError, Screens, Source, SourceKind};
pub use session::CallMedia;
pub use share::{ScreenChoice, ScreenShare};
pub use stats::CallStats;
pub use tone::TonePlayer;
pub use usage::InUse;
pub use video::{CameraChoice, CameraError, CameraInfo, Picture};
pub use video_track::{CameraState, PictureState, Shown, VideoStats};

/// Samples of one channel in a second, everywhere inside this room.
pub(crate) const SAMPLE_RATE: u32 = 48_000;
/// Samples in the 20 ms that one packet carries.
pub(crate) const FRAME: usize = 960;
/// How long a frame lasts.
pub(crate) const FRAME_TIME: std::time::Duration = std::time::Duration::from_millis(20);
/// Samples in the 10 ms that are heard, cleaned and played at once.
pub(crate) const BLOCK: usize = 480;
/// How long a block lasts.
pub(crate) const BLOCK_TIME: std::time::Duration = std::time::Duration::from_millis(10);
