//! Follows the keys that speak for a domain's catalogue.

use keys::VerifyingKey;
use message::Domain;
use serde::{Deserialize, Serialize};

use crate::envelope::{Part, Unverified, malformed};
use crate::error::VerifyError;
use crate::limits::KEY_LIMIT;
use crate::memory::{Memory, TrustedRoot};

/// Which keys speak for a domain's catalogue.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Root {
    /// Whose catalogue.
    pub domain: Domain,
    /// Counts up by one with each change.
    pub version: u64,
    /// When it ends, in Unix milliseconds.
    pub expires: u64,
    /// The keys.
    pub keys: Vec<VerifyingKey>,
    /// How many of them must sign each document.
    pub threshold: usize,
}

impl Root {
    fn check_shape(&self) -> Result<(), VerifyError> {
        let mut distinct = self.keys.clone();
        distinct.sort();
        distinct.dedup();
        if self.keys.is_empty() || self.keys.len() > KEY_LIMIT || distinct.len() != self.keys.len() {
            return Err(malformed(Part::Root, "a root has one to eight different keys"));
        }
        if !(1..=self.keys.len()).contains(&self.threshold) {
            return Err(malformed(Part::Root, "its threshold cannot be met"));
        }
        if self.version == 0 {
            return Err(malformed(Part::Root, "versions begin with 1"));
        }
        Ok(())
    }
}

/// Reads a root and says what to remember if it is believed.
///
/// The first root of a domain is believed as it stands (it came over TLS from
/// the domain itself). Each later one must follow directly and be signed by the
/// keys of the root before it. Whether the *last* root of a chain has expired is
/// for [`verify_snapshot`](crate::verify_snapshot) to say: an expired one between
/// may still hand over to its successor.
pub fn verify_root(bytes: &[u8], domain: &Domain, memory: &Memory) -> Result<Memory, VerifyError> {
    let unverified = Unverified::parse(Part::Root, bytes)?;
    let root: Root = unverified.read()?;
    if root.domain != *domain {
        return Err(VerifyError::WrongDomain { part: Part::Root, expected: domain.clone(), got: root.domain });
    }
    root.check_shape()?;
    if let Some(known) = &memory.root {
        check_succession(known, &root)?;
        unverified.check(&known.keys, known.threshold)?;
    }
    // Its own keys must sign as well: whoever publishes keys must have them.
    unverified.check(&root.keys, root.threshold)?;
    Ok(remember(root, memory))
}

fn check_succession(known: &TrustedRoot, root: &Root) -> Result<(), VerifyError> {
    if root.version <= known.version {
        let (have, got) = (known.version.to_string(), root.version.to_string());
        return Err(VerifyError::Older { part: Part::Root, have, got });
    }
    if known.version.checked_add(1) != Some(root.version) {
        return Err(VerifyError::Skipped { have: known.version, got: root.version });
    }
    Ok(())
}

fn remember(root: Root, memory: &Memory) -> Memory {
    let no_key_remains =
        memory.root.as_ref().is_some_and(|known| !known.keys.iter().any(|key| root.keys.contains(key)));
    let mut next = if no_key_remains { Memory::default() } else { memory.clone() };
    next.root =
        Some(TrustedRoot { version: root.version, keys: root.keys, threshold: root.threshold, expires: root.expires });
    next
}
