//! Screens and windows of Windows and macOS, through a library that knows both.
//!
//! Each look is a picture of its own, taken when it is asked for; the pointer is not in it. A window is read from the window system's own
//! copy, so that what covers it is not shown.

use xcap::{Monitor, Window, XCapError};

use crate::error::ScreenError;
use crate::shot::Shot;
use crate::source::{Capture, LEAST_SIDE, NAME, SCREENS, Source, SourceKind, WINDOWS};

/// What can be shown now, screens first.
pub(crate) fn list() -> Result<Vec<Source>, ScreenError> {
    permitted()?;
    let screens = Monitor::all().map_err(|error| reason(&error))?;
    let mut sources: Vec<Source> = screens.iter().take(SCREENS).filter_map(|screen| screen_of(screen).ok()).collect();
    if sources.is_empty() {
        return Err(ScreenError::NoScreen);
    }
    let own = std::process::id();
    let windows = Window::all().map_err(|error| reason(&error))?;
    // One that closes meanwhile is left out, and so is our own.
    let others = windows.iter().filter(|window| window.pid().is_ok_and(|pid| pid != own));
    sources.extend(others.filter_map(|window| window_of(window).ok().flatten()).take(WINDOWS));
    Ok(sources)
}

/// Looks at a source by the name it was listed with.
pub(crate) fn open(id: &str) -> Result<Looking, ScreenError> {
    permitted()?;
    let (kind, number) = id.split_once(':').ok_or(ScreenError::Gone)?;
    let number: u32 = number.parse().map_err(|_| ScreenError::Gone)?;
    match kind {
        "screen" => {
            let screens = Monitor::all().map_err(|error| reason(&error))?;
            let found = screens.into_iter().find(|screen| screen.id().is_ok_and(|id| id == number));
            Ok(Looking::Screen(found.ok_or(ScreenError::Gone)?))
        }
        "window" => Ok(Looking::Window(window(number)?)),
        _ => Err(ScreenError::Gone),
    }
}

/// One source that is looked at.
pub(crate) enum Looking {
    Screen(Monitor),
    Window(Window),
}

impl Capture for Looking {
    fn kind(&self) -> Option<SourceKind> {
        Some(match self {
            Self::Screen(_) => SourceKind::Screen,
            Self::Window(_) => SourceKind::Window,
        })
    }

    fn grab(&mut self) -> Result<Option<Shot>, ScreenError> {
        let image = match self {
            Self::Screen(screen) => screen.capture_image(),
            // The window system knows its size and whether it is there only when it is asked anew.
            Self::Window(known) => {
                let number = known.id().map_err(|_| ScreenError::Gone)?;
                *known = window(number)?;
                if known.is_minimized().unwrap_or(false) {
                    return Ok(None);
                }
                known.capture_image()
            }
        };
        let image = image.map_err(|error| reason(&error))?;
        let (width, height) = image.dimensions();
        Shot::from_rgba(width, height, image.into_raw()).map(Some)
    }
}

fn window(number: u32) -> Result<Window, ScreenError> {
    let windows = Window::all().map_err(|error| reason(&error))?;
    windows.into_iter().find(|window| window.id().is_ok_and(|id| id == number)).ok_or(ScreenError::Gone)
}

fn screen_of(screen: &Monitor) -> Result<Source, XCapError> {
    let name = screen.friendly_name().or_else(|_| screen.name()).unwrap_or_default();
    Ok(Source {
        id: format!("screen:{}", screen.id()?),
        kind: SourceKind::Screen,
        name: plain::name(&name, NAME).unwrap_or_default(),
        width: screen.width()?,
        height: screen.height()?,
    })
}

/// A window that is there to be looked at.
fn window_of(window: &Window) -> Result<Option<Source>, XCapError> {
    let (width, height) = (window.width()?, window.height()?);
    let title = window.title()?;
    let name = if title.trim().is_empty() { window.app_name()? } else { title };
    let Some(name) = plain::name(&name, NAME) else { return Ok(None) };
    if window.is_minimized()? || width.min(height) < u32::from(LEAST_SIDE) || name.is_empty() {
        return Ok(None);
    }
    Ok(Some(Source { id: format!("window:{}", window.id()?), kind: SourceKind::Window, name, width, height }))
}

/// Whether the system lets us. Where it does not yet, macOS asks the person once, and tells them where it is allowed later.
#[cfg(target_os = "macos")]
fn permitted() -> Result<(), ScreenError> {
    use objc2_core_graphics::{CGPreflightScreenCaptureAccess, CGRequestScreenCaptureAccess};
    // Without it there would be pictures, of the desktop's background and of our own windows.
    if CGPreflightScreenCaptureAccess() || CGRequestScreenCaptureAccess() {
        return Ok(());
    }
    Err(ScreenError::NotPermitted)
}

/// Windows lets every program look.
#[cfg(target_os = "windows")]
fn permitted() -> Result<(), ScreenError> {
    Ok(())
}

fn reason(error: &XCapError) -> ScreenError {
    tracing::debug!(%error, "the window system refuses");
    match error {
        XCapError::NotSupported => ScreenError::NoScreen,
        _ => ScreenError::Unusable,
    }
}
