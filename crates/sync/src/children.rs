//! The children of a data object: numbered per author, without gaps.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::author::Author;
use crate::limits::{AUTHORS_LIMIT, HELD_LIMIT, HELD_PER_AUTHOR};

/// The children of one object; `T` is what waits for an earlier child.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Children<T> {
    authors: BTreeMap<Author, Lane<T>>,
}

#[derive(Clone, PartialEq, Serialize, Deserialize)]
struct Lane<T> {
    /// The last child without a gap before it; 0 when there is none.
    have: u64,
    /// Children behind a gap.
    held: BTreeMap<u64, T>,
}

/// What became of a child that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChildOutcome<T> {
    /// It, and those that had waited for it, in order: (number, child).
    Ready(Vec<(u64, T)>),
    /// It waits for an earlier one: ask for a resync.
    Held(Missing),
    /// It was there already.
    Duplicate,
    /// It is too far ahead to wait for; ask for a resync, it will come again.
    TooFar(Missing),
    /// It has the number 0, or there are too many authors.
    Refused,
}

/// Numbers of one author that are missing, both ends included.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missing {
    /// Whose.
    pub author: Author,
    /// The first missing number.
    pub first: u64,
    /// The last missing number.
    pub last: u64,
}

impl<T> Default for Children<T> {
    fn default() -> Self {
        Self { authors: BTreeMap::new() }
    }
}

impl<T> Default for Lane<T> {
    fn default() -> Self {
        Self { have: 0, held: BTreeMap::new() }
    }
}

impl<T> Children<T> {
    /// No children yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of the next child that a local author writes; `None` when there
    /// are too many authors.
    pub fn next(&mut self, author: &Author) -> Option<u64> {
        let lane = self.lane(author)?;
        lane.have = lane.have.checked_add(1)?;
        Some(lane.have)
    }

    /// The number that [`Children::next`] gave last is not used after all.
    pub fn take_back(&mut self, author: &Author) {
        if let Some(lane) = self.authors.get_mut(author) {
            lane.have = lane.have.saturating_sub(1);
        }
    }

    /// A child has arrived.
    pub fn on_child(&mut self, author: &Author, seq: u64, child: T) -> ChildOutcome<T> {
        let held = self.held();
        let Some(known) = self.lane(author).filter(|_| seq > 0) else { return ChildOutcome::Refused };
        if seq <= known.have || known.held.contains_key(&seq) {
            return ChildOutcome::Duplicate;
        }
        if seq - known.have > 1 {
            let missing = Missing {
                author: author.clone(),
                first: known.have + 1,
                last: known.held.keys().next().copied().unwrap_or(seq).min(seq) - 1,
            };
            // Only numbers close by are kept, so that a liar cannot fill the room with far ones.
            let close = seq - known.have <= HELD_PER_AUTHOR as u64;
            if !close || held >= HELD_LIMIT {
                return ChildOutcome::TooFar(missing);
            }
            known.held.insert(seq, child);
            return ChildOutcome::Held(missing);
        }
        known.have = seq;
        let mut ready = vec![(seq, child)];
        while let Some(next) = known.have.checked_add(1)
            && let Some(child) = known.held.remove(&next)
        {
            known.have = next;
            ready.push((next, child));
        }
        ChildOutcome::Ready(ready)
    }

    /// The last child of each author without a gap before it.
    pub fn have(&self) -> BTreeMap<Author, u64> {
        self.authors.iter().map(|(author, lane)| (author.clone(), lane.have)).collect()
    }

    /// Takes over how far somebody else had come, as a new device does from an old one.
    pub fn adopt(&mut self, have: &BTreeMap<Author, u64>) {
        for (author, seq) in have {
            if let Some(lane) = self.lane(author) {
                lane.have = lane.have.max(*seq);
                lane.held.retain(|held, _| *held > *seq);
            }
        }
    }

    /// The last child of one author.
    pub fn have_of(&self, author: &Author) -> u64 {
        self.authors.get(author).map_or(0, |lane| lane.have)
    }

    /// What is known to be missing.
    pub fn missing(&self) -> Vec<Missing> {
        self.authors
            .iter()
            .filter_map(|(author, lane)| {
                let next = lane.held.keys().next()?;
                Some(Missing { author: author.clone(), first: lane.have + 1, last: next - 1 })
            })
            .collect()
    }

    /// What someone misses who says what it has: the answer to a resync.
    pub fn missing_at(&self, have: &BTreeMap<Author, u64>) -> Vec<Missing> {
        self.authors
            .iter()
            .filter_map(|(author, lane)| {
                let theirs = have.get(author).copied().unwrap_or(0);
                (theirs < lane.have).then(|| Missing { author: author.clone(), first: theirs + 1, last: lane.have })
            })
            .collect()
    }

    /// How many children wait for an earlier one.
    pub fn held(&self) -> usize {
        self.authors.values().map(|lane| lane.held.len()).sum()
    }

    fn lane(&mut self, author: &Author) -> Option<&mut Lane<T>> {
        if self.authors.len() >= AUTHORS_LIMIT && !self.authors.contains_key(author) {
            return None;
        }
        Some(self.authors.entry(author.clone()).or_default())
    }
}

/// Shows counts only: children are what people wrote.
impl<T> fmt::Debug for Children<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Children")
            .field("authors", &self.authors.len())
            .field("held", &self.held())
            .finish_non_exhaustive()
    }
}
