//! The credential of an MLS leaf.
#![no_main]

use identity::{CREDENTIAL_LIMIT, DeviceCredential};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Ok(credential) = DeviceCredential::decode(data) else { return };
    assert!(data.len() <= CREDENTIAL_LIMIT);
    assert!(DeviceCredential::decode(&credential.encode()).is_ok_and(|again| again == credential));
});
