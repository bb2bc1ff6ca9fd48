//! How a chain stands to a head of it that was seen before.

use serde::{Deserialize, Serialize};

use crate::digest::Digest;

use super::entry::Entry;
use super::equivocation::Equivocation;

/// The newest entry of a chain at some time. Keeps the entry's text: it is the proof if the chain forks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Head {
    /// Its number.
    pub seq: u64,
    /// Its hash.
    pub hash: Digest,
    /// Its text.
    pub entry: SealedText,
}

/// Text of an entry that stays out of logs.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SealedText(pub String);

impl std::fmt::Debug for SealedText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("…")
    }
}

impl From<String> for SealedText {
    fn from(text: String) -> Self {
        Self(text)
    }
}

/// How a chain stands to a head seen before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// Nothing new.
    Same,
    /// The same history, with more entries.
    Ahead {
        /// How many more.
        by: u64,
    },
    /// Entries that were seen are missing.
    Behind {
        /// How many are missing.
        by: u64,
    },
    /// Another history.
    Forked(Equivocation),
}

pub(super) fn head(entry: &Entry) -> Head {
    Head { seq: entry.seq(), hash: entry.hash(), entry: entry.text().to_owned().into() }
}

pub(super) fn compare(entries: &[Entry], seen: &Head) -> Standing {
    let last = entries.len() as u64 - 1;
    let Some(same_place) = usize::try_from(seen.seq).ok().and_then(|seq| entries.get(seq)) else {
        return Standing::Behind { by: seen.seq - last };
    };
    if same_place.hash() != seen.hash {
        let sealed = |entry: &Entry| entry.text().to_owned().into();
        let before = entries[..same_place.seq() as usize].iter().map(sealed).collect();
        return Standing::Forked(Equivocation {
            seq: seen.seq,
            before,
            seen: seen.entry.clone(),
            shown: sealed(same_place),
        });
    }
    if last == seen.seq { Standing::Same } else { Standing::Ahead { by: last - seen.seq } }
}
