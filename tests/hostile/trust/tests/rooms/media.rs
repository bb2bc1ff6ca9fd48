//! Attacks on the voice of a call: another certificate, and descriptions that are bombs.

use std::time::Duration;

use call::{Candidate, SDP_BYTES, Sdp, SdpError};
use media::{FailReason, InUse, MediaEvent};

use crate::media_story::{Person, introduce, quiet, tone};

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

/// Puts another fingerprint in the place of the true one.
fn swapped(sdp: String) -> String {
    let at = sdp.find("a=fingerprint:sha-256 ").unwrap() + "a=fingerprint:sha-256 ".len();
    let other = if sdp[at..].starts_with("00") { "11" } else { "00" };
    format!("{}{other}{}", &sdp[..at], &sdp[at + 2..])
}

/// One side of the call sees a description with another fingerprint than the certificate that is shown.
fn swap(on_offer: fn(String) -> String, on_answer: fn(String) -> String, caller_sees_it: bool) {
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let low = tone(folder.path(), 440.0);
        let (at_ana, at_ben) = (folder.path().join("ana.wav"), folder.path().join("ben.wav"));
        let mut ana = Person::speaking(&low, &at_ana).await;
        let mut ben = Person::speaking(&low, &at_ben).await;
        introduce(&mut ana, &mut ben, on_offer, on_answer).await;
        let (careful, other) = if caller_sees_it { (&ana, &ben) } else { (&ben, &ana) };
        let failed = careful.until(|event| matches!(event, MediaEvent::Failed { .. })).await;
        assert_eq!(failed, MediaEvent::Failed { reason: FailReason::FingerprintMismatch });
        careful.until(|event| *event == MediaEvent::Closed).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        other.media.close().await;
        let heard = if caller_sees_it { &at_ana } else { &at_ben };
        assert!(!heard.exists(), "not one frame was played");
        assert_eq!((careful.media.stats().sent, other.media.stats().received), (0, 0), "and none was sent");
        assert_eq!(careful.engine.in_use(), InUse::default());
    });
}

/// Attack: M-01
/// By: somebody on the path
/// Does: shows the callee another certificate than the caller's sealed offer names
/// Holds: the call ends, not one frame was played or sent
#[test]
fn the_callee_hears_nobody_but_the_caller() {
    swap(swapped, |answer| answer, false);
}

/// Attack: M-02
/// By: somebody on the path
/// Does: shows the caller another certificate than the callee's sealed answer names
/// Holds: the call ends, not one frame was played or sent
#[test]
fn the_caller_hears_nobody_but_the_callee() {
    swap(|offer| offer, swapped, true);
}

/// Attack: M-03
/// By: the other side of a call
/// Does: writes a description without a fingerprint, with a weak one beside a good one, or with media that are not sealed
/// Holds: refused before an engine sees it
#[test]
fn a_description_binds_its_certificate() {
    let good = offer();
    assert!(Sdp::parse(&good).is_ok());
    let without = good.lines().filter(|line| !line.contains("fingerprint")).collect::<Vec<_>>().join("\r\n");
    assert_eq!(Sdp::parse(&without), Err(SdpError::Missing("fingerprint")));
    for weak in ["sha-1", "md5", "sha-512"] {
        let beside = format!("{good}a=fingerprint:{weak} {}\r\n", ["AB"; 20].join(":"));
        assert!(matches!(Sdp::parse(&beside), Err(SdpError::Fingerprint(_))), "{weak}");
    }
    for open in ["RTP/AVP", "RTP/SAVPF", "UDP/RTP/AVPF"] {
        assert_eq!(Sdp::parse(&good.replace("UDP/TLS/RTP/SAVPF", open)), Err(SdpError::Unprotected), "{open}");
    }
    assert_eq!(Sdp::parse(&format!("{good}a=crypto:1 AES inline:x\r\n")), Err(SdpError::Unprotected));
}

/// Attack: M-04
/// By: the other side of a call
/// Does: writes a description that is huge, of a million lines, of a thousand sections or candidates
/// Holds: a typed refusal within bounds
#[test]
fn a_description_is_no_bomb() {
    let good = offer();
    assert_eq!(Sdp::parse(&"x".repeat(SDP_BYTES + 1)), Err(SdpError::TooLong { got: SDP_BYTES + 1 }));
    let section = &good[good.find("m=audio").unwrap()..];
    for bomb in [
        format!("{good}{}", "a=x\r\n".repeat(10_000)),
        format!("{good}a={}\r\n", "x".repeat(8_000)),
        format!("{good}{}", section.repeat(50)),
        format!("{good}{}", "a=candidate:1 1 udp 7 10.0.0.1 4000 typ host\r\n".repeat(100)),
        (0..20).fold(good.clone(), |text, n| {
            format!("{text}a=fingerprint:sha-256 {}\r\n", [format!("{n:02X}").as_str(); 32].join(":"))
        }),
        good.replace("v=0", "v=0\0"),
        "\r\n".repeat(20_000),
    ] {
        assert!(Sdp::parse(&bomb).is_err(), "{} bytes", bomb.len());
    }
}

/// Attack: M-05
/// By: the other side of a call
/// Does: names hosts to be resolved, multicast and broadcast addresses, port 0 and other protocols as candidates
/// Holds: refused; nothing is looked up for a peer
#[test]
fn a_candidate_leads_nowhere_it_should_not() {
    assert!(matches!(Candidate::parse("candidate:1 1 udp 7 10.0.0.1 4000 typ host"), Ok(Some(_))));
    for bad in [
        "candidate:1 1 udp 7 evil.example 4000 typ host",
        "candidate:1 1 udp 7 224.0.0.1 4000 typ host",
        "candidate:1 1 udp 7 255.255.255.255 4000 typ host",
        "candidate:1 1 udp 7 0.0.0.0 4000 typ host",
        "candidate:1 1 udp 7 10.0.0.1 0 typ host",
        "candidate:1 1 sctp 7 10.0.0.1 4000 typ host",
        "candidate:1 1 udp 7 10.0.0.1 4000",
        &format!("candidate:{} 1 udp 7 10.0.0.1 4000 typ host", "x".repeat(5000)),
    ] {
        assert!(Candidate::parse(bad).is_err(), "{bad}");
    }
}

/// Attack: M-06
/// By: the other side of a call
/// Does: sends candidates without end, wounded ones too, during the call and after it
/// Holds: a bounded number is looked at, and after the end none
#[test]
fn candidates_come_to_an_end() {
    runtime().block_on(async {
        let (ana, ben) = (Person::with(quiet()).await, Person::with(quiet()).await);
        let offer = ana.media.create_offer().await.unwrap();
        ben.media.accept_offer(&offer).await.unwrap();
        let candidate = |port: usize| {
            let line = format!("candidate:1 1 udp 7 127.0.0.1 {port} typ host");
            serde_json::json!({ "candidate": line, "sdpMid": "0", "sdpMLineIndex": 0 }).to_string()
        };
        let mut taken = 0;
        for port in 20_000..20_500 {
            taken += usize::from(ben.media.add_candidate(&candidate(port)).await.is_ok());
            assert!(ben.media.add_candidate("{\"candidate\":").await.is_err());
        }
        assert!(0 < taken && taken <= 64, "{taken} were taken");
        ben.media.close().await;
        assert!(ben.media.add_candidate(&candidate(30_000)).await.is_err());
        assert_eq!(ben.engine.in_use(), InUse::default());
        ana.media.close().await;
    });
}

fn offer() -> String {
    format!(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111\r\nc=IN IP4 0.0.0.0\r\na=setup:actpass\r\na=mid:0\r\n\
         a=ice-ufrag:abcd\r\na=ice-pwd:0123456789abcdefghijkl\r\na=rtpmap:111 opus/48000/2\r\n\
         a=fingerprint:sha-256 {}\r\na=candidate:1 1 udp 7 10.0.0.1 4000 typ host\r\n\
         a=end-of-candidates\r\na=sendrecv\r\n",
        ["AB"; 32].join(":")
    )
}
