//! Why a screen cannot be shown.

/// Why there is nothing to show.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ScreenError {
    /// This device has no screen that programs may look at, or it went.
    #[error("there is no screen")]
    NoScreen,
    /// The system does not let us.
    #[error("the system does not permit looking at the screen")]
    NotPermitted,
    /// A Wayland session: only its portal shows screens, and there is none, or it does not answer.
    #[error("the session has no portal for screens")]
    NoPortal,
    /// The portal agreed, but PipeWire, which carries the pictures, is not there or went.
    #[error("PipeWire does not carry the pictures of the screen")]
    NoPipeWire,
    /// The person was asked by the desktop and chose nothing.
    #[error("nothing was chosen")]
    NotChosen,
    /// The window was closed, or the screen was unplugged.
    #[error("what was shown is not there any more")]
    Gone,
    /// It gives pixels in a form, or in a number, that we do not take.
    #[error("the screen gives no usable picture")]
    Unusable,
}

impl ScreenError {
    /// A word that stays the same.
    pub fn code(self) -> &'static str {
        match self {
            Self::NoScreen => "no-screen",
            Self::NotPermitted => "screen-not-permitted",
            Self::NoPortal => "screen-no-portal",
            Self::NoPipeWire => "screen-no-pipewire",
            Self::NotChosen => "screen-not-chosen",
            Self::Gone => "screen-gone",
            Self::Unusable => "screen-unusable",
        }
    }
}
