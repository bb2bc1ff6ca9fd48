//! Who vouches for a person: one more issuer, one less, and the same one again without being asked.

use crate::common::{Acme, Stage};
use contract::{
    CallStage, CallView, ConsentChoice, ContactState, IssuerCard, IssuerKind, ModuleView, MyIssuer, News, PersonCard,
    PolicyView, Question, SignInState, TrailLine,
};
use lab::person::Setup;
use lab::{Domain, Issuer, Person};
use node::Wire;
use policy::PeopleRules;
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
    assert_eq!(stage.ana.hears_end_of_call().await, "not-permitted");
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
async fn a_stranger_who_was_refused_for_too_few_issuers_is_asked_about_once_another_one_vouches() {
    let mut stage = Stage::strangers().await;
    let view: PolicyView = stage.ben.ask(Question::PolicyGet).await.unwrap();
    let rules = contract::PolicySettings { issuers_for_writing: 2, ..view.settings };
    stage.ben.ask::<PolicyView>(Question::PolicySet(rules)).await.unwrap();

    let chat = stage.ana.asks_for_contact("ben@b.localhost").await;
    stage
        .ben
        .until("the refusal in the trail", async |ben| {
            let lines: Vec<TrailLine> = ben.ask(Question::TrailList).await.unwrap();
            lines.into_iter().find(|line| line.what == "write" && line.because == "too-few-issuers")
        })
        .await;
    let chats: Vec<contract::ChatSummary> = stage.ben.ask(Question::ChatList).await.unwrap();
    assert!(chats.iter().all(|chat| chat.contact != ContactState::Request), "nobody is asked: {chats:?}");

    let independent = stage.issuer.url.clone();
    links(&mut stage.ana, &independent).await;
    assert_eq!(stage.ben.accepts("ana@a.localhost").await, chat);
    stage.ana.sees_contact("ben@b.localhost", ContactState::Accepted).await;
    stage.ana.writes(&chat, "two vouch for me").await;
    stage.ben.reads(&chat, &["two vouch for me"]).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuers_word_is_renewed_in_time_without_a_login() {
    // Acme wants words that are a minute old at most, so they are renewed after some forty seconds.
    let people = PeopleRules { max_age_s: Some(60), ..PeopleRules::default() };
    let acme = Acme::asks(people);
    let set = |setup: &Setup| Setup { organisation: Some(acme.source()), ..setup.clone() };
    let mut stage = Stage::set(|setup| setup.clone(), set).await;

    stage.become_contacts().await;
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

    // Ana, whom he told nothing else, sees the later word.
    let told = stage.ana.until("the later word", async |ana| {
        let card: PersonCard = ana.ask(Question::PersonCard { user: "ben@b.localhost".into() }).await.unwrap();
        card.identity.filter(|line| line.attested_at >= later.attested_at)
    });
    assert_eq!(told.await.issuer, stage.issuer.url);
    stage.close().await;
}

/// The packages of a domain, with the proxy of an office at this address among them.
fn packages_with_proxy(office: &str) -> tempfile::TempDir {
    let folder = tempfile::TempDir::new().unwrap();
    let built = lab::root().join("hyperties/dist");
    for entry in std::fs::read_dir(&built).unwrap() {
        let path = entry.unwrap().path();
        if path.is_file() {
            std::fs::copy(&path, folder.path().join(path.file_name().unwrap())).unwrap();
        }
    }
    for ending in ["json", "js"] {
        let file = built.join(format!("idp-proxies/pass-office.{ending}"));
        let text = std::fs::read_to_string(&file)
            .unwrap_or_else(|_| panic!("{}: run `npm run build` in hyperties", file.display()));
        let text = if ending == "json" { text.replace("{issuer}", office) } else { text };
        std::fs::write(folder.path().join(format!("pass-office.{ending}")), text).unwrap();
    }
    folder
}

#[tokio::test(flavor = "multi_thread")]
async fn an_issuer_without_openid_connect_vouches_through_the_package_of_its_domain() {
    let office = Issuer::pass_office("pass.b.localhost");
    let packages = packages_with_proxy(&office.url);
    let a = Domain::start("a.localhost", Wire::Ws).await;
    let b = Domain::publishing("b.localhost", Wire::Sse, packages.path().to_owned()).await;
    let setup = Setup::with(&[&a, &b]).reaching(&office.url, &b, "pass-office");
    let (mut ana, mut ben) = (Person::new("ana", setup.clone()).await, Person::new("ben", setup).await);
    ana.signs_up(&a, None).await;

    // Ben's own domain publishes the proxy, so nobody is asked; the office is shown for what it is.
    let cards: Vec<IssuerCard> = ben.ask(Question::IssuerList { domain: "b.localhost".into() }).await.unwrap();
    assert!(cards.iter().any(|card| card.issuer == office.url && card.kind == IssuerKind::Proxy), "{cards:?}");
    ben.signs_up(&b, Some(&office.url)).await;
    let modules: Vec<ModuleView> = ben.ask(Question::ModuleList).await.unwrap();
    assert!(modules.iter().all(|module| module.kind != "idp-proxy"), "its work is done: {modules:?}");
    assert!(!issuers(&ben).await[0].silent);

    // Ana, too, knows the office by its own keys, and sees who vouches.
    let chat = ana.asks_for_contact("ben@b.localhost").await;
    assert_eq!(ben.accepts("ana@a.localhost").await, chat);
    ana.sees_contact("ben@b.localhost", ContactState::Accepted).await;
    let card: PersonCard = ana.ask(Question::PersonCard { user: "ben@b.localhost".into() }).await.unwrap();
    assert_eq!(card.identity.unwrap().vouched_by, "pass.b.localhost");

    // She links it for herself: for her it is a package of a foreign domain, so she is asked.
    let app = ana.app();
    app.ask(Question::IdentityLink { issuer: office.url.clone() }).await.unwrap();
    let consent = ana.allows(ConsentChoice::Once).await;
    assert_eq!((consent.domain.as_str(), consent.package.as_str()), ("b.localhost", "idp-proxy/pass-office"));
    assert_eq!(consent.may_talk_to, ["pass.b.localhost"]);
    let vouched = ana.until("the office's word", async |ana| {
        let mine = issuers(ana).await;
        (mine.len() == 2).then(|| mine[1].vouched_by.clone())
    });
    assert_eq!(vouched.await, "pass.b.localhost");
    for mut person in [ana, ben] {
        person.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_people_vouched_for_by_issuers_of_two_makes_verify_each_other() {
    let (one, other) = (Issuer::start(), Issuer::glewlwyd());
    let a = Domain::start("a.localhost", Wire::Ws).await;
    let b = Domain::start("b.localhost", Wire::Sse).await;
    let setup = Setup::with(&[&a, &b]).knowing(&one.url).knowing_with_ports(&other);
    let (mut ana, mut ben) = (Person::new("ana", setup.clone()).await, Person::new("ben", setup).await);
    ana.signs_up(&a, Some(&one.url)).await;
    ben.signs_up(&b, Some(&other.url)).await;

    let chat = ana.asks_for_contact("ben@b.localhost").await;
    assert_eq!(ben.accepts("ana@a.localhost").await, chat);
    ana.sees_contact("ben@b.localhost", ContactState::Accepted).await;
    ana.writes(&chat, "who says who you are?").await;
    ben.reads(&chat, &["who says who you are?"]).await;
    ben.writes(&chat, "somebody else than for you").await;
    ana.reads(&chat, &["who says who you are?", "somebody else than for you"]).await;
    for (person, user, issuer) in [(&ana, "ben@b.localhost", &other), (&ben, "ana@a.localhost", &one)] {
        let line = person.card(user).await.identity.unwrap();
        assert_eq!(line.issuer, issuer.url, "{user}");
    }

    let _: CallView = ana.ask(Question::CallStart { user: "ben@b.localhost".into() }).await.unwrap();
    let ringing = ben.sees_call(&CallStage::Ringing).await;
    ben.ask::<Value>(Question::CallAccept { call: ringing.call }).await.unwrap();
    for person in [&ana, &ben] {
        person
            .until("a connected call", async |person| {
                let calls: Vec<CallView> = person.ask(Question::CallList).await.unwrap();
                calls.iter().any(|call| matches!(call.stage, CallStage::Connected)).then_some(())
            })
            .await;
    }
    let call = ana.ask::<Vec<CallView>>(Question::CallList).await.unwrap().remove(0).call;
    ana.ask::<Value>(Question::CallHangup { call }).await.unwrap();
    ben.is_in_no_call().await;
    for mut person in [ana, ben] {
        person.close().await;
    }
}
