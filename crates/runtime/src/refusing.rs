//! What a device that is alive does when somebody begins its identity anew: it asks the person, and says no in time.
//!
//! A reset is for who lost every key, so whoever still has a device needs none. The person is asked, for it may be
//! them with the device in a drawer elsewhere; without an answer the device says no by itself, so that nobody loses
//! an identity because nobody looked.

use std::collections::{BTreeMap, BTreeSet};

use contract::{AppState, News, ResetAsked, Trouble};
use identity::{Digest, RESET_DELAY_S, Sigchain};
use message::Message;
use serde_json::Value;

use crate::home::{Home, Ready, State, now_ms};
use crate::patience::{dice, pause_after};
use crate::records::{Me, kind};
use crate::trouble::{Failure, Outcome};

/// How long the person is asked before this device says no by itself.
const ASKED_MS: i64 = 10 * 60 * 1000;

/// How often a no is tried, before it is tried again with the next look at ourselves.
const NO_ATTEMPTS: u32 = 8;

/// The record of the resets that the person let go on.
const ALLOWED: &str = "allowed";

/// Resets of our identity that wait for a word of this device.
#[derive(Default)]
pub(crate) struct Refusing {
    /// Since when each is known here, in Unix milliseconds of this run.
    since: BTreeMap<Digest, i64>,
    /// When this device says no by itself.
    due_at: Option<i64>,
    /// When one of them counts, and this device no more.
    over_at: Option<i64>,
}

impl Refusing {
    /// Whether this device has waited long enough for the person.
    pub(crate) fn is_due(&self, now: i64) -> bool {
        self.due_at.is_some_and(|at| now >= at)
    }
}

/// The resets in our history that nobody refused, with when they count in Unix milliseconds.
fn open_resets(me: &Ready) -> Vec<(Digest, i64)> {
    // The one by which we came back ourselves is none.
    let own = me.chain.settled_reset().map(|reset| reset.hash);
    let open = me.chain.resets().filter(|reset| reset.vetoed_at.is_none() && Some(reset.hash) != own);
    open.map(|reset| {
        let seen = me.record.resets.get(&reset.hash).copied().unwrap_or(reset.iat);
        (reset.hash, seen.saturating_add(RESET_DELAY_S).saturating_mul(1000))
    })
    .collect()
}

/// When a device says no by itself: after it has asked for a while, and in any case before the days are over.
fn refused_at(since: i64, until: i64) -> i64 {
    since.saturating_add(ASKED_MS).min(until.saturating_sub(ASKED_MS))
}

/// Our own chain with a no to every reset but those that the person let go on.
pub(crate) fn with_vetoes(
    mut chain: Sigchain,
    dsk: &keys::SigningKey,
    allowed: &BTreeSet<Digest>,
    now_s: i64,
) -> Sigchain {
    let device = dsk.verifying_key();
    let open: Vec<Digest> = chain
        .resets()
        .filter(|reset| reset.vetoed_at.is_none() && !allowed.contains(&reset.hash))
        .map(|reset| reset.hash)
        .collect();
    for reset in open {
        match chain.veto(dsk, identity::Signer::Device(device), reset, now_s) {
            Ok(_) => tracing::warn!("somebody asked for a reset of our identity; this device said no"),
            Err(error) => tracing::info!(%error, "a reset of our identity cannot be refused any more"),
        }
    }
    chain
}

impl State {
    fn allowed_resets(&self) -> Outcome<BTreeSet<Digest>> {
        Ok(self.store()?.read(|tx| tx.get(kind::RESTART, ALLOWED)).map_err(Failure::store)?.unwrap_or_default())
    }

    /// What is shown of somebody who begins our identity anew.
    pub(crate) fn reset_asked(&self) -> Option<ResetAsked> {
        let open = open_resets(self.me.as_ref()?);
        let until = open.iter().map(|(_, until)| *until).min()?;
        let allowed = self.allowed_resets().unwrap_or_default();
        let asked = open.iter().filter(|(reset, _)| !allowed.contains(reset));
        let refused_at = asked.map(|(reset, until)| {
            let since = self.refusing.since.get(reset).copied();
            refused_at(since.unwrap_or_else(now_ms), *until)
        });
        Some(ResetAsked { until, refused_at: refused_at.min() })
    }
}

impl Home {
    /// Our domain tells us something about our account.
    pub(crate) fn on_account_word(&self, message: &Message) {
        let said: Option<Value> = message.body.parse().ok();
        if said.is_some_and(|said| said.get("code").and_then(Value::as_str) == Some("reset-pending")) {
            tracing::warn!("somebody asks for a reset of our identity");
            self.look_at_ourselves();
        }
    }

    /// Our history may hold a reset that waits, or one less: the person is asked about what is new.
    pub(crate) fn consider_resets(&self, state: &mut State) {
        let Ok(me) = state.me() else { return };
        let (open, now) = (open_resets(me), now_ms());
        let before = std::mem::take(&mut state.refusing.since);
        state.refusing.since =
            open.iter().map(|(reset, _)| (*reset, before.get(reset).copied().unwrap_or(now))).collect();
        let asked = state.reset_asked();
        state.refusing.over_at = asked.as_ref().map(|asked| asked.until).filter(|until| *until > now);
        state.refusing.due_at = asked.and_then(|asked| asked.refused_at);
        if before != state.refusing.since {
            self.tell(News::App(self.app_state(state)));
        }
    }

    /// The time to ask the person is over, or the days are.
    pub(crate) fn refuse_when_due(&self, state: &mut State, now: i64) {
        if state.refusing.is_due(now) {
            self.refuse_resets_later(state);
        }
        if state.refusing.over_at.is_some_and(|at| now >= at) {
            // Nothing in our history changes by that; what it says does.
            state.refusing.over_at = None;
            self.myself_changed(state);
        }
    }

    /// Question `identity.answer`.
    pub(crate) async fn identity_answer(&self, mine: bool) -> Outcome<AppState> {
        {
            let mut state = self.state();
            let open: BTreeSet<Digest> = open_resets(state.me()?).into_iter().map(|(reset, _)| reset).collect();
            if open.is_empty() {
                return Err(Failure::unknown("reset"));
            }
            let allowed = if mine { open } else { BTreeSet::new() };
            state.store()?.write(|tx| tx.put(kind::RESTART, ALLOWED, &allowed)).map_err(Failure::store)?;
            self.consider_resets(&mut state);
        }
        if !mine && let Err(failure) = self.refuse_resets().await {
            tracing::info!(code = failure.code, "a reset is refused later");
            self.refuse_resets_later(&mut self.state());
        }
        let state = self.state();
        let shown = self.app_state(&state);
        self.tell(News::App(shown.clone()));
        Ok(shown)
    }

    /// Says no to every reset that waits in our history and that the person did not let go on.
    fn refuse_resets_later(&self, state: &mut State) {
        // Once at a time; the next look at ourselves begins again.
        state.refusing.due_at = None;
        let home = self.clone();
        self.rooms.tasks.start("veto", async move {
            for attempt in 1..=NO_ATTEMPTS {
                match home.refuse_resets().await {
                    Ok(()) => return,
                    Err(failure) => tracing::warn!(code = failure.code, "a reset is not refused yet"),
                }
                tokio::time::sleep(pause_after(attempt, dice())).await;
                // Another device of ours may have been first.
                let user = home.state().me.as_ref().map(|me| me.record.user.clone());
                let Some(user) = user else { return };
                if let Err(failure) = home.refresh_chain(&user).await {
                    tracing::info!(code = failure.code, "the own history could not be asked for");
                }
            }
        });
    }

    /// The domain decides which no comes first, when several devices say it: only then is it a part of our history.
    async fn refuse_resets(&self) -> Outcome<()> {
        let (chain, head) = {
            let state = self.state();
            let me = state.me()?;
            (with_vetoes(me.chain.clone(), &me.dsk, &state.allowed_resets()?, now_ms() / 1000), me.chain.head())
        };
        if chain.head() == head {
            return Ok(());
        }
        self.publish_as_ours(&chain).await?;
        let mut state = self.state();
        let state = &mut *state;
        if state.me()?.chain.head() == chain.head() {
            return Ok(());
        }
        if state.me()?.chain.head() != head {
            return Err(Failure::new("outdated", "the history went on meanwhile"));
        }
        let record = Me { chain: chain.texts(), ..state.me()?.record.clone() };
        self.put_me(state, record)?;
        self.consider_resets(state);
        let warning = "somebody signed in as you and asked for your address; this device refused";
        self.tell(News::Trouble(Trouble::from(&Failure::new("reset-asked", warning))));
        self.tell_everybody(state)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use identity::Signer;

    const DAY: i64 = 86_400;

    /// A history with a laptop, and a reset by somebody else.
    fn asked() -> (keys::SigningKey, Sigchain, Digest) {
        let [irk, dsk, thief] = std::array::from_fn(|_| keys::SigningKey::generate());
        let mut chain = Sigchain::create(&irk, None, 0);
        chain.add_device(&irk, dsk.verifying_key(), "laptop", DAY, 1).unwrap();
        let (pkt_hash, iss, sub) = (Digest([6; 32]), "https://idp.example".into(), "ana".into());
        chain.attest(&irk, identity::Attest { pkt_hash, iss, sub, until: DAY }, 2).unwrap();
        let reset = chain.reset(&thief, Digest([7; 32]), 10).unwrap().hash();
        (dsk, chain, reset)
    }

    #[test]
    fn a_device_says_no_once_and_not_to_what_the_person_let_go_on() {
        let (dsk, chain, reset) = asked();
        assert_eq!(with_vetoes(chain.clone(), &dsk, &[reset].into(), 20).head(), chain.head(), "it was them");
        let vetoed = with_vetoes(chain, &dsk, &BTreeSet::new(), 20);
        assert_eq!(vetoed.resets().filter(|reset| reset.vetoed_at == Some(20)).count(), 1);
        assert_eq!(with_vetoes(vetoed.clone(), &dsk, &BTreeSet::new(), 30).head(), vetoed.head(), "once is enough");
        let stranger = keys::SigningKey::generate();
        assert!(vetoed.clone().veto(&stranger, Signer::Device(stranger.verifying_key()), reset, 40).is_err());
    }

    #[test]
    fn the_person_is_asked_for_a_while_but_never_until_it_is_too_late() {
        let (now, until) = (1_000_000_000, 1_000_000_000 + 3 * DAY * 1000);
        assert_eq!(refused_at(now, until), now + ASKED_MS);
        let late = until - 60_000;
        assert!(refused_at(late, until) < late, "a device that comes back in the last minute says no at once");
    }
}
