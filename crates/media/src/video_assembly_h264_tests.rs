//! Frames of H.264 in packets: cut as browsers cut them, in any order, with losses, and too many.

use video::{Codec, Counter, Decoder, Encoder, Openh264};

use super::*;
use crate::codecs::payloader;

/// Payload of a packet.
const MTU: usize = 200;

type Packet = (u16, u32, bool, Bytes);

/// So many frames of numbers in packets, the first and each that is named a key frame; each frame has its own timestamp.
fn packets(frames: u32, keys: &[u32]) -> Vec<Vec<Packet>> {
    let codec = Codec::H264(Openh264::find(&[]).unwrap());
    let mut encoder = Encoder::new(&codec, video::Content::Camera, (320, 180), 600_000, 1).unwrap();
    let (mut payloader, mut sequence) = (payloader(CodecKind::H264), 65_530u16);
    let mut cut = |number: u32| {
        let picture = Counter::draw(320, 180, number).unwrap();
        let frame = encoder.encode(&picture, 33_333, keys.contains(&number)).unwrap()?;
        let payloads = payloader.payload(MTU, &frame.data).unwrap();
        let last = payloads.len() - 1;
        let packet = |(idx, payload): (usize, Bytes)| {
            sequence = sequence.wrapping_add(1);
            (sequence, number, idx == last, payload)
        };
        Some(payloads.into_iter().enumerate().map(packet).collect())
    };
    (0..frames).filter_map(&mut cut).collect()
}

fn push<'a>(assembly: &mut Assembly, now_ms: u64, packets: impl IntoIterator<Item = &'a Packet>) {
    for (sequence, timestamp, ends, payload) in packets {
        assert!(payload.len() <= MTU);
        assembly.push(now_ms, *sequence, *timestamp, *ends, payload);
    }
}

fn frames(assembly: &mut Assembly, now_ms: u64) -> Vec<Option<(u32, Bytes)>> {
    let each = std::iter::from_fn(|| assembly.pop(now_ms));
    each.map(|assembled| match assembled {
        Assembled::Frame { timestamp, data } => Some((timestamp, data)),
        Assembled::Missed => None,
    })
    .collect()
}

#[test]
fn frames_that_were_cut_are_the_same_again_in_whatever_order_they_come() {
    let sent = packets(4, &[]);
    assert!(sent[0].len() > 3, "a key frame has several packets");
    let mut assembly = Assembly::of(CodecKind::H264);
    push(&mut assembly, 0, &sent[0]);
    // The rest comes backwards, and twice.
    push(&mut assembly, 5, sent[1..].iter().flatten().rev());
    push(&mut assembly, 5, sent[1..].iter().flatten());
    let mut decoder = Decoder::new(&Codec::H264(Openh264::find(&[]).unwrap())).unwrap();
    let seen = frames(&mut assembly, 5).into_iter().map(|frame| {
        let (timestamp, data) = frame.expect("nothing is missing");
        let picture = decoder.decode(&data).unwrap().unwrap();
        (timestamp, video::read_counter(|x, y| picture.brightness(x, y)))
    });
    let expected: Vec<_> = sent.iter().map(|frame| (frame[0].1, Some(frame[0].1))).collect();
    assert_eq!(seen.collect::<Vec<_>>(), expected);
}

#[test]
fn a_packet_that_never_comes_costs_everything_up_to_the_next_key_frame() {
    let sent = packets(6, &[4]);
    let mut assembly = Assembly::of(CodecKind::H264);
    // Of each kind: a part in the middle of a key frame, its parameters, its last part.
    for lost in [1, 0, sent[0].len() - 1] {
        assembly = Assembly::of(CodecKind::H264);
        push(&mut assembly, 0, sent[0].iter().enumerate().filter(|(idx, _)| *idx != lost).map(|(_, packet)| packet));
        push(&mut assembly, 10, sent[1..].iter().flatten());
        frames(&mut assembly, 10);
        let rest: Vec<_> = frames(&mut assembly, 10 + PATIENCE_MS).into_iter().collect();
        let told: Vec<_> = rest.iter().map(|frame| frame.as_ref().map(|(timestamp, _)| *timestamp)).collect();
        if lost == 0 {
            // Without a beginning nobody waits: what follows was given, and the decoder waits for its key frame.
            continue;
        }
        assert_eq!(told, [None, Some(4), Some(5)], "without packet {lost}");
    }
    push(&mut assembly, 1_000, &sent[2]);
    assert_eq!(frames(&mut assembly, 1_000), [], "too late is refused");
}

#[test]
fn a_frame_without_its_beginning_is_not_given() {
    let sent = packets(2, &[]);
    let mut assembly = Assembly::of(CodecKind::H264);
    push(&mut assembly, 0, &sent[0][2..]);
    push(&mut assembly, 0, &sent[1]);
    let told = frames(&mut assembly, 0);
    assert!(told[..told.len() - 1].iter().all(Option::is_none), "{told:?}");
    assert_eq!(told.last().unwrap().as_ref().map(|(timestamp, _)| *timestamp), Some(1));
}

#[test]
fn a_flood_of_parts_of_one_unit_is_bounded() {
    let mut assembly = Assembly::of(CodecKind::H264);
    let part = |starts: u8| Bytes::from([[0x7c, starts | 5].as_slice(), &[0x88; 1_200]].concat());
    assembly.push(0, 1, 7, false, &part(0x80));
    for sequence in 2..20_000u16 {
        assembly.push(u64::from(sequence), sequence, 7, false, &part(0));
        assert!(assembly.parts.len() <= PACKETS);
        for assembled in std::iter::from_fn(|| assembly.pop(u64::from(sequence))) {
            assert_eq!(assembled, Assembled::Missed);
        }
    }
    for wrong in [&[][..], &[0x78, 0], &[0x78, 0, 9, 1], &[0x7c, 0xc5, 1], &[0x1f]] {
        assert!(!assembly.push(0, 1, 7, false, &Bytes::copy_from_slice(wrong)), "{wrong:x?}");
    }
}
