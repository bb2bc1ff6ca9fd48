//! Carries notices to the desktop's notification server, and what people do with them back.
//!
//! On Linux that is `org.freedesktop.Notifications` on the session bus (Desktop Notifications Specification 1.2, and
//! the inline replies that KDE added to it). On other systems there is none yet, and [`Desktop::connect`] says so.

#[cfg(target_os = "linux")]
mod freedesktop;
#[cfg(target_os = "linux")]
pub use freedesktop::Desktop;

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(not(target_os = "linux"))]
pub use elsewhere::Desktop;

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
    /// Nobody serves notifications, or who does refused or took too long.
    #[error("the notification server did not answer")]
    Server(#[source] BusError),
}

/// What the library of the bus says.
pub type BusError = Box<dyn std::error::Error + Send + Sync>;
