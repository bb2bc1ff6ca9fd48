//! Stories of session descriptions, honest and hostile.

use proptest::prelude::*;

use super::*;

fn fingerprint() -> String {
    vec!["AB"; 32].join(":")
}

fn offer() -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=setup:actpass\r\na=mid:0\r\n\
         a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghijkl\r\na=rtpmap:111 opus/48000/2\r\n\
         a=fingerprint:sha-256 {}\r\na=candidate:1 1 udp 7 10.0.0.1 4000 typ host\r\n\
         a=end-of-candidates\r\na=sendrecv\r\n",
        fingerprint()
    )
}

fn refused(text: &str) -> SdpError {
    Sdp::parse(text).unwrap_err()
}

#[test]
fn an_honest_offer_is_read() {
    let sdp = Sdp::parse(&offer()).unwrap();
    assert_eq!(sdp.fingerprints(), [Fingerprint::parse(&fingerprint()).unwrap()]);
    assert_eq!((sdp.ice_ufrag(), sdp.setup()), ("abcd", Setup::ActPass));
    assert_eq!(sdp.kinds(), [MediaKind::Audio]);
    assert_eq!(sdp.candidates().len(), 1);
    assert!(!sdp.text().contains("candidate:"), "addresses are judged apart");
    assert_eq!(Sdp::parse(sdp.text()).unwrap().text(), sdp.text());
}

#[test]
fn a_description_without_a_fingerprint_is_refused() {
    let without = offer().lines().filter(|line| !line.contains("fingerprint")).collect::<Vec<_>>().join("\r\n");
    assert_eq!(refused(&without), SdpError::Missing("fingerprint"));
}

#[test]
fn one_weak_fingerprint_beside_a_good_one_is_refused() {
    let weak = format!("{}a=fingerprint:sha-1 {}\r\n", offer(), vec!["AB"; 20].join(":"));
    assert_eq!(refused(&weak), SdpError::Fingerprint(FingerprintError::NotSha256));
}

#[test]
fn every_fingerprint_is_found_in_the_session_and_in_the_media() {
    let second = vec!["CD"; 32].join(":");
    let text = offer().replacen("t=0 0\r\n", &format!("t=0 0\r\na=fingerprint:sha-256 {second}\r\n"), 1);
    assert_eq!(Sdp::parse(&text).unwrap().fingerprints().len(), 2);
}

#[test]
fn media_without_dtls_are_refused() {
    assert_eq!(refused(&offer().replace("UDP/TLS/RTP/SAVPF", "RTP/AVP")), SdpError::Unprotected);
    assert_eq!(refused(&offer().replace("UDP/TLS/RTP/SAVPF", "RTP/SAVPF")), SdpError::Unprotected);
    assert_eq!(refused(&format!("{}a=crypto:1 AES inline:x\r\n", offer())), SdpError::Unprotected);
    assert_eq!(refused(&format!("{}k=clear:x\r\n", offer())), SdpError::Unprotected);
}

#[test]
fn a_call_has_a_voice_and_perhaps_a_picture_and_nothing_else() {
    let video = format!("{}m=video 9 UDP/TLS/RTP/SAVPF 96\r\n", offer());
    assert_eq!(Sdp::parse(&video).unwrap().kinds(), [MediaKind::Audio, MediaKind::Video]);
    assert_eq!(Sdp::parse_with(&video, &[MediaKind::Audio]), Err(SdpError::UnsupportedMedia));
    assert_eq!(refused(&offer().replace("m=audio", "m=video")), SdpError::Missing("voice"));
    let data = format!("{}m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n", offer());
    assert_eq!(refused(&data), SdpError::UnsupportedMedia);
    let twice = format!("{}m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n", offer());
    assert_eq!(refused(&twice), SdpError::UnsupportedMedia);
}

#[test]
fn a_second_picture_is_that_of_a_screen_and_a_third_is_refused() {
    let camera = format!("{}m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=ssrc:7 cname:x\r\n", offer());
    assert!(!Sdp::parse(&camera).unwrap().has_screen());
    let both = format!(
        "{camera}m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=ssrc:4294967295 cname:x\r\na=ssrc:4294967295 msid:x y\r\n"
    );
    let sdp = Sdp::parse(&both).unwrap();
    assert_eq!(sdp.kinds(), [MediaKind::Audio, MediaKind::Video, MediaKind::Video]);
    assert!(sdp.has_screen());
    assert_eq!(sdp.screen_ssrcs(), [u32::MAX]);
    let refused_port = both.replace("x\r\nm=video 9", "x\r\nm=video 0");
    assert!(!Sdp::parse(&refused_port).unwrap().has_screen(), "an answer may refuse it");
    assert!(!Sdp::parse(&format!("{both}a=inactive\r\n")).unwrap().has_screen());
    assert_eq!(refused(&format!("{both}m=video 9 UDP/TLS/RTP/SAVPF 96\r\n")), SdpError::UnsupportedMedia);
    assert!(matches!(refused(&format!("{both}a=ssrc:4294967296 cname:x\r\n")), SdpError::Malformed { .. }));
    let many: String = (0..50).map(|ssrc| format!("a=ssrc:{ssrc} cname:x\r\n")).collect();
    assert_eq!(Sdp::parse(&format!("{both}{many}")).unwrap().screen_ssrcs().len(), 8);
}

#[test]
fn the_codecs_of_a_picture_are_those_we_speak_in_the_order_of_the_writer() {
    let picture = "m=video 9 UDP/TLS/RTP/SAVPF 100 96 97 102 103 104 105 98\r\n\
        a=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\na=rtpmap:98 VP9/90000\r\n\
        a=rtpmap:100 H264/90000\r\n\
        a=fmtp:100 level-asymmetry-allowed=1; packetization-mode=1;profile-level-id=42e01f\r\n\
        a=rtpmap:102 H264/90000\r\na=fmtp:102 packetization-mode=0;profile-level-id=42e01f\r\n\
        a=rtpmap:103 H264/90000\r\na=fmtp:103 packetization-mode=1;profile-level-id=64001f\r\n\
        a=rtpmap:104 H264/90000\r\na=fmtp:104 packetization-mode=1;profile-level-id=42001f\r\n\
        a=rtpmap:105 H264/90000\r\na=fmtp:105 packetization-mode=1;profile-level-id=+2e01f\r\n\
        a=rtpmap:7 VP8/90000\r\n";
    let both = format!("{}{picture}m=video 9 UDP/TLS/RTP/SAVPF 96\r\na=rtpmap:96 vp8/90000\r\n", offer());
    let sdp = Sdp::parse(&both).unwrap();
    assert_eq!(sdp.camera_codecs(), [(PictureCodec::H264, 100), (PictureCodec::Vp8, 96)]);
    assert_eq!(sdp.screen_codecs(), [(PictureCodec::Vp8, 96)]);
    let refused =
        Sdp::parse(&both.replace("m=video 9 UDP/TLS/RTP/SAVPF 100", "m=video 0 UDP/TLS/RTP/SAVPF 100")).unwrap();
    assert_eq!((refused.camera_codecs(), refused.screen_codecs().len()), (vec![], 1));
    assert!(Sdp::parse(&offer()).unwrap().camera_codecs().is_empty());
    let many: String = (0..1_000).map(|number| format!(" {}", number % 128)).collect();
    let named: String = (0..128).map(|number| format!("a=rtpmap:{number} VP8/90000\r\n")).collect();
    let flood = Sdp::parse(&format!("{}m=video 9 UDP/TLS/RTP/SAVPF{many}\r\n{named}", offer())).unwrap();
    assert_eq!(flood.camera_codecs().len(), FORMATS);
}

#[test]
fn a_description_that_contradicts_itself_is_refused() {
    assert_eq!(refused(&format!("{}a=ice-ufrag:wxyz\r\n", offer())), SdpError::Disagrees("ICE user name"));
    assert_eq!(refused(&format!("{}a=setup:active\r\n", offer())), SdpError::Disagrees("setup"));
}

#[test]
fn the_limits_hold() {
    assert!(matches!(refused(&"v=0\r\n".repeat(20_000)), SdpError::TooLong { .. }));
    assert!(matches!(refused(&format!("{}{}", offer(), "a=x\r\n".repeat(600))), SdpError::TooManyLines { .. }));
    assert!(matches!(refused(&format!("{}a={}\r\n", offer(), "x".repeat(5_000))), SdpError::TooManyLines { .. }));
    let candidates = "a=candidate:1 1 udp 7 10.0.0.1 4000 typ host\r\n".repeat(64);
    assert_eq!(refused(&format!("{}{candidates}", offer())), SdpError::TooMany("candidates"));
    let fingerprints: String =
        (0..9).map(|n| format!("a=fingerprint:sha-256 {}\r\n", vec![format!("{n:02X}"); 32].join(":"))).collect();
    assert_eq!(refused(&format!("{}{fingerprints}", offer())), SdpError::TooMany("fingerprints"));
}

#[test]
fn broken_lines_are_refused_with_their_number() {
    assert_eq!(refused(""), SdpError::Missing("origin"));
    assert_eq!(refused("hello"), SdpError::Malformed { line: 1 });
    assert_eq!(refused("v=1\r\n"), SdpError::Malformed { line: 1 });
    assert_eq!(refused("v=0\r\nv=0\r\n"), SdpError::Malformed { line: 2 });
    assert_eq!(refused(&offer().replace("a=setup:actpass", "a=setup:holdconn")), SdpError::Malformed { line: 8 });
    assert_eq!(refused(&offer().replace("s=-", "s=\u{7}")), SdpError::Malformed { line: 3 });
    assert_eq!(refused(&offer().replace(" 111\r\nc=", " 300\r\nc=")), SdpError::Malformed { line: 6 });
    assert_eq!(refused(&offer().replace("abcd", "a b c d")), SdpError::Malformed { line: 10 });
}

#[test]
fn a_hidden_address_is_of_no_use_but_no_crime() {
    let hidden = offer().replace("10.0.0.1", "4f3a.local");
    assert!(Sdp::parse(&hidden).unwrap().candidates().is_empty());
    let absurd = offer().replace("10.0.0.1", "255.255.255.255");
    assert_eq!(refused(&absurd), SdpError::Candidate(CandidateError::AbsurdAddress));
}

#[test]
fn a_log_line_never_shows_what_it_says() {
    let shown = format!("{:?}", Sdp::parse(&offer()).unwrap());
    assert!(!shown.contains("abcd") && !shown.contains("10.0.0.1"), "{shown}");
}

proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,400}") {
        let _ = Sdp::parse(&text);
        let _ = Candidate::parse(&text);
    }

    #[test]
    fn an_offer_with_random_wounds_is_read_or_refused(
        wounds in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12)
    ) {
        let mut bytes = offer().into_bytes();
        for (index, byte) in wounds {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        if let Ok(sdp) = Sdp::parse(&String::from_utf8_lossy(&bytes)) {
            prop_assert!(!sdp.fingerprints().is_empty());
        }
    }
}
