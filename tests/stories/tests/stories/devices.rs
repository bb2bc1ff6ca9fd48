//! Several devices of one person: linked without an alarm, all in every conversation, and put out in one step.

use crate::common;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::common::Stage;
use contract::Stage as Stand;
use contract::{
    AppState, CallStage, CallView, ChatView, Content, DeviceState, DeviceView, PersonCard, Question, TrustMark,
};

use lab::person::Setup;
use lab::{Crooked, Person, Way};
use serde_json::Value;

/// A new device of somebody, not linked yet.
async fn new_device(stage: &Stage, name: &str) -> Person {
    Person::new(name, Setup::with(&[&stage.a, &stage.b]).knowing(&stage.issuer.url)).await
}

/// The codes of the lines about what happened.
async fn lines(person: &Person, chat: &str) -> Vec<String> {
    let view: ChatView = person.ask(Question::ChatOpen { chat: chat.to_owned() }).await.unwrap();
    let code = |content: Content| match content {
        Content::System { code, .. } => Some(code),
        _ => None,
    };
    view.messages.into_iter().filter_map(|message| code(message.content)).collect()
}

async fn devices(person: &Person) -> Vec<DeviceView> {
    person.ask(Question::DeviceList).await.unwrap()
}

async fn card(person: &Person, user: &str) -> PersonCard {
    person.ask(Question::PersonCard { user: user.to_owned() }).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_device_has_the_history_gets_all_that_follows_and_alarms_nobody() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    stage.ana.writes(&chat, "before").await;
    stage.ben.reads(&chat, &["before"]).await;
    stage.ben.writes(&chat, "and back").await;
    stage.ana.reads(&chat, &["before", "and back"]).await;

    let mut phone = new_device(&stage, "phone").await;
    phone.becomes_a_named_device_of(&mut stage.ana, true, Some("Ana's phone")).await;
    phone.reads(&chat, &["before", "and back"]).await;

    // What Ben writes comes to both, and what either device writes comes to Ben and to the other one.
    stage.ana.sees_members(&chat, 2).await;
    phone.sees_members(&chat, 2).await;
    stage.ben.writes(&chat, "to both").await;
    let mut all = vec!["before", "and back", "to both"];
    stage.ana.reads(&chat, &all).await;
    phone.reads(&chat, &all).await;
    phone.writes(&chat, "from the phone").await;
    all.push("from the phone");
    stage.ben.reads(&chat, &all).await;
    stage.ana.reads(&chat, &all).await;
    stage.ana.writes(&chat, "from the laptop").await;
    all.push("from the laptop");
    stage.ben.reads(&chat, &all).await;
    phone.reads(&chat, &all).await;
    stage.ana.sees_all_delivered(&chat).await;
    phone.sees_all_delivered(&chat).await;

    // Both devices list both, and Ben was told in one quiet line.
    for device in [&stage.ana, &phone] {
        assert_eq!(devices(device).await.iter().filter(|one| one.state == DeviceState::Active).count(), 2);
    }
    assert!(devices(&stage.ana).await.iter().any(|one| one.name == "Ana's phone"), "it has the name she gave it");
    let ana = card(&stage.ben, "ana@a.localhost").await;
    assert_eq!(ana.change, None, "nothing alarms");
    assert_eq!(ana.devices.len(), 2);
    let told = lines(&stage.ben, &chat).await;
    assert_eq!(told.iter().filter(|code| *code == "device-added").count(), 1, "{told:?}");
    let view: ChatView = stage.ben.ask(Question::ChatOpen { chat: chat.clone() }).await.unwrap();
    assert!(view.refusals.is_empty(), "{:?}", view.refusals);
    assert_eq!(view.summary.mark, TrustMark::Introduced);
    phone.close().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observers_new_device_is_let_in_by_the_reporter() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    stage.ben.writes(&chat, "one").await;
    stage.ana.reads(&chat, &["one"]).await;
    // The conversation is Ana's: her device lets Ben's new one in, asking nobody.
    let mut tablet = new_device(&stage, "tablet").await;
    tablet.becomes_a_device_of(&mut stage.ben, true).await;
    tablet.sees_members(&chat, 2).await;
    stage.ana.writes(&chat, "two").await;
    tablet.reads(&chat, &["one", "two"]).await;
    tablet.writes(&chat, "three").await;
    stage.ana.reads(&chat, &["one", "two", "three"]).await;
    stage.ben.reads(&chat, &["one", "two", "three"]).await;
    tablet.close().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_put_out_reads_nothing_that_follows() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    let mut phone = new_device(&stage, "phone").await;
    phone.becomes_a_device_of(&mut stage.ana, true).await;
    phone.sees_members(&chat, 2).await;
    stage.ben.writes(&chat, "for both").await;
    phone.reads(&chat, &["for both"]).await;

    let lost = devices(&stage.ana).await.into_iter().find(|device| !device.this).unwrap();
    stage.ana.ask::<Value>(Question::DeviceRevoke { device: lost.device.clone() }).await.unwrap();
    stage.ben.sees_members(&chat, 1).await;
    stage.ben.writes(&chat, "for the laptop only").await;
    stage.ana.reads(&chat, &["for both", "for the laptop only"]).await;
    assert_eq!(phone.texts(&chat).await, ["for both"]);
    is_told_that_it_was_taken_out(&phone).await;
    let ana = card(&stage.ben, "ana@a.localhost").await;
    assert_eq!(ana.change, None);
    assert_eq!(ana.devices.iter().filter(|device| device.state == DeviceState::Revoked).count(), 1);
    let gone = devices(&stage.ana).await.into_iter().find(|device| device.device == lost.device).unwrap();
    assert_eq!(gone.state, DeviceState::Revoked);
    phone.close().await;
    stage.close().await;
}

/// Waits until a device knows that it counts no more.
async fn is_told_that_it_was_taken_out(device: &Person) {
    let why = device
        .until("the word that it was taken out", async |device| {
            let state: AppState = device.ask(Question::AppState).await.unwrap();
            (state.stage == Stand::Damaged).then_some(state.open_trouble)
        })
        .await;
    assert_eq!(why.unwrap().code, "device-revoked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_was_put_out_while_it_was_off_hears_it_when_it_comes_back_and_erases_itself() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    let mut phone = new_device(&stage, "phone").await;
    phone.becomes_a_device_of(&mut stage.ana, true).await;
    phone.sees_members(&chat, 2).await;
    phone.close().await;
    let lost = devices(&stage.ana).await.into_iter().find(|device| !device.this).unwrap();
    stage.ana.ask::<Value>(Question::DeviceRevoke { device: lost.device }).await.unwrap();
    stage.ben.sees_members(&chat, 1).await;

    phone.open().await;
    is_told_that_it_was_taken_out(&phone).await;
    let erased: AppState = phone.ask(Question::Erase { user: "ana@a.localhost".into() }).await.unwrap();
    assert!(erased.profile.is_none() && erased.open_trouble.is_none(), "{erased:?}");
    // Nothing else of hers went with it.
    stage.ben.writes(&chat, "still there?").await;
    stage.ana.reads(&chat, &["still there?"]).await;
    phone.close().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_loses_the_device_that_held_a_conversation_goes_on_with_another() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    let mut phone = new_device(&stage, "phone").await;
    phone.becomes_a_device_of(&mut stage.ana, true).await;
    phone.sees_members(&chat, 2).await;
    // The laptop is gone for good. It made the conversation and held it.
    stage.ana.close().await;
    let laptop = devices(&phone).await.into_iter().find(|device| !device.this).unwrap();
    phone.ask::<Value>(Question::DeviceRevoke { device: laptop.device }).await.unwrap();
    stage.ben.sees_members(&chat, 1).await;
    stage.ben.writes(&chat, "are you there?").await;
    phone.reads(&chat, &["are you there?"]).await;
    phone.writes(&chat, "yes, with the phone").await;
    stage.ben.reads(&chat, &["are you there?", "yes, with the phone"]).await;
    phone.close().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_device_is_let_in_beside_the_two_that_are_there() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    let mut phone = new_device(&stage, "phone").await;
    phone.becomes_a_device_of(&mut stage.ana, true).await;
    phone.sees_members(&chat, 2).await;
    let mut tablet = new_device(&stage, "tablet").await;
    tablet.becomes_a_device_of(&mut stage.ana, true).await;
    for person in [&stage.ana, &phone, &tablet, &stage.ben] {
        person.sees_members(&chat, 3).await;
        let view: ChatView = person.ask(Question::ChatOpen { chat: chat.clone() }).await.unwrap();
        assert!(view.refusals.is_empty(), "nobody did what only the holder may: {:?}", view.refusals);
    }
    stage.ben.writes(&chat, "hello all").await;
    // The tablet writes once the conversation was introduced to it; its leaf is in the group a moment before.
    for person in [&tablet, &stage.ana, &phone] {
        person.reads(&chat, &["hello all"]).await;
    }
    tablet.writes(&chat, "from the tablet").await;
    for person in [&stage.ana, &phone, &stage.ben] {
        person.reads(&chat, &["hello all", "from the tablet"]).await;
    }
    phone.close().await;
    tablet.close().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn somebody_with_two_devices_is_asked_on_both_and_answers_once() {
    let mut stage = Stage::strangers().await;
    let mut tablet = new_device(&stage, "tablet").await;
    tablet.becomes_a_device_of(&mut stage.ben, true).await;
    let chat = stage.ana.asks_for_contact("ben@b.localhost").await;
    stage.ana.writes(&chat, "Hello on all your devices").await;
    tablet.sees_contact("ana@a.localhost", contract::ContactState::Request).await;
    assert_eq!(stage.ben.accepts("ana@a.localhost").await, chat);
    tablet.sees_contact("ana@a.localhost", contract::ContactState::Accepted).await;
    stage.ben.reads(&chat, &["Hello on all your devices"]).await;
    tablet.reads(&chat, &["Hello on all your devices"]).await;
    stage.ana.sees_contact("ben@b.localhost", contract::ContactState::Accepted).await;
    tablet.close().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_rings_on_both_devices_and_is_taken_on_one() {
    let mut stage = Stage::strangers().await;
    stage.become_contacts().await;
    let mut tablet = new_device(&stage, "tablet").await;
    tablet.becomes_a_device_of(&mut stage.ben, true).await;
    let _: CallView = stage.ana.ask(Question::CallStart { user: "ben@b.localhost".into() }).await.unwrap();
    stage.ben.sees_call(&CallStage::Ringing).await;
    let ringing = tablet.sees_call(&CallStage::Ringing).await;
    tablet.ask::<Value>(Question::CallAccept { call: ringing.call }).await.unwrap();
    tablet.sees_call(&CallStage::Connected).await;
    stage.ana.sees_call(&CallStage::Connected).await;
    assert_eq!(stage.ben.hears_end_of_call().await, "elsewhere");
    let calls: Vec<CallView> = stage.ana.ask(Question::CallList).await.unwrap();
    stage.ana.ask::<Value>(Question::CallHangup { call: calls[0].call.clone() }).await.unwrap();
    tablet.is_in_no_call().await;
    tablet.close().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_of_members_that_got_lost_on_the_way_leaves_no_hole() {
    let a = Crooked::start("a.localhost").await;
    let b = lab::Domain::start("b.localhost", node::Wire::Sse).await;
    let setup = Setup::with(&[&a.domain, &b]);
    let (mut ana, mut ben) = (Person::new("ana", setup.clone()).await, Person::new("ben", setup.clone()).await);
    ana.signs_up(&a.domain, None).await;
    ben.signs_up(&b, None).await;
    let chat = ben.asks_for_contact("ana@a.localhost").await;
    ana.accepts("ben@b.localhost").await;
    ben.sees_contact("ana@a.localhost", contract::ContactState::Accepted).await;

    // Ana's Node passes on rubbish in place of the next change of members: Ben's device is told that it arrived.
    let lost = Arc::new(AtomicBool::new(false));
    let spoiled = lost.clone();
    a.tampers(move |way, mut message| {
        // Its unsealed header says what it is.
        let is_next = way == Way::ToNode && !spoiled.load(Ordering::SeqCst);
        if is_next && common::spoils(&mut message, |header| header.kind == 3) {
            spoiled.store(true, Ordering::SeqCst);
        }
        vec![message]
    });
    let mut tablet = Person::new("tablet", setup).await;
    tablet.becomes_a_device_of(&mut ben, true).await;
    tablet.sees_members(&chat, 2).await;
    ben.writes(&chat, "written after the change").await;
    ana.reads(&chat, &["written after the change"]).await;
    tablet.writes(&chat, "and so was this").await;
    ana.reads(&chat, &["written after the change", "and so was this"]).await;
    ana.sees_members(&chat, 2).await;
    assert!(lost.load(Ordering::SeqCst), "a change of members was lost");
    for mut person in [ana, ben, tablet] {
        person.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limited_device_may_neither_add_nor_put_out() {
    let mut stage = Stage::strangers().await;
    stage.become_contacts().await;
    let mut kiosk = new_device(&stage, "kiosk").await;
    kiosk.becomes_a_device_of(&mut stage.ana, false).await;
    assert_eq!(kiosk.ask::<Value>(Question::DeviceOffer).await.unwrap_err().code, "not-full-device");
    let other = devices(&kiosk).await.into_iter().find(|device| !device.this).unwrap();
    let refused = kiosk.ask::<Value>(Question::DeviceRevoke { device: other.device }).await;
    assert_eq!(refused.unwrap_err().code, "not-full-device");
    kiosk.close().await;
    stage.close().await;
}
