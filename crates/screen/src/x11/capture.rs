//! Reads the pixels of one screen or one window, again and again.

use x11rb::connection::Connection;
use x11rb::protocol::composite::{ConnectionExt as _, Redirect};
use x11rb::protocol::xfixes::ConnectionExt as _;
use x11rb::protocol::xproto::{ConnectionExt as _, Drawable, ImageFormat, MapState, Pixmap, Window};

use super::{Display, asked, is_bgrx};
use crate::error::ScreenError;
use crate::shot::{Cursor, MOST_SHOT_PIXELS, Shot};

/// The largest pointer that is drawn, in pixels.
const CURSOR: usize = 256 * 256;

/// A part of the root window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Area {
    pub(super) x: i16,
    pub(super) y: i16,
    pub(super) width: u16,
    pub(super) height: u16,
}

impl Area {
    /// The part of it that lies within another; none if there is none.
    pub(super) fn within(self, outer: Self) -> Option<Self> {
        let cut = |from: i16, length: u16, least: i16, room: u16| {
            let begin = i32::from(from).max(least.into());
            let end = (i32::from(from) + i32::from(length)).min(i32::from(least) + i32::from(room));
            let length = u16::try_from(end - begin).ok().filter(|length| *length > 0)?;
            Some((i16::try_from(begin).ok()?, length))
        };
        let (x, width) = cut(self.x, self.width, outer.x, outer.width)?;
        let (y, height) = cut(self.y, self.height, outer.y, outer.height)?;
        Some(Self { x, y, width, height })
    }
}

/// One monitor.
pub(crate) struct ScreenCapture {
    display: Display,
    number: u32,
    area: Area,
}

impl ScreenCapture {
    pub(super) fn new(display: Display, number: u32) -> Result<Self, ScreenError> {
        let area = place(&display, number)?;
        Ok(Self { display, number, area })
    }

    pub(super) fn grab(&mut self) -> Result<Option<Shot>, ScreenError> {
        let shot = match self.display.pixels(self.display.root, self.area) {
            // The screen was turned or changed its size.
            Err(ScreenError::Gone) => {
                let size = asked(self.display.connection.get_geometry(self.display.root), |cookie| cookie.reply())?;
                self.display.whole = Area { x: 0, y: 0, width: size.width, height: size.height };
                self.area = place(&self.display, self.number)?;
                self.display.pixels(self.display.root, self.area)
            }
            other => other,
        };
        let mut shot = shot?;
        self.display.draw_cursor(&mut shot, (self.area.x.into(), self.area.y.into()));
        Ok(Some(shot))
    }
}

fn place(display: &Display, number: u32) -> Result<Area, ScreenError> {
    let monitors = display.monitors()?;
    monitors.into_iter().find(|(at, ..)| *at == number).map(|(_, _, area)| area).ok_or(ScreenError::Gone)
}

/// One window, whatever covers it.
pub(crate) struct WindowCapture {
    display: Display,
    window: Window,
    kept: Option<Kept>,
}

/// What the server keeps of the window, for as long as it has this size and is not folded away.
#[derive(Debug, Clone, Copy)]
struct Kept {
    pixmap: Pixmap,
    size: (u16, u16),
}

impl WindowCapture {
    pub(super) fn new(display: Display, window: Window) -> Result<Self, ScreenError> {
        let attributes = asked(display.connection.get_window_attributes(window), |cookie| cookie.reply())?;
        let depth = asked(display.connection.get_geometry(window), |cookie| cookie.reply())?.depth;
        if attributes.map_state == MapState::UNMAPPED || !is_bgrx(display.connection.setup(), depth) {
            return Err(ScreenError::Unusable);
        }
        // Automatic: the window looks on the screen as it did. It ends with this connection.
        asked(display.connection.composite_redirect_window(window, Redirect::AUTOMATIC), |cookie| cookie.check())?;
        Ok(Self { display, window, kept: None })
    }

    pub(super) fn grab(&mut self) -> Result<Option<Shot>, ScreenError> {
        let connection = &self.display.connection;
        let attributes = asked(connection.get_window_attributes(self.window), |cookie| cookie.reply())?;
        if attributes.map_state != MapState::VIEWABLE {
            self.forget();
            return Ok(None);
        }
        let geometry = asked(connection.get_geometry(self.window), |cookie| cookie.reply())?;
        let size = (geometry.width, geometry.height);
        if self.kept.is_none_or(|kept| kept.size != size) {
            self.forget();
        }
        let Some(kept) = self.keep(size)? else { return Ok(None) };
        let border = i16::try_from(geometry.border_width).map_err(|_| ScreenError::Unusable)?;
        let area = Area { x: border, y: border, width: size.0, height: size.1 };
        let mut shot = match self.display.pixels(kept.pixmap, area) {
            Ok(shot) => shot,
            // It changed its size or was closed in this moment; the next look says which.
            Err(ScreenError::Gone) => {
                self.forget();
                return Ok(None);
            }
            Err(error) => return Err(error),
        };
        let corner =
            asked(self.display.connection.translate_coordinates(self.window, self.display.root, 0, 0), |cookie| {
                cookie.reply()
            })?;
        self.display.draw_cursor(&mut shot, (corner.dst_x.into(), corner.dst_y.into()));
        Ok(Some(shot))
    }

    fn keep(&mut self, size: (u16, u16)) -> Result<Option<Kept>, ScreenError> {
        if self.kept.is_none() {
            let connection = &self.display.connection;
            let pixmap = connection.generate_id().map_err(|_| ScreenError::Unusable)?;
            match asked(connection.composite_name_window_pixmap(self.window, pixmap), |cookie| cookie.check()) {
                Ok(()) => self.kept = Some(Kept { pixmap, size }),
                Err(ScreenError::Gone) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(self.kept)
    }

    fn forget(&mut self) {
        if let Some(kept) = self.kept.take() {
            let _ = self.display.connection.free_pixmap(kept.pixmap);
        }
    }
}

impl Display {
    fn pixels(&self, of: Drawable, area: Area) -> Result<Shot, ScreenError> {
        let Area { x, y, width, height } = area;
        if u32::from(width) * u32::from(height) > MOST_SHOT_PIXELS {
            return Err(ScreenError::Unusable);
        }
        let all = u32::MAX;
        let sent = self.connection.get_image(ImageFormat::Z_PIXMAP, of, x, y, width, height, all);
        let image = asked(sent, |cookie| cookie.reply())?;
        if !is_bgrx(self.connection.setup(), image.depth) {
            return Err(ScreenError::Unusable);
        }
        Shot::new(width.into(), height.into(), image.data)
    }

    /// Draws the pointer where it is. A pointer that cannot be had is no reason to show nothing.
    fn draw_cursor(&self, shot: &mut Shot, (left, top): (i32, i32)) {
        if !self.has_cursor {
            return;
        }
        let Ok(image) = asked(self.connection.xfixes_get_cursor_image(), |cookie| cookie.reply()) else { return };
        if image.cursor_image.len() <= CURSOR {
            shot.draw(&Cursor {
                x: i32::from(image.x) - i32::from(image.xhot) - left,
                y: i32::from(image.y) - i32::from(image.yhot) - top,
                width: image.width.into(),
                argb: image.cursor_image,
            });
        }
    }
}
