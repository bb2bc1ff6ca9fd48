//! Which microphone, which speaker, which addresses: what a call is to use.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use transport::Net;
use video::CameraChoice;

use crate::codecs::H264;
use crate::relay::{RELAYS, RelayServer, RelayUri};
use crate::share::ScreenChoice;

/// What the engine uses for calls; read when a call opens.
#[derive(Debug, Clone, Default)]
pub struct AudioConfig {
    /// Where our voice comes from.
    pub microphone: Microphone,
    /// Where the peer's voice goes.
    pub speaker: Speaker,
    /// What rings; without it, the speaker does.
    pub ring: Option<Speaker>,
    /// What is done to our voice before it is sent.
    pub processing: VoiceProcessing,
    /// Which camera, once it is switched on.
    pub camera: CameraChoice,
    /// Which screens can be shown.
    pub screen: ScreenChoice,
    /// How H.264 stands beside VP8.
    pub h264: H264,
    /// Where its library is looked for: files, or folders that have it in them.
    pub openh264: Vec<PathBuf>,
    /// Writes what is played into this WAV file as well.
    pub record: Option<PathBuf>,
    /// How packets leave.
    pub network: NetworkConfig,
}

/// What is done to our voice before it is sent. All of it by default.
///
/// Only sound devices are cleaned: a file is sent as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct VoiceProcessing {
    /// Takes what our own speaker plays out of what our microphone hears.
    pub echo_cancellation: bool,
    /// Takes out what is steady: fans, hum, a street.
    pub noise_suppression: bool,
    /// Brings quiet and loud people to the same level.
    pub gain_control: bool,
}

impl Default for VoiceProcessing {
    fn default() -> Self {
        Self { echo_cancellation: true, noise_suppression: true, gain_control: true }
    }
}

impl VoiceProcessing {
    /// Nothing is done.
    pub const OFF: Self = Self { echo_cancellation: false, noise_suppression: false, gain_control: false };

    /// Reads `all`, `none`, or some of `echo`, `noise` and `gain` with commas.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        match text {
            "all" => return Ok(Self::default()),
            "none" => return Ok(Self::OFF),
            _ => {}
        }
        let mut processing = Self::OFF;
        for word in text.split(',') {
            match word.trim() {
                "echo" => processing.echo_cancellation = true,
                "noise" => processing.noise_suppression = true,
                "gain" => processing.gain_control = true,
                _ => {
                    return Err(ConfigError {
                        variable: PROCESSING,
                        expected: "all, none, or some of echo,noise,gain",
                    });
                }
            }
        }
        Ok(processing)
    }
}

/// Where our voice comes from.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Microphone {
    /// What the system calls its default.
    #[default]
    Default,
    /// A device by its stable id, as `pulseaudio:vmic`.
    Device(String),
    /// A file instead of a person.
    Wav {
        /// The file.
        path: PathBuf,
        /// Begin again at its end; silence otherwise.
        looped: bool,
    },
    /// What the peer said, again, so much later.
    Echo {
        /// How much.
        after: Duration,
    },
    /// Nothing; the call works and the peer hears silence.
    Silence,
}

/// Where the peer's voice goes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Speaker {
    /// What the system calls its default.
    #[default]
    Default,
    /// A device by its stable id, as `pulseaudio:vspk`.
    Device(String),
    /// Into a file.
    Wav(PathBuf),
    /// Nowhere.
    Null,
}

/// How packets leave this device.
#[derive(Debug, Clone)]
pub struct NetworkConfig {
    /// The local addresses to use; empty means every interface. Port 0 is any port.
    pub addresses: Vec<SocketAddr>,
    /// Offers and accepts candidates inside this machine (tests, two accounts on one machine).
    pub include_loopback: bool,
    /// STUN servers, as `stun:host:port`; none by default, so that nobody learns of a call.
    pub stun: Vec<String>,
    /// Relays (TURN) that whoever runs this device named.
    pub relays: Vec<RelayServer>,
    /// Every packet goes through a relay, so that a peer never learns our addresses.
    pub relay_only: bool,
    /// Whom the TLS to a relay trusts; what the system trusts if there is none.
    pub net: Option<Net>,
    /// Binds each socket to this interface, whatever the routing table says (Linux).
    pub bind_device: Option<String>,
    /// Marks packets as expedited (DSCP 46).
    pub expedited: bool,
}

impl Default for NetworkConfig {
    fn default() -> Self {
        Self {
            addresses: Vec::new(),
            include_loopback: false,
            stun: Vec::new(),
            relays: Vec::new(),
            relay_only: false,
            net: None,
            bind_device: None,
            expedited: true,
        }
    }
}

impl NetworkConfig {
    /// Only this machine: for tests.
    pub fn loopback_only() -> Self {
        Self { addresses: vec![SocketAddr::from(([127, 0, 0, 1], 0))], include_loopback: true, ..Self::default() }
    }
}

/// Why the environment does not describe a configuration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{variable} must be {expected}")]
pub struct ConfigError {
    /// The variable.
    pub variable: &'static str,
    /// What it may be.
    pub expected: &'static str,
}

const MICROPHONE: &str = "PARLANCE_MICROPHONE";
const SPEAKER: &str = "PARLANCE_SPEAKER";
const RING: &str = "PARLANCE_RING";
const PROCESSING: &str = "PARLANCE_PROCESSING";
const CAMERA: &str = "PARLANCE_CAMERA";
const SCREEN: &str = "PARLANCE_SCREEN";
const H264_STANDS: &str = "PARLANCE_H264";
const OPENH264: &str = "PARLANCE_OPENH264";
const RECORD: &str = "PARLANCE_RECORD";
const LOOPBACK: &str = "PARLANCE_MEDIA_LOOPBACK";
const STUN: &str = "PARLANCE_STUN";
const TURN: &str = "PARLANCE_TURN";
const TURN_USER: &str = "PARLANCE_TURN_USER";
const TURN_PASSWORD: &str = "PARLANCE_TURN_PASSWORD";
const RELAY_ONLY: &str = "PARLANCE_RELAY_ONLY";

/// The most STUN servers that are asked.
const STUN_SERVERS: usize = 4;

impl AudioConfig {
    /// Reads `PARLANCE_MICROPHONE`, `PARLANCE_SPEAKER`, `PARLANCE_RING`, `PARLANCE_PROCESSING`, `PARLANCE_CAMERA`,
    /// `PARLANCE_SCREEN`, `PARLANCE_H264`, `PARLANCE_OPENH264`, `PARLANCE_RECORD`, `PARLANCE_MEDIA_LOOPBACK` (`1`), `PARLANCE_STUN` and `PARLANCE_TURN` (lists with commas), `PARLANCE_TURN_USER`,
    /// `PARLANCE_TURN_PASSWORD` and `PARLANCE_RELAY_ONLY` (`1`); what is not set stays the default.
    pub fn from_env() -> Result<Self, ConfigError> {
        Self::from_lookup(|name| std::env::var(name).ok())
    }

    fn from_lookup(lookup: impl Fn(&str) -> Option<String>) -> Result<Self, ConfigError> {
        let set = |name| lookup(name).filter(|value| !value.is_empty());
        let mut config = Self::default();
        if let Some(text) = set(MICROPHONE) {
            config.microphone = Microphone::parse(&text)?;
        }
        if let Some(text) = set(SPEAKER) {
            config.speaker = Speaker::parse(&text)?;
        }
        if let Some(text) = set(RING) {
            let ring = Speaker::parse(&text).map_err(|error| ConfigError { variable: RING, ..error })?;
            config.ring = Some(ring);
        }
        if let Some(text) = set(PROCESSING) {
            config.processing = VoiceProcessing::parse(&text)?;
        }
        if let Some(text) = set(CAMERA) {
            let expected = "default, device:<id>, y4m:<path>, counter, counter:<width>x<height> or none";
            config.camera = CameraChoice::parse(&text).ok_or(ConfigError { variable: CAMERA, expected })?;
        }
        if let Some(text) = set(SCREEN) {
            let expected = "default, display:<name>, counter, counter:<width>x<height> or none";
            config.screen = ScreenChoice::parse(&text).ok_or(ConfigError { variable: SCREEN, expected })?;
        }
        if let Some(text) = set(H264_STANDS) {
            let expected = "off, beside or first";
            config.h264 = H264::parse(&text).ok_or(ConfigError { variable: H264_STANDS, expected })?;
        }
        config.openh264 = set(OPENH264).map(PathBuf::from).into_iter().collect();
        config.record = set(RECORD).map(PathBuf::from);
        config.network.include_loopback = set(LOOPBACK).is_some_and(|value| value == "1");
        if let Some(text) = set(STUN) {
            config.network.stun = stun_servers(&text)?;
        }
        if let Some(text) = set(TURN) {
            let word = |name| set(name).unwrap_or_default();
            config.network.relays = relays(&text, &word(TURN_USER), &word(TURN_PASSWORD))?;
        }
        config.network.relay_only = set(RELAY_ONLY).is_some_and(|value| value == "1");
        Ok(config)
    }
}

impl Microphone {
    /// Reads `default`, `device:<id>`, `wav:<path>` (again and again), `wav-once:<path>` or `none`.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let refused =
            ConfigError { variable: MICROPHONE, expected: "default, device:<id>, wav:<path>, wav-once:<path> or none" };
        match text.split_once(':') {
            None if text == "default" => Ok(Self::Default),
            None if text == "none" => Ok(Self::Silence),
            Some(("device", id)) if !id.is_empty() => Ok(Self::Device(id.to_owned())),
            Some(("wav", path)) if !path.is_empty() => Ok(Self::Wav { path: path.into(), looped: true }),
            Some(("wav-once", path)) if !path.is_empty() => Ok(Self::Wav { path: path.into(), looped: false }),
            _ => Err(refused),
        }
    }
}

impl Speaker {
    /// Reads `default`, `device:<id>`, `wav:<path>` or `none`.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let refused = ConfigError { variable: SPEAKER, expected: "default, device:<id>, wav:<path> or none" };
        match text.split_once(':') {
            None if text == "default" => Ok(Self::Default),
            None if text == "none" => Ok(Self::Null),
            Some(("device", id)) if !id.is_empty() => Ok(Self::Device(id.to_owned())),
            Some(("wav", path)) if !path.is_empty() => Ok(Self::Wav(path.into())),
            _ => Err(refused),
        }
    }
}

fn stun_servers(text: &str) -> Result<Vec<String>, ConfigError> {
    let servers: Vec<String> = text.split(',').map(|server| server.trim().to_owned()).collect();
    if servers.len() > STUN_SERVERS || !servers.iter().all(|server| server.starts_with("stun:")) {
        return Err(ConfigError { variable: STUN, expected: "up to four of stun:<host>:<port>, with commas" });
    }
    Ok(servers)
}

fn relays(text: &str, username: &str, credential: &str) -> Result<Vec<RelayServer>, ConfigError> {
    let read = |uri: &str| {
        let uri = RelayUri::parse(uri.trim()).ok()?;
        Some(RelayServer { uri, username: username.to_owned(), credential: credential.to_owned(), reach: None })
    };
    let relays = text.split(',').map(read).collect::<Option<Vec<_>>>();
    let expected = "up to four of turn:<host>:<port>?transport=<udp or tcp> or turns:<host>:<port>, with commas";
    relays.filter(|relays| relays.len() <= RELAYS).ok_or(ConfigError { variable: TURN, expected })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<AudioConfig, ConfigError> {
        AudioConfig::from_lookup(|name| {
            pairs.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn an_empty_environment_means_the_default_devices_and_no_stranger() {
        let config = read(&[]).unwrap();
        assert_eq!((config.microphone, config.speaker), (Microphone::Default, Speaker::Default));
        assert!(config.network.stun.is_empty() && !config.network.include_loopback);
    }

    #[test]
    fn a_headless_demo_speaks_from_a_file() {
        let config = read(&[
            ("PARLANCE_MICROPHONE", "wav:/tmp/ana.wav"),
            ("PARLANCE_SPEAKER", "device:pulseaudio:vspk"),
            ("PARLANCE_RING", "device:pulseaudio:laptop"),
            ("PARLANCE_RECORD", "/tmp/heard.wav"),
            ("PARLANCE_CAMERA", "counter"),
            ("PARLANCE_H264", "first"),
            ("PARLANCE_OPENH264", "/opt/codecs"),
            ("PARLANCE_MEDIA_LOOPBACK", "1"),
            ("PARLANCE_STUN", "stun:stun.example.org:3478"),
            ("PARLANCE_TURN", "turns:turn.example.org, turn:turn.example.org"),
            ("PARLANCE_TURN_USER", "ana"),
            ("PARLANCE_RELAY_ONLY", "1"),
        ])
        .unwrap();
        assert_eq!(config.microphone, Microphone::Wav { path: "/tmp/ana.wav".into(), looped: true });
        assert_eq!(config.speaker, Speaker::Device("pulseaudio:vspk".into()));
        assert_eq!(config.ring, Some(Speaker::Device("pulseaudio:laptop".into())));
        assert_eq!(config.record, Some("/tmp/heard.wav".into()));
        assert_eq!(config.camera, CameraChoice::Counter { width: 640, height: 360 });
        assert_eq!((config.h264, config.openh264), (H264::First, vec!["/opt/codecs".into()]));
        assert!(config.network.include_loopback);
        assert_eq!(config.network.stun.len(), 1);
        assert_eq!((config.network.relays.len(), config.network.relay_only), (2, true));
        assert_eq!(config.network.relays[0].username, "ana");
    }

    #[test]
    fn what_is_done_to_the_voice_can_be_switched_off_in_parts() {
        assert_eq!(read(&[]).unwrap().processing, VoiceProcessing::default());
        assert_eq!(read(&[("PARLANCE_PROCESSING", "none")]).unwrap().processing, VoiceProcessing::OFF);
        let some = read(&[("PARLANCE_PROCESSING", "echo, gain")]).unwrap().processing;
        assert_eq!(some, VoiceProcessing { noise_suppression: false, ..VoiceProcessing::default() });
    }

    #[test]
    fn a_typing_error_is_told_not_guessed() {
        for text in ["wave:/x", "wav:", "device:", "mic", ""] {
            assert!(Microphone::parse(text).is_err(), "{text}");
            assert!(Speaker::parse(text).is_err(), "{text}");
        }
        assert!(read(&[("PARLANCE_STUN", "http://x")]).is_err());
        assert!(read(&[("PARLANCE_CAMERA", "photo")]).is_err());
        assert!(read(&[("PARLANCE_H264", "yes")]).is_err());
        assert!(read(&[("PARLANCE_PROCESSING", "echo,reverb")]).is_err());
        assert!(read(&[("PARLANCE_TURN", "turn:a.example,stun:b.example")]).is_err());
        assert!(read(&[("PARLANCE_TURN", &["turn:a.example"; 5].join(","))]).is_err());
    }
}
