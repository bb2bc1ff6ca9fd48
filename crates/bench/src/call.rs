//! A call of two people across two domains through virtual sound devices, beside one of Chromium in the same run.

use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use contract::{CallStage, CallView, News, Question};
use lab::person::Setup;
use lab::{Domain, Person};
use media::{AudioConfig, Microphone, NetworkConfig, Speaker};
use node::Wire;
use serde_json::Value;
use tokio::sync::broadcast::Receiver;
use tokio::time::timeout;

use crate::duo::Duo;
use crate::process::{cpu_seconds, memory_mb};
use crate::report::{Figure, Goal, Report};
use crate::seen::seen;
use crate::sound::{SoundServer, hum, write_wav};
use crate::{Failed, wait_for};

const ANA: &str = "ana@a.localhost";
const BEN: &str = "ben@b.localhost";
/// Calls whose set-up is timed.
const CALLS: usize = 11;
/// Nobody rings a contact more often than this within a minute, so the two take turns and rest in between.
const IN_A_ROW: usize = 3;
const REST: Duration = Duration::from_secs(61);
/// Bursts that are timed.
const BURSTS: usize = 25;
/// What a call has to find its delay.
const SETTLING: Duration = Duration::from_secs(12);
const PATIENCE: Duration = Duration::from_secs(30);

const NOTE: &str = "\
One process holds two nodes, two runtimes and two profiles; everything goes over loopback. Microphones and speakers are virtual devices of a
PulseAudio of the benchmark's own, kept awake by a stream of silence (asleep, they need half a second to begin); echo cancellation, noise suppression and gain control are on.
  finding_ms                 call.start until the other app rings; Ana and Ben take turns
  setup_to_audio_ms          call.accept (at once) until both apps have played the other's first sound: answer sealed and delivered through the node,
                             path, handshake, fingerprint check, first packet, jitter buffer
  engine_setup_to_audio_ms   the same between two media engines alone, descriptions handed over in memory, as Chromium's two peer connections do
  mouth_to_ear_ms            a burst in Ana's virtual microphone until it is in Ben's virtual speaker, timed by two recorders of one kind
  device_loop_ms             the same through PulseAudio's own loop-back module (asked for 20 ms): what the devices take without anybody in between
  glass_to_glass_ms          from a picture of the test camera (1,280 × 720, 30 a second) at Ana until Ben's app has it decoded, one direction
  cpu_720p30_percent         what that costs of one core: camera, scaling, encoder, network, decoder, and a voice with cleaning, both ends together
  lip_sync_ms                how far picture and voice were apart at Ben
  climb_to_720p_s            from the camera's begin until all of it is sent
  call_memory_mb             what the process grew by during the calls; both people, nodes and profiles were there before
  chromium_*                 two peer connections of one Chromium page with the same devices and the same recorders";

/// Measures.
pub(crate) fn run() -> Result<Report, Failed> {
    let server = SoundServer::start()?;
    let loop_ms = server.device_loop(BURSTS)?;
    eprintln!("  the devices' own loop: {:.1} ms", crate::soak::median(&loop_ms));
    let chromium = chromium(&server);
    if let Err(error) = &chromium {
        eprintln!("  Chromium could not be measured: {error}");
    }
    let seen = {
        let folder = tempfile::tempdir()?;
        let voice = folder.path().join("voice.wav");
        write_wav(&voice, hum(20))?;
        wait_for(seen(&voice))?
    };
    eprintln!("  seen: {:.0} % of a core, 720p after {:.0} s", seen.cpu_percent, seen.climbed_s);
    let engine_setup = wait_for(engines())?;
    eprintln!("  engines alone: {:.0} ms to the first sound", crate::soak::median(&engine_setup));
    let ours = wait_for(people(&server))?;

    let device = crate::soak::median(&loop_ms);
    let over = |values: &[f64]| values.iter().map(|value| value - device).collect::<Vec<_>>();
    let peer = chromium.as_ref().ok();
    let peer_over = peer.map(|peer| over(&peer.mouth_to_ear));
    let mut figures = vec![
        Figure::new("finding_ms", "ms", ours.finding),
        Figure::new("setup_to_audio_ms", "ms", ours.setup)
            .with_goal(Goal::AtMost(300.0), "promised, on loopback")
            .with_peer(peer.map(|peer| &*peer.setup)),
        Figure::new("engine_setup_to_audio_ms", "ms", engine_setup).with_peer(peer.map(|peer| &*peer.setup)),
        Figure::new("mouth_to_ear_over_device_ms", "ms", over(&ours.mouth_to_ear))
            .with_goal(Goal::AtMost(60.0), "promised, above the devices' own loop in the same run")
            .with_peer(peer_over.as_deref()),
        Figure::new("mouth_to_ear_ms", "ms", ours.mouth_to_ear).with_peer(peer.map(|peer| &*peer.mouth_to_ear)),
        Figure::new("device_loop_ms", "ms", loop_ms),
        Figure::new("cpu_percent", "%", vec![ours.cpu]).with_reference("of one core, for both ends of a voice call"),
        Figure::new("call_memory_mb", "MB", vec![ours.memory]),
        Figure::new("glass_to_glass_ms", "ms", seen.glass_to_glass).with_peer(peer.map(|peer| &*peer.glass_to_glass)),
        Figure::new("frames_per_s_720p30", "/s", vec![seen.frames_per_s]),
        Figure::new("climb_to_720p_s", "s", vec![seen.climbed_s]),
    ];
    if !seen.apart_ms.is_empty() {
        figures.push(Figure::new("lip_sync_ms", "ms", seen.apart_ms).with_goal(Goal::AtMost(80.0), "promised"));
    }
    let most = chromium.as_ref().map_or(Goal::None, |peer| Goal::AtMost(peer.video_cpu * 1.5));
    figures.push(
        Figure::new("cpu_720p30_percent", "%", vec![seen.cpu_percent])
            .with_goal(most, "1.5 times the peer, of one core, both ends")
            .with_peer(peer.map(|peer| std::slice::from_ref(&peer.video_cpu))),
    );
    if let Ok(peer) = chromium {
        figures.push(
            Figure::new("chromium_setup_to_audio_ms", "ms", peer.setup)
                .with_reference("peer of engine_setup_to_audio_ms"),
        );
        figures.push(
            Figure::new("chromium_mouth_to_ear_over_device_ms", "ms", over(&peer.mouth_to_ear)).with_reference("peer"),
        );
        figures.push(
            Figure::new("chromium_mouth_to_ear_ms", "ms", peer.mouth_to_ear).with_reference("peer of mouth_to_ear_ms"),
        );
        figures.push(Figure::new("chromium_glass_to_glass_ms", "ms", peer.glass_to_glass).with_reference("peer"));
        figures.push(
            Figure::new("chromium_cpu_720p30_percent", "%", vec![peer.video_cpu])
                .with_reference("peer; its fake camera, all its processes"),
        );
        figures.push(Figure::new("chromium_memory_mb", "MB", vec![peer.memory]).with_reference("the whole browser"));
    }
    Ok(Report::new(NOTE, figures))
}

/// What our calls took.
struct Ours {
    finding: Vec<f64>,
    setup: Vec<f64>,
    mouth_to_ear: Vec<f64>,
    cpu: f64,
    memory: f64,
}

async fn people(server: &SoundServer) -> Result<Ours, Failed> {
    let mut a = Domain::start("a.localhost", Wire::Ws).await;
    let mut b = Domain::start("b.localhost", Wire::Sse).await;
    let setup = |person: &str| Setup {
        microphone: Microphone::Device(format!("pulseaudio:{person}_mic")),
        speaker: Speaker::Device(format!("pulseaudio:{person}_ears")),
        ..Setup::with(&[&a, &b])
    };
    let mut ana = Person::new("ana", setup("ana")).await;
    let mut ben = Person::new("ben", setup("ben")).await;
    ana.signs_up(&a, None).await;
    ben.signs_up(&b, None).await;
    ana.asks_for_contact(BEN).await;
    ben.accepts(ANA).await;
    ana.sees_contact(BEN, contract::ContactState::Accepted).await;
    let before = memory_mb();
    let (mut finding, mut setup) = (Vec::new(), Vec::new());
    for number in 1..CALLS {
        let bens_turn = number / IN_A_ROW % 2 == 1;
        let (caller, callee, user) = if bens_turn { (&ben, &ana, ANA) } else { (&ana, &ben, BEN) };
        if number % (2 * IN_A_ROW) == 0 {
            tokio::time::sleep(REST).await;
        }
        let (call, found, took) = one_call(caller, callee, user).await?;
        finding.push(found);
        setup.push(took);
        eprintln!("  call: rings after {found:.0} ms, heard {took:.0} ms after it was accepted");
        caller.ask::<Value>(Question::CallHangup { call }).await?;
        ana.is_in_no_call().await;
        ben.is_in_no_call().await;
    }
    tokio::time::sleep(REST).await;
    let (call, found, took) = one_call(&ana, &ben, BEN).await?;
    finding.push(found);
    setup.push(took);
    tokio::time::sleep(SETTLING).await;
    let (cpu, begun) = (cpu_seconds(), Instant::now());
    let mouth_to_ear = tokio::task::block_in_place(|| server.mouth_to_ear(BURSTS))?;
    let cpu = (cpu_seconds() - cpu) * 100.0 / begun.elapsed().as_secs_f64();
    let memory = memory_mb() - before;
    ana.ask::<Value>(Question::CallHangup { call }).await?;
    ana.close().await;
    ben.close().await;
    a.stop().await;
    b.stop().await;
    Ok(Ours { finding, setup, mouth_to_ear, cpu, memory })
}

/// Calls and accepts at once; gives the call as its caller names it, and how long ringing and audio took.
async fn one_call(caller: &Person, callee: &Person, user: &str) -> Result<(String, f64, f64), Failed> {
    let (mut at_caller, mut at_callee) = (caller.app().hear(), callee.app().hear());
    let begun = Instant::now();
    let placed: CallView = caller.ask(Question::CallStart { user: user.into() }).await?;
    let ringing = until(&mut at_callee, |view| view.incoming && view.stage == CallStage::Ringing).await?;
    let accepted = Instant::now();
    let app = callee.app();
    let accepting = tokio::spawn(async move { app.ask(Question::CallAccept { call: ringing.call }).await });
    let connected = |view: &CallView| view.stage == CallStage::Connected;
    let (one, other) = tokio::join!(until(&mut at_caller, connected), until(&mut at_callee, connected));
    let took = accepted.elapsed();
    one?;
    other?;
    accepting.await??;
    let ms = |time: Duration| time.as_secs_f64() * 1_000.0;
    Ok((placed.call, ms(accepted - begun), ms(took)))
}

async fn until(news: &mut Receiver<News>, wanted: impl Fn(&CallView) -> bool) -> Result<CallView, Failed> {
    let look = async {
        loop {
            match news.recv().await? {
                News::Call(view) if wanted(&view) => return Ok::<_, Failed>(view),
                News::Call(CallView { stage: CallStage::Ended { reason, .. }, .. }) => {
                    return Err(format!("the call ended: {reason}").into());
                }
                _ => {}
            }
        }
    };
    timeout(PATIENCE, look).await?
}

/// The set-up of media engines alone.
async fn engines() -> Result<Vec<f64>, Failed> {
    let config = |person: &str| AudioConfig {
        microphone: Microphone::Device(format!("pulseaudio:{person}_mic")),
        speaker: Speaker::Device(format!("pulseaudio:{person}_ears")),
        network: NetworkConfig::loopback_only(),
        ..AudioConfig::default()
    };
    let mut took = Vec::new();
    for _ in 0..CALLS {
        let duo = Duo::connect(config("ana"), config("ben"), None).await?;
        took.push(duo.setup_ms);
        duo.hang_up().await;
    }
    Ok(took)
}

/// What Chromium's call took.
struct Peer {
    setup: Vec<f64>,
    glass_to_glass: Vec<f64>,
    video_cpu: f64,
    mouth_to_ear: Vec<f64>,
    memory: f64,
}

fn chromium(server: &SoundServer) -> Result<Peer, Failed> {
    let script = lab::root().join("tests/browser/lib/call-figures.mjs");
    let mut node =
        Command::new("node").arg(script).arg(CALLS.to_string()).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn()?;
    let mut lines = BufReader::new(node.stdout.take().ok_or("no pipe")?).lines();
    let mut read = || -> Result<Value, Failed> { Ok(serde_json::from_str(&lines.next().ok_or("it ended early")??)?) };
    let numbers = |value: &Value| value.as_array().map(|all| all.iter().filter_map(Value::as_f64).collect::<Vec<_>>());
    let measured = (|| {
        let setup = numbers(&read()?["setup"]).filter(|setup| !setup.is_empty()).ok_or("no set-up times")?;
        std::thread::sleep(SETTLING);
        let mouth_to_ear = server.mouth_to_ear(BURSTS)?;
        let mut input = node.stdin.take().ok_or("no pipe")?;
        input.flush()?;
        drop(input);
        let memory = read()?["memory"].as_f64().ok_or("no memory")?;
        let video = read()?;
        let glass_to_glass = numbers(&video["glass"]).filter(|glass| !glass.is_empty()).ok_or("no picture")?;
        let video_cpu = video["cpu"].as_f64().ok_or("no CPU time")?;
        Ok(Peer { setup, glass_to_glass, video_cpu, mouth_to_ear, memory })
    })();
    if measured.is_err() {
        let _ = node.kill();
    }
    node.wait()?;
    measured
}
