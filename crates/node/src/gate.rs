//! The way to other domains for people whose network reaches only this node: the foreign domain's stub runs here,
//! in the same sandbox, and what it says and hears travels over the person's own session.
//!
//! The stub proves nothing by itself: whatever it needs a key for it asks its runtime, through this gate. So the
//! foreign node sees the same visitor as if the runtime had come itself, and this node sees no more of a message
//! than any node on its way.

use std::collections::HashMap;
use std::sync::Arc;

use catalogue::{Memory, belongs_to, origin_host};
use guests::{
    Fetcher, GuestId, GuestNews, GuestPlan, PackageKind, PackageRef, StartGuestError, Supervisor, VerifiedPackage,
};
use message::{Address, AddressPattern, Body, Code, Domain, Message, MessageType, Origin, Response};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use transport::{Net, NetConfig};

use crate::exchange::SessionId;
use crate::limits::{GATE_DOMAINS, GATE_ORDERS, GATES_PER_SESSION};
use crate::switch::Switch;

/// Why the gate cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum GateError {
    /// The sandbox.
    #[error("the sandbox for other domains' stubs does not start: {0}")]
    Sandbox(String),
    /// The network.
    #[error("the network for other domains' stubs does not start: {0}")]
    Net(String),
}

/// What the exchange wants of the gate.
pub(crate) enum Order {
    /// A session said something to it.
    Message { session: SessionId, message: Message },
    /// A session ended, and its stubs with it.
    Gone { session: SessionId },
}

/// The exchange's end of the gate.
pub(crate) type Orders = mpsc::Sender<Order>;

/// Asks for a stub.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wish {
    domain: Domain,
    /// Where the stub stands in the runtime that asks.
    address: Address,
    /// Where its core stands.
    runtime_url: Address,
}

/// Something for a stub, or the end of one.
#[derive(Deserialize)]
struct Word {
    gate: u64,
    #[serde(default)]
    message: Option<String>,
}

/// A stub that runs for a session.
struct Open {
    session: SessionId,
    /// Whom its words go to: the address of the session that asked.
    to: Address,
    guest: GuestId,
}

/// A package that arrived, or did not.
struct Fetched {
    session: SessionId,
    request: Message,
    wish: Wish,
    package: Result<Box<VerifiedPackage>, StartGuestError>,
}

/// The gate at work.
struct Gate {
    own: Domain,
    address: Address,
    net: Net,
    fetcher: Fetcher,
    supervisor: Supervisor,
    switch: Switch,
    open: HashMap<u64, Open>,
    guests: HashMap<GuestId, u64>,
    /// Stubs of each session, those on their way counted.
    counts: HashMap<SessionId, usize>,
    /// What must never go backwards of the catalogues that were read.
    memories: HashMap<Domain, Memory>,
    fetched: mpsc::Sender<Fetched>,
    next: u64,
    said: u64,
}

/// Where a domain's gate is spoken to.
pub(crate) fn address_of(domain: &Domain) -> Address {
    Address::parse(&format!("domain://gate.{domain}")).expect("a service address is a domain name with a short prefix")
}

/// Opens the gate; it ends with `stop`, or when the exchange lets go of `orders`.
pub(crate) fn open(
    own: &Domain,
    net: NetConfig,
    switch: Switch,
    orders: mpsc::Receiver<Order>,
    stop: CancellationToken,
) -> Result<(), GateError> {
    let engine = sandbox::Engine::new().map_err(|error| GateError::Sandbox(error.to_string()))?;
    let net = Net::new(net).map_err(|error| GateError::Net(error.to_string()))?;
    let (supervisor, supervision, news) =
        Supervisor::new(Arc::clone(&engine), net.clone(), tokio::runtime::Handle::current());
    let (fetched, arrived) = mpsc::channel(GATE_ORDERS);
    let gate = Gate {
        own: own.clone(),
        address: address_of(own),
        fetcher: Fetcher::new(net.clone()),
        net,
        supervisor,
        switch,
        open: HashMap::new(),
        guests: HashMap::new(),
        counts: HashMap::new(),
        memories: HashMap::new(),
        fetched,
        next: 1,
        said: 0,
    };
    tokio::spawn(async move {
        tokio::select! {
            () = stop.cancelled() => {}
            () = supervision.run() => {}
            () = gate.run(orders, news, arrived) => {}
        }
    });
    Ok(())
}

/// The channel between the exchange and the gate.
pub(crate) fn orders() -> (Orders, mpsc::Receiver<Order>) {
    mpsc::channel(GATE_ORDERS)
}

impl Gate {
    async fn run(
        mut self,
        mut orders: mpsc::Receiver<Order>,
        mut news: guests::News,
        mut arrived: mpsc::Receiver<Fetched>,
    ) {
        loop {
            tokio::select! {
                order = orders.recv() => match order {
                    Some(Order::Message { session, message }) => self.hear(session, message).await,
                    Some(Order::Gone { session }) => self.forget(session),
                    None => return,
                },
                Some((guest, event)) = news.recv() => self.tell(guest, event).await,
                Some(fetched) = arrived.recv() => self.start(fetched).await,
            }
        }
    }

    async fn hear(&mut self, session: SessionId, message: Message) {
        match message.kind {
            MessageType::Create => match self.wish(session, &message) {
                Ok(wish) => self.fetch(session, message, wish),
                Err((code, why)) => self.answer(session, &message, &Response::because(code, why)).await,
            },
            MessageType::Delete => {
                if let Ok(word) = message.body.parse::<Word>()
                    && self.of(session, word.gate).is_some()
                {
                    self.end(word.gate);
                }
                self.answer(session, &message, &Response::code(Code::OK)).await;
            }
            MessageType::Event => self.pass_on(session, &message),
            _ => self.answer(session, &message, &Response::because(Code::BAD_REQUEST, "no such wish")).await,
        }
    }

    /// Whether a session may have what it asks for.
    fn wish(&self, session: SessionId, message: &Message) -> Result<Wish, (Code, &'static str)> {
        let wish = message.body.parse::<Wish>().map_err(|_| (Code::BAD_REQUEST, "no such wish"))?;
        let is_ours = |address: &Address| address.scheme() == "runtime" && address.domain() == self.own;
        if !is_ours(&wish.address) || !is_ours(&wish.runtime_url) {
            return Err((Code::BAD_REQUEST, "the stub must stand in the runtime that asks"));
        }
        // What listens on this machine besides us is nobody's business; of two nodes of one machine it is the way.
        if wish.domain == self.own || (wish.domain.is_loopback() && !self.own.is_loopback()) {
            return Err((Code::FORBIDDEN, "this domain is not reached through here"));
        }
        if self.counts.get(&session).is_some_and(|count| *count >= GATES_PER_SESSION) {
            return Err((Code::TOO_MANY, "a session has as many domains as it may"));
        }
        Ok(wish)
    }

    fn fetch(&mut self, session: SessionId, request: Message, wish: Wish) {
        *self.counts.entry(session).or_default() += 1;
        let (fetcher, fetched) = (self.fetcher.clone(), self.fetched.clone());
        let memory = self.memories.get(&wish.domain).cloned().unwrap_or_default();
        tokio::spawn(async move {
            let reference = PackageRef::new(wish.domain.clone(), PackageKind::ProtoStub, "default");
            let now = u64::try_from(clock::now_ms()).unwrap_or(0);
            let package = fetcher.fetch(&reference, &memory, now).await.map(Box::new);
            let _ = fetched.send(Fetched { session, request, wish, package }).await;
        });
    }

    async fn start(&mut self, fetched: Fetched) {
        let Fetched { session, request, wish, package } = fetched;
        if !self.counts.contains_key(&session) {
            // It ended meanwhile.
            return;
        }
        let started = package.and_then(|package| {
            self.remember(&wish.domain, &package.memory);
            let version = package.version().to_string();
            Ok((self.launch(&wish, *package)?, version))
        });
        let response = match started {
            Ok((guest, version)) => {
                let id = self.next;
                self.next += 1;
                self.guests.insert(guest, id);
                self.open.insert(id, Open { session, to: request.from.clone(), guest });
                Response::ok(json!({ "gate": id, "version": version }))
            }
            Err(error) => {
                self.uncount(session);
                tracing::info!(domain = %wish.domain, code = error.code(), "a stub does not run for a session");
                Response::because(Code::UNAVAILABLE, error.code())
            }
        };
        self.answer(session, &request, &response).await;
    }

    fn launch(&self, wish: &Wish, package: VerifiedPackage) -> Result<GuestId, StartGuestError> {
        let grants = package.grants().clone();
        // A runtime asks its person about every host; nobody can be asked here, so a stub has its own domain.
        let elsewhere = grants.fetch.iter().chain(&grants.web_socket).find(|origin| !is_of(origin, &wish.domain));
        if let Some(origin) = elsewhere {
            let (package, grant) = (package.reference.clone(), origin.as_str().to_owned());
            return Err(StartGuestError::GrantBeyond { package, grant });
        }
        let config = json!({
            "url": self.net.origin(&wish.domain).as_str().trim_end_matches('/'),
            "domain": wish.domain,
            "runtimeURL": wish.runtime_url,
        });
        let plan = GuestPlan::new(package, wish.address.clone())
            .with_grants(grants)
            .with_config(config)
            // The runtime's bus checks whose words it may bring.
            .speaking_as(AddressPattern::parse("*").into_iter().collect());
        self.supervisor.start(plan)
    }

    fn remember(&mut self, domain: &Domain, memory: &Memory) {
        if self.memories.len() < GATE_DOMAINS || self.memories.contains_key(domain) {
            self.memories.insert(domain.clone(), memory.clone());
        }
    }

    /// Hands a stub what its runtime says.
    fn pass_on(&mut self, session: SessionId, message: &Message) {
        let Ok(Word { gate, message: Some(text) }) = message.body.parse::<Word>() else { return };
        let Some(guest) = self.of(session, gate).map(|open| open.guest) else { return };
        let Ok(inner) = Message::from_json(text.as_bytes()) else { return };
        // What a stub cannot take is asked again by whoever asked: no request is over before its answer.
        if self.supervisor.post(guest, inner).is_err() {
            tracing::debug!(gate, "a stub does not take what it is told");
        }
    }

    /// Tells a runtime what its stub says, or that it is no more.
    async fn tell(&mut self, guest: GuestId, event: GuestNews) {
        let Some(id) = self.guests.get(&guest).copied() else { return };
        match event {
            GuestNews::Message(message) => self.say(id, &json!({ "gate": id, "message": message.to_json() })).await,
            GuestNews::Parked { .. } => {
                self.say(id, &json!({ "gate": id, "ended": "stub-crashed" })).await;
                self.end(id);
            }
            GuestNews::Ready | GuestNews::Restarting { .. } | GuestNews::Log { .. } => {}
        }
    }

    async fn say(&mut self, id: u64, what: &Value) {
        let Some(open) = self.open.get(&id) else { return };
        // A message that fills all the room of one does not fit into another.
        let Ok(body) = Body::of(what) else { return };
        let (session, from, to) = (open.session, self.address.clone(), open.to.clone());
        self.said += 1;
        self.switch.say(session, Message { id: self.said, kind: MessageType::Event, from, to, body }).await;
    }

    async fn answer(&self, session: SessionId, request: &Message, response: &Response) {
        if request.kind.wants_response() {
            self.switch.say(session, request.response(response)).await;
        }
    }

    fn of(&self, session: SessionId, gate: u64) -> Option<&Open> {
        self.open.get(&gate).filter(|open| open.session == session)
    }

    fn end(&mut self, id: u64) {
        if let Some(open) = self.open.remove(&id) {
            self.supervisor.stop(open.guest);
            self.guests.remove(&open.guest);
            self.uncount(open.session);
        }
    }

    fn forget(&mut self, session: SessionId) {
        let ended: Vec<u64> = self.open.iter().filter(|(_, open)| open.session == session).map(|(id, _)| *id).collect();
        ended.into_iter().for_each(|id| self.end(id));
        self.counts.remove(&session);
    }

    fn uncount(&mut self, session: SessionId) {
        if let Some(count) = self.counts.get_mut(&session) {
            *count = count.saturating_sub(1);
        }
    }
}

/// Whether an origin is a domain's own, or below it.
fn is_of(origin: &Origin, domain: &Domain) -> bool {
    belongs_to(origin_host(origin), domain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stub_has_its_own_domain_and_no_other() {
        let domain = Domain::parse("b.example").unwrap();
        let own = |text: &str| is_of(&Origin::parse(text).unwrap(), &domain);
        assert!(own("https://b.example") && own("wss://b.example:8443") && own("https://node.b.example"));
        assert!(!own("https://evilb.example") && !own("https://b.example.evil.example") && !own("http://a.example"));
    }
}
