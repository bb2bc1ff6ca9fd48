//! ICE candidates, fingerprints and the last word of a call.
#![no_main]

use call::{ByeReason, CANDIDATE_BYTES, Candidate, Fingerprint};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(text) = fuzz::text(data) else { return };
    if let Ok(Some(candidate)) = Candidate::parse(text) {
        let address = candidate.address;
        assert!(!address.is_unspecified() && !address.is_multicast());
        let json = candidate.to_json();
        if json.len() <= CANDIDATE_BYTES {
            assert_eq!(Candidate::parse(&json), Ok(Some(candidate)));
        }
    }
    if let Ok(fingerprint) = Fingerprint::parse_attribute(text) {
        assert_eq!(Fingerprint::parse_attribute(&format!("sha-256 {fingerprint}")), Ok(fingerprint));
        fuzz::same_as_json(&fingerprint);
    }
    let bye = ByeReason::parse(text);
    assert_eq!(ByeReason::parse(bye.code()), bye);
});
