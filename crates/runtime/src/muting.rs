//! Which conversations are quiet, and until when; all devices of a person know it.

use contract::{ChatSummary, MuteTime};
use message::Address;
use serde::{Deserialize, Serialize};
use store::Tx;

use crate::home::{Home, now_ms};
use crate::objects::Follow;
use crate::own::OwnStep;
use crate::records::kind;
use crate::sending::get_object;
use crate::trouble::{Failure, Outcome};

/// What was decided about a conversation. Of two words the later one counts, on whichever device it was said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Mute {
    /// When it was decided, in Unix milliseconds.
    at: i64,
    /// Until when it is quiet, in Unix milliseconds.
    until: i64,
}

/// What another device of ours is told.
#[derive(Serialize, Deserialize)]
pub(crate) struct Told {
    chat: Address,
    #[serde(flatten)]
    mute: Mute,
}

pub(crate) fn mute_of(tx: &Tx<'_>, chat: &Address) -> Outcome<Option<Mute>> {
    tx.recall(kind::MUTE, chat.as_str()).map_err(Failure::store)
}

/// Until when a conversation is quiet, if it is so now.
pub(crate) fn until(tx: &Tx<'_>, chat: &Address, now: i64) -> Outcome<Option<i64>> {
    Ok(mute_of(tx, chat)?.map(|mute| mute.until).filter(|until| *until > now))
}

pub(crate) fn told(tx: &Tx<'_>, chat: &Address) -> Outcome<Option<Told>> {
    Ok(mute_of(tx, chat)?.map(|mute| Told { chat: chat.clone(), mute }))
}

/// Keeps a decision unless there is a later one; says whether it counts.
pub(crate) fn hear(tx: &Tx<'_>, chat: &Address, mute: Mute) -> Outcome<bool> {
    if mute_of(tx, chat)?.is_some_and(|before| before >= mute) {
        return Ok(false);
    }
    tx.put(kind::MUTE, chat.as_str(), &mute).map_err(Failure::store)?;
    Ok(true)
}

/// Another device of ours decided.
pub(crate) fn hear_told(tx: &Tx<'_>, told: &Told) -> Outcome<Vec<Follow>> {
    let counts = hear(tx, &told.chat, told.mute)?;
    Ok(if counts { vec![Follow::ChatShown(told.chat.clone())] } else { Vec::new() })
}

impl Home {
    /// Question `chat.mute`.
    pub(crate) fn chat_mute(&self, chat: &Address, time: MuteTime) -> Outcome<ChatSummary> {
        let mut state = self.state();
        let now = now_ms();
        state.store()?.write(|tx| {
            get_object(tx, chat)?;
            // The person said it here and now: it comes after all that was said, whatever clock another device has.
            let after = mute_of(tx, chat)?.map_or(now, |before| now.max(before.at.saturating_add(1)));
            hear(tx, chat, Mute { at: after, until: time.until(now) }).map(|_| ())
        })?;
        let steps = vec![Follow::ChatShown(chat.clone()), Follow::Own(OwnStep::Mute(chat.clone()))];
        self.follow_up(&mut state, steps);
        drop(state);
        self.chat_of(chat)
    }
}

#[cfg(test)]
mod tests {
    use store::{KeySource, MasterKey, Store};

    use super::*;

    fn with_store(story: impl Fn(&Tx<'_>, &Address) -> Outcome<()>) {
        let folder = tempfile::TempDir::new().unwrap();
        let key = MasterKey::open(folder.path(), KeySource::Unprotected).unwrap();
        let store = Store::open(&folder.path().join("parlance.db"), &key).unwrap();
        let chat = Address::parse("comm://a.localhost/one").unwrap();
        store.write(|tx| story(tx, &chat)).unwrap();
    }

    #[test]
    fn a_mute_ends_by_itself() {
        with_store(|tx, chat| {
            hear(tx, chat, Mute { at: 1, until: MuteTime::Hour.until(1) })?;
            assert_eq!(until(tx, chat, 3_600_000)?, Some(3_600_001));
            assert_eq!(until(tx, chat, 3_600_001)?, None);
            Ok(())
        });
    }

    #[test]
    fn of_two_devices_the_later_word_counts_whichever_comes_first() {
        with_store(|tx, chat| {
            assert!(hear(tx, chat, Mute { at: 20, until: 0 })?);
            assert!(!hear(tx, chat, Mute { at: 10, until: contract::MUTED_FOR_EVER })?, "it was said before");
            assert_eq!(until(tx, chat, 30)?, None);
            assert!(!hear(tx, chat, Mute { at: 20, until: 0 })?, "the same again is nothing new");
            Ok(())
        });
    }
}
