//! Stories of what may pass in Ana's runtime at a.example, and why not.

use bus::Party;
use message::{
    Address, AddressPattern, Body, ConsentQuestion, Domain, Grants, Message, MessageType, Origin, UserAddress, Verdict,
};
use policy::{
    Assurance, CONTACT_PROMPTS_PER_DOMAIN, Case, Ceiling, Consent, Contact, Identity, ModuleName, ModuleWish,
    PROMPT_WINDOW_MS, Peer, Policy, Rules, Wish,
};

const NOW: u64 = 1_000_000;
const CHAT: &str = "hyperty://a.example/chat";
const SM: &str = "runtime://a.example/sm";

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn policy() -> Policy {
    Policy::new(domain("a.example"), Rules::default())
}

fn ben(identity: Identity) -> Peer {
    Peer::new(UserAddress::parse("ben@b.example").unwrap(), identity)
}

fn speaking(patterns: &[&str]) -> Grants {
    let speak_to = patterns.iter().map(|text| AddressPattern::parse(text).unwrap()).collect();
    Grants { speak_to, ..Grants::none() }
}

fn core() -> Party {
    Party::Core { name: "sm".into() }
}

fn guest(grants: Grants) -> Party {
    Party::Guest { address: address(CHAT), grants: grants.into() }
}

fn remote() -> Party {
    Party::Remote { domain: domain("b.example") }
}

fn stub(grants: Grants) -> Party {
    let address = address("runtime://a.example/protostub/b.example");
    Party::Stub { domain: domain("b.example"), address, grants: grants.into() }
}

fn judge(
    policy: &mut Policy,
    kind: MessageType,
    from: (&str, Party),
    to: (&str, Party),
    peer: Option<&Peer>,
) -> Verdict {
    let message = Message { id: 1, kind, from: address(from.0), to: address(to.0), body: Body::empty() };
    let case = Case { message: &message, from: &from.1, to: &[to.1], answers: None, peer };
    policy.judge(NOW, &case)
}

fn code(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Allow => "allow",
        Verdict::Ask { .. } => "ask",
        Verdict::Deny { because } => &because.code,
    }
}

#[test]
fn a_guest_speaks_only_where_it_has_a_grant() {
    let mut policy = policy();
    let chat = || guest(speaking(&[SM, "comm://a.example/*"]));
    for (to, expected) in
        [(SM, "allow"), ("comm://a.example/1/children/", "allow"), ("runtime://a.example/idm", "not-granted")]
    {
        let verdict = judge(&mut policy, MessageType::Create, (CHAT, chat()), (to, core()), None);
        assert_eq!(code(&verdict), expected, "{to}");
    }
}

#[test]
fn an_organisation_takes_rights_away_and_a_denial_wins() {
    let organisation = Ceiling { at_most: Some(speaking(&[SM])), ..Ceiling::default() };
    let mut policy = Policy::new(domain("a.example"), Rules { organisation, ..Rules::default() });
    let chat = || guest(speaking(&["*"]));
    assert_eq!(code(&judge(&mut policy, MessageType::Create, (CHAT, chat()), (SM, core()), None)), "allow");
    let other = judge(&mut policy, MessageType::Create, (CHAT, chat()), ("comm://a.example/1", core()), None);
    assert_eq!(code(&other), "organisation");
}

#[test]
fn a_user_can_have_nothing_to_do_with_a_domain() {
    let user = Ceiling { blocked_domains: [domain("b.example")].into(), ..Ceiling::default() };
    let mut policy = Policy::new(domain("a.example"), Rules { user, ..Rules::default() });
    let in_ = judge(
        &mut policy,
        MessageType::Create,
        ("hyperty://b.example/1", remote()),
        ("hyperty://a.example/i", core()),
        None,
    );
    let out = judge(&mut policy, MessageType::Read, (SM, core()), ("domain://registry.b.example", remote()), None);
    assert_eq!((code(&in_), code(&out)), ("user-rule", "user-rule"));
    assert_eq!(code(&policy.judge_peer(NOW, &ben(Identity::Verified(Assurance::default())), Wish::Reach)), "user-rule");
}

#[test]
fn messages_from_outside_reach_inboxes_only() {
    let mut policy = policy();
    let from = "runtime://b.example/v-1";
    for (to, party, expected) in [
        ("hyperty://a.example/inbox", core(), "allow"),
        ("runtime://a.example/d-device", core(), "allow"),
        (SM, core(), "not-an-inbox"),
        ("runtime://a.example/idm", core(), "not-an-inbox"),
        (CHAT, guest(Grants::none()), "not-for-guests"),
    ] {
        let verdict = judge(&mut policy, MessageType::Execute, (from, remote()), (to, party), None);
        assert_eq!(code(&verdict), expected, "{to}");
    }
}

#[test]
fn a_stub_may_prove_its_session_and_tell_how_it_goes_and_no_more() {
    let mut policy = policy();
    let own = "runtime://a.example/protostub/b.example";
    let greedy = || stub(speaking(&["*"]));
    for (kind, to, expected) in [
        (MessageType::Execute, "runtime://a.example/idm", "allow"),
        (MessageType::Event, "runtime://a.example/guests", "allow"),
        (MessageType::Create, "runtime://a.example/idm", "not-granted"),
        (MessageType::Create, SM, "not-granted"),
    ] {
        assert_eq!(code(&judge(&mut policy, kind, (own, greedy()), (to, core()), None)), expected, "{to}");
    }
    let chat = guest(speaking(&["*"]));
    let to_stub = judge(&mut policy, MessageType::Execute, (CHAT, chat), (own, stub(Grants::none())), None);
    assert_eq!(code(&to_stub), "stub-is-private");
}

#[test]
fn a_guest_cannot_speak_past_the_seal() {
    let mut policy = policy();
    let chat = || guest(speaking(&["*"]));
    for (to, expected) in [
        ("comm://b.example/1/children/", "unsealed"),
        ("hyperty://b.example/inbox", "unsealed"),
        ("domain://registry.b.example", "allow"),
    ] {
        let verdict = judge(&mut policy, MessageType::Create, (CHAT, chat()), (to, remote()), None);
        assert_eq!(code(&verdict), expected, "{to}");
    }
}

#[test]
fn what_the_core_asks_of_a_hyperty_never_leaves_the_device() {
    let mut policy = policy();
    let ua = "runtime://a.example/ua";
    for (kind, to, expected) in [
        // Its own chat, which does not run yet, would be looked for at its node.
        (MessageType::Execute, CHAT, "unsealed"),
        (MessageType::Execute, "domain://registry.a.example", "allow"),
        (MessageType::Create, "hyperty://b.example/inbox", "allow"),
    ] {
        assert_eq!(code(&judge(&mut policy, kind, (ua, core()), (to, remote()), None)), expected, "{to}");
    }
}

#[test]
fn an_answer_passes_because_its_question_did() {
    let mut policy = policy();
    let message =
        Message { id: 1, kind: MessageType::Response, from: address(CHAT), to: address(SM), body: Body::empty() };
    let (from, to) = (guest(Grants::none()), [core()]);
    let case = Case { message: &message, from: &from, to: &to, answers: Some(MessageType::Create), peer: None };
    assert_eq!(policy.judge(NOW, &case), Verdict::Allow);
}

#[test]
fn a_stranger_who_writes_is_asked_about_and_then_accepted() {
    let mut policy = policy();
    let peer = ben(Identity::Verified(Assurance::default()));
    let asked = policy.judge_peer(NOW, &peer, Wish::Write);
    assert_eq!(asked, Verdict::Ask { question: ConsentQuestion::Contact { user: peer.user.clone() } });
    policy.set_contact(&peer.user, Some(Contact::Accepted));
    assert_eq!(policy.judge_peer(NOW, &peer, Wish::Write), Verdict::Allow);
    assert_eq!(policy.judge_peer(NOW, &peer, Wish::Call), Verdict::Allow);
}

#[test]
fn a_blocked_contact_does_nothing() {
    let mut policy = policy();
    let peer = ben(Identity::Verified(Assurance::default()));
    policy.set_contact(&peer.user, Some(Contact::Blocked));
    for wish in [Wish::Write, Wish::Call, Wish::Reach] {
        assert_eq!(code(&policy.judge_peer(NOW, &peer, wish)), "blocked");
    }
}

#[test]
fn a_stranger_cannot_call() {
    let mut policy = policy();
    let peer = ben(Identity::Verified(Assurance::default()));
    assert_eq!(code(&policy.judge_peer(NOW, &peer, Wish::Call)), "not-a-contact");
    let call = judge(
        &mut policy,
        MessageType::Create,
        ("connection://b.example/1/subscription", core()),
        ("hyperty://a.example/connector", guest(Grants::none())),
        Some(&peer),
    );
    assert_eq!(code(&call), "not-a-contact");
}

#[test]
fn an_unverified_identity_never_passes() {
    for (identity, expected) in [(Identity::Failed, "unverified"), (Identity::Unproven, "unproven")] {
        let mut policy = policy();
        let peer = ben(identity);
        policy.set_contact(&peer.user, Some(Contact::Accepted));
        for wish in [Wish::Write, Wish::Call, Wish::Reach] {
            assert_eq!(code(&policy.judge_peer(NOW, &peer, wish)), expected);
        }
        let child = ("comm://b.example/1/children/", core());
        let verdict = judge(&mut policy, MessageType::Create, child, (CHAT, guest(Grants::none())), Some(&peer));
        assert_eq!(code(&verdict), expected);
    }
}

#[test]
fn a_domain_cannot_nag_with_strangers() {
    let mut policy = policy();
    let stranger = |number: usize, domain: &str| {
        let user = UserAddress::parse(&format!("u{number}@{domain}")).unwrap();
        Peer::new(user, Identity::Verified(Assurance::default()))
    };
    for number in 0..CONTACT_PROMPTS_PER_DOMAIN {
        for _ in 0..3 {
            assert_eq!(code(&policy.judge_peer(NOW, &stranger(number, "b.example"), Wish::Write)), "ask");
        }
    }
    let next = stranger(99, "b.example");
    assert_eq!(code(&policy.judge_peer(NOW, &next, Wish::Write)), "too-many-questions");
    assert_eq!(code(&policy.judge_peer(NOW, &stranger(1, "c.example"), Wish::Write)), "ask");
    assert_eq!(code(&policy.judge_peer(NOW + PROMPT_WINDOW_MS, &next, Wish::Write)), "ask");
}

#[test]
fn many_domains_together_cannot_nag_either() {
    let mut policy = policy();
    let asked = (0..200)
        .map(|number| UserAddress::parse(&format!("eve@d{number}.example")).unwrap())
        .map(|user| Peer::new(user, Identity::Verified(Assurance::default())))
        .filter(|peer| code(&policy.judge_peer(NOW, peer, Wish::Write)) == "ask")
        .count();
    assert_eq!(asked, policy::PROMPTS_IN_ALL);
}

fn stub_of_b(grants: Grants, by_user: bool) -> ModuleWish {
    let name = ModuleName { domain: domain("b.example"), package: "protocolstub/default".into() };
    ModuleWish { name, version: "1.0.0".into(), grants, by_user }
}

fn socket(host: &str) -> Grants {
    Grants { web_socket: vec![Origin::parse(&format!("wss://{host}")).unwrap()], timers: true, ..Grants::none() }
}

#[test]
fn a_foreign_module_runs_after_consent_and_is_asked_about_again_only_when_it_wants_more() {
    let mut policy = policy();
    let wish = stub_of_b(socket("b.example"), true);
    assert_eq!(code(&policy.judge_module(NOW, &wish)), "ask");
    assert_eq!(policy.effective_grants(&wish.name, &wish.grants), Grants::none());
    policy.set_module(&wish.name, Some(Consent::Granted { grants: wish.grants.clone() }));
    assert_eq!(policy.judge_module(NOW, &wish), Verdict::Allow);
    assert_eq!(policy.effective_grants(&wish.name, &wish.grants), wish.grants);
    let newer = ModuleWish { version: "1.1.0".into(), ..wish.clone() };
    assert_eq!(policy.judge_module(NOW, &newer), Verdict::Allow);
    let greedy = stub_of_b(Grants { storage: 1, ..wish.grants.clone() }, true);
    assert_eq!(code(&policy.judge_module(NOW, &greedy)), "ask");
}

#[test]
fn own_packages_run_without_a_question_and_within_the_ceilings() {
    let organisation = Ceiling { at_most: Some(Grants { timers: true, ..Grants::none() }), ..Ceiling::default() };
    let mut policy = Policy::new(domain("a.example"), Rules { organisation, ..Rules::default() });
    let name = ModuleName { domain: domain("a.example"), package: "hyperty/chat".into() };
    let wish = ModuleWish { name, version: "1.0.0".into(), grants: socket("a.example"), by_user: false };
    assert_eq!(policy.judge_module(NOW, &wish), Verdict::Allow);
    let rights = policy.effective_grants(&wish.name, &wish.grants);
    assert_eq!(rights, Grants { timers: true, ..Grants::none() });
}

#[test]
fn a_refused_module_stays_refused_until_the_user_reaches_for_it() {
    let mut policy = policy();
    let wish = stub_of_b(socket("b.example"), false);
    assert_eq!(code(&policy.judge_module(NOW, &wish)), "ask");
    policy.set_module(&wish.name, Some(Consent::Refused));
    assert_eq!(code(&policy.judge_module(NOW, &wish)), "module-refused");
    assert_eq!(code(&policy.judge_module(NOW, &ModuleWish { by_user: true, ..wish })), "ask");
}

#[test]
fn a_module_that_changes_its_wish_all_the_time_is_not_asked_about_all_the_time() {
    let mut policy = policy();
    let verdicts: Vec<_> = (0..10)
        .map(|storage| {
            let wish = stub_of_b(Grants { storage, ..Grants::none() }, false);
            code(&policy.judge_module(NOW, &wish)).to_owned()
        })
        .collect();
    assert_eq!(verdicts.iter().filter(|verdict| *verdict == "ask").count(), policy::MODULE_PROMPTS_PER_DOMAIN);
    assert_eq!(verdicts.last().unwrap(), "too-many-questions");
}

#[test]
fn rules_survive_a_restart() {
    let mut policy = policy();
    policy.set_contact(&ben(Identity::Verified(Assurance::default())).user, Some(Contact::Accepted));
    let wish = stub_of_b(socket("b.example"), true);
    policy.set_module(&wish.name, Some(Consent::Granted { grants: wish.grants.clone() }));
    let kept = serde_json::to_string(policy.rules()).unwrap();
    let rules: Rules = serde_json::from_str(&kept).unwrap();
    assert_eq!(&rules, policy.rules());
    assert_eq!(Policy::new(domain("a.example"), rules).judge_module(NOW, &wish), Verdict::Allow);
    assert_eq!(serde_json::from_str::<Rules>("{}").unwrap(), Rules::default());
}

#[test]
fn an_organisation_that_keeps_to_itself_exchanges_no_message_with_others() {
    let people = policy::PeopleRules { block_external: Some(true), ..policy::PeopleRules::default() };
    let organisation = Ceiling { people, ..Ceiling::default() };
    let mut policy = Policy::new(domain("a.example"), Rules { organisation, ..Rules::default() });
    for (to, expected) in [("domain://registry.b.example", "external"), ("domain://registry.a.example", "allow")] {
        assert_eq!(code(&judge(&mut policy, MessageType::Read, (SM, core()), (to, remote()), None)), expected, "{to}");
    }
}

#[test]
fn a_ceiling_of_rights_is_for_packages_and_not_for_the_runtime_itself() {
    let organisation = Ceiling { at_most: Some(Grants::none()), ..Ceiling::default() };
    let mut policy = Policy::new(domain("a.example"), Rules { organisation, ..Rules::default() });
    let to_chat = judge(&mut policy, MessageType::Execute, (SM, core()), (CHAT, guest(Grants::none())), None);
    assert_eq!(to_chat, Verdict::Allow);
}

#[test]
fn an_explanation_knows_that_too_much_was_asked() {
    let mut policy = policy();
    let stranger = |number: usize| {
        let user = UserAddress::parse(&format!("u{number}@b.example")).unwrap();
        Peer::new(user, Identity::Verified(Assurance::default()))
    };
    for number in 0..CONTACT_PROMPTS_PER_DOMAIN {
        policy.judge_peer(NOW, &stranger(number), Wish::Write);
    }
    let explained = policy.explain_peer(NOW, &stranger(99), Wish::Write);
    assert_eq!(explained.because().code, "too-many-questions");
}
