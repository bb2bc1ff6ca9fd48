//! Draws a stranger's picture small, as a JPEG of a bounded size.

use image::imageops::{FilterType, overlay};
use image::{DynamicImage, Rgba, RgbaImage};

use crate::clean::{jpeg, upright};
use crate::{BYTES_LIMIT, PictureError, look};

/// Most pixels of a picture that is drawn small: 24 million, as a telephone takes them.
const PIXELS_LIMIT: u64 = 24_000_000;

/// Qualities that are tried until the picture fits.
const QUALITIES: [u8; 3] = [78, 60, 40];

/// Sizes that are tried, each half of the one before.
const SIZES: u32 = 3;

/// Draws a picture so that its longer side has at most `side` pixels and its JPEG at most `most` bytes.
/// What can be seen through stands before white. Takes up to half a second for a large one.
pub fn small(bytes: &[u8], side: u32, most: usize) -> Result<Vec<u8>, PictureError> {
    let seen = look(bytes)?;
    if bytes.len() > BYTES_LIMIT || u64::from(seen.width) * u64::from(seen.height) > PIXELS_LIMIT {
        return Err(PictureError::TooLarge);
    }
    let picture = upright(bytes, seen.kind)?;
    for halved in 0..SIZES {
        let side = side >> halved;
        let drawn = match picture.width().max(picture.height()) {
            long if long <= side => picture.clone(),
            _ => picture.resize(side.max(1), side.max(1), FilterType::Triangle),
        };
        let drawn = before_white(&drawn);
        for quality in QUALITIES {
            let jpeg = jpeg(&drawn, quality)?;
            if jpeg.len() <= most {
                return Ok(jpeg);
            }
        }
    }
    Err(PictureError::TooLarge)
}

fn before_white(picture: &DynamicImage) -> DynamicImage {
    if !picture.color().has_alpha() {
        return picture.clone();
    }
    let mut white = RgbaImage::from_pixel(picture.width(), picture.height(), Rgba([255; 4]));
    overlay(&mut white, &picture.to_rgba8(), 0, 0);
    DynamicImage::ImageRgba8(white)
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::is_small_jpeg;
    use image::ImageFormat;

    fn png(picture: RgbaImage) -> Vec<u8> {
        let mut out = Cursor::new(Vec::new());
        DynamicImage::ImageRgba8(picture).write_to(&mut out, ImageFormat::Png).unwrap();
        out.into_inner()
    }

    #[test]
    fn a_picture_is_drawn_small_and_before_white() {
        let wide = png(RgbaImage::from_pixel(900, 300, Rgba([200, 0, 0, 0])));
        let jpeg = small(&wide, 240, 24 * 1024).unwrap();
        assert!(is_small_jpeg(&jpeg, 240) && !is_small_jpeg(&jpeg, 239));
        let read = image::load_from_memory(&jpeg).unwrap().to_rgb8();
        assert_eq!(read.dimensions(), (240, 80));
        assert!(read.get_pixel(100, 40).0.iter().all(|part| *part > 240), "what can be seen through is white");
    }

    #[test]
    fn whatever_is_on_it_it_fits() {
        // Noise, which no JPEG makes small.
        let mut state = 1u32;
        let noise = RgbaImage::from_fn(400, 400, |_, _| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            let [a, b, c, _] = state.to_be_bytes();
            Rgba([a, b, c, 255])
        });
        let jpeg = small(&png(noise), 240, 8 * 1024).unwrap();
        assert!(jpeg.len() <= 8 * 1024 && is_small_jpeg(&jpeg, 240));
    }

    #[test]
    fn what_would_fill_the_memory_or_is_no_picture_is_not_drawn() {
        let mut huge = png(RgbaImage::from_pixel(4, 4, Rgba([0; 4])));
        huge[16..20].copy_from_slice(&7_000u32.to_be_bytes());
        huge[20..24].copy_from_slice(&7_000u32.to_be_bytes());
        assert!(matches!(small(&huge, 240, 8192), Err(PictureError::TooLarge | PictureError::Damaged)));
        for bytes in [b"<svg xmlns='http://www.w3.org/2000/svg'/>".as_slice(), b"", b"\x89PNG\r\n\x1a\n"] {
            assert!(small(bytes, 240, 8192).is_err());
        }
    }
}
