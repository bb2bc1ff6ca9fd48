//! Histories that were read and verified once: every message is judged by one, and most by the same.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use identity::{ChainError, Sigchain};

/// Histories that are kept: those of the people of a large group.
const LIMIT: usize = 2048;

/// Chains by the hash of their entries. None of them is settled.
#[derive(Default)]
pub(crate) struct Parsed(Mutex<Kept>);

#[derive(Default)]
struct Kept {
    /// Each with the time it was used last, in uses.
    chains: HashMap<[u8; 32], (u64, Sigchain)>,
    uses: u64,
}

impl Parsed {
    /// As [`Sigchain::parse`], whose signatures are verified the first time only.
    pub(crate) fn chain(&self, texts: &[String]) -> Result<Sigchain, ChainError> {
        let name = name_of(texts);
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.uses += 1;
        let now = kept.uses;
        if let Some((used, chain)) = kept.chains.get_mut(&name) {
            *used = now;
            return Ok(chain.clone());
        }
        let chain = Sigchain::parse(texts)?;
        if kept.chains.len() >= LIMIT {
            // Half of them go at once, so that it is seldom looked which were not used for long.
            let oldest = now.saturating_sub(LIMIT as u64 / 2);
            kept.chains.retain(|_, (used, _)| *used > oldest);
        }
        kept.chains.insert(name, (now, chain.clone()));
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
        parsed.0.lock().unwrap().chains.len()
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
        let one = chain(1);
        let other = |n: usize| vec![one.texts()[0].clone(); 1].into_iter().chain([format!("{n}")]).collect::<Vec<_>>();
        let mut many = parsed.0.lock().unwrap();
        for n in 0..LIMIT {
            many.uses += 1;
            let used = many.uses;
            many.chains.insert(name_of(&other(n)), (used, one.clone()));
        }
        drop(many);
        parsed.chain(&one.texts()).unwrap();
        let kept = parsed.0.lock().unwrap();
        assert!(kept.chains.len() <= LIMIT && kept.chains.contains_key(&name_of(&one.texts())));
        assert!(!kept.chains.contains_key(&name_of(&other(0))), "the oldest went");
        assert!(kept.chains.contains_key(&name_of(&other(LIMIT - 1))), "and the newest did not");
    }
}
