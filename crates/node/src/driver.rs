//! Runs the exchange on its own thread: one owner, batches in, one transaction per batch.
//!
//! Nothing of a batch is sent before its transaction is on disk, and with several nodes before its rows are
//! safe at the servers, so an answer is never a lie. What comes later never overtakes what waits for that.

use std::collections::{HashMap, VecDeque};
use std::net::IpAddr;
use std::time::{Duration, Instant};

use cluster::To;
use message::{Code, Message, Response};
use tokio::sync::{mpsc, oneshot};

use crate::config::Wire;
use crate::exchange::{ConnectError, Exchange, Output, SessionId, Stats, Word};
use crate::fleet::{Fleet, News};
use crate::gate::{Order, Orders};
use crate::limits::{BATCH_MESSAGES, TICKETS};
use crate::outbox::{OutboxSender, outbox};
use crate::records::{Change, Depths, RecordsError};
use crate::routed_log::RoutedLog;
use crate::switch::{Command, Connected, Outgoing};
use clock::now_ms;

/// How often deadlines are looked at.
const TICK: Duration = Duration::from_millis(250);

/// How long a node that stops waits for the servers to have what it wrote.
const LAST_ROWS: Duration = Duration::from_secs(5);

/// What is answered once the batch is on disk.
enum Goodbye {
    Connected(oneshot::Sender<Result<Connected, ConnectError>>, Result<Connected, ConnectError>),
    Done(oneshot::Sender<()>),
    Stats(oneshot::Sender<Stats>, Stats),
    Observed(oneshot::Sender<(Stats, Depths)>, (Stats, Depths)),
    Forgotten(oneshot::Sender<bool>, bool),
}

impl Goodbye {
    /// Whoever asked may have gone; then nobody needs the answer.
    fn say(self) {
        match self {
            Self::Connected(reply, outcome) => drop(reply.send(outcome)),
            Self::Done(done) => drop(done.send(())),
            Self::Stats(reply, stats) => drop(reply.send(stats)),
            Self::Observed(reply, seen) => drop(reply.send(seen)),
            Self::Forgotten(reply, known) => drop(reply.send(known)),
        }
    }
}

/// What is sent when the rows before it are safe.
struct Ticket {
    number: u64,
    /// Up to where changes went out with it.
    reached: i64,
    begun: Instant,
    outputs: Vec<Output>,
    goodbyes: Vec<Goodbye>,
}

/// The exchange and what it needs around it.
pub(crate) struct Driver {
    exchange: Exchange,
    wire: Wire,
    log: Option<RoutedLog>,
    fleet: Option<Fleet>,
    gate: Option<Orders>,
    outboxes: HashMap<SessionId, OutboxSender>,
    /// Sessions whose socket does not take what is sent.
    slow: Vec<SessionId>,
    commands: mpsc::Receiver<Command>,
    goodbyes: Vec<Goodbye>,
    tickets: VecDeque<Ticket>,
    last_ticket: u64,
    safe: u64,
    /// Up to where changes were taken out, and up to where they are safe.
    taken: i64,
    went_out: i64,
    words: Vec<(To, Word)>,
    stopping: Option<Instant>,
}

impl Driver {
    pub(crate) fn new(
        exchange: Exchange,
        wire: Wire,
        log: Option<RoutedLog>,
        fleet: Option<Fleet>,
        gate: Option<Orders>,
        commands: mpsc::Receiver<Command>,
    ) -> Self {
        Self {
            exchange,
            wire,
            log,
            fleet,
            gate,
            outboxes: HashMap::new(),
            slow: Vec::new(),
            commands,
            goodbyes: Vec::new(),
            tickets: VecDeque::new(),
            last_ticket: 0,
            safe: 0,
            taken: 0,
            went_out: 0,
            words: Vec::new(),
            stopping: None,
        }
    }

    pub(crate) fn run(mut self) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
            Ok(runtime) => runtime,
            Err(error) => return tracing::error!(%error, "the exchange has no timer"),
        };
        runtime.block_on(async {
            let mut tick = tokio::time::interval(TICK);
            tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let (mut batch, mut heard) = (Vec::with_capacity(BATCH_MESSAGES), Vec::new());
            loop {
                let mut due = false;
                tokio::select! {
                    biased;
                    _ = tick.tick() => due = true,
                    () = hear(&mut self.fleet, &mut heard) => {}
                    // While the servers are slow the sockets are not read; TCP tells the senders.
                    taken = self.commands.recv_many(&mut batch, BATCH_MESSAGES), if self.tickets.len() < TICKETS => {
                        if taken == 0 { return }
                    }
                }
                self.run_batch(&mut batch, &mut heard, due);
                let is_over = |since: Instant| self.tickets.is_empty() || since.elapsed() > LAST_ROWS;
                if self.stopping.is_some_and(is_over) {
                    return self.tickets.drain(..).flat_map(|ticket| ticket.goodbyes).for_each(Goodbye::say);
                }
            }
        });
    }

    /// Does one batch in one transaction.
    fn run_batch(&mut self, batch: &mut Vec<Command>, heard: &mut Vec<News>, due: bool) {
        if batch.iter().any(|command| matches!(command, Command::Stop { .. })) {
            self.stopping.get_or_insert_with(Instant::now);
        }
        let news = self.take_in(heard);
        match self.transact(batch, heard, &news, due) {
            Ok(rows) => self.settle(rows),
            Err(error) => self.give_up(&error),
        }
        self.words.extend(self.exchange.take_words());
        if let Some(fleet) = &mut self.fleet {
            fleet.say(std::mem::take(&mut self.words));
            self.exchange.take_claims().into_iter().for_each(|claim| fleet.claim(claim));
        }
    }

    /// Puts what other nodes changed into the tables; gives what was news.
    fn take_in(&mut self, heard: &mut Vec<News>) -> Vec<Change> {
        let Some(fleet) = &mut self.fleet else { return Vec::new() };
        let (mut changes, mut positions) = (Vec::new(), Vec::new());
        heard.retain_mut(|one| match one {
            News::Rows(rows, read) => {
                changes.append(rows);
                positions.append(read);
                false
            }
            News::Safe(ticket) => {
                self.safe = self.safe.max(*ticket);
                false
            }
            News::Frame(_) | News::Claimed(..) => true,
        });
        if changes.is_empty() && positions.is_empty() {
            return Vec::new();
        }
        match fleet.replica.apply(changes, &positions, &mut fleet.stamps) {
            Ok(news) => news,
            Err(error) => {
                // The next start reads them again.
                tracing::error!(%error, "changes of other nodes could not be taken in");
                Vec::new()
            }
        }
    }

    fn transact(
        &mut self,
        batch: &mut Vec<Command>,
        heard: &mut Vec<News>,
        news: &[Change],
        due: bool,
    ) -> Result<Vec<Change>, RecordsError> {
        self.exchange.records().begin()?;
        let now = now_ms();
        let commands = batch.len();
        for session in std::mem::take(&mut self.slow) {
            self.exchange.drop_slow(session, now)?;
        }
        self.exchange.changed(news, now)?;
        for one in heard.drain(..) {
            match one {
                News::Frame(frame) => self.exchange.hear(frame, now)?,
                News::Claimed(claim, outcome) => self.exchange.claimed(claim, outcome, now)?,
                News::Rows(..) | News::Safe(_) => {}
            }
        }
        for command in batch.drain(..) {
            self.apply(command, now)?;
        }
        if due {
            self.exchange.tick(now)?;
        }
        let rows = self.take_rows(now)?;
        let begun = Instant::now();
        self.exchange.records().commit()?;
        if commands > 0 && rows.is_empty() {
            self.exchange.meters().committed(commands, begun.elapsed());
        }
        Ok(rows)
    }

    /// Takes out the changes of this batch, and forgets those that are safe.
    fn take_rows(&mut self, now: i64) -> Result<Vec<Change>, RecordsError> {
        let Some(fleet) = &mut self.fleet else { return Ok(Vec::new()) };
        if let Some(ticket) = self.tickets.iter().take_while(|ticket| ticket.number <= self.safe).last()
            && ticket.reached > self.went_out
        {
            self.exchange.records().went_out(ticket.reached)?;
            self.went_out = ticket.reached;
        }
        let (reached, rows) = self.exchange.records().outgoing(self.taken, &mut fleet.stamps, fleet.slot, now)?;
        self.taken = reached;
        Ok(rows)
    }

    /// Sends what the batch brought, when everything before it is safe.
    fn settle(&mut self, rows: Vec<Change>) {
        let mut outputs = self.exchange.take_outputs();
        let mut goodbyes = std::mem::take(&mut self.goodbyes);
        if let Some(fleet) = &mut self.fleet
            && !rows.is_empty()
        {
            self.last_ticket += 1;
            self.words.extend(rows.iter().map(|row| (To::Everybody, Word::Rows(vec![row.clone()]))));
            fleet.ship(self.last_ticket, rows);
        }
        if self.last_ticket > self.safe && !(outputs.is_empty() && goodbyes.is_empty() && self.is_ticketed()) {
            self.tickets.push_back(Ticket {
                number: self.last_ticket,
                reached: self.taken,
                begun: Instant::now(),
                outputs: std::mem::take(&mut outputs),
                goodbyes: std::mem::take(&mut goodbyes),
            });
        }
        while self.tickets.front().is_some_and(|ticket| ticket.number <= self.safe) {
            let Some(ticket) = self.tickets.pop_front() else { break };
            self.exchange.meters().committed(ticket.outputs.len(), ticket.begun.elapsed());
            self.dispatch(ticket.outputs);
            ticket.goodbyes.into_iter().for_each(Goodbye::say);
        }
        self.dispatch(outputs);
        goodbyes.into_iter().for_each(Goodbye::say);
    }

    /// Whether the last rows have a ticket already.
    fn is_ticketed(&self) -> bool {
        self.tickets.back().is_some_and(|ticket| ticket.number == self.last_ticket)
    }

    fn apply(&mut self, command: Command, now: i64) -> Result<(), RecordsError> {
        match command {
            Command::Connect { wire, peer, reply } => {
                let outcome = self.connect(wire, peer, now);
                self.goodbyes.push(Goodbye::Connected(reply, outcome));
            }
            Command::Message { session, message } => {
                if let Some(log) = &mut self.log {
                    log.write("in", &message);
                }
                self.exchange.receive(session, message, now)?;
            }
            Command::Say { session, message } => self.exchange.say(session, message),
            Command::Malformed => self.exchange.count_malformed(),
            Command::Disconnect { session } => {
                self.let_go(session);
                self.exchange.disconnect(session, now)?;
            }
            Command::SetWire { wire, done } => {
                self.wire = wire;
                self.goodbyes.push(Goodbye::Done(done));
                self.exchange.close_all(Code::UPGRADE_REQUIRED, now)?;
            }
            Command::Stats { reply } => self.goodbyes.push(Goodbye::Stats(reply, self.exchange.stats())),
            Command::Observe { reply } => {
                let seen = (self.exchange.stats(), self.exchange.records().depths()?);
                self.goodbyes.push(Goodbye::Observed(reply, seen));
            }
            Command::Forget { name, reply } => {
                let known = self.exchange.forget_account(&name, now)?;
                self.goodbyes.push(Goodbye::Forgotten(reply, known));
            }
            Command::Stop { done } => {
                self.goodbyes.push(Goodbye::Done(done));
                self.exchange.close_all(Code::UNAVAILABLE, now)?;
            }
        }
        Ok(())
    }

    fn connect(&mut self, wire: Wire, peer: IpAddr, now: i64) -> Result<Connected, ConnectError> {
        if self.stopping.is_some() {
            return Err(ConnectError::Stopping);
        }
        if wire != self.wire {
            return Err(ConnectError::OtherWire);
        }
        let (session, challenge) = self.exchange.connect(peer, now)?;
        let (sender, outbox) = outbox();
        self.outboxes.insert(session, sender);
        Ok(Connected { session, challenge, outbox })
    }

    fn dispatch(&mut self, outputs: Vec<Output>) {
        for output in outputs {
            if let Some(word) = self.exchange.word_for(&output) {
                self.words.push(word);
                continue;
            }
            match output {
                Output::Send { session, message } => self.send(session, message),
                Output::Gate { session, message } => self.order(session, message),
                Output::Close { session, code } => {
                    if let Some(outbox) = self.let_go(session) {
                        // A full outbox ends the socket as well.
                        let _ = outbox.push(Outgoing::Closed(code));
                    }
                }
            }
        }
    }

    fn send(&mut self, session: SessionId, message: Message) {
        if let Some(log) = &mut self.log {
            log.write("out", &message);
        }
        let Some(outbox) = self.outboxes.get(&session) else { return };
        if outbox.push(Outgoing::Message(message)).is_err() {
            self.let_go(session);
            self.slow.push(session);
        }
    }

    /// Forgets a session's socket, and the stubs that ran for it.
    fn let_go(&mut self, session: SessionId) -> Option<OutboxSender> {
        let outbox = self.outboxes.remove(&session)?;
        if let Some(gate) = &self.gate
            && let Err(mpsc::error::TrySendError::Full(order)) = gate.try_send(Order::Gone { session })
        {
            // It must hear of this however much it has to do, or the stubs would run for ever.
            let gate = gate.clone();
            tokio::spawn(async move { gate.send(order).await });
        }
        Some(outbox)
    }

    fn order(&mut self, session: SessionId, message: Message) {
        let Some(gate) = &self.gate else { return };
        let Err(error) = gate.try_send(Order::Message { session, message }) else { return };
        if let Order::Message { message, .. } = error.into_inner()
            && message.kind.wants_response()
        {
            self.send(session, message.response(&Response::because(Code::UNAVAILABLE, "the gate is busy")));
        }
    }

    /// The disk failed: nothing of the batch happened, and nobody is told that it did.
    fn give_up(&mut self, error: &RecordsError) {
        tracing::error!(%error, "the records failed; every session ends");
        self.exchange.records().roll_back();
        self.exchange.forget_sessions();
        let all: Vec<SessionId> = self.outboxes.keys().copied().collect();
        all.into_iter().for_each(|session| drop(self.let_go(session)));
        for goodbye in self.goodbyes.drain(..) {
            match goodbye {
                Goodbye::Connected(reply, _) => Goodbye::Connected(reply, Err(ConnectError::Stopping)).say(),
                Goodbye::Forgotten(reply, _) => Goodbye::Forgotten(reply, false).say(),
                other => other.say(),
            }
        }
    }
}

/// Waits for what other nodes say; for ever when there are none.
async fn hear(fleet: &mut Option<Fleet>, heard: &mut Vec<News>) {
    let taken = match fleet {
        Some(fleet) => fleet.news.recv_many(heard, BATCH_MESSAGES).await,
        None => 0,
    };
    if taken == 0 {
        // Nobody else, or the node stops.
        std::future::pending::<()>().await;
    }
}
