//! The other nodes of the domain: which sessions are there, and what is passed on to them.
//!
//! A message for a session of another node is forwarded to it, and its answer comes back the same way. What
//! is forwarded to an inbox is held until that answer: should the other node die, it goes into the mailbox.

mod changes;
mod claims;
mod hearing;
mod passing;

use std::collections::{HashMap, HashSet};

use cluster::To;
use message::{Address, Message};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Exchange, Output, SessionId};
use crate::records::{Change, RecordsError};
pub use claims::{Claim, Outcome};
use hearing::Peer;
use passing::Forward;

/// How often a node says that it is there.
const ALIVE_MS: i64 = 500;

/// A node that says nothing for so long is gone.
const SILENCE_MS: i64 = 2_500;

/// 2025-01-01T00:00:00Z; delivery numbers count milliseconds from here.
const EPOCH_MS: i64 = 1_735_689_600_000;

/// What the other nodes must know of a session.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    session: SessionId,
    address: Address,
    addresses: Vec<Address>,
    since_ms: i64,
    subscriptions: Vec<Address>,
    opened: Vec<(Address, Vec<Address>)>,
}

/// One thing a node says to others.
#[derive(Debug, Serialize, Deserialize)]
pub enum Word {
    /// I am there.
    Alive,
    /// Tell me of all your sessions.
    Ask,
    /// These are all my sessions; what to know of each follows.
    All(Vec<SessionId>),
    /// A session began or changed.
    Here(Facts),
    /// A session ended.
    Gone(SessionId),
    /// A message of my session, for an inbox of yours.
    Deliver(SessionId, Box<RawValue>),
    /// A message for your session.
    Send(SessionId, Box<RawValue>),
    /// Frames of yours were lost on their way to me.
    Missed,
    /// Rows that are on their way to everybody; here they are sooner.
    Rows(Vec<Change>),
}

/// What one node says at once.
#[derive(Debug)]
pub struct Frame {
    /// Who says it.
    pub slot: u8,
    /// When that node started, in Unix milliseconds.
    pub start: u64,
    /// How many frames to everybody it has sent, this one included if it is one.
    pub count: u64,
    /// How many frames to each single node it has sent, this one included if it is one.
    pub sent: Vec<(u8, u64)>,
    /// Whether it is for one node.
    pub direct: bool,
    /// What it says.
    pub words: Vec<Word>,
}

/// The exchange's part in a domain of several nodes.
pub(in crate::exchange) struct Fleet {
    slot: u8,
    last_id: u64,
    said_ms: i64,
    peers: HashMap<u8, Peer>,
    forwards: HashMap<(SessionId, u64), Forward>,
    parked: Vec<(i64, SessionId, Message)>,
    touched: HashSet<SessionId>,
    words: Vec<(To, Word)>,
    claims: Vec<Claim>,
    granted: HashSet<String>,
}

impl Fleet {
    /// How many other nodes are there.
    pub(in crate::exchange) fn peers(&self) -> usize {
        self.peers.len()
    }
}

impl Exchange {
    /// Becomes one of several nodes, under a slot that no other node has.
    pub fn join(&mut self, slot: u8, now_ms: i64) {
        // Sessions of an earlier start must not be taken for new ones: their numbers begin with the time.
        self.next_session =
            (u64::from(slot) << 48) | ((((now_ms - EPOCH_MS) / 1000).unsigned_abs() & 0xffff_ffff) << 16);
        let words = vec![(To::Everybody, Word::Ask)];
        self.fleet = Some(Fleet {
            slot,
            last_id: 0,
            said_ms: 0,
            peers: HashMap::new(),
            forwards: HashMap::new(),
            parked: Vec::new(),
            touched: HashSet::new(),
            words,
            claims: Vec::new(),
            granted: HashSet::new(),
        });
    }

    /// The next delivery number. With several nodes it holds the time and the slot, so that numbers of
    /// different nodes are never the same and stand roughly in the order in which they were given.
    pub(in crate::exchange) fn next_delivery(&mut self) -> u64 {
        match &mut self.fleet {
            Some(fleet) => {
                let slot = u64::from(fleet.slot);
                let now = ((self.now_ms - EPOCH_MS).unsigned_abs() << 12) | slot;
                fleet.last_id = now.max(fleet.last_id + 16);
                fleet.last_id
            }
            None => {
                self.next_delivery += 1;
                self.next_delivery - 1
            }
        }
    }

    /// Whether a session is another node's.
    pub(in crate::exchange) fn is_elsewhere(&self, id: SessionId) -> bool {
        self.fleet.as_ref().is_some_and(|fleet| id.slot() != fleet.slot)
    }

    /// The others must hear of a session again.
    pub(in crate::exchange) fn touch(&mut self, id: SessionId) {
        if let Some(fleet) = &mut self.fleet {
            fleet.touched.insert(id);
        }
    }

    /// Takes what the other nodes must hear.
    pub fn take_words(&mut self) -> Vec<(To, Word)> {
        let Some(fleet) = &mut self.fleet else { return Vec::new() };
        let mut words = std::mem::take(&mut fleet.words);
        for id in std::mem::take(&mut fleet.touched) {
            words.push((To::Everybody, self.facts(id).map_or(Word::Gone(id), Word::Here)));
        }
        words
    }

    fn facts(&self, id: SessionId) -> Option<Facts> {
        let proven = self.proven(id)?;
        let own = proven.addresses.iter().chain(std::iter::once(&proven.address));
        let opened = own.filter_map(|object| {
            let guests = self.opened_to.get(object)?;
            Some((object.clone(), guests.iter().cloned().collect()))
        });
        Some(Facts {
            session: id,
            address: proven.address.clone(),
            addresses: proven.addresses.iter().cloned().collect(),
            since_ms: proven.since_ms,
            subscriptions: proven.subscriptions.iter().cloned().collect(),
            opened: opened.collect(),
        })
    }

    /// The address of a session, here or elsewhere.
    pub(in crate::exchange) fn address_of(&self, id: SessionId) -> Option<&Address> {
        if let Some(proven) = self.proven(id) {
            return Some(&proven.address);
        }
        let peer = self.fleet.as_ref()?.peers.get(&id.slot())?;
        peer.sessions.get(&id).map(|facts| &facts.address)
    }

    pub(in crate::exchange) fn tick_peers(&mut self, now_ms: i64) -> Result<(), RecordsError> {
        let Some(fleet) = &mut self.fleet else { return Ok(()) };
        if now_ms - fleet.said_ms >= ALIVE_MS {
            fleet.said_ms = now_ms;
            fleet.words.push((To::Everybody, Word::Alive));
        }
        let mut deaf = Vec::new();
        for (slot, peer) in &mut fleet.peers {
            if peer.has_lost(now_ms) {
                deaf.push(*slot);
            }
        }
        fleet.words.extend(deaf.iter().map(|slot| (To::Node(*slot), Word::Missed)));
        let silent = fleet.peers.iter().filter(|(_, peer)| now_ms - peer.heard_ms > SILENCE_MS);
        let silent: Vec<u8> = silent.map(|(slot, _)| *slot).collect();
        let late = fleet.forwards.iter().filter(|(_, forward)| forward.due_ms <= now_ms);
        let late: Vec<(SessionId, u64)> = late.map(|(key, _)| *key).collect();
        let (due, parked) = std::mem::take(&mut fleet.parked).into_iter().partition(|(due, ..)| *due <= now_ms);
        fleet.parked = parked;
        let due: Vec<(i64, SessionId, Message)> = due;
        deaf.into_iter().try_for_each(|slot| self.keep_forwards(slot, now_ms))?;
        silent.into_iter().try_for_each(|slot| self.lose_peer(slot, now_ms))?;
        late.into_iter().try_for_each(|key| self.keep_forward(key, now_ms))?;
        due.into_iter().try_for_each(|(_, from, message)| self.deliver_or_refuse(from, message, now_ms))
    }

    /// What goes out now, in the words of [`Output`], to a session of another node.
    pub fn word_for(&self, output: &Output) -> Option<(To, Word)> {
        match output {
            Output::Send { session, message } if self.is_elsewhere(*session) => {
                let raw = RawValue::from_string(message.to_json()).ok()?;
                Some((To::Node(session.slot()), Word::Send(*session, raw)))
            }
            _ => None,
        }
    }
}
