//! A sound server of the benchmark's own with virtual devices, and how long sound takes between two of them.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use crate::Failed;

/// Samples of one channel in a second.
pub(crate) const RATE: usize = 48_000;
/// What a recorder reads at once: 5 ms.
const READ: usize = 240;
/// A burst is found to this: 1 ms.
const FINE: usize = 48;
/// How long a burst lasts, and how long the beginnings of two are apart.
const BURST_MS: usize = 60;
const EVERY_MS: usize = 700;
/// The longest sound may take.
const LONGEST_MS: f64 = 600.0;

/// PulseAudio with a mouth, a microphone and ears for each of two people. Ends with its owner.
pub(crate) struct SoundServer {
    server: Child,
    /// Silence on each device.
    awake: Vec<Child>,
    folder: tempfile::TempDir,
}

impl SoundServer {
    /// Starts it and lets this process and its children use it and no other.
    ///
    /// Must run before any other thread exists.
    pub(crate) fn start() -> Result<Self, Failed> {
        let folder = tempfile::tempdir()?;
        let run = folder.path().join("run");
        std::fs::create_dir(&run)?;
        let socket = run.join("native");
        let mut command = Command::new("pulseaudio");
        command.args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--disallow-exit", "--realtime=no"]);
        command.args(["--high-priority=yes", "--log-target=null", "--use-pid-file=no"]);
        command.args(["-L", &format!("module-native-protocol-unix socket={} auth-anonymous=1", socket.display())]);
        for person in ["ana", "ben"] {
            command.args(["-L", &format!("module-null-sink sink_name={person}_mouth rate=48000 channels=1")]);
            command.args([
                "-L",
                &format!(
                    "module-remap-source source_name={person}_mic master={person}_mouth.monitor rate=48000 channels=1"
                ),
            ]);
            command.args(["-L", &format!("module-null-sink sink_name={person}_ears rate=48000 channels=1")]);
        }
        command.env("XDG_RUNTIME_DIR", &run).env("HOME", folder.path());
        let server = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        // SAFETY: no other thread exists yet, so nobody reads the environment now.
        unsafe {
            std::env::set_var("PULSE_SERVER", format!("unix:{}", socket.display()));
            std::env::set_var("XDG_RUNTIME_DIR", &run);
        }
        let mut this = Self { server, awake: Vec::new(), folder };
        let begun = Instant::now();
        while control(&["info"]).is_err() {
            if begun.elapsed() > Duration::from_secs(20) {
                return Err("the sound server does not start".into());
            }
            std::thread::sleep(Duration::from_millis(100));
        }
        control(&["set-default-source", "ana_mic"])?;
        control(&["set-default-sink", "ben_ears"])?;
        // A virtual device that nobody uses renders half a second ahead and begins the next stream only after that.
        // A sound card begins within its period, so these are kept awake.
        for device in ["ana_mouth", "ana_ears", "ben_mouth", "ben_ears"] {
            let mut silence = Command::new("pacat");
            silence.args(["--playback", "--raw", "--latency-msec=10", &format!("--device={device}"), "/dev/zero"]);
            this.awake.push(silence.stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        }
        Ok(this)
    }

    /// Plays so many bursts into Ana's mouth; gives how long each took from her microphone to Ben's ears, in milliseconds.
    ///
    /// Two recorders of the same kind listen at both ends, so that what a recorder itself takes cancels out.
    pub(crate) fn mouth_to_ear(&self, bursts: usize) -> Result<Vec<f64>, Failed> {
        let said = self.bursts(bursts)?;
        let (mouth, ears) = (Recorder::start("ana_mic")?, Recorder::start("ben_ears.monitor")?);
        std::thread::sleep(Duration::from_millis(700));
        let played = Command::new("paplay").args(["--device=ana_mouth", "--latency-msec=20"]).arg(&said).status()?;
        if !played.success() {
            return Err("the bursts could not be played".into());
        }
        std::thread::sleep(Duration::from_millis(900));
        let (said, heard) = (mouth.bursts(), ears.bursts());
        let took = |at: &f64| heard.iter().map(|ear| ear - at).find(|took| (0.0..LONGEST_MS).contains(took));
        let all: Vec<f64> = said.iter().filter_map(took).collect();
        if all.len() * 2 < bursts {
            return Err(format!("of {bursts} bursts {} were said and {} heard", said.len(), heard.len()).into());
        }
        Ok(all)
    }

    /// The same through the sound server's own loop from microphone to ears: what the devices themselves take.
    pub(crate) fn device_loop(&self, bursts: usize) -> Result<Vec<f64>, Failed> {
        let module =
            control(&["load-module", "module-loopback", "source=ana_mic", "sink=ben_ears", "latency_msec=20"])?;
        std::thread::sleep(Duration::from_secs(3));
        let took = self.mouth_to_ear(bursts);
        control(&["unload-module", module.trim()])?;
        took
    }

    fn bursts(&self, count: usize) -> Result<PathBuf, Failed> {
        let path = self.folder.path().join(format!("bursts-{count}.wav"));
        let every = EVERY_MS * RATE / 1_000;
        let sample = |n: usize| {
            // The first half second is silent, so that the player has begun.
            let position = (n + every - RATE / 2) % every;
            let sounds = n >= RATE / 2 && position < BURST_MS * RATE / 1_000;
            if sounds { (position as f32 * 1_000.0 * std::f32::consts::TAU / RATE as f32).sin() * 0.5 } else { 0.0 }
        };
        write_wav(&path, (0..RATE / 2 + count * every).map(sample))?;
        Ok(path)
    }
}

impl Drop for SoundServer {
    fn drop(&mut self) {
        for process in self.awake.iter_mut().chain([&mut self.server]) {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn control(arguments: &[&str]) -> Result<String, Failed> {
    let done = Command::new("pactl").args(arguments).stderr(Stdio::null()).output()?;
    if done.status.success() {
        return Ok(String::from_utf8_lossy(&done.stdout).into_owned());
    }
    Err(format!("pactl {} failed", arguments.join(" ")).into())
}

/// Writes 48 kHz mono.
pub(crate) fn write_wav(path: &Path, samples: impl Iterator<Item = f32>) -> Result<(), Failed> {
    let (channels, bits_per_sample) = (1, 16);
    let spec =
        hound::WavSpec { channels, sample_rate: 48_000, bits_per_sample, sample_format: hound::SampleFormat::Int };
    let mut writer = hound::WavWriter::create(path, spec)?;
    for sample in samples {
        writer.write_sample((sample.clamp(-1.0, 1.0) * 32_767.0) as i16)?;
    }
    Ok(writer.finalize()?)
}

/// Listens to a source with the time at which its samples came.
struct Recorder {
    process: Child,
    stop: Arc<AtomicBool>,
    heard: Arc<Mutex<Heard>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Heard {
    samples: Vec<f32>,
    /// When sample 0 would have come at the latest, in milliseconds since the common beginning.
    base_ms: Option<f64>,
}

/// The beginning that all recorders count from.
static BEGINNING: std::sync::LazyLock<Instant> = std::sync::LazyLock::new(Instant::now);

impl Recorder {
    fn start(source: &str) -> Result<Self, Failed> {
        let begun = *BEGINNING;
        let mut process = Command::new("parec")
            .args(["-d", source, "--rate=48000", "--channels=1", "--format=s16le", "--latency-msec=5"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let mut pipe = process.stdout.take().ok_or("no pipe")?;
        let (stop, heard) = (Arc::new(AtomicBool::new(false)), Arc::new(Mutex::new(Heard::default())));
        let (stopping, hears) = (Arc::clone(&stop), Arc::clone(&heard));
        let listen = move || {
            let mut bytes = [0; READ * 2];
            while !stopping.load(Ordering::Acquire) && pipe.read_exact(&mut bytes).is_ok() {
                let now_ms = begun.elapsed().as_secs_f64() * 1_000.0;
                let mut heard = hears.lock().expect("no holder of this lock can panic");
                heard
                    .samples
                    .extend(bytes.chunks_exact(2).map(|b| f32::from(i16::from_le_bytes([b[0], b[1]])) / 32_768.0));
                // The piece that came soonest tells when samples come without being held up.
                let base = now_ms - heard.samples.len() as f64 * 1_000.0 / RATE as f64;
                heard.base_ms = Some(heard.base_ms.map_or(base, |known| known.min(base)));
            }
        };
        let thread = Some(std::thread::Builder::new().name("recorder".into()).spawn(listen)?);
        Ok(Self { process, stop, heard, thread })
    }

    /// When bursts began, in milliseconds since the common beginning.
    fn bursts(&self) -> Vec<f64> {
        let heard = self.heard.lock().expect("no holder of this lock can panic");
        let loudness: Vec<f32> = heard
            .samples
            .chunks_exact(FINE)
            .map(|piece| piece.iter().map(|sample| sample.abs()).sum::<f32>() / FINE as f32)
            .collect();
        let threshold = loudness.iter().copied().fold(0.0, f32::max) * 0.3;
        let (base, apart) = (heard.base_ms.unwrap_or_default(), EVERY_MS / 2);
        let mut found: Vec<usize> = Vec::new();
        for (at, loud) in loudness.iter().enumerate() {
            if *loud > threshold && *loud > 0.01 && found.last().is_none_or(|last| at - last > apart) {
                found.push(at);
            }
        }
        found.into_iter().map(|at| base + at as f64).collect()
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
        let _ = self.process.kill();
        let _ = self.process.wait();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The part of a recording, in percent, that lies in breaks longer than `longest_ms`: 10 ms pieces quieter than `floor`.
pub(crate) fn percent_of_gaps(samples: &[f32], longest_ms: usize, floor: f32) -> f64 {
    let (mut gaps, mut run) = (0, 0);
    let pieces: Vec<_> = samples.chunks_exact(RATE / 100).collect();
    let quiet =
        pieces.iter().map(|piece| (piece.iter().map(|s| s * s).sum::<f32>() / piece.len() as f32).sqrt() < floor);
    for quiet in quiet.chain([false]) {
        if quiet {
            run += 1;
            continue;
        }
        if run * 10 > longest_ms {
            gaps += run;
        }
        run = 0;
    }
    gaps as f64 * 100.0 / pieces.len().max(1) as f64
}

/// A voice that never pauses.
pub(crate) fn hum(seconds: usize) -> impl Iterator<Item = f32> {
    let mut phase = 0.0f32;
    (0..seconds * RATE).map(move |n| {
        let hz = 140.0 + 20.0 * (n as f32 / RATE as f32 * 3.0).sin();
        phase = (phase + hz / RATE as f32).fract();
        (1..8).map(|k| (phase * k as f32 * std::f32::consts::TAU).sin() / k as f32).sum::<f32>() * 0.2
    })
}
