//! Stories of somebody who calls the echo, alone and without a network.

use std::time::Duration;

use crate::common::{files, likeness, read, runtime, seconds_of_sound, speech};
use media::{InUse, MediaEngine, MediaEvent, Microphone};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

async fn until(events: &mut mpsc::Receiver<MediaEvent>, wanted: impl Fn(&MediaEvent) -> bool) {
    let look = async {
        while let Some(event) = events.recv().await {
            assert!(!matches!(event, MediaEvent::Failed { .. }), "{event:?}");
            if wanted(&event) {
                return;
            }
        }
        panic!("the call ended");
    };
    timeout(Duration::from_secs(25), look).await.expect("it happens");
}

#[test]
fn one_hears_oneself_a_moment_later_and_sees_the_numbers() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let (said, heard) =
            (speech(folder.path(), "One two three. Can I hear myself?"), folder.path().join("heard.wav"));
        let mut config = files(&said, &heard);
        config.microphone = Microphone::Wav { path: said.clone(), looped: false };
        let engine = MediaEngine::new(config);
        let (events, mut told) = mpsc::channel(64);
        let media = engine.open_echo_test("echo", events).await.unwrap();
        until(&mut told, |event| *event == MediaEvent::Connected).await;
        until(&mut told, |event| matches!(event, MediaEvent::FirstAudio { .. })).await;
        sleep(Duration::from_millis(1_000)).await;
        let early = seconds_of_sound(&read_so_far(&heard));
        sleep(Duration::from_secs(5)).await;
        let stats = media.stats();
        media.close().await;
        until(&mut told, |event| *event == MediaEvent::Closed).await;
        println!("{stats:?}");

        assert_eq!(early, 0.0, "not before one has finished a word");
        let alike = likeness(&read(&said), &read(&heard));
        println!("likeness {alike}");
        assert!(alike > 0.7, "{alike}");
        assert!(stats.round_trip_ms.is_some_and(|ms| ms < 100.0), "{stats:?}");
        assert!(stats.loss_percent() < 5.0 && stats.received > 50, "{stats:?}");
        assert_eq!(engine.in_use(), InUse::default(), "near and far end are released");
    });
}

/// A recording that may still grow; its header is only right when it is closed.
fn read_so_far(path: &std::path::Path) -> Vec<f32> {
    let bytes = std::fs::read(path).unwrap_or_default();
    let samples = bytes.get(44..).unwrap_or_default().chunks_exact(2);
    samples.map(|pair| f32::from(i16::from_le_bytes([pair[0], pair[1]])) / 32_768.0).collect()
}

#[test]
fn an_echo_that_nobody_holds_any_more_goes_away() {
    runtime().block_on(async {
        let engine = MediaEngine::new(crate::common::quiet());
        let (events, mut told) = mpsc::channel(64);
        let media = engine.open_echo_test("echo", events).await.unwrap();
        until(&mut told, |event| *event == MediaEvent::Connected).await;
        drop(media);
        until(&mut told, |event| *event == MediaEvent::Closed).await;
        assert_eq!(engine.in_use(), InUse::default());
    });
}
