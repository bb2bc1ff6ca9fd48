//! Brings messages to their recipients, and keeps those whose recipient is away.
//!
//! `200` means the recipient's device has confirmed, `202` that the message is on disk here; a sender
//! may forget his copy on either. Messages reach an inbox in the order in which they were taken.

use message::{Address, Code, Message, MessageType, Response};
use serde::Deserialize;

use super::session::Proven;
use super::{Exchange, SessionId};
use crate::limits::{CONFIRM_MS, MAILBOX_AGE_MS, RESEND_MS, SENDS_PER_SESSION, WINDOW_BYTES, WINDOW_MESSAGES};
use crate::records::RecordsError;

/// Kept messages fetched at once.
const FETCH: usize = 64;

/// A message sent to a live inbox and not yet confirmed.
pub(super) struct Flight {
    session: SessionId,
    inbox: Address,
    bytes: usize,
    cargo: Cargo,
    sends: u32,
    begun_ms: i64,
    deadline_ms: i64,
}

enum Cargo {
    /// Only in memory; its sender still waits for the answer.
    Direct { message: Message, sender: SessionId, request: Message, life_ms: i64 },
    /// On disk; its sender has his answer.
    Kept,
}

/// The only body an inbox takes: what is inside is for the recipient alone.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Sealed<'a> {
    v: u8,
    #[serde(borrow)]
    sealed: std::borrow::Cow<'a, str>,
}

fn is_sealed(message: &Message) -> bool {
    let body = message.body.as_str();
    serde_json::from_str::<Sealed<'_>>(body).is_ok_and(|body| {
        body.v == 1 && body.sealed.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_')
    })
}

/// Whether a response means that the recipient need not see the message again.
fn is_taken(code: Code) -> bool {
    code.is_success() || matches!(code.0, 400 | 403 | 404 | 409 | 413)
}

impl Exchange {
    /// Passes a message on by its address.
    pub(super) fn route(&mut self, from: SessionId, message: Message, now_ms: i64) -> Result<(), RecordsError> {
        if message.kind == MessageType::Response {
            return self.on_response(message, from, now_ms);
        }
        if message.to.domain_str() != self.domain.as_str() {
            self.refuse(from, &message, Code::NOT_FOUND, "that address is not of this domain");
            return Ok(());
        }
        if message.kind == MessageType::Create && message.to.scheme() == "hyperty" {
            return self.deliver(from, message, now_ms);
        }
        if message.kind == MessageType::Update && message.to.path().ends_with("/changes") {
            self.publish(from, &message);
            return Ok(());
        }
        match self.live_session(&message.to) {
            Some(session) => {
                self.send(session, message);
                Ok(())
            }
            None => self.answer_absent(from, &message),
        }
    }

    fn live_session(&self, to: &Address) -> Option<SessionId> {
        self.live.get(to).or_else(|| self.live.get(&to.base())).copied()
    }

    fn answer_absent(&mut self, from: SessionId, message: &Message) -> Result<(), RecordsError> {
        if self.records.holder_of(&message.to.base())?.is_some() {
            self.refuse(from, message, Code::UNAVAILABLE, "its device is not connected now");
        } else {
            self.refuse(from, message, Code::NOT_FOUND, "no such address");
        }
        Ok(())
    }

    pub(super) fn deliver(&mut self, from: SessionId, request: Message, now_ms: i64) -> Result<(), RecordsError> {
        if !is_sealed(&request) {
            self.refuse(from, &request, Code::BAD_REQUEST, "an inbox takes {v:1, sealed} only");
            return Ok(());
        }
        if !self.is_inbox(&request.to)? && self.park(from, &request) {
            return Ok(());
        }
        self.deliver_or_refuse(from, request, now_ms)
    }

    fn is_inbox(&self, to: &Address) -> Result<bool, RecordsError> {
        Ok(self.live.contains_key(to) || self.records.holder_of(to)?.is_some())
    }

    pub(super) fn deliver_or_refuse(
        &mut self,
        from: SessionId,
        request: Message,
        now_ms: i64,
    ) -> Result<(), RecordsError> {
        if !self.is_inbox(&request.to)? {
            self.refuse(from, &request, Code::NOT_FOUND, "no such inbox");
            return Ok(());
        }
        let there = self.live.get(&request.to).copied().filter(|there| self.is_elsewhere(*there));
        if let Some(there) = there
            && !self.is_elsewhere(from)
        {
            return self.forward(from, there, request);
        }
        let parcel = request.clone();
        self.hand_over(from, request, parcel, MAILBOX_AGE_MS, now_ms)
    }

    /// Brings a parcel to an inbox that is there, or keeps it for as long as it lives; answers the request.
    pub(super) fn hand_over(
        &mut self,
        from: SessionId,
        request: Message,
        parcel: Message,
        life_ms: i64,
        now_ms: i64,
    ) -> Result<(), RecordsError> {
        let message = Message { id: self.next_delivery(), ..parcel };
        match self.live.get(&message.to).copied() {
            Some(session) if self.is_free(session, &message) => {
                let cargo = Cargo::Direct { message: message.clone(), sender: from, request, life_ms };
                self.fly(session, message, cargo, now_ms);
                Ok(())
            }
            _ => self.keep_for(from, &request, message, now_ms + life_ms, now_ms),
        }
    }

    /// Keeps a message; a session of its inbox that is here gets it when its window has room.
    pub(super) fn keep_for(
        &mut self,
        from: SessionId,
        request: &Message,
        message: Message,
        until_ms: i64,
        now_ms: i64,
    ) -> Result<(), RecordsError> {
        self.keep(from, request, &message, until_ms)?;
        let Some(session) = self.live.get(&message.to).copied() else { return Ok(()) };
        if let Some(proven) = self.proven_mut(session) {
            proven.waiting.insert(message.to);
        }
        self.pump(session, now_ms)
    }

    /// Whether a message may overtake nothing and fits the session's window.
    fn is_free(&self, session: SessionId, message: &Message) -> bool {
        self.proven(session).is_some_and(|proven| !proven.waiting.contains(&message.to) && has_room(proven))
    }

    fn fly(&mut self, session: SessionId, message: Message, cargo: Cargo, now_ms: i64) {
        let bytes = message.body.as_str().len();
        let Some(proven) = self.proven_mut(session) else { return };
        proven.flights.insert(message.id);
        proven.flight_bytes += bytes;
        self.cursors.insert(message.to.clone(), message.id);
        let wait = if matches!(cargo, Cargo::Kept) { RESEND_MS } else { CONFIRM_MS };
        let inbox = message.to.clone();
        let flight = Flight { session, inbox, bytes, cargo, sends: 1, begun_ms: now_ms, deadline_ms: now_ms + wait };
        self.flights.insert(message.id, flight);
        self.send(session, message);
    }

    fn keep(
        &mut self,
        sender: SessionId,
        request: &Message,
        message: &Message,
        until_ms: i64,
    ) -> Result<(), RecordsError> {
        let response = match self.records.keep(message, until_ms)? {
            Ok(()) => {
                self.stats.kept += 1;
                Response::code(Code::ACCEPTED)
            }
            Err(_) => {
                self.refuse(sender, request, Code::INSUFFICIENT_STORAGE, "the inbox is full");
                return Ok(());
            }
        };
        self.answer(sender, request, &response);
        Ok(())
    }

    fn on_response(&mut self, message: Message, from: SessionId, now_ms: i64) -> Result<(), RecordsError> {
        let confirms =
            self.flights.get(&message.id).is_some_and(|flight| flight.session == from && flight.inbox == message.from);
        if !confirms {
            if let Some(session) = self.live_session(&message.to) {
                self.send(session, message);
            }
            return Ok(());
        }
        match message.response_code() {
            Some(code) if code.is_provisional() => Ok(()),
            Some(code) if is_taken(code) => self.confirm(message.id, now_ms),
            _ => self.keep_flight(message.id, now_ms),
        }
    }

    fn confirm(&mut self, id: u64, now_ms: i64) -> Result<(), RecordsError> {
        let Some(flight) = self.flights.remove(&id) else { return Ok(()) };
        self.stats.confirmed += 1;
        self.meters.delivered(now_ms - flight.begun_ms);
        if let Some(proven) = self.proven_mut(flight.session) {
            proven.flights.remove(&id);
            proven.flight_bytes = proven.flight_bytes.saturating_sub(flight.bytes);
        }
        match flight.cargo {
            // What the recipient thinks of it is said inside the seal, not to the sender's node.
            Cargo::Direct { sender, request, .. } => self.answer(sender, &request, &Response::code(Code::OK)),
            Cargo::Kept => self.records.confirmed(&flight.inbox, id)?,
        }
        self.pump(flight.session, now_ms)
    }

    /// The recipient did not take it now: puts it on disk and tries again later.
    fn keep_flight(&mut self, id: u64, now_ms: i64) -> Result<(), RecordsError> {
        let Some(flight) = self.flights.get_mut(&id) else { return Ok(()) };
        flight.deadline_ms = now_ms + RESEND_MS;
        match std::mem::replace(&mut flight.cargo, Cargo::Kept) {
            Cargo::Direct { message, sender, request, life_ms } => {
                self.keep(sender, &request, &message, now_ms + life_ms)
            }
            Cargo::Kept => Ok(()),
        }
    }

    /// Sends kept messages while the session's window has room.
    pub(super) fn pump(&mut self, session: SessionId, now_ms: i64) -> Result<(), RecordsError> {
        loop {
            let Some(proven) = self.proven(session) else { return Ok(()) };
            let Some(inbox) = proven.waiting.first().cloned() else { return Ok(()) };
            if !has_room(proven) {
                return Ok(());
            }
            let room = FETCH.min(WINDOW_MESSAGES - proven.flights.len());
            let after = self.cursors.get(&inbox).copied().unwrap_or(0);
            let kept = self.records.kept_after(&inbox, after, room, now_ms)?;
            if kept.len() < room
                && let Some(proven) = self.proven_mut(session)
            {
                proven.waiting.remove(&inbox);
            }
            for one in kept {
                // Mail of other nodes may have turned the cursor back, before what is under way already.
                if !self.flights.contains_key(&one.message.id) {
                    self.fly(session, one.message, Cargo::Kept, now_ms);
                } else {
                    self.cursors.insert(inbox.clone(), one.message.id);
                }
            }
        }
    }

    /// A session ended: what it had not confirmed is kept, and its senders are told so.
    pub(super) fn keep_unconfirmed(&mut self, gone: &Proven, now_ms: i64) -> Result<(), RecordsError> {
        for id in &gone.flights {
            let flight = self.flights.remove(id);
            if let Some(Flight { cargo: Cargo::Direct { message, sender, request, life_ms }, .. }) = flight {
                self.keep(sender, &request, &message, now_ms + life_ms)?;
            }
        }
        Ok(())
    }

    /// The session's device counts no more: nobody gets what it had not confirmed, and its senders are told so.
    pub(super) fn lose_unconfirmed(&mut self, session: SessionId) {
        let Some(proven) = self.proven_mut(session) else { return };
        proven.waiting.clear();
        proven.flight_bytes = 0;
        for id in std::mem::take(&mut proven.flights) {
            if let Some(Flight { cargo: Cargo::Direct { sender, request, .. }, .. }) = self.flights.remove(&id) {
                self.refuse(sender, &request, Code::NOT_FOUND, "no such inbox");
            }
        }
    }

    pub(super) fn tick_flights(&mut self, now_ms: i64) -> Result<(), RecordsError> {
        let mut late: Vec<u64> =
            self.flights.iter().filter(|(_, flight)| flight.deadline_ms <= now_ms).map(|(id, _)| *id).collect();
        late.sort_unstable();
        for id in late {
            match self.flights.get(&id) {
                Some(Flight { cargo: Cargo::Direct { .. }, .. }) => self.keep_flight(id, now_ms)?,
                Some(_) => self.send_again(id, now_ms)?,
                None => {}
            }
        }
        Ok(())
    }

    fn send_again(&mut self, id: u64, now_ms: i64) -> Result<(), RecordsError> {
        let Some(flight) = self.flights.get_mut(&id) else { return Ok(()) };
        flight.deadline_ms = now_ms + RESEND_MS;
        if flight.sends >= SENDS_PER_SESSION {
            return Ok(()); // its next session gets it
        }
        flight.sends += 1;
        let (session, inbox) = (flight.session, flight.inbox.clone());
        let kept = self.records.kept_after(&inbox, id - 1, 1, now_ms)?;
        match kept.into_iter().next().filter(|one| one.message.id == id) {
            Some(one) => self.send(session, one.message),
            None => self.drop_flight(id),
        }
        Ok(())
    }

    /// Forgets a message that expired while it was under way.
    fn drop_flight(&mut self, id: u64) {
        let Some(flight) = self.flights.remove(&id) else { return };
        if let Some(proven) = self.proven_mut(flight.session) {
            proven.flights.remove(&id);
            proven.flight_bytes = proven.flight_bytes.saturating_sub(flight.bytes);
        }
    }
}

fn has_room(proven: &Proven) -> bool {
    proven.flights.len() < WINDOW_MESSAGES && proven.flight_bytes < WINDOW_BYTES
}
