//! Voices that stories can tell apart: a person speaks in one tone, and what they heard is looked through for tones.

use std::path::{Path, PathBuf};

use lab::person::Setup;
use media::{Microphone, Speaker};

const RATE: u32 = 48_000;

/// Where a person's voice comes from, and where what they hear is written.
pub struct Voice {
    said: PathBuf,
    pub heard: PathBuf,
    pub hertz: f32,
}

impl Voice {
    /// One that speaks in this tone without a pause.
    pub fn new(folder: &Path, name: &str, hertz: f32) -> Self {
        let said = folder.join(format!("{name}.wav"));
        tone(&said, hertz, 2, 8_000.0);
        Self { said, heard: folder.join(format!("at-{name}.wav")), hertz }
    }

    /// The same setup, with this voice and these ears.
    pub fn of(&self, setup: &Setup) -> Setup {
        let mut setup = setup.clone();
        setup.microphone = Microphone::Wav { path: self.said.clone(), looped: true };
        setup.speaker = Speaker::Wav(self.heard.clone());
        setup
    }

    /// The tenths of a second in which another voice was heard.
    pub fn heard_of(&self, other: &Self) -> Vec<bool> {
        tenths_of(&self.heard, other.hertz, 0.1)
    }
}

/// Writes seconds of a tone, as loud as this of 32,768.
pub fn tone(path: &Path, hertz: f32, seconds: u32, loudness: f32) {
    let spec =
        hound::WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut file = hound::WavWriter::create(path, spec).unwrap();
    for at in 0..RATE * seconds {
        let phase = at as f32 / RATE as f32 * hertz * std::f32::consts::TAU;
        file.write_sample((phase.sin() * loudness) as i16).unwrap();
    }
    file.finalize().unwrap();
}

/// For each tenth of a second of a recording, whether more than this share of its energy is this tone.
pub fn tenths_of(path: &Path, hertz: f32, share: f32) -> Vec<bool> {
    let mut file = hound::WavReader::open(path).unwrap();
    let rate = file.spec().sample_rate as f32;
    let samples: Vec<f32> = match file.spec().sample_format {
        hound::SampleFormat::Int => file.samples::<i32>().map(|s| s.unwrap() as f32).collect(),
        hound::SampleFormat::Float => file.samples::<f32>().map(|s| s.unwrap() * 32_768.0).collect(),
    };
    let window = (rate / 10.0) as usize;
    let has = |part: &[f32]| {
        let energy: f32 = part.iter().map(|s| s * s).sum();
        // Goertzel: the energy of one frequency.
        let turn = 2.0 * (std::f32::consts::TAU * hertz / rate).cos();
        let (a, b) = part.iter().fold((0.0, 0.0), |(a, b): (f32, f32), s| (s + turn * a - b, a));
        let power = a * a + b * b - turn * a * b;
        energy / window as f32 > 1_000.0 && power / (energy * window as f32 / 2.0) > share
    };
    samples.chunks_exact(window).map(has).collect()
}

/// How many seconds that is.
pub fn seconds(tenths: &[bool]) -> f32 {
    tenths.iter().filter(|heard| **heard).count() as f32 / 10.0
}

/// The longest pause between the first and the last tenth in which it was heard, in seconds.
pub fn longest_pause(tenths: &[bool]) -> f32 {
    let first = tenths.iter().position(|heard| *heard).unwrap_or(0);
    let last = tenths.iter().rposition(|heard| *heard).map_or(0, |at| at + 1);
    let pauses = tenths[first..last.max(first)].split(|heard| *heard).map(<[bool]>::len);
    pauses.max().unwrap_or(0) as f32 / 10.0
}
