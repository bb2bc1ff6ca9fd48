//! Keys, signatures and sealed bytes as they come from outside.
#![no_main]

use keys::{PassphraseParams, SealKey, Signature, VerifyingKey};
use libfuzzer_sys::fuzz_target;

/// What a fuzzer has time for; the bounds themselves have a test of their own.
const CHEAP_KIB: u32 = 64;

fuzz_target!(|data: &[u8]| {
    if let Ok(key) = VerifyingKey::from_bytes(&data[..data.len().min(32)]) {
        assert_eq!(VerifyingKey::parse(&key.to_string()), Ok(key));
        if let Ok(signature) = Signature::from_bytes(data.get(32..96).unwrap_or_default()) {
            assert_eq!(Signature::parse(&signature.to_string()), Ok(signature));
            // Whoever could sign this with a random key could sign anything.
            let _ = key.verify(data, &signature);
        }
    }
    assert!(SealKey::from_bytes(&[7; 32]).open(data, b"here").is_err(), "nobody sealed this");
    let Some(text) = fuzz::text(data) else { return };
    if let Ok(bytes) = keys::from_b64url(text) {
        assert_eq!(keys::b64url(&bytes), text);
    }
    if let Ok(bytes) = keys::from_base32(text) {
        assert_eq!(keys::base32(&bytes), text);
    }
    if let Ok(key) = VerifyingKey::parse(text) {
        assert_eq!(key.to_string(), text);
    }
    if let Ok(params) = serde_json::from_str::<PassphraseParams>(text) {
        fuzz::same_as_json(&params);
        if params.memory_kib <= CHEAP_KIB && params.passes <= 2 {
            let _ = keys::passphrase_key("correct horse", &params);
        }
    }
});
