//! Starts guests, exchanging, resuming and stopping them on request.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use message::{Grants, Message};
use sandbox::{Engine, Guest, GuestEvent};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use transport::Net;

use crate::crash_log::Restarts;
use crate::error::StartGuestError;
use crate::news::{GuestId, GuestNews, GuestStatus, PostError};
use crate::package::{PackageRef, VerifiedPackage};
use crate::plan::GuestPlan;
use crate::seat::{Seat, SeatState};
use crate::supervision::Supervision;

/// Guests of one supervisor: a device speaks with some twenty domains and runs a few hyperties.
pub const GUEST_LIMIT: usize = 64;

/// Events that may wait for the home before all guests are slowed down.
const NEWS_LIMIT: usize = 1024;

/// New guests whose events nobody listens to yet.
const WATCH_LIMIT: usize = 2 * GUEST_LIMIT;

/// What the guests of a supervisor do, in order.
pub type News = mpsc::Receiver<(GuestId, GuestNews)>;

/// Runs verified packages; a cheap handle.
#[derive(Clone)]
pub struct Supervisor {
    shared: Arc<Shared>,
    watch: mpsc::Sender<Watch>,
}

/// A life whose events are to be listened to.
pub(crate) struct Watch {
    pub id: GuestId,
    pub life: u64,
    pub events: mpsc::Receiver<GuestEvent>,
}

pub(crate) struct Shared {
    engine: Arc<Engine>,
    net: Net,
    handle: Handle,
    seats: Mutex<HashMap<GuestId, Seat>>,
    next: AtomicU64,
    pub restarts: Restarts,
}

impl Supervisor {
    /// A supervisor, what its home must run as a task, and the events of all guests as one stream.
    ///
    /// When the task ends, or is dropped, all guests stop.
    pub fn new(engine: Arc<Engine>, net: Net, handle: Handle) -> (Self, Supervision, News) {
        Self::restarting(engine, net, handle, Restarts::default())
    }

    /// The same with another rule for guests that crash.
    pub fn restarting(engine: Arc<Engine>, net: Net, handle: Handle, restarts: Restarts) -> (Self, Supervision, News) {
        let (watch, watched) = mpsc::channel(WATCH_LIMIT);
        let (news, heard) = mpsc::channel(NEWS_LIMIT);
        let (seats, next) = (Mutex::default(), AtomicU64::new(1));
        let shared = Arc::new(Shared { engine, net, handle, seats, next, restarts });
        (Self { shared: shared.clone(), watch }, Supervision::new(shared, watched, news), heard)
    }

    /// Starts a guest.
    pub fn start(&self, plan: GuestPlan) -> Result<GuestId, StartGuestError> {
        let mut seats = self.shared.seats();
        if seats.len() >= GUEST_LIMIT {
            return Err(StartGuestError::TooMany { limit: GUEST_LIMIT });
        }
        let (guest, events) = self.shared.launch(&plan)?;
        let id = GuestId(self.shared.next.fetch_add(1, Ordering::Relaxed));
        self.listen(&plan.package.reference, Watch { id, life: 0, events })?;
        seats.insert(id, Seat::new(plan, guest));
        Ok(id)
    }

    /// Gives a guest a message; never waits. Between two lives of the guest, the message waits for the next.
    pub fn post(&self, id: GuestId, message: Message) -> Result<(), PostError> {
        match self.shared.seats().get_mut(&id) {
            Some(seat) => seat.post(message),
            None => Err(PostError::Gone(message)),
        }
    }

    /// Stops a guest for good. No news of it comes after this.
    pub fn stop(&self, id: GuestId) {
        if let Some(Seat { state: SeatState::Running(guest), .. }) = self.shared.seats().remove(&id) {
            guest.stop();
        }
    }

    /// Puts another version into a guest's seat: same id, same address, fresh mind.
    ///
    /// If the new version cannot be started the old one goes on. Ask a person
    /// first if it [`wants_more`](crate::wants_more).
    pub fn swap(&self, id: GuestId, package: VerifiedPackage, grants: Grants) -> Result<(), StartGuestError> {
        let not_started =
            |reason: &str| StartGuestError::NotStarted { package: package.reference.clone(), reason: reason.into() };
        let mut seats = self.shared.seats();
        let seat = seats.get_mut(&id).ok_or_else(|| not_started("it does not run any more"))?;
        if seat.plan.package.reference != package.reference {
            return Err(not_started("it is another package than the one that runs"));
        }
        if package.version().cmp_precedence(seat.plan.package.version()).is_lt() {
            return Err(not_started("it is older than the one that runs"));
        }
        let plan = seat.plan.for_version(package.clone(), grants);
        let (guest, events) = self.shared.launch(&plan)?;
        self.listen(&package.reference, Watch { id, life: seat.life + 1, events })?;
        seat.plan = plan;
        seat.forgive();
        seat.revive(guest);
        Ok(())
    }

    /// Starts a parked guest again, because a person wants it back. Anything else is left as it is.
    pub fn resume(&self, id: GuestId) -> Result<(), StartGuestError> {
        let mut seats = self.shared.seats();
        let Some(seat) = seats.get_mut(&id) else { return Ok(()) };
        if !matches!(seat.state, SeatState::Parked(_)) {
            return Ok(());
        }
        let (guest, events) = self.shared.launch(&seat.plan)?;
        self.listen(&seat.plan.package.reference, Watch { id, life: seat.life + 1, events })?;
        seat.forgive();
        seat.revive(guest);
        Ok(())
    }

    /// How a guest is.
    pub fn status(&self, id: GuestId) -> Option<GuestStatus> {
        self.shared.seats().get(&id).map(Seat::status)
    }

    /// How all guests are.
    pub fn guests(&self) -> Vec<(GuestId, GuestStatus)> {
        let mut all: Vec<_> = self.shared.seats().iter().map(|(id, seat)| (*id, seat.status())).collect();
        all.sort_by_key(|(id, _)| *id);
        all
    }

    /// Dropping the events of a new life ends it, so that a failure here leaves no guest behind.
    fn listen(&self, package: &PackageRef, watch: Watch) -> Result<(), StartGuestError> {
        self.watch.try_send(watch).map_err(|_| StartGuestError::NotStarted {
            package: package.clone(),
            reason: "nobody looks after guests now".into(),
        })
    }
}

impl Shared {
    pub fn launch(&self, plan: &GuestPlan) -> Result<(Guest, mpsc::Receiver<GuestEvent>), StartGuestError> {
        let spec = plan.spec(&self.net)?;
        self.engine.start(spec, self.net.clone(), self.handle.clone()).map_err(|error| StartGuestError::NotStarted {
            package: plan.package.reference.clone(),
            reason: error.to_string(),
        })
    }

    pub fn seats(&self) -> MutexGuard<'_, HashMap<GuestId, Seat>> {
        // A panic while it was held leaves every seat whole: each is changed by single assignments.
        self.seats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn stop_all(&self) {
        for (_, seat) in self.seats().drain() {
            if let SeatState::Running(guest) = seat.state {
                guest.stop();
            }
        }
    }
}
