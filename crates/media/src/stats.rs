//! What a call's media can say about themselves.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};

use serde::Serialize;

use crate::gate::Gate;
use crate::level::Meter;

/// Figures of one call, for a curious person and for tests.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CallStats {
    /// Voice packets sent.
    pub sent: u64,
    /// Voice packets received.
    pub received: u64,
    /// Packets that never came.
    pub lost: u64,
    /// Packets that came after their time.
    pub late: u64,
    /// Times that sound was guessed, for 10 or 20 ms.
    pub concealed: u64,
    /// Packets that were refused: too large, before their time, or too many.
    pub refused: u64,
    /// How unsteady packets come.
    pub jitter_ms: f32,
    /// How long voice is held back to even that out.
    pub delay_ms: f32,
    /// Round trip on the path, once known.
    pub round_trip_ms: Option<f32>,
    /// Bytes that came on the path, once known.
    pub bytes_in: Option<u64>,
    /// Bytes that left on it, once known.
    pub bytes_out: Option<u64>,
    /// The path goes through a relay, once known.
    pub relayed: Option<bool>,
    /// How loud we were last, from 0 to 1.
    pub input_level: f32,
    /// How loud the peer was last, from 0 to 1.
    pub output_level: f32,
    /// Our microphone is muted.
    pub muted: bool,
    /// The call is on hold: neither side is heard.
    pub held: bool,
    /// The certificate was verified.
    pub secured: bool,
    /// Milliseconds from opening to the first sound, once it came.
    pub first_audio_ms: Option<u64>,
}

impl CallStats {
    /// The part of the peer's packets that never came or came too late, in percent.
    pub fn loss_percent(&self) -> f32 {
        let missing = self.lost + self.late;
        let sent = self.received + self.lost;
        if sent == 0 { 0.0 } else { missing as f32 * 100.0 / sent as f32 }
    }
}

/// What the threads and tasks of one call share.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) gate: Gate,
    pub(crate) muted: AtomicBool,
    /// On hold: neither side is heard.
    pub(crate) held: AtomicBool,
    /// The peer wishes that we send nothing while nobody speaks.
    pub(crate) rests: AtomicBool,
    /// The peer allows packets of 10 ms.
    pub(crate) allows_short: AtomicBool,
    /// The road is good enough for them.
    pub(crate) short: AtomicBool,
    pub(crate) stopping: AtomicBool,
    /// A track of the peer is being read.
    pub(crate) reading: AtomicBool,
    pub(crate) input: Meter,
    pub(crate) output: Meter,
    /// What the meters said last, as bits of a float.
    pub(crate) input_level: AtomicU32,
    pub(crate) output_level: AtomicU32,
    pub(crate) sent: AtomicU64,
    /// Packets of the peer that came, of use or not.
    pub(crate) arrived: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) lost: AtomicU64,
    pub(crate) late: AtomicU64,
    pub(crate) concealed: AtomicU64,
    /// Refused by the jitter buffer.
    pub(crate) refused: AtomicU64,
    /// Refused before they came that far.
    pub(crate) turned_away: AtomicU64,
    pub(crate) jitter_us: AtomicU32,
    pub(crate) delay_us: AtomicU32,
    /// Zero while it is not known.
    pub(crate) round_trip_us: AtomicU32,
    /// Zero while it is not known.
    pub(crate) bytes_in: AtomicU64,
    pub(crate) bytes_out: AtomicU64,
    /// Zero while it is not known, one for a direct path, two for a relayed one.
    pub(crate) relayed: AtomicU32,
    /// Zero while there was none; else the time plus one.
    pub(crate) first_audio: AtomicU64,
}

impl Shared {
    pub(crate) fn stats(&self) -> CallStats {
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let ms = |counter: &AtomicU32| counter.load(Ordering::Relaxed) as f32 / 1_000.0;
        CallStats {
            sent: count(&self.sent),
            received: count(&self.received),
            lost: count(&self.lost),
            late: count(&self.late),
            concealed: count(&self.concealed),
            refused: count(&self.refused) + count(&self.turned_away),
            jitter_ms: ms(&self.jitter_us),
            delay_ms: ms(&self.delay_us),
            round_trip_ms: Some(ms(&self.round_trip_us)).filter(|ms| *ms > 0.0),
            bytes_in: Some(count(&self.bytes_in)).filter(|bytes| *bytes > 0),
            bytes_out: Some(count(&self.bytes_out)).filter(|bytes| *bytes > 0),
            relayed: self.relayed.load(Ordering::Relaxed).checked_sub(1).map(|relayed| relayed > 0),
            input_level: f32::from_bits(self.input_level.load(Ordering::Relaxed)),
            output_level: f32::from_bits(self.output_level.load(Ordering::Relaxed)),
            muted: self.muted.load(Ordering::Relaxed),
            held: self.held.load(Ordering::Relaxed),
            secured: self.gate.is_open(),
            first_audio_ms: count(&self.first_audio).checked_sub(1),
        }
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::Acquire)
    }
}
