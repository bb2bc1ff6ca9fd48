//! Reads a voice from a WAV file, and writes what is played into one.

use std::fs::File;
use std::io::BufWriter;
use std::path::{Path, PathBuf};

use crate::resample::Resampler;
use crate::{BLOCK, SAMPLE_RATE};

/// The longest voice that is read: five minutes.
const LONGEST_VOICE: usize = SAMPLE_RATE as usize * 300;
/// The longest recording: an hour.
const LONGEST_RECORDING: u64 = SAMPLE_RATE as u64 * 3_600;
/// A recording is whole on disk at least this often.
const FLUSH_EVERY: u64 = SAMPLE_RATE as u64;

/// Reads a file of any rate, width and number of channels as 48 kHz mono.
pub(crate) fn read_voice(path: &Path) -> Result<Vec<f32>, hound::Error> {
    let reader = hound::WavReader::open(path)?;
    let spec = reader.spec();
    match spec.sample_format {
        hound::SampleFormat::Float => mix(spec, reader.into_samples::<f32>()),
        hound::SampleFormat::Int => {
            let scale = 1.0 / (1u64 << (spec.bits_per_sample.clamp(1, 32) - 1)) as f32;
            mix(spec, reader.into_samples::<i32>().map(move |sample| sample.map(|value| value as f32 * scale)))
        }
    }
}

fn mix(
    spec: hound::WavSpec,
    samples: impl Iterator<Item = Result<f32, hound::Error>>,
) -> Result<Vec<f32>, hound::Error> {
    let channels = usize::from(spec.channels.max(1));
    let mut resampler = Resampler::new(spec.sample_rate, SAMPLE_RATE);
    let mut voice = Vec::new();
    let (mut sum, mut summed) = (0.0, 0);
    for sample in samples {
        sum += sample?;
        summed += 1;
        if summed == channels {
            resampler.push(sum / channels as f32, |value| voice.push(value.clamp(-1.0, 1.0)));
            (sum, summed) = (0.0, 0);
        }
        if voice.len() >= LONGEST_VOICE {
            break;
        }
    }
    Ok(voice)
}

/// A file instead of a person.
pub(crate) struct WavVoice {
    samples: Vec<f32>,
    at: usize,
    looped: bool,
}

impl WavVoice {
    pub(crate) fn open(path: &Path, looped: bool) -> Result<Self, hound::Error> {
        Ok(Self { samples: read_voice(path)?, at: 0, looped })
    }

    pub(crate) fn block(&mut self) -> [f32; BLOCK] {
        std::array::from_fn(|_| {
            if self.looped && self.at >= self.samples.len() {
                self.at = 0;
            }
            let sample = self.samples.get(self.at).copied().unwrap_or_default();
            self.at += 1;
            sample
        })
    }
}

/// Writes 48 kHz mono; the file appears with the first block and is finished when dropped.
pub(crate) struct WavTap {
    path: PathBuf,
    writer: Option<hound::WavWriter<BufWriter<File>>>,
    written: u64,
    failed: bool,
}

impl WavTap {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, writer: None, written: 0, failed: false }
    }

    pub(crate) fn write(&mut self, block: &[f32]) {
        if self.failed || self.written >= LONGEST_RECORDING {
            return;
        }
        if self.try_write(block).is_err() {
            tracing::warn!("the recording could not be written");
            self.failed = true;
            self.writer = None;
        }
    }

    fn try_write(&mut self, block: &[f32]) -> Result<(), hound::Error> {
        let writer = match &mut self.writer {
            Some(writer) => writer,
            empty => empty.insert(hound::WavWriter::create(&self.path, recording_spec())?),
        };
        for sample in block {
            writer.write_sample((sample.clamp(-1.0, 1.0) * f32::from(i16::MAX)) as i16)?;
        }
        let before = self.written / FLUSH_EVERY;
        self.written += block.len() as u64;
        if self.written / FLUSH_EVERY > before {
            writer.flush()?;
        }
        Ok(())
    }
}

impl Drop for WavTap {
    fn drop(&mut self) {
        if let Some(writer) = self.writer.take()
            && writer.finalize().is_err()
        {
            tracing::warn!("the recording could not be finished");
        }
    }
}

fn recording_spec() -> hound::WavSpec {
    hound::WavSpec {
        channels: 1,
        sample_rate: SAMPLE_RATE,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stereo_file_of_another_rate_is_heard_as_one_voice() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("stereo.wav");
        let spec = hound::WavSpec { channels: 2, sample_rate: 22_050, ..recording_spec() };
        let mut writer = hound::WavWriter::create(&path, spec).unwrap();
        for _ in 0..22_050 {
            writer.write_sample(16_384i16).unwrap();
            writer.write_sample(0i16).unwrap();
        }
        writer.finalize().unwrap();
        let voice = read_voice(&path).unwrap();
        assert!(voice.len().abs_diff(48_000) < 20);
        assert!((voice[24_000] - 0.25).abs() < 0.01);
    }

    #[test]
    fn a_voice_is_said_once_or_again_and_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("word.wav");
        let mut tap = WavTap::new(path.clone());
        tap.write(&[0.5; BLOCK]);
        drop(tap);
        let mut once = WavVoice::open(&path, false).unwrap();
        assert!((once.block()[0] - 0.5).abs() < 0.01);
        assert_eq!(once.block(), [0.0; BLOCK]);
        let mut looped = WavVoice::open(&path, true).unwrap();
        looped.block();
        assert!((looped.block()[479] - 0.5).abs() < 0.01);
    }

    #[test]
    fn a_tap_that_heard_nothing_leaves_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("none.wav");
        drop(WavTap::new(path.clone()));
        assert!(!path.exists());
    }

    #[test]
    fn what_is_no_wav_file_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("text.wav");
        std::fs::write(&path, "not a sound").unwrap();
        assert!(read_voice(&path).is_err());
    }
}
