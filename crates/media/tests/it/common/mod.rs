//! Two people with files for mouths and ears, and what they heard.

#![allow(clippy::unwrap_used, reason = "a test may")]
#![allow(dead_code, reason = "each test file uses its part")]

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use media::{AudioConfig, CallMedia, MediaEngine, MediaEvent, Microphone, NetworkConfig, Speaker};
use tokio::sync::{mpsc, watch};

pub const RATE: u32 = 48_000;
/// Longer than anything here may take, even on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(25);

/// What a call of the tests runs on.
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(3).enable_all().build().unwrap()
}

/// Gives somebody's candidates to the other side, as they come.
pub fn carry(mut candidates: mpsc::Receiver<String>, to: CallMedia) {
    tokio::spawn(async move {
        while let Some(candidate) = candidates.recv().await {
            let _ = to.add_candidate(&candidate).await;
        }
    });
}

/// Someone in a call.
pub struct Person {
    pub engine: Arc<MediaEngine>,
    pub media: CallMedia,
    events: Arc<Mutex<Vec<MediaEvent>>>,
    seen: watch::Receiver<usize>,
    candidates: Option<mpsc::Receiver<String>>,
    told: Arc<Mutex<Vec<String>>>,
    wishes: watch::Receiver<usize>,
}

impl Person {
    pub async fn with(config: AudioConfig) -> Self {
        Self::on(MediaEngine::new(config)).await
    }

    pub async fn on(engine: Arc<MediaEngine>) -> Self {
        let (sender, receiver) = mpsc::channel(64);
        let media = engine.open_call("call-1", sender).await.unwrap();
        Self::hearing(engine, media, receiver)
    }

    /// Somebody whose phone rings.
    pub async fn ringing(config: AudioConfig) -> Self {
        let engine = MediaEngine::new(config);
        let (sender, receiver) = mpsc::channel(64);
        let media = engine.open_ringing("call-1", sender).await.unwrap();
        Self::hearing(engine, media, receiver)
    }

    fn hearing(engine: Arc<MediaEngine>, media: CallMedia, mut receiver: mpsc::Receiver<MediaEvent>) -> Self {
        let events = Arc::new(Mutex::new(Vec::new()));
        let (seen_out, seen) = watch::channel(0);
        let (candidates_out, candidates) = mpsc::channel(64);
        let log = Arc::clone(&events);
        let told: Arc<Mutex<Vec<String>>> = Arc::default();
        let telling = Arc::clone(&told);
        let (wishes_out, wishes) = watch::channel(0);
        tokio::spawn(async move {
            while let Some(event) = receiver.recv().await {
                match event {
                    MediaEvent::Candidate(candidate) => {
                        telling.lock().unwrap().push(candidate.clone());
                        drop(candidates_out.try_send(candidate));
                    }
                    MediaEvent::Level { .. } => {}
                    MediaEvent::PathWanted => wishes_out.send_modify(|wishes| *wishes += 1),
                    other => {
                        log.lock().unwrap().push(other);
                        seen_out.send_modify(|seen| *seen += 1);
                    }
                }
            }
        });
        Self { engine, media, events, seen, candidates: Some(candidates), told, wishes }
    }

    /// Says something into `mouth`, hears into `ears`.
    pub async fn speaking(mouth: &Path, ears: &Path) -> Self {
        Self::with(files(mouth, ears)).await
    }

    /// Changes when another path should be looked for.
    pub fn wishes_for_a_path(&self) -> watch::Receiver<usize> {
        self.wishes.clone()
    }

    /// Every candidate this person showed.
    pub fn candidates_told(&self) -> Vec<String> {
        self.told.lock().unwrap().clone()
    }

    pub fn events(&self) -> Vec<MediaEvent> {
        self.events.lock().unwrap().clone()
    }

    /// Waits for an event and gives it.
    pub async fn until(&self, wanted: impl Fn(&MediaEvent) -> bool) -> MediaEvent {
        let mut seen = self.seen.clone();
        let wait = async {
            loop {
                if let Some(event) = self.events().into_iter().find(&wanted) {
                    return event;
                }
                if seen.changed().await.is_err() {
                    panic!("the call ended with {:?}", self.events());
                }
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(event) => event,
            Err(_) => panic!("only these came: {:?}", self.events()),
        }
    }

    /// Waits for an event that comes after the first so many.
    pub async fn until_after(&self, came: usize, wanted: impl Fn(&MediaEvent) -> bool) {
        let mut seen = self.seen.clone();
        let wait = async {
            while !self.events().iter().skip(came).any(&wanted) {
                if seen.changed().await.is_err() {
                    panic!("the call ended with {:?}", self.events());
                }
            }
        };
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            panic!("only these came: {:?}", self.events());
        }
    }

    pub async fn until_heard(&self) -> u64 {
        match self.until(|event| matches!(event, MediaEvent::FirstAudio { .. })).await {
            MediaEvent::FirstAudio { after_ms } => after_ms,
            _ => unreachable!(),
        }
    }

    /// Waits until so much of the other's voice arrived.
    pub async fn until_received(&self, packets: u64) {
        let begun = std::time::Instant::now();
        while self.media.stats().received < packets {
            assert!(begun.elapsed() < PATIENCE, "only this arrived: {:?}", self.media.stats());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Carries this person's candidates to the other.
    pub fn tell_candidates_to(&mut self, other: &Person) {
        carry(self.candidates.take().unwrap(), other.media.clone());
    }
}

/// Carries descriptions and candidates between two people, changing them on the way.
pub async fn introduce(
    ana: &mut Person,
    ben: &mut Person,
    on_offer: impl Fn(String) -> String,
    on_answer: impl Fn(String) -> String,
) {
    let offer = on_offer(ana.media.create_offer().await.unwrap());
    ana.tell_candidates_to(ben);
    let answer = on_answer(ben.media.accept_offer(&offer).await.unwrap());
    ben.tell_candidates_to(ana);
    ana.media.accept_answer(&answer).await.unwrap();
}

pub async fn connect(ana: &mut Person, ben: &mut Person) {
    introduce(ana, ben, |offer| offer, |answer| answer).await;
    ana.until(|event| *event == MediaEvent::Connected).await;
    ben.until(|event| *event == MediaEvent::Connected).await;
}

pub fn files(mouth: &Path, ears: &Path) -> AudioConfig {
    AudioConfig {
        microphone: Microphone::Wav { path: mouth.to_owned(), looped: true },
        speaker: Speaker::Wav(ears.to_owned()),
        network: NetworkConfig::loopback_only(),
        ..AudioConfig::default()
    }
}

pub fn quiet() -> AudioConfig {
    AudioConfig {
        microphone: Microphone::Silence,
        speaker: Speaker::Null,
        network: NetworkConfig::loopback_only(),
        ..AudioConfig::default()
    }
}

/// Says something with the speech synthesiser; gives the file, at 48 kHz.
pub fn speech(folder: &Path, text: &str) -> PathBuf {
    let (raw, path) = (folder.join("raw.wav"), folder.join("speech.wav"));
    let espeak = std::process::Command::new("espeak-ng").arg("-w").arg(&raw).arg(text).status();
    assert!(espeak.expect("espeak-ng is installed").success());
    let mut reader = hound::WavReader::open(&raw).unwrap();
    let rate = reader.spec().sample_rate as usize;
    let said: Vec<f32> = reader.samples::<i16>().map(|sample| f32::from(sample.unwrap()) / 32_768.0).collect();
    write(&path, (0..said.len() * 48_000 / rate).map(|n| said[n * rate / 48_000]));
    path
}

/// Writes a tone of one second.
pub fn tone(folder: &Path, hz: f32) -> PathBuf {
    long_tone(folder, hz, 1)
}

pub fn long_tone(folder: &Path, hz: f32, seconds: u32) -> PathBuf {
    let path = folder.join(format!("tone-{hz}.wav"));
    let samples = (0..RATE * seconds).map(|n| (n as f32 * hz * std::f32::consts::TAU / RATE as f32).sin() * 0.4);
    write(&path, samples);
    path
}

pub fn write(path: &Path, samples: impl Iterator<Item = f32>) {
    let spec =
        hound::WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut writer = hound::WavWriter::create(path, spec).unwrap();
    samples.for_each(|sample| writer.write_sample((sample * 32_767.0) as i16).unwrap());
    writer.finalize().unwrap();
}

pub fn read(path: &Path) -> Vec<f32> {
    let mut reader = hound::WavReader::open(path).unwrap();
    reader.samples::<i16>().map(|sample| f32::from(sample.unwrap()) / 32_768.0).collect()
}

/// Seconds of 20 ms windows in which `hz` makes up most of the sound.
pub fn seconds_of(samples: &[f32], hz: f32) -> f32 {
    samples.chunks_exact(960).filter(|window| share(window, hz) > 0.5).count() as f32 * 0.02
}

/// Seconds of 20 ms windows that are louder than a whisper.
pub fn seconds_of_sound(samples: &[f32]) -> f32 {
    samples.chunks_exact(960).filter(|window| energy(window) > 1e-4).count() as f32 * 0.02
}

fn energy(window: &[f32]) -> f32 {
    window.iter().map(|sample| sample * sample).sum::<f32>() / window.len() as f32
}

/// The part of a window's energy that is at `hz` (Goertzel).
pub fn share(window: &[f32], hz: f32) -> f32 {
    let total = energy(window);
    if total < 1e-4 {
        return 0.0;
    }
    let turn = hz * std::f32::consts::TAU / RATE as f32;
    let (mut re, mut im) = (0.0, 0.0);
    for (n, sample) in window.iter().enumerate() {
        re += sample * (turn * n as f32).cos();
        im += sample * (turn * n as f32).sin();
    }
    let length = window.len() as f32;
    2.0 * (re * re + im * im) / (length * length) / total
}

/// How alike two sounds are in how loud they are, at the best shift: 1 is the same.
pub fn likeness(said: &[f32], heard: &[f32]) -> f32 {
    let (said, heard) = (loudness(said), loudness(heard));
    let shifts = heard.len().saturating_sub(said.len() / 2);
    (0..=shifts).map(|shift| correlation(&said, &heard[shift..])).fold(0.0, f32::max)
}

fn loudness(samples: &[f32]) -> Vec<f32> {
    samples.chunks_exact(480).map(|window| energy(window).sqrt()).collect()
}

fn correlation(one: &[f32], other: &[f32]) -> f32 {
    let length = one.len().min(other.len());
    let mean = |values: &[f32]| values.iter().sum::<f32>() / length.max(1) as f32;
    let (one, other) = (&one[..length], &other[..length]);
    let (mean_one, mean_other) = (mean(one), mean(other));
    let (mut product, mut square_one, mut square_other) = (0.0, 0.0, 0.0);
    for (a, b) in one.iter().zip(other) {
        product += (a - mean_one) * (b - mean_other);
        square_one += (a - mean_one).powi(2);
        square_other += (b - mean_other).powi(2);
    }
    product / (square_one * square_other).sqrt().max(1e-9)
}

/// Carries descriptions, and candidates as `instead` changes them (it is asked whether they are for Ana).
pub async fn introduce_over(
    ana: &mut Person,
    ben: &mut Person,
    instead: impl Fn(bool, &str) -> Option<String> + Clone + Send + 'static,
) {
    let offer = ana.media.create_offer().await.unwrap();
    let answer = ben.media.accept_offer(&offer).await.unwrap();
    ana.media.accept_answer(&answer).await.unwrap();
    let (to_ben, to_ana) = (ben.media.clone(), ana.media.clone());
    for (person, other, to_ana) in [(&mut *ana, to_ben, false), (&mut *ben, to_ana, true)] {
        let (mut candidates, instead) = (person.candidates.take().unwrap(), instead.clone());
        tokio::spawn(async move {
            while let Some(candidate) = candidates.recv().await {
                if let Some(candidate) = instead(to_ana, &candidate) {
                    let _ = other.add_candidate(&candidate).await;
                }
            }
        });
    }
    ana.until(|event| *event == MediaEvent::Connected).await;
    ben.until(|event| *event == MediaEvent::Connected).await;
}
