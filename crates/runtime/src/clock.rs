//! How far the clock of the runtimes in this process is ahead: nothing, but in stories that do not wait for days.

#[cfg(feature = "clock")]
use std::sync::atomic::{AtomicI64, Ordering};

#[cfg(feature = "clock")]
static AHEAD_MS: AtomicI64 = AtomicI64::new(0);

/// Milliseconds that every runtime of this process is ahead of the system's clock.
#[cfg(feature = "clock")]
pub(crate) fn ahead_ms() -> i64 {
    AHEAD_MS.load(Ordering::Relaxed)
}

/// The system's clock is the only one.
#[cfg(not(feature = "clock"))]
pub(crate) fn ahead_ms() -> i64 {
    0
}

/// Sets the clock of every runtime in this process ahead by so much.
#[cfg(feature = "clock")]
pub fn set_ahead(by: std::time::Duration) {
    AHEAD_MS.store(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::Relaxed);
}
