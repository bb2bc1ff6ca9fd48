//! The camera thread: takes pictures, shows them to their own person, scales, encodes and hands them to the network.
//!
//! It never waits for the network: a picture that would have to wait is not encoded.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use video::{
    Camera, CameraChoice, CameraError, Encoded, Encoder, Estimate, Ladder, Observation, Picture, Scaler, Setting,
};

use crate::usage::Hold;
use crate::video_track::{CameraState, Shown, VideoNews, VideoPart};

/// How often size and rate are thought about.
const THINK: Duration = Duration::from_millis(100);
/// Our own picture is shown no larger than this.
const OWN: (u32, u32) = (640, 360);
/// Key frames on request come no closer.
const BETWEEN_KEYS: Duration = Duration::from_millis(300);
/// Pictures in a row that may fail before the camera is given up.
const FAILURES: u32 = 30;
/// Tries to say that no more pictures come, and what lies between them.
const GOODBYES: u32 = 10;
const BETWEEN_GOODBYES: Duration = Duration::from_millis(30);
/// Threads of one encoder.
const THREADS: u32 = 2;

/// What is on its way out.
pub(crate) enum VideoOut {
    Frame(FrameOut),
    /// No more pictures come for now; the other side need not wonder.
    Goodbye,
}

/// An encoded picture on its way out.
pub(crate) struct FrameOut {
    pub(crate) frame: Encoded,
    /// When it was taken.
    pub(crate) taken: Instant,
    /// Bits per second that the path carries; packets are spread by it.
    pub(crate) estimate: u32,
}

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
        let work = move || {
            let _hold = hold;
            // A device is let go of before it, or another, is opened.
            if let Some(before) = before {
                let _ = before.join();
            }
            match choice {
                Some(choice) => run(&part, &choice, &stopped),
                None => rest(&part, CameraState::Off),
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

fn rest(part: &VideoPart, state: CameraState) {
    part.own.send_replace(None);
    part.counters.sent_width.store(0, Ordering::Relaxed);
    part.counters.sent_height.store(0, Ordering::Relaxed);
    part.counters.sent_rate.store(0, Ordering::Relaxed);
    part.tell(VideoNews::Camera(state));
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
        rest(part, CameraState::Failed(error));
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
        let studio = studio.get_or_insert_with(|| Studio::new(&picture, taken));
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

/// Everything between a picture and its frame.
struct Studio {
    scaler: Scaler,
    own_scaler: Scaler,
    encoder: Option<Encoder>,
    ladder: Ladder,
    estimate: Estimate,
    setting: Setting,
    thought: Option<Instant>,
    /// Since when pictures were sent without a rest.
    sending_since: Option<Instant>,
    key_at: Option<Instant>,
    last: Instant,
}

impl Studio {
    fn new(picture: &Picture, now: Instant) -> Self {
        Self {
            scaler: Scaler::default(),
            own_scaler: Scaler::default(),
            encoder: None,
            ladder: Ladder::new(picture.width(), picture.height()),
            estimate: Estimate::default(),
            setting: Setting::Rest,
            thought: None,
            sending_since: None,
            key_at: None,
            last: now,
        }
    }

    /// Shows the picture to the person it shows, if somebody looks.
    fn show(&mut self, part: &VideoPart, picture: &Arc<Picture>, at: Instant, number: u64) {
        if part.own.receiver_count() == 0 {
            return;
        }
        let (width, height) = OWN;
        let shown = if picture.width() > width || picture.height() > height {
            match self.own_scaler.scale(picture, width, height) {
                Ok(picture) => Arc::new(picture),
                Err(_) => return,
            }
        } else {
            Arc::clone(picture)
        };
        part.own.send_replace(Some(Shown { picture: shown, number, at }));
    }

    fn send(&mut self, part: &VideoPart, picture: &Picture, taken: Instant, interval: Duration) {
        if !part.shared.gate.is_open() || !part.agreed.load(Ordering::Acquire) {
            return;
        }
        self.think(part, taken);
        let Setting::Send { width, height, bits_per_second: rate } = self.setting else {
            (self.encoder, self.sending_since) = (None, None);
            return;
        };
        self.sending_since.get_or_insert(taken);
        let Ok(permit) = part.out.try_reserve() else { return };
        let shown = taken.saturating_duration_since(self.last).clamp(interval / 2, interval * 8);
        self.last = taken;
        let soon = self.key_at.is_some_and(|at| taken.saturating_duration_since(at) < BETWEEN_KEYS);
        let key = !soon && part.feedback.take_key_wish();
        let Some(frame) = self.encode(picture, (width, height), rate, shown, key) else {
            if key {
                part.feedback.wish_key();
            }
            return;
        };
        if frame.key {
            self.key_at = Some(taken);
        }
        permit.send(VideoOut::Frame(FrameOut { frame, taken, estimate: self.estimate.now() }));
    }

    /// The frame of a picture; none if it is left out.
    fn encode(
        &mut self,
        picture: &Picture,
        (width, height): (u32, u32),
        rate: u32,
        shown: Duration,
        key: bool,
    ) -> Option<Encoded> {
        let mut encoder = match self.encoder.take().filter(|encoder| encoder.size() == (width, height)) {
            Some(mut encoder) => {
                encoder.set_rate(rate).ok()?;
                encoder
            }
            None => Encoder::new(width, height, rate, THREADS).ok()?,
        };
        let scaled = self.scaler.scale(picture, width, height).ok()?;
        let shown_us = u32::try_from(shown.as_micros()).unwrap_or(u32::MAX);
        let frame = encoder.encode(&scaled, shown_us, key).ok()?;
        self.encoder = Some(encoder);
        frame
    }

    /// Looks at what the path says, now and then.
    fn think(&mut self, part: &VideoPart, now: Instant) {
        let passed = self.thought.map(|at| now.saturating_duration_since(at));
        if passed.is_some_and(|passed| passed < THINK) {
            return;
        }
        self.thought = Some(now);
        let counters = &part.counters;
        let round_trip_us = part.shared.round_trip_us.load(Ordering::Relaxed);
        let now_ms = part.ms(now);
        let (arrived, silent_ms) =
            part.feedback.arrivals(|arrivals| (arrivals.look(now_ms), arrivals.silent_ms(now_ms)));
        // Before we sent anything, there was nothing to report.
        let sending_ms = self.sending_since.map(|since| part.ms(now).saturating_sub(part.ms(since)));
        let seen = Observation {
            arrived,
            silent_ms: silent_ms.zip(sending_ms).map(|(silent, sending)| silent.min(sending)),
            lost_permille: part.feedback.take_lost_permille(),
            round_trip_ms: Some(round_trip_us / 1_000).filter(|ms| *ms > 0),
        };
        let estimate = self.estimate.observe(now_ms, seen);
        self.setting = self.ladder.choose(now_ms, estimate);
        let (width, height, rate) = match self.setting {
            Setting::Send { width, height, bits_per_second } => (width, height, bits_per_second),
            Setting::Rest => (0, 0, 0),
        };
        counters.estimate.store(estimate, Ordering::Relaxed);
        counters.sent_width.store(width, Ordering::Relaxed);
        counters.sent_height.store(height, Ordering::Relaxed);
        counters.sent_rate.store(rate, Ordering::Relaxed);
    }
}
