//! A camera that counts: each picture carries its number in blocks that survive compression and scaling.

use std::time::Duration;

use crate::camera::{Camera, CameraError};
use crate::picture::Picture;

/// Blocks across.
const COLUMNS: u32 = 8;
/// Blocks down: the upper half of the picture.
const ROWS: u32 = 4;
/// Bits of the number; the other blocks are its check.
const NUMBER_BITS: u32 = 24;
const WHITE: u8 = 235;
const BLACK: u8 = 16;
/// What lies between black and white.
const MIDDLE: u8 = 126;
/// A block must be this far from the middle to be read.
const CLEAR: u8 = 30;

/// Draws numbers, from 0 on, at a steady rate. What lies below them moves, so that there is something to encode.
#[derive(Debug)]
pub struct Counter {
    width: u32,
    height: u32,
    frames_per_second: u32,
    number: u32,
}

impl Counter {
    /// A counter of a size (even sides), at most 60 pictures a second.
    pub fn new(width: u32, height: u32, frames_per_second: u32) -> Result<Self, CameraError> {
        Picture::black(width, height).map_err(|_| CameraError::Unusable)?;
        Ok(Self { width, height, frames_per_second: frames_per_second.clamp(1, 60), number: 0 })
    }

    /// Draws a number.
    pub fn draw(width: u32, height: u32, number: u32) -> Result<Picture, CameraError> {
        let mut picture = Picture::black(width, height).map_err(|_| CameraError::Unusable)?;
        let bits = written(number);
        let half = height as usize / 2;
        for (y, row) in picture.luma_mut().chunks_exact_mut(width as usize).enumerate() {
            if y < half {
                let block_row = (y as u32 * ROWS * 2 / height).min(ROWS - 1);
                for (x, pixel) in row.iter_mut().enumerate() {
                    let block = block_row * COLUMNS + (x as u32 * COLUMNS / width).min(COLUMNS - 1);
                    *pixel = if bits >> block & 1 == 1 { WHITE } else { BLACK };
                }
            } else {
                // A ramp that wanders to the left, and a bar that wanders to the right.
                let shift = number as usize * 3;
                let bar = number as usize * 7 % width as usize;
                for (x, pixel) in row.iter_mut().enumerate() {
                    let ramp = (x + shift + y / 2) % 256;
                    *pixel = if x.abs_diff(bar) < 8 { WHITE } else { 40 + (ramp / 2) as u8 };
                }
            }
        }
        Ok(picture)
    }
}

impl Camera for Counter {
    fn name(&self) -> &str {
        "counter"
    }

    fn interval(&self) -> Duration {
        Duration::from_secs(1) / self.frames_per_second
    }

    fn grab(&mut self) -> Result<Picture, CameraError> {
        let picture = Self::draw(self.width, self.height, self.number)?;
        self.number = self.number.wrapping_add(1);
        Ok(picture)
    }
}

/// Reads the number out of a picture; `brightness` is asked for places, both coordinates from 0 to 1.
///
/// None if there is none, or if any block is unclear: two pictures torn into one are not read.
pub fn read_counter(brightness: impl Fn(f32, f32) -> u8) -> Option<u32> {
    let mut bits = 0u32;
    for block in 0..COLUMNS * ROWS {
        let (column, row) = (block % COLUMNS, block / COLUMNS);
        let at = |part: f32, of: u32, place: u32| (place as f32 + part) / of as f32;
        let mut values = [0u8; 5];
        for (value, (x, y)) in
            values.iter_mut().zip([(0.5, 0.5), (0.35, 0.35), (0.65, 0.35), (0.35, 0.65), (0.65, 0.65)])
        {
            *value = brightness(at(x, COLUMNS, column), at(y, ROWS * 2, row));
        }
        let white = values.iter().all(|value| *value > MIDDLE + CLEAR);
        let black = values.iter().all(|value| *value < MIDDLE - CLEAR);
        if white == black {
            return None;
        }
        bits |= u32::from(white) << block;
    }
    let number = bits & ((1 << NUMBER_BITS) - 1);
    (written(number) == bits).then_some(number)
}

/// The number's bits and its check.
fn written(number: u32) -> u32 {
    let number = number & ((1 << NUMBER_BITS) - 1);
    // Any plain mixture does: it must only differ for neighbours and not be black for 0.
    let check = (number ^ 0x5A).wrapping_mul(0x9E37_79B1) >> NUMBER_BITS;
    number | check << NUMBER_BITS
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::picture::Scaler;

    #[test]
    fn numbers_are_read_back_also_from_a_smaller_picture() {
        for number in [0, 1, 2, 0xAA_AAAA, 0xFF_FFFF] {
            let picture = Counter::draw(640, 360, number).unwrap();
            assert_eq!(read_counter(|x, y| picture.brightness(x, y)), Some(number));
            let small = Scaler::default().scale(&picture, 160, 90).unwrap();
            assert_eq!(read_counter(|x, y| small.brightness(x, y)), Some(number));
        }
    }

    #[test]
    fn a_torn_picture_has_no_number() {
        let (one, other) = (Counter::draw(320, 180, 0x5555).unwrap(), Counter::draw(320, 180, 0xAAAA).unwrap());
        let torn = |x, y| if y < 0.2 { one.brightness(x, y) } else { other.brightness(x, y) };
        assert_eq!(read_counter(torn), None);
        assert_eq!(read_counter(|_, _| 128), None, "grey");
        assert_eq!(read_counter(|_, _| 0), None, "black");
        assert_eq!(read_counter(|_, _| 255), None, "white");
    }

    #[test]
    fn the_camera_counts() {
        let mut counter = Counter::new(320, 180, 30).unwrap();
        for number in 0..3 {
            let picture = counter.grab().unwrap();
            assert_eq!(read_counter(|x, y| picture.brightness(x, y)), Some(number));
        }
        assert!(Counter::new(321, 180, 30).is_err());
    }
}
