//! Two devices that give each other pieces, and those that only pretend to be one of them.

use std::time::Duration;

use call::Fingerprint;

use super::*;
use crate::{AudioConfig, MediaEngine, NetworkConfig};

const SOON: Duration = Duration::from_secs(20);

fn engine() -> std::sync::Arc<MediaEngine> {
    MediaEngine::new(AudioConfig { network: NetworkConfig::loopback_only(), ..AudioConfig::default() })
}

/// Everything is given back.
async fn is_released(engine: &MediaEngine) {
    let released = async {
        while engine.direct_connections() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(SOON, released).await.expect("connections that nobody holds are closed");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn pieces_that_are_asked_for_come_whole_and_in_order() {
    let (ana, ben) = (engine(), engine());
    let (offer, description) = ana.offer_direct().await.unwrap();
    let (answered, answer) = ben.answer_direct(&description).await.unwrap();
    let given = |piece: u32| vec![piece as u8; 131_088];
    let gives = tokio::spawn(async move {
        let mut channel = answered.settle().await.unwrap();
        loop {
            match channel.hear(SOON).await {
                Ok(Frame::Ask { piece: 99 }) => {
                    channel.say(&Frame::Refused { piece: 99, why: Refusal::NoPiece }).await.unwrap();
                }
                Ok(Frame::Ask { piece }) => {
                    for part in parts(piece, given(piece)) {
                        channel.say(&part).await.unwrap();
                    }
                }
                ended => return ended,
            }
        }
    });
    let mut channel = offer.settle(&answer).await.unwrap();
    let (mut pieces, mut asked, mut came) = (Pieces::default(), 0, 0);
    while came < 40 {
        while asked < 40 && pieces.has_room() {
            channel.say(&pieces.ask(asked, 131_088).unwrap()).await.unwrap();
            asked += 1;
        }
        if let Some((piece, bytes)) = pieces.take(channel.hear(SOON).await.unwrap()).unwrap() {
            assert!(piece == came && bytes == given(piece));
            came += 1;
        }
    }
    channel.say(&pieces.ask(99, 10).unwrap()).await.unwrap();
    let refused = pieces.take(channel.hear(SOON).await.unwrap());
    assert_eq!(refused, Err(DirectError::Refused(Refusal::NoPiece)));
    drop(channel);
    assert_eq!(gives.await.unwrap(), Err(DirectError::Lost), "who leaves is missed");
    is_released(&ana).await;
    is_released(&ben).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn nothing_is_heard_of_whoever_shows_another_certificate_than_was_promised() {
    let (ana, ben) = (engine(), engine());
    let (offer, description) = ana.offer_direct().await.unwrap();
    let (answered, answer) = ben.answer_direct(&description).await.unwrap();
    let other = Fingerprint::from_digest([7; 32]);
    // The engine was told of the true one: our own check is what refuses.
    let (ours, theirs) = tokio::join!(answered.settle_with(vec![other]), offer.settle(&answer));
    assert_eq!(ours.unwrap_err(), DirectError::OtherCertificate);
    drop(theirs);
    // Somebody on the way exchanges the fingerprint: the engine refuses.
    let (offer, description) = ana.offer_direct().await.unwrap();
    let forged: String = description
        .lines()
        .map(|line| match line.strip_prefix("a=fingerprint:") {
            Some(_) => format!("a=fingerprint:sha-256 {}\r\n", vec!["AB"; 32].join(":")),
            None => format!("{line}\r\n"),
        })
        .collect();
    let (answered, answer) = ben.answer_direct(&forged).await.unwrap();
    let (ours, theirs) = tokio::join!(answered.settle(), offer.settle(&answer));
    assert!(ours.is_err() && theirs.is_err(), "{ours:?} {theirs:?}");
    is_released(&ana).await;
    is_released(&ben).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_description_of_a_call_is_none_of_a_direct_connection_and_connections_have_a_limit() {
    let ana = engine();
    let (_offer, description) = ana.offer_direct().await.unwrap();
    assert!(call::Sdp::parse(&description).is_err(), "a call takes no data");
    assert!(!call::Sdp::parse_data(&description).unwrap().candidates().is_empty(), "all stands in one description");
    let odd = [
        description.replace("webrtc-datachannel", "other"),
        description.replace("UDP/DTLS/SCTP", "UDP/SCTP"),
        description.replace("m=application", "m=audio"),
        format!("{description}m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\n"),
        format!("{description}{}", "a=x\r\n".repeat(DESCRIPTION_BYTES)),
        String::new(),
    ];
    for odd in odd {
        assert!(ana.answer_direct(&odd).await.is_err(), "{odd:.200}");
    }
    let mut kept = Vec::new();
    while let Ok((offer, _)) = ana.offer_direct().await {
        kept.push(offer);
        assert!(kept.len() < DIRECT_CONNECTIONS, "not without end");
    }
    assert_eq!(kept.len() + 1, DIRECT_CONNECTIONS);
}
