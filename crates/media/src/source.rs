//! Where our voice comes from: a block each 10 ms, whatever the device does.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::config::Microphone;
use crate::device::{self, DeviceState, DeviceThread, News};
use crate::resample::Resampler;
use crate::usage::Usage;
use crate::wav::WavVoice;
use crate::{BLOCK, BLOCK_TIME, SAMPLE_RATE};

/// A device that is silent for so long is replaced by silence of our own.
const PATIENCE: Duration = Duration::from_millis(100);
/// Sound that piled up beyond 300 ms is dropped down to 100 ms.
const BACKLOG: usize = SAMPLE_RATE as usize * 3 / 10;
const KEPT: usize = SAMPLE_RATE as usize / 10;
/// The longest an echo may take.
const LONGEST_ECHO: Duration = Duration::from_secs(10);
/// Blocks by which an echo may be late.
const ECHO_SLACK: usize = 20;
/// How far a clock may be behind before it forgets: twenty blocks.
const CATCH_UP: Duration = Duration::from_millis(200);

pub(crate) struct Source {
    kind: Kind,
    pace: Pace,
    state: Option<DeviceState>,
}

enum Kind {
    Device(Box<Captured>),
    Wav(WavVoice),
    Echo(Delayed),
    Silence,
}

/// What was heard, on its way back.
struct Delayed {
    blocks: VecDeque<[f32; BLOCK]>,
    /// How many blocks it takes.
    after: usize,
}

struct Captured {
    device: DeviceThread<rtrb::Consumer<f32>>,
    ring: Option<rtrb::Consumer<f32>>,
    resampler: Resampler,
    ready: VecDeque<f32>,
    /// Samples that piled up and were dropped.
    dropped: usize,
}

impl Source {
    pub(crate) fn open(microphone: &Microphone, usage: &Arc<Usage>, now: Instant) -> Self {
        let mut state = None;
        let kind = match microphone {
            Microphone::Default => Kind::Device(Box::new(Captured::open(None, usage))),
            Microphone::Device(id) => Kind::Device(Box::new(Captured::open(Some(id.clone()), usage))),
            Microphone::Silence => Kind::Silence,
            Microphone::Echo { after } => {
                let after = (*after).min(LONGEST_ECHO).as_millis() / BLOCK_TIME.as_millis();
                let after = usize::try_from(after).unwrap_or_default().max(1);
                Kind::Echo(Delayed { blocks: VecDeque::new(), after })
            }
            Microphone::Wav { path, looped } => match WavVoice::open(path, *looped) {
                Ok(voice) => Kind::Wav(voice),
                Err(_) => {
                    state = Some(DeviceState::Unreadable);
                    Kind::Silence
                }
            },
        };
        Self { kind, pace: Pace::from(now), state }
    }

    /// What there is to tell about the device, once.
    pub(crate) fn news(&mut self) -> Option<DeviceState> {
        if let Kind::Device(captured) = &mut self.kind {
            captured.read_news(&mut self.state);
        }
        self.state.take()
    }

    /// What piled up and was dropped.
    pub(crate) fn dropped_ms(&self) -> usize {
        match &self.kind {
            Kind::Device(captured) => captured.dropped * 1_000 / SAMPLE_RATE as usize,
            _ => 0,
        }
    }

    /// Whether this is a person in a room, with noise and an echo.
    pub(crate) fn is_device(&self) -> bool {
        matches!(self.kind, Kind::Device(_))
    }

    /// What the peer said, for whoever says it again.
    pub(crate) fn hear(&mut self, block: &[f32; BLOCK]) {
        if let Kind::Echo(delayed) = &mut self.kind {
            delayed.blocks.push_back(*block);
            if delayed.blocks.len() > delayed.after + ECHO_SLACK {
                delayed.blocks.drain(..ECHO_SLACK);
            }
        }
    }

    /// The next block, if its time has come. While not `live` it is only kept from piling up.
    pub(crate) fn block(&mut self, now: Instant, live: bool) -> Option<[f32; BLOCK]> {
        if let Kind::Device(captured) = &mut self.kind
            && let Some(block) = captured.block()
        {
            self.pace.hold_off(now, PATIENCE);
            return Some(block);
        }
        if !self.pace.due(now) {
            return None;
        }
        match &mut self.kind {
            Kind::Wav(voice) if live => Some(voice.block()),
            Kind::Echo(delayed) if delayed.blocks.len() >= delayed.after => delayed.blocks.pop_front(),
            _ => Some([0.0; BLOCK]),
        }
    }
}

impl Captured {
    fn open(id: Option<String>, usage: &Arc<Usage>) -> Self {
        Self {
            device: device::microphone(id, usage),
            ring: None,
            resampler: Resampler::new(SAMPLE_RATE, SAMPLE_RATE),
            ready: VecDeque::new(),
            dropped: 0,
        }
    }

    fn read_news(&mut self, state: &mut Option<DeviceState>) {
        while let Ok(news) = self.device.news.try_recv() {
            match news {
                News::Opened { ring, rate } => {
                    self.resampler = Resampler::new(rate, SAMPLE_RATE);
                    self.ring = Some(ring);
                }
                News::State(new) => {
                    *state = Some(new);
                    return;
                }
            }
        }
    }

    fn block(&mut self) -> Option<[f32; BLOCK]> {
        let ring = self.ring.as_mut()?;
        while let Ok(sample) = ring.pop() {
            self.resampler.push(sample, |value| self.ready.push_back(value));
        }
        if self.ready.len() > BACKLOG {
            let surplus = self.ready.len() - KEPT;
            self.ready.drain(..surplus);
            self.dropped += surplus;
        }
        if self.ready.len() < BLOCK {
            return None;
        }
        let mut block = [0.0; BLOCK];
        block.iter_mut().zip(self.ready.drain(..BLOCK)).for_each(|(slot, sample)| *slot = sample);
        Some(block)
    }
}

/// A clock that ticks every 10 ms, for what has no clock of its own.
#[derive(Debug)]
pub(crate) struct Pace {
    next: Instant,
}

impl Pace {
    pub(crate) fn from(now: Instant) -> Self {
        Self { next: now }
    }

    /// Whether a block is due; asking counts as taking it.
    pub(crate) fn due(&mut self, now: Instant) -> bool {
        if now < self.next {
            return false;
        }
        if now.duration_since(self.next) > CATCH_UP {
            self.next = now;
        }
        self.next += BLOCK_TIME;
        true
    }

    /// Nothing is due before `wait` has passed.
    pub(crate) fn hold_off(&mut self, now: Instant, wait: Duration) {
        self.next = now + wait;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pace_keeps_a_hundred_blocks_a_second_even_when_asked_late() {
        let begin = Instant::now();
        let mut pace = Pace::from(begin);
        let mut blocks = 0;
        for tick in 0..34 {
            let now = begin + Duration::from_millis(30 * tick);
            while pace.due(now) {
                blocks += 1;
            }
        }
        assert!((98..=102).contains(&blocks), "{blocks}");
        let long_after = begin + Duration::from_secs(60);
        assert!(pace.due(long_after) && !pace.due(long_after), "a minute of sleep is not caught up");
    }

    #[test]
    fn without_a_microphone_there_is_silence_in_time() {
        let usage = Arc::new(Usage::default());
        let begin = Instant::now();
        let mut source = Source::open(&Microphone::Silence, &usage, begin);
        let blocks = (0..200).filter(|n| source.block(begin + Duration::from_millis(5 * n), true).is_some()).count();
        assert_eq!(blocks, 100);
    }

    #[test]
    fn a_file_that_is_not_there_is_told_and_is_silence() {
        let usage = Arc::new(Usage::default());
        let begin = Instant::now();
        let microphone = Microphone::Wav { path: "/nowhere/voice.wav".into(), looped: true };
        let mut source = Source::open(&microphone, &usage, begin);
        assert_eq!(source.news(), Some(DeviceState::Unreadable));
        assert_eq!(source.block(begin, true), Some([0.0; BLOCK]));
    }
}
