//! What a conversation has besides its object and its children: pins, the timer, words that came too early.

use std::collections::BTreeMap;

use message::{Address, UserAddress};
use serde::{Deserialize, Serialize};
use store::Tx;

use super::after::{Act, Stamp};
use crate::circle::Reached;
use crate::records::kind;
use crate::trouble::{Failure, Outcome};

/// Words about messages that are not here yet; of more the oldest go.
const EARLY_LIMIT: usize = 256;

/// Pinned messages; of more the oldest pins go from the list.
const PINS_LIMIT: usize = 32;

/// Unread messages that name us; of more the oldest go.
const NAMED_LIMIT: usize = 64;

/// The record, by the conversation's address.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Extra {
    /// Pinned messages, the newest pin first.
    pub(crate) pins: Vec<String>,
    /// After how many seconds messages end, and who said so when.
    timer: Option<(Stamp, u32)>,
    /// Words about messages that are not here yet.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    early: Vec<Early>,
    /// How far the other side has our children, by who numbers them.
    pub(crate) delivered: BTreeMap<sync::Author, u64>,
    /// How far the other side has read them.
    pub(crate) read: BTreeMap<sync::Author, u64>,
    /// In a group: how far each person has our children.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) reached: BTreeMap<UserAddress, Reached>,
    /// Unread messages that name us.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) named: Vec<String>,
}

/// A word that came before the message it is about.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Early {
    pub(crate) to: String,
    pub(crate) who: String,
    pub(crate) act: Act,
    pub(crate) stamp: Stamp,
}

impl Extra {
    /// After how many seconds messages end; 0 for never.
    pub(crate) fn timer(&self) -> u32 {
        self.timer.as_ref().map_or(0, |(_, seconds)| *seconds)
    }

    pub(crate) fn set_timer(&mut self, stamp: Stamp, seconds: u32) {
        if self.timer.as_ref().is_none_or(|(before, _)| stamp > *before) {
            self.timer = Some((stamp, seconds));
        }
    }

    pub(crate) fn wait(&mut self, early: Early) {
        if self.early.len() >= EARLY_LIMIT {
            self.early.remove(0);
        }
        self.early.push(early);
    }

    /// The words that waited for this message.
    pub(crate) fn waited_for(&mut self, id: &str) -> Vec<Early> {
        let (now, later) = std::mem::take(&mut self.early).into_iter().partition(|early| early.to == id);
        self.early = later;
        now
    }

    /// A message names us.
    pub(crate) fn names_us(&mut self, id: &str) {
        if self.named.len() >= NAMED_LIMIT {
            self.named.remove(0);
        }
        self.named.push(id.to_owned());
    }

    pub(crate) fn pin(&mut self, id: &str, on: bool) {
        self.pins.retain(|one| one != id);
        if on {
            self.pins.insert(0, id.to_owned());
            self.pins.truncate(PINS_LIMIT);
        }
    }

    /// What another device of ours is told; what waits is for this one alone.
    pub(crate) fn told(&self) -> Self {
        Self { early: Vec::new(), ..self.clone() }
    }
}

pub(crate) fn extra_of(tx: &Tx<'_>, chat: &Address) -> Outcome<Extra> {
    Ok(tx.recall(kind::CHAT, chat.as_str()).map_err(Failure::store)?.unwrap_or_default())
}

pub(crate) fn put_extra(tx: &Tx<'_>, chat: &Address, extra: &Extra) -> Outcome<()> {
    tx.put(kind::CHAT, chat.as_str(), extra).map_err(Failure::store)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn early(n: usize) -> Early {
        let stamp = Stamp { at: 1, tag: "t".into(), seq: n as u64 };
        Early { to: format!("m{n}"), who: "user://b.localhost/ben".into(), act: Act::Delete, stamp }
    }

    #[test]
    fn words_about_nothing_do_not_fill_the_room() {
        let mut extra = Extra::default();
        for n in 0..EARLY_LIMIT + 10 {
            extra.wait(early(n));
        }
        assert_eq!(extra.early.len(), EARLY_LIMIT);
        assert!(extra.waited_for("m0").is_empty());
        assert_eq!(extra.waited_for("m20").len(), 1);
        assert!(extra.waited_for("m20").is_empty(), "they are taken once");
    }

    #[test]
    fn the_later_word_about_the_timer_counts() {
        let mut extra = Extra::default();
        let stamp = |at| Stamp { at, tag: "t".into(), seq: 1 };
        extra.set_timer(stamp(5), 60);
        extra.set_timer(stamp(4), 0);
        assert_eq!(extra.timer(), 60);
    }
}
