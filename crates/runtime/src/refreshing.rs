//! Keys of leaves are renewed from time to time, so that one that was stolen reads nothing any more.
//!
//! A member asks, the holder commits; the holder renews its own with every commit of wishes.

use message::Address;
use serde::{Deserialize, Serialize};
use store::Tx;

use crate::commits::log_commit;
use crate::home::Ready;
use crate::members::Chains;
use crate::objects::Follow;
use crate::records::{Object, ObjectUse, Standing, kind};
use crate::sending::{get_object, own_tag, pumps, queue_to, queue_to_all};
use crate::trouble::{Failure, Outcome};

/// A leaf is renewed after this time, in milliseconds: a week.
const LIFE_MS: i64 = 7 * 86_400_000;

/// Or after this many own messages.
const LIFE_MESSAGES: u64 = 1000;

/// Wishes of members are granted at most this often, in milliseconds.
const GRANT_MS: i64 = 300_000;

/// How often leaves of one group are renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Pace {
    life_ms: i64,
    grant_ms: i64,
}

impl Pace {
    /// In a large group each renewal costs everybody what a message does, and each commit of them a hundred times that.
    fn of(object: &Object) -> Self {
        if object.is_large() {
            Self { life_ms: 4 * LIFE_MS, grant_ms: 86_400_000 }
        } else {
            Self { life_ms: LIFE_MS, grant_ms: GRANT_MS }
        }
    }
}

/// When this device's leaf in one group was renewed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fresh {
    /// Unix milliseconds.
    at: i64,
    /// Own children that there were then.
    said: u64,
    /// The epoch in which we asked; what is asked is void with its end.
    #[serde(default)]
    asked: Option<u64>,
    /// Of the holder: when wishes were granted last.
    #[serde(default)]
    granted_at: i64,
}

/// What is to be done now.
#[derive(Debug, PartialEq, Eq)]
enum Due {
    Nothing,
    Ask,
    Commit,
}

impl Fresh {
    fn due(&self, pace: Pace, (leads, wished): (bool, bool), epoch: u64, said: u64, now: i64) -> Due {
        let old = now - self.at >= pace.life_ms || said.saturating_sub(self.said) >= LIFE_MESSAGES;
        let may_grant = !(0..pace.grant_ms).contains(&(now - self.granted_at));
        match (leads, old) {
            (true, true) => Due::Commit,
            (true, false) if wished && may_grant => Due::Commit,
            (false, true) if self.asked != Some(epoch) => Due::Ask,
            _ => Due::Nothing,
        }
    }
}

/// Renews what is due in one object: asks its holder, or, if that is us, commits.
pub(crate) fn keep_fresh(tx: &Tx<'_>, me: &Ready, url: &Address, now: i64) -> Outcome<Vec<Follow>> {
    let object = get_object(tx, url)?;
    let group = object.group()?;
    let failed = |e: seal::GroupError| Failure::new(e.code(), e);
    let lasting = matches!(object.purpose, ObjectUse::Chat | ObjectUse::Own);
    if !lasting || !matches!(object.standing, Standing::Open) || !seal::is_member(tx, &group).map_err(failed)? {
        return Ok(Vec::new());
    }
    let said = object.children.have_of(&own_tag(me));
    let Some(mut fresh) = tx.get::<Fresh>(kind::FRESH, url.as_str()).map_err(Failure::store)? else {
        let begun = Fresh { at: now, said, ..Fresh::default() };
        tx.put(kind::FRESH, url.as_str(), &begun).map_err(Failure::store)?;
        return Ok(Vec::new());
    };
    let leads = seal::holds_lease(tx, &me.device, &group).map_err(failed)?;
    let (wished, epoch) =
        (seal::has_wishes(tx, &group).map_err(Failure::store)?, seal::epoch(tx, &group).map_err(failed)?);
    match fresh.due(Pace::of(&object), (leads, wished), epoch, said, now) {
        Due::Nothing => return Ok(Vec::new()),
        Due::Ask => {
            let wish = seal::propose_refresh(tx, &me.device, &group).map_err(|e| Failure::new(e.code(), e))?;
            // Whoever grants it passes it on to all with the commit; in a large group that is enough.
            queue_to(tx, &object, &wish, object.hears_echo())?;
            fresh.asked = Some(epoch);
        }
        Due::Commit => {
            let chains = Chains::of(tx, me, &object)?;
            let check = &mut |leaf: &seal::Candidate<'_>| chains.owner_of(leaf, now / 1000).map(|_| ());
            let renewal = seal::commit_pending(tx, &me.device, &group, b"", check);
            let renewal = renewal.map_err(|e| Failure::new(e.code(), e))?;
            for message in renewal.wishes.iter().chain([&renewal.commit]) {
                // Whoever gets the commit again needs the wishes before it.
                log_commit(tx, url, epoch, message)?;
                queue_to_all(tx, &object, message)?;
            }
            fresh = Fresh { at: now, said, asked: None, granted_at: now };
        }
    }
    tx.put(kind::FRESH, url.as_str(), &fresh).map_err(Failure::store)?;
    Ok(pumps(&object).collect())
}

/// A commit came: if it renewed us, that is enough for a while.
pub(crate) fn renewed(tx: &Tx<'_>, me: &Ready, object: &Object, renewed: &[seal::Member], now: i64) -> Outcome<()> {
    if renewed.iter().all(|member| member.dsk != me.dsk.verifying_key()) {
        return Ok(());
    }
    let said = object.children.have_of(&own_tag(me));
    let fresh = Fresh { at: now, said, ..Fresh::default() };
    tx.put(kind::FRESH, object.url.as_str(), &fresh).map_err(Failure::store)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEGUN: i64 = 1_800_000_000_000;
    const PACE: Pace = Pace { life_ms: LIFE_MS, grant_ms: GRANT_MS };

    fn fresh() -> Fresh {
        Fresh { at: BEGUN, said: 10, ..Fresh::default() }
    }

    #[test]
    fn an_observer_asks_after_a_week_or_a_thousand_messages_and_once_in_an_epoch() {
        let mut one = fresh();
        assert_eq!(one.due(PACE, (false, false), 5, 1009, BEGUN + LIFE_MS - 1), Due::Nothing);
        assert_eq!(one.due(PACE, (false, false), 5, 1010, BEGUN), Due::Ask);
        assert_eq!(one.due(PACE, (false, false), 5, 10, BEGUN + LIFE_MS), Due::Ask);
        one.asked = Some(5);
        assert_eq!(one.due(PACE, (false, false), 5, 10, BEGUN + LIFE_MS), Due::Nothing);
        assert_eq!(one.due(PACE, (false, false), 6, 10, BEGUN + LIFE_MS), Due::Ask, "its wish ended with the epoch");
    }

    #[test]
    fn the_holder_renews_itself_and_grants_what_others_wish_but_not_at_every_word() {
        let mut one = fresh();
        assert_eq!(one.due(PACE, (true, false), 5, 10, BEGUN), Due::Nothing);
        assert_eq!(one.due(PACE, (true, false), 5, 10, BEGUN + LIFE_MS), Due::Commit);
        assert_eq!(one.due(PACE, (true, true), 5, 10, BEGUN + 1), Due::Commit);
        one.granted_at = BEGUN;
        assert_eq!(one.due(PACE, (true, true), 6, 10, BEGUN + GRANT_MS - 1), Due::Nothing);
        assert_eq!(one.due(PACE, (true, true), 6, 10, BEGUN + GRANT_MS), Due::Commit);
    }
}
