//! The other nodes of the domain: which sessions are there, and what is passed on to them.
//!
//! A message for a session of another node is forwarded to it, and its answer comes back the same way. What
//! is forwarded to an inbox is held until that answer: should the other node die, it goes into the mailbox.

use std::collections::{HashMap, HashSet};

use cluster::To;
use message::{Address, Code, Message, MessageType};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::{Exchange, Output, SessionId};
use crate::limits::{CONFIRM_MS, FORWARDS, MAILBOX_AGE_MS, PARKED};
use crate::records::{Change, RecordsError};

/// How often a node says that it is there.
const ALIVE_MS: i64 = 500;

/// A node that says nothing for so long is gone.
const SILENCE_MS: i64 = 2_500;

/// How long a frame may be overtaken before it counts as lost.
const OVERTAKEN_MS: i64 = 200;

/// How long a forwarded message is held for its answer: the recipient's time and the way there and back.
const FORWARD_MS: i64 = CONFIRM_MS + 1_000;

/// How long a message to an unknown inbox waits: another node may have given it out just now.
const PARK_MS: i64 = 400;

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
    /// These are all my sessions.
    All(Vec<Facts>),
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
#[derive(Debug, Serialize, Deserialize)]
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

struct Peer {
    start: u64,
    count: u64,
    /// How many frames to us alone we have heard.
    direct: u64,
    /// How many there should be, and since when. The two kinds of frames may overtake each other.
    missing: Option<(u64, i64)>,
    heard_ms: i64,
    sessions: HashMap<SessionId, Facts>,
}

impl Peer {
    /// Compares how many frames to us alone were sent with how many came.
    fn compare(&mut self, is_direct: bool, sent: u64, now_ms: i64) {
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
    fn has_lost(&mut self, now_ms: i64) -> bool {
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

struct Forward {
    slot: u8,
    message: Message,
    due_ms: i64,
}

/// Somebody must be the first with something, on whatever node; his request waits for that.
#[derive(Debug, Clone, PartialEq)]
pub struct Claim {
    /// What is claimed.
    pub keys: Vec<String>,
    /// For whom.
    pub value: String,
    session: SessionId,
    request: Message,
}

/// How a claim went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// All of it is his.
    Won,
    /// Somebody else was first.
    Lost,
    /// Nobody could say.
    Unavailable,
}

/// The exchange's part in a domain of several nodes.
pub(super) struct Fleet {
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
    pub(super) fn next_delivery(&mut self) -> u64 {
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
    pub(super) fn is_elsewhere(&self, id: SessionId) -> bool {
        self.fleet.as_ref().is_some_and(|fleet| id.slot() != fleet.slot)
    }

    /// The others must hear of a session again.
    pub(super) fn touch(&mut self, id: SessionId) {
        if let Some(fleet) = &mut self.fleet {
            fleet.touched.insert(id);
        }
    }

    /// Whether these keys are still to be claimed; what was granted serves once.
    pub(super) fn must_claim(&mut self, keys: &[String]) -> bool {
        let Some(fleet) = &mut self.fleet else { return false };
        let granted = keys.iter().filter(|key| fleet.granted.remove(*key)).count();
        granted < keys.len()
    }

    /// Lets a request wait until its sender is the first with these keys.
    pub(super) fn claim(&mut self, keys: Vec<String>, value: String, session: SessionId, request: &Message) {
        if let Some(fleet) = &mut self.fleet {
            fleet.claims.push(Claim { keys, value, session, request: request.clone() });
        }
    }

    /// A claim was decided: does what waited for it.
    pub fn claimed(&mut self, claim: Claim, outcome: Outcome, now_ms: i64) -> Result<(), RecordsError> {
        self.now_ms = now_ms;
        let Claim { keys, session, request, .. } = claim;
        match outcome {
            Outcome::Won => {
                if let Some(fleet) = &mut self.fleet {
                    fleet.granted.extend(keys);
                }
                self.on_account(session, &request, now_ms)
            }
            Outcome::Lost => {
                self.refuse(session, &request, Code::CONFLICT, "somebody else was first with that name");
                Ok(())
            }
            Outcome::Unavailable => {
                self.refuse(session, &request, Code::UNAVAILABLE, "names cannot be given now; try again");
                Ok(())
            }
        }
    }

    /// Takes what must be claimed.
    pub fn take_claims(&mut self) -> Vec<Claim> {
        self.fleet.as_mut().map(|fleet| std::mem::take(&mut fleet.claims)).unwrap_or_default()
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
    pub(super) fn address_of(&self, id: SessionId) -> Option<&Address> {
        if let Some(proven) = self.proven(id) {
            return Some(&proven.address);
        }
        let peer = self.fleet.as_ref()?.peers.get(&id.slot())?;
        peer.sessions.get(&id).map(|facts| &facts.address)
    }

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
                let ids: Vec<SessionId> = self.sessions.keys().copied().collect();
                let all = ids.into_iter().filter_map(|id| self.facts(id)).collect();
                if let Some(fleet) = &mut self.fleet {
                    fleet.words.push((To::Node(slot), Word::All(all)));
                }
                Ok(())
            }
            Word::All(all) => {
                let kept: HashSet<SessionId> = all.iter().map(|facts| facts.session).collect();
                for gone in self.sessions_at(slot).into_iter().filter(|id| !kept.contains(id)) {
                    self.forget_elsewhere(gone);
                }
                all.into_iter().try_for_each(|facts| self.learn(slot, facts, now_ms))
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

    fn sessions_at(&self, slot: u8) -> Vec<SessionId> {
        let peer = self.fleet.as_ref().and_then(|fleet| fleet.peers.get(&slot));
        peer.map(|peer| peer.sessions.keys().copied().collect()).unwrap_or_default()
    }

    fn learn(&mut self, slot: u8, facts: Facts, now_ms: i64) -> Result<(), RecordsError> {
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

    fn forget_elsewhere(&mut self, id: SessionId) {
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
    fn lose_peer(&mut self, slot: u8, now_ms: i64) -> Result<(), RecordsError> {
        for id in self.sessions_at(slot) {
            self.forget_elsewhere(id);
        }
        if let Some(fleet) = &mut self.fleet {
            fleet.peers.remove(&slot);
        }
        self.keep_forwards(slot, now_ms)
    }

    /// Nobody knows what became of the messages passed on to a node: they go into mailboxes.
    fn keep_forwards(&mut self, slot: u8, now_ms: i64) -> Result<(), RecordsError> {
        let Some(fleet) = &mut self.fleet else { return Ok(()) };
        let of = |(key, forward): (&(SessionId, u64), &Forward)| (forward.slot == slot).then_some(*key);
        let lost: Vec<(SessionId, u64)> = fleet.forwards.iter().filter_map(of).collect();
        lost.into_iter().try_for_each(|key| self.keep_forward(key, now_ms))
    }

    /// Passes a message on to the node where its inbox is, and holds it until the answer.
    pub(super) fn forward(&mut self, from: SessionId, to: SessionId, message: Message) -> Result<(), RecordsError> {
        let due_ms = self.now_ms + FORWARD_MS;
        let Some(fleet) = &mut self.fleet else { return Ok(()) };
        if fleet.forwards.len() >= FORWARDS {
            self.refuse(from, &message, Code::UNAVAILABLE, "too much is on its way to the other nodes");
            return Ok(());
        }
        let Ok(raw) = RawValue::from_string(message.to_json()) else { return Ok(()) };
        fleet.words.push((To::Node(to.slot()), Word::Deliver(from, raw)));
        fleet.forwards.insert((from, message.id), Forward { slot: to.slot(), message, due_ms });
        Ok(())
    }

    fn keep_forward(&mut self, key: (SessionId, u64), now_ms: i64) -> Result<(), RecordsError> {
        let forward = self.fleet.as_mut().and_then(|fleet| fleet.forwards.remove(&key));
        let Some(Forward { message, .. }) = forward else { return Ok(()) };
        let parcel = Message { id: self.next_delivery(), ..message.clone() };
        self.keep_for(key.0, &message, parcel, now_ms + MAILBOX_AGE_MS, now_ms)
    }

    /// Lets a message to an unknown inbox wait for a moment; says whether it waits.
    pub(super) fn park(&mut self, from: SessionId, message: &Message) -> bool {
        let due_ms = self.now_ms + PARK_MS;
        let Some(fleet) = &mut self.fleet else { return false };
        let waits = from.slot() == fleet.slot && fleet.parked.len() < PARKED;
        if waits {
            fleet.parked.push((due_ms, from, message.clone()));
        }
        waits
    }

    pub(super) fn tick_peers(&mut self, now_ms: i64) -> Result<(), RecordsError> {
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

    /// Other nodes changed what all of them know.
    pub fn changed(&mut self, news: &[Change], now_ms: i64) -> Result<(), RecordsError> {
        self.now_ms = now_ms;
        let mut devices = HashSet::new();
        for change in news {
            let gone = change.row.is_none();
            match (change.table.as_str(), change.text("inbox"), change.text("address"), change.text("key")) {
                ("mailbox", Some(inbox), ..) if !gone => {
                    let (inbox, id) = (Address::parse(inbox), change.key.first().and_then(serde_json::Value::as_u64));
                    if let (Ok(inbox), Some(id)) = (inbox, id) {
                        self.mail_came(inbox, id, now_ms)?;
                    }
                }
                ("addresses", _, Some(address), _) => {
                    let device = change.text("device").unwrap_or_default().to_owned();
                    match Address::parse(address) {
                        Ok(address) if gone => self.forget_address(&address),
                        Ok(address) => self.address_came(address, device, now_ms)?,
                        Err(_) => {}
                    }
                }
                ("devices", .., Some(device)) => {
                    if gone {
                        self.put_out_here(device, now_ms)?;
                    } else {
                        devices.insert(device.to_owned());
                    }
                }
                ("resets", ..) if !gone => {
                    let name = change.text("name").unwrap_or_default().to_owned();
                    for session in self.sessions_of_account(&name) {
                        self.tell(session, &serde_json::json!({ "code": "reset-pending" }));
                    }
                }
                _ => {}
            }
        }
        self.judge_sessions(&devices, None, now_ms)
    }

    /// Mail for an inbox came into our tables from another node. Its number may be below those sent already.
    fn mail_came(&mut self, inbox: Address, id: u64, now_ms: i64) -> Result<(), RecordsError> {
        let Some(session) = self.live.get(&inbox).copied().filter(|id| !self.is_elsewhere(*id)) else { return Ok(()) };
        if let Some(cursor) = self.cursors.get_mut(&inbox) {
            *cursor = (*cursor).min(id.saturating_sub(1));
        }
        if let Some(proven) = self.proven_mut(session) {
            proven.waiting.insert(inbox);
        }
        self.pump(session, now_ms)
    }

    /// An address that another node gave to a device, which may be here by now.
    fn address_came(&mut self, address: Address, device: String, now_ms: i64) -> Result<(), RecordsError> {
        for id in self.sessions_of(&HashSet::from([device])) {
            if self.proven(id).is_some_and(|proven| proven.user.is_some() && !proven.addresses.contains(&address)) {
                self.settle(id, now_ms)?;
            }
        }
        Ok(())
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
