//! Everything between a picture and its frame: size, rate, and when it is left out.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use video::{Codec, Content, Encoded, Encoder, Ladder, Picture, Scaler, Setting};

use crate::video_track::{Shown, VideoPart, Which};

/// Our own picture is shown no larger than this.
const OWN: (u32, u32) = (640, 360);
/// Key frames on request come no closer.
const BETWEEN_KEYS: Duration = Duration::from_millis(300);
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

pub(crate) struct Studio {
    which: Which,
    scaler: Scaler,
    own_scaler: Scaler,
    encoder: Option<Encoder>,
    /// The size of the pictures that the ladder is for.
    size: (u32, u32),
    ladder: Ladder,
    setting: Setting,
    key_at: Option<Instant>,
    last: Instant,
}

impl Studio {
    pub(crate) fn new(which: Which, picture: &Picture, now: Instant) -> Self {
        let size = (picture.width(), picture.height());
        Self {
            which,
            scaler: Scaler::default(),
            own_scaler: Scaler::default(),
            encoder: None,
            size,
            ladder: ladder(which, size),
            setting: Setting::Rest,
            key_at: None,
            last: now,
        }
    }

    /// Shows the picture to the person it shows, if somebody looks.
    pub(crate) fn show(&mut self, part: &VideoPart, picture: &Arc<Picture>, at: Instant, number: u64) {
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

    /// Pictures in a second that are of use now.
    pub(crate) fn pictures(&self) -> u32 {
        match self.setting {
            Setting::Send { pictures, .. } => pictures,
            Setting::Rest => 5,
        }
    }

    /// Encodes a picture and hands it to the network; says whether it did.
    pub(crate) fn send(&mut self, part: &VideoPart, picture: &Picture, taken: Instant, interval: Duration) -> bool {
        if !part.shared.gate.is_open() || !part.agreed.load(Ordering::Acquire) {
            return false;
        }
        let Some((_, codec)) = part.format() else { return false };
        let size = largest(codec, (picture.width(), picture.height()));
        if self.which == Which::Screen && size != self.size {
            (self.size, self.ladder) = (size, ladder(self.which, size));
        }
        let estimate = self.think(part, taken);
        let Setting::Send { width, height, bits_per_second: rate, .. } = self.setting else {
            self.encoder = None;
            part.path.rests();
            return false;
        };
        let Ok(permit) = part.out.try_reserve() else { return false };
        let shown = taken.saturating_duration_since(self.last).clamp(interval / 2, interval * 8);
        let soon = self.key_at.is_some_and(|at| taken.saturating_duration_since(at) < BETWEEN_KEYS);
        let key = !soon && part.stream().take_key_wish();
        self.last = taken;
        let Some(frame) = self.encode(codec, picture, (width, height), rate, shown, key) else {
            if key {
                part.stream().wish_key();
            }
            return false;
        };
        if frame.key {
            self.key_at = Some(taken);
        }
        part.path.sent(taken);
        permit.send(VideoOut::Frame(FrameOut { frame, taken, estimate }));
        true
    }

    /// The frame of a picture; none if it is left out.
    fn encode(
        &mut self,
        codec: &Codec,
        picture: &Picture,
        size: (u32, u32),
        rate: u32,
        shown: Duration,
        key: bool,
    ) -> Option<Encoded> {
        let content = match self.which {
            Which::Camera => Content::Camera,
            Which::Screen => Content::Screen,
        };
        let mut encoder = match self.encoder.take().filter(|encoder| encoder.size() == size) {
            Some(mut encoder) => {
                encoder.set_rate(rate).ok()?;
                encoder
            }
            None => Encoder::new(codec, content, size, rate, THREADS).ok()?,
        };
        let scaled = self.scaler.scale(picture, size.0, size.1).ok()?;
        let shown_us = u32::try_from(shown.as_micros()).unwrap_or(u32::MAX);
        let frame = encoder.encode(&scaled, shown_us, key).ok()?;
        self.encoder = Some(encoder);
        frame
    }

    /// Chooses size and rate for what the path carries; gives that.
    fn think(&mut self, part: &VideoPart, now: Instant) -> u32 {
        let (estimate, shares) = part.path.think(&part.shared, &part.feedback, now);
        let budget = match self.which {
            Which::Camera => shares.camera,
            Which::Screen => shares.screen,
        };
        self.setting = self.ladder.choose_within(part.ms(now), budget);
        let (width, height, rate) = match self.setting {
            Setting::Send { width, height, bits_per_second, .. } => (width, height, bits_per_second),
            Setting::Rest => (0, 0, 0),
        };
        let counters = &part.counters;
        counters.estimate.store(estimate, Ordering::Relaxed);
        counters.sent_width.store(width, Ordering::Relaxed);
        counters.sent_height.store(height, Ordering::Relaxed);
        counters.sent_rate.store(rate, Ordering::Relaxed);
        estimate
    }
}

/// The size that pictures have at most: their own, or as much of it as the codec allows. A picture that stands upright may be
/// as high as one that lies is wide.
fn largest(codec: &Codec, (width, height): (u32, u32)) -> (u32, u32) {
    let Some((wide, high)) = codec.most() else { return (width, height) };
    let most = if height > width { (high, wide) } else { (wide, high) };
    video::fitting(width, height, most).unwrap_or((width, height))
}

fn ladder(which: Which, (width, height): (u32, u32)) -> Ladder {
    match which {
        Which::Camera => Ladder::new(width, height),
        Which::Screen => Ladder::for_screen(width, height),
    }
}
