//! Chooses how much voice a packet carries: 10 ms where the road is good, else 20 ms.
//!
//! A short packet leaves 10 ms sooner, and costs twice as many packets and headers. Pure: time is an argument. The peer's
//! reports say how the road is; it must have been good for a while before packets are short, and one bad report makes them long.

/// How much voice a packet carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Length {
    /// 10 ms.
    Short,
    /// 20 ms.
    #[default]
    Long,
}

/// What a peer says about our voice since it did last (RFC 3550, 6.4.1).
#[derive(Debug, Clone, Copy)]
pub(crate) struct VoiceReport {
    pub(crate) lost_permille: u32,
    pub(crate) jitter_ms: u32,
}

/// A road as good as this carries short packets well: one in a hundred lost, and hardly unsteady…
const GOOD: VoiceReport = VoiceReport { lost_permille: 10, jitter_ms: 8 };
/// …and one worse than this does not: what it loses is better guessed from long ones, and a queue is not made longer.
const BAD: VoiceReport = VoiceReport { lost_permille: 25, jitter_ms: 15 };
/// Where a picture is sent on less than this, it needs what headers would take: 20 kbit/s.
const LEAST_RATE: u32 = 400_000;
/// How long the road must have been good. Doubles with each time that it was bad after that.
const PATIENCE_MS: u64 = 3_000;
const PATIENCE_MOST_MS: u64 = 60_000;
/// A report of fewer packets than this tells nothing: of one who rests few are sent, and one lost among them is a fifth.
const TELLING: u32 = 25;
/// A peer that reports nothing for so long tells nothing about the road; a browser reports every 5 s or so.
const SILENT_MS: u64 = 12_000;

/// The choice of one call.
#[derive(Debug)]
pub(crate) struct LengthChoice {
    length: Length,
    /// Since when the road is good, as far as is known.
    good_since: Option<u64>,
    heard: Option<u64>,
    /// The last packet of ours that the peer had when it reported.
    reached: Option<u32>,
    patience_ms: u64,
}

impl Default for LengthChoice {
    fn default() -> Self {
        Self { length: Length::Long, good_since: None, heard: None, reached: None, patience_ms: PATIENCE_MS }
    }
}

impl LengthChoice {
    /// Takes what the peer reports, who had packets of ours up to `reached` (RFC 3550's extended highest sequence number).
    pub(crate) fn observe(&mut self, now_ms: u64, reached: u32, report: VoiceReport) {
        self.heard = Some(now_ms);
        if self.reached.replace(reached).is_some_and(|before| reached.wrapping_sub(before) < TELLING) {
            return;
        }
        if report.is_worse_than(&BAD) {
            self.fall_back();
        } else if report.is_worse_than(&GOOD) {
            self.good_since = None;
        } else {
            self.good_since.get_or_insert(now_ms);
        }
    }

    /// What is best now; `rate` is what the path carries in bits per second, if a picture is sent on it.
    pub(crate) fn now(&mut self, now_ms: u64, rate: Option<u32>) -> Length {
        let is_heard = self.heard.is_some_and(|heard| now_ms.saturating_sub(heard) < SILENT_MS);
        if !is_heard || rate.is_some_and(|rate| rate < LEAST_RATE) {
            self.fall_back();
        }
        let good_ms = self.good_since.map_or(0, |since| now_ms.saturating_sub(since));
        if self.length == Length::Long && good_ms >= self.patience_ms {
            self.length = Length::Short;
        }
        self.length
    }

    fn fall_back(&mut self) {
        self.good_since = None;
        if self.length == Length::Short {
            self.length = Length::Long;
            self.patience_ms = (self.patience_ms * 2).min(PATIENCE_MOST_MS);
        }
    }
}

impl VoiceReport {
    fn is_worse_than(&self, other: &Self) -> bool {
        self.lost_permille > other.lost_permille || self.jitter_ms > other.jitter_ms
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A peer that reports each second; gives the length after each.
    fn on_roads(choice: &mut LengthChoice, from_s: u64, reports: &[(u32, u32)]) -> Vec<Length> {
        let mut told = Vec::new();
        for (second, (lost_permille, jitter_ms)) in (from_s..).zip(reports) {
            let report = VoiceReport { lost_permille: *lost_permille, jitter_ms: *jitter_ms };
            choice.observe(second * 1_000, 50 * u32::try_from(second).unwrap(), report);
            told.push(choice.now(second * 1_000, None));
        }
        told
    }

    #[test]
    fn a_call_begins_with_long_packets_and_shortens_them_on_a_road_that_stays_good() {
        use Length::{Long, Short};
        let mut choice = LengthChoice::default();
        assert_eq!(choice.now(0, None), Long);
        assert_eq!(on_roads(&mut choice, 1, &[(0, 1); 6]), [Long, Long, Long, Short, Short, Short]);
    }

    #[test]
    fn a_bad_report_makes_them_long_at_once_and_each_time_it_takes_longer_to_try_again() {
        let mut choice = LengthChoice::default();
        let mut waited = Vec::new();
        let mut second = 0;
        for _ in 0..6 {
            let begun = second;
            while on_roads(&mut choice, second, &[(0, 2)]) == [Length::Long] {
                second += 1;
            }
            waited.push(second - begun);
            assert_eq!(on_roads(&mut choice, second + 1, &[(100, 2)]), [Length::Long]);
            second += 2;
        }
        assert_eq!(waited, [3, 6, 12, 24, 48, 60]);
    }

    #[test]
    fn a_road_that_is_neither_good_nor_bad_changes_nothing() {
        let mut choice = LengthChoice::default();
        assert_eq!(on_roads(&mut choice, 0, &[(20, 10); 30]), [Length::Long; 30]);
        on_roads(&mut choice, 30, &[(0, 1); 5]);
        assert_eq!(on_roads(&mut choice, 35, &[(20, 10); 30]), [Length::Short; 30]);
    }

    #[test]
    fn unsteady_roads_and_roads_on_which_a_picture_has_little_carry_long_ones() {
        let mut choice = LengthChoice::default();
        assert_eq!(on_roads(&mut choice, 0, &[(0, 30); 20]), [Length::Long; 20]);
        on_roads(&mut choice, 20, &[(0, 1); 5]);
        assert_eq!(choice.now(24_500, Some(2_000_000)), Length::Short);
        assert_eq!(choice.now(24_600, Some(300_000)), Length::Long);
    }

    #[test]
    fn one_that_is_lost_while_one_rests_is_no_bad_road() {
        let mut choice = LengthChoice::default();
        on_roads(&mut choice, 0, &[(0, 1); 5]);
        choice.observe(5_000, 50 * 4 + 5, VoiceReport { lost_permille: 200, jitter_ms: 2 });
        assert_eq!(choice.now(5_000, None), Length::Short);
        choice.observe(6_000, 50 * 5 + 5, VoiceReport { lost_permille: 200, jitter_ms: 2 });
        assert_eq!(choice.now(6_000, None), Length::Long, "but of those who speak it is");
    }

    #[test]
    fn of_a_peer_that_reports_nothing_any_more_nothing_good_is_believed() {
        let mut choice = LengthChoice::default();
        on_roads(&mut choice, 0, &[(0, 1); 5]);
        assert_eq!(choice.now(10_000, None), Length::Short);
        assert_eq!(choice.now(16_100, None), Length::Long);
    }
}
