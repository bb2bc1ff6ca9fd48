//! How much sound a device gives or takes at once: as little as this machine keeps up with.
//!
//! A sound server keeps two pieces of a speaker's. So it is asked for half of what a device of the system's own takes;
//! where the machine is too busy to answer in time, it goes back to the whole. A microphone gives the whole: of one that is
//! not emptied in time a server throws away what is more than a piece.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// What we ask a device for: 10 ms.
pub(crate) const PERIOD: u32 = 480;
/// What we ask a sound server's speaker for: 5 ms.
const SERVER_PERIOD: u32 = 240;
/// Hosts that are sound servers: their periods are not those of the hardware.
const SERVERS: [&str; 2] = ["PulseAudio", "PipeWire"];
/// Pieces that wait in the server; when none was given for so long, it had nothing to play.
const PIECES: u32 = 2;
/// A speaker that had nothing to play so often within a while is given more at once.
const OFTEN: u32 = 6;
const WHILE: Duration = Duration::from_secs(20);
/// What comes after a pause as long as this begins anew: the device rested, or the machine slept.
const RESTED: Duration = Duration::from_millis(500);

/// What is known of a speaker in use. It stays known when the device is opened again.
#[derive(Debug, Default)]
pub(crate) struct Haste {
    /// A sound server's pieces were too little.
    too_hasty: AtomicBool,
}

impl Haste {
    /// The samples to ask of a speaker of this host.
    pub(crate) fn period(&self, host: &str) -> u32 {
        let is_server = SERVERS.contains(&host) && !self.too_hasty.load(Ordering::Relaxed);
        if is_server { SERVER_PERIOD } else { PERIOD }
    }

    /// What was asked for was too little; says whether it can be given more from now on.
    pub(crate) fn give_up(&self, asked: u32) -> bool {
        asked == SERVER_PERIOD && !self.too_hasty.swap(true, Ordering::Relaxed)
    }
}

/// Counts how often a speaker was answered too late. Called by its audio callback: never waits.
#[derive(Debug, Default)]
pub(crate) struct Watch {
    answered: Option<Instant>,
    /// The least it ever took, which is a piece: a server that waited asks for several at once.
    least: Option<usize>,
    /// Since when is counted, and how often it was too late since.
    since: Option<Instant>,
    late: u32,
}

impl Watch {
    /// The speaker took so many samples of this rate; says whether it was too late too often.
    pub(crate) fn is_too_late(&mut self, now: Instant, samples: usize, rate: u32) -> bool {
        let waited = self.answered.replace(now).map_or(Duration::ZERO, |last| now.saturating_duration_since(last));
        let least = self.least.map_or(samples, |least| least.min(samples));
        self.least = Some(least);
        let piece = Duration::from_secs_f64(least as f64 / f64::from(rate.max(1)));
        if waited <= piece * PIECES || waited >= RESTED {
            return false;
        }
        if self.since.is_none_or(|since| now.saturating_duration_since(since) > WHILE) {
            self.since = Some(now);
            self.late = 0;
        }
        self.late += 1;
        self.late >= OFTEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    /// Takes 5 ms after each of these pauses; says whether it was too late too often.
    fn answers(watch: &mut Watch, now: &mut Instant, pauses: impl IntoIterator<Item = u32>) -> bool {
        pauses.into_iter().fold(false, |known, pause| {
            *now += MS * pause;
            watch.is_too_late(*now, 240, 48_000) || known
        })
    }

    #[test]
    fn of_a_sound_server_half_as_much_is_asked_until_the_machine_is_too_busy_for_that() {
        let haste = Haste::default();
        assert_eq!(haste.period("PulseAudio"), 240);
        assert!(haste.give_up(240));
        assert!(!haste.give_up(240), "once is enough");
        assert_eq!(haste.period("PulseAudio"), 480);
        assert!(!haste.give_up(480), "more is not to be had");
    }

    #[test]
    fn a_device_of_the_system_is_never_opened_again_for_it() {
        let haste = Haste::default();
        assert_eq!(haste.period("ALSA"), 480);
        assert!(!haste.give_up(480));
        assert_eq!(haste.period("PulseAudio"), 240, "and says nothing of a server");
    }

    #[test]
    fn a_speaker_that_is_served_unsteadily_but_in_time_is_left_alone() {
        let (mut watch, mut now) = (Watch::default(), Instant::now());
        assert!(!answers(&mut watch, &mut now, [1, 9, 5, 10, 0, 5].into_iter().cycle().take(10_000)));
    }

    #[test]
    fn one_that_had_nothing_to_play_again_and_again_is_told() {
        let (mut watch, mut now) = (Watch::default(), Instant::now());
        assert!(!answers(&mut watch, &mut now, [5, 14, 5, 14, 5, 14, 5, 14, 5, 14]));
        assert!(answers(&mut watch, &mut now, [5, 14]));
    }

    #[test]
    fn a_server_that_waited_asks_for_two_pieces_at_once_and_had_nothing_to_play_all_the_same() {
        let (mut watch, mut now) = (Watch::default(), Instant::now());
        assert!(!answers(&mut watch, &mut now, [5; 10]));
        let late: Vec<_> = (0..6)
            .map(|_| {
                now += MS * 14;
                watch.is_too_late(now, 480, 48_000)
            })
            .collect();
        assert_eq!(late, [false, false, false, false, false, true]);
    }

    #[test]
    fn what_is_late_now_and_then_or_rested_is_no_busy_machine() {
        let (mut watch, mut now) = (Watch::default(), Instant::now());
        let now_and_then = (0..40).flat_map(|_| std::iter::repeat_n(5, 1_000).chain([14]));
        assert!(!answers(&mut watch, &mut now, now_and_then));
        assert!(!answers(&mut watch, &mut now, [2_000; 50]));
    }
}
