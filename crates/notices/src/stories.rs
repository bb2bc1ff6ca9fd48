//! What a person sees of their messages on the desktop, told without one.

mod doors;

use std::collections::BTreeMap;

use contract::{
    AppState, CallOutcome, CallVerdict, ChatMessage, ChatSummary, ContactState, Content, DeliveryState, GroupLine,
    GroupRole, GroupStanding, MUTED_FOR_EVER, News, NoticeDetail, NoticeSettings, PastCall, Question, RequestNotices,
    Settings, Stage, TrustMark,
};

use crate::{Action, Answer, Badge, Button, Deed, Desk, Key, Notice, Urgency};

const BEN: &str = "comm://b.localhost/ben";
const CLEO: &str = "comm://c.localhost/cleo";
const SECOND: i64 = 1_000;

/// Somebody at their computer, and what stands on its desktop.
struct Evening {
    desk: Desk,
    now: i64,
    shown: BTreeMap<Key, Notice>,
    sounds: usize,
    badge: Badge,
}

fn said(chat: &str, ordinal: i32, text: &str) -> ChatMessage {
    ChatMessage {
        id: format!("{chat}/{ordinal}"),
        chat: chat.into(),
        ordinal,
        mine: false,
        author: "ben@b.localhost".into(),
        content: Content::Text { text: text.into() },
        at: 0,
        state: DeliveryState::Received,
        mark: TrustMark::Introduced,
        reply: None,
        edited: false,
        forwarded: false,
        pinned: false,
        reactions: Vec::new(),
        ends: None,
        reach: None,
        mentions: Vec::new(),
        mentions_me: false,
        preview: None,
    }
}

fn chat(chat: &str, name: &str, unread: i32, last: Option<ChatMessage>) -> ChatSummary {
    ChatSummary {
        chat: chat.into(),
        user: "ben@b.localhost".into(),
        name: name.into(),
        domain: "b.localhost".into(),
        contact: ContactState::Accepted,
        last,
        unread,
        draft: String::new(),
        change: None,
        mark: TrustMark::Introduced,
        at: 0,
        muted_until: None,
        group: None,
        mentions_me: false,
        imported: None,
    }
}

fn ben(unread: i32, ordinal: i32, text: &str) -> ChatSummary {
    chat(BEN, "Ben", unread, Some(said(BEN, ordinal, text)))
}

fn app(stage: Stage) -> News {
    News::App(AppState {
        turn: 0,
        stage,
        profile: None,
        protection: None,
        keyring_trouble: None,
        open_trouble: None,
        suggested_domain: None,
        version: String::new(),
        online: true,
        restart: None,
        reset_asked: None,
        passphrase_required: false,
    })
}

fn missed(seen: bool) -> PastCall {
    PastCall {
        id: "7".into(),
        user: "ben@b.localhost".into(),
        name: "Ben".into(),
        incoming: true,
        begun_at: 0,
        seconds: 0,
        outcome: CallOutcome::Missed,
        reason: "no-answer".into(),
        seen,
        verdict: CallVerdict::default(),
    }
}

impl Evening {
    fn begins() -> Self {
        Self::with(NoticeSettings::default(), &[])
    }

    fn with(notices: NoticeSettings, chats: &[ChatSummary]) -> Self {
        let mut evening =
            Self { desk: Desk::new("en"), now: 1_000_000, shown: BTreeMap::new(), sounds: 0, badge: Badge::default() };
        let settings = Settings { notices, ..Settings::default() };
        let actions = evening.desk.catch_up(evening.now, &settings, chats, &[], &[]);
        evening.follow(actions);
        evening
    }

    fn telling(detail: NoticeDetail) -> Self {
        Self::with(NoticeSettings { detail, ..NoticeSettings::default() }, &[])
    }

    fn follow(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Show(notice) => {
                    self.sounds += usize::from(notice.sounds);
                    self.shown.insert(notice.key.clone(), notice);
                }
                Action::Withdraw(key) => drop(self.shown.remove(&key)),
                Action::Badge(badge) => self.badge = badge,
                Action::CatchUp => {}
            }
        }
    }

    fn hears(&mut self, news: News) {
        let actions = self.desk.hear(self.now, &news);
        self.follow(actions);
    }

    fn passes(&mut self, ms: i64) {
        self.now += ms;
        let actions = self.desk.tick(self.now);
        self.follow(actions);
    }

    /// Something comes, and stays unread for a second.
    fn gets(&mut self, summary: ChatSummary) {
        self.hears(News::Chat(summary));
        self.passes(SECOND);
    }

    fn looks(&mut self, focused: bool) {
        let actions = self.desk.look(focused);
        self.follow(actions);
    }

    fn of(&self, chat: &str) -> &Notice {
        &self.shown[&Key::Chat(chat.into())]
    }

    fn all_words(&self) -> String {
        let words = |notice: &Notice| format!("{} {}", notice.title, notice.body);
        self.shown.values().map(words).collect::<Vec<_>>().join("\n")
    }

    fn does(&mut self, key: &Key, answer: Answer) -> Vec<Deed> {
        self.desk.answer(key, answer)
    }
}

#[test]
fn a_message_is_shown_and_taken_away_when_it_is_read_on_another_device() {
    let mut evening = Evening::begins();
    evening.gets(ben(1, 5, "Dinner?"));
    assert_eq!((evening.of(BEN).title.as_str(), evening.of(BEN).body.as_str()), ("Ben", "Dinner?"));
    assert_eq!((evening.badge.unread, evening.sounds), (1, 1));
    // The phone read it: the runtime tells of the same conversation, with nothing unread.
    evening.hears(News::Chat(ben(0, 5, "Dinner?")));
    assert!(evening.shown.is_empty());
    assert_eq!(evening.badge, Badge::default());
}

#[test]
fn what_is_read_at_once_on_another_device_never_flashes() {
    let mut evening = Evening::begins();
    evening.hears(News::Chat(ben(1, 5, "Dinner?")));
    evening.passes(200);
    evening.hears(News::Chat(ben(0, 5, "Dinner?")));
    evening.passes(SECOND);
    assert!(evening.shown.is_empty());
    assert_eq!(evening.sounds, 0);
}

#[test]
fn whoever_looks_at_the_window_sees_it_there() {
    let mut evening = Evening::begins();
    evening.gets(ben(1, 5, "Dinner?"));
    evening.looks(true);
    assert!(evening.shown.is_empty(), "looking takes it away");
    evening.gets(ben(2, 6, "At eight"));
    assert!(evening.shown.is_empty());
    assert_eq!(evening.badge.unread, 2, "it is counted all the same");
    evening.looks(false);
    evening.gets(ben(2, 6, "At eight"));
    assert!(evening.shown.is_empty(), "what came while one looked is not told afterwards");
    evening.gets(ben(3, 7, "Or nine"));
    assert_eq!(evening.of(BEN).body, "Or nine");
}

#[test]
fn several_messages_are_one_notice_with_one_sound() {
    let mut evening = Evening::begins();
    for n in 1..=4 {
        evening.hears(News::Chat(ben(n, n, &format!("message {n}"))));
        evening.passes(50);
    }
    evening.passes(SECOND);
    assert_eq!(evening.shown.len(), 1);
    assert_eq!(evening.of(BEN).title, "Ben · 4 new messages");
    assert_eq!(evening.of(BEN).body, "message 4");
    assert_eq!(evening.sounds, 1);
}

#[test]
fn what_was_unread_when_the_app_began_is_counted_and_not_told() {
    let mut evening = Evening::with(NoticeSettings::default(), &[ben(3, 9, "old")]);
    evening.passes(SECOND);
    assert!(evening.shown.is_empty());
    assert_eq!(evening.badge.unread, 3);
    evening.gets(ben(4, 10, "came while we were away"));
    assert_eq!(evening.of(BEN).body, "came while we were away");
}

#[test]
fn a_message_that_is_taken_back_leaves_no_words_on_the_desktop() {
    let mut evening = Evening::begins();
    evening.gets(ben(1, 5, "a secret"));
    let gone = ChatMessage { content: Content::Deleted, ..said(BEN, 5, "") };
    evening.hears(News::Message(gone));
    assert_eq!(evening.of(BEN).body, "Message deleted");
    evening.hears(News::Chat(ben(0, 5, "")));
    assert!(evening.shown.is_empty());
}

#[test]
fn a_message_that_disappears_goes_from_the_desktop_too() {
    let mut evening = Evening::begins();
    evening.gets(ben(1, 5, "for a minute"));
    evening.hears(News::MessageGone { chat: BEN.into(), id: said(BEN, 5, "").id });
    assert!(evening.shown.is_empty());
}

#[test]
fn an_edit_changes_the_words_without_a_sound() {
    let mut evening = Evening::begins();
    evening.gets(ben(1, 5, "at nin"));
    evening.passes(10 * SECOND);
    evening.hears(News::Message(said(BEN, 5, "at nine")));
    assert_eq!(evening.of(BEN).body, "at nine");
    assert_eq!(evening.sounds, 1);
}

#[test]
fn a_locked_app_shows_nothing_and_forgets_what_it_showed() {
    let mut evening = Evening::begins();
    evening.gets(ben(1, 5, "Dinner?"));
    evening.hears(News::Chat(chat(CLEO, "Cleo", 1, Some(said(CLEO, 1, "waits")))));
    evening.hears(app(Stage::Locked));
    assert!(evening.shown.is_empty());
    assert_eq!(evening.badge, Badge::default());
    evening.passes(SECOND);
    evening.gets(ben(2, 6, "still there?"));
    assert!(evening.shown.is_empty(), "neither what waited nor what comes");
    // An answer to a notice that the desktop still had shows the window and does nothing else.
    let deeds = evening.does(&Key::Chat(BEN.into()), Answer::Wrote("yes".into()));
    assert!(matches!(deeds.as_slice(), [Deed::Go(_)]), "{deeds:?}");
    assert!(matches!(evening.desk.hear(evening.now, &app(Stage::Ready)).as_slice(), [Action::CatchUp]));
}

#[test]
fn with_the_name_only_no_word_of_a_message_is_told() {
    let mut evening = Evening::telling(NoticeDetail::Name);
    evening.gets(ben(2, 5, "the diagnosis"));
    assert_eq!((evening.of(BEN).title.as_str(), evening.of(BEN).body.as_str()), ("Ben", "2 new messages"));
    assert!(evening.of(BEN).buttons.is_empty());
}

#[test]
fn with_nothing_told_neither_names_nor_words_nor_how_many_conversations_are() {
    let mut evening = Evening::telling(NoticeDetail::Nothing);
    evening.gets(ben(2, 5, "the diagnosis"));
    evening.gets(chat(CLEO, "Cleo", 1, Some(said(CLEO, 1, "hello"))));
    evening.hears(News::PastCall(missed(false)));
    evening.passes(SECOND);
    let words = evening.all_words();
    for secret in ["Ben", "Cleo", "diagnosis", "hello", "localhost"] {
        assert!(!words.contains(secret), "{words}");
    }
    assert_eq!(evening.shown[&Key::Anything].body, "3 new messages");
    evening.hears(News::Chat(ben(0, 5, "the diagnosis")));
    assert_eq!(evening.shown[&Key::Anything].body, "New message", "one of them is read");
    evening.hears(News::Chat(chat(CLEO, "Cleo", 0, Some(said(CLEO, 1, "hello")))));
    assert!(!evening.shown.contains_key(&Key::Anything));
}

#[test]
fn whoever_wants_less_told_finds_less_on_the_desktop_at_once() {
    let mut evening = Evening::begins();
    evening.gets(ben(1, 5, "the diagnosis"));
    let notices = NoticeSettings { detail: NoticeDetail::Name, ..NoticeSettings::default() };
    evening.hears(News::Settings(Settings { notices, ..Settings::default() }));
    assert_eq!(evening.all_words(), "Ben New message");
    let notices = NoticeSettings { on: false, ..NoticeSettings::default() };
    evening.hears(News::Settings(Settings { notices, ..Settings::default() }));
    assert!(evening.shown.is_empty());
    evening.gets(ben(2, 6, "more"));
    assert!(evening.shown.is_empty());
    assert_eq!(evening.sounds, 1);
}

#[test]
fn a_muted_conversation_is_neither_shown_nor_counted_and_speaks_again_when_its_time_is_over() {
    let mut evening = Evening::begins();
    evening.gets(ben(1, 5, "Dinner?"));
    let until = evening.now + 3_600 * SECOND;
    evening.hears(News::Chat(ChatSummary { muted_until: Some(until), ..ben(1, 5, "Dinner?") }));
    assert!(evening.shown.is_empty(), "muting takes away what is there");
    evening.gets(ChatSummary { muted_until: Some(until), ..ben(2, 6, "At eight?") });
    assert!(evening.shown.is_empty());
    assert_eq!(evening.badge.unread, 0);
    assert_eq!(evening.desk.next_wake(), Some(until), "the desk wakes when the time is over");
    evening.passes(until - evening.now);
    assert_eq!(evening.badge.unread, 2);
    assert!(evening.shown.is_empty(), "what came meanwhile is counted only");
    evening.gets(ben(3, 7, "Hello?"));
    assert_eq!(evening.of(BEN).body, "Hello?");
    evening.gets(ChatSummary { muted_until: Some(MUTED_FOR_EVER), ..ben(4, 8, "!") });
    assert!(evening.shown.is_empty());
}

#[test]
fn who_is_named_in_a_muted_conversation_is_told_until_it_is_read() {
    let mut evening = Evening::begins();
    let quiet = |summary| ChatSummary { muted_until: Some(MUTED_FOR_EVER), ..summary };
    evening.gets(quiet(ben(1, 5, "Dinner?")));
    assert!(evening.shown.is_empty());
    evening.gets(ChatSummary { mentions_me: true, ..quiet(ben(2, 6, "@Ana, at eight?")) });
    assert_eq!(evening.of(BEN).body, "@Ana, at eight?");
    assert_eq!(evening.badge.unread, 2);
    evening.hears(News::Chat(quiet(ben(0, 6, "@Ana, at eight?"))));
    assert!(evening.shown.is_empty());
    evening.gets(quiet(ben(1, 7, "Hello?")));
    assert!(evening.shown.is_empty(), "it is quiet again");
}

#[test]
fn a_stranger_who_asks_is_told_of_once_without_a_sound_or_a_word_of_theirs() {
    let request = |ordinal| ChatSummary {
        contact: ContactState::Request,
        ..chat(CLEO, "Cleo", ordinal, Some(said(CLEO, ordinal, "BUY NOW")))
    };
    let mut evening = Evening::begins();
    evening.gets(request(1));
    let notice = evening.shown[&Key::Request(CLEO.into())].clone();
    assert_eq!((notice.title.as_str(), notice.body.as_str()), ("Contact request", "Cleo"));
    assert_eq!((notice.urgency, notice.sounds), (Urgency::Low, false));
    let closed = evening.does(&notice.key, Answer::Closed);
    evening.shown.clear();
    assert!(closed.is_empty());
    evening.gets(request(2));
    assert!(evening.shown.is_empty(), "asking again is not told again");
    assert_eq!(evening.badge.unread, 0);

    let silent = NoticeSettings { requests: RequestNotices::Silent, ..NoticeSettings::default() };
    let mut evening = Evening::with(silent, &[]);
    evening.gets(request(1));
    assert!(evening.shown.is_empty());
}

#[test]
fn a_request_that_is_answered_elsewhere_goes_from_the_desktop() {
    let mut evening = Evening::begins();
    evening.gets(ChatSummary { contact: ContactState::Request, ..chat(CLEO, "Cleo", 0, None) });
    assert_eq!(evening.shown.len(), 1);
    evening.hears(News::Chat(chat(CLEO, "Cleo", 0, None)));
    assert!(evening.shown.is_empty());
}

#[test]
fn a_group_tells_who_of_it_spoke() {
    let group = GroupLine {
        people: 3,
        role: GroupRole::Member,
        standing: GroupStanding::Open,
        large: false,
        names: BTreeMap::from([("ben@b.localhost".to_owned(), "Ben".to_owned())]),
    };
    let mut evening = Evening::begins();
    let summary = chat(CLEO, "Choir", 1, Some(said(CLEO, 1, "Tomorrow at six")));
    evening.gets(ChatSummary { group: Some(Box::new(group)), ..summary });
    assert_eq!((evening.of(CLEO).title.as_str(), evening.of(CLEO).body.as_str()), ("Choir", "Ben: Tomorrow at six"));
}

#[test]
fn a_missed_call_is_told_with_call_back_and_goes_when_it_is_seen_on_any_device() {
    let mut evening = Evening::begins();
    evening.hears(News::PastCall(missed(false)));
    evening.hears(News::CallsMissed { count: 1 });
    evening.passes(SECOND);
    let key = Key::Missed("7".into());
    let notice = evening.shown[&key].clone();
    assert_eq!((notice.title.as_str(), notice.body.as_str()), ("Missed call", "Ben"));
    assert_eq!(notice.buttons, [(Button::CallBack, "Call back".to_owned())]);
    assert_eq!(evening.badge.missed, 1);
    let deeds = evening.does(&key, Answer::Pressed(Button::CallBack));
    assert!(matches!(&deeds[0], Deed::Ask(Question::CallStart { user }) if user == "ben@b.localhost"), "{deeds:?}");

    let mut evening = Evening::begins();
    evening.hears(News::PastCall(missed(false)));
    evening.passes(SECOND);
    evening.hears(News::PastCall(missed(true)));
    assert!(evening.shown.is_empty());
}

#[test]
fn an_answer_in_the_notice_is_sent_and_counts_as_reading() {
    let mut evening = Evening::begins();
    evening.gets(ben(1, 5, "Dinner?"));
    let key = Key::Chat(BEN.into());
    let deeds = evening.does(&key, Answer::Wrote("Gladly".into()));
    assert!(
        matches!(&deeds[..], [Deed::Ask(Question::ChatSend { text, .. }), Deed::Ask(Question::ChatRead { .. })] if text == "Gladly"),
        "{deeds:?}"
    );
    assert!(evening.does(&key, Answer::Closed).is_empty());
}

#[test]
fn pressing_a_notice_leads_to_its_conversation() {
    let mut evening = Evening::begins();
    evening.gets(ben(1, 5, "Dinner?"));
    let deeds = evening.does(&Key::Chat(BEN.into()), Answer::Opened);
    assert!(
        matches!(&deeds[..], [Deed::Go(place)] if place == "#/chats/comm%3A%2F%2Fb%2Elocalhost%2Fben"),
        "{deeds:?}"
    );
}

#[test]
fn nobody_fills_the_screen() {
    let mut evening = Evening::begins();
    for n in 0..40 {
        let url = format!("comm://b.localhost/{n}");
        evening.gets(chat(&url, &format!("Person {n}"), 1, Some(said(&url, 1, "hi"))));
    }
    assert_eq!(evening.shown.len(), 6);
    assert!(evening.all_words().contains("Person 39"), "the newest are there");
    assert_eq!(evening.badge.unread, 40);
}

#[test]
fn after_missed_news_the_desktop_is_brought_to_what_is_so() {
    let mut evening = Evening::begins();
    evening.gets(ben(1, 5, "Dinner?"));
    evening.gets(chat(CLEO, "Cleo", 1, Some(said(CLEO, 1, "hello"))));
    let now = evening.now;
    let actions = evening.desk.catch_up(now, &Settings::default(), &[ben(0, 5, "Dinner?")], &[], &[]);
    evening.follow(actions);
    assert!(evening.shown.is_empty(), "one was read, the other is gone");
    assert_eq!(evening.badge.unread, 0);
}

#[test]
fn the_desktop_speaks_the_persons_language() {
    let mut evening = Evening::begins();
    let settings = Settings { language: "ar".into(), ..Settings::default() };
    evening.hears(News::Settings(settings));
    evening.gets(ben(3, 5, "مرحبا"));
    assert_eq!(evening.of(BEN).title, "Ben · 3 رسائل جديدة");
    assert_eq!(evening.of(BEN).buttons[0].1, "رد");
}
