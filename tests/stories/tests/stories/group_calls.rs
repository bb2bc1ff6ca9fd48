//! Four people at three domains in one call that began in their group chat; one is lost and asked again.

use contract::{CallStage, CallView, GroupDone, JointPlace, PastCalls, Question};
use lab::Person;
use serde_json::Value;

use crate::group_chat::{ANA, BEN, CLEO, DAN, Stage, sees_group, sees_people};

async fn calls(person: &Person) -> Vec<CallView> {
    let calls: Vec<CallView> = person.ask(Question::CallList).await.unwrap();
    calls.into_iter().filter(|call| !matches!(call.stage, CallStage::Ended { .. })).collect()
}

/// Waits until a person speaks with exactly these.
async fn speaks_with(person: &Person, others: &[&str]) -> Vec<CallView> {
    let mut wanted = others.to_vec();
    wanted.sort_unstable();
    person
        .until(&format!("calls with {wanted:?}"), async |person| {
            let mut legs = calls(person).await;
            legs.sort_by(|a, b| a.user.cmp(&b.user));
            let with: Vec<&str> = legs.iter().map(|leg| leg.user.as_str()).collect();
            let speaking = legs.iter().all(|leg| leg.stage == CallStage::Connected);
            (speaking && with == wanted).then_some(legs)
        })
        .await
}

/// Takes the one call that rings.
async fn accepts(person: &Person) -> CallView {
    let ringing = person.sees_call(&CallStage::Ringing).await;
    person.ask::<Value>(Question::CallAccept { call: ringing.call.clone() }).await.unwrap();
    ringing
}

#[tokio::test(flavor = "multi_thread")]
async fn a_choir_of_four_calls_itself_from_its_chat_and_asks_again_who_was_lost() {
    let mut stage = Stage::friends_of_ana().await;
    let agreeing = stage.agree();
    let chat = stage.choir().await;
    let add = Question::GroupAdd { chat: chat.clone(), people: vec![DAN.into()] };
    assert_eq!(stage.ana.ask::<GroupDone>(add).await.unwrap(), GroupDone::Done);
    sees_group(&stage.dan, "Choir").await;
    for person in [&stage.ana, &stage.ben, &stage.cleo, &stage.dan] {
        sees_people(person, &chat, &[ANA, BEN, CLEO, DAN]).await;
    }

    let first: CallView = stage.ana.ask(Question::CallGroup { chat: chat.clone() }).await.unwrap();
    let joint = first.joint.expect("it is a call of several").id;
    for person in [&stage.ben, &stage.cleo, &stage.dan] {
        let ringing = accepts(person).await;
        assert_eq!(ringing.user, ANA, "it rings once, by whoever called");
        assert_eq!(ringing.joint.expect("who rings sees that it is of several").id, joint);
    }
    for (person, others) in [
        (&stage.ana, [BEN, CLEO, DAN]),
        (&stage.ben, [ANA, CLEO, DAN]),
        (&stage.cleo, [ANA, BEN, DAN]),
        (&stage.dan, [ANA, BEN, CLEO]),
    ] {
        for leg in speaks_with(person, &others).await {
            assert!(leg.identity.is_some(), "each leg says who vouches");
            assert_eq!(leg.joint.map(|joint| joint.id).as_ref(), Some(&joint));
        }
    }

    // Dan's app ends without a word; the others go on. Nothing else may hold it open.
    agreeing.into_iter().for_each(|task| task.abort());
    stage.dan.close().await;
    speaks_with(&stage.ben, &[ANA, CLEO]).await;
    speaks_with(&stage.cleo, &[ANA, BEN]).await;
    let legs = speaks_with(&stage.ana, &[BEN, CLEO]).await;
    let place =
        legs[0].joint.as_ref().and_then(|joint| joint.people.iter().find(|one| one.user == DAN)).map(|one| one.place);
    assert!(matches!(place, None | Some(JointPlace::Gone)), "Dan is gone: {place:?}");

    // He comes back and is asked again.
    stage.dan.open().await;
    stage.dan.waits_until_online().await;
    let again: CallView =
        stage.ana.ask(Question::CallAdd { call: legs[0].call.clone(), user: DAN.into() }).await.unwrap();
    assert_eq!(again.joint.expect("into the same call").id, joint);
    accepts(&stage.dan).await;
    for (person, others) in
        [(&stage.ana, [BEN, CLEO, DAN]), (&stage.dan, [ANA, BEN, CLEO]), (&stage.ben, [ANA, CLEO, DAN])]
    {
        speaks_with(person, &others).await;
    }

    // Each leaves by one word, and it is one call in the list of calls.
    for person in [&stage.ana, &stage.ben, &stage.cleo, &stage.dan] {
        if let Some(leg) = calls(person).await.first() {
            person.ask::<Value>(Question::CallHangup { call: leg.call.clone() }).await.unwrap();
        }
        person.until("no call", async |person| calls(person).await.is_empty().then_some(())).await;
    }
    let book: PastCalls = stage.ana.ask(Question::CallBook { missed: false, before: None }).await.unwrap();
    assert!(!book.calls.is_empty(), "the call is kept");
    stage.close().await;
}
