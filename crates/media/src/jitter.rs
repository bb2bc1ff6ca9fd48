//! Puts packets back in order and decides, whenever sound is needed, what to play.
//!
//! Pure: time is an argument. The delay follows the 95th percentile of how late packets
//! come, between 10 and 200 ms. A hole is filled from the next packet's correction data or
//! concealed for up to 100 ms, then it is silence. A rest, in which the peer sends nothing
//! because nobody speaks there, is no hole.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::codec::{RESTING_BYTES, samples_of};
use crate::{BLOCK, FRAME};

/// The most packets that wait, and the most voice in them; more than a second means something is wrong.
const WAITING: usize = 128;
const WAITING_SAMPLES: usize = 64 * FRAME;
/// A jump of more packets than this is a new stream or an attack.
const JUMP: i64 = 500;
/// What is concealed in a row: 100 ms. More sounds like a robot.
const CONCEALED_RUN: usize = 5 * FRAME;
/// The same while nothing comes, in blocks.
const BRIDGED_RUN: u32 = (CONCEALED_RUN / BLOCK) as u32;
/// The least and the most we delay voice.
const DELAY_MS: std::ops::RangeInclusive<f64> = 10.0..=200.0;
/// Where the delay begins, before anything was measured.
const FIRST_DELAY_MS: f64 = 20.0;
/// A packet that comes this much sooner than the quickest so far: what was measured before tells nothing of this road.
const LEFT_OUT_MS: f64 = 100.0;
/// How many packets the delay is measured over: about two and a half seconds, or half of that in short ones.
const MEASURED: usize = 128;
/// Voice that waits this much too short looks twice whether a packet is lost: for two blocks.
const HASTE_MS: f64 = -10.0;
const HASTE_RUN: u32 = 2;
/// A hole longer than this is skipped instead of filled: half a second.
const LONG_HOLE: usize = 25 * FRAME;
/// Half of what is asked for at once.
const NEAREST_MS: f64 = 5.0;
/// How quickly the delay falls again, in each millisecond of voice.
const RELAX: f64 = 0.01;
/// What a frame that came too late adds to the delay, and what one adds that was only just missed.
const LATE_MS: f64 = 10.0;
const MISSED_MS: f64 = 3.0;

/// What to play now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pick {
    /// This packet, in its turn.
    Play(Bytes),
    /// The lost packet before this one, and how long that was.
    Recover { following: Bytes, samples: usize },
    /// A guess at a lost packet of this length.
    Conceal { samples: usize },
    /// A guess at the next block: nothing came yet.
    Bridge,
    /// Nobody speaks there: the noise of the place until something is said.
    Rest,
    /// Silence.
    Nothing,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    pub(crate) received: u64,
    pub(crate) lost: u64,
    pub(crate) late: u64,
    pub(crate) concealed: u64,
    pub(crate) refused: u64,
}

#[derive(Debug)]
struct Waiting {
    payload: Bytes,
    /// When its sound was made, on the sender's clock.
    media_ms: f64,
    /// How much sound it holds.
    samples: usize,
}

#[derive(Debug)]
pub(crate) struct JitterBuffer {
    waiting: BTreeMap<i64, Waiting>,
    stream: Option<Stream>,
    delay: Delay,
    playing: bool,
    /// The peer said that nobody speaks there for now.
    resting: bool,
    /// Something was played already, so what is older came too late.
    begun: bool,
    /// Blocks bridged because nothing was there; the next packet is still owed.
    stalled: u32,
    /// Samples that were missing in the present hole so far.
    in_hole: usize,
    /// How much the last packet held, and where its sound ended on the sender's clock.
    samples: usize,
    reached_ms: f64,
    counters: Counters,
}

/// Where we are in the sender's numbering.
#[derive(Debug)]
struct Stream {
    next: i64,
    highest: i64,
    timestamp: i64,
    /// The packet after which a jump is believed (RFC 3550, A.1).
    jump: Option<u16>,
}

impl JitterBuffer {
    pub(crate) fn new() -> Self {
        Self {
            waiting: BTreeMap::new(),
            stream: None,
            delay: Delay::new(),
            playing: false,
            resting: false,
            begun: false,
            stalled: 0,
            in_hole: 0,
            samples: FRAME,
            reached_ms: 0.0,
            counters: Counters::default(),
        }
    }

    pub(crate) fn counters(&self) -> Counters {
        self.counters
    }

    /// The delay we want and how unsteady packets come, in milliseconds.
    pub(crate) fn target_and_jitter(&self) -> (f64, f64) {
        (self.delay.target, self.delay.jitter)
    }

    /// How much longer (or, negative, shorter) voice waits than it should.
    pub(crate) fn surplus_ms(&self) -> f64 {
        self.delay.actual.map_or(0.0, |actual| actual - self.delay.target)
    }

    /// Whether the packet that comes next is here: then more sound can be had at once.
    pub(crate) fn has_next(&self) -> bool {
        let next = self.stream.as_ref().map(|stream| stream.next);
        self.playing && self.waiting.first_key_value().map(|(number, _)| *number) == next
    }

    /// The caller cut (negative) or added time, so what waits now waits less or more.
    pub(crate) fn adjusted(&mut self, by_ms: f64) {
        if let Some(actual) = &mut self.delay.actual {
            *actual += by_ms;
        }
    }

    /// Takes a packet in.
    pub(crate) fn insert(&mut self, now_ms: f64, sequence: u16, timestamp: u32, payload: Bytes) {
        if payload.is_empty() || payload.len() > crate::codec::PACKET_BYTES {
            self.counters.refused += 1;
            return;
        }
        let stream = self.stream.get_or_insert_with(|| Stream::begin(sequence, timestamp));
        let Some(number) = stream.number(sequence) else {
            self.counters.refused += 1;
            if stream.jumped(sequence) {
                self.begin_again();
            }
            return;
        };
        stream.highest = stream.highest.max(number);
        let media_ms = stream.media_ms(timestamp);
        let late = self.begun && number < stream.next;
        self.counters.received += 1;
        let samples = samples_of(&payload).unwrap_or(FRAME);
        self.delay.arrived(now_ms, media_ms, samples as f64 / 48.0);
        if late {
            self.counters.late += 1;
            self.delay.came_too_late();
            return;
        }
        self.waiting.entry(number).or_insert(Waiting { payload, media_ms, samples });
        self.shed();
    }

    /// Forgets the stream; the next packet begins a new one.
    fn begin_again(&mut self) {
        *self = Self { counters: self.counters, ..Self::new() };
    }

    fn shed(&mut self) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        let mut waiting: usize = self.waiting.values().map(|packet| packet.samples).sum();
        while self.waiting.len() > WAITING || waiting > WAITING_SAMPLES {
            waiting -= self.waiting.pop_first().map_or(waiting, |(_, packet)| packet.samples);
            self.counters.lost += 1;
            stream.next = self.waiting.first_key_value().map_or(stream.next, |(number, _)| *number);
        }
    }

    /// Decides what to play next: a packet, or a block.
    pub(crate) fn pick(&mut self, now_ms: f64) -> Pick {
        let Some(stream) = &mut self.stream else {
            return Pick::Nothing;
        };
        let pause = if self.resting { Pick::Rest } else { Pick::Nothing };
        let Some((&first, packet)) = self.waiting.first_key_value() else {
            return if self.playing { self.on_empty() } else { pause };
        };
        if !self.playing {
            // After a rest voice begins with the block that is nearest to its time, not only with one after that.
            let spared_ms = if self.begun { NEAREST_MS } else { 0.0 };
            if self.delay.of(now_ms, packet.media_ms) < self.delay.target - spared_ms {
                return pause;
            }
            // What is missing now belongs to the pause that was just heard.
            if self.begun {
                self.counters.lost += u64::try_from(first - stream.next).unwrap_or_default();
            }
            self.playing = true;
            self.resting = false;
            self.begun = true;
            stream.next = first;
            self.stalled = 0;
            self.in_hole = 0;
            self.reached_ms = packet.media_ms;
        }
        let hole = first - stream.next;
        if hole > 0 { self.in_hole(now_ms, hole) } else { self.play(now_ms) }
    }

    fn play(&mut self, now_ms: f64) -> Pick {
        let (Some(stream), Some((number, packet))) = (&mut self.stream, self.waiting.pop_first()) else {
            return Pick::Nothing;
        };
        stream.next = number + 1;
        if self.stalled > 0 {
            self.delay.was_missed();
        }
        self.stalled = 0;
        self.in_hole = 0;
        self.delay.played(now_ms, packet.media_ms);
        self.samples = packet.samples;
        self.reached_ms = packet.media_ms + packet.samples as f64 / 48.0;
        // After this one nothing comes until somebody speaks again.
        self.resting = packet.payload.len() <= RESTING_BYTES;
        self.playing = !self.resting;
        Pick::Play(packet.payload)
    }

    fn on_empty(&mut self) -> Pick {
        if self.stalled < BRIDGED_RUN {
            self.stalled += 1;
            self.counters.concealed += 1;
            return Pick::Bridge;
        }
        self.playing = false;
        Pick::Nothing
    }

    fn in_hole(&mut self, now_ms: f64, hole: i64) -> Pick {
        // What is missing may only be late: where voice waits too short anyhow, waiting here makes it longer.
        if self.surplus_ms() < HASTE_MS && self.stalled < HASTE_RUN {
            self.stalled += 1;
            self.counters.concealed += 1;
            return Pick::Bridge;
        }
        let (Some(stream), Some((&first, packet))) = (&mut self.stream, self.waiting.first_key_value()) else {
            return Pick::Nothing;
        };
        // Where the sender changed its length, the time that is missing tells which of the two it was.
        let each = (packet.media_ms - self.reached_ms) * 48.0 / hole as f64;
        let off = |samples: usize| (each - samples as f64).abs();
        let samples = if off(self.samples) <= off(packet.samples) { self.samples } else { packet.samples };
        // Time already filled while nothing was there belongs to this hole.
        let filled = self.stalled as usize * BLOCK / samples;
        let filled = i64::try_from(filled).unwrap_or(hole).min(hole);
        self.stalled = 0;
        self.counters.lost += u64::try_from(filled).unwrap_or_default();
        stream.next += filled;
        self.reached_ms += (filled as usize * samples) as f64 / 48.0;
        if hole > (LONG_HOLE / samples) as i64 {
            self.counters.lost += u64::try_from(first - stream.next).unwrap_or_default();
            stream.next = first;
        }
        let missing = first - stream.next;
        if missing <= 0 {
            return self.play(now_ms);
        }
        stream.next += 1;
        self.counters.lost += 1;
        self.in_hole += samples;
        self.reached_ms += samples as f64 / 48.0;
        if missing == 1 {
            return Pick::Recover { following: packet.payload.clone(), samples };
        }
        if self.in_hole <= CONCEALED_RUN {
            self.counters.concealed += 1;
            return Pick::Conceal { samples };
        }
        Pick::Nothing
    }
}

impl Stream {
    fn begin(sequence: u16, timestamp: u32) -> Self {
        let first = i64::from(sequence);
        Self { next: first, highest: first, timestamp: i64::from(timestamp), jump: None }
    }

    /// The packet's number without wrap-around, or nothing if it jumps.
    fn number(&mut self, sequence: u16) -> Option<i64> {
        let ahead = sequence.wrapping_sub(self.highest as u16) as i16;
        let number = self.highest + i64::from(ahead);
        ((number - self.highest).abs() <= JUMP).then(|| {
            self.jump = None;
            number
        })
    }

    /// Whether two packets in a row say that the sender begins elsewhere.
    fn jumped(&mut self, sequence: u16) -> bool {
        let believed = self.jump == Some(sequence);
        self.jump = Some(sequence.wrapping_add(1));
        believed
    }

    fn media_ms(&mut self, timestamp: u32) -> f64 {
        let ahead = timestamp.wrapping_sub(self.timestamp as u32) as i32;
        let timestamp = self.timestamp + i64::from(ahead);
        self.timestamp = self.timestamp.max(timestamp);
        timestamp as f64 / 48.0
    }
}

/// How late packets come, and how long voice should wait for them.
#[derive(Debug)]
struct Delay {
    /// Arrival minus media time of the last packets.
    transits: [f64; MEASURED],
    measured: usize,
    /// The quickest of them.
    quickest: f64,
    jitter: f64,
    target: f64,
    /// How long voice really waits, smoothed.
    actual: Option<f64>,
}

impl Delay {
    fn new() -> Self {
        Self {
            transits: [0.0; MEASURED],
            measured: 0,
            quickest: f64::INFINITY,
            jitter: 0.0,
            target: FIRST_DELAY_MS,
            actual: None,
        }
    }

    fn of(&self, now_ms: f64, media_ms: f64) -> f64 {
        now_ms - media_ms - self.quickest
    }

    fn arrived(&mut self, now_ms: f64, media_ms: f64, lasts_ms: f64) {
        // A queue that drains brings packets ever sooner, never one so much sooner than all before: the sender left out time.
        if now_ms - media_ms < self.quickest - LEFT_OUT_MS {
            self.measured = 0;
        }
        self.transits[self.measured % MEASURED] = now_ms - media_ms;
        self.measured += 1;
        let known = &self.transits[..self.measured.min(MEASURED)];
        let mut sorted = [f64::INFINITY; MEASURED];
        let sorted = &mut sorted[..known.len()];
        sorted.copy_from_slice(known);
        sorted.sort_unstable_by(f64::total_cmp);
        self.quickest = sorted[0];
        self.jitter = sorted[(sorted.len() - 1) * 95 / 100] - self.quickest;
        let wanted = (*DELAY_MS.start() + self.jitter).min(*DELAY_MS.end());
        // Up at once, down slowly: a delay that breathes is heard.
        let settled = self.measured >= MEASURED / 4;
        if wanted > self.target {
            self.target = wanted;
        } else if settled {
            self.target = (self.target - RELAX * lasts_ms).max(wanted);
        }
    }

    fn came_too_late(&mut self) {
        self.target = (self.target + LATE_MS).min(*DELAY_MS.end());
    }

    /// It would have been played if we had waited a little longer.
    fn was_missed(&mut self) {
        self.target = (self.target + MISSED_MS).min(*DELAY_MS.end());
    }

    fn played(&mut self, now_ms: f64, media_ms: f64) {
        let delay = self.of(now_ms, media_ms);
        let actual = self.actual.unwrap_or(delay);
        self.actual = Some(actual + (delay - actual) / 8.0);
    }
}

#[cfg(test)]
#[path = "jitter_tests.rs"]
mod tests;
