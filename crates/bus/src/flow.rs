//! The way of one message through the bus: stamped, resolved, judged, sent, answered.

use std::sync::Arc;

use message::{
    Address, Code, Domain, Message, MessageType, PROVISIONAL_DEADLINE_MS, REPLY_DEADLINE_MS, Response, Verdict,
};

use crate::action::Action;
use crate::bus::Bus;
use crate::entry::{Entry, Stage, Target, Ticket};
use crate::limits::PROVISIONAL_PER_REQUEST;
use crate::port::{Party, PortId, Who};
use crate::routes::{Parked, Route, domain_of};

impl Bus {
    /// Takes a message from a port that exists.
    pub(crate) fn accept(&mut self, now: u64, from: PortId, mut message: Message, out: &mut Vec<Action>) {
        if message.kind == MessageType::Response {
            return self.answer(now, from, message, out);
        }
        let via = match self.stamp(from, &mut message) {
            Ok(via) => via,
            Err(response) => {
                self.stats.misattributed += 1;
                return self.refuse(from, message, &response, out);
            }
        };
        let target = match self.resolve(from, &message.to) {
            Ok(target) => target,
            Err(response) => {
                self.stats.unheard += 1;
                return self.refuse(from, message, &response, out);
            }
        };
        let judged = self.crosses_sandbox(from, &target);
        if let (Target::Local(ports), false, false) = (&target, judged, message.kind.wants_response()) {
            return self.deliver_to(&ports.clone(), message, via.as_ref(), out);
        }
        self.open_entry(now, from, message, via, target, judged, out);
    }

    /// Puts the true sender into `from`; the domain if a stub brings the message of others.
    fn stamp(&self, port: PortId, message: &mut Message) -> Result<Option<Domain>, Response> {
        let forbidden = |why: &str| Response::because(Code::FORBIDDEN, why);
        let Some(sender) = self.ports.get(&port) else { return Err(forbidden("the sender has stopped")) };
        match &sender.who {
            Who::Core { .. } => Ok(None),
            Who::Guest { speak_as, .. } => {
                let first = speak_as.first().ok_or_else(|| forbidden("a guest without an address cannot speak"))?;
                if !speak_as.iter().any(|own| message.from.is_within(own)) {
                    message.from = first.clone();
                }
                Ok(None)
            }
            Who::Stub { address, .. } if message.from.is_within(address) => Ok(None),
            Who::Stub { domain, .. } => {
                if self.is_ours(&message.from) {
                    return Err(forbidden("no stub speaks for this runtime"));
                }
                if !belongs_to(&message.from, domain) && !belongs_to(&message.to, domain) {
                    return Err(forbidden("a stub brings messages from its domain, or to addresses of its domain"));
                }
                Ok(Some(domain.clone()))
            }
        }
    }

    /// Whether an address names something inside this runtime.
    fn is_ours(&self, address: &Address) -> bool {
        self.is_component(address)
            || self.spoken.contains(address.as_str())
            || self.spoken.contains(address.base().as_str())
            || self.listeners.of(address).is_some_and(|ports| {
                ports.iter().any(|id| self.ports.get(id).is_some_and(|p| !matches!(p.who, Who::Stub { .. })))
            })
    }

    /// Whether an address is in the name space of runtime components: `runtime://<own domain>/…`
    /// except the session addresses that a Node gives out (`d-…` to members, `v-…` to visitors).
    fn is_component(&self, address: &Address) -> bool {
        let is_session = address.path().starts_with("d-") || address.path().starts_with("v-");
        address.scheme() == "runtime" && address.domain_str() == self.own.as_str() && !is_session
    }

    fn resolve(&self, from: PortId, to: &Address) -> Result<Target, Response> {
        if let Some(ports) = self.listeners.of(to) {
            return Ok(Target::Local(ports.clone()));
        }
        let from_stub = self.ports.get(&from).is_some_and(|port| matches!(port.who, Who::Stub { .. }));
        let nobody = || Response::because(Code::NOT_FOUND, "nobody listens there");
        // A stub never reaches another domain through this runtime, and a person is no end of a wire.
        if from_stub || self.is_component(to) || to.scheme() == "user" {
            return Err(nobody());
        }
        Domain::parse(domain_of(to)).map(Target::Domain).map_err(|_| nobody())
    }

    fn crosses_sandbox(&self, from: PortId, target: &Target) -> bool {
        let sandboxed = |id: &PortId| self.ports.get(id).is_some_and(|port| port.is_sandboxed());
        match target {
            Target::Domain(_) => true,
            Target::Local(ports) => sandboxed(&from) || ports.iter().any(sandboxed),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the facts of one message, used once")]
    fn open_entry(
        &mut self,
        now: u64,
        port: PortId,
        message: Message,
        via: Option<Domain>,
        target: Target,
        judged: bool,
        out: &mut Vec<Action>,
    ) {
        let held = message.body.as_str().len();
        if let Err(response) = self.room_for(port, held) {
            self.stats.full += 1;
            return self.refuse(port, message, &response, out);
        }
        let id = self.number();
        let parties = judged.then(|| (self.party(port, via.is_some()), self.parties(&target)));
        let ports = match &target {
            Target::Local(ports) if !judged => Some(ports.clone()),
            _ => None,
        };
        let question = parties.is_some().then(|| message.clone());
        let deadline = now.saturating_add(REPLY_DEADLINE_MS);
        let stage = Stage::Judging { target };
        self.insert(id, Entry { port, message, via, born: now, deadline, held, provisional: 0, stage });
        match (parties, question, ports) {
            (Some((Some(from), to)), Some(message), _) => {
                self.stats.judged += 1;
                out.push(Action::Judge { ticket: Ticket(id), message, from, to, answers: None });
            }
            (_, _, Some(ports)) => self.send(now, id, ports, out),
            _ => self.finish(id, &Response::because(Code::FORBIDDEN, "the sender cannot speak"), out),
        }
    }

    fn party(&self, port: PortId, relaying: bool) -> Option<Party> {
        self.ports.get(&port).and_then(|port| port.party(relaying))
    }

    fn parties(&self, target: &Target) -> Vec<Party> {
        match target {
            Target::Local(ports) => ports.iter().filter_map(|id| self.party(*id, false)).collect(),
            Target::Domain(domain) => vec![Party::Remote { domain: domain.clone() }],
        }
    }

    /// A verdict has come for an open message.
    pub(crate) fn decide(&mut self, now: u64, id: u64, verdict: Verdict, out: &mut Vec<Action>) {
        let Some(entry) = self.entries.get(id) else { return };
        match (&entry.stage, verdict) {
            (Stage::Answer { request, code }, verdict) => {
                let (request, code) = (*request, *code);
                self.decide_answer(id, request, code, verdict, out);
            }
            (Stage::Judging { .. }, Verdict::Ask { .. }) => self.hold_on(id, out),
            (Stage::Judging { .. }, Verdict::Deny { because }) => {
                self.stats.denied += 1;
                self.finish(id, &Response::because(Code::FORBIDDEN, because.text), out);
            }
            (Stage::Judging { target }, Verdict::Allow) => {
                let target = target.clone();
                self.dispatch(now, id, target, out);
            }
            // A verdict that was given before.
            (Stage::Parked | Stage::Asked { .. }, _) => {}
        }
    }

    fn dispatch(&mut self, now: u64, id: u64, target: Target, out: &mut Vec<Action>) {
        match target {
            Target::Local(judged) => {
                let Some(entry) = self.entries.get(id) else { return };
                // Only those who were judged and still listen.
                let listening = self.listeners.of(&entry.message.to);
                let ports: Option<Arc<[PortId]>> = listening.map(|ports| {
                    if Arc::ptr_eq(ports, &judged) {
                        judged.clone()
                    } else {
                        judged.iter().copied().filter(|id| ports.contains(id)).collect()
                    }
                });
                match ports.filter(|ports| !ports.is_empty()) {
                    Some(ports) => self.send(now, id, ports, out),
                    None => {
                        self.stats.unheard += 1;
                        self.finish(id, &Response::because(Code::NOT_FOUND, "nobody listens there any more"), out);
                    }
                }
            }
            Target::Domain(domain) => match self.routes.get(domain.as_str()) {
                Some(Route::Ready(port)) => self.send(now, id, [*port].into(), out),
                _ => self.park(now, id, domain, out),
            },
        }
    }

    fn park(&mut self, now: u64, id: u64, domain: Domain, out: &mut Vec<Action>) {
        let entries = &self.entries;
        let alive = |id: u64| entries.get(id).is_some_and(|entry| matches!(entry.stage, Stage::Parked));
        let parked = self.routes.park(now, &domain, id, alive);
        let Some(entry) = self.entries.get_mut(id) else { return };
        entry.stage = Stage::Parked;
        let (request, longest) = (entry.is_request(), entry.born.saturating_add(PROVISIONAL_DEADLINE_MS));
        match parked {
            Parked::Full => {
                self.stats.full += 1;
                let full = Response::because(Code::UNAVAILABLE, "too many messages wait for that domain");
                self.finish(id, &full, out);
                return;
            }
            Parked::First => out.push(Action::NeedRoute { domain }),
            Parked::Behind(true) => self.hold_on(id, out),
            Parked::Behind(false) => {}
        }
        if !request {
            // An event waits as long as its route is waited for.
            self.entries.reschedule(id, longest);
        }
    }

    /// Hands an open message to ports.
    pub(crate) fn send(&mut self, now: u64, id: u64, ports: Arc<[PortId]>, out: &mut Vec<Action>) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        if !entry.is_request() {
            if let Some(entry) = self.close(id) {
                self.deliver_to(&ports, entry.message, entry.via.as_ref(), out);
            }
            return;
        }
        let mut message = entry.message.clone();
        message.id = id;
        let via = entry.via.clone();
        let deadline = entry.born.saturating_add(PROVISIONAL_DEADLINE_MS).min(now.saturating_add(REPLY_DEADLINE_MS));
        let held = std::mem::take(&mut entry.held);
        entry.message.body = self.no_body.clone();
        entry.stage = Stage::Asked { ports: ports.clone() };
        let owner = entry.port;
        self.held -= held;
        if let Some(port) = self.ports.get_mut(&owner) {
            port.held -= held;
        }
        self.entries.reschedule(id, deadline);
        self.deliver_to(&ports, message, via.as_ref(), out);
    }

    /// A port answers a request it was asked.
    fn answer(&mut self, now: u64, from: PortId, message: Message, out: &mut Vec<Action>) {
        let id = message.id;
        let Some(entry) = self.entries.get_mut(id) else {
            self.stats.late_answers += 1;
            return;
        };
        match &entry.stage {
            Stage::Asked { ports } if ports.contains(&from) => {}
            Stage::Asked { .. } | Stage::Judging { .. } | Stage::Parked => {
                self.stats.foreign_answers += 1;
                return;
            }
            Stage::Answer { .. } => {
                self.stats.late_answers += 1;
                return;
            }
        }
        let code = message.response_code().unwrap_or(Code::FAILED);
        if code.is_provisional() {
            if entry.provisional >= PROVISIONAL_PER_REQUEST {
                self.stats.idle_answers += 1;
                return;
            }
            entry.provisional += 1;
        }
        // Both ends are those of the request, whatever the answer claims.
        let asked = &entry.message;
        let answer = Message {
            id: asked.id,
            kind: MessageType::Response,
            from: asked.to.clone(),
            to: asked.from.clone(),
            body: message.body,
        };
        let (requester, back_through_stub, kind) = (entry.port, entry.via.is_some(), asked.kind);
        let via = self.brought_by(from, &answer.from);
        let sandboxed = |id: PortId| self.ports.get(&id).is_some_and(|port| port.is_sandboxed());
        if !sandboxed(from) && !sandboxed(requester) {
            return self.pass_answer(id, code, requester, answer, via, out);
        }
        let held = answer.body.as_str().len();
        let parties = (self.party(from, via.is_some()), self.party(requester, back_through_stub));
        let ((Some(speaker), Some(hearer)), Ok(())) = (parties, self.room_for(from, held)) else {
            self.stats.full += 1;
            return self.finish(id, &Response::because(Code::UNAVAILABLE, "the answer could not be held"), out);
        };
        let ticket = self.number();
        let deadline = now.saturating_add(REPLY_DEADLINE_MS);
        let stage = Stage::Answer { request: id, code };
        let question = answer.clone();
        self.insert(
            ticket,
            Entry { port: from, message: answer, via, born: now, deadline, held, provisional: 0, stage },
        );
        self.stats.judged += 1;
        let ticket = Ticket(ticket);
        out.push(Action::Judge { ticket, message: question, from: speaker, to: vec![hearer], answers: Some(kind) });
    }

    fn decide_answer(&mut self, id: u64, request: u64, code: Code, verdict: Verdict, out: &mut Vec<Action>) {
        match verdict {
            // The answer waits for a person, and so does its request.
            Verdict::Ask { .. } => {
                self.hold_on(request, out);
                self.prolong(id);
            }
            Verdict::Deny { because } => {
                self.stats.denied += 1;
                self.close(id);
                self.finish(request, &Response::because(Code::FORBIDDEN, because.text), out);
            }
            Verdict::Allow => {
                let Some(answer) = self.close(id) else { return };
                match self.entries.get(request).map(|entry| entry.port) {
                    Some(requester) => self.pass_answer(request, code, requester, answer.message, answer.via, out),
                    None => self.stats.late_answers += 1,
                }
            }
        }
    }

    /// Gives an answer to the one who asked; a final one ends the request.
    fn pass_answer(
        &mut self,
        request: u64,
        code: Code,
        requester: PortId,
        answer: Message,
        via: Option<Domain>,
        out: &mut Vec<Action>,
    ) {
        if code.is_provisional() {
            self.prolong(request);
        } else {
            self.close(request);
        }
        self.stats.delivered += 1;
        out.push(Action::Deliver { port: requester, message: answer, via });
    }

    /// The domain of the stub that brings an answer, unless the stub itself was asked.
    fn brought_by(&self, port: PortId, asked: &Address) -> Option<Domain> {
        match &self.ports.get(&port)?.who {
            Who::Stub { domain, address, .. } if !asked.is_within(address) => Some(domain.clone()),
            _ => None,
        }
    }
}

/// Whether an address stands in a domain's name space, its services included.
fn belongs_to(address: &Address, domain: &Domain) -> bool {
    let text = address.domain_str();
    let below = || text.strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.'));
    text == domain.as_str() || (address.scheme() == "domain" && below())
}
