//! Stories that need a hand inside: what if the engine itself accepted a wrong certificate?

use std::time::Duration;

use call::Fingerprint;
use tokio::sync::mpsc::Receiver;

use super::*;
use crate::error::FailReason;
use crate::{Microphone, NetworkConfig, Speaker};

fn config(ears: std::path::PathBuf) -> AudioConfig {
    AudioConfig {
        microphone: Microphone::Silence,
        speaker: Speaker::Wav(ears),
        network: NetworkConfig::loopback_only(),
        ..AudioConfig::default()
    }
}

async fn next(events: &mut Receiver<MediaEvent>, other: &CallMedia) -> MediaEvent {
    loop {
        let event = tokio::time::timeout(Duration::from_secs(25), events.recv()).await.unwrap().unwrap();
        match event {
            MediaEvent::Candidate(candidate) => drop(other.add_candidate(&candidate).await),
            MediaEvent::PathFound | MediaEvent::Device { .. } | MediaEvent::Level { .. } => {}
            event => return event,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn our_own_check_closes_the_call_even_if_the_engine_accepted_the_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let (at_ana, at_ben) = (folder.path().join("ana.wav"), folder.path().join("ben.wav"));
    let (ana_engine, ben_engine) = (MediaEngine::new(config(at_ana)), MediaEngine::new(config(at_ben.clone())));
    let ((ana_out, mut ana_in), (ben_out, mut ben_in)) =
        (tokio::sync::mpsc::channel(64), tokio::sync::mpsc::channel(64));
    let ana = ana_engine.open_call("call", ana_out).await.unwrap();
    let ben = ben_engine.open_call("call", ben_out).await.unwrap();
    let offer = ana.create_offer().await.unwrap();
    let answer = ben.accept_offer(&offer).await.unwrap();
    // The engine got the true description; the sealed object vouches for another certificate.
    *ben.vouched_for_tests().lock().unwrap() = vec![Fingerprint::from_digest([7; 32])];
    ana.accept_answer(&answer).await.unwrap();
    let for_ana = ana.clone();
    let ana_side = tokio::spawn({
        let ben = ben.clone();
        async move { next(&mut ana_in, &ben).await }
    });
    let event = next(&mut ben_in, &for_ana).await;
    assert_eq!(event, MediaEvent::Failed { reason: FailReason::FingerprintMismatch });
    assert_eq!(next(&mut ben_in, &for_ana).await, MediaEvent::Closed);
    assert!(matches!(ana_side.await.unwrap(), MediaEvent::SecuredBy { .. }), "the engines themselves had agreed");
    assert!(!at_ben.exists(), "not one frame was played");
    assert_eq!((ben.stats().sent, ben.stats().received, ben.stats().secured), (0, 0, false));
    ana.close().await;
    assert_eq!((ana_engine.in_use(), ben_engine.in_use()), (InUse::default(), InUse::default()));
}
