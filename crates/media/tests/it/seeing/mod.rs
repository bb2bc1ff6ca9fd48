//! What two people see of each other: pictures that carry their numbers, over a road of any quality.

#![allow(clippy::unwrap_used, reason = "a test may")]
#![allow(dead_code, reason = "each test file uses its part")]

use std::time::Duration;

use media::{AudioConfig, CameraChoice, InUse, Shown, VideoStats};
use tokio::sync::watch;

use crate::common::{Person, introduce_over};

/// Longer than anything here may take, even on a machine that is busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub const COUNTER: CameraChoice = CameraChoice::Counter { width: 640, height: 360 };

pub fn number_of(shown: &Shown) -> Option<u32> {
    video::read_counter(|x, y| shown.picture.brightness(x, y))
}

/// The numbers of so many pictures; each must be readable.
pub async fn numbers(pictures: &mut watch::Receiver<Option<Shown>>, count: usize) -> Vec<u32> {
    let mut seen = Vec::new();
    let watching = async {
        while seen.len() < count {
            pictures.changed().await.unwrap();
            let shown = pictures.borrow_and_update().clone();
            if let Some(shown) = shown {
                seen.push(number_of(&shown).expect("a picture that is not torn"));
            }
        }
    };
    if tokio::time::timeout(PATIENCE, watching).await.is_err() {
        panic!("only these were seen: {seen:?}");
    }
    seen
}

/// Both hang up, and nothing of the call is left.
pub async fn hang_up(people: [Person; 2]) {
    for person in &people {
        person.media.close().await;
    }
    for person in people {
        let engine = person.engine.clone();
        drop(person);
        assert_eq!(engine.in_use(), InUse::default());
    }
}

/// Two people meet over a road: each is told of its end in place of the other's.
pub async fn introduce_on(road: &road::Road, ana: &mut Person, ben: &mut Person) {
    let (for_ana, for_ben) = (road.for_ana(), road.for_ben());
    introduce_over(ana, ben, move |to_ana, candidate| {
        let port = if to_ana { &for_ana } else { &for_ben };
        port.instead_of(candidate)
    })
    .await;
}

/// Two people over a bad road, with Ana's camera on; gives them when Ben has seen her.
pub async fn over(
    quality: road::Quality,
    [ana, ben]: [AudioConfig; 2],
    camera: CameraChoice,
) -> ([Person; 2], road::Road) {
    let (mut ana, mut ben) = (Person::with(ana).await, Person::with(ben).await);
    let road = road::Road::build(quality, 0x5EED).await.unwrap();
    introduce_on(&road, &mut ana, &mut ben).await;
    ana.media.set_camera(Some(camera));
    numbers(&mut ben.media.pictures(), 3).await;
    ([ana, ben], road)
}

/// Waits until what Ana sends is as it should be.
pub async fn until_sent(ana: &Person, wanted: impl Fn(&VideoStats) -> bool) {
    let waiting = async {
        while !wanted(&ana.media.video_stats()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, waiting).await.is_err() {
        panic!("this is how it stayed: {:?}", ana.media.video_stats());
    }
}
