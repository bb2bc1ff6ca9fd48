//! What all pictures of a call share of its one path: the estimate of what it carries, and when the next packet may leave.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use video::{Estimate, Observation, Shares};

use crate::stats::Shared;
use crate::video_feedback::Feedback;
use crate::video_track::Which;

/// How often the path is thought about.
const THINK: Duration = Duration::from_millis(100);
/// Packets that are further apart than this say nothing about a peer that reports nothing meanwhile.
const PAUSE: Duration = Duration::from_millis(1_500);

/// The path, as pictures see it.
#[derive(Default)]
pub(crate) struct PicturePath {
    thought: Mutex<Thought>,
    /// When the next packet may leave.
    free: Mutex<Option<Instant>>,
    camera_is_on: AtomicBool,
    screen_is_on: AtomicBool,
}

#[derive(Default)]
struct Thought {
    estimate: Estimate,
    at: Option<Instant>,
    /// Since when frames were sent without a pause, and when the last one was.
    sent: Option<(Instant, Instant)>,
}

impl PicturePath {
    /// Says that a picture is to be sent, or no more.
    pub(crate) fn switch(&self, which: Which, on: bool) {
        self.switched(which).store(on, Ordering::Release);
    }

    pub(crate) fn is_on(&self, which: Which) -> bool {
        self.switched(which).load(Ordering::Acquire)
    }

    fn switched(&self, which: Which) -> &AtomicBool {
        match which {
            Which::Camera => &self.camera_is_on,
            Which::Screen => &self.screen_is_on,
        }
    }

    /// A frame left.
    pub(crate) fn sent(&self, now: Instant) {
        let mut thought = self.thought();
        let since = thought.sent.filter(|(_, last)| now.saturating_duration_since(*last) < PAUSE);
        thought.sent = Some((since.map_or(now, |(since, _)| since), now));
    }

    /// Nothing is sent any more.
    pub(crate) fn rests(&self) {
        self.thought().sent = None;
    }

    /// Looks at what the path says, now and then; gives the estimate in bits per second and each picture's share.
    pub(crate) fn think(&self, shared: &Shared, feedback: &Feedback, now: Instant) -> (u32, Shares) {
        let mut thought = self.thought();
        let is_due = thought.at.is_none_or(|at| now.saturating_duration_since(at) >= THINK);
        if is_due {
            thought.at = Some(now);
            let now_ms = feedback.ms(now);
            let round_trip_us = shared.round_trip_us.load(Ordering::Relaxed);
            let (arrived, silent_ms) =
                feedback.arrivals(|arrivals| (arrivals.look(now_ms), arrivals.silent_ms(now_ms)));
            // Before we sent anything, there was nothing to report.
            let sending_ms = thought.sent.map(|(since, _)| now_ms.saturating_sub(feedback.ms(since)));
            let seen = Observation {
                arrived,
                silent_ms: silent_ms.zip(sending_ms).map(|(silent, sending)| silent.min(sending)),
                lost_permille: feedback.take_lost_permille(),
                round_trip_ms: Some(round_trip_us / 1_000).filter(|ms| *ms > 0),
            };
            thought.estimate.observe(now_ms, seen);
        }
        let estimate = thought.estimate.now();
        (estimate, video::shares(estimate, self.is_on(Which::Camera), self.is_on(Which::Screen)))
    }

    /// What the path carries in bits per second, while a picture is sent: nothing is known of it otherwise.
    pub(crate) fn rate_while_sending(&self, now: Instant) -> Option<u32> {
        let thought = self.thought();
        let is_sending = thought.sent.is_some_and(|(_, last)| now.saturating_duration_since(last) < PAUSE);
        is_sending.then(|| thought.estimate.now())
    }

    /// Takes the next place on the path, for a packet that holds it so long; gives when it may leave.
    pub(crate) fn reserve(&self, now: Instant, takes: Duration) -> Instant {
        let mut free = self.free.lock().unwrap_or_else(PoisonError::into_inner);
        let leaves = free.map_or(now, |free| free.max(now));
        *free = Some(leaves + takes);
        leaves
    }

    fn thought(&self) -> MutexGuard<'_, Thought> {
        self.thought.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
