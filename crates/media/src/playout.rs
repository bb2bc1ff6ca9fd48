//! Turns packets into an unbroken stream of sound, a little faster or slower where the clocks of two devices differ.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::BLOCK;
use crate::codec::Decoder;
use crate::jitter::{Counters, JitterBuffer, Pick};
use crate::level::rms;

/// What is cut or added at once: 5 to 12.5 ms, whatever fits the pitch of the voice best.
const STEPS: std::ops::RangeInclusive<usize> = 240..=600;
/// How much of two pieces is compared, and over how much they are faded: 5 ms.
const OVERLAP: usize = 240;
/// Voice that waits this much too long (or too short) is cut (or stretched) where it is not heard…
const SURPLUS_MS: f64 = 15.0;
const SHORTAGE_MS: f64 = -5.0;
/// …and this much too long, everywhere.
const ANY_SURPLUS_MS: f64 = 60.0;
/// Below this a frame counts as quiet.
const QUIET: f32 = 0.01;
/// A voice that repeats itself this closely can be cut by a period, or given one more.
const REPEATS: f32 = 0.85;
/// Tries to fill one block; the shortest packet has 2.5 ms, so four do.
const TRIES: usize = 4;

pub(crate) struct Playout {
    jitter: JitterBuffer,
    decoder: Decoder,
    ready: VecDeque<f32>,
    /// Milliseconds of voice that were cut, and that were added, to keep it neither late nor breathless.
    cut_ms: f64,
    added_ms: f64,
}

/// One block to play.
pub(crate) struct Block {
    pub(crate) pcm: [f32; BLOCK],
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

    /// The next 10 ms.
    pub(crate) fn pull(&mut self, now_ms: f64) -> Block {
        let mut spoken = false;
        for _ in 0..TRIES {
            if self.ready.len() >= BLOCK {
                break;
            }
            spoken |= self.decode_one(now_ms);
        }
        let mut pcm = [0.0; BLOCK];
        for (slot, sample) in pcm.iter_mut().zip(self.ready.drain(..BLOCK.min(self.ready.len()))) {
            *slot = sample;
        }
        Block { pcm, spoken }
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
            Pick::Bridge | Pick::Rest => self.ready.extend(self.decoder.bridge()),
            Pick::Nothing => self.ready.extend([0.0; BLOCK]),
        }
        false
    }
}

/// Appends a decoded packet, a little shorter or longer if voice waits too long or too short.
/// Gives the milliseconds that were added.
fn append(ready: &mut VecDeque<f32>, pcm: &[f32], surplus_ms: f64) -> f64 {
    let wished = !(SHORTAGE_MS..=SURPLUS_MS).contains(&surplus_ms);
    if !wished || pcm.len() < STEPS.end() + OVERLAP {
        ready.extend(pcm);
        return 0.0;
    }
    let (step, likeness) = best_step(pcm);
    let unheard = likeness > REPEATS || rms(pcm) < QUIET;
    let cut = surplus_ms > ANY_SURPLUS_MS || (unheard && surplus_ms > 0.0);
    if !cut && !unheard {
        ready.extend(pcm);
        return 0.0;
    }
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

/// The step after which the sound is most like its beginning, so that a cut there is not heard; and how like (1 is the same).
fn best_step(pcm: &[f32]) -> (usize, f32) {
    let begin = &pcm[..OVERLAP];
    let energy = |piece: &[f32]| piece.iter().map(|sample| sample * sample).sum::<f32>();
    let whole = energy(begin);
    let likeness = |step: usize| {
        let later = &pcm[step..step + OVERLAP];
        let product: f32 = begin.iter().zip(later).map(|(a, b)| a * b).sum();
        product / (whole * energy(later)).sqrt().max(f32::EPSILON)
    };
    let likenesses = STEPS.map(|step| (step, likeness(step)));
    likenesses.max_by(|one, other| one.1.total_cmp(&other.1)).unwrap_or((*STEPS.end(), 0.0))
}

fn cross_fade<'a>(from: &'a [f32], to: &'a [f32]) -> impl Iterator<Item = f32> + 'a {
    let length = from.len().max(1) as f32;
    from.iter().zip(to).enumerate().map(move |(idx, (from, to))| {
        let weight = idx as f32 / length;
        from * (1.0 - weight) + to * weight
    })
}

#[cfg(test)]
#[path = "playout_tests.rs"]
mod tests;
