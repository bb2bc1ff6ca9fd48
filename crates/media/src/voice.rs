//! The voice thread: hears, cleans, encodes, decodes and plays, every 10 ms and whenever a device has moved.
//!
//! There is one for all calls of a person that are open: one microphone, cleaned once and encoded once for all who
//! hear it; one speaker, which plays the mix of all who are heard; and what the speaker plays is what is taken out of
//! the microphone. It never waits for the network or a device. Everything from and to the async side goes
//! through bounded queues; what does not fit is dropped, because old voice is of no use.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::codec::{Encoded, Encoder};
use crate::config::{Microphone, Speaker, VoiceProcessing};
use crate::device::Direction;
use crate::leg::{Leg, VoiceNews};
use crate::length::Length;
use crate::mix::Mixer;
use crate::processing::Processor;
use crate::sink::Sink;
use crate::source::Source;
use crate::usage::{Hold, Usage};
use crate::{AudioConfig, BLOCK, FRAME};

const TICK: Duration = Duration::from_millis(10);
/// Blocks handled in one tick before the others get their turn.
const BLOCKS_A_TICK: usize = 16;
/// A tick that comes later than this is not made up for.
const OVERSLEPT: Duration = Duration::from_millis(200);

/// What the voice thread is told.
pub(crate) enum VoiceOrder {
    /// Somebody more is spoken with.
    Sit(Box<Leg>),
    Microphone(Microphone),
    Speaker(Speaker),
    Processing(VoiceProcessing),
    /// Nobody is spoken with any more.
    Close,
}

pub(crate) struct Voice {
    /// What the devices were opened with.
    used: Used,
    source: Source,
    sink: Sink,
    processor: Processor,
    frame: Frame,
    encoder: Encoder,
    /// Says silence to those who are not to hear us.
    quiet: Encoder,
    mixer: Mixer,
    legs: Vec<Leg>,
    orders: mpsc::Receiver<VoiceOrder>,
    usage: Arc<Usage>,
    was_live: bool,
    /// Ticks that came more than a tick late.
    late_ticks: u32,
}

struct Used {
    microphone: Microphone,
    speaker: Speaker,
}

impl Voice {
    /// Runs until it is told to close. Opens and closes the devices itself.
    pub(crate) fn run(
        config: &AudioConfig,
        orders: mpsc::Receiver<VoiceOrder>,
        usage: Arc<Usage>,
        _hold: Hold,
    ) -> Result<(), opus::Error> {
        let opened = Instant::now();
        let mut voice = Self {
            used: Used { microphone: config.microphone.clone(), speaker: config.speaker.clone() },
            source: Source::open(&config.microphone, &usage, opened),
            sink: Sink::open(&config.speaker, config.record.clone(), &usage, opened),
            processor: Processor::new(config.processing),
            frame: Frame::default(),
            encoder: Encoder::new()?,
            quiet: Encoder::new()?,
            mixer: Mixer::default(),
            legs: Vec::new(),
            orders,
            usage,
            was_live: false,
            late_ticks: 0,
        };
        let mut next = Instant::now();
        while voice.tick(Instant::now()) {
            let now = Instant::now();
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

    /// Says in the log how the devices kept up.
    fn sum_up(&self) {
        self.legs.iter().for_each(Leg::sum_up);
        let (dropped_ms, starved_ms, late_ticks) = (self.source.dropped_ms(), self.sink.starved_ms(), self.late_ticks);
        tracing::info!(dropped_ms, starved_ms, late_ticks, "the devices of a call");
    }

    /// Does what is due; says whether there is more to come.
    fn tick(&mut self, now: Instant) -> bool {
        if !self.take_orders(now) {
            return false;
        }
        self.let_go();
        let live = self.legs.iter().any(Leg::is_live);
        self.tell_news(now);
        self.speak(now, live);
        self.legs.iter_mut().for_each(Leg::listen);
        if live {
            if !self.was_live {
                // Time in which nothing was to be played is not owed.
                self.sink.begin(now);
            }
            self.play(now);
        }
        self.was_live = live;
        self.legs.iter().for_each(Leg::publish);
        true
    }

    fn take_orders(&mut self, now: Instant) -> bool {
        while let Ok(order) = self.orders.try_recv() {
            match order {
                VoiceOrder::Sit(leg) => self.legs.push(*leg),
                VoiceOrder::Microphone(microphone) if microphone != self.used.microphone => {
                    self.source = Source::open(&microphone, &self.usage, now);
                    self.used.microphone = microphone;
                    self.processor.begin_again();
                }
                VoiceOrder::Speaker(speaker) if speaker != self.used.speaker => {
                    self.sink.change(&speaker, &self.usage, now);
                    self.used.speaker = speaker;
                    self.processor.begin_again();
                }
                // The same as before: each call that is open asks for it.
                VoiceOrder::Microphone(_) | VoiceOrder::Speaker(_) => {}
                VoiceOrder::Processing(wanted) => self.processor.set(wanted),
                VoiceOrder::Close => return false,
            }
        }
        true
    }

    /// Lets go of those who are not spoken with any more.
    fn let_go(&mut self) {
        self.legs.retain(|leg| {
            let stays = !leg.shared.is_stopping();
            if !stays {
                leg.sum_up();
            }
            stays
        });
    }

    fn tell_news(&mut self, now: Instant) {
        let input = self.source.news().map(|state| VoiceNews::Device(Direction::Input, state));
        let output = self.sink.news(now).map(|state| VoiceNews::Device(Direction::Output, state));
        for news in input.into_iter().chain(output) {
            self.legs.iter().for_each(|leg| leg.tell(news.clone()));
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
            for leg in &self.legs {
                leg.shared.input.hear(if leg.is_silent() { &[0.0; BLOCK] } else { &block });
            }
            if live {
                self.send(now, block);
            }
        }
    }

    fn send(&mut self, now: Instant, block: [f32; BLOCK]) {
        let Some(frame) = self.frame.take(&block, length(&self.legs)) else { return };
        let said = encoded(&mut self.encoder, &self.legs, false, frame);
        let silence = encoded(&mut self.quiet, &self.legs, true, &[0.0; FRAME][..frame.len()]);
        let blocks = (frame.len() / BLOCK) as u32;
        for leg in self.legs.iter_mut().filter(|leg| leg.is_live()) {
            let payload = if leg.is_silent() { &silence } else { &said };
            leg.send(now, payload.clone(), blocks);
        }
    }

    fn play(&mut self, now: Instant) {
        for _ in 0..BLOCKS_A_TICK {
            if !self.sink.wants(now) {
                return;
            }
            for leg in self.legs.iter_mut().filter(|leg| leg.is_live()) {
                if let Some(voice) = leg.pull(now) {
                    self.mixer.add(&voice);
                }
            }
            let block = self.mixer.take();
            self.source.hear(&block);
            self.processor.played(&block);
            self.sink.write(&block);
        }
    }
}

/// How long the packets are that all who are spoken with get: short ones only if all of them do well with those.
fn length(legs: &[Leg]) -> Length {
    let mut live = legs.iter().filter(|leg| leg.is_live()).peekable();
    if live.peek().is_some() && live.all(Leg::likes_short) { Length::Short } else { Length::Long }
}

/// Gathers blocks into frames of the length that is wanted when each begins.
#[derive(Debug)]
struct Frame {
    sound: [f32; FRAME],
    filled: usize,
    wanted: usize,
}

impl Default for Frame {
    fn default() -> Self {
        Self { sound: [0.0; FRAME], filled: 0, wanted: FRAME }
    }
}

impl Frame {
    /// Adds a block; gives the frame that it completes.
    fn take(&mut self, block: &[f32; BLOCK], length: Length) -> Option<&[f32]> {
        if self.filled == 0 {
            self.wanted = match length {
                Length::Short => BLOCK,
                Length::Long => FRAME,
            };
        }
        self.sound[self.filled..self.filled + BLOCK].copy_from_slice(block);
        self.filled += BLOCK;
        if self.filled < self.wanted {
            return None;
        }
        self.filled = 0;
        Some(&self.sound[..self.wanted])
    }
}

/// A frame encoded once for all who hear the same; nothing if nobody does, or nobody speaks.
fn encoded(encoder: &mut Encoder, legs: &[Leg], silent: bool, frame: &[f32]) -> Option<Bytes> {
    let mut hearing = legs.iter().filter(|leg| leg.is_live() && leg.is_silent() == silent).peekable();
    hearing.peek()?;
    // Who does not wish for rests takes them from all: a packet is the same for everybody.
    encoder.allow_rests(hearing.all(|leg| leg.shared.rests.load(Ordering::Relaxed)));
    match encoder.encode(frame) {
        Some(Encoded::Packet(payload)) => Some(payload),
        Some(Encoded::Rest) | None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_that_has_begun_is_completed_and_nothing_is_lost_when_the_length_changes() {
        use Length::{Long, Short};
        let mut frame = Frame::default();
        let mut heard = Vec::new();
        let mut lengths = Vec::new();
        for (number, length) in [Long, Short, Short, Short, Long, Long, Long, Short].into_iter().enumerate() {
            if let Some(sound) = frame.take(&[number as f32; BLOCK], length) {
                lengths.push(sound.len());
                heard.extend(sound.iter().step_by(BLOCK).map(|sample| *sample as usize));
            }
        }
        assert_eq!(lengths, [FRAME, BLOCK, BLOCK, FRAME, FRAME]);
        assert_eq!(heard, [0, 1, 2, 3, 4, 5, 6, 7]);
    }
}
