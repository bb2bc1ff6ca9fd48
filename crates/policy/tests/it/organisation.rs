//! Stories of an organisation's policy: which documents are taken, and what they lock.

use std::collections::BTreeSet;

use identity::IssuerEntry;
use keys::SigningKey;
use message::{AddressPattern, Domain, Grants};
use policy::{
    Ceiling, Charter, DAY_S, IssuerRule, Item, ORG_POLICY_LIMIT, OrgPolicy, OrgPolicyError, PeopleRules, PolicyError,
    Rules, WhoMay,
};
use serde_json::{Value, json};

const NOW: i64 = 1_800_000_000;

fn acme() -> OrgPolicy {
    let issuer = IssuerRule { amr: vec!["hwk".into()], ..IssuerRule::new("https://login.acme.example", &["acme"]) };
    let people = PeopleRules {
        who_may_call: Some(WhoMay::Contacts),
        who_may_write: Some(WhoMay::FromDomains(["acme.example".parse().unwrap()].into())),
        max_age_s: Some(DAY_S),
        trusted_issuers: vec![issuer],
        auto_lock_after_s: Some(600),
        ..PeopleRules::default()
    };
    OrgPolicy {
        charter: Charter {
            name: "Acme".into(),
            version: 7,
            expires: NOW + 1,
            lock: [Item::WhoMayCall, Item::TrustedIssuers, Item::StopOnKeyChange].into(),
            forced_issuer: Some("https://login.acme.example".into()),
            retention_days: Some(365),
            escrow: Some("Acme's archive keeps a copy of every message.".into()),
        },
        rules: Ceiling { people, ..Ceiling::default() },
    }
}

fn key() -> SigningKey {
    SigningKey::from_bytes(&[7; 32])
}

fn signed(json: &Value) -> String {
    let payload = keys::b64url(json.to_string().as_bytes());
    let signature = key().sign(format!("parlance-organisation-policy-v1\n{payload}").as_bytes());
    format!("{payload}.{signature}")
}

fn verify(text: &str) -> Result<OrgPolicy, OrgPolicyError> {
    OrgPolicy::verify(text, &key().verifying_key(), None, NOW)
}

#[test]
fn what_the_organisations_key_signed_is_in_force() {
    let text = acme().sign(&key()).unwrap();
    assert_eq!(verify(&text).unwrap(), acme());
    assert_eq!(OrgPolicy::verify(&format!("{text}\n"), &key().verifying_key(), Some(7), NOW).unwrap(), acme());
}

#[test]
fn each_thing_that_is_wrong_with_a_document_has_its_own_name() {
    let text = acme().sign(&key()).unwrap();
    let (payload, signature) = text.split_once('.').unwrap();
    let other = SigningKey::from_bytes(&[8; 32]).verifying_key();
    assert_eq!(OrgPolicy::verify(&text, &other, None, NOW), Err(OrgPolicyError::WrongKey));
    assert_eq!(
        OrgPolicy::verify(&text, &key().verifying_key(), Some(8), NOW),
        Err(OrgPolicyError::Rollback { version: 7, newest: 8 })
    );
    assert_eq!(OrgPolicy::verify(&text, &key().verifying_key(), None, NOW + 1), Err(OrgPolicyError::Expired));
    assert_eq!(verify(&format!("{payload}A.{signature}")), Err(OrgPolicyError::WrongKey));
    assert_eq!(verify(payload), Err(OrgPolicyError::Malformed("no signature")));
    assert_eq!(verify(&format!("{payload}.AAAA")), Err(OrgPolicyError::Malformed("signature")));
    assert_eq!(verify(&"x".repeat(ORG_POLICY_LIMIT + 1)), Err(OrgPolicyError::TooLong));
    // A signature made for something else is no signature of a policy.
    let bare = format!("{payload}.{}", key().sign(payload.as_bytes()));
    assert_eq!(verify(&bare), Err(OrgPolicyError::WrongKey));
}

#[test]
fn even_a_signed_document_is_read_strictly() {
    let document = || json!({"v": 1, "name": "Acme", "version": 1, "expires": NOW + 1, "rules": {}});
    assert!(verify(&signed(&document())).is_ok());
    let with = |name: &str, value: Value| {
        let mut document = document();
        document[name] = value;
        verify(&signed(&document)).unwrap_err()
    };
    let unread = OrgPolicyError::Malformed("a member is not as it should be");
    assert_eq!(with("v", json!(2)), OrgPolicyError::UnknownFormat { v: 2 });
    assert_eq!(with("colour", json!("red")), unread);
    assert_eq!(with("lock", json!(["everything"])), unread);
    assert_eq!(with("rules", json!({"people": {"whoMayCal": "nobody"}})), unread);
    assert_eq!(with("name", json!("Ac\u{202e}me")), OrgPolicyError::Malformed("name"));
    assert_eq!(with("escrow", json!("")), OrgPolicyError::Malformed("escrow"));
    assert_eq!(with("retentionDays", json!(0)), OrgPolicyError::OutOfBounds(Item::RetentionDays));
    for (people, item) in [
        (json!({"issuersRequiredToCall": 5}), Item::IssuersRequiredToCall),
        (json!({"firstContactAgeS": 91 * DAY_S}), Item::FirstContactAge),
        (json!({"whoMayWrite": {"anyone": {"proofOfWorkBits": 40}}}), Item::WhoMayWrite),
        (json!({"trustedIssuers": [{"issuer": "http://x.example", "clientIds": ["x"]}]}), Item::TrustedIssuers),
        (json!({"autoLockAfterS": 1}), Item::AutoLockAfter),
    ] {
        assert_eq!(with("rules", json!({ "people": people })), OrgPolicyError::OutOfBounds(item));
    }
    let twice = keys::b64url(br#"{"v":1,"name":"A","name":"B","version":1,"expires":1900000000}"#);
    let signature = key().sign(format!("parlance-organisation-policy-v1\n{twice}").as_bytes());
    assert_eq!(verify(&format!("{twice}.{signature}")), Err(unread));
}

#[test]
fn a_locked_setting_is_shown_as_locked_and_refused_and_can_only_be_made_stricter() {
    let mut rules = Rules::default().with_organisation(&acme());
    assert_eq!(rules.locked_items(), acme().charter.lock);
    let shown = rules.settings();
    assert_eq!((shown.max_age_days, shown.auto_lock_minutes), (Some(1), Some(10)));
    let mut wanted = shown.clone();
    wanted.who_may_call = WhoMay::ANYONE;
    assert_eq!(rules.change_settings(&wanted), Err(PolicyError::Locked { item: Item::WhoMayCall }));
    // Locked without a value: it stands at its default.
    let wanted = policy::PolicySettings { stop_on_key_change: false, ..shown.clone() };
    assert_eq!(rules.change_settings(&wanted), Err(PolicyError::Locked { item: Item::StopOnKeyChange }));
    assert_eq!(rules.settings(), shown, "nothing was changed");
    let mut wanted = shown.clone();
    wanted.who_may_call = WhoMay::Nobody;
    assert_eq!(rules.change_settings(&wanted), Ok(()));
    assert_eq!(rules.settings(), wanted);
}

#[test]
fn what_is_set_but_not_locked_cannot_be_made_laxer_either() {
    let mut rules = Rules::default().with_organisation(&acme());
    let shown = rules.settings();
    for (wanted, item) in [
        (policy::PolicySettings { auto_lock_minutes: None, ..shown.clone() }, Item::AutoLockAfter),
        (policy::PolicySettings { auto_lock_minutes: Some(11), ..shown.clone() }, Item::AutoLockAfter),
        (policy::PolicySettings { max_age_days: Some(2), ..shown.clone() }, Item::MaxAge),
        (policy::PolicySettings { who_may_write: WhoMay::ANYONE, ..shown.clone() }, Item::WhoMayWrite),
    ] {
        assert_eq!(rules.change_settings(&wanted), Err(PolicyError::Laxer { item }));
    }
    let stricter = policy::PolicySettings { auto_lock_minutes: Some(5), require_passphrase: true, ..shown };
    assert_eq!(rules.change_settings(&stricter), Ok(()));
    assert_eq!((rules.auto_lock_after_s(), rules.requires_passphrase()), (Some(300), true));
}

#[test]
fn a_lock_holds_against_what_the_user_had_chosen_before() {
    let mut rules = Rules::default();
    let wanted = policy::PolicySettings { stop_on_key_change: false, ..rules.settings() };
    rules.change_settings(&wanted).unwrap();
    assert!(!rules.settings().stop_on_key_change);
    let rules = rules.with_organisation(&acme());
    assert!(rules.settings().stop_on_key_change);
    assert!(!rules.without_organisation().settings().stop_on_key_change);
}

#[test]
fn settings_out_of_their_bounds_are_refused() {
    let mut rules = Rules::default();
    let shown = rules.settings();
    for (wanted, item) in [
        (policy::PolicySettings { issuers_required_for_calls: 0, ..shown.clone() }, Item::IssuersRequiredToCall),
        (policy::PolicySettings { first_contact_days: 91, ..shown.clone() }, Item::FirstContactAge),
        (policy::PolicySettings { fresh_days: 0, ..shown.clone() }, Item::FreshAge),
        (policy::PolicySettings { auto_lock_minutes: Some(0), ..shown.clone() }, Item::AutoLockAfter),
        (policy::PolicySettings { auto_lock_minutes: Some(u16::MAX), ..shown.clone() }, Item::AutoLockAfter),
    ] {
        assert_eq!(rules.change_settings(&wanted), Err(PolicyError::OutOfBounds { item }));
    }
    assert_eq!(rules, Rules::default());
}

#[test]
fn a_locked_list_of_issuers_is_the_whole_list() {
    let names = |rules: &Rules| {
        let built_in = vec![IssuerEntry::new("https://accounts.example")];
        rules.issuer_entries(built_in).into_iter().map(|entry| entry.issuer).collect::<Vec<_>>()
    };
    let mut rules = Rules::default();
    rules.trust_issuer(IssuerRule::new("https://mine.example", &["x"])).unwrap();
    assert_eq!(names(&rules), ["https://mine.example", "https://accounts.example"]);
    let mut rules = rules.with_organisation(&acme());
    assert_eq!(names(&rules), ["https://login.acme.example"]);
    let locked = PolicyError::Locked { item: Item::TrustedIssuers };
    assert_eq!(rules.trust_issuer(IssuerRule::new("https://evil.example", &["x"])), Err(locked));
    assert!(rules.distrust_issuer("https://mine.example"));
}

#[test]
fn an_organisations_row_for_an_issuer_stands_before_the_users_and_the_built_in_one() {
    let mut policy = acme();
    policy.charter.lock = BTreeSet::new();
    let mut rules = Rules::default();
    rules.trust_issuer(IssuerRule::new("https://login.acme.example", &["anything"])).unwrap();
    let mut rules = rules.with_organisation(&policy);
    let entries = rules.issuer_entries(vec![IssuerEntry::new("https://login.acme.example")]);
    assert_eq!(entries.len(), 1);
    assert_eq!((&entries[0].client_ids[..], &entries[0].amr[..]), (&["acme".to_owned()][..], &["hwk".to_owned()][..]));
    let again = rules.trust_issuer(IssuerRule::new("https://login.acme.example", &["anything"]));
    assert_eq!(again, Err(PolicyError::Laxer { item: Item::TrustedIssuers }));
}

#[test]
fn the_verifier_is_never_made_laxer() {
    let strict = Rules::default().strictness(identity::Policy::default());
    assert_eq!((strict.fresh_age_s, strict.first_contact_age_s), (30 * DAY_S, 90 * DAY_S));
    let mut rules = Rules::default();
    let wanted = policy::PolicySettings { fresh_days: 60, first_contact_days: 10, ..rules.settings() };
    rules.change_settings(&wanted).unwrap();
    let strict = rules.strictness(identity::Policy::default());
    assert_eq!((strict.fresh_age_s, strict.first_contact_age_s), (30 * DAY_S, 10 * DAY_S));
}

#[test]
fn rules_with_an_organisation_are_kept_and_older_rules_still_load() {
    let rules = Rules::default().with_organisation(&acme());
    let kept = serde_json::to_string(&rules).unwrap();
    assert_eq!(serde_json::from_str::<Rules>(&kept).unwrap(), rules);
    let older = r#"{"organisation":{"atMost":null,"never":[],"blockedDomains":[]},"user":{"atMost":null,"never":[],
        "blockedDomains":["c.example"]},"contacts":{"user://a.example/ana":"accepted"},"modules":[]}"#;
    let rules: Rules = serde_json::from_str(older).unwrap();
    assert_eq!((rules.contacts.len(), rules.user.people), (1, PeopleRules::default()));
}

/// Every member of a full document, in the schema and nowhere else.
#[test]
fn the_schema_names_what_the_reader_reads() {
    let full = OrgPolicy {
        rules: Ceiling {
            at_most: Some(Grants::none()),
            never: vec![AddressPattern::parse("comm://x.example/*").unwrap()],
            blocked_domains: [Domain::parse("x.example").unwrap()].into(),
            people: PeopleRules {
                who_may_share_screen: Some(WhoMay::Nobody),
                issuers_required_to_write: Some(1),
                issuers_required_to_call: Some(2),
                fresh_age_s: Some(DAY_S),
                first_contact_age_s: Some(DAY_S),
                stop_on_key_change: Some(true),
                block_external: Some(false),
                allowed_domains: Some(BTreeSet::new()),
                require_passphrase: Some(true),
                trusted_issuers: vec![IssuerRule {
                    algorithms: identity::Algorithm::ALL.to_vec(),
                    max_age_s: Some(DAY_S),
                    acr: vec!["x".into()],
                    email_domains: vec!["x.example".into()],
                    weight: 2,
                    ..acme().rules.people.trusted_issuers[0].clone()
                }],
                ..acme().rules.people
            },
        },
        ..acme()
    };
    let text = full.sign(&key()).unwrap();
    let payload = keys::from_b64url(text.split_once('.').unwrap().0).unwrap();
    let document: Value = serde_json::from_slice(&payload).unwrap();
    let schema: Value = serde_json::from_str(include_str!("../../schema/organisation.schema.json")).unwrap();
    let names = |value: &Value| value.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>();
    let same = |part: &Value, schema: &Value| {
        assert_eq!(names(part), names(&schema["properties"]));
        assert_eq!(schema["additionalProperties"], json!(false));
    };
    let people = &document["rules"]["people"];
    same(&document, &schema);
    same(&document["rules"], &schema["properties"]["rules"]);
    same(&document["rules"]["atMost"], &schema["$defs"]["grants"]);
    same(people, &schema["$defs"]["people"]);
    same(&people["trustedIssuers"][0], &schema["$defs"]["issuer"]);
    let items: Vec<&str> = Item::ALL.iter().map(|item| item.as_str()).collect();
    assert_eq!(schema["$defs"]["item"]["enum"], json!(items));
    for name in names(&schema["$defs"]["people"]["properties"]) {
        assert!(items.contains(&name.as_str()), "{name} can be locked");
    }
}
