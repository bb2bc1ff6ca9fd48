//! A picture of 1,280 × 720 at 30 a second from one person to the other: glass to glass, what it costs, and how it keeps step with the voice.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use media::{AudioConfig, CameraChoice, Microphone, NetworkConfig, Shown, Speaker};
use tokio::sync::watch;
use tokio::time::timeout;

use crate::Failed;
use crate::duo::Duo;
use crate::process::cpu_seconds;

/// What is sent.
pub(crate) const SIZE: (u32, u32) = (1_280, 720);
/// The longest it may take until a path is trusted with all of it.
const CLIMBING: Duration = Duration::from_secs(60);
/// How long it is watched then.
const WATCHED: Duration = Duration::from_secs(10);

/// What was seen of it.
pub(crate) struct Seen {
    /// From the camera's picture to the other person's, decoded: milliseconds.
    pub(crate) glass_to_glass: Vec<f64>,
    /// Of one core, for both ends together.
    pub(crate) cpu_percent: f64,
    pub(crate) frames_per_s: f64,
    /// How far the picture was ahead of the voice at its worst: milliseconds.
    pub(crate) apart_ms: Vec<f64>,
    /// From the camera's begin until all of it was sent: seconds.
    pub(crate) climbed_s: f64,
}

/// Watches a call between two media engines.
pub(crate) async fn seen(voice: &std::path::Path) -> Result<Seen, Failed> {
    let config = |microphone| AudioConfig {
        microphone,
        speaker: Speaker::Null,
        network: NetworkConfig::loopback_only(),
        ..AudioConfig::default()
    };
    let ana = config(Microphone::Wav { path: voice.to_owned(), looped: true });
    let duo = Duo::connect(ana, config(Microphone::Silence), None).await?;
    let (own, theirs) = (duo.ana.own_pictures(), duo.ben.pictures());
    let begun = Instant::now();
    duo.ana.set_camera(Some(CameraChoice::Counter { width: SIZE.0, height: SIZE.1 }));
    while duo.ben.video_stats().width < SIZE.0 {
        if begun.elapsed() > CLIMBING {
            return Err(format!("no more than {:?} was sent", duo.ana.video_stats()).into());
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let climbed_s = begun.elapsed().as_secs_f64();
    // Looking at pictures costs something that the call does not.
    let (cpu, decoded, watched) = (cpu_seconds(), duo.ben.video_stats().decoded, Instant::now());
    let mut apart_ms = Vec::new();
    while watched.elapsed() < WATCHED {
        tokio::time::sleep(Duration::from_millis(250)).await;
        apart_ms.extend(duo.ben.video_stats().ahead_ms.map(|ms| ms.abs() as f64));
    }
    let seconds = watched.elapsed().as_secs_f64();
    let cpu_percent = (cpu_seconds() - cpu) * 100.0 / seconds;
    let frames_per_s = (duo.ben.video_stats().decoded - decoded) as f64 / seconds;
    let until = Instant::now() + WATCHED;
    let (made, came) = tokio::join!(times(own, until), times(theirs, until));
    duo.hang_up().await;
    let glass_to_glass: Vec<f64> = came
        .iter()
        .filter_map(|(number, came)| Some(came.checked_duration_since(*made.get(number)?)?.as_secs_f64() * 1_000.0))
        .collect();
    if glass_to_glass.is_empty() {
        return Err("no picture was seen on both sides".into());
    }
    Ok(Seen { glass_to_glass, cpu_percent, frames_per_s, apart_ms, climbed_s })
}

/// When each number was first seen.
async fn times(mut pictures: watch::Receiver<Option<Shown>>, until: Instant) -> HashMap<u32, Instant> {
    let mut seen = HashMap::new();
    while let Ok(Ok(())) = timeout(until.saturating_duration_since(Instant::now()), pictures.changed()).await {
        let now = Instant::now();
        let shown = pictures.borrow_and_update().clone();
        let number = shown.and_then(|shown| video::read_counter(|x, y| shown.picture.brightness(x, y)));
        if let Some(number) = number {
            seen.entry(number).or_insert(now);
        }
    }
    seen
}
