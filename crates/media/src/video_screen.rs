//! The thread that sends what is shown of a screen in one call: when it changed, and now and then when it did not.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use video::Picture;

use crate::share::{ScreenShare, Seen};
use crate::video_sending::{rest, say_goodbye};
use crate::video_studio::Studio;
use crate::video_track::{VideoPart, Which};

/// How often it is looked whether there is something to send.
const LOOK: Duration = Duration::from_millis(20);
/// After a change so many frames more are sent: each makes the letters sharper.
const REFINEMENTS: u32 = 8;
/// What does not change is sent again after so long, so that both sides know that it still comes.
const AGAIN: Duration = Duration::from_secs(2);

/// Sends what is shown until it is to stop; without a share it only says that there is nothing.
pub(crate) fn work(part: &VideoPart, share: Option<ScreenShare>, stop: &AtomicBool) {
    if let Some(share) = share {
        send(part, &share, stop);
    }
    rest(part);
    // Whoever comes after this shows something else.
    if !stop.load(Ordering::Acquire) {
        part.path.switch(Which::Screen, false);
        say_goodbye(part);
    }
}

fn send(part: &VideoPart, share: &ScreenShare, stop: &AtomicBool) {
    let mut studio: Option<Studio> = None;
    let (mut known, mut left, mut last) = (0, 0, None::<Instant>);
    let mut picture: Option<Arc<Picture>> = None;
    while !stop.load(Ordering::Acquire) && !part.shared.is_stopping() {
        match share.now() {
            Seen::Picture { picture: newest, number } if number != known => {
                (known, left, picture) = (number, REFINEMENTS, Some(newest));
            }
            Seen::Ended(_) => return,
            _ => {}
        }
        let now = Instant::now();
        if let Some(picture) = &picture {
            let studio = studio.get_or_insert_with(|| Studio::new(Which::Screen, picture, now));
            let interval = Duration::from_secs(1) / studio.pictures().max(1);
            let passed = last.map(|last| now.saturating_duration_since(last));
            let is_time = passed.is_none_or(|passed| passed >= interval);
            let is_wanted = left > 0 || part.stream().wants_key() || passed.is_none_or(|passed| passed >= AGAIN);
            if is_time && is_wanted {
                // What was left out for the rate counts as a try; what could not leave is tried again.
                last = Some(now);
                if studio.send(part, picture, now, interval) {
                    left = left.saturating_sub(1);
                }
            }
        }
        std::thread::sleep(LOOK);
    }
}
