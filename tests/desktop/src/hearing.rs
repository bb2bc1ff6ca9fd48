//! Judges whether what was heard is what was said, by the rise and fall of its loudness.

use std::path::Path;

use crate::{Outcome, StageError};

/// Loudness is measured once per this many milliseconds.
const HOP_MS: usize = 20;

/// Quieter than this share of the loudest counts as silence.
const SILENCE: f32 = 0.06;

/// A phrase, in steps of [`HOP_MS`]: 1.2 s.
const PHRASE: usize = 60;

/// How much the pause before a phrase may have grown or shrunk, in the same steps: 80 ms.
const DRIFT: usize = 4;

/// How alike the loudness of said and heard must be, from -1 to 1.
pub const ALIKE: f32 = 0.8;

/// How much of what was said must have been heard, in time.
pub const COMPLETE: f32 = 0.8;

/// Sound on one channel.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Samples per second.
    pub rate: u32,
    /// The samples.
    pub samples: Vec<i16>,
}

/// How what was heard relates to what was said.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Likeness {
    /// Correlation of the two loudness curves, from -1 to 1.
    pub alike: f32,
    /// How much of the time in which something was said something was heard, from 0 to 1.
    pub complete: f32,
    /// Where in the recording it begins, in milliseconds.
    pub at_ms: usize,
}

impl Likeness {
    /// Whether it is the same speech, whole.
    pub fn is_same(&self) -> bool {
        self.alike >= ALIKE && self.complete >= COMPLETE
    }
}

impl std::fmt::Display for Likeness {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "likeness {:.2}, {:.0} % of it, from {} ms", self.alike, self.complete * 100.0, self.at_ms)
    }
}

impl Recording {
    /// Reads a WAV file of 16-bit samples; of several channels the first.
    pub fn read_wav(path: &Path) -> Outcome<Self> {
        let failed =
            |error: hound::Error| StageError::File { path: path.to_owned(), source: std::io::Error::other(error) };
        let reader = hound::WavReader::open(path).map_err(failed)?;
        let spec = reader.spec();
        let channels = usize::from(spec.channels.max(1));
        let samples = reader.into_samples::<i16>().step_by(channels).collect::<Result<_, _>>().map_err(failed)?;
        Ok(Self { rate: spec.sample_rate, samples })
    }

    /// Writes it as a WAV file, for whoever wants to hear it.
    pub fn write_wav(&self, path: &Path) -> Outcome<()> {
        let failed =
            |error: hound::Error| StageError::File { path: path.to_owned(), source: std::io::Error::other(error) };
        let spec = hound::WavSpec {
            channels: 1,
            sample_rate: self.rate,
            bits_per_sample: 16,
            sample_format: hound::SampleFormat::Int,
        };
        let mut writer = hound::WavWriter::create(path, spec).map_err(failed)?;
        for sample in &self.samples {
            writer.write_sample(*sample).map_err(failed)?;
        }
        writer.finalize().map_err(failed)
    }

    /// How long it is.
    pub fn milliseconds(&self) -> usize {
        self.samples.len() * 1000 / (self.rate as usize).max(1)
    }

    /// The loudness over time.
    fn loudness(&self) -> Vec<f32> {
        let hop = (self.rate as usize * HOP_MS / 1000).max(1);
        let level = |part: &[i16]| {
            let power: f64 = part.iter().map(|s| f64::from(*s) * f64::from(*s)).sum();
            (power / part.len() as f64).sqrt() as f32
        };
        self.samples.chunks_exact(hop).map(level).collect()
    }
}

/// Looks for what was said in what was heard; the best place counts.
///
/// Phrase by phrase, because a call may shorten or stretch the pauses between them a little: each phrase is
/// looked for near the place where the one before it ended.
pub fn compare(said: &Recording, heard: &Recording) -> Likeness {
    let (said, heard) = (trimmed(&said.loudness()), heard.loudness());
    if said.is_empty() || heard.len() < said.len() {
        return Likeness { alike: 0.0, complete: 0.0, at_ms: 0 };
    }
    let quiet = Quiet { said: silence_of(&said), heard: silence_of(&heard) };
    (0..=heard.len() - said.len())
        .map(|at| follow(&said, &heard, at, quiet))
        .max_by(|one, other| one.alike.total_cmp(&other.alike))
        .unwrap_or(Likeness { alike: 0.0, complete: 0.0, at_ms: 0 })
}

/// Below these levels it counts as silence.
#[derive(Clone, Copy)]
struct Quiet {
    said: f32,
    heard: f32,
}

/// Follows what was said through what was heard, phrase by phrase, beginning there.
fn follow(said: &[f32], heard: &[f32], begin: usize, quiet: Quiet) -> Likeness {
    let (mut shift, mut first) = (begin, None);
    let mut followed = vec![0.0; said.len()];
    let phrases = (said.len() / PHRASE).max(1);
    for phrase in 0..phrases {
        let from = phrase * PHRASE;
        let to = if phrase + 1 == phrases { said.len() } else { from + PHRASE };
        let near = shift.saturating_sub(DRIFT)..=(shift + DRIFT).min(heard.len().saturating_sub(to));
        let likeness = |shift: &usize| correlation(&said[from..to], &heard[from + shift..to + shift]);
        let Some(best) = near.max_by(|one, other| likeness(one).total_cmp(&likeness(other))) else { continue };
        shift = best;
        first.get_or_insert(best);
        followed[from..to].copy_from_slice(&heard[from + shift..to + shift]);
    }
    let complete = covered(said, &followed, quiet);
    Likeness { alike: correlation(said, &followed), complete, at_ms: first.unwrap_or(begin) * HOP_MS }
}

fn silence_of(levels: &[f32]) -> f32 {
    levels.iter().copied().fold(0.0, f32::max) * SILENCE
}

/// Without the silence at both ends.
fn trimmed(levels: &[f32]) -> Vec<f32> {
    let silence = silence_of(levels);
    let first = levels.iter().position(|level| *level > silence).unwrap_or(levels.len());
    let last = levels.iter().rposition(|level| *level > silence).map_or(first, |at| at + 1);
    levels[first..last].to_vec()
}

/// The share of the sounding moments of `said` at which `heard` sounds, too.
fn covered(said: &[f32], heard: &[f32], quiet: Quiet) -> f32 {
    let sounding = said.iter().filter(|level| **level > quiet.said).count();
    let both = said.iter().zip(heard).filter(|(a, b)| **a > quiet.said && **b > quiet.heard).count();
    if sounding == 0 { 0.0 } else { both as f32 / sounding as f32 }
}

/// Pearson's correlation.
fn correlation(a: &[f32], b: &[f32]) -> f32 {
    let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len() as f32;
    let (mean_a, mean_b) = (mean(a), mean(b));
    let (mut both, mut only_a, mut only_b) = (0.0, 0.0, 0.0);
    for (x, y) in a.iter().zip(b) {
        let (x, y) = (x - mean_a, y - mean_b);
        both += x * y;
        only_a += x * x;
        only_b += y * y;
    }
    let scale = (only_a * only_b).sqrt();
    if scale > f32::EPSILON { both / scale } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Syllables of different length and loudness, from a small random number generator.
    fn speech(seed: u32, rate: u32, ms: usize) -> Recording {
        let mut state = seed;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state >> 16
        };
        let mut samples = Vec::new();
        while samples.len() < rate as usize * ms / 1000 {
            let (length, loud) = (60 + next() % 200, 2_000 + next() % 20_000);
            let pause = 20 + next() % 150;
            for n in 0..rate * length / 1000 {
                samples.push(((n as f32 * 0.09).sin() * loud as f32) as i16);
            }
            samples.extend(std::iter::repeat_n(0, (rate * pause / 1000) as usize));
        }
        Recording { rate, samples }
    }

    fn played(said: &Recording, before_ms: usize, gain: f32) -> Recording {
        // Another rate, later, quieter, with a little noise: as a call gives it back.
        let rate = 48_000;
        let mut samples = vec![7_i16; rate as usize * before_ms / 1000];
        let count = said.samples.len() * rate as usize / said.rate as usize;
        samples.extend((0..count).map(|n| {
            let at = n * said.rate as usize / rate as usize;
            (f32::from(said.samples[at]) * gain) as i16 + (n % 13) as i16 - 6
        }));
        samples.extend(vec![-5_i16; rate as usize]);
        Recording { rate, samples }
    }

    #[test]
    fn speech_is_recognised_though_it_comes_later_and_quieter() {
        let said = speech(1, 22_050, 4_000);
        let likeness = compare(&said, &played(&said, 730, 0.4));
        assert!(likeness.is_same(), "{likeness}");
        assert!((700..=760).contains(&likeness.at_ms), "{likeness}");
    }

    #[test]
    fn speech_is_recognised_though_its_pauses_are_shorter() {
        let said = speech(3, 22_050, 4_000);
        let mut heard = played(&said, 300, 0.7);
        // 60 ms are gone after a second and a half, and 40 ms were added after three.
        let at = |ms: usize| ms * 48;
        heard.samples.drain(at(1_800)..at(1_860));
        let pause = vec![0; at(40)];
        heard.samples.splice(at(3_300)..at(3_300), pause);
        let likeness = compare(&said, &heard);
        assert!(likeness.is_same(), "{likeness}");
    }

    #[test]
    fn silence_is_not_speech() {
        let said = speech(1, 22_050, 4_000);
        let silence = Recording { rate: 48_000, samples: vec![0; 48_000 * 6] };
        assert!(!compare(&said, &silence).is_same());
        assert!(!compare(&said, &Recording { rate: 48_000, samples: Vec::new() }).is_same());
    }

    #[test]
    fn other_words_are_not_these_words() {
        let said = speech(1, 22_050, 4_000);
        for seed in 2..8 {
            let likeness = compare(&said, &played(&speech(seed, 22_050, 4_000), 500, 1.0));
            assert!(!likeness.is_same(), "{seed}: {likeness}");
        }
    }

    #[test]
    fn half_of_the_words_are_not_all_words() {
        let said = speech(1, 22_050, 4_000);
        let mut heard = played(&said, 500, 1.0);
        let middle = heard.samples.len() / 2;
        heard.samples[middle..].fill(0);
        assert!(!compare(&said, &heard).is_same());
    }

    #[test]
    fn a_steady_tone_is_not_speech() {
        let said = speech(1, 22_050, 4_000);
        let tone = Recording {
            rate: 48_000,
            samples: (0..48_000 * 6).map(|n| ((n as f32 * 0.1).sin() * 9e3) as i16).collect(),
        };
        assert!(!compare(&said, &tone).is_same());
    }
}
