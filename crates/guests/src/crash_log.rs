//! Decides whether a guest that crashed may start again, and when.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Crashes within [`WINDOW`] after which a guest is parked: it does not live long enough to be of use.
pub(crate) const CRASH_LIMIT: usize = 4;

/// How long a crash counts.
pub(crate) const WINDOW: Duration = Duration::from_secs(60);

/// Waits before the first, second and third start within a window. The first is
/// short, because most crashes are one bad message; the last gives a server time to come back.
const PAUSES: [Duration; CRASH_LIMIT - 1] =
    [Duration::from_millis(100), Duration::from_secs(1), Duration::from_secs(5)];

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
    pub(crate) fn crashed(&mut self, now: Instant) -> Fate {
        while self.recent.front().is_some_and(|at| now.duration_since(*at) >= WINDOW) {
            self.recent.pop_front();
        }
        self.recent.push_back(now);
        match PAUSES.get(self.recent.len() - 1) {
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
        let (mut log, start) = (CrashLog::default(), Instant::now());
        let fates: Vec<_> = (0..4).map(|second| log.crashed(start + Duration::from_secs(second))).collect();
        let [short, longer, longest] = PAUSES.map(Fate::Restart);
        assert_eq!(fates, [short, longer, longest, Fate::Park]);
    }

    #[test]
    fn rare_crashes_are_forgiven() {
        let (mut log, start) = (CrashLog::default(), Instant::now());
        for minute in 0..100 {
            assert_eq!(log.crashed(start + WINDOW * minute), Fate::Restart(PAUSES[0]));
        }
    }
}
