//! Frames of H.264, honest and hostile.

use proptest::prelude::*;

use super::*;

/// Writes bits, as `Bits` reads them.
#[derive(Default)]
struct Pen(Vec<bool>);

impl Pen {
    fn bits(mut self, value: u32, count: u32) -> Self {
        self.0.extend((0..count).rev().map(|bit| value >> bit & 1 == 1));
        self
    }

    fn golomb(self, value: u32) -> Self {
        let length = (value + 1).ilog2();
        self.bits(0, length).bits(value + 1, length + 1)
    }

    fn unit(mut self, head: u8) -> Vec<u8> {
        self.0.push(true);
        let bytes = self
            .0
            .chunks(8)
            .map(|eight| (0..8).fold(0, |byte, bit| byte << 1 | u8::from(*eight.get(bit).unwrap_or(&false))));
        let mut unit = vec![head];
        for byte in bytes {
            if unit.ends_with(&[0, 0]) && byte <= 3 {
                unit.push(3);
            }
            unit.push(byte);
        }
        unit
    }
}

/// What a sequence parameter set says.
#[derive(Clone, Copy)]
struct Set {
    profile: u32,
    constraints: u32,
    columns: u32,
    rows: u32,
    frames_only: u32,
    cut: Option<[u32; 4]>,
}

const HD: Set = Set { profile: 66, constraints: 0xc0, columns: 80, rows: 45, frames_only: 1, cut: None };

impl Set {
    fn unit(self) -> Vec<u8> {
        let pen = Pen::default().bits(self.profile, 8).bits(self.constraints, 8).bits(31, 8);
        let pen = pen.golomb(0).golomb(0).golomb(2).golomb(1).bits(0, 1);
        let pen = pen.golomb(self.columns - 1).golomb(self.rows - 1).bits(self.frames_only, 1).bits(1, 1);
        let pen = match self.cut {
            None => pen.bits(0, 1),
            Some(cut) => cut.iter().fold(pen.bits(1, 1), |pen, side| pen.golomb(*side)),
        };
        pen.bits(0, 1).unit(0x67)
    }
}

fn picture_set(groups: u32) -> Vec<u8> {
    Pen::default().golomb(0).golomb(0).bits(0, 2).golomb(groups).golomb(0).unit(0x68)
}

fn frame(units: &[&[u8]]) -> Vec<u8> {
    units.iter().flat_map(|unit| START.iter().chain(*unit)).copied().collect()
}

const IDR: &[u8] = &[0x65, 0x88, 1, 2, 3];
const DELTA: &[u8] = &[0x41, 0x9a, 1, 2, 3];

#[test]
fn a_key_frame_tells_its_size_and_what_is_not_needed_is_left_out() {
    let (set, pictures) = (HD.unit(), picture_set(0));
    let whole = frame(&[&[9, 0x10], &set, &pictures, &[6, 5, 1, 0x80], IDR, &[12, 0xff]]);
    let judged = judge(&whole).unwrap();
    assert_eq!((judged.key, judged.size), (true, Some((1_280, 720))));
    assert_eq!(judged.data, frame(&[&set, &pictures, IDR]));
    // Start codes of three bytes are the same.
    let short: Vec<u8> = [[0, 0, 1].as_slice(), DELTA].concat();
    assert_eq!(judge(&short).unwrap(), Judged { key: false, size: None, data: frame(&[DELTA]) });
}

#[test]
fn a_size_is_that_of_what_is_shown() {
    let size = |set: Set| size_of(&set.unit()[1..]);
    assert_eq!(size(Set { columns: 120, rows: 68, cut: Some([0, 0, 0, 4]), ..HD }), Ok((1_920, 1_080)));
    assert_eq!(size(Set { columns: 40, rows: 23, cut: Some([0, 0, 0, 4]), ..HD }), Ok((640, 360)));
    assert_eq!(size(Set { columns: 1, rows: 1, cut: Some([4, 4, 0, 0]), ..HD }), Err(NalError::Parameters));
    for (columns, rows) in [(121, 1), (1, 121), (120, 69)] {
        assert_eq!(size(Set { columns, rows, ..HD }), Err(NalError::Parameters), "{columns} x {rows}");
    }
}

#[test]
fn only_what_was_agreed_on_passes() {
    let refused = |set: Set| judge(&frame(&[&set.unit(), IDR]));
    for (profile, constraints, fine) in [
        (66, 0, true),
        (66, 0xe0, true),
        (77, 0x80, true),
        (77, 0, false),
        (88, 0xc0, true),
        (88, 0x80, false),
        (100, 0xff, false),
    ] {
        assert_eq!(refused(Set { profile, constraints, ..HD }).is_ok(), fine, "{profile} {constraints:x}");
    }
    assert_eq!(refused(Set { frames_only: 0, ..HD }), Err(NalError::Parameters));
    let groups = frame(&[&HD.unit(), &picture_set(1), IDR]);
    assert_eq!(judge(&groups), Err(NalError::Parameters));
    // Layers, data partitions, a unit marked as damaged.
    for head in [2, 3, 4, 13, 14, 15, 19, 20, 21, 24, 28, 0, 0x80 | 1] {
        assert_eq!(judge(&frame(&[&[head, 0x80, 0x80]])), Err(NalError::Kind), "{head}");
    }
    assert_eq!(judge(&frame(&[&HD.unit(), DELTA])), Err(NalError::Parameters), "parameters change at key frames");
    let two = frame(&[&HD.unit(), &Set { rows: 40, ..HD }.unit(), IDR]);
    assert_eq!(judge(&two), Err(NalError::Parameters), "a frame has one size");
    assert_eq!(judge(&frame(&[DELTA; MOST_UNITS + 1])), Err(NalError::TooMany));
    for nothing in [&[][..], &[0, 0, 1], &[1, 2, 3], &HD.unit()] {
        assert!(judge(nothing).is_err(), "{nothing:?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = judge(&bytes);
        let _ = judge(&frame(&[&bytes]));
        let _ = (size_of(&bytes), check_picture(&bytes));
    }

    #[test]
    fn what_passed_is_judged_the_same_again(bytes in proptest::collection::vec(0u8..10, 0..80), set in any::<bool>()) {
        let unit = HD.unit();
        let whole = if set { frame(&[&unit, IDR, &bytes]) } else { frame(&[DELTA, &bytes]) };
        if let Ok(judged) = judge(&whole) {
            prop_assert_eq!(judge(&judged.data).unwrap(), judged);
        }
    }
}
