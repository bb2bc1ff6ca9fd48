//! Puts packets back in order and decides, whenever sound is needed, what to play.
//!
//! Pure: time is an argument. The delay follows the 95th percentile of how late packets
//! come, between 10 and 200 ms. A hole is filled from the next packet's correction data or
//! concealed for up to 100 ms, then it is silence. A rest, in which the peer sends nothing
//! because nobody speaks there, is no hole.

use std::collections::BTreeMap;

use bytes::Bytes;

use crate::codec::RESTING_BYTES;

/// The most packets that wait; more than a second of voice means something is wrong.
const WAITING: usize = 64;
/// A jump of more packets than this is a new stream or an attack.
const JUMP: i64 = 250;
/// Frames that are concealed in a row; more sounds like a robot.
const CONCEALED_RUN: u32 = 5;
/// The same while nothing comes, in pieces of half a frame.
const BRIDGED_RUN: u32 = 2 * CONCEALED_RUN;
/// The least and the most we delay voice.
const DELAY_MS: std::ops::RangeInclusive<f64> = 10.0..=200.0;
/// Where the delay begins, before anything was measured.
const FIRST_DELAY_MS: f64 = 20.0;
/// How many packets the delay is measured over: about two and a half seconds.
const MEASURED: usize = 128;
/// Voice that waits this much too short looks twice whether a packet is lost: for two half frames.
const HASTE_MS: f64 = -10.0;
const HASTE_RUN: u32 = 2;
/// A hole as long as this is skipped instead of filled.
const LONG_HOLE: i64 = 25;
/// How quickly the delay falls again, in milliseconds a packet.
const RELAX_MS: f64 = 0.2;
/// What a frame that came too late adds to the delay, and what one adds that was only just missed.
const LATE_MS: f64 = 10.0;
const MISSED_MS: f64 = 3.0;

/// What to play now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Pick {
    /// This packet, in its turn.
    Play(Bytes),
    /// The lost packet before this one.
    Recover(Bytes),
    /// A guess at a lost frame.
    Conceal,
    /// A guess at the next half frame: nothing came yet.
    Bridge,
    /// Nobody speaks there: half a frame of the noise of the place.
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
    /// Half frames bridged because nothing was there; the next packet is still owed.
    stalled: u32,
    /// Frames concealed in the present hole.
    in_hole: u32,
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
        self.delay.arrived(now_ms, media_ms);
        if late {
            self.counters.late += 1;
            self.delay.came_too_late();
            return;
        }
        self.waiting.entry(number).or_insert(Waiting { payload, media_ms });
        self.shed();
    }

    /// Forgets the stream; the next packet begins a new one.
    fn begin_again(&mut self) {
        self.waiting.clear();
        self.stream = None;
        self.delay = Delay::new();
        self.playing = false;
        self.resting = false;
        self.begun = false;
        self.stalled = 0;
        self.in_hole = 0;
    }

    fn shed(&mut self) {
        let Some(stream) = &mut self.stream else {
            return;
        };
        while self.waiting.len() > WAITING {
            self.waiting.pop_first();
            self.counters.lost += 1;
            stream.next = self.waiting.first_key_value().map_or(stream.next, |(number, _)| *number);
        }
    }

    /// Decides what to play next: a frame, or half of one.
    pub(crate) fn pick(&mut self, now_ms: f64) -> Pick {
        let Some(stream) = &mut self.stream else {
            return Pick::Nothing;
        };
        let pause = if self.resting { Pick::Rest } else { Pick::Nothing };
        let Some((&first, packet)) = self.waiting.first_key_value() else {
            return if self.playing { self.on_empty() } else { pause };
        };
        if !self.playing {
            if self.delay.of(now_ms, packet.media_ms) < self.delay.target {
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
        // Time already filled while nothing was there belongs to this hole.
        let filled = i64::from(self.stalled / 2).min(hole);
        self.stalled = 0;
        self.counters.lost += u64::try_from(filled).unwrap_or_default();
        stream.next += filled;
        if hole > LONG_HOLE {
            self.counters.lost += u64::try_from(first - stream.next).unwrap_or_default();
            stream.next = first;
        }
        let missing = first - stream.next;
        if missing <= 0 {
            return self.play(now_ms);
        }
        stream.next += 1;
        self.counters.lost += 1;
        self.in_hole += 1;
        if missing == 1 {
            return Pick::Recover(packet.payload.clone());
        }
        if self.in_hole <= CONCEALED_RUN {
            self.counters.concealed += 1;
            return Pick::Conceal;
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

    fn arrived(&mut self, now_ms: f64, media_ms: f64) {
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
            self.target = (self.target - RELAX_MS).max(wanted);
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
