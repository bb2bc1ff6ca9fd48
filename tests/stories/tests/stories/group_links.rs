//! Somebody nobody in a group knows comes in by a link, at once or after a yes, and only while the link holds.

use std::time::Duration;

use contract::{
    GroupDone, GroupGuestState, GroupInvite, GroupInviteState, GroupJoining, GroupJoiningState, GroupOffer, GroupRole,
    Question,
};
use lab::Person;
use notices::Key;
use serde_json::Value;

use crate::desktops::Desktop;
use crate::group_chat::{ANA, BEN, CLEO, DAN, Stage, allows_all, group, reads_all, sees, sees_group, sees_people};

const EVA: &str = "eva@c.localhost";
const HOUR: Duration = Duration::from_secs(3_600);

async fn makes(person: &Person, chat: &str, uses: Option<u32>, approval: bool) -> GroupInvite {
    person.ask(Question::GroupInviteMake { chat: chat.into(), hours: 24, uses, approval }).await.unwrap()
}

async fn invites(person: &Person, chat: &str) -> Vec<GroupInvite> {
    person.ask(Question::GroupInviteList { chat: chat.into() }).await.unwrap()
}

async fn asks(person: &Person, link: &str) -> GroupJoining {
    person.ask(Question::GroupAsk { link: link.into() }).await.unwrap()
}

async fn sees_joining(person: &Person, state: GroupJoiningState) -> GroupJoining {
    person
        .until(&format!("a group that is {state:?}"), async |person| {
            let all: Vec<GroupJoining> = person.ask(Question::GroupJoining).await.unwrap();
            all.into_iter().find(|one| one.state == state)
        })
        .await
}

async fn waits(person: &Person, chat: &str, user: &str) -> GroupInvite {
    person
        .until(&format!("{user} at the door"), async |person| {
            let all = invites(person, chat).await;
            let is_there = |link: &GroupInvite| {
                link.came.iter().any(|one| one.user == user && one.state == GroupGuestState::Waits)
            };
            all.into_iter().find(is_there)
        })
        .await
}

/// Somebody at Cleo's domain whom nobody knows.
async fn eva(stage: &Stage) -> Person {
    let mut eva = Person::new("eva", stage.setup.clone()).await;
    eva.signs_up(&stage.domains[2], None).await;
    tokio::spawn(allows_all(eva.app()));
    eva
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_a_link_reads_what_it_says_asks_and_is_in_the_group() {
    let mut stage = Stage::friends_of_ana().await;
    let _agreeing = stage.agree();
    tokio::spawn(allows_all(stage.ana.app()));
    let chat = stage.choir().await;
    sees_people(&stage.ana, &chat, &[ANA, BEN, CLEO]).await;
    let link = makes(&stage.ana, &chat, Some(1), false).await;
    assert_eq!((link.state, link.used, link.uses), (GroupInviteState::Open, 0, Some(1)));

    let mut eva = eva(&stage).await;
    let offer: GroupOffer = eva.ask(Question::GroupOffer { link: link.link.clone() }).await.unwrap();
    assert_eq!((offer.name.as_str(), offer.people, offer.by.as_str(), offer.inside), ("Choir", 3, ANA, false));
    // Whoever only reads the link is not noticed, and is in no group.
    assert!(invites(&stage.ana, &chat).await[0].came.is_empty());
    assert_eq!(eva.ask::<Vec<GroupJoining>>(Question::GroupJoining).await.unwrap(), []);

    assert_eq!(asks(&eva, &link.link).await.state, GroupJoiningState::Asked);
    assert_eq!(sees_group(&eva, "Choir").await, chat);
    for person in [&stage.ana, &stage.ben, &stage.cleo, &eva] {
        sees_people(person, &chat, &[ANA, BEN, CLEO, EVA]).await;
    }
    // Her yes was the link: the group does not ask once more.
    assert_eq!(group(&eva, &chat).await.standing, contract::GroupStanding::Open);
    assert_eq!(eva.ask::<Vec<GroupJoining>>(Question::GroupJoining).await.unwrap(), []);
    let seen = &invites(&stage.ana, &chat).await[0];
    assert_eq!((seen.state, seen.used, seen.link.as_str()), (GroupInviteState::UsedUp, 1, ""));
    assert_eq!((seen.came[0].user.as_str(), seen.came[0].name.as_str()), (EVA, "Eva"));
    assert_eq!(seen.came[0].identity.as_ref().unwrap().vouched_by, "c.localhost");
    let cards: Vec<contract::PersonCard> = eva.ask(Question::PersonList).await.unwrap();
    assert!(cards.iter().all(|card| card.contact != contract::ContactState::Accepted), "a link makes nobody a contact");

    eva.writes(&chat, "from Eva").await;
    stage.ben.writes(&chat, "from Ben").await;
    for person in [&stage.ana, &stage.cleo] {
        reads_all(person, &chat, &["from Eva", "from Ben"]).await;
    }
    reads_all(&eva, &chat, &["from Ben"]).await;
    eva.close().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_says_yes_or_no_to_each_who_comes_and_a_link_that_is_over_says_so() {
    let mut stage = Stage::friends_of_ana().await;
    let _agreeing = stage.agree();
    tokio::spawn(allows_all(stage.ana.app()));
    let chat = stage.choir().await;
    sees_people(&stage.ben, &chat, &[ANA, BEN, CLEO]).await;
    // Who may not add people makes no link.
    let refused = stage.ben.ask::<GroupInvite>(Question::GroupInviteMake {
        chat: chat.clone(),
        hours: 1,
        uses: None,
        approval: true,
    });
    assert_eq!(refused.await.unwrap_err().code, "not-entitled");
    let role = Question::GroupRole { chat: chat.clone(), user: BEN.into(), role: GroupRole::Admin };
    assert_eq!(stage.ana.ask::<GroupDone>(role).await.unwrap(), GroupDone::Done);
    sees(&stage.ben, &chat, "Ben an admin", |view| view.role == GroupRole::Admin).await;

    // Ben's device does not write the group; it asks the one that does.
    let link = makes(&stage.ben, &chat, None, true).await;
    let mut desktop = Desktop::of(&stage.ben).await;
    let mut eva = eva(&stage).await;
    asks(&eva, &link.link).await;
    sees_joining(&eva, GroupJoiningState::Waits).await;
    let id = waits(&stage.ben, &chat, EVA).await.id;
    stage
        .ben
        .until("a line about it", async |ben| {
            ben.ask::<contract::ChatView>(Question::ChatOpen { chat: chat.clone() })
                .await
                .unwrap()
                .messages
                .iter()
                .any(
                    |one| matches!(&one.content, contract::Content::System { code, .. } if code == "group-guest-waits"),
                )
                .then_some(())
        })
        .await;
    let door = Key::Door(chat.clone());
    desktop.becomes("Ben's desktop tells of her", |desktop| desktop.shown.contains(&door)).await;
    assert_eq!(group(&stage.ben, &chat).await.people.len(), 3, "nobody is in before the yes");
    let answer = |user: &str, yes| Question::GroupInviteAnswer { id: id.clone(), user: user.into(), yes };
    let seen: GroupInvite = stage.ben.ask(answer(EVA, true)).await.unwrap();
    assert_eq!((seen.used, seen.came[0].state), (1, GroupGuestState::In));
    desktop.becomes("who was answered goes from it", |desktop| !desktop.shown.contains(&door)).await;
    assert_eq!(stage.ben.ask::<Value>(answer(EVA, true)).await.unwrap_err().code, "no-request");
    for person in [&stage.ana, &stage.ben, &eva] {
        sees_people(person, &chat, &[ANA, BEN, CLEO, EVA]).await;
    }

    // Dan is refused, and hears why; the no stands.
    asks(&stage.dan, &link.link).await;
    waits(&stage.ben, &chat, DAN).await;
    let _: GroupInvite = stage.ben.ask(answer(DAN, false)).await.unwrap();
    let told = sees_joining(&stage.dan, GroupJoiningState::Refused).await;
    assert_eq!(told.code.as_deref(), Some("invite-declined"));
    let _: Value = stage.dan.ask(Question::GroupForget { chat: chat.clone() }).await.unwrap();

    // A link that was taken back leads nowhere.
    let other = makes(&stage.ben, &chat, None, false).await;
    let ended: GroupInvite = stage.ben.ask(Question::GroupInviteRevoke { id: other.id.clone() }).await.unwrap();
    assert_eq!((ended.state, ended.link.as_str()), (GroupInviteState::Revoked, ""));
    asks(&stage.dan, &other.link).await;
    let told = sees_joining(&stage.dan, GroupJoiningState::Refused).await;
    assert_eq!(told.code.as_deref(), Some("invite-revoked"));
    assert_eq!(group(&stage.ana, &chat).await.people.len(), 4);
    eva.close().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_whose_time_is_over_lets_nobody_in_and_says_so() {
    let mut stage = Stage::friends_of_ana().await;
    let _agreeing = stage.agree();
    tokio::spawn(allows_all(stage.ana.app()));
    let chat = stage.choir().await;
    sees_people(&stage.ana, &chat, &[ANA, BEN, CLEO]).await;
    let link = makes(&stage.ana, &chat, None, false).await;
    let mut eva = eva(&stage).await;
    let offer: GroupOffer = eva.ask(Question::GroupOffer { link: link.link.clone() }).await.unwrap();
    assert_eq!((offer.name.as_str(), offer.until), ("Choir", link.until));

    lab::later(HOUR * 23);
    assert!(eva.ask::<GroupOffer>(Question::GroupOffer { link: link.link.clone() }).await.is_ok(), "an hour is left");
    lab::later(HOUR * 24 + Duration::from_secs(60));

    // Whoever comes now reads it in the link itself, and asks nobody.
    for question in [Question::GroupOffer { link: link.link.clone() }, Question::GroupAsk { link: link.link.clone() }] {
        assert_eq!(eva.ask::<Value>(question).await.unwrap_err().code, "invite-expired");
    }
    assert_eq!(eva.ask::<Vec<GroupJoining>>(Question::GroupJoining).await.unwrap(), []);
    let seen = &invites(&stage.ana, &chat).await[0];
    assert_eq!((seen.state, seen.used, seen.link.as_str()), (GroupInviteState::Expired, 0, ""));
    assert_eq!(group(&stage.ana, &chat).await.people.len(), 3);
    eva.close().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asked_while_the_maker_was_away_hears_that_the_link_is_over_by_now() {
    let mut stage = Stage::friends_of_ana().await;
    let _agreeing = stage.agree();
    let chat = stage.choir().await;
    sees_people(&stage.ana, &chat, &[ANA, BEN, CLEO]).await;
    let link = makes(&stage.ana, &chat, None, false).await;
    let mut eva = eva(&stage).await;
    stage.ana.close().await;
    assert_eq!(asks(&eva, &link.link).await.state, GroupJoiningState::Asked);
    lab::later(HOUR * 24 + Duration::from_secs(60));
    stage.ana.open().await;
    stage.ana.waits_until_online().await;
    let told = sees_joining(&eva, GroupJoiningState::Refused).await;
    assert_eq!(told.code.as_deref(), Some("invite-expired"));
    eva.close().await;
    stage.close().await;
}
