//! The stubs that come with the node, run in the real sandbox against the real node.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use crate::common::{House, Person, Session, WAIT, domain, read_answer, sealed, unsealed};
use keys::SigningKey;
use message::{Address, AddressPattern, Body, Code, Message, MessageType};
use node::{Package, Places, Proof, Role, Wire};
use sandbox::{Engine, Guest, GuestEvent, GuestSpec};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use transport::{Net, NetConfig, Reach};

const WIRES: [Wire; 3] = [Wire::Ws, Wire::Sse, Wire::Sse2];

fn engine() -> Arc<Engine> {
    static ENGINE: OnceLock<Arc<Engine>> = OnceLock::new();
    ENGINE.get_or_init(|| Engine::new().unwrap()).clone()
}

/// The stub of `a.localhost` inside a runtime of `b.localhost`, whose core is this test.
struct Visit {
    guest: Guest,
    events: mpsc::Receiver<GuestEvent>,
    key: SigningKey,
    role: Role,
    last_id: u64,
}

impl Visit {
    fn start(port: u16, wire: Wire, role: Role, key: SigningKey) -> Self {
        let places = Places { domain: domain(), origin: format!("http://a.localhost:{port}") };
        let package = Package::stub_for(wire);
        let net = Net::new(NetConfig { localhost: BTreeMap::from([(domain(), port)]) }).unwrap();
        let address = Address::parse("runtime://b.localhost/protostub/a.localhost").unwrap();
        let mut spec =
            GuestSpec::new("stub", address, package.source()).with_grants(package.draft(&places).unwrap().grants);
        spec.config =
            json!({ "url": places.origin, "domain": "a.localhost", "runtimeURL": "runtime://b.localhost/core" });
        spec.reach = Reach::for_domain(&domain());
        spec.speak_as = ["runtime", "hyperty", "comm", "connection"]
            .map(|scheme| AddressPattern::parse(&format!("{scheme}://a.localhost/*")).unwrap())
            .to_vec();
        let (guest, events) = engine().start(spec, net, tokio::runtime::Handle::current()).unwrap();
        Self { guest, events, key, role, last_id: 0 }
    }

    /// The next message of the stub that is not for the core itself; proves sessions on the way.
    async fn next(&mut self) -> Message {
        loop {
            let event = tokio::time::timeout(WAIT, self.events.recv()).await.expect("the stub does something in time");
            match event.expect("the stub runs") {
                GuestEvent::Message(message) if message.to.as_str() == "runtime://b.localhost/idm" => {
                    self.prove(&message)
                }
                GuestEvent::Message(message) => return message,
                GuestEvent::Stopped(cause) => panic!("the stub stopped: {cause:?}"),
                GuestEvent::Log { text, .. } => eprintln!("stub: {text}"),
                GuestEvent::Ready => {}
            }
        }
    }

    fn prove(&self, message: &Message) {
        let asked: Value = message.body.parse().unwrap();
        assert_eq!(asked["method"], json!("proveSession"));
        assert_eq!(asked["params"]["domain"], json!("a.localhost"));
        let challenge = asked["params"]["challenge"].as_str().unwrap();
        let value = crate::common::proof(self.role, &self.key, challenge);
        let _ = Proof::signed_bytes(&domain(), challenge, self.role);
        self.guest.post(message.response(&message::Response::ok(value))).unwrap();
    }

    /// Waits for a status; gives its body.
    async fn status(&mut self, wanted: &str) -> Value {
        loop {
            let message = self.next().await;
            if message.to.as_str() != "runtime://b.localhost/guests" {
                continue;
            }
            assert_eq!(message.kind, MessageType::Event);
            let body: Value = message.body.parse().unwrap();
            if body["status"] == json!(wanted) {
                return body;
            }
        }
    }

    async fn live(&mut self) -> Address {
        let body = self.status("live").await;
        Address::parse(body["address"].as_str().unwrap()).unwrap()
    }

    fn post(&mut self, kind: MessageType, from: &Address, to: &str, body: Value) -> u64 {
        self.last_id += 1;
        let to = Address::parse(to).unwrap();
        let message = Message { id: self.last_id, kind, from: from.clone(), to, body: Body::of(&body).unwrap() };
        self.guest.post(message).unwrap();
        self.last_id
    }

    async fn answer_to(&mut self, id: u64) -> crate::common::Answer {
        loop {
            let message = self.next().await;
            if message.kind == MessageType::Response && message.id == id {
                return read_answer(&message);
            }
        }
    }
}

#[tokio::test]
async fn a_visitor_looks_somebody_up_and_writes_through_the_stub() {
    for wire in WIRES {
        let house = House::with_wire(wire).await;
        let ana = Person::new("ana");
        let (mut session, inbox) = ana.settle(&house).await;
        let mut visit = Visit::start(house.node.port(), wire, Role::Visitor, SigningKey::generate());
        visit.status("created").await;
        let address = visit.live().await;
        assert!(address.path().starts_with("v-"));
        let id =
            visit.post(MessageType::Read, &address, "domain://registry.a.localhost", json!({ "resource": ana.user() }));
        let entry = visit.answer_to(id).await;
        assert_eq!(entry.value["devices"][0]["inbox"], json!(inbox), "{wire:?}");
        let id = visit.post(MessageType::Create, &address, inbox.as_str(), sealed("grüß dich"));
        assert_eq!(unsealed(&session.take().await), "grüß dich");
        assert_eq!(visit.answer_to(id).await.code, Code::OK, "{wire:?}");
        let id = visit.post(MessageType::Create, &address, "hyperty://a.localhost/nobody", sealed("x"));
        assert_eq!(visit.answer_to(id).await.code, Code::NOT_FOUND);
        visit.guest.stop();
    }
}

#[tokio::test]
async fn a_member_receives_and_confirms_through_the_stub() {
    for wire in WIRES {
        let house = House::with_wire(wire).await;
        let ana = Person::new("ana");
        let (session, inbox) = ana.settle(&house).await;
        drop(session);
        let mut visit =
            Visit::start(house.node.port(), wire, Role::Member, SigningKey::from_bytes(&ana.device.to_bytes()));
        visit.live().await;
        let mut ben = Session::visit(&house).await;
        let from = ben.address.clone();
        let id = ben.post(MessageType::Create, &from, inbox.as_str(), sealed("hello"));
        let delivery = visit.next().await;
        assert_eq!((&delivery.to, &delivery.from, unsealed(&delivery).as_str()), (&inbox, &from, "hello"), "{wire:?}");
        visit.guest.post(delivery.response(&message::Response::code(Code::OK))).unwrap();
        assert_eq!(ben.answer_to(id).await.code, Code::OK, "{wire:?}");
    }
}

#[tokio::test]
async fn messages_wait_in_the_stub_until_the_node_is_there() {
    for wire in WIRES {
        let house = House::with_wire(wire).await;
        let port = house.node.port();
        let folder = house.folder;
        house.node.shutdown().await;
        let key = SigningKey::generate();
        let mut visit = Visit::start(port, wire, Role::Visitor, key);
        visit.status("disconnected").await;
        let guessed = Address::parse("runtime://a.localhost/v-unknown").unwrap();
        // Its true address is not known yet, so only whether it was sent can be seen.
        let id = visit.post(
            MessageType::Read,
            &guessed,
            "domain://registry.a.localhost",
            json!({ "resource": "user://a.localhost/x" }),
        );
        let node = node::Node::start(crate::common::config(&folder).on_port(port)).await.unwrap();
        assert_eq!(
            visit.answer_to(id).await.code,
            Code::FORBIDDEN,
            "{wire:?}: it was sent, and the node refused its sender"
        );
        drop(node);
    }
}

#[tokio::test]
async fn a_stub_says_that_its_protocol_is_over() {
    for wire in [Wire::Ws, Wire::Sse] {
        let house = House::with_wire(wire).await;
        let mut visit = Visit::start(house.node.port(), wire, Role::Visitor, SigningKey::generate());
        let address = visit.live().await;
        house.node.set_wire(Wire::Sse2).await.unwrap();
        assert_eq!(visit.status("failed").await["code"], json!(426), "{wire:?}");
        let id = visit.post(MessageType::Read, &address, "domain://registry.a.localhost", json!({}));
        assert_eq!(visit.answer_to(id).await.code, Code::UPGRADE_REQUIRED);
        // A runtime that was away when it happened finds out when it connects.
        let mut late = Visit::start(house.node.port(), wire, Role::Visitor, SigningKey::generate());
        assert_eq!(late.status("failed").await["code"], json!(426), "{wire:?}");
        let mut next = Visit::start(house.node.port(), Wire::Sse2, Role::Visitor, SigningKey::generate());
        next.live().await;
    }
}

#[tokio::test]
async fn a_stub_comes_back_after_the_node_restarts() {
    for wire in WIRES {
        let house = House::with_wire(wire).await;
        let port = house.node.port();
        let mut visit = Visit::start(port, wire, Role::Visitor, SigningKey::generate());
        let before = visit.live().await;
        let folder = house.folder;
        house.node.shutdown().await;
        visit.status("disconnected").await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let node = node::Node::start(crate::common::config(&folder).on_port(port)).await.unwrap();
        assert_eq!(visit.live().await, before, "the same key, the same address: {wire:?}");
        drop(node);
    }
}

#[tokio::test]
async fn a_stub_has_nothing_to_say_for_itself() {
    let house = House::new().await;
    let mut visit = Visit::start(house.node.port(), Wire::Ws, Role::Visitor, SigningKey::generate());
    let address = visit.live().await;
    let id = visit.post(MessageType::Read, &address, "runtime://b.localhost/protostub/a.localhost", json!({}));
    assert_eq!(visit.answer_to(id).await.code, Code::NOT_FOUND);
}
