//! How often a call may look for another path: each search opens sockets.

use std::collections::VecDeque;

/// The time in which searches are counted.
const WINDOW_MS: u64 = 10_000;
/// Searches in that time: one every two seconds while it is quiet, and one for each network that comes.
const SEARCHES: usize = 8;

/// The latest searches of one call.
#[derive(Debug, Default)]
pub struct Searches {
    begun: VecDeque<u64>,
}

impl Searches {
    /// Whether another one may begin; it is counted if it may.
    pub fn may_begin(&mut self, now_ms: u64) -> bool {
        self.begun.retain(|at| now_ms.saturating_sub(*at) < WINDOW_MS);
        let may = self.begun.len() < SEARCHES;
        if may {
            self.begun.push_back(now_ms);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_may_search_as_long_as_it_is_quiet_but_not_as_fast_as_a_peer_wishes() {
        let mut calm = Searches::default();
        assert!((0..1_000u64).all(|n| calm.may_begin(n * 2_000)), "every two seconds, for ever");
        let mut flood = Searches::default();
        assert_eq!((0..1_000u64).filter(|n| flood.may_begin(n * 9)).count(), SEARCHES);
        assert!(flood.may_begin(10_000));
    }
}
