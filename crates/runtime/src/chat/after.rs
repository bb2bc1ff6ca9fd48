//! What later words did to a message: edits, reactions, pins, and that it was taken back. Pure.
//!
//! Words of several devices come in any order, so each carries a stamp, and of two about the same thing the later
//! one counts, whichever came first: everybody ends with the same message.

use serde::{Deserialize, Serialize};

use super::polls::Votes;

/// Emoji of one person at one message.
const EMOJI_PER_PERSON: usize = 8;

/// Reactions kept at one message, those that were taken back too.
const REACTIONS_LIMIT: usize = 256;

/// When something was said, and by which device: what orders words about the same thing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Stamp {
    /// Unix milliseconds of its author's clock.
    pub(crate) at: i64,
    /// The device.
    pub(crate) tag: String,
    /// Its number.
    pub(crate) seq: u64,
}

/// Something said about another message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Act {
    React {
        emoji: String,
        on: bool,
    },
    Edit {
        text: String,
    },
    Delete,
    Pin {
        on: bool,
    },
    /// Chooses answers of a poll.
    Vote {
        choices: Vec<u8>,
    },
    /// Takes no more votes.
    Close,
}

/// Why a word about a message does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Void {
    /// Only who wrote a message may do this.
    NotTheAuthor,
    /// There is nothing there that could be answered, edited or pinned.
    NotAMessage,
    /// There is no more room for it.
    TooMany,
    /// It came after the poll was closed.
    Closed,
    /// There is no such answer, or only one may be chosen.
    NoSuchChoice,
}

/// How a message stands after all that was said about it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct After {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    edit: Option<(Stamp, String)>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    deleted: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pin: Option<(Stamp, bool)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    reactions: Vec<Reacted>,
    #[serde(default, skip_serializing_if = "Votes::is_nothing")]
    votes: Votes,
}

/// One person's one emoji.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Reacted {
    who: String,
    emoji: String,
    on: bool,
    stamp: Stamp,
}

impl After {
    /// Takes a word of `who` about a message of `author`. Says whether anything changed.
    pub(crate) fn take(&mut self, author: &str, who: &str, act: &Act, stamp: Stamp) -> Result<bool, Void> {
        if matches!(act, Act::Edit { .. } | Act::Delete | Act::Close) && author != who {
            return Err(Void::NotTheAuthor);
        }
        if self.deleted {
            return if *act == Act::Delete { Ok(false) } else { Err(Void::NotAMessage) };
        }
        match act {
            Act::Edit { text } => Ok(set_later(&mut self.edit, stamp, text.clone())),
            Act::Pin { on } => Ok(set_later(&mut self.pin, stamp, *on)),
            Act::React { emoji, on } => self.react(who, emoji, *on, stamp),
            Act::Vote { choices } => self.votes.vote(who, choices, stamp),
            Act::Close => Ok(self.votes.close(stamp)),
            Act::Delete => {
                // Nothing of it is kept, whoever said it.
                *self = Self { deleted: true, ..Self::default() };
                Ok(true)
            }
        }
    }

    fn react(&mut self, who: &str, emoji: &str, on: bool, stamp: Stamp) -> Result<bool, Void> {
        if let Some(known) = self.reactions.iter_mut().find(|one| one.who == who && one.emoji == emoji) {
            let changed = stamp > known.stamp && known.on != on;
            if stamp > known.stamp {
                (known.on, known.stamp) = (on, stamp);
            }
            return Ok(changed);
        }
        let theirs = self.reactions.iter().filter(|one| one.who == who);
        if theirs.clone().filter(|one| one.on).count() >= EMOJI_PER_PERSON {
            return Err(Void::TooMany);
        }
        if theirs.count() >= 2 * EMOJI_PER_PERSON || self.reactions.len() >= REACTIONS_LIMIT {
            // What was taken back longest ago makes room; what stands does not.
            let old = self.reactions.iter().enumerate().filter(|(_, one)| !one.on && (one.who == who));
            let oldest = old.min_by(|(_, a), (_, b)| a.stamp.cmp(&b.stamp)).map(|(at, _)| at);
            self.reactions.remove(oldest.ok_or(Void::TooMany)?);
        }
        self.reactions.push(Reacted { who: who.to_owned(), emoji: emoji.to_owned(), on, stamp });
        Ok(on)
    }

    /// The words it was given last, if it was edited.
    pub(crate) fn words(&self) -> Option<&str> {
        self.edit.as_ref().map(|(_, text)| text.as_str())
    }

    /// How people voted, if it is a poll.
    pub(crate) fn votes(&self) -> &Votes {
        &self.votes
    }

    pub(crate) fn is_deleted(&self) -> bool {
        self.deleted
    }

    pub(crate) fn is_pinned(&self) -> bool {
        self.pin.as_ref().is_some_and(|(_, on)| *on)
    }

    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    /// Each emoji with who chose it, in the order in which that began.
    pub(crate) fn reactions(&self) -> Vec<(&str, Vec<&str>)> {
        let mut all: Vec<(&str, Vec<&str>)> = Vec::new();
        for one in self.reactions.iter().filter(|one| one.on) {
            match all.iter_mut().find(|(emoji, _)| *emoji == one.emoji) {
                Some((_, who)) => who.push(&one.who),
                None => all.push((&one.emoji, vec![&one.who])),
            }
        }
        all
    }
}

/// Of two words about the same thing the later one counts.
fn set_later<T: PartialEq>(place: &mut Option<(Stamp, T)>, stamp: Stamp, value: T) -> bool {
    match place {
        Some((before, _)) if stamp <= *before => false,
        _ => {
            let changed = place.as_ref().is_none_or(|(_, before)| *before != value);
            *place = Some((stamp, value));
            changed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ANA: &str = "user://a.localhost/ana";
    const BEN: &str = "user://b.localhost/ben";

    fn at(at: i64, tag: &str) -> Stamp {
        Stamp { at, tag: tag.into(), seq: 1 }
    }

    fn edit(text: &str) -> Act {
        Act::Edit { text: text.into() }
    }

    fn react(emoji: &str, on: bool) -> Act {
        Act::React { emoji: emoji.into(), on }
    }

    #[test]
    fn only_the_author_edits_and_deletes() {
        let mut after = After::default();
        assert_eq!(after.take(ANA, BEN, &edit("I owe Ben"), at(1, "b")), Err(Void::NotTheAuthor));
        assert_eq!(after.take(ANA, BEN, &Act::Delete, at(1, "b")), Err(Void::NotTheAuthor));
        assert!(after.is_nothing());
        assert_eq!(after.take(ANA, ANA, &edit("better"), at(1, "a")), Ok(true));
        assert_eq!(after.words(), Some("better"));
    }

    #[test]
    fn edits_of_two_devices_end_the_same_in_either_order() {
        let (laptop, phone) = ((edit("laptop"), at(5, "l")), (edit("phone"), at(5, "p")));
        let mut one = After::default();
        let mut other = After::default();
        for (act, stamp) in [&laptop, &phone] {
            let _ = one.take(ANA, ANA, act, stamp.clone());
        }
        for (act, stamp) in [&phone, &laptop] {
            let _ = other.take(ANA, ANA, act, stamp.clone());
        }
        assert_eq!((one.words(), other.words()), (Some("phone"), Some("phone")));
    }

    #[test]
    fn what_is_taken_back_keeps_nothing_and_takes_nothing() {
        let mut after = After::default();
        after.take(ANA, BEN, &react("👍", true), at(1, "b")).unwrap();
        after.take(ANA, ANA, &edit("secret"), at(2, "a")).unwrap();
        assert_eq!(after.take(ANA, ANA, &Act::Delete, at(3, "a")), Ok(true));
        assert!(!serde_json::to_string(&after).unwrap().contains("secret"));
        for act in [react("👍", true), edit("again"), Act::Pin { on: true }] {
            assert_eq!(after.take(ANA, ANA, &act, at(9, "a")), Err(Void::NotAMessage));
        }
    }

    #[test]
    fn a_person_reacts_once_with_an_emoji_and_can_take_it_back() {
        let mut after = After::default();
        for seq in 1..=3 {
            let _ = after.take(ANA, BEN, &react("👍", true), Stamp { at: 1, tag: "b".into(), seq });
        }
        after.take(ANA, ANA, &react("👍", true), at(2, "a")).unwrap();
        assert_eq!(after.reactions(), [("👍", vec![BEN, ANA])]);
        assert_eq!(after.take(ANA, BEN, &react("👍", false), at(3, "b")), Ok(true));
        assert_eq!(after.take(ANA, BEN, &react("👍", true), at(2, "b")), Ok(false), "an older word came later");
        assert_eq!(after.reactions(), [("👍", vec![ANA])]);
    }

    #[test]
    fn a_flood_of_reactions_stays_small() {
        let mut after = After::default();
        let emoji = |n: u32| char::from_u32(0x1f300 + n).unwrap().to_string();
        for n in 0..500 {
            let _ = after.take(ANA, BEN, &react(&emoji(n), true), at(i64::from(n), "b"));
        }
        assert_eq!(after.reactions().len(), EMOJI_PER_PERSON);
        for n in 0..5000 {
            let _ = after.take(ANA, BEN, &react(&emoji(n % 700), n % 2 == 0), at(1000 + i64::from(n), "b"));
        }
        assert!(after.reactions.len() <= 2 * EMOJI_PER_PERSON, "{}", after.reactions.len());
        assert_eq!(after.take(ANA, ANA, &react("❤", true), at(1, "a")), Ok(true), "the others can still react");
    }
}
