//! Mallory: a person with a true account and a program of her own, which follows no rule.

use identity::{DeviceCredential, Enrolled, NewPersona, Sigchain};
use keys::SigningKey;
use lab::Domain;
use message::{Address, Body, Code, Message, MessageType};
use node::{Proof, Role, Wire};
use seal::{Device, GroupId, MemoryVault};
use serde_json::{Value, json};

use crate::oidc;
use crate::stage::BEN;
use crate::wires::{Heard, Link};

pub fn now() -> i64 {
    i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// A session at a Node, spoken by hand.
pub struct Session {
    pub link: Link,
    pub domain: message::Domain,
    pub address: Address,
    last_id: u64,
    aside: Vec<Message>,
}

/// What a Node said to a question.
#[derive(Debug)]
pub struct Said {
    pub code: Code,
    pub value: Value,
}

/// A proof of a session, for any domain and challenge.
pub fn proof(domain: &message::Domain, role: Role, key: &SigningKey, challenge: &str) -> Value {
    let signature = key.sign(&Proof::signed_bytes(domain, challenge, role));
    json!({ "role": role.as_str(), "key": key.verifying_key(), "signature": signature })
}

/// The message that opens a session.
pub fn opening(domain: &message::Domain, body: &Value) -> Message {
    Message {
        id: 1,
        kind: MessageType::Open,
        from: Address::parse(&format!("runtime://visitor.localhost/protostub/{domain}")).unwrap(),
        to: Address::parse(&format!("domain://msg-node.{domain}/session")).unwrap(),
        body: Body::of(body).unwrap(),
    }
}

/// Reads an answer.
pub fn said(message: &Message) -> Said {
    assert_eq!(message.kind, MessageType::Response);
    let body: message::Response = message.body.parse().unwrap();
    Said { code: body.code, value: body.value }
}

impl Session {
    pub async fn open(domain: &Domain, role: Role, key: &SigningKey) -> Self {
        let mut link = Link::connect(domain.node().port(), Wire::Ws).await.unwrap();
        link.send(opening(&domain.name, &proof(&domain.name, role, key, &link.challenge.clone())));
        let Heard::Message(answer) = link.hear().await else { panic!("the session did not open") };
        let answer = said(&answer);
        assert_eq!(answer.code, Code::OK);
        let address = Address::parse(answer.value["address"].as_str().unwrap()).unwrap();
        Self { link, domain: domain.name.clone(), address, last_id: 1, aside: Vec::new() }
    }

    pub async fn visit(domain: &Domain) -> Self {
        Self::open(domain, Role::Visitor, &SigningKey::generate()).await
    }

    pub async fn ask(&mut self, kind: MessageType, to: &str, body: Value) -> Said {
        let from = self.address.clone();
        self.ask_as(&from, kind, to, body).await
    }

    pub async fn ask_as(&mut self, from: &Address, kind: MessageType, to: &str, body: Value) -> Said {
        self.last_id += 1;
        let to = Address::parse(to).unwrap();
        let id = self.last_id;
        self.link.send(Message { id, kind, from: from.clone(), to, body: Body::of(&body).unwrap() });
        loop {
            let Heard::Message(message) = self.link.hear().await else { panic!("the session ended") };
            if message.kind == MessageType::Response && message.id == id {
                return said(&message);
            }
            self.aside.push(message);
        }
    }

    /// The next message that is no answer, confirmed.
    pub async fn next(&mut self) -> Message {
        let message = if self.aside.is_empty() {
            match self.link.hear().await {
                Heard::Message(message) => message,
                Heard::Closed(code) => panic!("the session ended with {code}"),
            }
        } else {
            self.aside.remove(0)
        };
        self.link.send(message.response(&message::Response::code(Code::OK)));
        message
    }

    pub async fn registry(&mut self, kind: MessageType, body: Value) -> Said {
        let to = format!("domain://registry.{}", self.domain);
        self.ask(kind, &to, body).await
    }

    pub async fn allocate(&mut self, scheme: &str) -> Address {
        let body = json!({ "scheme": scheme, "value": { "number": 1, "allocationKey": format!("{scheme}-{}", self.last_id) } });
        let to = format!("domain://msg-node.{}/address-allocation", self.domain);
        let answer = self.ask(MessageType::Create, &to, body).await;
        assert_eq!(answer.code, Code::OK, "{:?}", answer.value);
        Address::parse(answer.value["allocated"][0].as_str().unwrap()).unwrap()
    }

    pub async fn delivers(&mut self, inbox: &str, sealed: &[u8]) -> Code {
        self.ask(MessageType::Create, inbox, json!({ "v": 1, "sealed": keys::b64url(sealed) })).await.code
    }
}

/// What a registry says of somebody with one device.
pub struct Entry {
    pub device: String,
    pub inbox: String,
    pub key_package: Vec<u8>,
}

/// Somebody with a true persona and account.
pub struct Mallory {
    pub me: Enrolled,
    pub session: Session,
    pub user: String,
    pub inbox: Address,
    pub vault: MemoryVault,
    pub device: Device,
    /// What came with the last message she took.
    waiting: std::collections::VecDeque<Vec<u8>>,
}

impl Mallory {
    /// Signs in at the domain's own issuer and takes an account there.
    pub async fn join(domain: &Domain, name: &str) -> Self {
        let persona = NewPersona::create("a laptop", now() + 86_400, None, now() - 5).unwrap();
        let token = oidc::sign_in(domain.node(), "create", name, "correct horse battery", &persona.nonce()).await;
        let cic = persona.cic.text().to_owned();
        let me = persona.finish(&token, now()).unwrap();
        let mut session = Session::open(domain, Role::Member, &me.device).await;
        let user = format!("user://{}/{name}", domain.name);
        let claim = json!({ "user": user, "chain": me.chain.texts(), "cic": cic });
        let account = format!("domain://registry.{}/account", domain.name);
        let answer = session.ask(MessageType::Create, &account, claim).await;
        assert_eq!(answer.code, Code::OK, "{:?}", answer.value);
        let inbox = session.allocate("hyperty").await;
        let credential =
            DeviceCredential::of(&me.chain, &me.device.verifying_key(), &[me.token.hash()], now()).unwrap();
        let device = Device::new(&me.device, credential.encode());
        let mut mallory =
            Self { me, session, user, inbox, vault: MemoryVault::new(), device, waiting: Default::default() };
        mallory.publishes().await;
        mallory
    }

    /// Puts fresh key packages into the registry.
    async fn publishes(&mut self) {
        let package = seal::key_package(&self.vault, &self.device, true).unwrap();
        let packages = [keys::b64url(&package)];
        let value =
            json!({ "user": self.user, "inbox": self.inbox, "keyPackages": packages, "chain": self.me.chain.texts() });
        let answer = self.session.registry(MessageType::Update, json!({ "value": value })).await;
        assert_eq!(answer.code, Code::OK, "{:?}", answer.value);
    }

    pub async fn looks_up(&mut self, user: &str) -> Entry {
        let entry = self.session.registry(MessageType::Read, json!({ "resource": user })).await;
        assert_eq!(entry.code, Code::OK, "{:?}", entry.value);
        let device = &entry.value["devices"][0];
        let text = |name: &str| device[name].as_str().unwrap().to_owned();
        Entry {
            device: text("device"),
            inbox: text("inbox"),
            key_package: keys::from_b64url(&text("keyPackage")).unwrap(),
        }
    }

    /// Somebody's history, as their registry has it.
    pub async fn history(&mut self, user: &str) -> Sigchain {
        let entry = self.session.registry(MessageType::Read, json!({ "resource": user, "packages": false })).await;
        let texts: Vec<String> = serde_json::from_value(entry.value["chain"].clone()).unwrap();
        Sigchain::parse(&texts).unwrap()
    }

    /// Another device of hers, which her history names from now on.
    pub fn another_device(&mut self, name: &str) -> Second {
        let key = SigningKey::generate();
        self.me.chain.add_device(&self.me.irk, key.verifying_key(), name, now() + 86_400, now()).unwrap();
        let credential = DeviceCredential::of(&self.me.chain, &key.verifying_key(), &[], now()).unwrap();
        Second { device: Device::new(&key, credential.encode()), vault: MemoryVault::new(), key }
    }

    /// Tells a member of an object how somebody's history goes on.
    pub async fn tells(&mut self, object: &Object, user: &str, entries: &[String]) -> Code {
        self.says(object, MessageType::Update, "/identity", json!({ "user": user, "entries": entries })).await
    }

    /// Her address, as people write it.
    pub fn handle(&self) -> String {
        message::UserAddress::parse(&self.user).unwrap().handle()
    }

    /// The next sealed message in her inbox.
    pub async fn takes(&mut self) -> Vec<u8> {
        if self.waiting.is_empty() {
            let message = self.session.next().await;
            let body: Value = message.body.parse().unwrap();
            let load = keys::from_b64url(body["sealed"].as_str().unwrap()).unwrap();
            self.waiting.extend(lab::parcels(&load).into_iter().map(|parcel| lab::unpacked(parcel).to_vec()));
        }
        self.waiting.pop_front().unwrap()
    }

    /// An object of somebody else's, in whose group she is.
    pub fn observed(&self, group: GroupId, of: &Entry) -> Object {
        let url = group.as_str().unwrap().to_owned();
        Object { url, group, welcome: Vec::new(), inbox: of.inbox.clone() }
    }

    /// All she shows of herself.
    pub fn introduction(&self) -> Value {
        json!({
            "name": "Mallory",
            "user": self.user,
            "inbox": self.inbox,
            "tokens": [self.me.token.text()],
            "chain": self.me.chain.texts(),
            "device": self.me.device.verifying_key(),
        })
    }

    /// A new object whose group has the victim as a member; the Welcome is delivered.
    pub async fn welcomes(&mut self, scheme: &str, victim: &Entry) -> Object {
        let url = self.session.allocate(scheme).await;
        let object = self.object(url.as_str(), victim);
        assert!(self.session.delivers(&victim.inbox, &object.welcome).await.is_success());
        object
    }

    /// The same, with any address, and nothing delivered yet.
    pub fn object(&self, url: &str, victim: &Entry) -> Object {
        self.object_of(&self.device, url, victim)
    }

    /// The same, from any leaf.
    pub fn object_of(&self, device: &Device, url: &str, victim: &Entry) -> Object {
        let group = GroupId::new(url).unwrap();
        seal::create(&self.vault, device, &group, now()).unwrap();
        let welcome = seal::invite(&self.vault, device, &group, &victim.key_package, &mut |_| Ok(())).unwrap().welcome;
        Object { url: url.to_owned(), group, welcome, inbox: victim.inbox.clone() }
    }

    /// Introduces herself in an object with these words.
    pub async fn introduces(&mut self, object: &Object, introduction: Value) -> Code {
        let body = json!({ "introduction": introduction, "schema": "comm", "value": { "type": "chat" }, "with": BEN });
        self.opens(object, body).await
    }

    /// Introduces an object that is hers, as its only member; `said` is the rest.
    pub async fn opens(&mut self, object: &Object, said: Value) -> Code {
        let lease = seal::lease(&self.vault, &object.group).unwrap();
        let mut body = json!({
            "version": 0,
            "members": [{ "device": self.me.device.verifying_key(), "user": self.user, "inbox": self.inbox }],
            "lease": { "holder": lease.holder, "seq": lease.seq, "until": lease.until },
        });
        body.as_object_mut().unwrap().extend(said.as_object().unwrap().clone());
        self.says(object, MessageType::Create, "/subscription", body).await
    }

    /// How a child of hers is named in an object.
    pub fn child(&self, url: &str, seq: u64) -> String {
        let device = self.me.device.verifying_key().to_string();
        format!("{url}/children/{}-{seq}", keys::base32(&keys::sha256(device.as_bytes())[..16]))
    }

    /// Writes a text.
    pub async fn writes(&mut self, object: &Object, seq: u64, text: &str) -> Code {
        let resource = self.child(&object.url, seq);
        let child =
            json!({ "resource": resource, "seq": seq, "value": { "type": "text", "text": text }, "at": now() * 1000 });
        self.says(object, MessageType::Create, "/children/", child).await
    }

    /// Accepts an invitation of somebody at another domain, in these words.
    pub async fn accepts_at(&self, domain: &Domain, object: &Object, introduction: Value) {
        let (from, to) = (Address::parse(&object.url).unwrap(), format!("{}/subscription", object.url));
        let body = Body::of(&json!({ "introduction": introduction })).unwrap();
        let inner = Message { id: 0, kind: MessageType::Subscribe, from, to: Address::parse(&to).unwrap(), body };
        let sealed = seal::seal(&self.vault, &self.device, &object.group, inner.to_json().as_bytes()).unwrap();
        let code = Session::visit(domain).await.delivers(&object.inbox, &sealed).await;
        assert!(code.is_success());
    }

    /// Says anything in an object.
    pub async fn says(&mut self, object: &Object, kind: MessageType, part: &str, body: Value) -> Code {
        let to = format!("{}{part}", object.url);
        self.says_to(object, kind, &object.url, &to, body).await
    }

    /// Says anything to anybody, sealed for the group of this object.
    pub async fn says_to(&mut self, object: &Object, kind: MessageType, from: &str, to: &str, body: Value) -> Code {
        let (from, to) = (Address::parse(from).unwrap(), Address::parse(to).unwrap());
        let inner = Message { id: 0, kind, from, to, body: Body::of(&body).unwrap() };
        let sealed = seal::seal(&self.vault, &self.device, &object.group, inner.to_json().as_bytes()).unwrap();
        self.session.delivers(&object.inbox, &sealed).await
    }
}

/// A second device of somebody's.
pub struct Second {
    pub key: SigningKey,
    pub device: Device,
    pub vault: MemoryVault,
}

impl Second {
    /// Seals anything for an object.
    pub fn says(&self, object: &Object, from: &str, kind: MessageType, part: &str, body: &Value) -> Vec<u8> {
        let (from, to) = (Address::parse(from).unwrap(), Address::parse(&format!("{}{part}", object.url)).unwrap());
        let inner = Message { id: 0, kind, from, to, body: Body::of(body).unwrap() };
        seal::seal(&self.vault, &self.device, &object.group, inner.to_json().as_bytes()).unwrap()
    }

    /// A text, sealed.
    pub fn writes(&self, object: &Object, user: &str, seq: u64, text: &str) -> Vec<u8> {
        let device = self.key.verifying_key().to_string();
        let tag = keys::base32(&keys::sha256(device.as_bytes())[..16]);
        let child = json!({
            "resource": format!("{}/children/{tag}-{seq}", object.url),
            "seq": seq,
            "value": { "type": "text", "text": text },
            "at": now() * 1000,
        });
        self.says(object, user, MessageType::Create, "/children/", &child)
    }
}

/// An object of Mallory's.
pub struct Object {
    pub url: String,
    pub group: GroupId,
    pub welcome: Vec<u8>,
    pub inbox: String,
}
