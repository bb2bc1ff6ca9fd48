//! A first audio call across the two domains: what the caller says is heard, and nothing else.
#![allow(clippy::unwrap_used, reason = "a story fails by panicking")]

mod common;

use std::path::Path;
use std::time::Duration;

use common::Stage;
use contract::{CallStage, CallView, News, Question};
use lab::Person;
use media::{Microphone, Speaker};
use serde_json::Value;
use tempfile::TempDir;

const RATE: u32 = 48_000;

/// Writes seconds of a tone.
fn tone(path: &Path, hertz: f32, seconds: u32) {
    let spec =
        hound::WavSpec { channels: 1, sample_rate: RATE, bits_per_sample: 16, sample_format: hound::SampleFormat::Int };
    let mut file = hound::WavWriter::create(path, spec).unwrap();
    for at in 0..RATE * seconds {
        let phase = at as f32 / RATE as f32 * hertz * std::f32::consts::TAU;
        file.write_sample((phase.sin() * 12_000.0) as i16).unwrap();
    }
    file.finalize().unwrap();
}

/// The reason a person reads when a call is over.
async fn why_it_ended(person: &mut Person) -> String {
    let ended = |news| match news {
        News::Call(CallView { stage: CallStage::Ended { reason, .. }, .. }) => Some(reason),
        _ => None,
    };
    person.hears("the end of the call", ended).await
}

/// Seconds of a recording in which this tone is louder than everything else together.
fn seconds_of(path: &Path, hertz: f32) -> f32 {
    let mut file = hound::WavReader::open(path).unwrap();
    let rate = file.spec().sample_rate as f32;
    let samples: Vec<f32> = match file.spec().sample_format {
        hound::SampleFormat::Int => file.samples::<i32>().map(|s| s.unwrap() as f32).collect(),
        hound::SampleFormat::Float => file.samples::<f32>().map(|s| s.unwrap() * 32_768.0).collect(),
    };
    let window = (rate / 10.0) as usize;
    let heard = samples.chunks_exact(window).filter(|part| {
        let energy: f32 = part.iter().map(|s| s * s).sum();
        // Goertzel: the energy of one frequency.
        let turn = 2.0 * (std::f32::consts::TAU * hertz / rate).cos();
        let (a, b) = part.iter().fold((0.0, 0.0), |(a, b): (f32, f32), s| (s + turn * a - b, a));
        let power = a * a + b * b - turn * a * b;
        energy / window as f32 > 1000.0 && power / (energy * window as f32 / 2.0) > 0.5
    });
    heard.count() as f32 / 10.0
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_caller_says_is_what_the_callee_hears() {
    let folder = TempDir::new().unwrap();
    let (said_by_ana, said_by_ben) = (folder.path().join("ana.wav"), folder.path().join("ben.wav"));
    let (heard_by_ana, heard_by_ben) = (folder.path().join("at-ana.wav"), folder.path().join("at-ben.wav"));
    tone(&said_by_ana, 440.0, 2);
    tone(&said_by_ben, 700.0, 2);
    let mut stage = Stage::set(
        |setup| {
            let mut setup = setup.clone();
            setup.microphone = Microphone::Wav { path: said_by_ana.clone(), looped: true };
            setup.speaker = Speaker::Wav(heard_by_ana.clone());
            setup
        },
        |setup| {
            let mut setup = setup.clone();
            setup.microphone = Microphone::Wav { path: said_by_ben.clone(), looped: true };
            setup.speaker = Speaker::Wav(heard_by_ben.clone());
            setup
        },
    )
    .await;
    stage.become_contacts().await;

    let _: CallView = stage.ana.ask(Question::CallStart { user: "ben@b.localhost".into() }).await.unwrap();
    let ringing = stage.ben.sees_call(&CallStage::Ringing).await;
    assert_eq!(ringing.identity.unwrap().vouched_by, "a.localhost");
    stage.ana.sees_call(&CallStage::Ringing).await;
    stage.ben.ask::<Value>(Question::CallAccept { call: ringing.call }).await.unwrap();
    let call = stage.ana.sees_call(&CallStage::Connected).await;
    stage.ben.sees_call(&CallStage::Connected).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    stage.ana.ask::<Value>(Question::CallHangup { call: call.call }).await.unwrap();
    for person in [&stage.ana, &stage.ben] {
        person.is_in_no_call().await;
    }
    stage.close().await;
    let (at_ben, at_ana) = (seconds_of(&heard_by_ben, 440.0), seconds_of(&heard_by_ana, 700.0));
    assert!(at_ben >= 4.0, "Ben heard Ana for {at_ben} s");
    assert!(at_ana >= 4.0, "Ana heard Ben for {at_ana} s");
    assert!(seconds_of(&heard_by_ben, 700.0) < 0.5, "Ben does not hear himself");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_call_ends_on_both_sides() {
    let mut stage = Stage::strangers().await;
    stage.become_contacts().await;
    let _: CallView = stage.ana.ask(Question::CallStart { user: "ben@b.localhost".into() }).await.unwrap();
    let ringing = stage.ben.sees_call(&CallStage::Ringing).await;
    stage.ben.ask::<Value>(Question::CallDecline { call: ringing.call }).await.unwrap();
    assert_eq!(why_it_ended(&mut stage.ana).await, "declined");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_hung_up_did_not_drop_the_call_though_the_goodbye_got_lost() {
    let mut stage = Stage::strangers().await;
    stage.become_contacts().await;
    let call: CallView = stage.ana.ask(Question::CallStart { user: "ben@b.localhost".into() }).await.unwrap();
    let ringing = stage.ben.sees_call(&CallStage::Ringing).await;
    stage.ben.ask::<Value>(Question::CallAccept { call: ringing.call }).await.unwrap();
    stage.ana.sees_call(&CallStage::Connected).await;
    stage.ben.sees_call(&CallStage::Connected).await;
    // Voice goes from device to device; the goodbye would have gone through Ben's node.
    stage.b.stop().await;
    stage.ana.ask::<Value>(Question::CallHangup { call: call.call }).await.unwrap();
    assert_eq!(why_it_ended(&mut stage.ben).await, "hung-up");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_cannot_be_called() {
    let stage = Stage::strangers().await;
    let call = Question::CallStart { user: "ben@b.localhost".into() };
    assert_eq!(stage.ana.ask::<Value>(call).await.unwrap_err().code, "not-permitted");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_who_call_each_other_at_once_are_in_one_call() {
    let mut stage = Stage::strangers().await;
    stage.become_contacts().await;
    let (from_ana, from_ben) = tokio::join!(
        stage.ana.ask::<CallView>(Question::CallStart { user: "ben@b.localhost".into() }),
        stage.ben.ask::<CallView>(Question::CallStart { user: "ana@a.localhost".into() }),
    );
    let (from_ana, from_ben) = (from_ana.unwrap(), from_ben.unwrap());
    for (person, call) in [(&stage.ana, &from_ana), (&stage.ben, &from_ben)] {
        let connected = person.sees_call(&CallStage::Connected).await;
        assert_eq!(connected.call, call.call, "it is the call they began");
        let calls: Vec<CallView> = person.ask(Question::CallList).await.unwrap();
        assert_eq!(calls.len(), 1);
    }
    // What was taken back must not end what came of it.
    tokio::time::sleep(Duration::from_secs(2)).await;
    stage.ana.sees_call(&CallStage::Connected).await;
    stage.ben.sees_call(&CallStage::Connected).await;
    stage.ben.ask::<Value>(Question::CallHangup { call: from_ben.call }).await.unwrap();
    for person in [&stage.ana, &stage.ben] {
        person.is_in_no_call().await;
    }
    stage.close().await;
}
