//! A small stage for guests: an engine, a network, and helpers to talk to one guest.
#![allow(
    dead_code,
    clippy::unwrap_used,
    reason = "each test file uses a part of the stage, and a test may fail loudly"
)]

use std::sync::Arc;
use std::time::Duration;

use message::{Address, AddressPattern, Body, Grants, Message, MessageType};
use sandbox::{Engine, Guest, GuestEvent, GuestSpec, StopCause};
use tokio::runtime::Handle;
use tokio::sync::mpsc::Receiver;
use tokio::time::timeout;
use transport::{Net, NetConfig};

/// The address of the guest under test.
pub const GUEST: &str = "hyperty://a.localhost/guest";

/// Who talks to it.
pub const APP: &str = "runtime://a.localhost/ua";

/// How long a test waits before it gives up.
pub const PATIENCE: Duration = Duration::from_secs(20);

pub fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

pub fn engine() -> Arc<Engine> {
    Engine::new().unwrap()
}

pub fn net() -> Net {
    Net::new(NetConfig::default()).unwrap()
}

/// May speak to anyone and set timers.
pub fn talkative() -> Grants {
    Grants { speak_to: vec![AddressPattern::parse("*").unwrap()], timers: true, ..Grants::none() }
}

/// A guest that runs `body` for each message, with `message`, `reply` and `bus` at hand.
pub fn on_message(body: &str) -> String {
    format!(
        "function activate(url, bus, config) {{
           bus.addListener(url, (message, reply) => {{ {body} }});
           return {{ name: 'test', instance: {{}} }};
         }}"
    )
}

pub struct Actor {
    pub guest: Guest,
    pub events: Receiver<GuestEvent>,
    pub logs: Vec<String>,
}

impl Actor {
    pub fn start(engine: &Arc<Engine>, spec: GuestSpec) -> Self {
        let (guest, events) = engine.start(spec, net(), Handle::current()).unwrap();
        Self { guest, events, logs: Vec::new() }
    }

    /// A talkative guest of this source that has become ready.
    pub async fn ready(engine: &Arc<Engine>, source: &str) -> Self {
        Self::ready_with(engine, spec(source)).await
    }

    pub async fn ready_with(engine: &Arc<Engine>, spec: GuestSpec) -> Self {
        let mut actor = Self::start(engine, spec);
        assert_eq!(actor.next().await, GuestEvent::Ready, "{:?}", actor.logs);
        actor
    }

    /// The next event that is no log line.
    pub async fn next(&mut self) -> GuestEvent {
        loop {
            match timeout(PATIENCE, self.events.recv()).await.expect("the guest was silent").expect("the guest is gone")
            {
                GuestEvent::Log { text, .. } => self.logs.push(text),
                event => return event,
            }
        }
    }

    /// The next message.
    pub async fn message(&mut self) -> Message {
        match self.next().await {
            GuestEvent::Message(message) => message,
            other => panic!("{other:?} instead of a message; {:?}", self.logs),
        }
    }

    pub async fn stopped(&mut self) -> StopCause {
        loop {
            if let GuestEvent::Stopped(cause) = self.next().await {
                return cause;
            }
        }
    }

    pub fn post(&self, body: &str) {
        self.guest.post(request(1, body)).unwrap();
    }

    /// Asks, and gives the body of the answer.
    pub async fn ask(&mut self, body: &str) -> serde_json::Value {
        self.post(body);
        self.answer().await
    }

    pub async fn answer(&mut self) -> serde_json::Value {
        let answer = self.message().await;
        assert_eq!(answer.kind, MessageType::Response);
        answer.body.parse().unwrap()
    }
}

pub fn spec(source: &str) -> GuestSpec {
    GuestSpec::new("test", address(GUEST), source).with_grants(talkative())
}

pub fn request(id: u64, body: &str) -> Message {
    Message {
        id,
        kind: MessageType::Execute,
        from: address(APP),
        to: address(GUEST),
        body: Body::from_json(body).unwrap(),
    }
}
