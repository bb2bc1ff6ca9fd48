//! What two devices say to each other to bring a direct connection about: sealed, in the conversation of the two.
//!
//! A word with addresses is told now or not at all: no Node keeps it. Only an accepted contact is heard, and answered.

use media::DESCRIPTION_BYTES;
use message::{Address, Message, MessageType, UserAddress};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::home::{Home, State, now_ms};
use crate::members::Author;
use crate::objects::Follow;
use crate::records::{Member, Object, ObjectUse};
use crate::sending::{get_object, inner_message, pumps, seal_and_queue};
use crate::trouble::{Failure, Outcome};

/// The part of the conversation it is said to: `event <conversation>/direct`.
pub(crate) const PART: &str = "direct";

/// The longest name of an attempt, a device, a message or a blob.
const NAME_BYTES: usize = 512;

/// What is said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "say", rename_all = "lowercase")]
pub(crate) enum Word {
    /// "I want this file, and can be reached so."
    Offer {
        attempt: String,
        /// The message that carries it.
        message: String,
        /// The name of its blob, which stands in that message alone.
        file: String,
        description: String,
    },
    /// "Come." Said to one device.
    Answer { attempt: String, to: String, description: String },
    /// "Not from me." Said to one device.
    Refused { attempt: String, to: String },
    /// "Tell me when you are there." A Node may keep this: it says nothing of where anybody is.
    Waiting,
    /// "I am here."
    Here,
}

/// Who says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Speaker {
    /// In which conversation.
    pub(crate) chat: Address,
    pub(crate) user: UserAddress,
    pub(crate) device: String,
}

impl Word {
    fn fits(&self) -> bool {
        let names = |names: &[&String]| names.iter().all(|name| name.len() <= NAME_BYTES);
        match self {
            Self::Offer { attempt, message, file, description } => {
                names(&[attempt, message, file]) && description.len() <= DESCRIPTION_BYTES
            }
            Self::Answer { attempt, to, description } => {
                names(&[attempt, to]) && description.len() <= DESCRIPTION_BYTES
            }
            Self::Refused { attempt, to } => names(&[attempt, to]),
            Self::Waiting | Self::Here => true,
        }
    }
}

/// A word of the other side. In a group nobody says such: what shows an address is for one person.
pub(crate) fn on_word(object: &Object, author: &Author, inner: &Message) -> Outcome<Vec<Follow>> {
    let member = object.member(&author.device).filter(|member| object.is_with(&member.user));
    let of_two = object.purpose == ObjectUse::Chat && object.circle.is_none() && object.is_open();
    let Some(member) = member.filter(|_| of_two) else { return Ok(Vec::new()) };
    let word: Word = inner.body.parse().map_err(|e| Failure::new("malformed", e))?;
    if !word.fits() {
        return Err(Failure::new("too-long", "a word about a direct connection is longer than any of ours"));
    }
    let by = Speaker { chat: object.url.clone(), user: member.user.clone(), device: author.device.clone() };
    Ok(vec![Follow::Direct { by, word }])
}

impl Home {
    /// A contact says something of a direct connection.
    pub(crate) fn on_direct_word(&self, state: &mut State, by: Speaker, word: Word) {
        if !is_contact(state, &by.user) {
            return;
        }
        let Ok(own) = state.me().map(|me| me.dsk.verifying_key().to_string()) else { return };
        match word {
            Word::Offer { attempt, message, file, description } => {
                self.answer_offer(state, by, attempt, message, file, description);
            }
            Word::Answer { attempt, to, description } if to == own => {
                state.files.direct.is_heard(&by.user);
                state.files.direct.answered(&attempt, &by.user, Ok(description));
            }
            Word::Refused { attempt, to } if to == own => {
                state.files.direct.is_heard(&by.user);
                let refused = Failure::new("direct-refused", "the device does not give the file");
                state.files.direct.answered(&attempt, &by.user, Err(refused));
            }
            Word::Answer { .. } | Word::Refused { .. } => {}
            Word::Waiting if state.files.direct.may_tell_here(&by.user, now_ms()) => {
                self.say_back(by, None, Word::Here)
            }
            Word::Waiting => {}
            Word::Here => {
                if state.files.direct.is_there(&by.user, now_ms()) {
                    state.files.wake();
                }
            }
        }
    }

    /// Says a word back, once their domain is reached, while other things go on.
    pub(super) fn say_back(&self, by: Speaker, to: Option<String>, word: Word) {
        let home = self.clone();
        self.rooms.tasks.start("word", async move {
            home.say_when_reached(&by, to.as_deref(), &word).await;
        });
    }

    /// Says a word back once their domain is reached: a device that has just started may have had no reason to reach it,
    /// and such words go only where a way is open. To how many it left.
    pub(super) async fn say_when_reached(&self, by: &Speaker, to: Option<&str>, word: &Word) -> usize {
        match self.domain_ready(&by.user.domain(), None).await {
            Ok(_) => self.say_directly(&mut self.state(), &by.chat, to, word),
            Err(failure) => {
                tracing::debug!(code = failure.code, "who speaks of a direct connection is not reached");
                0
            }
        }
    }

    /// Says a word that nobody keeps to a device of the other side, or to all of them; to how many it left.
    pub(super) fn say_directly(&self, state: &mut State, chat: &Address, to: Option<&str>, word: &Word) -> usize {
        let whom = |member: &Member| to.is_none_or(|device| member.device == device);
        let said = inner_message(MessageType::Event, chat, PART, &json!(word))
            .and_then(|inner| self.pass(state, chat, &inner, &whom));
        said.unwrap_or_else(|failure| {
            tracing::info!(code = failure.code, "a word about a direct connection was not said");
            0
        })
    }

    /// Asks somebody who is away to say when they are there.
    pub(super) fn ask_back(&self, state: &mut State, chat: &Address, user: &UserAddress) {
        if !state.files.direct.may_ask_back(user, now_ms()) {
            return;
        }
        let (Some(me), Some(store)) = (&state.me, &state.store) else { return };
        let said = store.write(|tx| {
            let object = get_object(tx, chat)?;
            let inner = inner_message(MessageType::Event, chat, PART, &json!(Word::Waiting))?;
            seal_and_queue(tx, me, &object, &inner, None)?;
            Ok::<_, Failure>(pumps(&object).collect::<Vec<_>>())
        });
        match said {
            Ok(follow) => self.follow_up(state, follow),
            Err(failure) => tracing::info!(code = failure.code, "who is away was not asked back"),
        }
    }
}

/// Whether this person is one of our contacts: nobody else learns where we are.
pub(super) fn is_contact(state: &State, user: &UserAddress) -> bool {
    state.policy.rules().contacts.get(user) == Some(&policy::Contact::Accepted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_written_as_the_protocol_says_and_have_a_length() {
        let text = |length: usize| "x".repeat(length);
        let offer = |description| Word::Offer {
            attempt: text(22),
            message: text(90),
            file: text(43),
            description: text(description),
        };
        assert_eq!(json!(Word::Here), json!({ "say": "here" }));
        assert_eq!(json!(offer(1))["say"], json!("offer"));
        assert!(offer(DESCRIPTION_BYTES).fits() && !offer(DESCRIPTION_BYTES + 1).fits());
        let refused = |length| Word::Refused { attempt: text(length), to: text(44) };
        assert!(refused(NAME_BYTES).fits() && !refused(NAME_BYTES + 1).fits());
        assert!(serde_json::from_value::<Word>(json!({ "say": "give" })).is_err());
        assert!(serde_json::from_value::<Word>(json!({ "say": "answer", "attempt": 1 })).is_err());
    }
}
