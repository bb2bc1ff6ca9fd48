//! The thread of one guest: takes what waits, lets the guest work, passes on what it says.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use bytes::Bytes;
use message::Message;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio_util::sync::CancellationToken;
use transport::Net;

use crate::broker::{Broker, Port};
use crate::control::{GuestCall, HostNews};
use crate::event::{GuestEvent, StopCause};
use crate::frame::{self, Frame, Kind};
use crate::gate::{DropReason, Gate, Passage};
use crate::guest::Counters;
use crate::inbox::{Inbox, News, Taken};
use crate::instance::{Instance, Turn};
use crate::spec::GuestSpec;

/// Interrupted deliveries in one crossing or in crossings that follow each other, after which a guest is stopped.
const PATIENCE: u32 = 3;

/// The longest time a browser's timer can wait, some 24 days.
const LONGEST_ALARM_MS: f64 = 2_147_483_647.0;

/// Longest time the last event waits for a receiver that does not read.
const FAREWELL: Duration = Duration::from_secs(2);

/// Everything one guest's thread needs.
pub struct Worker {
    spec: GuestSpec,
    instance: Instance,
    inbox: Arc<Inbox>,
    gate: Gate,
    broker: Broker,
    events: mpsc::Sender<GuestEvent>,
    counters: Arc<Counters>,
    cancel: CancellationToken,
    handle: Handle,
    alarm: Option<Instant>,
    ready: bool,
    interrupted_in_a_row: u32,
    batch: Vec<u8>,
}

impl Worker {
    /// Brings the parts together.
    #[expect(clippy::too_many_arguments, reason = "called once, by the engine")]
    pub fn new(
        spec: GuestSpec,
        instance: Instance,
        inbox: Arc<Inbox>,
        events: mpsc::Sender<GuestEvent>,
        counters: Arc<Counters>,
        cancel: CancellationToken,
        net: Net,
        handle: Handle,
    ) -> Self {
        let gate = Gate::new(
            spec.address.clone(),
            spec.speak_as.clone(),
            spec.grants.clone(),
            spec.budget.messages_per_second,
        );
        let port = Port { inbox: inbox.clone(), handle: handle.clone(), cancel: cancel.clone() };
        let broker = Broker::new(&spec, net, port);
        Self {
            spec,
            instance,
            inbox,
            gate,
            broker,
            events,
            counters,
            cancel,
            handle,
            alarm: None,
            ready: false,
            interrupted_in_a_row: 0,
            batch: Vec::new(),
        }
    }

    /// Runs until the guest stops.
    pub fn run(mut self, seed: [u8; 32]) {
        let cause = match self.live(seed) {
            Ok(never) => match never {},
            Err(cause) => cause,
        };
        tracing::debug!(guest = %self.spec.name, cause = cause.kind(), "guest stopped");
        self.inbox.stop();
        self.cancel.cancel();
        self.say_farewell(cause);
    }

    fn live(&mut self, seed: [u8; 32]) -> Result<std::convert::Infallible, StopCause> {
        self.write_first_frames(seed);
        self.turn()?;
        loop {
            match self.inbox.take(self.alarm) {
                Taken::Stop => return Err(StopCause::Asked),
                Taken::Alarm => {}
                Taken::Batch { news, messages } => self.write_frames(&news, &messages),
            }
            if self.alarm.is_some_and(|alarm| alarm <= Instant::now()) {
                self.alarm = None;
                frame::write(&mut self.batch, Kind::Tick, &[]);
            }
            self.turn()?;
        }
    }

    fn write_first_frames(&mut self, seed: [u8; 32]) {
        let load = HostNews::Load {
            address: self.spec.address.as_str(),
            config: &self.spec.config,
            location: self.spec.location.as_str(),
            entry: self.spec.entry.as_str(),
            timers: self.spec.grants.timers,
        };
        frame::write(&mut self.batch, Kind::Seed, &[&self.instance.seed(seed)]);
        frame::write(&mut self.batch, Kind::Control, &[load.to_json().as_bytes(), b"\n", self.spec.source.as_bytes()]);
        self.spec.source = String::new();
    }

    fn write_frames(&mut self, news: &[News], messages: &[Message]) {
        for one in news {
            match one {
                News::Refusal(message) => {
                    frame::write(&mut self.batch, Kind::Message, &[message.to_frame().as_bytes()]);
                }
                News::Control(header, bytes) => {
                    frame::write(&mut self.batch, Kind::Control, &[header.as_bytes(), b"\n", bytes]);
                }
            }
        }
        for message in messages {
            self.gate.note_delivery(message);
            frame::write(&mut self.batch, Kind::Message, &[message.to_frame().as_bytes()]);
        }
        Counters::add(&self.counters.delivered, messages.len() as u64);
    }

    /// One crossing: the guest works on the batch, and its frames are passed on.
    fn turn(&mut self) -> Result<(), StopCause> {
        let outcome = self.instance.deliver(&self.batch);
        self.batch.clear();
        self.batch.shrink_to(256 * 1024);
        for (level, text) in self.instance.take_logs() {
            // Lines beyond what is read are lost; a guest cannot fill our memory with them.
            let _lost = self.events.try_send(GuestEvent::Log { level, text });
        }
        let turn = outcome?;
        let outbox = self.instance.take_outbox();
        let passed = frame::read(&outbox).try_for_each(|frame| self.pass(frame));
        self.instance.reuse(outbox);
        passed?;
        self.counters.memory.store(self.instance.memory_bytes(), Ordering::Relaxed);
        self.weigh(turn)
    }

    fn weigh(&mut self, turn: Turn) -> Result<(), StopCause> {
        if turn.out_of_memory {
            return Err(StopCause::Memory);
        }
        if turn.interrupted == 0 {
            self.interrupted_in_a_row = 0;
            return Ok(());
        }
        Counters::add(&self.counters.interrupted, u64::from(turn.interrupted));
        self.interrupted_in_a_row += turn.interrupted;
        if !self.ready || self.interrupted_in_a_row >= PATIENCE { Err(StopCause::Timeout) } else { Ok(()) }
    }

    fn pass(&mut self, frame: Frame<'_>) -> Result<(), StopCause> {
        match frame {
            Frame::Message(bytes) => self.pass_message(bytes),
            Frame::Control(header, bytes) => match serde_json::from_slice(header) {
                Ok(call) => self.answer(call, bytes),
                Err(_) => Ok(()),
            },
            Frame::Unknown => Ok(()),
        }
    }

    fn pass_message(&mut self, bytes: &[u8]) -> Result<(), StopCause> {
        match self.gate.judge(bytes) {
            Passage::Pass(message) => {
                Counters::add(&self.counters.sent, 1);
                self.emit(GuestEvent::Message(message))
            }
            Passage::Refuse(answer) => {
                Counters::add(&self.counters.refused, 1);
                self.inbox.add(News::Refusal(answer));
                Ok(())
            }
            Passage::Drop(reason) => {
                Counters::add(&self.counters.refused, 1);
                if let DropReason::Malformed(error) = reason {
                    tracing::debug!(guest = %self.spec.name, error = %error, "a guest sent what is no message");
                }
                Ok(())
            }
        }
    }

    fn answer(&mut self, call: GuestCall, bytes: &[u8]) -> Result<(), StopCause> {
        match call {
            GuestCall::Ready if !self.ready => {
                self.ready = true;
                self.emit(GuestEvent::Ready)
            }
            GuestCall::Ready => Ok(()),
            GuestCall::Failed { .. } if self.ready => Ok(()),
            GuestCall::Failed { text } => Err(failure(&text)),
            GuestCall::Wake { after } => {
                let after = Duration::try_from_secs_f64(after.clamp(0.0, LONGEST_ALARM_MS) / 1000.0);
                self.alarm = Some(Instant::now() + after.unwrap_or_default());
                Ok(())
            }
            other => {
                self.broker.take(other, Bytes::copy_from_slice(bytes));
                Ok(())
            }
        }
    }

    /// Passes an event on; waits while its reader is behind, unless the guest is to stop.
    fn emit(&self, event: GuestEvent) -> Result<(), StopCause> {
        let event = match self.events.try_send(event) {
            Ok(()) => return Ok(()),
            Err(TrySendError::Closed(_)) => return Err(StopCause::Asked),
            Err(TrySendError::Full(event)) => event,
        };
        self.handle.block_on(async {
            tokio::select! {
                sent = self.events.send(event) => sent.map_err(|_| StopCause::Asked),
                () = self.cancel.cancelled() => Err(StopCause::Asked),
            }
        })
    }

    fn say_farewell(&self, cause: StopCause) {
        let until = Instant::now() + FAREWELL;
        let mut event = GuestEvent::Stopped(cause);
        while let Err(TrySendError::Full(again)) = self.events.try_send(event) {
            if Instant::now() > until {
                return;
            }
            event = again;
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Why a guest could not start, in the words of its own error.
fn failure(text: &str) -> StopCause {
    if text.contains("out of memory") { StopCause::Memory } else { StopCause::Crash(text.chars().take(500).collect()) }
}
