//! The bus: its ports, its tables, and what may happen to them.

use std::collections::{HashMap, HashSet};

use message::{Address, Body, Code, Domain, Grants, Message, Response, Verdict};

use crate::action::Action;
use crate::entry::{Entries, Stage, Ticket};
use crate::limits::{HELD_BYTES_LIMIT, HELD_BYTES_PER_PORT, OPEN_LIMIT, OPEN_PER_PORT, PLACES_PER_PORT};
use crate::listeners::{ListenError, Listeners, Place};
use crate::port::{Port, PortId, PortKind, Who};
use crate::routes::Routes;
use crate::stats::Stats;

/// Routes messages between the ports of one runtime; time is an argument, in Unix milliseconds.
///
/// Every method that can move a message returns what is to be done about it,
/// in order.
#[derive(Debug)]
pub struct Bus {
    pub(crate) own: Domain,
    pub(crate) ports: HashMap<PortId, Port>,
    /// Addresses that guests speak as; no stub may claim one.
    pub(crate) spoken: HashSet<Box<str>>,
    pub(crate) listeners: Listeners,
    pub(crate) routes: Routes,
    pub(crate) entries: Entries,
    pub(crate) held: usize,
    /// Numbers ports, requests and tickets. A guest is handed these as ids, and
    /// at a million a second they stay below 2^53 for 285 years.
    next: u64,
    pub(crate) stats: Stats,
    pub(crate) no_body: Body,
}

impl Bus {
    /// A bus without ports, in a runtime of this domain.
    pub fn new(own: Domain) -> Self {
        Self {
            own,
            ports: HashMap::new(),
            spoken: HashSet::new(),
            listeners: Listeners::default(),
            routes: Routes::default(),
            entries: Entries::default(),
            held: 0,
            next: 1,
            stats: Stats::default(),
            no_body: Body::empty(),
        }
    }

    /// The domain of this runtime.
    pub fn own_domain(&self) -> &Domain {
        &self.own
    }

    /// Opens a port. It hears nothing until it listens.
    pub fn add_port(&mut self, kind: PortKind) -> PortId {
        let id = PortId(self.number());
        let port = Port::new(kind);
        if let Who::Guest { speak_as, .. } = &port.who {
            self.spoken.extend(speak_as.iter().map(|address| address.as_str().into()));
        }
        self.ports.insert(id, port);
        id
    }

    /// Lets a guest speak as one more address.
    pub fn speak_as(&mut self, port: PortId, address: Address) {
        if let Some(Port { who: Who::Guest { speak_as, .. }, .. }) = self.ports.get_mut(&port) {
            self.spoken.insert(address.as_str().into());
            speak_as.push(address);
        }
    }

    /// Replaces what a guest or stub may do.
    pub fn regrant(&mut self, port: PortId, new: Grants) {
        if let Some(Port { who: Who::Guest { grants, .. } | Who::Stub { grants, .. }, .. }) = self.ports.get_mut(&port)
        {
            *grants = new.into();
        }
    }

    /// Closes a port. Requests that only it was asked are answered with 503;
    /// its own requests end without an answer, for nobody is left to hear it.
    pub fn remove_port(&mut self, port: PortId) -> Vec<Action> {
        let mut out = Vec::new();
        let Some(gone) = self.ports.get(&port) else { return out };
        if let Who::Guest { speak_as, .. } = &gone.who {
            for address in speak_as {
                self.spoken.remove(address.as_str());
            }
        }
        self.listeners.forget(port);
        self.routes.forget(port);
        for id in self.entries.which(|entry| entry.port == port) {
            self.close(id);
        }
        for id in self.entries.which(|entry| matches!(&entry.stage, Stage::Asked { ports } if ports.contains(&port))) {
            self.unask(id, port, &Response::because(Code::UNAVAILABLE, "the addressee has stopped"), &mut out);
        }
        self.ports.remove(&port);
        out
    }

    /// Lets a port hear what is sent to a place. Several listeners of a place all hear it.
    pub fn listen(&mut self, port: PortId, place: &Place) -> Result<(), ListenError> {
        let listener = self.ports.get_mut(&port).ok_or(ListenError::NoSuchPort)?;
        if listener.places >= PLACES_PER_PORT {
            return Err(ListenError::TooManyPlaces);
        }
        if self.listeners.add(port, place)? {
            listener.places += 1;
        }
        Ok(())
    }

    /// Lets a port hear no more of a place.
    pub fn unlisten(&mut self, port: PortId, place: &Place) {
        if self.listeners.remove(port, place)
            && let Some(listener) = self.ports.get_mut(&port)
        {
            listener.places -= 1;
        }
    }

    /// A port sends a message.
    pub fn post(&mut self, now_ms: u64, from: PortId, message: Message) -> Vec<Action> {
        let mut out = Vec::with_capacity(1);
        if self.ports.contains_key(&from) {
            self.stats.posted += 1;
            self.accept(now_ms, from, message, &mut out);
        }
        out
    }

    /// The verdict on a message. [`Verdict::Ask`] may be followed by another one.
    pub fn verdict(&mut self, now_ms: u64, ticket: Ticket, verdict: Verdict) -> Vec<Action> {
        let mut out = Vec::with_capacity(1);
        self.decide(now_ms, ticket.0, verdict, &mut out);
        out
    }

    /// The stub of a domain is connected: what waited for it goes out.
    ///
    /// Told of a port that is not that domain's stub, the bus does nothing.
    pub fn route_ready(&mut self, now_ms: u64, domain: &Domain, port: PortId) -> Vec<Action> {
        let mut out = Vec::new();
        let leads_there = |port: &Port| matches!(&port.who, Who::Stub { domain: to, .. } if to == domain);
        if self.ports.get(&port).is_some_and(leads_there) {
            for id in self.routes.open(domain, port) {
                if self.is_parked(id) {
                    self.send(now_ms, id, [port].into(), &mut out);
                }
            }
        }
        out
    }

    /// A person is asked whether the stub of a domain may run: what waits for it
    /// gets a provisional answer and waits longer.
    pub fn route_asking(&mut self, domain: &Domain) -> Vec<Action> {
        let mut out = Vec::new();
        for id in self.routes.asking(domain.as_str()) {
            if self.is_parked(id) {
                self.hold_on(id, &mut out);
            }
        }
        out
    }

    /// There is no way to a domain: what waited for it is answered so. The next
    /// message asks for a route again.
    pub fn route_failed(&mut self, domain: &Domain, response: &Response) -> Vec<Action> {
        let mut out = Vec::new();
        for id in self.routes.close(domain.as_str()) {
            if self.is_parked(id) {
                self.finish(id, response, &mut out);
            }
        }
        out
    }

    /// The stub of a domain has lost its connection. The next message asks for a
    /// route again; requests it has taken keep their deadline.
    pub fn route_lost(&mut self, domain: &Domain) {
        if matches!(self.routes.get(domain.as_str()), Some(crate::routes::Route::Ready(_))) {
            self.routes.close(domain.as_str());
        }
    }

    /// Whether the stub of a domain is connected.
    pub fn has_route(&self, domain: &Domain) -> bool {
        matches!(self.routes.get(domain.as_str()), Some(crate::routes::Route::Ready(_)))
    }

    /// A delivered message could not be handed over, because the port's queue
    /// is full: a request is answered with 429 unless others were asked too.
    pub fn undelivered(&mut self, port: PortId, message: Message) -> Vec<Action> {
        let mut out = Vec::new();
        let full = Response::because(Code::TOO_MANY, "the addressee's queue is full");
        self.stats.full += 1;
        if message.kind.wants_response() {
            self.unask(message.id, port, &full, &mut out);
        } else {
            out.push(Action::Refused { port, message, response: full });
        }
        out
    }

    /// Time has come: overdue requests are answered with 408.
    pub fn tick(&mut self, now_ms: u64) -> Vec<Action> {
        let mut out = Vec::new();
        let late = Response::because(Code::TIMEOUT, "no answer within the deadline");
        while let Some(id) = self.entries.due(now_ms) {
            self.stats.timed_out += 1;
            self.finish(id, &late, &mut out);
        }
        for domain in self.routes.overdue(now_ms) {
            out.extend(self.route_failed(&domain, &late));
        }
        out
    }

    /// When to call [`Bus::tick`] next.
    pub fn next_wake(&self) -> Option<u64> {
        [self.entries.next_wake(), self.routes.next_wake()].into_iter().flatten().min()
    }

    /// What has been counted so far.
    pub fn stats(&self) -> Stats {
        self.stats
    }

    /// Messages that are not over: requests without an answer, and what is held.
    pub fn open(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn number(&mut self) -> u64 {
        let number = self.next;
        self.next += 1;
        number
    }

    /// Whether a port may have one more message open, of so many bytes.
    pub(crate) fn room_for(&self, port: PortId, bytes: usize) -> Result<(), Response> {
        let Some(port) = self.ports.get(&port) else {
            return Err(Response::because(Code::UNAVAILABLE, "the sender has stopped"));
        };
        let too_many = port.open >= OPEN_PER_PORT || port.held + bytes > HELD_BYTES_PER_PORT;
        if port.is_sandboxed() && too_many {
            return Err(Response::because(Code::TOO_MANY, "the sender has too many messages open"));
        }
        if self.entries.len() >= OPEN_LIMIT || self.held + bytes > HELD_BYTES_LIMIT {
            return Err(Response::because(Code::UNAVAILABLE, "the bus has too many messages open"));
        }
        Ok(())
    }

    fn is_parked(&self, id: u64) -> bool {
        self.entries.get(id).is_some_and(|entry| matches!(entry.stage, Stage::Parked))
    }
}
