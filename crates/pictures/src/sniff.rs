//! Tells pictures by their first bytes, whatever their name says, and measures them without drawing.

use std::io::Cursor;

use image::{ImageFormat, ImageReader};

use crate::{PIXELS_LIMIT, PictureError};

/// The kinds that are shown. SVG and HTML are programs and never among them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// PNG.
    Png,
    /// JPEG.
    Jpeg,
    /// GIF.
    Gif,
    /// WebP.
    WebP,
}

impl Kind {
    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Self::Png => "image/png",
            Self::Jpeg => "image/jpeg",
            Self::Gif => "image/gif",
            Self::WebP => "image/webp",
        }
    }

    /// The ending of its files.
    pub fn ending(self) -> &'static str {
        match self {
            Self::Png => "png",
            Self::Jpeg => "jpg",
            Self::Gif => "gif",
            Self::WebP => "webp",
        }
    }

    pub(crate) fn of(bytes: &[u8]) -> Option<Self> {
        match image::guess_format(bytes).ok()? {
            ImageFormat::Png => Some(Self::Png),
            ImageFormat::Jpeg => Some(Self::Jpeg),
            ImageFormat::Gif => Some(Self::Gif),
            ImageFormat::WebP => Some(Self::WebP),
            _ => None,
        }
    }

    pub(crate) fn format(self) -> ImageFormat {
        match self {
            Self::Png => ImageFormat::Png,
            Self::Jpeg => ImageFormat::Jpeg,
            Self::Gif => ImageFormat::Gif,
            Self::WebP => ImageFormat::WebP,
        }
    }
}

/// A picture that may be shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// What it is.
    pub kind: Kind,
    /// Pixels from side to side.
    pub width: u32,
    /// Pixels from top to bottom.
    pub height: u32,
}

/// What a file is by its first bytes, if it is a picture of a kind that is shown.
pub fn kind_of(bytes: &[u8]) -> Option<Kind> {
    Kind::of(bytes)
}

/// Looks at a picture's head: what it is and how large it would be. Nothing is drawn.
pub fn look(bytes: &[u8]) -> Result<Seen, PictureError> {
    let kind = Kind::of(bytes).ok_or(PictureError::Unknown)?;
    let reader = ImageReader::with_format(Cursor::new(bytes), kind.format());
    let (width, height) = reader.into_dimensions().map_err(|_| PictureError::Damaged)?;
    if width == 0 || height == 0 {
        return Err(PictureError::Damaged);
    }
    if u64::from(width) * u64::from(height) > PIXELS_LIMIT {
        return Err(PictureError::TooLarge);
    }
    Ok(Seen { kind, width, height })
}

/// Whether bytes are a JPEG that is no larger than this from side to side.
pub fn is_small_jpeg(bytes: &[u8], side: u32) -> bool {
    look(bytes).is_ok_and(|seen| seen.kind == Kind::Jpeg && seen.width.max(seen.height) <= side)
}
