//! What goes through the codec is the same picture; what a stranger sends is not a danger.

use proptest::prelude::*;

use super::*;
use crate::counter::Counter;
use crate::trial::{SHOWN_US, damaged, number_of};

/// Encodes numbers; gives the bytes of each frame.
fn encode(encoder: &mut Encoder, numbers: std::ops::Range<u32>) -> Vec<Encoded> {
    let (width, height) = encoder.size();
    let encoded = numbers
        .filter_map(|number| encoder.encode(&Counter::draw(width, height, number).unwrap(), SHOWN_US, false).unwrap());
    encoded.collect()
}

#[test]
fn numbers_go_through_the_codec() {
    let mut encoder = Encoder::of(Content::Camera, (320, 180), 400_000, 1).unwrap();
    let mut decoder = Decoder::new().unwrap();
    let frames = encode(&mut encoder, 0..60);
    assert!(frames.len() > 40, "few were left out: {}", frames.len());
    assert!(frames[0].key && frames.iter().filter(|frame| frame.key).count() < 4);
    let seen: Vec<_> = frames.iter().map(|frame| number_of(&decoder.decode(&frame.data).unwrap().unwrap())).collect();
    assert!(seen.iter().all(Option::is_some) && seen.is_sorted(), "{seen:?}");
    assert_eq!(seen.last(), Some(&Some(59)));
}

#[test]
fn a_key_frame_comes_when_it_is_asked_for() {
    let mut encoder = Encoder::of(Content::Camera, (320, 180), 400_000, 1).unwrap();
    encode(&mut encoder, 0..10);
    let picture = Counter::draw(320, 180, 10).unwrap();
    let asked = encoder.encode(&picture, SHOWN_US, true).unwrap().unwrap();
    assert!(asked.key);
    assert_eq!(header(&asked.data), Ok(Header::Key { width: 320, height: 180 }));
    let alone = Decoder::new().unwrap().decode(&asked.data).unwrap().unwrap();
    assert_eq!(number_of(&alone), Some(10));
}

#[test]
fn the_rate_follows_while_it_runs() {
    let mut encoder = Encoder::of(Content::Camera, (640, 360), 1_200_000, 1).unwrap();
    let bytes = |frames: &[Encoded]| frames.iter().map(|frame| frame.data.len()).sum::<usize>();
    encode(&mut encoder, 0..60);
    let much = bytes(&encode(&mut encoder, 60..150));
    encoder.set_rate(150_000).unwrap();
    encode(&mut encoder, 150..180);
    let little = bytes(&encode(&mut encoder, 180..270));
    assert!(little * 2 < much, "{much} bytes, then {little}");
    assert!(little * 8 / 3 < 150_000 * 13 / 10, "three seconds at 150 kbit/s have {little} bytes");
}

#[test]
fn a_decoder_that_missed_a_frame_waits_for_a_key_frame() {
    let mut encoder = Encoder::of(Content::Camera, (320, 180), 400_000, 1).unwrap();
    let frames = encode(&mut encoder, 0..4);
    let mut decoder = Decoder::new().unwrap();
    assert_eq!(decoder.decode(&frames[1].data), Err(CodecError::NeedsKey));
    decoder.decode(&frames[0].data).unwrap();
    decoder.miss();
    assert_eq!(decoder.decode(&frames[2].data), Err(CodecError::NeedsKey));
    assert!(decoder.decode(&frames[0].data).unwrap().is_some());
}

#[test]
fn a_picture_of_another_size_follows_its_key_frame() {
    let mut decoder = Decoder::new().unwrap();
    for (width, height) in [(640, 360), (320, 180), (960, 540)] {
        let mut encoder = Encoder::of(Content::Camera, (width, height), 800_000, 1).unwrap();
        let picture = decoder.decode(&encode(&mut encoder, 3..4)[0].data).unwrap().unwrap();
        assert_eq!((picture.width(), picture.height()), (width, height));
        assert_eq!(number_of(&picture), Some(3));
    }
}

#[test]
fn a_frame_of_a_monstrous_size_never_reaches_the_library() {
    let key = |width: u16, height: u16| {
        let mut frame = vec![0x10, 0, 0, 0x9d, 0x01, 0x2a];
        frame.extend(width.to_le_bytes());
        frame.extend(height.to_le_bytes());
        frame.extend([0; 64]);
        frame
    };
    let mut decoder = Decoder::new().unwrap();
    for (width, height) in [(16_383, 16_383), (1_922, 16), (1_920, 1_090), (0, 0), (0, 16), (33, 16)] {
        assert_eq!(decoder.decode(&key(width, height)), Err(CodecError::Refused), "{width} x {height}");
    }
    assert_eq!(decoder.decode(&[]), Err(CodecError::Refused));
    assert_eq!(decoder.decode(&[0x10, 0, 0, 1, 2, 3, 4, 5, 6, 7]), Err(CodecError::Refused));
    assert_eq!(decoder.decode(&vec![0; MOST_BYTES + 1]), Err(CodecError::Refused));
    assert!(
        Encoder::of(Content::Camera, (16_384, 2), 1_000, 1).is_err()
            && Encoder::of(Content::Camera, (0, 0), 1_000, 1).is_err()
    );
}

/// Lines of letters: dark dots of a font of 6 x 13 pixels, drawn by a rule.
fn page(width: u32, height: u32) -> Picture {
    let mut picture = Picture::black(width, height).unwrap();
    for (y, row) in picture.luma_mut().chunks_exact_mut(width as usize).enumerate() {
        for (x, pixel) in row.iter_mut().enumerate() {
            let letter = (x / 6 * 31 + y / 13 * 17) as u32;
            let dot = letter.wrapping_mul(2_654_435_761) >> ((x % 6 + y % 13 * 2) % 29) & 1;
            *pixel = if x % 6 < 5 && y % 13 < 9 && dot == 1 { 30 } else { 230 };
        }
    }
    picture
}

#[test]
fn letters_on_a_screen_stay_sharp_where_a_camera_picture_would_blur() {
    let page = page(1_280, 720);
    let wrong = |content| {
        let mut encoder = Encoder::of(content, (1_280, 720), 600_000, 1).unwrap();
        let mut decoder = Decoder::new().unwrap();
        // Two seconds at five pictures in a second.
        let shown = (0..10).filter_map(|_| encoder.encode(&page, 200_000, false).unwrap());
        let shown = shown.filter_map(|frame| decoder.decode(&frame.data).unwrap()).last().unwrap();
        let dots = page.planes()[0].iter().zip(shown.planes()[0]);
        dots.filter(|(was, is)| (**was > 128) != (**is > 128)).count()
    };
    let (screen, camera) = (wrong(Content::Screen), wrong(Content::Camera));
    assert!(screen * 1_000 < 1_280 * 720, "{screen} dots are wrong, {camera} for a camera");
    assert!(screen <= camera, "{screen} dots are wrong, {camera} for a camera");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn any_bytes_are_refused_without_harm(frame in proptest::collection::vec(any::<u8>(), 0..400)) {
        let _ = Decoder::new().unwrap().decode(&frame);
    }

    #[test]
    fn a_damaged_frame_does_no_harm_and_a_key_frame_heals(
        damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let mut encoder = Encoder::of(Content::Camera, (160, 90), 200_000, 1).unwrap();
        let frames = encode(&mut encoder, 0..3);
        let mut decoder = Decoder::new().unwrap();
        for frame in &frames {
    let _ = decoder.decode(&damaged(frame, &damage, cut));
        }
        let healed = decoder.decode(&frames[0].data).unwrap().unwrap();
        prop_assert_eq!(number_of(&healed), Some(0));
    }
}
