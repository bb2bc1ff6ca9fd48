//! Turns packets into an unbroken stream of sound, a little faster or slower where the clocks of two devices differ.

use std::collections::VecDeque;

use bytes::Bytes;

use crate::codec::Decoder;
use crate::jitter::{Counters, JitterBuffer, Pick};
use crate::level::rms;
use crate::{BLOCK, FRAME};

/// What is cut or added at once: 5 to 12.5 ms, whatever fits the pitch of the voice best.
const STEPS: std::ops::RangeInclusive<usize> = 240..=600;
/// How much of two pieces is compared, and over how much they are faded: 5 ms.
const OVERLAP: usize = 240;
/// Voice that waits this much too long (or too short) is cut (or stretched) where it is not heard…
const SURPLUS_MS: f64 = 7.0;
const SHORTAGE_MS: f64 = -5.0;
/// …and this much too long, everywhere.
const ANY_SURPLUS_MS: f64 = 60.0;
/// A cut leaves it no more than this too short, so that it is not stretched again at once.
const OVERCUT_MS: f64 = 3.0;
/// The least sound that holds a period to cut, whatever fits.
const PERIODS: usize = *STEPS.end() + OVERLAP;
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
    /// The last that was made ready, of which a period may be said once more.
    past: VecDeque<f32>,
    /// What is being decoded: one packet, or two short ones.
    piece: Vec<f32>,
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
            past: VecDeque::new(),
            piece: Vec::new(),
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

    /// How much longer than its target voice waits, in milliseconds.
    pub(crate) fn surplus_ms(&self) -> f64 {
        self.jitter.surplus_ms()
    }

    /// The next 10 ms.
    pub(crate) fn pull(&mut self, now_ms: f64) -> Block {
        let mut spoken = false;
        for _ in 0..TRIES {
            if self.ready.len() >= BLOCK {
                break;
            }
            let before = self.ready.len();
            spoken |= self.decode_one(now_ms);
            self.remember(before);
        }
        let mut pcm = [0.0; BLOCK];
        for (slot, sample) in pcm.iter_mut().zip(self.ready.drain(..BLOCK.min(self.ready.len()))) {
            *slot = sample;
        }
        Block { pcm, spoken }
    }

    fn decode_one(&mut self, now_ms: f64) -> bool {
        match self.jitter.pick(now_ms) {
            Pick::Play(packet) => return self.play(now_ms, &packet),
            Pick::Recover { following, samples } => match self.decoder.recover(&following, samples) {
                Some(pcm) => self.ready.extend(pcm),
                None => self.ready.extend(self.decoder.conceal(samples)),
            },
            Pick::Conceal { samples } => self.ready.extend(self.decoder.conceal(samples)),
            Pick::Bridge => self.ready.extend(self.decoder.conceal(BLOCK)),
            // A pause only fills the block: what a cut left over there would delay all that is said after it.
            Pick::Rest => self.ready.extend(&self.decoder.conceal(BLOCK)[..BLOCK.saturating_sub(self.ready.len())]),
            Pick::Nothing => self.ready.resize(BLOCK.max(self.ready.len()), 0.0),
        }
        false
    }

    fn play(&mut self, now_ms: f64, packet: &Bytes) -> bool {
        let surplus_ms = self.jitter.surplus_ms();
        self.piece.clear();
        let spoken = self.decode(packet);
        // Short packets alone hold no period to cut; the next ones wait as well, since there is too much.
        while surplus_ms > SURPLUS_MS
            && self.piece.len() < PERIODS
            && self.jitter.has_next()
            && let Pick::Play(next) = self.jitter.pick(now_ms)
        {
            self.decode(&next);
        }
        if !spoken {
            self.ready.extend(&self.piece);
            return false;
        }
        let by_ms = append(&mut self.ready, self.past.make_contiguous(), &self.piece, surplus_ms);
        self.cut_ms -= by_ms.min(0.0);
        self.added_ms += by_ms.max(0.0);
        self.jitter.adjusted(by_ms);
        true
    }

    /// Adds the sound of a packet to the piece; says whether there was any.
    fn decode(&mut self, packet: &[u8]) -> bool {
        let decoded = self.decoder.decode(packet);
        let spoken = decoded.is_some();
        match decoded {
            Some(pcm) => self.piece.extend_from_slice(pcm),
            None => self.piece.extend_from_slice(self.decoder.conceal(FRAME)),
        }
        spoken
    }

    /// Keeps the end of what was made ready since there was so much.
    fn remember(&mut self, before: usize) {
        self.past.extend(self.ready.range(before.min(self.ready.len())..));
        self.past.drain(..self.past.len().saturating_sub(*STEPS.end()));
    }
}

/// Appends what was decoded, a little shorter or longer if voice waits too long or too short; `past` is what went before.
/// Gives the milliseconds that were added.
fn append(ready: &mut VecDeque<f32>, past: &[f32], pcm: &[f32], surplus_ms: f64) -> f64 {
    let by = if surplus_ms > SURPLUS_MS {
        cut(ready, pcm, surplus_ms)
    } else if surplus_ms < SHORTAGE_MS {
        stretch(ready, past, pcm)
    } else {
        None
    };
    if by.is_none() {
        ready.extend(pcm);
    }
    by.unwrap_or_default()
}

/// Appends it without one of its periods, if that is not heard or must be.
fn cut(ready: &mut VecDeque<f32>, pcm: &[f32], surplus_ms: f64) -> Option<f64> {
    if pcm.len() < PERIODS {
        return None;
    }
    let most = ((surplus_ms + OVERCUT_MS) * 48.0) as usize;
    let begin = &pcm[..OVERLAP];
    let steps = *STEPS.start()..=most.clamp(*STEPS.start(), *STEPS.end());
    let (step, likeness) = best_step(begin, steps, |step| &pcm[step..step + OVERLAP]);
    let unheard = likeness > REPEATS || rms(pcm) < QUIET;
    if !unheard && surplus_ms <= ANY_SURPLUS_MS {
        return None;
    }
    ready.extend(cross_fade(begin, &pcm[step..step + OVERLAP]));
    ready.extend(&pcm[step + OVERLAP..]);
    Some(-(step as f64) / 48.0)
}

/// Appends the last period of `past` once more and then all of it, if that is not heard.
fn stretch(ready: &mut VecDeque<f32>, past: &[f32], pcm: &[f32]) -> Option<f64> {
    let end = past.len();
    if end < *STEPS.end() || pcm.len() < OVERLAP {
        return None;
    }
    let begin = &pcm[..OVERLAP];
    let (step, likeness) = best_step(begin, STEPS, |step| &past[end - step..end - step + OVERLAP]);
    if likeness <= REPEATS && (rms(pcm) >= QUIET || rms(past) >= QUIET) {
        return None;
    }
    let period = &past[end - step..];
    ready.extend(cross_fade(begin, &period[..OVERLAP]));
    ready.extend(&period[OVERLAP..]);
    ready.extend(pcm);
    Some(step as f64 / 48.0)
}

/// The step whose sound is most like `begin`, so that going from one to the other is not heard; and how like (1 is the same).
fn best_step<'a>(
    begin: &[f32],
    steps: std::ops::RangeInclusive<usize>,
    sound: impl Fn(usize) -> &'a [f32],
) -> (usize, f32) {
    let energy = |piece: &[f32]| piece.iter().map(|sample| sample * sample).sum::<f32>();
    let whole = energy(begin);
    let likeness = |step: usize| {
        let other = sound(step);
        let product: f32 = begin.iter().zip(other).map(|(a, b)| a * b).sum();
        product / (whole * energy(other)).sqrt().max(f32::EPSILON)
    };
    let last = *steps.end();
    let likenesses = steps.map(|step| (step, likeness(step)));
    likenesses.max_by(|one, other| one.1.total_cmp(&other.1)).unwrap_or((last, 0.0))
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
