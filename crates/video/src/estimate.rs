//! What a path carries: a delay-based estimate, held to what was really tried, loss and round trip.

/// Never below: a voice and a very small picture.
const LEAST: u32 = 60_000;
/// Never above: the highest rung with room.
const MOST: u32 = 5_000_000;
/// Where a call begins.
const BEGIN: u32 = 600_000;
/// An estimate may grow to this much of what was really sent; more was never tried.
const TRIED_PERCENT: u64 = 150;
/// Loss, in thousandths, from which less is sent (as in draft-ietf-rmcat-gcc-02, section 6).
const MUCH_LOSS: u32 = 100;
/// A round trip this much longer than the shortest means that a queue stands.
const QUEUE_MS: u32 = 250;
/// How often loss or a queue take something away; a report tells of the time before.
const BACK_OFF_MS: u64 = 1_000;

/// What was seen of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Observation {
    /// What the delays say, in bits per second.
    pub delay_based: Option<u32>,
    /// What we really sent, in bits per second.
    pub sent: u32,
    /// What the peer misses, in thousandths; none if it did not say.
    pub lost_permille: Option<u32>,
    /// There and back.
    pub round_trip_ms: Option<u32>,
}

/// What a path carries, as far as we know.
#[derive(Debug, Clone)]
pub struct Estimate {
    bits_per_second: u32,
    shortest_ms: Option<u32>,
    backed_off_at: Option<u64>,
}

impl Default for Estimate {
    fn default() -> Self {
        Self { bits_per_second: BEGIN, shortest_ms: None, backed_off_at: None }
    }
}

impl Estimate {
    /// The estimate, in bits per second.
    pub fn now(&self) -> u32 {
        self.bits_per_second
    }

    /// Takes what was seen; gives the new estimate.
    pub fn observe(&mut self, now_ms: u64, seen: Observation) -> u32 {
        if let Some(delay_based) = seen.delay_based {
            // What was sent limits growth only: a still picture needs little, and proves nothing against the path.
            let tried = (u64::from(seen.sent) * TRIED_PERCENT / 100).min(u64::from(MOST)) as u32;
            self.bits_per_second = delay_based.min(self.bits_per_second.max(tried));
        }
        if let Some(percent) = self.back_off(now_ms, seen) {
            self.bits_per_second = (u64::from(self.bits_per_second) * percent / 100) as u32;
            self.backed_off_at = Some(now_ms);
        }
        self.bits_per_second = self.bits_per_second.clamp(LEAST, MOST);
        self.bits_per_second
    }

    /// What remains, in percent, if the path complains.
    fn back_off(&mut self, now_ms: u64, seen: Observation) -> Option<u64> {
        let queue = seen.round_trip_ms.is_some_and(|round_trip| {
            let shortest = *self.shortest_ms.insert(self.shortest_ms.map_or(round_trip, |known| known.min(round_trip)));
            round_trip > shortest.saturating_add(QUEUE_MS)
        });
        if self.backed_off_at.is_some_and(|at| now_ms.saturating_sub(at) < BACK_OFF_MS) {
            return None;
        }
        let lost = seen.lost_permille.filter(|lost| *lost > MUCH_LOSS).map(|lost| u64::from(lost.min(1_000)));
        match lost {
            Some(lost) => Some(100 - lost / 20),
            None if queue => Some(85),
            None => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_not_believed_to_carry_what_was_never_sent() {
        let mut estimate = Estimate::default();
        for tenth in 0..100 {
            let seen = Observation { delay_based: Some(4_000_000), sent: 300_000, ..Observation::default() };
            estimate.observe(tenth * 100, seen);
        }
        assert_eq!(estimate.now(), BEGIN);
        let sent = |estimate: &mut Estimate, sent| {
            estimate.observe(20_000, Observation { delay_based: Some(4_000_000), sent, ..Observation::default() })
        };
        assert_eq!(sent(&mut estimate, 800_000), 1_200_000);
        assert_eq!(sent(&mut estimate, 100_000), 1_200_000, "a still picture takes nothing back");
    }

    #[test]
    fn delays_that_grow_are_believed_at_once() {
        let mut estimate = Estimate::default();
        let seen = Observation { delay_based: Some(200_000), sent: 600_000, ..Observation::default() };
        assert_eq!(estimate.observe(0, seen), 200_000);
    }

    #[test]
    fn much_loss_takes_once_a_second_and_little_loss_nothing() {
        let mut estimate = Estimate::default();
        let mut lose =
            |at, lost| estimate.observe(at, Observation { lost_permille: Some(lost), ..Observation::default() });
        assert_eq!(lose(0, 50), BEGIN);
        assert_eq!(lose(100, 200), BEGIN * 9 / 10);
        assert_eq!(lose(200, 200), BEGIN * 9 / 10, "the same report is not counted twice");
        assert_eq!(lose(1_200, 200), BEGIN * 81 / 100);
        for second in 2..60 {
            lose(second * 1_000, 1_000);
        }
        assert_eq!(lose(70_000, 0), LEAST);
    }

    #[test]
    fn a_queue_that_stands_is_let_run_empty() {
        let mut estimate = Estimate::default();
        let mut after = |at, round_trip| {
            estimate.observe(at, Observation { round_trip_ms: Some(round_trip), ..Observation::default() })
        };
        assert_eq!(after(0, 120), BEGIN);
        assert_eq!(after(1_000, 360), BEGIN);
        assert_eq!(after(2_000, 380), BEGIN * 85 / 100);
    }
}
