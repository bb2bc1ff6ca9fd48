//! A locked app answers nothing, opens only with its passphrase, and then has everything again.

use std::time::Duration;

use crate::common::{Acme, Stage};
use contract::{AppState, ContactState, Keep, News, Protection, Question, Stage as At};
use lab::Person;
use lab::person::Setup;
use policy::PeopleRules;
use serde_json::Value;

const PASSPHRASE: &str = "a lock for a story";

async fn stands(person: &Person) -> AppState {
    person.ask(Question::AppState).await.unwrap()
}

async fn tries(person: &Person, passphrase: &str) -> Result<AppState, contract::ApiError> {
    person.ask(Question::Unlock { passphrase: passphrase.to_owned() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_locked_app_says_nothing_and_has_everything_again_when_it_is_unlocked() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    stage.ana.writes(&chat, "before").await;
    stage.ben.reads(&chat, &["before"]).await;

    // Without a passphrase there is nothing to lock with.
    assert_eq!(stage.ben.ask::<Value>(Question::Lock).await.unwrap_err().code, "no-passphrase");
    let short = Question::Keep(Keep::Passphrase { passphrase: "short".into() });
    assert_eq!(stage.ben.ask::<Value>(short).await.unwrap_err().code, "passphrase-too-short");
    let keep = Question::Keep(Keep::Passphrase { passphrase: PASSPHRASE.into() });
    let state: AppState = stage.ben.ask(keep).await.unwrap();
    assert_eq!((state.stage, state.protection), (At::Ready, Some(Protection::Passphrase)));

    let state: AppState = stage.ben.ask(Question::Lock).await.unwrap();
    assert_eq!((state.stage, state.profile.is_none(), state.online), (At::Locked, true, false));
    stage
        .ben
        .hears("that it is locked", |news| matches!(news, News::App(state) if state.stage == At::Locked).then_some(()))
        .await;
    for question in [
        Question::ChatList,
        Question::ChatOpen { chat: chat.clone() },
        Question::PersonList,
        Question::DeviceList,
        Question::TrailList,
        Question::PolicyGet,
        Question::CallList,
        Question::ModuleList,
        Question::Erase { user: "ben@b.localhost".into() },
    ] {
        assert_eq!(stage.ben.ask::<Value>(question.clone()).await.unwrap_err().code, "locked", "{question:?}");
    }
    stage.ben.ask::<Value>(Question::SettingsGet).await.unwrap();
    stage.ana.writes(&chat, "while it was locked").await;

    // Guessing becomes slow, and the right passphrase has to wait as well.
    for _ in 0..3 {
        assert_eq!(tries(&stage.ben, "not the passphrase").await.unwrap_err().code, "wrong-passphrase");
    }
    let soon = tries(&stage.ben, PASSPHRASE).await.unwrap_err();
    assert_eq!(soon.code, "too-soon");
    let seconds: u64 = soon.detail.parse().unwrap();
    assert!((1..=5).contains(&seconds), "{seconds}");
    tokio::time::sleep(Duration::from_secs(seconds)).await;

    let state = tries(&stage.ben, PASSPHRASE).await.unwrap();
    assert_eq!((state.stage, state.profile.unwrap().user.as_str()), (At::Ready, "ben@b.localhost"));
    stage.ben.waits_until_online().await;
    stage.ben.reads(&chat, &["before", "while it was locked"]).await;
    stage.ben.writes(&chat, "I am back").await;
    stage.ana.reads(&chat, &["before", "while it was locked", "I am back"]).await;

    // And once more, with the app closed in between.
    let _: AppState = stage.ben.ask(Question::Lock).await.unwrap();
    stage.ben.close().await;
    stage.ben.open().await;
    assert_eq!(stands(&stage.ben).await.stage, At::Locked);
    assert_eq!(tries(&stage.ben, PASSPHRASE).await.unwrap().stage, At::Ready);
    stage.ben.sees_contact("ana@a.localhost", ContactState::Accepted).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_app_that_nobody_uses_locks_itself_and_one_in_use_does_not() {
    // The shortest time an organisation can ask for.
    let people = PeopleRules { auto_lock_after_s: Some(30), ..PeopleRules::default() };
    let acme = Acme::asks(people);
    let set = |setup: &Setup| Setup { organisation: Some(acme.source()), ..setup.clone() };
    let mut stage = Stage::set(set, set).await;
    for person in [&stage.ana, &stage.ben] {
        let keep = Question::Keep(Keep::Passphrase { passphrase: PASSPHRASE.into() });
        person.ask::<AppState>(keep).await.unwrap();
    }
    let begun = std::time::Instant::now();
    // Ana says that she is there, as a window does; Ben went for lunch.
    let locked = stage.ben.until("the lock", async |ben| {
        stage.ana.ask::<Value>(Question::Present).await.unwrap();
        tokio::time::sleep(Duration::from_millis(200)).await;
        (stands(ben).await.stage == At::Locked).then_some(())
    });
    locked.await;
    assert!(begun.elapsed() >= Duration::from_secs(29), "not before its time");
    assert_eq!(stands(&stage.ana).await.stage, At::Ready);
    assert_eq!(tries(&stage.ben, PASSPHRASE).await.unwrap().stage, At::Ready);
    stage.ben.waits_until_online().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_ends_when_the_app_is_locked() {
    let mut stage = Stage::strangers().await;
    stage.become_contacts().await;
    let keep = Question::Keep(Keep::Passphrase { passphrase: PASSPHRASE.into() });
    stage.ben.ask::<AppState>(keep).await.unwrap();
    let _: contract::CallView = stage.ana.ask(Question::CallStart { user: "ben@b.localhost".into() }).await.unwrap();
    let ringing = stage.ben.sees_call(&contract::CallStage::Ringing).await;
    stage.ben.ask::<Value>(Question::CallAccept { call: ringing.call }).await.unwrap();
    stage.ben.sees_call(&contract::CallStage::Connected).await;
    let _: AppState = stage.ben.ask(Question::Lock).await.unwrap();
    stage.ana.is_in_no_call().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_profile_leaves_nothing_but_an_empty_beginning() {
    let mut stage = Stage::strangers().await;
    stage.become_contacts().await;
    let folder = stage.ben.folder().to_owned();
    let wrong = stage.ben.ask::<Value>(Question::Erase { user: "ana@a.localhost".into() }).await.unwrap_err();
    assert_eq!(wrong.code, "not-your-address");
    assert_eq!(stands(&stage.ben).await.stage, At::Ready, "nothing was touched");

    let state: AppState = stage.ben.ask(Question::Erase { user: "ben@b.localhost".into() }).await.unwrap();
    assert_eq!((state.stage, state.profile.is_none()), (At::Protect, true));
    let left: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["packages"], "{left:?}");
    assert_eq!(std::fs::read_dir(folder.join("packages")).unwrap().count(), 0);

    // The folder serves the next person as a new one would.
    let unprotected = Question::Protect(contract::Protect::Unprotected);
    let state: AppState = stage.ben.ask(unprotected).await.unwrap();
    assert_eq!(state.stage, At::Welcome);
    stage.close().await;
}
