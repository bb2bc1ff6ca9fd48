//! Stories of who may reach Ben at b.example, and of what he is told about it.

use message::{Domain, UserAddress, Verdict};
use policy::{
    Assurance, Brought, Ceiling, Contact, DAY_S, Identity, IssuerRule, KeyChange, Keys, Layer, Peer, PeopleRules,
    Policy, Rules, WhoMay, Wish,
};

const ISSUER: &str = "https://login.acme.example";

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn anas() -> UserAddress {
    UserAddress::parse("ana@a.example").unwrap()
}

fn vouched(issuers: &[&str]) -> Assurance {
    Assurance { issuers: issuers.iter().map(|one| (*one).to_owned()).collect(), ..Assurance::default() }
}

fn ana(assurance: Assurance) -> Peer {
    Peer::new(anas(), Identity::Verified(assurance))
}

fn saying(people: PeopleRules) -> Ceiling {
    Ceiling { people, ..Ceiling::default() }
}

fn bens(people: PeopleRules) -> Policy {
    Policy::new(domain("b.example"), Rules { user: saying(people), ..Rules::default() })
}

fn with_contact(people: PeopleRules) -> Policy {
    let mut policy = bens(people);
    policy.set_contact(&anas(), Some(Contact::Accepted));
    policy
}

/// The verdict in a word, and the rule it comes from.
fn why(policy: &mut Policy, peer: &Peer, wish: Wish) -> (String, String) {
    let judged = policy.decide_peer(0, peer, wish);
    let word = match judged.verdict {
        Verdict::Allow => "allow".to_owned(),
        Verdict::Ask { .. } => "ask".to_owned(),
        Verdict::Deny { ref because } => because.code.clone(),
    };
    (word, judged.because().rule.to_string())
}

fn is(policy: &mut Policy, peer: &Peer, wish: Wish, word: &str, rule: &str) {
    assert_eq!(why(policy, peer, wish), (word.to_owned(), rule.to_owned()), "{wish:?}");
}

#[test]
fn without_settings_strangers_are_asked_about_and_only_contacts_call_or_show_their_screen() {
    let peer = ana(vouched(&[ISSUER]));
    let mut policy = bens(PeopleRules::default());
    is(&mut policy, &peer, Wish::Write, "ask", "user/whoMayWrite");
    is(&mut policy, &peer, Wish::Call, "not-a-contact", "builtIn/whoMayCall");
    is(&mut policy, &peer, Wish::Screen, "not-a-contact", "builtIn/whoMayShareScreen");
    is(&mut policy, &peer, Wish::Continue, "not-a-contact", "builtIn/contacts");
    is(&mut policy, &peer, Wish::ReachCall, "not-a-contact", "builtIn/contacts");
    is(&mut policy, &peer, Wish::Reach, "allow", "user/people");
    let mut policy = with_contact(PeopleRules::default());
    for wish in [Wish::Write, Wish::Call, Wish::Screen, Wish::Continue, Wish::Reach, Wish::ReachCall, Wish::Send] {
        is(&mut policy, &peer, wish, "allow", "user/contacts");
    }
}

#[test]
fn nobody_means_nobody_yet_open_conversations_go_on() {
    let nobody =
        PeopleRules { who_may_write: Some(WhoMay::Nobody), who_may_call: Some(WhoMay::Nobody), ..Default::default() };
    let peer = ana(vouched(&[ISSUER]));
    let mut policy = with_contact(nobody);
    is(&mut policy, &peer, Wish::Write, "nobody", "user/whoMayWrite");
    is(&mut policy, &peer, Wish::Call, "nobody", "user/whoMayCall");
    is(&mut policy, &peer, Wish::Continue, "allow", "user/contacts");
    is(&mut policy, &peer, Wish::Send, "allow", "user/contacts");
}

#[test]
fn strangers_of_an_issuer_or_a_domain_may_call_and_a_claimed_address_is_not_enough() {
    let rule = |who| PeopleRules { who_may_call: Some(who), ..PeopleRules::default() };
    let of_issuer = || rule(WhoMay::FromIssuers([ISSUER.to_owned()].into()));
    is(&mut bens(of_issuer()), &ana(vouched(&[ISSUER])), Wish::Call, "allow", "user/whoMayCall");
    let other = ana(vouched(&["https://other.example"]));
    is(&mut bens(of_issuer()), &other, Wish::Call, "issuer-not-accepted", "user/whoMayCall");
    let of_domain = || rule(WhoMay::FromDomains([domain("a.example")].into()));
    let placed = ana(Assurance { domains: [domain("a.example")].into(), ..vouched(&[ISSUER]) });
    is(&mut bens(of_domain()), &placed, Wish::Call, "allow", "user/whoMayCall");
    let claimed = ana(vouched(&[ISSUER]));
    is(&mut bens(of_domain()), &claimed, Wish::Call, "domain-not-accepted", "user/whoMayCall");
    // As long as nothing is proven, the check is worth its cost; afterwards it is judged.
    is(&mut bens(of_domain()), &Peer::new(anas(), Identity::Unproven), Wish::Call, "unproven", "builtIn/identity");
}

#[test]
fn a_friend_of_a_verified_contact_may_write() {
    let mut policy = bens(PeopleRules { who_may_write: Some(WhoMay::ContactsOfVerified), ..PeopleRules::default() });
    let mut peer = ana(vouched(&[ISSUER]));
    is(&mut policy, &peer, Wish::Write, "not-introduced", "user/whoMayWrite");
    peer.brought.known_to_verified = true;
    is(&mut policy, &peer, Wish::Write, "ask", "user/whoMayWrite");
}

#[test]
fn a_stranger_brings_work_or_a_contact_link_even_before_anything_is_opened() {
    let who_may_write = Some(WhoMay::Anyone { proof_of_work_bits: Some(18) });
    let mut policy = bens(PeopleRules { who_may_write, ..PeopleRules::default() });
    assert_eq!(policy.rules().work_asked_of_strangers(), Some(18));
    let brings = |brought| Peer { brought, ..Peer::new(anas(), Identity::Unproven) };
    let work = |proof_of_work_bits| Brought { proof_of_work_bits, ..Brought::default() };
    is(&mut policy, &brings(work(17)), Wish::Write, "work-missing", "user/whoMayWrite");
    is(&mut policy, &brings(work(18)), Wish::Write, "unproven", "builtIn/identity");
    let link = Brought { contact_code: true, ..Brought::default() };
    is(&mut policy, &brings(link), Wish::Write, "unproven", "builtIn/identity");
    policy.set_contact(&anas(), Some(Contact::Accepted));
    is(&mut policy, &ana(vouched(&[ISSUER])), Wish::Write, "allow", "user/contacts");
}

#[test]
fn a_contact_link_opens_what_its_owner_closed_but_not_what_the_organisation_closed() {
    let contacts = || PeopleRules { who_may_write: Some(WhoMay::Contacts), ..PeopleRules::default() };
    let link = Brought { contact_code: true, ..Brought::default() };
    let peer = Peer { brought: link, ..ana(vouched(&[ISSUER])) };
    is(&mut bens(contacts()), &peer, Wish::Write, "ask", "user/whoMayWrite");
    let rules = Rules { organisation: saying(contacts()), ..Rules::default() };
    let mut policy = Policy::new(domain("b.example"), rules);
    is(&mut policy, &peer, Wish::Write, "not-a-contact", "organisation/whoMayWrite");
}

#[test]
fn a_link_into_a_group_lets_one_in_without_a_question_and_opens_nothing_else() {
    let contacts = || PeopleRules { who_may_write: Some(WhoMay::Contacts), ..PeopleRules::default() };
    let link = Brought { group_link: true, ..Brought::default() };
    let peer = Peer { brought: link, ..ana(vouched(&[ISSUER])) };
    is(&mut bens(PeopleRules::default()), &peer, Wish::Write, "allow", "user/people");
    is(&mut bens(contacts()), &peer, Wish::Write, "allow", "user/people");
    assert_eq!(why(&mut bens(contacts()), &peer, Wish::Call).0, "not-a-contact");
    let unproven = Peer { brought: link, ..Peer::new(anas(), Identity::Unproven) };
    assert_eq!(
        why(&mut bens(contacts()), &unproven, Wish::Write).0,
        "unproven",
        "who they are is checked all the same"
    );
    let mut blocks = bens(PeopleRules::default());
    blocks.set_contact(&anas(), Some(Contact::Blocked));
    assert_eq!(why(&mut blocks, &peer, Wish::Write).0, "blocked");
    let mut nobody = bens(PeopleRules { who_may_write: Some(WhoMay::Nobody), ..PeopleRules::default() });
    assert_eq!(why(&mut nobody, &peer, Wish::Write).0, "nobody");
    let rules = Rules { organisation: saying(contacts()), ..Rules::default() };
    let mut acme = Policy::new(domain("b.example"), rules);
    is(&mut acme, &peer, Wish::Write, "not-a-contact", "organisation/whoMayWrite");
}

#[test]
fn calls_need_two_issuers_or_a_compared_code_if_ben_wants_it_so() {
    let two = || PeopleRules { issuers_required_to_call: Some(2), ..PeopleRules::default() };
    let one = ana(vouched(&[ISSUER]));
    is(&mut with_contact(two()), &one, Wish::Call, "too-few-issuers", "user/issuersRequiredToCall");
    is(&mut with_contact(two()), &one, Wish::ReachCall, "too-few-issuers", "user/issuersRequiredToCall");
    is(&mut with_contact(two()), &one, Wish::Write, "allow", "user/contacts");
    let both = ana(vouched(&[ISSUER, "https://other.example"]));
    is(&mut with_contact(two()), &both, Wish::Call, "allow", "user/contacts");
    let compared = ana(Assurance { compared: true, ..vouched(&[ISSUER]) });
    is(&mut with_contact(two()), &compared, Wish::Call, "allow", "user/contacts");
}

#[test]
fn an_issuers_word_counts_as_much_as_its_row_says() {
    let weighing = |weight| PeopleRules {
        issuers_required_to_call: Some(2),
        trusted_issuers: vec![IssuerRule { weight, ..IssuerRule::new(ISSUER, &["x"]) }],
        ..PeopleRules::default()
    };
    let one = ana(vouched(&[ISSUER]));
    is(&mut with_contact(weighing(2)), &one, Wish::Call, "allow", "user/contacts");
    let both = ana(vouched(&[ISSUER, "https://other.example"]));
    is(&mut with_contact(weighing(0)), &both, Wish::Call, "too-few-issuers", "user/issuersRequiredToCall");
}

#[test]
fn an_old_attestation_introduces_no_stranger_and_breaks_no_conversation() {
    let old = |days| ana(Assurance { attested_age_s: days * DAY_S, ..vouched(&[ISSUER]) });
    let mut policy = bens(PeopleRules::default());
    is(&mut policy, &old(90), Wish::Write, "ask", "user/whoMayWrite");
    is(&mut policy, &old(91), Wish::Write, "attestation-too-old", "builtIn/firstContactAgeS");
    let mut policy = with_contact(PeopleRules::default());
    is(&mut policy, &old(1000), Wish::Call, "allow", "user/contacts");
    let a_day = PeopleRules { max_age_s: Some(DAY_S), ..PeopleRules::default() };
    let mut policy = with_contact(a_day);
    is(&mut policy, &old(2), Wish::Call, "attestation-too-old", "user/maxAgeS");
    is(&mut policy, &old(2), Wish::Continue, "allow", "user/contacts");
}

#[test]
fn everything_stops_when_the_keys_of_a_verified_contact_change_without_a_good_reason() {
    for (change, was_verified, stops) in [
        (KeyChange::Vouched, true, false),
        (KeyChange::Recovered, true, false),
        (KeyChange::IssuerReset, true, true),
        (KeyChange::Unexplained, true, true),
        (KeyChange::Unexplained, false, false),
    ] {
        let peer = Peer { keys: Keys::Changed { change, was_verified }, ..ana(vouched(&[ISSUER])) };
        for wish in [Wish::Send, Wish::Continue, Wish::Call, Wish::ReachCall, Wish::Write, Wish::Reach] {
            let (word, rule) = why(&mut with_contact(PeopleRules::default()), &peer, wish);
            assert_eq!(word == "key-changed", stops, "{change:?} {wish:?}");
            assert!(!stops || rule == "builtIn/stopOnKeyChange");
        }
        let off = PeopleRules { stop_on_key_change: Some(false), ..PeopleRules::default() };
        is(&mut with_contact(off), &peer, Wish::Send, "allow", "user/contacts");
    }
}

#[test]
fn nothing_is_ever_sent_to_a_device_that_is_not_proven() {
    let peer = Peer { unproven_device: true, ..ana(Assurance { compared: true, ..vouched(&[ISSUER]) }) };
    let mut policy = with_contact(PeopleRules::default());
    for wish in [Wish::Send, Wish::Reach, Wish::ReachCall] {
        is(&mut policy, &peer, wish, "unproven-device", "builtIn/neverSendUnprovenDevice");
    }
    is(&mut policy, &peer, Wish::Continue, "allow", "user/contacts");
}

#[test]
fn an_organisation_that_keeps_to_itself_deals_with_its_own_and_allowed_domains_only() {
    let of = |people| Rules { organisation: saying(people), ..Rules::default() };
    let peer = |text: &str| Peer::new(UserAddress::parse(text).unwrap(), Identity::Verified(vouched(&[ISSUER])));
    let closed = PeopleRules { block_external: Some(true), ..PeopleRules::default() };
    let mut policy = Policy::new(domain("b.example"), of(closed));
    is(&mut policy, &peer("cid@b.example"), Wish::Reach, "allow", "user/people");
    is(&mut policy, &peer("ana@a.example"), Wish::Reach, "external", "organisation/blockExternal");
    let partners = PeopleRules { allowed_domains: Some([domain("a.example")].into()), ..PeopleRules::default() };
    let mut policy = Policy::new(domain("b.example"), of(partners));
    is(&mut policy, &peer("cid@b.example"), Wish::Reach, "allow", "user/people");
    is(&mut policy, &peer("ana@a.example"), Wish::Reach, "allow", "user/people");
    is(&mut policy, &peer("eve@c.example"), Wish::Reach, "external", "organisation/allowedDomains");
}

#[test]
fn an_explanation_lists_every_layer_in_order_and_costs_no_question() {
    let policy = bens(PeopleRules::default());
    let explained = policy.explain_peer(0, &ana(vouched(&[ISSUER])), Wish::Write);
    let layers: Vec<Layer> = explained.steps().iter().map(|step| step.layer).collect();
    assert_eq!(layers, [Layer::Organisation, Layer::User, Layer::Contact, Layer::BuiltIn]);
    for _ in 0..100 {
        assert_eq!(policy.explain_peer(0, &ana(vouched(&[ISSUER])), Wish::Write), explained);
    }
    let json = serde_json::to_value(&explained).unwrap();
    assert_eq!(json["steps"][1]["because"]["rule"], serde_json::json!({"layer": "user", "item": "whoMayWrite"}));
}

#[test]
fn whoever_is_in_a_joint_call_with_ben_may_reach_him_by_a_call_and_by_nothing_else() {
    let stranger = ana(vouched(&[ISSUER]));
    let joined = Peer { brought: Brought { joint_call: true, ..Brought::default() }, ..stranger.clone() };
    let mut ben = bens(PeopleRules::default());
    assert_eq!(why(&mut ben, &stranger, Wish::Call).0, "not-a-contact");
    for wish in [Wish::Call, Wish::ReachCall, Wish::Continue] {
        assert_eq!(why(&mut ben, &joined, wish).0, "allow", "{wish:?}");
    }
    assert_eq!(why(&mut ben, &joined, Wish::Write).0, "ask", "a message is asked about as ever");
    assert_eq!(why(&mut ben, &joined, Wish::Screen).0, "not-a-contact");
    let mut nobody = bens(PeopleRules { who_may_call: Some(WhoMay::Nobody), ..PeopleRules::default() });
    assert_eq!(why(&mut nobody, &joined, Wish::Call).0, "nobody");
    ben.set_contact(&anas(), Some(Contact::Blocked));
    for wish in [Wish::Call, Wish::ReachCall, Wish::Continue] {
        assert_eq!(why(&mut ben, &joined, wish).0, "blocked", "{wish:?}");
    }
    let organisation = saying(PeopleRules { who_may_call: Some(WhoMay::Contacts), ..PeopleRules::default() });
    let mut acme = Policy::new(domain("b.example"), Rules { organisation, ..Rules::default() });
    assert_eq!(why(&mut acme, &joined, Wish::Call).0, "not-a-contact", "an organisation's own rule stands");
}
