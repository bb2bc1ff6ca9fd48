//! A short code two people read to each other in a call: the same on both ends, or somebody sits between.
//!
//! It is short, so nobody may choose their part of it after they saw the other's: the caller commits to a
//! nonce first, the callee shows hers, then the caller reveals (as in ZRTP). A man in the middle has one
//! guess in a million.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

const COMMIT_CONTEXT: &[u8] = b"parlance-sas-commit-v1\n";
const CODE_CONTEXT: &[u8] = b"parlance-sas-v1\n";

/// Random bytes of one side, fresh for each call.
pub type SasNonce = [u8; 32];
/// SHA-256 of a side's DTLS certificate.
pub type Fingerprint = [u8; 32];

/// A promise to a nonce that is shown later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SasCommit(Digest);

impl SasCommit {
    /// Commits to `nonce`, for the call in which this side shows `fingerprint`.
    pub fn of(nonce: &SasNonce, fingerprint: &Fingerprint) -> Self {
        Self(Digest::of(&[COMMIT_CONTEXT, nonce, fingerprint].concat()))
    }

    /// Whether it was made for these two; takes as long whatever differs.
    pub fn opens(&self, nonce: &SasNonce, fingerprint: &Fingerprint) -> bool {
        keys::constant_time_eq(&self.0.0, &Self::of(nonce, fingerprint).0.0)
    }
}

/// One side of a call.
#[derive(Clone, Copy)]
pub struct SasSide<'a> {
    /// SHA-256 of its DTLS certificate.
    pub fingerprint: &'a Fingerprint,
    /// Its nonce, revealed.
    pub nonce: &'a SasNonce,
}

/// What both read to each other.
#[derive(Clone, PartialEq, Eq)]
pub struct SasCode {
    digits: String,
    emoji: [(&'static str, &'static str); 4],
}

impl SasCode {
    /// The code of a call: from 32 bytes only the group's members can export, and both sides. The caller is
    /// the one who invited.
    pub fn of(exporter: &[u8; 32], caller: SasSide<'_>, callee: SasSide<'_>) -> Self {
        let parts = [CODE_CONTEXT, caller.fingerprint, callee.fingerprint, caller.nonce, callee.nonce].concat();
        let hash = keys::hmac_sha256(exporter, &parts);
        // 64 bits for six digits: no digit is likelier than another by more than 1 in 10^13.
        let number = hash[..8].iter().fold(0u64, |number, byte| number << 8 | u64::from(*byte));
        Self {
            digits: format!("{:06}", number % 1_000_000),
            emoji: std::array::from_fn(|place| EMOJI[usize::from(hash[8 + place] % 64)]),
        }
    }

    /// Six digits.
    pub fn digits(&self) -> &str {
        &self.digits
    }

    /// Four pictures, each with its English name.
    pub fn emoji(&self) -> &[(&'static str, &'static str); 4] {
        &self.emoji
    }
}

/// Shows nothing: whoever reads it in a log could say it.
impl fmt::Debug for SasCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SasCode(…)")
    }
}

/// Pictures that are told apart at a glance and by one word; Matrix uses the same.
const EMOJI: [(&str, &str); 64] = [
    ("🐶", "Dog"),
    ("🐱", "Cat"),
    ("🦁", "Lion"),
    ("🐎", "Horse"),
    ("🦄", "Unicorn"),
    ("🐷", "Pig"),
    ("🐘", "Elephant"),
    ("🐰", "Rabbit"),
    ("🐼", "Panda"),
    ("🐓", "Rooster"),
    ("🐧", "Penguin"),
    ("🐢", "Turtle"),
    ("🐟", "Fish"),
    ("🐙", "Octopus"),
    ("🦋", "Butterfly"),
    ("🌷", "Flower"),
    ("🌳", "Tree"),
    ("🌵", "Cactus"),
    ("🍄", "Mushroom"),
    ("🌏", "Globe"),
    ("🌙", "Moon"),
    ("☁️", "Cloud"),
    ("🔥", "Fire"),
    ("🍌", "Banana"),
    ("🍎", "Apple"),
    ("🍓", "Strawberry"),
    ("🌽", "Corn"),
    ("🍕", "Pizza"),
    ("🎂", "Cake"),
    ("❤️", "Heart"),
    ("😀", "Smiley"),
    ("🤖", "Robot"),
    ("🎩", "Hat"),
    ("👓", "Glasses"),
    ("🔧", "Spanner"),
    ("🎅", "Santa"),
    ("👍", "Thumbs up"),
    ("☂️", "Umbrella"),
    ("⌛", "Hourglass"),
    ("⏰", "Clock"),
    ("🎁", "Gift"),
    ("💡", "Light bulb"),
    ("📕", "Book"),
    ("✏️", "Pencil"),
    ("📎", "Paperclip"),
    ("✂️", "Scissors"),
    ("🔒", "Lock"),
    ("🔑", "Key"),
    ("🔨", "Hammer"),
    ("☎️", "Telephone"),
    ("🏁", "Flag"),
    ("🚂", "Train"),
    ("🚲", "Bicycle"),
    ("✈️", "Aeroplane"),
    ("🚀", "Rocket"),
    ("🏆", "Trophy"),
    ("⚽", "Ball"),
    ("🎸", "Guitar"),
    ("🎺", "Trumpet"),
    ("🔔", "Bell"),
    ("⚓", "Anchor"),
    ("🎧", "Headphones"),
    ("📁", "Folder"),
    ("📌", "Pin"),
];

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    const EXPORTER: [u8; 32] = [7; 32];
    const CALLER: SasSide<'_> = SasSide { fingerprint: &[1; 32], nonce: &[2; 32] };
    const CALLEE: SasSide<'_> = SasSide { fingerprint: &[3; 32], nonce: &[4; 32] };

    #[test]
    fn the_code_depends_on_every_part_and_on_who_called() {
        let code = SasCode::of(&EXPORTER, CALLER, CALLEE);
        assert_eq!(code, SasCode::of(&EXPORTER, CALLER, CALLEE));
        let other = [9; 32];
        let codes = [
            SasCode::of(&other, CALLER, CALLEE),
            SasCode::of(&EXPORTER, CALLEE, CALLER),
            SasCode::of(&EXPORTER, SasSide { fingerprint: &other, ..CALLER }, CALLEE),
            SasCode::of(&EXPORTER, SasSide { nonce: &other, ..CALLER }, CALLEE),
            SasCode::of(&EXPORTER, CALLER, SasSide { fingerprint: &other, ..CALLEE }),
            SasCode::of(&EXPORTER, CALLER, SasSide { nonce: &other, ..CALLEE }),
        ];
        for another in &codes {
            assert_ne!(another.digits(), code.digits());
            assert_ne!(another.emoji(), code.emoji());
        }
    }

    /// The values are those of an independent implementation (Node.js).
    #[test]
    fn a_code_has_six_digits_and_four_pictures_and_never_changes() {
        let code = SasCode::of(&EXPORTER, CALLER, CALLEE);
        assert_eq!(code.digits(), "127329");
        assert_eq!(code.emoji().map(|(_, name)| name).join(" "), "Clock Anchor Book Cactus");
        assert!(!format!("{code:?}").contains(code.digits()));
    }

    #[test]
    fn a_commitment_opens_with_its_nonce_and_fingerprint_only() {
        let commit = SasCommit::of(&[1; 32], &[2; 32]);
        assert!(commit.opens(&[1; 32], &[2; 32]));
        assert!(!commit.opens(&[2; 32], &[2; 32]));
        assert!(!commit.opens(&[1; 32], &[1; 32]));
        let text = serde_json::to_string(&commit).unwrap();
        assert_eq!(serde_json::from_str::<SasCommit>(&text).unwrap(), commit);
    }

    #[test]
    fn no_two_pictures_look_or_sound_alike() {
        assert_eq!(EMOJI.iter().map(|(picture, _)| picture).collect::<BTreeSet<_>>().len(), 64);
        assert_eq!(EMOJI.iter().map(|(_, name)| name).collect::<BTreeSet<_>>().len(), 64);
    }
}
