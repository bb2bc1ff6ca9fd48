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
    let body = json!({
        "introduction": street.mallory.introduction(),
        "schema": "comm",
        "value": { "type": "group", "circle": circle("Choir", people, MALLORY) },
        "with": MALLORY,
    });
    street.mallory.opens(&object, body).await;
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
    street.mallory.says(&object, MessageType::Update, "/people", json!({ "people": [introduction] })).await;
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

/// The step by which a device would hold the group, and the group as it would be then.
fn hand_over(lease: &seal::Lease, holder: &keys::VerifyingKey, version: u64, circle: &Value) -> Value {
    json!({
        "holder": holder, "seq": lease.seq + 1, "until": crate::mallory::now() + seal::LEASE_LIFE_S, "hand_over": true,
        "object": { "version": version, "value": { "type": "group", "circle": circle } },
    })
}

/// Attack: G-33
/// By: a plain member of a group
/// Does: says that it was handed over to her, in her name and in the owner's, and writes it then
/// Holds: refused and counted; the group stays with its owner, who goes on changing it
#[tokio::test(flavor = "multi_thread")]
async fn nobody_hands_a_group_to_themselves() {
    let mut street = Street::new().await;
    let object = joins_bens(&mut street).await;
    let lease = seal::lease(&street.mallory.vault, &object.group).unwrap();
    let own = street.mallory.me.device.verifying_key();
    for by in [MALLORY, BEN] {
        let mine = circle("Choir", &[(MALLORY, "owner"), (BEN, "admin")], by);
        let body = hand_over(&lease, &own, 1, &mine);
        street.mallory.says(&object, MessageType::Update, "/lease", body).await;
    }
    is_refused("not-entitled").await;
    let mine = circle("Mallory's", &[(MALLORY, "owner"), (BEN, "admin")], MALLORY);
    let change = json!({ "version": 1, "attribute": "circle", "value": mine });
    street.mallory.says(&object, MessageType::Update, "/changes", change).await;
    is_refused("not-reporter").await;
    let view = looks(&street, &object.url).await;
    assert_eq!((view.role, view.writes, view.name.as_str()), (GroupRole::Owner, true, "Choir"));
    let rename = Question::GroupRename { chat: object.url.clone(), name: "Bens choir".into() };
    let done: contract::GroupDone = street.ben.ask(rename).await.unwrap();
    assert_eq!(done, contract::GroupDone::Done);
    street.close().await;
}

/// Attack: G-34
/// By: who owned a group
/// Does: hands it over with other changes in it, to a device of somebody else than she says, twice, and writes it after
/// Holds: only the plain hand-over counts, once; what she writes, commits or takes back then is refused
#[tokio::test(flavor = "multi_thread")]
async fn who_handed_a_group_over_has_it_no_more() {
    let mut street = Street::new().await;
    let object = begins(&mut street, &[(MALLORY, "owner"), (BEN, "member")]).await;
    street.ben.until("the group", async |_| (groups(&street).await.len() == 1).then_some(())).await;
    let lease = seal::lease(&street.mallory.vault, &object.group).unwrap();
    let own = street.mallory.me.device.verifying_key();
    let leaves = seal::members(&street.mallory.vault, &object.group).unwrap();
    let bens = leaves.iter().find(|leaf| leaf.dsk != own).unwrap().dsk;
    let given = |name: &str| circle(name, &[(MALLORY, "admin"), (BEN, "owner")], MALLORY);
    for (holder, version, circle) in [
        (&bens, 1, given("Renamed on the way")),
        (&bens, 1, circle("Choir", &[(MALLORY, "member"), (BEN, "owner")], MALLORY)),
        (&bens, 0, given("Choir")),
        (&own, 1, given("Choir")),
        (&bens, 1, circle("Choir", &[(MALLORY, "owner"), (BEN, "member")], MALLORY)),
    ] {
        let body = hand_over(&lease, holder, version, &circle);
        street.mallory.says(&object, MessageType::Update, "/lease", body).await;
    }
    is_refused("not-entitled").await;
    street.mallory.writes(&object, 1, "still hers").await;
    street.ben.reads(&object.url, &["still hers"]).await;
    assert!(!looks(&street, &object.url).await.writes);
    let body = hand_over(&lease, &bens, 1, &given("Choir"));
    street.mallory.says(&object, MessageType::Update, "/lease", body.clone()).await;
    let his = async |_: &lab::Person| looks(&street, &object.url).await.writes.then_some(());
    street.ben.until("the group as his", his).await;
    // Once more, and back again: an old step moves nothing, and she has no step to make.
    street.mallory.says(&object, MessageType::Update, "/lease", body).await;
    let lease = seal::Lease { seq: lease.seq + 1, ..lease };
    let back = circle("Choir", &[(MALLORY, "owner"), (BEN, "admin")], BEN);
    street.mallory.says(&object, MessageType::Update, "/lease", hand_over(&lease, &own, 2, &back)).await;
    let change = json!({ "version": 2, "attribute": "circle", "value": circle("Hers again", &[(MALLORY, "admin"), (BEN, "owner")], MALLORY) });
    street.mallory.says(&object, MessageType::Update, "/changes", change).await;
    is_refused("not-reporter").await;
    // She never moved the lease in her own books, so her library still commits; nobody takes it.
    let (vault, device) = (&street.mallory.vault, &street.mallory.device);
    let leaf = leaves.iter().find(|leaf| leaf.dsk == bens).unwrap().leaf;
    let commit = seal::remove(vault, device, &object.group, &[leaf], b"").unwrap();
    street.mallory.session.delivers(&object.inbox, &commit).await;
    is_refused("commit-from-observer").await;
    let view = looks(&street, &object.url).await;
    assert_eq!((view.role, view.writes, view.name.as_str(), view.people.len()), (GroupRole::Owner, true, "Choir", 2));
    street.close().await;
}

/// Attack: G-35
/// By: a member of a group
/// Does: votes twice, for answers there are not, for two where one may be chosen, closes another's poll, and asks what is no poll
/// Holds: she has one vote, the last; the poll is open, and what is no poll is shown as nothing
#[tokio::test(flavor = "multi_thread")]
async fn a_member_has_one_vote_and_closes_no_poll_of_others() {
    let mut street = Street::new().await;
    let object = joins_bens(&mut street).await;
    let question = Question::PollCreate {
        chat: object.url.clone(),
        question: "When?".into(),
        options: vec!["Saturday".into(), "Sunday".into()],
        several: false,
        hidden: false,
    };
    let poll: contract::ChatMessage = street.ben.ask(question).await.unwrap();
    let words = [
        json!({ "type": "vote", "to": poll.id, "choices": [0] }),
        json!({ "type": "vote", "to": poll.id, "choices": [0] }),
        json!({ "type": "vote", "to": poll.id, "choices": [0, 1] }),
        json!({ "type": "vote", "to": poll.id, "choices": [7] }),
        json!({ "type": "vote", "to": poll.id, "choices": [-1] }),
        json!({ "type": "close", "to": poll.id }),
        json!({ "type": "edit", "to": poll.id, "text": "Never" }),
        json!({ "type": "poll", "question": "", "options": ["a", "b"] }),
        json!({ "type": "vote", "to": poll.id, "choices": [1] }),
        json!({ "type": "text", "text": "that was all" }),
    ];
    for (seq, value) in (1..).zip(words) {
        let at = crate::mallory::now() * 1000 + i64::try_from(seq).unwrap();
        let child = json!({ "resource": street.mallory.child(&object.url, seq), "seq": seq, "value": value, "at": at });
        street.mallory.says(&object, MessageType::Create, "/children/", child).await;
    }
    street.ben.reads(&object.url, &["that was all"]).await;
    let open: contract::ChatView = street.ben.ask(Question::ChatOpen { chat: object.url.clone() }).await.unwrap();
    let seen = open.messages.iter().find(|message| message.id == poll.id).unwrap();
    let contract::Content::Poll { poll } = &seen.content else { panic!("no poll: {:?}", seen.content) };
    assert_eq!(poll.options.iter().map(|option| option.votes).collect::<Vec<_>>(), [0, 1]);
    assert_eq!((poll.voters, poll.closed, poll.question.as_str()), (1, false, "When?"));
    street.close().await;
}
