//! Draws a picture anew before it leaves, upright, and makes the small one that is shown first.

use std::io::Cursor;

use image::codecs::gif::{GifDecoder, GifEncoder, Repeat};
use image::codecs::jpeg::JpegEncoder;
use image::codecs::webp::WebPDecoder;
use image::imageops::FilterType;
use image::{AnimationDecoder, DynamicImage, Frame, ImageDecoder, ImageFormat, ImageReader, Limits, RgbaImage};

use crate::{BYTES_LIMIT, Kind, PIXELS_LIMIT, PictureError, look};

/// How good a JPEG is that is drawn anew, of 100.
const QUALITY: u8 = 90;

/// The longer side of the small picture, in pixels.
const PREVIEW_SIDE: u32 = 40;

/// Quality of the small picture.
const PREVIEW_QUALITY: u8 = 60;

/// Quality of pixels that are written as they are.
const PIXELS_QUALITY: u8 = 80;

/// Memory that drawing may take, in bytes.
const MEMORY_LIMIT: u64 = 512 * 1024 * 1024;

/// Most frames of an animation; of more only the first picture is sent.
const FRAMES_LIMIT: usize = 500;

/// A picture that holds nothing but its pixels.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clean {
    /// The file.
    pub bytes: Vec<u8>,
    /// What it is now.
    pub kind: Kind,
    /// Pixels from side to side, as it is shown.
    pub width: u32,
    /// Pixels from top to bottom, as it is shown.
    pub height: u32,
    /// A small JPEG.
    pub preview: Vec<u8>,
}

/// Draws a picture anew. Takes up to a second for a large one.
pub fn clean(bytes: &[u8]) -> Result<Clean, PictureError> {
    let seen = look(bytes)?;
    if bytes.len() > BYTES_LIMIT {
        return Err(PictureError::TooLarge);
    }
    if seen.kind == Kind::Gif
        && let Some(moving) = moving_gif(bytes)?
    {
        return Ok(moving);
    }
    if seen.kind == Kind::WebP && is_moving_webp(bytes) {
        // Nothing here writes it again, and half of it would be another picture.
        return Err(PictureError::Unknown);
    }
    let picture = upright(bytes, seen.kind)?;
    let (kind, bytes) = match seen.kind {
        Kind::Jpeg => (Kind::Jpeg, jpeg(&picture, QUALITY)?),
        Kind::WebP => (Kind::WebP, written(&picture, ImageFormat::WebP)?),
        Kind::Png | Kind::Gif => (Kind::Png, written(&picture, ImageFormat::Png)?),
    };
    Ok(Clean { bytes, kind, width: picture.width(), height: picture.height(), preview: preview(&picture)? })
}

fn limits() -> Limits {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MEMORY_LIMIT);
    limits
}

/// The pixels, turned as the camera said they are to be shown.
pub(crate) fn upright(bytes: &[u8], kind: Kind) -> Result<DynamicImage, PictureError> {
    let mut reader = ImageReader::with_format(Cursor::new(bytes), kind.format());
    reader.limits(limits());
    let mut decoder = reader.into_decoder().map_err(|_| PictureError::Damaged)?;
    let orientation = decoder.orientation().map_err(|_| PictureError::Damaged)?;
    let mut picture = DynamicImage::from_decoder(decoder).map_err(|_| PictureError::Damaged)?;
    picture.apply_orientation(orientation);
    Ok(picture)
}

/// A GIF of several frames, written anew; nothing for one that stands still.
fn moving_gif(bytes: &[u8]) -> Result<Option<Clean>, PictureError> {
    let mut decoder = GifDecoder::new(Cursor::new(bytes)).map_err(|_| PictureError::Damaged)?;
    decoder.set_limits(limits()).map_err(|_| PictureError::TooLarge)?;
    let (width, height) = decoder.dimensions();
    let most = usize::try_from(PIXELS_LIMIT / (u64::from(width) * u64::from(height)).max(1)).unwrap_or(FRAMES_LIMIT);
    let mut frames: Vec<Frame> = Vec::new();
    for frame in decoder.into_frames() {
        if frames.len() >= most.min(FRAMES_LIMIT) {
            return Err(PictureError::TooLarge);
        }
        frames.push(frame.map_err(|_| PictureError::Damaged)?);
    }
    let Some(first) = frames.first().filter(|_| frames.len() > 1) else { return Ok(None) };
    let preview = preview(&DynamicImage::ImageRgba8(first.buffer().clone()))?;
    let mut out = Vec::new();
    {
        let mut encoder = GifEncoder::new_with_speed(&mut out, 10);
        encoder.set_repeat(Repeat::Infinite).map_err(|_| PictureError::Damaged)?;
        encoder.encode_frames(frames).map_err(|_| PictureError::Damaged)?;
    }
    Ok(Some(Clean { bytes: out, kind: Kind::Gif, width, height, preview }))
}

fn is_moving_webp(bytes: &[u8]) -> bool {
    WebPDecoder::new(Cursor::new(bytes)).is_ok_and(|decoder| decoder.has_animation())
}

fn written(picture: &DynamicImage, format: ImageFormat) -> Result<Vec<u8>, PictureError> {
    let mut out = Cursor::new(Vec::new());
    let eight_bits = match format {
        // The encoder of WebP takes no other.
        ImageFormat::WebP if picture.color().has_alpha() => DynamicImage::ImageRgba8(picture.to_rgba8()),
        ImageFormat::WebP => DynamicImage::ImageRgb8(picture.to_rgb8()),
        _ => picture.clone(),
    };
    eight_bits.write_to(&mut out, format).map_err(|_| PictureError::Damaged)?;
    Ok(out.into_inner())
}

pub(crate) fn jpeg(picture: &DynamicImage, quality: u8) -> Result<Vec<u8>, PictureError> {
    let mut out = Vec::new();
    let encoder = JpegEncoder::new_with_quality(&mut out, quality);
    picture.to_rgb8().write_with_encoder(encoder).map_err(|_| PictureError::Damaged)?;
    Ok(out)
}

/// Writes pixels (red, green, blue, one without meaning) as a JPEG, for somebody of this device to choose by.
pub fn jpeg_of(width: u32, height: u32, rgba: Vec<u8>) -> Result<Vec<u8>, PictureError> {
    let pixels = RgbaImage::from_raw(width, height, rgba).ok_or(PictureError::Damaged)?;
    jpeg(&DynamicImage::ImageRgba8(pixels), PIXELS_QUALITY)
}

fn preview(picture: &DynamicImage) -> Result<Vec<u8>, PictureError> {
    let small = picture.resize(PREVIEW_SIDE, PREVIEW_SIDE, FilterType::Triangle);
    jpeg(&small, PREVIEW_QUALITY)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::is_small_jpeg;

    #[test]
    fn pixels_become_a_jpeg_of_their_size() {
        let jpeg = jpeg_of(320, 200, [200, 30, 30, 0].repeat(320 * 200)).unwrap();
        assert!(is_small_jpeg(&jpeg, 320) && !is_small_jpeg(&jpeg, 319));
        let read = image::load_from_memory(&jpeg).unwrap().to_rgb8();
        assert!(read.get_pixel(100, 100).0[0] > 180 && read.get_pixel(100, 100).0[2] < 60);
        assert_eq!(jpeg_of(320, 200, vec![0; 7]), Err(PictureError::Damaged));
    }

    use image::{Rgb, RgbImage};

    fn picture(width: u32, height: u32, format: ImageFormat) -> Vec<u8> {
        let image = RgbImage::from_fn(width, height, |x, y| Rgb([(x % 256) as u8, (y % 256) as u8, 90]));
        let mut out = Cursor::new(Vec::new());
        DynamicImage::ImageRgb8(image).write_to(&mut out, format).unwrap();
        out.into_inner()
    }

    /// An APP1 segment with an orientation of "turned by 90 degrees", and words nobody should read.
    fn with_exif(jpeg: &[u8]) -> Vec<u8> {
        let mut tiff = b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0".to_vec();
        tiff.extend_from_slice(b"GPS 48.2082 N 16.3738 E");
        let length = u16::try_from(tiff.len() + 2).unwrap().to_be_bytes();
        [&jpeg[..2], &[0xff, 0xe1], &length, &tiff, &jpeg[2..], b"behind the end"].concat()
    }

    fn holds(bytes: &[u8], word: &[u8]) -> bool {
        bytes.windows(word.len()).any(|at| at == word)
    }

    #[test]
    fn nothing_but_pixels_leaves_and_they_stand_upright() {
        let taken = with_exif(&picture(60, 30, ImageFormat::Jpeg));
        assert!(holds(&taken, b"GPS"));
        let clean = clean(&taken).unwrap();
        assert_eq!((clean.kind, clean.width, clean.height), (Kind::Jpeg, 30, 60));
        for word in [b"GPS".as_slice(), b"Exif", b"behind the end"] {
            assert!(!holds(&clean.bytes, word), "{word:?}");
        }
        assert!(is_small_jpeg(&clean.preview, 64) && clean.preview.len() < 4096);
    }

    #[test]
    fn every_kind_that_is_shown_can_be_sent() {
        for (format, kind) in [
            (ImageFormat::Png, Kind::Png),
            (ImageFormat::Jpeg, Kind::Jpeg),
            (ImageFormat::WebP, Kind::WebP),
            (ImageFormat::Gif, Kind::Png),
        ] {
            let clean = clean(&picture(20, 10, format)).unwrap();
            assert_eq!((clean.kind, clean.width, clean.height), (kind, 20, 10), "{format:?}");
            assert_eq!(look(&clean.bytes).unwrap().kind, kind);
        }
    }

    #[test]
    fn a_gif_goes_on_moving() {
        let mut gif = Vec::new();
        {
            let mut encoder = GifEncoder::new(&mut gif);
            let frames =
                (0..3u8).map(|n| Frame::new(image::RgbaImage::from_pixel(8, 6, image::Rgba([n * 80, 0, 0, 255]))));
            encoder.encode_frames(frames).unwrap();
        }
        let clean = clean(&gif).unwrap();
        assert_eq!((clean.kind, clean.width, clean.height), (Kind::Gif, 8, 6));
        let again = GifDecoder::new(Cursor::new(&clean.bytes)).unwrap().into_frames().count();
        assert_eq!(again, 3);
    }

    #[test]
    fn a_picture_that_would_fill_the_memory_is_not_drawn() {
        // The head of a PNG says 60,000 times 60,000 pixels; there is hardly a byte behind it.
        let mut png = picture(4, 4, ImageFormat::Png);
        png[16..20].copy_from_slice(&60_000u32.to_be_bytes());
        png[20..24].copy_from_slice(&60_000u32.to_be_bytes());
        assert!(matches!(look(&png), Err(PictureError::TooLarge | PictureError::Damaged)));
        assert!(clean(&png).is_err());
    }

    #[test]
    fn programs_and_noise_are_no_pictures() {
        for bytes in [
            b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>".as_slice(),
            b"<!doctype html><script>1</script>",
            b"%PDF-1.7",
            b"",
            b"\x89PNG\r\n\x1a\n",
            b"GIF89a",
            b"RIFF\0\0\0\0WEBPVP8 ",
        ] {
            assert!(look(bytes).is_err(), "{bytes:?}");
            assert!(clean(bytes).is_err(), "{bytes:?}");
        }
    }
}
