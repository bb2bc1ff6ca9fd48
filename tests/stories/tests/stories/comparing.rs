//! Two people make sure of each other, and what becomes of that when keys change.

use crate::common::Stage;
use contract::{
    CallStage, CallView, ChatSummary, ChatView, KeyChangeKind, PersonCard, Question, SafetyCode, ScanOutcome,
    TrustMark, TrustState,
};
use lab::Person;
use lab::person::Setup;
use serde_json::Value;

const ANA: &str = "ana@a.localhost";
const BEN: &str = "ben@b.localhost";

async fn code(person: &Person, of: &str) -> SafetyCode {
    person.ask(Question::VerifyCode { user: of.into() }).await.unwrap()
}

async fn scans(person: &Person, of: &str, text: &str) -> ScanOutcome {
    person.ask(Question::VerifyScanned { user: of.into(), text: text.into() }).await.unwrap()
}

/// The mark of the message with this text.
async fn mark_of(person: &Person, chat: &str, text: &str) -> TrustMark {
    person
        .until(text, async |person| {
            let view: ChatView = person.ask(Question::ChatOpen { chat: chat.into() }).await.unwrap();
            view.messages.into_iter().find_map(|message| match message.content {
                contract::Content::Text { text: said } if said == text => Some(message.mark),
                _ => None,
            })
        })
        .await
}

async fn summary(person: &Person, chat: &str) -> ChatSummary {
    let chats: Vec<ChatSummary> = person.ask(Question::ChatList).await.unwrap();
    chats.into_iter().find(|one| one.chat == chat).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_compared_see_it_on_every_message_from_then_on() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    stage.ben.writes(&chat, "before").await;
    assert_eq!(mark_of(&stage.ana, &chat, "before").await, TrustMark::Introduced, "vouched for is not compared");

    let (at_ana, at_ben) = (code(&stage.ana, BEN).await, code(&stage.ben, ANA).await);
    assert_eq!(at_ana, at_ben);
    assert_eq!((at_ana.digits.len(), at_ana.words.len()), (12, 12));
    assert_eq!(scans(&stage.ana, BEN, "hello").await, ScanOutcome::NoCode);
    assert_eq!(scans(&stage.ana, BEN, &at_ben.qr).await, ScanOutcome::Match);
    let card = stage.ben.compared(ANA, true).await;
    assert!(card.compared_at.is_some());
    assert_eq!(card.identity.unwrap().state, TrustState::Verified);

    stage.ben.writes(&chat, "after").await;
    assert_eq!(mark_of(&stage.ana, &chat, "after").await, TrustMark::Verified);
    assert_eq!(mark_of(&stage.ben, &chat, "after").await, TrustMark::Verified);
    assert_eq!(mark_of(&stage.ana, &chat, "before").await, TrustMark::Introduced, "what was said stays as it was");
    assert_eq!(summary(&stage.ana, &chat).await.mark, TrustMark::Verified);
    assert_eq!(stage.ana.lines().await.iter().filter(|line| *line == "compared").count(), 1);

    let card: PersonCard = stage.ana.ask(Question::VerifyForget { user: BEN.into() }).await.unwrap();
    assert_eq!((card.compared_at, card.identity.unwrap().state), (None, TrustState::Introduced));
    assert_eq!(summary(&stage.ana, &chat).await.mark, TrustMark::Introduced);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn codes_that_differ_stop_what_is_sent_until_the_person_decides() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    let change = stage.ana.compared(BEN, false).await.change.unwrap();
    assert_eq!((change.kind, change.stops), (KeyChangeKind::Mismatch, true));
    let send = Question::ChatSend { chat: chat.clone(), text: "secret".into(), preview: None };
    assert_eq!(stage.ana.ask::<Value>(send).await.unwrap_err().code, "needs-decision");
    let call = Question::CallStart { user: BEN.into() };
    assert_eq!(stage.ana.ask::<Value>(call).await.unwrap_err().code, "needs-decision");
    let card: PersonCard = stage.ana.ask(Question::KeyChangeAccept { user: BEN.into() }).await.unwrap();
    assert!(card.change.is_none());
    stage.ana.writes(&chat, "on we go").await;
    stage.ben.reads(&chat, &["on we go"]).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_of_keys_alarms_nobody() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    stage.ana.compared(BEN, true).await;
    stage.ben.ask::<Value>(Question::IdentityRotate).await.unwrap();
    stage.ana.sees_line("key-rotated").await;
    let card = stage.ana.card(BEN).await;
    assert!(card.compared_at.is_some() && card.change.is_none(), "one key led to the other");
    stage.ana.writes(&chat, "still you").await;
    stage.ben.reads(&chat, &["still you"]).await;
    stage.ben.writes(&chat, "still me").await;
    assert_eq!(mark_of(&stage.ana, &chat, "still me").await, TrustMark::Verified);
    assert_eq!(code(&stage.ana, BEN).await, code(&stage.ben, ANA).await);
    stage.close().await;
}

/// The domain of Ben forgets him, and somebody signs in as him with keys that nobody knows.
async fn another_ben(stage: &mut Stage) -> Person {
    stage.ben.close().await;
    stage.b.stop().await;
    {
        let node = rusqlite::Connection::open(stage.b.folder().join("node.sqlite")).unwrap();
        node.execute_batch("PRAGMA foreign_keys=ON; DELETE FROM accounts WHERE name='ben';").unwrap();
    }
    stage.b.resume().await;
    let setup = Setup::with(&[&stage.a, &stage.b]).knowing(&stage.issuer.url);
    let mut ben = Person::new("ben", setup).await;
    ben.signs_up(&stage.b, Some(&stage.issuer.url)).await;
    ben
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_nothing_explains_wait_for_a_decision_and_nothing_is_lost() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    stage.ana.compared(BEN, true).await;
    stage.ana.writes(&chat, "hello").await;
    stage.ben.reads(&chat, &["hello"]).await;

    stage.ben.close().await;
    stage.b.stop().await;
    let waits = stage.ana.writes(&chat, "where are you?").await.id;
    let mut ben = another_ben(&mut stage).await;
    let new_chat = ben.asks_for_contact(ANA).await;
    ben.writes(&new_chat, "I lost everything, it is me").await;
    stage.ana.sees_line("key-unexplained").await;
    let card = stage.ana.card(BEN).await;
    let change = card.change.unwrap();
    assert_eq!((change.kind, change.stops), (KeyChangeKind::Unexplained, true));
    assert_eq!(card.identity.unwrap().state, TrustState::Changed);
    assert_eq!(summary(&stage.ana, &chat).await.mark, TrustMark::Changed);
    let send = Question::ChatSend { chat: chat.clone(), text: "secret".into(), preview: None };
    assert_eq!(stage.ana.ask::<Value>(send).await.unwrap_err().code, "needs-decision");
    assert_eq!(stage.ana.texts(&chat).await, ["hello", "where are you?"], "what was said stays");

    // The app may be closed before the person decides.
    stage.ana.close().await;
    stage.ana.open().await;
    stage.ana.waits_until_online().await;
    let card: PersonCard = stage.ana.ask(Question::KeyChangeAccept { user: BEN.into() }).await.unwrap();
    assert!(card.change.is_none() && card.compared_at.is_none());
    stage.ana.reads(&new_chat, &["I lost everything, it is me"]).await;
    // What the keys of before never got is sent again where the two speak now.
    stage.ana.ask::<Value>(Question::ChatRetry { message: waits }).await.unwrap();
    stage.ana.writes(&chat, "welcome back").await;
    ben.reads(&new_chat, &["I lost everything, it is me", "where are you?", "welcome back"]).await;
    assert_eq!(mark_of(&stage.ana, &new_chat, "welcome back").await, TrustMark::Introduced);
    assert_eq!(stage.ana.lines().await.iter().filter(|line| *line == "key-unexplained").count(), 1);
    ben.close().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn comparing_the_new_keys_decides_as_well() {
    let mut stage = Stage::strangers().await;
    stage.become_contacts().await;
    let mut ben = another_ben(&mut stage).await;
    let new_chat = ben.asks_for_contact(ANA).await;
    ben.writes(&new_chat, "it is me").await;
    stage.ana.sees_line("key-unexplained").await;
    assert!(!stage.ana.card(BEN).await.change.unwrap().stops, "who was never compared is marked, not stopped");
    assert!(stage.ana.compared(BEN, true).await.compared_at.is_some());
    stage.ana.reads(&new_chat, &["it is me"]).await;
    stage.ana.writes(&new_chat, "I saw it").await;
    assert_eq!(mark_of(&stage.ana, &new_chat, "I saw it").await, TrustMark::Verified);
    assert_eq!(code(&stage.ana, BEN).await, code(&ben, ANA).await);
    ben.close().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn both_ends_of_a_call_read_the_same_code() {
    let mut stage = Stage::strangers().await;
    stage.become_contacts().await;
    let _: CallView = stage.ana.ask(Question::CallStart { user: BEN.into() }).await.unwrap();
    let ringing = stage.ben.sees_call(&CallStage::Ringing).await;
    assert!(ringing.code.is_none(), "nothing to read before somebody answered");
    stage.ben.ask::<Value>(Question::CallAccept { call: ringing.call }).await.unwrap();
    let code = async |person: &Person| {
        person
            .until("a code", async |person| {
                let calls: Vec<CallView> = person.ask(Question::CallList).await.unwrap();
                calls.into_iter().find_map(|call| call.code)
            })
            .await
    };
    let (at_ana, at_ben) = (code(&stage.ana).await, code(&stage.ben).await);
    assert_eq!(at_ana, at_ben);
    assert_eq!((at_ana.digits.len(), at_ana.emoji.len()), (6, 4));
    let call = stage.ana.sees_call(&CallStage::Connected).await;
    stage.ana.ask::<Value>(Question::CallHangup { call: call.call }).await.unwrap();
    stage.ana.is_in_no_call().await;
    stage.close().await;
}
