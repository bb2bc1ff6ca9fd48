//! Two guests in two sandboxes that send each other messages over the bus of their runtime.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bus::{Action, Bus, Place, PortId, PortKind};
use message::{Address, AddressPattern, Body, Domain, Grants, Message, MessageType};
use policy::{Case, Policy, Rules};
use sandbox::{Engine, Guest, GuestEvent, GuestSpec};
use tokio::runtime::Handle;
use tokio::sync::mpsc::Receiver;
use transport::{Net, NetConfig};

use crate::Failed;

/// Bytes of a message's body.
pub(crate) const BODY_BYTES: usize = 300;

/// Messages that are on the way at any time; what a runtime lets wait for a guest is four times as much.
const WINDOW: u64 = 256;

/// Events taken from a guest at once.
const BATCH: usize = 256;

/// Sends back what comes, reading only from and to.
pub(crate) const ECHO: &str = "function activate(url, bus) {
  bus.addListener(url, (message) => {
    const other = message.from;
    message.from = message.to;
    message.to = other;
    bus.postMessage(message);
  });
  return {};
}";

/// Reads the body of what comes, and answers with another one.
pub(crate) const PARSE: &str = "function activate(url, bus) {
  bus.addListener(url, ({ id, type, from, to, body }) => {
    body.count += 1;
    bus.postMessage({ id, type, from: to, to: from, body });
  });
  return {};
}";

/// Starts guests, with all the rights they need to be measured.
pub(crate) struct Nursery {
    engine: Arc<Engine>,
    net: Net,
}

impl Nursery {
    /// Makes the engine ready.
    pub(crate) fn new() -> Result<Self, Failed> {
        Ok(Self { engine: Engine::new()?, net: Net::new(NetConfig::default())? })
    }

    /// Starts a guest and waits until it listens.
    pub(crate) async fn start(&self, name: &str, source: &str) -> Result<(Guest, Receiver<GuestEvent>), Failed> {
        let mut spec = GuestSpec::new(name, address(name)?, source).with_grants(grants()?);
        // The flood is the point.
        spec.budget.messages_per_second = u32::MAX;
        spec.config = serde_json::json!({
            "url": "http://b.localhost",
            "domain": "b.localhost",
            "runtimeURL": "runtime://a.localhost/core",
        });
        let (guest, mut events) = self.engine.start(spec, self.net.clone(), Handle::current())?;
        while let Some(event) = events.recv().await {
            match event {
                GuestEvent::Ready => return Ok((guest, events)),
                GuestEvent::Stopped(cause) => return Err(format!("the guest stopped: {}", cause.kind()).into()),
                GuestEvent::Message(_) | GuestEvent::Log { .. } => {}
            }
        }
        Err("the guest is gone".into())
    }
}

/// Messages a second between two guests of this source, in both directions together.
pub(crate) async fn ping_pong(nursery: &Nursery, source: &str, time: Duration) -> Result<f64, Failed> {
    let (one, mut from_one) = nursery.start("one", source).await?;
    let (two, mut from_two) = nursery.start("two", source).await?;
    let mut home = Home::new(one, two)?;
    let text = "x".repeat(BODY_BYTES - r#"{"count":0,"text":""}"#.len());
    let body = Body::from_json(&format!(r#"{{"count":0,"text":"{text}"}}"#))?;
    for id in 1..=WINDOW {
        let message =
            Message { id, kind: MessageType::Event, from: address("two")?, to: address("one")?, body: body.clone() };
        home.post(home.two.0, message)?;
    }
    let (begun, sent) = (Instant::now(), home.delivered);
    let (mut ones, mut twos) = (Vec::new(), Vec::new());
    while begun.elapsed() < time {
        let (from, events) = tokio::select! {
            _ = from_one.recv_many(&mut ones, BATCH) => (home.one.0, &mut ones),
            _ = from_two.recv_many(&mut twos, BATCH) => (home.two.0, &mut twos),
        };
        for event in events.drain(..) {
            match event {
                GuestEvent::Message(message) => home.post(from, message)?,
                GuestEvent::Stopped(cause) => return Err(format!("a guest stopped: {}", cause.kind()).into()),
                GuestEvent::Ready | GuestEvent::Log { .. } => {}
            }
        }
    }
    Ok((home.delivered - sent) as f64 / begun.elapsed().as_secs_f64())
}

/// The part of a runtime between the guests: bus and policy.
struct Home {
    bus: Bus,
    policy: Policy,
    one: (PortId, Guest),
    two: (PortId, Guest),
    begun: Instant,
    delivered: u64,
}

impl Home {
    fn new(one: Guest, two: Guest) -> Result<Self, Failed> {
        let own = Domain::parse("a.localhost")?;
        let mut bus = Bus::new(own.clone());
        let mut seat = |guest: Guest| -> Result<(PortId, Guest), Failed> {
            let port = bus.add_port(PortKind::Guest { speak_as: vec![guest.address().clone()], grants: grants()? });
            bus.listen(port, &Place::At(guest.address().clone()))?;
            Ok((port, guest))
        };
        let (one, two) = (seat(one)?, seat(two)?);
        Ok(Self { bus, policy: Policy::new(own, Rules::default()), one, two, begun: Instant::now(), delivered: 0 })
    }

    /// Brings a message from the guest at one port to the other, judging it on the way.
    fn post(&mut self, from: PortId, message: Message) -> Result<(), Failed> {
        let now = u64::try_from(self.begun.elapsed().as_millis())?;
        let mut actions = self.bus.post(now, from, message);
        while let Some(action) = actions.pop() {
            match action {
                Action::Judge { ticket, message, from, to, answers } => {
                    let case = Case { message: &message, from: &from, to: &to, answers, peer: None };
                    let verdict = self.policy.judge(now, &case);
                    actions.extend(self.bus.verdict(now, ticket, verdict));
                }
                Action::Deliver { port, message, .. } => {
                    let guest = if port == self.one.0 { &self.one.1 } else { &self.two.1 };
                    guest.post(message)?;
                    self.delivered += 1;
                }
                Action::NeedRoute { .. } | Action::Refused { .. } => return Err("a message went nowhere".into()),
            }
        }
        Ok(())
    }
}

fn address(name: &str) -> Result<Address, Failed> {
    Ok(Address::parse(&format!("hyperty://a.localhost/{name}"))?)
}

fn grants() -> Result<Grants, Failed> {
    Ok(Grants { speak_to: vec![AddressPattern::parse("*")?], timers: true, ..Grants::none() })
}
