//! Whether this device still counts: its own domain is asked, and asked as a stranger once it refuses this device.
//!
//! A domain that refuses our key may be right, because another device of ours took this one out, or lie. Strangers are
//! told our history; that, and no word of the domain, says which.

use contract::{News, Trouble};
use message::{Domain, UserAddress};

use crate::home::{Home, State, now_ms};
use crate::trouble::Outcome;

/// The domain is asked as a stranger no more often than this, in milliseconds.
const AGAIN_MS: i64 = 60_000;

/// Doubts about this device.
#[derive(Default)]
pub(crate) struct Doubts {
    /// We speak at home with a key that is nobody's.
    as_stranger: bool,
    /// When we did so last, in Unix milliseconds.
    at: Option<i64>,
}

impl Doubts {
    pub(crate) fn speaks_as_stranger(&self) -> bool {
        self.as_stranger
    }

    /// Whether it may be asked as a stranger now; if so, that is remembered.
    fn begin(&mut self, now: i64) -> bool {
        if self.as_stranger || self.at.is_some_and(|at| (now - at).abs() < AGAIN_MS) {
            return false;
        }
        (self.as_stranger, self.at) = (true, Some(now));
        true
    }
}

impl Home {
    /// Looks what our own domain says about us: whether this device still counts, and whether somebody begins our
    /// identity anew.
    pub(crate) fn look_at_ourselves(&self) {
        let home = self.clone();
        self.rooms.tasks.start("own history", async move {
            let Ok(user) = home.state().me().map(|me| me.record.user.clone()) else { return };
            match home.look_in_doubt(&user).await {
                // Another identity under our own name: the person must know.
                Err(failure) if matches!(failure.code.as_str(), "wrong-person" | "equivocation") => {
                    tracing::warn!(code = failure.code, "the own domain tells another history than ours");
                    home.tell(News::Trouble(Trouble::from(&failure)));
                }
                Err(failure) => tracing::info!(code = failure.code, "the own history could not be asked for"),
                Ok(()) => home.consider_resets(&mut home.state()),
            }
        });
    }

    async fn look_in_doubt(&self, user: &UserAddress) -> Outcome<()> {
        let refused = match self.refresh_chain(user).await {
            Err(failure) => failure,
            Ok(()) => return Ok(()),
        };
        let domain = user.domain();
        if !matches!(self.is_admitted(&domain).await, Ok(false)) || !self.begin_doubt(&domain) {
            return Err(refused);
        }
        tracing::info!("the own domain refuses this device; it is asked as a stranger");
        let looked = self.refresh_chain(user).await;
        self.end_doubt(&mut self.state(), &domain);
        looked
    }

    fn begin_doubt(&self, domain: &Domain) -> bool {
        let mut state = self.state();
        let begins = state.doubts.begin(now_ms());
        if begins {
            self.end_stub(&mut state, domain);
        }
        begins
    }

    /// A device that counts goes back to its own key.
    fn end_doubt(&self, state: &mut State, domain: &Domain) {
        if state.damaged.is_none() {
            state.doubts.as_stranger = false;
            self.end_stub(state, domain);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_domain_that_refuses_again_and_again_is_not_asked_all_the_time() {
        let mut doubts = Doubts::default();
        assert!(doubts.begin(1_000));
        assert!(!doubts.begin(AGAIN_MS * 9), "it is being asked");
        doubts.as_stranger = false;
        assert!(!doubts.begin(1_000 + AGAIN_MS - 1));
        assert!(doubts.begin(1_000 + AGAIN_MS));
    }
}
