//! A call through real sound devices: a PulseAudio server of our own with virtual ones.

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{Person, connect, long_tone, read, runtime, seconds_of, tone};
use media::{
    AudioConfig, DeviceState, Direction, InUse, MediaEvent, Microphone, NetworkConfig, Speaker, VoiceProcessing,
};
use tokio::time::sleep;

/// A sound server with two people's virtual microphones and speakers. Ends with its owner.
struct SoundServer {
    server: Child,
    players: Vec<Child>,
    _folder: tempfile::TempDir,
}

impl SoundServer {
    fn start() -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        std::fs::create_dir(&run).unwrap();
        let mut command = Command::new("pulseaudio");
        command.args(["-n", "--daemonize=no", "--exit-idle-time=-1", "--disallow-exit", "--realtime=no"]);
        command.args(["--high-priority=yes", "--log-target=null", "--use-pid-file=no"]);
        let socket = run.join("native");
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
        let server = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().ok()?;
        // One process for each test (nextest), so nobody else reads the environment now.
        // SAFETY: no other thread exists yet: this runs first in the test, before its runtime.
        unsafe {
            std::env::set_var("PULSE_SERVER", format!("unix:{}", socket.display()));
            std::env::set_var("XDG_RUNTIME_DIR", &run);
            std::env::set_var("HOME", folder.path());
        }
        let this = Self { server, players: Vec::new(), _folder: folder };
        let begin = Instant::now();
        while !this.answers() {
            assert!(begin.elapsed() < Duration::from_secs(20), "the sound server does not start");
            std::thread::sleep(Duration::from_millis(100));
        }
        Some(this)
    }

    fn answers(&self) -> bool {
        let info = Command::new("pactl").arg("info").stdout(Stdio::null()).stderr(Stdio::null()).status();
        info.is_ok_and(|status| status.success())
    }

    /// Someone speaks into a microphone.
    fn say(&mut self, device: &str, what: &Path) {
        let player = Command::new("paplay")
            .arg(format!("--device={device}"))
            .arg("--latency-msec=40")
            .arg(what)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        self.players.push(player);
    }

    /// What a speaker plays, as raw samples.
    fn listen(&mut self, device: &str, seconds: u64) -> Vec<f32> {
        let seconds = format!("{seconds}");
        let heard = Command::new("timeout")
            .args([
                &seconds,
                "parec",
                "-d",
                device,
                "--rate=48000",
                "--channels=1",
                "--format=s16le",
                "--latency-msec=20",
            ])
            .output()
            .unwrap();
        heard.stdout.chunks_exact(2).map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0).collect()
    }
}

impl Drop for SoundServer {
    fn drop(&mut self) {
        for process in self.players.iter_mut().chain([&mut self.server]) {
            let _ = process.kill();
            let _ = process.wait();
        }
    }
}

fn person(name: &str, record: &Path) -> AudioConfig {
    AudioConfig {
        microphone: Microphone::Device(format!("pulseaudio:{name}_mic")),
        speaker: Speaker::Device(format!("pulseaudio:{name}_ears")),
        // A steady tone is noise to whoever takes noise out.
        processing: VoiceProcessing::OFF,
        record: Some(record.to_owned()),
        network: NetworkConfig::loopback_only(),
        ..AudioConfig::default()
    }
}

#[test]
fn two_people_hear_each_other_through_their_sound_devices() {
    let mut server = SoundServer::start().expect("pulseaudio is installed");
    let folder = tempfile::tempdir().unwrap();
    server.say("ana_mouth", &long_tone(folder.path(), 440.0, 60));
    server.say("ben_mouth", &long_tone(folder.path(), 1_000.0, 60));
    runtime().block_on(async {
        let (at_ana, at_ben) = (folder.path().join("ana.wav"), folder.path().join("ben.wav"));
        let mut ana = Person::with(person("ana", &at_ana)).await;
        let mut ben = Person::with(person("ben", &at_ben)).await;
        connect(&mut ana, &mut ben).await;
        println!("first audio: ana {} ms, ben {} ms", ana.until_heard().await, ben.until_heard().await);
        for direction in [Direction::Input, Direction::Output] {
            ana.until(|event| matches!(event, MediaEvent::Device { direction: told, state: DeviceState::Working { .. } } if *told == direction)).await;
        }
        let devices = ana.engine.devices().await;
        assert!(devices.iter().any(|device| device.id == "pulseaudio:ana_mic" && device.direction == Direction::Input), "{devices:?}");
        sleep(Duration::from_secs(1)).await;
        let out_of_the_speaker = tokio::task::spawn_blocking(move || server.listen("ben_ears.monitor", 3)).await.unwrap();
        println!("ana {:?}\nben {:?}", ana.media.stats(), ben.media.stats());
        ana.media.close().await;
        ben.media.close().await;

        // Of three seconds listened to (the recorder needs a moment), and of more than four of the call.
        let played = seconds_of(&out_of_the_speaker, 440.0);
        let (ana_heard, ben_heard) = (seconds_of(&read(&at_ana), 1_000.0), seconds_of(&read(&at_ben), 440.0));
        println!("speaker {played} s; ana {ana_heard} s, ben {ben_heard} s");
        assert!(played >= 2.0, "the speaker played 440 Hz for {played} s");
        assert!(ana_heard >= 3.0 && ben_heard >= 3.0, "ana {ana_heard} s, ben {ben_heard} s");
        assert_eq!(ana.engine.in_use(), InUse::default());
    });
}

#[test]
fn a_sound_server_that_dies_does_not_end_the_call() {
    let mut server = SoundServer::start().expect("pulseaudio is installed");
    let folder = tempfile::tempdir().unwrap();
    runtime().block_on(async {
        let heard = folder.path().join("ana.wav");
        let mut ana = Person::with(person("ana", &heard)).await;
        let mut ben = Person::speaking(&tone(folder.path(), 440.0), &folder.path().join("ben.wav")).await;
        connect(&mut ana, &mut ben).await;
        ana.until_heard().await;
        server.server.kill().unwrap();
        server.server.wait().unwrap();
        ana.until(|event| {
            matches!(
                event,
                MediaEvent::Device { state: DeviceState::Lost | DeviceState::Missing | DeviceState::Broken, .. }
            )
        })
        .await;
        let (heard_before, sent_before) = (size(&heard), ana.media.stats().sent);
        sleep(Duration::from_secs(3)).await;
        assert!(ana.media.stats().sent > sent_before + 4, "silence goes on in place of the microphone");
        ana.media.close().await;
        // Two bytes a sample: at least a second more.
        assert!(size(&heard) > heard_before + 2 * 48_000, "the recording goes on");
        assert!(!ana.events().iter().any(|event| matches!(event, MediaEvent::Failed { .. })), "{:?}", ana.events());
        assert_eq!(ana.engine.in_use(), InUse::default());
    });
}

/// Puts a device where people can find it, as plugging in a headset does; gives what unplugging needs.
fn plug(arguments: &[&str]) -> String {
    let done = Command::new("pactl").arg("load-module").args(arguments).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

fn unplug(module: &str) {
    assert!(Command::new("pactl").args(["unload-module", module]).status().unwrap().success());
}

fn works(direction: Direction, part: &str, chosen: bool) -> impl Fn(&MediaEvent) -> bool {
    move |event| {
        matches!(event, MediaEvent::Device { direction: told, state: DeviceState::Working { name, instead } }
            if *told == direction && name.contains(part) && *instead != chosen)
    }
}

#[test]
fn a_headset_is_unplugged_and_plugged_in_again_during_a_call() {
    let mut server = SoundServer::start().expect("pulseaudio is installed");
    let folder = tempfile::tempdir().unwrap();
    // The system's own microphone says 1000 Hz, the headset 440 Hz.
    server.say("ben_mouth", &long_tone(folder.path(), 1_000.0, 90));
    assert!(Command::new("pactl").args(["set-default-source", "ben_mic"]).status().unwrap().success());
    assert!(Command::new("pactl").args(["set-default-sink", "ben_ears"]).status().unwrap().success());
    let mouth = ["module-null-sink", "sink_name=headset_mouth", "rate=48000", "channels=1"];
    let mic = [
        "module-remap-source",
        "source_name=headset_mic",
        "master=headset_mouth.monitor",
        "source_properties=device.description=Headset",
    ];
    let (_mouth, plugged) = (plug(&mouth), plug(&mic));
    server.say("headset_mouth", &long_tone(folder.path(), 440.0, 90));
    let heard = folder.path().join("ben.wav");
    runtime().block_on(async {
        let mut config = person("ana", &folder.path().join("ana.wav"));
        config.microphone = Microphone::Device("pulseaudio:headset_mic".to_owned());
        let mut ana = Person::with(config).await;
        let mut ben = Person::speaking(&tone(folder.path(), 300.0), &heard).await;
        connect(&mut ana, &mut ben).await;
        ana.until(works(Direction::Input, "Headset", true)).await;
        ben.until_heard().await;
        sleep(Duration::from_secs(2)).await;
        let came = ana.events().len();
        unplug(&plugged);
        ana.until_after(came, works(Direction::Input, "", false)).await;
        sleep(Duration::from_secs(2)).await;
        let came = ana.events().len();
        plug(&mic);
        ana.until_after(came, works(Direction::Input, "Headset", true)).await;
        sleep(Duration::from_secs(2)).await;
        ana.media.close().await;
        ben.media.close().await;
        assert!(!ana.events().iter().any(|event| matches!(event, MediaEvent::Failed { .. })), "{:?}", ana.events());
        assert_eq!(ana.engine.in_use(), InUse::default());
    });
    let heard = read(&heard);
    let turn = heard
        .chunks_exact(960)
        .position(|window| crate::common::share(window, 1_000.0) > 0.5)
        .expect("the other microphone is heard");
    let back = heard.chunks_exact(960).rposition(|window| crate::common::share(window, 1_000.0) > 0.5).unwrap();
    let (before, between, after) = (&heard[..turn * 960], &heard[turn * 960..back * 960], &heard[back * 960..]);
    println!(
        "headset {} s, instead {} s, headset {} s",
        seconds_of(before, 440.0),
        seconds_of(between, 1_000.0),
        seconds_of(after, 440.0)
    );
    assert!(seconds_of(before, 440.0) > 1.0 && seconds_of(between, 1_000.0) > 1.0 && seconds_of(after, 440.0) > 1.0);
}

#[test]
fn another_speaker_is_taken_in_the_middle_of_a_call_and_a_lost_one_is_replaced() {
    let mut server = SoundServer::start().expect("pulseaudio is installed");
    let folder = tempfile::tempdir().unwrap();
    assert!(Command::new("pactl").args(["set-default-sink", "ben_ears"]).status().unwrap().success());
    let box_ = plug(&["module-null-sink", "sink_name=box", "rate=48000", "channels=1"]);
    runtime().block_on(async {
        let mut ana = Person::with(person("ana", &folder.path().join("ana.wav"))).await;
        let mut ben = Person::speaking(&tone(folder.path(), 440.0), &folder.path().join("ben.wav")).await;
        connect(&mut ana, &mut ben).await;
        ana.until_heard().await;
        let came = ana.events().len();
        ana.media.set_speaker(Speaker::Device("pulseaudio:box".to_owned()));
        ana.until_after(came, works(Direction::Output, "", true)).await;
        let (server, from_box) = tokio::task::spawn_blocking(move || {
            let heard = server.listen("box.monitor", 5);
            (server, heard)
        })
        .await
        .unwrap();
        let came = ana.events().len();
        unplug(&box_);
        ana.until_after(came, works(Direction::Output, "", false)).await;
        let from_default = tokio::task::spawn_blocking(move || {
            let mut server = server;
            server.listen("ben_ears.monitor", 5)
        })
        .await
        .unwrap();
        ana.media.close().await;
        ben.media.close().await;
        let (chosen, instead) = (seconds_of(&from_box, 440.0), seconds_of(&from_default, 440.0));
        println!("chosen {chosen} s, instead {instead} s");
        assert!(chosen > 0.8 && instead > 0.8, "chosen {chosen} s, instead {instead} s");
        assert_eq!(ana.engine.in_use(), InUse::default());
    });
}

#[test]
fn a_microphone_and_a_speaker_are_tried_before_a_call() {
    let mut server = SoundServer::start().expect("pulseaudio is installed");
    let folder = tempfile::tempdir().unwrap();
    server.say("ana_mouth", &long_tone(folder.path(), 440.0, 60));
    let mut config = person("ana", &folder.path().join("unused.wav"));
    // Rings somewhere else than people are heard.
    config.ring = Some(Speaker::Device("pulseaudio:ben_ears".to_owned()));
    let engine = media::MediaEngine::new(config);
    let microphone = engine.test_microphone(Microphone::Device("pulseaudio:ana_mic".to_owned()));
    let missing = engine.test_microphone(Microphone::Device("pulseaudio:nobody".to_owned()));
    eventually(|| microphone.level() > 0.1);
    assert!(matches!(microphone.state(), Some(DeviceState::Working { instead: false, .. })));
    eventually(|| {
        matches!(missing.state(), Some(DeviceState::Working { instead: true, .. }) | Some(DeviceState::Missing))
    });
    let playing = engine.test_speaker(&Speaker::Device("pulseaudio:ana_ears".to_owned()));
    let tune = server.listen("ana_ears.monitor", 6);
    assert!(matches!(playing.state(), Some(DeviceState::Working { .. })));
    drop(playing);
    for hz in [523.25, 659.25, 783.99] {
        assert!(seconds_of(&tune, hz) > 0.15, "{hz} Hz for {} s", seconds_of(&tune, hz));
    }
    let ringing = engine.play_tone(call::Tone::Ring);
    let rung = server.listen("ben_ears.monitor", 6);
    drop(ringing);
    assert!(crate::common::seconds_of_sound(&rung) > 0.5);
    drop((microphone, missing));
    eventually(|| engine.in_use() == InUse::default());
}

fn eventually(condition: impl Fn() -> bool) {
    let begin = Instant::now();
    while !condition() {
        assert!(begin.elapsed() < Duration::from_secs(20), "it never happens");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// Bytes of a recording that may still grow; its header is only right when it is closed.
fn size(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().len()
}
