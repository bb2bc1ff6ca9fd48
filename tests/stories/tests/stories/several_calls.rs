//! Three people at two domains with several calls at once: one rests while another goes on, and two become one of three.

use std::time::Duration;

use contract::{
    CallDetails, CallHold, CallOutcome, CallStage, CallView, ChatSummary, ContactState, Content, JointPlace, PastCall,
    PastCalls, Question,
};
use lab::person::Setup;
use lab::{Domain, Person};
use node::Wire;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::sleep;

use crate::common;
use crate::voices::{Voice, longest_pause, seconds};

pub(crate) const ANA: &str = "ana@a.localhost";
pub(crate) const BEN: &str = "ben@b.localhost";
pub(crate) const CLEO: &str = "cleo@b.localhost";

/// Ana at one domain, Ben and Cleo at another; Ana knows both, and they do not know each other.
pub(crate) struct Stage {
    domains: [Domain; 2],
    pub(crate) ana: Person,
    pub(crate) ben: Person,
    pub(crate) cleo: Person,
    voices: [Voice; 3],
    folder: TempDir,
}

impl Stage {
    pub(crate) async fn friends_of_ana() -> Self {
        common::logs();
        let folder = TempDir::new().unwrap();
        let voices = [("ana", 440.0), ("ben", 700.0), ("cleo", 1_130.0)];
        let voices = voices.map(|(name, hertz)| Voice::new(folder.path(), name, hertz));
        let domains = [Domain::start("a.localhost", Wire::Ws).await, Domain::start("b.localhost", Wire::Sse).await];
        let [a, b] = &domains;
        let setup = Setup::with(&[a, b]);
        let mut ana = Person::new("ana", voices[0].of(&setup)).await;
        let mut ben = Person::new("ben", voices[1].of(&setup)).await;
        let mut cleo = Person::new("cleo", voices[2].of(&setup)).await;
        ana.signs_up(a, None).await;
        ben.signs_up(b, None).await;
        cleo.signs_up(b, None).await;
        ana.asks_for_contact(BEN).await;
        ben.accepts(ANA).await;
        // The protocol of b runs at Ana's already.
        let _: Value = ana.ask(Question::PersonFind { address: CLEO.into() }).await.unwrap();
        let _: Value = ana.ask(Question::PersonRequest { user: CLEO.into() }).await.unwrap();
        cleo.accepts(ANA).await;
        for user in [BEN, CLEO] {
            ana.sees_contact(user, ContactState::Accepted).await;
        }
        Self { domains, ana, ben, cleo, voices, folder }
    }

    /// Everybody closes the app; what they heard is left, with the folder it is in.
    pub(crate) async fn close(self) -> ([Voice; 3], TempDir) {
        for mut person in [self.ana, self.ben, self.cleo] {
            person.close().await;
        }
        for mut domain in self.domains {
            domain.stop().await;
        }
        (self.voices, self.folder)
    }
}

/// The calls of a person with somebody.
async fn with(person: &Person, user: &str) -> Vec<CallView> {
    let calls: Vec<CallView> = person.ask(Question::CallList).await.unwrap();
    calls.into_iter().filter(|call| call.user == user).collect()
}

/// Waits until a call with somebody is so.
pub(crate) async fn sees(person: &Person, user: &str, what: &str, wanted: impl Fn(&CallView) -> bool) -> CallView {
    let what = format!("a call with {user} that is {what}");
    person.until(&what, async |person| with(person, user).await.into_iter().find(|call| wanted(call))).await
}

pub(crate) async fn connected(person: &Person, user: &str) -> CallView {
    sees(person, user, "connected", |call| call.stage == CallStage::Connected).await
}

pub(crate) async fn calls(from: &Person, user: &str) -> CallView {
    from.ask(Question::CallStart { user: user.into() }).await.unwrap()
}

pub(crate) async fn accepts(person: &Person, user: &str) -> CallView {
    let call = sees(person, user, "ringing", |call| call.stage == CallStage::Ringing).await;
    person.ask::<Value>(Question::CallAccept { call: call.call.clone() }).await.unwrap();
    call
}

pub(crate) async fn hold(person: &Person, call: &CallView, on: bool) {
    person.ask::<Value>(Question::CallHold { call: call.call.clone(), on }).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_a_second_call_rests_in_the_first_and_is_heard_in_one_at_a_time() {
    let stage = Stage::friends_of_ana().await;
    let (ana, ben, cleo) = (&stage.ana, &stage.ben, &stage.cleo);
    calls(ben, ANA).await;
    accepts(ana, BEN).await;
    let first = connected(ana, BEN).await;
    connected(ben, ANA).await;
    sleep(Duration::from_secs(2)).await;

    calls(cleo, ANA).await;
    accepts(ana, CLEO).await;
    let second = connected(ana, CLEO).await;
    connected(cleo, ANA).await;
    sees(ana, BEN, "on hold", |call| call.hold == CallHold::Us).await;
    sees(ben, ANA, "on hold", |call| call.hold == CallHold::Them).await;
    assert_eq!(second.hold, CallHold::No);
    sleep(Duration::from_secs(4)).await;
    let resting = connected(ana, BEN).await;
    assert_eq!(resting.hold, CallHold::Us, "a path at rest is no path that is lost");

    // Back to Ben: now Cleo rests.
    hold(ana, &first, false).await;
    sees(ben, ANA, "going on", |call| call.hold == CallHold::No).await;
    sees(cleo, ANA, "on hold", |call| call.hold == CallHold::Them).await;
    // Both hold; it goes on only when both do.
    let at_cleo = connected(cleo, ANA).await;
    hold(cleo, &at_cleo, true).await;
    sees(ana, CLEO, "held by both", |call| call.hold == CallHold::Both).await;
    hold(cleo, &at_cleo, false).await;
    sees(ana, CLEO, "held by Ana", |call| call.hold == CallHold::Us).await;
    sleep(Duration::from_secs(3)).await;
    ana.ask::<Value>(Question::CallHangup { call: first.call }).await.unwrap();
    ben.is_in_no_call().await;
    hold(ana, &second, false).await;
    sees(cleo, ANA, "going on", |call| call.hold == CallHold::No).await;
    sleep(Duration::from_secs(2)).await;
    ana.ask::<Value>(Question::CallHangup { call: second.call }).await.unwrap();
    cleo.is_in_no_call().await;
    ana.is_in_no_call().await;

    let ([at_ana, at_ben, at_cleo], _folder) = stage.close().await;
    let (ben_heard, cleo_heard) = (at_ben.heard_of(&at_ana), at_cleo.heard_of(&at_ana));
    assert!(seconds(&ben_heard) >= 4.0, "Ben heard Ana for {} s", seconds(&ben_heard));
    assert!(seconds(&cleo_heard) >= 4.5, "Cleo heard Ana for {} s", seconds(&cleo_heard));
    assert!(longest_pause(&ben_heard) >= 3.5, "and not while she spoke with Cleo: {}", longest_pause(&ben_heard));
    assert!(longest_pause(&cleo_heard) >= 2.5, "nor Cleo while she spoke with Ben: {}", longest_pause(&cleo_heard));
    for (ears, other) in [(&at_ben, &at_cleo), (&at_cleo, &at_ben)] {
        assert_eq!(seconds(&ears.heard_of(other)), 0.0, "nobody hears the other call");
    }
    let (of_ben, of_cleo) = (at_ana.heard_of(&at_ben), at_ana.heard_of(&at_cleo));
    let both = of_ben.iter().zip(&of_cleo).filter(|(one, other)| **one && **other).count();
    assert!(both <= 3, "Ana hears one at a time, but for a moment of change: {both} tenths");
}

#[tokio::test(flavor = "multi_thread")]
async fn one_may_call_somebody_else_while_a_call_rests_and_a_third_caller_hears_busy() {
    let stage = Stage::friends_of_ana().await;
    calls(&stage.ana, BEN).await;
    accepts(&stage.ben, ANA).await;
    connected(&stage.ana, BEN).await;
    connected(&stage.ben, ANA).await;
    let again = stage.ana.ask::<CallView>(Question::CallStart { user: BEN.into() }).await.unwrap_err();
    assert_eq!(again.code, "already-in-a-call");

    calls(&stage.ana, CLEO).await;
    sees(&stage.ben, ANA, "on hold", |call| call.hold == CallHold::Them).await;
    let ringing = sees(&stage.cleo, ANA, "ringing", |call| call.stage == CallStage::Ringing).await;
    stage.cleo.ask::<Value>(Question::CallDecline { call: ringing.call }).await.unwrap();
    stage.ana.until("the end of the second call", async |ana| with(ana, CLEO).await.is_empty().then_some(())).await;
    let resting = sees(&stage.ana, BEN, "on hold", |call| call.hold == CallHold::Us).await;
    hold(&stage.ana, &resting, false).await;
    sees(&stage.ben, ANA, "going on", |call| call.hold == CallHold::No).await;

    calls(&stage.ana, CLEO).await;
    accepts(&stage.cleo, ANA).await;
    connected(&stage.ana, CLEO).await;
    connected(&stage.cleo, ANA).await;
    let mut dan = Person::new("dan", Setup::with(&[&stage.domains[0], &stage.domains[1]])).await;
    dan.signs_up(&stage.domains[0], None).await;
    let _: Value = dan.ask(Question::PersonFind { address: ANA.into() }).await.unwrap();
    let _: Value = dan.ask(Question::PersonRequest { user: ANA.into() }).await.unwrap();
    stage.ana.sees_contact("dan@a.localhost", ContactState::Request).await;
    let _: Value = stage.ana.ask(Question::PersonAccept { user: "dan@a.localhost".into() }).await.unwrap();
    dan.sees_contact(ANA, ContactState::Accepted).await;
    calls(&dan, ANA).await;
    assert_eq!(dan.hears_end_of_call().await, "busy");

    // Ana saw nothing of it meanwhile; it stands in her history as a missed call, and in their conversation.
    let missed = async || {
        let book: PastCalls = stage.ana.ask(Question::CallBook { missed: true, before: None }).await.unwrap();
        assert_eq!(book.missed as usize, book.calls.len());
        book.calls
    };
    let [call] = <[PastCall; 1]>::try_from(missed().await).unwrap();
    assert_eq!((call.user.as_str(), call.outcome, call.incoming), ("dan@a.localhost", CallOutcome::Missed, true));
    assert_eq!((call.reason.as_str(), call.name.as_str()), ("lines-taken", "Dan"));
    let details: CallDetails = stage.ana.ask(Question::CallLook { id: call.id.clone() }).await.unwrap();
    assert_eq!(details.call, call);
    let is_missed =
        |one: &contract::ChatMessage| matches!(&one.content, Content::System { code, .. } if code == "call-missed");
    stage
        .ana
        .until("a line about it", async |ana| {
            let chats: Vec<ChatSummary> = ana.ask(Question::ChatList).await.unwrap();
            let chat = chats.into_iter().find(|chat| chat.user == "dan@a.localhost")?.chat;
            let view: contract::ChatView = ana.ask(Question::ChatOpen { chat }).await.unwrap();
            view.messages.iter().any(is_missed).then_some(())
        })
        .await;
    // However often he tries now, it is one missed call.
    calls(&dan, ANA).await;
    assert_eq!(dan.hears_end_of_call().await, "busy");
    assert_eq!(missed().await, [call]);
    dan.close().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_third_person_is_asked_into_a_call_and_those_who_speak_are_not_cut_off() {
    let mut stage = Stage::friends_of_ana().await;
    calls(&stage.ana, BEN).await;
    accepts(&stage.ben, ANA).await;
    let call = connected(&stage.ana, BEN).await;
    connected(&stage.ben, ANA).await;
    sleep(Duration::from_secs(2)).await;

    let leg: CallView = stage.ana.ask(Question::CallAdd { call: call.call.clone(), user: CLEO.into() }).await.unwrap();
    let joint = leg.joint.expect("it is a part of a joint call");
    let ringing = accepts(&stage.cleo, ANA).await;
    let offered = ringing.joint.expect("Cleo knows who else is in it before she accepts");
    assert_eq!(offered.id, joint.id);
    let known = offered.people.iter().find(|one| one.user == BEN).expect("Ben is named");
    assert_eq!((known.place, known.known), (JointPlace::Here, false));

    // Everybody speaks with everybody, each with the line that says who it is; nobody else rang.
    for (person, others) in [(&stage.ana, [BEN, CLEO]), (&stage.ben, [ANA, CLEO]), (&stage.cleo, [ANA, BEN])] {
        for user in others {
            let leg = connected(person, user).await;
            let line = leg.identity.expect("each leg says who vouches");
            assert_eq!(line.vouched_by, user.split_once('@').unwrap().1);
            assert_eq!(leg.joint.map(|joint| joint.id), Some(joint.id.clone()));
        }
    }
    assert_eq!(connected(&stage.ana, BEN).await.connected_at, call.connected_at, "theirs is the call it was");
    let strangers: Vec<ChatSummary> = stage.ben.ask(Question::ChatList).await.unwrap();
    assert!(strangers.iter().all(|chat| chat.user != CLEO), "who is in a call with one asks for nothing");
    sleep(Duration::from_secs(4)).await;

    // Ana leaves; the other two, who do not know each other, go on.
    stage.ana.ask::<Value>(Question::CallHangup { call: call.call }).await.unwrap();
    stage.ana.is_in_no_call().await;
    for person in [&stage.ben, &stage.cleo] {
        person.until("Ana to be gone", async |one| with(one, ANA).await.is_empty().then_some(())).await;
    }
    sleep(Duration::from_secs(2)).await;
    let last = connected(&stage.ben, CLEO).await;
    let places = last.joint.expect("it is still a joint call").people;
    assert!(places.iter().any(|one| one.user == ANA && one.place == JointPlace::Gone));
    stage.ben.ask::<Value>(Question::CallHangup { call: last.call }).await.unwrap();
    assert_eq!(stage.cleo.hears_end_of_call().await, "hung-up");
    for person in [&stage.ben, &stage.cleo] {
        person.is_in_no_call().await;
    }

    let ([at_ana, at_ben, at_cleo], _folder) = stage.close().await;
    let of_ana = at_ben.heard_of(&at_ana);
    assert!(seconds(&of_ana) >= 6.0, "Ben heard Ana for {} s", seconds(&of_ana));
    // Another call in its place would take longer to begin, and a machine that is busy less than that.
    assert!(longest_pause(&of_ana) < 1.0, "without a cut: {} s", longest_pause(&of_ana));
    for (ears, other) in [(&at_ana, &at_cleo), (&at_cleo, &at_ana)] {
        assert!(seconds(&ears.heard_of(other)) >= 3.0, "{} s", seconds(&ears.heard_of(other)));
    }
    for (ears, other) in [(&at_ben, &at_cleo), (&at_cleo, &at_ben)] {
        assert!(seconds(&ears.heard_of(other)) >= 5.0, "{} s", seconds(&ears.heard_of(other)));
    }
}
