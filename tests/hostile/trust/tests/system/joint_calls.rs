//! Attacks on a call of several people: on the list of who takes part, and on being answered without ringing.

use std::time::Duration;

use contract::{CallStage, CallView, JointPerson, JointPlace, Question};
use media::{AudioConfig, MediaEngine, Microphone, NetworkConfig, Speaker};
use message::MessageType;
use serde_json::{Map, Value, json};
use tokio::time::sleep;

use crate::mallory::{Mallory, Object};
use crate::stage::{BEN, Street, befriends};

const MALLORY: &str = "user://a.localhost/mallory";
const EVE: &str = "user://a.localhost/eve";
const ANA: &str = "user://a.localhost/ana";
const ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";
/// Longer than an app waits for the list that names somebody.
const LONG: Duration = Duration::from_secs(5);

/// Where somebody is, as it is written: 1 asked, 2 here, 3 gone.
fn roster(people: &[(&str, u32)]) -> Value {
    let people: Map<String, Value> = people.iter().map(|(user, step)| ((*user).to_owned(), json!(step))).collect();
    json!({ "id": ID, "people": people })
}

/// An offer that an app can answer.
async fn offer() -> String {
    let config = AudioConfig {
        microphone: Microphone::Silence,
        speaker: Speaker::Null,
        network: NetworkConfig::loopback_only(),
        ..AudioConfig::default()
    };
    let (events, _told) = tokio::sync::mpsc::channel(64);
    let media = MediaEngine::new(config).open_call("attack", events).await.unwrap();
    let offer = media.create_offer().await.unwrap();
    media.close().await;
    offer
}

/// Calls Ben, as part of this joint call.
async fn calls(who: &mut Mallory, joint: Option<Value>) -> Object {
    let target = who.looks_up(BEN).await;
    let object = who.welcomes("connection", &target).await;
    let mut value = json!({ "state": "ringing", "offer": { "sdp": offer().await } });
    if let Some(joint) = joint {
        value["joint"] = joint;
    }
    let body = json!({ "introduction": who.introduction(), "schema": "connection", "value": value, "with": BEN });
    assert!(who.opens(&object, body).await.is_success());
    object
}

async fn says_roster(who: &mut Mallory, object: &Object, roster: Value) {
    assert!(who.says(object, MessageType::Event, "/call", json!({ "joint": roster })).await.is_success());
}

impl Street {
    async fn calls(&self) -> Vec<CallView> {
        self.ben.ask(Question::CallList).await.unwrap()
    }

    /// Mallory, a contact, asks Ben into a call of hers, and he takes it.
    async fn joint_call(&mut self) -> Object {
        self.contact().await;
        let object = calls(&mut self.mallory, Some(roster(&[(MALLORY, 2), (BEN, 1)]))).await;
        let ringing = self.ben.sees_call(&CallStage::Ringing).await;
        assert_eq!(ringing.call, object.url);
        self.ben.ask::<Value>(Question::CallAccept { call: ringing.call }).await.unwrap();
        self.ben.sees_call(&CallStage::Securing).await;
        object
    }

    /// Who is in it, as Ben sees it.
    async fn people(&self) -> Vec<JointPerson> {
        self.calls().await.into_iter().find_map(|call| call.joint).expect("a joint call").people
    }

    async fn sees_place(&self, user: &str, place: JointPlace) {
        let handle = message::UserAddress::parse(user).unwrap().handle();
        let looks = async |_: &lab::Person| {
            self.people().await.iter().any(|one| one.user == handle && one.place == place).then_some(())
        };
        self.ben.until(&format!("{handle} to be {place:?}"), looks).await;
    }
}

/// Attack: M-11
/// By: a contact
/// Does: calls into a call of several whose list has a thousand names, is none, or leaves out who calls or who is called
/// Holds: it does not ring; an honest call after it does
#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_is_none_does_not_ring() {
    let mut street = Street::new().await;
    street.contact().await;
    let crowd: Vec<String> = (0..1_000).map(|n| format!("user://a.localhost/p{n}")).collect();
    let mut thousand: Vec<(&str, u32)> = crowd.iter().map(|user| (user.as_str(), 1)).collect();
    thousand.extend([(MALLORY, 2), (BEN, 1)]);
    let without_her = roster(&[(ANA, 2), (BEN, 1)]);
    let without_him = roster(&[(MALLORY, 2), (ANA, 1)]);
    for forged in [roster(&thousand), json!({ "id": ID, "people": "all" }), without_her, without_him] {
        calls(&mut street.mallory, Some(forged)).await;
    }
    let honest = calls(&mut street.mallory, None).await;
    let ringing = street.ben.sees_call(&CallStage::Ringing).await;
    assert_eq!(ringing.call, honest.url);
    sleep(Duration::from_secs(1)).await;
    assert_eq!(street.calls().await.len(), 1, "nothing else rang");
    street.close().await;
}

/// Attack: M-12
/// By: a contact who is not in a joint call, and knows its name
/// Does: calls as if part of it, with a list that names them
/// Holds: it is neither answered nor rings: the list of those who are in it counts
#[tokio::test(flavor = "multi_thread")]
async fn who_is_not_on_the_list_is_not_answered() {
    let mut street = Street::new().await;
    let mut eve = Mallory::join(&street.a, "eve").await;
    befriends(&street.ben, &mut eve).await;
    street.joint_call().await;
    calls(&mut eve, Some(roster(&[(MALLORY, 2), (BEN, 2), (EVE, 2)]))).await;
    sleep(LONG).await;
    let with_eve: Vec<_> = street.calls().await.into_iter().filter(|call| call.user == "eve@a.localhost").collect();
    assert!(with_eve.is_empty(), "{with_eve:?}");
    street.close().await;
}

/// Attack: M-13
/// By: a participant of a joint call
/// Does: names a thousand people, people of another call, and says that its listener has left
/// Holds: the list stays as it was; an honest word about one more person is taken
#[tokio::test(flavor = "multi_thread")]
async fn a_participant_does_not_make_a_crowd_nor_put_anybody_out() {
    let mut street = Street::new().await;
    let object = street.joint_call().await;
    let crowd: Vec<String> = (0..1_000).map(|n| format!("user://a.localhost/p{n}")).collect();
    let thousand: Vec<(&str, u32)> = crowd.iter().map(|user| (user.as_str(), 1)).collect();
    let seven: Vec<(&str, u32)> = thousand.iter().take(7).copied().collect();
    let mut other = roster(&[(MALLORY, 2), (EVE, 1)]);
    other["id"] = json!("BBBBBBBBBBBBBBBBBBBBBB");
    for forged in [roster(&thousand), roster(&seven), other, roster(&[(MALLORY, 2), (BEN, 3)])] {
        says_roster(&mut street.mallory, &object, forged).await;
    }
    says_roster(&mut street.mallory, &object, roster(&[(MALLORY, 2), (BEN, 2), (ANA, 1)])).await;
    street.sees_place(ANA, JointPlace::Asked).await;
    let users: Vec<String> = street.people().await.into_iter().map(|one| one.user).collect();
    assert_eq!(users, ["ana@a.localhost", "mallory@a.localhost"]);
    assert_eq!(street.calls().await.len(), 1, "he is in it");
    street.close().await;
}

/// Attack: M-14
/// By: a participant of a joint call
/// Does: says an old list again, from before somebody left
/// Holds: who left stays gone
#[tokio::test(flavor = "multi_thread")]
async fn an_old_list_brings_nobody_back() {
    let mut street = Street::new().await;
    let object = street.joint_call().await;
    let old = roster(&[(MALLORY, 2), (BEN, 2), (EVE, 1)]);
    says_roster(&mut street.mallory, &object, old.clone()).await;
    street.sees_place(EVE, JointPlace::Asked).await;
    says_roster(&mut street.mallory, &object, roster(&[(MALLORY, 2), (BEN, 2), (EVE, 3)])).await;
    street.sees_place(EVE, JointPlace::Gone).await;
    says_roster(&mut street.mallory, &object, old).await;
    // What is said after it is heard, so it was heard as well.
    says_roster(&mut street.mallory, &object, roster(&[(MALLORY, 2), (BEN, 2), (EVE, 1), (ANA, 1)])).await;
    street.sees_place(ANA, JointPlace::Asked).await;
    street.sees_place(EVE, JointPlace::Gone).await;
    street.close().await;
}
