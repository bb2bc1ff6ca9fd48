//! The checks run in their order: whatever else is wrong, the first fault is the one that is told.

use crate::common::*;
use identity::*;
use keys::SigningKey;
use serde_json::json;

/// Bends one thing that one step notices.
type Fault = (u8, &'static str, fn(&mut Story));

/// One fault for each step a story can be bent at before its token is made. Applied together, the earliest
/// must win; each is written so that it hides none of the others.
const FAULTS: [Fault; 15] = [
    (0, "token-forbidden-header", |story| {
        story.header.insert("crit".into(), json!([]));
    }),
    (1, "unknown-issuer", |story| story.table = IssuerTable::new()),
    (2, "cic-signature", |story| story.irk = SigningKey::generate()),
    (3, "needs-jwks", |story| story.jwks = JwksBook::default()),
    (4, "issuer-signature", |story| story.key = IssuerKey::for_alg("EdDSA")),
    (6, "foreign-audience", |story| {
        story.claims.insert("aud".into(), json!("another"));
    }),
    (7, "foreign-nonce", |story| {
        story.claims.insert("nonce".into(), json!("another"));
    }),
    (8, "expires-before-issue", |story| {
        story.claims.insert("exp".into(), json!(NOW - HOUR));
    }),
    (9, "wrong-acr", |story| {
        let mut entries: Vec<IssuerEntry> = std::mem::take(&mut story.table).into();
        for entry in &mut entries {
            entry.acr = vec!["high".into()];
        }
        story.table = entries.try_into().unwrap();
    }),
    (10, "bad-subject", |story| {
        story.claims.insert("sub".into(), json!(""));
    }),
    (11, "bad-display-claim", |story| {
        story.claims.insert("name".into(), json!(7));
    }),
    (12, "device-unknown", |story| story.device = SigningKey::generate()),
    (13, "key-change", |story| {
        let mut other = Story::new();
        let evidence = other.evidence();
        let known = other.verify(&evidence).unwrap();
        story.pins.remember(&known, NOW);
    }),
    (14, "rolled-back", |story| {
        let mut longer = story.chain.clone();
        for _ in 0..3 {
            longer.add_device(&story.irk, SigningKey::generate().verifying_key(), "x", NOW + DAY, NOW).unwrap();
        }
        story.pins.saw_head(story.chain.persona(), longer.head());
    }),
    (15, "too-few-issuers", |story| story.policy.issuers_required = 2),
];

/// Applies the given faults from the last to the first, so that no fault needs what an earlier one broke.
fn bent(faults: &[Fault]) -> VerifyError {
    let mut story = Story::new();
    for (_, _, bend) in faults.iter().rev() {
        bend(&mut story);
    }
    story.tell().expect_err("a bent story does not verify")
}

#[test]
fn each_fault_alone_is_told_by_its_own_step_and_word() {
    for fault in FAULTS {
        let error = bent(&[fault]);
        assert_eq!((error.step(), error.code()), (fault.0, fault.1));
    }
}

#[test]
fn of_all_faults_from_a_step_on_the_first_is_told() {
    for first in 0..FAULTS.len() {
        let error = bent(&FAULTS[first..]);
        assert_eq!((error.step(), error.code()), (FAULTS[first].0, FAULTS[first].1));
    }
}

#[test]
fn of_any_two_faults_the_earlier_is_told() {
    for (place, first) in FAULTS.iter().enumerate() {
        for second in &FAULTS[place + 1..] {
            let error = bent(&[*first, *second]);
            assert_eq!(error.code(), first.1, "beside {}", second.1);
        }
    }
}
