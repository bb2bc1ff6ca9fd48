//! What a place of a window shows, as the screen has it.

use x11rb::protocol::xproto::{ConnectionExt, ImageFormat, Window};
use x11rb::rust_connection::RustConnection;

use crate::Outcome;
use crate::screen::trouble;

/// A place in a window, in its pixels.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    pub(crate) x: i16,
    pub(crate) y: i16,
    pub(crate) width: u16,
    pub(crate) height: u16,
}

/// Pixels in rows, four bytes each: blue, green, red and nothing.
pub(crate) struct Pixels {
    width: usize,
    height: usize,
    bytes: Vec<u8>,
}

impl Pixels {
    /// Takes what a window shows now.
    pub(crate) fn take(display: &str, window: Window, place: Place) -> Outcome<Self> {
        let (connection, _) = RustConnection::connect(Some(display)).map_err(trouble)?;
        let Place { x, y, width, height } = place;
        let image = connection
            .get_image(ImageFormat::Z_PIXMAP, window, x, y, width, height, !0)
            .map_err(trouble)?
            .reply()
            .map_err(trouble)?;
        let pixels = Self { width: width.into(), height: height.into(), bytes: image.data };
        if pixels.bytes.len() < pixels.width * pixels.height * 4 {
            return Err(trouble(format!("a screen of depth {} instead of 24", image.depth)));
        }
        Ok(pixels)
    }

    /// How bright a point is; both coordinates from 0 to 1.
    pub(crate) fn brightness(&self, x: f32, y: f32) -> u8 {
        let at = |part: f32, of: usize| ((part.clamp(0.0, 1.0) * of as f32) as usize).min(of.saturating_sub(1));
        let pixel = (at(y, self.height) * self.width + at(x, self.width)) * 4;
        let [blue, green, red] = [0, 1, 2].map(|channel| self.bytes.get(pixel + channel).copied().map_or(0, u32::from));
        u8::try_from((red * 299 + green * 587 + blue * 114) / 1_000).unwrap_or(u8::MAX)
    }
}
