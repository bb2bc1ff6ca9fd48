//! Calls that rest: one is put on hold when another one is taken, and both sides know.
//!
//! On hold the path stays, with silence on it; neither side hears or sees the other. It is told inside the
//! seal and not in a session description: a description offers another path here, and nothing of the path
//! changes (docs/decisions/0022-several-calls.md).

use call::{Input, Stage};
use contract::{CallHold, CameraView, News};
use message::Address;

use crate::calls::word::CallWord;
use crate::calls::{Call, Talk};
use crate::home::{Home, State};
use crate::trouble::{Failure, Outcome};

impl Home {
    /// Question `call.hold`. Of a joint call, all of it.
    pub(crate) fn call_hold(&self, url: &Address, on: bool) -> Outcome<()> {
        let mut state = self.state();
        let call = state.calls.find(url).ok_or_else(|| Failure::unknown("call"))?;
        if call.echo || call.machine.state().stage() != Stage::Connected {
            return Err(Failure::new("not-in-the-call", "only a call that people speak in can rest"));
        }
        let talk = call.talk();
        if !on {
            self.hold_all_but(&mut state, &talk);
        }
        self.hold_talk(&mut state, &talk, on);
        Ok(())
    }

    /// One talk goes on, so the others rest; what nobody answered yet is given up.
    pub(super) fn hold_all_but(&self, state: &mut State, talk: &Talk) {
        for name in state.calls.names(|call| call.talk() != *talk && !call.rings()) {
            let Some(call) = state.calls.find(&name) else { continue };
            if call.echo || call.machine.state().stage() < Stage::Connected {
                self.drive(state, &name, Input::LocalHangup);
            } else {
                self.hold_one(state, &name, true);
            }
        }
    }

    fn hold_talk(&self, state: &mut State, talk: &Talk, on: bool) {
        for name in state.calls.names(|call| call.talk() == *talk) {
            self.hold_one(state, &name, on);
        }
    }

    fn hold_one(&self, state: &mut State, name: &Address, on: bool) {
        let Some(call) = state.calls.find(name).filter(|call| call.rests.0 != on) else { return };
        call.rests.0 = on;
        self.rest_as_wished(call);
        self.say_call_word(state, name, &CallWord::Hold(on));
    }

    /// The other side rests, or goes on.
    pub(super) fn held_by_them(&self, state: &mut State, url: &Address, on: bool) {
        let Some(call) = state.calls.find(url).filter(|call| call.rests.1 != on) else { return };
        call.rests.1 = on;
        self.rest_as_wished(call);
    }

    /// Their microphone is off, or on again: so they say, and what is heard of them shows.
    pub(super) fn muted_by_them(&self, state: &mut State, url: &Address, muted: bool) {
        let Some(call) = state.calls.find(url).filter(|call| call.view.their_muted != muted) else { return };
        call.view.their_muted = muted;
        self.tell(News::Call(call.view.clone()));
    }

    /// Lets the media rest or go on, as both sides wish, and shows it.
    fn rest_as_wished(&self, call: &mut Call) {
        call.view.hold = hold_of(call.rests);
        let held = call.is_held();
        if let Some(media) = &call.media {
            media.set_held(held);
            if call.view.pictures.camera != CameraView::Off {
                media.set_camera((!held).then(|| self.rooms.media.config().camera));
            }
            call.show_share();
        }
        self.tell(News::Call(call.view.clone()));
    }
}

impl Call {
    /// Whether it rests, by whose wish ever.
    pub(crate) fn is_held(&self) -> bool {
        self.view.hold != CallHold::No
    }
}

fn hold_of((us, them): (bool, bool)) -> CallHold {
    match (us, them) {
        (false, false) => CallHold::No,
        (true, false) => CallHold::Us,
        (false, true) => CallHold::Them,
        (true, true) => CallHold::Both,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_goes_on_when_neither_side_holds_it() {
        assert_eq!(hold_of((true, true)), CallHold::Both);
        assert_eq!(hold_of((false, true)), CallHold::Them);
        assert_eq!(hold_of((true, false)), CallHold::Us);
        assert_eq!(hold_of((false, false)), CallHold::No);
    }
}
