//! Runs the exchange on its own thread: one owner, batches in, one transaction per batch.
//!
//! Nothing of a batch is sent before its transaction is on disk, so an answer is never a lie.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use message::{Code, Message};
use tokio::sync::{mpsc, oneshot};

use crate::config::Wire;
use crate::exchange::{ConnectError, Exchange, Output, SessionId, Stats};
use crate::limits::{BATCH_MESSAGES, INTAKE_MESSAGES, OUTBOX_MESSAGES};
use crate::records::RecordsError;
use crate::routed_log::RoutedLog;

/// How often deadlines are looked at.
const TICK: Duration = Duration::from_millis(250);

/// The time now, in Unix milliseconds.
pub fn now_ms() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX).saturating_add(crate::clock::ahead_ms())
}

/// What goes out on a session's socket.
#[derive(Debug)]
pub enum Outgoing {
    /// A message.
    Message(Message),
    /// The end, and why.
    Closed(Code),
}

/// A session that began.
pub struct Connected {
    /// Its name.
    pub session: SessionId,
    /// What its runtime must sign.
    pub challenge: String,
    /// What goes out on its socket.
    pub outbox: mpsc::Receiver<Outgoing>,
}

enum Command {
    Connect { wire: Wire, peer: IpAddr, reply: oneshot::Sender<Result<Connected, ConnectError>> },
    Message { session: SessionId, message: Message },
    Malformed,
    Disconnect { session: SessionId },
    SetWire { wire: Wire, done: oneshot::Sender<()> },
    Stats { reply: oneshot::Sender<Stats> },
    Forget { name: String, reply: oneshot::Sender<bool> },
    Stop { done: oneshot::Sender<()> },
}

/// The wires' handle to the exchange.
#[derive(Clone)]
pub struct Switch {
    intake: mpsc::Sender<Command>,
}

impl Switch {
    /// Starts the exchange's thread.
    pub fn start(exchange: Exchange, wire: Wire, log: Option<RoutedLog>) -> std::io::Result<Self> {
        let (intake, commands) = mpsc::channel(INTAKE_MESSAGES);
        let driver = Driver { exchange, wire, log, outboxes: HashMap::new(), commands, goodbyes: Vec::new() };
        std::thread::Builder::new().name("exchange".into()).spawn(move || driver.run())?;
        Ok(Self { intake })
    }

    /// Begins a session.
    pub async fn connect(&self, wire: Wire, peer: IpAddr) -> Result<Connected, ConnectError> {
        let (reply, answer) = oneshot::channel();
        self.intake.send(Command::Connect { wire, peer, reply }).await.map_err(|_| ConnectError::Stopping)?;
        answer.await.unwrap_or(Err(ConnectError::Stopping))
    }

    /// Takes a message of a session; waits while the exchange is busy.
    pub async fn receive(&self, session: SessionId, message: Message) {
        // A stopped exchange has closed the session; its socket ends by itself.
        let _ = self.intake.send(Command::Message { session, message }).await;
    }

    /// Counts bytes that were no message.
    pub async fn malformed(&self) {
        let _ = self.intake.send(Command::Malformed).await;
    }

    /// Says that a session's socket ended; also from where nothing can wait.
    pub fn disconnect(&self, session: SessionId) {
        let command = Command::Disconnect { session };
        if let Err(mpsc::error::TrySendError::Full(command)) = self.intake.try_send(command)
            && let Ok(runtime) = tokio::runtime::Handle::try_current()
        {
            let intake = self.intake.clone();
            runtime.spawn(async move { intake.send(command).await });
        }
    }

    /// Puts another wire in force and ends the sessions of the old one with 426.
    pub async fn set_wire(&self, wire: Wire) {
        let (done, finished) = oneshot::channel();
        if self.intake.send(Command::SetWire { wire, done }).await.is_ok() {
            let _ = finished.await;
        }
    }

    /// What was counted.
    pub async fn stats(&self) -> Stats {
        let (reply, answer) = oneshot::channel();
        if self.intake.send(Command::Stats { reply }).await.is_err() {
            return Stats::default();
        }
        answer.await.unwrap_or_default()
    }

    /// Frees a name and ends the sessions of its devices; says whether there was such an account.
    pub async fn forget_account(&self, name: &str) -> bool {
        let (reply, answer) = oneshot::channel();
        if self.intake.send(Command::Forget { name: name.to_owned(), reply }).await.is_err() {
            return false;
        }
        answer.await.unwrap_or(false)
    }

    /// The same from where nothing can wait.
    pub fn stop_soon(&self) {
        // A full intake means that the thread still works; it ends when the last handle is dropped.
        let _ = self.intake.try_send(Command::Stop { done: oneshot::channel().0 });
    }

    /// Ends every session, keeping what was not confirmed, and then the thread.
    pub async fn stop(&self) {
        let (done, finished) = oneshot::channel();
        if self.intake.send(Command::Stop { done }).await.is_ok() {
            let _ = finished.await;
        }
    }
}

/// What is answered once the batch is on disk.
enum Goodbye {
    Connected(oneshot::Sender<Result<Connected, ConnectError>>, Result<Connected, ConnectError>),
    Done(oneshot::Sender<()>),
    Stats(oneshot::Sender<Stats>, Stats),
    Forgotten(oneshot::Sender<bool>, bool),
}

struct Driver {
    exchange: Exchange,
    wire: Wire,
    log: Option<RoutedLog>,
    outboxes: HashMap<SessionId, mpsc::Sender<Outgoing>>,
    commands: mpsc::Receiver<Command>,
    goodbyes: Vec<Goodbye>,
}

impl Driver {
    fn run(mut self) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_time().build() {
            Ok(runtime) => runtime,
            Err(error) => return tracing::error!(%error, "the exchange has no timer"),
        };
        runtime.block_on(async {
            let mut tick = tokio::time::interval(TICK);
            tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            let mut batch = Vec::with_capacity(BATCH_MESSAGES);
            loop {
                let mut due = false;
                tokio::select! {
                    biased;
                    _ = tick.tick() => due = true,
                    taken = self.commands.recv_many(&mut batch, BATCH_MESSAGES) => if taken == 0 { return },
                }
                if self.run_batch(&mut batch, due) {
                    return;
                }
            }
        });
    }

    /// Does one batch in one transaction; says whether it was the last.
    fn run_batch(&mut self, batch: &mut Vec<Command>, due: bool) -> bool {
        let stops = batch.iter().any(|command| matches!(command, Command::Stop { .. }));
        match self.transact(batch, due) {
            Ok(()) => self.dispatch(),
            Err(error) => self.give_up(&error),
        }
        for goodbye in self.goodbyes.drain(..) {
            // Whoever asked may have gone; then nobody needs the answer.
            match goodbye {
                Goodbye::Connected(reply, outcome) => drop(reply.send(outcome)),
                Goodbye::Done(done) => drop(done.send(())),
                Goodbye::Stats(reply, stats) => drop(reply.send(stats)),
                Goodbye::Forgotten(reply, known) => drop(reply.send(known)),
            }
        }
        stops
    }

    fn transact(&mut self, batch: &mut Vec<Command>, due: bool) -> Result<(), RecordsError> {
        self.exchange.records().begin()?;
        let now = now_ms();
        for command in batch.drain(..) {
            self.apply(command, now)?;
        }
        if due {
            self.exchange.tick(now)?;
        }
        self.exchange.records().commit()
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
            Command::Malformed => self.exchange.count_malformed(),
            Command::Disconnect { session } => {
                self.outboxes.remove(&session);
                self.exchange.disconnect(session, now)?;
            }
            Command::SetWire { wire, done } => {
                self.wire = wire;
                self.goodbyes.push(Goodbye::Done(done));
                self.exchange.close_all(Code::UPGRADE_REQUIRED, now)?;
            }
            Command::Stats { reply } => self.goodbyes.push(Goodbye::Stats(reply, self.exchange.stats())),
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
        if wire != self.wire {
            return Err(ConnectError::OtherWire);
        }
        let (session, challenge) = self.exchange.connect(peer, now)?;
        let (sender, outbox) = mpsc::channel(OUTBOX_MESSAGES);
        self.outboxes.insert(session, sender);
        Ok(Connected { session, challenge, outbox })
    }

    fn dispatch(&mut self) {
        for output in self.exchange.take_outputs() {
            match output {
                Output::Send { session, message } => self.send(session, message),
                Output::Close { session, code } => {
                    if let Some(outbox) = self.outboxes.remove(&session) {
                        // A full outbox ends the socket as well: its sender is gone now.
                        let _ = outbox.try_send(Outgoing::Closed(code));
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
        if outbox.try_send(Outgoing::Message(message)).is_err() {
            // It reads more slowly than others write. Without its outbox the socket ends, and the wire says so.
            self.outboxes.remove(&session);
        }
    }

    /// The disk failed: nothing of the batch happened, and nobody is told that it did.
    fn give_up(&mut self, error: &RecordsError) {
        tracing::error!(%error, "the records failed; every session ends");
        self.exchange.records().roll_back();
        self.exchange.forget_sessions();
        self.outboxes.clear();
        for goodbye in &mut self.goodbyes {
            match goodbye {
                Goodbye::Connected(_, outcome) => *outcome = Err(ConnectError::Stopping),
                Goodbye::Forgotten(_, known) => *known = false,
                Goodbye::Done(_) | Goodbye::Stats(..) => {}
            }
        }
    }
}
