//! Attacks in conversations of several people: by a member with a program of her own, and by an owner with one.

use contract::{ChatSummary, GroupRole, GroupView, Question};
use message::MessageType;
use serde_json::{Value, json};

use crate::mallory::{Mallory, Object};
use crate::stage::{BEN, Street, is_refused};

const MALLORY: &str = "user://a.localhost/mallory";
const ANA: &str = "user://a.localhost/ana";

/// What a group says of itself, with these people in it and their roles.
fn circle(name: &str, people: &[(&str, &str)], by: &str) -> Value {
    let people: serde_json::Map<String, Value> =
        people.iter().map(|(user, role)| ((*user).to_owned(), json!(role))).collect();
    json!({ "name": name, "people": people, "by": by })
}

async fn looks(street: &Street, chat: &str) -> GroupView {
    street.ben.ask(Question::GroupLook { chat: chat.to_owned() }).await.unwrap()
}

async fn groups(street: &Street) -> Vec<ChatSummary> {
    let chats: Vec<ChatSummary> = street.ben.ask(Question::ChatList).await.unwrap();
    chats.into_iter().filter(|chat| chat.group.is_some()).collect()
}

/// Ben begins a group with Mallory, who is a contact of his.
async fn joins_bens(street: &mut Street) -> Object {
    street.contact().await;
    let people = vec!["mallory@a.localhost".to_owned()];
    let chat: ChatSummary = street.ben.ask(Question::GroupCreate { name: "Choir".into(), people }).await.unwrap();
    let target = street.mallory.looks_up(BEN).await;
    loop {
        let sealed = street.mallory.takes().await;
        let Ok(pending) = seal::inspect_welcome(&street.mallory.vault, &street.mallory.device, &sealed) else {
            continue;
        };
        let group = pending.join(&street.mallory.vault, &mut |_| Ok(())).unwrap();
        let object = street.mallory.observed(group, &target);
        assert_eq!(object.url, chat.chat);
        return object;
    }
}

/// Mallory begins a group with Ben, who is a contact of hers, and says that these people are in it.
async fn begins(street: &mut Street, people: &[(&str, &str)]) -> Object {
    street.contact().await;
    let target = street.mallory.looks_up(BEN).await;
    let object = street.mallory.welcomes("comm", &target).await;
    let lease = seal::lease(&street.mallory.vault, &object.group).unwrap();
    let own =
        json!({ "device": street.mallory.me.device.verifying_key(), "user": MALLORY, "inbox": street.mallory.inbox });
    let body = json!({
        "introduction": street.mallory.introduction(),
        "schema": "comm",
        "version": 0,
        "value": { "type": "group", "circle": circle("Choir", people, MALLORY) },
        "with": MALLORY,
        "members": [own],
        "lease": { "holder": lease.holder, "seq": lease.seq, "until": lease.until },
    });
    street.mallory.says(&object, MessageType::Create, "/subscription", body).await;
    object
}

/// Attack: G-29
/// By: a plain member of a group
/// Does: names it, makes herself an admin, adds and takes out as if she wrote it, and by asking the owner's device
/// Holds: all refused, the group is as its owner left it, and what she writes is still heard
#[tokio::test(flavor = "multi_thread")]
async fn a_plain_member_changes_nothing_of_a_group() {
    let mut street = Street::new().await;
    let object = joins_bens(&mut street).await;
    let taken = circle("Mallory's", &[(MALLORY, "owner"), (BEN, "member")], MALLORY);
    let change = json!({ "version": 1, "attribute": "circle", "value": taken });
    street.mallory.says(&object, MessageType::Update, "/changes", change).await;
    is_refused("not-reporter").await;
    let snapshot = json!({ "version": 9, "value": { "type": "group", "circle": taken } });
    street.mallory.says(&object, MessageType::Update, "", snapshot).await;
    let person = json!({ "introduction": street.mallory.introduction() });
    street.mallory.says(&object, MessageType::Update, "/people", person).await;
    for wish in [
        json!({ "rename": "Mallory's" }),
        json!({ "role": [MALLORY, "admin"] }),
        json!({ "role": [MALLORY, "owner"] }),
        json!({ "add": ANA }),
        json!({ "remove": BEN }),
    ] {
        street.mallory.says(&object, MessageType::Execute, "/circle", json!({ "wish": wish })).await;
    }
    is_refused("not-entitled").await;
    let (vault, device) = (&street.mallory.vault, &street.mallory.device);
    assert!(seal::remove(vault, device, &object.group, &[0], b"").is_err());
    street.mallory.writes(&object, 1, "only a member").await;
    street.ben.reads(&object.url, &["only a member"]).await;
    let view = looks(&street, &object.url).await;
    assert_eq!((view.name.as_str(), view.people.len(), view.role), ("Choir", 2, GroupRole::Owner));
    assert_eq!(view.people[1].role, GroupRole::Member);
    street.close().await;
}

/// Attack: G-30
/// By: the owner of a group
/// Does: says that Ana is in it, and shows her own tokens under Ana's name
/// Holds: the group is not entered, and nothing of it is shown
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_put_into_a_group_under_a_borrowed_name() {
    let mut street = Street::new().await;
    let object = begins(&mut street, &[(MALLORY, "owner"), (BEN, "member"), (ANA, "member")]).await;
    street.mallory.writes(&object, 1, "Ana is here, too").await;
    let mut introduction = street.mallory.introduction();
    introduction["user"] = json!(ANA);
    introduction["name"] = json!("Ana");
    street.mallory.says(&object, MessageType::Update, "/people", json!({ "introduction": introduction })).await;
    is_refused("not-their-name").await;
    assert!(groups(&street).await.is_empty());
    assert!(street.ben.texts(&object.url).await.is_empty());
    street.close().await;
}

/// Attack: G-31
/// By: the owner of a group
/// Does: changes it in the name of a member who may not, makes a second owner, and writes other things into it
/// Holds: refused and counted; a change that she may make is taken
#[tokio::test(flavor = "multi_thread")]
async fn a_group_changes_only_as_its_rules_say() {
    let mut street = Street::new().await;
    let object = begins(&mut street, &[(MALLORY, "owner"), (BEN, "member")]).await;
    street.ben.until("the group", async |_| (groups(&street).await.len() == 1).then_some(())).await;
    let both = [(MALLORY, "owner"), (BEN, "member")];
    for (attribute, value) in [
        ("circle", circle("Ben's wish", &both, BEN)),
        ("circle", circle("Two owners", &[(MALLORY, "owner"), (BEN, "owner")], MALLORY)),
        ("circle", circle("Nobody's", &[(MALLORY, "member"), (BEN, "owner")], MALLORY)),
        ("circle", circle("A stranger as admin", &[both[0], both[1], (ANA, "admin")], MALLORY)),
        ("circle", json!("no group at all")),
        ("circle.name", json!("By the back door")),
        ("title", json!("Beside it")),
    ] {
        let change = json!({ "version": 1, "attribute": attribute, "value": value });
        street.mallory.says(&object, MessageType::Update, "/changes", change).await;
    }
    for code in ["not-entitled", "malformed", "bad-change"] {
        is_refused(code).await;
    }
    assert_eq!(looks(&street, &object.url).await.name, "Choir");
    let change = json!({ "version": 1, "attribute": "circle", "value": circle("Band", &both, MALLORY) });
    street.mallory.says(&object, MessageType::Update, "/changes", change).await;
    let name = async |_: &lab::Person| (looks(&street, &object.url).await.name == "Band").then_some(());
    street.ben.until("the new name", name).await;
    street.close().await;
}

/// Attack: G-32
/// By: the owner of a group
/// Does: lets a device of Eve's into the sealed group without a word about it, and writes for all to read
/// Holds: the commit is not merged; nobody is in the group who is not shown, and what follows is not shown
#[tokio::test(flavor = "multi_thread")]
async fn nobody_listens_in_a_group_who_is_not_shown() {
    let mut street = Street::new().await;
    let object = begins(&mut street, &[(MALLORY, "owner"), (BEN, "member")]).await;
    street.mallory.writes(&object, 1, "just us two").await;
    street.ben.until("the group", async |_| (groups(&street).await.len() == 1).then_some(())).await;
    street.ben.reads(&object.url, &["just us two"]).await;
    let _eve = Mallory::join(&street.a, "eve").await;
    let eve = street.mallory.looks_up("user://a.localhost/eve").await;
    let (vault, device) = (&street.mallory.vault, &street.mallory.device);
    let invitation = seal::invite(vault, device, &object.group, &eve.key_package, &mut |_| Ok(())).unwrap();
    street.mallory.session.delivers(&object.inbox, &invitation.commit).await;
    street.mallory.writes(&object, 2, "Eve reads this").await;
    assert_eq!(street.ben.texts(&object.url).await, ["just us two"]);
    let view = looks(&street, &object.url).await;
    assert_eq!(view.people.iter().map(|one| one.devices).sum::<u32>(), 2, "{view:?}");
    street.close().await;
}
