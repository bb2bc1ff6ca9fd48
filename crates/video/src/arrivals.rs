//! What the peer's reports of our packets say: how much arrives, how much is lost, and how long packets queue.
//!
//! The engine's own estimate looks at how delays *change*, and so takes a queue that stands full for a free path.
//! Here the delay itself is compared with the shortest that was seen, as in RFC 8298 (SCReAM).

use std::collections::VecDeque;

/// What arrived in this time, on the peer's clock, tells the rate.
const RATE_MS: u64 = 600;
/// A queue stands if no packet of this time got through without it.
const QUEUE_MS: u64 = 300;
/// What was lost is counted over this time.
const LOSS_MS: u64 = 1_000;
/// The shortest delay is forgotten after one to two of these: paths change, and clocks drift.
const BASE_MS: u64 = 15_000;
/// Reports are of use for so long.
const FRESH_MS: u64 = 1_500;
/// Packets that are remembered: a second at the highest rate.
const REMEMBERED: usize = 1_024;
/// Fewer say nothing about what is lost.
const ENOUGH: usize = 10;
/// IP, UDP, SRTP and its extension, which reports do not count.
const HEADS: u32 = 48;

/// What became of one packet of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Passed {
    /// When it left, on our clock.
    pub left_us: u64,
    /// When it arrived, on the peer's clock; none if it did not.
    pub arrived_us: Option<u64>,
    /// Its length.
    pub bytes: u32,
}

/// What the reports of the last moments say.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Arrived {
    /// What arrives, in bits per second.
    pub acknowledged: u32,
    /// How long packets queue, even the luckiest.
    pub queue_ms: u32,
    /// What does not arrive, in thousandths; none while too few packets are known.
    pub lost_permille: Option<u32>,
}

/// Remembers our last packets.
#[derive(Debug, Clone, Default)]
pub struct Arrivals {
    packets: VecDeque<(u64, Passed)>,
    reported_ms: Option<u64>,
    /// The shortest delay of this time and of the one before; clocks differ, so it may be anything.
    base_us: [Option<i64>; 2],
    base_since_ms: u64,
}

impl Arrivals {
    /// Takes what became of a packet.
    pub fn push(&mut self, now_ms: u64, passed: Passed) {
        self.reported_ms = Some(now_ms);
        if self.packets.len() >= REMEMBERED {
            self.packets.pop_front();
        }
        self.packets.push_back((now_ms, passed));
        if now_ms.saturating_sub(self.base_since_ms) > BASE_MS {
            self.base_us = [None, self.base_us[0]];
            self.base_since_ms = now_ms;
        }
        if let Some(delay) = delay_us(&passed) {
            let shortest = self.base_us[0].map_or(delay, |known| known.min(delay));
            self.base_us[0] = Some(shortest);
        }
    }

    /// How long ago the peer last told; none before it did.
    pub fn silent_ms(&self, now_ms: u64) -> Option<u64> {
        self.reported_ms.map(|at| now_ms.saturating_sub(at))
    }

    /// What the last moments say; none if nothing was told lately.
    pub fn look(&self, now_ms: u64) -> Option<Arrived> {
        self.silent_ms(now_ms).filter(|silent| *silent <= FRESH_MS)?;
        let newest = self.packets.iter().filter_map(|(_, packet)| packet.arrived_us).max()?;
        let base = self.base_us.iter().flatten().min()?;
        let (mut bits, mut shortest) = (0u64, i64::MAX);
        for (_, packet) in &self.packets {
            let Some(arrived) = packet.arrived_us else { continue };
            let ago_ms = (newest - arrived) / 1_000;
            if ago_ms < RATE_MS {
                bits += u64::from(packet.bytes + HEADS) * 8;
            }
            if ago_ms < QUEUE_MS {
                shortest = shortest.min(delay_us(packet).unwrap_or(i64::MAX));
            }
        }
        let queue_ms = shortest.saturating_sub(*base) / 1_000;
        Some(Arrived {
            acknowledged: u32::try_from(bits * 1_000 / RATE_MS).unwrap_or(u32::MAX),
            queue_ms: u32::try_from(queue_ms).unwrap_or(0),
            lost_permille: self.lost_permille(now_ms),
        })
    }

    fn lost_permille(&self, now_ms: u64) -> Option<u32> {
        let recent = self.packets.iter().filter(|(told, _)| now_ms.saturating_sub(*told) <= LOSS_MS);
        let (mut all, mut lost) = (0, 0);
        for (_, packet) in recent {
            all += 1;
            lost += usize::from(packet.arrived_us.is_none());
        }
        (all >= ENOUGH).then(|| u32::try_from(lost * 1_000 / all).unwrap_or(1_000))
    }
}

fn delay_us(packet: &Passed) -> Option<i64> {
    let arrived = i64::try_from(packet.arrived_us?).ok()?;
    Some(arrived - i64::try_from(packet.left_us).ok()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A packet of 952 bytes (1,000 with its heads) each 10 ms, that takes so long.
    fn flow(arrivals: &mut Arrivals, from_ms: u64, to_ms: u64, delay_ms: impl Fn(u64) -> Option<u64>) -> Arrived {
        for at in (from_ms..to_ms).step_by(10) {
            // The peer's clock is an hour ahead.
            let arrived_us = delay_ms(at).map(|delay| (at + delay + 3_600_000) * 1_000);
            arrivals.push(at, Passed { left_us: at * 1_000, arrived_us, bytes: 952 });
        }
        arrivals.look(to_ms).expect("it was told just now")
    }

    #[test]
    fn a_queue_that_stands_is_seen_and_one_that_runs_empty_between_is_none() {
        let mut arrivals = Arrivals::default();
        let free = flow(&mut arrivals, 0, 2_000, |_| Some(30));
        assert_eq!((free.queue_ms, free.lost_permille), (0, Some(0)));
        assert!((760_000..=820_000).contains(&free.acknowledged), "{free:?}");
        let unsteady = flow(&mut arrivals, 2_000, 4_000, |at| Some(30 + at / 10 % 10 * 20));
        assert_eq!(unsteady.queue_ms, 0, "jitter is no queue");
        let full = flow(&mut arrivals, 4_000, 6_000, |at| Some(250 + at / 10 % 10));
        assert!((220..=229).contains(&full.queue_ms), "{full:?}");
    }

    #[test]
    fn what_is_lost_is_counted_over_the_last_second() {
        let mut arrivals = Arrivals::default();
        let some = flow(&mut arrivals, 0, 2_000, |at| (at / 10 % 5 != 0).then_some(30));
        assert_eq!(some.lost_permille, Some(200));
        assert_eq!(flow(&mut arrivals, 2_000, 4_000, |_| Some(30)).lost_permille, Some(0));
    }

    #[test]
    fn a_longer_path_is_not_taken_for_a_queue_for_ever() {
        let mut arrivals = Arrivals::default();
        flow(&mut arrivals, 0, 5_000, |_| Some(30));
        assert_eq!(flow(&mut arrivals, 5_000, 10_000, |_| Some(130)).queue_ms, 100);
        assert_eq!(flow(&mut arrivals, 10_000, 40_000, |_| Some(130)).queue_ms, 0);
    }

    #[test]
    fn what_was_told_long_ago_is_not_known_now() {
        let mut arrivals = Arrivals::default();
        assert_eq!(arrivals.look(0), None);
        flow(&mut arrivals, 0, 1_000, |_| Some(30));
        assert_eq!(arrivals.look(3_000), None);
        assert_eq!(arrivals.silent_ms(3_000), Some(2_010));
    }
}
