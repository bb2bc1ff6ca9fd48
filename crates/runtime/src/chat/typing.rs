//! "Typing…": told now or not at all. It is sealed like every word, but nobody keeps it: not the outbox, not the
//! node, not the store.

use std::collections::HashMap;

use contract::{News, Settings};
use message::{Address, Message, MessageType};
use serde_json::json;

use crate::home::{Home, State, body, now_ms};
use crate::records::{Member, Object, kind};
use crate::sending::{get_object, inner_message, sealing};
use crate::trouble::{Failure, Outcome};
use crate::{comparing, inbox};

/// Not more often than this it is told that somebody is typing, and believed.
const EVERY_MS: i64 = 3_000;

/// Most words of this kind between two messages. Each one that is lost is a step the other side's ratchet has to
/// bridge, and it bridges a thousand.
const UNANSWERED_LIMIT: u32 = 40;

/// Conversations in which somebody typed lately.
const CHATS_LIMIT: usize = 256;

/// When typing was told and heard last.
#[derive(Default)]
pub(crate) struct Typing {
    told: HashMap<Address, (i64, u32)>,
    heard: HashMap<Address, i64>,
}

impl Typing {
    /// Whether it may be told now.
    fn may_tell(&mut self, chat: &Address, now: i64) -> bool {
        make_room(&mut self.told);
        let (at, count) = self.told.entry(chat.clone()).or_insert((i64::MIN / 2, 0));
        if (now - *at).abs() < EVERY_MS || *count >= UNANSWERED_LIMIT {
            return false;
        }
        (*at, *count) = (now, *count + 1);
        true
    }

    /// Whether it is worth telling the shells.
    fn is_news(&mut self, chat: &Address, now: i64) -> bool {
        make_room(&mut self.heard);
        let at = self.heard.entry(chat.clone()).or_insert(i64::MIN / 2);
        let news = (now - *at).abs() >= EVERY_MS / 2;
        if news {
            *at = now;
        }
        news
    }

    /// They wrote, which ended their typing: what they type next is news at once.
    pub(crate) fn wrote(&mut self, chat: &Address) {
        self.heard.remove(chat);
    }

    /// Something was sent: the other side's ratchet moves on with it.
    pub(crate) fn sent(&mut self, chat: &Address) {
        self.told.remove(chat);
    }
}

fn make_room<T>(chats: &mut HashMap<Address, T>) {
    if chats.len() >= CHATS_LIMIT {
        chats.clear();
    }
}

impl Home {
    /// Question `chat.typing`.
    pub(crate) fn chat_typing(&self, chat: &Address) -> Outcome<()> {
        let mut state = self.state();
        let state = &mut *state;
        let now = now_ms();
        let object = state.store()?.read(|tx| {
            let settings: Option<Settings> = tx.recall(kind::SETTINGS, "settings").map_err(Failure::store)?;
            let object = get_object(tx, chat)?;
            // In a large group nobody hears it, or everybody would hear it all the time.
            let tells = settings.unwrap_or_default().typing && object.is_open() && !object.is_large();
            Ok::<_, Failure>((tells && comparing::may_send(tx, &object).is_ok()).then_some(object))
        })?;
        let Some(object) = object else { return Ok(()) };
        if there(state, &object, &|_| true).is_empty() || !state.typing.may_tell(chat, now) {
            return Ok(());
        }
        let inner = inner_message(MessageType::Event, &object.url, "typing", &json!({}))?;
        self.pass(state, chat, &inner, &|_| true)?;
        Ok(())
    }

    /// Seals a word that nobody keeps, for those of the other side who can be reached now; how many that are.
    pub(crate) fn pass(
        &self,
        state: &mut State,
        url: &Address,
        inner: &Message,
        whom: &dyn Fn(&Member) -> bool,
    ) -> Outcome<usize> {
        let (me, store) = (state.me()?, state.store()?);
        let object = store.read(|tx| get_object(tx, url))?;
        let there = there(state, &object, whom);
        if there.is_empty() {
            return Ok(0);
        }
        let sealed = store
            .write(|tx| seal::seal(tx, &me.device, &object.group()?, inner.to_json().as_bytes()).map_err(sealing))?;
        let count = there.len();
        for (from, inbox) in there {
            let sealed = body(&json!({ "v": 1, "sealed": keys::b64url(&sealed) }));
            self.send(state, MessageType::Event, from, inbox, sealed);
        }
        Ok(count)
    }

    /// Something that nobody keeps arrived: what does not open is nobody's loss.
    pub(crate) fn on_passing_word(&self, state: &mut State, message: &Message) {
        let (Some(me), Some(store)) = (&state.me, &state.store) else { return };
        let policy = &mut state.policy;
        let opened = inbox::sealed_bytes(message)
            .and_then(|bytes| store.write(|tx| inbox::open_one(tx, me, policy, &bytes, now_ms())));
        match opened {
            Ok(follow) => self.follow_up(state, follow),
            Err(failure) => tracing::debug!(code = failure.code, "a passing word did not open"),
        }
    }

    /// The other side types.
    pub(crate) fn on_typing(&self, state: &mut State, chat: &Address, user: &str) {
        if state.typing.is_news(chat, now_ms()) {
            self.tell(News::Typing { chat: chat.to_string(), user: user.to_owned() });
        }
    }
}

/// The sessions and inboxes by which devices of the other side can be reached now.
fn there(state: &State, object: &Object, whom: &dyn Fn(&Member) -> bool) -> Vec<(Address, Address)> {
    let inboxes = object.peer_devices().filter(|member| whom(member)).filter_map(|member| member.inbox.clone());
    inboxes.filter_map(|inbox| Some((state.links.session(&inbox.domain())?, inbox))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_is_told_seldom_and_not_for_ever() {
        let chat = Address::parse("comm://a.localhost/one").unwrap();
        let mut typing = Typing::default();
        assert!(typing.may_tell(&chat, 0) && !typing.may_tell(&chat, EVERY_MS - 1));
        let told = (1..1000).filter(|n| typing.may_tell(&chat, n * EVERY_MS)).count();
        assert_eq!(told, UNANSWERED_LIMIT as usize - 1);
        typing.sent(&chat);
        assert!(typing.may_tell(&chat, 0));
    }

    #[test]
    fn who_floods_with_typing_is_heard_now_and_then() {
        let chat = Address::parse("comm://a.localhost/one").unwrap();
        let mut typing = Typing::default();
        let heard = (0..3000).filter(|at| typing.is_news(&chat, *at)).count();
        assert_eq!(heard, 2);
    }

    #[test]
    fn who_wrote_and_types_on_at_once_is_heard() {
        let chat = Address::parse("comm://a.localhost/one").unwrap();
        let mut typing = Typing::default();
        assert!(typing.is_news(&chat, 0) && !typing.is_news(&chat, 100));
        typing.wrote(&chat);
        assert!(typing.is_news(&chat, 200));
    }
}
