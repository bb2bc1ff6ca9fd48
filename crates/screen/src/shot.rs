//! The pixels of a screen or window at one moment.

use crate::error::ScreenError;

/// The most pixels of one shot: a screen of 7680 x 4320.
pub const MOST_SHOT_PIXELS: u32 = 7_680 * 4_320;

/// Bytes of a pixel: blue, green, red, and one without meaning.
pub(crate) const PIXEL: usize = 4;

/// Pixels, row by row without gaps; each is blue, green, red and a byte without meaning.
#[derive(Clone, PartialEq, Eq)]
pub struct Shot {
    width: u32,
    height: u32,
    bgrx: Vec<u8>,
}

/// A pointer as the window system draws it.
#[cfg(any(target_os = "linux", test))]
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cursor {
    /// Where its upper left corner is, in the shot.
    pub(crate) x: i32,
    pub(crate) y: i32,
    pub(crate) width: u32,
    /// Each pixel as alpha, red, green, blue from the highest byte down, already multiplied by alpha.
    pub(crate) argb: Vec<u32>,
}

impl Shot {
    /// Takes pixels; refused if they are not as many as the size says, or more than [`MOST_SHOT_PIXELS`].
    pub fn new(width: u32, height: u32, bgrx: Vec<u8>) -> Result<Self, ScreenError> {
        let pixels = width.checked_mul(height).filter(|pixels| (1..=MOST_SHOT_PIXELS).contains(pixels));
        match pixels {
            Some(pixels) if bgrx.len() == pixels as usize * PIXEL => Ok(Self { width, height, bgrx }),
            _ => Err(ScreenError::Unusable),
        }
    }

    /// Takes pixels that begin with red instead of blue.
    pub(crate) fn from_rgba(width: u32, height: u32, mut rgba: Vec<u8>) -> Result<Self, ScreenError> {
        rgba.chunks_exact_mut(PIXEL).for_each(|pixel| pixel.swap(0, 2));
        Self::new(width, height, rgba)
    }

    /// Pixels in a row.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The pixels.
    pub fn bgrx(&self) -> &[u8] {
        &self.bgrx
    }

    /// A pixel as red, green and blue; none outside.
    pub fn pixel(&self, x: u32, y: u32) -> Option<[u8; 3]> {
        let at =
            (x < self.width && y < self.height).then(|| (y as usize * self.width as usize + x as usize) * PIXEL)?;
        Some([self.bgrx[at + 2], self.bgrx[at + 1], self.bgrx[at]])
    }

    /// Draws the pointer; what of it lies outside is not drawn.
    #[cfg(any(target_os = "linux", test))]
    pub(crate) fn draw(&mut self, cursor: &Cursor) {
        let Some(columns) = usize::try_from(cursor.width).ok().filter(|columns| *columns > 0) else { return };
        for (idx, argb) in cursor.argb.iter().enumerate() {
            let inside = |from: i32, step: usize, length: u32| {
                let at = i64::from(from) + i64::try_from(step).ok()?;
                u32::try_from(at).ok().filter(|at| *at < length)
            };
            let (column, row) = (idx % columns, idx / columns);
            let (Some(x), Some(y)) = (inside(cursor.x, column, self.width), inside(cursor.y, row, self.height)) else {
                continue;
            };
            let at = (y as usize * self.width as usize + x as usize) * PIXEL;
            let [blue, green, red, alpha] = argb.to_le_bytes();
            for (below, above) in self.bgrx[at..at + 3].iter_mut().zip([blue, green, red]) {
                let left = u16::from(*below) * (255 - u16::from(alpha)) / 255;
                *below = u16::from(above).saturating_add(left).min(255) as u8;
            }
        }
    }
}

// What stands on somebody's screen is nobody else's business.
impl std::fmt::Debug for Shot {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shot({} x {})", self.width, self.height)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn grey(width: u32, height: u32) -> Shot {
        Shot::new(width, height, vec![100; (width * height) as usize * PIXEL]).unwrap()
    }

    #[test]
    fn pixels_that_are_fewer_or_far_too_many_are_no_shot() {
        assert!(Shot::new(2, 2, vec![0; 16]).is_ok());
        for (width, height, bytes) in [(2, 2, 15), (0, 2, 0), (2, 0, 0), (u32::MAX, u32::MAX, 4), (7_681, 4_320, 8)] {
            assert_eq!(Shot::new(width, height, vec![0; bytes]), Err(ScreenError::Unusable), "{width} x {height}");
        }
    }

    #[test]
    fn colours_in_the_other_order_are_turned() {
        let shot = Shot::from_rgba(1, 2, vec![1, 2, 3, 0, 4, 5, 6, 0]).unwrap();
        assert_eq!((shot.pixel(0, 0), shot.pixel(0, 1)), (Some([1, 2, 3]), Some([4, 5, 6])));
        assert_eq!(Shot::from_rgba(1, 2, vec![0; 7]), Err(ScreenError::Unusable));
    }

    #[test]
    fn a_pointer_is_drawn_over_what_is_below_it() {
        let mut shot = grey(4, 4);
        let red = 0xffff_0000;
        shot.draw(&Cursor { x: 1, y: 2, width: 2, argb: vec![red, 0, 0x8080_8080, red] });
        assert_eq!(shot.pixel(1, 2), Some([255, 0, 0]));
        assert_eq!(shot.pixel(2, 2), Some([100, 100, 100]), "clear where it is clear");
        assert_eq!(shot.pixel(1, 3), Some([177, 177, 177]), "half through where it is half clear");
        assert_eq!(shot.pixel(2, 3), Some([255, 0, 0]));
        assert_eq!(shot.pixel(4, 0), None);
    }

    proptest! {
        #[test]
        fn a_pointer_anywhere_is_drawn_or_not_and_nothing_breaks(
            x: i32, y: i32, width in 0u32..70, pixels in proptest::collection::vec(any::<u32>(), 0..300),
        ) {
            let mut shot = grey(8, 6);
            shot.draw(&Cursor { x, y, width, argb: pixels });
            prop_assert_eq!(shot.bgrx().len(), 8 * 6 * PIXEL);
        }
    }
}
