//! The app reaches a domain by that domain's own stub, and only by that.

use crate::common::Stage;
use contract::{ConsentChoice, ModuleView, Question};
use node::Wire;
use serde_json::Value;

async fn stub_of_b(stage: &Stage) -> Option<ModuleView> {
    let modules: Vec<ModuleView> = stage.ana.ask(Question::ModuleList).await.unwrap();
    modules.into_iter().find(|module| module.kind == "protocolstub" && module.domain == "b.localhost")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_domain_changes_its_protocol_and_nobody_updates() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    stage.ana.writes(&chat, "by protocol 1").await;
    stage.ben.reads(&chat, &["by protocol 1"]).await;
    assert_eq!(stub_of_b(&stage).await.unwrap().version, "1.0.0");

    stage.b.node().set_wire(Wire::Sse2).await.unwrap();

    stage.ana.writes(&chat, "by protocol 2").await;
    stage.ben.reads(&chat, &["by protocol 1", "by protocol 2"]).await;
    assert_eq!(stub_of_b(&stage).await.unwrap().version, "2.0.0");
    stage.ben.writes(&chat, "nobody asked me anything").await;
    stage.ana.reads(&chat, &["by protocol 1", "by protocol 2", "nobody asked me anything"]).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stub_that_is_not_allowed_does_not_run() {
    let stage = Stage::strangers().await;
    let ask = async |person: &lab::Person| {
        person.ask::<Value>(Question::PersonFind { address: "ben@b.localhost".into() }).await
    };
    let (found, consent) = tokio::join!(ask(&stage.ana), async {
        let open: contract::Consent = stage
            .ana
            .until("the question", async |person| {
                let open: Vec<contract::Consent> = person.ask(Question::ConsentList).await.unwrap();
                open.into_iter().next()
            })
            .await;
        let answer = Question::ConsentAnswer { id: open.id.clone(), answer: ConsentChoice::Deny };
        stage.ana.ask::<Value>(answer).await.unwrap();
        open
    });
    assert_eq!(consent.domain, "b.localhost");
    assert_eq!(consent.may_talk_to, ["b.localhost"]);
    assert!(!consent.media);
    assert_eq!(found.unwrap_err().code, "denied");
    assert!(stub_of_b(&stage).await.is_none());
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_lives_at_an_address_that_was_not_taken() {
    let mut stage = Stage::strangers().await;
    stage.become_contacts().await;
    let nobody = Question::PersonFind { address: "nobody@b.localhost".into() };
    assert_eq!(stage.ana.ask::<Value>(nobody).await.unwrap_err().code, "not-found");
    stage.close().await;
}
