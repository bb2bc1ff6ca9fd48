//! What the other nodes say of themselves and of their sessions.

use std::collections::{HashMap, HashSet};

use cluster::To;
use message::{Code, Message, MessageType};

use super::{Facts, Frame, Word};
use crate::exchange::{Exchange, SessionId};
use crate::records::RecordsError;

/// How long a frame may be overtaken before it counts as lost.
const OVERTAKEN_MS: i64 = 200;

/// Another node.
pub(super) struct Peer {
    start: u64,
    count: u64,
    /// How many frames to us alone we have heard.
    direct: u64,
    /// How many there should be, and since when. The two kinds of frames may overtake each other.
    missing: Option<(u64, i64)>,
    pub(super) heard_ms: i64,
    pub(super) sessions: HashMap<SessionId, Facts>,
}

impl Peer {
    /// Compares how many frames to us alone were sent with how many came.
    pub(super) fn compare(&mut self, is_direct: bool, sent: u64, now_ms: i64) {
        if is_direct {
            // Frames of one kind keep their order: what is left out is lost.
            let lost = sent > self.direct + 1;
            self.direct = sent;
            if lost {
                self.missing = Some((u64::MAX, now_ms - OVERTAKEN_MS));
            }
        } else if sent > self.direct && self.missing.is_none() {
            self.missing = Some((sent, now_ms));
        }
    }

    /// Whether frames to us alone were lost; says so once.
    pub(super) fn has_lost(&mut self, now_ms: i64) -> bool {
        let Some((sent, since)) = self.missing else { return false };
        if self.direct >= sent {
            self.missing = None;
            return false;
        }
        let lost = now_ms - since >= OVERTAKEN_MS;
        if lost {
            self.missing = None;
            // Unless the number was only a sign.
            self.direct = if sent == u64::MAX { self.direct } else { sent };
        }
        lost
    }
}

impl Exchange {
    /// Another node said something.
    pub fn hear(&mut self, frame: Frame, now_ms: i64) -> Result<(), RecordsError> {
        self.now_ms = now_ms;
        let Some(fleet) = &mut self.fleet else { return Ok(()) };
        if frame.slot == fleet.slot || frame.slot > 15 {
            return Ok(());
        }
        let slot = frame.slot;
        let own = fleet.slot;
        let sent = frame.sent.iter().find(|(to, _)| *to == own).map_or(0, |(_, sent)| *sent);
        let is_new = fleet.peers.get(&slot).is_none_or(|peer| peer.start != frame.start);
        if is_new {
            self.lose_peer(slot, now_ms)?;
            let peer = Peer {
                start: frame.start,
                count: frame.count,
                direct: sent,
                missing: None,
                heard_ms: now_ms,
                sessions: HashMap::new(),
            };
            if let Some(fleet) = &mut self.fleet {
                fleet.peers.insert(slot, peer);
                fleet.words.push((To::Node(slot), Word::Ask));
            }
        } else if let Some(peer) = fleet.peers.get_mut(&slot) {
            peer.heard_ms = now_ms;
            if frame.count > peer.count + 1 {
                // Something was lost on the way.
                fleet.words.push((To::Node(slot), Word::Ask));
            }
            peer.count = peer.count.max(frame.count);
            peer.compare(frame.direct, sent, now_ms);
        }
        frame.words.into_iter().try_for_each(|word| self.hear_word(slot, word, now_ms))
    }

    fn hear_word(&mut self, slot: u8, word: Word, now_ms: i64) -> Result<(), RecordsError> {
        match word {
            Word::Alive | Word::Rows(_) => Ok(()),
            Word::Missed => self.keep_forwards(slot, now_ms),
            Word::Ask => {
                self.tell_all(slot);
                Ok(())
            }
            Word::All(ids) => {
                let ids: HashSet<SessionId> = ids.into_iter().collect();
                for gone in self.sessions_at(slot).into_iter().filter(|id| !ids.contains(id)) {
                    self.forget_elsewhere(gone);
                }
                Ok(())
            }
            Word::Here(facts) => self.learn(slot, facts, now_ms),
            Word::Gone(id) if id.slot() == slot => {
                self.forget_elsewhere(id);
                Ok(())
            }
            Word::Gone(_) => Ok(()),
            Word::Deliver(from, message) => match Message::from_json(message.get().as_bytes()) {
                Ok(message) if from.slot() == slot => self.deliver(from, message, now_ms),
                _ => Ok(()),
            },
            Word::Send(to, message) => {
                if let Ok(message) = Message::from_json(message.get().as_bytes()) {
                    if message.kind == MessageType::Response
                        && let Some(fleet) = &mut self.fleet
                    {
                        fleet.forwards.remove(&(to, message.id));
                    }
                    if self.sessions.contains_key(&to) {
                        self.send(to, message);
                    }
                }
                Ok(())
            }
        }
    }

    fn tell_all(&mut self, slot: u8) {
        let all: Vec<Facts> = self.sessions.keys().filter_map(|id| self.facts(*id)).collect();
        let Some(fleet) = &mut self.fleet else { return };
        let ids = all.iter().map(|facts| facts.session).collect();
        fleet.words.push((To::Node(slot), Word::All(ids)));
        fleet.words.extend(all.into_iter().map(|facts| (To::Node(slot), Word::Here(facts))));
    }

    pub(super) fn sessions_at(&self, slot: u8) -> Vec<SessionId> {
        let peer = self.fleet.as_ref().and_then(|fleet| fleet.peers.get(&slot));
        peer.map(|peer| peer.sessions.keys().copied().collect()).unwrap_or_default()
    }

    pub(super) fn learn(&mut self, slot: u8, facts: Facts, now_ms: i64) -> Result<(), RecordsError> {
        if facts.session.slot() != slot {
            return Ok(());
        }
        self.forget_elsewhere(facts.session);
        // A device that came to another node since has lost its connection here, whether we noticed or not.
        if let Some(ours) = self.live.get(&facts.address).copied()
            && let Some(proven) = self.proven(ours)
        {
            if proven.since_ms > facts.since_ms {
                return Ok(());
            }
            self.close(ours, Code::CONFLICT, now_ms)?;
        }
        for address in facts.addresses.iter().chain(std::iter::once(&facts.address)) {
            self.live.insert(address.clone(), facts.session);
        }
        for resource in &facts.subscriptions {
            self.subscribers.entry(resource.clone()).or_default().insert(facts.session);
        }
        for (object, guests) in &facts.opened {
            self.opened_to.insert(object.clone(), guests.iter().cloned().collect());
        }
        if let Some(peer) = self.fleet.as_mut().and_then(|fleet| fleet.peers.get_mut(&slot)) {
            peer.sessions.insert(facts.session, facts);
        }
        Ok(())
    }

    pub(super) fn forget_elsewhere(&mut self, id: SessionId) {
        let peer = self.fleet.as_mut().and_then(|fleet| fleet.peers.get_mut(&id.slot()));
        let Some(facts) = peer.and_then(|peer| peer.sessions.remove(&id)) else { return };
        for address in facts.addresses.iter().chain(std::iter::once(&facts.address)) {
            if self.live.get(address) == Some(&id) {
                self.live.remove(address);
                self.opened_to.remove(address);
            }
        }
        for resource in &facts.subscriptions {
            self.forget_subscription(id, resource);
        }
    }

    /// A node is gone: nobody is there any more, and what it had not answered goes into mailboxes.
    pub(super) fn lose_peer(&mut self, slot: u8, now_ms: i64) -> Result<(), RecordsError> {
        for id in self.sessions_at(slot) {
            self.forget_elsewhere(id);
        }
        if let Some(fleet) = &mut self.fleet {
            fleet.peers.remove(&slot);
        }
        self.keep_forwards(slot, now_ms)
    }
}
