//! The place of one guest, kept for it over crashes and versions.

use std::collections::VecDeque;

use message::Message;
use sandbox::Guest;
use tokio::time::Instant;

use crate::crash_log::{CrashLog, Fate, Restarts};
use crate::news::{Crash, GuestLife, GuestNews, GuestStatus, ParkReason, PostError};
use crate::plan::GuestPlan;

/// Messages that wait for a guest between two lives.
///
/// Its longest pause is 5 s, a busy stub gets some ten messages a second; whoever
/// sends more than this meanwhile is told to wait.
pub(crate) const WAITING_LIMIT: usize = 256;

/// The place of one guest.
pub(crate) struct Seat {
    pub plan: GuestPlan,
    /// Which life this is; events of earlier lives no longer count.
    pub life: u64,
    pub state: SeatState,
    /// Messages for its next life. Empty while it runs, but for those that met its end.
    waiting: VecDeque<Message>,
    crashes: CrashLog,
    restarts: u64,
}

pub(crate) enum SeatState {
    /// It runs. Leaves for `Resting` or `Parked` when it crashes.
    Running(Guest),
    /// It waits for its next life.
    Resting { until: Instant },
    /// It crashed too often; left only on request.
    Parked(ParkReason),
}

impl Seat {
    pub fn new(plan: GuestPlan, guest: Guest) -> Self {
        Self {
            plan,
            life: 0,
            state: SeatState::Running(guest),
            waiting: VecDeque::new(),
            crashes: CrashLog::default(),
            restarts: 0,
        }
    }

    /// Gives the guest a message, or keeps it for its next life.
    pub fn post(&mut self, message: Message) -> Result<(), PostError> {
        match &self.state {
            SeatState::Parked(_) => Err(PostError::Parked(message)),
            SeatState::Running(guest) if self.waiting.is_empty() => match guest.post(message.clone()) {
                Ok(()) => Ok(()),
                Err(sandbox::PostError::Full(message)) => Err(PostError::Full(message)),
                // It has just ended, and its last event is still on its way to us.
                Err(sandbox::PostError::Stopped) => self.wait(message),
            },
            SeatState::Running(_) | SeatState::Resting { .. } => self.wait(message),
        }
    }

    fn wait(&mut self, message: Message) -> Result<(), PostError> {
        if self.waiting.len() >= WAITING_LIMIT {
            return Err(PostError::Full(message));
        }
        self.waiting.push_back(message);
        Ok(())
    }

    /// Notes a crash; says what becomes of the guest.
    pub fn on_crash(&mut self, rule: &Restarts, crash: Crash, detail: String, now: Instant) -> GuestNews {
        match self.crashes.crashed(rule, now) {
            Fate::Restart(after) => {
                self.state = SeatState::Resting { until: now + after };
                GuestNews::Restarting { crash, detail, after }
            }
            Fate::Park => {
                let reason = ParkReason::new(rule, crash);
                self.state = SeatState::Parked(reason.clone());
                GuestNews::Parked { reason, detail, undelivered: self.waiting.drain(..).collect() }
            }
        }
    }

    /// Begins its next life with what waited for it.
    pub fn revive(&mut self, guest: Guest) {
        while let Some(message) = self.waiting.pop_front() {
            if let Err(sandbox::PostError::Full(message)) = guest.post(message) {
                self.waiting.push_front(message);
                break;
            }
        }
        self.life += 1;
        self.restarts += 1;
        if let SeatState::Running(earlier) = std::mem::replace(&mut self.state, SeatState::Running(guest)) {
            earlier.stop();
        }
    }

    /// Forgets its crashes: a person, or a new version, gives it another chance.
    pub fn forgive(&mut self) {
        self.crashes = CrashLog::default();
    }

    pub fn status(&self) -> GuestStatus {
        let life = match &self.state {
            SeatState::Running(guest) => GuestLife::Running(guest.stats()),
            SeatState::Resting { .. } => GuestLife::Resting,
            SeatState::Parked(reason) => GuestLife::Parked(reason.clone()),
        };
        let package = &self.plan.package;
        let (package, version) = (package.reference.clone(), package.version().clone());
        GuestStatus { package, version, life, restarts: self.restarts }
    }
}
