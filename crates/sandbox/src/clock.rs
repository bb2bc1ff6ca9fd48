//! Measures how long one delivery takes, in CPU time so that a busy machine harms no honest guest.

use std::time::{Duration, Instant};

/// How much longer than its CPU time a delivery may take on the wall.
const WALL_FACTOR: u32 = 8;

/// How many times the hard limit a whole crossing of many frames may take.
const TURN_FACTOR: u32 = 10;

#[derive(Clone, Copy)]
struct Moment {
    cpu: Duration,
    wall: Instant,
}

impl Moment {
    fn now() -> Self {
        Self { cpu: thread_cpu(), wall: Instant::now() }
    }
}

#[cfg(unix)]
fn thread_cpu() -> Duration {
    let time = rustix::time::clock_gettime(rustix::time::ClockId::ThreadCPUTime);
    Duration::new(time.tv_sec.unsigned_abs(), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Without a clock of the thread's own, the wall's must do.
#[cfg(not(unix))]
fn thread_cpu() -> Duration {
    use std::sync::OnceLock;
    static START: OnceLock<Instant> = OnceLock::new();
    START.get_or_init(Instant::now).elapsed()
}

/// What is to be done with a delivery that still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judgement {
    /// Let it run.
    GoOn,
    /// Interrupt its JavaScript.
    SoftStop,
    /// End the guest.
    HardStop,
}

/// Times the frames of one crossing. Costs nothing for short ones: it is first
/// asked when the first tick has passed, and counts from there.
#[derive(Default)]
pub struct TurnClock {
    turn: Option<Moment>,
    frame: Option<(u32, Moment)>,
}

impl TurnClock {
    /// Begins a crossing.
    pub fn restart(&mut self) {
        *self = Self::default();
    }

    /// Judges the frame that is worked on now.
    pub fn judge(&mut self, serial: u32, soft: Duration, hard: Duration) -> Judgement {
        let now = Moment::now();
        let turn = *self.turn.get_or_insert(now);
        let begun = match self.frame {
            Some((same, begun)) if same == serial => begun,
            _ => {
                self.frame = Some((serial, now));
                now
            }
        };
        let cpu = now.cpu.saturating_sub(begun.cpu);
        let too_long = cpu >= hard
            || now.wall.duration_since(begun.wall) >= hard * WALL_FACTOR
            || now.cpu.saturating_sub(turn.cpu) >= hard * TURN_FACTOR;
        match (too_long, cpu >= soft) {
            (true, _) => Judgement::HardStop,
            (false, true) => Judgement::SoftStop,
            (false, false) => Judgement::GoOn,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spin(time: Duration) {
        let begun = thread_cpu();
        while thread_cpu() - begun < time {
            std::hint::black_box(0);
        }
    }

    #[test]
    fn a_long_frame_is_first_interrupted_and_then_ended() {
        let (soft, hard) = (Duration::from_millis(5), Duration::from_millis(10));
        let mut clock = TurnClock::default();
        assert_eq!(clock.judge(1, soft, hard), Judgement::GoOn);
        spin(soft);
        assert!(clock.judge(1, soft, hard) >= Judgement::SoftStop);
        spin(hard);
        assert_eq!(clock.judge(1, soft, hard), Judgement::HardStop);
        assert_eq!(clock.judge(2, soft, hard), Judgement::GoOn, "each frame has its own time");
    }

    impl PartialOrd for Judgement {
        fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
            (*self as u8).partial_cmp(&(*other as u8))
        }
    }
}
