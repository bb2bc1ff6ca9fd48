//! What the fuzz targets share: fixed keys, and reading again what was written.

use std::fmt::Debug;

use keys::SigningKey;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The moment at which everything happens, in Unix seconds.
pub const NOW: i64 = 1_800_000_000;

/// The input as text, if it is.
pub fn text(data: &[u8]) -> Option<&str> {
    std::str::from_utf8(data).ok()
}

/// A key that is the same in every run, so that an input means the same in every run.
pub fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

/// What was accepted, written as JSON and read again, must be the same.
pub fn same_as_json<T: Serialize + DeserializeOwned + PartialEq + Debug>(value: &T) {
    let json = serde_json::to_string(value).expect("what was read can be written");
    let again: T = serde_json::from_str(&json).expect("what was written can be read");
    assert_eq!(*value, again);
}
