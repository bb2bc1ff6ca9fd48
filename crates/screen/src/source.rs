//! Screens and windows that can be shown, whatever the window system is called.

use crate::error::ScreenError;
use crate::shot::Shot;

/// What kind of thing is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// All of a screen, with everything that comes onto it.
    Screen,
    /// One window, also while others cover it; nothing of the others.
    Window,
}

/// Something that can be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Source {
    /// Names it while it is there.
    pub id: String,
    /// What kind.
    pub kind: SourceKind,
    /// What people call it: a monitor's connector, a window's title. At most 200 characters, none of them a control.
    pub name: String,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

// A window's title is private.
impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Source").field("id", &self.id).field("kind", &self.kind).finish_non_exhaustive()
    }
}

/// Somebody who looks at one source again and again. Opened, used and dropped on one thread.
pub trait Capture {
    /// What it looks like now, with the pointer; none while there is nothing new to see, as of a window that is folded away.
    ///
    /// [`ScreenError::Gone`] once the window is closed or the screen unplugged.
    fn grab(&mut self) -> Result<Option<Shot>, ScreenError>;
}

/// The window system of this session.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Screens {
    /// An X display by its name, as `:7`; that of the environment if there is none.
    pub display: Option<String>,
}

#[cfg(target_os = "linux")]
impl Screens {
    /// Names what can be shown now, screens first.
    pub fn list(&self) -> Result<Vec<Source>, ScreenError> {
        self.x11()?.list()
    }

    /// What a source looks like now, for choosing. It is to be shown to nobody but the person who chooses.
    pub fn preview(&self, id: &str) -> Result<Shot, ScreenError> {
        self.open(id)?.grab()?.ok_or(ScreenError::Gone)
    }

    /// Looks at a source.
    pub fn open(&self, id: &str) -> Result<Box<dyn Capture>, ScreenError> {
        Ok(Box::new(self.x11()?.open(id)?))
    }

    fn x11(&self) -> Result<crate::x11::Display, ScreenError> {
        // Under Wayland an X server is there for old programs only: it would show a black screen.
        let is_wayland = std::env::var_os("WAYLAND_DISPLAY").is_some_and(|name| !name.is_empty());
        if self.display.is_none() && is_wayland {
            return Err(ScreenError::NoPortal);
        }
        crate::x11::Display::connect(self.display.as_deref())
    }
}

#[cfg(not(target_os = "linux"))]
impl Screens {
    /// Names what can be shown now, screens first.
    pub fn list(&self) -> Result<Vec<Source>, ScreenError> {
        Err(ScreenError::NoScreen)
    }

    /// What a source looks like now, for choosing.
    pub fn preview(&self, _id: &str) -> Result<Shot, ScreenError> {
        Err(ScreenError::NoScreen)
    }

    /// Looks at a source.
    pub fn open(&self, _id: &str) -> Result<Box<dyn Capture>, ScreenError> {
        Err(ScreenError::NoScreen)
    }
}
