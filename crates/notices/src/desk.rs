//! The desk: hears what came and keeps what is on the desktop.

use std::collections::BTreeMap;

use contract::{
    AppState, CallOutcome, CallStage, CallView, ChatMessage, ChatSummary, ContactState, GroupInvite, News,
    NoticeDetail, NoticeSettings, PastCall, Question, RequestNotices, Settings, Stage,
};

use crate::chat::{Chat, tells};
use crate::doors::Doors;
use crate::notice::{Action, Answer, Badge, Button, CallSign, Deed, Key, Notice};
use crate::render;
use crate::words::{Language, Words};

/// How long a notice waits before it is shown, in milliseconds: what is read at once, here or on another device,
/// never flashes, and a burst becomes one notice.
const SETTLES_MS: i64 = 400;

/// Between two sounds, in milliseconds.
const SOUND_REST_MS: i64 = 2_000;

/// Notices on the desktop at once; of more the oldest goes, so that nobody fills a screen.
const SHOWN_LIMIT: usize = 6;

/// Conversations that are remembered; far more than a list holds that a person reads.
const CHATS_LIMIT: usize = 10_000;

/// What is on the desktop.
struct Shown {
    notice: Notice,
    /// Grows with each notice, to know the oldest.
    turn: u64,
}

/// Decides what the desktop is shown.
pub struct Desk {
    system_language: String,
    settings: NoticeSettings,
    words: Words,
    /// Whether there is an open profile; while it is locked nothing of it is shown or known here.
    ready: bool,
    focused: bool,
    chats: BTreeMap<String, Chat>,
    doors: Doors,
    missed: BTreeMap<String, PastCall>,
    missed_count: u32,
    calls: BTreeMap<String, CallSign>,
    /// When notices are due that wait.
    waiting: BTreeMap<Key, i64>,
    shown: BTreeMap<Key, Shown>,
    turns: u64,
    sounded_at: Option<i64>,
    badge: Badge,
}

impl Desk {
    /// A desk that knows nothing yet; `system_language` is what the system speaks, as a language tag.
    pub fn new(system_language: &str) -> Self {
        Self {
            system_language: system_language.to_owned(),
            settings: NoticeSettings::default(),
            words: Words(Language::of("system", system_language)),
            ready: false,
            focused: false,
            chats: BTreeMap::new(),
            doors: Doors::default(),
            missed: BTreeMap::new(),
            missed_count: 0,
            calls: BTreeMap::new(),
            waiting: BTreeMap::new(),
            shown: BTreeMap::new(),
            turns: 0,
            sounded_at: None,
            badge: Badge::default(),
        }
    }

    /// The words in the person's language.
    pub fn words(&self) -> Words {
        self.words
    }

    /// What stands on badge and tray.
    pub fn badge(&self) -> Badge {
        self.badge
    }

    /// Hears one piece of news.
    pub fn hear(&mut self, now: i64, news: &News) -> Vec<Action> {
        let mut actions = match news {
            News::App(state) => self.app_is(state),
            News::Settings(settings) => self.set(now, settings),
            _ if !self.ready => return Vec::new(),
            News::Chat(summary) => self.chat_is(now, summary),
            News::Message(message) => self.message_is(now, message),
            News::MessageGone { chat, id } => self.message_gone(now, chat, id),
            News::GroupInvite(invite) => self.door_is(now, invite),
            News::PastCall(call) => self.past_call_is(now, call),
            News::PastCallGone { id } => self.missed_no_more(id),
            News::CallsMissed { count } => {
                self.missed_count = *count;
                Vec::new()
            }
            News::Call(call) => {
                self.call_is(call);
                Vec::new()
            }
            _ => Vec::new(),
        };
        actions.extend(self.told_badge(now));
        actions
    }

    /// All there is, as after the start or when news were missed. What was unread when the profile opened is
    /// counted and not shown; what came since is.
    pub fn catch_up(
        &mut self,
        now: i64,
        settings: &Settings,
        chats: &[ChatSummary],
        missed: &[PastCall],
        invites: &[GroupInvite],
    ) -> Vec<Action> {
        let first = !self.ready;
        self.ready = true;
        let mut actions = self.set(now, settings);
        let gone: Vec<String> =
            self.chats.keys().filter(|known| chats.iter().all(|chat| chat.chat != **known)).cloned().collect();
        for chat in gone {
            self.chats.remove(&chat);
            actions.extend(self.drop_chat(now, &chat));
        }
        for summary in chats {
            if first {
                self.keep(summary);
            } else {
                actions.extend(self.chat_is(now, summary));
            }
        }
        for chat in self.doors.keep_only(invites) {
            actions.extend(self.show_again(now, &Key::Door(chat)));
        }
        for invite in invites {
            if first {
                self.doors.take(invite);
            } else {
                actions.extend(self.door_is(now, invite));
            }
        }
        let seen: Vec<String> =
            self.missed.keys().filter(|known| missed.iter().all(|call| call.id != **known)).cloned().collect();
        for id in seen {
            actions.extend(self.missed_no_more(&id));
        }
        for call in missed.iter().filter(|call| is_missed(call)) {
            self.missed.insert(call.id.clone(), call.clone());
        }
        self.missed_count = self.missed_count.max(length(self.missed.len()));
        actions.extend(self.told_badge(now));
        actions
    }

    /// The person looks at the window, or away. Who looks sees it there.
    pub fn look(&mut self, focused: bool) -> Vec<Action> {
        self.focused = focused;
        if !focused {
            return Vec::new();
        }
        self.waiting.clear();
        self.withdraw_all()
    }

    /// When [`Desk::tick`] has something to do, in Unix milliseconds.
    pub fn next_wake(&self) -> Option<i64> {
        let mutes = self.chats.values().filter(|chat| chat.unread > 0).filter_map(|chat| chat.muted_until);
        self.waiting.values().copied().chain(mutes).min()
    }

    /// Shows what is due.
    pub fn tick(&mut self, now: i64) -> Vec<Action> {
        for chat in self.chats.values_mut() {
            if chat.muted_until.is_some_and(|until| until <= now) {
                chat.muted_until = None;
            }
        }
        let due: Vec<Key> = self.waiting.iter().filter(|(_, at)| **at <= now).map(|(key, _)| key.clone()).collect();
        let mut actions = Vec::new();
        for key in due {
            self.waiting.remove(&key);
            actions.extend(self.show(now, &key, true));
        }
        actions.extend(self.told_badge(now));
        actions
    }

    /// What is to be done because a person did something with a notice.
    pub fn answer(&mut self, key: &Key, answer: Answer) -> Vec<Deed> {
        let there = self.shown.remove(key).is_some();
        if !there || !self.ready {
            // Of a locked or another profile, or long gone: the window says where things stand.
            return if answer == Answer::Closed { Vec::new() } else { vec![Deed::Go("#/chats".into())] };
        }
        let ask = Deed::Ask;
        match (key, answer) {
            (_, Answer::Closed) => Vec::new(),
            (Key::Chat(chat), Answer::Wrote(text)) => {
                let read = ask(Question::ChatRead { chat: chat.clone() });
                vec![ask(Question::ChatSend { chat: chat.clone(), text, preview: None }), read]
            }
            (Key::Chat(chat), Answer::Pressed(Button::Read)) => vec![ask(Question::ChatRead { chat: chat.clone() })],
            (Key::Chat(chat) | Key::Request(chat) | Key::Door(chat), _) => vec![Deed::Go(place("chats", chat))],
            (Key::Missed(id), Answer::Pressed(Button::CallBack)) => {
                let Some(call) = self.missed.get(id) else { return Vec::new() };
                let start = ask(Question::CallStart { user: call.user.clone() });
                vec![start, ask(Question::CallSeen), Deed::Go("#/call".into())]
            }
            (Key::Missed(_), _) => vec![Deed::Go("#/calls".into())],
            (Key::Anything, _) => vec![Deed::Go("#/chats".into())],
        }
    }

    fn app_is(&mut self, state: &AppState) -> Vec<Action> {
        if state.stage == Stage::Ready {
            return if self.ready { Vec::new() } else { vec![Action::CatchUp] };
        }
        self.ready = false;
        self.chats.clear();
        self.doors.clear();
        self.missed.clear();
        self.missed_count = 0;
        self.calls.clear();
        self.waiting.clear();
        self.withdraw_all()
    }

    fn set(&mut self, now: i64, settings: &Settings) -> Vec<Action> {
        let before = std::mem::replace(&mut self.settings, settings.notices.clone());
        let words = Words(Language::of(&settings.language, &self.system_language));
        let said_anew = std::mem::replace(&mut self.words, words) != words;
        if before.detail == self.settings.detail && before.on == self.settings.on && !said_anew {
            return Vec::new();
        }
        // What is on the desktop tells no more than the person wants from now on.
        let chats: Vec<String> = self.shown.keys().chain(self.waiting.keys()).filter_map(chat_of).collect();
        let all = self.shown.contains_key(&Key::Anything) || self.waiting.contains_key(&Key::Anything);
        self.waiting.clear();
        let mut actions = self.withdraw_all();
        if self.settings.on {
            let again = self.chats.iter().filter(|(url, chat)| chats.contains(url) || (all && chat.newest.is_some()));
            let keys: Vec<Key> = again.map(|(url, chat)| self.key(url, chat)).collect();
            for key in keys {
                actions.extend(self.show(now, &key, false));
            }
        }
        actions
    }

    /// Remembers a conversation without showing anything.
    fn keep(&mut self, summary: &ChatSummary) {
        let before = self.chats.remove(&summary.chat);
        if self.chats.len() >= CHATS_LIMIT {
            return;
        }
        let last = summary.last.as_ref();
        let heard = before.as_ref().map_or(i32::MIN, |before| before.heard);
        let newest = last.filter(|last| tells(last)).cloned();
        let newest = newest.or_else(|| before.and_then(|before| before.newest)).filter(|_| summary.unread > 0);
        let chat = Chat {
            name: summary.name.clone(),
            contact: summary.contact,
            unread: u32::try_from(summary.unread).unwrap_or(0),
            names: summary.group.as_ref().map(|group| group.names.clone()),
            muted_until: summary.muted_until,
            names_us: summary.mentions_me,
            heard: heard.max(last.map_or(i32::MIN, |last| last.ordinal)),
            newest,
        };
        self.chats.insert(summary.chat.clone(), chat);
    }

    fn chat_is(&mut self, now: i64, summary: &ChatSummary) -> Vec<Action> {
        let url = &summary.chat;
        let before = self.chats.get(url).map(|chat| (chat.heard, chat.contact));
        self.keep(summary);
        let Some(chat) = self.chats.get(url) else { return Vec::new() };
        let key = self.key(url, chat);
        let silent = chat.unread == 0 || chat.contact == ContactState::Blocked || chat.is_muted(now);
        if chat.contact == ContactState::Request {
            let known = before.is_some_and(|(_, contact)| contact == ContactState::Request);
            if !known && self.settings.requests == RequestNotices::Gentle {
                self.wait(now, Key::Request(url.clone()));
            }
            return Vec::new();
        }
        let muted = chat.is_quiet(now);
        let mut actions = self.withdraw(&Key::Request(url.clone()));
        if muted {
            actions.extend(self.withdraw(&Key::Door(url.clone())));
        }
        if silent {
            actions.extend(self.drop_chat(now, url));
            return actions;
        }
        let last = summary.last.as_ref().filter(|last| tells(last));
        let is_new = last.is_some_and(|last| before.is_none_or(|(heard, _)| last.ordinal > heard));
        if is_new {
            self.wait(now, key);
        } else {
            actions.extend(self.show_again(now, &key));
        }
        actions
    }

    /// Somebody came by a link of this device, or was answered. A stranger at the door is as quiet as one who asks
    /// for contact.
    fn door_is(&mut self, now: i64, invite: &GroupInvite) -> Vec<Action> {
        let is_new = self.doors.take(invite);
        let quiet = self.chats.get(&invite.chat).is_some_and(|chat| chat.is_quiet(now));
        let key = Key::Door(invite.chat.clone());
        if is_new && !quiet && self.settings.requests == RequestNotices::Gentle {
            self.wait(now, key);
            return Vec::new();
        }
        self.show_again(now, &key)
    }

    /// A message that is told of was edited or taken back.
    fn message_is(&mut self, now: i64, message: &ChatMessage) -> Vec<Action> {
        let Some(chat) = self.chats.get_mut(&message.chat) else { return Vec::new() };
        match &mut chat.newest {
            Some(newest) if newest.id == message.id => *newest = message.clone(),
            _ => return Vec::new(),
        }
        let Some(chat) = self.chats.get(&message.chat) else { return Vec::new() };
        let key = self.key(&message.chat, chat);
        self.show_again(now, &key)
    }

    fn message_gone(&mut self, now: i64, chat: &str, id: &str) -> Vec<Action> {
        match self.chats.get_mut(chat) {
            Some(known) if known.newest.as_ref().is_some_and(|newest| newest.id == id) => known.newest = None,
            _ => return Vec::new(),
        }
        self.drop_chat(now, chat)
    }

    fn past_call_is(&mut self, now: i64, call: &PastCall) -> Vec<Action> {
        if !is_missed(call) {
            return self.missed_no_more(&call.id);
        }
        if self.missed.insert(call.id.clone(), call.clone()).is_none() && self.settings.missed_calls {
            self.wait(now, Key::Missed(call.id.clone()));
        }
        Vec::new()
    }

    fn missed_no_more(&mut self, id: &str) -> Vec<Action> {
        self.missed.remove(id);
        self.withdraw(&Key::Missed(id.to_owned()))
    }

    fn call_is(&mut self, call: &CallView) {
        match call.stage {
            CallStage::Ended { .. } => drop(self.calls.remove(&call.call)),
            CallStage::Ringing if call.incoming => {}
            _ => drop(self.calls.insert(call.call.clone(), CallSign { muted: call.muted })),
        }
    }

    /// Under what a conversation's messages stand on the desktop.
    fn key(&self, url: &str, chat: &Chat) -> Key {
        match (chat.contact, self.settings.detail) {
            (ContactState::Request, _) => Key::Request(url.to_owned()),
            (_, NoticeDetail::Nothing) => Key::Anything,
            _ => Key::Chat(url.to_owned()),
        }
    }

    fn wait(&mut self, now: i64, key: Key) {
        if self.settings.on && !self.focused {
            // The first of a burst says when.
            self.waiting.entry(key).or_insert(now + SETTLES_MS);
        }
    }

    /// A conversation has nothing to tell any more.
    fn drop_chat(&mut self, now: i64, url: &str) -> Vec<Action> {
        let mut actions = self.withdraw(&Key::Chat(url.to_owned()));
        actions.extend(self.withdraw(&Key::Request(url.to_owned())));
        if self.untold(now) == 0 {
            actions.extend(self.withdraw(&Key::Anything));
        } else {
            actions.extend(self.show_again(now, &Key::Anything));
        }
        actions
    }

    /// Unread messages in conversations that are not quiet.
    fn untold(&self, now: i64) -> u32 {
        let loud = self.chats.values().filter(|chat| !chat.is_muted(now));
        let talked_with = loud.filter(|chat| !matches!(chat.contact, ContactState::Blocked | ContactState::Request));
        talked_with.fold(0, |sum, chat| sum.saturating_add(chat.unread))
    }

    fn render(&self, now: i64, key: &Key) -> Option<Notice> {
        let (words, detail) = (self.words, self.settings.detail);
        match key {
            Key::Anything => Some(render::anything(words, self.untold(now))),
            Key::Chat(url) => render::chat(words, detail, url, self.chats.get(url)?),
            Key::Request(url) => Some(render::request(words, detail, url, self.chats.get(url)?)),
            Key::Door(url) => render::door(words, detail, url, &self.chats.get(url)?.name, &self.doors.waiting(url)),
            Key::Missed(id) => Some(render::missed(words, detail, self.missed.get(id)?)),
        }
    }

    fn show(&mut self, now: i64, key: &Key, is_new: bool) -> Vec<Action> {
        let Some(notice) = self.render(now, key) else { return Vec::new() };
        let rested = self.sounded_at.is_none_or(|at| now - at >= SOUND_REST_MS || now < at);
        let sounds = is_new && self.settings.sound && rested && !matches!(key, Key::Request(_) | Key::Door(_));
        if sounds {
            self.sounded_at = Some(now);
        }
        let notice = Notice { sounds, ..notice };
        self.turns += 1;
        self.shown.insert(key.clone(), Shown { notice: notice.clone(), turn: self.turns });
        let mut actions = Vec::new();
        if self.shown.len() > SHOWN_LIMIT
            && let Some(oldest) = self.shown.iter().min_by_key(|(_, shown)| shown.turn).map(|(key, _)| key.clone())
        {
            actions.extend(self.withdraw(&oldest));
        }
        actions.push(Action::Show(notice));
        actions
    }

    /// Brings what is on the desktop to what it should say, without a sound.
    fn show_again(&mut self, now: i64, key: &Key) -> Vec<Action> {
        let Some(notice) = self.render(now, key) else { return self.withdraw(key) };
        match self.shown.get_mut(key) {
            Some(shown) if shown.notice != notice => {
                shown.notice = Notice { sounds: false, ..notice };
                vec![Action::Show(shown.notice.clone())]
            }
            _ => Vec::new(),
        }
    }

    fn withdraw(&mut self, key: &Key) -> Vec<Action> {
        self.waiting.remove(key);
        self.shown.remove(key).map(|_| Action::Withdraw(key.clone())).into_iter().collect()
    }

    fn withdraw_all(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.shown).into_keys().map(Action::Withdraw).collect()
    }

    fn told_badge(&mut self, now: i64) -> Option<Action> {
        let badge = if self.ready {
            Badge { unread: self.untold(now), missed: self.missed_count, call: self.calls.values().next().copied() }
        } else {
            Badge::default()
        };
        (std::mem::replace(&mut self.badge, badge) != badge).then_some(Action::Badge(badge))
    }
}

fn is_missed(call: &PastCall) -> bool {
    call.outcome == CallOutcome::Missed && !call.seen
}

fn chat_of(key: &Key) -> Option<String> {
    match key {
        Key::Chat(url) | Key::Request(url) => Some(url.clone()),
        Key::Anything | Key::Missed(_) | Key::Door(_) => None,
    }
}

fn length(n: usize) -> u32 {
    u32::try_from(n).unwrap_or(u32::MAX)
}

/// A place of the interface.
fn place(section: &str, id: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric();
    let id: String =
        id.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect();
    format!("#/{section}/{id}")
}
