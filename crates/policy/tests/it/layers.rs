//! Properties of the layers: a denial anywhere wins, an organisation only ever takes away, and every verdict is explained.

use std::collections::BTreeSet;

use message::{Domain, UserAddress, Verdict};
use policy::{
    Assurance, Brought, Ceiling, Charter, Contact, DAY_S, Identity, Item, KeyChange, Keys, ModuleName, ModuleWish,
    OrgPolicy, Peer, PeopleRules, Policy, Rules, WhoMay, Wish, Word,
};
use proptest::prelude::*;

const WISHES: [Wish; 7] =
    [Wish::Write, Wish::Continue, Wish::Call, Wish::Screen, Wish::Reach, Wish::ReachCall, Wish::Send];
const DOMAINS: [&str; 3] = ["a.example", "b.example", "c.example"];
const ISSUERS: [&str; 2] = ["https://i.example", "https://j.example"];

fn domain() -> impl Strategy<Value = Domain> {
    prop::sample::select(&DOMAINS[..]).prop_map(|text| Domain::parse(text).unwrap())
}

fn domains() -> impl Strategy<Value = BTreeSet<Domain>> {
    prop::collection::btree_set(domain(), 0..3)
}

fn issuers() -> impl Strategy<Value = BTreeSet<String>> {
    prop::collection::btree_set(prop::sample::select(&ISSUERS[..]).prop_map(str::to_owned), 0..3)
}

fn who() -> impl Strategy<Value = WhoMay> {
    prop_oneof![
        Just(WhoMay::Nobody),
        Just(WhoMay::Contacts),
        Just(WhoMay::ContactsOfVerified),
        issuers().prop_map(WhoMay::FromIssuers),
        domains().prop_map(WhoMay::FromDomains),
        prop::option::of(1u8..5).prop_map(|proof_of_work_bits| WhoMay::Anyone { proof_of_work_bits }),
    ]
}

fn people() -> impl Strategy<Value = PeopleRules> {
    let who = || prop::option::of(who());
    let age = || prop::option::of((1i64..90).prop_map(|days| days * DAY_S));
    (
        (who(), who(), who()),
        (prop::option::of(1u8..4), prop::option::of(1u8..4)),
        (age(), age()),
        prop::option::of(any::<bool>()),
        prop::option::weighted(0.2, any::<bool>()),
        prop::option::weighted(0.2, domains()),
    )
        .prop_map(|(who, required, (first, max), stop, block_external, allowed_domains)| PeopleRules {
            who_may_write: who.0,
            who_may_call: who.1,
            who_may_share_screen: who.2,
            issuers_required_to_write: required.0,
            issuers_required_to_call: required.1,
            first_contact_age_s: first,
            max_age_s: max,
            stop_on_key_change: stop,
            block_external,
            allowed_domains,
            ..PeopleRules::default()
        })
}

fn ceiling() -> impl Strategy<Value = Ceiling> {
    (people(), prop::option::weighted(0.2, domains())).prop_map(|(people, blocked)| Ceiling {
        people,
        blocked_domains: blocked.unwrap_or_default(),
        ..Ceiling::default()
    })
}

fn org() -> impl Strategy<Value = OrgPolicy> {
    let lock = prop::collection::btree_set(prop::sample::select(Item::ALL), 0..6);
    (ceiling(), lock).prop_map(|(rules, lock)| OrgPolicy {
        charter: Charter {
            name: "Acme".into(),
            version: 1,
            expires: 1,
            lock,
            forced_issuer: None,
            retention_days: None,
            escrow: None,
        },
        rules,
    })
}

fn peer() -> impl Strategy<Value = Peer> {
    let assurance = (issuers(), domains(), any::<bool>(), 0i64..100).prop_map(|(issuers, domains, compared, days)| {
        Assurance { issuers, domains, compared, attested_age_s: days * DAY_S }
    });
    let identity = prop_oneof![
        8 => assurance.prop_map(Identity::Verified),
        1 => Just(Identity::Unproven),
        1 => Just(Identity::Failed)
    ];
    let keys = prop_oneof![
        3 => Just(Keys::AsPinned),
        1 => any::<bool>().prop_map(|was_verified| Keys::Changed { change: KeyChange::IssuerReset, was_verified }),
        1 => Just(Keys::Changed { change: KeyChange::Vouched, was_verified: true }),
    ];
    (
        domain(),
        identity,
        (0u8..5, any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>()),
        keys,
        prop::bool::weighted(0.1),
    )
        .prop_map(
            |(
                domain,
                identity,
                (proof_of_work_bits, contact_code, known_to_verified, joint_call, group_link),
                keys,
                unproven_device,
            )| Peer {
                user: UserAddress::parse(&format!("ben@{domain}")).unwrap(),
                identity,
                brought: Brought { proof_of_work_bits, contact_code, known_to_verified, joint_call, group_link },
                keys,
                unproven_device,
            },
        )
}

fn contact() -> impl Strategy<Value = Option<Contact>> {
    prop::sample::select(vec![None, Some(Contact::Accepted), Some(Contact::Blocked)])
}

fn wish() -> impl Strategy<Value = Wish> {
    prop::sample::select(&WISHES[..])
}

fn policy(rules: Rules, peer: &Peer, contact: Option<Contact>) -> Policy {
    let mut policy = Policy::new(Domain::parse("a.example").unwrap(), rules);
    policy.set_contact(&peer.user, contact);
    policy
}

/// The more, the more is permitted.
fn leave(verdict: &Verdict) -> u8 {
    match verdict {
        Verdict::Deny { .. } => 0,
        Verdict::Ask { .. } => 1,
        Verdict::Allow => 2,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_denial_anywhere_wins_and_the_explanation_tells_the_same_as_the_verdict(
        user in ceiling(), org in org(), peer in peer(), contact in contact(), wish in wish(),
    ) {
        let rules = Rules { user, ..Rules::default() }.with_organisation(&org);
        let mut policy = policy(rules, &peer, contact);
        let explained = policy.explain_peer(0, &peer, wish);
        let judged = policy.decide_peer(0, &peer, wish);
        prop_assert_eq!(&judged.explanation, &explained);
        let denied = explained.steps().iter().any(|step| step.word == Word::Denies);
        match &judged.verdict {
            Verdict::Deny { because } => prop_assert_eq!(because.code.as_str(), judged.because().code),
            Verdict::Ask { .. } => prop_assert!(!denied && explained.outcome() == Word::Asks),
            Verdict::Allow => prop_assert!(!denied && explained.outcome() == Word::Allows),
        }
        if !matches!(peer.identity, Identity::Verified(_)) || contact == Some(Contact::Blocked) {
            prop_assert_eq!(leave(&judged.verdict), 0);
        }
    }

    #[test]
    fn an_organisation_never_makes_anything_more_permitted(
        user in ceiling(), org in org(), peer in peer(), contact in contact(), wish in wish(),
    ) {
        let rules = Rules { user, ..Rules::default() };
        let free = policy(rules.clone(), &peer, contact).judge_peer(0, &peer, wish);
        let bound = policy(rules.with_organisation(&org), &peer, contact).judge_peer(0, &peer, wish);
        prop_assert!(leave(&bound) <= leave(&free), "{free:?} became {bound:?}");
    }

    #[test]
    fn an_organisation_never_lets_a_module_in(user in ceiling(), org in org(), peer in peer(), by_user: bool) {
        let name = ModuleName { domain: peer.user.domain(), package: "protocolstub/default".into() };
        let wish = ModuleWish { name, version: "1.0.0".into(), grants: message::Grants::none(), by_user };
        let rules = Rules { user, ..Rules::default() };
        let free = policy(rules.clone(), &peer, None).judge_module(0, &wish);
        let bound = policy(rules.with_organisation(&org), &peer, None).judge_module(0, &wish);
        prop_assert!(leave(&bound) <= leave(&free));
    }

    #[test]
    fn a_rule_within_another_lets_nobody_else_in(narrow in who(), wide in who(), peer in peer(), contact in contact()) {
        let (narrow, wide) = if wide.is_within(&narrow) { (wide, narrow) } else { (narrow, wide) };
        if !narrow.is_within(&wide) {
            return Ok(()); // They cannot be compared.
        }
        let with = |who: &WhoMay| {
            let people = PeopleRules { who_may_call: Some(who.clone()), ..PeopleRules::default() };
            let rules = Rules { user: Ceiling { people, ..Ceiling::default() }, ..Rules::default() };
            leave(&policy(rules, &peer, contact).judge_peer(0, &peer, Wish::Call))
        };
        prop_assert!(with(&narrow) <= with(&wide));
    }

    #[test]
    fn no_change_of_settings_is_laxer_than_the_organisation(
        user in people(), org in org(), wanted in people(), peer in peer(), contact in contact(), wish in wish(),
    ) {
        let with = |people: PeopleRules| Rules { user: Ceiling { people, ..Ceiling::default() }, ..Rules::default() };
        let mut rules = with(user).with_organisation(&org);
        let before = rules.clone();
        let wanted = with(wanted).settings();
        match rules.change_settings(&wanted) {
            Ok(()) => {
                let only_org = Rules::default().with_organisation(&org);
                let says = |rules: Rules| {
                    let explained = policy(rules, &peer, contact).explain_peer(0, &peer, wish);
                    explained.steps()[0]
                };
                prop_assert_eq!(says(rules.clone()), says(only_org), "the organisation's word is untouched");
                prop_assert_eq!(rules.settings(), wanted);
            }
            Err(_) => prop_assert_eq!(rules, before),
        }
    }
}
