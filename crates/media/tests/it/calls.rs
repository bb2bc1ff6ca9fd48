//! Stories of two people who call each other over the loopback interface.

use std::time::Duration;

use crate::common::{
    Person, connect, files, introduce, likeness, quiet, read, runtime, seconds_of, seconds_of_sound, speech, tone,
};
use media::{
    AudioConfig, DeviceState, Direction, FailReason, InUse, MediaEngine, MediaError, MediaEvent, Microphone,
    OPEN_CALLS, Speaker,
};
use tokio::sync::mpsc;
use tokio::time::sleep;

/// Puts another fingerprint in the place of the true one.
fn tampered(sdp: String) -> String {
    let at = sdp.find("a=fingerprint:sha-256 ").unwrap() + "a=fingerprint:sha-256 ".len();
    let other = if sdp[at..].starts_with("00") { "11" } else { "00" };
    format!("{}{other}{}", &sdp[..at], &sdp[at + 2..])
}

#[test]
fn two_people_hear_each_other() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let (low, high) = (tone(folder.path(), 440.0), tone(folder.path(), 1_000.0));
        let (at_ana, at_ben) = (folder.path().join("ana.wav"), folder.path().join("ben.wav"));
        let mut ana = Person::speaking(&low, &at_ana).await;
        let mut ben = Person::speaking(&high, &at_ben).await;
        connect(&mut ana, &mut ben).await;
        println!("first audio: ana {} ms, ben {} ms", ana.until_heard().await, ben.until_heard().await);
        sleep(Duration::from_secs(4)).await;
        println!("ana {:?}\nben {:?}", ana.media.stats(), ben.media.stats());
        ana.media.close().await;
        ben.media.close().await;

        for (person, file, hz) in [("ana", &at_ana, 1_000.0), ("ben", &at_ben, 440.0)] {
            let heard = read(file);
            let (whole, right) = (heard.len() as f32 / 48_000.0, seconds_of(&heard, hz));
            println!("{person}: {right} s of {hz} Hz in {whole} s");
            assert!(whole >= 3.6, "{person} heard for {whole} s");
            assert!(right >= 0.9 * (whole - 0.3), "{person} heard {hz} Hz for {right} s of {whole} s");
        }
    });
}

#[test]
fn a_call_that_rings_is_ready_but_neither_heard_nor_found_before_somebody_accepts() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let gone = Microphone::Wav { path: folder.path().join("gone.wav"), looped: true };
        let mut ana = Person::with(quiet()).await;
        let mut ben = Person::ringing(AudioConfig { microphone: gone, ..quiet() }).await;
        let offer = ana.media.create_offer().await.unwrap();
        ana.tell_candidates_to(&ben);
        ben.media.prepare_answer(&offer).await.unwrap();
        ben.tell_candidates_to(&ana);
        sleep(Duration::from_millis(500)).await;
        assert_eq!((ana.events(), ben.events()), (vec![], vec![]), "no microphone was tried, and no path");
        let answer = ben.media.accept_offer(&offer).await.unwrap();
        let input = MediaEvent::Device { direction: Direction::Input, state: DeviceState::Unreadable };
        ben.until(|event| *event == input).await;
        ana.media.accept_answer(&answer).await.unwrap();
        ana.until(|event| *event == MediaEvent::Connected).await;
        ben.until(|event| *event == MediaEvent::Connected).await;
        ana.media.close().await;
        ben.media.close().await;
    });
}

#[test]
fn the_certificate_that_secured_the_call_is_the_one_in_the_description() {
    runtime().block_on(async {
        let (mut ana, mut ben) = (Person::with(quiet()).await, Person::with(quiet()).await);
        let answered = std::cell::RefCell::new(String::new());
        introduce(
            &mut ana,
            &mut ben,
            |offer| offer,
            |answer| {
                answered.replace(answer.clone());
                answer
            },
        )
        .await;
        let secured = ana.until(|event| matches!(event, MediaEvent::SecuredBy { .. })).await;
        let MediaEvent::SecuredBy { fingerprint } = secured else { unreachable!() };
        assert!(
            answered.borrow().contains(&fingerprint.to_string().to_lowercase())
                || answered.borrow().contains(&fingerprint.to_string())
        );
        ana.until(|event| *event == MediaEvent::Connected).await;
        let order: Vec<_> =
            ana.events().into_iter().filter(|event| !matches!(event, MediaEvent::Device { .. })).collect();
        assert_eq!(order[0], MediaEvent::PathFound);
        assert_eq!(order[1..3], [secured, MediaEvent::Connected]);
        assert!(ana.media.stats().secured);
    });
}

/// The handshake's datagram with this number, from one.
fn nth_of_handshake(nth: usize) -> impl FnMut(&[u8]) -> bool + Send {
    let mut seen = 0;
    move |packet| {
        let is_handshake = matches!(packet.first(), Some(20..=22));
        seen += usize::from(is_handshake);
        is_handshake && seen == nth
    }
}

#[test]
fn a_call_is_secured_whichever_two_datagrams_of_the_handshake_are_lost() {
    async fn call(of_ana: usize, of_ben: usize) {
        let (mut ana, mut ben) = (Person::with(quiet()).await, Person::with(quiet()).await);
        let quality = road::Quality { loss: 0, delay_ms: 0, jitter_ms: 0, mbit: 8.0 };
        let road = road::Road::build(quality, 1).await.unwrap();
        road.loses(nth_of_handshake(of_ana), nth_of_handshake(of_ben));
        crate::seeing::introduce_on(&road, &mut ana, &mut ben).await;
        ana.media.close().await;
        ben.media.close().await;
    }
    runtime().block_on(async {
        for of_ana in 1..=6 {
            tokio::join!(call(of_ana, 1), call(of_ana, 2), call(of_ana, 3), call(of_ana, 4), call(of_ana, 5));
        }
    });
}

#[test]
fn words_arrive_as_they_were_said() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let spoken = speech(folder.path(), "Hello Ben, this is Ana. Can you hear every word I say to you?");
        let heard = folder.path().join("heard.wav");
        let mut config = files(&spoken, &folder.path().join("unused.wav"));
        config.microphone = Microphone::Wav { path: spoken.clone(), looped: false };
        let mut ana = Person::with(config).await;
        let mut ben = Person::speaking(&tone(folder.path(), 300.0), &heard).await;
        connect(&mut ana, &mut ben).await;
        sleep(Duration::from_secs(6)).await;
        ben.media.close().await;
        ana.media.close().await;
        let alike = likeness(&read(&spoken), &read(&heard));
        println!("likeness {alike}");
        assert!(alike > 0.7, "{alike}");
    });
}

#[test]
fn a_muted_person_is_silent_and_can_speak_again() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let (low, heard) = (tone(folder.path(), 440.0), folder.path().join("ben.wav"));
        let mut ana = Person::speaking(&low, &folder.path().join("ana.wav")).await;
        let mut ben = Person::speaking(&low, &heard).await;
        ana.media.set_muted(true);
        connect(&mut ana, &mut ben).await;
        ben.until_heard().await;
        sleep(Duration::from_millis(1_500)).await;
        assert!(ana.media.stats().muted && ana.media.stats().sent > 5, "silence is sent, so that the call lives");
        let before = seconds_of_sound(&read(&heard));
        ana.media.set_muted(false);
        sleep(Duration::from_millis(2_500)).await;
        ben.media.close().await;
        ana.media.close().await;
        assert_eq!(before, 0.0);
        assert!(seconds_of(&read(&heard), 440.0) > 1.5);
    });
}

#[test]
fn nothing_is_played_when_the_callers_certificate_is_another() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let low = tone(folder.path(), 440.0);
        let (at_ana, at_ben) = (folder.path().join("ana.wav"), folder.path().join("ben.wav"));
        let mut ana = Person::speaking(&low, &at_ana).await;
        let mut ben = Person::speaking(&low, &at_ben).await;
        introduce(&mut ana, &mut ben, tampered, |answer| answer).await;
        let failed = ben.until(|event| matches!(event, MediaEvent::Failed { .. })).await;
        assert_eq!(failed, MediaEvent::Failed { reason: FailReason::FingerprintMismatch });
        ben.until(|event| *event == MediaEvent::Closed).await;
        sleep(Duration::from_millis(500)).await;
        ana.media.close().await;
        assert!(!at_ana.exists() && !at_ben.exists(), "not one frame was played");
        assert!(
            ben.events().iter().all(|event| !matches!(event, MediaEvent::Connected | MediaEvent::FirstAudio { .. }))
        );
        assert_eq!((ben.media.stats().sent, ana.media.stats().sent), (0, 0));
        assert_eq!(ben.engine.in_use(), InUse::default());
    });
}

#[test]
fn nothing_is_played_when_the_callees_certificate_is_another() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let low = tone(folder.path(), 440.0);
        let (at_ana, at_ben) = (folder.path().join("ana.wav"), folder.path().join("ben.wav"));
        let mut ana = Person::speaking(&low, &at_ana).await;
        let mut ben = Person::speaking(&low, &at_ben).await;
        introduce(&mut ana, &mut ben, |offer| offer, tampered).await;
        let failed = ana.until(|event| matches!(event, MediaEvent::Failed { .. })).await;
        assert_eq!(failed, MediaEvent::Failed { reason: FailReason::FingerprintMismatch });
        ana.until(|event| *event == MediaEvent::Closed).await;
        ben.media.close().await;
        assert!(!at_ana.exists());
        assert_eq!((ben.media.stats().received, ana.media.stats().sent), (0, 0));
    });
}

#[test]
fn hanging_up_releases_everything() {
    runtime().block_on(async {
        let (mut ana, mut ben) = (Person::with(quiet()).await, Person::with(quiet()).await);
        connect(&mut ana, &mut ben).await;
        let open = ana.engine.in_use();
        assert_eq!((open.calls, open.sockets, open.threads), (1, 1, 1), "{open:?}");
        assert!(open.tasks >= 3, "{open:?}");
        ana.media.close().await;
        assert_eq!(ana.engine.in_use(), InUse::default());
        assert_eq!(ana.until(|event| *event == MediaEvent::Closed).await, MediaEvent::Closed);
        assert_eq!(ana.media.create_offer().await, Err(MediaError::Closed));
        ana.media.close().await;

        let failed = ben.until(|event| matches!(event, MediaEvent::Failed { .. })).await;
        assert_eq!(failed, MediaEvent::Failed { reason: FailReason::PeerLeft });
        ben.until(|event| *event == MediaEvent::Closed).await;
        assert_eq!(ben.engine.in_use(), InUse::default());
    });
}

#[test]
fn a_forgotten_call_is_closed_too() {
    runtime().block_on(async {
        let engine = MediaEngine::new(quiet());
        let (events, mut heard) = mpsc::channel(64);
        let media = engine.open_call("forgotten", events).await.unwrap();
        media.create_offer().await.unwrap();
        drop(media);
        while let Some(event) = heard.recv().await {
            if event == MediaEvent::Closed {
                break;
            }
        }
        assert_eq!(engine.in_use(), InUse::default());
    });
}

#[test]
fn a_call_works_without_a_microphone_and_says_so() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let heard = folder.path().join("ana.wav");
        let mut config = files(&tone(folder.path(), 440.0), &heard);
        config.microphone = Microphone::Device("alsa:there-is-no-such-microphone".to_owned());
        let mut ana = Person::with(config).await;
        let mut ben = Person::speaking(&tone(folder.path(), 440.0), &folder.path().join("ben.wav")).await;
        connect(&mut ana, &mut ben).await;
        let told = ana.until(|event| matches!(event, MediaEvent::Device { .. })).await;
        assert_eq!(told, MediaEvent::Device { direction: Direction::Input, state: DeviceState::Missing });
        ana.until_heard().await;
        ben.until_heard().await;
        sleep(Duration::from_secs(1)).await;
        ana.media.close().await;
        assert!(seconds_of(&read(&heard), 440.0) > 0.5);
        assert_eq!(ana.engine.in_use(), InUse::default());
    });
}

#[test]
fn another_microphone_is_taken_in_the_middle_of_a_call() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let (low, high) = (tone(folder.path(), 440.0), tone(folder.path(), 1_000.0));
        let heard = folder.path().join("ben.wav");
        let mut ana = Person::speaking(&low, &folder.path().join("ana.wav")).await;
        let mut ben = Person::speaking(&low, &heard).await;
        connect(&mut ana, &mut ben).await;
        ben.until_heard().await;
        sleep(Duration::from_secs(1)).await;
        ana.media.set_microphone(Microphone::Wav { path: high, looped: true });
        ben.media.set_speaker(Speaker::Null);
        sleep(Duration::from_secs(2)).await;
        ben.media.close().await;
        ana.media.close().await;
        let samples = read(&heard);
        assert!(seconds_of(&samples, 440.0) > 0.5 && seconds_of(&samples, 1_000.0) > 1.0);
    });
}

#[test]
fn hostile_descriptions_and_candidates_are_refused() {
    runtime().block_on(async {
        let engine = MediaEngine::new(quiet());
        let (events, _heard) = mpsc::channel(64);
        let media = engine.open_call("hostile", events).await.unwrap();
        let huge = "v=0\r\n".repeat(30_000);
        assert!(matches!(media.accept_offer(&huge).await, Err(MediaError::Description(_))));
        assert!(matches!(media.accept_offer("").await, Err(MediaError::Description(_))));
        assert!(matches!(media.accept_answer("v=0").await, Err(MediaError::Description(_))));
        assert!(matches!(media.add_candidate("nonsense").await, Err(MediaError::Candidate(_))));
        assert!(matches!(media.add_candidate(&"x".repeat(9_000)).await, Err(MediaError::Candidate(_))));
        let candidate = "candidate:1 1 udp 2130706431 10.1.2.3 50000 typ host";
        for _ in 0..64 {
            media.add_candidate(candidate).await.unwrap();
        }
        assert!(matches!(media.add_candidate(candidate).await, Err(MediaError::TooManyCandidates { .. })));
        assert!(media.create_offer().await.is_ok(), "and the call still works");
        media.close().await;
    });
}

#[test]
fn wounded_offers_neither_break_nor_hang_the_engine() {
    runtime().block_on(async {
        let engine = MediaEngine::new(quiet());
        let (events, _heard) = mpsc::channel(64);
        let media = engine.open_call("honest", events).await.unwrap();
        let offer = media.create_offer().await.unwrap();
        media.close().await;
        let lines: Vec<&str> = offer.lines().collect();
        for wound in 0..lines.len() * 2 {
            let mut wounded = lines.clone();
            let line = wound / 2;
            if wound % 2 == 0 {
                wounded.remove(line);
            } else {
                wounded.insert(line, lines[line]);
            }
            let (events, _heard) = mpsc::channel(64);
            let media = engine.open_call("wounded", events).await.unwrap();
            let _ = media.accept_offer(&(wounded.join("\r\n") + "\r\n")).await;
            media.close().await;
        }
        assert_eq!(engine.in_use(), InUse::default());
    });
}

#[test]
fn only_so_many_calls_are_open_at_once() {
    runtime().block_on(async {
        let engine = MediaEngine::new(quiet());
        let mut calls = Vec::new();
        for _ in 0..OPEN_CALLS {
            let (events, heard) = mpsc::channel(64);
            calls.push((engine.open_call("one", events).await.unwrap(), heard));
        }
        let (events, _heard) = mpsc::channel(64);
        let refused = engine.open_call("too many", events).await.unwrap_err();
        assert_eq!(refused, MediaError::TooManyCalls { limit: OPEN_CALLS });
        calls.pop().unwrap().0.close().await;
        let (events, _heard) = mpsc::channel(64);
        let again = engine.open_call("again", events).await.unwrap();
        again.close().await;
        for (call, _) in calls {
            call.close().await;
        }
        assert_eq!(engine.in_use(), InUse::default());
    });
}
