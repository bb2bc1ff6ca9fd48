//! What two people compare to be sure of each other: digits, words, or a QR code.
//!
//! Made of both personas and their root keys, so it stays the same when devices come and go. The digits
//! follow Signal's scheme: SHA-512 over and over, 30 digits a side, the sides sorted.

use std::fmt;

use keys::VerifyingKey;
use ring::digest::{SHA512, digest};

use crate::digest::PersonaId;

/// What a QR payload begins with.
const QR_PREFIX: &str = "parlance-verify:1:";
const QR_BYTES: usize = 128;
/// How often each side is hashed: makes a look-alike key 5,200 times dearer.
const ROUNDS: usize = 5200;
const CONTEXT: &[u8] = b"parlance-safety-number-v1\n";
const WORDS_CONTEXT: &[u8] = b"parlance-safety-words-v1\n";

/// What a scanned code says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scanned {
    /// The same two personas with the same keys.
    Match,
    /// Somebody else, or other keys.
    Mismatch,
    /// No code of this app.
    Malformed,
}

/// What two people compare.
#[derive(Clone, PartialEq, Eq)]
pub struct SafetyNumber {
    digits: [String; 12],
    words: [&'static str; 12],
    qr: String,
}

impl SafetyNumber {
    /// The number of two personas with their current root keys; the same from either side.
    pub fn of(one: &(PersonaId, VerifyingKey), other: &(PersonaId, VerifyingKey)) -> Self {
        let mut sides = [side(one), side(other)];
        sides.sort_unstable();
        let mut hashes = sides.map(|side| iterated(&side));
        hashes.sort_unstable();
        let digits = std::array::from_fn(|group| {
            let bytes = &hashes[group / 6][group % 6 * 5..][..5];
            let number = bytes.iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
            format!("{:05}", number % 100_000)
        });
        let qr = format!("{QR_PREFIX}{}", keys::b64url(&sides.concat()));
        Self { digits, words: words(&hashes.concat()), qr }
    }

    /// 60 digits in 12 groups of 5.
    pub fn digits(&self) -> &[String; 12] {
        &self.digits
    }

    /// 12 English words of the BIP 39 list.
    pub fn words(&self) -> &[&'static str; 12] {
        &self.words
    }

    /// What the QR code holds: both personas and both root keys.
    pub fn qr(&self) -> &str {
        &self.qr
    }

    /// Whether a code scanned from the other one's screen is about the same two.
    pub fn check_scanned(mine: &(PersonaId, VerifyingKey), theirs: &(PersonaId, VerifyingKey), text: &str) -> Scanned {
        let Some(shown) = text.strip_prefix(QR_PREFIX).filter(|text| text.len() <= 2 * QR_BYTES) else {
            return Scanned::Malformed;
        };
        match keys::from_b64url(shown) {
            Ok(bytes) if bytes.len() == QR_BYTES => {
                let mut sides = [side(mine), side(theirs)];
                sides.sort_unstable();
                if sides.concat() == bytes { Scanned::Match } else { Scanned::Mismatch }
            }
            _ => Scanned::Malformed,
        }
    }
}

fn side((persona, irk): &(PersonaId, VerifyingKey)) -> [u8; 64] {
    let mut side = [0; 64];
    side[..32].copy_from_slice(&persona.0);
    side[32..].copy_from_slice(irk.as_bytes());
    side
}

/// Signal's scheme: each round hashes the round before together with the key.
fn iterated(side: &[u8; 64]) -> [u8; 64] {
    let mut hash = sha512(&[CONTEXT, &side[32..], &side[..32]].concat());
    for _ in 0..ROUNDS {
        hash = sha512(&[&hash[..], &side[32..]].concat());
    }
    hash
}

fn sha512(bytes: &[u8]) -> [u8; 64] {
    let mut out = [0; 64];
    out.copy_from_slice(digest(&SHA512, bytes).as_ref());
    out
}

/// The first 132 bits of a hash, 11 bits a word.
fn words(hashes: &[u8]) -> [&'static str; 12] {
    let hash = sha512(&[WORDS_CONTEXT, hashes].concat());
    let list = bip39::Language::English.word_list();
    std::array::from_fn(|word| {
        let bits = word * 11..word * 11 + 11;
        let index = bits.fold(0, |index, bit| index << 1 | usize::from(hash[bit / 8] >> (7 - bit % 8) & 1));
        list[index]
    })
}

/// Shows nothing: it names two people.
impl fmt::Debug for SafetyNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SafetyNumber(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keys::SigningKey;

    fn somebody(seed: u8) -> (PersonaId, VerifyingKey) {
        (PersonaId([seed; 32]), SigningKey::from_bytes(&[seed; 32]).verifying_key())
    }

    #[test]
    fn both_sides_see_the_same_and_nobody_else_does() {
        let (ana, ben, eve) = (somebody(1), somebody(2), somebody(3));
        let number = SafetyNumber::of(&ana, &ben);
        assert_eq!(number, SafetyNumber::of(&ben, &ana));
        for (one, other) in [(ana, eve), ((ana.0, eve.1), ben), ((eve.0, ana.1), ben), (eve, ben)] {
            let another = SafetyNumber::of(&one, &other);
            assert_ne!(another.digits(), number.digits());
            assert_ne!(another.words(), number.words());
            assert_ne!(another.qr(), number.qr());
        }
    }

    /// The values are those of an independent implementation (Node.js).
    #[test]
    fn the_number_has_60_digits_and_12_words_and_never_changes() {
        let number = SafetyNumber::of(&somebody(1), &somebody(2));
        assert!(number.digits().iter().all(|group| group.len() == 5 && group.bytes().all(|b| b.is_ascii_digit())));
        assert_eq!(number.digits().concat(), "586661477792326512275939457931999978622893080524952330880947");
        assert_eq!(
            number.words().join(" "),
            "right tuition virus cabbage clean buddy atom figure amazing figure earth expect"
        );
        assert!(!format!("{number:?}").contains(&number.digits()[0]));
    }

    #[test]
    fn a_side_keeps_its_thirty_digits_whoever_it_is_compared_with() {
        let halves = |other| {
            let digits = SafetyNumber::of(&somebody(1), &other).digits().concat();
            [digits[..30].to_owned(), digits[30..].to_owned()]
        };
        let (ben, eve) = (halves(somebody(2)), halves(somebody(3)));
        assert_eq!(ben.iter().filter(|half| eve.contains(half)).count(), 1);
    }

    #[test]
    fn a_scanned_code_matches_or_not() {
        let (ana, ben, eve) = (somebody(1), somebody(2), somebody(3));
        let shown = SafetyNumber::of(&ben, &ana);
        assert_eq!(SafetyNumber::check_scanned(&ana, &ben, shown.qr()), Scanned::Match);
        assert_eq!(SafetyNumber::check_scanned(&ana, &eve, shown.qr()), Scanned::Mismatch);
        assert_eq!(SafetyNumber::check_scanned(&ana, &(ben.0, eve.1), shown.qr()), Scanned::Mismatch);
        let long = "A".repeat(100_000);
        for text in ["", "parlance-verify:2:AAAA", "parlance-verify:1:", "parlance-verify:1:AAAA", &shown.qr()[..60]] {
            assert_eq!(SafetyNumber::check_scanned(&ana, &ben, text), Scanned::Malformed, "{text}");
        }
        assert_eq!(SafetyNumber::check_scanned(&ana, &ben, &format!("{QR_PREFIX}{long}")), Scanned::Malformed);
    }
}
