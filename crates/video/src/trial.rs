//! What the tests of both codecs try them with: pictures that carry their numbers, and frames that are damaged.

use proptest::sample::Index;

use crate::codec::Encoded;
use crate::counter::read_counter;
use crate::picture::Picture;

pub(crate) const SHOWN_US: u32 = 33_333;

pub(crate) fn number_of(picture: &Picture) -> Option<u32> {
    read_counter(|x, y| picture.brightness(x, y))
}

/// A frame with other bytes in some places, and cut off.
pub(crate) fn damaged(frame: &Encoded, damage: &[(Index, u8)], cut: Index) -> Vec<u8> {
    let mut bytes = frame.data.to_vec();
    for (place, byte) in damage {
        let place = place.index(bytes.len());
        bytes[place] = *byte;
    }
    bytes.truncate(cut.index(bytes.len()) + 1);
    bytes
}
