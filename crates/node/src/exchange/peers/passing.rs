//! Messages passed on to other nodes, and what becomes of them when nobody answers.

use cluster::To;
use message::{Code, Message};
use serde_json::value::RawValue;

use super::Word;
use crate::exchange::{Exchange, SessionId};
use crate::limits::{CONFIRM_MS, FORWARDS, MAILBOX_AGE_MS, PARKED};
use crate::records::RecordsError;

/// How long a forwarded message is held for its answer: the recipient's time and the way there and back.
const FORWARD_MS: i64 = CONFIRM_MS + 1_000;

/// How long a message to an unknown inbox waits: another node may have given it out just now.
const PARK_MS: i64 = 400;

/// A message that was passed on.
pub(super) struct Forward {
    pub(super) slot: u8,
    pub(super) message: Message,
    pub(super) due_ms: i64,
}

impl Exchange {
    /// Nobody knows what became of the messages passed on to a node: they go into mailboxes.
    pub(super) fn keep_forwards(&mut self, slot: u8, now_ms: i64) -> Result<(), RecordsError> {
        let Some(fleet) = &mut self.fleet else { return Ok(()) };
        let of = |(key, forward): (&(SessionId, u64), &Forward)| (forward.slot == slot).then_some(*key);
        let lost: Vec<(SessionId, u64)> = fleet.forwards.iter().filter_map(of).collect();
        lost.into_iter().try_for_each(|key| self.keep_forward(key, now_ms))
    }

    /// Passes a message on to the node where its inbox is, and holds it until the answer.
    pub(in crate::exchange) fn forward(
        &mut self,
        from: SessionId,
        to: SessionId,
        message: Message,
    ) -> Result<(), RecordsError> {
        let due_ms = self.now_ms + FORWARD_MS;
        let Some(fleet) = &mut self.fleet else { return Ok(()) };
        if fleet.forwards.len() >= FORWARDS {
            self.refuse(from, &message, Code::UNAVAILABLE, "too much is on its way to the other nodes");
            return Ok(());
        }
        let Ok(raw) = RawValue::from_string(message.to_json()) else { return Ok(()) };
        fleet.words.push((To::Node(to.slot()), Word::Deliver(from, raw)));
        self.stats.forwarded += 1;
        fleet.forwards.insert((from, message.id), Forward { slot: to.slot(), message, due_ms });
        Ok(())
    }

    pub(super) fn keep_forward(&mut self, key: (SessionId, u64), now_ms: i64) -> Result<(), RecordsError> {
        let forward = self.fleet.as_mut().and_then(|fleet| fleet.forwards.remove(&key));
        let Some(Forward { message, .. }) = forward else { return Ok(()) };
        self.stats.unanswered += 1;
        let parcel = Message { id: self.next_delivery(), ..message.clone() };
        self.keep_for(key.0, &message, parcel, now_ms + MAILBOX_AGE_MS, now_ms)
    }

    /// Lets a message to an unknown inbox wait for a moment; says whether it waits.
    pub(in crate::exchange) fn park(&mut self, from: SessionId, message: &Message) -> bool {
        let due_ms = self.now_ms + PARK_MS;
        let Some(fleet) = &mut self.fleet else { return false };
        let waits = from.slot() == fleet.slot && fleet.parked.len() < PARKED;
        if waits {
            fleet.parked.push((due_ms, from, message.clone()));
        }
        waits
    }
}
