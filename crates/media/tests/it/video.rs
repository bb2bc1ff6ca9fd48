//! Two people see each other: the pictures carry their numbers, so that what arrived can be read.

use std::time::Duration;

use crate::common::{Person, connect, long_tone, quiet, runtime};
use crate::seeing::{COUNTER, hang_up, numbers, over, until_sent};
use media::{AudioConfig, CameraChoice, CameraError, CameraState, MediaEvent, PictureState, Speaker};

#[test]
fn a_picture_that_counts_arrives_in_order_and_untorn() {
    runtime().block_on(async {
        let (mut ana, mut ben) = (Person::with(quiet()).await, Person::with(quiet()).await);
        connect(&mut ana, &mut ben).await;
        let (mut pictures, mut own) = (ben.media.pictures(), ana.media.own_pictures());
        assert!(pictures.borrow().is_none());
        ana.media.set_camera(Some(COUNTER));
        ana.until(|event| matches!(event, MediaEvent::Camera(CameraState::On { .. }))).await;
        let seen = numbers(&mut pictures, 30).await;
        assert!(seen.is_sorted_by(|one, next| one < next), "{seen:?}");
        assert!(!numbers(&mut own, 3).await.is_empty(), "one sees oneself");
        ben.until(|event| *event == MediaEvent::Picture(PictureState::Moving)).await;
        let (sent, received) = (ana.media.video_stats(), ben.media.video_stats());
        assert!(sent.sent_keys >= 1 && received.decoded >= 30, "{sent:?} {received:?}");
        assert_eq!((received.width, received.height), (640, 360));
        hang_up([ana, ben]).await;
    });
}

#[test]
fn a_camera_is_switched_on_and_off_in_the_middle_of_a_call_without_a_new_negotiation() {
    runtime().block_on(async {
        let (mut ana, mut ben) = (Person::with(quiet()).await, Person::with(quiet()).await);
        connect(&mut ana, &mut ben).await;
        let mut pictures = ben.media.pictures();
        ana.media.set_camera(Some(COUNTER));
        numbers(&mut pictures, 5).await;
        ana.media.set_camera(None);
        ana.until(|event| *event == MediaEvent::Camera(CameraState::Off)).await;
        ben.until(|event| *event == MediaEvent::Picture(PictureState::Gone)).await;
        let told: Vec<MediaEvent> =
            ben.events().into_iter().filter(|event| matches!(event, MediaEvent::Picture(_))).collect();
        let said = [PictureState::Moving, PictureState::Gone].map(MediaEvent::Picture);
        assert!(told.ends_with(&said), "it was said, not guessed: {told:?}");
        assert!(pictures.borrow_and_update().is_none(), "no old picture stays");
        ana.media.set_camera(Some(COUNTER));
        numbers(&mut pictures, 5).await;
        ben.media.set_camera(Some(COUNTER));
        numbers(&mut ana.media.pictures(), 5).await;
        hang_up([ana, ben]).await;
    });
}

#[test]
fn without_a_camera_the_call_goes_on_and_one_is_told_why() {
    runtime().block_on(async {
        let (mut ana, mut ben) = (Person::with(quiet()).await, Person::with(quiet()).await);
        connect(&mut ana, &mut ben).await;
        ana.media.set_camera(Some(CameraChoice::Device("/dev/video-that-is-not-there".into())));
        ana.until(|event| *event == MediaEvent::Camera(CameraState::Failed(CameraError::NoCamera))).await;
        // Only her own is missing: she sees Ben.
        ben.media.set_camera(Some(COUNTER));
        numbers(&mut ana.media.pictures(), 5).await;
        hang_up([ana, ben]).await;
    });
}

#[test]
fn an_offer_without_a_picture_is_a_call_without_one() {
    runtime().block_on(async {
        let (mut ana, mut ben) = (Person::with(quiet()).await, Person::with(quiet()).await);
        let without = |sdp: String| {
            let end = sdp.find("m=video").expect("both offer a picture from the beginning");
            sdp[..end].replace("BUNDLE 0 1 2", "BUNDLE 0")
        };
        crate::common::introduce(&mut ana, &mut ben, without, |answer| answer).await;
        ben.until(|event| *event == MediaEvent::Connected).await;
        ben.media.set_camera(Some(COUNTER));
        ben.until(|event| matches!(event, MediaEvent::Camera(CameraState::On { .. }))).await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        assert_eq!(ben.media.video_stats().sent_frames, 0);
        hang_up([ana, ben]).await;
    });
}

#[test]
fn what_is_lost_on_the_way_is_repeated_or_a_key_frame_heals_it() {
    runtime().block_on(async {
        let quality = road::Quality { loss: 5, delay_ms: 0, jitter_ms: 20, mbit: 8.0 };
        let ([ana, ben], _road) = over(quality, [quiet(), quiet()], COUNTER).await;
        let mut pictures = ben.media.pictures();
        let seen = numbers(&mut pictures, 90).await;
        assert!(seen.is_sorted_by(|one, next| one < next), "{seen:?}");
        hang_up([ana, ben]).await;
    });
}

#[test]
fn on_a_narrow_road_the_picture_becomes_small_the_voice_goes_through_and_the_picture_comes_back() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let mouth = long_tone(folder.path(), 440.0, 30);
        let speaking =
            AudioConfig { speaker: Speaker::Null, ..crate::common::files(&mouth, &folder.path().join("unused.wav")) };
        let wide = road::Quality { loss: 0, delay_ms: 0, jitter_ms: 0, mbit: 8.0 };
        let narrow = road::Quality { mbit: 0.3, ..wide };
        let camera = CameraChoice::Counter { width: 1_280, height: 720 };
        let ([ana, ben], road) = over(wide, [speaking, quiet()], camera).await;
        until_sent(&ana, |sent| sent.sent_height >= 360).await;

        road.becomes(narrow);
        until_sent(&ana, |sent| (1..=270).contains(&sent.sent_height) && sent.sent_rate < 250_000).await;
        // What had been sent before it was noticed has to pass.
        numbers(&mut ben.media.pictures(), 30).await;
        let before = ben.media.stats();
        let seen = numbers(&mut ben.media.pictures(), 60).await;
        assert!(seen.is_sorted_by(|one, next| one < next), "{seen:?}");
        let sent = ana.media.video_stats();
        assert!(sent.sent_height <= 270 && sent.estimate < 450_000, "{sent:?}");
        let after = ben.media.stats();
        let (came, missing) = (after.received - before.received, after.lost + after.late - before.lost - before.late);
        assert!(missing * 100 <= came * 3, "of the voice {came} came and {missing} were missing: {after:?}");

        road.becomes(wide);
        until_sent(&ana, |sent| sent.sent_height >= 360 && sent.sent_rate > 400_000).await;
        numbers(&mut ben.media.pictures(), 10).await;
        hang_up([ana, ben]).await;
    });
}

#[test]
#[cfg(target_os = "linux")]
fn when_the_computer_has_too_much_to_do_the_voice_goes_first_and_the_pictures_last() {
    runtime().block_on(async {
        let (mut ana, mut ben) = (Person::with(quiet()).await, Person::with(quiet()).await);
        connect(&mut ana, &mut ben).await;
        let mut pictures = ben.media.pictures();
        ana.media.set_camera(Some(COUNTER));
        numbers(&mut pictures, 3).await;
        // What this system permits.
        let first = std::thread::Builder::new().name("first".to_owned()).spawn(|| {
            priority::voice();
            nice_levels("first")
        });
        let first = first.unwrap().join().unwrap();
        assert_eq!(nice_levels("voice"), [first[0], first[0]]);
        // An encoder has threads of its own, which have its name.
        for name in ["camera", "picture"] {
            let levels = nice_levels(name);
            assert!(!levels.is_empty() && levels.iter().all(|level| *level == 5), "{name}: {levels:?}");
        }
        hang_up([ana, ben]).await;
    });
}

/// The nice levels of the threads of this name.
#[cfg(target_os = "linux")]
fn nice_levels(name: &str) -> Vec<i32> {
    use rustix::process::{Pid, getpriority_process};
    let threads = std::fs::read_dir("/proc/self/task").unwrap().flatten();
    // A thread may end while we look.
    let named = threads.filter(|thread| {
        std::fs::read_to_string(thread.path().join("comm")).is_ok_and(|found| found.trim_end() == name)
    });
    let numbers = named.filter_map(|thread| thread.file_name().to_str()?.parse().ok().and_then(Pid::from_raw));
    numbers.filter_map(|thread| getpriority_process(Some(thread)).ok()).collect()
}
