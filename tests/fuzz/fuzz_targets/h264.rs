//! H.264 of a peer: what its packets carry, and what its frames ask of a decoder. The files are read by themselves: the
//! crates around them would bring their codecs along.
#![no_main]
#![allow(dead_code, reason = "only a part of each file is used here")]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;

#[path = "../../../crates/video/src/nal.rs"]
mod nal;
#[path = "../../../crates/media/src/video_h264.rs"]
mod video_h264;

mod picture {
    pub const MOST_SIDE: u32 = 1_920;
    pub const MOST_PIXELS: u32 = 1_920 * 1_088;
}

// A byte of length, then a packet of that length, again and again; the packets together are a frame.
fuzz_target!(|data: &[u8]| {
    let (mut rest, mut frame) = (data, Vec::new());
    while let Some((length, after)) = rest.split_first() {
        let (packet, after) = after.split_at(usize::from(*length).min(after.len()));
        if let Ok(piece) = video_h264::piece(&Bytes::copy_from_slice(packet)) {
            assert!(!piece.data.is_empty() && piece.data.len() <= 2 * packet.len() + 4);
            assert!(piece.begins || !piece.key, "a key frame begins with its first packet");
            frame.extend_from_slice(&piece.data);
        }
        rest = after;
    }
    for frame in [frame.as_slice(), data] {
        let Ok(judged) = nal::judge(frame) else { continue };
        if let Some((width, height)) = judged.size {
            assert!(
                judged.key && width > 0 && height > 0 && width <= picture::MOST_SIDE && height <= picture::MOST_SIDE
            );
            assert!(width * height <= picture::MOST_PIXELS && width % 2 == 0 && height % 2 == 0);
        }
        assert_eq!(nal::judge(&judged.data), Ok(judged), "what passed is judged the same again");
    }
});
