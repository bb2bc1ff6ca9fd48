//! The thread that sends one of our pictures: how it begins after the one before it, and what it says at its end.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::usage::Hold;
use crate::video_studio::VideoOut;
use crate::video_track::VideoPart;

/// Tries to say that no more pictures come, and what lies between them.
const GOODBYES: u32 = 10;
const BETWEEN_GOODBYES: Duration = Duration::from_millis(30);

pub(crate) struct SendingThread {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl SendingThread {
    /// Starts it. What was sent before is let go of first: a device is opened by one at a time.
    pub(crate) fn start(
        name: &str,
        before: Option<JoinHandle<()>>,
        hold: Hold,
        work: impl FnOnce(&AtomicBool) + Send + 'static,
    ) -> Option<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let all = move || {
            let _hold = hold;
            priority::pictures();
            if let Some(before) = before {
                let _ = before.join();
            }
            work(&stopped);
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(all).ok()?;
        Some(Self { stop, thread })
    }

    /// Asks it to end; gives what to wait for.
    pub(crate) fn stop(self) -> JoinHandle<()> {
        self.stop.store(true, Ordering::Release);
        self.thread
    }
}

/// Notes that nothing is sent.
pub(crate) fn rest(part: &VideoPart) {
    part.own.send_replace(None);
    part.counters.sent_width.store(0, Ordering::Relaxed);
    part.counters.sent_height.store(0, Ordering::Relaxed);
    part.counters.sent_rate.store(0, Ordering::Relaxed);
}

/// Tells the other side that no more pictures come.
pub(crate) fn say_goodbye(part: &VideoPart) {
    // The last frames may still wait; without a goodbye the other side finds out by itself, only later.
    for _ in 0..GOODBYES {
        if !part.agreed.load(Ordering::Acquire) || part.out.try_send(VideoOut::Goodbye).is_ok() {
            return;
        }
        std::thread::sleep(BETWEEN_GOODBYES);
    }
}
