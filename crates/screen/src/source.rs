//! Screens and windows that can be shown, whatever the window system is called.

use crate::error::ScreenError;
#[cfg(any(target_os = "windows", target_os = "macos"))]
use crate::foreign;
use crate::shot::Shot;
#[cfg(target_os = "linux")]
use crate::{wayland, x11::Display};

/// More screens than this are not listed.
pub(crate) const SCREENS: usize = 16;
/// More windows than this are not listed.
pub(crate) const WINDOWS: usize = 64;
/// Smaller windows are hints and tricks.
pub(crate) const LEAST_SIDE: u16 = 48;
/// The longest name in characters.
pub(crate) const NAME: usize = 200;

/// What kind of thing is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SourceKind {
    /// All of a screen, with everything that comes onto it.
    Screen,
    /// One window, also while others cover it; nothing of the others.
    Window,
    /// What the desktop lets the person choose in a dialog of its own, once this is opened.
    Portal,
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
    /// Pixels in a row; zero while it is not known, as before the person chose.
    pub width: u32,
    /// Rows, or zero.
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
    /// What is looked at; none while the person is still being asked.
    fn kind(&self) -> Option<SourceKind>;

    /// What it looks like now, with the pointer; none while there is nothing new to see, as of a window that is folded away.
    ///
    /// [`ScreenError::Gone`] once the window is closed or the screen unplugged.
    fn grab(&mut self) -> Result<Option<Shot>, ScreenError>;
}

/// The window system that is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Screens {
    /// That of this session.
    #[default]
    Session,
    /// An X display by its name, as `:7`.
    X11(String),
    /// The portal of a Wayland desktop, at the session bus with this address; that of this session without one.
    Portal(Option<String>),
}

#[cfg(target_os = "linux")]
impl Screens {
    /// Names what can be shown now, screens first.
    pub fn list(&self) -> Result<Vec<Source>, ScreenError> {
        match self.system() {
            System::X11(display) => Display::connect(display.as_deref())?.list(),
            System::Portal(bus) => wayland::list(bus),
        }
    }

    /// What a source looks like now, for choosing. It is to be shown to nobody but the person who chooses.
    ///
    /// Of a portal there is none: it would ask the person.
    pub fn preview(&self, id: &str) -> Result<Shot, ScreenError> {
        match self.system() {
            System::X11(display) => Display::connect(display.as_deref())?.open(id)?.grab()?.ok_or(ScreenError::Gone),
            System::Portal(_) => Err(ScreenError::NotChosen),
        }
    }

    /// Looks at a source; a portal asks the person now.
    pub fn open(&self, id: &str) -> Result<Box<dyn Capture>, ScreenError> {
        match self.system() {
            System::X11(display) => Ok(Box::new(Display::connect(display.as_deref())?.open(id)?)),
            System::Portal(bus) => Ok(Box::new(wayland::open(bus, id)?)),
        }
    }

    fn system(&self) -> System {
        match self {
            Self::Session => {
                let is_named = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
                let kind = std::env::var("XDG_SESSION_TYPE").unwrap_or_default();
                if is_wayland(is_named("WAYLAND_DISPLAY"), &kind) { System::Portal(None) } else { System::X11(None) }
            }
            Self::X11(display) => System::X11(Some(display.clone())),
            Self::Portal(bus) => System::Portal(bus.clone()),
        }
    }
}

/// Whom to ask, decided.
#[cfg(target_os = "linux")]
#[derive(Debug, Clone, PartialEq, Eq)]
enum System {
    X11(Option<String>),
    Portal(Option<String>),
}

/// Whether a session's windows are Wayland's. An X server may be there too, but for old programs only: it sees nothing of the others.
#[cfg(target_os = "linux")]
fn is_wayland(has_display: bool, kind: &str) -> bool {
    has_display || kind == "wayland"
}

#[cfg(any(target_os = "windows", target_os = "macos"))]
impl Screens {
    /// Names what can be shown now, screens first.
    pub fn list(&self) -> Result<Vec<Source>, ScreenError> {
        self.only_session()?;
        foreign::list()
    }

    /// What a source looks like now, for choosing. It is to be shown to nobody but the person who chooses.
    pub fn preview(&self, id: &str) -> Result<Shot, ScreenError> {
        self.open(id)?.grab()?.ok_or(ScreenError::Gone)
    }

    /// Looks at a source.
    pub fn open(&self, id: &str) -> Result<Box<dyn Capture>, ScreenError> {
        self.only_session()?;
        Ok(Box::new(foreign::open(id)?))
    }

    /// There are no X servers and no portals here.
    fn only_session(&self) -> Result<(), ScreenError> {
        if *self == Self::Session { Ok(()) } else { Err(ScreenError::NoScreen) }
    }
}

#[cfg(not(any(target_os = "linux", target_os = "windows", target_os = "macos")))]
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

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn the_portal_is_asked_wherever_windows_are_wayland_s_and_what_was_named_is_kept_to() {
        assert!(is_wayland(true, "wayland"));
        assert!(is_wayland(true, ""), "started by hand");
        assert!(is_wayland(false, "wayland"), "a program of X11 in a Wayland session");
        assert!(!is_wayland(false, "x11") && !is_wayland(false, "tty") && !is_wayland(false, ""));
        assert_eq!(Screens::X11(":7".into()).system(), System::X11(Some(":7".into())));
        assert_eq!(Screens::Portal(None).system(), System::Portal(None));
    }

    #[test]
    fn a_portal_is_never_asked_for_a_preview() {
        assert_eq!(Screens::Portal(Some("nowhere".into())).preview("portal"), Err(ScreenError::NotChosen));
    }
}
