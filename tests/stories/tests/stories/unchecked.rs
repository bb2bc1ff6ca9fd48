//! What cannot be checked now is shown as that, and checked as soon as it can be.

use crate::common::Stage;
use contract::{ChatView, ContactState, Content, Question};
use serde_json::Value;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_whose_issuer_is_away_waits_unchecked_and_is_checked_when_it_is_back() {
    let mut stage = Stage::strangers().await;
    stage.ben.close().await;
    let chat = stage.ana.asks_for_contact("ben@b.localhost").await;
    stage.ana.writes(&chat, "not to be seen before it is known who I am").await;
    stage
        .ana
        .until("the request to be at Ben's node", async |ana| {
            let view: ChatView = ana.ask(Question::ChatOpen { chat: chat.clone() }).await.unwrap();
            // The node logs each message it takes for Ben.
            (view.summary.contact == ContactState::Asked && stage.b.routed().contains("sealed")).then_some(())
        })
        .await;
    // Ana's domain is her issuer: with it away nobody can check who she is.
    stage.ana.close().await;
    stage.a.stop().await;
    stage.ben.open().await;

    assert_eq!(stage.ben.sees_contact("ana@a.localhost", ContactState::Request).await, chat);
    let view: ChatView = stage.ben.ask(Question::ChatOpen { chat: chat.clone() }).await.unwrap();
    assert_eq!((view.identity, view.summary.name.as_str()), (None, "ana@a.localhost"));
    let said: Vec<Content> = view.messages.into_iter().map(|message| message.content).collect();
    assert!(matches!(said.as_slice(), [Content::System { code, .. }] if code == "identity-waiting"), "{said:?}");
    let accept = Question::PersonAccept { user: "ana@a.localhost".into() };
    assert_eq!(stage.ben.ask::<Value>(accept).await.unwrap_err().code, "not-checked-yet");

    stage.a.resume().await;
    stage.ana.open().await;
    stage
        .ben
        .until("Ana to be checked", async |ben| {
            let view: ChatView = ben.ask(Question::ChatOpen { chat: chat.clone() }).await.unwrap();
            view.identity
        })
        .await;
    assert_eq!(stage.ben.accepts("ana@a.localhost").await, chat);
    stage.ben.reads(&chat, &["not to be seen before it is known who I am"]).await;
    stage.close().await;
}
