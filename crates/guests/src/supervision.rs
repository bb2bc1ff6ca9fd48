//! Listens to all guests at once, starting those again that crash.

use std::sync::Arc;

use futures_util::stream::{self, BoxStream, SelectAll};
use futures_util::{StreamExt, future};
use sandbox::{GuestEvent, StopCause};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use crate::news::{Crash, GuestId, GuestNews};
use crate::seat::SeatState;
use crate::supervisor::{Shared, Watch};

/// Listens to all guests of a [`Supervisor`](crate::Supervisor); its home runs it as one task.
pub struct Supervision {
    shared: Arc<Shared>,
    watched: mpsc::Receiver<Watch>,
    lives: SelectAll<BoxStream<'static, (GuestId, u64, GuestEvent)>>,
    news: mpsc::Sender<(GuestId, GuestNews)>,
}

impl Supervision {
    pub(crate) fn new(
        shared: Arc<Shared>,
        watched: mpsc::Receiver<Watch>,
        news: mpsc::Sender<(GuestId, GuestNews)>,
    ) -> Self {
        Self { shared, watched, lives: SelectAll::new(), news }
    }

    /// Runs until the last [`Supervisor`](crate::Supervisor) handle or the listener of the news is gone.
    pub async fn run(mut self) {
        loop {
            let wake = self.next_wake();
            let heard = tokio::select! {
                biased;
                watch = self.watched.recv() => match watch {
                    Some(watch) => { self.listen(watch); None }
                    None => break,
                },
                () = wake_at(wake) => self.on_wake(),
                Some((id, life, event)) = self.lives.next(), if !self.lives.is_empty() => self.on_event(id, life, event),
            };
            if let Some(news) = heard
                && self.news.send(news).await.is_err()
            {
                break;
            }
        }
    }

    fn listen(&mut self, Watch { id, life, events }: Watch) {
        let events =
            stream::unfold(events, |mut events| async move { events.recv().await.map(|event| (event, events)) });
        // A worker that died without a word counts as crashed.
        let ended =
            stream::once(future::ready(GuestEvent::Stopped(StopCause::Crash("it ended without a word".into()))));
        self.lives.push(events.chain(ended).map(move |event| (id, life, event)).boxed());
    }

    /// The next time a resting guest may start.
    fn next_wake(&self) -> Option<Instant> {
        let seats = self.shared.seats();
        let times = seats.values().filter_map(|seat| match seat.state {
            SeatState::Resting { until } => Some(until),
            SeatState::Running(_) | SeatState::Parked(_) => None,
        });
        times.min()
    }

    fn on_event(&mut self, id: GuestId, life: u64, event: GuestEvent) -> Option<(GuestId, GuestNews)> {
        if self.shared.seats().get(&id).is_none_or(|seat| seat.life != life) {
            // Stopped for good, or swapped: what an earlier life says is nobody's word now.
            return None;
        }
        let news = match event {
            GuestEvent::Ready => GuestNews::Ready,
            GuestEvent::Message(message) => GuestNews::Message(message),
            GuestEvent::Log { level, text } => GuestNews::Log { level, text },
            GuestEvent::Stopped(cause) => return self.on_stop(id, life, &cause),
        };
        Some((id, news))
    }

    fn on_stop(&mut self, id: GuestId, life: u64, cause: &StopCause) -> Option<(GuestId, GuestNews)> {
        let detail = match cause {
            StopCause::Crash(detail) => detail.clone(),
            StopCause::Asked | StopCause::Timeout | StopCause::Memory | StopCause::Stack => String::new(),
        };
        let crash = Crash::of(cause);
        let mut seats = self.shared.seats();
        let seat = seats.get_mut(&id).filter(|seat| seat.life == life)?;
        if !matches!(seat.state, SeatState::Running(_)) {
            return None;
        }
        let news = seat.on_crash(&self.shared.restarts, crash, detail, Instant::now());
        tracing::info!(guest = id.0, domain = %seat.plan.package.domain(), ?news, "a guest stopped");
        Some((id, news))
    }

    /// Starts one guest whose rest is over; the loop comes back for the others.
    fn on_wake(&mut self) -> Option<(GuestId, GuestNews)> {
        let now = Instant::now();
        let started = {
            let mut seats = self.shared.seats();
            let due = |state: &SeatState| matches!(state, SeatState::Resting { until } if *until <= now);
            let (id, seat) = seats.iter_mut().find(|(_, seat)| due(&seat.state))?;
            match self.shared.launch(&seat.plan) {
                Ok((guest, events)) => {
                    seat.revive(guest);
                    Ok(Watch { id: *id, life: seat.life, events })
                }
                Err(error) => {
                    let detail = error.to_string();
                    Err((*id, seat.on_crash(&self.shared.restarts, Crash::Failure, detail, now)))
                }
            }
        };
        match started {
            Ok(watch) => {
                self.listen(watch);
                None
            }
            Err(news) => Some(news),
        }
    }
}

impl Drop for Supervision {
    fn drop(&mut self) {
        self.shared.stop_all();
    }
}

async fn wake_at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => future::pending().await,
    }
}
