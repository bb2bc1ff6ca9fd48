//! Session descriptions: ours reads first, and what it passes on the engine's reader must survive.
#![no_main]

use std::io::Cursor;

use call::{MediaKind, SDP_BYTES, SDP_CANDIDATES, SDP_FINGERPRINTS, SDP_SECTIONS, Sdp};
use libfuzzer_sys::fuzz_target;
use rtc_sdp::SessionDescription;

fuzz_target!(|data: &[u8]| {
    let Some(text) = fuzz::text(data) else { return };
    let Ok(sdp) = Sdp::parse_with(text, &[MediaKind::Audio, MediaKind::Video]) else {
        assert!(Sdp::parse(text).is_err(), "fewer kinds accept no more");
        return;
    };
    assert!(text.len() <= SDP_BYTES && (1..=SDP_SECTIONS).contains(&sdp.kinds().len()));
    assert!((1..=SDP_FINGERPRINTS).contains(&sdp.fingerprints().len()) && sdp.candidates().len() <= SDP_CANDIDATES);
    assert!(!sdp.text().lines().any(|line| line.starts_with("a=candidate:") || line.starts_with("a=crypto:")));
    let again = Sdp::parse_with(sdp.text(), sdp.kinds()).expect("what was passed on is still good");
    assert_eq!(again.text(), sdp.text());
    assert_eq!((again.fingerprints(), again.ice_ufrag()), (sdp.fingerprints(), sdp.ice_ufrag()));
    assert_eq!((again.setup(), again.kinds()), (sdp.setup(), sdp.kinds()));
    let _ = SessionDescription::unmarshal(&mut Cursor::new(sdp.text().as_bytes()));
});
