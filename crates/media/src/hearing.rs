//! Judges recorded sound in tests: how loud it is, where it breaks off, how well it is understood.

use crate::{BLOCK, SAMPLE_RATE};

/// Something said by a voice of the speech synthesiser, at 48 kHz.
pub(crate) fn speech(voice: &str, text: &str) -> Vec<f32> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("speech.wav");
    let said = std::process::Command::new("espeak-ng").args(["-v", voice, "-w"]).arg(&path).arg(text).status();
    assert!(said.expect("espeak-ng is installed").success());
    crate::wav::read_voice(&path).unwrap()
}

/// Two different people who talk long enough to learn something from.
pub(crate) fn two_talkers() -> (Vec<f32>, Vec<f32>) {
    let far = "The north wind and the sun were disputing which was the stronger, when a traveller came along wrapped \
               in a warm cloak. They agreed that the one who first succeeded in making the traveller take his cloak \
               off should be considered stronger than the other.";
    let near = "When the sunlight strikes raindrops in the air, they act as a prism and form a rainbow. The rainbow is \
                a division of white light into many beautiful colours, and these take the shape of a long round arch.";
    (speech("en-us", far), speech("en-gb+f3", near))
}

/// A sound in decibels of full scale.
pub(crate) fn level_db(samples: &[f32]) -> f32 {
    20.0 * crate::level::rms(samples).max(1e-9).log10()
}

/// Seconds of `samples` that lie in breaks longer than `longest_ms`: 10 ms pieces quieter than `floor_db`.
pub(crate) fn seconds_of_gaps(samples: &[f32], longest_ms: usize, floor_db: f32) -> f32 {
    let mut gaps = 0;
    let mut run = 0;
    let quiet = samples.chunks_exact(BLOCK).map(|block| level_db(block) < floor_db);
    for quiet in quiet.chain([false]) {
        if quiet {
            run += 1;
            continue;
        }
        if run * 10 > longest_ms {
            gaps += run;
        }
        run = 0;
    }
    gaps as f32 * 0.01
}

/// How well `heard` can be understood for what was `said`, from 0 to 1.
///
/// The short-time objective intelligibility measure (Taal et al., 2011): in 15 bands of a third
/// of an octave, how alike the envelopes are over 0.4 s. Above 0.75 nearly every word is
/// understood. Both must begin at the same moment.
pub(crate) fn intelligibility(said: &[f32], heard: &[f32]) -> f32 {
    const SEGMENT: usize = 30;
    /// Heard envelopes are cut 15 dB above the said ones, as in the paper.
    const CLIP: f32 = 6.623;
    let length = said.len().min(heard.len());
    let bands: Vec<_> = (0..15)
        .map(|band| 150.0 * 2f32.powf(band as f32 / 3.0))
        .map(|hz| (envelope(&said[..length], hz), envelope(&heard[..length], hz)))
        .collect();
    let windows = bands[0].0.len();
    let loudness: Vec<f32> = (0..windows).map(|at| bands.iter().map(|(said, _)| said[at].powi(2)).sum()).collect();
    let loudest = loudness.iter().copied().fold(0.0, f32::max);
    // Only where somebody speaks: within 40 dB of the loudest.
    let spoken: Vec<usize> = (0..windows).filter(|at| loudness[*at] > loudest * 1e-4).collect();
    let (mut sum, mut count) = (0.0, 0);
    for segment in spoken.windows(SEGMENT).step_by(SEGMENT / 2) {
        for (said, heard) in &bands {
            let said: Vec<f32> = segment.iter().map(|at| said[*at]).collect();
            let heard: Vec<f32> = segment.iter().map(|at| heard[*at]).collect();
            let scale = norm(&said) / norm(&heard).max(1e-9);
            let heard: Vec<f32> = heard.iter().zip(&said).map(|(h, s)| (h * scale).min(s * CLIP)).collect();
            sum += correlation(&said, &heard);
            count += 1;
        }
    }
    sum / count.max(1) as f32
}

fn norm(values: &[f32]) -> f32 {
    values.iter().map(|value| value * value).sum::<f32>().sqrt()
}

pub(crate) fn correlation(one: &[f32], other: &[f32]) -> f32 {
    let mean = |values: &[f32]| values.iter().sum::<f32>() / values.len().max(1) as f32;
    let (mean_one, mean_other) = (mean(one), mean(other));
    let centred = |values: &[f32], mean: f32| values.iter().map(|value| value - mean).collect::<Vec<_>>();
    let (one, other) = (centred(one, mean_one), centred(other, mean_other));
    let product: f32 = one.iter().zip(&other).map(|(a, b)| a * b).sum();
    product / (norm(&one) * norm(&other)).max(1e-9)
}

/// How loud a band of a third of an octave is, in windows of 25.6 ms each 12.8 ms.
fn envelope(samples: &[f32], hz: f32) -> Vec<f32> {
    const HOP: usize = 614;
    let band = band_pass(&band_pass(samples, hz), hz);
    let windows = (band.len() / HOP).saturating_sub(1);
    (0..windows).map(|at| crate::level::rms(&band[at * HOP..(at + 2) * HOP])).collect()
}

/// A resonance of a third of an octave (RBJ's cookbook, constant peak gain).
fn band_pass(samples: &[f32], hz: f32) -> Vec<f32> {
    let turn = std::f32::consts::TAU * hz / SAMPLE_RATE as f32;
    let alpha = turn.sin() / (2.0 * 4.32);
    let (a0, a1, a2) = (1.0 + alpha, -2.0 * turn.cos(), 1.0 - alpha);
    let (mut x1, mut x2, mut y1, mut y2) = (0.0, 0.0, 0.0, 0.0);
    samples
        .iter()
        .map(|x| {
            let y = (alpha * (x - x2) - a1 * y1 - a2 * y2) / a0;
            (x2, x1, y2, y1) = (x1, *x, y1, y);
            y
        })
        .collect()
}

mod tests {
    use super::*;

    #[test]
    fn the_measure_of_understanding_tells_good_from_bad() {
        let (said, other) = two_talkers();
        let length = said.len().min(other.len());
        let mixed = |gain: f32| -> Vec<f32> { (0..length).map(|at| said[at] + other[at] * gain).collect() };
        assert!(intelligibility(&said, &said) > 0.99);
        assert!(intelligibility(&said, &mixed(0.1)) > 0.9);
        let babble = intelligibility(&said, &mixed(3.0));
        assert!(babble < 0.6, "{babble}");
        assert!(intelligibility(&said[..length], &other) < 0.4);
    }

    #[test]
    fn gaps_are_counted_only_when_they_are_long() {
        let mut sound = vec![0.3; 48_000];
        sound[4_800..6_720].fill(0.0);
        assert_eq!(seconds_of_gaps(&sound, 40, -50.0), 0.0);
        sound[9_600..12_000].fill(0.0);
        assert!((seconds_of_gaps(&sound, 40, -50.0) - 0.05).abs() < 1e-6);
    }
}
