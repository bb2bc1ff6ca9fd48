//! The packets of a peer, in any order and with any numbers. The file is read by itself: all of the
//! media engine would bring its codecs along.
#![no_main]
#![allow(dead_code, reason = "only a part of the buffer is used here")]

use arbitrary::Arbitrary;
use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

#[path = "../../../crates/media/src/jitter.rs"]
mod jitter;

mod codec {
    pub const PACKET_BYTES: usize = 1500;
}

use jitter::{JitterBuffer, Pick};

#[derive(Debug, Arbitrary)]
enum Step {
    /// A packet with its numbers.
    Packet {
        sequence: u16,
        timestamp: u32,
        length: u16,
    },
    /// The next few packets of a proper stream.
    Stream {
        count: u8,
    },
    Wait {
        ms: u8,
    },
    Pick,
    Adjust {
        by: i8,
    },
}

fuzz_target!(|steps: Vec<Step>| {
    let mut buffer = JitterBuffer::new();
    let (mut now, mut number) = (0.0, 65_500u16);
    let mut played = 0u64;
    for step in steps {
        match step {
            Step::Packet { sequence, timestamp, length } => {
                buffer.insert(now, sequence, timestamp, Bytes::from(vec![1; usize::from(length % 2048)]));
            }
            Step::Stream { count } => {
                for _ in 0..count % 16 {
                    number = number.wrapping_add(1);
                    buffer.insert(now, number, u32::from(number).wrapping_mul(960), Bytes::from_static(b"voice"));
                }
            }
            Step::Wait { ms } => now += f64::from(ms),
            Step::Pick => {
                now += 20.0;
                played += u64::from(matches!(buffer.pick(now), Pick::Play(_)));
            }
            Step::Adjust { by } => buffer.adjusted(f64::from(by)),
        }
        let (target, jitter) = buffer.target_and_jitter();
        assert!((20.0..=200.0).contains(&target) && jitter.is_finite() && jitter >= 0.0);
        assert!(buffer.surplus_ms().is_finite());
        assert!(played <= buffer.counters().received);
    }
});
