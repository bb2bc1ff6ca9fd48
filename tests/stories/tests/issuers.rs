//! Who vouches for a person: one more issuer, one less, and the same one again without being asked.
#![allow(clippy::unwrap_used, reason = "a story fails by panicking")]

mod common;

use common::Stage;
use contract::{CallStage, CallView, MyIssuer, News, PolicyView, Question, SignInState, TrailLine};
use lab::Person;
use lab::person::Setup;
use policy::{Ceiling, Charter, OrgPolicy, PeopleRules};
use runtime::OrganisationSource;
use serde_json::Value;

async fn issuers(person: &Person) -> Vec<MyIssuer> {
    person.ask(Question::IdentityIssuers).await.unwrap()
}

/// Signs in at an issuer for the account that is there.
async fn links(person: &mut Person, issuer: &str) {
    person.ask::<Value>(Question::IdentityLink { issuer: issuer.to_owned() }).await.unwrap();
    person
        .hears("the end of the sign-in", |news| match news {
            News::SignIn(SignInState::Done { .. }) => Some(()),
            News::SignIn(SignInState::Failed { trouble }) => panic!("{trouble:?}"),
            _ => None,
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_asks_for_two_issuers_takes_a_call_once_a_second_one_is_linked() {
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    let view: PolicyView = stage.ben.ask(Question::PolicyGet).await.unwrap();
    let rules = contract::PolicySettings { issuers_for_calls: 2, ..view.settings };
    stage.ben.ask::<PolicyView>(Question::PolicySet(rules)).await.unwrap();

    let ben = || "ben@b.localhost".to_owned();
    let _: CallView = stage.ana.ask(Question::CallStart { user: ben() }).await.unwrap();
    let reason = stage
        .ana
        .hears("the end of the call", |news| match news {
            News::Call(CallView { stage: CallStage::Ended { reason, .. }, .. }) => Some(reason),
            _ => None,
        })
        .await;
    assert_eq!(reason, "not-permitted");
    let lines: Vec<TrailLine> = stage.ben.ask(Question::TrailList).await.unwrap();
    assert!(lines.iter().any(|line| line.what == "call" && line.because == "too-few-issuers"), "{lines:?}");

    let independent = stage.issuer.url.clone();
    links(&mut stage.ana, &independent).await;
    let mine = issuers(&stage.ana).await;
    assert_eq!(mine.iter().map(|one| one.issuer.as_str()).collect::<Vec<_>>(), [stage.a.node().origin(), &independent]);
    let _: CallView = stage.ana.ask(Question::CallStart { user: ben() }).await.unwrap();
    let ringing = stage.ben.sees_call(&CallStage::Ringing).await;
    stage.ben.ask::<Value>(Question::CallDecline { call: ringing.call }).await.unwrap();
    stage.ana.is_in_no_call().await;

    // The same issuer once more is a later word of it, and not another issuer.
    let before = issuers(&stage.ana).await[1].attested_at;
    tokio::time::sleep(std::time::Duration::from_millis(1100)).await;
    links(&mut stage.ana, &independent).await;
    let mine = issuers(&stage.ana).await;
    assert!(mine.len() == 2 && mine[1].attested_at > before, "{mine:?}");

    // Taken back, it counts for nobody; and somebody has to vouch.
    let unlink = |issuer: &str| Question::IdentityUnlink { issuer: issuer.to_owned() };
    let left: Vec<MyIssuer> = stage.ana.ask(unlink(&independent)).await.unwrap();
    assert_eq!(left.len(), 1);
    let own = stage.a.node().origin().to_owned();
    assert_eq!(stage.ana.ask::<Value>(unlink(&own)).await.unwrap_err().code, "last-issuer");
    assert_eq!(stage.ana.ask::<Value>(unlink(&independent)).await.unwrap_err().code, "unknown");
    let _: CallView = stage.ana.ask(Question::CallStart { user: ben() }).await.unwrap();
    stage.ana.is_in_no_call().await;

    // Conversations go on all the while, and everything outlives the app.
    stage.ana.close().await;
    stage.ana.open().await;
    stage.ana.waits_until_online().await;
    assert_eq!(issuers(&stage.ana).await.len(), 1);
    stage.ana.writes(&chat, "still here").await;
    stage.ben.reads(&chat, &["still here"]).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuers_word_is_renewed_in_time_without_a_login() {
    let acme = tempfile::TempDir::new().unwrap();
    let key = keys::SigningKey::generate();
    // Acme wants words that are a minute old at most, so they are renewed after some forty seconds.
    let people = PeopleRules { max_age_s: Some(60), ..PeopleRules::default() };
    let charter = Charter {
        name: "Acme".into(),
        version: 1,
        expires: 4_000_000_000,
        lock: Default::default(),
        forced_issuer: None,
        retention_days: None,
        escrow: None,
    };
    let policy = OrgPolicy { charter, rules: Ceiling { people, ..Ceiling::default() } };
    let document = acme.path().join("policy");
    std::fs::write(&document, policy.sign(&key).unwrap()).unwrap();
    let source = OrganisationSource { document, key: key.verifying_key() };
    let set = |setup: &Setup| Setup { organisation: Some(source.clone()), ..setup.clone() };
    let mut stage = Stage::set(|setup| setup.clone(), set).await;

    let first = issuers(&stage.ben).await.remove(0);
    assert!(first.silent && first.trouble.is_none(), "{first:?}");
    let pages = stage.ben.pages_opened();
    let later = stage
        .ben
        .until("a later word of the issuer", async |ben| {
            let now = issuers(ben).await.remove(0);
            assert_eq!(now.trouble, None);
            (now.attested_at > first.attested_at).then_some(now)
        })
        .await;
    assert!(later.until > first.until && later.silent);
    assert_eq!(stage.ben.pages_opened(), pages, "nobody signed in");

    // Whoever meets him now sees the later word.
    stage.become_contacts().await;
    let card: contract::PersonCard =
        stage.ana.ask(Question::PersonCard { user: "ben@b.localhost".into() }).await.unwrap();
    assert!(card.identity.unwrap().attested_at >= later.attested_at);
    stage.close().await;
}
