//! The handle through which wires and operators speak to the exchange, which runs on a thread of its own.

use std::net::IpAddr;

use message::{Code, Message};
use tokio::sync::{mpsc, oneshot};

use crate::config::Wire;
use crate::driver::Driver;
use crate::exchange::{ConnectError, Exchange, SessionId, Stats};
use crate::fleet::Fleet;
use crate::gate::Orders;
use crate::limits::INTAKE_MESSAGES;
use crate::outbox::Outbox;
use crate::records::Depths;
use crate::routed_log::RoutedLog;

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
    pub outbox: Outbox,
}

pub(crate) enum Command {
    Connect { wire: Wire, peer: IpAddr, reply: oneshot::Sender<Result<Connected, ConnectError>> },
    Message { session: SessionId, message: Message },
    Say { session: SessionId, message: Message },
    Malformed,
    Disconnect { session: SessionId },
    SetWire { wire: Wire, done: oneshot::Sender<()> },
    Stats { reply: oneshot::Sender<Stats> },
    Observe { reply: oneshot::Sender<(Stats, Depths)> },
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
    pub fn start(
        exchange: Exchange,
        wire: Wire,
        log: Option<RoutedLog>,
        fleet: Option<Fleet>,
        gate: Option<Orders>,
    ) -> std::io::Result<Self> {
        let (intake, commands) = mpsc::channel(INTAKE_MESSAGES);
        let driver = Driver::new(exchange, wire, log, fleet, gate, commands);
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

    /// Says something of the gate's to a session; waits while the exchange is busy.
    pub(crate) async fn say(&self, session: SessionId, message: Message) {
        let _ = self.intake.send(Command::Say { session, message }).await;
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

    /// What was counted and what is kept; nothing when the exchange has stopped.
    pub async fn observe(&self) -> Option<(Stats, Depths)> {
        let (reply, answer) = oneshot::channel();
        self.intake.send(Command::Observe { reply }).await.ok()?;
        answer.await.ok()
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
