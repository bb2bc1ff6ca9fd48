//! Where the peer's voice goes: a device, a file, nowhere, and a recording beside it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use crate::config::Speaker;
use crate::device::{self, DeviceState, DeviceThread, News};
use crate::resample::Resampler;
use crate::source::Pace;
use crate::usage::Usage;
use crate::wav::WavTap;
use crate::{FRAME, SAMPLE_RATE};

/// What waits for the device at first, and at most after it starved: milliseconds.
const PREFILL_MS: usize = 40;
const PREFILL_MOST_MS: usize = 120;
/// What each starving adds.
const PREFILL_STEP_MS: usize = 20;
/// A device that takes nothing for so long is gone; then our own clock counts.
const STALLED: Duration = Duration::from_millis(300);

pub(crate) struct Sink {
    speaker: Option<Box<Rendered>>,
    taps: Vec<WavTap>,
    pace: Pace,
    state: Option<DeviceState>,
}

struct Rendered {
    device: DeviceThread<rtrb::Producer<f32>>,
    ring: Option<rtrb::Producer<f32>>,
    resampler: Resampler,
    rate: usize,
    prefill_ms: usize,
    starved: u64,
    began: bool,
    last_free: usize,
    last_taken: Instant,
}

impl Sink {
    pub(crate) fn open(speaker: &Speaker, record: Option<PathBuf>, usage: &Arc<Usage>, now: Instant) -> Self {
        let mut taps: Vec<_> = record.into_iter().map(WavTap::new).collect();
        let rendered = match speaker {
            Speaker::Default => Some(Box::new(Rendered::open(None, usage, now))),
            Speaker::Device(id) => Some(Box::new(Rendered::open(Some(id.clone()), usage, now))),
            Speaker::Null => None,
            Speaker::Wav(path) => {
                taps.push(WavTap::new(path.clone()));
                None
            }
        };
        Self { speaker: rendered, taps, pace: Pace::from(now), state: None }
    }

    /// Takes another speaker; a recording beside it goes on.
    pub(crate) fn change(&mut self, speaker: &Speaker, usage: &Arc<Usage>, now: Instant) {
        self.speaker = match speaker {
            Speaker::Default => Some(Box::new(Rendered::open(None, usage, now))),
            Speaker::Device(id) => Some(Box::new(Rendered::open(Some(id.clone()), usage, now))),
            Speaker::Null | Speaker::Wav(_) => None,
        };
        self.pace = Pace::from(now);
    }

    /// What there is to tell about the device, once.
    pub(crate) fn news(&mut self, now: Instant) -> Option<DeviceState> {
        if let Some(speaker) = &mut self.speaker {
            speaker.read_news(&mut self.state, now);
        }
        self.state.take()
    }

    /// What the speaker wanted and did not get.
    pub(crate) fn starved_ms(&self) -> u64 {
        let of =
            |speaker: &Rendered| speaker.device.starved.load(Ordering::Relaxed) * 1_000 / speaker.rate.max(1) as u64;
        self.speaker.as_deref().map_or(0, of)
    }

    /// Begins to count time: what was not wanted before is not owed.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.pace = Pace::from(now);
    }

    /// Whether another frame is wanted now.
    pub(crate) fn wants(&mut self, now: Instant) -> bool {
        match self.speaker.as_mut().and_then(|speaker| speaker.wants(now)) {
            Some(wanted) => {
                self.pace = Pace::from(now);
                wanted
            }
            None => self.pace.due(now),
        }
    }

    pub(crate) fn write(&mut self, frame: &[f32; FRAME]) {
        if let Some(speaker) = &mut self.speaker {
            speaker.write(frame);
        }
        for tap in &mut self.taps {
            tap.write(frame);
        }
    }
}

impl Rendered {
    fn open(id: Option<String>, usage: &Arc<Usage>, now: Instant) -> Self {
        Self {
            device: device::speaker(id, usage),
            ring: None,
            resampler: Resampler::new(SAMPLE_RATE, SAMPLE_RATE),
            rate: SAMPLE_RATE as usize,
            prefill_ms: PREFILL_MS,
            starved: 0,
            began: false,
            last_free: 0,
            last_taken: now,
        }
    }

    fn read_news(&mut self, state: &mut Option<DeviceState>, now: Instant) {
        while let Ok(news) = self.device.news.try_recv() {
            match news {
                News::Opened { ring, rate } => {
                    self.resampler = Resampler::new(SAMPLE_RATE, rate);
                    self.rate = rate as usize;
                    self.ring = Some(ring);
                    self.began = false;
                    self.last_taken = now;
                }
                News::State(new) => {
                    *state = Some(new);
                    return;
                }
            }
        }
    }

    /// Whether the device wants a frame; nothing while there is no device to ask.
    fn wants(&mut self, now: Instant) -> Option<bool> {
        let ring = self.ring.as_ref()?;
        let free = ring.slots();
        let waiting = ring.buffer().capacity() - free;
        if free > self.last_free {
            self.last_taken = now;
        }
        self.last_free = free;
        if now.duration_since(self.last_taken) > STALLED {
            return None;
        }
        self.feed_more_if_starved();
        Some(waiting < self.prefill_ms * self.rate / 1_000)
    }

    fn feed_more_if_starved(&mut self) {
        let starved = self.device.starved.load(Ordering::Relaxed);
        // Before the first frame there was nothing to give.
        if self.began && starved > self.starved {
            self.prefill_ms = (self.prefill_ms + PREFILL_STEP_MS).min(PREFILL_MOST_MS);
        }
        self.starved = starved;
    }

    fn write(&mut self, frame: &[f32; FRAME]) {
        let Some(ring) = &mut self.ring else { return };
        for sample in frame {
            // A full ring belongs to a device that stalled; nobody will miss this.
            self.resampler.push(*sample, |value| {
                let _ = ring.push(value);
            });
        }
        self.last_free = ring.slots();
        self.began = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_speaker_time_still_passes_and_the_recording_has_its_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heard.wav");
        let usage = Arc::new(Usage::default());
        let begin = Instant::now();
        let mut sink = Sink::open(&Speaker::Null, Some(path.clone()), &usage, begin);
        for tick in 0..100 {
            while sink.wants(begin + Duration::from_millis(10 * tick)) {
                sink.write(&[0.25; FRAME]);
            }
        }
        drop(sink);
        assert_eq!(crate::wav::read_voice(&path).unwrap().len(), 48_000);
    }
}
