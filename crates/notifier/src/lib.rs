//! Carries notices to the desktop's notification server, and what people do with them back.
//!
//! On Linux that is `org.freedesktop.Notifications` on the session bus (Desktop Notifications Specification 1.2, and
//! the inline replies that KDE added to it). On macOS and Windows it is the system's notification centre: each is a
//! thin `Center`, and what both have in common runs in the tests of every system.

#[cfg(any(target_os = "linux", target_os = "macos", target_os = "windows"))]
mod action;

#[cfg(target_os = "linux")]
mod freedesktop;
#[cfg(target_os = "linux")]
pub use freedesktop::Desktop;

#[cfg(any(target_os = "macos", target_os = "windows", test))]
mod center;
#[cfg(any(target_os = "windows", test))]
mod toast;

#[cfg(target_os = "macos")]
mod macos;
#[cfg(target_os = "macos")]
pub use macos::Desktop;

#[cfg(target_os = "windows")]
mod windows;
#[cfg(target_os = "windows")]
pub use self::windows::Desktop;

#[cfg(not(any(target_os = "linux", target_os = "macos", target_os = "windows")))]
mod elsewhere;
#[cfg(not(any(target_os = "linux", target_os = "macos", target_os = "windows")))]
pub use elsewhere::Desktop;

#[cfg(test)]
mod stories;

/// Answers that may wait for the app; more are dropped, for a person presses slower.
pub const ANSWERS_LIMIT: usize = 64;

/// Why nothing could be shown.
#[derive(Debug, thiserror::Error)]
pub enum NotifierError {
    /// No bus of the session can be reached.
    #[error("there is no session bus")]
    NoBus {
        /// What the bus's library says; none on systems without one.
        #[source]
        source: Option<BusError>,
    },
    /// The person, or who keeps this computer, does not let the app show notices.
    #[error("the system does not let this app show notices")]
    NotAllowed,
    /// The system knows no app of this name, as when it runs from where it was built.
    #[error("the system does not know this app, which has to be installed to show notices")]
    NotInstalled,
    /// Nobody serves notifications, or who does refused or took too long.
    #[error("the notification server did not answer")]
    Server(#[source] BusError),
}

/// What the library of the bus, or the system, says.
pub type BusError = Box<dyn std::error::Error + Send + Sync>;
