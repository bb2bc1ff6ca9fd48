//! A call that is left running: memory, audio delay, and what is left after it (`--minutes N`).

use std::time::{Duration, Instant};

use media::{AudioConfig, InUse, Microphone, NetworkConfig, Speaker};

use crate::Failed;
use crate::duo::Duo;
use crate::process::{memory_mb, sockets, threads};
use crate::report::{Figure, Goal, Report};
use crate::sound::SoundServer;

/// How long, when nobody says.
const MINUTES: f64 = 5.0;
/// The variable that says it.
const VARIABLE: &str = "PARLANCE_SOAK_MINUTES";
/// The part of the time after which nothing may grow.
const WARM: f64 = 0.2;
/// Bursts of one measurement of the delay: seven seconds.
const BURSTS: usize = 10;
/// What is left has so long to go.
const GOING: Duration = Duration::from_secs(5);

const NOTE: &str = "\
Two media engines in one process, in a call over loopback through virtual devices of a sound server. Again and again ten bursts are
played into one's microphone and timed at the other's speaker. Growth is the last tenth of the readings against the first ones after a fifth of the
time; drift is the last delay less the first. What is left is counted after both have hung up, against what there was before the call.";

/// Measures.
pub(crate) fn run() -> Result<Report, Failed> {
    let minutes = match std::env::var(VARIABLE) {
        Ok(text) => text.parse::<f64>().ok().filter(|m| *m > 0.0).ok_or("--minutes must be a number above 0")?,
        Err(_) => MINUTES,
    };
    let server = SoundServer::start()?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(crate::THREADS).enable_all().build()?;
    // A first call warms up what is made once for a process.
    let hang_up = |duo: Duo| runtime.block_on(duo.hang_up());
    hang_up(runtime.block_on(Duo::connect(config("ana"), config("ben"), None))?);
    std::thread::sleep(GOING);
    let (threads_before, sockets_before) = (threads(), sockets());

    let duo = runtime.block_on(Duo::connect(config("ana"), config("ben"), None))?;
    let (begun, lasts) = (Instant::now(), Duration::from_secs_f64(minutes * 60.0));
    let (mut memory, mut delays, mut all) = (Vec::new(), Vec::new(), Vec::new());
    while begun.elapsed() < lasts {
        let took = server.mouth_to_ear(BURSTS)?;
        delays.push((begun.elapsed(), median(&took)));
        all.extend(took);
        memory.push((begun.elapsed(), memory_mb()));
        let pause = (lasts / 60).min(lasts.saturating_sub(begun.elapsed()));
        std::thread::sleep(pause);
    }
    let stats = duo.ben.stats();
    let left = hang_up(duo);
    std::thread::sleep(GOING);
    let (threads_left, sockets_left) = (surplus(threads(), threads_before), surplus(sockets(), sockets_before));
    let held: usize =
        left.iter().map(|InUse { calls, tasks, sockets, threads }| calls + tasks + sockets + threads).sum();

    let warm = |readings: &[(Duration, f64)]| -> Vec<f64> {
        let after = lasts.mul_f64(WARM);
        readings.iter().filter(|(at, _)| *at >= after).map(|(_, value)| *value).collect()
    };
    let (memory, delays) = (warm(&memory), warm(&delays));
    let (first, last) = ends(&memory).ok_or("it did not last long enough for two readings")?;
    let (delay_first, delay_last) = ends(&delays).ok_or("it did not last long enough for two readings")?;
    Ok(Report::new(
        NOTE,
        vec![
            Figure::new("minutes", "min", vec![minutes]),
            Figure::new("memory_mb", "MB", memory),
            Figure::new("memory_growth_percent", "%", vec![(last / first - 1.0) * 100.0])
                .with_goal(Goal::AtMost(5.0), "promised, after the warm-up"),
            Figure::new("mouth_to_ear_ms", "ms", all),
            Figure::new("delay_drift_ms", "ms", vec![(delay_last - delay_first).abs()])
                .with_goal(Goal::AtMost(20.0), "a frame of sound"),
            Figure::new("concealed_per_minute", "/min", vec![stats.concealed as f64 / minutes]),
            Figure::new("threads_left", "", vec![threads_left]).with_goal(Goal::AtMost(0.0), "promised"),
            Figure::new("sockets_left", "", vec![sockets_left]).with_goal(Goal::AtMost(0.0), "promised"),
            Figure::new("held_by_engines", "", vec![held as f64])
                .with_goal(Goal::AtMost(0.0), "promised: calls, tasks, sockets and threads"),
        ],
    ))
}

fn config(person: &str) -> AudioConfig {
    AudioConfig {
        microphone: Microphone::Device(format!("pulseaudio:{person}_mic")),
        speaker: Speaker::Device(format!("pulseaudio:{person}_ears")),
        network: NetworkConfig::loopback_only(),
        ..AudioConfig::default()
    }
}

/// The middle of the first tenth and of the last tenth.
fn ends(values: &[f64]) -> Option<(f64, f64)> {
    let tenth = values.len().div_ceil(10);
    (values.len() >= 2).then(|| (median(&values[..tenth]), median(&values[values.len() - tenth..])))
}

pub(crate) fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() / 2).copied().unwrap_or(f64::NAN)
}

fn surplus(now: usize, before: usize) -> f64 {
    now.saturating_sub(before) as f64
}
