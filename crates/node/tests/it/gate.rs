//! The gate as a member's session meets it: what it brings, and what it refuses.

use crate::common::{House, Person, Session};
use message::{Code, Domain, Message, MessageType};
use node::{NetConfig, Node, NodeConfig, RunningNode, Wire};
use serde_json::{Value, json};
use tempfile::TempDir;

const GATE: &str = "domain://gate.a.localhost";

fn wish(domain: &str) -> Value {
    let address = format!("runtime://a.localhost/protostub/{domain}");
    json!({ "domain": domain, "address": address, "runtimeUrl": "runtime://a.localhost/core" })
}

/// A node with a gate, and the foreign one behind it.
async fn two_nodes() -> (House, RunningNode, TempDir) {
    let (folder, foreign_folder) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let foreign = NodeConfig::new(Domain::parse("b.localhost").unwrap(), foreign_folder.path());
    let foreign = Node::start(foreign.with_wire(Wire::Sse)).await.unwrap();
    let mut config = crate::common::config(&folder);
    let localhost = [(Domain::parse("b.localhost").unwrap(), foreign.port())].into();
    config.gate = Some(NetConfig { localhost });
    let node = Node::start(config).await.unwrap();
    (House { node, folder }, foreign, foreign_folder)
}

async fn opens(session: &mut Session, domain: &str) -> Result<u64, (Code, String)> {
    let answer = session.ask(MessageType::Create, GATE, wish(domain)).await;
    match answer.code {
        Code::OK => Ok(answer.value["gate"].as_u64().unwrap()),
        code => Err((code, answer.description.unwrap_or_default())),
    }
}

/// The next word of a stub.
async fn hears(session: &mut Session) -> (u64, Message) {
    let word = session.next().await;
    assert_eq!((word.kind, word.from.as_str()), (MessageType::Event, GATE));
    let body: Value = word.body.parse().unwrap();
    let inner = Message::from_json(body["message"].as_str().unwrap().as_bytes()).unwrap();
    (body["gate"].as_u64().unwrap(), inner)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_foreign_stub_runs_at_the_node_and_asks_its_runtime_for_the_proof() {
    let (house, _foreign, _folder) = two_nodes().await;
    let mut ana = Person::new("ana").join(&house).await;
    let gate = opens(&mut ana, "b.localhost").await.unwrap();
    let (from, asked) = loop {
        let (from, inner) = hears(&mut ana).await;
        if inner.kind == MessageType::Execute {
            break (from, inner);
        }
    };
    assert_eq!(from, gate);
    assert_eq!(asked.to.as_str(), "runtime://a.localhost/idm");
    let body: Value = asked.body.parse().unwrap();
    assert_eq!((&body["method"], &body["params"]["domain"]), (&json!("proveSession"), &json!("b.localhost")));
    // The node holds no key with which it could answer itself.
    assert_eq!(house.node.stats().await.bad_proofs, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gate_refuses_what_is_not_for_it() {
    let (house, _foreign, _folder) = two_nodes().await;
    let mut ana = Person::new("ana").join(&house).await;
    assert_eq!(opens(&mut ana, "a.localhost").await.unwrap_err().0, Code::FORBIDDEN);
    assert_eq!(
        opens(&mut ana, "nowhere.localhost").await.unwrap_err(),
        (Code::UNAVAILABLE, "domain-unreachable".into())
    );
    let foreign = json!({ "domain": "b.localhost", "address": "runtime://c.localhost/protostub/b", "runtimeUrl": "runtime://c.localhost/core" });
    for bad in [foreign, json!({}), json!({ "domain": "b.localhost" }), json!([1])] {
        assert_eq!(ana.ask(MessageType::Create, GATE, bad).await.code, Code::BAD_REQUEST);
    }
    let mut visitor = Session::visit(&house).await;
    assert_eq!(opens(&mut visitor, "b.localhost").await.unwrap_err().0, Code::FORBIDDEN);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_speaks_to_the_stub_of_somebody_else() {
    let (house, _foreign, _folder) = two_nodes().await;
    let mut ana = Person::new("ana").join(&house).await;
    let mut eve = Person::new("eve").join(&house).await;
    let gate = opens(&mut ana, "b.localhost").await.unwrap();
    let from = eve.address.clone();
    eve.post(MessageType::Event, &from, GATE, json!({ "gate": gate, "message": "{}" }));
    eve.ask(MessageType::Delete, GATE, json!({ "gate": gate })).await;
    let (heard, _) = hears(&mut ana).await;
    assert_eq!(heard, gate, "her stub is there and speaks to her");
    eve.settled().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_has_a_few_stubs_and_gets_the_place_of_one_it_lets_go_of() {
    let (house, _foreign, _folder) = two_nodes().await;
    let mut ana = Person::new("ana").join(&house).await;
    let mut gates = Vec::new();
    let refused = loop {
        match opens(&mut ana, "b.localhost").await {
            Ok(gate) => gates.push(gate),
            Err(refused) => break refused,
        }
        assert!(gates.len() <= 8);
    };
    assert_eq!((gates.len(), refused.0), (8, Code::TOO_MANY));
    assert_eq!(ana.ask(MessageType::Delete, GATE, json!({ "gate": gates[0] })).await.code, Code::OK);
    opens(&mut ana, "b.localhost").await.unwrap();

    // The stubs of a session end with it.
    drop(ana);
    let mut again = Person::new("ben").join(&house).await;
    for _ in 0..8 {
        opens(&mut again, "b.localhost").await.unwrap();
    }
}
