//! Decides whether a guest that crashed may start again, and when.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// When guests that crash start again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restarts {
    /// Waits before the first, second and third start within the window; the next crash parks the guest.
    pub pauses: [Duration; 3],
    /// How long a crash counts.
    pub window: Duration,
}

impl Default for Restarts {
    /// 0.1, 1 and 5 s within a minute.
    ///
    /// The first pause is short, because most crashes are one bad message; the
    /// last gives a server time to come back.
    fn default() -> Self {
        let pauses = [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(5)];
        Self { pauses, window: Duration::from_secs(60) }
    }
}

/// What becomes of a guest that crashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It starts again after a pause.
    Restart(Duration),
    /// It stays away until somebody wants it back.
    Park,
}

/// The crashes of one guest that still count.
#[derive(Debug, Default)]
pub(crate) struct CrashLog {
    recent: VecDeque<Instant>,
}

impl CrashLog {
    /// Notes a crash.
    pub(crate) fn crashed(&mut self, rule: &Restarts, now: Instant) -> Fate {
        while self.recent.front().is_some_and(|at| now.duration_since(*at) >= rule.window) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        match rule.pauses.get(self.recent.len() - 1) {
            Some(pause) => Fate::Restart(*pause),
            None => Fate::Park,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pauses_grow_until_the_guest_is_parked() {
        let (mut log, rule, start) = (CrashLog::default(), Restarts::default(), Instant::now());
        let fates: Vec<_> = (0..4).map(|second| log.crashed(&rule, start + Duration::from_secs(second))).collect();
        let [short, longer, longest] = [100, 1000, 5000].map(|ms| Fate::Restart(Duration::from_millis(ms)));
        assert_eq!(fates, [short, longer, longest, Fate::Park]);
    }

    #[test]
    fn rare_crashes_are_forgiven() {
        let (mut log, rule, start) = (CrashLog::default(), Restarts::default(), Instant::now());
        for minute in 0..100 {
            assert_eq!(log.crashed(&rule, start + rule.window * minute), Fate::Restart(rule.pauses[0]));
        }
    }
}
