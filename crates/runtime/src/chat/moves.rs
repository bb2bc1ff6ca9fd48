//! What a shell asks to be done with messages; the chat Hyperty says it, the runtime judges and keeps it.

use contract::{ChatMessage, ChatPage};
use message::{Address, UserAddress};
use serde_json::{Value, json};
use store::Tx;

use super::body::{fits, is_child_of, is_emoji};
use super::extra::extra_of;
use super::mentions;
use super::polls::Poll;
use super::receipts::mark_read;
use super::view::{card_in, message_of, messages_of, words_of};
use super::{Body, TEXT_LIMIT};
use crate::chats::address;
use crate::comparing;
use crate::home::{Home, now_ms};
use crate::objects::Follow;
use crate::own::OwnStep;
use crate::persons::{get_or_new, name_of};
use crate::sending::{get_object, put_object};
use crate::trouble::{Failure, Outcome};

/// Messages shown on each side of one that is looked for.
const AROUND: usize = 30;

/// Messages in one look further on.
const PAGE: usize = 60;

/// Longest address that is opened outside.
const URL_LIMIT: usize = 2048;

/// Words to be said.
#[derive(Default)]
pub(crate) struct Words<'a> {
    pub(crate) text: &'a str,
    pub(crate) reply: Option<&'a str>,
    pub(crate) forwarded: bool,
    /// The card of a link in them.
    pub(crate) card: Option<preview::Card>,
}

impl Home {
    /// Questions `chat.send` and `chat.reply`: the chat Hyperty writes the words; what it wrote is answered.
    pub(crate) async fn say(&self, chat: &Address, words: Words<'_>) -> Outcome<ChatMessage> {
        let text = checked(words.text)?;
        let chat = &self.chat_to_write(chat).await?;
        let timer = {
            // Nothing of a person's words leaves for keys that they have to decide about first.
            let state = self.state();
            state.store()?.read(|tx| {
                comparing::may_send(tx, &get_object(tx, chat)?)?;
                Ok::<_, Failure>(extra_of(tx, chat)?.timer())
            })?
        };
        let mut params = json!({ "conversation": chat, "text": text });
        if let Some(to) = words.reply.filter(|id| is_child_of(id, chat)) {
            params["reply"] = json!(to);
        }
        if words.forwarded {
            params["forwarded"] = json!(true);
        }
        if timer > 0 {
            params["ends"] = json!(timer);
        }
        if let Some(card) = words.card.filter(|card| card.stands_in(text)) {
            params["preview"] = card.to_value();
        }
        let named = if text.contains('@') { mentions::find(text, &self.nameable(chat)?) } else { Vec::new() };
        if !named.is_empty() {
            params["mentions"] = json!(named);
        }
        let value = self.execute_chat("send", params).await?;
        let id = value.get("message").and_then(Value::as_str).unwrap_or_default().to_owned();
        let (said, read) = {
            let mut state = self.state();
            state.typing.sent(chat);
            let me = state.me()?;
            let store = state.store()?;
            let (said, changes) = store.read(|tx| {
                let row = tx.child(&id).map_err(Failure::store)?.ok_or_else(|| Failure::unknown("message"))?;
                let unread = tx.count_unread(chat.as_str()).map_err(Failure::store)?;
                Ok::<_, Failure>((message_of(tx, &row)?, unread > 0 || !get_object(tx, chat)?.draft.is_empty()))
            })?;
            let read = match changes {
                false => None,
                true => Some(store.write(|tx| {
                    let mut object = get_object(tx, chat)?;
                    object.draft.clear();
                    put_object(tx, &object)?;
                    // Who answers has read.
                    mark_read(tx, me, &object, now_ms())
                })?),
            };
            (said, read)
        };
        if let Some(read) = read {
            self.was_read(chat, read);
        }
        Ok(said)
    }

    /// Whom words in a group can name, and how they are called here.
    fn nameable(&self, chat: &Address) -> Outcome<Vec<(UserAddress, String)>> {
        let state = self.state();
        state.store()?.read(|tx| {
            let object = get_object(tx, chat)?;
            let others = object.circle.as_ref().into_iter().flat_map(|circle| circle.others());
            others.map(|user| Ok((user.clone(), name_of(&get_or_new(tx, user)?)))).collect()
        })
    }

    /// Question `poll.create`.
    pub(crate) async fn poll_create(&self, chat: &Address, poll: &Poll) -> Outcome<ChatMessage> {
        let line = |text: &str| text.trim().to_owned();
        let mut value = json!({ "type": "poll", "question": line(&poll.question) });
        value["options"] = poll.options.iter().map(|option| json!(line(option))).collect();
        value["several"] = json!(poll.several);
        value["hidden"] = json!(poll.hidden);
        if Poll::parse(&value).is_none() {
            return Err(Failure::new("no-poll", "a poll is a question with 2 to 12 different answers"));
        }
        let chat = &self.chat_to_write(chat).await?;
        self.may_act(chat)?;
        self.introduced(chat).await;
        let mut state = self.state();
        let timer = state.store()?.read(|tx| extra_of(tx, chat))?.timer();
        if timer > 0 {
            value["ends"] = json!(timer);
        }
        let (id, _) = self.write_child(&mut state, chat, value)?;
        state.store()?.read(|tx| {
            let row = tx.child(&id).map_err(Failure::store)?.ok_or_else(|| Failure::unknown("message"))?;
            message_of(tx, &row)
        })
    }

    /// Question `poll.vote`.
    pub(crate) async fn poll_vote(&self, id: &str, choices: &[u8]) -> Outcome<ChatMessage> {
        self.say_about(id, json!({ "type": "vote", "to": id, "choices": choices })).await
    }

    /// Question `poll.close`.
    pub(crate) async fn poll_close(&self, id: &str) -> Outcome<ChatMessage> {
        self.say_about(id, json!({ "type": "close", "to": id })).await
    }

    /// Says something about a message that is not the chat Hyperty's to say; the message as it stands then is answered.
    async fn say_about(&self, id: &str, value: Value) -> Outcome<ChatMessage> {
        let row = {
            let state = self.state();
            state.store()?.read(|tx| tx.child(id)).map_err(Failure::store)?
        };
        let row = row.filter(|row| !row.hidden).ok_or_else(|| Failure::unknown("message"))?;
        let chat = address(&row.object)?;
        if Body::parse(&value, &chat) == Body::Unknown {
            return Err(Failure::new("no-such-choice", "the poll has no such answer"));
        }
        self.may_act(&chat)?;
        self.introduced(&chat).await;
        let mut state = self.state();
        self.write_child(&mut state, &chat, value)?;
        state.store()?.read(|tx| {
            let row = tx.child(id).map_err(Failure::store)?.ok_or_else(|| Failure::unknown("message"))?;
            message_of(tx, &row)
        })
    }

    /// Question `chat.forward`: the words go on, not who said them.
    pub(crate) async fn chat_forward(&self, id: &str, to: &Address) -> Outcome<ChatMessage> {
        let row = {
            let state = self.state();
            let row = state.store()?.read(|tx| tx.child(id)).map_err(Failure::store)?;
            row.filter(|row| !row.hidden)
        };
        let words = row.as_ref().and_then(words_of);
        let text = words.ok_or_else(|| Failure::new("not-a-message", "there are no words to forward"))?;
        // The card goes along as it is: nobody visits the page again.
        let card = row.as_ref().and_then(card_in);
        self.say(to, Words { text: &text, forwarded: true, card, ..Words::default() }).await
    }

    /// Question `chat.edit`.
    pub(crate) async fn chat_edit(&self, id: &str, text: &str) -> Outcome<ChatMessage> {
        let text = checked(text)?;
        self.act("edit", id, json!({ "text": text })).await
    }

    /// Question `chat.react`.
    pub(crate) async fn chat_react(&self, id: &str, emoji: &str, on: bool) -> Outcome<ChatMessage> {
        if !is_emoji(emoji) {
            return Err(Failure::new("not-an-emoji", "a reaction is one emoji"));
        }
        self.act("react", id, json!({ "emoji": emoji, "on": on })).await
    }

    /// Question `chat.delete`.
    pub(crate) async fn chat_delete(&self, id: &str) -> Outcome<ChatMessage> {
        self.act("delete", id, json!({})).await
    }

    /// Question `chat.pin`.
    pub(crate) async fn chat_pin(&self, id: &str, on: bool) -> Outcome<ChatMessage> {
        self.act("pin", id, json!({ "on": on })).await
    }

    /// Question `chat.timer`.
    pub(crate) async fn chat_timer(&self, chat: &Address, seconds: u32) -> Outcome<()> {
        if Body::parse(&json!({ "type": "timer", "seconds": seconds }), chat) == Body::Unknown {
            return Err(Failure::new("too-long", "messages end after a year at the latest"));
        }
        self.may_act(chat)?;
        self.introduced(chat).await;
        self.execute_chat("timer", json!({ "conversation": chat, "seconds": seconds })).await?;
        Ok(())
    }

    /// Says something about a message; the message as it stands then is answered.
    async fn act(&self, method: &str, id: &str, mut params: Value) -> Outcome<ChatMessage> {
        let chat = {
            let state = self.state();
            let row = state.store()?.read(|tx| tx.child(id)).map_err(Failure::store)?;
            let row = row.ok_or_else(|| Failure::unknown("message"))?;
            // The Hyperty would refuse it as well, but its answers have numbers and no words.
            if row.hidden {
                return Err(Failure::new("not-a-message", "there is nothing that could be answered"));
            }
            if matches!(method, "edit" | "delete") && !row.mine {
                return Err(Failure::new("not-the-author", "only who wrote a message changes it"));
            }
            address(&row.object)?
        };
        self.may_act(&chat)?;
        self.introduced(&chat).await;
        params["conversation"] = json!(chat);
        params["to"] = json!(id);
        self.execute_chat(method, params).await?;
        let state = self.state();
        state.store()?.read(|tx| {
            let row = tx.child(id).map_err(Failure::store)?.ok_or_else(|| Failure::unknown("message"))?;
            message_of(tx, &row)
        })
    }

    fn may_act(&self, chat: &Address) -> Outcome<()> {
        let state = self.state();
        state.store()?.read(|tx| comparing::may_send(tx, &get_object(tx, chat)?))
    }

    /// Question `chat.newer`.
    pub(crate) fn chat_newer(&self, chat: &Address, after: i64) -> Outcome<Vec<ChatMessage>> {
        let state = self.state();
        state.store()?.read(|tx| {
            let rows = tx.children_after(chat.as_str(), after, PAGE).map_err(Failure::store)?;
            messages_of(tx, &rows)
        })
    }

    /// Question `chat.around`.
    pub(crate) fn chat_around(&self, chat: &Address, id: &str) -> Outcome<ChatPage> {
        let state = self.state();
        state.store()?.read(|tx| {
            let row = tx.child(id).map_err(Failure::store)?.filter(|row| row.object == chat.as_str() && !row.hidden);
            let row = row.ok_or_else(|| Failure::unknown("message"))?;
            around(tx, chat, row.ordinal, row.id)
        })
    }

    /// Question `chat.date`.
    pub(crate) fn chat_date(&self, chat: &Address, at: i64) -> Outcome<ChatPage> {
        let state = self.state();
        state.store()?.read(|tx| {
            let last = tx.last_child(chat.as_str()).map_err(Failure::store)?;
            let last = last.ok_or_else(|| Failure::unknown("message"))?;
            // Messages lie in the order in which they came, so a few looks find the moment.
            let (mut before, mut from) = (0, last.ordinal);
            let mut found = last;
            while before + 1 < from {
                let middle = before + (from - before) / 2;
                let next = tx.children_after(chat.as_str(), middle - 1, 1).map_err(Failure::store)?.pop();
                match next.filter(|row| row.ordinal < from) {
                    Some(row) if row.at < at => before = row.ordinal,
                    Some(row) => {
                        from = middle;
                        found = row;
                    }
                    None => from = middle,
                }
            }
            around(tx, chat, found.ordinal, found.id)
        })
    }

    /// Question `link.open`: what stands in a message leads out of the app only by an address of the web or of mail.
    pub(crate) async fn link_open(&self, text: &str) -> Outcome<()> {
        let url = url::Url::parse(text).ok().filter(|url| {
            text.len() <= URL_LIMIT
                && match url.scheme() {
                    "http" | "https" => url.has_host() && url.username().is_empty() && url.password().is_none(),
                    "mailto" => true,
                    _ => false,
                }
        });
        let url = url.ok_or_else(|| Failure::new("not-a-link", "only addresses of the web and of mail are opened"))?;
        self.open_browser(&url).await
    }

    /// A conversation was read: shells and our other devices hear of it.
    pub(crate) fn was_read(&self, chat: &Address, read: super::Settled) {
        if read.changed == 0 {
            return;
        }
        let mut state = self.state();
        let object = state.store().and_then(|store| store.read(|tx| get_object(tx, chat)));
        let pumps = object.map(|object| crate::sending::pumps(&object).collect::<Vec<_>>()).unwrap_or_default();
        let step = OwnStep::Read { chat: chat.clone(), have: read.have };
        let follow = [Follow::ChatShown(chat.clone()), Follow::Own(step)].into_iter().chain(pumps).collect();
        self.follow_up(&mut state, follow);
    }
}

/// Words as they are sent, if they can be.
fn checked(text: &str) -> Outcome<&str> {
    let text = text.trim_end();
    if text.trim().is_empty() {
        return Err(Failure::new("empty", "there is nothing to send"));
    }
    if !fits(text) {
        return Err(Failure::new("too-long", format!("a message has at most {TEXT_LIMIT} characters")));
    }
    Ok(text)
}

fn around(tx: &Tx<'_>, chat: &Address, ordinal: i64, found: String) -> Outcome<ChatPage> {
    let mut rows = tx.children(chat.as_str(), Some(ordinal), AROUND + 1).map_err(Failure::store)?;
    let older = rows.len() > AROUND;
    if older {
        rows.remove(0);
    }
    let mut after = tx.children_after(chat.as_str(), ordinal - 1, AROUND + 2).map_err(Failure::store)?;
    let newer = after.len() > AROUND + 1;
    after.truncate(AROUND + 1);
    rows.append(&mut after);
    let messages = messages_of(tx, &rows)?;
    Ok(ChatPage { messages, found, older, newer })
}
