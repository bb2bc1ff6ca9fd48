//! Attacks with links into groups: by somebody with a forged one, a stolen name, or none at all.

use contract::{ChatSummary, GroupInvite, GroupJoining, GroupView, Question};
use serde_json::{Value, json};

use crate::mallory::Object;
use crate::stage::{BEN, Street, befriends};

/// Ben has a group with somebody else, and a link into it.
async fn choir(street: &mut Street) -> (String, GroupInvite) {
    let mut nina = crate::mallory::Mallory::join(&street.a, "nina").await;
    befriends(&street.ben, &mut nina).await;
    let people = vec![nina.handle()];
    let chat: ChatSummary = street.ben.ask(Question::GroupCreate { name: "Choir".into(), people }).await.unwrap();
    let make = Question::GroupInviteMake { chat: chat.chat.clone(), hours: 24, uses: None, approval: false };
    (chat.chat, street.ben.ask(make).await.unwrap())
}

/// Mallory stands at the door of this address, and says nothing yet.
async fn stands(street: &mut Street, name: &str) -> Object {
    let target = street.mallory.looks_up(BEN).await;
    let object = street.mallory.object(&format!("door://a.localhost/{name}"), &target);
    assert!(street.mallory.session.delivers(&target.inbox, &object.welcome).await.is_success());
    object
}

/// She asks to be let in with these words.
async fn knocks(street: &mut Street, object: &Object, value: &Value, brought: Value) {
    let introduction = street.mallory.introduction();
    let body =
        json!({ "introduction": introduction, "schema": "door", "value": value, "with": BEN, "brought": brought });
    street.mallory.opens(object, body).await;
}

/// Ben's answer, as Mallory opens it.
async fn answer(street: &mut Street) -> (u64, String) {
    loop {
        let sealed = street.mallory.takes().await;
        let opened = seal::open(&street.mallory.vault, &street.mallory.device, &sealed, &mut |_| Ok(()));
        let Ok(seal::What::Application(text)) = opened.map(|opened| opened.what) else { continue };
        let inner: Value = serde_json::from_slice(&text).unwrap();
        if inner["body"]["code"].is_u64() {
            return (inner["body"]["code"].as_u64().unwrap(), inner["body"]["reason"].as_str().unwrap().to_owned());
        }
    }
}

fn payload(link: &str) -> Value {
    let payload = link.split_once("?group=").unwrap().1.split_once('.').unwrap().0;
    serde_json::from_slice(&keys::from_b64url(payload).unwrap()).unwrap()
}

async fn people(street: &Street, chat: &str) -> usize {
    street.ben.ask::<GroupView>(Question::GroupLook { chat: chat.to_owned() }).await.unwrap().people.len()
}

/// Attack: G-42
/// By: somebody who knows a group's address and a link, in part or in whole
/// Does: knocks without a tag, with a tag of another code, with one of another door, and with a true tag for another group
/// Holds: each is answered with a typed no, nobody is checked or shown for it, and nobody comes in
#[tokio::test(flavor = "multi_thread")]
async fn nobody_comes_into_a_group_without_its_code() {
    let mut street = Street::new().await;
    let (chat, link) = choir(&mut street).await;
    let code = policy::ContactCode::parse(payload(&link.link)["c"].as_str().unwrap()).unwrap();
    let persona = street.mallory.me.chain.persona().to_string();
    let asking = json!([persona, BEN]).to_string();
    // The tag is bound to the place where she stands.
    let tag = |code: &policy::ContactCode, place: &str| json!({ "tag": code.tag(&message::Address::parse(place).unwrap(), asking.as_bytes()) });
    let door = json!({ "group": chat, "link": link.id });
    let board = json!({ "group": "comm://a.localhost/board", "link": link.id });
    let other = policy::ContactCode::new([9; 16]);
    for (name, value, brought, why) in [
        ("one", &door, json!({}), "invite-unknown"),
        ("two", &door, tag(&other, "door://a.localhost/two"), "invite-unknown"),
        ("three", &door, tag(&code, "door://a.localhost/two"), "invite-unknown"),
        ("four", &board, tag(&code, "door://a.localhost/four"), "invite-wrong-group"),
    ] {
        let object = stands(&mut street, name).await;
        knocks(&mut street, &object, value, brought).await;
        assert_eq!(answer(&mut street).await, (403, why.into()), "{name}");
    }
    assert_eq!(people(&street, &chat).await, 2);
    let seen: Vec<GroupInvite> = street.ben.ask(Question::GroupInviteList { chat: chat.clone() }).await.unwrap();
    assert!(seen[0].came.is_empty());
    let cards: Vec<contract::PersonCard> = street.ben.ask(Question::PersonList).await.unwrap();
    assert!(cards.iter().all(|card| card.user != "mallory@a.localhost"));
    street.close().await;
}

/// Attack: G-43
/// By: somebody who sends links
/// Does: hands over links under a borrowed name, with another group's name put on, expired, and far too long
/// Holds: each is refused with its reason before anybody is asked, and opening a link never joins anything
#[tokio::test(flavor = "multi_thread")]
async fn a_link_joins_nothing_by_being_read_and_a_forged_one_is_not_even_asked_with() {
    let street = Street::new().await;
    let signed = |by: &str, until: i64, key: &keys::SigningKey, said_by: &str| {
        let payload = json!({
            "g": "comm://a.localhost/board", "n": "Board", "p": 3, "u": until, "i": "one",
            "c": keys::b64url(&[7; 16]), "d": key.verifying_key(), "a": false,
        });
        let payload = keys::b64url(payload.to_string().as_bytes());
        let signature = key.sign(format!("parlance-group-link-v1\n{said_by}\n{payload}").as_bytes());
        format!("parlance:{by}?group={payload}.{signature}")
    };
    let later = (crate::mallory::now() + 3600) * 1000;
    let (own, foreign) = (&street.mallory.me.device, keys::SigningKey::generate());
    let nina = crate::mallory::Mallory::join(&street.a, "nina").await;
    let true_link = signed("mallory@a.localhost", later, own, "mallory@a.localhost");
    for (link, why) in [
        // Signed by a key that is none of Nina's.
        (signed("nina@a.localhost", later, own, "nina@a.localhost"), "invite-forged"),
        (signed("mallory@a.localhost", later, &foreign, "mallory@a.localhost"), "invite-forged"),
        (signed("nina@a.localhost", later, &nina.me.device, "mallory@a.localhost"), "invite-forged"),
        (true_link.replace("?group=", "?group=A"), "invite-forged"),
        (format!("{true_link}{}", "A".repeat(100_000)), "invite-forged"),
        (signed("mallory@a.localhost", 1, own, "mallory@a.localhost"), "invite-expired"),
        ("javascript:alert(1)".to_owned(), "invite-forged"),
    ] {
        for question in [Question::GroupOffer { link: link.clone() }, Question::GroupAsk { link: link.clone() }] {
            assert_eq!(street.ben.ask::<Value>(question).await.unwrap_err().code, why);
        }
    }
    // A true link is read: Ben is in nothing for it, has asked nobody, and Mallory hears nothing.
    let _: Value = street.ben.ask(Question::GroupOffer { link: true_link.clone() }).await.unwrap();
    assert!(street.is_empty().await);
    assert!(street.ben.ask::<Vec<GroupJoining>>(Question::GroupJoining).await.unwrap().is_empty());
    // Nor does looking somebody up with it.
    assert!(street.ben.ask::<Value>(Question::PersonFind { address: true_link }).await.is_err());
    assert!(street.is_empty().await);
    street.close().await;
}

/// Attack: G-44
/// By: somebody who knows that a person waits to be let into a group
/// Does: begins a conversation of two at the very address of the group
/// Holds: it is a request like any other, and makes nobody a contact
#[tokio::test(flavor = "multi_thread")]
async fn what_was_asked_of_one_is_not_given_to_another() {
    let mut street = Street::new().await;
    let url = street.mallory.session.allocate("comm").await;
    let payload = json!({
        "g": url, "n": "Board", "p": 3, "u": (crate::mallory::now() + 3600) * 1000, "i": "one",
        "c": keys::b64url(&[7; 16]), "d": street.mallory.me.device.verifying_key(), "a": false,
    });
    let payload = keys::b64url(payload.to_string().as_bytes());
    let bytes = format!("parlance-group-link-v1\nmallory@a.localhost\n{payload}");
    let link =
        format!("parlance:mallory@a.localhost?group={payload}.{}", street.mallory.me.device.sign(bytes.as_bytes()));
    let _: Value = street.ben.ask(Question::GroupAsk { link }).await.unwrap();
    // The conversation of two is a request like any other.
    let target = street.mallory.looks_up(BEN).await;
    let object = street.mallory.object(url.as_str(), &target);
    assert!(street.mallory.session.delivers(&target.inbox, &object.welcome).await.is_success());
    let introduction = street.mallory.introduction();
    street.mallory.introduces(&object, introduction).await;
    street.ben.sees_contact("mallory@a.localhost", contract::ContactState::Request).await;
    street.close().await;
}
