//! What a path carries: grows while nothing queues, held to what really arrived, and backs off to that.

use crate::arrivals::Arrived;

/// Never below: a voice and a very small picture.
const LEAST: u32 = 60_000;
/// Never above: the highest rung with room.
const MOST: u32 = 5_000_000;
/// Where a call begins.
const BEGIN: u32 = 600_000;
/// An estimate may grow to half as much again as was tried, which is what really arrived and the fifth that the ladder leaves
/// as room on purpose. With less, an encoder that spends a little less than it may would stay where it is for ever.
const TRIED_PERCENT: u64 = 188;
/// …and always to this, with which the smallest picture can be tried.
const TRIED_ALWAYS: u32 = 150_000;
/// So little loss, in thousandths, that a peer without reports of each packet may be sent a little more.
const LITTLE_LOSS: u32 = 20;
/// …by so much with each of its plain reports, in percent.
const PLAINLY_PERCENT: u64 = 103;
/// Loss, in thousandths, from which less is sent (as in draft-ietf-rmcat-gcc-02, section 6).
const MUCH_LOSS: u32 = 100;
/// Packets that queue longer than this, even the luckiest, are too many.
const LONG_QUEUE_MS: u32 = 50;
/// …and this long means that far too many are under way.
const VERY_LONG_QUEUE_MS: u32 = 200;
/// Above this it does not grow.
const SHORT_QUEUE_MS: u32 = 20;
/// Without reports: a round trip this much longer than the shortest means that a queue stands.
const LONG_ROUND_TRIP_MS: u32 = 250;
/// What was sent before the last step down must have gone through before the next.
const BACK_OFF_MS: u64 = 700;
/// A peer that told, and tells nothing for so long: nothing gets through.
const SILENT_MS: u64 = 1_200;
/// Growth in a second, in thousandths: while nothing is known against it…
const QUICKLY: u64 = 250;
/// …and near the rate at which a queue stood.
const CAREFULLY: u64 = 40;
/// Near means within so much of it, in percent.
const NEAR_PERCENT: u64 = 80;
/// A path that held so far beyond the old limit, in percent, has become wider.
const BEYOND_PERCENT: u64 = 150;
/// A limit that was not met again for so long is forgotten.
const LIMIT_MS: u64 = 60_000;
/// The longest step of time that growth is reckoned for.
const LONGEST_STEP_MS: u64 = 500;

/// What was seen of the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Observation {
    /// What the peer's reports of each packet say; none if there were none lately.
    pub arrived: Option<Arrived>,
    /// How long the peer has reported nothing of our packets, if it ever did and we go on sending.
    pub silent_ms: Option<u64>,
    /// What the peer misses by its plain reports, in thousandths; none if it did not say.
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
    looked_at: Option<u64>,
    /// What got through when a queue stood last, and when.
    limit: Option<(u32, u64)>,
}

impl Default for Estimate {
    fn default() -> Self {
        Self { bits_per_second: BEGIN, shortest_ms: None, backed_off_at: None, looked_at: None, limit: None }
    }
}

impl Estimate {
    /// The estimate, in bits per second.
    pub fn now(&self) -> u32 {
        self.bits_per_second
    }

    /// Takes what was seen; gives the new estimate.
    pub fn observe(&mut self, now_ms: u64, seen: Observation) -> u32 {
        let passed = self.looked_at.replace(now_ms).map_or(0, |at| now_ms.saturating_sub(at)).min(LONGEST_STEP_MS);
        let complains = self.complaint(seen);
        if let Some(percent) = complains {
            self.back_off(now_ms, seen, percent);
        } else if let Some(arrived) = seen.arrived {
            if arrived.queue_ms < SHORT_QUEUE_MS {
                self.grow(now_ms, passed, arrived);
            }
        } else if seen.lost_permille.is_some_and(|lost| lost < LITTLE_LOSS) {
            self.bits_per_second = share(self.bits_per_second, PLAINLY_PERCENT);
        }
        self.bits_per_second = self.bits_per_second.clamp(LEAST, MOST);
        self.bits_per_second
    }

    /// What remains, in percent, if the path complains.
    fn complaint(&mut self, seen: Observation) -> Option<u64> {
        let queue = match seen.arrived {
            Some(arrived) => arrived.queue_ms,
            // A peer without reports of each packet: only a long wait is sure.
            None => seen.round_trip_ms.map_or(0, |round_trip| {
                let known = self.shortest_ms.map_or(round_trip, |known| known.min(round_trip));
                let shortest = *self.shortest_ms.insert(known);
                if round_trip > shortest.saturating_add(LONG_ROUND_TRIP_MS) { LONG_QUEUE_MS + 1 } else { 0 }
            }),
        };
        let lost = seen.arrived.map_or(seen.lost_permille, |arrived| arrived.lost_permille);
        let lost = lost.filter(|lost| *lost > MUCH_LOSS).map(|lost| 100 - u64::from(lost.min(1_000)) / 20);
        let silent = seen.silent_ms.is_some_and(|silent| silent > SILENT_MS);
        match queue {
            _ if silent => Some(50),
            queue if queue > VERY_LONG_QUEUE_MS => Some(lost.unwrap_or(70).min(70)),
            queue if queue > LONG_QUEUE_MS => Some(lost.unwrap_or(85).min(85)),
            _ => lost,
        }
    }

    fn back_off(&mut self, now_ms: u64, seen: Observation, percent: u64) {
        if self.backed_off_at.is_some_and(|at| now_ms.saturating_sub(at) < BACK_OFF_MS) {
            return;
        }
        self.backed_off_at = Some(now_ms);
        let mut from = self.bits_per_second;
        // Where packets queue, what gets through is all that the path carries.
        if let Some(arrived) = seen.arrived.filter(|arrived| arrived.queue_ms > LONG_QUEUE_MS) {
            from = from.min(arrived.acknowledged.max(LEAST));
            self.limit = Some((arrived.acknowledged, now_ms));
        }
        self.bits_per_second = share(from, percent);
    }

    fn grow(&mut self, now_ms: u64, passed_ms: u64, arrived: Arrived) {
        self.limit = self.limit.filter(|(limit, at)| {
            let beyond = arrived.acknowledged > share(*limit, BEYOND_PERCENT);
            !beyond && now_ms.saturating_sub(*at) < LIMIT_MS
        });
        let near = self.limit.is_some_and(|(limit, _)| self.bits_per_second > share(limit, NEAR_PERCENT));
        let permille = if near { CAREFULLY } else { QUICKLY };
        let grown = grown(self.bits_per_second, permille, passed_ms);
        // What arrived limits growth only: a still picture needs little, and proves nothing against the path.
        let tried = share(arrived.acknowledged, TRIED_PERCENT).max(TRIED_ALWAYS);
        let most = self.bits_per_second.max(tried);
        self.bits_per_second = grown.min(most);
    }
}

/// What a rate has become after so long, if it grows by so much in a second, in thousandths.
pub(crate) fn grown(rate: u32, permille: u64, passed_ms: u64) -> u32 {
    let parts = permille.saturating_mul(passed_ms).saturating_add(1_000_000);
    u32::try_from(u64::from(rate).saturating_mul(parts) / 1_000_000).unwrap_or(u32::MAX)
}

fn share(value: u32, percent: u64) -> u32 {
    u32::try_from(u64::from(value) * percent / 100).unwrap_or(u32::MAX)
}

#[cfg(test)]
#[path = "estimate_tests.rs"]
mod tests;
