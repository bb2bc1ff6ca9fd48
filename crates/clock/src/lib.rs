//! Tells the time to Nodes and runtimes; stories that do not wait for days set it ahead.

use std::time::{SystemTime, UNIX_EPOCH};

/// The time now, in Unix milliseconds.
pub fn now_ms() -> i64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX).saturating_add(ahead_ms())
}

#[cfg(feature = "ahead")]
static AHEAD_MS: std::sync::atomic::AtomicI64 = std::sync::atomic::AtomicI64::new(0);

/// Milliseconds that this process is ahead of the system's clock.
#[cfg(feature = "ahead")]
fn ahead_ms() -> i64 {
    AHEAD_MS.load(std::sync::atomic::Ordering::Relaxed)
}

/// The system's clock is the only one.
#[cfg(not(feature = "ahead"))]
fn ahead_ms() -> i64 {
    0
}

/// Sets the clock of this process ahead by so much.
#[cfg(feature = "ahead")]
pub fn set_ahead(by: std::time::Duration) {
    AHEAD_MS.store(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), std::sync::atomic::Ordering::Relaxed);
}
