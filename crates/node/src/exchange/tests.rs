//! Stories of the message node without a socket, at the speed of thought.

mod blobs;
mod devices;
mod gate;
mod linking;
mod relays;
mod reset;

use std::net::{IpAddr, Ipv4Addr};

use keys::SigningKey;
use message::{Address, Body, Code, Domain, Message, MessageType, Response};
use serde_json::{Value, json};

use super::{ConnectError, Exchange, Output, Proof, Role, SessionId};
use crate::config::Registration;
use crate::limits::{CONFIRM_MS, Limits, MAILBOX_AGE_MS, PROOF_MS, RESEND_MS, WINDOW_MESSAGES};
use crate::records::{Person, Records};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const NOW: i64 = 1_800_000_000_000;

struct World {
    exchange: Exchange,
    now: i64,
    sent: Vec<Output>,
}

/// A member with an inbox.
struct Member {
    key: SigningKey,
    session: SessionId,
    inbox: Address,
    address: Address,
    user: String,
    irk: SigningKey,
    chain: identity::Sigchain,
}

impl World {
    fn new(limits: Limits) -> Self {
        let domain = Domain::parse("a.localhost").unwrap();
        let exchange = Exchange::new(domain, Registration::Open, limits, Records::in_memory().unwrap()).unwrap();
        Self { exchange, now: NOW, sent: Vec::new() }
    }

    fn open(&mut self, role: Role, key: &SigningKey) -> (SessionId, Address) {
        let (session, challenge) = self.exchange.connect(PEER, self.now).unwrap();
        let domain = Domain::parse("a.localhost").unwrap();
        let signature = key.sign(&Proof::signed_bytes(&domain, &challenge, role));
        let body = json!({ "role": role.as_str(), "key": key.verifying_key(), "signature": signature });
        let from = Address::parse("runtime://b.localhost/x").unwrap();
        let answer = self.ask(session, MessageType::Open, &from, "domain://msg-node.a.localhost/session", &body);
        (session, Address::parse(answer["value"]["address"].as_str().unwrap()).unwrap())
    }

    fn visitor(&mut self) -> (SessionId, Address) {
        self.open(Role::Visitor, &SigningKey::generate())
    }

    fn member(&mut self, name: &str) -> Member {
        self.member_with(name, false)
    }

    /// A member whom the domain's own issuer vouches for, or nobody.
    fn member_with(&mut self, name: &str, vouched: bool) -> Member {
        let (irk, key) = (SigningKey::generate(), SigningKey::generate());
        let now_s = self.now / 1000;
        let mut chain = identity::Sigchain::create(&irk, None, now_s);
        let (pkt_hash, iss) = (identity::Digest::of(name.as_bytes()), "https://i.example".to_owned());
        chain.attest(&irk, identity::Attest { pkt_hash, iss, sub: name.into(), until: now_s + 86_400 }, now_s).unwrap();
        chain.add_device(&irk, key.verifying_key(), "laptop", now_s + 300 * 86_400, now_s).unwrap();
        let (session, from) = self.open(Role::Member, &key);
        let mut claim = json!({ "user": format!("user://a.localhost/{name}"), "chain": chain.texts() });
        if vouched {
            let cic = identity::Cic::new(irk.verifying_key(), chain.genesis_hash());
            let params = String::new();
            let person = Person { name: name.into(), shown: name.into(), params, hash: Vec::new() };
            assert!(self.exchange.records().add_person(&person, self.now).unwrap());
            self.exchange.records().signed_nonce(name, &cic.nonce(), self.now).unwrap();
            claim["cic"] = json!(cic.text());
        }
        let answer = self.ask(session, MessageType::Create, &from, "domain://registry.a.localhost/account", &claim);
        assert_eq!(answer["code"], 200);
        let wish = json!({ "scheme": "hyperty", "value": { "number": 1, "allocationKey": "inbox" } });
        let answer =
            self.ask(session, MessageType::Create, &from, "domain://msg-node.a.localhost/address-allocation", &wish);
        let inbox = Address::parse(answer["value"]["allocated"][0].as_str().unwrap()).unwrap();
        let user = format!("user://a.localhost/{name}");
        Member { key, session, inbox, address: from, user, irk, chain }
    }

    fn post(&mut self, session: SessionId, id: u64, kind: MessageType, from: &Address, to: &str, body: &Value) {
        let message =
            Message { id, kind, from: from.clone(), to: Address::parse(to).unwrap(), body: Body::of(body).unwrap() };
        self.exchange.receive(session, message, self.now).unwrap();
        self.sent.extend(self.exchange.take_outputs());
    }

    fn ask(&mut self, session: SessionId, kind: MessageType, from: &Address, to: &str, body: &Value) -> Value {
        self.sent.clear();
        self.post(session, 7, kind, from, to, body);
        let answers = |output: &Output| matches!(output, Output::Send { session: to, message } if *to == session && message.kind == MessageType::Response);
        let at = self.sent.iter().position(answers).expect("every request is answered");
        let Output::Send { message, .. } = self.sent.remove(at) else { unreachable!() };
        message.body.parse().unwrap()
    }

    fn deliver(&mut self, visitor: &(SessionId, Address), id: u64, inbox: &Address) {
        let body = json!({ "v": 1, "sealed": "aGVsbG8" });
        self.post(visitor.0, id, MessageType::Create, &visitor.1.clone(), inbox.as_str(), &body);
    }

    fn confirm(&mut self, session: SessionId, message: &Message, code: Code) {
        self.exchange.receive(session, message.response(&Response::code(code)), self.now).unwrap();
        self.sent.extend(self.exchange.take_outputs());
    }

    fn tick(&mut self, by_ms: i64) {
        self.now += by_ms;
        self.exchange.tick(self.now).unwrap();
        self.sent.extend(self.exchange.take_outputs());
    }

    fn leave(&mut self, session: SessionId) {
        self.exchange.disconnect(session, self.now).unwrap();
        self.sent.extend(self.exchange.take_outputs());
    }

    /// Takes what was sent to a session.
    fn heard(&mut self, session: SessionId) -> Vec<Message> {
        let mut heard = Vec::new();
        self.sent.retain(|output| match output {
            Output::Send { session: to, message } if *to == session => {
                heard.push(message.clone());
                false
            }
            _ => true,
        });
        heard
    }

    fn codes(&mut self, session: SessionId) -> Vec<u16> {
        self.heard(session).iter().filter_map(|message| Some(message.response_code()?.0)).collect()
    }
}

#[test]
fn a_recipient_who_does_not_confirm_in_time_gets_the_message_again() {
    let mut world = World::new(Limits::default());
    let ana = world.member("ana");
    let ben = world.visitor();
    world.deliver(&ben, 1, &ana.inbox);
    let first = world.heard(ana.session);
    assert!(world.codes(ben.0).is_empty(), "nobody has confirmed");
    world.tick(CONFIRM_MS);
    assert_eq!(world.codes(ben.0), [202], "kept on disk instead");
    world.tick(RESEND_MS);
    assert_eq!(world.heard(ana.session), first, "the same message under the same number");
    world.confirm(ana.session, &first[0], Code::OK);
    world.tick(RESEND_MS);
    assert!(world.heard(ana.session).is_empty());
    let (again, _) = world.open(Role::Member, &ana.key);
    assert!(world.heard(again).is_empty(), "confirmed for good");
}

#[test]
fn messages_beyond_the_window_wait_and_keep_their_order() {
    let mut world = World::new(Limits::laboratory());
    let ana = world.member("ana");
    let ben = world.visitor();
    let total = WINDOW_MESSAGES as u64 + 100;
    for id in 1..=total {
        world.deliver(&ben, id, &ana.inbox);
    }
    assert_eq!(world.codes(ben.0), vec![202; 100], "what does not fit is kept");
    let mut seen = Vec::new();
    loop {
        let heard = world.heard(ana.session);
        if heard.is_empty() {
            break;
        }
        for message in heard {
            seen.push(message.id);
            world.confirm(ana.session, &message, Code::OK);
        }
    }
    assert_eq!(seen.len() as u64, total);
    assert!(seen.is_sorted(), "in the order in which they were taken");
    assert_eq!(world.codes(ben.0), vec![200; WINDOW_MESSAGES]);
}

#[test]
fn what_a_recipient_refuses_is_not_brought_again() {
    let mut world = World::new(Limits::default());
    let ana = world.member("ana");
    let ben = world.visitor();
    world.deliver(&ben, 1, &ana.inbox);
    let message = world.heard(ana.session).remove(0);
    world.confirm(ana.session, &message, Code::FORBIDDEN);
    assert_eq!(world.codes(ben.0), [200], "what she thinks of it is not the node's to tell");
    let (again, _) = world.open(Role::Member, &ana.key);
    assert!(world.heard(again).is_empty());
}

#[test]
fn old_mail_is_thrown_away() {
    let mut world = World::new(Limits::default());
    let ana = world.member("ana");
    let ben = world.visitor();
    world.leave(ana.session);
    world.deliver(&ben, 1, &ana.inbox);
    assert_eq!(world.codes(ben.0), [202]);
    world.tick(MAILBOX_AGE_MS + 1);
    let (again, _) = world.open(Role::Member, &ana.key);
    assert!(world.heard(again).is_empty());
}

#[test]
fn a_full_inbox_says_so() {
    let mut world = World::new(Limits::laboratory());
    let ana = world.member("ana");
    let ben = world.visitor();
    world.leave(ana.session);
    let big = json!({ "v": 1, "sealed": "A".repeat(1024 * 1000) });
    let mut codes = Vec::new();
    for id in 1..=70 {
        world.post(ben.0, id, MessageType::Create, &ben.1.clone(), ana.inbox.as_str(), &big);
        codes.extend(world.codes(ben.0));
    }
    assert_eq!(codes.iter().filter(|code| **code == 202).count(), 65);
    assert_eq!(codes.last(), Some(&507));
}

#[test]
fn who_does_not_prove_a_key_is_put_out() {
    let mut world = World::new(Limits::default());
    let (session, _) = world.exchange.connect(PEER, world.now).unwrap();
    world.tick(PROOF_MS);
    assert_eq!(world.sent, [Output::Close { session, code: Code::TIMEOUT }]);
    assert_eq!(world.exchange.stats().sessions, 0);
}

#[test]
fn one_network_address_begins_only_so_many_sessions() {
    let mut world = World::new(Limits { connects_per_minute: 2, sessions: 3, ..Limits::default() });
    assert!(world.exchange.connect(PEER, NOW).is_ok() && world.exchange.connect(PEER, NOW).is_ok());
    assert_eq!(world.exchange.connect(PEER, NOW), Err(ConnectError::TooOften));
    assert!(world.exchange.connect(PEER, NOW + 60_000).is_ok());
    let other = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));
    assert_eq!(world.exchange.connect(other, NOW + 60_000), Err(ConnectError::Full));
}

#[test]
fn a_released_address_takes_no_more_mail() {
    let mut world = World::new(Limits::default());
    let ana = world.member("ana");
    let ben = world.visitor();
    let own = world.exchange.proven(ana.session).unwrap().address.clone();
    let to = "domain://msg-node.a.localhost/address-allocation";
    let body = json!({ "resources": [ana.inbox] });
    assert_eq!(world.ask(ana.session, MessageType::Delete, &own, to, &body)["code"], 200);
    world.deliver(&ben, 1, &ana.inbox);
    assert_eq!(world.codes(ben.0), [404]);
}

#[test]
fn who_gave_an_address_back_can_have_another() {
    let mut world = World::new(Limits::default());
    let ana = world.member("ana");
    let own = world.exchange.proven(ana.session).unwrap().address.clone();
    let to = "domain://msg-node.a.localhost/address-allocation";
    let wish = json!({ "scheme": "hyperty", "value": { "number": 3, "allocationKey": "inbox" } });
    let first = world.ask(ana.session, MessageType::Create, &own, to, &wish)["value"]["allocated"].clone();
    let body = json!({ "resources": [first[1]] });
    assert_eq!(world.ask(ana.session, MessageType::Delete, &own, to, &body)["code"], 200);
    let second = world.ask(ana.session, MessageType::Create, &own, to, &wish)["value"]["allocated"].clone();
    assert_eq!((&second[0], &second[1]), (&first[0], &first[2]), "what was not given back stays");
    assert_ne!(second[2], first[1]);
}

#[test]
fn a_request_to_somebody_away_is_answered_at_once() {
    let mut world = World::new(Limits::default());
    let ana = world.member("ana");
    let ben = world.visitor();
    world.leave(ana.session);
    let answer = world.ask(ben.0, MessageType::Read, &ben.1.clone(), ana.inbox.as_str(), &json!({}));
    assert_eq!(answer["code"], 503);
}
