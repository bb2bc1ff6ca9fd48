//! A microphone and a speaker for each person, made of PulseAudio's null devices.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::hearing::Recording;
use crate::process::{Crew, Program};
use crate::programs::system;
use crate::{Outcome, StageError};

const START: Duration = Duration::from_secs(60);

/// What recordings are made at.
const RATE: u32 = 48_000;

/// Louder than this is not silence.
const AUDIBLE: u16 = 600;

/// What a program shows the sound server to be let in, made by the server; a server asks for all of it.
const COOKIE: &str = "cookie";

pub(crate) struct Sound {
    folder: PathBuf,
    server: String,
    crew: Crew,
    _program: Program,
}

/// A program that stands for a device, which waits for no turn of the processor: it has the level that desktops give
/// their sound servers, where that is permitted (`nice` starts it all the same where it is not).
fn device(program: PathBuf) -> Command {
    let mut command = Command::new("nice");
    command.args(["-n", "-11"]).arg(program);
    command
}

impl Sound {
    /// Starts a sound server that only we know, with devices for these people.
    pub(crate) async fn start(crew: &Crew, folder: &Path, people: &[&str]) -> Outcome<Self> {
        let folder = folder.join("sound");
        let run = folder.join("run");
        crate::stage::private_dir(&run)?;
        let mut command = device(system("pulseaudio", "pulseaudio")?);
        command
            .args([
                "-n",
                "--daemonize=no",
                "--exit-idle-time=-1",
                "--disallow-exit",
                "--realtime=no",
                "--high-priority=no",
            ])
            .args(["--log-target=stderr", "-L"])
            .arg(format!(
                "module-native-protocol-unix socket={} auth-cookie={}",
                run.join("native").display(),
                folder.join(COOKIE).display()
            ))
            .env("XDG_RUNTIME_DIR", &run)
            .env("HOME", &folder)
            .env_remove("DBUS_SESSION_BUS_ADDRESS")
            .env_remove("PULSE_SERVER");
        for person in people {
            for module in [
                format!("module-null-sink sink_name={} rate={RATE} channels=1", mouth(person)),
                format!(
                    "module-remap-source source_name={} master={}.monitor rate={RATE} channels=1",
                    microphone(person),
                    mouth(person)
                ),
                format!("module-null-sink sink_name={} rate={RATE} channels=1", speaker(person)),
            ] {
                command.args(["-L", &module]);
            }
        }
        let program = crew.start("sound", command)?;
        let server = format!("unix:{}", run.join("native").display());
        let sound = Self { folder, server, crew: crew.clone(), _program: program };
        sound.wait_for_devices(people.len() * 2).await?;
        Ok(sound)
    }

    async fn wait_for_devices(&self, sinks: usize) -> Outcome<()> {
        let until = Instant::now() + START;
        loop {
            let output = self.command("pactl")?.args(["list", "short", "sinks"]).stderr(Stdio::null()).output();
            if output.is_ok_and(|output| {
                output.stdout.split(|b| *b == b'\n').filter(|line| !line.is_empty()).count() >= sinks
            }) {
                return Ok(());
            }
            if Instant::now() > until {
                let log = self.crew.logs().join("sound.log");
                return Err(StageError::NotReady { program: "pulseaudio".into(), after: START, log });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// For `PULSE_SERVER`.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// For `PULSE_COOKIE`.
    pub(crate) fn cookie(&self) -> PathBuf {
        self.folder.join(COOKIE)
    }

    /// Writes what a voice says into a file and returns it as well.
    pub(crate) fn speak(&self, name: &str, voice: &str, words: &str) -> Outcome<(PathBuf, Recording)> {
        let path = self.folder.join(format!("{name}-says.wav"));
        let failed = |source| StageError::DidNotStart { program: "espeak-ng".into(), source };
        let status = Command::new(system("espeak-ng", "espeak-ng")?)
            .args(["-v", voice, "-s", "150", "-w"])
            .arg(&path)
            .arg(words)
            .status()
            .map_err(failed)?;
        if !status.success() {
            return Err(failed(std::io::Error::other(status.to_string())));
        }
        let recording = Recording::read_wav(&path)?;
        Ok((path, recording))
    }

    /// Begins to record what a person's app plays.
    pub(crate) fn listen(&self, person: &str) -> Outcome<Listening> {
        let path = self.folder.join(format!("{person}-hears.raw"));
        let file = std::fs::File::create(&path).map_err(StageError::file(&path))?;
        drop(file);
        let mut command = self.command("parec")?;
        command
            .arg("-d")
            .arg(format!("{}.monitor", speaker(person)))
            .args(["--format=s16le", "--channels=1", "--latency-msec=20", "--raw"])
            .arg(format!("--rate={RATE}"))
            .arg(&path);
        let program = self.crew.start(&format!("{person}-hears"), command)?;
        Ok(Listening { path, program })
    }

    /// Plays a file into a person's microphone; ends when it is over.
    pub(crate) fn say(&self, person: &str, file: &Path) -> Outcome<Program> {
        let mut command = self.command("paplay")?;
        // A person speaks steadily; a player with a long buffer would come in bursts no microphone makes.
        command.arg(format!("--device={}", mouth(person))).arg("--latency-msec=40").arg(file);
        self.crew.start(&format!("{person}-speaks"), command)
    }

    fn command(&self, name: &str) -> Outcome<Command> {
        let mut command = device(system(name, "pulseaudio-utils")?);
        command
            .env("PULSE_SERVER", &self.server)
            .env("PULSE_COOKIE", self.cookie())
            .env("HOME", &self.folder)
            .env("XDG_RUNTIME_DIR", self.folder.join("run"));
        Ok(command)
    }
}

/// A recording that goes on.
pub(crate) struct Listening {
    path: PathBuf,
    program: Program,
}

impl Listening {
    /// Waits until sound arrives at all, so that nothing said is missed.
    pub(crate) async fn begins(&self, limit: Duration) -> Outcome<()> {
        let until = Instant::now() + limit;
        while std::fs::metadata(&self.path).map_err(StageError::file(&self.path))?.len() == 0 {
            if Instant::now() > until {
                return Err(StageError::NotHeard {
                    who: "the recorder".into(),
                    what: "anything".into(),
                    found: "no data".into(),
                });
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Ok(())
    }

    /// Waits until something is heard.
    pub(crate) async fn sounds(&self, who: &str, what: &str, limit: Duration) -> Outcome<()> {
        let until = Instant::now() + limit;
        loop {
            let bytes = std::fs::read(&self.path).map_err(StageError::file(&self.path))?;
            if bytes.chunks_exact(2).any(|pair| i16::from_le_bytes([pair[0], pair[1]]).unsigned_abs() > AUDIBLE) {
                return Ok(());
            }
            if Instant::now() > until {
                let found = "silence".into();
                return Err(StageError::NotHeard { who: who.into(), what: what.into(), found });
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Ends it and returns what was heard.
    pub(crate) fn end(mut self) -> Outcome<Recording> {
        self.program.stop();
        let bytes = std::fs::read(&self.path).map_err(StageError::file(&self.path))?;
        let samples = bytes.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
        Ok(Recording { rate: RATE, samples })
    }
}

/// What a person speaks into.
fn mouth(person: &str) -> String {
    format!("vmic_{person}_sink")
}

/// The source that is a person's microphone.
pub(crate) fn microphone(person: &str) -> String {
    format!("vmic_{person}")
}

/// The sink that is a person's speaker.
pub(crate) fn speaker(person: &str) -> String {
    format!("vspk_{person}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hearing::compare;

    #[tokio::test(flavor = "multi_thread")]
    async fn what_a_program_plays_is_recorded_and_recognised() {
        let folder = tempfile::tempdir().unwrap();
        let crew = Crew::new(folder.path().join("logs")).unwrap();
        let sound = Sound::start(&crew, folder.path(), &["ana", "ben"]).await.unwrap();
        let (file, said) = sound.speak("ana", "en-us", "This sentence goes round once.").unwrap();
        let (at_ana, at_ben) = (sound.listen("ana").unwrap(), sound.listen("ben").unwrap());
        at_ana.begins(START).await.unwrap();
        at_ben.begins(START).await.unwrap();
        let mut command = sound.command("paplay").unwrap();
        command.arg(format!("--device={}", speaker("ana"))).arg(file);
        assert!(crew.start("player", command).unwrap().ends(START).await);
        let heard = at_ana.end().unwrap();
        let likeness = compare(&said, &heard);
        assert!(likeness.is_same(), "{likeness} in {} ms", heard.milliseconds());
        // The devices of one person are not those of another.
        assert!(!compare(&said, &at_ben.end().unwrap()).is_same());
    }
}
