//! What stands on the desktops of a person's two devices: told by the runtimes, decided by a desk on each.

use std::collections::BTreeSet;

use contract::{CallOutcome, CallStage, ChatSummary, Content, MuteTime, News, PastCalls, Question, Settings};
use lab::Person;
use lab::person::Setup;
use notices::{Action, Desk, Key};
use tokio::sync::broadcast;

use crate::common::Stage;

/// The desktop of one device, with nobody looking at the window.
pub(crate) struct Desktop {
    desk: Desk,
    news: broadcast::Receiver<News>,
    pub(crate) shown: BTreeSet<Key>,
    words: String,
    /// What was told of, shown or not.
    heard: Vec<String>,
}

impl Desktop {
    pub(crate) async fn of(person: &Person) -> Self {
        let news = person.app().hear();
        let mut desk = Desk::new("en");
        let settings: Settings = person.ask(Question::SettingsGet).await.unwrap();
        let chats: Vec<ChatSummary> = person.ask(Question::ChatList).await.unwrap();
        desk.catch_up(clock::now_ms(), &settings, &chats, &[], &[]);
        Self { desk, news, shown: BTreeSet::new(), words: String::new(), heard: Vec::new() }
    }

    fn follow(&mut self, actions: Vec<Action>) {
        for action in actions {
            match action {
                Action::Show(notice) => {
                    self.words = format!("{}: {}", notice.title, notice.body);
                    self.shown.insert(notice.key);
                }
                Action::Withdraw(key) => drop(self.shown.remove(&key)),
                Action::Badge(_) | Action::CatchUp => {}
            }
        }
    }

    fn hear(&mut self, news: &News) -> Vec<Action> {
        if let News::Chat(ChatSummary { last: Some(last), .. }) = news
            && let Content::Text { text } = &last.content
        {
            self.heard.push(text.clone());
        }
        self.desk.hear(clock::now_ms(), news)
    }

    /// Goes on until the desktop is as wanted.
    pub(crate) async fn becomes(&mut self, what: &str, wanted: impl Fn(&Self) -> bool) {
        let come = async {
            while !wanted(self) {
                let wake = tokio::time::sleep(std::time::Duration::from_millis(50));
                let actions = tokio::select! {
                    news = self.news.recv() => self.hear(&news.expect("no news are missed")),
                    () = wake => self.desk.tick(clock::now_ms()),
                };
                self.follow(actions);
            }
        };
        let limit = std::time::Duration::from_secs(60);
        assert!(tokio::time::timeout(limit, come).await.is_ok(), "{what}; it shows {:?}", self.shown);
    }
}

/// Ana with a laptop and a phone, and Ben who writes to her.
async fn two_devices() -> (Stage, Person, String) {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    let setup = Setup::with(&[&stage.a, &stage.b]).knowing(&stage.issuer.url);
    let mut phone = Person::new("phone", setup).await;
    phone.becomes_a_named_device_of(&mut stage.ana, true, Some("Ana's phone")).await;
    stage.ana.sees_members(&chat, 2).await;
    phone.sees_members(&chat, 2).await;
    (stage, phone, chat)
}

async fn muted_until(person: &Person, chat: &str) -> Option<i64> {
    let chats: Vec<ChatSummary> = person.ask(Question::ChatList).await.unwrap();
    chats.into_iter().find(|one| one.chat == chat).and_then(|one| one.muted_until)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_phone_read_goes_from_the_desktop_of_the_laptop() {
    let (stage, mut phone, chat) = two_devices().await;
    let mut laptop = Desktop::of(&stage.ana).await;
    let mut on_phone = Desktop::of(&phone).await;
    stage.ben.writes(&chat, "Dinner?").await;
    let key = Key::Chat(chat.clone());
    laptop.becomes("the laptop shows the message", |desktop| desktop.shown.contains(&key)).await;
    on_phone.becomes("the phone shows it, too", |desktop| desktop.shown.contains(&key)).await;
    assert!(laptop.words.ends_with(": Dinner?"), "{}", laptop.words);
    let () = phone.ask(Question::ChatRead { chat: chat.clone() }).await.unwrap();
    on_phone.becomes("it goes where it was read", |desktop| desktop.shown.is_empty()).await;
    laptop.becomes("it goes from the laptop", |desktop| desktop.shown.is_empty()).await;
    phone.close().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conversation_that_is_muted_on_one_device_is_quiet_on_the_other_until_it_is_unmuted_there() {
    let (stage, mut phone, chat) = two_devices().await;
    let mute = |time| Question::ChatMute { chat: chat.clone(), time };
    let _: ChatSummary = phone.ask(mute(MuteTime::Week)).await.unwrap();
    let until = async |person: &Person| muted_until(person, &chat).await;
    stage.ana.until("the laptop knows", async |ana| until(ana).await).await;
    let mut laptop = Desktop::of(&stage.ana).await;
    stage.ben.writes(&chat, "are you there").await;
    laptop.becomes("the laptop hears of it", |desktop| desktop.heard.iter().any(|text| text == "are you there")).await;
    let _: ChatSummary = stage.ana.ask(mute(MuteTime::Off)).await.unwrap();
    phone.until("the phone knows", async |phone| until(phone).await.is_none().then_some(())).await;
    stage.ben.writes(&chat, "hello?").await;
    let key = Key::Chat(chat.clone());
    laptop.becomes("what comes now is shown", |desktop| desktop.shown.contains(&key)).await;
    assert!(laptop.words.ends_with(": hello?"), "only what came after: {}", laptop.words);
    phone.close().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missed_call_is_in_the_book_of_each_device_and_seen_on_all_when_one_looked() {
    let (stage, mut phone, _) = two_devices().await;
    let mut laptop = Desktop::of(&stage.ana).await;
    let call: contract::CallView = stage.ben.ask(Question::CallStart { user: "ana@a.localhost".into() }).await.unwrap();
    stage.ana.sees_call(&CallStage::Ringing).await;
    phone.sees_call(&CallStage::Ringing).await;
    let () = stage.ben.ask(Question::CallHangup { call: call.call }).await.unwrap();
    let is_missed = |key: &Key| matches!(key, Key::Missed(_));
    laptop.becomes("the laptop shows a missed call", |desktop| desktop.shown.iter().any(is_missed)).await;
    let book = |missed| Question::CallBook { missed, before: None };
    let missed = async |person: &Person| {
        let book: PastCalls = person.ask(book(true)).await.unwrap();
        book
    };
    phone.until("the phone has it, too", async |phone| (missed(phone).await.missed == 1).then_some(())).await;
    let there = missed(&stage.ana).await;
    assert_eq!((there.calls.len(), there.calls[0].outcome), (1, CallOutcome::Missed));
    assert_eq!((there.calls[0].user.as_str(), there.calls[0].incoming), ("ben@b.localhost", true));

    let () = phone.ask(Question::CallSeen).await.unwrap();
    laptop.becomes("it goes from the laptop", |desktop| !desktop.shown.iter().any(is_missed)).await;
    assert_eq!(missed(&stage.ana).await.missed, 0);

    // Ben's own book has it as one that nobody answered; he takes it out.
    let his: PastCalls = stage.ben.ask(book(false)).await.unwrap();
    assert_eq!((his.calls[0].outcome, his.missed), (CallOutcome::Unanswered, 0));
    let () = stage.ben.ask(Question::CallForget { id: his.calls[0].id.clone() }).await.unwrap();
    let his: PastCalls = stage.ben.ask(book(false)).await.unwrap();
    assert!(his.calls.is_empty());
    phone.close().await;
    stage.close().await;
}
