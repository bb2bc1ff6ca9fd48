//! What a person wants of calls: to make one, to take or refuse it, to be silent in it, to end it.

use call::{ByeReason, CallMachine, FailureCode, Input, JointId, Stage};
use contract::{CallStage, CallView, News};
use message::{Address, UserAddress};
use serde_json::json;

use crate::calls::word::CallWord;
use crate::calls::{Call, Talk, new_view};
use crate::comparing;
use crate::gate;
use crate::home::{Home, State, now_u64};
use crate::persons::get_or_new;
use crate::records::ObjectUse;
use crate::trouble::{Failure, Outcome};

impl Home {
    /// Question `call.start`. What people speak in meanwhile rests.
    pub(crate) async fn call_start(&self, user: &UserAddress) -> Outcome<CallView> {
        let mut state = self.state();
        let state = &mut *state;
        gate::may_reach(&mut state.policy, now_u64(), user, ObjectUse::Call)?;
        state.store()?.read(|tx| comparing::may_send_to(tx, user))?;
        self.end_echo(state);
        self.may_begin(state)?;
        if state.calls.list.iter().any(|call| call.user == *user) {
            return Err(Failure::new("already-in-a-call", "there is a call with them already"));
        }
        let view = self.place_call(state, user, None)?;
        self.hold_all_but(state, &Talk::Call(view.call.clone()));
        Ok(view)
    }

    /// Whether one more talk may begin now: the one there is must be able to rest.
    pub(super) fn may_begin(&self, state: &State) -> Outcome<()> {
        let begins = |call: &Call| !call.echo && call.machine.state().stage() < Stage::Connected;
        if state.calls.is_full() || state.calls.list.iter().any(begins) {
            return Err(Failure::new("already-in-a-call", "there is a call already"));
        }
        Ok(())
    }

    /// Calls somebody, alone or as a leg of a joint call.
    pub(super) fn place_call(
        &self,
        state: &mut State,
        user: &UserAddress,
        joint: Option<JointId>,
    ) -> Outcome<CallView> {
        self.use_sound_soon();
        let person = state.store()?.read(|tx| get_or_new(tx, user))?;
        let name = state.next_call()?;
        let view = new_view(&name, &person, false, CallStage::Finding);
        let mut call = Call::new(view, user, None, CallMachine::caller(now_u64()));
        call.early_name = Some(name.to_string());
        state.calls.take_over(&mut call, joint.clone());
        self.tell(News::Call(call.view.clone()));
        state.calls.list.push(call);
        if let Some(id) = joint {
            self.show_joint(state, &id);
        }
        let view = state.calls.find(&name).map(|call| call.view.clone()).ok_or_else(|| Failure::unknown("call"))?;
        let (home, user) = (self.clone(), user.clone());
        self.rooms.tasks.start("call", async move {
            let connector = match home.state().me() {
                Ok(me) => me.record.connector.clone(),
                Err(_) => return,
            };
            match home.execute(connector, "call", json!({ "user": user, "name": name })).await {
                Ok(_) => {}
                Err(failure) => {
                    let input = match failure.code.as_str() {
                        "not-found" => Input::NotFound,
                        "domain-unreachable" => Input::Kept,
                        "not-permitted" | "denied" => Input::NotPermitted,
                        _ => Input::Failed(FailureCode::Signalling),
                    };
                    let mut state = home.state();
                    // Of the offer we took back nothing is expected any more.
                    if !state.calls.find(&name).is_some_and(|call| call.gave_way) {
                        home.drive(&mut state, &name, input);
                    }
                }
            }
        });
        Ok(view)
    }

    /// Question `call.accept`.
    pub(crate) async fn call_accept(&self, url: &Address) -> Outcome<()> {
        {
            let mut state = self.state();
            let user = state.calls.find(url).map(|call| call.user.clone()).ok_or_else(|| Failure::unknown("call"))?;
            state.store()?.read(|tx| comparing::may_send_to(tx, &user))?;
            let Some(call) = state.calls.find(url) else { return Err(Failure::unknown("call")) };
            call.preparing.accept();
            let (talk, joint) = (call.talk(), call.joint.clone());
            self.hold_all_but(&mut state, &talk);
            if let Some(id) = joint {
                self.take_joint(&mut state, &id);
            }
        }
        self.happened(url, Input::Accepted);
        let connector = self.state().me()?.record.connector.clone();
        let object = self.state().calls.find(url).and_then(|call| call.object.clone());
        let answered = self.execute(connector, "answer", json!({ "call": object })).await;
        if answered.is_err() {
            self.happened(url, Input::Failed(FailureCode::Media));
        }
        answered.map(|_| ())
    }

    /// Question `call.decline`.
    pub(crate) fn call_decline(&self, url: &Address) -> Outcome<()> {
        self.must_exist(url)?;
        self.happened(url, Input::Declined);
        Ok(())
    }

    /// Question `call.hangup`.
    pub(crate) fn call_hangup(&self, url: &Address) -> Outcome<()> {
        let mut state = self.state();
        let call = state.calls.find(url).ok_or_else(|| Failure::unknown("call"))?;
        match call.joint.clone().filter(|_| !call.rings()) {
            // One leaves a joint call, and not one of its people.
            Some(id) => self.leave_joint(&mut state, &id),
            None => self.drive(&mut state, url, Input::LocalHangup),
        }
        Ok(())
    }

    fn must_exist(&self, url: &Address) -> Outcome<()> {
        self.state().calls.find(url).map(|_| ()).ok_or_else(|| Failure::unknown("call"))
    }

    /// Lets the connector tell the other side that it is over.
    pub(super) fn say_bye(&self, object: Address, bye: ByeReason) {
        let home = self.clone();
        self.rooms.tasks.start("bye", async move {
            let Some(connector) = home.state().me.as_ref().map(|me| me.record.connector.clone()) else { return };
            let method = if bye == ByeReason::Declined || bye == ByeReason::Busy { "decline" } else { "hangup" };
            if let Err(failure) = home.execute(connector, method, json!({ "call": object, "reason": bye.code() })).await
            {
                tracing::info!(code = failure.code, "the connector did not end the call");
            }
        });
    }

    /// Question `call.mute`. Of a joint call, for everybody in it.
    pub(crate) fn call_mute(&self, url: &Address, muted: bool) -> Outcome<()> {
        let mut state = self.state();
        let talk = state.calls.find(url).map(|call| call.talk()).ok_or_else(|| Failure::unknown("call"))?;
        for name in state.calls.names(|call| call.talk() == talk) {
            let Some(call) = state.calls.find(&name) else { continue };
            if let Some(media) = &call.media {
                media.set_muted(muted);
            }
            call.view.muted = muted;
            self.tell(News::Call(call.view.clone()));
            self.say_call_word(&mut state, &name, &CallWord::Muted(muted));
        }
        Ok(())
    }

    /// Question `call.list`.
    pub(crate) fn call_list(&self) -> Vec<CallView> {
        let state = self.state();
        state.calls.list.iter().filter(|call| !call.unseen).map(|call| call.view.clone()).collect()
    }
}
