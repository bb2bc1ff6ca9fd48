//! Tells the system which of our threads go first when there is not enough of the processor for all.
//!
//! A voice thread that is late is heard at once, a picture that is late hardly seen; so voice goes before everything
//! else, and pictures behind it. None becomes a real-time thread: one that runs wild would stop the whole computer,
//! and the system's guard against that ends the program.

#[cfg(target_os = "linux")]
mod linux;
#[cfg(target_os = "linux")]
use linux as system;

#[cfg(not(target_os = "linux"))]
mod other;
#[cfg(not(target_os = "linux"))]
use other as system;

/// Puts the calling thread, and those that it starts from now on, before all that is not heard.
///
/// What the system does not permit stays as it was.
pub fn voice() {
    system::voice();
}

/// Puts the calling thread, and on Linux those that it starts from now on, behind what is heard or clicked on.
pub fn pictures() {
    system::pictures();
}
