//! What a person and their organisation allow, who is refused by it, and what the trail tells of that.

use crate::common::{Acme, Stage};
use contract::Stage as At;
use contract::{
    AppState, CallStage, CallView, DeviceView, Keep, PolicySettings, PolicyView, Question, TrailLine, WhoMay,
    WrittenFile,
};
use lab::Person;
use policy::{Ceiling, Charter, Item, PeopleRules};
use serde_json::Value;

async fn rules(person: &Person) -> PolicySettings {
    person.ask::<PolicyView>(Question::PolicyGet).await.unwrap().settings
}

async fn sets(person: &Person, change: impl FnOnce(&mut PolicySettings)) -> Result<PolicyView, contract::ApiError> {
    let mut settings = rules(person).await;
    change(&mut settings);
    person.ask(Question::PolicySet(settings)).await
}

async fn trail(person: &Person) -> Vec<TrailLine> {
    person.ask(Question::TrailList).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_call_is_told_so_and_nothing_rings() {
    let mut stage = Stage::strangers().await;
    stage.become_contacts().await;
    sets(&stage.ben, |rules| rules.who_may_call = WhoMay::Nobody).await.unwrap();

    let call: CallView = stage.ana.ask(Question::CallStart { user: "ben@b.localhost".into() }).await.unwrap();
    assert_eq!(stage.ana.hears_end_of_call().await, "not-permitted", "{call:?}");
    let calls: Vec<CallView> = stage.ben.ask(Question::CallList).await.unwrap();
    assert!(calls.is_empty(), "nothing rings");
    let refused = |line: &TrailLine| {
        (line.what.as_str(), line.verdict.as_str(), line.because.as_str()) == ("call", "deny", "nobody")
    };
    let lines = trail(&stage.ben).await;
    let line = lines.iter().find(|line| refused(line)).unwrap_or_else(|| panic!("{lines:?}"));
    assert_eq!((line.subject.as_str(), line.layer.as_str()), ("ana@a.localhost", "user"));

    // The rule outlives the app, and can be taken back.
    stage.ben.close().await;
    stage.ben.open().await;
    stage.ben.waits_until_online().await;
    assert_eq!(rules(&stage.ben).await.who_may_call, WhoMay::Nobody);
    sets(&stage.ben, |rules| rules.who_may_call = WhoMay::Contacts).await.unwrap();
    let _: CallView = stage.ana.ask(Question::CallStart { user: "ben@b.localhost".into() }).await.unwrap();
    stage.ben.sees_call(&CallStage::Ringing).await;
    stage.close().await;
}

impl Acme {
    fn document(&self, version: u64, blocked: &[&str]) -> String {
        let charter = Charter {
            lock: [Item::WhoMayCall, Item::AutoLockAfter].into(),
            escrow: Some("Acme's archive keeps a copy of every message.".into()),
            ..Self::charter(version)
        };
        let people = PeopleRules { auto_lock_after_s: Some(600), ..PeopleRules::default() };
        let blocked_domains = blocked.iter().map(|name| name.parse().unwrap()).collect();
        let rules = Ceiling { blocked_domains, people, ..Ceiling::default() };
        self.signs(charter, rules)
    }

    /// The same with other rules about people and about how long messages are kept.
    fn document_about(&self, version: u64, people: PeopleRules, retention_days: Option<u32>) -> String {
        let lock = [Item::RetentionDays, Item::RequirePassphrase].into();
        let charter = Charter { lock, retention_days, ..Self::charter(version) };
        self.signs(charter, Ceiling { people, ..Ceiling::default() })
    }
}

async fn comes_back(person: &mut Person) -> PolicyView {
    person.close().await;
    person.open().await;
    person.waits_until_online().await;
    person.ask(Question::PolicyGet).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_locks_a_setting_and_blocks_a_domain_and_its_word_does_not_go_backwards() {
    let acme = Acme::new();
    let first = acme.document(1, &[]);
    acme.publish(&first);
    let source = acme.source();
    let set = |setup: &lab::person::Setup| lab::person::Setup { organisation: Some(source.clone()), ..setup.clone() };
    let mut stage = Stage::set(set, |setup| setup.clone()).await;
    let chat = stage.become_contacts().await;

    // What is locked is shown, and taken stricter but not laxer.
    let view: PolicyView = stage.ana.ask(Question::PolicyGet).await.unwrap();
    let organisation = view.organisation.unwrap();
    assert_eq!((organisation.name.as_str(), organisation.version), ("Acme", 1));
    assert!(organisation.escrow.unwrap().contains("archive"));
    assert_eq!(view.locked, ["whoMayCall", "autoLockMinutes"]);
    assert_eq!(view.settings.auto_lock_minutes, 10);
    let laxer = sets(&stage.ana, |rules| rules.who_may_call = WhoMay::Anyone).await.unwrap_err();
    assert_eq!((laxer.code.as_str(), laxer.detail.as_str()), ("locked-by-organisation", "whoMayCall"));
    let never = sets(&stage.ana, |rules| rules.auto_lock_minutes = 0).await.unwrap_err();
    assert_eq!(never.code, "locked-by-organisation");
    let stricter = sets(&stage.ana, |rules| rules.auto_lock_minutes = 5).await.unwrap();
    assert_eq!(stricter.settings.auto_lock_minutes, 5);

    // The next version blocks Ben's domain: nothing goes there and nothing comes from there.
    acme.publish(&acme.document(2, &["b.localhost"]));
    assert_eq!(comes_back(&mut stage.ana).await.organisation.unwrap().version, 2);
    let call = Question::CallStart { user: "ben@b.localhost".into() };
    assert_eq!(stage.ana.ask::<Value>(call).await.unwrap_err().code, "organisation");
    stage.ben.writes(&chat, "Are you there?").await;
    stage
        .ana
        .until("the refusal in the trail", async |ana| {
            let refused = |line: &TrailLine| line.subject == "ben@b.localhost" && line.layer == "organisation";
            trail(ana).await.into_iter().find(refused)
        })
        .await;
    assert!(!stage.ana.texts(&chat).await.contains(&"Are you there?".to_owned()));

    // An older one, and one by somebody else, change nothing but what is shown.
    let forged = Acme::new().document(9, &[]);
    for (document, code) in [(first, "org-policy-rollback"), (forged, "org-policy-wrong-key")] {
        acme.publish(&document);
        let organisation = comes_back(&mut stage.ana).await.organisation.unwrap();
        assert_eq!((organisation.version, organisation.trouble.unwrap().code.as_str()), (2, code));
    }

    // A newer one lets Ben in again.
    acme.publish(&acme.document(3, &[]));
    let organisation = comes_back(&mut stage.ana).await.organisation.unwrap();
    assert_eq!((organisation.version, organisation.trouble), (3, None));
    let _: CallView = stage.ana.ask(Question::CallStart { user: "ben@b.localhost".into() }).await.unwrap();
    stage.ben.sees_call(&CallStage::Ringing).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_trail_holds_what_was_decided_and_an_export_that_was_touched_is_noticed() {
    let mut stage = Stage::strangers().await;
    stage.become_contacts().await;
    stage.ben.ask::<Value>(Question::PersonBlock { user: "ana@a.localhost".into() }).await.unwrap();
    let lines = trail(&stage.ben).await;
    let told = |what: &str, verdict: &str, subject: &str| {
        lines
            .iter()
            .any(|line| (line.what.as_str(), line.verdict.as_str()) == (what, verdict) && line.subject == subject)
    };
    assert!(told("write", "ask", "ana@a.localhost"), "a stranger wrote: {lines:?}");
    assert!(told("module", "ask", "a.localhost/protocolstub/default"), "her domain's stub: {lines:?}");
    assert!(told("module", "allow", "a.localhost/protocolstub/default"), "Ben allowed it: {lines:?}");

    let folder = tempfile::TempDir::new().unwrap();
    let question = Question::TrailExport { folder: Some(folder.path().to_string_lossy().into_owned()) };
    let file: WrittenFile = stage.ben.ask(question).await.unwrap();
    assert!(file.path.contains("parlance-trail-20") && file.path.ends_with(".jsonl"), "{}", file.path);
    let text = std::fs::read_to_string(&file.path).unwrap();
    let devices: Vec<DeviceView> = stage.ben.ask(Question::DeviceList).await.unwrap();
    let device = keys::VerifyingKey::parse(&devices[0].device).unwrap();
    let export = trail::verify_export(&text, &device).unwrap();
    assert!(export.verdicts.iter().any(|one| one.entry.subject == "ana@a.localhost"));
    for tampered in [
        text.replacen("\"allow\"", "\"deny\"", 1),
        text.split_once('\n').unwrap().1.to_owned(),
        text.trim_end().rsplit_once('\n').unwrap().0.to_owned(),
    ] {
        assert!(trail::verify_export(&tampered, &device).is_err());
    }
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_older_than_the_organisation_allows_are_removed_from_its_members_devices() {
    let acme = Acme::new();
    acme.publish(&acme.document_about(1, PeopleRules::default(), Some(2)));
    let source = acme.source();
    let set = |setup: &lab::person::Setup| lab::person::Setup { organisation: Some(source.clone()), ..setup.clone() };
    let mut stage = Stage::set(set, |setup| setup.clone()).await;
    let chat = stage.become_contacts().await;
    let view: PolicyView = stage.ana.ask(Question::PolicyGet).await.unwrap();
    assert_eq!(view.organisation.unwrap().retention_days, Some(2));
    assert!(view.locked.contains(&"retentionDays".to_owned()), "{:?}", view.locked);
    stage.ana.writes(&chat, "of the first day").await;
    stage.ben.reads(&chat, &["of the first day"]).await;
    stage.ben.writes(&chat, "of that day, too").await;
    stage.ana.reads(&chat, &["of the first day", "of that day, too"]).await;
    stage.ana.sees_all_delivered(&chat).await;

    let day = std::time::Duration::from_secs(86_400);
    lab::later(day);
    stage.ana.waits_until_online().await;
    stage.ana.writes(&chat, "of the next day").await;
    stage.ben.reads(&chat, &["of the first day", "of that day, too", "of the next day"]).await;
    lab::later(2 * day + day / 2);
    stage.ana.reads(&chat, &["of the next day"]).await;
    // Ben is nobody's member: his copies are his.
    assert_eq!(stage.ben.texts(&chat).await.len(), 3);
    stage.ben.writes(&chat, "and on").await;
    stage.ana.reads(&chat, &["of the next day", "and on"]).await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_organisation_that_wants_a_passphrase_gets_one_before_anything_else() {
    let acme = Acme::new();
    acme.publish(&acme.document_about(1, PeopleRules::default(), None));
    let source = acme.source();
    let set = |setup: &lab::person::Setup| lab::person::Setup { organisation: Some(source.clone()), ..setup.clone() };
    let mut stage = Stage::set(set, |setup| setup.clone()).await;
    let chat = stage.become_contacts().await;
    stage.ana.writes(&chat, "before").await;

    let people = PeopleRules { require_passphrase: Some(true), ..PeopleRules::default() };
    acme.publish(&acme.document_about(2, people, None));
    stage.ana.close().await;
    stage.ana.open().await;
    let state: AppState = stage.ana.ask(Question::AppState).await.unwrap();
    assert_eq!((state.stage, state.passphrase_required), (At::Protect, true));
    let refused = stage.ana.ask::<Value>(Question::ChatOpen { chat: chat.clone() }).await.unwrap_err();
    assert_eq!(refused.code, "passphrase-required");
    let short = Keep::Passphrase { passphrase: "short".into() };
    assert_eq!(stage.ana.ask::<Value>(Question::Keep(short)).await.unwrap_err().code, "passphrase-too-short");
    let kept = Keep::Passphrase { passphrase: "four words of hers".into() };
    let state: AppState = stage.ana.ask(Question::Keep(kept)).await.unwrap();
    assert_eq!((state.stage, state.passphrase_required), (At::Ready, false));
    stage.ana.reads(&chat, &["before"]).await;

    // From then on it is asked for.
    stage.ana.close().await;
    stage.ana.open().await;
    let state: AppState = stage.ana.ask(Question::AppState).await.unwrap();
    assert_eq!(state.stage, At::Locked);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_nobody_can_meet_is_named_and_lets_in_contacts_alone() {
    let acme = Acme::new();
    let people = PeopleRules {
        who_may_write: Some(policy::WhoMay::Anyone { proof_of_work_bits: Some(26) }),
        ..PeopleRules::default()
    };
    acme.publish(&acme.document_about(1, people, None));
    let source = acme.source();
    let set = |setup: &lab::person::Setup| lab::person::Setup { organisation: Some(source.clone()), ..setup.clone() };
    let mut stage = Stage::set(|setup| setup.clone(), set).await;
    let view: PolicyView = stage.ben.ask(Question::PolicyGet).await.unwrap();
    assert_eq!(view.unsupported, ["whoMayWrite"]);
    stage.ana.asks_for_contact("ben@b.localhost").await;
    let refused = |line: &TrailLine| (line.verdict.as_str(), line.because.as_str()) == ("deny", "work-missing");
    stage.ben.until("the refusal in the trail", async |ben| trail(ben).await.iter().any(refused).then_some(())).await;

    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_judged_about_somebodys_keys_stands_in_the_trail() {
    let mut stage = Stage::strangers().await;
    stage.become_contacts().await;
    let judged = async |person: &Person, verdict: &str, because: &str| {
        let found = |line: &TrailLine| {
            (line.what.as_str(), line.verdict.as_str(), line.because.as_str()) == ("key-change", verdict, because)
        };
        person
            .until(&format!("{verdict} because {because}"), async |person| trail(person).await.into_iter().find(found))
            .await
    };
    stage.ana.ask::<Value>(Question::IdentityRotate).await.unwrap();
    let line = judged(&stage.ben, "allow", "keys-rotated").await;
    assert_eq!((line.subject.as_str(), line.layer.as_str()), ("ana@a.localhost", "built-in"));
    let ana = || "ana@a.localhost".to_owned();
    stage.ben.ask::<Value>(Question::VerifyCompared { user: ana(), same: false }).await.unwrap();
    assert_eq!(judged(&stage.ben, "deny", "keys-differ").await.layer, "contact");
    stage.ben.ask::<Value>(Question::KeyChangeAccept { user: ana() }).await.unwrap();
    judged(&stage.ben, "allow", "keys-accepted").await;
    stage.ben.ask::<Value>(Question::VerifyCompared { user: ana(), same: true }).await.unwrap();
    judged(&stage.ben, "allow", "keys-compared").await;
    stage.close().await;
}

/// Ben at b with a rule about who may write to him; Ana, whose code he compared, and two more at a.
struct Door {
    stage: Stage,
    cleo: Person,
    dan: Person,
}

impl Door {
    async fn with(rule: WhoMay) -> Self {
        let mut stage = Stage::strangers().await;
        stage.become_contacts().await;
        let setup = lab::person::Setup::with(&[&stage.a, &stage.b]).knowing(&stage.issuer.url);
        let (mut cleo, mut dan) = (Person::new("cleo", setup.clone()).await, Person::new("dan", setup).await);
        cleo.signs_up(&stage.a, None).await;
        dan.signs_up(&stage.a, None).await;
        sets(&stage.ben, |rules| rules.who_may_write = rule).await.unwrap();
        Self { stage, cleo, dan }
    }

    /// Whom Ben's app refused, and why.
    async fn refused(&self) -> Vec<(String, String)> {
        let lines = trail(&self.stage.ben).await;
        let refused = lines.into_iter().filter(|line| line.verdict == "deny");
        refused.map(|line| (line.subject, line.because)).collect()
    }

    async fn sees_refused(&self, who: &str, why: &str) {
        let known = (who.to_owned(), why.to_owned());
        self.stage
            .ben
            .until("a refusal in the trail", async |_| self.refused().await.contains(&known).then_some(()))
            .await;
        let cards: Vec<contract::PersonCard> = self.stage.ben.ask(Question::PersonList).await.unwrap();
        assert!(cards.iter().all(|card| card.user != who), "nobody is asked about {who}");
    }

    async fn close(mut self) {
        self.cleo.close().await;
        self.dan.close().await;
        self.stage.close().await;
    }
}

const BEN: &str = "ben@b.localhost";

#[tokio::test(flavor = "multi_thread")]
async fn whom_a_compared_contact_introduces_may_write_and_others_may_not() {
    let mut door = Door::with(WhoMay::ContactsOfVerified).await;
    let cleo = || "cleo@a.localhost".to_owned();
    door.stage.ana.ask::<Value>(Question::PersonFind { address: cleo() }).await.unwrap();
    door.stage.ana.ask::<Value>(Question::PersonRequest { user: cleo() }).await.unwrap();
    door.cleo.sees_contact("ana@a.localhost", contract::ContactState::Request).await;
    door.cleo.ask::<Value>(Question::PersonAccept { user: "ana@a.localhost".into() }).await.unwrap();
    door.stage.ana.sees_contact("cleo@a.localhost", contract::ContactState::Accepted).await;

    // Ana's word counts from when Ben compared codes with her.
    let introduces = Question::PersonIntroduce { user: cleo(), to: BEN.into() };
    door.stage.ana.ask::<Value>(introduces).await.unwrap();
    door.stage.ben.sees_line("introduced").await;
    door.stage.ana.sees_line("introduced-by-us").await;
    door.stage.ben.compared("ana@a.localhost", true).await;

    door.dan.asks_for_contact(BEN).await;
    door.sees_refused("dan@a.localhost", "not-introduced").await;
    door.cleo.asks_for_contact(BEN).await;
    door.stage.ben.sees_contact("cleo@a.localhost", contract::ContactState::Request).await;

    // Nobody is introduced who is not a contact.
    let nobody = Question::PersonIntroduce { user: "dan@a.localhost".into(), to: BEN.into() };
    assert_eq!(door.stage.ana.ask::<Value>(nobody).await.unwrap_err().code, "unknown");
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_has_the_contact_link_may_write_until_there_is_a_new_one() {
    let mut door = Door::with(WhoMay::Contacts).await;
    let old: contract::ContactLink = door.stage.ben.ask(Question::ContactLink).await.unwrap();
    assert_eq!(
        door.stage.ben.ask::<contract::ContactLink>(Question::ContactLink).await.unwrap(),
        old,
        "the same again"
    );
    let new: contract::ContactLink = door.stage.ben.ask(Question::ContactLinkRenew).await.unwrap();
    assert_ne!(new.link, old.link);

    door.dan.asks_by(&old.link, BEN).await;
    door.sees_refused("dan@a.localhost", "not-a-contact").await;
    door.cleo.asks_by(&new.link, BEN).await;
    door.stage.ben.sees_contact("cleo@a.localhost", contract::ContactState::Request).await;
    door.cleo.sees_contact(BEN, contract::ContactState::Asked).await;
    door.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_whose_app_did_the_work_may_ask() {
    let mut door = Door::with(WhoMay::AnyoneWithWork).await;
    let view: PolicyView = door.stage.ben.ask(Question::PolicyGet).await.unwrap();
    assert!(view.unsupported.is_empty());
    door.cleo.asks_for_contact(BEN).await;
    door.stage.ben.sees_contact("cleo@a.localhost", contract::ContactState::Request).await;
    door.close().await;
}
