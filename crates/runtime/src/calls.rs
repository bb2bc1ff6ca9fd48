//! Calls as people see them: the stages of the call machine, the connector Hyperty and the media engine.

use std::time::Duration;

use call::{Action, Attempts, ByeReason, CallMachine, CallState, FailureCode, Input, Searches, Stage, Tone};
use contract::{CallPictures, CallStage, CallView, News};
use media::{CallMedia, DeviceState, Direction, FailReason, MediaEvent, TonePlayer};
use message::{Address, Code, Message, MessageType, Response, UserAddress};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::comparing;
use crate::gate;
use crate::glare::GLARE;
use crate::home::{Home, State, body, now_ms, now_u64};
use crate::objects::refusal;
use crate::persons::{CALL_MISSED, name_of};
use crate::preparing::Preparing;
use crate::records::{Object, ObjectUse, Person, Side};
use crate::sending::{get_object, get_person};
use crate::trouble::{Failure, Outcome};

/// Media events that may wait before the media engine waits for us.
pub(crate) const MEDIA_EVENTS_LIMIT: usize = 256;

/// Calls that may ring or run at once; one more is answered "busy".
const CALLS_LIMIT: usize = 1;

/// How long one hears that the other side is busy.
const LAST_TONE: Duration = Duration::from_secs(3);

/// How long the reason of a call's end may come after the end itself.
const GOODBYE: Duration = Duration::from_secs(2);

/// The calls that are not over.
#[derive(Default)]
pub(crate) struct Calls {
    pub(crate) list: Vec<Call>,
    made: u64,
    attempts: Attempts,
    /// Until when the credentials for the relays are good, or it is known that there are none.
    pub(crate) relays_until: i64,
}

pub(crate) struct Call {
    /// `view.call` names the call to shells and never changes.
    pub(crate) view: CallView,
    /// The data object; our own call has none before the other side is found.
    pub(crate) object: Option<Address>,
    /// What the connector calls it before there is an object.
    pub(crate) early_name: Option<String>,
    pub(crate) user: UserAddress,
    pub(crate) machine: CallMachine,
    pub(crate) media: Option<CallMedia>,
    /// What sounds until somebody answers; it stops when it is dropped.
    tone: Option<TonePlayer>,
    /// Both called at once and the other side's offer stands.
    pub(crate) gave_way: bool,
    /// Counts the media of this call; what an earlier one says is past.
    pub(crate) round: u32,
    /// What the two read to each other, as it comes about.
    pub(crate) spoken: crate::spoken::Spoken,
    /// It is the echo inside this app, of which no connector knows.
    pub(crate) echo: bool,
    /// The searches for another path.
    pub(crate) searches: Searches,
    /// What is made ready while it rings here.
    pub(crate) preparing: Preparing,
}

impl Call {
    pub(crate) fn new(view: CallView, user: &UserAddress, object: Option<Address>, machine: CallMachine) -> Self {
        Self {
            view,
            object,
            early_name: None,
            user: user.clone(),
            machine,
            media: None,
            tone: None,
            gave_way: false,
            round: 0,
            spoken: Default::default(),
            echo: false,
            searches: Default::default(),
            preparing: Default::default(),
        }
    }
}

#[derive(Deserialize)]
struct MediaRequest {
    method: String,
    params: MediaParams,
}

#[derive(Deserialize)]
struct MediaParams {
    /// The call's object, or a name the connector gave it before it had one.
    call: String,
    #[serde(default)]
    object: Option<Address>,
    #[serde(default)]
    sdp: Option<String>,
    #[serde(default)]
    candidate: Option<String>,
}

#[derive(Deserialize)]
struct CallEvent {
    call: Address,
    state: String,
    #[serde(default)]
    user: Option<UserAddress>,
    #[serde(default)]
    reason: Option<String>,
}

impl Home {
    /// Question `call.start`.
    pub(crate) async fn call_start(&self, user: &UserAddress) -> Outcome<CallView> {
        let person = {
            let mut state = self.state();
            gate::may_reach(&mut state.policy, now_u64(), user, ObjectUse::Call)?;
            let person = state.store()?.read(|tx| {
                comparing::may_send_to(tx, user)?;
                get_person(tx, user)
            })?;
            if state.calls.is_busy() {
                return Err(Failure::new("already-in-a-call", "there is a call already"));
            }
            person
        };
        self.use_sound_soon();
        let (name, view) = {
            let mut state = self.state();
            let name = state.next_call()?;
            let view = new_view(&name, &person, false, CallStage::Finding);
            let machine = CallMachine::caller(now_u64());
            state.calls.list.push(Call::new(view.clone(), user, None, machine));
            (name, view)
        };
        self.tell(News::Call(view.clone()));
        let (home, user) = (self.clone(), user.clone());
        self.rooms.tasks.start("call", async move {
            let connector = match home.state().me() {
                Ok(me) => me.record.connector.clone(),
                Err(_) => return,
            };
            match home.execute(connector, "call", json!({ "user": user })).await {
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
            if let Some(call) = state.calls.find(url) {
                call.preparing.accept();
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
        self.must_exist(url)?;
        self.happened(url, Input::LocalHangup);
        Ok(())
    }

    fn must_exist(&self, url: &Address) -> Outcome<()> {
        self.state().calls.find(url).map(|_| ()).ok_or_else(|| Failure::unknown("call"))
    }

    /// Lets the connector tell the other side that it is over.
    fn say_bye(&self, object: Address, bye: ByeReason) {
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

    /// Question `call.mute`.
    pub(crate) fn call_mute(&self, url: &Address, muted: bool) -> Outcome<()> {
        let mut state = self.state();
        let call = state.calls.find(url).ok_or_else(|| Failure::unknown("call"))?;
        if let Some(media) = &call.media {
            media.set_muted(muted);
        }
        call.view.muted = muted;
        let view = call.view.clone();
        drop(state);
        self.tell(News::Call(view));
        Ok(())
    }

    /// Question `call.list`.
    pub(crate) fn call_list(&self) -> Vec<CallView> {
        let state = self.state();
        state.calls.list.iter().map(|call| call.view.clone()).collect()
    }

    /// The connector asks for media (`runtime://D/media`).
    pub(crate) fn on_media_request(&self, state: &mut State, message: Message) {
        let from_connector = state.me.as_ref().is_some_and(|me| me.record.connector == message.from);
        if !from_connector {
            self.answer(state, &message, &Response::because(Code::FORBIDDEN, "media was not granted"));
            return;
        }
        let request = match message.body.parse::<MediaRequest>() {
            Ok(request) => request,
            Err(error) => {
                self.answer(state, &message, &Response::because(Code::BAD_REQUEST, error.to_string()));
                return;
            }
        };
        let home = self.clone();
        self.rooms.tasks.start("media request", async move {
            let response = match home.media_request(request).await {
                Ok(value) => Response::ok(value),
                Err(failure) => refusal(&failure),
            };
            let mut state = home.state();
            home.answer(&mut state, &message, &response);
        });
    }

    async fn media_request(&self, request: MediaRequest) -> Outcome<Value> {
        let MediaParams { call: name, object, sdp, candidate } = request.params;
        let sdp = || sdp.clone().ok_or_else(|| Failure::new("bad-request", "no sdp"));
        match request.method.as_str() {
            "createOffer" => {
                let media = self.media_of(&name).await?;
                let offer = media.create_offer().await.map_err(media_failure)?;
                self.note_spoken(&name, |spoken| spoken.note_own(&offer));
                Ok(json!({ "sdp": offer }))
            }
            "bind" => {
                let object = object.ok_or_else(|| Failure::new("bad-request", "no object"))?;
                let mut state = self.state();
                let call = state.calls.named(&name).ok_or_else(|| Failure::unknown("call"))?;
                call.object = Some(object.clone());
                self.drive(&mut state, &object, Input::Invited);
                Ok(Value::Null)
            }
            "acceptOffer" => {
                let offer = sdp()?;
                self.must_be_accepted(&name)?;
                self.must_be_sealed(&name, &offer)?;
                let media = self.media_of(&name).await?;
                let answer = media.accept_offer(&offer).await.map_err(media_failure)?;
                self.note_spoken(&name, |spoken| {
                    spoken.note_own(&answer);
                    spoken.note_theirs(&offer);
                });
                Ok(json!({ "sdp": answer, "candidates": self.show_candidates(&name) }))
            }
            "acceptAnswer" => {
                self.must_be_sealed(&name, &sdp()?)?;
                self.media_of(&name).await?.accept_answer(&sdp()?).await.map_err(media_failure)?;
                let answer = sdp()?;
                let object = self.note_spoken(&name, |spoken| spoken.note_theirs(&answer));
                self.happened_to(&name, Input::AnswerReceived);
                if let Some(object) = object {
                    self.begin_spoken(&mut self.state(), &object);
                }
                Ok(Value::Null)
            }
            "addCandidate" => {
                let candidate = candidate.ok_or_else(|| Failure::new("bad-request", "no candidate"))?;
                self.media_of(&name).await?.add_candidate(&candidate).await.map_err(media_failure)?;
                Ok(Value::Null)
            }
            "restart" => self.offer_path(&name).await,
            "acceptRestart" => self.answer_path(&name, &sdp()?).await,
            "finishRestart" => self.take_path(&name, &sdp()?).await,
            "close" => {
                let media = self.state().calls.known(&name).and_then(|call| call.media.take());
                close(media).await;
                Ok(Value::Null)
            }
            _ => Err(Failure::new("bad-request", "no such method")),
        }
    }

    /// Notes what the spoken code of a call is made of; gives the call's object.
    fn note_spoken(&self, name: &str, note: impl FnOnce(&mut crate::spoken::Spoken)) -> Option<Address> {
        let mut state = self.state();
        let call = state.calls.named(name)?;
        note(&mut call.spoken);
        call.object.clone()
    }

    /// A description of the other side counts only as it stands in the sealed object: it names the
    /// certificate that media will insist on, and a guest is not believed about that.
    fn must_be_sealed(&self, name: &str, sdp: &str) -> Outcome<()> {
        self.must_be_sealed_as(name, sdp, |object| match &object.side {
            Side::Observer(observer) => observer.value().pointer("/offer/sdp").and_then(Value::as_str),
            Side::Reporter(_) => object.sealed_answer.as_deref(),
            // A call is made from one device; no other has a part in it.
            Side::Standby(_) => None,
        })
    }

    /// The same, saying where in the object the description has to stand.
    pub(crate) fn must_be_sealed_as(
        &self,
        name: &str,
        sdp: &str,
        sealed: impl FnOnce(&Object) -> Option<&str>,
    ) -> Outcome<()> {
        let mut state = self.state();
        let url = state.calls.known(name).and_then(|call| call.object.clone());
        let url = url.ok_or_else(|| Failure::unknown("call"))?;
        let object = state.store()?.read(|tx| get_object(tx, &url))?;
        if object.is_open() && sealed(&object) == Some(sdp) {
            Ok(())
        } else {
            Err(Failure::new("not-sealed", "this description did not come sealed from the other side"))
        }
    }

    /// The media of a call, opened with the first request for it.
    pub(crate) async fn media_of(&self, name: &str) -> Outcome<CallMedia> {
        let opening = self.state().calls.named(name).map(|call| call.preparing.opening());
        let _turn = opening.ok_or_else(|| Failure::unknown("call"))?.lock_owned().await;
        let (id, round, rings) = {
            let mut state = self.state();
            let call = state.calls.named(name).ok_or_else(|| Failure::unknown("call"))?;
            if let Some(media) = &call.media {
                return Ok(media.clone());
            }
            (call.view.call.clone(), call.round, call.rings_here())
        };
        self.renew_relays().await;
        let (sender, receiver) = tokio::sync::mpsc::channel(MEDIA_EVENTS_LIMIT);
        let engine = &self.rooms.media;
        let opened = match rings {
            true => engine.open_ringing(id.clone(), sender).await,
            false => engine.open_call(id.clone(), sender).await,
        };
        let media = opened.map_err(media_failure)?;
        let kept = {
            let mut state = self.state();
            let call = state.calls.named(name).filter(|call| call.media.is_none() && call.round == round);
            call.map(|call| {
                self.take_switches(call, &media);
                call.media = Some(media.clone());
            })
            .is_some()
        };
        if !kept {
            // The call ended while its media opened.
            media.close().await;
            return Err(Failure::unknown("call"));
        }
        let id = Address::parse(&id).map_err(|e| Failure::new("bad-address", e))?;
        self.hear_media(id, round, receiver);
        Ok(media)
    }

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
            "incoming" => self.incoming(state, event),
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

    fn incoming(&self, state: &mut State, event: CallEvent) {
        let Some(user) = event.user else { return };
        let Ok(person) = state.store().and_then(|store| store.read(|tx| get_person(tx, &user))) else { return };
        if self.answer_crossing_call(state, &event.call, &user) {
            return;
        }
        self.end_echo(state);
        self.end_sound_test(state);
        if state.calls.is_busy() {
            self.say_bye(event.call, ByeReason::Busy);
            return;
        }
        let contact = state.policy.rules().contacts.get(&user) == Some(&policy::Contact::Accepted);
        if !state.calls.attempts.may_ring(user.address().as_str(), contact, now_u64()) {
            tracing::info!("somebody calls again and again; it does not ring");
            self.say_bye(event.call, ByeReason::Busy);
            return;
        }
        self.use_sound_soon();
        let view = new_view(&event.call, &person, true, CallStage::Ringing);
        let (machine, actions) = CallMachine::callee(now_u64());
        state.calls.list.push(Call::new(view, &user, Some(event.call.clone()), machine));
        self.prepare_answer_soon(&event.call);
        self.perform(state, &event.call, actions);
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

    fn happened_to(&self, name: &str, input: Input) {
        let mut state = self.state();
        let known = state.calls.named(name).and_then(|call| Address::parse(&call.view.call).ok());
        if let Some(name) = known {
            self.drive(&mut state, &name, input);
        }
    }

    fn happened(&self, url: &Address, input: Input) {
        let mut state = self.state();
        self.drive(&mut state, url, input);
    }

    /// Tells the machine of a call what happened, and does what it asks for.
    pub(crate) fn drive(&self, state: &mut State, url: &Address, input: Input) {
        let Some(call) = state.calls.find(url) else { return };
        let actions = call.machine.handle(now_u64(), input);
        self.perform(state, url, actions);
    }

    /// Does what the machine of a call asks for.
    fn perform(&self, state: &mut State, url: &Address, actions: Vec<Action>) {
        let Some(call) = state.calls.find(url) else { return };
        let over = call.machine.state().is_over();
        let object = call.object.clone();
        let mut byes = Vec::new();
        for action in actions {
            match action {
                Action::SendBye(bye) => byes.push(bye),
                Action::Show if !over => self.show_call(state, url),
                Action::Play(tone) if over => self.sound_once(tone),
                Action::Play(tone) => self.sound(state, url, Some(tone)),
                Action::Silence => self.sound(state, url, None),
                // Media is closed with the call below.
                Action::Show | Action::CloseMedia => {}
            }
        }
        if let Some(object) = object {
            byes.into_iter().for_each(|bye| self.say_bye(object.clone(), bye));
        }
        if over && let Some(call) = state.calls.take(url) {
            self.show_ended(state, call);
        }
    }

    /// Plays a tone as long as the call is in this state.
    fn sound(&self, state: &mut State, url: &Address, tone: Option<Tone>) {
        if let Some(call) = state.calls.find(url) {
            // The old one ends before the new one begins.
            call.tone = None;
            call.tone = tone.map(|tone| self.rooms.media.play_tone(tone));
        }
    }

    /// Plays a tone for a moment; the call it belongs to is over.
    fn sound_once(&self, tone: Tone) {
        let player = self.rooms.media.play_tone(tone);
        self.rooms.tasks.start("tone", async move {
            tokio::time::sleep(LAST_TONE).await;
            drop(player);
        });
    }

    fn show_ended(&self, state: &mut State, mut call: Call) {
        self.rooms.tasks.start("media close", close(call.media.take()));
        let CallState::Ended(ended) = call.machine.state() else { return };
        self.note_past_call(state, &call, ended);
        let spoke = ended.spoke_ms.map(|ms| ms / 1000);
        let seconds = i32::try_from(spoke.unwrap_or(0)).unwrap_or(i32::MAX);
        call.view.stage = CallStage::Ended { reason: ended.code.clone(), seconds };
        self.tell(News::Call(call.view.clone()));
        let line = match (spoke, call.view.incoming) {
            (Some(_), _) => "call-ended",
            (None, true) if ended.code == "elsewhere" => "call-elsewhere",
            (None, true) => CALL_MISSED,
            (None, false) => "call-unanswered",
        };
        if let Some(chat) = self.chat_with(state, &call.user) {
            let (home, seconds) = (self.clone(), seconds.to_string());
            self.rooms.tasks.start("call line", async move {
                if let Err(failure) = home.system_line(&chat, line, &[("detail", &seconds)]) {
                    tracing::info!(code = failure.code, "the call was not noted");
                }
            });
        }
    }

    fn show_device(&self, url: &Address, direction: Direction, device: DeviceState) {
        tracing::info!(?direction, works = matches!(device, DeviceState::Working { .. }), "a sound device changed");
        if direction != Direction::Input {
            return;
        }
        let mut state = self.state();
        let Some(call) = state.calls.find(url) else { return };
        call.view.microphone = match device {
            DeviceState::Working { name, .. } => Some(name),
            _ => None,
        };
        let view = call.view.clone();
        drop(state);
        self.tell(News::Call(view));
    }

    fn show_level(&self, url: &Address, input: f32, output: f32) {
        let mut state = self.state();
        let Some(call) = state.calls.find(url) else { return };
        let (input, output) = (percent(input), percent(output));
        if (call.view.input_level, call.view.output_level) == (input, output) {
            return;
        }
        (call.view.input_level, call.view.output_level) = (input, output);
        let view = call.view.clone();
        drop(state);
        self.tell(News::Call(view));
    }

    fn show_call(&self, state: &mut State, url: &Address) {
        let Some(call) = state.calls.find(url) else { return };
        let reconnecting = matches!(call.machine.state(), CallState::Connected { reconnecting_until: Some(_), .. });
        let stage = match call.machine.state().stage() {
            Stage::Connected if reconnecting => CallStage::Reconnecting,
            Stage::Finding => CallStage::Finding,
            Stage::Ringing => CallStage::Ringing,
            Stage::Securing => CallStage::Securing,
            Stage::Connecting => CallStage::Connecting,
            Stage::Connected => CallStage::Connected,
            Stage::Ended => return,
        };
        if stage == CallStage::Connected && call.view.connected_at.is_none() {
            call.view.connected_at = Some(now_ms());
        }
        call.view.stage = stage;
        self.tell(News::Call(call.view.clone()));
    }

    /// Stages of calls end in time.
    pub(crate) fn tick_calls(&self) {
        let mut state = self.state();
        for name in state.calls.names(|_| true) {
            self.drive(&mut state, &name, Input::Tick);
        }
    }

    /// Ends the calls with a person who may have none any more.
    pub(crate) fn hang_up_on(&self, state: &mut State, user: &UserAddress) {
        for name in state.calls.names(|call| call.user == *user) {
            self.drive(state, &name, Input::LocalHangup);
        }
    }

    /// Ends all calls, as when the runtime closes.
    pub(crate) fn hang_up_all(&self) {
        let mut state = self.state();
        for name in state.calls.names(|_| true) {
            self.drive(&mut state, &name, Input::LocalHangup);
        }
    }
}

/// Closes the media of a call, if it has any.
pub(crate) async fn close(media: Option<CallMedia>) {
    if let Some(media) = media {
        media.close().await;
    }
}

impl State {
    /// A name for a call that has no object yet.
    pub(crate) fn next_call(&mut self) -> Outcome<Address> {
        self.calls.made += 1;
        self.core_address(&format!("call/{}", self.calls.made))
    }
}

impl Calls {
    pub(crate) fn list_is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The media of all calls.
    pub(crate) fn media(&self) -> impl Iterator<Item = &CallMedia> {
        self.list.iter().filter_map(|call| call.media.as_ref())
    }

    pub(crate) fn is_busy(&self) -> bool {
        self.list.len() >= CALLS_LIMIT
    }

    /// By its name or by its object.
    pub(crate) fn find(&mut self, name: &Address) -> Option<&mut Call> {
        self.list.iter_mut().find(|call| call.is_named(name))
    }

    /// By what the connector calls it; a name that is new is that of our own call that has none yet.
    pub(crate) fn named(&mut self, name: &str) -> Option<&mut Call> {
        let at = match self.position(name) {
            Some(at) => at,
            None => {
                let is_new =
                    |call: &Call| call.object.is_none() && call.early_name.is_none() && !call.gave_way && !call.echo;
                let at = self.list.iter().position(is_new)?;
                self.list[at].early_name = Some(name.to_owned());
                at
            }
        };
        self.list.get_mut(at)
    }

    /// The same, but a new name is nobody's.
    pub(crate) fn known(&mut self, name: &str) -> Option<&mut Call> {
        let at = self.position(name)?;
        self.list.get_mut(at)
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.list.iter().position(|call| {
            call.early_name.as_deref() == Some(name) || call.object.as_ref().is_some_and(|url| url.as_str() == name)
        })
    }

    pub(crate) fn names(&self, wanted: impl Fn(&Call) -> bool) -> Vec<Address> {
        let wanted = self.list.iter().filter(|call| wanted(call));
        wanted.filter_map(|call| Address::parse(&call.view.call).ok()).collect()
    }

    fn take(&mut self, name: &Address) -> Option<Call> {
        let at = self.list.iter().position(|call| call.is_named(name))?;
        Some(self.list.remove(at))
    }
}

impl Call {
    /// Whether we answer; of two calls that cross one is answered though its person called.
    pub(crate) fn answers(&self) -> bool {
        self.view.incoming || self.gave_way
    }

    fn is_named(&self, name: &Address) -> bool {
        self.object.as_ref() == Some(name) || self.view.call == name.as_str()
    }
}

fn new_view(url: &Address, person: &Person, incoming: bool, stage: CallStage) -> CallView {
    let with = blank_view(url, &person.user, stage);
    CallView { name: name_of(person), identity: person.identity.clone(), incoming, ..with }
}

/// A call with somebody of whom nothing but the address is known.
pub(crate) fn blank_view(url: &Address, user: &UserAddress, stage: CallStage) -> CallView {
    CallView {
        call: url.to_string(),
        user: user.handle(),
        name: String::new(),
        identity: None,
        code: None,
        incoming: false,
        stage,
        connected_at: None,
        muted: false,
        input_level: 0,
        output_level: 0,
        // Not known yet, which is not the same as none.
        microphone: Some(String::new()),
        pictures: CallPictures::default(),
    }
}

/// A loudness as people hear it: 60 dB of it fill the meter.
pub(crate) fn percent(level: f32) -> i32 {
    const SPAN_DB: f32 = 60.0;
    let db = 20.0 * level.clamp(0.0, 1.0).max(f32::EPSILON).log10();
    // Between 0 and 100, so nothing is cut off.
    ((1.0 + db / SPAN_DB).max(0.0) * 100.0).round() as i32
}

pub(crate) fn media_failure(error: media::MediaError) -> Failure {
    Failure::new("media-failed", error)
}
