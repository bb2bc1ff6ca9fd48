//! What calls are told: by their media, by the connector, and by the other side's refusal.

use std::time::Duration;

use call::{ByeReason, CallMachine, Input};
use contract::CallStage;
use media::{FailReason, MediaEvent, PictureState};
use message::{Address, Message, MessageType};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::call_book::InVain;
use crate::calls::joint::Coming;
use crate::calls::{Call, new_view};
use crate::glare::GLARE;
use crate::home::{Home, State, body, now_u64};
use crate::sending::{get_object, get_person};

/// How long the reason of a call's end may come after the end itself.
const GOODBYE: Duration = Duration::from_secs(2);

#[derive(Deserialize)]
struct CallEvent {
    call: Address,
    state: String,
    #[serde(default)]
    reason: Option<String>,
}

impl Home {
    pub(crate) fn hear_media(&self, url: Address, round: u32, mut events: tokio::sync::mpsc::Receiver<MediaEvent>) {
        let home = self.clone();
        self.rooms.tasks.start("media events", async move {
            while let Some(event) = events.recv().await {
                if matches!(event, MediaEvent::Failed { reason: FailReason::PeerLeft }) {
                    // Whoever hangs up says goodbye on another way than the media takes, and it may be slower.
                    tokio::time::sleep(GOODBYE).await;
                }
                if home.state().calls.find(&url).is_none_or(|call| call.round == round) {
                    home.on_media_event(&url, event);
                }
            }
        });
    }

    fn on_media_event(&self, url: &Address, event: MediaEvent) {
        match event {
            MediaEvent::Candidate(candidate) if self.holds_candidate(url, &candidate) => {}
            MediaEvent::Candidate(candidate) => {
                self.media_event_to_connector(
                    json!({ "event": "candidate", "call": self.guest_name(url), "candidate": candidate }),
                );
            }
            MediaEvent::PathFound => self.happened(url, Input::IceConnected),
            MediaEvent::SecuredBy { fingerprint } => self.happened(url, Input::FingerprintVerified(fingerprint)),
            MediaEvent::Connected => {
                self.media_event_to_connector(json!({ "event": "connected", "call": self.guest_name(url) }));
            }
            MediaEvent::FirstAudio { .. } => self.happened(url, Input::FirstAudio),
            MediaEvent::Level { input, output } => self.show_level(url, input, output),
            MediaEvent::Device { direction, state } => self.show_device(url, direction, state),
            MediaEvent::Camera(camera) => self.show_camera(url, camera),
            MediaEvent::Picture(picture) => self.show_picture(url, picture),
            MediaEvent::Screen(screen) => self.show_screen(url, screen != PictureState::Gone),
            MediaEvent::Interrupted => self.happened(url, Input::Interrupted),
            MediaEvent::Resumed => self.happened(url, Input::Resumed),
            MediaEvent::PathWanted => {
                self.media_event_to_connector(json!({ "event": "path-wanted", "call": self.guest_name(url) }));
            }
            // Closed by the verified peer itself, which is to hang up even if the goodbye got lost.
            MediaEvent::Failed { reason: FailReason::PeerLeft } => {
                let bye = ByeReason::HungUp;
                let event = json!({ "event": "failed", "call": self.guest_name(url), "reason": bye.code() });
                self.media_event_to_connector(event);
                self.happened(url, Input::RemoteBye(bye));
            }
            MediaEvent::Failed { reason } => {
                let event = json!({ "event": "failed", "call": self.guest_name(url), "reason": reason.code() });
                self.media_event_to_connector(event);
                let input = reason.failure_code().map_or(Input::FingerprintMismatch, Input::Failed);
                self.happened(url, input);
            }
            MediaEvent::Closed => {
                self.media_event_to_connector(json!({ "event": "closed", "call": self.guest_name(url) }))
            }
        }
    }

    /// What the connector calls a call: its object, or the name it gave before.
    fn guest_name(&self, name: &Address) -> Option<String> {
        let mut state = self.state();
        let call = state.calls.find(name)?;
        call.object.as_ref().map(ToString::to_string).or_else(|| call.early_name.clone())
    }

    fn media_event_to_connector(&self, event: Value) {
        if event.get("call").is_none_or(Value::is_null) {
            return;
        }
        let mut state = self.state();
        let Some(connector) = state.me.as_ref().map(|me| me.record.connector.clone()) else { return };
        let Ok(from) = state.core_address("media") else { return };
        self.send(&mut state, MessageType::Event, from, connector, body(&event));
    }

    /// The connector tells how a call goes.
    pub(crate) fn on_call_event(&self, state: &mut State, message: &Message) {
        let Ok(event) = message.body.parse::<CallEvent>() else { return };
        match event.state.as_str() {
            "ringing" => self.drive(state, &event.call, Input::RemoteRinging),
            "incoming" => self.incoming(state, &event.call),
            // Whether a call is accepted here is not the connector's to say.
            "connecting" if state.calls.find(&event.call).is_some_and(|call| call.rings_here()) => {}
            "connecting" => self.drive(state, &event.call, Input::AnswerReceived),
            "ended" => {
                let bye = ByeReason::parse(event.reason.as_deref().unwrap_or_default());
                self.drive(state, &event.call, Input::RemoteBye(bye));
            }
            _ => {}
        }
    }

    /// Somebody calls: who that is says the object, and not the guest.
    pub(super) fn incoming(&self, state: &mut State, url: &Address) {
        let read = state.store().and_then(|store| {
            store.read(|tx| {
                let object = get_object(tx, url)?;
                let person = get_person(tx, &object.peer)?;
                Ok((object, person))
            })
        });
        let Ok((object, person)) = read else { return };
        let user = object.peer.clone();
        if self.answer_crossing_call(state, url, &user) {
            return;
        }
        let (joint, answered) = match self.judge_coming(state, &object) {
            Coming::Rings(joint) => (joint, false),
            Coming::Answered(id) => (Some(id), true),
            Coming::Unnamed(id) => return self.wait_for_name(id, user, url.clone()),
            Coming::Elsewhere => return,
            Coming::Refused(bye) => return self.say_bye(url.clone(), bye),
        };
        self.end_echo(state);
        self.end_sound_test(state);
        let contact = state.policy.rules().contacts.get(&user) == Some(&policy::Contact::Accepted);
        let in_vain = if answered {
            None
        } else if state.calls.is_full() {
            Some(InVain::AllLinesTaken)
        } else if !state.calls.attempts.may_ring(user.address().as_str(), contact, now_u64()) {
            tracing::info!("somebody calls again and again; it does not ring");
            Some(InVain::TooOften)
        } else {
            None
        };
        if let Some(why) = in_vain {
            self.forget_joint(state, joint.as_ref());
            self.say_bye(url.clone(), ByeReason::Busy);
            self.note_call_in_vain(state, &user, why);
            return;
        }
        self.use_sound_soon();
        let view = new_view(url, &person, true, CallStage::Ringing);
        let (machine, actions) = CallMachine::callee(now_u64());
        let mut call = Call::new(view, &user, Some(url.clone()), machine);
        call.unseen = answered;
        state.calls.take_over(&mut call, joint.clone());
        state.calls.list.push(call);
        if let Some(id) = &joint {
            self.show_joint(state, id);
        }
        if answered {
            return self.answer_leg(url);
        }
        self.prepare_answer_soon(url);
        self.perform(state, url, actions);
    }

    /// Takes a leg of a joint call that the person here is in.
    fn answer_leg(&self, url: &Address) {
        let (home, url) = (self.clone(), url.clone());
        self.rooms.tasks.start("leg", async move {
            if let Err(failure) = home.call_accept(&url).await {
                tracing::info!(code = failure.code, "a leg of a joint call was not answered");
            }
        });
    }

    /// The object of a call was refused or left by the other side.
    pub(crate) fn on_object_closed(&self, state: &mut State, url: &Address, reason: &str) {
        if url.scheme() != "connection" {
            return;
        }
        if reason == GLARE && self.wait_for_their_offer(state, url) {
            return;
        }
        self.drive(state, url, Input::RemoteBye(ByeReason::parse(reason)));
    }
}
