//! The camera thread: takes pictures, shows them to their own person, scales, encodes and hands them to the network.
//!
//! It never waits for the network: a picture that would have to wait is not encoded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use video::{Camera, CameraChoice, CameraError};

use crate::usage::Hold;
use crate::video_studio::{Studio, VideoOut};
use crate::video_track::{CameraState, VideoNews, VideoPart, Which};

/// Pictures in a row that may fail before the camera is given up.
const FAILURES: u32 = 30;
/// Tries to say that no more pictures come, and what lies between them.
const GOODBYES: u32 = 10;
const BETWEEN_GOODBYES: Duration = Duration::from_millis(30);

pub(crate) struct CameraThread {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

impl CameraThread {
    /// Starts it; with no choice it only ends what was before, and says so.
    pub(crate) fn start(
        part: Arc<VideoPart>,
        choice: Option<CameraChoice>,
        before: Option<JoinHandle<()>>,
        hold: Hold,
    ) -> Option<Self> {
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        part.path.switch(Which::Camera, choice.is_some());
        let work = move || {
            let _hold = hold;
            // A device is let go of before it, or another, is opened.
            if let Some(before) = before {
                let _ = before.join();
            }
            match choice {
                Some(choice) => run(&part, &choice, &stopped),
                None => end(&part, CameraState::Off),
            }
        };
        let thread = std::thread::Builder::new().name("camera".to_owned()).spawn(work).ok()?;
        Some(Self { stop, thread })
    }

    /// Asks it to end; gives what to wait for.
    pub(crate) fn stop(self) -> JoinHandle<()> {
        self.stop.store(true, Ordering::Release);
        self.thread
    }
}

fn end(part: &VideoPart, state: CameraState) {
    rest(part);
    part.tell(VideoNews::Camera(state));
    say_goodbye(part);
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

fn run(part: &VideoPart, choice: &CameraChoice, stop: &AtomicBool) {
    let failed = match video::open(choice) {
        Ok(camera) => film(part, camera, stop).err(),
        Err(error) => Some(error),
    };
    if let Some(error) = failed {
        tracing::info!(code = error.code(), "the camera gives no picture");
        part.path.switch(Which::Camera, false);
        end(part, CameraState::Failed(error));
    }
}

fn film(part: &VideoPart, mut camera: Box<dyn Camera>, stop: &AtomicBool) -> Result<(), CameraError> {
    part.tell(VideoNews::Camera(CameraState::On { name: camera.name().to_owned() }));
    let interval = camera.interval();
    let mut next = Instant::now();
    let (mut studio, mut failures, mut number) = (None, 0, 0);
    while !stop.load(Ordering::Acquire) && !part.shared.is_stopping() {
        let picture = match camera.grab() {
            Ok(picture) => Arc::new(picture),
            // A picture that came broken is not yet a broken camera.
            Err(CameraError::Unusable) if failures < FAILURES => {
                failures += 1;
                std::thread::sleep(interval);
                continue;
            }
            Err(error) => return Err(error),
        };
        failures = 0;
        let taken = Instant::now();
        let studio = studio.get_or_insert_with(|| Studio::new(Which::Camera, &picture, taken));
        number += 1;
        studio.show(part, &picture, taken, number);
        studio.send(part, &picture, taken, interval);
        if !camera.paces_itself() {
            next = (next + interval).max(Instant::now());
            std::thread::sleep(next.saturating_duration_since(Instant::now()));
        }
    }
    Ok(())
}
