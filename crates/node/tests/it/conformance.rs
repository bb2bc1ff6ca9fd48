//! The reference's message node tests, flow by flow, over every wire: what must work, and what must be refused.
//!
//! The flows are those of the reTHINK specifications (connection, allocation, subscription, publication,
//! registration and discovery). Where the reference trusted whoever asked, ours asks for proof.

use crate::common::wires::Heard;
use crate::common::{House, Link, Person, Session, open_message, proof, read_answer};
use keys::SigningKey;
use message::{Address, Code, MessageType};
use node::{Role, Wire};
use serde_json::json;

const WIRES: [Wire; 3] = [Wire::Ws, Wire::Sse, Wire::Sse2];
const SESSION: &str = "domain://msg-node.a.localhost/session";
const ALLOCATION: &str = "domain://msg-node.a.localhost/address-allocation";
const SM: &str = "domain://msg-node.a.localhost/sm";
const REGISTRY: &str = "domain://registry.a.localhost";

#[tokio::test]
async fn connection() {
    for wire in WIRES {
        let house = House::with_wire(wire).await;
        let key = SigningKey::generate();
        let mut session = Session::open(&house, Role::Visitor, &key).await;
        // `re-open` after a loss finds the same address; asking again in a session is a sign of life.
        let address = session.address.clone();
        let again = session.ask(MessageType::Open, SESSION, json!({})).await;
        assert_eq!(again.value["address"], json!(address), "{wire:?}");
        drop(session);
        let mut session = Session::open(&house, Role::Visitor, &key).await;
        assert_eq!(session.address, address);
        let from = session.address.clone();
        session.post(MessageType::Close, &from, SESSION, json!({}));
        while !matches!(session.link.hear().await, Heard::Closed(_)) {}

        // Refused: a proof made for another domain's challenge is none here, and nothing is done without one.
        let mut link = Link::connect(house.node.port(), wire).await.unwrap();
        link.send(open_message(&proof(Role::Member, &key, "a challenge of another moment")));
        let Heard::Message(answer) = link.hear().await else { panic!("no answer") };
        assert_eq!(read_answer(&answer).code, Code::UNAUTHORIZED, "{wire:?}");
    }
}

#[tokio::test]
async fn allocation() {
    for wire in WIRES {
        let house = House::with_wire(wire).await;
        let mut ana = Person::new("ana").join(&house).await;
        let wish = |number: usize, key: &str| json!({ "scheme": "hyperty", "value": { "number": number, "allocationKey": key } });
        let first = ana.ask(MessageType::Create, ALLOCATION, wish(3, "chat")).await.value["allocated"].clone();
        assert_eq!(first.as_array().unwrap().len(), 3, "{wire:?}");
        let again = ana.ask(MessageType::Create, ALLOCATION, wish(3, "chat")).await.value["allocated"].clone();
        assert_eq!(again, first, "a key stands for its addresses");
        let other = ana.ask(MessageType::Create, ALLOCATION, wish(1, "calls")).await.value["allocated"].clone();
        assert!(!first.as_array().unwrap().contains(&other[0]));

        // Refused: to give back an address of somebody else, to ask for too many, to be a stranger.
        let mut ben = Person::new("ben").join(&house).await;
        let foreign = json!({ "resources": [first[0]] });
        assert_eq!(ben.ask(MessageType::Delete, ALLOCATION, foreign.clone()).await.code, Code::FORBIDDEN);
        assert_eq!(ben.ask(MessageType::Create, ALLOCATION, wish(101, "all")).await.code, Code::BAD_REQUEST);
        let mut stranger = Session::visit(&house).await;
        assert_eq!(stranger.ask(MessageType::Create, ALLOCATION, wish(1, "x")).await.code, Code::FORBIDDEN);
        assert_eq!(ana.ask(MessageType::Delete, ALLOCATION, foreign).await.code, Code::OK);
    }
}

#[tokio::test]
async fn subscription() {
    for wire in WIRES {
        let house = House::with_wire(wire).await;
        let mut ana = Person::new("ana").join(&house).await;
        let object = ana.allocate("comm", "object").await;
        let resources = json!({ "resources": [format!("{object}/changes"), format!("{object}/children/")] });
        assert_eq!(ana.ask(MessageType::Subscribe, SM, resources.clone()).await.code, Code::OK, "{wire:?}");
        assert_eq!(ana.ask(MessageType::Unsubscribe, SM, resources.clone()).await.code, Code::OK);

        // Refused: an address of another, and to let oneself in at an object of another.
        let mut mallory = Session::visit(&house).await;
        assert_eq!(mallory.ask(MessageType::Subscribe, SM, resources.clone()).await.code, Code::FORBIDDEN);
        let own = mallory.address.clone();
        let let_in = json!({ "resources": [object], "allow": [own] });
        assert_eq!(mallory.ask(MessageType::Subscribe, SM, let_in).await.code, Code::FORBIDDEN);
        assert_eq!(mallory.ask(MessageType::Subscribe, SM, resources).await.code, Code::FORBIDDEN);
    }
}

#[tokio::test]
async fn publication() {
    for wire in WIRES {
        let house = House::with_wire(wire).await;
        let mut ana = Person::new("ana").join(&house).await;
        let object = ana.allocate("comm", "object").await;
        let changes = format!("{object}/changes");
        let (mut ben, mut carl) = (Session::visit(&house).await, Session::visit(&house).await);
        let let_in = json!({ "resources": [object], "allow": [ben.address, carl.address] });
        assert_eq!(ana.ask(MessageType::Subscribe, SM, let_in).await.code, Code::OK);
        for hearer in [&mut ben, &mut carl] {
            let asked = json!({ "resources": [changes] });
            assert_eq!(hearer.ask(MessageType::Subscribe, SM, asked).await.code, Code::OK);
        }
        let change = json!({ "version": 1, "attribute": "name", "value": "x" });
        let answer = ana.ask_as(&object, MessageType::Update, &changes, change).await;
        assert_eq!((answer.code, &answer.value["heard"]), (Code::OK, &json!(2)), "{wire:?}");
        for hearer in [&mut ben, &mut carl] {
            let heard = hearer.next().await;
            assert_eq!((&heard.from, heard.to.as_str()), (&object, changes.as_str()));
        }

        // Refused: a change that does not come from the object, with its own name or with a forged one.
        let own = ben.address.clone();
        for from in [own, object.clone()] {
            let answer = ben.ask_as(&from, MessageType::Update, &changes, json!({ "version": 2 })).await;
            assert_eq!(answer.code, Code::FORBIDDEN);
        }
        assert!(carl.link.is_quiet().await, "nobody heard the false change");

        // Refused from now on: whoever is no longer let in.
        let let_in = json!({ "resources": [object], "allow": [ben.address] });
        assert_eq!(ana.ask(MessageType::Subscribe, SM, let_in).await.code, Code::OK);
        let answer = ana.ask_as(&object, MessageType::Update, &changes, json!({ "version": 2 })).await;
        assert_eq!(answer.value["heard"], 1);
    }
}

#[tokio::test]
async fn registration() {
    for wire in WIRES {
        let house = House::with_wire(wire).await;
        let ana = Person::new("ana");
        let (mut session, inbox) = ana.settle(&house).await;
        let mut ben = Session::visit(&house).await;
        let read = json!({ "resource": ana.user() });
        let found = ben.ask(MessageType::Read, REGISTRY, read.clone()).await;
        assert_eq!(found.value["devices"][0]["inbox"].as_str(), Some(inbox.as_str()), "{wire:?}");
        // Keep-alive: the same entry again.
        let same = json!({ "value": { "user": ana.user(), "inbox": inbox } });
        assert_eq!(session.ask(MessageType::Update, REGISTRY, same).await.code, Code::OK);

        // Refused: an entry for somebody else, an inbox of somebody else, a name nobody has, a name of another domain.
        let (mut mallory, own) = Person::new("mallory").settle(&house).await;
        let theirs = json!({ "value": { "user": ana.user(), "inbox": own } });
        assert_eq!(mallory.ask(MessageType::Update, REGISTRY, theirs).await.code, Code::FORBIDDEN);
        let stolen = json!({ "value": { "user": "user://a.localhost/mallory", "inbox": inbox } });
        assert_eq!(mallory.ask(MessageType::Update, REGISTRY, stolen).await.code, Code::FORBIDDEN);
        assert_eq!(
            ben.ask(MessageType::Update, REGISTRY, json!({ "value": { "user": ana.user() } })).await.code,
            Code::FORBIDDEN
        );
        for nobody in ["user://a.localhost/nobody", "user://b.localhost/ana"] {
            assert_eq!(ben.ask(MessageType::Read, REGISTRY, json!({ "resource": nobody })).await.code, Code::NOT_FOUND);
        }

        // Unregistration: whoever gives the inbox back is found no more.
        assert_eq!(session.ask(MessageType::Delete, ALLOCATION, json!({ "resources": [inbox] })).await.code, Code::OK);
        let found = ben.ask(MessageType::Read, REGISTRY, read).await;
        assert_eq!((found.code, &found.value["devices"]), (Code::OK, &json!([])));
        assert_eq!(ben.deliver(&Address::parse(inbox.as_str()).unwrap(), "x").await.code, Code::NOT_FOUND);
    }
}
