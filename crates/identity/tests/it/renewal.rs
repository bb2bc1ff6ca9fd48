//! An issuer speaks again without a new sign-in, and how old its word may be.

use crate::common::{DAY, HOUR, ISSUER, IssuerKey, NOW, Story};
use identity::*;
use keys::SigningKey;
use serde_json::{Value, json};

/// Ben's story 60 days later, with a renewal of his token from half an hour ago; `bend` bends its claims.
fn renewed(bend: impl FnOnce(&mut Story)) -> (Story, Evidence) {
    let mut story = Story::new();
    let evidence = story.evidence();
    story.now = NOW + 60 * DAY;
    let first = story.claims.clone();
    story.claims.remove("nonce");
    story.claims.insert("iat".into(), json!(story.now - HOUR / 2));
    story.claims.insert("exp".into(), json!(story.now + HOUR / 2));
    bend(&mut story);
    let id_token = story.id_token();
    story.claims = first;
    let renewal = by_hand(&evidence.tokens[0], &id_token, &story.irk);
    (story, Evidence { renewals: vec![renewal], ..evidence })
}

/// A renewal as documented, written by hand so that wrong ones can be made.
fn by_hand(token: &str, id_token: &str, irk: &SigningKey) -> String {
    let signed = format!("{}.{id_token}", Digest::of(token.as_bytes()));
    format!("{signed}.{}", irk.sign(format!("parlance-renewal-v1\n{signed}").as_bytes()))
}

fn refused(bend: impl FnOnce(&mut Story)) -> VerifyError {
    let (story, evidence) = renewed(bend);
    story.verify(&evidence).unwrap_err()
}

fn claim(name: &'static str, value: Value) -> impl FnOnce(&mut Story) {
    move |story| {
        story.claims.insert(name.into(), value);
    }
}

#[test]
fn a_renewal_makes_an_old_word_fresh() {
    let (story, evidence) = renewed(|_| {});
    let ben = story.verify(&evidence).unwrap();
    assert_eq!((ben.attested_at(), ben.is_fresh()), (story.now - HOUR / 2, true));
    let without = Evidence { renewals: vec![], ..evidence.clone() };
    let ben = story.verify(&without).unwrap();
    assert_eq!((ben.attested_at(), ben.is_fresh()), (NOW - HOUR, false));
    let travelled = Evidence::parse(&evidence.to_value().to_string()).unwrap();
    assert_eq!(travelled, evidence);
    assert!(!without.to_value().to_string().contains("renewals"), "what is empty does not travel");
}

#[test]
fn what_the_owner_signs_is_what_is_documented() {
    let (story, evidence) = renewed(|_| {});
    let original = PkToken::parse(&evidence.tokens[0]).unwrap();
    let id_token = evidence.renewals[0].split_once('.').unwrap().1.rsplit_once('.').unwrap().0;
    let renewal = Renewal::sign(&original, id_token, &story.irk).unwrap();
    assert_eq!(renewal.text(), evidence.renewals[0]);
    assert_eq!(renewal.pkt_hash(), original.hash());
    assert!(!format!("{renewal:?}").contains(id_token));
}

#[test]
fn a_renewal_is_of_the_same_person_for_the_same_client_and_later() {
    for (name, value) in [
        ("sub", json!("mallory-1")),
        ("aud", json!("another")),
        ("aud", json!(["parlance"])),
        ("iss", json!("https://second.example")),
        ("nonce", json!("another")),
    ] {
        assert_eq!(refused(claim(name, value)), VerifyError::Renewal(RenewalError::Differs(name)), "{name}");
    }
    for at in [NOW - HOUR, NOW - 2 * HOUR] {
        let bend = |story: &mut Story| {
            story.claims.insert("iat".into(), json!(at));
            story.claims.insert("exp".into(), json!(at + HOUR));
        };
        assert_eq!(refused(bend), VerifyError::Renewal(RenewalError::NotLater));
    }
    let nonce = |story: &mut Story| {
        let nonce = story.cic.nonce();
        story.claims.insert("nonce".into(), json!(nonce));
    };
    let (story, evidence) = renewed(nonce);
    assert!(story.verify(&evidence).is_ok(), "the nonce of the sign-in may stand in it");
}

#[test]
fn a_renewal_is_checked_like_any_token() {
    let late = NOW + 60 * DAY;
    assert_eq!(refused(claim("exp", json!(late - HOUR))).code(), "expires-before-issue");
    assert_eq!(refused(claim("exp", json!(late + 2 * DAY))).code(), "lives-too-long");
    assert_eq!(refused(claim("nbf", json!(late + HOUR))).code(), "not-yet-valid");
    let future = |story: &mut Story| {
        story.claims.insert("iat".into(), json!(late + HOUR));
        story.claims.insert("exp".into(), json!(late + 2 * HOUR));
    };
    assert_eq!(refused(future).code(), "from-the-future");
    let header = |name: &'static str, value: Value| {
        refused(move |story| {
            story.header.insert(name.into(), value);
        })
    };
    assert_eq!(header("typ", json!("at+jwt")).code(), "wrong-token-type");
    assert_eq!(header("typ", json!("dpop+id_token")).code(), "foreign-bound-key");
    assert_eq!(header("kid", json!("k2")), VerifyError::NeedsJwks { issuer: ISSUER.into() });
    let unsigned = VerifyError::Renewal(RenewalError::Token(TokenError::ForbiddenAlgorithm));
    assert_eq!(header("alg", json!("none")), unsigned);
    let (mut story, evidence) = renewed(|story| story.key = IssuerKey::for_alg("EdDSA"));
    story.key = IssuerKey::for_alg("EdDSA");
    assert_eq!(story.verify(&evidence), Err(VerifyError::IssuerSignature));
}

#[test]
fn a_renewal_stands_beside_its_own_token_and_there_are_few() {
    let (story, mut evidence) = renewed(|_| {});
    let id_token = evidence.renewals[0].split_once('.').unwrap().1.rsplit_once('.').unwrap().0.to_owned();
    evidence.renewals = vec![by_hand("another token", &id_token, &story.irk)];
    assert_eq!(story.verify(&evidence), Err(VerifyError::Renewal(RenewalError::Orphan)));
    for text in ["", ".", "AAAA.e30.e30.e30.AAAA", &"A".repeat(RENEWAL_LIMIT + 1)] {
        evidence.renewals = vec![text.to_owned()];
        let error = story.verify(&evidence).unwrap_err();
        assert_eq!((error.step(), error.code()), (0, "renewal-malformed"), "{text}");
    }
    evidence.renewals = vec!["x".into(); RENEWALS_LIMIT + 1];
    assert_eq!(Evidence::from_value(&evidence.to_value()), Err(EvidenceError::Renewals));
}

#[test]
fn only_the_root_key_that_counts_renews() {
    let wrong = Err(VerifyError::Renewal(RenewalError::WrongSignature));
    let (mut story, mut evidence) = renewed(|_| {});
    let id_token = evidence.renewals[0].split_once('.').unwrap().1.rsplit_once('.').unwrap().0.to_owned();
    for thief in [SigningKey::generate(), story.device.clone()] {
        let renewal = by_hand(&evidence.tokens[0], &id_token, &thief);
        assert_eq!(story.verify(&Evidence { renewals: vec![renewal], ..evidence.clone() }), wrong);
    }
    // After a rotation, the old key no longer renews; the new one does.
    let new = SigningKey::generate();
    story.chain.rotate_irk(&story.irk, Signer::Irk, new.verifying_key(), NOW).unwrap();
    evidence.chain = story.chain.texts();
    assert_eq!(story.verify(&evidence), wrong);
    evidence.renewals = vec![by_hand(&evidence.tokens[0], &id_token, &new)];
    assert!(story.verify(&evidence).is_ok());
}

#[test]
fn a_renewal_introduces_a_stranger_when_the_token_alone_is_too_old() {
    let (mut story, evidence) = renewed(|_| {});
    story.policy.first_contact_age_s = 30 * DAY;
    assert!(story.verify(&evidence).is_ok());
    let without = Evidence { renewals: vec![], ..evidence };
    assert!(matches!(story.verify(&without), Err(VerifyError::TooOld { .. })));
}

#[test]
fn an_organisations_age_limit_holds_for_contacts_too() {
    let (mut story, evidence) = renewed(|_| {});
    let ben = story.verify(&evidence).unwrap();
    story.pins.remember(&ben, story.now);
    story.policy.max_age_s = Some(DAY);
    assert!(story.verify(&evidence).is_ok());
    story.now += DAY;
    let error = story.verify(&evidence).unwrap_err();
    assert_eq!(error, VerifyError::Stale { age_s: DAY + HOUR / 2, limit_s: DAY });
    assert_eq!((error.step(), error.code()), (8, "attestation-stale"));
    story.policy.max_age_s = None;
    assert!(story.verify(&evidence).is_ok());
}

#[test]
fn an_issuer_spells_the_type_of_a_bound_token_as_its_entry_says() {
    let spelled = |cnf: Option<Value>, configured: Option<&str>| {
        let mut story = Story::new().header("typ", json!("id_token+cnf"));
        if let Some(jwk) = cnf {
            story.claims.insert("cnf".into(), json!({ "jwk": jwk }));
        }
        let configured = configured.map(str::to_owned);
        story.entry(|entry| entry.key_binding_typ = configured)
    };
    let jwk = |key: &SigningKey| json!({ "kty": "OKP", "crv": "Ed25519", "x": key.verifying_key() });
    let mut bound = spelled(None, Some("id_token+cnf"));
    let own = jwk(&bound.irk);
    bound.claims.insert("cnf".into(), json!({ "jwk": own }));
    assert!(bound.tell().is_ok());
    let other = jwk(&SigningKey::generate());
    assert_eq!(spelled(Some(other.clone()), Some("id_token+cnf")).fails_at(7), VerifyError::ForeignBoundKey);
    assert_eq!(spelled(None, Some("id_token+cnf")).fails_at(7), VerifyError::ForeignBoundKey);
    assert_eq!(spelled(Some(other), None).fails_at(7), VerifyError::WrongTokenType);
    let mut nonce = spelled(None, Some("id_token+cnf"));
    let own = jwk(&nonce.irk);
    nonce.claims.insert("cnf".into(), json!({ "jwk": own }));
    assert_eq!(nonce.claim("nonce", json!("another")).fails_at(7), VerifyError::ForeignNonce);
    let long = IssuerEntry { key_binding_typ: Some("x".repeat(65)), ..IssuerEntry::new(ISSUER) };
    assert_eq!(IssuerTable::new().add(long), Err(IssuerTableError::BadLists));
}
