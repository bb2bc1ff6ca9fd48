//! A message node under whatever its sessions send: each line is a session's letter and a message.
#![no_main]

use std::net::{IpAddr, Ipv4Addr};
use std::sync::LazyLock;

use fuzz::NOW;
use identity::Sigchain;
use keys::SigningKey;
use libfuzzer_sys::fuzz_target;
use message::{Address, Body, Domain, MESSAGE_LIMIT, Message, MessageType};
use node::{Exchange, Limits, Output, Proof, Records, Registration, Role, SessionId};
use serde_json::{Value, json};

const PEER: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const LINES: usize = 64;

/// Alice's chain; signing it anew for each input would be most of the work.
static CHAIN: LazyLock<Vec<String>> = LazyLock::new(|| {
    let mut chain = Sigchain::create(&fuzz::key(9), None, NOW);
    chain.add_device(&fuzz::key(9), fuzz::key(1).verifying_key(), "laptop", NOW + 86_400, NOW).expect("a device");
    chain.texts()
});

/// `a`lice has an account, `n`ew has none yet, `v`isits, and `u`nknown has not proven a key.
struct World {
    exchange: Exchange,
    now_ms: i64,
    sessions: [(u8, SessionId); 4],
    /// What stands for the addresses, which are made of random numbers.
    places: Vec<(&'static str, String)>,
}

fuzz_target!(|data: &[u8]| {
    let Some(text) = fuzz::text(data) else { return };
    let mut world = World::new();
    for line in text.lines().take(LINES) {
        world.step(line);
    }
});

impl World {
    fn new() -> Self {
        let domain = Domain::parse("a.localhost").expect("a host name");
        let records = Records::in_memory().expect("a database in memory");
        let exchange = Exchange::new(domain, Registration::Open, Limits::laboratory(), records).expect("a node");
        let nobody = SessionId(0);
        let mut world = Self { exchange, now_ms: NOW * 1000, sessions: [(0, nobody); 4], places: Vec::new() };
        let (alice, a) = world.open(Role::Member, &fuzz::key(1));
        let (new, n) = world.open(Role::Member, &fuzz::key(2));
        let (visitor, v) = world.open(Role::Visitor, &fuzz::key(3));
        let (unknown, _) = world.exchange.connect(PEER, world.now_ms).expect("room for a session");
        world.sessions = [(b'a', alice), (b'n', new), (b'v', visitor), (b'u', unknown)];
        let claim = json!({ "user": "user://a.localhost/alice", "chain": *CHAIN });
        world.ask(alice, MessageType::Create, &a, "domain://registry.a.localhost/account", &claim);
        let wish = json!({ "scheme": "hyperty", "value": { "number": 1, "allocationKey": "inbox" } });
        let got = world.ask(alice, MessageType::Create, &a, "domain://msg-node.a.localhost/address-allocation", &wish);
        let inbox = got["value"]["allocated"][0].as_str().expect("an inbox").to_owned();
        world.places = vec![("{a}", a), ("{n}", n), ("{v}", v), ("{i}", inbox)];
        world
    }

    fn open(&mut self, role: Role, key: &SigningKey) -> (SessionId, String) {
        let (session, challenge) = self.exchange.connect(PEER, self.now_ms).expect("room for a session");
        let domain = Domain::parse("a.localhost").expect("a host name");
        let signature = key.sign(&Proof::signed_bytes(&domain, &challenge, role));
        let body = json!({ "role": role.as_str(), "key": key.verifying_key(), "signature": signature });
        let to = "domain://msg-node.a.localhost/session";
        let answer = self.ask(session, MessageType::Open, "runtime://b.localhost/x", to, &body);
        (session, answer["value"]["address"].as_str().expect("an address").to_owned())
    }

    fn ask(&mut self, session: SessionId, kind: MessageType, from: &str, to: &str, body: &Value) -> Value {
        let address = |text| Address::parse(text).expect("an address");
        let body = Body::of(body).expect("a body");
        let message = Message { id: 7, kind, from: address(from), to: address(to), body };
        self.exchange.receive(session, message, self.now_ms).expect("the records hold");
        let answer = self.exchange.take_outputs().into_iter().find_map(|output| match output {
            Output::Send { session: to, message } if to == session => Some(message),
            _ => None,
        });
        answer.and_then(|message| message.body.parse().ok()).unwrap_or_default()
    }

    fn step(&mut self, line: &str) {
        let Some((who, rest)) = line.split_at_checked(1) else { return };
        let who = who.as_bytes()[0];
        match self.sessions.iter().find(|(letter, _)| *letter == who).copied() {
            Some((_, session)) if rest.trim().is_empty() => {
                self.exchange.disconnect(session, self.now_ms).expect("the records hold");
            }
            Some((_, session)) => self.send(session, rest),
            None => {
                self.now_ms += rest.trim().parse::<u32>().map_or(0, i64::from);
                self.exchange.tick(self.now_ms).expect("the records hold");
            }
        }
        self.judge();
    }

    fn send(&mut self, session: SessionId, text: &str) {
        let mut text = text.to_owned();
        for (name, place) in &self.places {
            text = text.replace(name, place);
        }
        match Message::from_json(text.as_bytes()) {
            // A stranger's words never make the records fail: that would end everybody's session.
            Ok(message) => self.exchange.receive(session, message, self.now_ms).expect("the records hold"),
            Err(error) => drop(node::fuzzing::answer_malformed(text.as_bytes(), &error)),
        }
    }

    fn judge(&mut self) {
        for output in self.exchange.take_outputs() {
            if let Output::Send { message, .. } = output {
                let json = message.to_json();
                assert!(json.len() <= MESSAGE_LIMIT);
                assert_eq!(Message::from_json(json.as_bytes()), Ok(message), "the node sends what it would read");
            }
        }
        assert!(self.exchange.stats().sessions <= self.sessions.len());
    }
}
