//! A first audio call across the two domains: what the caller says is heard, and nothing else.

use std::path::Path;
use std::time::Duration;

use crate::common::Stage;
use crate::voices;
use contract::{
    CallFigures, CallStage, CallView, ChatSummary, News, PastCalls, Question, Settings, SoundChoice, SoundView,
    VoiceSwitches,
};
use lab::Person;
use lab::person::Setup;
use media::{Microphone, Speaker};
use serde_json::Value;
use tempfile::TempDir;

/// How loud people speak, of 32,768.
const LOUDNESS: f32 = 12_000.0;

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
    voices::seconds(&voices::tenths_of(path, hertz, 0.5))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_caller_says_is_what_the_callee_hears() {
    let folder = TempDir::new().unwrap();
    let (said_by_ana, said_by_ben) = (folder.path().join("ana.wav"), folder.path().join("ben.wav"));
    let (heard_by_ana, heard_by_ben) = (folder.path().join("at-ana.wav"), folder.path().join("at-ben.wav"));
    voices::tone(&said_by_ana, 440.0, 2, LOUDNESS);
    voices::tone(&said_by_ben, 700.0, 2, LOUDNESS);
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
async fn whoever_calls_again_and_again_soon_hears_that_it_is_busy() {
    let mut stage = Stage::strangers().await;
    stage.become_contacts().await;
    let start = || Question::CallStart { user: "ben@b.localhost".into() };
    for _ in 0..3 {
        let call: CallView = stage.ana.ask(start()).await.unwrap();
        stage.ben.sees_call(&CallStage::Ringing).await;
        stage.ana.ask::<Value>(Question::CallHangup { call: call.call }).await.unwrap();
        assert_eq!(why_it_ended(&mut stage.ana).await, "hung-up");
        stage.ben.is_in_no_call().await;
    }
    for _ in 0..2 {
        let _: CallView = stage.ana.ask(start()).await.unwrap();
        assert_eq!(why_it_ended(&mut stage.ana).await, "busy");
        let calls: Vec<CallView> = stage.ben.ask(Question::CallList).await.unwrap();
        assert!(calls.is_empty(), "it did not ring");
    }
    // Those that did not ring are one missed call in his history.
    let book: PastCalls = stage.ben.ask(Question::CallBook { missed: true, before: None }).await.unwrap();
    let often: Vec<bool> = book.calls.iter().map(|call| call.reason == "too-often").collect();
    assert_eq!(often, [true, false, false, false], "the newest, beside the three that rang");
    assert_eq!(book.missed, 4);
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
        let book: PastCalls = person.ask(Question::CallBook { missed: false, before: None }).await.unwrap();
        assert_eq!((book.calls.len(), book.missed), (1, 0), "the offer that was given up is nobody's missed call");
    }
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_echo_says_again_what_it_hears_with_no_network_at_all() {
    let folder = TempDir::new().unwrap();
    let (said, heard) = (folder.path().join("said.wav"), folder.path().join("heard.wav"));
    voices::tone(&said, 440.0, 2, LOUDNESS);
    let ana = |setup: &Setup| {
        let mut setup = setup.clone();
        setup.microphone = Microphone::Wav { path: said.clone(), looped: true };
        setup.speaker = Speaker::Wav(heard.clone());
        setup
    };
    let mut stage = Stage::set(ana, Setup::clone).await;
    stage.a.stop().await;
    stage.b.stop().await;

    let call: CallView = stage.ana.ask(Question::CallEcho).await.unwrap();
    assert!(call.identity.is_none(), "nobody vouches for an echo");
    assert_eq!(stage.ana.ask::<CallView>(Question::CallEcho).await.unwrap_err().code, "already-in-a-call");
    stage.ana.sees_call(&CallStage::Connected).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let figures: CallFigures = stage.ana.ask(Question::CallFigures { call: call.call.clone() }).await.unwrap();
    assert!(figures.delay_ms > 0.0 && figures.first_audio_ms.is_some(), "{figures:?}");
    stage.ana.ask::<Value>(Question::CallHangup { call: call.call.clone() }).await.unwrap();
    assert_eq!(why_it_ended(&mut stage.ana).await, "hung-up");
    stage.ana.is_in_no_call().await;
    let gone = stage.ana.ask::<CallFigures>(Question::CallFigures { call: call.call }).await.unwrap_err();
    assert_eq!(gone.code, "unknown");
    stage.close().await;
    let heard = seconds_of(&heard, 440.0);
    assert!(heard >= 2.0, "Ana heard herself for {heard} s");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_tries_the_echo_is_not_busy_for_people() {
    let mut stage = Stage::strangers().await;
    stage.become_contacts().await;
    let echo: CallView = stage.ben.ask(Question::CallEcho).await.unwrap();
    stage.ben.sees_call(&CallStage::Connected).await;
    let _: CallView = stage.ana.ask(Question::CallStart { user: "ben@b.localhost".into() }).await.unwrap();
    let ringing = stage.ben.sees_call(&CallStage::Ringing).await;
    assert_ne!(ringing.call, echo.call);
    stage.ben.ask::<Value>(Question::CallAccept { call: ringing.call.clone() }).await.unwrap();
    stage.ana.sees_call(&CallStage::Connected).await;
    let connected = stage.ben.sees_call(&CallStage::Connected).await;
    assert_eq!(connected.call, ringing.call);
    let chat: Vec<ChatSummary> = stage.ben.ask(Question::ChatList).await.unwrap();
    assert_eq!(chat.len(), 1, "nobody has a chat with an echo");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_set_for_calls_is_so_after_a_restart() {
    let mut stage = Stage::strangers().await;
    let before: SoundView = stage.ana.ask(Question::SoundGet).await.unwrap();
    assert!(before.switches.echo_cancellation && before.switches.noise_suppression && before.switches.gain_control);
    assert!(before.fixed, "the story says what her microphone is");
    let wanted = VoiceSwitches { noise_suppression: false, ..before.switches };
    stage.ana.ask::<SoundView>(Question::SoundSwitch(wanted)).await.unwrap();
    let settings: Settings = stage.ana.ask(Question::SettingsGet).await.unwrap();
    assert!(settings.small_window, "there is one at first");
    let settings = Settings { small_window: false, ..settings };
    let _: Settings = stage.ana.ask(Question::SettingsSet(settings.clone())).await.unwrap();
    stage.ana.close().await;
    stage.ana.open().await;
    let after: SoundView = stage.ana.ask(Question::SoundGet).await.unwrap();
    assert_eq!(after.switches, wanted);
    assert_eq!(stage.ana.ask::<Settings>(Question::SettingsGet).await.unwrap(), settings);
    let nowhere = SoundChoice { microphone: Some("pulseaudio:taken-out".into()), ..after.choice };
    let refused = stage.ana.ask::<SoundView>(Question::SoundChoose(nowhere)).await.unwrap_err();
    assert_eq!(refused.code, "no-such-device");

    stage.ana.ask::<Value>(Question::SoundTest { microphone: true, speaker: true }).await.unwrap();
    let tried = |news| match news {
        News::Sound(test) => (test.microphone.is_some() && test.speaker.is_some()).then_some(()),
        _ => None,
    };
    stage.ana.hears("how both do", tried).await;
    stage.ana.ask::<Value>(Question::SoundTest { microphone: false, speaker: false }).await.unwrap();
    stage.close().await;
}
