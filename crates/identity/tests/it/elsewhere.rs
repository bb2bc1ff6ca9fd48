//! What we write is read by another JOSE library on another runtime, byte for byte (tests/issuer/check-pkt.mjs).

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::common::{DAY, HOUR, NOW, Story};
use identity::*;
use keys::SigningKey;
use serde_json::json;

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/issuer")
}

/// Installs the script's library once, however many tests start at the same time; signin's tests share it.
fn install() {
    let lock = File::create(std::env::temp_dir().join("parlance-test-issuer.lock")).unwrap();
    lock.lock().unwrap();
    if !folder().join("node_modules/jose").exists() {
        let done = Command::new("npm").arg("ci").current_dir(folder()).stdout(Stdio::null()).status();
        assert!(done.expect("npm is installed").success(), "npm ci in tests/issuer");
    }
}

fn check_elsewhere(story: &Story, evidence: &Evidence) -> String {
    install();
    let jwks = json!({ "keys": [story.key.jwk("k1")] }).to_string();
    let mut child = Command::new("node")
        .args(["check-pkt.mjs", &jwks])
        .current_dir(folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Node.js is installed");
    child.stdin.take().unwrap().write_all(evidence.to_value().to_string().as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
}

/// Ben's token, a rotation, and a renewal signed by the new root key.
fn ben() -> (Story, Evidence, SigningKey) {
    let mut story = Story::signed_with("ES256");
    let mut evidence = story.evidence();
    let new = SigningKey::generate();
    story.chain.rotate_irk(&story.irk, Signer::Irk, new.verifying_key(), NOW).unwrap();
    evidence.chain = story.chain.texts();
    story.claims.remove("nonce");
    story.claims.insert("iat".into(), json!(NOW + DAY));
    story.claims.insert("exp".into(), json!(NOW + DAY + HOUR));
    let original = PkToken::parse(&evidence.tokens[0]).unwrap();
    evidence.renewals = vec![Renewal::sign(&original, &story.id_token(), &new).unwrap().text().to_owned()];
    story.now = NOW + DAY;
    (story, evidence, new)
}

#[test]
fn evidence_with_a_renewal_holds_elsewhere_too() {
    let (story, evidence, _) = ben();
    assert!(story.verify(&evidence).is_ok());
    assert_eq!(check_elsewhere(&story, &evidence), "OK ben-7");
}

#[test]
fn what_we_refuse_is_refused_elsewhere_too() {
    let (mut story, evidence, new) = ben();
    let resigned = |key: &SigningKey, id_token: &str| {
        let original = PkToken::parse(&evidence.tokens[0]).unwrap();
        let renewal = Renewal::sign(&original, id_token, key).unwrap().text().to_owned();
        Evidence { renewals: vec![renewal], ..evidence.clone() }
    };
    let stranger = resigned(&SigningKey::generate(), &story.id_token());
    assert!(story.verify(&stranger).is_err());
    assert_eq!(check_elsewhere(&story, &stranger), "REFUSED renewal: root key");
    let key = std::mem::replace(&mut story.key, crate::common::IssuerKey::for_alg("ES256"));
    let forged = resigned(&new, &story.id_token());
    story.key = key;
    assert_eq!(story.verify(&forged), Err(VerifyError::IssuerSignature));
    assert_eq!(check_elsewhere(&story, &forged), "REFUSED renewal: ERR_JWS_SIGNATURE_VERIFICATION_FAILED");
    let mut unlinked = evidence.clone();
    unlinked.chain.remove(1);
    assert!(story.verify(&unlinked).is_err());
    assert_eq!(check_elsewhere(&story, &unlinked), "REFUSED chain: link 1");
}
