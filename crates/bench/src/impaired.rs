//! A voice over bad roads: what is missing at the other end, by loss, jitter and rate.

use std::time::Duration;

use media::{AudioConfig, Microphone, NetworkConfig, Speaker};
use road::{Quality, Road};

use crate::duo::Duo;
use crate::report::{Figure, Goal, Report};
use crate::sound::{RATE, percent_of_gaps, write_wav};
use crate::{Failed, wait_for};

const LOSSES: [u32; 4] = [0, 2, 10, 20];
const JITTERS: [u32; 3] = [0, 30, 100];
const RATES: [f64; 3] = [0.3, 1.0, 5.0];
/// How long each road is used.
const SPOKEN: Duration = Duration::from_secs(8);
/// What a call may take to find its delay.
const SETTLING: usize = RATE * 2;
/// A gap is longer than this, and this much quieter than the voice (which is at 0.2).
const GAP_MS: usize = 40;
const FLOOR: f32 = 0.01;

const NOTE: &str = "\
Two media engines in one process, each packet (checks and handshake too) over a road of UDP sockets that loses at random,
delays by up to the jitter and queues in front of the rate, each direction by itself. A hum that never pauses is spoken for 8 s;
the recording of the other end is judged after 2 s. A gap is more than 40 ms in which nothing is heard, in percent of the time.
l10_j30_r1 is 10 % loss, 30 ms jitter and 1 Mbit/s. Of a call without video nothing is limited by these rates.";

/// Measures.
pub(crate) fn run() -> Result<Report, Failed> {
    let folder = tempfile::tempdir()?;
    let (voice, heard) = (folder.path().join("hum.wav"), folder.path().join("heard.wav"));
    write_wav(&voice, hum(20))?;
    let (mut figures, mut delays, mut guessed) = (Vec::new(), Vec::new(), Vec::new());
    for loss in LOSSES {
        for jitter_ms in JITTERS {
            for mbit in RATES {
                let quality = Quality { loss, jitter_ms, mbit };
                let (gaps, delay, concealed) = wait_for(speak(quality, &voice, &heard))?;
                eprintln!("  {quality:?}: gaps {gaps:.2} %, delay {delay:.0} ms, guessed {concealed:.1} %");
                // The table lives as long as the program.
                let key: &'static str = format!("gaps_percent_l{loss}_j{jitter_ms}_r{mbit}").leak();
                let goal = if loss <= 10 && jitter_ms <= 30 { Goal::AtMost(1.0) } else { Goal::None };
                figures.push(Figure::new(key, "%", vec![gaps]).with_goal(goal, ""));
                delays.push(delay);
                guessed.push(concealed);
            }
        }
    }
    figures.push(Figure::new("jitter_buffer_ms", "ms", delays).with_reference("over all roads"));
    figures.push(Figure::new("guessed_percent", "%", guessed).with_reference("sound that was guessed, over all roads"));
    Ok(Report::new(NOTE, figures))
}

async fn speak(quality: Quality, voice: &std::path::Path, heard: &std::path::Path) -> Result<(f64, f64, f64), Failed> {
    let config = |microphone, speaker| AudioConfig {
        microphone,
        speaker,
        network: NetworkConfig::loopback_only(),
        ..AudioConfig::default()
    };
    let ana = config(Microphone::Wav { path: voice.to_owned(), looped: true }, Speaker::Null);
    let ben = config(Microphone::Silence, Speaker::Wav(heard.to_owned()));
    let road = Road::build(quality, 0x5EED + u64::from(quality.loss) * 1_000 + u64::from(quality.jitter_ms)).await?;
    let duo = Duo::connect(ana, ben, Some(road)).await?;
    tokio::time::sleep(SPOKEN).await;
    let stats = duo.ben.stats();
    duo.hang_up().await;
    let mut reader = hound::WavReader::open(heard)?;
    let samples: Result<Vec<f32>, _> = reader.samples::<i16>().map(|s| s.map(|s| f32::from(s) / 32_768.0)).collect();
    let samples = samples?;
    let judged = samples.get(SETTLING..).ok_or("the recording is too short")?;
    let frames = (samples.len() / (RATE / 50)).max(1);
    let concealed = stats.concealed as f64 * 100.0 / frames as f64;
    Ok((percent_of_gaps(judged, GAP_MS, FLOOR), f64::from(stats.delay_ms), concealed))
}

/// A voice that never pauses.
fn hum(seconds: usize) -> impl Iterator<Item = f32> {
    let mut phase = 0.0f32;
    (0..seconds * RATE).map(move |n| {
        let hz = 140.0 + 20.0 * (n as f32 / RATE as f32 * 3.0).sin();
        phase = (phase + hz / RATE as f32).fract();
        (1..8).map(|k| (phase * k as f32 * std::f32::consts::TAU).sin() / k as f32).sum::<f32>() * 0.2
    })
}
