//! Notices that the peer's picture stands still though it should move.

/// A picture that is late by three of its usual intervals…
const LATE_INTERVALS: u64 = 3;
/// …and by at least this much more than one is frozen (as `freezeCount` of W3C's webrtc-stats).
const LATE_MS: u64 = 150;
/// What an interval is before enough came.
const USUAL_MS: u64 = 33;
/// The longest interval that counts as usual.
const SLOWEST_MS: u64 = 1_000;

/// What changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FreezeChange {
    /// It stands still.
    Frozen,
    /// It moves again, after so long.
    Moving {
        /// From the last picture to the next.
        after_ms: u64,
    },
}

/// Watches one picture.
#[derive(Debug, Clone, Default)]
pub struct Freeze {
    last_ms: Option<u64>,
    /// The usual interval, times eight.
    usual_eighths: Option<u64>,
    frozen: bool,
    count: u64,
    frozen_ms: u64,
}

impl Freeze {
    /// A picture was shown.
    pub fn on_picture(&mut self, now_ms: u64) -> Option<FreezeChange> {
        let last = self.last_ms.replace(now_ms)?;
        let interval = now_ms.saturating_sub(last);
        let late = interval >= self.limit_ms();
        let was_frozen = std::mem::take(&mut self.frozen);
        if late {
            self.count += 1;
            self.frozen_ms += interval;
        } else {
            let usual = self.usual_eighths.unwrap_or(USUAL_MS * 8);
            self.usual_eighths = Some(usual - usual / 8 + interval.min(SLOWEST_MS));
        }
        was_frozen.then_some(FreezeChange::Moving { after_ms: interval })
    }

    /// Looks at the time; says once that it stands still.
    pub fn tick(&mut self, now_ms: u64) -> Option<FreezeChange> {
        let last = self.last_ms?;
        if self.frozen || now_ms.saturating_sub(last) < self.limit_ms() {
            return None;
        }
        self.frozen = true;
        Some(FreezeChange::Frozen)
    }

    /// The camera was switched off, or nothing is to be expected for another reason.
    pub fn rest(&mut self) {
        self.last_ms = None;
        self.frozen = false;
    }

    /// It stands still now.
    pub fn is_frozen(&self) -> bool {
        self.frozen
    }

    /// How often it stood still, and how long in all.
    pub fn sum(&self) -> (u64, u64) {
        (self.count, self.frozen_ms)
    }

    fn limit_ms(&self) -> u64 {
        let usual = self.usual_eighths.map_or(USUAL_MS, |eighths| eighths / 8);
        (usual * LATE_INTERVALS).max(usual + LATE_MS)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flowing(freeze: &mut Freeze, from_ms: u64, interval: u64, pictures: u64) -> u64 {
        for idx in 0..pictures {
            freeze.on_picture(from_ms + idx * interval);
        }
        from_ms + (pictures - 1) * interval
    }

    #[test]
    fn a_gap_is_a_freeze_once_it_is_long_and_counts_once() {
        let mut freeze = Freeze::default();
        let last = flowing(&mut freeze, 0, 33, 100);
        assert_eq!(freeze.tick(last + 180), None);
        assert_eq!(freeze.tick(last + 190), Some(FreezeChange::Frozen));
        assert_eq!(freeze.tick(last + 500), None, "said once");
        assert_eq!(freeze.on_picture(last + 700), Some(FreezeChange::Moving { after_ms: 700 }));
        assert_eq!(freeze.sum(), (1, 700));
        assert!(!freeze.is_frozen());
    }

    #[test]
    fn a_slow_picture_is_not_a_frozen_one() {
        let mut freeze = Freeze::default();
        let last = flowing(&mut freeze, 0, 150, 60);
        assert_eq!(freeze.tick(last + 400), None);
        assert_eq!(freeze.sum().0, 0);
        assert_eq!(freeze.tick(last + 460), Some(FreezeChange::Frozen));
    }

    #[test]
    fn a_camera_that_is_off_is_not_frozen() {
        let mut freeze = Freeze::default();
        let last = flowing(&mut freeze, 0, 33, 100);
        freeze.rest();
        assert_eq!(freeze.tick(last + 60_000), None);
        assert_eq!(freeze.on_picture(last + 60_000), None);
        assert_eq!(freeze.sum(), (0, 0));
        assert_eq!(Freeze::default().tick(1_000), None, "nothing came yet");
    }
}
