//! How open messages end: answered, refused, prolonged or forgotten.

use message::{Code, Domain, Message, PROVISIONAL_DEADLINE_MS, Response};

use crate::action::Action;
use crate::bus::Bus;
use crate::entry::{Entry, Stage};
use crate::port::PortId;

impl Bus {
    /// Adds an open message and charges its port.
    pub(crate) fn insert(&mut self, id: u64, entry: Entry) {
        if let Some(port) = self.ports.get_mut(&entry.port) {
            port.open += 1;
            port.held += entry.held;
        }
        self.held += entry.held;
        self.entries.insert(id, entry);
    }

    /// Forgets an open message and gives its room back.
    pub(crate) fn close(&mut self, id: u64) -> Option<Entry> {
        let entry = self.entries.remove(id)?;
        self.held -= entry.held;
        if let Some(port) = self.ports.get_mut(&entry.port) {
            port.open -= 1;
            port.held -= entry.held;
        }
        Some(entry)
    }

    /// Ends an open message: a request with an answer, anything else with a notice to the runtime.
    pub(crate) fn finish(&mut self, id: u64, response: &Response, out: &mut Vec<Action>) {
        let Some(entry) = self.close(id) else { return };
        if matches!(entry.stage, Stage::Answer { .. }) {
            // Its request has a deadline of its own.
            self.stats.late_answers += 1;
            return;
        }
        self.refuse(entry.port, entry.message, response, out);
    }

    /// Answers a message for the one who should have, or tells the runtime if nobody waits.
    pub(crate) fn refuse(&mut self, port: PortId, message: Message, response: &Response, out: &mut Vec<Action>) {
        if message.kind.wants_response() {
            self.stats.delivered += 1;
            out.push(Action::Deliver { port, message: message.response(response), via: None });
        } else {
            out.push(Action::Refused { port, message, response: response.clone() });
        }
    }

    /// Tells the sender that a person is asked, once, and lets the message wait longer.
    pub(crate) fn hold_on(&mut self, id: u64, out: &mut Vec<Action>) {
        self.prolong(id);
        let Some(entry) = self.entries.get_mut(id) else { return };
        if entry.is_request() && entry.provisional == 0 {
            entry.provisional += 1;
            let (port, message) = (entry.port, entry.message.response(&Response::code(Code::ASKING)));
            self.stats.delivered += 1;
            out.push(Action::Deliver { port, message, via: None });
        }
    }

    /// Lets an open message wait up to the long limit.
    pub(crate) fn prolong(&mut self, id: u64) {
        if let Some(born) = self.entries.get(id).map(|entry| entry.born) {
            self.entries.reschedule(id, born.saturating_add(PROVISIONAL_DEADLINE_MS));
        }
    }

    /// One port will not answer a request; the last one ends it.
    pub(crate) fn unask(&mut self, id: u64, port: PortId, response: &Response, out: &mut Vec<Action>) {
        let Some(entry) = self.entries.get_mut(id) else { return };
        let Stage::Asked { ports } = &mut entry.stage else { return };
        if !ports.contains(&port) {
            return;
        }
        *ports = ports.iter().copied().filter(|asked| *asked != port).collect();
        if ports.is_empty() {
            self.finish(id, response, out);
        }
    }

    pub(crate) fn deliver_to(
        &mut self,
        ports: &[PortId],
        message: Message,
        via: Option<&Domain>,
        out: &mut Vec<Action>,
    ) {
        self.stats.delivered += ports.len() as u64;
        let Some((last, others)) = ports.split_last() else { return };
        for port in others {
            out.push(Action::Deliver { port: *port, message: message.clone(), via: via.cloned() });
        }
        out.push(Action::Deliver { port: *last, message, via: via.cloned() });
    }
}
