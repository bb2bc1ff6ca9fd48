//! The key sets of issuers.
#![no_main]

use fuzz::NOW;
use identity::{Jwks, JwksBook};
use libfuzzer_sys::fuzz_target;

const KEYS_LIMIT: usize = 64;

fuzz_target!(|data: &[u8]| {
    let Some(jwks) = fuzz::text(data).and_then(|text| Jwks::parse(text).ok()) else { return };
    assert!(jwks.keys().len() <= KEYS_LIMIT);
    let mut book = JwksBook::default();
    book.learn("https://i.example", &jwks, NOW);
    let once = book.clone();
    book.learn("https://i.example", &jwks, NOW);
    assert_eq!(book, once, "the same keys twice are the same keys");
    fuzz::same_as_json(&book);
});
