//! The request by which the browser comes back from signing in.
#![no_main]

use libfuzzer_sys::fuzz_target;
use signin::fuzzing::callback;

fuzz_target!(|data: &[u8]| {
    let Some(found) = fuzz::text(data).and_then(|head| callback(head, 7)) else { return };
    assert!(found.state.is_some() && found.code.is_some() != found.error.is_some());
    assert!(data.starts_with(b"GET /"));
});
