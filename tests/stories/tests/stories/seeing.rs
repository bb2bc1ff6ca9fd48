//! Two people see each other: cameras are switched on and off in a call, and what the windows get to draw is theirs.

use std::time::Duration;

use contract::{
    CallDetails, CallPictures, CallStage, CallView, CameraView, PastCalls, PictureOf, PictureWish, Question,
    TheirPicture,
};
use lab::Person;
use lab::person::Setup;
use media::{CameraChoice, H264};
use serde_json::Value;

use crate::common::Stage;

/// Longer than a picture may take, even on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(25);

/// A picture as a window gets it.
struct Drawn {
    number: u32,
    width: usize,
    height: usize,
    planes: Vec<u8>,
}

impl Drawn {
    fn read(bytes: &[u8]) -> Option<Self> {
        let (head, planes) = bytes.split_at_checked(8)?;
        let side = |at: usize| usize::from(u16::from_le_bytes([head[at], head[at + 1]]));
        let (width, height) = (side(4), side(6));
        assert_eq!(planes.len(), width * height * 3 / 2, "whole planes");
        let number = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        Some(Self { number, width, height, planes: planes.to_vec() })
    }

    /// The number that the camera drew.
    fn counted(&self) -> Option<u32> {
        video::read_counter(|x, y| {
            let at = |part: f32, side: usize| ((part * side as f32) as usize).min(side - 1);
            self.planes[at(y, self.height) * self.width + at(x, self.width)]
        })
    }
}

/// The numbers that so many pictures carry, one drawn after the other.
pub(crate) async fn drawn(person: &Person, call: &str, whose: PictureOf, count: usize) -> Vec<u32> {
    let (mut seen, mut after) = (Vec::new(), 0);
    let drawing = async {
        while seen.len() < count {
            let wish = PictureWish { call: call.to_owned(), whose, after };
            let bytes = person.picture(wish).await.unwrap();
            if let Some(picture) = Drawn::read(&bytes) {
                after = picture.number;
                seen.push(picture.counted().expect("a picture that is whole"));
            }
        }
    };
    if tokio::time::timeout(PATIENCE, drawing).await.is_err() {
        panic!("only these were drawn: {seen:?}");
    }
    seen
}

async fn switch_camera(person: &Person, call: &str, on: bool) {
    person.ask::<Value>(Question::CallCamera { call: call.to_owned(), on }).await.unwrap();
}

/// Waits until the pictures of a person's call are as they should be.
pub(crate) async fn sees(person: &Person, wanted: impl Fn(&CallPictures) -> bool) {
    let looking = async {
        loop {
            let calls: Vec<CallView> = person.ask(Question::CallList).await.unwrap();
            if calls.iter().any(|call| wanted(&call.pictures)) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    if tokio::time::timeout(PATIENCE, looking).await.is_err() {
        let calls: Vec<CallView> = person.ask(Question::CallList).await.unwrap();
        panic!("this is what is seen: {:?}", calls.iter().map(|call| &call.pictures).collect::<Vec<_>>());
    }
}

/// Ana calls with her camera on; gives what each calls the call.
pub(crate) async fn call_with_camera(stage: &mut Stage) -> (String, String) {
    let placed: CallView = stage.ana.ask(Question::CallStart { user: "ben@b.localhost".into() }).await.unwrap();
    switch_camera(&stage.ana, &placed.call, true).await;
    let ringing = stage.ben.sees_call(&CallStage::Ringing).await;
    stage.ben.ask::<Value>(Question::CallAccept { call: ringing.call.clone() }).await.unwrap();
    stage.ana.sees_call(&CallStage::Connected).await;
    stage.ben.sees_call(&CallStage::Connected).await;
    (placed.call, ringing.call)
}

#[tokio::test(flavor = "multi_thread")]
async fn both_see_what_the_others_camera_counts_and_who_switches_it_off_is_not_seen_any_more() {
    let mut stage = Stage::strangers().await;
    stage.become_contacts().await;
    let (at_ana, at_ben) = call_with_camera(&mut stage).await;

    let seen = drawn(&stage.ben, &at_ben, PictureOf::Theirs, 20).await;
    assert!(seen.is_sorted_by(|one, next| one < next), "{seen:?}");
    sees(&stage.ben, |pictures| pictures.theirs == TheirPicture::On && pictures.camera == CameraView::Off).await;
    switch_camera(&stage.ben, &at_ben, true).await;
    let seen = drawn(&stage.ana, &at_ana, PictureOf::Theirs, 20).await;
    assert!(seen.is_sorted_by(|one, next| one < next), "{seen:?}");
    assert_eq!(drawn(&stage.ana, &at_ana, PictureOf::Own, 5).await.len(), 5, "one sees oneself");
    sees(&stage.ana, |pictures| matches!(&pictures.camera, CameraView::On { name } if name == "counter")).await;

    switch_camera(&stage.ana, &at_ana, false).await;
    sees(&stage.ana, |pictures| pictures.camera == CameraView::Off).await;
    sees(&stage.ben, |pictures| pictures.theirs == TheirPicture::Off).await;
    let wish = PictureWish { call: at_ben.clone(), whose: PictureOf::Theirs, after: 0 };
    assert!(stage.ben.picture(wish.clone()).await.unwrap().is_empty(), "no old picture stays");

    stage.ana.ask::<Value>(Question::CallHangup { call: at_ana }).await.unwrap();
    stage.ben.is_in_no_call().await;
    assert!(stage.ben.picture(wish).await.is_err(), "nor is there any after the call");
    stage.close().await;
}

/// What the newest call of a person's list was seen in.
async fn was_seen_in(person: &Person) -> Vec<String> {
    person.is_in_no_call().await;
    let book: PastCalls = person.ask(Question::CallBook { missed: false, before: None }).await.unwrap();
    let id = book.calls.first().expect("the call is kept").id.clone();
    let details: CallDetails = person.ask(Question::CallLook { id }).await.unwrap();
    details.picture_codecs
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_is_over_tells_what_it_was_seen_in_and_one_h264_is_not_enough() {
    for (bens, seen_in) in [(H264::Beside, "H.264"), (H264::Off, "VP8")] {
        let with = |h264| move |setup: &Setup| Setup { h264, ..setup.clone() };
        let mut stage = Stage::set(with(H264::First), with(bens)).await;
        stage.become_contacts().await;
        let (at_ana, at_ben) = call_with_camera(&mut stage).await;
        drawn(&stage.ben, &at_ben, PictureOf::Theirs, 5).await;
        // The figures of a call are read once in a while.
        tokio::time::sleep(Duration::from_secs(1)).await;
        stage.ana.ask::<Value>(Question::CallHangup { call: at_ana }).await.unwrap();
        for person in [&stage.ana, &stage.ben] {
            assert_eq!(was_seen_in(person).await, [seen_in]);
        }
        stage.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_camera_one_is_told_why_and_calls_with_the_voice() {
    let mut stage = Stage::set(
        |setup| {
            let mut setup = setup.clone();
            setup.camera = CameraChoice::None;
            setup
        },
        Clone::clone,
    )
    .await;
    stage.become_contacts().await;
    let (at_ana, at_ben) = call_with_camera(&mut stage).await;
    sees(&stage.ana, |pictures| matches!(&pictures.camera, CameraView::Failed { code } if code == "no-camera")).await;
    switch_camera(&stage.ben, &at_ben, true).await;
    assert_eq!(drawn(&stage.ana, &at_ana, PictureOf::Theirs, 5).await.len(), 5, "only her own is missing");
    stage.close().await;
}
