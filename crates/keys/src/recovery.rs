//! The 24 words from which an identity comes back after all devices are lost.
//!
//! The words are 32 random bytes in the spelling of BIP39 (English). Two keys are derived from
//! them: the recovery key, whose public half stands in the genesis of the sigchain, and the key
//! that backups are sealed to. A device keeps only the public halves.

use std::fmt;

use bip39::{Language, Mnemonic};
use zeroize::{Zeroize, Zeroizing};

use crate::digest::hkdf_into;
use crate::sealed_box::{BoxKey, BoxPublic};
use crate::{SigningKey, fill_random};

/// How many words there are.
pub const WORDS: usize = 24;

/// From so many letters on the beginning of a word stands for the whole word.
const PREFIX: usize = 4;

const SALT: &[u8] = b"parlance-recovery-v1";
const SIGNING: &[u8] = b"recovery key, Ed25519";
const BACKUP: &[u8] = b"backup key, X25519";

/// What backups are sealed to; kept by devices, which do not know the words.
pub type BackupPublic = BoxPublic;

/// Why a text is not the words of anybody. Holds no word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecoveryError {
    /// More or fewer than [`WORDS`].
    #[error("there are {count} words and should be {WORDS}")]
    WrongCount {
        /// How many there are.
        count: usize,
    },
    /// Not in the list, or the beginning of none or several.
    #[error("word {position} is none of the list")]
    UnknownWord {
        /// Its place, counted from 1.
        position: usize,
    },
    /// All are words, but they do not belong together: one is wrong or two are swapped.
    #[error("the words do not belong together")]
    BadChecksum,
}

/// The words; wiped when dropped.
pub struct RecoveryWords(Box<Zeroizing<[u8; 32]>>);

impl RecoveryWords {
    /// Fresh words.
    pub fn generate() -> Self {
        let mut secret = Box::new(Zeroizing::new([0u8; 32]));
        fill_random(&mut secret);
        Self(secret)
    }

    /// Reads words as people type them: in any case, with any white space between them, the end of
    /// a word after its fourth letter left out.
    pub fn parse(text: &str) -> Result<Self, RecoveryError> {
        let count = text.split_whitespace().count();
        if count != WORDS {
            return Err(RecoveryError::WrongCount { count });
        }
        let mut canonical = Zeroizing::new(String::with_capacity(WORDS * 9));
        for (word, position) in text.split_whitespace().zip(1..) {
            let whole = whole_word(word).ok_or(RecoveryError::UnknownWord { position })?;
            if !canonical.is_empty() {
                canonical.push(' ');
            }
            canonical.push_str(whole);
        }
        let words =
            Mnemonic::parse_in_normalized(Language::English, &canonical).map_err(|_| RecoveryError::BadChecksum)?;
        let (mut bytes, _) = words.to_entropy_array();
        let mut secret = Box::new(Zeroizing::new([0u8; 32]));
        secret.copy_from_slice(&bytes[..32]);
        bytes.zeroize();
        Ok(Self(secret))
    }

    /// The words, to be shown to the person once and written down.
    pub fn text(&self) -> Zeroizing<String> {
        let mut text = Zeroizing::new(String::with_capacity(WORDS * 9));
        for word in self.mnemonic().words() {
            if !text.is_empty() {
                text.push(' ');
            }
            text.push_str(word);
        }
        text
    }

    /// The recovery key, which may rotate the identity key.
    pub fn rk(&self) -> SigningKey {
        SigningKey::from_bytes(&self.derive(SIGNING))
    }

    /// The key that opens backups.
    pub fn backup_key(&self) -> BoxKey {
        BoxKey::derive(&self.derive(BACKUP))
    }

    /// What a device keeps to seal backups at any time.
    pub fn backup_public(&self) -> BackupPublic {
        self.backup_key().public()
    }

    fn derive(&self, purpose: &[u8]) -> Zeroizing<[u8; 32]> {
        let mut key = Zeroizing::new([0u8; 32]);
        hkdf_into(self.0.as_slice(), SALT, purpose, &mut key);
        key
    }

    fn mnemonic(&self) -> Mnemonic {
        Mnemonic::from_entropy_in(Language::English, self.0.as_slice()).expect("32 bytes are 24 words")
    }
}

impl fmt::Debug for RecoveryWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RecoveryWords(…)")
    }
}

/// The word of the list that is meant, if it is clear which.
fn whole_word(typed: &str) -> Option<&'static str> {
    let typed = Zeroizing::new(typed.to_lowercase());
    let mut like = Language::English.words_by_prefix_iter(&typed);
    let first = like.next()?;
    // Words of three letters begin others: "act" is a word, and begins "action".
    let exact = first == *typed;
    let clear = typed.len() >= PREFIX && like.next().is_none();
    (exact || clear).then_some(first)
}

#[cfg(test)]
mod tests {
    use super::*;
    use data_encoding::HEXLOWER;
    use proptest::prelude::*;

    /// A vector of the BIP39 reference: 32 times 0x7f.
    const KNOWN: &str = "legal winner thank year wave sausage worth useful legal winner thank year wave sausage \
         worth useful legal winner thank year wave sausage worth title";

    #[test]
    fn the_words_are_those_of_the_standard() {
        let words = RecoveryWords::parse(KNOWN).unwrap();
        assert_eq!(words.0.as_slice(), [0x7f; 32]);
        assert_eq!(words.text().as_str(), KNOWN);
    }

    /// If these change, nobody's paper opens anything any more.
    #[test]
    fn the_keys_of_known_words_stay_the_same() {
        let words = RecoveryWords::parse(KNOWN).unwrap();
        assert_eq!(
            HEXLOWER.encode(words.rk().verifying_key().as_bytes()),
            "a48934d7f1432c6dbb241ba469bdf9a92dadea77c2a654e319f5571c4bf1daa9"
        );
        assert_eq!(
            HEXLOWER.encode(words.backup_public().as_bytes()),
            "885b853c398fd7a640bc59f2dd9abb7eaf34ecc8ef5f86457cbb16c81f970a51"
        );
    }

    #[test]
    fn words_are_read_as_people_type_them() {
        let words = RecoveryWords::generate();
        let short = words.text().split(' ').map(|word| word.chars().take(4).collect()).collect::<Vec<String>>();
        for typed in [
            words.text().to_uppercase(),
            format!("\n  {}\t ", words.text().replace(' ', " \r\n  ")),
            short.join(" "),
            short.join("\n").to_uppercase(),
        ] {
            let read = RecoveryWords::parse(&typed).unwrap();
            assert_eq!(read.rk().verifying_key(), words.rk().verifying_key());
        }
    }

    #[test]
    fn a_mistake_is_named() {
        let refused = |text: &str| RecoveryWords::parse(text).unwrap_err();
        assert_eq!(refused(""), RecoveryError::WrongCount { count: 0 });
        assert_eq!(refused(&KNOWN.replacen("legal ", "", 1)), RecoveryError::WrongCount { count: 23 });
        assert_eq!(refused(&format!("{KNOWN} title")), RecoveryError::WrongCount { count: 25 });
        assert_eq!(refused(&KNOWN.replacen("thank", "thanx", 1)), RecoveryError::UnknownWord { position: 3 });
        assert_eq!(refused(&KNOWN.replacen("thank", "tha", 1)), RecoveryError::UnknownWord { position: 3 });
        assert_eq!(refused(&KNOWN.replacen("thank", "ţhank", 1)), RecoveryError::UnknownWord { position: 3 });
        assert_eq!(refused(&KNOWN.replacen("legal winner", "winner legal", 1)), RecoveryError::BadChecksum);
        assert_eq!(refused(&KNOWN.replacen("thank", "title", 1)), RecoveryError::BadChecksum);
    }

    #[test]
    fn the_two_keys_and_the_words_tell_nothing_of_each_other() {
        let words = RecoveryWords::generate();
        let (signing, backup) = (words.derive(SIGNING), words.derive(BACKUP));
        assert_ne!(*signing, *backup);
        assert_ne!(*signing, **words.0);
        assert_ne!(words.backup_public(), RecoveryWords::generate().backup_public());
    }

    #[test]
    fn no_word_shows_itself_in_a_log() {
        assert_eq!(format!("{:?}", RecoveryWords::generate()), "RecoveryWords(…)");
        let error = RecoveryWords::parse(&KNOWN.replacen("thank", "secret-word", 1)).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("secret"));
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            prop_assert!(RecoveryWords::parse(&text).is_err());
        }
    }
}
