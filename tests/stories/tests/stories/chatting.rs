//! What people expect of a chat, between two domains: how far words came, and what is said about them later.

use crate::common::Stage;
use contract::{
    ChatMessage, ChatPage, ChatSummary, ChatView, Content, DeliveryState, News, Question, SearchAnswer, Settings,
};
use lab::Person;
use lab::person::Setup;
use serde_json::Value;

async fn view(person: &Person, chat: &str) -> ChatView {
    person.ask(Question::ChatOpen { chat: chat.to_owned() }).await.unwrap()
}

/// The message with these words; waits for it.
async fn said(person: &Person, chat: &str, text: &str) -> ChatMessage {
    person
        .until(&format!("the words {text:?}"), async |person| {
            let words =
                |message: &ChatMessage| matches!(&message.content, Content::Text { text: said } if said == text);
            view(person, chat).await.messages.into_iter().find(words)
        })
        .await
}

/// Waits until a message looks so.
async fn sees(person: &Person, chat: &str, id: &str, what: &str, look: impl Fn(&ChatMessage) -> bool) -> ChatMessage {
    person
        .until(what, async |person| {
            let message = view(person, chat).await.messages.into_iter().find(|message| message.id == id);
            message.filter(|message| look(message))
        })
        .await
}

async fn read(person: &Person, chat: &str) {
    person.ask::<Value>(Question::ChatRead { chat: chat.to_owned() }).await.unwrap();
}

async fn unread(person: &Person, chat: &str) -> i32 {
    let chats: Vec<ChatSummary> = person.ask(Question::ChatList).await.unwrap();
    chats.into_iter().find(|one| one.chat == chat).unwrap().unread
}

async fn set(person: &Person, change: impl Fn(&mut Settings)) {
    let mut settings: Settings = person.ask(Question::SettingsGet).await.unwrap();
    change(&mut settings);
    person.ask::<Settings>(Question::SettingsSet(settings)).await.unwrap();
}

async fn react(person: &Person, message: &str, emoji: &str, on: bool) -> Result<ChatMessage, contract::ApiError> {
    let question = Question::ChatReact { message: message.to_owned(), emoji: emoji.to_owned(), on };
    person.ask(question).await
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_sent_delivered_and_read_and_who_likes_keeps_that_to_themselves() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    let first = stage.ana.writes(&chat, "Did you see it?").await;
    stage.ben.reads(&chat, &["Did you see it?"]).await;
    sees(&stage.ana, &chat, &first.id, "the receipt", |message| message.state == DeliveryState::Delivered).await;
    assert_eq!(unread(&stage.ben, &chat).await, 1, "it is here, and not read yet");
    read(&stage.ben, &chat).await;
    sees(&stage.ana, &chat, &first.id, "that Ben read it", |message| message.state == DeliveryState::Read).await;

    set(&stage.ben, |settings| settings.read_receipts = false).await;
    let second = stage.ana.writes(&chat, "And this?").await;
    stage.ben.reads(&chat, &["Did you see it?", "And this?"]).await;
    read(&stage.ben, &chat).await;
    // What comes later shows that nothing came before it.
    let answer = stage.ben.writes(&chat, "I do not tell").await;
    said(&stage.ana, &chat, "I do not tell").await;
    let state =
        sees(&stage.ana, &chat, &second.id, "the receipt", |message| message.state != DeliveryState::Sent).await;
    assert_eq!(state.state, DeliveryState::Delivered);
    read(&stage.ana, &chat).await;
    sees(&stage.ben, &chat, &answer.id, "that Ana read it", |message| message.state == DeliveryState::Read).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_one_device_read_is_read_on_the_other_and_what_came_since_is_not() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    let mut phone = Person::new("phone", Setup::with(&[&stage.a, &stage.b]).knowing(&stage.issuer.url)).await;
    phone.becomes_a_device_of(&mut stage.ana, true).await;
    phone.sees_members(&chat, 2).await;
    stage.ana.sees_members(&chat, 2).await;
    let sent = stage.ben.writes(&chat, "On which one do you read this?").await;
    for device in [&stage.ana, &phone] {
        said(device, &chat, "On which one do you read this?").await;
        assert_eq!(unread(device, &chat).await, 1);
    }
    read(&phone, &chat).await;
    stage.ana.until("it to be read here too", async |ana| (unread(ana, &chat).await == 0).then_some(())).await;
    sees(&stage.ben, &chat, &sent.id, "that it was read", |message| message.state == DeliveryState::Read).await;
    stage.ben.writes(&chat, "And this one?").await;
    said(&stage.ana, &chat, "And this one?").await;
    assert_eq!(unread(&stage.ana, &chat).await, 1);
    phone.close().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn typing_is_seen_at_once_and_by_nobody_who_is_away() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    stage.ana.writes(&chat, "Hello").await;
    stage.ben.reads(&chat, &["Hello"]).await;
    stage.ana.sees_all_delivered(&chat).await;
    let typing = |news| match news {
        News::Typing { chat, user } => Some((chat, user)),
        _ => None,
    };
    stage.ana.ask::<Value>(Question::ChatTyping { chat: chat.clone() }).await.unwrap();
    let heard = stage.ben.hears("typing", typing).await;
    assert_eq!(heard, (chat.clone(), "ana@a.localhost".to_owned()));
    stage.ana.writes(&chat, "First this").await;
    stage.ana.ask::<Value>(Question::ChatTyping { chat: chat.clone() }).await.unwrap();
    stage.ben.hears("typing again, right after a message", typing).await;

    // Nobody keeps it for somebody who is away, and what is kept comes all the same.
    stage.ben.close().await;
    tokio::time::sleep(std::time::Duration::from_millis(3_100)).await;
    stage.ana.ask::<Value>(Question::ChatTyping { chat: chat.clone() }).await.unwrap();
    stage.ana.writes(&chat, "Are you away?").await;
    stage.ben.open().await;
    let mut typed = false;
    stage
        .ben
        .hears("the message", |news| match news {
            News::Typing { .. } => {
                typed = true;
                None
            }
            News::Message(message) if matches!(&message.content, Content::Text { text } if text == "Are you away?") => {
                Some(())
            }
            _ => None,
        })
        .await;
    assert!(!typed, "typing of long ago is no news");

    set(&stage.ben, |settings| settings.typing = false).await;
    stage.ben.ask::<Value>(Question::ChatTyping { chat: chat.clone() }).await.unwrap();
    stage.ben.writes(&chat, "No").await;
    let mut typed = false;
    stage
        .ana
        .hears("the answer", |news| match news {
            News::Typing { .. } => {
                typed = true;
                None
            }
            News::Message(message) if !message.mine => Some(()),
            _ => None,
        })
        .await;
    assert!(!typed, "who does not like to tell is not told of");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_are_answered_reacted_to_edited_pinned_and_taken_back_on_both_sides() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    let question = stage.ana.writes(&chat, "Lunch at noon?").await;
    said(&stage.ben, &chat, "Lunch at noon?").await;

    let input =
        Question::ChatReply { chat: chat.clone(), message: question.id.clone(), text: "Yes!".into(), preview: None };
    stage.ben.ask::<ChatMessage>(input).await.unwrap();
    let answer = said(&stage.ana, &chat, "Yes!").await;
    let quote = answer.reply.unwrap();
    assert_eq!(
        (quote.id.as_str(), quote.mine, quote.text.as_deref()),
        (question.id.as_str(), true, Some("Lunch at noon?"))
    );

    react(&stage.ben, &question.id, "👍", true).await.unwrap();
    react(&stage.ben, &question.id, "🍝", true).await.unwrap();
    react(&stage.ana, &question.id, "🍝", true).await.unwrap();
    for person in [&stage.ana, &stage.ben] {
        let all = |message: &ChatMessage| message.reactions.iter().map(|one| one.who.len()).sum::<usize>() == 3;
        sees(person, &chat, &question.id, "the reactions", all).await;
    }
    react(&stage.ben, &question.id, "👍", false).await.unwrap();
    sees(&stage.ana, &chat, &question.id, "one reaction less", |message| message.reactions.len() == 1).await;
    assert_eq!(react(&stage.ben, &question.id, "no", true).await.unwrap_err().code, "not-an-emoji");

    let edit = Question::ChatEdit { message: question.id.clone(), text: "Lunch at one?".into() };
    stage.ana.ask::<ChatMessage>(edit).await.unwrap();
    let edited = said(&stage.ben, &chat, "Lunch at one?").await;
    assert!(edited.edited && edited.id == question.id && edited.reactions.len() == 1);
    let theirs = Question::ChatEdit { message: question.id.clone(), text: "Ben pays".into() };
    assert_eq!(stage.ben.ask::<ChatMessage>(theirs).await.unwrap_err().code, "not-the-author");

    let pin = Question::ChatPin { message: question.id.clone(), on: true };
    stage.ben.ask::<ChatMessage>(pin).await.unwrap();
    sees(&stage.ana, &chat, &question.id, "the pin", |message| message.pinned).await;
    assert_eq!(view(&stage.ana, &chat).await.pinned.len(), 1);

    // What nobody reads any more is nowhere any more, and the answer says so.
    let back = Question::ChatDelete { message: question.id.clone() };
    stage.ana.ask::<ChatMessage>(back).await.unwrap();
    sees(&stage.ben, &chat, &question.id, "that it was taken back", |message| message.content == Content::Deleted)
        .await;
    for person in [&stage.ana, &stage.ben] {
        let shown = view(person, &chat).await;
        let quote = shown.messages.iter().find_map(|message| message.reply.clone()).unwrap();
        assert_eq!((quote.text, shown.pinned.len()), (None, 0));
        assert_eq!(shown.messages.iter().filter(|message| matches!(message.content, Content::Unsupported)).count(), 0);
    }
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_device_sees_messages_as_they_stand_and_speaks_for_its_person() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    let mine = stage.ana.writes(&chat, "first try").await;
    said(&stage.ben, &chat, "first try").await;
    react(&stage.ben, &mine.id, "🎉", true).await.unwrap();
    sees(&stage.ana, &chat, &mine.id, "the reaction", |message| !message.reactions.is_empty()).await;
    let edit = Question::ChatEdit { message: mine.id.clone(), text: "second try".into() };
    stage.ana.ask::<ChatMessage>(edit).await.unwrap();

    let mut phone = Person::new("phone", Setup::with(&[&stage.a, &stage.b]).knowing(&stage.issuer.url)).await;
    phone.becomes_a_device_of(&mut stage.ana, true).await;
    let copied = said(&phone, &chat, "second try").await;
    assert!(copied.edited && copied.reactions.len() == 1 && !copied.reactions[0].mine);
    phone.sees_members(&chat, 2).await;
    let edit = Question::ChatEdit { message: mine.id.clone(), text: "third try, from the phone".into() };
    phone.ask::<ChatMessage>(edit).await.unwrap();
    for person in [&stage.ben, &stage.ana] {
        said(person, &chat, "third try, from the phone").await;
    }
    phone.close().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn words_about_words_reach_who_was_away() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    let one = stage.ana.writes(&chat, "one").await;
    let two = stage.ana.writes(&chat, "two").await;
    stage.ben.reads(&chat, &["one", "two"]).await;
    stage.ben.close().await;
    stage.ana.ask::<ChatMessage>(Question::ChatEdit { message: one.id.clone(), text: "uno".into() }).await.unwrap();
    stage.ana.ask::<ChatMessage>(Question::ChatDelete { message: two.id.clone() }).await.unwrap();
    stage.ana.writes(&chat, "three").await;
    stage.ben.open().await;
    stage.ben.reads(&chat, &["uno", "three"]).await;
    sees(&stage.ben, &chat, &two.id, "the place of what is gone", |message| message.content == Content::Deleted).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_found_again_in_one_conversation_and_in_all_also_after_a_restart() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    for n in 0..70 {
        stage.ana.writes(&chat, &format!("line {n} about nothing")).await;
    }
    let wanted = stage.ana.writes(&chat, "The key is under the Blumentöpfe").await;
    for n in 70..110 {
        stage.ana.writes(&chat, &format!("line {n} about nothing")).await;
    }
    let look = |text: &str, chat: Option<&str>| Question::ChatSearch {
        text: text.into(),
        chat: chat.map(str::to_owned),
        before: None,
    };
    for round in 0..2 {
        let found: SearchAnswer = stage.ana.ask(look("blumentop KEY", Some(&chat))).await.unwrap();
        assert!(found.complete, "round {round}");
        assert_eq!(found.found.iter().map(|one| one.id.as_str()).collect::<Vec<_>>(), [wanted.id.as_str()]);
        let all: SearchAnswer = stage.ana.ask(look("about noth", None)).await.unwrap();
        assert!(all.more && all.found.len() == 50 && all.found[0].ordinal > all.found[49].ordinal);
        stage.ana.close().await;
        stage.ana.open().await;
        stage.ana.waits_until_online().await;
    }
    let around = Question::ChatAround { chat: chat.clone(), message: wanted.id.clone() };
    let page: ChatPage = stage.ana.ask(around).await.unwrap();
    assert!(page.older && page.newer && page.found == wanted.id);
    assert!(page.messages.iter().any(|message| message.id == wanted.id));
    let last = page.messages.last().unwrap();
    let newer = Question::ChatNewer { chat: chat.clone(), after: last.ordinal };
    let newer: Vec<ChatMessage> = stage.ana.ask(newer).await.unwrap();
    assert!(newer.len() >= 5 && newer[0].ordinal > last.ordinal);
    let date = Question::ChatDate { chat: chat.clone(), at: wanted.at };
    let page: ChatPage = stage.ana.ask(date).await.unwrap();
    assert!(page.messages.iter().find(|message| message.id == page.found).unwrap().at >= wanted.at);

    stage.ana.ask::<ChatMessage>(Question::ChatDelete { message: wanted.id.clone() }).await.unwrap();
    let found: SearchAnswer = stage.ana.ask(look("blumentöpfe", None)).await.unwrap();
    assert!(found.found.is_empty(), "what was taken back is not found");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_disappear_on_both_sides_and_from_search() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    stage.ana.writes(&chat, "this stays").await;
    stage.ana.ask::<Value>(Question::ChatTimer { chat: chat.clone(), seconds: 2 }).await.unwrap();
    stage.ben.until("the timer", async |ben| (view(ben, &chat).await.timer == 2).then_some(())).await;
    stage.ana.writes(&chat, "for your eyes only").await;
    said(&stage.ben, &chat, "for your eyes only").await;
    // Ben's time runs from his reading on.
    stage.ana.reads(&chat, &["this stays"]).await;
    assert_eq!(stage.ben.texts(&chat).await, ["this stays", "for your eyes only"]);
    read(&stage.ben, &chat).await;
    stage.ben.reads(&chat, &["this stays"]).await;
    for person in [&stage.ana, &stage.ben] {
        let look = Question::ChatSearch { text: "eyes".into(), chat: None, before: None };
        assert!(person.ask::<SearchAnswer>(look).await.unwrap().found.is_empty());
    }
    // Ben's answer ends, too: the timer is the conversation's.
    stage.ben.writes(&chat, "read and gone").await;
    said(&stage.ana, &chat, "read and gone").await;
    read(&stage.ana, &chat).await;
    stage.ana.reads(&chat, &["this stays"]).await;
    stage.ben.reads(&chat, &["this stays"]).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn words_are_forwarded_and_a_draft_survives_a_restart() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    let one = stage.ben.writes(&chat, "Pass it on").await;
    said(&stage.ana, &chat, "Pass it on").await;
    let forward = Question::ChatForward { message: one.id.clone(), to: chat.clone() };
    let sent: ChatMessage = stage.ana.ask(forward).await.unwrap();
    assert!(sent.forwarded && sent.mine);
    let at_ben = sees(&stage.ben, &chat, &sent.id, "what was passed on", |message| message.forwarded).await;
    assert_eq!(at_ben.content, Content::Text { text: "Pass it on".into() });
    let draft = Question::ChatDraft { chat: chat.clone(), text: "half a thought".into() };
    stage.ana.ask::<Value>(draft).await.unwrap();
    stage.ana.close().await;
    stage.ana.open().await;
    assert_eq!(view(&stage.ana, &chat).await.summary.draft, "half a thought");
    stage.close().await;
}
