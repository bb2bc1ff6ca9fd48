//! Sounds that are not the peer's: ringing, ringing there, busy, lost.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use call::Tone;

use crate::config::Speaker;
use crate::device::DeviceState;
use crate::sink::Sink;
use crate::usage::{Held, Usage};
use crate::{BLOCK, SAMPLE_RATE};

const TICK: Duration = Duration::from_millis(10);
const LOUDNESS: f32 = 0.2;
/// Samples over which a tone fades in and out, so that it does not click.
const FADE: f32 = 480.0;

/// What can be played.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sound {
    Tone(Tone),
    /// Three notes going up, to try a speaker with.
    Tune,
}

/// Plays a tone until it is dropped.
pub struct TonePlayer {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
    state: Arc<Mutex<Option<DeviceState>>>,
}

impl TonePlayer {
    pub(crate) fn start(sound: Sound, speaker: &Speaker, usage: &Arc<Usage>) -> Self {
        // A recording is of what people say.
        let speaker = if let Speaker::Wav(_) = speaker { Speaker::Null } else { speaker.clone() };
        let stop = Arc::new(AtomicBool::new(false));
        let state = Arc::new(Mutex::new(None));
        let told = Arc::clone(&state);
        let (hold, usage, stopping) = (usage.hold(Held::Thread), Arc::clone(usage), Arc::clone(&stop));
        let play = move || {
            let _hold = hold;
            let mut sink = Sink::open(&speaker, None, &usage, Instant::now());
            let mut at = 0;
            while !stopping.load(Ordering::Acquire) {
                let now = Instant::now();
                while let Some(news) = sink.news(now) {
                    *told.lock().expect("no holder of this lock can panic") = Some(news);
                }
                while sink.wants(now) {
                    sink.write(&std::array::from_fn::<_, BLOCK, _>(|n| sample(sound, at + n)));
                    at += BLOCK;
                }
                std::thread::park_timeout(TICK);
            }
        };
        Self { stop, state, thread: std::thread::Builder::new().name("tone".to_owned()).spawn(play).ok() }
    }
}

impl TonePlayer {
    /// How the speaker is, once that is known.
    pub fn state(&self) -> Option<DeviceState> {
        self.state.lock().expect("no holder of this lock can panic").clone()
    }
}

impl Drop for TonePlayer {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        // The thread ends by itself; a slow device must not hold up whoever answers the call.
        self.thread.take();
    }
}

/// Hertz (two at once), and seconds of sound and of silence.
fn shape(tone: Tone) -> ([f32; 2], f32, f32) {
    match tone {
        Tone::Ring => ([440.0, 554.0], 1.0, 2.0),
        Tone::Ringback => ([425.0, 425.0], 1.0, 4.0),
        Tone::Busy => ([425.0, 425.0], 0.5, 0.5),
        // Lower and quicker than busy: nobody took it for that.
        Tone::Dropped => ([300.0, 375.0], 0.25, 0.25),
    }
}

fn sample(sound: Sound, at: usize) -> f32 {
    match sound {
        Sound::Tone(tone) => tone_sample(tone, at),
        Sound::Tune => tune_sample(at),
    }
}

/// C, E and G, a quarter of a second each, and as long a pause.
fn tune_sample(at: usize) -> f32 {
    const NOTE: usize = SAMPLE_RATE as usize / 4;
    let (note, position) = (at / NOTE % 6, (at % NOTE) as f32);
    let Some(hz) = [523.25, 659.25, 783.99].get(note) else { return 0.0 };
    let fade = (position / FADE).min((NOTE as f32 - position) / FADE).min(1.0);
    (position * hz * std::f32::consts::TAU / SAMPLE_RATE as f32).sin() * LOUDNESS * fade
}

fn tone_sample(tone: Tone, at: usize) -> f32 {
    let ([low, high], on, off) = shape(tone);
    let rate = SAMPLE_RATE as f32;
    let (sounding, period) = (on * rate, (on + off) * rate);
    let at = at % period as usize;
    let position = at as f32;
    if position >= sounding {
        return 0.0;
    }
    let fade = (position / FADE).min((sounding - position) / FADE).min(1.0);
    let wave = |hz: f32| (position * hz * std::f32::consts::TAU / rate).sin();
    (wave(low) + wave(high)) * 0.5 * LOUDNESS * fade
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tone_sounds_and_pauses_in_its_rhythm_and_never_too_loud() {
        for (tone, on, off) in [
            (Tone::Ring, 24_000, 72_000),
            (Tone::Ringback, 24_000, 96_000),
            (Tone::Busy, 12_000, 36_000),
            (Tone::Dropped, 6_000, 18_000),
        ] {
            let sound = Sound::Tone(tone);
            let around = |at: usize| crate::level::rms(&std::array::from_fn::<_, BLOCK, _>(|n| sample(sound, at + n)));
            assert!(around(on) > 0.03, "{tone:?}");
            assert_eq!(around(off), 0.0, "{tone:?}");
            assert!((0..200_000).all(|at| sample(sound, at).abs() <= LOUDNESS), "{tone:?}");
        }
    }
}
