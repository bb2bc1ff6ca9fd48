//! Attacks on the history of a persona: forged, forked, shortened and foreign entries.

use identity::*;
use keys::SigningKey;
use serde_json::{Value, json};

use crate::identity_story::*;

/// An entry written by hand: any payload, signed with any key.
fn entry(key: &SigningKey, payload: &Value) -> String {
    let payload = keys::b64url(payload.to_string().as_bytes());
    format!("{payload}.{}", key.sign(format!("parlance-sigchain-v1\n{payload}").as_bytes()))
}

/// The payload of a next entry.
fn next(chain: &Sigchain, kind: &str, body: Value) -> Value {
    let head = chain.head();
    json!({ "v": 1, "seq": head.seq + 1, "prev": head.hash, "type": kind, "iat": NOW, "body": body })
}

fn spy() -> Value {
    json!({ "dsk": SigningKey::generate().verifying_key(), "name": "spy", "expires": NOW + DAY })
}

fn with(chain: &Sigchain, text: String) -> Result<Sigchain, ChainError> {
    let mut texts = chain.texts();
    texts.push(text);
    Sigchain::parse(&texts)
}

/// Attack: T-40
/// By: a stolen device, a thief of the recovery words, and a stranger
/// Does: sign an entry that adds a device
/// Holds: refused, only the root key adds devices
#[test]
fn nobody_but_the_root_key_adds_a_device() {
    let (irk, rk, device) = (SigningKey::generate(), SigningKey::generate(), SigningKey::generate());
    let mut chain = Sigchain::create(&irk, Some(rk.verifying_key()), NOW);
    chain.add_device(&irk, device.verifying_key(), "laptop", NOW + DAY, NOW).unwrap();
    let payload = next(&chain, "add_device", spy());
    assert!(with(&chain, entry(&irk, &payload)).is_ok(), "the honest case");
    for key in [&device, &rk, &SigningKey::generate()] {
        assert!(with(&chain, entry(key, &payload)).is_err());
    }
    for (by, key) in [("rk", &rk), ("dsk", &device)] {
        let mut named = payload.clone();
        named["by"] = json!(by);
        assert!(with(&chain, entry(key, &named)).is_err(), "{by}");
    }
}

/// Attack: T-41
/// By: a registry
/// Does: shows a history without its last entries, among them a revocation
/// Holds: refused by everybody who saw them
#[test]
fn a_history_does_not_grow_shorter() {
    let mut story = Story::new();
    let old = story.evidence();
    let ben = story.verify(&old).unwrap();
    story.chain.revoke_device(&story.irk, Signer::Irk, story.device.verifying_key(), NOW).unwrap();
    story.pins.saw_head(ben.persona(), story.chain.head());
    assert_eq!(story.verify(&old), Err(VerifyError::RolledBack { by: 1 }));
}

/// Attack: T-42
/// By: the owner of a root key, or its thief
/// Does: shows different histories to different people
/// Holds: who sees both heads has a proof that anybody can check
#[test]
fn two_heads_are_a_proof() {
    let mut story = Story::new();
    let evidence = story.evidence();
    let ben = story.verify(&evidence).unwrap();
    let mut other = Sigchain::parse(&evidence.chain[..2]).unwrap();
    other.add_device(&story.irk, SigningKey::generate().verifying_key(), "hidden", NOW + DAY, NOW - HOUR).unwrap();
    story.pins.saw_head(ben.persona(), other.head());
    let Err(VerifyError::Equivocation(proof)) = story.verify(&evidence) else { panic!("no alarm") };
    for text in [&proof.seen.0, &proof.shown.0] {
        Entry::parse(text).unwrap().check_signature(ben.irk()).unwrap();
    }
    assert_ne!(proof.seen, proof.shown);
}

/// Attack: T-43
/// By: somebody with a persona of her own
/// Does: shows her token with Ben's chain, and Ben's chain with a commitment to her key
/// Holds: refused
#[test]
fn a_token_belongs_to_one_chain_and_one_root_key() {
    let mut ben = Story::new();
    let bens = ben.evidence();
    let mut mallory = Story::new().with(|mallory| mallory.jwks = ben.jwks.clone());
    mallory.key = IssuerKey::for_alg("EdDSA");
    let jwk = mallory.key.jwk("k1");
    let mut mallory = mallory.publish(jwk);
    let token = mallory.evidence().tokens.remove(0);
    let mixed = Evidence { tokens: vec![token], ..bens };
    assert_eq!(mallory.verify(&mixed), Err(VerifyError::ForeignChain));
    let story = Story::new().with(|story| {
        story.irk = SigningKey::generate();
        story.cic = Cic::new(story.irk.verifying_key(), story.chain.genesis_hash());
    });
    let nonce = story.cic.nonce();
    assert_eq!(story.claim("nonce", json!(nonce)).fails_at(12), VerifyError::ForeignRootKey);
}

/// Attack: T-44
/// By: a device that was revoked, has expired, or was never added
/// Does: shows the persona's evidence
/// Holds: refused, each with its reason
#[test]
fn a_device_that_does_not_count_speaks_for_nobody() {
    let unknown = Story::new().with(|story| story.device = SigningKey::generate());
    assert_eq!(unknown.fails_at(12), VerifyError::Device(DeviceError::Unknown));
    let revoked = Story::new().with(|story| {
        story.chain.revoke_device(&story.irk, Signer::Irk, story.device.verifying_key(), NOW - HOUR).unwrap();
    });
    assert_eq!(revoked.fails_at(12), VerifyError::Device(DeviceError::Revoked));
    let mut expired = Story::new();
    let evidence = expired.evidence();
    let ben = expired.verify(&evidence).unwrap();
    expired.pins.remember(&ben, NOW);
    expired.now = NOW + 200 * DAY;
    assert_eq!(expired.verify(&evidence), Err(VerifyError::Device(DeviceError::Expired { since: NOW + 200 * DAY })));
}

/// Attack: T-45
/// By: a thief of the root key, after the device was revoked
/// Does: adds the revoked device again
/// Holds: refused, a revocation is for good
#[test]
fn a_revoked_device_stays_revoked() {
    let (irk, device) = (SigningKey::generate(), SigningKey::generate());
    let mut chain = Sigchain::create(&irk, None, NOW);
    chain.add_device(&irk, device.verifying_key(), "laptop", NOW + DAY, NOW).unwrap();
    chain.revoke_device(&irk, Signer::Irk, device.verifying_key(), NOW).unwrap();
    let body = json!({ "dsk": device.verifying_key(), "name": "laptop", "expires": NOW + DAY });
    let again = with(&chain, entry(&irk, &next(&chain, "add_device", body)));
    assert!(matches!(again, Err(ChainError::Device { .. })), "{again:?}");
}

/// Attack: T-46
/// By: whoever passes a chain on
/// Does: leaves entries out, swaps them, doubles them, takes them from another chain, or begins twice
/// Holds: refused
#[test]
fn entries_cannot_be_moved() {
    let mut story = Story::new();
    let good = story.evidence().chain;
    assert_eq!(good.len(), 3);
    let foreign = Story::new().evidence().chain;
    let pick = |places: &[usize]| places.iter().map(|at| good[*at].clone()).collect::<Vec<_>>();
    let mut second_genesis = good.clone();
    second_genesis.push(entry(&story.irk, &next(&story.chain, "genesis", json!({ "irk": story.irk.verifying_key() }))));
    for chain in [
        vec![],
        pick(&[1, 2]),
        pick(&[0, 2]),
        pick(&[0, 2, 1]),
        pick(&[0, 0, 1]),
        pick(&[0, 1, 1, 2]),
        vec![foreign[0].clone(), good[1].clone()],
        vec![good[0].clone(), foreign[1].clone()],
        second_genesis,
    ] {
        assert!(Sigchain::parse(&chain).is_err(), "{} entries", chain.len());
    }
}

/// Attack: T-47
/// By: the owner of a chain
/// Does: makes it longer than anybody should read, or an entry larger
/// Holds: refused by the count, before a signature is checked
#[test]
fn a_chain_has_an_end() {
    let genesis = Story::new().chain.texts().remove(0);
    let begun = std::time::Instant::now();
    assert_eq!(Sigchain::parse(&vec![genesis; CHAIN_LIMIT + 1]).unwrap_err(), ChainError::TooManyEntries);
    assert!(begun.elapsed().as_secs() < 5, "nothing was verified");
    let long = format!("{}.x", "A".repeat(ENTRY_LIMIT));
    assert_eq!(Entry::parse(&long).unwrap_err(), ChainError::EntryTooLong);
}

/// Attack: T-48
/// By: the owner of a chain
/// Does: dates entries back, to have added a device before it was seen, or into the future
/// Holds: refused
#[test]
fn time_in_a_chain_goes_forward_and_not_ahead_of_us() {
    let story = Story::new();
    let mut payload = next(&story.chain, "add_device", spy());
    payload["iat"] = json!(NOW - 3 * HOUR);
    let back = with(&story.chain, entry(&story.irk, &payload));
    assert_eq!(back.unwrap_err(), ChainError::BackInTime { seq: 2 });
    let mut story = Story::new();
    let token = story.token_text();
    story.attest(&token);
    let irk = story.irk.clone();
    let ahead = NOW + CLOCK_SKEW_S + 1;
    story.chain.add_device(&irk, SigningKey::generate().verifying_key(), "later", ahead + DAY, ahead).unwrap();
    assert_eq!(
        story.verify(&story.showing(vec![token])),
        Err(VerifyError::ChainFromTheFuture { by_s: CLOCK_SKEW_S + 1 })
    );
}

/// Attack: T-49
/// By: an issuer, or whoever holds a token
/// Does: shows a token its owner never recorded, or recorded for another subject
/// Holds: refused, the root key has the last word
#[test]
fn a_token_its_owner_did_not_record_counts_nothing() {
    let story = Story::new();
    assert_eq!(story.verify(&story.showing(vec![story.token_text()])), Err(VerifyError::NotAttested));
    let mut story = Story::new();
    let token = story.token_text();
    let pkt_hash = Digest::of(token.as_bytes());
    let other = Attest { pkt_hash, iss: ISSUER.into(), sub: "ana-3".into(), until: NOW + DAY };
    story.chain.attest(&story.irk, other, NOW).unwrap();
    assert_eq!(story.verify(&story.showing(vec![token])), Err(VerifyError::NotAttested));
}

/// Attack: T-50
/// By: a member of a group
/// Does: sits at a leaf with the credential of another, or with one mixed of two
/// Holds: the credential names its device key, and the root key signed that
#[test]
fn a_credential_cannot_be_borrowed_or_mixed() {
    let persona = || {
        let (irk, laptop) = (SigningKey::generate(), SigningKey::generate().verifying_key());
        let mut chain = Sigchain::create(&irk, None, NOW);
        chain.add_device(&irk, laptop, "laptop", NOW + DAY, NOW).unwrap();
        (chain, laptop)
    };
    let ((ben, bens), (mallory, mallorys)) = (persona(), persona());
    let credential = DeviceCredential::of(&ben, &bens, &[], NOW).unwrap();
    assert_eq!(credential.check(&ben, &bens, NOW), Ok(()));
    assert_eq!(credential.check(&ben, &mallorys, NOW), Err(CredentialError::NotTheLeaf));
    assert_eq!(credential.check(&mallory, &bens, NOW), Err(CredentialError::ForeignChain));
    // Mallory's root key beside the certificate that Ben's root key signed.
    let mut mixed = credential.encode();
    let at = mixed.windows(32).position(|bytes| bytes == ben.irk().as_bytes()).unwrap();
    mixed[at..at + 32].copy_from_slice(mallory.irk().as_bytes());
    assert!(DeviceCredential::decode(&mixed).is_err());
}
