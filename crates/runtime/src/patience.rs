//! How long to wait before trying again what failed: longer each time, never for ever, and not all at once.

use std::time::Duration;

/// The first pause.
const FIRST: Duration = Duration::from_millis(500);

/// The longest pause; after it the same again, for as long as the app runs.
const LONGEST: Duration = Duration::from_secs(300);

/// When the network is back, those who wait try again within this time.
const SPREAD: Duration = Duration::from_millis(1500);

/// The pause after this many failures, between three quarters and all of it, so that many who
/// failed together do not come back together. `dice` is any number.
pub(crate) fn pause_after(failures: u32, dice: u32) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let full = FIRST.saturating_mul(1 << doublings).min(LONGEST);
    full - (full / 4).mul_f64(f64::from(dice) / f64::from(u32::MAX))
}

/// The pause after the network came back.
pub(crate) fn pause_when_back(dice: u32) -> Duration {
    SPREAD.mul_f64(f64::from(dice) / f64::from(u32::MAX))
}

/// A number nobody can foresee.
pub(crate) fn dice() -> u32 {
    u32::from_le_bytes(keys::random())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_five_minutes_and_never_end() {
        let pauses: Vec<Duration> = (1..40).map(|failures| pause_after(failures, 0)).collect();
        assert_eq!(pauses[0], FIRST);
        assert!(pauses.windows(2).all(|two| two[0] <= two[1]));
        assert!(pauses[10..].iter().all(|pause| *pause == LONGEST));
        assert_eq!(pause_after(u32::MAX, 0), LONGEST);
    }

    #[test]
    fn who_failed_together_comes_back_apart() {
        assert!(pause_after(20, u32::MAX) < pause_after(20, 0));
        assert!(pause_after(1, u32::MAX) >= FIRST * 3 / 4);
        assert!(pause_when_back(u32::MAX) <= SPREAD && pause_when_back(0).is_zero());
    }
}
