//! What a notification centre is asked, and what comes of what people do there, with a centre that is none.

use std::sync::{Arc, Mutex, OnceLock};

use notices::{Answer, Button, Key, Notice};
use tokio::sync::mpsc;

use crate::action::REPLY_LIMIT;
use crate::center::{Answers, Center, Desktop};
use crate::toast::toast;
use crate::{ANSWERS_LIMIT, NotifierError};
use from_ben::from_ben;

#[path = "../tests/common/from_ben.rs"]
mod from_ben;

/// What a centre was asked, and how it answers.
#[derive(Default)]
struct Records {
    answers: OnceLock<Answers>,
    begun: Mutex<u32>,
    posted: Mutex<Vec<(String, String)>>,
    removed: Mutex<Vec<String>>,
    refuses: Mutex<bool>,
    hangs: Mutex<bool>,
}

#[derive(Clone, Default)]
struct Fake(Arc<Records>);

impl Center for Fake {
    fn begin(&self, answers: Answers) -> Result<(), NotifierError> {
        *self.0.begun.lock().unwrap() += 1;
        assert!(self.0.answers.set(answers).is_ok(), "a centre begins once");
        Ok(())
    }

    async fn post(&self, id: &str, notice: &Notice) -> Result<(), NotifierError> {
        self.0.posted.lock().unwrap().push((id.to_owned(), notice.body.clone()));
        if *self.0.hangs.lock().unwrap() {
            std::future::pending::<()>().await;
        }
        if *self.0.refuses.lock().unwrap() { Err(NotifierError::NotAllowed) } else { Ok(()) }
    }

    fn remove(&self, id: &str) -> Result<(), NotifierError> {
        self.0.removed.lock().unwrap().push(id.to_owned());
        Ok(())
    }
}

impl Fake {
    fn open() -> (Self, Desktop<Fake>, mpsc::Receiver<(Key, Answer)>) {
        let fake = Self::default();
        let (desktop, answers) = Desktop::on(fake.clone()).unwrap();
        (fake, desktop, answers)
    }

    fn ids(&self) -> Vec<String> {
        self.0.posted.lock().unwrap().iter().map(|(id, _)| id.clone()).collect()
    }

    fn removed(&self) -> Vec<String> {
        self.0.removed.lock().unwrap().clone()
    }

    /// A person does something, as the system tells it.
    fn does(&self, id: &str, action: &str, text: Option<&str>) {
        self.0.answers.get().unwrap().chose(id, action, text);
    }

    fn puts_away(&self, id: &str) {
        self.0.answers.get().unwrap().closed(id);
    }
}

fn missed() -> Notice {
    Notice { key: Key::Missed("7".into()), buttons: vec![(Button::CallBack, "Call back".into())], ..from_ben("") }
}

#[tokio::test]
async fn a_notice_is_shown_replaced_and_withdrawn_by_its_number() {
    let (center, desktop, _answers) = Fake::open();
    desktop.show(&from_ben("one")).await.unwrap();
    desktop.show(&from_ben("two")).await.unwrap();
    desktop.show(&missed()).await.unwrap();
    let ids = center.ids();
    assert_eq!(ids[0], ids[1], "the second message takes the place of the first");
    assert_ne!(ids[0], ids[2]);
    // Read on another device.
    desktop.withdraw(&missed().key).await.unwrap();
    desktop.withdraw(&missed().key).await.unwrap();
    assert_eq!(center.removed(), [ids[2].clone()], "withdrawn once, and nothing else");
}

#[tokio::test]
async fn the_number_of_a_notice_is_short_and_tells_nobody_whom_it_is_about() {
    let (center, desktop, _answers) = Fake::open();
    desktop.show(&from_ben("one")).await.unwrap();
    let id = &center.ids()[0];
    assert!(id.len() <= 16 && !id.contains("ben"), "{id}");
}

#[tokio::test]
async fn what_a_person_does_comes_back_and_a_reply_with_its_words() {
    let (center, desktop, mut answers) = Fake::open();
    let key = from_ben("").key;
    desktop.show(&from_ben("Dinner?")).await.unwrap();
    let id = center.ids()[0].clone();
    center.does(&id, "reply", Some("Gladly <b>&</b> soon"));
    assert_eq!(answers.recv().await, Some((key.clone(), Answer::Wrote("Gladly <b>&</b> soon".into()))));
    center.does(&id, "read", Some("which nobody wrote"));
    assert_eq!(answers.recv().await, Some((key.clone(), Answer::Pressed(Button::Read))));
    center.does(&id, "default", None);
    assert_eq!(answers.recv().await, Some((key.clone(), Answer::Opened)));
    // Sent with nothing in it, there is nothing to send.
    center.does(&id, "reply", Some(" \n"));
    assert_eq!(answers.recv().await, Some((key, Answer::Pressed(Button::Reply))));
    center.does(&id, "format-the-disk", None);
    assert!(answers.try_recv().is_err(), "an action that no notice has is none");
    desktop.show(&missed()).await.unwrap();
    center.does(&center.ids()[1], "call-back", None);
    assert_eq!(answers.recv().await, Some((missed().key, Answer::Pressed(Button::CallBack))));
}

#[tokio::test]
async fn a_reply_without_end_is_cut_between_its_letters() {
    let (center, desktop, mut answers) = Fake::open();
    desktop.show(&from_ben("?")).await.unwrap();
    center.does(&center.ids()[0], "reply", Some(&"\u{202e}س".repeat(4 * REPLY_LIMIT)));
    let Some((_, Answer::Wrote(text))) = answers.recv().await else { panic!("a reply comes") };
    assert_eq!(text.chars().count(), REPLY_LIMIT);
}

#[tokio::test]
async fn answers_without_end_are_dropped_and_hold_nobody_up() {
    let (center, desktop, mut answers) = Fake::open();
    desktop.show(&from_ben("?")).await.unwrap();
    for _ in 0..ANSWERS_LIMIT * 10 {
        center.does(&center.ids()[0], "default", None);
    }
    let mut heard = 0;
    while answers.try_recv().is_ok() {
        heard += 1;
    }
    assert_eq!(heard, ANSWERS_LIMIT);
    drop(answers);
    center.does(&center.ids()[0], "default", None);
}

#[tokio::test]
async fn who_allows_no_notices_is_asked_once_and_each_notice_fails_once() {
    let (center, desktop, _answers) = Fake::open();
    *center.0.refuses.lock().unwrap() = true;
    for _ in 0..3 {
        assert!(matches!(desktop.show(&from_ben("one")).await, Err(NotifierError::NotAllowed)));
    }
    assert_eq!(center.ids().len(), 3, "nothing is tried again");
    desktop.withdraw(&from_ben("").key).await.unwrap();
    assert!(center.removed().is_empty(), "what was never shown is not taken away");
    assert_eq!(*center.0.begun.lock().unwrap(), 1, "the person is asked when the app begins, and never again");
    // They changed their mind in the system's settings.
    *center.0.refuses.lock().unwrap() = false;
    desktop.show(&from_ben("two")).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_system_that_does_not_answer_is_not_waited_for() {
    let (center, desktop, _answers) = Fake::open();
    *center.0.hangs.lock().unwrap() = true;
    assert!(matches!(desktop.show(&from_ben("one")).await, Err(NotifierError::Server(_))));
    // It may come all the same, and is then taken away like any other.
    desktop.withdraw(&from_ben("").key).await.unwrap();
    assert_eq!(center.removed(), center.ids());
}

#[tokio::test]
async fn what_was_put_away_or_left_by_an_earlier_run_does_nothing() {
    let (center, desktop, mut answers) = Fake::open();
    desktop.show(&from_ben("one")).await.unwrap();
    let id = center.ids()[0].clone();
    center.puts_away(&id);
    assert_eq!(answers.recv().await, Some((from_ben("").key, Answer::Closed)));
    center.puts_away(&id);
    center.does(&id, "reply", Some("too late"));
    center.does("00c0ffee-1", "reply", Some("to what another run showed"));
    center.puts_away("");
    assert!(answers.try_recv().is_err());
    desktop.withdraw(&from_ben("").key).await.unwrap();
    assert!(center.removed().is_empty(), "it is gone already");
    desktop.show(&from_ben("two")).await.unwrap();
    assert_ne!(center.ids()[1], id, "a late word about the first is none about the second");
}

/// An element as another reader of XML finds it.
#[derive(Default)]
struct Element {
    name: String,
    attributes: Vec<(String, String)>,
    text: String,
}

fn read(xml: &str) -> Vec<Element> {
    use quick_xml::events::Event;
    let mut reader = quick_xml::Reader::from_str(xml);
    let mut found: Vec<Element> = Vec::new();
    loop {
        match reader.read_event().expect("it is well-formed") {
            Event::Start(tag) | Event::Empty(tag) => found.push(element(&tag)),
            Event::Text(text) => found.last_mut().unwrap().text.push_str(&text),
            Event::GeneralRef(name) => found.last_mut().unwrap().text.push_str(&plain(&format!("&{};", &*name))),
            Event::Eof => return found,
            _ => {}
        }
    }
}

fn element(tag: &quick_xml::events::BytesStart<'_>) -> Element {
    let attributes = tag.attributes().map(|one| one.expect("an attribute is well-formed"));
    let attributes = attributes.map(|one| (one.key.as_ref().to_owned(), plain(&one.value))).collect();
    Element { name: tag.name().as_ref().to_owned(), attributes, text: String::new() }
}

fn plain(text: &str) -> String {
    quick_xml::escape::unescape(text).expect("it is escaped well").into_owned()
}

/// The elements of one name.
fn all<'a>(found: &'a [Element], name: &str) -> Vec<&'a Element> {
    found.iter().filter(|one| one.name == name).collect()
}

fn texts(found: &[Element]) -> Vec<&str> {
    all(found, "text").into_iter().map(|one| one.text.as_str()).collect()
}

fn has(element: &Element, name: &str, value: &str) -> bool {
    element.attributes.iter().any(|(key, is)| key == name && is == value)
}

#[test]
fn a_toast_has_the_words_the_buttons_and_a_field_for_the_reply() {
    let found = read(&toast(&from_ben("Dinner?")));
    assert_eq!(texts(&found), ["Ben", "Dinner?"]);
    let actions = all(&found, "action");
    assert!(has(actions[0], "arguments", "reply") && has(actions[0], "hint-inputId", "text"));
    assert!(has(actions[1], "arguments", "read") && has(actions[1], "content", "Mark as read"));
    assert!(has(all(&found, "input")[0], "id", "text"));
    assert!(!has(all(&found, "audio")[0], "silent", "true"));
    let quiet = Notice { sounds: false, buttons: Vec::new(), body: String::new(), ..from_ben("") };
    let found = read(&toast(&quiet));
    assert!(has(all(&found, "audio")[0], "silent", "true"));
    assert!(all(&found, "actions").is_empty() && all(&found, "text").len() == 1);
}

#[test]
fn nothing_a_person_wrote_is_markup_in_a_toast() {
    let tricky = "</text></binding><audio src=\"http://x\"/>&amp;&#10; \"' ]]> \0\u{1b}[2J\u{fffe}";
    let label = "\" arguments=\"read\" x=\"";
    let buttons = vec![(Button::CallBack, label.to_owned())];
    let found = read(&toast(&Notice { title: tricky.into(), buttons, ..from_ben(tricky) }));
    let written = "</text></binding><audio src=\"http://x\"/>&amp;&#10; \"' ]]> [2J";
    assert_eq!(texts(&found), [written, written]);
    assert_eq!(all(&found, "audio").len(), 1);
    let action = all(&found, "action")[0];
    assert!(has(action, "content", label) && has(action, "arguments", "call-back"));
}

#[test]
fn the_longest_notice_is_a_toast_that_the_system_takes() {
    // Windows takes 5 KB; a body of a group is a name, a colon and a text (`notices::render`).
    let notice = Notice { title: "\"".repeat(100), ..from_ben(&"\"".repeat(80 + 2 + 240)) };
    assert!(toast(&notice).len() < 5_000, "{}", toast(&notice).len());
    let arabic = Notice { title: "ش".repeat(100), ..from_ben(&"😀".repeat(80 + 2 + 240)) };
    assert!(toast(&arabic).len() < 5_000);
}
