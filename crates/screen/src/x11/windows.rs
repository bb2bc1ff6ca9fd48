//! The windows that people see: those of the window manager's list, or the root's own children without one.

use x11rb::protocol::xproto::{Atom, AtomEnum, ConnectionExt as _, MapState, Window, WindowClass};

use super::{Display, asked, title};
use crate::error::ScreenError;
use crate::source::{LEAST_SIDE, Source, SourceKind, WINDOWS};

/// Words (4 bytes) of a name that are read.
const NAME_WORDS: u32 = 200;

impl Display {
    /// What people call windows, the topmost first.
    pub(super) fn windows(&self) -> Result<Vec<Source>, ScreenError> {
        let mut sources = Vec::new();
        for window in self.candidates()? {
            if sources.len() == WINDOWS {
                break;
            }
            // One that closes meanwhile is left out.
            match self.window(window) {
                Ok(source) => sources.extend(source),
                Err(ScreenError::Gone) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(sources)
    }

    /// From top to bottom.
    fn candidates(&self) -> Result<Vec<Window>, ScreenError> {
        for list in [&b"_NET_CLIENT_LIST_STACKING"[..], b"_NET_CLIENT_LIST"] {
            let list = self.atom(list)?;
            let reply =
                asked(self.connection.get_property(false, self.root, list, AtomEnum::WINDOW, 0, 1_024), |cookie| {
                    cookie.reply()
                })?;
            let mut windows: Vec<Window> = reply.value32().into_iter().flatten().collect();
            if !windows.is_empty() {
                windows.reverse();
                return Ok(windows);
            }
        }
        let mut children = asked(self.connection.query_tree(self.root), |cookie| cookie.reply())?.children;
        children.reverse();
        children.truncate(1_024);
        Ok(children)
    }

    /// A window that is there to be looked at.
    fn window(&self, window: Window) -> Result<Option<Source>, ScreenError> {
        let attributes = asked(self.connection.get_window_attributes(window), |cookie| cookie.reply())?;
        let is_seen = attributes.map_state == MapState::VIEWABLE
            && attributes.class == WindowClass::INPUT_OUTPUT
            && !attributes.override_redirect;
        let size = asked(self.connection.get_geometry(window), |cookie| cookie.reply())?;
        let name = self.name(window)?;
        if !is_seen || size.width < LEAST_SIDE || size.height < LEAST_SIDE || name.is_empty() {
            return Ok(None);
        }
        Ok(Some(Source {
            id: format!("window:{window}"),
            kind: SourceKind::Window,
            name,
            width: size.width.into(),
            height: size.height.into(),
        }))
    }

    fn name(&self, window: Window) -> Result<String, ScreenError> {
        for property in [self.atom(b"_NET_WM_NAME")?, AtomEnum::WM_NAME.into()] {
            let reply =
                asked(self.connection.get_property(false, window, property, AtomEnum::ANY, 0, NAME_WORDS), |cookie| {
                    cookie.reply()
                })?;
            let name = title(&reply.value);
            if !name.is_empty() {
                return Ok(name);
            }
        }
        Ok(String::new())
    }

    fn atom(&self, name: &[u8]) -> Result<Atom, ScreenError> {
        Ok(asked(self.connection.intern_atom(false, name), |cookie| cookie.reply())?.atom)
    }
}
