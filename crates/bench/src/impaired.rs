//! Voice and picture over bad roads: what is missing at the other end, by loss, jitter and rate.

use std::time::Duration;

use media::{AudioConfig, CameraChoice, Microphone, NetworkConfig, Speaker};
use road::{Quality, Road};

use crate::duo::Duo;
use crate::report::{Figure, Goal, Report};
use crate::seen::SIZE;
use crate::sound::{RATE, hum, percent_of_gaps, write_wav};
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
l10_j30_r1 is 10 % loss, 30 ms jitter and 1 Mbit/s. The test camera (1,280 × 720, 30 a second) is on all the time, so the picture wants
more than most roads carry: frames_per_s is what was decoded of it, frozen_percent the time in which it stood still.";

/// Measures.
pub(crate) fn run() -> Result<Report, Failed> {
    let folder = tempfile::tempdir()?;
    let (voice, heard) = (folder.path().join("hum.wav"), folder.path().join("heard.wav"));
    write_wav(&voice, hum(20))?;
    let (mut figures, mut delays, mut guessed) = (Vec::new(), Vec::new(), Vec::new());
    for loss in LOSSES {
        for jitter_ms in JITTERS {
            for mbit in RATES {
                let quality = Quality { loss, delay_ms: 0, jitter_ms, mbit };
                let came = wait_for(call(quality, &voice, &heard))?;
                eprintln!("  {quality:?}: {came:?}");
                // The table lives as long as the program.
                let key = |what| -> &'static str { format!("{what}_l{loss}_j{jitter_ms}_r{mbit}").leak() };
                let goal = if loss <= 10 && jitter_ms <= 30 { Goal::AtMost(1.0) } else { Goal::None };
                figures.push(Figure::new(key("gaps_percent"), "%", vec![came.gaps_percent]).with_goal(goal, ""));
                figures.push(Figure::new(key("frames_per_s"), "/s", vec![came.frames_per_s]));
                figures.push(Figure::new(key("frozen_percent"), "%", vec![came.frozen_percent]));
                delays.push(came.delay_ms);
                guessed.push(came.guessed_percent);
            }
        }
    }
    figures.push(Figure::new("jitter_buffer_ms", "ms", delays).with_reference("over all roads"));
    figures.push(Figure::new("guessed_percent", "%", guessed).with_reference("sound that was guessed, over all roads"));
    Ok(Report::new(NOTE, figures))
}

/// What came through a road.
#[derive(Debug)]
struct Came {
    gaps_percent: f64,
    delay_ms: f64,
    guessed_percent: f64,
    frames_per_s: f64,
    frozen_percent: f64,
}

async fn call(quality: Quality, voice: &std::path::Path, heard: &std::path::Path) -> Result<Came, Failed> {
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
    duo.ana.set_camera(Some(CameraChoice::Counter { width: SIZE.0, height: SIZE.1 }));
    tokio::time::sleep(SPOKEN).await;
    let (stats, seen) = (duo.ben.stats(), duo.ben.video_stats());
    duo.hang_up().await;
    let mut reader = hound::WavReader::open(heard)?;
    let samples: Result<Vec<f32>, _> = reader.samples::<i16>().map(|s| s.map(|s| f32::from(s) / 32_768.0)).collect();
    let samples = samples?;
    let judged = samples.get(SETTLING..).ok_or("the recording is too short")?;
    let frames = (samples.len() / (RATE / 50)).max(1);
    Ok(Came {
        gaps_percent: percent_of_gaps(judged, GAP_MS, FLOOR),
        delay_ms: f64::from(stats.delay_ms),
        guessed_percent: stats.concealed as f64 * 100.0 / frames as f64,
        frames_per_s: seen.decoded as f64 / SPOKEN.as_secs_f64(),
        frozen_percent: seen.frozen_ms as f64 / SPOKEN.as_millis() as f64 * 100.0,
    })
}
