//! What is looked after from time to time: the trail, the organisation's word, renewals, the lock.

use crate::home::Home;
use crate::retention;
use crate::rules::READ_AGAIN_MS;

/// How often what was decided is written into the trail, in milliseconds.
const TRAIL_EVERY_MS: i64 = 2_000;

/// How often it is looked what has to be renewed, in milliseconds.
const RENEWALS_EVERY_MS: i64 = 5_000;

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
