//! Stories of a microphone that hears its own speaker: numbers on recorded speech in a made-up room.

use super::*;
use crate::hearing::{intelligibility, level_db, two_talkers};

/// What a microphone hears of its speaker: 40 ms later, 12 dB quieter, with a tail of 100 ms.
struct Room {
    taps: Vec<(usize, f32)>,
    past: Vec<f32>,
}

impl Room {
    fn new() -> Self {
        // A fixed sequence that looks random, decaying by 60 dB in 100 ms.
        let mut seed = 0x2545_F491_u32;
        let mut taps = vec![(40 * 48, 0.22)];
        for tap in 1..60 {
            seed ^= seed << 13;
            seed ^= seed >> 17;
            seed ^= seed << 5;
            let at = 40 * 48 + tap * 80;
            let decay = 10f32.powf(-3.0 * tap as f32 / 60.0);
            taps.push((at, 0.08 * decay * (f64::from(seed) / f64::from(u32::MAX) * 2.0 - 1.0) as f32));
        }
        Self { taps, past: Vec::new() }
    }

    fn echo(&mut self, played: &[f32; BLOCK]) -> [f32; BLOCK] {
        let begin = self.past.len();
        self.past.extend(played);
        std::array::from_fn(|n| {
            self.taps
                .iter()
                .filter_map(|(delay, gain)| Some(self.past.get((begin + n).checked_sub(*delay)?)? * gain))
                .sum()
        })
    }
}

/// Plays `far`, speaks `near` in the same room; gives what the microphone heard and what is sent.
fn call(processing: VoiceProcessing, far: &[f32], near: &[f32], noise: f32) -> (Vec<f32>, Vec<f32>) {
    let mut processor = Processor::new(processing);
    let mut room = Room::new();
    let mut seed = 1_u32;
    let (mut heard, mut sent) = (Vec::new(), Vec::new());
    for at in (0..far.len().max(near.len())).step_by(BLOCK) {
        let of = |samples: &[f32]| std::array::from_fn(|n| samples.get(at + n).copied().unwrap_or_default());
        let played: [f32; BLOCK] = of(far);
        processor.played(&played);
        let echo = room.echo(&played);
        let mut block: [f32; BLOCK] = of(near);
        for (sample, echo) in block.iter_mut().zip(echo) {
            seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *sample += echo + noise * (seed as f32 / u32::MAX as f32 - 0.5);
        }
        heard.extend(block);
        processor.heard(&mut block);
        sent.extend(block);
    }
    (heard, sent)
}

fn again(speech: &[f32], times: usize) -> Vec<f32> {
    speech.repeat(times)
}

const CANCEL_ONLY: VoiceProcessing = VoiceProcessing { echo_cancellation: true, ..VoiceProcessing::OFF };
/// The canceller may learn the room for so long.
const LEARNING: usize = 48_000 * 3;

#[test]
fn the_far_end_does_not_come_back() {
    let (far, _) = two_talkers();
    for processing in [VoiceProcessing::default(), CANCEL_ONLY] {
        let (heard, sent) = call(processing, &again(&far, 2), &[], 1e-4);
        let (before, after) = (level_db(&heard[LEARNING..]), level_db(&sent[LEARNING..]));
        println!("{processing:?}: echo {before:.1} dB, sent {after:.1} dB, reduced by {:.1} dB", before - after);
        assert!(before > -40.0, "there is an echo to take out: {before}");
        assert!(before - after >= 25.0, "{processing:?}: only {:.1} dB", before - after);
    }
    let (heard, sent) = call(VoiceProcessing::OFF, &far, &[], 1e-4);
    assert_eq!(level_db(&heard), level_db(&sent), "and with the switch off it does");
}

#[test]
fn two_who_speak_at_once_are_both_understood() {
    let (far, near) = two_talkers();
    let quiet = vec![0.0; far.len()];
    // First the far end alone, then both at once.
    let near = [quiet, near.clone(), near].concat();
    let far = again(&far, near.len().div_ceil(far.len()));
    let from = near.iter().position(|sample| *sample != 0.0).unwrap();
    for processing in [VoiceProcessing::default(), CANCEL_ONLY] {
        let (heard, sent) = call(processing, &far[..near.len()], &near, 1e-4);
        let delay = lag(&near[from..], &sent[from..]);
        let unhelped = intelligibility(&near[from..], &heard[from..]);
        let understood = intelligibility(&near[from..], &sent[from + delay..]);
        println!(
            "{processing:?}: the near talker is understood {understood:.2} ({unhelped:.2} with the echo), {:.1} dB",
            level_db(&sent[from..]) - level_db(&near[from..])
        );
        assert!(understood >= 0.75, "{processing:?}: {understood:.2}");
    }
}

/// How many samples later `heard` says what was `said`.
fn lag(said: &[f32], heard: &[f32]) -> usize {
    let said = &said[..48_000 * 2];
    (0..960).max_by(|a, b| product(said, &heard[*a..]).total_cmp(&product(said, &heard[*b..]))).unwrap()
}

fn product(one: &[f32], other: &[f32]) -> f32 {
    one.iter().zip(other).step_by(3).map(|(a, b)| a * b).sum::<f32>().abs()
}

#[test]
fn a_steady_noise_is_taken_out_and_the_voice_stays() {
    let (_, near) = two_talkers();
    let near = [vec![0.0; 96_000], near].concat();
    let noise_only = VoiceProcessing { noise_suppression: true, ..VoiceProcessing::OFF };
    let (heard, sent) = call(noise_only, &[], &near, 0.02);
    let (before, after) = (level_db(&heard[48_000..96_000]), level_db(&sent[48_000..96_000]));
    let delay = lag(&near[96_000..], &sent[96_000..]);
    let understood = intelligibility(&near[96_000..], &sent[96_000 + delay..]);
    println!("noise {before:.1} dB, sent {after:.1} dB; the voice is understood {understood:.2}");
    assert!(before - after >= 10.0, "{before:.1} to {after:.1}");
    assert!(understood >= 0.8, "{understood:.2}");
}

#[test]
fn quiet_and_loud_people_are_brought_together() {
    let (_, near) = two_talkers();
    let near = again(&near, 3);
    let gain_only = VoiceProcessing { gain_control: true, ..VoiceProcessing::OFF };
    let of = |gain: f32| {
        let scaled: Vec<f32> = near.iter().map(|sample| sample * gain).collect();
        let (_, sent) = call(gain_only, &[], &scaled, 1e-5);
        assert!(sent.iter().all(|sample| sample.abs() <= 1.0));
        level_db(&sent[sent.len() * 2 / 3..])
    };
    let (quiet, loud) = (of(0.08), of(0.8));
    println!("20 dB apart; sent {quiet:.1} dB and {loud:.1} dB");
    assert!((loud - quiet).abs() <= 8.0, "{quiet:.1} and {loud:.1}");
}

#[test]
fn what_is_no_number_does_not_reach_the_peer() {
    let mut processor = Processor::new(VoiceProcessing::default());
    processor.played(&[f32::NAN; BLOCK]);
    let mut block = [0.1; BLOCK];
    processor.heard(&mut block);
    for _ in 0..50 {
        block = [0.1; BLOCK];
        processor.heard(&mut block);
        assert!(block.iter().all(|sample| sample.is_finite()));
    }
}
