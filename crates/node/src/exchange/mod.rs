//! The message node without its sockets: sessions, addresses, delivery.
//!
//! Time is an argument and what is to be sent is an [`Output`], so the whole node is tested without a
//! network. It answers every request: delivered, kept, or refused with a reason.

mod accounts;
mod addresses;
mod blobs;
mod delivery;
mod devices;
mod linking;
mod peers;
mod rate;
mod registry;
mod relays;
mod reset;
mod services;
mod session;
mod subscriptions;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;

use message::{Address, Code, Domain, Message, MessageType, Response};

pub use peers::{Claim, Frame, Outcome, Word};
pub use rate::Windows;
pub use relays::{Relays, RelaysError};
pub use session::{Proof, Role, SessionId};

use crate::config::Registration;
use crate::limits::{Limits, PROOF_MS, TIDY_MS};
use crate::metrics::Meters;
use crate::records::{Records, RecordsError};
use delivery::Flight;
use peers::Fleet;
use rate::Bucket;
use services::{Service, Services};
use session::{Proven, Session, Stage};

/// What the node wants done with a session.
#[derive(Debug, Clone, PartialEq)]
pub enum Output {
    /// Send it a message.
    Send {
        /// To whom.
        session: SessionId,
        /// What.
        message: Message,
    },
    /// Hand what it said to the gate.
    Gate {
        /// Who said it.
        session: SessionId,
        /// What.
        message: Message,
    },
    /// End it.
    Close {
        /// Which.
        session: SessionId,
        /// Why.
        code: Code,
    },
}

/// Why no session begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// Too many sessions.
    #[error("the node has as many sessions as it may")]
    Full,
    /// Too many new sessions from this network address.
    #[error("too many new sessions from this network address")]
    TooOften,
    /// Another wire is in force.
    #[error("the domain speaks another protocol now")]
    OtherWire,
    /// The node is shutting down.
    #[error("the node is shutting down")]
    Stopping,
}

/// What the node has counted since its start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// Sessions open now.
    pub sessions: usize,
    /// Messages taken in.
    pub received: u64,
    /// Messages sent out, answers included.
    pub sent: u64,
    /// Messages put into a mailbox.
    pub kept: u64,
    /// Messages a recipient confirmed.
    pub confirmed: u64,
    /// Messages refused because their sender was not who they said.
    pub forged: u64,
    /// Proofs of a key that did not hold.
    pub bad_proofs: u64,
    /// Messages refused because their session sent too many.
    pub limited: u64,
    /// Bytes that were no message.
    pub malformed: u64,
    /// Sessions ended because they read more slowly than others write.
    pub slow: u64,
    /// Other nodes that are there now.
    pub peers: usize,
    /// Messages passed on to other nodes.
    pub forwarded: u64,
    /// Of those, messages nobody answered in time, which went into mailboxes.
    pub unanswered: u64,
    /// Chunks of files that were put into the blob store.
    pub blob_chunks_put: u64,
    /// Chunks of files that were given out.
    pub blob_chunks_got: u64,
}

/// The node of one domain.
pub struct Exchange {
    domain: Domain,
    registration: Registration,
    limits: Limits,
    services: Services,
    relays: Option<Relays>,
    records: Records,
    sessions: HashMap<SessionId, Session>,
    /// Session and allocated addresses of the sessions that are here.
    live: HashMap<Address, SessionId>,
    flights: HashMap<u64, Flight>,
    /// For each live inbox, the highest delivery number sent to this session.
    cursors: HashMap<Address, u64>,
    subscribers: HashMap<Address, HashSet<SessionId>>,
    opened_to: HashMap<Address, HashSet<Address>>,
    connects: Windows<IpAddr>,
    linkings: Windows<()>,
    resets: Windows<String>,
    next_session: u64,
    next_delivery: u64,
    tidied_at: i64,
    /// The moment of what is done now.
    now_ms: i64,
    fleet: Option<Fleet>,
    /// Whether there is a gate to other domains.
    has_gate: bool,
    outputs: Vec<Output>,
    stats: Stats,
    meters: Meters,
}

impl Exchange {
    /// A node on these records.
    pub fn new(
        domain: Domain,
        registration: Registration,
        limits: Limits,
        records: Records,
    ) -> Result<Self, RecordsError> {
        // A node that was one of several has given higher numbers than its own starts.
        let next_delivery = records.next_delivery_block()?.max(records.highest_delivery()? + 1);
        Ok(Self {
            services: Services::of(&domain),
            relays: None,
            domain,
            registration,
            limits,
            records,
            sessions: HashMap::new(),
            live: HashMap::new(),
            flights: HashMap::new(),
            cursors: HashMap::new(),
            subscribers: HashMap::new(),
            opened_to: HashMap::new(),
            connects: Windows::of(60_000),
            linkings: Windows::of(60_000),
            resets: Windows::of(24 * 3_600_000),
            next_session: 1,
            next_delivery,
            tidied_at: 0,
            now_ms: 0,
            fleet: None,
            has_gate: false,
            outputs: Vec::new(),
            stats: Stats::default(),
            meters: Meters::default(),
        })
    }

    /// From now on what is said to the gate is an output.
    pub fn open_gate(&mut self) {
        self.has_gate = true;
    }

    /// The gate says something to a session; who is not here any more does not hear it.
    pub fn say(&mut self, session: SessionId, message: Message) {
        if self.proven(session).is_some() {
            self.send(session, message);
        }
    }

    /// What it counts for those who watch; clones count together.
    pub fn meters(&self) -> &Meters {
        &self.meters
    }

    /// The records underneath, for the transaction around a batch.
    pub fn records(&self) -> &Records {
        &self.records
    }

    /// Takes what is to be done.
    pub fn take_outputs(&mut self) -> Vec<Output> {
        self.stats.sent += self.outputs.iter().filter(|output| matches!(output, Output::Send { .. })).count() as u64;
        std::mem::take(&mut self.outputs)
    }

    /// What was counted.
    pub fn stats(&self) -> Stats {
        let peers = self.fleet.as_ref().map_or(0, Fleet::peers);
        Stats { sessions: self.sessions.len(), peers, ..self.stats }
    }

    /// A session's socket does not take what is sent: ends it, and keeps what it has not confirmed.
    pub fn drop_slow(&mut self, id: SessionId, now_ms: i64) -> Result<(), RecordsError> {
        self.stats.slow += 1;
        self.disconnect(id, now_ms)
    }

    /// Counts bytes that were no message.
    pub fn count_malformed(&mut self) {
        self.stats.malformed += 1;
    }

    /// A runtime connected: gives it a session and a challenge.
    pub fn connect(&mut self, peer: IpAddr, now_ms: i64) -> Result<(SessionId, String), ConnectError> {
        if self.sessions.len() >= self.limits.sessions {
            return Err(ConnectError::Full);
        }
        if !self.connects.count(peer, self.limits.connects_per_minute, now_ms) {
            return Err(ConnectError::TooOften);
        }
        let id = SessionId(self.next_session);
        self.next_session += 1;
        let challenge = keys::b64url(&keys::random::<32>());
        let stage = Stage::Challenged { challenge: challenge.clone(), until_ms: now_ms + PROOF_MS };
        let bucket = Bucket::full(self.limits.message_burst, now_ms);
        let bytes = Bucket::full(self.limits.byte_burst, now_ms);
        self.sessions.insert(id, Session { stage, bucket, bytes, reads: Windows::of(60_000), linkings: 0 });
        Ok((id, challenge))
    }

    /// A runtime sent a message.
    pub fn receive(&mut self, from: SessionId, message: Message, now_ms: i64) -> Result<(), RecordsError> {
        self.stats.received += 1;
        self.now_ms = now_ms;
        let Some(session) = self.sessions.get_mut(&from) else { return Ok(()) };
        // Confirmations are bounded by the window already; refusing one would only bring the message again.
        if message.kind != MessageType::Response && !session.may_send(&message, &self.limits, now_ms) {
            self.stats.limited += 1;
            self.refuse(from, &message, Code::TOO_MANY, "more than this session may send");
            return Ok(());
        }
        match &session.stage {
            Stage::Challenged { challenge, .. } => {
                let challenge = challenge.clone();
                self.prove(from, &challenge, &message, now_ms)
            }
            Stage::Proven(proven) if !proven.may_speak_as(&message.from) => {
                self.stats.forged += 1;
                self.refuse(from, &message, Code::FORBIDDEN, "this address was not allocated to this session");
                Ok(())
            }
            Stage::Proven(_) => self.dispatch(from, message, now_ms),
        }
    }

    fn dispatch(&mut self, from: SessionId, message: Message, now_ms: i64) -> Result<(), RecordsError> {
        let admitted = self.proven(from).is_some_and(Proven::is_admitted);
        match self.services.at(&message.to) {
            Some(Service::Session) => self.on_session_message(from, &message, now_ms),
            Some(Service::NewAccount) => self.on_account(from, &message, now_ms),
            Some(Service::Account) => self.on_own_account(from, &message, now_ms),
            Some(Service::Linking) => self.on_linking(from, &message, now_ms),
            Some(Service::Relays) => self.on_relays(from, &message, now_ms),
            // Whoever is linked may answer the device that links it.
            None if !admitted && message.kind == MessageType::Response => self.route(from, message, now_ms),
            _ if !admitted => {
                self.refuse(from, &message, Code::FORBIDDEN, "create an account first");
                Ok(())
            }
            Some(Service::Allocation) => self.on_allocation(from, &message),
            Some(Service::Subscriptions) => {
                self.on_subscription(from, &message);
                Ok(())
            }
            Some(Service::Blobs) => self.on_blob(from, &message, now_ms),
            Some(Service::Registry) => self.on_registry(from, &message, now_ms),
            Some(Service::Gate) => {
                self.on_gate(from, message);
                Ok(())
            }
            None => self.route(from, message, now_ms),
        }
    }

    /// Visitors have their own domain's gate.
    fn on_gate(&mut self, session: SessionId, message: Message) {
        let is_member = self.proven(session).is_some_and(|proven| proven.role == Role::Member);
        if self.has_gate && is_member {
            self.outputs.push(Output::Gate { session, message });
        } else if is_member {
            self.refuse(session, &message, Code::NOT_FOUND, "this domain has no gate");
        } else {
            self.refuse(session, &message, Code::FORBIDDEN, "the gate is for members");
        }
    }

    fn prove(&mut self, id: SessionId, challenge: &str, message: &Message, now_ms: i64) -> Result<(), RecordsError> {
        if message.kind != MessageType::Open || self.services.at(&message.to) != Some(Service::Session) {
            self.refuse(id, message, Code::UNAUTHORIZED, "prove your key first");
            return Ok(());
        }
        let proof = match message.body.parse::<Proof>() {
            Ok(proof) if proof.holds(&self.domain, challenge) => proof,
            _ => {
                self.stats.bad_proofs += 1;
                self.refuse(id, message, Code::UNAUTHORIZED, "the proof does not hold");
                // One challenge, one attempt.
                self.close(id, Code::UNAUTHORIZED, now_ms)?;
                return Ok(());
            }
        };
        let address = proof.address(&self.domain);
        // A device that comes again has lost its old connection, whether we noticed or not.
        if let Some(old) = self.live.get(&address).copied().filter(|old| !self.is_elsewhere(*old)) {
            self.close(old, Code::CONFLICT, now_ms)?;
        }
        let device = proof.key.to_string();
        let user = match proof.role {
            Role::Member => self.records.owner_of_device(&device, now_ms / 1000)?,
            Role::Visitor => None,
        };
        let registered = user.is_some();
        let proven = Proven {
            role: proof.role,
            device,
            address: address.clone(),
            addresses: HashSet::new(),
            user,
            flights: Default::default(),
            flight_bytes: 0,
            waiting: Default::default(),
            subscriptions: HashSet::new(),
            since_ms: now_ms,
        };
        if let Some(session) = self.sessions.get_mut(&id) {
            session.stage = Stage::Proven(Box::new(proven));
        }
        self.live.insert(address.clone(), id);
        self.touch(id);
        self.answer(id, message, &opened(&address, proof.role, registered));
        if registered { self.settle(id, now_ms) } else { Ok(()) }
    }

    /// Gives a member's session its addresses and the mail that waits there.
    fn settle(&mut self, id: SessionId, now_ms: i64) -> Result<(), RecordsError> {
        let Some(device) = self.proven(id).map(|proven| proven.device.clone()) else { return Ok(()) };
        let addresses = self.records.addresses_of(&device)?;
        let waiting = self.records.inboxes_with_mail(&device)?;
        for address in &addresses {
            self.live.insert(address.clone(), id);
        }
        if let Some(proven) = self.proven_mut(id) {
            proven.addresses.extend(addresses);
            proven.waiting.extend(waiting);
        }
        self.touch(id);
        self.pump(id, now_ms)
    }

    fn on_session_message(&mut self, id: SessionId, message: &Message, now_ms: i64) -> Result<(), RecordsError> {
        match message.kind {
            MessageType::Close => self.close(id, Code::OK, now_ms),
            MessageType::Open => {
                if let Some(proven) = self.proven(id) {
                    let response = opened(&proven.address, proven.role, proven.user.is_some());
                    self.answer(id, message, &response);
                }
                Ok(())
            }
            _ => {
                self.refuse(id, message, Code::BAD_REQUEST, "a session is opened or closed");
                Ok(())
            }
        }
    }

    /// A runtime's connection ended.
    pub fn disconnect(&mut self, id: SessionId, now_ms: i64) -> Result<(), RecordsError> {
        let Some(session) = self.sessions.remove(&id) else { return Ok(()) };
        let Stage::Proven(proven) = session.stage else { return Ok(()) };
        self.touch(id);
        let owned = proven.addresses.iter().chain(std::iter::once(&proven.address));
        for address in owned {
            if self.live.get(address) == Some(&id) {
                self.live.remove(address);
                self.cursors.remove(address);
                self.opened_to.remove(address);
            }
        }
        for resource in &proven.subscriptions {
            self.forget_subscription(id, resource);
        }
        self.keep_unconfirmed(&proven, now_ms)
    }

    fn close(&mut self, id: SessionId, code: Code, now_ms: i64) -> Result<(), RecordsError> {
        self.outputs.push(Output::Close { session: id, code });
        self.disconnect(id, now_ms)
    }

    /// Ends every session, keeping what was not confirmed.
    pub fn close_all(&mut self, code: Code, now_ms: i64) -> Result<(), RecordsError> {
        let ids: Vec<SessionId> = self.sessions.keys().copied().collect();
        ids.into_iter().try_for_each(|id| self.close(id, code, now_ms))
    }

    /// Forgets every session without a word, after the records failed: their runtimes come again and
    /// their senders, who have no answer, send again.
    pub fn forget_sessions(&mut self) {
        let ids: Vec<SessionId> = self.sessions.keys().copied().collect();
        ids.into_iter().for_each(|id| self.touch(id));
        self.sessions.clear();
        self.live.clear();
        self.flights.clear();
        self.cursors.clear();
        self.subscribers.clear();
        self.opened_to.clear();
        self.outputs.clear();
    }

    /// Time passed: proofs, confirmations and kept messages have their deadlines.
    pub fn tick(&mut self, now_ms: i64) -> Result<(), RecordsError> {
        self.now_ms = now_ms;
        self.tick_peers(now_ms)?;
        let late: Vec<SessionId> = self
            .sessions
            .iter()
            .filter(|(_, session)| matches!(session.stage, Stage::Challenged { until_ms, .. } if until_ms <= now_ms))
            .map(|(id, _)| *id)
            .collect();
        late.into_iter().try_for_each(|id| self.close(id, Code::TIMEOUT, now_ms))?;
        self.tick_flights(now_ms)?;
        if now_ms - self.tidied_at >= TIDY_MS {
            self.turn_devices(now_ms)?;
            self.records.drop_expired_entries(now_ms / 1000)?;
            self.records.expire_mail(now_ms)?;
            self.records.expire_blobs(now_ms)?;
            self.tidied_at = now_ms;
        }
        Ok(())
    }

    fn proven(&self, id: SessionId) -> Option<&Proven> {
        self.sessions.get(&id).and_then(Session::proven)
    }

    fn proven_mut(&mut self, id: SessionId) -> Option<&mut Proven> {
        self.sessions.get_mut(&id).and_then(Session::proven_mut)
    }

    fn send(&mut self, session: SessionId, message: Message) {
        self.outputs.push(Output::Send { session, message });
    }

    fn answer(&mut self, session: SessionId, request: &Message, response: &Response) {
        if request.kind.wants_response() {
            self.send(session, request.response(response));
        }
    }

    fn refuse(&mut self, session: SessionId, request: &Message, code: Code, why: &'static str) {
        self.meters.refused(code, why);
        self.answer(session, request, &Response::because(code, why));
    }
}

fn opened(address: &Address, role: Role, registered: bool) -> Response {
    Response::ok(serde_json::json!({ "address": address, "role": role.as_str(), "registered": registered }))
}
