//! Attacks by a registry: on whom it names, with which keys, and where they are found.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use contract::{ChatSummary, ConsentChoice, ContactState, News, Question};
use lab::{Person, Way};
use serde_json::{Value, json};

use crate::mallory::Mallory;
use crate::stage::{Road, is_refused};

/// Whether this answers a question to the registry about somebody.
fn is_entry(way: Way, message: &Value) -> bool {
    way == Way::ToApp && message["type"] == "response" && message["body"]["value"]["devices"].is_array()
}

/// Attack: N-07
/// By: a registry
/// Does: hands out a key package of its own beside Ben's history
/// Holds: nobody is invited, and not a byte is sealed for it
#[tokio::test(flavor = "multi_thread")]
async fn a_key_package_of_somebody_else_is_noticed() {
    let mut road = Road::strangers().await;
    let mallory = Mallory::join(&road.b.domain, "mallory").await;
    let package = keys::b64url(&seal::key_package(&mallory.vault, &mallory.device, true).unwrap());
    road.b.tampers(move |way, mut message| {
        if is_entry(way, &message) {
            message["body"]["value"]["devices"][0]["keyPackage"] = json!(package);
        }
        vec![message]
    });
    assert!(asks(&mut road.ana, "ben@b.localhost").await.is_err());
    assert!(!was_sealed(&road), "nothing left Ana's device");
    road.b.is_honest();
    road.close().await;
}

/// Attack: N-08
/// By: a registry
/// Does: answers with Carl, whole and genuine, when Ben is looked up; Carl plays along
/// Holds: Carl cannot accept in Ben's place, and reads nothing that was meant for Ben
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_for_somebody_else_reaches_nobody() {
    let mut road = Road::strangers().await;
    let mut carl = Mallory::join(&road.b.domain, "carl").await;
    let entry = carl.session.registry(message::MessageType::Read, json!({ "resource": carl.user })).await.value;
    road.b.tampers(move |way, mut message| {
        if is_entry(way, &message) {
            let mut of_carl = entry.clone();
            of_carl["user"] = message["body"]["value"]["user"].clone();
            message["body"]["value"] = of_carl;
        }
        vec![message]
    });
    let chat = asks(&mut road.ana, "ben@b.localhost").await.unwrap();
    road.ana.writes(&chat, "for Ben alone").await;
    let welcome = carl.takes().await;
    let pending = seal::inspect_welcome(&carl.vault, &carl.device, &welcome).unwrap();
    let group = pending.join(&carl.vault, &mut |_| Ok(())).unwrap();
    let introduced = carl.takes().await;
    let opened = seal::open(&carl.vault, &carl.device, &introduced, &mut |_| Ok(())).unwrap();
    let seal::What::Application(text) = opened.what else { panic!("no introduction") };
    let inner: Value = serde_json::from_slice(&text).unwrap();
    let inbox = inner["body"]["introduction"]["inbox"].as_str().unwrap().to_owned();
    let object = crate::mallory::Object { url: chat.clone(), group, welcome: Vec::new(), inbox };
    for user in ["user://b.localhost/carl", "user://b.localhost/ben"] {
        let mut introduction = carl.introduction();
        introduction["user"] = json!(user);
        carl.accepts_at(&road.a, &object, introduction).await;
    }
    is_refused("wrong-author").await;
    is_refused("not-their-name").await;
    let chats: Vec<ChatSummary> = road.ana.ask(Question::ChatList).await.unwrap();
    assert!(chats.iter().all(|chat| chat.contact != ContactState::Accepted));
    assert!(carl.session.link.is_quiet().await, "what was for Ben alone was sealed for nobody");
    road.close().await;
}

/// Attack: N-09
/// By: the registry of a contact's domain
/// Does: names another persona for Ben's address from now on, to get the next call
/// Holds: the call does not begin, as a changed key, and not a byte is sealed for the other
#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_not_replaced_by_its_registry() {
    let (mut road, chat) = Road::contacts().await;
    let mut eve = Mallory::join(&road.b.domain, "eve").await;
    let entry = eve.session.registry(message::MessageType::Read, json!({ "resource": eve.user })).await.value;
    road.b.tampers(move |way, mut message| {
        if is_entry(way, &message) {
            let mut of_eve = entry.clone();
            of_eve["user"] = message["body"]["value"]["user"].clone();
            message["body"]["value"] = of_eve;
        }
        vec![message]
    });
    let started = road.ana.ask::<Value>(Question::CallStart { user: "ben@b.localhost".into() }).await;
    if started.is_ok() {
        let ended = |news| match news {
            News::Call(call) => match call.stage {
                contract::CallStage::Ended { reason, .. } => Some(reason),
                _ => None,
            },
            _ => None,
        };
        road.ana.hears("the end of the call", ended).await;
    }
    assert!(eve.session.link.is_quiet().await, "Eve got no invitation");
    road.b.is_honest();
    road.ana.writes(&chat, "the conversation goes on").await;
    road.ben.reads(&chat, &["hello", "the conversation goes on"]).await;
    road.close().await;
}

/// Attack: N-10
/// By: a registry
/// Does: cuts Ben's history short, sends him to an inbox of another domain, or answers nonsense
/// Holds: nobody is invited
#[tokio::test(flavor = "multi_thread")]
async fn a_wounded_registry_entry_invites_nobody() {
    let mut road = Road::strangers().await;
    let turn = Arc::new(AtomicUsize::new(0));
    let now = turn.clone();
    road.b.tampers(move |way, mut message| {
        if is_entry(way, &message) {
            let value = &mut message["body"]["value"];
            match now.load(Ordering::SeqCst) {
                0 => value["chain"] = json!([value["chain"][0].clone()]),
                1 => value["devices"][0]["inbox"] = json!("hyperty://evil.localhost/inbox"),
                2 => value["user"] = json!("user://b.localhost/ana"),
                3 => value["persona"] = json!("aaaa"),
                4 => value["devices"][0]["keyPackage"] = json!("not a key package"),
                _ => *value = json!([]),
            }
        }
        vec![message]
    });
    for at in 0..6 {
        turn.store(at, Ordering::SeqCst);
        assert!(asks(&mut road.ana, "ben@b.localhost").await.is_err(), "case {at}");
    }
    assert!(!was_sealed(&road));
    road.close().await;
}

/// Attack: N-11
/// By: the Node of the domain that vouches
/// Does: names somebody else for Ana's address when Ben is about to accept her
/// Holds: Ben does not accept; two words must agree
#[tokio::test(flavor = "multi_thread")]
async fn an_acceptance_is_checked_against_the_registry() {
    let mut road = Road::strangers().await;
    let eve = Mallory::join(&road.b.domain, "eve").await;
    let (persona, chain) = (json!(eve.me.chain.persona()), json!(eve.me.chain.texts()));
    let armed = Arc::new(AtomicBool::new(true));
    let on = armed.clone();
    // Here Ben asks Ana, so that the crooked domain is the one that is asked back.
    road.b.tampers(move |way, mut message| {
        if is_entry(way, &message) && on.load(Ordering::SeqCst) {
            message["body"]["value"]["persona"] = persona.clone();
            message["body"]["value"]["chain"] = chain.clone();
        }
        vec![message]
    });
    let chat = asks(&mut road.ben, "ana@a.localhost").await.unwrap();
    assert_eq!(road.ana.sees_contact("ben@b.localhost", ContactState::Request).await, chat);
    let app = road.ana.app();
    let accepting =
        tokio::spawn(async move { app.ask(Question::PersonAccept { user: "ben@b.localhost".into() }).await });
    road.ana.allows(ConsentChoice::Always).await;
    assert_eq!(accepting.await.unwrap().unwrap_err().code, "wrong-person");
    road.ana.sees_contact("ben@b.localhost", ContactState::Request).await;
    armed.store(false, Ordering::SeqCst);
    road.ana.ask::<Value>(Question::PersonAccept { user: "ben@b.localhost".into() }).await.unwrap();
    road.close().await;
}

/// Attack: N-16
/// By: a registry
/// Does: adds a device of its own to Ben's, with a key package and an inbox; sends what is for Ben's device there
/// Holds: a device that Ben's history does not name is not invited, and what goes astray stays sealed
#[tokio::test(flavor = "multi_thread")]
async fn a_registry_adds_no_device_and_reads_nothing_it_leads_astray() {
    let mut road = Road::strangers().await;
    let mut eve = Mallory::join(&road.b.domain, "eve").await;
    let package = keys::b64url(&seal::key_package(&eve.vault, &eve.device, true).unwrap());
    let (device, inbox) = (eve.me.device.verifying_key(), eve.inbox.clone());
    road.b.tampers(move |way, mut message| {
        if is_entry(way, &message) {
            let devices = &mut message["body"]["value"]["devices"];
            devices[0]["inbox"] = json!(inbox);
            let added = json!({ "device": device, "inbox": inbox, "keyPackage": package });
            devices.as_array_mut().unwrap().push(added);
        }
        vec![message]
    });
    let chat = asks(&mut road.ana, "ben@b.localhost").await.unwrap();
    let welcome = eve.takes().await;
    assert!(seal::inspect_welcome(&eve.vault, &eve.device, &welcome).is_err(), "it is for Ben's device alone");
    let introduction = eve.takes().await;
    assert!(seal::open(&eve.vault, &eve.device, &introduction, &mut |_| Ok(())).is_err());
    let chats: Vec<ChatSummary> = road.ana.ask(Question::ChatList).await.unwrap();
    assert!(chats.iter().any(|one| one.chat == chat && one.contact != ContactState::Accepted));
    road.b.is_honest();
    road.close().await;
}

/// Asks somebody for contact, allowing the stub of their domain if that is asked.
pub async fn asks(person: &mut Person, user: &str) -> Result<String, contract::ApiError> {
    let app = person.app();
    let question = Question::PersonRequest { user: user.to_owned() };
    let mut asking = tokio::spawn(async move { app.ask(question).await });
    let allowing = async {
        loop {
            let open: Vec<contract::Consent> = person.ask(Question::ConsentList).await.unwrap();
            for consent in open {
                let answer = Question::ConsentAnswer { id: consent.id, answer: ConsentChoice::Always };
                person.ask::<Value>(answer).await.unwrap();
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let asked = tokio::select! {
        asked = &mut asking => asked.unwrap(),
        () = allowing => unreachable!(),
    };
    let chat: ChatSummary = serde_json::from_value(asked?).unwrap();
    Ok(chat.chat)
}

/// Whether anything sealed was brought to the crooked Node.
fn was_sealed(road: &Road) -> bool {
    road.b.seen().iter().any(|(way, message)| *way == Way::ToNode && message["body"]["sealed"].is_string())
}
