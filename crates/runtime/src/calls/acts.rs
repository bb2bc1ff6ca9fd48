//! What the machine of a call asks for: what is shown, what sounds, and how it ends.

use std::time::Duration;

use call::{Action, CallState, Input, Stage, Tone};
use contract::{CallStage, News};
use media::{DeviceState, Direction};
use message::{Address, UserAddress};

use crate::call_book::InVain;
use crate::calls::word::CallWord;
use crate::calls::{Call, close, percent};
use crate::home::{Home, State, now_ms, now_u64};
use crate::persons::{CALL_MISSED, name_of};
use crate::sending::get_person;

/// How long one hears that the other side is busy.
const LAST_TONE: Duration = Duration::from_secs(3);

impl Home {
    pub(super) fn happened_to(&self, name: &str, input: Input) {
        let mut state = self.state();
        let known = state.calls.named(name).and_then(|call| Address::parse(&call.view.call).ok());
        if let Some(name) = known {
            self.drive(&mut state, &name, input);
        }
    }

    pub(super) fn happened(&self, url: &Address, input: Input) {
        let mut state = self.state();
        self.drive(&mut state, url, input);
    }

    /// Tells the machine of a call what happened, and does what it asks for.
    pub(crate) fn drive(&self, state: &mut State, url: &Address, input: Input) {
        let Some(call) = state.calls.find(url) else { return };
        let before = call.machine.state().stage();
        let actions = call.machine.handle(now_u64(), input);
        let after = call.machine.state().clone();
        call.unseen &= after.stage() == Stage::Ringing;
        let answered = before < Stage::Securing && after.stage() == Stage::Securing;
        let silent = call.view.muted && before != Stage::Connected && after.stage() == Stage::Connected;
        let leg = call.joint.clone().map(|id| (id, call.user.clone()));
        if answered {
            self.recognise(state, url);
        }
        self.perform(state, url, actions);
        if silent {
            self.say_call_word(state, url, &CallWord::Muted(true));
        }
        let Some((id, user)) = leg else { return };
        match (after, before) {
            (CallState::Ended(ended), _) => self.joint_moved(state, &id, &user, Some(&ended)),
            (CallState::Securing { .. }, Stage::Finding | Stage::Ringing) => self.joint_moved(state, &id, &user, None),
            _ => {}
        }
    }

    /// Who answered is verified now, and perhaps was nobody one knew before.
    fn recognise(&self, state: &mut State, url: &Address) {
        let Some(user) = state.calls.find(url).map(|call| call.user.clone()) else { return };
        let read = state.store().and_then(|store| store.read(|tx| get_person(tx, &user)));
        if let (Ok(person), Some(call)) = (read, state.calls.find(url))
            && person.identity.is_some()
        {
            (call.view.name, call.view.identity) = (name_of(&person), person.identity);
        }
    }

    /// Does what the machine of a call asks for.
    pub(super) fn perform(&self, state: &mut State, url: &Address, actions: Vec<Action>) {
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
        if call.crossed && ended.spoke_ms.is_none() {
            // Nothing came of either call, and they did call.
            self.note_call_in_vain(state, &call.user, InVain::Crossed);
        }
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
        self.call_line(state, &call.user, line, seconds);
    }

    /// Says in the conversation with somebody that there was a call.
    pub(crate) fn call_line(&self, state: &mut State, user: &UserAddress, line: &'static str, seconds: i32) {
        let Some(chat) = self.chat_with(state, user) else { return };
        let (home, seconds) = (self.clone(), seconds.to_string());
        self.rooms.tasks.start("call line", async move {
            if let Err(failure) = home.system_line(&chat, line, &[("detail", &seconds)]) {
                tracing::info!(code = failure.code, "the call was not noted");
            }
        });
    }

    pub(super) fn show_device(&self, url: &Address, direction: Direction, device: DeviceState) {
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

    pub(super) fn show_level(&self, url: &Address, input: f32, output: f32) {
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
