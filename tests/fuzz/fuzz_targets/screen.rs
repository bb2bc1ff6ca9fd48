//! The second picture of a session description: whatever stands there, it is read as written, and what was said of the
//! voice and of the camera stays as it was.
#![no_main]

use std::io::Cursor;

use arbitrary::Arbitrary;
use call::{MediaKind, PictureCodec, SDP_SECTIONS, Sdp};
use libfuzzer_sys::fuzz_target;
use rtc_sdp::SessionDescription;

/// A line under the screen's `m=`: near the true ones, or anything.
#[derive(Debug, Arbitrary)]
enum Line<'a> {
    Map(u8, bool),
    Parameters(u8, u32, u8),
    Source(u32),
    Refused,
    Attribute(&'a str),
    Any(&'a str),
}

#[derive(Debug, Arbitrary)]
struct Screen<'a> {
    /// Where audio and the two pictures stand.
    order: u8,
    port: u16,
    formats: Vec<u8>,
    lines: Vec<Line<'a>>,
    /// Whether a third picture follows.
    third: bool,
}

/// The most sources and formats of a picture that are remembered.
const SSRCS: usize = 8;
const FORMATS: usize = 96;
const BOTH: [MediaKind; 2] = [MediaKind::Audio, MediaKind::Video];
const AUDIO: &str = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\na=mid:0\r\n";
const CAMERA: &str = "m=video 9 UDP/TLS/RTP/SAVPF 96 102\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\n\
    a=rtpmap:102 H264/90000\r\na=fmtp:102 packetization-mode=1;profile-level-id=42e01f\r\na=ssrc:7 cname:x\r\n";

fn head() -> String {
    let fingerprint = ["AB"; 32].join(":");
    format!(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1 2\r\na=setup:actpass\r\na=ice-ufrag:abcd\r\n\
         a=ice-pwd:0123456789abcdefghijkl\r\na=fingerprint:sha-256 {fingerprint}\r\n"
    )
}

impl Line<'_> {
    fn text(&self) -> String {
        match self {
            Self::Map(number, true) => format!("a=rtpmap:{number} VP8/90000\r\n"),
            Self::Map(number, false) => format!("a=rtpmap:{number} H264/90000\r\n"),
            Self::Parameters(number, profile, mode) => {
                format!("a=fmtp:{number} packetization-mode={mode};profile-level-id={profile:06x}\r\n")
            }
            Self::Source(ssrc) => format!("a=ssrc:{ssrc} cname:y\r\n"),
            Self::Refused => "a=inactive\r\n".into(),
            Self::Attribute(text) => format!("a={text}\r\n"),
            Self::Any(text) => format!("{text}\r\n"),
        }
    }
}

impl Screen<'_> {
    fn text(&self) -> String {
        let formats: Vec<String> = self.formats.iter().map(u8::to_string).collect();
        let lines: String = self.lines.iter().map(Line::text).collect();
        format!("m=video {} UDP/TLS/RTP/SAVPF {}\r\na=mid:2\r\n{lines}", self.port, formats.join(" "))
    }

    /// Whether all lines are ones that say nothing of other sections, nor begin one.
    fn keeps_to_itself(&self) -> bool {
        self.lines.iter().all(|line| !matches!(line, Line::Attribute(_) | Line::Any(_)))
    }
}

fuzz_target!(|screen: Screen<'_>| {
    let told = screen.text();
    let sections = match screen.order % 3 {
        0 => [AUDIO, CAMERA, &told],
        1 => [CAMERA, &told, AUDIO],
        _ => [CAMERA, AUDIO, &told],
    };
    let third = if screen.third { CAMERA } else { "" };
    let text = format!("{}{}{third}", head(), sections.concat());
    let Ok(sdp) = Sdp::parse_with(&text, &BOTH) else { return };
    assert!(!screen.third, "a call has two pictures");
    assert!(sdp.kinds().len() <= SDP_SECTIONS);
    let voice = Sdp::parse_with(&text, &[MediaKind::Audio]);
    assert!(voice.is_err(), "who speaks only hears of no picture");

    let alone = Sdp::parse_with(&format!("{}{AUDIO}{CAMERA}", head()), &BOTH).expect("a call with a camera");
    assert_eq!(sdp.camera_codecs(), alone.camera_codecs(), "what is said of the screen changes nothing of the camera");
    let codecs = sdp.screen_codecs();
    assert!(codecs.len() <= FORMATS && sdp.screen_ssrcs().len() <= SSRCS);
    assert!(sdp.has_screen() || codecs.is_empty(), "what is not taken is sent in nothing");
    assert!(codecs.iter().all(|(_, number)| screen.formats.contains(number) || !screen.keeps_to_itself()));
    if screen.keeps_to_itself() {
        assert_eq!(sdp.fingerprints(), alone.fingerprints());
        assert_eq!((sdp.ice_ufrag(), sdp.ice_pwd(), sdp.setup()), (alone.ice_ufrag(), alone.ice_pwd(), alone.setup()));
        let refused = screen.port == 0 || screen.lines.iter().any(|line| matches!(line, Line::Refused));
        assert_eq!(sdp.has_screen(), !refused);
        let vp8 = codecs.iter().find(|(codec, _)| *codec == PictureCodec::Vp8);
        let is_named =
            |number: u8| screen.lines.iter().any(|line| matches!(line, Line::Map(named, true) if *named == number));
        assert!(vp8.is_none_or(|(_, number)| is_named(*number)), "nothing is VP8 that was not called so");
        let mut sources: Vec<u32> = sdp.screen_ssrcs().to_vec();
        let count = sources.len();
        sources.sort_unstable();
        sources.dedup();
        assert_eq!(sources.len(), count, "each source once");
    }

    let again = Sdp::parse_with(sdp.text(), &BOTH).expect("what was passed on is still good");
    assert_eq!((again.text(), again.kinds()), (sdp.text(), sdp.kinds()));
    assert_eq!((again.screen_codecs(), again.screen_ssrcs()), (codecs, sdp.screen_ssrcs()));
    assert_eq!((again.has_screen(), again.camera_codecs()), (sdp.has_screen(), sdp.camera_codecs()));
    let _ = SessionDescription::unmarshal(&mut Cursor::new(sdp.text().as_bytes()));
});
