//! A session description, read with limits before any engine sees it.
//!
//! Only what a call may contain passes: encrypted audio, and beside it a camera's video and a screen's, over one bundled
//! transport, with SHA-256 fingerprints; or, of a connection for files, one data channel and nothing else. Candidate lines are taken out of the text and
//! given separately, so that an address is always judged in one place.

use std::fmt;

use crate::candidate::{Candidate, CandidateError, token};
use crate::fingerprint::{Fingerprint, FingerprintError};

/// The longest description we read; a browser's offer of audio and video has about 8 KiB.
pub const SDP_BYTES: usize = 64 * 1024;
/// The most lines.
pub const SDP_LINES: usize = 512;
/// The longest line.
pub const SDP_LINE_BYTES: usize = 4 * 1024;
/// The most media sections.
pub const SDP_SECTIONS: usize = 4;
/// The most pictures: that of a camera, and that of a screen after it.
const PICTURES: usize = 2;
/// The most sources of a picture that are remembered.
const SSRCS: usize = 8;
/// The most formats of a picture that are remembered; a browser names about forty.
const FORMATS: usize = 96;
/// The most fingerprints; one certificate per side is usual.
pub const SDP_FINGERPRINTS: usize = 8;
/// The most candidates written into a description.
pub const SDP_CANDIDATES: usize = 64;

/// A kind of medium.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MediaKind {
    /// Voice.
    Audio,
    /// Picture.
    Video,
    /// No medium: the bytes of a data channel (RFC 8841).
    Data,
}

/// Who begins the DTLS handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setup {
    /// Either (an offer).
    ActPass,
    /// The writer begins.
    Active,
    /// The writer waits.
    Passive,
}

/// A session description that passed every check.
#[derive(Clone, PartialEq, Eq)]
pub struct Sdp {
    text: String,
    fingerprints: Vec<Fingerprint>,
    ice_ufrag: String,
    ice_pwd: String,
    setup: Setup,
    kinds: Vec<MediaKind>,
    pictures: Vec<Section>,
    candidates: Vec<Candidate>,
}

/// How pictures are encoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum PictureCodec {
    /// VP8 (RFC 7741).
    Vp8,
    /// H.264 in Constrained Baseline, in packets of `packetization-mode=1` (RFC 6184).
    H264,
}

/// What a description says of a picture.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Section {
    refused: bool,
    ssrcs: Vec<u32>,
    formats: Vec<Format>,
}

/// A number that a picture's packets may carry (`a=rtpmap`, `a=fmtp`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Format {
    number: u8,
    name: Option<PictureCodec>,
    /// What else is said of it is as we speak it.
    fits: bool,
}

/// Why a session description is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    /// Longer than [`SDP_BYTES`].
    #[error("a session description may have {SDP_BYTES} bytes, this has {got}")]
    TooLong {
        /// Its length.
        got: usize,
    },
    /// More than [`SDP_LINES`] lines, or a line longer than [`SDP_LINE_BYTES`].
    #[error("too many lines or too long a line (line {line})")]
    TooManyLines {
        /// Where the limit was met.
        line: usize,
    },
    /// Not `x=value`, a control character, or a section that is not allowed there.
    #[error("line {line} is malformed")]
    Malformed {
        /// The line, counted from 1.
        line: usize,
    },
    /// Something each description must have is not there.
    #[error("the description has no {0}")]
    Missing(&'static str),
    /// More of something than a call can need.
    #[error("the description has too many {0}")]
    TooMany(&'static str),
    /// A medium we do not speak.
    #[error("media of this kind are not accepted")]
    UnsupportedMedia,
    /// Media that would travel without DTLS-SRTP, or with keys in the text.
    #[error("only DTLS-SRTP is accepted")]
    Unprotected,
    /// A fingerprint we refuse.
    #[error(transparent)]
    Fingerprint(#[from] FingerprintError),
    /// A candidate we refuse.
    #[error(transparent)]
    Candidate(#[from] CandidateError),
    /// Two media sections disagree about the one transport they share.
    #[error("two sections disagree about their {0}")]
    Disagrees(&'static str),
}

impl Sdp {
    /// Reads a description of a call: with a voice, and perhaps with a picture.
    pub fn parse(text: &str) -> Result<Self, SdpError> {
        let sdp = Self::parse_with(text, &[MediaKind::Audio, MediaKind::Video])?;
        if sdp.kinds.contains(&MediaKind::Audio) { Ok(sdp) } else { Err(SdpError::Missing("voice")) }
    }

    /// Reads a description of a connection that carries data and no media.
    pub fn parse_data(text: &str) -> Result<Self, SdpError> {
        Self::parse_with(text, &[MediaKind::Data])
    }

    /// Reads a description of a call with `kinds` of media.
    pub fn parse_with(text: &str, kinds: &[MediaKind]) -> Result<Self, SdpError> {
        if text.len() > SDP_BYTES {
            return Err(SdpError::TooLong { got: text.len() });
        }
        let mut reader = Reader::new(kinds);
        for (idx, line) in text.lines().enumerate() {
            reader.on_line(idx + 1, line)?;
        }
        reader.finish()
    }

    /// The description without its candidate lines, ready for an engine.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The certificates the writer may show; never empty.
    pub fn fingerprints(&self) -> &[Fingerprint] {
        &self.fingerprints
    }

    /// The writer's ICE user name.
    pub fn ice_ufrag(&self) -> &str {
        &self.ice_ufrag
    }

    /// The writer's ICE password.
    pub fn ice_pwd(&self) -> &str {
        &self.ice_pwd
    }

    /// Who begins the handshake.
    pub fn setup(&self) -> Setup {
        self.setup
    }

    /// The media offered, in order.
    pub fn kinds(&self) -> &[MediaKind] {
        &self.kinds
    }

    /// Whether there is room for the picture of a screen beside that of a camera: a second picture that is not refused.
    pub fn has_screen(&self) -> bool {
        self.screen().is_some_and(|screen| !screen.refused)
    }

    /// How the writer's camera may be sent, what it likes best first: the codec, and the number its packets carry.
    pub fn camera_codecs(&self) -> Vec<(PictureCodec, u8)> {
        self.pictures.first().map(Section::codecs).unwrap_or_default()
    }

    /// The same of the writer's screen.
    pub fn screen_codecs(&self) -> Vec<(PictureCodec, u8)> {
        self.screen().map(Section::codecs).unwrap_or_default()
    }

    fn screen(&self) -> Option<&Section> {
        self.pictures.get(1)
    }

    /// The sources (`a=ssrc`, RFC 5576) of the writer's screen.
    pub fn screen_ssrcs(&self) -> &[u32] {
        self.screen().map_or(&[], |screen| &screen.ssrcs)
    }

    /// The candidates that stood in the text.
    pub fn candidates(&self) -> &[Candidate] {
        &self.candidates
    }
}

impl Section {
    fn codecs(&self) -> Vec<(PictureCodec, u8)> {
        let known = self.formats.iter().filter(|format| !self.refused && format.fits);
        known.filter_map(|format| Some((format.name?, format.number))).collect()
    }

    fn format(&mut self, number: &str) -> Option<&mut Format> {
        let number: u8 = number.parse().ok()?;
        self.formats.iter_mut().find(|format| format.number == number)
    }

    /// `a=rtpmap:<number> <name>/<clock>` (RFC 8866, 6.6).
    fn on_rtpmap(&mut self, value: &str) {
        let Some((number, name)) = value.split_once(' ') else { return };
        let name = name.trim().to_ascii_uppercase();
        let Some(format) = self.format(number) else { return };
        match name.as_str() {
            "VP8/90000" => (format.name, format.fits) = (Some(PictureCodec::Vp8), true),
            "H264/90000" => format.name = Some(PictureCodec::H264),
            _ => {}
        }
    }

    /// `a=fmtp:<number> <parameters>`; those of H.264 tell its profile and its packets (RFC 6184, 8.1).
    fn on_fmtp(&mut self, value: &str) {
        let Some((number, parameters)) = value.split_once(' ') else { return };
        let Some(format) = self.format(number).filter(|format| format.name != Some(PictureCodec::Vp8)) else { return };
        let parameter = |wanted: &str| {
            let mut pairs = parameters.split(';').filter_map(|pair| pair.trim().split_once('='));
            pairs.find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value)
        };
        let profile = parameter("profile-level-id").filter(|text| text.len() == 6);
        let profile = profile.and_then(|text| u32::from_str_radix(text, 16).ok()).unwrap_or_default();
        // Constrained Baseline: Baseline, with the flag that says so (RFC 6184, table 5).
        let constrained = profile >> 16 == 0x42 && profile >> 8 & 0x40 != 0;
        format.fits = constrained && parameter("packetization-mode") == Some("1");
    }
}

// A description holds addresses and ICE passwords.
impl fmt::Debug for Sdp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sdp").field("setup", &self.setup).field("kinds", &self.kinds).finish_non_exhaustive()
    }
}

/// What has been read so far.
struct Reader<'a> {
    accepted: &'a [MediaKind],
    text: String,
    origin: bool,
    opus: bool,
    fingerprints: Vec<Fingerprint>,
    ice_ufrag: Option<String>,
    ice_pwd: Option<String>,
    setup: Option<Setup>,
    kinds: Vec<MediaKind>,
    pictures: Vec<Section>,
    candidates: Vec<Candidate>,
}

impl<'a> Reader<'a> {
    fn new(accepted: &'a [MediaKind]) -> Self {
        Self {
            accepted,
            text: String::new(),
            origin: false,
            opus: false,
            fingerprints: Vec::new(),
            ice_ufrag: None,
            ice_pwd: None,
            setup: None,
            kinds: Vec::new(),
            pictures: Vec::new(),
            candidates: Vec::new(),
        }
    }

    fn on_line(&mut self, number: usize, line: &str) -> Result<(), SdpError> {
        if number > SDP_LINES || line.len() > SDP_LINE_BYTES {
            return Err(SdpError::TooManyLines { line: number });
        }
        let malformed = SdpError::Malformed { line: number };
        if line.chars().any(char::is_control) {
            return Err(malformed);
        }
        let (name, value) = line.split_once('=').ok_or_else(|| malformed.clone())?;
        if (number == 1) != (name == "v") || (name == "v" && value != "0") {
            return Err(malformed);
        }
        match name {
            "v" | "s" | "t" | "i" | "u" | "e" | "p" | "c" | "b" | "r" | "z" => {}
            "o" if !self.origin && self.kinds.is_empty() => self.origin = true,
            "m" => self.on_media(value, malformed)?,
            "a" if value.starts_with("candidate:") => return self.on_candidate(value),
            "a" => self.on_attribute(value, malformed)?,
            // `k=` is RFC 4566's key in the clear.
            "k" => return Err(SdpError::Unprotected),
            _ => return Err(malformed),
        }
        self.text.push_str(line);
        self.text.push_str("\r\n");
        Ok(())
    }

    fn on_media(&mut self, value: &str, malformed: SdpError) -> Result<(), SdpError> {
        if self.kinds.len() == SDP_SECTIONS {
            return Err(SdpError::TooMany("media sections"));
        }
        let mut words = value.split(' ');
        let kind = match words.next() {
            Some("audio") => MediaKind::Audio,
            Some("video") => MediaKind::Video,
            Some("application") => MediaKind::Data,
            _ => return Err(SdpError::UnsupportedMedia),
        };
        let before = self.kinds.iter().filter(|known| **known == kind).count();
        let most = if kind == MediaKind::Video { PICTURES } else { 1 };
        if !self.accepted.contains(&kind) || before >= most {
            return Err(SdpError::UnsupportedMedia);
        }
        let port = words.next().and_then(|word| word.parse::<u16>().ok());
        let protocol = words.next().ok_or_else(|| malformed.clone())?;
        if kind == MediaKind::Data {
            return self.on_data(protocol, words.next(), port.ok_or(malformed)?);
        }
        if !matches!(protocol, "UDP/TLS/RTP/SAVPF" | "UDP/TLS/RTP/SAVP") {
            return Err(SdpError::Unprotected);
        }
        let formats = words.map(|word| word.parse::<u8>().ok().filter(|format| *format < 128));
        let formats = formats.collect::<Option<Vec<_>>>().filter(|formats| !formats.is_empty());
        let (Some(port), Some(formats)) = (port, formats) else { return Err(malformed) };
        if kind == MediaKind::Video {
            let named = formats.into_iter().take(FORMATS);
            let formats = named.map(|number| Format { number, name: None, fits: false }).collect();
            // Port 0 is a section that is not taken (RFC 3264, section 6).
            self.pictures.push(Section { refused: port == 0, ssrcs: Vec::new(), formats });
        }
        self.kinds.push(kind);
        Ok(())
    }

    /// Data travels over DTLS as well, and is refused by nobody who wants it.
    fn on_data(&mut self, protocol: &str, format: Option<&str>, port: u16) -> Result<(), SdpError> {
        match (protocol, format, port) {
            ("UDP/DTLS/SCTP", Some("webrtc-datachannel"), 1..) => {
                self.kinds.push(MediaKind::Data);
                Ok(())
            }
            ("UDP/DTLS/SCTP", ..) => Err(SdpError::UnsupportedMedia),
            _ => Err(SdpError::Unprotected),
        }
    }

    fn on_attribute(&mut self, value: &str, malformed: SdpError) -> Result<(), SdpError> {
        let (name, value) = value.split_once(':').unwrap_or((value, ""));
        match name {
            "fingerprint" => self.on_fingerprint(value),
            "ice-ufrag" => {
                let ufrag = ice_word(value, 4..=256).ok_or(malformed)?;
                agree(&mut self.ice_ufrag, ufrag, "ICE user name")
            }
            "ice-pwd" => {
                let pwd = ice_word(value, 22..=256).ok_or(malformed)?;
                agree(&mut self.ice_pwd, pwd, "ICE password")
            }
            "setup" => {
                let setup = match value {
                    "actpass" => Setup::ActPass,
                    "active" => Setup::Active,
                    "passive" => Setup::Passive,
                    _ => return Err(malformed),
                };
                agree(&mut self.setup, setup, "setup")
            }
            "rtpmap" => {
                self.opus |= value.to_ascii_lowercase().ends_with(" opus/48000/2");
                self.picture_here().for_each(|picture| picture.on_rtpmap(value));
                Ok(())
            }
            "fmtp" => {
                self.picture_here().for_each(|picture| picture.on_fmtp(value));
                Ok(())
            }
            "inactive" => {
                self.picture_here().for_each(|picture| picture.refused = true);
                Ok(())
            }
            "ssrc" => {
                let ssrc = value.split(' ').next().and_then(|word| word.parse().ok()).ok_or(malformed)?;
                let picture = self.picture_here().filter(|picture| picture.ssrcs.len() < SSRCS);
                picture.filter(|picture| !picture.ssrcs.contains(&ssrc)).for_each(|picture| picture.ssrcs.push(ssrc));
                Ok(())
            }
            "crypto" => Err(SdpError::Unprotected),
            "" => Err(malformed),
            _ => Ok(()),
        }
    }

    /// The picture that the lines that are read now are about, if they are about one.
    fn picture_here(&mut self) -> impl Iterator<Item = &mut Section> {
        let is_here = self.kinds.last() == Some(&MediaKind::Video);
        self.pictures.last_mut().into_iter().filter(move |_| is_here)
    }

    fn on_fingerprint(&mut self, value: &str) -> Result<(), SdpError> {
        let fingerprint = Fingerprint::parse_attribute(value)?;
        if !self.fingerprints.contains(&fingerprint) {
            if self.fingerprints.len() == SDP_FINGERPRINTS {
                return Err(SdpError::TooMany("fingerprints"));
            }
            self.fingerprints.push(fingerprint);
        }
        Ok(())
    }

    fn on_candidate(&mut self, line: &str) -> Result<(), SdpError> {
        if self.candidates.len() == SDP_CANDIDATES {
            return Err(SdpError::TooMany("candidates"));
        }
        match Candidate::parse(line) {
            Ok(candidate) => self.candidates.extend(candidate),
            // A browser hides its addresses behind mDNS names; those are only of no use to us.
            Err(CandidateError::NotAnAddress) => {}
            Err(error) => return Err(error.into()),
        }
        Ok(())
    }

    fn finish(self) -> Result<Sdp, SdpError> {
        if !self.origin {
            return Err(SdpError::Missing("origin"));
        }
        if self.kinds.is_empty() {
            return Err(SdpError::Missing("media"));
        }
        if self.kinds.contains(&MediaKind::Audio) && !self.opus {
            return Err(SdpError::Missing("Opus"));
        }
        if self.fingerprints.is_empty() {
            return Err(SdpError::Missing("fingerprint"));
        }
        Ok(Sdp {
            text: self.text,
            fingerprints: self.fingerprints,
            ice_pwd: self.ice_pwd.ok_or(SdpError::Missing("ICE password"))?,
            ice_ufrag: self.ice_ufrag.ok_or(SdpError::Missing("ICE user name"))?,
            setup: self.setup.ok_or(SdpError::Missing("setup"))?,
            kinds: self.kinds,
            pictures: self.pictures,
            candidates: self.candidates,
        })
    }
}

/// All sections share one bundled transport, so what they say of it must be the same.
fn agree<T: PartialEq>(slot: &mut Option<T>, value: T, what: &'static str) -> Result<(), SdpError> {
    match slot {
        Some(known) if *known != value => Err(SdpError::Disagrees(what)),
        _ => {
            *slot = Some(value);
            Ok(())
        }
    }
}

/// A word of RFC 8839's `ice-char`.
fn ice_word(value: &str, range: std::ops::RangeInclusive<usize>) -> Option<String> {
    token(value, range).filter(|word| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+/-_=".contains(&byte)))
}

#[cfg(test)]
#[path = "sdp_tests.rs"]
mod tests;
