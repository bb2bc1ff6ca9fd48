//! Whatever a stranger sends, the answer is a typed refusal, never a crash and never a recognition.

use std::sync::LazyLock;

use crate::common::*;
use identity::*;
use proptest::prelude::*;
use serde_json::{Value, json};

/// One good story, told once: making keys for each case would be most of the work.
static GOOD: LazyLock<(Story, Evidence)> = LazyLock::new(|| {
    let mut story = Story::new();
    let evidence = story.evidence();
    (story, evidence)
});

fn json_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::hash_map("[a-z]{1,6}", inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn any_text_is_read_or_refused(text in ".{0,400}") {
        let _ = (PkToken::parse(&text).is_ok(), Evidence::parse(&text).is_ok(), Jwks::parse(&text).is_ok());
        let _ = (Entry::parse(&text).is_ok(), Cic::parse(&text).is_ok(), Sigchain::parse(&[text]).is_ok());
    }

    #[test]
    fn any_bytes_are_a_credential_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        prop_assert!(DeviceCredential::decode(&bytes).is_err());
    }

    #[test]
    fn any_json_is_a_key_set_or_refused(keys in prop::collection::vec(json_value(), 0..4)) {
        let _ = Jwks::parse(&json!({ "keys": keys }).to_string());
    }

    #[test]
    fn one_changed_byte_of_a_token_is_noticed(at in any::<prop::sample::Index>(), to in 0x20u8..0x7f) {
        let (story, evidence) = &*GOOD;
        let mut token = evidence.tokens[0].clone().into_bytes();
        let at = at.index(token.len());
        prop_assume!(token[at] != to);
        token[at] = to;
        let changed = Evidence { tokens: vec![String::from_utf8(token).unwrap()], ..evidence.clone() };
        prop_assert!(story.verify(&changed).is_err());
    }

    #[test]
    fn one_changed_byte_of_a_chain_is_noticed(entry in 0usize..3, at in any::<prop::sample::Index>(), to in 0x20u8..0x7f) {
        let (story, evidence) = &*GOOD;
        let mut changed = evidence.clone();
        let mut text = changed.chain[entry].clone().into_bytes();
        let at = at.index(text.len());
        prop_assume!(text[at] != to);
        text[at] = to;
        changed.chain[entry] = String::from_utf8(text).unwrap();
        prop_assert!(story.verify(&changed).is_err());
    }

    #[test]
    fn an_issuer_that_signs_nonsense_gets_a_typed_refusal(name in "(iss|sub|aud|azp|nonce|iat|exp|nbf|auth_time|acr|amr|email|email_verified|name|picture|cnf|hd)", value in json_value()) {
        let story = Story::new().claim(&name, value).entry(|entry| {
            (entry.max_auth_age_s, entry.trusts_hd) = (Some(60), true);
        });
        let _ = story.tell().map_err(|error| (error.step(), error.code(), error.to_string()));
    }

    #[test]
    fn any_header_gets_a_typed_refusal_or_is_read(name in "(alg|kid|typ|crit|b64)", value in json_value()) {
        let _ = Story::new().with(|story| {
            story.header.insert(name.clone(), value.clone());
            if name == "alg" {
                story.key = IssuerKey::for_alg("EdDSA");
            }
        }).tell();
    }
}

#[test]
fn evidence_is_bounded() {
    let (_, evidence) = &*GOOD;
    let again = Evidence::parse(&evidence.to_value().to_string()).unwrap();
    assert_eq!(&again, evidence);
    assert_eq!(Evidence::parse(&" ".repeat(EVIDENCE_LIMIT + 1)), Err(EvidenceError::TooLarge));
    let many = Evidence { tokens: vec![String::new(); TOKENS_LIMIT + 1], ..evidence.clone() };
    let none = Evidence { tokens: vec![], ..evidence.clone() };
    for bad in [many, none] {
        assert_eq!(Evidence::from_value(&bad.to_value()), Err(EvidenceError::Tokens));
    }
    let empty = Evidence { chain: vec![], ..evidence.clone() };
    assert_eq!(Evidence::from_value(&empty.to_value()), Err(EvidenceError::Chain));
}

#[test]
fn only_believed_issuers_are_ever_asked_for_keys() {
    let (story, evidence) = &*GOOD;
    let own = |_: &message::Domain| "http://b.localhost:7102".to_owned();
    assert_eq!(evidence.issuers(&story.table, &own), [ISSUER]);
    assert!(evidence.issuers(&IssuerTable::new(), &own).is_empty());
}
