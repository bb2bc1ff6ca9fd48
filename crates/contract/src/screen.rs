//! Showing a screen in a call: what can be shown, and what is.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Something that can be shown in a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct ScreenSource {
    /// Names it until the next list.
    pub id: String,
    /// What kind.
    pub kind: ScreenKind,
    /// A window's title, or what the system calls a screen; may be empty.
    pub name: String,
    /// Pixels from side to side; zero while it is not known.
    pub width: u32,
    /// Pixels from top to bottom, or zero.
    pub height: u32,
    /// What it looks like, small: base64 of a JPEG. `null` if it could not be had.
    pub preview: Option<String>,
}

/// What kind of thing is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum ScreenKind {
    /// All of a screen.
    Screen,
    /// One window.
    Window,
    /// What the desktop lets the person choose in a dialog of its own, as on Wayland.
    Portal,
}

/// What we show of our screen.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(tag = "at", rename_all = "kebab-case")]
pub enum ShareView {
    /// Nothing.
    #[default]
    Off,
    /// Something.
    On {
        /// What kind.
        kind: ScreenKind,
        /// Its name, may be empty.
        name: String,
    },
    /// Nothing any more, and not because somebody here ended it.
    Ended {
        /// `screen-gone`, `no-screen`, `screen-no-pipewire` or `screen-unusable`.
        code: String,
    },
}
