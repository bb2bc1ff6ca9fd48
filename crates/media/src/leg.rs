//! One other side of the voice thread: what it is sent, what comes from it, and how both are counted.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc;
use std::time::Instant;

use bytes::Bytes;

use crate::playout::{Block, Playout};
use crate::stats::Shared;
use crate::{BLOCK, BLOCK_TIME};

/// Packets that may wait for the voice thread: more than two seconds of short ones.
pub(crate) const INBOUND: usize = 256;
/// Blocks our voice may lag behind the clock before its timestamps jump: 200 ms.
const LAG: u32 = 20;

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
    /// Counts blocks of 10 ms of time, also those in which the microphone gave nothing.
    pub(crate) block: u32,
    /// Something is missing before it.
    pub(crate) begins: bool,
}

/// What the voice thread has to tell.
#[derive(Clone)]
pub(crate) enum VoiceNews {
    FirstAudio { after_ms: u64 },
    Device(crate::device::Direction, crate::device::DeviceState),
}

/// The ends of the queues of one leg that the voice thread holds.
pub(crate) struct Queues {
    pub(crate) inbound: mpsc::Receiver<Inbound>,
    pub(crate) outbound: tokio::sync::mpsc::Sender<Outbound>,
    pub(crate) news: tokio::sync::mpsc::Sender<VoiceNews>,
}

/// One other side.
pub(crate) struct Leg {
    pub(crate) shared: Arc<Shared>,
    queues: Queues,
    playout: Playout,
    numbering: Numbering,
    opened: Instant,
}

/// Numbers our packets. A microphone that lags must not make the peer believe in a slow network.
#[derive(Default)]
struct Numbering {
    since: Option<Instant>,
    sequence: u32,
    block: u32,
    /// Nothing was sent for the time before the next packet.
    rested: bool,
}

impl Numbering {
    /// Numbers a frame of so many blocks; one without a payload takes time and no number.
    fn next(&mut self, now: Instant, payload: Option<Bytes>, blocks: u32) -> Option<Outbound> {
        let since = *self.since.get_or_insert(now);
        let passed = now.saturating_duration_since(since).as_millis() / BLOCK_TIME.as_millis();
        let passed = u32::try_from(passed).unwrap_or(u32::MAX);
        let behind = passed > self.block.saturating_add(LAG);
        if behind {
            self.block = passed;
        }
        let block = self.block;
        self.block = self.block.wrapping_add(blocks);
        self.rested |= behind;
        let Some(payload) = payload else {
            self.rested = true;
            return None;
        };
        let begins = std::mem::take(&mut self.rested) || self.sequence == 0;
        let outbound = Outbound { payload, sequence: self.sequence, block, begins };
        self.sequence = self.sequence.wrapping_add(1);
        Some(outbound)
    }
}

impl Leg {
    pub(crate) fn new(queues: Queues, shared: Arc<Shared>, opened: Instant) -> Result<Self, opus::Error> {
        Ok(Self { shared, queues, playout: Playout::new()?, numbering: Numbering::default(), opened })
    }

    /// Whether voice may flow: the other side is who the sealed description says.
    pub(crate) fn is_live(&self) -> bool {
        self.shared.gate.is_open() && !self.shared.is_stopping()
    }

    /// Whether the other side hears silence of us.
    pub(crate) fn is_silent(&self) -> bool {
        self.shared.muted.load(Ordering::Relaxed) || self.is_held()
    }

    fn is_held(&self) -> bool {
        self.shared.held.load(Ordering::Relaxed)
    }

    /// Whether short packets reach the other side well, and are allowed there.
    pub(crate) fn likes_short(&self) -> bool {
        self.shared.allows_short.load(Ordering::Relaxed) && self.shared.short.load(Ordering::Relaxed)
    }

    pub(crate) fn tell(&self, news: VoiceNews) {
        let _ = self.queues.news.try_send(news);
    }

    /// Hands a frame of ours of so many blocks to the network; none if nothing is said.
    pub(crate) fn send(&mut self, now: Instant, payload: Option<Bytes>, blocks: u32) {
        if let Some(outbound) = self.numbering.next(now, payload, blocks) {
            let _ = self.queues.outbound.try_send(outbound);
        }
    }

    /// Takes what came in; behind a gate that is not open it is dropped.
    pub(crate) fn listen(&mut self) {
        for _ in 0..INBOUND {
            let Ok(packet) = self.queues.inbound.try_recv() else {
                return;
            };
            if self.is_live() {
                let at = self.ms(packet.at);
                self.playout.insert(at, packet.sequence, packet.timestamp, packet.payload);
            }
        }
    }

    /// The next block of the other side. On hold time passes, and nothing is heard.
    pub(crate) fn pull(&mut self, now: Instant) -> Option<[f32; BLOCK]> {
        let Block { pcm, spoken } = self.playout.pull(self.ms(now));
        if spoken && self.shared.first_audio.load(Ordering::Relaxed) == 0 {
            let after_ms = u64::try_from(now.duration_since(self.opened).as_millis()).unwrap_or(u64::MAX - 1);
            self.shared.first_audio.store(after_ms + 1, Ordering::Relaxed);
            self.tell(VoiceNews::FirstAudio { after_ms });
        }
        let heard = (!self.is_held()).then_some(pcm);
        self.shared.output.hear(&heard.unwrap_or([0.0; BLOCK]));
        heard
    }

    pub(crate) fn publish(&self) {
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

    /// Says in the log how it went, for whoever asks why a call was hard to understand.
    pub(crate) fn sum_up(&self) {
        let (sent, heard) = (self.numbering.sequence, self.playout.counters());
        let ((cut_ms, added_ms), (delay_ms, jitter_ms)) =
            (self.playout.cut_and_added(), self.playout.target_and_jitter());
        let waits_ms = delay_ms + self.playout.surplus_ms();
        tracing::info!(sent, ?heard, delay_ms, jitter_ms, waits_ms, cut_ms, added_ms, "the voice of a call");
    }

    fn ms(&self, at: Instant) -> f64 {
        at.saturating_duration_since(self.opened).as_secs_f64() * 1_000.0
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_lagging_microphone_skips_time_but_no_number() {
        let begin = Instant::now();
        let mut numbering = Numbering::default();
        let mut number = |ms| {
            let out = numbering.next(begin + Duration::from_millis(ms), Some(Bytes::new()), 2).unwrap();
            (out.sequence, out.block, out.begins)
        };
        assert_eq!(number(0), (0, 0, true));
        assert_eq!(number(25), (1, 2, false));
        assert_eq!(number(200), (2, 4, false), "a burst may still come");
        assert_eq!(number(1_000), (3, 100, true));
        assert_eq!(number(1_010), (4, 102, false));
    }

    #[test]
    fn time_goes_on_by_what_each_packet_holds_when_their_length_changes() {
        let begin = Instant::now();
        let mut numbering = Numbering::default();
        let mut number = |ms, blocks| {
            let out = numbering.next(begin + Duration::from_millis(ms), Some(Bytes::new()), blocks).unwrap();
            (out.sequence, out.block, out.begins)
        };
        assert_eq!(number(0, 2), (0, 0, true));
        assert_eq!(number(10, 1), (1, 2, false));
        assert_eq!(number(20, 1), (2, 3, false));
        assert_eq!(number(40, 2), (3, 4, false));
        assert_eq!(number(60, 2), (4, 6, false), "nothing is missing in between");
    }

    #[test]
    fn a_rest_takes_time_and_no_number() {
        let begin = Instant::now();
        let mut numbering = Numbering::default();
        let mut number = |ms, payload| {
            let out = numbering.next(begin + Duration::from_millis(ms), payload, 2)?;
            Some((out.sequence, out.block, out.begins))
        };
        assert_eq!(number(0, Some(Bytes::new())), Some((0, 0, true)));
        assert_eq!(number(20, None), None);
        assert_eq!(number(40, None), None);
        assert_eq!(number(60, Some(Bytes::new())), Some((1, 6, true)));
        assert_eq!(number(80, Some(Bytes::new())), Some((2, 8, false)));
    }
}
