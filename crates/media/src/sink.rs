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
use crate::{BLOCK, SAMPLE_RATE};

/// What waits for the device: at first, at least, and at most after it starved. Milliseconds.
const PREFILL_MS: usize = 20;
const PREFILL_LEAST_MS: usize = 5;
const PREFILL_MOST_MS: usize = 120;
/// What each starving adds, and what a time without it takes away.
const PREFILL_STEP_MS: usize = 10;
const PREFILL_LESS_MS: usize = 5;
/// How long a device must be served well before less waits for it. Doubles with each starving after less did.
const SERVED_WELL: Duration = Duration::from_secs(4);
const SERVED_WELL_MOST: Duration = Duration::from_secs(300);
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
    prefill: Prefill,
    starved: u64,
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

    /// Whether another block is wanted now.
    pub(crate) fn wants(&mut self, now: Instant) -> bool {
        match self.speaker.as_mut().and_then(|speaker| speaker.wants(now)) {
            Some(wanted) => {
                self.pace = Pace::from(now);
                wanted
            }
            None => self.pace.due(now),
        }
    }

    pub(crate) fn write(&mut self, block: &[f32; BLOCK]) {
        if let Some(speaker) = &mut self.speaker {
            speaker.write(block);
        }
        for tap in &mut self.taps {
            tap.write(block);
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
            prefill: Prefill::new(now),
            starved: 0,
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
                    self.last_taken = now;
                }
                News::State(new) => {
                    *state = Some(new);
                    return;
                }
            }
        }
    }

    /// Whether the device wants a block; nothing while there is no device to ask.
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
        let starved = self.device.starved.load(Ordering::Relaxed);
        self.prefill.adapt(now, starved > self.starved);
        self.starved = starved;
        Some(waiting < self.prefill.ms * self.rate / 1_000)
    }

    fn write(&mut self, block: &[f32; BLOCK]) {
        let Some(ring) = &mut self.ring else { return };
        for sample in block {
            // A full ring belongs to a device that stalled; nobody will miss this.
            self.resampler.push(*sample, |value| {
                let _ = ring.push(value);
            });
        }
        self.last_free = ring.slots();
    }
}

/// How much sound waits for a device: as little as the device and this machine's haste allow.
#[derive(Debug)]
struct Prefill {
    ms: usize,
    /// Since when the device was served well.
    since: Instant,
    patience: Duration,
    lowered: bool,
}

impl Prefill {
    fn new(now: Instant) -> Self {
        Self { ms: PREFILL_MS, since: now, patience: SERVED_WELL, lowered: false }
    }

    fn adapt(&mut self, now: Instant, starved: bool) {
        if starved {
            if self.lowered {
                self.patience = (self.patience * 2).min(SERVED_WELL_MOST);
            }
            self.lowered = false;
            self.ms = (self.ms + PREFILL_STEP_MS).min(PREFILL_MOST_MS);
            self.since = now;
        } else if now.saturating_duration_since(self.since) >= self.patience && self.ms > PREFILL_LEAST_MS {
            self.lowered = true;
            self.ms = self.ms.saturating_sub(PREFILL_LESS_MS).max(PREFILL_LEAST_MS);
            self.since = now;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn less_waits_for_a_device_that_is_served_well_and_more_for_one_that_starves() {
        let begin = Instant::now();
        let mut prefill = Prefill::new(begin);
        let after = |seconds| begin + Duration::from_secs(seconds);
        prefill.adapt(after(1), true);
        assert_eq!(prefill.ms, 30);
        (2..60).for_each(|second| prefill.adapt(after(second), false));
        assert_eq!(prefill.ms, PREFILL_LEAST_MS);
        prefill.adapt(after(60), true);
        prefill.adapt(after(65), false);
        assert_eq!(prefill.ms, 15, "it is not tried again so soon");
        prefill.adapt(after(69), false);
        assert_eq!(prefill.ms, 10);
        (70..200).for_each(|second| prefill.adapt(after(second), true));
        assert_eq!(prefill.ms, PREFILL_MOST_MS);
    }

    #[test]
    fn without_a_speaker_time_still_passes_and_the_recording_has_its_length() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("heard.wav");
        let usage = Arc::new(Usage::default());
        let begin = Instant::now();
        let mut sink = Sink::open(&Speaker::Null, Some(path.clone()), &usage, begin);
        for tick in 0..100 {
            while sink.wants(begin + Duration::from_millis(10 * tick)) {
                sink.write(&[0.25; BLOCK]);
            }
        }
        drop(sink);
        assert_eq!(crate::wav::read_voice(&path).unwrap().len(), 48_000);
    }
}
