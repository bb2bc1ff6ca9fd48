//! Screens and windows of an X server.
//!
//! Pixels come by plain `GetImage`: shared memory would save a copy, and would need `unsafe`. A window is read from the
//! pixmap that the Composite extension keeps of it, so that it is whole while others cover it, and nothing of them is
//! shown; without that extension no window is offered.

mod capture;
mod windows;

use x11rb::connection::{Connection, RequestConnection};
use x11rb::errors::{ConnectError, ReplyError};
use x11rb::protocol::randr::ConnectionExt as _;
use x11rb::protocol::xproto::{ConnectionExt as _, ImageOrder, Setup, Window};
use x11rb::protocol::{composite, composite::ConnectionExt as _, randr, xfixes, xfixes::ConnectionExt as _};
use x11rb::rust_connection::RustConnection;

use crate::error::ScreenError;
use crate::source::{NAME, SCREENS, Source, SourceKind};
use capture::{Area, ScreenCapture, WindowCapture};

/// A connection to an X server.
pub(crate) struct Display {
    connection: RustConnection,
    root: Window,
    whole: Area,
    has_cursor: bool,
    has_composite: bool,
}

/// Either kind of capture.
pub(crate) enum Looking {
    Screen(ScreenCapture),
    Window(WindowCapture),
}

impl crate::Capture for Looking {
    fn kind(&self) -> Option<SourceKind> {
        Some(match self {
            Self::Screen(_) => SourceKind::Screen,
            Self::Window(_) => SourceKind::Window,
        })
    }

    fn grab(&mut self) -> Result<Option<crate::Shot>, ScreenError> {
        match self {
            Self::Screen(screen) => screen.grab(),
            Self::Window(window) => window.grab(),
        }
    }
}

impl Display {
    pub(crate) fn connect(name: Option<&str>) -> Result<Self, ScreenError> {
        let (connection, number) = RustConnection::connect(name).map_err(|error| match error {
            ConnectError::SetupFailed(_) | ConnectError::SetupAuthenticate(_) => ScreenError::NotPermitted,
            _ => ScreenError::NoScreen,
        })?;
        let setup = connection.setup();
        let screen = setup.roots.get(number).ok_or(ScreenError::NoScreen)?;
        if !is_bgrx(setup, screen.root_depth) {
            return Err(ScreenError::Unusable);
        }
        let root = screen.root;
        let whole = Area { x: 0, y: 0, width: screen.width_in_pixels, height: screen.height_in_pixels };
        let has = |name| matches!(connection.extension_information(name), Ok(Some(_)));
        let has_cursor = has(xfixes::X11_EXTENSION_NAME)
            && asked(connection.xfixes_query_version(5, 0), |cookie| cookie.reply()).is_ok();
        let has_composite = has(composite::X11_EXTENSION_NAME)
            && asked(connection.composite_query_version(0, 4), |cookie| cookie.reply())
                .is_ok_and(|version| (version.major_version, version.minor_version) >= (0, 2));
        Ok(Self { connection, root, whole, has_cursor, has_composite })
    }

    pub(crate) fn list(&self) -> Result<Vec<Source>, ScreenError> {
        let monitors = self.monitors()?.into_iter().map(|(number, name, area)| Source {
            id: format!("screen:{number}"),
            kind: SourceKind::Screen,
            name,
            width: area.width.into(),
            height: area.height.into(),
        });
        let mut sources: Vec<Source> = monitors.collect();
        if self.has_composite {
            sources.extend(self.windows()?);
        }
        Ok(sources)
    }

    pub(crate) fn open(self, id: &str) -> Result<Looking, ScreenError> {
        match id.split_once(':') {
            Some(("screen", number)) => {
                let number: u32 = number.parse().map_err(|_| ScreenError::Gone)?;
                Ok(Looking::Screen(ScreenCapture::new(self, number)?))
            }
            Some(("window", number)) if self.has_composite => {
                let window: u32 = number.parse().map_err(|_| ScreenError::Gone)?;
                Ok(Looking::Window(WindowCapture::new(self, window)?))
            }
            _ => Err(ScreenError::Gone),
        }
    }

    /// The monitors by number: name and place. A server without RandR has one.
    fn monitors(&self) -> Result<Vec<(u32, String, Area)>, ScreenError> {
        let has_randr = matches!(self.connection.extension_information(randr::X11_EXTENSION_NAME), Ok(Some(_)));
        let monitors = if has_randr {
            asked(self.connection.randr_get_monitors(self.root, true), |cookie| cookie.reply())
                .map(|reply| reply.monitors)
                .unwrap_or_default()
        } else {
            Vec::new()
        };
        let mut named = Vec::new();
        for (number, monitor) in (0..).zip(monitors.into_iter().take(SCREENS)) {
            let area = Area { x: monitor.x, y: monitor.y, width: monitor.width, height: monitor.height };
            let name = asked(self.connection.get_atom_name(monitor.name), |cookie| cookie.reply())?.name;
            if let Some(area) = area.within(self.whole) {
                named.push((number, title(&name), area));
            }
        }
        if named.is_empty() {
            named.push((0, String::new(), self.whole));
        }
        Ok(named)
    }
}

/// Sends a request and waits for what comes back; a broken connection is a screen that is gone.
fn asked<Cookie, Reply>(
    sent: Result<Cookie, x11rb::errors::ConnectionError>,
    wait: impl FnOnce(Cookie) -> Result<Reply, ReplyError>,
) -> Result<Reply, ScreenError> {
    let cookie = sent.map_err(|_| ScreenError::NoScreen)?;
    wait(cookie).map_err(|error| match error {
        ReplyError::X11Error(_) => ScreenError::Gone,
        ReplyError::ConnectionError(_) => ScreenError::NoScreen,
    })
}

/// Whether pixels of a depth come as blue, green, red and a byte more.
fn is_bgrx(setup: &Setup, depth: u8) -> bool {
    let format = setup.pixmap_formats.iter().find(|format| format.depth == depth);
    let is_wide = format.is_some_and(|format| format.bits_per_pixel == 32);
    matches!(depth, 24 | 32) && is_wide && setup.image_byte_order == ImageOrder::LSB_FIRST
}

/// A name that somebody else wrote, as one short line.
fn title(name: &[u8]) -> String {
    let text = String::from_utf8_lossy(&name[..name.len().min(NAME * 4)]);
    plain::name(&text, NAME).unwrap_or_default()
}
