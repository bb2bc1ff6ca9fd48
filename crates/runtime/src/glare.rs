//! Both call each other at the same moment: one call comes of it, the same one on both sides.
//!
//! The offer of the smaller user address stands; both sides see both addresses, so both come to the
//! same end without a word. Who keeps their offer refuses the other one as `glare`. Who gives way
//! withdraws their own, and answers the other one at once: their person wants this call already.

use std::time::Duration;

use call::{CallMachine, Stage};
use media::CallMedia;
use message::{Address, UserAddress};
use serde_json::json;

use crate::calls::{Call, Calls, close};
use crate::home::{Home, State, now_u64};
use crate::trouble::Outcome;

/// Why an offer is refused that crossed ours.
pub(crate) const GLARE: &str = "glare";

/// Our own offer has this long to exist, so that it can be withdrawn.
const OFFER_LIMIT: Duration = Duration::from_secs(10);

/// How often it is looked for meanwhile.
const LOOK: Duration = Duration::from_millis(20);

/// What to do with an invitation to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Crossing {
    /// We do not call that person, or speak with them already.
    None,
    /// Our offer stands.
    OursStands,
    /// Theirs stands.
    TheirsStands,
}

/// Which offer stands when two people call each other.
fn standing(me: &UserAddress, other: &UserAddress) -> Crossing {
    if me.address().as_str() < other.address().as_str() { Crossing::OursStands } else { Crossing::TheirsStands }
}

impl Home {
    /// An invitation to a call came: gives way if it crosses a call of ours. Says whether the
    /// invitation is to be shown to the connector.
    pub(crate) async fn meet_crossing_call(&self, url: &Address, user: &UserAddress) -> Outcome<bool> {
        let crossing = {
            let mut state = self.state();
            let me = state.me()?.record.user.clone();
            match state.calls.outgoing_to(user) {
                Some(call) => {
                    call.crossed = true;
                    standing(&me, user)
                }
                None => Crossing::None,
            }
        };
        match crossing {
            Crossing::None => Ok(true),
            Crossing::OursStands => {
                let mut state = self.state();
                self.close_object(&mut state, url, GLARE)?;
                Ok(false)
            }
            Crossing::TheirsStands => {
                self.give_way(user).await;
                Ok(true)
            }
        }
    }

    /// Withdraws our own offer to this person; the call waits for theirs.
    async fn give_way(&self, user: &UserAddress) {
        let withdrawn = tokio::time::timeout(OFFER_LIMIT, async {
            loop {
                {
                    let mut state = self.state();
                    let call = state.calls.outgoing_to(user)?;
                    if call.gave_way {
                        return None;
                    }
                    if let Some(object) = call.object.clone() {
                        return Some((object, call.withdraw()));
                    }
                }
                tokio::time::sleep(LOOK).await;
            }
        });
        let Ok(Some((object, media))) = withdrawn.await else { return };
        close(media).await;
        let Ok(connector) = self.state().me().map(|me| me.record.connector.clone()) else { return };
        // Until this is answered the connector would take the other call for a second one.
        if let Err(failure) = self.execute(connector, "hangup", json!({ "call": object })).await {
            tracing::info!(code = failure.code, "the connector did not withdraw the offer");
        }
    }

    /// The other side refused our offer because theirs stands: theirs is on its way.
    pub(crate) fn wait_for_their_offer(&self, state: &mut State, object: &Address) -> bool {
        let Some(call) = state.calls.find(object).filter(|call| !call.view.incoming && call.is_unanswered()) else {
            return false;
        };
        let media = call.withdraw();
        self.rooms.tasks.start("media close", close(media));
        true
    }

    /// The connector shows the call we gave way to: it goes on under the name it has, and is answered.
    pub(crate) fn answer_crossing_call(&self, state: &mut State, object: &Address, user: &UserAddress) -> bool {
        let Some(call) = state.calls.outgoing_to(user).filter(|call| call.gave_way) else { return false };
        let (machine, _) = CallMachine::callee(now_u64());
        call.machine = machine;
        call.object = Some(object.clone());
        let Ok(name) = Address::parse(&call.view.call) else { return false };
        let home = self.clone();
        self.rooms.tasks.start("crossing call", async move {
            if let Err(failure) = home.call_accept(&name).await {
                tracing::info!(code = failure.code, "a crossing call was not answered");
            }
        });
        true
    }
}

impl Calls {
    /// The call we make to this person and that they have not answered.
    fn outgoing_to(&mut self, user: &UserAddress) -> Option<&mut Call> {
        self.list.iter_mut().find(|call| call.user == *user && !call.view.incoming && call.is_unanswered())
    }
}

impl Call {
    fn is_unanswered(&self) -> bool {
        matches!(self.machine.state().stage(), Stage::Finding | Stage::Ringing)
    }

    /// Takes the offer back; what its media still says counts no more.
    fn withdraw(&mut self) -> Option<CallMedia> {
        self.gave_way = true;
        self.object = None;
        self.early_name = None;
        self.round += 1;
        self.media.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_come_to_the_same_end() {
        let (ana, ben) =
            (UserAddress::parse("ana@a.localhost").unwrap(), UserAddress::parse("ben@b.localhost").unwrap());
        assert_eq!(standing(&ana, &ben), Crossing::OursStands);
        assert_eq!(standing(&ben, &ana), Crossing::TheirsStands);
    }
}
