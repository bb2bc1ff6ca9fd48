//! Records voice notes, and makes a note's sound ready to be played.

use std::io::Cursor;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::codec::{Encoded, Encoder};
use crate::config::{Microphone, VoiceProcessing};
use crate::error::MediaError;
use crate::level::{Meter, rms};
use crate::ogg_opus::{self, NOTE_LIMIT_MS};
use crate::processing::Processor;
use crate::source::Source;
use crate::usage::{Held, Usage};
use crate::{BLOCK, FRAME, FRAME_TIME, SAMPLE_RATE};

const TICK: Duration = Duration::from_millis(10);

/// Bars of a note's waveform.
const BARS: usize = 64;

/// Quieter than this is nothing, in decibels below the loudest possible.
const FLOOR_DB: f32 = 50.0;

/// A voice note as it is sent.
#[derive(Clone, PartialEq)]
pub struct Note {
    /// Opus in Ogg.
    pub file: Vec<u8>,
    /// How long it is, in milliseconds.
    pub duration_ms: u32,
    /// How loud it is from beginning to end, 0 to 255 each.
    pub wave: Vec<u8>,
}

impl std::fmt::Debug for Note {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Note").field("duration_ms", &self.duration_ms).finish_non_exhaustive()
    }
}

/// A voice note that is being recorded; dropped, nothing of it is left.
pub struct Recorder {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    frames: AtomicU32,
    level: Meter,
    taken: Mutex<Taken>,
}

#[derive(Default)]
struct Taken {
    packets: Vec<bytes::Bytes>,
    levels: Vec<f32>,
}

impl Recorder {
    pub(crate) fn start(
        microphone: Microphone,
        processing: VoiceProcessing,
        usage: &Arc<Usage>,
    ) -> Result<Self, MediaError> {
        let encoder = Encoder::new().map_err(|_| MediaError::Engine("open the voice codec"))?;
        let shared = Arc::new(Shared::default());
        let (hold, usage, ours) = (usage.hold(Held::Thread), Arc::clone(usage), Arc::clone(&shared));
        let record = move || {
            let _hold = hold;
            let mut source = Source::open(&microphone, &usage, Instant::now());
            ours.record(&mut source, Processor::new(processing), encoder);
        };
        let thread = std::thread::Builder::new().name("voice note".to_owned()).spawn(record);
        let thread = thread.map_err(|_| MediaError::Engine("start its voice thread"))?;
        Ok(Self { shared, thread: Some(thread) })
    }

    /// How long it is now, in milliseconds.
    pub fn duration_ms(&self) -> u32 {
        self.shared.frames.load(Ordering::Acquire) * FRAME_TIME.as_millis() as u32
    }

    /// The loudest moment since this was last asked, 0 to 255.
    pub fn level(&self) -> u8 {
        bar(self.shared.level.read())
    }

    /// Whether it came to its longest; nothing more is recorded.
    pub fn is_full(&self) -> bool {
        self.duration_ms() >= NOTE_LIMIT_MS
    }

    /// Ends it. May wait for the microphone for a moment; nothing if nothing was recorded.
    pub fn end(mut self) -> Option<Note> {
        self.shared.stop.store(true, Ordering::Release);
        self.thread.take()?.join().ok()?;
        let taken = std::mem::take(&mut *self.shared.taken.lock().expect("no holder of this lock can panic"));
        if taken.packets.is_empty() {
            return None;
        }
        Some(Note {
            file: ogg_opus::write(&taken.packets)?,
            duration_ms: u32::try_from(taken.packets.len()).ok()? * FRAME_TIME.as_millis() as u32,
            wave: wave(&taken.levels),
        })
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        // The thread ends by itself; a slow device must not hold up whoever gave the note up.
        self.shared.stop.store(true, Ordering::Release);
    }
}

impl std::fmt::Debug for Recorder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recorder").field("duration_ms", &self.duration_ms()).finish_non_exhaustive()
    }
}

impl Shared {
    fn record(&self, source: &mut Source, mut processor: Processor, mut encoder: Encoder) {
        let mut frame = [0.0; FRAME];
        let mut half = false;
        while !self.stop.load(Ordering::Acquire) {
            while let Some(mut block) = source.block(Instant::now(), true) {
                if source.is_device() {
                    processor.heard(&mut block);
                }
                self.level.hear(&block);
                frame[usize::from(half) * BLOCK..][..BLOCK].copy_from_slice(&block);
                half = !half;
                if !half && self.frames.load(Ordering::Acquire) * (FRAME_TIME.as_millis() as u32) < NOTE_LIMIT_MS {
                    self.take(&frame, &mut encoder);
                }
            }
            std::thread::park_timeout(TICK);
        }
    }

    fn take(&self, frame: &[f32; FRAME], encoder: &mut Encoder) {
        let Some(Encoded::Packet(packet)) = encoder.encode(frame) else { return };
        let mut taken = self.taken.lock().expect("no holder of this lock can panic");
        taken.packets.push(packet);
        taken.levels.push(rms(frame));
        self.frames.fetch_add(1, Ordering::AcqRel);
    }
}

/// Loudness as people hear it: decibels, from nothing to the loudest possible.
fn bar(loudness: f32) -> u8 {
    let decibels = 20.0 * loudness.max(1e-6).log10();
    (((decibels + FLOOR_DB) / FLOOR_DB).clamp(0.0, 1.0) * 255.0) as u8
}

/// The loudest frame of each of [`BARS`] parts.
fn wave(levels: &[f32]) -> Vec<u8> {
    let bars = BARS.min(levels.len());
    (0..bars)
        .map(|at| {
            let (from, to) = (at * levels.len() / bars, (at + 1) * levels.len() / bars);
            bar(levels[from..to.max(from + 1)].iter().copied().fold(0.0, f32::max))
        })
        .collect()
}

/// The sound of a voice note as a WAV file of 16 bits, 24 kHz, one channel: what every window can play.
/// Nothing if the file is no voice note.
pub fn sound_of(file: &[u8]) -> Option<Vec<u8>> {
    let sound = ogg_opus::read(file)?;
    let spec = hound::WavSpec {
        channels: 1,
        sample_rate: SAMPLE_RATE / 2,
        bits_per_sample: 16,
        sample_format: hound::SampleFormat::Int,
    };
    let mut out = Cursor::new(Vec::with_capacity(sound.len() + 64));
    {
        let mut writer = hound::WavWriter::new(&mut out, spec).ok()?;
        for pair in sound.chunks_exact(2) {
            let middle = ((pair[0] + pair[1]) / 2.0).clamp(-1.0, 1.0);
            writer.write_sample((middle * f32::from(i16::MAX)) as i16).ok()?;
        }
        writer.finalize().ok()?;
    }
    Some(out.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tone of so many frames, silent in its second half.
    fn packets(frames: usize) -> (Vec<bytes::Bytes>, Vec<f32>) {
        let mut encoder = Encoder::new().unwrap();
        let (mut packets, mut levels) = (Vec::new(), Vec::new());
        for n in 0..frames {
            let loud = if n < frames / 2 { 0.5 } else { 0.0 };
            let at = |sample: usize| (n * FRAME + sample) as f32 / SAMPLE_RATE as f32;
            let frame: [f32; FRAME] =
                std::array::from_fn(|sample| loud * (at(sample) * 440.0 * std::f32::consts::TAU).sin());
            levels.push(rms(&frame));
            if let Some(Encoded::Packet(packet)) = encoder.encode(&frame) {
                packets.push(packet);
            }
        }
        (packets, levels)
    }

    #[test]
    fn what_is_recorded_sounds_as_long_and_as_loud() {
        let (packets, levels) = packets(100);
        let file = ogg_opus::write(&packets).unwrap();
        let sound = ogg_opus::read(&file).unwrap();
        let seconds = sound.len() as f32 / SAMPLE_RATE as f32;
        assert!((1.95..2.01).contains(&seconds), "{seconds}");
        assert!(rms(&sound[9_600..38_400]) > 0.2, "the tone is there");
        assert!(rms(&sound[60_000..90_000]) < 0.02, "and ends");
        let wave = wave(&levels);
        assert_eq!(wave.len(), BARS);
        assert!(wave[5] > 180 && wave[60] == 0, "{wave:?}");
        let wav = sound_of(&file).unwrap();
        let read = hound::WavReader::new(Cursor::new(wav)).unwrap();
        assert_eq!((read.spec().sample_rate, read.duration() as usize), (24_000, sound.len() / 2));
    }

    #[test]
    fn a_voice_is_recorded_until_it_is_ended() {
        let usage = Arc::new(Usage::default());
        let recorder = Recorder::start(Microphone::Silence, VoiceProcessing::default(), &usage).unwrap();
        while recorder.duration_ms() < 100 {
            std::thread::sleep(TICK);
        }
        let note = recorder.end().unwrap();
        assert!(note.duration_ms >= 100 && !note.wave.is_empty());
        assert!(sound_of(&note.file).is_some());
        assert_eq!(usage.now().threads, 0, "the microphone is closed");
    }

    #[test]
    fn what_is_no_voice_note_has_no_sound() {
        let (packets, _) = packets(10);
        let file = ogg_opus::write(&packets).unwrap();
        for cut in [0, 1, 27, 28, 46, 47, 80, file.len() / 2] {
            // Cut anywhere: no panic, and no sound of what is not whole pages.
            let _ = sound_of(&file[..cut]);
        }
        assert!(sound_of(b"OggS").is_none() && sound_of(b"RIFF....WAVE").is_none());
        let mut stereo = file.clone();
        stereo[28 + 9] = 2;
        assert!(sound_of(&stereo).is_none(), "a changed page does not even pass its checksum");
    }
}
