//! Somebody whose network reaches only their own node reaches other domains all the same: the node runs the stub.

use crate::common::Stage;
use contract::{CallStage, CallView, ChatSummary, ContactState, ModuleView, Question};
use lab::person::Setup;
use lab::{Domain, Issuer, Person};
use node::Wire;
use serde_json::Value;

/// Ana's network ends at her node; Ben's does not.
async fn behind_a_wall(gate: bool) -> Stage {
    let mut a = Domain::start("a.localhost", Wire::Ws).await;
    let b = Domain::start("b.localhost", Wire::Sse).await;
    if gate {
        a.opens_gate_to(&[&b]).await;
    }
    let issuer = Issuer::start();
    let mut ana = Person::new("ana", Setup::with(&[&a]).knowing(&issuer.url)).await;
    let mut ben = Person::new("ben", Setup::with(&[&a, &b]).knowing(&issuer.url)).await;
    ana.signs_up(&a, None).await;
    ben.signs_up(&b, Some(&issuer.url)).await;
    Stage { a, b, issuer, ana, ben }
}

async fn stub_of_b(ana: &Person) -> Option<ModuleView> {
    let modules: Vec<ModuleView> = ana.ask(Question::ModuleList).await.unwrap();
    modules.into_iter().find(|module| module.kind == "protocolstub" && module.domain == "b.localhost")
}

#[tokio::test(flavor = "multi_thread")]
async fn they_write_and_call_through_a_stub_at_anas_node_which_learns_nothing_they_say() {
    let mut stage = behind_a_wall(true).await;
    stage.ana.ask::<Value>(Question::PersonFind { address: "ben@b.localhost".into() }).await.unwrap();
    let stub = stub_of_b(&stage.ana).await.unwrap();
    assert_eq!((stub.version.as_str(), stub.may_talk_to.as_slice()), ("1.0.0", ["a.localhost".to_owned()].as_slice()));
    let request = Question::PersonRequest { user: "ben@b.localhost".into() };
    let chat = stage.ana.ask::<ChatSummary>(request).await.unwrap().chat;
    stage.ben.accepts("ana@a.localhost").await;
    stage.ana.sees_contact("ben@b.localhost", ContactState::Accepted).await;

    stage.ana.writes(&chat, "over the wall").await;
    stage.ben.reads(&chat, &["over the wall"]).await;
    stage.ben.writes(&chat, "and back").await;
    stage.ana.reads(&chat, &["over the wall", "and back"]).await;
    for routed in [stage.a.routed(), stage.b.routed()] {
        assert!(!routed.contains("over the wall") && !routed.contains("and back"));
    }

    let _: CallView = stage.ana.ask(Question::CallStart { user: "ben@b.localhost".into() }).await.unwrap();
    let ringing = stage.ben.sees_call(&CallStage::Ringing).await;
    stage.ben.ask::<Value>(Question::CallAccept { call: ringing.call }).await.unwrap();
    let call = stage.ana.sees_call(&CallStage::Connected).await;
    stage.ana.ask::<Value>(Question::CallHangup { call: call.call }).await.unwrap();
    stage.ana.is_in_no_call().await;

    // Her node restarts, and the stub with it; what she wrote meanwhile arrives.
    stage.a.stop().await;
    stage.ana.writes(&chat, "while the gate was shut").await;
    stage.a.resume().await;
    stage.ben.reads(&chat, &["over the wall", "and back", "while the gate was shut"]).await;

    // The other domain changes its protocol; the node fetches the new stub, and nobody updates.
    stage.b.node().set_wire(Wire::Sse2).await.unwrap();
    stage.ana.writes(&chat, "by another protocol").await;
    stage.ben.reads(&chat, &["over the wall", "and back", "while the gate was shut", "by another protocol"]).await;
    assert_eq!(stub_of_b(&stage.ana).await.unwrap().version, "2.0.0");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_gate_the_other_domain_is_out_of_reach_in_words() {
    let stage = behind_a_wall(false).await;
    let found = stage.ana.ask::<Value>(Question::PersonFind { address: "ben@b.localhost".into() }).await;
    assert_eq!(found.unwrap_err().code, "domain-unreachable");
    assert!(stub_of_b(&stage.ana).await.is_none());
    stage.close().await;
}
