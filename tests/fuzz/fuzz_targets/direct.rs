//! What a device hears on a direct connection, as the one that asks for pieces and as the one that gives them, and the
//! description that it is made of. The files are read by themselves: all of the media engine would bring its codecs along.
#![no_main]
#![allow(dead_code, reason = "only a part of each file is used here")]

use std::collections::VecDeque;
use std::io::Cursor;

use bytes::BytesMut;
use call::{MediaKind, SDP_BYTES, SDP_CANDIDATES, SDP_FINGERPRINTS, Sdp};
use libfuzzer_sys::fuzz_target;
use rtc_sdp::SessionDescription;

#[path = "../../../crates/media/src/direct/error.rs"]
mod error;
#[path = "../../../crates/media/src/direct/frame.rs"]
mod frame;
#[path = "../../../crates/media/src/direct/pieces.rs"]
mod pieces;

use frame::{ASKED, Frame, PART_BYTES, PIECE_BYTES, parts};
use pieces::Pieces;

/// The pieces that are asked for, again and again: short ones, so that an input can hold many.
const LENGTHS: [usize; 5] = [40, 1, 7, 90, 3];

// A byte says who reads the rest: the engine a description, the one that asks, or the one that gives. Messages of a
// channel have their length before them, in two bytes.
fuzz_target!(|data: &[u8]| {
    match data.split_first() {
        Some((0, rest)) => describe(rest),
        Some((1, rest)) => ask(messages(rest)),
        Some((_, rest)) => give(messages(rest)),
        None => {}
    }
});

fn messages(mut rest: &[u8]) -> impl Iterator<Item = &[u8]> {
    std::iter::from_fn(move || {
        let (length, after) = rest.split_first_chunk::<2>()?;
        let (message, after) = after.split_at(usize::from(u16::from_be_bytes(*length)).min(after.len()));
        rest = after;
        Some(message)
    })
}

fn read(message: &[u8]) -> Option<Frame> {
    let frame = Frame::read(BytesMut::from(message)).ok()?;
    assert_eq!(frame.write(), message, "what was read is written the same again");
    Some(frame)
}

/// Whoever asks gets the pieces in their order, each as it came and exactly as long as it must be, or leaves.
fn ask<'a>(messages: impl Iterator<Item = &'a [u8]>) {
    let (mut asked, mut number) = (Pieces::default(), 0u32);
    let (mut expected, mut came) = (VecDeque::new(), Vec::new());
    for message in messages {
        while asked.has_room() {
            let length = LENGTHS[number as usize % LENGTHS.len()];
            asked.ask(number, length).expect("there is room");
            expected.push_back((number, length));
            number += 1;
        }
        assert_eq!(expected.len(), ASKED);
        let Some(frame) = read(message) else { return };
        if let Frame::Part { bytes, .. } = &frame {
            came.extend_from_slice(bytes);
        }
        match asked.take(frame) {
            Ok(None) => assert!(came.len() < expected[0].1),
            Ok(Some((piece, bytes))) => {
                assert_eq!(expected.pop_front(), Some((piece, came.len())));
                assert_eq!(bytes, std::mem::take(&mut came));
            }
            Err(_) => return,
        }
    }
}

/// Whoever gives says no frame that whoever asks would not take.
fn give<'a>(messages: impl Iterator<Item = &'a [u8]>) {
    for message in messages {
        let Some(Frame::Ask { piece }) = read(message) else { return };
        let length = 1 + piece as usize % PIECE_BYTES;
        let sealed = vec![piece as u8; length];
        let mut asked = Pieces::default();
        asked.ask(piece, length).expect("one of a length that may be");
        let mut whole = None;
        for part in parts(piece, sealed.clone()) {
            assert!(whole.is_none(), "nothing comes after the last part");
            let part = read(&part.write()).expect("a part is a frame");
            assert!(matches!(&part, Frame::Part { bytes, .. } if bytes.len() <= PART_BYTES));
            whole = asked.take(part).expect("a part that was asked for");
        }
        assert_eq!(whole, Some((piece, sealed)));
    }
}

fn describe(data: &[u8]) {
    let Some(text) = fuzz::text(data) else { return };
    let Ok(sdp) = Sdp::parse_data(text) else { return };
    assert!(Sdp::parse(text).is_err(), "a call takes no data");
    assert!(text.len() <= SDP_BYTES && sdp.kinds() == [MediaKind::Data]);
    assert!((1..=SDP_FINGERPRINTS).contains(&sdp.fingerprints().len()) && sdp.candidates().len() <= SDP_CANDIDATES);
    assert!(!sdp.text().lines().any(|line| line.starts_with("a=candidate:") || line.starts_with("a=crypto:")));
    let again = Sdp::parse_data(sdp.text()).expect("what was passed on is still good");
    assert_eq!(again.text(), sdp.text());
    assert_eq!((again.fingerprints(), again.ice_ufrag()), (sdp.fingerprints(), sdp.ice_ufrag()));
    assert_eq!(again.setup(), sdp.setup());
    let _ = SessionDescription::unmarshal(&mut Cursor::new(sdp.text().as_bytes()));
}
