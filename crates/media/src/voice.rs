//! The voice thread of a call: hears, cleans, encodes, decodes and plays, every 10 ms and whenever a device has moved.
//!
//! It never waits for the network or a device. Everything from and to the async side goes
//! through bounded queues; what does not fit is dropped, because old voice is of no use.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::codec::{Encoded, Encoder};
use crate::config::{Microphone, Speaker, VoiceProcessing};
use crate::device::{DeviceState, Direction};
use crate::playout::Playout;
use crate::processing::Processor;
use crate::sink::Sink;
use crate::source::Source;
use crate::stats::Shared;
use crate::usage::{Hold, Usage};
use crate::{AudioConfig, BLOCK, FRAME, FRAME_TIME};

const TICK: Duration = Duration::from_millis(10);
/// Packets that may wait for the voice thread: more than two seconds.
pub(crate) const INBOUND: usize = 128;
/// Blocks handled in one tick before the others get their turn.
const BLOCKS_A_TICK: usize = 16;
/// Frames our voice may lag behind the clock before its timestamps jump: 200 ms.
const LAG: u32 = 10;
/// A tick that comes later than this is not made up for.
const OVERSLEPT: Duration = Duration::from_millis(200);

/// A voice packet of the peer.
pub(crate) struct Inbound {
    pub(crate) at: Instant,
    pub(crate) sequence: u16,
    pub(crate) timestamp: u32,
    pub(crate) payload: Bytes,
}

/// A voice packet of ours.
pub(crate) struct Outbound {
    pub(crate) payload: Bytes,
    /// Counts packets.
    pub(crate) sequence: u32,
    /// Counts frames of 20 ms of time, also those in which the microphone gave nothing.
    pub(crate) frame: u32,
    /// Something is missing before it.
    pub(crate) begins: bool,
}

/// What the voice thread has to tell.
pub(crate) enum VoiceNews {
    FirstAudio { after_ms: u64 },
    Device(Direction, DeviceState),
}

/// What the voice thread is told.
pub(crate) enum VoiceOrder {
    Microphone(Microphone),
    Speaker(Speaker),
    Processing(VoiceProcessing),
}

/// The ends of the queues the voice thread holds.
pub(crate) struct Queues {
    pub(crate) inbound: mpsc::Receiver<Inbound>,
    pub(crate) outbound: tokio::sync::mpsc::Sender<Outbound>,
    pub(crate) news: tokio::sync::mpsc::Sender<VoiceNews>,
    pub(crate) orders: mpsc::Receiver<VoiceOrder>,
}

pub(crate) struct Voice {
    source: Source,
    sink: Sink,
    processor: Processor,
    /// The first half of a frame.
    half: Option<[f32; BLOCK]>,
    encoder: Encoder,
    playout: Playout,
    queues: Queues,
    shared: Arc<Shared>,
    usage: Arc<Usage>,
    opened: Instant,
    numbering: Numbering,
    was_live: bool,
    /// Ticks that came more than a tick late.
    late_ticks: u32,
}

/// Numbers our packets. A microphone that lags must not make the peer believe in a slow network.
#[derive(Default)]
struct Numbering {
    since: Option<Instant>,
    sequence: u32,
    frame: u32,
    /// Nothing was sent for the time before the next packet.
    rested: bool,
}

impl Numbering {
    /// Numbers a frame; one without a payload takes time and no number.
    fn next(&mut self, now: Instant, payload: Option<Bytes>) -> Option<Outbound> {
        let since = *self.since.get_or_insert(now);
        let passed = now.saturating_duration_since(since).as_millis() / FRAME_TIME.as_millis();
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        let behind = passed > self.frame.saturating_add(LAG);
        if behind {
            self.frame = passed;
        }
        let frame = self.frame;
        self.frame = self.frame.wrapping_add(1);
        self.rested |= behind;
        let Some(payload) = payload else {
            self.rested = true;
            return None;
        };
        let begins = std::mem::take(&mut self.rested) || self.sequence == 0;
        let outbound = Outbound { payload, sequence: self.sequence, frame, begins };
        self.sequence = self.sequence.wrapping_add(1);
        Some(outbound)
    }
}

impl Voice {
    /// Runs until the call is closing. Opens and closes the devices itself.
    pub(crate) fn run(
        config: &AudioConfig,
        queues: Queues,
        shared: Arc<Shared>,
        usage: Arc<Usage>,
        opened: Instant,
        _hold: Hold,
    ) -> Result<(), opus::Error> {
        let mut voice = Self {
            source: Source::open(&config.microphone, &usage, opened),
            sink: Sink::open(&config.speaker, config.record.clone(), &usage, opened),
            processor: Processor::new(config.processing),
            half: None,
            encoder: Encoder::new()?,
            playout: Playout::new()?,
            queues,
            shared,
            usage,
            opened,
            numbering: Numbering::default(),
            was_live: false,
            late_ticks: 0,
        };
        let mut next = Instant::now();
        while !voice.shared.is_stopping() {
            let now = Instant::now();
            voice.tick(now);
            if now >= next {
                next += TICK;
                voice.late_ticks += u32::from(now.saturating_duration_since(next) > TICK);
                if now.saturating_duration_since(next) > OVERSLEPT {
                    next = now + TICK;
                }
            }
            // A device that gave or took something wakes us before that.
            std::thread::park_timeout(next.saturating_duration_since(Instant::now()));
        }
        voice.sum_up();
        Ok(())
    }

    /// Says in the log how it went, for whoever asks why a call was hard to understand.
    fn sum_up(&self) {
        let (sent, heard, late_ticks) = (self.numbering.sequence, self.playout.counters(), self.late_ticks);
        let ((cut_ms, added_ms), (delay_ms, jitter_ms)) =
            (self.playout.cut_and_added(), self.playout.target_and_jitter());
        let (dropped_ms, starved_ms) = (self.source.dropped_ms(), self.sink.starved_ms());
        tracing::info!(
            sent,
            ?heard,
            delay_ms,
            jitter_ms,
            cut_ms,
            added_ms,
            dropped_ms,
            starved_ms,
            late_ticks,
            "the voice of a call"
        );
    }

    fn tick(&mut self, now: Instant) {
        let live = self.shared.gate.is_open();
        self.take_orders(now);
        self.tell_news(now);
        self.speak(now, live);
        self.listen(live);
        if live {
            if !self.was_live {
                // Time in which nothing was to be played is not owed.
                self.sink.begin(now);
            }
            self.play(now);
        }
        self.was_live = live;
        self.publish();
    }

    fn take_orders(&mut self, now: Instant) {
        while let Ok(order) = self.queues.orders.try_recv() {
            match order {
                VoiceOrder::Microphone(microphone) => {
                    self.source = Source::open(&microphone, &self.usage, now);
                    self.processor.begin_again();
                }
                VoiceOrder::Speaker(speaker) => {
                    self.sink.change(&speaker, &self.usage, now);
                    self.processor.begin_again();
                }
                VoiceOrder::Processing(wanted) => self.processor.set(wanted),
            }
        }
    }

    fn tell_news(&mut self, now: Instant) {
        let input = self.source.news().map(|state| VoiceNews::Device(Direction::Input, state));
        let output = self.sink.news(now).map(|state| VoiceNews::Device(Direction::Output, state));
        for news in input.into_iter().chain(output) {
            let _ = self.queues.news.try_send(news);
        }
    }

    fn speak(&mut self, now: Instant, live: bool) {
        for _ in 0..BLOCKS_A_TICK {
            let Some(mut block) = self.source.block(now, live) else {
                return;
            };
            // A muted microphone is cleaned as well: the room is learned meanwhile.
            if self.source.is_device() {
                self.processor.heard(&mut block);
            }
            if self.shared.muted.load(Ordering::Relaxed) {
                block = [0.0; BLOCK];
            }
            self.shared.input.hear(&block);
            if live {
                self.send(now, block);
            }
        }
    }

    fn send(&mut self, now: Instant, block: [f32; BLOCK]) {
        let Some(first) = self.half.take() else {
            self.half = Some(block);
            return;
        };
        let mut frame = [0.0; FRAME];
        frame[..BLOCK].copy_from_slice(&first);
        frame[BLOCK..].copy_from_slice(&block);
        self.encoder.allow_rests(self.shared.rests.load(Ordering::Relaxed));
        let payload = match self.encoder.encode(&frame) {
            Some(Encoded::Packet(payload)) => Some(payload),
            Some(Encoded::Rest) | None => None,
        };
        if let Some(outbound) = self.numbering.next(now, payload) {
            let _ = self.queues.outbound.try_send(outbound);
        }
    }

    fn listen(&mut self, live: bool) {
        for _ in 0..INBOUND {
            let Ok(packet) = self.queues.inbound.try_recv() else {
                return;
            };
            if live {
                let at = self.ms(packet.at);
                self.playout.insert(at, packet.sequence, packet.timestamp, packet.payload);
            }
        }
    }

    fn play(&mut self, now: Instant) {
        for _ in 0..BLOCKS_A_TICK {
            if !self.sink.wants(now) {
                return;
            }
            let block = self.playout.pull(self.ms(now));
            self.shared.output.hear(&block.pcm);
            self.source.hear(&block.pcm);
            self.processor.played(&block.pcm);
            self.sink.write(&block.pcm);
            if block.spoken && self.shared.first_audio.load(Ordering::Relaxed) == 0 {
                let after_ms = u64::try_from(now.duration_since(self.opened).as_millis()).unwrap_or(u64::MAX - 1);
                self.shared.first_audio.store(after_ms + 1, Ordering::Relaxed);
                let _ = self.queues.news.try_send(VoiceNews::FirstAudio { after_ms });
            }
        }
    }

    fn publish(&self) {
        let counters = self.playout.counters();
        let (target, jitter) = self.playout.target_and_jitter();
        let shared = &self.shared;
        shared.received.store(counters.received, Ordering::Relaxed);
        shared.lost.store(counters.lost, Ordering::Relaxed);
        shared.late.store(counters.late, Ordering::Relaxed);
        shared.concealed.store(counters.concealed, Ordering::Relaxed);
        shared.refused.store(counters.refused, Ordering::Relaxed);
        shared.jitter_us.store((jitter * 1_000.0) as u32, Ordering::Relaxed);
        shared.delay_us.store((target * 1_000.0) as u32, Ordering::Relaxed);
    }

    fn ms(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.opened).as_secs_f64() * 1_000.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lagging_microphone_skips_time_but_no_number() {
        let begin = Instant::now();
        let mut numbering = Numbering::default();
        let mut number = |ms| {
            let out = numbering.next(begin + Duration::from_millis(ms), Some(Bytes::new())).unwrap();
            (out.sequence, out.frame, out.begins)
        };
        assert_eq!(number(0), (0, 0, true));
        assert_eq!(number(25), (1, 1, false));
        assert_eq!(number(200), (2, 2, false), "a burst may still come");
        assert_eq!(number(1_000), (3, 50, true));
        assert_eq!(number(1_010), (4, 51, false));
    }

    #[test]
    fn a_rest_takes_time_and_no_number() {
        let begin = Instant::now();
        let mut numbering = Numbering::default();
        let mut number = |ms, payload| {
            let out = numbering.next(begin + Duration::from_millis(ms), payload)?;
            Some((out.sequence, out.frame, out.begins))
        };
        assert_eq!(number(0, Some(Bytes::new())), Some((0, 0, true)));
        assert_eq!(number(20, None), None);
        assert_eq!(number(40, None), None);
        assert_eq!(number(60, Some(Bytes::new())), Some((1, 3, true)));
        assert_eq!(number(80, Some(Bytes::new())), Some((2, 4, false)));
    }
}
