//! Two people who share no provider, no protocol and no issuer write to each other.

use crate::common::Stage;
use contract::{ChatView, ContactState, Question, TrustState};

#[tokio::test(flavor = "multi_thread")]
async fn two_people_with_nothing_in_common_write_to_each_other() {
    let mut stage = Stage::strangers().await;
    let chat = stage.ana.asks_for_contact("ben@b.localhost").await;
    stage.ana.writes(&chat, "Hello Ben, this is the only secret of a whole night").await;
    assert_eq!(stage.ben.accepts("ana@a.localhost").await, chat);
    stage.ana.sees_contact("ben@b.localhost", ContactState::Accepted).await;
    stage.ben.reads(&chat, &["Hello Ben, this is the only secret of a whole night"]).await;
    stage.ben.writes(&chat, "And mine is that I was waiting for it").await;
    let both = ["Hello Ben, this is the only secret of a whole night", "And mine is that I was waiting for it"];
    stage.ana.reads(&chat, &both).await;
    stage.ana.sees_all_delivered(&chat).await;
    stage.ben.sees_all_delivered(&chat).await;

    // Each knows who vouches for the other: two issuers of two makes.
    let at_ana: ChatView = stage.ana.ask(Question::ChatOpen { chat: chat.clone() }).await.unwrap();
    let at_ben: ChatView = stage.ben.ask(Question::ChatOpen { chat }).await.unwrap();
    let (of_ben, of_ana) = (at_ana.identity.unwrap(), at_ben.identity.unwrap());
    assert_eq!((of_ben.issuer, of_ben.state), (stage.issuer.url.clone(), TrustState::Introduced));
    assert_eq!((of_ana.vouched_by.as_str(), of_ana.state), ("a.localhost", TrustState::Introduced));

    for node in [&stage.a, &stage.b] {
        let routed = node.routed();
        assert!(routed.len() > 1000, "the node logged what it routed");
        // How id_tokens begin: {"alg":"ES256", {"alg":"RS256", {"typ":, {"kid":. What a person's own keys
        // sign (sigchain, commitment) begins otherwise and is for everybody.
        let tokens = ["eyJhbGciOiJFUzI1NiI", "eyJhbGciOiJSUzI1NiI", "eyJ0eXAiOi", "eyJraWQiOi", "id_token"];
        for private in ["secret of a whole night", "waiting for it", "Introduc"].into_iter().chain(tokens) {
            assert!(!routed.contains(private), "the node of {} saw {private:?}", node.name);
        }
    }
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_issuer_stopped_after_sign_in_changes_nothing() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    stage.issuer.stop();
    stage.ana.writes(&chat, "Is your issuer gone?").await;
    stage.ben.reads(&chat, &["Is your issuer gone?"]).await;
    stage.ben.writes(&chat, "Yes, and it does not matter").await;
    stage.ana.reads(&chat, &["Is your issuer gone?", "Yes, and it does not matter"]).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn history_survives_a_restart_of_both_apps_and_both_nodes() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    stage.ana.writes(&chat, "before").await;
    stage.ben.reads(&chat, &["before"]).await;
    stage.ana.sees_all_delivered(&chat).await;

    stage.ana.close().await;
    stage.ben.close().await;
    stage.a.stop().await;
    stage.b.stop().await;
    stage.a.resume().await;
    stage.b.resume().await;
    stage.ana.open().await;
    stage.ben.open().await;

    stage.ana.reads(&chat, &["before"]).await;
    stage.ben.reads(&chat, &["before"]).await;
    stage.ana.waits_until_online().await;
    stage.ben.waits_until_online().await;
    stage.ben.writes(&chat, "after").await;
    stage.ana.reads(&chat, &["before", "after"]).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_while_the_other_is_away_arrives_when_they_are_back() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    stage.ben.close().await;
    stage.ana.writes(&chat, "one").await;
    stage.ana.writes(&chat, "two").await;
    stage.ben.open().await;
    stage.ben.reads(&chat, &["one", "two"]).await;
    stage.ana.sees_all_delivered(&chat).await;
    stage.close().await;
}
