//! The camera thread: takes pictures, shows them to their own person, scales, encodes and hands them to the network.
//!
//! It never waits for the network: a picture that would have to wait is not encoded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use video::{Camera, CameraChoice, CameraError};

use crate::video_sending::{rest, say_goodbye};
use crate::video_studio::Studio;
use crate::video_track::{CameraState, VideoNews, VideoPart, Which};

/// Pictures in a row that may fail before the camera is given up.
const FAILURES: u32 = 30;

/// Sends what a camera gives until it is to stop; with no choice it only says that there is nothing.
pub(crate) fn work(part: &VideoPart, choice: Option<CameraChoice>, stop: &AtomicBool) {
    match choice {
        Some(choice) => run(part, &choice, stop),
        None => end(part, CameraState::Off),
    }
}

fn end(part: &VideoPart, state: CameraState) {
    rest(part);
    part.tell(VideoNews::Camera(state));
    say_goodbye(part);
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
