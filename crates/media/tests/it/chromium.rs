//! A call with a peer nobody here wrote: Chromium with its fake devices, in both roles, directly and through a relay.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use crate::common::{Person, files, read, runtime, seconds_of, tone};
use crate::coturn::Coturn;
use media::{AudioConfig, CameraChoice, CameraState, H264, InUse, MediaError, MediaEvent, PictureState, VideoStats};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// Longer than anything here may take, even on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(90);
/// What each side says, far enough apart not to be taken for one another.
const OURS_HZ: f32 = 440.0;
const THEIRS_HZ: f32 = 1_000.0;

/// The browser at the other end.
struct Chromium {
    _child: Child,
    input: ChildStdin,
    answers: mpsc::Receiver<Value>,
    candidates: Option<mpsc::Receiver<String>>,
}

impl Chromium {
    fn start(says: &Path, relay: Option<Value>, only: Option<&str>) -> Self {
        let script = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/browser/lib/peer.mjs");
        let mut command = Command::new("node");
        command.arg(script).arg(says).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
        if let Some(relay) = relay {
            command.env("RELAY", relay.to_string());
        }
        if let Some(only) = only {
            command.env("ONLY", only);
        }
        let mut child = command.spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        let ((answers_out, answers), (candidates_out, candidates)) = (mpsc::channel(64), mpsc::channel(64));
        tokio::spawn(async move {
            let mut lines = BufReader::new(output).lines();
            while let Ok(Some(line)) = lines.next_line().await {
                let mut line: Value = serde_json::from_str(&line).unwrap();
                if let Some(candidate) = line["candidate"].as_str() {
                    let _ = candidates_out.send(candidate.to_owned()).await;
                } else if line.get("state").is_none() {
                    let _ = answers_out.send(line.take()).await;
                }
            }
        });
        Self { _child: child, input, answers, candidates: Some(candidates) }
    }

    async fn tell(&mut self, deed: &Value) {
        self.input.write_all(format!("{deed}\n").as_bytes()).await.unwrap();
    }

    async fn ask(&mut self, deed: Value) -> Value {
        self.tell(&deed).await;
        let answer = timeout(PATIENCE, self.answers.recv()).await.expect("Chromium answers in time");
        let answer = answer.expect("Chromium runs");
        assert!(answer.get("error").is_none(), "{deed}: {answer}");
        answer
    }

    async fn sdp(&mut self, deed: Value) -> String {
        self.ask(deed).await["sdp"].as_str().unwrap().to_owned()
    }

    /// Gives Chromium's candidates to our side.
    fn tell_candidates_to(&mut self, person: &Person) {
        crate::common::carry(self.candidates.take().unwrap(), person.media.clone());
    }

    /// What it sees and hears, once it sees five of our numbers and hears our tone. Tells it our candidates meanwhile.
    async fn sees_and_hears(&mut self, person: &Person) -> Value {
        let (mut told, mut numbers) = (0, BTreeSet::new());
        let look = async {
            loop {
                for candidate in person.candidates_told().into_iter().skip(told) {
                    told += 1;
                    self.tell(&json!({ "do": "candidate", "candidate": candidate })).await;
                }
                let seen = self.ask(json!({ "do": "seen" })).await["seen"].take();
                numbers.extend(seen["number"].as_u64());
                let heard = (seen["hz"].as_f64().unwrap() - f64::from(OURS_HZ)).abs() < 12.0;
                if heard && numbers.len() >= 5 {
                    return seen;
                }
                println!("{seen}");
                sleep(Duration::from_millis(100)).await;
            }
        };
        timeout(PATIENCE, look).await.expect("Chromium hears our tone and sees our numbers")
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Caller {
    We,
    Chromium,
}

/// A call between us and Chromium; gives what Chromium saw of it at its end.
async fn call(caller: Caller, ours: impl Fn(AudioConfig) -> AudioConfig, relay: Option<Value>) -> Value {
    let (seen, _) = call_in(None, caller, ours, relay).await;
    seen
}

/// The same, with a Chromium that speaks one picture codec only; gives what we saw as well.
async fn call_in(
    only: Option<&str>,
    caller: Caller,
    ours: impl Fn(AudioConfig) -> AudioConfig,
    relay: Option<Value>,
) -> (Value, VideoStats) {
    let folder = tempfile::tempdir().unwrap();
    let ears = folder.path().join("ana.wav");
    let mut chromium = Chromium::start(&tone(folder.path(), THEIRS_HZ), relay, only);
    let ana = Person::with(ours(files(&tone(folder.path(), OURS_HZ), &ears))).await;
    match caller {
        Caller::We => {
            let offer = ana.media.create_offer().await.unwrap();
            let answer = chromium.sdp(json!({ "do": "answer", "sdp": offer })).await;
            ana.media.accept_answer(&answer).await.unwrap();
        }
        Caller::Chromium => {
            let offer = chromium.sdp(json!({ "do": "offer" })).await;
            let answer = ana.media.accept_offer(&offer).await.unwrap();
            chromium.ask(json!({ "do": "take", "sdp": answer })).await;
        }
    }
    chromium.tell_candidates_to(&ana);
    ana.media.set_camera(Some(CameraChoice::Counter { width: 640, height: 360 }));
    let seen = chromium.sees_and_hears(&ana).await;
    ana.until(|event| *event == MediaEvent::Connected).await;
    ana.until(|event| matches!(event, MediaEvent::Camera(CameraState::On { .. }))).await;
    ana.until(|event| *event == MediaEvent::Picture(PictureState::Moving)).await;
    ana.until_received(100).await;
    while ana.media.video_stats().decoded < 30 {
        sleep(Duration::from_millis(50)).await;
    }
    let stats = ana.media.video_stats();
    println!("we saw {stats:?}; Chromium saw {seen}");
    ana.media.close().await;
    assert_eq!(ana.engine.in_use(), InUse::default());
    let right = seconds_of(&read(&ears), THEIRS_HZ);
    assert!(right >= 1.0, "we heard {THEIRS_HZ} Hz for {right} s");
    (seen, stats)
}

fn both_understood(seen: &Value, picture: &str) {
    assert!(seen["framesDecoded"].as_u64().unwrap() >= 5 && seen["packets"].as_u64().unwrap() > 0, "{seen}");
    let codecs: Vec<_> = seen["codecs"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(codecs.contains(&"audio/opus") && codecs.contains(&picture), "{seen}");
}

#[test]
fn chromium_answers_our_call_and_both_see_and_hear_each_other() {
    runtime().block_on(async { both_understood(&call(Caller::We, |ours| ours, None).await, "video/VP8") });
}

#[test]
fn we_answer_chromiums_call_and_both_see_and_hear_each_other() {
    runtime().block_on(async { both_understood(&call(Caller::Chromium, |ours| ours, None).await, "video/VP8") });
}

/// With a Chromium that has H.264 only, frames are counted on both sides, and each side names the codec.
fn both_speak_h264(caller: Caller) {
    let (seen, ours) = runtime().block_on(call_in(Some("video/H264"), caller, |ours| ours, None));
    both_understood(&seen, "video/H264");
    let sends: Vec<_> = seen["sends"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(sends.contains(&"video/H264") && seen["framesSent"].as_u64().unwrap() > 0, "{seen}");
    assert_eq!((ours.sent_codec, ours.codec), (Some("H.264"), Some("H.264")), "{ours:?}");
    assert!(ours.decoded >= 30 && ours.sent_frames >= 5, "{ours:?}");
}

#[test]
fn a_chromium_that_has_h264_only_answers_our_call_and_both_see_each_other() {
    both_speak_h264(Caller::We);
}

#[test]
fn we_answer_the_call_of_a_chromium_that_has_h264_only_and_both_see_each_other() {
    both_speak_h264(Caller::Chromium);
}

#[test]
fn a_chromium_that_has_both_is_seen_in_h264_when_we_offer_it_first() {
    let first = |ours| AudioConfig { h264: H264::First, ..ours };
    let seen = runtime().block_on(call(Caller::We, first, None));
    both_understood(&seen, "video/H264");
}

#[test]
fn through_a_relay_chromium_and_we_see_and_hear_each_other() {
    let coturn = Coturn::on_loopback();
    coturn.until_ready();
    let (username, credential) = coturn.credential(Duration::from_secs(600));
    let urls = format!("turn:{}:{}?transport=udp", coturn.ip, coturn.port);
    let theirs = json!({ "urls": urls, "username": username, "credential": credential });
    let ours = |config: AudioConfig| {
        let mut config = config;
        config.network.relays = vec![coturn.server("turn?transport=udp")];
        config.network.relay_only = true;
        config
    };
    let seen = runtime().block_on(call(Caller::We, ours, Some(theirs)));
    both_understood(&seen, "video/VP8");
    assert!(seen["relayed"].as_bool().unwrap(), "{seen}");
}

#[test]
fn a_browser_that_wants_a_data_channel_as_well_is_refused_by_name() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let mut chromium = Chromium::start(&tone(folder.path(), THEIRS_HZ), None, None);
        let ana = Person::with(crate::common::quiet()).await;
        let offer = chromium.sdp(json!({ "do": "offer", "data": true })).await;
        let refused = ana.media.accept_offer(&offer).await.unwrap_err();
        assert_eq!(refused, MediaError::Description(call::SdpError::UnsupportedMedia));
        ana.media.close().await;
    });
}
