//! Histories that were read and verified once: every message is judged by one, and most by the same.

use std::sync::{Mutex, PoisonError};

use identity::{ChainError, Sigchain};

/// Histories that are kept; of the people one talks to now, there are fewer.
const LIMIT: usize = 64;

/// Chains by the hash of their entries, the last one used at the end. None of them is settled.
#[derive(Default)]
pub(crate) struct Parsed(Mutex<Vec<([u8; 32], Sigchain)>>);

impl Parsed {
    /// As [`Sigchain::parse`], whose signatures are verified the first time only.
    pub(crate) fn chain(&self, texts: &[String]) -> Result<Sigchain, ChainError> {
        let name = name_of(texts);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let one = match kept.iter().position(|(known, _)| *known == name) {
            Some(at) => kept.remove(at),
            None => (name, Sigchain::parse(texts)?),
        };
        let chain = one.1.clone();
        if kept.len() >= LIMIT {
            kept.remove(0);
        }
        kept.push(one);
        Ok(chain)
    }
}

/// The entries with their lengths, so that no two lists have the same.
fn name_of(texts: &[String]) -> [u8; 32] {
    let mut bytes = Vec::with_capacity(texts.iter().map(|text| text.len() + 8).sum());
    for text in texts {
        bytes.extend_from_slice(&(text.len() as u64).to_be_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    keys::sha256(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(devices: u64) -> Sigchain {
        let irk = keys::SigningKey::generate();
        let mut chain = Sigchain::create(&irk, None, 0);
        for at in 0..devices {
            let device = keys::SigningKey::generate().verifying_key();
            chain.add_device(&irk, device, "laptop", 86_400, at as i64 + 1).unwrap();
        }
        chain
    }

    fn kept(parsed: &Parsed) -> usize {
        parsed.0.lock().unwrap().len()
    }

    #[test]
    fn a_history_is_read_once_and_a_longer_one_is_another() {
        let parsed = Parsed::default();
        let chain = chain(3);
        for _ in 0..5 {
            assert_eq!(parsed.chain(&chain.texts()).unwrap().head(), chain.head());
        }
        assert_eq!(kept(&parsed), 1);
        let shorter = parsed.chain(&chain.texts()[..2]).unwrap();
        assert_ne!(shorter.head(), chain.head());
        assert_eq!(kept(&parsed), 2);
    }

    #[test]
    fn what_is_no_history_is_not_kept_and_there_are_never_many() {
        let parsed = Parsed::default();
        assert!(parsed.chain(&["rubbish".to_owned()]).is_err());
        let mut texts = chain(1).texts();
        texts.swap(0, 1);
        assert!(parsed.chain(&texts).is_err());
        assert_eq!(kept(&parsed), 0);
        let first = chain(1);
        parsed.chain(&first.texts()).unwrap();
        for _ in 0..LIMIT {
            parsed.chain(&chain(1).texts()).unwrap();
        }
        assert_eq!(kept(&parsed), LIMIT);
        assert!(parsed.0.lock().unwrap().iter().all(|(_, kept)| kept.head() != first.head()), "the oldest went");
    }
}
