//! The message node's promises, over every wire with real sockets.

use crate::common::wires::Heard;
use crate::common::{House, Link, Person, Session, open_message, proof, read_answer, sealed, unsealed};
use keys::SigningKey;
use message::{Code, MessageType};
use node::{Role, Wire};
use serde_json::json;

const WIRES: [Wire; 3] = [Wire::Ws, Wire::Sse, Wire::Sse2];

#[tokio::test]
async fn a_runtime_that_proves_its_key_gets_the_address_of_that_key() {
    for wire in WIRES {
        let house = House::with_wire(wire).await;
        let key = SigningKey::generate();
        let first = Session::open(&house, Role::Visitor, &key).await;
        assert!(first.address.as_str().starts_with("runtime://a.localhost/v-"));
        assert!(!first.registered);
        let again = Session::open(&house, Role::Visitor, &key).await;
        assert_eq!(again.address, first.address, "{wire:?}");
        let other = Session::visit(&house).await;
        assert_ne!(other.address, first.address);
        house.node.shutdown().await;
    }
}

#[tokio::test]
async fn a_proof_by_another_key_is_refused() {
    for wire in WIRES {
        let house = House::with_wire(wire).await;
        let mut link = Link::connect(house.node.port(), wire).await.unwrap();
        let mut forged = proof(Role::Visitor, &SigningKey::generate(), &link.challenge);
        forged["key"] = json!(SigningKey::generate().verifying_key());
        link.send(open_message(&forged));
        let Heard::Message(answer) = link.hear().await else { panic!("no answer") };
        assert_eq!(read_answer(&answer).code, Code::UNAUTHORIZED, "{wire:?}");
        assert!(matches!(link.hear().await, Heard::Closed(401)), "{wire:?}");
        assert_eq!(house.node.stats().await.bad_proofs, 1);
    }
}

#[tokio::test]
async fn a_proof_for_another_moment_or_role_is_refused() {
    let house = House::new().await;
    let key = SigningKey::generate();
    let link = Link::connect(house.node.port(), Wire::Ws).await.unwrap();
    let old = proof(Role::Visitor, &key, &link.challenge);
    let mut promoted = old.clone();
    promoted["role"] = json!("member");
    for replayed in [old, promoted] {
        let mut next = Link::connect(house.node.port(), Wire::Ws).await.unwrap();
        next.send(open_message(&replayed));
        let Heard::Message(answer) = next.hear().await else { panic!("no answer") };
        assert_eq!(read_answer(&answer).code, Code::UNAUTHORIZED);
    }
}

#[tokio::test]
async fn nothing_is_done_before_the_proof() {
    let house = House::new().await;
    let mut link = Link::connect(house.node.port(), Wire::Ws).await.unwrap();
    let mut early = open_message(&json!({ "resource": "user://a.localhost/ana" }));
    early.kind = MessageType::Read;
    early.to = message::Address::parse("domain://registry.a.localhost").unwrap();
    link.send(early);
    let Heard::Message(answer) = link.hear().await else { panic!("no answer") };
    assert_eq!(read_answer(&answer).code, Code::UNAUTHORIZED);
}

#[tokio::test]
async fn addresses_are_allocated_to_members_and_stay_theirs() {
    for wire in WIRES {
        let house = House::with_wire(wire).await;
        let ana = Person::new("ana");
        let mut session = ana.join(&house).await;
        let inbox = session.allocate("hyperty", "inbox").await;
        assert_eq!(session.allocate("hyperty", "inbox").await, inbox, "stable for its key");
        assert_ne!(session.allocate("hyperty", "other").await, inbox);
        assert_eq!(session.allocate("comm", "inbox").await.scheme(), "comm");
        drop(session);
        let mut again = ana.join(&house).await;
        assert_eq!(again.allocate("hyperty", "inbox").await, inbox, "stable for its device: {wire:?}");
        let mut visitor = Session::visit(&house).await;
        let body = json!({ "scheme": "hyperty", "value": { "number": 1, "allocationKey": "x" } });
        let answer = visitor.ask(MessageType::Create, "domain://msg-node.a.localhost/address-allocation", body).await;
        assert_eq!(answer.code, Code::FORBIDDEN);
    }
}

#[tokio::test]
async fn a_message_reaches_an_inbox_and_its_sender_hears_so() {
    for wire in WIRES {
        let house = House::with_wire(wire).await;
        let (mut ana, inbox) = Person::new("ana").settle(&house).await;
        let mut ben = Session::visit(&house).await;
        let from = ben.address.clone();
        let id = ben.post(MessageType::Create, &from, inbox.as_str(), sealed("hello"));
        let message = ana.take().await;
        assert_eq!((unsealed(&message).as_str(), &message.to, &message.from), ("hello", &inbox, &from));
        assert_eq!(ben.answer_to(id).await.code, Code::OK, "{wire:?}");
    }
}

#[tokio::test]
async fn a_message_to_nobody_is_answered() {
    let house = House::new().await;
    let mut ben = Session::visit(&house).await;
    for nobody in ["hyperty://a.localhost/nobody", "hyperty://b.localhost/nobody", "comm://a.localhost/nobody"] {
        let answer = ben.ask(MessageType::Create, nobody, sealed("hello")).await;
        assert_eq!(answer.code, Code::NOT_FOUND, "{nobody}");
    }
}

#[tokio::test]
async fn an_inbox_takes_nothing_in_the_clear() {
    let house = House::new().await;
    let (_ana, inbox) = Person::new("ana").settle(&house).await;
    let mut ben = Session::visit(&house).await;
    for open in [
        json!({ "text": "hello" }),
        json!({ "v": 1, "sealed": "aGk", "text": "hello" }),
        json!({ "v": 2, "sealed": "aGk" }),
        json!({ "v": 1, "sealed": "not sealed at all" }),
    ] {
        assert_eq!(ben.ask(MessageType::Create, inbox.as_str(), open).await.code, Code::BAD_REQUEST);
    }
}

#[tokio::test]
async fn mail_waits_in_order_until_it_is_confirmed() {
    for wire in WIRES {
        let house = House::with_wire(wire).await;
        let ana = Person::new("ana");
        let (session, inbox) = ana.settle(&house).await;
        drop(session);
        let mut ben = Session::visit(&house).await;
        wait_until_gone(&house, 1).await;
        for text in ["one", "two", "three"] {
            assert_eq!(ben.deliver(&inbox, text).await.code, Code::ACCEPTED);
        }
        let mut first = Session::open(&house, Role::Member, &ana.device).await;
        assert!(first.registered);
        assert_eq!(unsealed(&first.take().await), "one");
        assert_eq!(unsealed(&first.next().await), "two", "seen but not confirmed");
        first.settled().await;
        drop(first);
        wait_until_gone(&house, 1).await;
        let mut second = Session::open(&house, Role::Member, &ana.device).await;
        assert_eq!(unsealed(&second.take().await), "two");
        assert_eq!(unsealed(&second.take().await), "three");
        second.settled().await;
        drop(second);
        wait_until_gone(&house, 1).await;
        let mut third = Session::open(&house, Role::Member, &ana.device).await;
        assert!(third.link.is_quiet().await, "everything was confirmed: {wire:?}");
    }
}

#[tokio::test]
async fn a_message_on_its_way_is_kept_when_its_recipient_leaves() {
    let house = House::new().await;
    let ana = Person::new("ana");
    let (mut session, inbox) = ana.settle(&house).await;
    let mut ben = Session::visit(&house).await;
    let from = ben.address.clone();
    let id = ben.post(MessageType::Create, &from, inbox.as_str(), sealed("hello"));
    assert_eq!(unsealed(&session.next().await), "hello");
    drop(session);
    assert_eq!(ben.answer_to(id).await.code, Code::ACCEPTED);
    let mut again = Session::open(&house, Role::Member, &ana.device).await;
    assert_eq!(unsealed(&again.take().await), "hello");
}

#[tokio::test]
async fn a_message_the_recipient_cannot_take_now_is_kept() {
    let house = House::new().await;
    let ana = Person::new("ana");
    let (mut session, inbox) = ana.settle(&house).await;
    let mut ben = Session::visit(&house).await;
    let from = ben.address.clone();
    let id = ben.post(MessageType::Create, &from, inbox.as_str(), sealed("hello"));
    let message = session.next().await;
    session.respond(&message, 503);
    assert_eq!(ben.answer_to(id).await.code, Code::ACCEPTED);
    drop(session);
    let mut again = Session::open(&house, Role::Member, &ana.device).await;
    let same = again.take().await;
    assert_eq!((unsealed(&same), same.id), ("hello".into(), message.id), "the same delivery number");
}

#[tokio::test]
async fn a_restart_keeps_mailboxes_accounts_and_registry() {
    let house = House::new().await;
    let ana = Person::new("ana");
    let (session, inbox) = ana.settle(&house).await;
    drop(session);
    wait_until_gone(&house, 0).await;
    let mut ben = Session::visit(&house).await;
    assert_eq!(ben.deliver(&inbox, "hello").await.code, Code::ACCEPTED);
    let house = house.restart().await;
    let mut carl = Session::visit(&house).await;
    let read = json!({ "resource": ana.user() });
    let entry = carl.ask(MessageType::Read, "domain://registry.a.localhost", read).await;
    assert_eq!((entry.code, entry.value["devices"][0]["inbox"].as_str()), (Code::OK, Some(inbox.as_str())));
    let mut again = Session::open(&house, Role::Member, &ana.device).await;
    assert!(again.registered);
    assert_eq!(unsealed(&again.take().await), "hello");
}

#[tokio::test]
async fn a_forged_sender_is_refused_and_counted() {
    for wire in WIRES {
        let house = House::with_wire(wire).await;
        let (ana, inbox) = Person::new("ana").settle(&house).await;
        let mut mallory = Session::visit(&house).await;
        for forged in [inbox.clone(), ana.address.clone(), message::Address::parse("user://a.localhost/ana").unwrap()] {
            let answer = mallory.ask_as(&forged, MessageType::Create, inbox.as_str(), sealed("I am Ana")).await;
            assert_eq!(answer.code, Code::FORBIDDEN, "{wire:?}");
        }
        assert_eq!(house.node.stats().await.forged, 3);
    }
}

#[tokio::test]
async fn a_confirmation_by_somebody_else_does_not_empty_a_mailbox() {
    let house = House::new().await;
    let ana = Person::new("ana");
    let (mut session, inbox) = ana.settle(&house).await;
    let mut ben = Session::visit(&house).await;
    let from = ben.address.clone();
    let id = ben.post(MessageType::Create, &from, inbox.as_str(), sealed("hello"));
    let message = session.next().await;
    let mut mallory = Session::visit(&house).await;
    mallory.respond(&message, 200);
    assert!(ben.link.is_quiet().await, "nobody has confirmed");
    session.respond(&message, 200);
    assert_eq!(ben.answer_to(id).await.code, Code::OK);
}

#[tokio::test]
async fn a_subscription_to_another_address_is_refused() {
    let house = House::new().await;
    let (mut ana, inbox) = Person::new("ana").settle(&house).await;
    let object = ana.allocate("comm", "object").await;
    let changes = format!("{object}/changes");
    let mut mallory = Session::visit(&house).await;
    let sm = "domain://msg-node.a.localhost/sm";
    for foreign in [inbox.as_str(), ana.address.as_str(), &changes] {
        let answer = mallory.ask(MessageType::Subscribe, sm, json!({ "resources": [foreign] })).await;
        assert_eq!(answer.code, Code::FORBIDDEN);
    }
    let answer = ana.ask_as(&object, MessageType::Update, &changes, json!({ "value": 1 })).await;
    assert_eq!(answer.value["heard"], 0);
}

#[tokio::test]
async fn changes_reach_whom_the_owner_lets_in() {
    let house = House::new().await;
    let (mut ana, _) = Person::new("ana").settle(&house).await;
    let object = ana.allocate("comm", "object").await;
    let changes = format!("{object}/changes");
    let mut ben = Session::visit(&house).await;
    let sm = "domain://msg-node.a.localhost/sm";
    let answer = ana.ask(MessageType::Subscribe, sm, json!({ "resources": [object], "allow": [ben.address] })).await;
    assert_eq!(answer.code, Code::OK);
    assert_eq!(ben.ask(MessageType::Subscribe, sm, json!({ "resources": [changes] })).await.code, Code::OK);
    assert_eq!(ana.ask_as(&object, MessageType::Update, &changes, json!({ "version": 1 })).await.value["heard"], 1);
    assert_eq!(ben.next().await.body.as_str(), r#"{"version":1}"#);
    assert_eq!(ben.ask(MessageType::Unsubscribe, sm, json!({ "resources": [changes] })).await.code, Code::OK);
    assert_eq!(ana.ask_as(&object, MessageType::Update, &changes, json!({ "version": 2 })).await.value["heard"], 0);
}

#[tokio::test]
async fn bytes_that_are_no_message_are_answered_where_possible() {
    let house = House::new().await;
    let mut ben = Session::visit(&house).await;
    let unknown =
        json!({ "id": 77, "type": "teleport", "from": ben.address, "to": "domain://registry.a.localhost", "body": {} });
    ben.link.send_bytes(unknown.to_string().into_bytes());
    assert_eq!(ben.answer_to(77).await.code, Code::BAD_REQUEST);
    ben.link.send_bytes(b"{".to_vec());
    assert_eq!(
        ben.ask(MessageType::Read, "domain://registry.a.localhost", json!({ "resource": "user://a.localhost/x" }))
            .await
            .code,
        Code::NOT_FOUND
    );
    assert_eq!(house.node.stats().await.malformed, 2);
}

#[tokio::test]
async fn a_message_beyond_the_limit_ends_the_connection_only() {
    let house = House::new().await;
    let mut ben = Session::visit(&house).await;
    ben.link.send_bytes(vec![b'x'; message::MESSAGE_LIMIT + 1]);
    assert!(matches!(ben.link.hear().await, Heard::Closed(_)));
    Session::visit(&house).await;
    let too_large = crate::common::oidc::http().post(format!("http://127.0.0.1:{}/oidc/token", house.node.port()));
    let response = too_large.body(vec![b'x'; 2 * message::MESSAGE_LIMIT]).send().await.unwrap();
    assert!(response.status().is_client_error());
}

#[tokio::test]
async fn who_comes_again_replaces_the_connection_he_lost() {
    for wire in WIRES {
        let house = House::with_wire(wire).await;
        let key = SigningKey::generate();
        let mut old = Session::open(&house, Role::Visitor, &key).await;
        let _new = Session::open(&house, Role::Visitor, &key).await;
        assert!(matches!(old.link.hear().await, Heard::Closed(409)), "{wire:?}");
    }
}

#[tokio::test]
async fn a_session_that_sends_too_much_is_slowed_down() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = crate::common::config(&folder);
    config.limits.message_burst = 3.0;
    config.limits.messages_per_second = 0.001;
    let house = House { node: node::Node::start(config).await.unwrap(), folder };
    let mut ben = Session::visit(&house).await;
    let mut codes = Vec::new();
    for _ in 0..4 {
        codes.push(ben.deliver(&message::Address::parse("hyperty://a.localhost/x").unwrap(), "x").await.code);
    }
    assert_eq!(codes.last(), Some(&Code::TOO_MANY));
}

/// Waits until the node has noticed that connections ended.
async fn wait_until_gone(house: &House, sessions: usize) {
    for _ in 0..500 {
        if house.node.stats().await.sessions <= sessions {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the node did not notice that a connection ended");
}
