//! A small runtime for tests: speaks every wire, proves keys, signs in.

#![allow(clippy::unwrap_used, reason = "a story that cannot go on has failed")]
#![allow(dead_code, reason = "every test file uses another part of it")]

pub mod nats;
pub mod oidc;
pub mod program;
pub mod wires;

use std::time::Duration;

use identity::Sigchain;
use keys::SigningKey;
use message::{Address, Body, Code, Domain, Message, MessageType};
use node::{Node, NodeConfig, Proof, Role, RunningNode, Wire};
use serde_json::{Value, json};
use tempfile::TempDir;
pub use wires::{Heard, Link};

pub const WAIT: Duration = Duration::from_secs(10);

pub fn domain() -> Domain {
    Domain::parse("a.localhost").unwrap()
}

pub fn now_s() -> i64 {
    let elapsed = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap();
    i64::try_from(elapsed.as_secs()).unwrap()
}

/// A node with its folder.
pub struct House {
    pub node: RunningNode,
    pub folder: TempDir,
}

impl House {
    pub async fn with_wire(wire: Wire) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let node = Node::start(config(&folder).with_wire(wire)).await.unwrap();
        Self { node, folder }
    }

    pub async fn new() -> Self {
        Self::with_wire(Wire::Ws).await
    }

    /// Stops the node and starts it again on the same folder.
    pub async fn restart(self) -> Self {
        self.node.shutdown().await;
        let node = Node::start(config(&self.folder)).await.unwrap();
        Self { node, folder: self.folder }
    }

    pub fn wire(&self) -> Wire {
        self.node.admin().wire()
    }
}

pub fn config(folder: &TempDir) -> NodeConfig {
    NodeConfig::new(domain(), folder.path())
}

/// A person with a persona and one device.
pub struct Person {
    pub name: String,
    pub irk: SigningKey,
    pub device: SigningKey,
    pub chain: Sigchain,
}

impl Person {
    pub fn new(name: &str) -> Self {
        let (irk, device) = (SigningKey::generate(), SigningKey::generate());
        let mut chain = Sigchain::create(&irk, None, now_s());
        chain.add_device(&irk, device.verifying_key(), "laptop", now_s() + 86_400, now_s()).unwrap();
        Self { name: name.into(), irk, device, chain }
    }

    pub fn user(&self) -> String {
        format!("user://{}/{}", domain(), self.name)
    }

    /// A member's session with an account.
    pub async fn join(&self, house: &House) -> Session {
        let mut session = Session::open(house, Role::Member, &self.device).await;
        let answer = session.ask(MessageType::Create, "domain://registry.a.localhost/account", self.claim()).await;
        assert_eq!(answer.code, Code::OK, "{:?}", answer.description);
        session
    }

    /// The same with an inbox that the registry names.
    pub async fn settle(&self, house: &House) -> (Session, Address) {
        let mut session = self.join(house).await;
        let inbox = session.allocate("hyperty", "inbox").await;
        let value = json!({ "user": self.user(), "inbox": inbox, "keyPackages": [keys::b64url(b"package")] });
        let answer = session.ask(MessageType::Update, "domain://registry.a.localhost", json!({ "value": value })).await;
        assert_eq!(answer.code, Code::OK, "{:?}", answer.description);
        (session, inbox)
    }

    pub fn claim(&self) -> Value {
        json!({ "user": self.user(), "chain": self.chain.texts() })
    }
}

pub struct Answer {
    pub code: Code,
    pub description: Option<String>,
    pub value: Value,
}

/// One proven session.
pub struct Session {
    pub link: Link,
    pub address: Address,
    pub registered: bool,
    last_id: u64,
    aside: Vec<Message>,
}

pub fn proof(role: Role, key: &SigningKey, challenge: &str) -> Value {
    let signature = key.sign(&Proof::signed_bytes(&domain(), challenge, role));
    json!({ "role": role.as_str(), "key": key.verifying_key(), "signature": signature })
}

pub fn open_message(body: &Value) -> Message {
    Message {
        id: 1,
        kind: MessageType::Open,
        from: Address::parse("runtime://visitor.localhost/protostub/a.localhost").unwrap(),
        to: Address::parse("domain://msg-node.a.localhost/session").unwrap(),
        body: Body::of(body).unwrap(),
    }
}

impl Session {
    pub async fn open(house: &House, role: Role, key: &SigningKey) -> Self {
        Self::open_at(house.node.port(), house.wire(), role, key).await.expect("the session opens")
    }

    /// The same at a node that may not be there.
    pub async fn open_at(port: u16, wire: Wire, role: Role, key: &SigningKey) -> Option<Self> {
        let mut link = Link::connect(port, wire).await.ok()?;
        link.send(open_message(&proof(role, key, &link.challenge.clone())));
        let Heard::Message(answer) = link.hear().await else { return None };
        let answer = read_answer(&answer);
        assert_eq!(answer.code, Code::OK, "{:?}", answer.description);
        let address = Address::parse(answer.value["address"].as_str().unwrap()).unwrap();
        let registered = answer.value["registered"].as_bool().unwrap();
        Some(Self { link, address, registered, last_id: 1, aside: Vec::new() })
    }

    pub async fn visit(house: &House) -> Self {
        Self::open(house, Role::Visitor, &SigningKey::generate()).await
    }

    pub fn post(&mut self, kind: MessageType, from: &Address, to: &str, body: Value) -> u64 {
        self.last_id += 1;
        let to = Address::parse(to).unwrap();
        self.link.send(Message { id: self.last_id, kind, from: from.clone(), to, body: Body::of(&body).unwrap() });
        self.last_id
    }

    /// Sends a request and waits for its answer; other messages are put aside.
    pub async fn ask(&mut self, kind: MessageType, to: &str, body: Value) -> Answer {
        let from = self.address.clone();
        self.ask_as(&from, kind, to, body).await
    }

    pub async fn ask_as(&mut self, from: &Address, kind: MessageType, to: &str, body: Value) -> Answer {
        let id = self.post(kind, from, to, body);
        self.answer_to(id).await
    }

    pub async fn answer_to(&mut self, id: u64) -> Answer {
        let is_it = |message: &Message| message.kind == MessageType::Response && message.id == id;
        if let Some(at) = self.aside.iter().position(is_it) {
            return read_answer(&self.aside.remove(at));
        }
        loop {
            let Heard::Message(message) = self.link.hear().await else { panic!("the session ended before its answer") };
            if message.kind == MessageType::Response && message.id == id {
                return read_answer(&message);
            }
            self.aside.push(message);
        }
    }

    /// The next message that is no answer to a question of ours.
    pub async fn next(&mut self) -> Message {
        if !self.aside.is_empty() {
            return self.aside.remove(0);
        }
        match self.link.hear().await {
            Heard::Message(message) => message,
            Heard::Closed(code) => panic!("the session ended with {code:?}"),
        }
    }

    /// Takes the next delivery and confirms it.
    pub async fn take(&mut self) -> Message {
        let message = self.next().await;
        self.respond(&message, 200);
        message
    }

    pub fn respond(&mut self, message: &Message, code: u16) {
        self.link.send(message.response(&message::Response::code(Code(code))));
    }

    /// Waits until the node has read everything sent so far.
    pub async fn settled(&mut self) {
        self.ask(MessageType::Open, "domain://msg-node.a.localhost/session", json!({})).await;
    }

    pub async fn allocate(&mut self, scheme: &str, key: &str) -> Address {
        let body = json!({ "scheme": scheme, "value": { "number": 1, "allocationKey": key } });
        let answer = self.ask(MessageType::Create, "domain://msg-node.a.localhost/address-allocation", body).await;
        assert_eq!(answer.code, Code::OK, "{:?}", answer.description);
        Address::parse(answer.value["allocated"][0].as_str().unwrap()).unwrap()
    }

    pub async fn deliver(&mut self, inbox: &Address, text: &str) -> Answer {
        self.ask(MessageType::Create, inbox.as_str(), sealed(text)).await
    }
}

pub fn sealed(text: &str) -> Value {
    json!({ "v": 1, "sealed": keys::b64url(text.as_bytes()) })
}

pub fn unsealed(message: &Message) -> String {
    let body: Value = message.body.parse().unwrap();
    String::from_utf8(keys::from_b64url(body["sealed"].as_str().unwrap()).unwrap()).unwrap()
}

pub fn read_answer(message: &Message) -> Answer {
    assert_eq!(message.kind, MessageType::Response);
    let body: message::Response = message.body.parse().unwrap();
    Answer { code: body.code, description: body.description, value: body.value }
}
