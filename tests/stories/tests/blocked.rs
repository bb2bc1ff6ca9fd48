//! Whoever is blocked reaches nothing any more, and is not told.
#![allow(clippy::unwrap_used, reason = "a story fails by panicking")]

mod common;

use common::Stage;
use contract::{CallStage, CallView, ChatSummary, ContactState, Question};
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
        person
            .until("the end of the call", async |person| {
                let calls: Vec<CallView> = person.ask(Question::CallList).await.unwrap();
                calls.is_empty().then_some(())
            })
            .await;
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
