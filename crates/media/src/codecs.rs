//! Which codecs the pictures of a call may have, and how they stand in a description.

use std::path::PathBuf;
use std::sync::OnceLock;

use call::PictureCodec;
use rtc::peer_connection::configuration::media_engine::{MIME_TYPE_H264, MIME_TYPE_VP8};
use rtc::rtp::codec::h264::H264Payloader;
use rtc::rtp::codec::vp8::Vp8Payloader;
use rtc::rtp::packetizer::Payloader;
use rtc::rtp_transceiver::rtp_sender::{RTCPFeedback, RTCRtpCodec, RTCRtpCodecParameters};
use video::{Codec, CodecKind, Openh264};

use crate::video_track::CLOCK;

/// What browsers use for VP8 too.
const VP8_PAYLOAD_TYPE: u8 = 96;
/// The same for H.264.
const H264_PAYLOAD_TYPE: u8 = 102;
/// Constrained Baseline, level 3.1, units in parts and together (RFC 6184, 8.1): what RFC 7742 asks everybody for.
const H264_PARAMETERS: &str = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f";

/// How H.264 stands beside VP8, which is always offered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum H264 {
    /// It is not offered and not taken.
    Off,
    /// After VP8: it is spoken with who offers nothing else, or offers it first.
    #[default]
    Beside,
    /// Before VP8.
    First,
}

impl H264 {
    /// Reads `off`, `beside` or `first`.
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "off" => Some(Self::Off),
            "beside" => Some(Self::Beside),
            "first" => Some(Self::First),
            _ => None,
        }
    }
}

/// Where whoever runs this computer puts Cisco's openh264 for everybody on it.
pub fn openh264_places() -> Vec<PathBuf> {
    if cfg!(windows) {
        std::env::var_os("ProgramFiles")
            .map(|folder| PathBuf::from(folder).join("Parlance Codecs"))
            .into_iter()
            .collect()
    } else if cfg!(target_os = "macos") {
        vec!["/Library/Application Support/Parlance/codecs".into()]
    } else {
        vec!["/usr/local/lib/parlance/codecs".into(), "/usr/lib/parlance/codecs".into()]
    }
}

/// The library of H.264, looked for once.
#[derive(Debug, Default)]
pub(crate) struct Library(OnceLock<Option<Openh264>>);

impl Library {
    /// The codecs of a call, what we like best first.
    pub(crate) fn codecs(&self, h264: H264, places: &[PathBuf]) -> Vec<Codec> {
        let mut codecs = vec![Codec::Vp8];
        if h264 != H264::Off
            && let Some(library) = self.0.get_or_init(|| look(places)).clone()
        {
            codecs.push(Codec::H264(library));
        }
        if h264 == H264::First {
            codecs.reverse();
        }
        codecs
    }
}

fn look(places: &[PathBuf]) -> Option<Openh264> {
    match Openh264::find(places) {
        Ok(library) => {
            tracing::info!("calls speak VP8 and H.264");
            Some(library)
        }
        Err(why) => {
            tracing::info!(%why, "calls speak VP8 only");
            None
        }
    }
}

pub(crate) fn kinds(codecs: &[Codec]) -> Vec<CodecKind> {
    codecs.iter().map(Codec::kind).collect()
}

/// What of a description's codecs we have too, in its order.
pub(crate) fn shared(ours: &[Codec], theirs: &[(PictureCodec, u8)]) -> Vec<(u8, Codec)> {
    let same = |codec: &PictureCodec| {
        let kind = match codec {
            PictureCodec::Vp8 => CodecKind::Vp8,
            PictureCodec::H264 => CodecKind::H264,
        };
        ours.iter().find(|ours| ours.kind() == kind).cloned()
    };
    theirs.iter().filter_map(|(codec, number)| Some((*number, same(codec)?))).collect()
}

/// A codec, as the engine writes it into a description.
pub(crate) fn described(kind: CodecKind) -> RTCRtpCodec {
    let feedback = |typ: &str, parameter: &str| RTCPFeedback { typ: typ.to_owned(), parameter: parameter.to_owned() };
    let (mime_type, parameters) = match kind {
        CodecKind::Vp8 => (MIME_TYPE_VP8, ""),
        CodecKind::H264 => (MIME_TYPE_H264, H264_PARAMETERS),
    };
    RTCRtpCodec {
        mime_type: mime_type.to_owned(),
        clock_rate: CLOCK,
        channels: 0,
        sdp_fmtp_line: parameters.to_owned(),
        rtcp_feedback: vec![feedback("ccm", "fir")],
    }
}

pub(crate) fn parameters(kind: CodecKind) -> RTCRtpCodecParameters {
    let payload_type = match kind {
        CodecKind::Vp8 => VP8_PAYLOAD_TYPE,
        CodecKind::H264 => H264_PAYLOAD_TYPE,
    };
    RTCRtpCodecParameters { rtp_codec: described(kind), payload_type }
}

/// What cuts frames into packets.
pub(crate) fn payloader(kind: CodecKind) -> Box<dyn Payloader + Send> {
    match kind {
        CodecKind::Vp8 => {
            let mut payloader = Vp8Payloader::default();
            // With picture ids no packet is shorter than readers expect.
            payloader.enable_picture_id = true;
            Box::new(payloader)
        }
        CodecKind::H264 => Box::<H264Payloader>::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codecs(h264: H264) -> Vec<Codec> {
        Library::default().codecs(h264, &[])
    }

    #[test]
    fn vp8_is_always_there_and_h264_stands_where_it_is_wished() {
        use CodecKind::{H264 as Avc, Vp8};
        assert_eq!(kinds(&codecs(H264::Off)), [Vp8]);
        assert_eq!(kinds(&codecs(H264::Beside)), [Vp8, Avc]);
        assert_eq!(kinds(&codecs(H264::First)), [Avc, Vp8]);
        let without = Library(OnceLock::from(None));
        assert_eq!(kinds(&without.codecs(H264::First, &[])), [Vp8]);
    }

    #[test]
    fn what_both_have_is_spoken_in_the_order_of_the_other_side() {
        let theirs = [(PictureCodec::H264, 109), (PictureCodec::Vp8, 96)];
        let agreed = |ours: H264, theirs: &[(PictureCodec, u8)]| {
            let shared = shared(&codecs(ours), theirs);
            shared.into_iter().map(|(number, codec)| (number, codec.kind().name())).collect::<Vec<_>>()
        };
        assert_eq!(agreed(H264::Beside, &theirs), [(109, "H.264"), (96, "VP8")]);
        assert_eq!(agreed(H264::Off, &theirs), [(96, "VP8")]);
        assert_eq!(agreed(H264::Off, &theirs[..1]), []);
    }
}
