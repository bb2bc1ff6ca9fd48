//! What an issuer says of itself: its name in the first line, its description below.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signin::fuzzing::description;
use transport::Reach;

fuzz_target!(|data: &[u8]| {
    let Some((issuer, said)) = fuzz::text(data).and_then(|text| text.split_once('\n')) else { return };
    let Ok(found) = description(said.as_bytes(), issuer) else { return };
    assert_eq!(found.issuer, issuer);
    for url in [&found.authorization_endpoint, &found.token_endpoint, &found.jwks_uri] {
        assert_eq!(Reach::for_url(url), found.reach, "an issuer leads elsewhere");
        assert!(url.scheme() == "https" || (url.scheme() == "http" && found.reach == Reach::Loopback));
    }
});
