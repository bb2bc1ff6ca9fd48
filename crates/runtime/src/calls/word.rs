//! What two cores say to each other in a call, sealed and past every guest: that it rests, and who takes part.

use call::{Roster, Stage};
use message::{Address, Message, MessageType};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::home::{Home, State};
use crate::members::Author;
use crate::objects::Follow;
use crate::records::{Object, ObjectUse};
use crate::sending::{get_object, inner_message, pumps, seal_and_queue};
use crate::trouble::{Failure, Outcome};

/// The part of the object it is said to: `event <object>/call`.
pub(crate) const PART: &str = "call";

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum CallWord {
    /// Who says it neither speaks nor hears for now, or does again.
    Hold(bool),
    /// Their microphone is off, or on again.
    Muted(bool),
    /// The call is part of a joint one of these people.
    Joint(Value),
}

/// A word of the other side, for the call it belongs to. Only the device that is spoken with has a say.
pub(crate) fn on_word(object: &Object, author: &Author, inner: &Message) -> Outcome<Vec<Follow>> {
    let by_peer = object.member(&author.device).is_some_and(|member| member.user == object.peer);
    let other_device = object.answered_by.as_ref().is_some_and(|device| *device != author.device);
    if object.purpose != ObjectUse::Call || !object.is_open() || !by_peer || other_device {
        return Ok(Vec::new());
    }
    let word: CallWord = inner.body.parse().map_err(|e| Failure::new("malformed", e))?;
    Ok(vec![Follow::CallWord { url: object.url.clone(), word }])
}

impl Home {
    /// The other side says something about the call.
    pub(crate) fn on_call_word(&self, state: &mut State, url: &Address, word: CallWord) {
        match word {
            CallWord::Hold(on) => self.held_by_them(state, url, on),
            CallWord::Muted(muted) => self.muted_by_them(state, url, muted),
            CallWord::Joint(value) => match Roster::parse(&value) {
                Ok(told) => self.told_of_roster(state, url, &told),
                Err(error) => tracing::info!(%error, "a roster was refused"),
            },
        }
    }

    /// Says something to the other side of a call that is answered; before, the offer says it.
    pub(super) fn say_call_word(&self, state: &mut State, name: &Address, word: &CallWord) {
        let Some(call) = state.calls.find(name) else { return };
        let answered = matches!(call.machine.state().stage(), Stage::Securing | Stage::Connecting | Stage::Connected);
        let Some(url) = call.object.clone().filter(|_| answered) else { return };
        let (Some(me), Some(store)) = (&state.me, &state.store) else { return };
        let said = store.write(|tx| {
            let object = get_object(tx, &url)?;
            let inner = inner_message(MessageType::Event, &url, PART, &json!(word))?;
            seal_and_queue(tx, me, &object, &inner, None)?;
            Ok::<_, Failure>(pumps(&object).collect::<Vec<_>>())
        });
        match said {
            Ok(follow) => self.follow_up(state, follow),
            Err(failure) => tracing::info!(code = failure.code, "the other side of a call was not told"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_written_as_the_protocol_says() {
        assert_eq!(json!(CallWord::Hold(true)), json!({ "hold": true }));
        assert!(serde_json::from_value::<CallWord>(json!({ "hold": "yes" })).is_err());
        assert!(serde_json::from_value::<CallWord>(json!({ "end": true })).is_err());
    }
}
