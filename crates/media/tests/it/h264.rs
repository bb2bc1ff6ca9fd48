//! Two people see each other in H.264 where both have it, and in VP8 where one has not.

use crate::common::{Person, connect, quiet, runtime};
use crate::seeing::{COUNTER, hang_up, numbers, over, until_sent};
use media::{AudioConfig, CameraChoice, H264, MediaEvent, VideoStats};

fn with(h264: H264) -> AudioConfig {
    AudioConfig { h264, ..quiet() }
}

/// Two who have it, and of whom one would rather speak it.
fn both() -> [AudioConfig; 2] {
    [with(H264::First), with(H264::Beside)]
}

/// A call in which both show a counter; gives in which codec each was seen.
async fn seen_in(ana: H264, ben: H264, on_offer: impl Fn(String) -> String) -> [VideoStats; 2] {
    let (mut ana, mut ben) = (Person::with(with(ana)).await, Person::with(with(ben)).await);
    crate::common::introduce(&mut ana, &mut ben, on_offer, |answer| answer).await;
    for person in [&ana, &ben] {
        person.until(|event| *event == MediaEvent::Connected).await;
        person.media.set_camera(Some(COUNTER));
    }
    for person in [&ana, &ben] {
        let seen = numbers(&mut person.media.pictures(), 20).await;
        assert!(seen.is_sorted_by(|one, next| one < next), "{seen:?}");
    }
    let stats = [&ana, &ben].map(|person| person.media.video_stats());
    hang_up([ana, ben]).await;
    stats
}

fn codecs(stats: [VideoStats; 2]) -> [Option<&'static str>; 4] {
    let [ana, ben] = stats;
    [ana.sent_codec, ana.codec, ben.sent_codec, ben.codec]
}

const ALL_H264: [Option<&str>; 4] = [Some("H.264"); 4];
const ALL_VP8: [Option<&str>; 4] = [Some("VP8"); 4];

#[test]
fn who_likes_h264_better_is_seen_and_sees_in_it() {
    let [ana, ben] = runtime().block_on(seen_in(H264::First, H264::Beside, |offer| offer));
    assert_eq!(codecs([ana, ben]), ALL_H264);
    for stats in [ana, ben] {
        assert!(stats.sent_keys >= 1 && stats.decoded >= 20, "{stats:?}");
        assert_eq!((stats.width, stats.height), (640, 360));
    }
}

#[test]
fn vp8_is_spoken_where_nobody_wishes_another_or_one_has_no_h264() {
    runtime().block_on(async {
        for (ana, ben) in [(H264::Beside, H264::Beside), (H264::First, H264::Off), (H264::Off, H264::First)] {
            assert_eq!(codecs(seen_in(ana, ben, |offer| offer).await), ALL_VP8, "{ana:?} and {ben:?}");
        }
    });
}

/// The offer of somebody who has no VP8.
fn only_h264(offer: String) -> String {
    let lines = offer
        .lines()
        .filter(|line| !["a=rtpmap:96 ", "a=fmtp:96 ", "a=rtcp-fb:96 "].iter().any(|vp8| line.starts_with(vp8)));
    lines.flat_map(|line| [line.replace("SAVPF 96 102", "SAVPF 102"), "\r\n".to_owned()]).collect()
}

#[test]
fn who_offers_nothing_but_h264_is_answered_in_it() {
    let seen = runtime().block_on(seen_in(H264::Beside, H264::Beside, |offer| {
        let changed = only_h264(offer.clone());
        assert_ne!(changed, offer, "the offer names both");
        changed
    }));
    assert_eq!(codecs(seen), ALL_H264);
}

#[test]
fn who_has_no_h264_still_speaks_with_somebody_who_offers_nothing_else() {
    runtime().block_on(async {
        let (mut ana, mut ben) = (Person::with(with(H264::First)).await, Person::with(with(H264::Off)).await);
        let changed = |offer: String| only_h264(offer.replace("SAVPF 102 96", "SAVPF 96 102"));
        crate::common::introduce(&mut ana, &mut ben, changed, |answer| answer).await;
        for person in [&ana, &ben] {
            person.until(|event| *event == MediaEvent::Connected).await;
            person.media.set_camera(Some(COUNTER));
        }
        ana.until_received(50).await;
        ben.until_received(50).await;
        for person in [&ana, &ben] {
            assert_eq!(person.media.video_stats().sent_frames, 0, "there is no picture");
        }
        hang_up([ana, ben]).await;
    });
}

#[test]
fn what_is_lost_on_the_way_is_repeated_or_a_key_frame_heals_it() {
    runtime().block_on(async {
        let quality = road::Quality { loss: 5, delay_ms: 0, jitter_ms: 20, mbit: 8.0 };
        let ([ana, ben], _road) = over(quality, both(), COUNTER).await;
        let seen = numbers(&mut ben.media.pictures(), 90).await;
        assert!(seen.is_sorted_by(|one, next| one < next), "{seen:?}");
        assert_eq!(ben.media.video_stats().codec, Some("H.264"));
        hang_up([ana, ben]).await;
    });
}

#[test]
fn on_a_narrow_road_the_picture_becomes_small_and_comes_back() {
    runtime().block_on(async {
        let wide = road::Quality { loss: 0, delay_ms: 0, jitter_ms: 0, mbit: 8.0 };
        let ([ana, ben], road) = over(wide, both(), CameraChoice::Counter { width: 1_280, height: 720 }).await;
        until_sent(&ana, |sent| sent.sent_height >= 360).await;
        road.becomes(road::Quality { mbit: 0.3, ..wide });
        until_sent(&ana, |sent| (1..=270).contains(&sent.sent_height) && sent.sent_rate < 250_000).await;
        let seen = numbers(&mut ben.media.pictures(), 60).await;
        assert!(seen.is_sorted_by(|one, next| one < next), "{seen:?}");
        road.becomes(wide);
        until_sent(&ana, |sent| sent.sent_height >= 360 && sent.sent_rate > 400_000).await;
        numbers(&mut ben.media.pictures(), 10).await;
        assert_eq!(ben.media.video_stats().codec, Some("H.264"));
        hang_up([ana, ben]).await;
    });
}

#[test]
fn another_path_is_looked_for_in_the_same_codec() {
    runtime().block_on(async {
        let (mut ana, mut ben) = (Person::with(with(H264::First)).await, Person::with(with(H264::Beside)).await);
        connect(&mut ana, &mut ben).await;
        ana.media.set_camera(Some(COUNTER));
        numbers(&mut ben.media.pictures(), 5).await;
        let offer = ana.media.restart().await.unwrap();
        let answer = ben.media.accept_offer(&offer).await.unwrap();
        ana.media.accept_answer(&answer).await.unwrap();
        numbers(&mut ben.media.pictures(), 30).await;
        assert_eq!(ben.media.video_stats().codec, Some("H.264"));
        hang_up([ana, ben]).await;
    });
}
