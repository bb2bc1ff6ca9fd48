//! What goes through the codec is the same picture; a file that is none of Cisco's is not loaded; what a stranger sends is not a danger.

use super::*;

#[test]
fn a_file_that_is_none_of_ciscos_is_not_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let places = [folder.path().to_owned()];
    assert_eq!(Openh264::find_file(&places).unwrap_err(), NoH264::Nowhere);
    std::fs::write(folder.path().join("readme"), "").unwrap();
    assert_eq!(Openh264::find_file(&places).unwrap_err(), NoH264::Nowhere);
    let name = folder.path().join("libopenh264-2.6.0-linux64.8.so");
    std::fs::write(&name, "\x7fELF but of somebody else").unwrap();
    assert_eq!(Openh264::find_file(&places).unwrap_err(), NoH264::Unknown);
    assert_eq!(Openh264::find_file(&[name]).unwrap_err(), NoH264::Unknown);
    let huge = folder.path().join("openh264-huge.so");
    std::fs::File::create(&huge).unwrap().set_len(FILE_BYTES + 1).unwrap();
    assert_eq!(Openh264::find_file(&[huge]).unwrap_err(), NoH264::Unknown);
    assert_eq!(Openh264::find_file(&[]).unwrap_err(), NoH264::Nowhere);
}

#[cfg(feature = "h264-source")]
mod running {
    use proptest::prelude::*;

    use super::*;
    use crate::counter::Counter;
    use crate::trial::{SHOWN_US, damaged, number_of};

    fn encoder(size: (u32, u32), bits_per_second: u32) -> Encoder {
        Encoder::of(&Openh264::find(&[]).unwrap(), Content::Camera, size, bits_per_second).unwrap()
    }

    fn decoder() -> Decoder {
        Decoder::of(&Openh264::find(&[]).unwrap()).unwrap()
    }

    fn draw((width, height): (u32, u32), number: u32) -> Picture {
        Counter::draw(width, height, number).unwrap()
    }

    /// Encodes numbers; gives each frame.
    fn encode(encoder: &mut Encoder, numbers: std::ops::Range<u32>) -> Vec<Encoded> {
        let size = encoder.size();
        numbers.filter_map(|number| encoder.encode(&draw(size, number), SHOWN_US, false).unwrap()).collect()
    }

    /// How far a picture is from another, in decibels.
    fn closeness(one: &Picture, other: &Picture) -> f64 {
        let pairs = one.planes().concat().into_iter().zip(other.planes().concat());
        let squares: Vec<f64> = pairs.map(|(a, b)| f64::from(a.abs_diff(b)).powi(2)).collect();
        let mean = squares.iter().sum::<f64>() / squares.len() as f64;
        10.0 * (255.0 * 255.0 / mean.max(1e-9)).log10()
    }

    #[test]
    fn numbers_go_through_the_codec() {
        let mut encoder = encoder((320, 180), 400_000);
        let mut decoder = decoder();
        let frames = encode(&mut encoder, 0..60);
        assert!(frames.len() > 40, "few were left out: {}", frames.len());
        assert!(frames[0].key && frames.iter().filter(|frame| frame.key).count() < 4);
        let seen: Vec<_> =
            frames.iter().map(|frame| number_of(&decoder.decode(&frame.data).unwrap().unwrap())).collect();
        assert!(seen.iter().all(Option::is_some) && seen.is_sorted(), "{seen:?}");
    }

    #[test]
    fn what_comes_out_is_close_to_what_went_in() {
        let (mut encoder, mut decoder) = (encoder((640, 360), 1_500_000), decoder());
        let mut worst = f64::MAX;
        for number in 0..30 {
            let picture = draw((640, 360), number);
            let Some(frame) = encoder.encode(&picture, SHOWN_US, false).unwrap() else { continue };
            let shown = decoder.decode(&frame.data).unwrap().unwrap();
            worst = worst.min(closeness(&picture, &shown));
        }
        assert!(worst > 26.0, "{worst} dB");
    }

    #[test]
    fn a_key_frame_comes_when_it_is_asked_for_and_stands_alone() {
        let mut encoder = encoder((320, 180), 400_000);
        encode(&mut encoder, 0..10);
        let asked = encoder.encode(&draw((320, 180), 10), SHOWN_US, true).unwrap().unwrap();
        assert!(asked.key);
        let judged = nal::judge(&asked.data).unwrap();
        assert_eq!((judged.key, judged.size), (true, Some((320, 180))));
        let alone = decoder().decode(&asked.data).unwrap().unwrap();
        assert_eq!(number_of(&alone), Some(10));
    }

    #[test]
    fn the_rate_follows_while_it_runs() {
        let size = (320, 180);
        let mut encoder = encoder(size, 1_200_000);
        let sent = |encoder: &mut Encoder, numbers: std::ops::Range<u32>| {
            let each = numbers.filter_map(|number| encoder.encode(&noise(size, number), SHOWN_US, false).unwrap());
            each.map(|frame| frame.data.len()).sum::<usize>()
        };
        sent(&mut encoder, 0..90);
        let much = sent(&mut encoder, 90..180);
        encoder.set_rate(300_000).unwrap();
        sent(&mut encoder, 180..270);
        let little = sent(&mut encoder, 270..360);
        encoder.set_rate(1_200_000).unwrap();
        sent(&mut encoder, 360..450);
        let again = sent(&mut encoder, 450..540);
        // Three seconds each.
        for (bytes, rate) in [(much, 1_200_000), (little, 300_000), (again, 1_200_000)] {
            assert!((rate * 6 / 10..rate * 13 / 10).contains(&(bytes * 8 / 3)), "{much}, {little} and {again} bytes");
        }
    }

    #[test]
    fn the_rate_grows_beyond_what_it_began_with_and_no_key_frame_comes_of_it() {
        let size = (320, 180);
        let mut encoder = encoder(size, 300_000);
        let mut keys = 0;
        let mut bytes = 0;
        // Step by step, as an estimate does; then three seconds at the highest.
        for number in 0..300 {
            encoder.set_rate(300_000 + 5_000 * number.min(180)).unwrap();
            let frame = encoder.encode(&noise(size, number), SHOWN_US, false).unwrap();
            keys += u32::from(frame.as_ref().is_some_and(|frame| frame.key));
            bytes += frame.filter(|_| number >= 210).map_or(0, |frame| frame.data.len());
        }
        assert_eq!(keys, 1, "only the first");
        assert!((720_000..1_560_000).contains(&(bytes * 8 / 3)), "{bytes} bytes in three seconds");
    }

    /// A picture without any order, of which no byte can be spared.
    fn noise((width, height): (u32, u32), seed: u32) -> Picture {
        let mut picture = Picture::black(width, height).unwrap();
        let mut state = seed | 1;
        for pixel in picture.luma_mut() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            *pixel = 60 + (state >> 26) as u8;
        }
        picture
    }

    #[test]
    fn few_pictures_in_a_second_may_each_be_larger() {
        let library = Openh264::find(&[]).unwrap();
        for content in [Content::Camera, Content::Screen] {
            let mut encoder = Encoder::of(&library, content, (320, 180), 400_000).unwrap();
            let mut sent = |numbers: std::ops::Range<u32>, shown_us| {
                let each =
                    numbers.filter_map(|number| encoder.encode(&noise((320, 180), number), shown_us, false).unwrap());
                each.map(|frame| frame.data.len()).sum::<usize>()
            };
            // It needs a while to find out how fine pictures may be.
            sent(0..100, 500_000);
            // Ten seconds of 400 kbit/s are 500 kB, however many pictures there are in them.
            let few = sent(100..120, 500_000);
            assert!((200_000..650_000).contains(&few), "{content:?}: {few}");
        }
    }

    #[test]
    fn a_decoder_that_missed_a_frame_waits_for_a_key_frame() {
        let mut encoder = encoder((320, 180), 400_000);
        let frames = encode(&mut encoder, 0..4);
        let mut decoder = decoder();
        assert_eq!(decoder.decode(&frames[1].data), Err(CodecError::NeedsKey));
        decoder.decode(&frames[0].data).unwrap();
        decoder.miss();
        assert_eq!(decoder.decode(&frames[2].data), Err(CodecError::NeedsKey));
        assert!(decoder.decode(&frames[0].data).unwrap().is_some());
    }

    #[test]
    fn a_picture_of_another_size_follows_its_key_frame() {
        let mut decoder = decoder();
        for size in [(640, 360), (320, 180), (1_280, 720), (180, 320), (16, 16)] {
            let frames = encode(&mut encoder(size, 800_000), 0..2);
            let shown = decoder.decode(&frames[0].data).unwrap().unwrap();
            assert_eq!((shown.width(), shown.height()), size);
        }
    }

    #[test]
    fn what_is_too_large_or_no_frame_is_refused() {
        let mut decoder = decoder();
        assert_eq!(decoder.decode(&[]), Err(CodecError::Refused));
        assert_eq!(decoder.decode(&[0, 0, 1, 0x74, 1, 2]), Err(CodecError::Refused));
        assert_eq!(decoder.decode(&vec![0; MOST_BYTES + 1]), Err(CodecError::Refused));
        let library = Openh264::find(&[]).unwrap();
        assert!(Encoder::of(&library, Content::Camera, (16_384, 2), 1_000).is_err());
        assert!(Encoder::of(&library, Content::Camera, (0, 0), 1_000).is_err());
    }

    #[test]
    fn a_frame_that_was_cut_off_does_no_harm_and_a_key_frame_heals() {
        let frames = encode(&mut encoder((160, 90), 200_000), 0..3);
        let mut decoder = decoder();
        for length in 0..frames[0].data.len() {
            let _ = decoder.decode(&frames[0].data[..length]);
        }
        let healed = decoder.decode(&frames[0].data).unwrap().unwrap();
        assert_eq!(number_of(&healed), Some(0));
        for length in 0..frames[1].data.len() {
            let _ = decoder.decode(&frames[0].data);
            let _ = decoder.decode(&frames[1].data[..length]);
        }
        assert!(decoder.decode(&frames[0].data).unwrap().is_some());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn any_bytes_are_refused_without_harm(frame in proptest::collection::vec(any::<u8>(), 0..400)) {
            let _ = decoder().decode(&[&[0, 0, 1], frame.as_slice()].concat());
        }

        #[test]
        fn a_damaged_frame_does_no_harm_and_a_key_frame_heals(
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
            cut in any::<prop::sample::Index>(),
        ) {
            let frames = encode(&mut encoder((160, 90), 200_000), 0..3);
            let mut decoder = decoder();
            for frame in &frames {
    let _ = decoder.decode(&damaged(frame, &damage, cut));
            }
            let healed = decoder.decode(&frames[0].data).unwrap().unwrap();
            prop_assert_eq!(number_of(&healed), Some(0));
        }
    }
}
