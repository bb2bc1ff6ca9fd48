//! Conversations as a shell sees them.

use contract::{ChatDevice, ChatMessage, ChatSummary, ChatView, ContactState, News};
use message::{Address, Message, UserAddress};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{ChildRow, ChildState, Tx};

use crate::archives;
use crate::chat::{TEXT_LIMIT, extra_of, mark_read, message_of, messages_of, pinned};
use crate::circle;
use crate::comparing;
use crate::files;
use crate::home::{Home, Ready, State, now_ms};
use crate::key_changes::KEYS_CHANGED;
use crate::objects::Follow;
use crate::persons::{claimed_person, get_or_new, name_of};
use crate::records::{ChildValue, Object, ObjectUse, Person, Side, Standing, kind};
use crate::sending::{child_message, get_object, get_person, pumps, put_object, seal_and_queue};
use crate::trouble::{Failure, Outcome};

/// Messages shown when a conversation is opened, and with each look further back.
const PAGE: usize = 60;

#[derive(Deserialize)]
struct AppEvent {
    event: String,
    #[serde(default)]
    message: Option<String>,
}

/// How long a device that was just linked waits for the introduction of a conversation.
const INTRODUCTION_LIMIT: std::time::Duration = std::time::Duration::from_secs(10);

impl Home {
    /// A Hyperty tells the app something (`runtime://D/ua`).
    pub(crate) fn on_app_event(&self, state: &mut State, message: &Message) {
        let Ok(event) = message.body.parse::<AppEvent>() else { return };
        let Some(me) = &state.me else { return };
        if message.from == me.record.chat {
            if let ("message" | "unsupported", Some(id)) = (event.event.as_str(), event.message) {
                state.together.show(id);
                self.show_what_waits(state);
            }
        } else if message.from == me.record.connector && event.event == "call" {
            self.on_call_event(state, message);
        }
    }

    /// Question `chat.list`.
    pub(crate) fn chat_list(&self) -> Outcome<Vec<ChatSummary>> {
        let state = self.state();
        let mut chats = state.store()?.read(|tx| {
            let objects: Vec<(String, Object)> = tx.list(kind::OBJECT).map_err(Failure::store)?;
            let chats = objects.iter().map(|(_, object)| object).filter(|object| is_shown(object));
            let mut all = chats.map(|object| summary(tx, object)).collect::<Outcome<Vec<_>>>()?;
            all.extend(archives::summaries(tx)?);
            Ok::<_, Failure>(all)
        })?;
        chats.retain(|chat| chat.contact != ContactState::Blocked);
        chats.sort_by_key(|chat| std::cmp::Reverse(chat.at));
        Ok(chats)
    }

    /// Question `chat.open`.
    pub(crate) fn chat_open(&self, chat: &Address) -> Outcome<ChatView> {
        let state = self.state();
        state.store()?.read(|tx| {
            if archives::is_imported(chat.as_str()) {
                return archives::view(tx, chat, PAGE);
            }
            let object = get_object(tx, chat)?;
            let person = person_of(tx, &object)?;
            let rows = tx.children(chat.as_str(), None, PAGE).map_err(Failure::store)?;
            let more = rows.len() == PAGE;
            Ok(ChatView {
                summary: summary(tx, &object)?,
                identity: person.identity,
                devices: devices_in(tx, state.me()?, &object)?,
                refusals: object.refused(),
                messages: messages_of(tx, &rows)?,
                more,
                pinned: pinned(tx, chat)?,
                timer: extra_of(tx, chat)?.timer(),
                group: circle::view(tx, state.me()?, &object)?,
            })
        })
    }

    /// Question `chat.older`.
    pub(crate) fn chat_older(&self, chat: &Address, before: i64) -> Outcome<Vec<ChatMessage>> {
        let state = self.state();
        state.store()?.read(|tx| {
            let rows = tx.children(chat.as_str(), Some(before), PAGE).map_err(Failure::store)?;
            messages_of(tx, &rows)
        })
    }

    /// Waits for the introduction of a conversation that was copied here: whoever lets this device in says in a moment
    /// who is in it, and before that nothing can be said. What waits in vain goes on, and is told why it cannot.
    pub(crate) async fn introduced(&self, chat: &Address) {
        let mut news = self.rooms.news.subscribe();
        let there = async {
            while self.is_to_be_introduced(chat) {
                // Whatever the news is, and however much was missed: the next look says.
                let _ = news.recv().await;
            }
        };
        let _ = tokio::time::timeout(INTRODUCTION_LIMIT, there).await;
    }

    fn is_to_be_introduced(&self, chat: &Address) -> bool {
        let state = self.state();
        let among_others = state.me().is_ok_and(|me| me.record.own.is_some());
        let object = || state.store().and_then(|store| store.read(|tx| get_object(tx, chat)));
        among_others && object().is_ok_and(|object| matches!(object.standing, Standing::Copied))
    }

    /// Where words for a conversation go: one that came back without its group, or that ended when its person
    /// went on with other keys, goes on as another one.
    pub(crate) async fn chat_to_write(&self, chat: &Address) -> Outcome<Address> {
        self.introduced(chat).await;
        let user = {
            let state = self.state();
            let alone = state.me()?.record.own.is_none();
            let lost = |object: &Object| match &object.standing {
                Standing::Copied => alone,
                Standing::Closed { reason } => reason == KEYS_CHANGED,
                _ => false,
            };
            let (object, newer) = state.store()?.read(|tx| {
                let object = get_object(tx, chat)?;
                let newer = get_person(tx, &object.peer).ok().and_then(|person| person.chat);
                let newer = newer.filter(|newer| newer != chat).and_then(|newer| get_object(tx, &newer).ok());
                Ok::<_, Failure>((object, newer))
            })?;
            if object.circle.is_some() {
                // There is no other one with the same people.
                return Ok(chat.clone());
            }
            let outgrown = newer.as_ref().is_some_and(|newer| reaches_more(newer, &object));
            if !lost(&object) && !outgrown {
                return Ok(chat.clone());
            }
            if let Some(newer) = newer.filter(|newer| !lost(newer)) {
                return Ok(newer.url);
            }
            object.peer
        };
        let value = self.execute_chat("create", json!({ "user": user })).await?;
        address(value.get("conversation").and_then(Value::as_str).unwrap_or_default())
    }

    /// Question `chat.retry`: the same words are sealed anew and queued, where the two speak now.
    pub(crate) async fn chat_retry(&self, id: &str) -> Outcome<()> {
        let (chat, is_group, value) = {
            let state = self.state();
            let row = state.store()?.read(|tx| tx.child(id)).map_err(Failure::store)?;
            let row = row.filter(|row| row.mine && row.state == ChildState::Failed);
            let row = row.ok_or_else(|| Failure::new("not-failed", "only a failed message is sent again"))?;
            let child: ChildValue = serde_json::from_str(&row.value).map_err(|e| Failure::new("malformed", e))?;
            let chat = address(&row.object)?;
            let is_group = state.store()?.read(|tx| {
                let object = get_object(tx, &chat)?;
                comparing::may_send(tx, &object).map(|()| object.circle.is_some())
            })?;
            (chat, is_group, child.value)
        };
        let to = self.chat_to_write(&chat).await?;
        if to == chat && !is_group {
            return self.seal_again(id);
        }
        self.write_child(&mut self.state(), &to, value)?;
        self.chat_discard(id)
    }

    /// A failed message is sealed and queued once more.
    fn seal_again(&self, id: &str) -> Outcome<()> {
        let mut state = self.state();
        let state = &mut *state;
        let me = state.me.as_ref().ok_or_else(Failure::not_ready)?;
        let store = state.store.as_ref().ok_or_else(Failure::not_ready)?;
        let follow = store.write(|tx| {
            let row = tx.child(id).map_err(Failure::store)?.ok_or_else(|| Failure::unknown("message"))?;
            if !row.mine || row.state != ChildState::Failed {
                return Err(Failure::new("not-failed", "only a failed message is sent again"));
            }
            let object = get_object(tx, &address(&row.object)?)?;
            let child: ChildValue = serde_json::from_str(&row.value).map_err(|e| Failure::new("malformed", e))?;
            comparing::may_send(tx, &object)?;
            let inner = child_message(me, &object, id, row.seq.unsigned_abs(), row.at, &child.value)?;
            seal_and_queue(tx, me, &object, &inner, Some(id))?;
            tx.set_child_state(id, ChildState::Queued).map_err(Failure::store)?;
            let mut follow: Vec<Follow> = pumps(&object).collect();
            follow.push(Follow::ChildShown(id.to_owned()));
            Ok(follow)
        })?;
        self.follow_up(state, follow);
        Ok(())
    }

    /// Question `chat.discard`.
    pub(crate) fn chat_discard(&self, id: &str) -> Outcome<()> {
        let state = self.state();
        let chat = state.store()?.write(|tx| {
            let row = tx.child(id).map_err(Failure::store)?.ok_or_else(|| Failure::unknown("message"))?;
            if row.state != ChildState::Failed {
                return Err(Failure::new("not-failed", "only a failed message is removed"));
            }
            files::forget(tx, &row)?;
            // The row keeps its number, so that the other side sees no gap; only the words go.
            tx.empty_child(id).map_err(Failure::store)?;
            Ok(row.object)
        })?;
        self.tell(News::MessageGone { chat, id: id.to_owned() });
        Ok(())
    }

    /// Question `chat.draft`.
    pub(crate) fn chat_draft(&self, chat: &Address, text: &str) -> Outcome<()> {
        if archives::is_imported(chat.as_str()) {
            return Ok(());
        }
        let draft: String = text.chars().take(TEXT_LIMIT).collect();
        let state = self.state();
        state.store()?.write(|tx| {
            let mut object = get_object(tx, chat)?;
            object.draft = draft;
            put_object(tx, &object)
        })
    }

    /// Question `chat.read`.
    pub(crate) fn chat_read(&self, chat: &Address) -> Outcome<()> {
        if archives::is_imported(chat.as_str()) {
            // Nothing in it was ever unread.
            return Ok(());
        }
        let read = {
            let state = self.state();
            let me = state.me()?;
            state.store()?.write(|tx| mark_read(tx, me, &get_object(tx, chat)?, now_ms()))?
        };
        self.was_read(chat, read);
        Ok(())
    }

    /// Tells shells about children in the order they are named, and about each of their conversations once.
    pub(crate) fn show_children(&self, state: &State, ids: &[String]) {
        if ids.is_empty() {
            return;
        }
        let Ok(store) = state.store() else { return };
        let mut told = std::collections::HashSet::new();
        let shown = store.read(|tx| {
            let mut rows: Vec<ChildRow> = Vec::with_capacity(ids.len());
            let mut chats: Vec<(String, Option<Object>)> = Vec::new();
            for id in ids.iter().filter(|id| told.insert(id.as_str())) {
                let Some(row) = tx.child(id).map_err(Failure::store)?.filter(|row| !row.hidden) else { continue };
                if !chats.iter().any(|(url, _)| *url == row.object) {
                    let object = get_object(tx, &address(&row.object)?).ok();
                    chats.push((row.object.clone(), object.filter(|object| object.purpose == ObjectUse::Chat)));
                }
                if chats.iter().any(|(url, object)| *url == row.object && object.is_some()) {
                    rows.push(row);
                }
            }
            let messages = messages_of(tx, &rows)?;
            let objects = chats.iter().filter_map(|(_, object)| object.as_ref());
            let summaries: Vec<ChatSummary> = objects.filter_map(|object| summary(tx, object).ok()).collect();
            Ok::<_, Failure>((messages, summaries))
        });
        match shown {
            Ok((messages, summaries)) => {
                messages.into_iter().for_each(|message| self.tell(News::Message(message)));
                summaries.into_iter().for_each(|summary| self.tell(News::Chat(summary)));
            }
            Err(failure) => tracing::info!(code = failure.code, "messages could not be shown"),
        }
    }

    pub(crate) fn show_chat(&self, state: &State, chat: &Address) {
        let Ok(store) = state.store() else { return };
        let shown = store.read(|tx| {
            let object = get_object(tx, chat)?;
            // What calls are made of is an object, too, but nothing one writes in.
            is_shown(&object).then(|| summary(tx, &object)).transpose()
        });
        if let Ok(Some(summary)) = shown {
            self.tell(News::Chat(summary));
        }
    }

    /// The summary of a person's conversation.
    pub(crate) fn chat_of(&self, chat: &Address) -> Outcome<ChatSummary> {
        let state = self.state();
        state.store()?.read(|tx| {
            let object = get_object(tx, chat)?;
            summary(tx, &object)
        })
    }

    /// The conversation with a person, if there is one.
    pub(crate) fn chat_with(&self, state: &State, user: &UserAddress) -> Option<Address> {
        let person: Person = state.store().ok()?.read(|tx| get_person(tx, user)).ok()?;
        person.chat
    }
}

/// Whether the newer conversation with a person has a device of theirs that can never come into the older one,
/// as after a recovery: only who holds a conversation invites.
fn reaches_more(newer: &Object, older: &Object) -> bool {
    newer.url != older.url
        && newer.is_open()
        && matches!(older.side, Side::Observer(_))
        && newer.peer_devices().any(|device| older.member(&device.device).is_none())
}

/// A conversation is shown once we asked, or once the asker is verified.
fn is_shown(object: &Object) -> bool {
    object.purpose == ObjectUse::Chat
        && match (&object.standing, &object.side) {
            (Standing::Verifying { .. }, _) if object.circle.is_some() => false,
            // Of a group one was never in, nothing is shown.
            (Standing::Closed { .. }, _) if object.circle.is_some() => object.system_lines > 0,
            (Standing::Verifying { .. }, Side::Observer(_)) => object.is_unchecked_request(),
            (Standing::Closed { .. }, Side::Observer(_)) => object.peer_persona.is_some(),
            _ => true,
        }
}

/// The other devices in a conversation's group.
fn devices_in(tx: &Tx<'_>, me: &Ready, object: &Object) -> Outcome<Vec<ChatDevice>> {
    let group = object.group()?;
    if !seal::is_member(tx, &group).map_err(|e| Failure::new(e.code(), e))? {
        return Ok(Vec::new());
    }
    let leaves = seal::members(tx, &group).map_err(|e| Failure::new(e.code(), e))?;
    let own = me.dsk.verifying_key();
    let others = leaves.iter().filter(|leaf| leaf.dsk != own);
    Ok(others
        .filter_map(|leaf| {
            let credential = identity::DeviceCredential::decode(&leaf.credential).ok()?;
            let user = object.member(&leaf.dsk.to_string()).map_or(&object.peer, |member| &member.user);
            Some(ChatDevice { user: user.handle(), name: credential.device().name().to_owned() })
        })
        .collect())
}

/// Who is on the other side; of somebody who is not checked, what they claim and no more.
fn person_of(tx: &Tx<'_>, object: &Object) -> Outcome<Person> {
    if object.circle.is_some() {
        return get_or_new(tx, &object.peer);
    }
    if object.is_unchecked_request() { Ok(claimed_person(object)) } else { get_person(tx, &object.peer) }
}

fn summary(tx: &Tx<'_>, object: &Object) -> Outcome<ChatSummary> {
    let person = person_of(tx, object)?;
    let last = tx.last_child(object.url.as_str()).map_err(Failure::store)?;
    let unread = tx.count_unread(object.url.as_str()).map_err(Failure::store)?;
    let last = last.map(|row| message_of(tx, &row)).transpose()?;
    Ok(ChatSummary {
        chat: object.url.to_string(),
        user: object.peer.handle(),
        name: object.circle.as_ref().map_or_else(|| name_of(&person), |circle| circle.said.name.clone()),
        domain: object.peer.domain().to_string(),
        contact: match (&object.circle, &object.standing) {
            (Some(_), Standing::Request) => ContactState::Request,
            (Some(_), _) => ContactState::Accepted,
            (None, _) => person.contact,
        },
        at: last.as_ref().map_or(object.at, |message| message.at.max(object.at)),
        last,
        unread: i32::try_from(unread).unwrap_or(i32::MAX),
        draft: object.draft.clone(),
        mark: comparing::mark_of(tx, object)?,
        change: if object.circle.is_some() { None } else { person.change },
        muted_until: crate::muting::until(tx, &object.url, now_ms())?,
        group: circle::line(tx, object)?.map(Box::new),
        mentions_me: object.circle.is_some() && !extra_of(tx, &object.url)?.named.is_empty(),
        imported: None,
    })
}

pub(crate) fn address(text: &str) -> Outcome<Address> {
    Address::parse(text).map_err(|e| Failure::new("bad-address", e))
}
