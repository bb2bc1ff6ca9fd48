//! Stories of calls that go through a real relay: over UDP, TCP and TLS.

use std::time::Duration;

use crate::common::{Person, connect, files, introduce, read, runtime, seconds_of, tone};
use crate::coturn::Coturn;
use media::{AudioConfig, FailReason, InUse, MediaEvent, RelayServer};
use tokio::time::sleep;

/// Someone whose every packet goes through a relay.
fn relayed(config: AudioConfig, relay: &Coturn, server: RelayServer) -> AudioConfig {
    let mut config = config;
    config.network.relays = vec![server];
    config.network.relay_only = true;
    config.network.net = Some(relay.net());
    config
}

/// Two people who reach their relay in these ways hear each other; gives the caller's candidates.
fn they_hear_each_other(anas: &str, bens: &str) -> Vec<String> {
    let relay = Coturn::on_loopback();
    relay.until_ready();
    let candidates = runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let (low, high) = (tone(folder.path(), 440.0), tone(folder.path(), 1_000.0));
        let (at_ana, at_ben) = (folder.path().join("ana.wav"), folder.path().join("ben.wav"));
        let mut ana = Person::with(relayed(files(&low, &at_ana), &relay, relay.server(anas))).await;
        let mut ben = Person::with(relayed(files(&high, &at_ben), &relay, relay.server(bens))).await;
        connect(&mut ana, &mut ben).await;
        println!("first audio: ana {} ms, ben {} ms", ana.until_heard().await, ben.until_heard().await);
        // Four seconds of it, of which a machine that is busy plays less.
        ana.until_received(200).await;
        ben.until_received(200).await;
        assert_eq!((ana.media.stats().relayed, ben.media.stats().relayed), (Some(true), Some(true)));
        // Whoever looks for another path shows no more of themselves than before.
        assert!(!ana.media.restart().await.unwrap().contains("a=candidate"));
        ana.media.close().await;
        ben.media.close().await;
        for (person, file, hz) in [("ana", &at_ana, 1_000.0), ("ben", &at_ben, 440.0)] {
            let right = seconds_of(&read(file), hz);
            assert!(right >= 1.2, "{person} heard {hz} Hz for {right} s");
        }
        assert_eq!((ana.engine.in_use(), ben.engine.in_use()), (InUse::default(), InUse::default()));
        ana.candidates_told()
    });
    assert!(relay.log().contains("ALLOCATE processed, success"), "{}", relay.log());
    candidates
}

#[test]
fn voice_goes_through_a_relay_over_udp() {
    let candidates = they_hear_each_other("turn?transport=udp", "turn?transport=udp");
    assert!(!candidates.is_empty());
    for candidate in candidates {
        let read = call::Candidate::parse(&candidate).unwrap().unwrap();
        assert_eq!(read.kind, call::CandidateKind::Relay, "who is relayed shows no address of their own");
        assert!(candidate.contains("raddr 0.0.0.0 rport 0"), "{candidate}");
    }
}

#[test]
fn voice_goes_through_a_relay_over_tcp() {
    they_hear_each_other("turn?transport=tcp", "turn?transport=tcp");
}

#[test]
fn voice_goes_through_a_relay_over_tls() {
    they_hear_each_other("turns", "turn?transport=udp");
}

#[test]
fn a_relay_that_cannot_prove_its_name_is_not_used() {
    let relay = Coturn::on_loopback();
    relay.until_ready();
    runtime().block_on(async {
        let mut config = relayed(crate::common::quiet(), &relay, relay.server("turns"));
        config.network.net = None;
        let mut ana = Person::with(config).await;
        let mut ben = Person::with(relayed(crate::common::quiet(), &relay, relay.server("turn?transport=udp"))).await;
        introduce(&mut ana, &mut ben, |offer| offer, |answer| answer).await;
        let failed = ana.until(|event| matches!(event, MediaEvent::Failed { .. })).await;
        assert_eq!(failed, MediaEvent::Failed { reason: FailReason::NoRoute });
        assert!(ana.candidates_told().is_empty());
    });
}

#[test]
fn credentials_that_ran_out_or_were_made_up_open_nothing() {
    let relay = Coturn::on_loopback();
    relay.until_ready();
    runtime().block_on(async {
        let mut expired = relay.server("turn?transport=udp");
        (expired.username, expired.credential) = ("1:ana".into(), relay.credential(Duration::ZERO).1);
        let mut made_up = relay.server("turn?transport=tcp");
        made_up.credential = "guess".into();
        let ana = Person::with(relayed(crate::common::quiet(), &relay, expired)).await;
        let ben = Person::with(relayed(crate::common::quiet(), &relay, made_up)).await;
        ana.media.create_offer().await.unwrap();
        ben.media.create_offer().await.unwrap();
        sleep(Duration::from_secs(3)).await;
        assert!(ana.candidates_told().is_empty() && ben.candidates_told().is_empty());
    });
    assert!(!relay.log().contains("ALLOCATE processed, success"));
}
