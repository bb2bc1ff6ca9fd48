//! Keeps picture and voice in step: says how long a picture waits until what was heard with it is played.
//!
//! Each stream tells when its timestamps happened at the sender: a sender report ties an RTP timestamp to the
//! sender's wall clock (RFC 3550, 6.4.1). Both streams of one device share that clock.

/// A picture and its voice may be so far apart, either way.
pub(crate) const STEP_MS: i64 = 80;
/// A picture never waits longer, whatever a peer claims.
const LONGEST_WAIT_MS: i64 = 500;
/// A pair that is further apart than this has a wrong report; pictures are shown as they come.
const ABSURD_MS: i64 = 3_000;

/// The clock of one stream.
#[derive(Debug, Clone, Copy)]
struct Clock {
    rtp: u32,
    /// The sender's wall clock.
    wall_us: i64,
    ticks_per_second: u32,
}

impl Clock {
    /// When a timestamp happened at the sender.
    fn wall_us(&self, rtp: u32) -> i64 {
        let ticks = rtp.wrapping_sub(self.rtp) as i32;
        self.wall_us + i64::from(ticks) * 1_000_000 / i64::from(self.ticks_per_second)
    }
}

/// Follows one call's two streams.
#[derive(Debug, Clone, Default)]
pub struct LipSync {
    voice: Option<Clock>,
    picture: Option<Clock>,
    /// What was played last: when it happened at the sender, and when here.
    played: Option<(i64, u64)>,
    apart_ms: Option<i64>,
}

impl LipSync {
    /// A sender report of the voice: a timestamp, and the sender's wall clock (seconds in 32.32 bits).
    pub fn on_voice_report(&mut self, rtp: u32, ntp: u64, ticks_per_second: u32) {
        self.voice = Some(clock(rtp, ntp, ticks_per_second));
    }

    /// A sender report of the picture.
    pub fn on_picture_report(&mut self, rtp: u32, ntp: u64, ticks_per_second: u32) {
        self.picture = Some(clock(rtp, ntp, ticks_per_second));
    }

    /// The voice with this timestamp is heard now.
    pub fn on_played(&mut self, now_ms: u64, rtp: u32) {
        self.played = self.voice.map(|clock| (clock.wall_us(rtp), now_ms));
    }

    /// How long a picture that is ready now should wait, in milliseconds; 0 where nothing is known.
    pub fn wait_ms(&mut self, now_ms: u64, rtp: u32) -> u64 {
        let Some(early) = self.early_ms(now_ms, rtp) else { return 0 };
        // Late pictures cannot be helped; those within the step need no help.
        let wait = if early > STEP_MS / 2 { early.min(LONGEST_WAIT_MS) } else { 0 };
        self.apart_ms = Some(early - wait);
        wait as u64
    }

    /// How far the last picture was ahead of its voice (negative: behind it), after it waited.
    pub fn apart_ms(&self) -> Option<i64> {
        self.apart_ms
    }

    fn early_ms(&self, now_ms: u64, rtp: u32) -> Option<i64> {
        let (wall_us, at_ms) = self.played?;
        let heard_us = wall_us + now_ms.saturating_sub(at_ms) as i64 * 1_000;
        let early = (self.picture?.wall_us(rtp) - heard_us) / 1_000;
        (early.abs() <= ABSURD_MS).then_some(early)
    }
}

fn clock(rtp: u32, ntp: u64, ticks_per_second: u32) -> Clock {
    // Fits: 2^32 seconds in microseconds are less than 2^52.
    let wall_us = ((ntp >> 32) * 1_000_000 + (((ntp & 0xffff_ffff) * 1_000_000) >> 32)) as i64;
    Clock { rtp, wall_us, ticks_per_second: ticks_per_second.max(1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A sender whose wall clock stands at 1000 s when both timestamps are 0.
    fn reported() -> LipSync {
        let mut sync = LipSync::default();
        sync.on_voice_report(0, 1_000 << 32, 48_000);
        sync.on_picture_report(0, 1_000 << 32, 90_000);
        sync
    }

    #[test]
    fn a_picture_waits_for_its_voice() {
        let mut sync = reported();
        // At 5 s here the voice of 1 s there is heard; the picture of 1.2 s there is ready.
        sync.on_played(5_000, 48_000);
        assert_eq!(sync.wait_ms(5_000, 90_000 * 12 / 10), 200);
        assert_eq!(sync.apart_ms(), Some(0));
    }

    #[test]
    fn within_a_minute_of_an_unsteady_path_they_stay_within_the_step() {
        let mut sync = reported();
        let mut worst = 0;
        for frame in 0..1_800u64 {
            let there_ms = frame * 33;
            // The voice is delayed by 90 ms; pictures arrive 20 to 110 ms after they happened.
            let ready = there_ms + 20 + frame * 37 % 90;
            sync.on_played(ready, ((ready.saturating_sub(90)) * 48) as u32);
            let shown = ready + sync.wait_ms(ready, (there_ms * 90) as u32);
            worst = worst.max((shown as i64 - there_ms as i64 - 90).abs());
        }
        assert!(worst <= STEP_MS, "{worst} ms apart");
    }

    #[test]
    fn timestamps_wrap() {
        let mut sync = LipSync::default();
        sync.on_voice_report(u32::MAX - 47, 1_000 << 32, 48_000);
        sync.on_picture_report(u32::MAX - 89, 1_000 << 32, 90_000);
        sync.on_played(0, 0);
        assert_eq!(sync.wait_ms(0, 9_000), 100);
    }

    #[test]
    fn a_peer_that_lies_about_its_clock_delays_nothing_for_long() {
        let mut sync = LipSync::default();
        assert_eq!(sync.wait_ms(0, 0), 0, "nothing is known");
        sync.on_voice_report(0, 0, 48_000);
        sync.on_picture_report(0, u64::MAX, 90_000);
        sync.on_played(0, 0);
        assert_eq!(sync.wait_ms(0, 0), 0, "absurd");
        sync.on_picture_report(0, 2 << 32, 90_000);
        assert_eq!(sync.wait_ms(0, 0), LONGEST_WAIT_MS as u64);
        sync.on_picture_report(0, 0, 0);
        let _ = sync.wait_ms(0, u32::MAX);
    }
}
