//! Puts the packets of the peer's picture in order again and joins them to frames; says what is missing.
//!
//! A frame is given as soon as it is whole and its turn has come. A hole waits for its repeat (NACK) for a while; then
//! everything up to the next frame that needs no other is given up.

use std::collections::BTreeMap;

use bytes::{Bytes, BytesMut};
use rtc::rtp::codec::vp8::Vp8Packet;
use rtc::rtp::packetizer::Depacketizer;
use video::{CodecKind, Vp8Header};

use crate::video_h264;

/// The most packets that are held: two large key frames.
const PACKETS: usize = 1_024;
/// A sequence number further ahead than this is another stream or a lie.
const AHEAD: u64 = 4_096;
/// How long a hole waits.
const PATIENCE_MS: u64 = 250;

/// What became of packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Assembled {
    /// A whole frame, in its turn.
    Frame { data: Bytes, timestamp: u32 },
    /// Something is lost for good: only a key frame helps.
    Missed,
}

struct Part {
    timestamp: u32,
    /// The last of its frame.
    ends: bool,
    /// The first of its frame.
    begins: bool,
    /// …which needs no other.
    key: bool,
    data: Bytes,
}

/// The packets that wait.
pub(crate) struct Assembly {
    codec: CodecKind,
    parts: BTreeMap<u64, Part>,
    /// The next sequence number that is wanted, counted beyond its 16 bits.
    next: Option<u64>,
    /// Since when a hole is waited for.
    hole_since: Option<u64>,
}

impl Assembly {
    pub(crate) fn of(codec: CodecKind) -> Self {
        Self { codec, parts: BTreeMap::new(), next: None, hole_since: None }
    }

    /// Takes a packet in; says whether it is of use.
    pub(crate) fn push(&mut self, now_ms: u64, sequence: u16, timestamp: u32, ends: bool, payload: &Bytes) -> bool {
        let Some((begins, key, data)) = read(self.codec, payload) else { return false };
        let Some(place) = self.place(sequence) else { return false };
        self.parts.insert(place, Part { timestamp, ends, begins, key, data });
        if self.parts.len() > PACKETS {
            self.parts.pop_first();
        }
        if self.hole_since.is_none() && self.has_hole() {
            self.hole_since = Some(now_ms);
        }
        true
    }

    /// Gives what is ready; to be asked until there is nothing.
    pub(crate) fn pop(&mut self, now_ms: u64) -> Option<Assembled> {
        if let Some(frame) = self.whole_frame() {
            self.hole_since = self.has_hole().then_some(now_ms);
            return Some(frame);
        }
        if !self.has_hole() {
            self.hole_since = None;
            return None;
        }
        let since = *self.hole_since.get_or_insert(now_ms);
        if now_ms.saturating_sub(since) < PATIENCE_MS && self.parts.len() < PACKETS {
            return None;
        }
        self.give_up();
        self.hole_since = None;
        Some(Assembled::Missed)
    }

    /// Unrolls a sequence number; none if it is too late or too far ahead.
    fn place(&mut self, sequence: u16) -> Option<u64> {
        // A stream begins high enough that a packet just before its first still has a place.
        let next = *self.next.get_or_insert(u64::from(sequence) + (1 << 16));
        let step = sequence.wrapping_sub(next as u16) as i16;
        let place = next.checked_add_signed(i64::from(step))?;
        (place >= next && place - next <= AHEAD).then_some(place)
    }

    fn has_hole(&self) -> bool {
        self.parts.keys().zip(self.next.into_iter().flat_map(|next| next..)).any(|(have, want)| *have != want)
    }

    /// The frame whose turn it is, if all its parts are there.
    fn whole_frame(&mut self) -> Option<Assembled> {
        let next = self.next?;
        let first = self.parts.get(&next)?;
        if !first.begins {
            // The middle of a frame that began before we came.
            self.parts.remove(&next);
            self.next = Some(next + 1);
            return Some(Assembled::Missed);
        }
        let timestamp = first.timestamp;
        let mut end = next;
        loop {
            let part = self.parts.get(&end)?;
            if part.timestamp != timestamp {
                self.drop_until(end);
                return Some(Assembled::Missed);
            }
            if part.ends {
                break;
            }
            end += 1;
        }
        let mut data = BytesMut::new();
        for place in next..=end {
            data.extend_from_slice(&self.parts.remove(&place)?.data);
        }
        self.next = Some(end + 1);
        Some(Assembled::Frame { data: data.freeze(), timestamp })
    }

    /// Goes on at the first key frame that is there, or after everything that is there.
    fn give_up(&mut self) {
        let next = self.next.unwrap_or_default();
        let key = self.parts.iter().find(|(place, part)| **place > next && part.key).map(|(place, _)| *place);
        let after_all = self.parts.last_key_value().map_or(next, |(place, _)| place + 1);
        self.drop_until(key.unwrap_or(after_all));
    }

    fn drop_until(&mut self, place: u64) {
        self.parts = self.parts.split_off(&place);
        self.next = Some(place);
    }
}

/// Whether a frame begins with a packet, whether that frame needs no other, and what it has of it.
fn read(codec: CodecKind, payload: &Bytes) -> Option<(bool, bool, Bytes)> {
    match codec {
        CodecKind::Vp8 => {
            let mut head = Vp8Packet::default();
            let data = head.depacketize(payload).ok()?;
            let begins = head.s == 1 && head.pid == 0;
            Some((begins, begins && matches!(video::vp8_header(&data), Ok(Vp8Header::Key { .. })), data))
        }
        // The engine's own reader of H.264 does not bear packets that end too soon.
        CodecKind::H264 => {
            let piece = video_h264::piece(payload).ok()?;
            Some((piece.begins, piece.key, piece.data))
        }
    }
}

#[cfg(test)]
#[path = "video_assembly_h264_tests.rs"]
mod h264_tests;

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame in packets: with a payload descriptor, and the head of a key frame of 16 x 16 or of a delta frame.
    fn frame(first: u16, timestamp: u32, packets: u16, key: bool) -> Vec<(u16, u32, bool, Bytes)> {
        let part = |idx: u16| {
            let mut payload = vec![if idx == 0 { 0x10 } else { 0 }];
            match (idx, key) {
                (0, true) => payload.extend([0x10, 0, 0, 0x9d, 0x01, 0x2a, 16, 0, 16, 0]),
                (0, false) => payload.extend([0x11, 0, 0, 0]),
                _ => payload.extend([idx as u8; 4]),
            }
            (first.wrapping_add(idx), timestamp, idx + 1 == packets, Bytes::from(payload))
        };
        (0..packets).map(part).collect()
    }

    fn push(assembly: &mut Assembly, now_ms: u64, parts: impl IntoIterator<Item = (u16, u32, bool, Bytes)>) {
        for (sequence, timestamp, ends, payload) in parts {
            assembly.push(now_ms, sequence, timestamp, ends, &payload);
        }
    }

    fn all(assembly: &mut Assembly, now_ms: u64) -> Vec<Option<u32>> {
        let each = std::iter::from_fn(|| assembly.pop(now_ms));
        each.map(|assembled| match assembled {
            Assembled::Frame { timestamp, .. } => Some(timestamp),
            Assembled::Missed => None,
        })
        .collect()
    }

    #[test]
    fn a_frame_is_given_at_once_when_it_is_whole() {
        let mut assembly = Assembly::of(CodecKind::Vp8);
        push(&mut assembly, 0, frame(65_534, 1, 4, true));
        match assembly.pop(0) {
            Some(Assembled::Frame { data, timestamp: 1 }) => assert_eq!(data.len(), 10 + 3 * 4),
            other => panic!("{other:?}"),
        }
        push(&mut assembly, 33, frame(2, 2, 1, false));
        assert_eq!(all(&mut assembly, 33), [Some(2)]);
    }

    #[test]
    fn packets_that_changed_places_and_came_twice_are_put_in_order() {
        let mut assembly = Assembly::of(CodecKind::Vp8);
        push(&mut assembly, 0, frame(1, 1, 2, true));
        let mut mixed = frame(3, 2, 4, false);
        mixed.reverse();
        mixed.extend(frame(3, 2, 4, false));
        push(&mut assembly, 10, mixed);
        assert_eq!(all(&mut assembly, 10), [Some(1), Some(2)]);
    }

    #[test]
    fn a_hole_that_is_filled_in_time_costs_nothing() {
        let mut assembly = Assembly::of(CodecKind::Vp8);
        push(&mut assembly, 0, frame(1, 1, 1, true));
        let late = frame(2, 2, 3, false);
        push(&mut assembly, 33, [late[0].clone(), late[2].clone()]);
        push(&mut assembly, 66, frame(5, 3, 1, false));
        assert_eq!(all(&mut assembly, 66), [Some(1)]);
        push(&mut assembly, 200, [late[1].clone()]);
        assert_eq!(all(&mut assembly, 200), [Some(2), Some(3)]);
    }

    #[test]
    fn a_hole_that_stays_is_given_up_and_a_key_frame_goes_on() {
        let mut assembly = Assembly::of(CodecKind::Vp8);
        push(&mut assembly, 0, frame(1, 1, 1, true));
        push(&mut assembly, 33, frame(3, 3, 1, false));
        assert_eq!(all(&mut assembly, 33), [Some(1)]);
        push(&mut assembly, 200, frame(4, 4, 2, true));
        assert_eq!(all(&mut assembly, 280), []);
        assert_eq!(all(&mut assembly, 290), [None, Some(4)]);
        let (sequence, timestamp, ends, payload) = frame(2, 2, 1, false).remove(0);
        assert!(!assembly.push(300, sequence, timestamp, ends, &payload), "too late is refused");
        assert_eq!(all(&mut assembly, 300), []);
    }

    #[test]
    fn a_frame_without_an_end_does_not_swallow_the_next() {
        let mut assembly = Assembly::of(CodecKind::Vp8);
        let mut endless = frame(1, 1, 2, true);
        endless[1].2 = false;
        push(&mut assembly, 0, endless);
        push(&mut assembly, 0, frame(3, 2, 1, true));
        assert_eq!(all(&mut assembly, 0), [None, Some(2)]);
    }

    #[test]
    fn a_flood_without_sense_is_bounded() {
        let mut assembly = Assembly::of(CodecKind::Vp8);
        for idx in 0..60_000u32 {
            let sequence = (idx.wrapping_mul(7_919) & 0xffff) as u16;
            assembly.push(u64::from(idx / 100), sequence, idx, idx % 3 == 0, &Bytes::from_static(&[0x10, 1, 2, 3, 4]));
            assert!(assembly.parts.len() <= PACKETS);
            while assembly.pop(u64::from(idx / 100)).is_some() {}
        }
        assert!(!assembly.push(0, 0, 0, true, &Bytes::new()));
        assert!(!assembly.push(0, 0, 0, true, &Bytes::from_static(&[0xff; 3])));
    }
}
