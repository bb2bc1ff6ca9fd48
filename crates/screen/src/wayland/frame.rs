//! Reads the pixels of a buffer that somebody else filled and described: which of its bytes are the picture.

use crate::error::ScreenError;
use crate::shot::{MOST_SHOT_PIXELS, PIXEL, Shot};

/// In which order the colours of a pixel come; a fourth byte follows them and is not looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Order {
    /// Blue, green, red.
    Bgr,
    /// Red, green, blue.
    Rgb,
}

/// What was agreed on for all buffers until the next agreement.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Format {
    order: Order,
    width: u32,
    height: u32,
}

/// A part of the picture, for sources that are smaller than their buffers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) x: i32,
    pub(super) y: i32,
    pub(super) width: u32,
    pub(super) height: u32,
}

/// Where in a buffer the picture stands, as its writer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    /// Bytes before the first row.
    pub(super) offset: u32,
    /// Bytes from one row to the next; none said is a row without a gap.
    pub(super) stride: i32,
}

impl Format {
    /// Takes a size that somebody else named; refused if it has no pixels, or too many.
    pub(super) fn new(order: Order, width: u32, height: u32) -> Result<Self, ScreenError> {
        let pixels = width.checked_mul(height).filter(|pixels| (1..=MOST_SHOT_PIXELS).contains(pixels));
        pixels.map(|_| Self { order, width, height }).ok_or(ScreenError::Unusable)
    }

    /// Copies the picture, or a part of it, out of a buffer; refused if it does not lie in there whole.
    pub(super) fn shot(self, bytes: &[u8], place: Place, part: Option<Part>) -> Result<Shot, ScreenError> {
        let part = self.part(part)?;
        let row = self.width as usize * PIXEL;
        let stride = match usize::try_from(place.stride) {
            Ok(0) => row,
            Ok(stride) if stride >= row => stride,
            // Shorter rows would overlap; a negative one means that the last comes first, which nobody sends here.
            _ => return Err(ScreenError::Unusable),
        };
        let (x, y) = (part.x as usize * PIXEL, part.y as usize);
        let (length, rows) = (part.width as usize * PIXEL, part.height as usize);
        let mut pixels = Vec::with_capacity(length * rows);
        for at in y..y + rows {
            let begin = stride.checked_mul(at).and_then(|begin| begin.checked_add(place.offset as usize + x));
            let begin = begin.ok_or(ScreenError::Unusable)?;
            let end = begin.checked_add(length).ok_or(ScreenError::Unusable)?;
            pixels.extend_from_slice(bytes.get(begin..end).ok_or(ScreenError::Unusable)?);
        }
        match self.order {
            Order::Bgr => Shot::new(part.width, part.height, pixels),
            Order::Rgb => Shot::from_rgba(part.width, part.height, pixels),
        }
    }

    /// The part that is meant, which lies within the whole.
    fn part(self, part: Option<Part>) -> Result<Inside, ScreenError> {
        let Some(part) = part.filter(|part| part.width > 0 && part.height > 0) else {
            return Ok(Inside { x: 0, y: 0, width: self.width, height: self.height });
        };
        let inside = |from: i32, length: u32, whole: u32| {
            let from = u32::try_from(from).ok()?;
            from.checked_add(length).filter(|end| *end <= whole).map(|_| from)
        };
        let (x, y) = (inside(part.x, part.width, self.width), inside(part.y, part.height, self.height));
        match (x, y) {
            (Some(x), Some(y)) => Ok(Inside { x, y, width: part.width, height: part.height }),
            _ => Err(ScreenError::Unusable),
        }
    }
}

/// A part that is known to lie within the picture.
struct Inside {
    x: u32,
    y: u32,
    width: u32,
    height: u32,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const WHOLE: Place = Place { offset: 0, stride: 0 };

    fn format(order: Order) -> Format {
        Format::new(order, 3, 2).unwrap()
    }

    /// Three by two pixels, each with its own number as its first byte, in rows of 16 bytes after 8 others.
    fn buffer() -> Vec<u8> {
        let mut bytes = vec![0xee; 8 + 2 * 16];
        for number in 0..6 {
            let at = 8 + number / 3 * 16 + number % 3 * PIXEL;
            bytes[at..at + PIXEL].copy_from_slice(&[number as u8, 100, 200, 0]);
        }
        bytes
    }

    #[test]
    fn rows_are_found_between_their_gaps() {
        let shot = format(Order::Bgr).shot(&buffer(), Place { offset: 8, stride: 16 }, None).unwrap();
        assert_eq!((shot.width(), shot.height()), (3, 2));
        assert_eq!(shot.pixel(0, 0), Some([200, 100, 0]));
        assert_eq!(shot.pixel(2, 0), Some([200, 100, 2]));
        assert_eq!(shot.pixel(0, 1), Some([200, 100, 3]));
    }

    #[test]
    fn colours_in_the_other_order_are_turned() {
        let shot = format(Order::Rgb).shot(&buffer(), Place { offset: 8, stride: 16 }, None).unwrap();
        assert_eq!(shot.pixel(1, 1), Some([4, 100, 200]));
    }

    #[test]
    fn a_smaller_window_in_a_larger_buffer_is_cut_out() {
        let place = Place { offset: 8, stride: 16 };
        let cut = |x, y, width, height| format(Order::Bgr).shot(&buffer(), place, Some(Part { x, y, width, height }));
        let shot = cut(1, 1, 2, 1).unwrap();
        assert_eq!((shot.width(), shot.height(), shot.pixel(0, 0)), (2, 1, Some([200, 100, 4])));
        assert_eq!(cut(0, 0, 0, 0).unwrap().width(), 3, "no part is the whole");
        for (x, y, width, height) in [(-1, 0, 2, 1), (2, 0, 2, 1), (0, 1, 1, 2), (1, 0, u32::MAX, 1)] {
            assert_eq!(cut(x, y, width, height), Err(ScreenError::Unusable), "{x} {y} {width} {height}");
        }
    }

    #[test]
    fn what_does_not_lie_in_the_buffer_is_no_picture() {
        let whole = [0; 24];
        assert!(format(Order::Bgr).shot(&whole, WHOLE, None).is_ok());
        assert_eq!(format(Order::Bgr).shot(&whole[..23], WHOLE, None), Err(ScreenError::Unusable));
        for (offset, stride) in [(1, 0), (0, 13), (0, 11), (0, -12), (0, i32::MIN), (u32::MAX, i32::MAX)] {
            let place = Place { offset, stride };
            assert_eq!(format(Order::Bgr).shot(&whole, place, None), Err(ScreenError::Unusable), "{place:?}");
        }
        for (width, height) in [(0, 1), (1, 0), (u32::MAX, u32::MAX), (7_681, 4_320), (65_536, 65_536)] {
            assert_eq!(Format::new(Order::Bgr, width, height), Err(ScreenError::Unusable), "{width} x {height}");
        }
    }

    proptest! {
        #[test]
        fn whatever_is_said_of_a_buffer_nothing_outside_of_it_is_read(
            width in 0u32..40, height in 0u32..40, offset: u32, near in 0u32..64, stride: i32, close in -8i32..200,
            x: i32, y in -2i32..40, across in 0u32..50, down: u32, length in 0usize..8_000,
        ) {
            let bytes = vec![7; length];
            let Ok(format) = Format::new(Order::Rgb, width, height) else { return Ok(()) };
            for offset in [offset, near] {
                for stride in [stride, close] {
                    for part in [None, Some(Part { x, y, width: across, height: down }), Some(Part { x: 0, y, width: across, height: 3 })] {
                        if let Ok(shot) = format.shot(&bytes, Place { offset, stride }, part) {
                            prop_assert!(shot.bgrx().iter().all(|byte| *byte == 7));
                        }
                    }
                }
            }
        }
    }
}
