//! A group outlives its owner's part in it; people in it name each other and vote.

use contract::{
    ChatMessage, ChatSummary, ContactState, Content, GroupDone, GroupRole, GroupStanding, GroupView, PollView, Question,
};
use lab::Person;
use serde_json::Value;

use crate::group_chat::{
    ANA, BEN, CLEO, DAN, Stage, allows_all, group, reads_all, sees, sees_group, sees_line, sees_people, view,
};

fn hand_over(chat: &str, user: &str, leave: bool) -> Question {
    Question::GroupHandOver { chat: chat.to_owned(), user: user.to_owned(), leave }
}

async fn found(person: &Person, chat: &str, what: &str, looks: impl Fn(&ChatMessage) -> bool) -> ChatMessage {
    person
        .until(what, async |person| view(person, chat).await.messages.into_iter().find(|message| looks(message)))
        .await
}

async fn sees_poll(person: &Person, chat: &str, what: &str, looks: impl Fn(&PollView) -> bool) -> PollView {
    let is = |message: &ChatMessage| matches!(&message.content, Content::Poll { poll } if looks(poll));
    match found(person, chat, what, is).await.content {
        Content::Poll { poll } => poll,
        _ => unreachable!("a poll was looked for"),
    }
}

fn votes(poll: &PollView) -> Vec<u32> {
    poll.options.iter().map(|option| option.votes).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_hands_the_group_over_and_goes_and_the_new_owner_takes_in_and_puts_out() {
    let mut stage = Stage::friends_of_ana().await;
    // Ben knows Dan by himself.
    let agreeing = stage.agree();
    let _: Value = stage.ben.ask(Question::PersonFind { address: DAN.into() }).await.unwrap();
    let _: Value = stage.ben.ask(Question::PersonRequest { user: DAN.into() }).await.unwrap();
    stage.dan.sees_contact(BEN, ContactState::Request).await;
    let _: Value = stage.dan.ask(Question::PersonAccept { user: BEN.into() }).await.unwrap();
    stage.ben.sees_contact(DAN, ContactState::Accepted).await;
    let chat = stage.choir().await;
    for person in [&stage.ana, &stage.ben, &stage.cleo] {
        sees_people(person, &chat, &[ANA, BEN, CLEO]).await;
    }
    stage.ana.writes(&chat, "before").await;
    for person in [&stage.ben, &stage.cleo] {
        reads_all(person, &chat, &["before"]).await;
    }
    let refused = stage.cleo.ask::<GroupDone>(hand_over(&chat, CLEO, false)).await;
    assert_eq!(refused.unwrap_err().code, "not-entitled");
    let refused = stage.ana.ask::<GroupDone>(hand_over(&chat, DAN, true)).await;
    assert_eq!(refused.unwrap_err().code, "not-entitled", "who is not in it cannot have it");

    assert_eq!(stage.ana.ask::<GroupDone>(hand_over(&chat, BEN, true)).await.unwrap(), GroupDone::Done);
    assert_eq!(group(&stage.ana, &chat).await.standing, GroupStanding::Over { reason: "left".into() });
    for person in [&stage.ben, &stage.cleo] {
        sees_people(person, &chat, &[BEN, CLEO]).await;
        sees_line(person, &chat, "group-left", Some("Ana"), "Ana").await;
    }
    sees_line(&stage.cleo, &chat, "group-handed", Some("Ana"), "Ben").await;
    sees_line(&stage.ben, &chat, "group-handed-you", Some("Ana"), "Ben").await;
    let bens = group(&stage.ben, &chat).await;
    assert_eq!((bens.role, bens.writes, bens.owner.as_str()), (GroupRole::Owner, true, BEN));

    // Ana's app is closed for good: Ben names the group, and takes Dan in.
    stage.ana.close().await;
    let rename = Question::GroupRename { chat: chat.clone(), name: "Bens choir".into() };
    assert_eq!(stage.ben.ask::<GroupDone>(rename).await.unwrap(), GroupDone::Done);
    sees_group(&stage.cleo, "Bens choir").await;
    let add = Question::GroupAdd { chat: chat.clone(), people: vec![DAN.into()] };
    assert_eq!(stage.ben.ask::<GroupDone>(add).await.unwrap(), GroupDone::Done);
    sees_group(&stage.dan, "Bens choir").await;
    for person in [&stage.ben, &stage.cleo, &stage.dan] {
        sees_people(person, &chat, &[BEN, CLEO, DAN]).await;
    }
    stage.cleo.writes(&chat, "welcome, Dan").await;
    stage.dan.writes(&chat, "hello").await;
    for person in [&stage.ben, &stage.cleo, &stage.dan] {
        reads_all(person, &chat, &["welcome, Dan", "hello"]).await;
    }
    assert_eq!(stage.dan.texts(&chat).await.iter().filter(|text| *text == "before").count(), 0);

    // A restart changes nothing of whose it is; and Ben can give it on, and stay.
    agreeing.iter().for_each(tokio::task::JoinHandle::abort);
    stage.ben.close().await;
    stage.ben.open().await;
    stage.ben.waits_until_online().await;
    let agreeing = stage.agree();
    let remove = Question::GroupRemove { chat: chat.clone(), user: CLEO.into() };
    assert_eq!(stage.ben.ask::<GroupDone>(remove).await.unwrap(), GroupDone::Done);
    sees(&stage.cleo, &chat, "the end", |view| matches!(view.standing, GroupStanding::Over { .. })).await;
    assert_eq!(stage.ben.ask::<GroupDone>(hand_over(&chat, DAN, false)).await.unwrap(), GroupDone::Done);
    let dans: GroupView = sees(&stage.dan, &chat, "the group as his", |view| view.writes).await;
    let ben = dans.people.iter().find(|one| one.user == BEN).unwrap();
    assert_eq!((dans.owner.as_str(), ben.role), (DAN, GroupRole::Admin));
    let rename = Question::GroupRename { chat: chat.clone(), name: "Dans choir".into() };
    assert_eq!(stage.ben.ask::<GroupDone>(rename).await.unwrap(), GroupDone::Asked);
    sees_group(&stage.dan, "Dans choir").await;
    sees_group(&stage.ben, "Dans choir").await;
    agreeing.iter().for_each(tokio::task::JoinHandle::abort);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_away_hears_of_the_new_owner_before_of_what_that_one_did() {
    let mut stage = Stage::friends_of_ana().await;
    let agreeing = stage.agree();
    let chat = stage.choir().await;
    for person in [&stage.ana, &stage.ben, &stage.cleo] {
        sees_people(person, &chat, &[ANA, BEN, CLEO]).await;
    }
    agreeing.iter().for_each(tokio::task::JoinHandle::abort);
    stage.cleo.close().await;
    assert_eq!(stage.ana.ask::<GroupDone>(hand_over(&chat, BEN, true)).await.unwrap(), GroupDone::Done);
    sees(&stage.ben, &chat, "the group as his", |view| view.writes && view.people.len() == 2).await;
    stage.ana.close().await;
    let rename = Question::GroupRename { chat: chat.clone(), name: "Bens choir".into() };
    assert_eq!(stage.ben.ask::<GroupDone>(rename).await.unwrap(), GroupDone::Done);
    stage.ben.writes(&chat, "only the two of us").await;

    stage.cleo.open().await;
    stage.cleo.waits_until_online().await;
    let agreeing = stage.agree();
    reads_all(&stage.cleo, &chat, &["only the two of us"]).await;
    assert_eq!(sees_group(&stage.cleo, "Bens choir").await, chat);
    let seen = sees_people(&stage.cleo, &chat, &[BEN, CLEO]).await;
    assert_eq!(seen.owner, BEN);
    let refusals = view(&stage.cleo, &chat).await.refusals;
    assert!(refusals.is_empty(), "nothing of it looked like a theft: {refusals:?}");
    stage.cleo.writes(&chat, "here I am").await;
    reads_all(&stage.ben, &chat, &["here I am"]).await;
    agreeing.iter().for_each(tokio::task::JoinHandle::abort);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_owner_hands_over_from_a_device_that_does_not_write_the_group_and_is_out_on_all() {
    let mut stage = Stage::friends_of_ana().await;
    let agreeing = stage.agree();
    let chat = stage.choir().await;
    for person in [&stage.ana, &stage.ben, &stage.cleo] {
        sees_people(person, &chat, &[ANA, BEN, CLEO]).await;
    }
    let mut phone = Person::new("anas-phone", stage.setup.clone()).await;
    phone.becomes_a_device_of(&mut stage.ana, true).await;
    let phones = tokio::spawn(allows_all(phone.app()));
    sees(&stage.ben, &chat, "Ana's other device", |view| {
        view.people.iter().any(|one| one.user == ANA && one.devices == 2)
    })
    .await;
    phone
        .until("its place in the group", async |phone| {
            let said = Question::ChatSend { chat: chat.clone(), text: "from the phone".into(), preview: None };
            phone.ask::<Value>(said).await.is_ok().then_some(())
        })
        .await;
    reads_all(&stage.ben, &chat, &["from the phone"]).await;
    assert!(!group(&phone, &chat).await.writes);
    assert_eq!(phone.ask::<GroupDone>(hand_over(&chat, BEN, true)).await.unwrap(), GroupDone::Asked);
    for person in [&stage.ben, &stage.cleo] {
        sees_people(person, &chat, &[BEN, CLEO]).await;
    }
    for person in [&phone, &stage.ana] {
        let out = sees(person, &chat, "the end", |view| matches!(view.standing, GroupStanding::Over { .. })).await;
        assert_eq!(out.standing, GroupStanding::Over { reason: "left".into() });
    }
    stage.cleo.writes(&chat, "without Ana").await;
    reads_all(&stage.ben, &chat, &["without Ana"]).await;
    assert!(phone.texts(&chat).await.iter().all(|text| text != "without Ana"));
    phones.abort();
    agreeing.iter().for_each(tokio::task::JoinHandle::abort);
    phone.close().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn people_in_a_group_name_each_other_and_vote_and_all_count_the_same() {
    let mut stage = Stage::friends_of_ana().await;
    let agreeing = stage.agree();
    let chat = stage.choir().await;
    for person in [&stage.ana, &stage.ben, &stage.cleo] {
        sees_people(person, &chat, &[ANA, BEN, CLEO]).await;
    }
    stage.ana.writes(&chat, "@Ben, do you bring the scores?").await;
    let names = |message: &ChatMessage| !message.mentions.is_empty();
    let at_ben = found(&stage.ben, &chat, "his name", names).await;
    assert!(at_ben.mentions_me && at_ben.mentions[0].user == BEN && at_ben.mentions[0].name == "Ben");
    assert!(!found(&stage.cleo, &chat, "Ben's name", names).await.mentions_me);
    let line = async |person: &Person| {
        let chats: Vec<ChatSummary> = person.ask(Question::ChatList).await.unwrap();
        chats.into_iter().find(|one| one.chat == chat).unwrap()
    };
    assert!(line(&stage.ben).await.mentions_me && !line(&stage.cleo).await.mentions_me);
    let _: Value = stage.ben.ask(Question::ChatRead { chat: chat.clone() }).await.unwrap();
    assert!(!line(&stage.ben).await.mentions_me, "what is read is no news");

    let poll = |options: &[&str], several: bool| Question::PollCreate {
        chat: chat.clone(),
        question: "When do we sing?".into(),
        options: options.iter().map(|one| (*one).to_owned()).collect(),
        several,
        hidden: false,
    };
    assert_eq!(stage.ana.ask::<ChatMessage>(poll(&["Saturday"], false)).await.unwrap_err().code, "no-poll");
    let asked: ChatMessage = stage.ana.ask(poll(&["Saturday", "Sunday"], false)).await.unwrap();
    for person in [&stage.ben, &stage.cleo] {
        sees_poll(person, &chat, "the poll", |poll| poll.voters == 0).await;
    }
    let vote = |choices: &[u8]| Question::PollVote { message: asked.id.clone(), choices: choices.to_vec() };
    assert_eq!(stage.ben.ask::<ChatMessage>(vote(&[0, 1])).await.unwrap_err().code, "no-such-choice");
    let _: ChatMessage = stage.ben.ask(vote(&[0])).await.unwrap();
    let _: ChatMessage = stage.cleo.ask(vote(&[0])).await.unwrap();
    let _: ChatMessage = stage.ana.ask(vote(&[1])).await.unwrap();
    for person in [&stage.ana, &stage.ben, &stage.cleo] {
        let poll = sees_poll(person, &chat, "three votes", |poll| poll.voters == 3).await;
        assert_eq!(votes(&poll), [2, 1]);
    }
    // Ben thinks again: he still has one vote.
    let _: ChatMessage = stage.ben.ask(vote(&[1])).await.unwrap();
    for person in [&stage.ana, &stage.cleo] {
        let poll = sees_poll(person, &chat, "the other vote", |poll| votes(poll) == [1, 2]).await;
        assert_eq!(poll.options[1].who.contains(&BEN.to_owned()), poll.options[1].votes == 2);
    }
    let close = Question::PollClose { message: asked.id.clone() };
    assert_eq!(stage.ben.ask::<ChatMessage>(close.clone()).await.unwrap_err().code, "not-the-author");
    let _: ChatMessage = stage.ana.ask(close).await.unwrap();
    for (person, chose_saturday) in [(&stage.ana, false), (&stage.ben, false), (&stage.cleo, true)] {
        let poll = sees_poll(person, &chat, "the end of it", |poll| poll.closed).await;
        assert_eq!((votes(&poll), poll.options[0].mine), (vec![1, 2], chose_saturday));
        assert_eq!(poll.options[1].mine, !chose_saturday);
    }
    assert_eq!(stage.ben.ask::<ChatMessage>(vote(&[0])).await.unwrap_err().code, "poll-closed");
    let search = Question::ChatSearch { text: "sing saturday".into(), chat: None, before: None };
    let answer: contract::SearchAnswer = stage.cleo.ask(search).await.unwrap();
    assert_eq!(answer.found.iter().map(|message| message.id.as_str()).collect::<Vec<_>>(), [asked.id.as_str()]);
    agreeing.iter().for_each(tokio::task::JoinHandle::abort);
    stage.close().await;
}
