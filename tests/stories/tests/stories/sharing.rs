//! Somebody shows a screen in a call: what was chosen is seen by everybody in it, and nothing else ever is.

use contract::{CallHold, CallPictures, CallStage, CallView, PictureOf, Question, ScreenKind, ScreenSource, ShareView};
use lab::Person;
use serde_json::Value;

use crate::common::Stage;
use crate::seeing::{call_with_camera, drawn, sees};
use crate::several_calls::{ANA, BEN, CLEO, accepts, calls, connected, hold, sees as sees_call};

async fn sources(person: &Person) -> Vec<ScreenSource> {
    person.ask(Question::ScreenSources).await.unwrap()
}

async fn share(person: &Person, call: &str, source: &str) -> Result<Value, String> {
    let question = Question::CallShare { call: call.to_owned(), source: source.to_owned() };
    person.ask::<Value>(question).await.map_err(|failure| failure.code)
}

async fn unshare(person: &Person, call: &str) {
    person.ask::<Value>(Question::CallUnshare { call: call.to_owned() }).await.unwrap();
}

fn is_shown(pictures: &CallPictures) -> bool {
    matches!(&pictures.share, ShareView::On { kind: ScreenKind::Screen, name } if name == "counter")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_chosen_is_seen_beside_the_camera_until_it_is_stopped_and_nothing_before() {
    let mut stage = Stage::strangers().await;
    stage.become_contacts().await;
    let outside = stage.ana.ask::<Value>(Question::ScreenSources).await.unwrap_err();
    assert_eq!(outside.code, "not-in-the-call", "outside of a call nobody looks at a screen");
    let (at_ana, at_ben) = call_with_camera(&mut stage).await;
    let (ana, ben) = (&stage.ana, &stage.ben);

    assert_eq!(
        share(ana, &at_ana, "screen:test").await.unwrap_err(),
        "screen-not-listed",
        "it was not offered to anybody"
    );
    let listed = sources(ana).await;
    assert_eq!(listed.len(), 1, "{listed:?}");
    assert_eq!((listed[0].width, listed[0].height, listed[0].kind), (1_280, 720, ScreenKind::Screen));
    assert!(listed[0].preview.as_ref().is_some_and(|jpeg| jpeg.starts_with("/9j/")), "one sees what one chooses");
    for wrong in ["window:1", "screen:0", "", "../screen:test"] {
        assert_eq!(share(ana, &at_ana, wrong).await.unwrap_err(), "screen-not-listed", "{wrong}");
    }
    assert!(share(ana, "connection://a.localhost/nothing", &listed[0].id).await.is_err());
    sees(ben, |pictures| !pictures.screen && pictures.share == ShareView::Off).await;

    share(ana, &at_ana, &listed[0].id).await.unwrap();
    sees(ana, is_shown).await;
    sees(ben, |pictures| pictures.screen).await;
    let seen = drawn(ben, &at_ben, PictureOf::Screen, 10).await;
    assert!(seen.is_sorted_by(|one, next| one <= next), "{seen:?}");
    assert_eq!(drawn(ben, &at_ben, PictureOf::Theirs, 5).await.len(), 5, "the camera goes on beside it");

    // On hold nothing is shown; afterwards it goes on.
    let call = CallView { call: at_ana.clone(), ..connected(ana, BEN).await };
    hold(ana, &call, true).await;
    sees(ben, |pictures| !pictures.screen).await;
    hold(ana, &call, false).await;
    sees_call(ben, ANA, "going on", |call| call.hold == CallHold::No).await;
    drawn(ben, &at_ben, PictureOf::Screen, 3).await;

    unshare(ana, &at_ana).await;
    sees(ana, |pictures| pictures.share == ShareView::Off).await;
    sees(ben, |pictures| !pictures.screen).await;
    unshare(ana, &at_ana).await;

    // Who was shown something shows something, and the call ends with it.
    let his = sources(ben).await;
    share(ben, &at_ben, &his[0].id).await.unwrap();
    drawn(ana, &at_ana, PictureOf::Screen, 3).await;
    ben.ask::<Value>(Question::CallHangup { call: at_ben.clone() }).await.unwrap();
    ana.is_in_no_call().await;
    assert_eq!(share(ben, &at_ben, &his[0].id).await.unwrap_err(), "unknown");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_call_of_three_everybody_sees_the_screen_also_who_comes_later() {
    let stage = crate::several_calls::Stage::friends_of_ana().await;
    let (ana, ben, cleo) = (&stage.ana, &stage.ben, &stage.cleo);
    calls(ana, BEN).await;
    accepts(ben, ANA).await;
    let with_ben = connected(ana, BEN).await;
    let at_ben = connected(ben, ANA).await;
    let listed = sources(ana).await;
    share(ana, &with_ben.call, &listed[0].id).await.unwrap();
    drawn(ben, &at_ben.call, PictureOf::Screen, 3).await;

    let question = Question::CallAdd { call: with_ben.call.clone(), user: CLEO.into() };
    ana.ask::<CallView>(question).await.unwrap();
    accepts(cleo, ANA).await;
    let at_cleo = connected(cleo, ANA).await;
    drawn(cleo, &at_cleo.call, PictureOf::Screen, 3).await;
    let with_cleo = sees_call(ana, CLEO, "shown a screen", |call| is_shown(&call.pictures)).await;
    sees_call(cleo, BEN, "connected", |call| call.stage == CallStage::Connected && !call.pictures.screen).await;

    unshare(ana, &with_cleo.call).await;
    for person in [ben, cleo] {
        sees_call(person, ANA, "shown nothing any more", |call| !call.pictures.screen).await;
    }
    sees_call(ana, BEN, "shown nothing any more", |call| call.pictures.share == ShareView::Off).await;
    stage.close().await;
}
