//! Every key is lost and somebody signs in anew: the address comes back after three days, unless a device says no.
#![allow(clippy::unwrap_used, reason = "a story fails by panicking")]

mod common;

use common::Stage;
use contract::{AppState, MyIssuer, News, Question, SignInState, Stage as At, Trouble};
use lab::Person;
use lab::person::Setup;
use serde_json::Value;

const ANA: &str = "ana@a.localhost";

/// A computer on which nothing is.
async fn new_computer(stage: &Stage, name: &str) -> Person {
    Person::new(name, Setup::with(&[&stage.a, &stage.b]).knowing(&stage.issuer.url)).await
}

/// Asks for the address back, and hears how the sign-in ended.
async fn begins_anew(person: &mut Person, user: &str, issuer: &str) -> Result<(), Trouble> {
    let question = Question::IdentityRestart { user: user.into(), issuer: issuer.into() };
    person.ask::<Value>(question).await.unwrap();
    person
        .hears("the end of the sign-in", |news| match news {
            News::SignIn(SignInState::Done { .. }) => Some(Ok(())),
            News::SignIn(SignInState::Failed { trouble }) => Some(Err(trouble)),
            _ => None,
        })
        .await
}

async fn app(person: &Person) -> AppState {
    person.ask(Question::AppState).await.unwrap()
}

/// Waits until the new computer knows that a device of before said no.
async fn is_told_no(person: &mut Person) {
    person
        .hears("the no of a device", |news| match news {
            News::Trouble(trouble) if trouble.code == "reset-vetoed" => Some(()),
            _ => None,
        })
        .await;
    assert!(app(person).await.restart.is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_is_alive_says_no_to_a_reset_and_the_identity_goes_on() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    let issuer = stage.a.node().origin().to_owned();
    let mut thief = new_computer(&stage, "ana").await;
    let other = begins_anew(&mut thief, ANA, &stage.issuer.url.clone()).await.unwrap_err();
    assert_eq!(other.code, "other-issuer", "only who vouched before can do so again");

    begins_anew(&mut thief, ANA, &issuer).await.unwrap();
    is_told_no(&mut thief).await;
    stage
        .ana
        .hears("the warning", |news| match news {
            News::Trouble(trouble) if trouble.code == "reset-asked" => Some(()),
            _ => None,
        })
        .await;

    // Nothing is lost, and Ana may change her keys as before.
    stage.ana.writes(&chat, "somebody tried to be me").await;
    stage.ben.reads(&chat, &["somebody tried to be me"]).await;
    stage.ana.ask::<Value>(Question::IdentityRotate).await.unwrap();
    stage
        .ben
        .until("the new root key", async |ben| ben.lines().await.contains(&"key-rotated".into()).then_some(()))
        .await;
    stage.ben.writes(&chat, "I noticed nothing").await;
    stage.ana.reads(&chat, &["somebody tried to be me", "I noticed nothing"]).await;
    assert_eq!(stage.ana.ask::<Vec<MyIssuer>>(Question::IdentityIssuers).await.unwrap().len(), 1);
    thief.close().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_waits_while_the_app_is_closed_and_a_device_that_comes_back_refuses_it() {
    let mut stage = Stage::strangers().await;
    stage.ana.close().await;
    let issuer = stage.a.node().origin().to_owned();
    let mut new = new_computer(&stage, "ana").await;
    begins_anew(&mut new, ANA, &issuer).await.unwrap();
    let state = app(&new).await;
    let waits = state.restart.unwrap();
    assert_eq!((state.stage, waits.user.as_str()), (At::Welcome, ANA));
    let days = 3 * 86_400_000;
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis() as i64;
    assert!((now + days - 60_000..=now + days).contains(&(waits.until)), "three days: {}", waits.until - now);

    new.close().await;
    new.open().await;
    assert_eq!(app(&new).await.restart, Some(waits));
    let other = Question::SignInStart { domain: "a.localhost".into(), issuer: issuer.clone() };
    assert_eq!(new.ask::<Value>(other).await.unwrap_err().code, "restart-waits", "one thing at a time");

    // The old computer turns up again.
    stage.ana.open().await;
    is_told_no(&mut new).await;
    stage.ana.waits_until_online().await;
    new.close().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn where_another_issuer_vouched_the_domain_asks_its_operator() {
    let mut stage = Stage::strangers().await;
    stage.ben.close().await;
    let mut new = new_computer(&stage, "ben").await;
    let refused = begins_anew(&mut new, "ben@b.localhost", &stage.issuer.url.clone()).await.unwrap_err();
    assert_eq!(refused.code, "reset-refused");
    assert!(app(&new).await.restart.is_none());
    new.close().await;
    stage.close().await;
}
