//! Priorities of Windows and macOS, by the levels that they have for a thread.
//!
//! Threads of devices are not started by us there: the system's own audio gives them what they need.

use thread_priority::{ThreadPriority, ThreadPriorityValue, set_current_thread_priority};

/// Of 100: what is normal is about 50 on both.
const FIRST: u8 = 90;
const BEHIND: u8 = 30;

pub(crate) fn voice() {
    set(FIRST);
}

pub(crate) fn pictures() {
    set(BEHIND);
}

fn set(level: u8) {
    if let Ok(level) = ThreadPriorityValue::try_from(level) {
        // Whoever may not do this is heard as before.
        let _ = set_current_thread_priority(ThreadPriority::Crossplatform(level));
    }
}
