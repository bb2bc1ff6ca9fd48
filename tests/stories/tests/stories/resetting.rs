//! Every key is lost and somebody signs in anew: the address comes back after three days, unless a device says no.

use std::time::Duration;

use crate::common::Stage;
use contract::{AppState, MyIssuer, News, Question, ResetAsked, SignInState, Stage as At, Trouble};
use lab::Person;
use lab::person::Setup;
use serde_json::Value;

const ANA: &str = "ana@a.localhost";
const MINUTE: Duration = Duration::from_secs(60);

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

/// Waits until a device asks the person whether it is them who begins anew.
async fn is_asked(person: &Person) -> ResetAsked {
    person.until("the question who begins anew", async |person| app(person).await.reset_asked).await
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
    let asked = is_asked(&stage.ana).await;
    assert!(asked.refused_at.is_some_and(|at| at < asked.until), "without an answer, too, it comes to nothing");
    let answered: AppState = stage.ana.ask(Question::IdentityAnswer { mine: false }).await.unwrap();
    assert_eq!(answered.reset_asked, None);
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

    // The old computer turns up again, and nobody sits before it.
    stage.ana.open().await;
    is_asked(&stage.ana).await;
    assert!(app(&new).await.restart.is_some(), "the person is asked first");
    lab::later(11 * MINUTE);
    is_told_no(&mut new).await;
    assert_eq!(app(&stage.ana).await.reset_asked, None);
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

#[tokio::test(flavor = "multi_thread")]
async fn after_three_days_the_address_is_back_and_the_device_of_before_counts_no_more() {
    let mut stage = Stage::strangers().await;
    stage.become_contacts().await;
    let issuer = stage.a.node().origin().to_owned();
    let mut new = new_computer(&stage, "ana").await;
    begins_anew(&mut new, ANA, &issuer).await.unwrap();
    // It is Ana: her old computer is where she is not, and somebody there tells it so.
    is_asked(&stage.ana).await;
    let answered: AppState = stage.ana.ask(Question::IdentityAnswer { mine: true }).await.unwrap();
    assert_eq!(answered.reset_asked.unwrap().refused_at, None, "it does not say no by itself any more");
    new.close().await;

    lab::later(71 * 60 * MINUTE);
    new.open().await;
    assert!(app(&new).await.restart.is_some(), "the days are not over");
    new.close().await;
    lab::later(73 * 60 * MINUTE);
    new.open().await;
    let back =
        new.until("the identity", async |new| Some(app(new).await).filter(|state| state.stage == At::Ready)).await;
    assert_eq!((back.profile.unwrap().user.as_str(), back.restart), (ANA, None));

    let replaced = stage.ana.until("the word that it counts no more", async |ana| app(ana).await.open_trouble).await;
    assert_eq!(replaced.code, "device-replaced");
    new.close().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_finds_an_old_device_gives_the_new_beginning_up() {
    let mut stage = Stage::strangers().await;
    stage.ana.close().await;
    let issuer = stage.a.node().origin().to_owned();
    let mut new = new_computer(&stage, "ana").await;
    begins_anew(&mut new, ANA, &issuer).await.unwrap();
    let state: AppState = new.ask(Question::IdentityGiveUp).await.unwrap();
    assert_eq!((state.stage, state.restart), (At::Welcome, None));
    assert_eq!(new.ask::<Value>(Question::IdentityGiveUp).await.unwrap_err().code, "unknown");

    // The device that was found takes the request back and lets the new one in.
    stage.ana.open().await;
    stage.ana.waits_until_online().await;
    is_asked(&stage.ana).await;
    stage.ana.ask::<Value>(Question::IdentityAnswer { mine: false }).await.unwrap();
    new.becomes_a_device_of(&mut stage.ana, true).await;
    assert_eq!(app(&new).await.stage, At::Ready);
    new.close().await;
    stage.close().await;
}
