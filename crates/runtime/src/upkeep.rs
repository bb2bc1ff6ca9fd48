//! What is looked after from time to time: the trail, the organisation's word, renewals, the lock.

use std::collections::BTreeMap;
use std::sync::Arc;

use message::Address;
use tokio::sync::Notify;

use crate::behind;
use crate::home::Home;
use crate::objects::Follow;
use crate::retention;
use crate::rules::READ_AGAIN_MS;

/// How often what was decided is written into the trail, in milliseconds.
const TRAIL_EVERY_MS: i64 = 2_000;

/// How often it is looked what has to be renewed, in milliseconds.
const RENEWALS_EVERY_MS: i64 = 5_000;

/// How long after a change of a group we say that we are there, in milliseconds.
const ECHO_MS: i64 = 700;

/// How often it is looked which messages end, in milliseconds.
const ENDS_EVERY_MS: i64 = 1_000;

/// When things were last looked after, in Unix milliseconds.
#[derive(Default)]
pub(crate) struct Upkeep {
    trail_at: i64,
    renewals_at: i64,
    retention_at: i64,
    ends_at: i64,
    /// Whether messages are being indexed.
    pub(crate) indexing: bool,
    /// Whether issuers are being asked for a later word.
    pub(crate) renewing: bool,
    /// Objects whose members are being compared.
    pub(crate) reconciling: Busy,
    /// Objects whose people are being checked.
    pub(crate) checking: Busy,
    /// Groups whose epoch changed, and when we say that we are there: not before all that waits was read.
    echoes: BTreeMap<Address, i64>,
}

/// Work that is done for one object at a time: what is asked for meanwhile is done after it, once.
#[derive(Default)]
pub(crate) struct Busy(BTreeMap<Address, Asked>);

/// Work that is going on.
#[derive(Default)]
struct Asked {
    /// It was asked for once more.
    again: bool,
    /// Wakes it if it pauses.
    wake: Arc<Notify>,
}

impl Busy {
    /// What wakes the work if it is to be begun now; else it is woken, and done once more when it ends.
    pub(crate) fn begin(&mut self, url: &Address) -> Option<Arc<Notify>> {
        match self.0.get_mut(url) {
            Some(asked) => {
                asked.again = true;
                asked.wake.notify_one();
                None
            }
            None => Some(self.0.entry(url.clone()).or_default().wake.clone()),
        }
    }

    /// Whether it is over; else it is to be done once more.
    pub(crate) fn end(&mut self, url: &Address) -> bool {
        match self.0.get_mut(url) {
            Some(asked) if asked.again => {
                asked.again = false;
                false
            }
            _ => {
                self.0.remove(url);
                true
            }
        }
    }
}

impl Upkeep {
    /// After the last of several changes it is said once.
    pub(crate) fn echo_later(&mut self, url: Address, now: i64) {
        self.echoes.insert(url, now + ECHO_MS);
    }

    fn echoes_due(&mut self, now: i64) -> Vec<Address> {
        let due: Vec<Address> = self.echoes.iter().filter(|(_, at)| **at <= now).map(|(url, _)| url.clone()).collect();
        self.echoes.retain(|_, at| *at > now);
        due
    }
}

impl Upkeep {
    /// What is kept is looked through again at once.
    pub(crate) fn forget_retention(&mut self) {
        self.retention_at = 0;
    }
}

impl Home {
    /// Looks after what is due. Called several times a second.
    pub(crate) async fn keep_house(&self, now: i64) {
        let (lock, read, renew, ends) = {
            let mut state = self.state();
            if (now - state.upkeep.trail_at).abs() >= TRAIL_EVERY_MS {
                state.upkeep.trail_at = now;
                if let Err(failure) = state.keep_trail(false) {
                    tracing::warn!(code = failure.code, "the trail could not be written");
                }
            }
            let due = state.upkeep.echoes_due(now);
            self.echo(&mut state, &due);
            self.refuse_when_due(&mut state, now);
            if state.me.is_some() && (now - state.upkeep.retention_at).abs() >= retention::LOOK_EVERY_MS {
                state.upkeep.retention_at = now;
                self.remove_old_messages(&mut state, now);
            }
            let read = state.store.is_some() && (now - state.organisation.read_at).abs() >= READ_AGAIN_MS;
            let renew = state.me.is_some() && (now - state.upkeep.renewals_at).abs() >= RENEWALS_EVERY_MS;
            if renew {
                state.upkeep.renewals_at = now;
            }
            let ends = (now - state.upkeep.ends_at).abs() >= ENDS_EVERY_MS;
            if ends {
                state.upkeep.ends_at = now;
            }
            (state.lock_due(now), read, renew, ends)
        };
        self.work_on_files(now);
        if read {
            let document = self.read_organisation().await;
            self.hear_organisation(&mut self.state(), document);
        }
        if renew {
            self.renew_due(now);
        }
        if ends {
            crate::chat::end_children(self, now);
            self.index_later();
        }
        if lock && let Err(failure) = self.lock().await {
            tracing::warn!(code = failure.code, "the app could not lock itself");
        }
    }
}

impl Home {
    /// Says in each group that we are there.
    fn echo(&self, state: &mut crate::home::State, groups: &[Address]) {
        let (Some(me), Some(store)) = (&state.me, &state.store) else { return };
        let mut follow: Vec<Follow> = Vec::new();
        for url in groups {
            match store.write(|tx| behind::echo(tx, me, url)) {
                Ok(pumps) => follow.extend(pumps),
                Err(failure) => tracing::info!(code = failure.code, "a group does not hear that we are there"),
            }
        }
        self.follow_up(state, follow);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_while_it_is_done_is_done_once_more() {
        let url = Address::parse("comm://a.localhost/one").unwrap();
        let mut busy = Busy::default();
        assert!(busy.begin(&url).is_some() && busy.begin(&url).is_none() && busy.begin(&url).is_none());
        assert!(!busy.end(&url), "once more");
        assert!(busy.end(&url) && busy.begin(&url).is_some());
    }
}
