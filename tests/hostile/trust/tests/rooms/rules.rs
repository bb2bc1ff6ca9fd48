//! Attacks on what an organisation prescribes, and on the record of what the rules decided.

use keys::SigningKey;
use message::Grants;
use policy::{
    Ceiling, Charter, DAY_S, IssuerRule, Item, OrgPolicy, OrgPolicyError, PeopleRules, PolicyError, PolicySettings,
    Rules, WhoMay,
};
use trail::{Entry, Kind, Line, Trail, TrailError, Word, verify_export};

const NOW: i64 = 1_800_000_000;

fn acme(version: u64) -> OrgPolicy {
    let people = PeopleRules {
        who_may_call: Some(WhoMay::Contacts),
        max_age_s: Some(DAY_S),
        auto_lock_after_s: Some(600),
        trusted_issuers: vec![IssuerRule::new("https://login.acme.example", &["acme"])],
        ..PeopleRules::default()
    };
    let charter = Charter {
        name: "Acme".into(),
        version,
        expires: NOW + DAY_S,
        lock: [Item::WhoMayCall, Item::TrustedIssuers].into(),
        forced_issuer: None,
        retention_days: None,
        escrow: None,
    };
    OrgPolicy { charter, rules: Ceiling { people, ..Ceiling::default() } }
}

/// Attack: H-30
/// By: whoever carries an organisation's rules to its people: a Node, a cache, a thief of an older document
/// Does: brings an older or an expired document, one signed by another, one that was changed, and a signature of something else
/// Holds: refused, the newest that the organisation signed stays in force
#[test]
fn an_organisations_rules_are_its_newest_and_its_own() {
    let (acmes, mallorys) = (SigningKey::generate(), SigningKey::generate());
    let text = acme(7).sign(&acmes).unwrap();
    let takes = |text: &str, newest, now| OrgPolicy::verify(text, &acmes.verifying_key(), newest, now);
    assert!(takes(&text, Some(7), NOW).is_ok(), "the honest case");
    assert_eq!(takes(&text, Some(8), NOW), Err(OrgPolicyError::Rollback { version: 7, newest: 8 }));
    assert_eq!(takes(&text, Some(7), NOW + DAY_S), Err(OrgPolicyError::Expired));
    assert_eq!(takes(&acme(9).sign(&mallorys).unwrap(), Some(7), NOW), Err(OrgPolicyError::WrongKey));
    let (payload, signature) = text.split_once('.').unwrap();
    let laxer = keys::from_b64url(payload).unwrap();
    let laxer = String::from_utf8(laxer).unwrap().replace("contacts", "nobody");
    let changed = format!("{}.{signature}", keys::b64url(laxer.as_bytes()));
    assert_ne!(changed, text);
    assert_eq!(takes(&changed, Some(7), NOW), Err(OrgPolicyError::WrongKey));
    let of_another_kind = format!("{payload}.{}", acmes.sign(format!("parlance-sigchain-v1\n{payload}").as_bytes()));
    assert_eq!(takes(&of_another_kind, Some(7), NOW), Err(OrgPolicyError::WrongKey));
}

/// Attack: H-31
/// By: the organisation, or a person under its rules
/// Does: grants guests more than the person allows, trusts issuers for them; the person loosens what is locked
/// Holds: rules of an organisation only narrow; what is locked stands, what is set is only made stricter
#[test]
fn an_organisations_rules_never_widen() {
    let mut own = Rules::default();
    own.user.at_most = Some(Grants { timers: true, ..Grants::none() });
    let wide = OrgPolicy {
        rules: Ceiling { at_most: Some(Grants { timers: true, storage: 1 << 20, ..Grants::none() }), ..acme(1).rules },
        ..acme(1)
    };
    let rules = own.clone().with_organisation(&wide);
    assert_eq!(rules.user.at_most, own.user.at_most);
    let wishes = Grants { timers: true, storage: 1 << 20, ..Grants::none() };
    assert_eq!(rules.user.of(&rules.organisation.of(&wishes)), Grants { timers: true, ..Grants::none() });
    let mut rules = rules;
    let shown = rules.settings();
    let refused = [
        (
            PolicySettings { who_may_call: WhoMay::ANYONE, ..shown.clone() },
            PolicyError::Locked { item: Item::WhoMayCall },
        ),
        (PolicySettings { max_age_days: None, ..shown.clone() }, PolicyError::Laxer { item: Item::MaxAge }),
        (PolicySettings { auto_lock_minutes: None, ..shown.clone() }, PolicyError::Laxer { item: Item::AutoLockAfter }),
    ];
    for (wanted, refusal) in refused {
        assert_eq!(rules.change_settings(&wanted), Err(refusal));
    }
    assert_eq!(rules.settings(), shown);
    let evil = IssuerRule::new("https://evil.example", &["x"]);
    assert_eq!(rules.trust_issuer(evil), Err(PolicyError::Locked { item: Item::TrustedIssuers }));
}

/// Attack: H-32
/// By: somebody with the profile's file, or who hands a record of decisions on
/// Does: changes an entry, takes one out, swaps two, cuts the end off, writes one in, signs it all anew
/// Holds: seen by whoever knows the device's key, with the line where it begins
#[test]
fn a_record_of_decisions_is_not_altered_unseen() {
    let device = SigningKey::generate();
    let (mut trail, mut lines): (Trail, Vec<Line>) = Default::default();
    for (number, name) in ["ben", "carl", "eve", "dora", "mallory"].into_iter().enumerate() {
        let subject = format!("user://a.example/{name}");
        let entry = Entry::new(Kind::Person, &subject, Word::Deny, "not-a-contact", "builtIn/whoMayCall");
        lines.extend(trail.append(number as u64 * 1000, entry));
    }
    lines.extend(trail.flush(10_000));
    let signed = |key: &SigningKey| {
        trail.export(lines.iter().map(Line::text), 10_000, &device.verifying_key(), |said| key.sign(said))
    };
    let good = signed(&device);
    let seen = |text: &str| verify_export(text, &device.verifying_key());
    assert_eq!(seen(&good).unwrap().verdicts.len(), 5, "the honest case");
    let rows: Vec<&str> = good.lines().collect();
    let eve = rows.iter().position(|row| row.contains("/eve")).unwrap();
    let of = |rows: &[&str]| rows.join("\n") + "\n";
    assert_eq!(seen(&good.replace("/eve", "/ana")), Err(TrailError::Changed { line: eve + 2 }));
    assert_eq!(seen(&of(&[&rows[..eve], &rows[eve + 1..]].concat())), Err(TrailError::Gap { line: eve + 1 }));
    assert_eq!(seen(&of(&rows[..rows.len() - 1])), Err(TrailError::Truncated));
    assert!(seen(&of(&[&rows[..eve], &rows[eve..=eve], &rows[eve..]].concat())).is_err());
    let mut swapped = rows.clone();
    swapped.swap(eve, eve + 1);
    assert!(seen(&of(&swapped)).is_err());
    assert!(matches!(seen(&signed(&SigningKey::generate())), Err(TrailError::WrongSignature { .. })));
}
