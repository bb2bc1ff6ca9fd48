//! Whoever is blocked reaches nothing any more, and is not told.

use crate::common::Stage;
use contract::{CallStage, CallView, ChatMessage, ChatSummary, ChatView, ContactState, DeliveryState, Question};
use lab::Person;
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn blocking_somebody_ends_the_call_with_them_and_they_reach_nobody_any_more() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    let _: CallView = stage.ana.ask(Question::CallStart { user: "ben@b.localhost".into() }).await.unwrap();
    let ringing = stage.ben.sees_call(&CallStage::Ringing).await;
    stage.ben.ask::<Value>(Question::CallAccept { call: ringing.call }).await.unwrap();
    stage.ben.sees_call(&CallStage::Connected).await;

    stage.ben.ask::<Value>(Question::PersonBlock { user: "ana@a.localhost".into() }).await.unwrap();
    for person in [&stage.ana, &stage.ben] {
        person.is_in_no_call().await;
    }
    // Ana does not know, and goes on.
    let at_ana: Vec<ChatSummary> = stage.ana.ask(Question::ChatList).await.unwrap();
    assert_eq!(at_ana[0].contact, ContactState::Accepted);
    stage.ana.writes(&chat, "Are you there?").await;
    let _: CallView = stage.ana.ask(Question::CallStart { user: "ben@b.localhost".into() }).await.unwrap();
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let calls: Vec<CallView> = stage.ben.ask(Question::CallList).await.unwrap();
    assert!(calls.is_empty(), "nothing rings");
    assert!(!stage.ben.texts(&chat).await.contains(&"Are you there?".to_owned()));
    // Nor does Ben reach for her without taking the block back.
    let call = Question::CallStart { user: "ana@a.localhost".into() };
    assert_eq!(stage.ben.ask::<Value>(call).await.unwrap_err().code, "blocked");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn taking_a_block_back_brings_the_person_their_words_and_their_calls_back() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    stage.ben.writes(&chat, "before").await;
    stage.ana.reads(&chat, &["before"]).await;

    let ben = || "ben@b.localhost".to_owned();
    stage.ana.ask::<Value>(Question::PersonBlock { user: ben() }).await.unwrap();
    // Blocked twice is blocked once.
    stage.ana.ask::<Value>(Question::PersonBlock { user: ben() }).await.unwrap();
    stage.ben.writes(&chat, "while blocked").await;
    stage.ben.writes(&chat, "while blocked, again").await;
    stage.ben.until("both to be at the node", async |ben| not_sent(ben, &chat).await.is_empty().then_some(())).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    assert_eq!(stage.ana.texts(&chat).await, ["before"]);
    // The block and what was before it outlive the app.
    stage.ana.close().await;
    stage.ana.open().await;
    stage.ana.waits_until_online().await;

    stage.ana.ask::<Value>(Question::PersonUnblock { user: ben() }).await.unwrap();
    assert_eq!(stage.ana.sees_contact("ben@b.localhost", ContactState::Accepted).await, chat);
    stage.ben.writes(&chat, "after").await;
    let all = ["before", "while blocked", "while blocked, again", "after"];
    stage.ana.reads(&chat, &all).await;
    stage.ana.writes(&chat, "welcome back").await;
    stage.ben.reads(&chat, &[&all[..], &["welcome back"]].concat()).await;
    for person in [&stage.ana, &stage.ben] {
        person.sees_all_delivered(&chat).await;
    }
    for (caller, called, user) in [(&stage.ana, &stage.ben, ben()), (&stage.ben, &stage.ana, "ana@a.localhost".into())]
    {
        let call: CallView = caller.ask(Question::CallStart { user }).await.unwrap();
        let ringing = called.sees_call(&CallStage::Ringing).await;
        called.ask::<Value>(Question::CallAccept { call: ringing.call }).await.unwrap();
        let connected = caller.sees_call(&CallStage::Connected).await;
        assert_eq!(connected.call, call.call);
        caller.ask::<Value>(Question::CallHangup { call: call.call }).await.unwrap();
        for person in [caller, called] {
            person.is_in_no_call().await;
        }
    }
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_taken_back_leads_to_where_the_two_stood_before() {
    let mut stage = Stage::strangers().await;
    let chat = stage.ana.asks_for_contact("ben@b.localhost").await;
    stage.ana.writes(&chat, "Hello Ben").await;

    // Whoever was a request is a request again.
    stage.ben.sees_contact("ana@a.localhost", ContactState::Request).await;
    stage.ben.ask::<Value>(Question::PersonBlock { user: "ana@a.localhost".into() }).await.unwrap();
    stage.ben.ask::<Value>(Question::PersonUnblock { user: "ana@a.localhost".into() }).await.unwrap();
    assert_eq!(stage.ben.sees_contact("ana@a.localhost", ContactState::Request).await, chat);

    // Whoever was asked and accepted meanwhile has accepted.
    stage.ana.ask::<Value>(Question::PersonBlock { user: "ben@b.localhost".into() }).await.unwrap();
    assert_eq!(stage.ben.accepts("ana@a.localhost").await, chat);
    stage.ben.writes(&chat, "Hello Ana").await;
    stage.ben.until("it to be at the node", async |ben| not_sent(ben, &chat).await.is_empty().then_some(())).await;
    tokio::time::sleep(std::time::Duration::from_secs(1)).await;
    stage.ana.ask::<Value>(Question::PersonUnblock { user: "ben@b.localhost".into() }).await.unwrap();
    stage.ana.sees_contact("ben@b.localhost", ContactState::Accepted).await;
    stage.ana.reads(&chat, &["Hello Ben", "Hello Ana"]).await;
    stage.ben.reads(&chat, &["Hello Ana", "Hello Ben"]).await;
    stage.close().await;
}

/// The own messages that are not at the other domain's node.
async fn not_sent(person: &Person, chat: &str) -> Vec<ChatMessage> {
    let view: ChatView = person.ask(Question::ChatOpen { chat: chat.to_owned() }).await.unwrap();
    let waits = |message: &ChatMessage| message.mine && message.state == DeliveryState::Queued;
    view.messages.into_iter().filter(waits).collect()
}
