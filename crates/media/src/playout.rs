//! Turns packets into an unbroken stream of frames.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::FRAME;
use crate::codec::Decoder;
use crate::jitter::{Counters, JitterBuffer, Pick};
use crate::level::rms;

/// What is cut or added at once: 5 to 12.5 ms, whatever fits the pitch of the voice best.
const STEPS: std::ops::RangeInclusive<usize> = 240..=600;
/// How much of two pieces is compared, and over how much they are faded: 5 ms.
const OVERLAP: usize = 240;
/// Voice that waits this much too long (or too short) is cut (or stretched) where it is quiet…
const QUIET_SURPLUS_MS: f64 = 25.0;
/// …and this much too long, everywhere.
const ANY_SURPLUS_MS: f64 = 60.0;
/// Below this a frame counts as quiet.
const QUIET: f32 = 0.01;
/// Tries to fill one frame; the shortest packet has 2.5 ms, so eight do.
const TRIES: usize = 8;

pub(crate) struct Playout {
    jitter: JitterBuffer,
    decoder: Decoder,
    ready: VecDeque<f32>,
    /// Milliseconds of voice that were cut, and that were added, to keep it neither late nor breathless.
    cut_ms: f64,
    added_ms: f64,
}

/// One frame to play.
pub(crate) struct Frame {
    pub(crate) pcm: [f32; FRAME],
    /// Holds something a packet really said.
    pub(crate) spoken: bool,
}

impl Playout {
    pub(crate) fn new() -> Result<Self, opus::Error> {
        Ok(Self {
            jitter: JitterBuffer::new(),
            decoder: Decoder::new()?,
            ready: VecDeque::new(),
            cut_ms: 0.0,
            added_ms: 0.0,
        })
    }

    pub(crate) fn insert(&mut self, now_ms: f64, sequence: u16, timestamp: u32, payload: Bytes) {
        self.jitter.insert(now_ms, sequence, timestamp, payload);
    }

    pub(crate) fn counters(&self) -> Counters {
        self.jitter.counters()
    }

    /// Milliseconds that were cut and added.
    pub(crate) fn cut_and_added(&self) -> (f64, f64) {
        (self.cut_ms, self.added_ms)
    }

    pub(crate) fn target_and_jitter(&self) -> (f64, f64) {
        self.jitter.target_and_jitter()
    }

    /// The next 20 ms.
    pub(crate) fn pull(&mut self, now_ms: f64) -> Frame {
        let mut spoken = false;
        for _ in 0..TRIES {
            if self.ready.len() >= FRAME {
                break;
            }
            spoken |= self.decode_one(now_ms);
        }
        let mut pcm = [0.0; FRAME];
        for (slot, sample) in pcm.iter_mut().zip(self.ready.drain(..FRAME.min(self.ready.len()))) {
            *slot = sample;
        }
        Frame { pcm, spoken }
    }

    fn decode_one(&mut self, now_ms: f64) -> bool {
        match self.jitter.pick(now_ms) {
            Pick::Play(packet) => {
                let surplus = self.jitter.surplus_ms();
                let Some(pcm) = self.decoder.decode(&packet) else {
                    self.ready.extend(self.decoder.conceal());
                    return false;
                };
                let by_ms = append(&mut self.ready, pcm, surplus);
                self.cut_ms -= by_ms.min(0.0);
                self.added_ms += by_ms.max(0.0);
                self.jitter.adjusted(by_ms);
                return true;
            }
            Pick::Recover(following) => match self.decoder.recover(&following) {
                Some(pcm) => self.ready.extend(pcm),
                None => self.ready.extend(self.decoder.conceal()),
            },
            Pick::Conceal => self.ready.extend(self.decoder.conceal()),
            Pick::Nothing => self.ready.extend([0.0; FRAME]),
        }
        false
    }
}

/// Appends a decoded packet, a little shorter or longer if voice waits too long or too short.
/// Gives the milliseconds that were added.
fn append(ready: &mut VecDeque<f32>, pcm: &[f32], surplus_ms: f64) -> f64 {
    let quiet = rms(pcm) < QUIET;
    let cut = surplus_ms > ANY_SURPLUS_MS || (quiet && surplus_ms > QUIET_SURPLUS_MS);
    let stretch = quiet && surplus_ms < -QUIET_SURPLUS_MS;
    if !(cut || stretch) || pcm.len() < STEPS.end() + OVERLAP {
        ready.extend(pcm);
        return 0.0;
    }
    let step = best_step(pcm);
    let (begin, later) = (&pcm[..OVERLAP], &pcm[step..step + OVERLAP]);
    let step_ms = step as f64 / 48.0;
    if cut {
        ready.extend(cross_fade(begin, later));
        ready.extend(&pcm[step + OVERLAP..]);
        return -step_ms;
    }
    ready.extend(&pcm[..step]);
    ready.extend(cross_fade(later, begin));
    ready.extend(&pcm[OVERLAP..]);
    step_ms
}

/// The step after which the sound is most like its beginning, so that a cut there is not heard.
fn best_step(pcm: &[f32]) -> usize {
    let begin = &pcm[..OVERLAP];
    let likeness = |step: usize| {
        let later = &pcm[step..step + OVERLAP];
        let product: f32 = begin.iter().zip(later).map(|(a, b)| a * b).sum();
        let energy: f32 = later.iter().map(|sample| sample * sample).sum();
        product / energy.sqrt().max(f32::EPSILON)
    };
    STEPS.max_by(|one, other| likeness(*one).total_cmp(&likeness(*other))).unwrap_or(*STEPS.end())
}

fn cross_fade<'a>(from: &'a [f32], to: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
    let length = from.len().max(1) as f32;
    from.iter().zip(to).enumerate().map(move |(idx, (from, to))| {
        let weight = idx as f32 / length;
        from * (1.0 - weight) + to * weight
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::Encoder;

    fn speech(frames: usize) -> Vec<Bytes> {
        let mut encoder = Encoder::new().unwrap();
        let tone = |n: usize| (n as f32 * 440.0 * std::f32::consts::TAU / 48_000.0).sin() * 0.4;
        (0..frames).map(|f| encoder.encode(&std::array::from_fn(|n| tone(f * FRAME + n))).unwrap()).collect()
    }

    #[test]
    fn a_tone_is_heard_without_a_break() {
        let mut playout = Playout::new().unwrap();
        let mut loud = 0;
        for (n, packet) in speech(200).into_iter().enumerate() {
            let now = n as f64 * 20.0;
            playout.insert(now, n as u16, (n * FRAME) as u32, packet);
            loud += usize::from(rms(&playout.pull(now + 5.0).pcm) > 0.2);
        }
        assert!(loud >= 195, "{loud}");
        assert_eq!(playout.counters().concealed, 0);
    }

    #[test]
    fn voice_that_waited_too_long_catches_up() {
        let mut playout = Playout::new().unwrap();
        let packets = speech(900);
        // The road stops for 600 ms, then everything comes at once and goes on steadily.
        let arrival = |n: usize| {
            if (100..130).contains(&n) { 130.0 * 20.0 } else { n as f64 * 20.0 }
        };
        let mut sent = 0;
        for frame in 0..900 {
            let now = frame as f64 * 20.0 + 5.0;
            while sent < packets.len() && arrival(sent) <= now {
                playout.insert(arrival(sent), sent as u16, (sent * FRAME) as u32, packets[sent].clone());
                sent += 1;
            }
            playout.pull(now);
        }
        assert!(playout.jitter.surplus_ms() <= ANY_SURPLUS_MS + 5.0, "{}", playout.jitter.surplus_ms());
    }

    #[test]
    fn noise_instead_of_opus_is_concealed() {
        let mut playout = Playout::new().unwrap();
        for n in 0..50u16 {
            playout.insert(f64::from(n) * 20.0, n, u32::from(n) * 960, Bytes::from(vec![0xff; 900]));
            assert!(!playout.pull(f64::from(n) * 20.0 + 5.0).spoken);
        }
    }

    #[test]
    fn cutting_and_stretching_keep_the_pitch() {
        let tone: [f32; FRAME] =
            std::array::from_fn(|n| (n as f32 * 300.0 * std::f32::consts::TAU / 48_000.0).sin() * 0.012);
        for surplus in [100.0, -30.0, 0.0] {
            let mut ready = VecDeque::new();
            let by_ms = append(&mut ready, &tone, surplus);
            assert_eq!(by_ms > 0.0, surplus < 0.0);
            assert_eq!(by_ms < 0.0, surplus > 0.0);
            assert_eq!(ready.len(), (FRAME as f64 + by_ms * 48.0).round() as usize);
            let pcm: Vec<f32> = ready.into();
            let jump = pcm.windows(2).map(|pair| (pair[1] - pair[0]).abs()).fold(0.0, f32::max);
            assert!(jump < 0.001, "no click: {jump}");
        }
    }
}
