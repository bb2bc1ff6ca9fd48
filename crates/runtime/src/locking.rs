//! The lock: how a profile is left while the app runs, kept in another way, and erased.

use contract::{AppState, Keep, News, Protection};
use message::UserAddress;
use store::{KeyError, KeySource, KeyringPlace, MasterKey, PASSPHRASE_MINIMUM};

use crate::home::{Home, State, now_ms};
use crate::records::{Me, kind};
use crate::trouble::{Failure, Outcome};

/// What the calls still have to say has this long to leave.
const LAST_WORDS: std::time::Duration = std::time::Duration::from_millis(500);

/// How long erasing waits for the domain and the contacts to hear of it.
const FAREWELL: std::time::Duration = std::time::Duration::from_secs(5);

/// When the person was last seen at this device.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Presence {
    /// Unix milliseconds.
    at: i64,
}

impl Presence {
    /// The person is there now.
    pub(crate) fn seen(&mut self, now: i64) {
        self.at = now;
    }

    /// Whether they were away for so long that the app locks. A clock that was set back begins the time anew.
    fn is_over(&mut self, now: i64, after_s: Option<u32>) -> bool {
        self.at = self.at.min(now);
        after_s.is_some_and(|after_s| now - self.at >= i64::from(after_s) * 1000)
    }
}

/// Whether a person has to say something before the profile opens.
fn asks_a_person(protection: Option<Protection>) -> bool {
    matches!(protection, Some(Protection::Passphrase | Protection::KeyringAndPassphrase))
}

impl State {
    /// Whether the organisation wants a passphrase and the open profile is kept without one.
    pub(crate) fn lacks_passphrase(&self) -> bool {
        self.store.is_some() && !asks_a_person(self.protection) && self.policy.rules().requires_passphrase()
    }

    /// Whether the app locks itself now: not during a call, and not where nothing would open it again.
    pub(crate) fn lock_due(&mut self, now: i64) -> bool {
        if self.store.is_none() || self.locked() || !asks_a_person(self.protection) {
            return false;
        }
        if !self.calls.list_is_empty() {
            self.presence.seen(now);
        }
        self.presence.is_over(now, self.policy.rules().auto_lock_after_s())
    }
}

impl Home {
    /// Question `app.lock`.
    pub(crate) async fn lock(&self) -> Outcome<AppState> {
        let _one_at_a_time = self.rooms.opening.lock().await;
        {
            let mut state = self.state();
            if state.locked() {
                return Ok(self.app_state(&state));
            }
            state.store()?;
            if !asks_a_person(state.protection) {
                return Err(Failure::new("no-passphrase", "without a passphrase there is nothing to lock with"));
            }
            // From here on nothing is answered any more.
            state.first_run.lock();
        }
        self.leave_profile().await;
        let state = self.state();
        let shown = self.app_state(&state);
        self.tell(News::App(shown.clone()));
        Ok(shown)
    }

    /// Ends all that the profile does, closes its file and forgets its keys.
    async fn leave_profile(&self) {
        let in_call = !self.state().calls.list_is_empty();
        self.hang_up_all();
        if in_call {
            tokio::time::sleep(LAST_WORDS).await;
        }
        self.rooms.tasks.end_profile().await;
        self.end_modules();
        let mut state = self.state();
        if let Err(failure) = state.keep_trail(true) {
            tracing::warn!(code = failure.code, "the last verdicts are not in the trail");
        }
        if let Some(store) = state.store.take() {
            store.close();
        }
        state.forget_profile();
    }

    /// Question `app.keep`.
    pub(crate) async fn keep(&self, how: Keep) -> Outcome<AppState> {
        if let Keep::KeyringAndPassphrase { passphrase } | Keep::Passphrase { passphrase } = &how
            && passphrase.chars().count() < PASSPHRASE_MINIMUM
        {
            return Err(Failure::new("passphrase-too-short", "a passphrase has at least eight characters"));
        }
        let with_keyring = matches!(how, Keep::Keyring | Keep::KeyringAndPassphrase { .. });
        if with_keyring && !self.rooms.config.use_keyring {
            return Err(Failure::new("no-keyring", "the system keyring is switched off"));
        }
        let mut master = {
            let mut state = self.state();
            state.store()?;
            if matches!(how, Keep::Keyring) && state.policy.rules().requires_passphrase() {
                return Err(Failure::new("locked-by-organisation", "requirePassphrase"));
            }
            state.master.take().ok_or_else(|| Failure::new("busy", "the keys are being moved already"))?
        };
        let dir = self.rooms.config.profile_dir.clone();
        let moved = tokio::task::spawn_blocking(move || {
            let source = match &how {
                Keep::Keyring => KeySource::Keyring(KeyringPlace::default()),
                Keep::KeyringAndPassphrase { passphrase } => {
                    KeySource::KeyringAndPassphrase(KeyringPlace::default(), passphrase)
                }
                Keep::Passphrase { passphrase } => KeySource::Passphrase(passphrase),
            };
            let kept = master.keep_by(&dir, source);
            (master, kept)
        });
        let (master, kept) = moved.await.map_err(Failure::store)?;
        let mut state = self.state();
        let protection = protection_of(&master);
        if state.store.is_some() {
            state.master = Some(master);
        }
        kept.map_err(|error| match error {
            KeyError::Keyring(trouble) => Failure::new("no-keyring", trouble),
            KeyError::BadPassphrase => Failure::new("passphrase-too-short", error),
            other => Failure::store(other),
        })?;
        state.protection = Some(protection);
        state.presence.seen(now_ms());
        let shown = self.app_state(&state);
        self.tell(News::App(shown.clone()));
        Ok(shown)
    }

    /// Question `app.erase`. Once the address is right, it ends with an empty profile, whoever hears of it or not.
    pub(crate) async fn erase(&self, user: &str) -> Outcome<AppState> {
        let typed = UserAddress::parse(user.trim()).map_err(|e| Failure::new("bad-address", e))?;
        let _one_at_a_time = self.rooms.opening.lock().await;
        let revoked = {
            let mut state = self.state();
            if owner(&state)? != typed {
                return Err(Failure::new("not-your-address", "type your own address to erase this profile"));
            }
            self.revoke_this_device(&mut state)
        };
        if revoked && tokio::time::timeout(FAREWELL, self.publish_chain()).await.is_err() {
            tracing::info!("the domain did not hear in time that this device is gone");
        }
        self.state().first_run.lock();
        self.leave_profile().await;
        let dir = self.rooms.config.profile_dir.clone();
        let erased = tokio::task::spawn_blocking(move || {
            let erased = store::erase_profile(&dir);
            make_folders(&dir).map_err(Failure::store)?;
            erased.map_err(|error| Failure::new("erase-incomplete", error))
        });
        let erased = erased.await.map_err(Failure::store)?;
        self.state().protection = None;
        self.open_store().await;
        erased?;
        Ok(self.app_state(&self.state()))
    }

    /// Takes this device out of our history, if it may and another one stays. Whether the domain is to be told.
    ///
    /// Nothing of it is kept here: the profile goes with it.
    fn revoke_this_device(&self, state: &mut State) -> bool {
        // What was taken out already must not go on with a history that others know better.
        if state.damaged.is_some() {
            return false;
        }
        let Some(me) = &mut state.me else { return false };
        let Ok(irk) = me.irk() else { return false };
        if me.live_others().is_empty() {
            return false;
        }
        let mut chain = me.chain.clone();
        if let Err(error) =
            chain.revoke_device(&irk, identity::Signer::Irk, me.dsk.verifying_key(), now_ms() / 1000).map(|_| ())
        {
            tracing::info!(%error, "this device could not be taken out");
            return false;
        }
        me.record.chain = chain.texts();
        if let Err(failure) = self.tell_everybody(state) {
            tracing::info!(code = failure.code, "the contacts hear of it from the domain");
        }
        true
    }
}

/// Whose profile it is, also on a device that counts no more.
fn owner(state: &State) -> Outcome<UserAddress> {
    if let Some(me) = &state.me {
        return Ok(me.record.user.clone());
    }
    let record: Option<Me> = state.store()?.read(|tx| tx.get(kind::ME, "me")).map_err(Failure::store)?;
    Ok(record.ok_or_else(Failure::not_ready)?.user)
}

/// How a master key is kept, in the words of the contract.
pub(crate) fn protection_of(master: &MasterKey) -> Protection {
    match master.protection() {
        store::Protection::Keyring => Protection::Keyring,
        store::Protection::KeyringAndPassphrase => Protection::KeyringAndPassphrase,
        store::Protection::Passphrase => Protection::Passphrase,
        store::Protection::Unprotected => Protection::Unprotected,
    }
}

/// Makes the folders of a profile that has none.
pub(crate) fn make_folders(dir: &std::path::Path) -> std::io::Result<()> {
    store::create_private_dir(dir)?;
    guests::DiskCache::open(&dir.join("packages")).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    #[test]
    fn the_app_locks_when_nobody_was_there_for_the_time_that_was_set() {
        let mut presence = Presence::default();
        presence.seen(10 * MINUTE);
        assert!(!presence.is_over(11 * MINUTE - 1, Some(60)));
        assert!(presence.is_over(11 * MINUTE, Some(60)));
        assert!(!presence.is_over(1_000 * MINUTE, None), "without a rule it never does");
        presence.seen(11 * MINUTE);
        assert!(!presence.is_over(11 * MINUTE, Some(60)), "somebody came back");
    }

    #[test]
    fn a_clock_that_was_set_back_begins_the_time_anew_and_stops_nothing() {
        let mut presence = Presence::default();
        presence.seen(1_000 * MINUTE);
        assert!(!presence.is_over(10 * MINUTE, Some(60)));
        assert!(presence.is_over(11 * MINUTE, Some(60)));
    }

    #[test]
    fn only_what_asks_a_person_can_be_locked() {
        let lockable =
            [Protection::Keyring, Protection::KeyringAndPassphrase, Protection::Passphrase, Protection::Unprotected]
                .map(|protection| asks_a_person(Some(protection)));
        assert_eq!(lockable, [false, true, true, false]);
    }
}
