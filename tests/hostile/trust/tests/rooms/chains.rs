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

/// Ben, known to a contact, and what somebody shows who signed in as `sub` and asks for a reset at `at`.
fn reset(sub: &str, at: i64) -> (Story, SigningKey, SigningKey, Evidence) {
    let mut story = Story::new();
    let evidence = story.evidence();
    let ben = story.verify(&evidence).unwrap();
    story.pins.remember(&ben, NOW);
    let (old_irk, old_device) = (story.irk.clone(), story.device.clone());
    (story.irk, story.device) = (SigningKey::generate(), SigningKey::generate());
    story.cic = Cic::new(story.irk.verifying_key(), story.chain.genesis_hash());
    let times = [("iat", json!(at)), ("exp", json!(at + HOUR))];
    for (name, value) in [("nonce", json!(story.cic.nonce())), ("sub", json!(sub))].into_iter().chain(times) {
        story.claims.insert(name.into(), value);
    }
    let token = story.token_text();
    let pkt_hash = Digest::of(token.as_bytes());
    story.chain.reset(&story.irk, pkt_hash, at).unwrap();
    story.chain.add_device(&story.irk, story.device.verifying_key(), "a new phone", at + 200 * DAY, at).unwrap();
    let word = Attest { pkt_hash, iss: ISSUER.into(), sub: sub.into(), until: at + 80 * DAY };
    story.chain.attest(&story.irk, word, at).unwrap();
    let evidence = story.showing(vec![token]);
    (story, old_irk, old_device, evidence)
}

/// Attack: T-51
/// By: anybody who knows Ben's history
/// Does: hangs a reset on it without an issuer's token, or with a token of their own account
/// Holds: Ben stays who he was to everybody, and what hangs there counts nothing however long it waits
#[test]
fn a_reset_without_the_issuers_word_counts_nothing() {
    let mut ben = Story::new();
    let honest = ben.evidence();
    let mut hung = ben.chain.clone();
    let (thief, phone) = (SigningKey::generate(), SigningKey::generate().verifying_key());
    hung.reset(&thief, Digest([3; 32]), NOW).unwrap();
    hung.add_device(&thief, phone, "mine", NOW + 100 * DAY, NOW).unwrap();
    ben.now = NOW + 20 * DAY;
    let shown = Evidence { chain: hung.texts(), ..honest.clone() };
    let seen = ben.verify(&shown).unwrap();
    assert_eq!((*seen.irk(), seen.pending_reset()), (ben.irk.verifying_key(), None));
    assert_eq!(ben.verify(&Evidence { device: phone, ..shown }), Err(VerifyError::Device(DeviceError::Unknown)));
    ben.pins.remember(&seen, ben.now);
    assert!(ben.verify(&honest).is_ok(), "his own history is not taken for a shortened one");
    let (mut mallory, .., evidence) = reset("mallory-1", NOW);
    for later in [0, RESET_DELAY_S, 60 * DAY] {
        mallory.now = NOW + later;
        assert_eq!(mallory.verify(&evidence), Err(VerifyError::ResetUnfounded));
    }
}

/// Attack: T-52
/// By: a thief of Ben's account at his issuer
/// Does: asks for a reset, and wants it to count before 72 hours are over; dates it back
/// Holds: a contact waits 72 hours from when the contact saw it, whatever its date says
#[test]
fn a_reset_counts_for_nobody_before_its_time() {
    let (mut story, .., evidence) = reset("ben-7", NOW);
    let pending = |story: &Story| match story.verify(&evidence) {
        Err(VerifyError::ResetPending(pending)) => *pending,
        other => panic!("{other:?}"),
    };
    story.now = NOW + 10 * DAY;
    let seen = pending(&story);
    assert_eq!(seen.until, story.now + RESET_DELAY_S, "ten days old by its date, and new to the contact");
    story.pins.saw_reset(seen.persona, seen.reset, story.now);
    story.now += RESET_DELAY_S - 1;
    assert_eq!(pending(&story).until, seen.until);
    story.now += 1;
    assert!(story.verify(&evidence).is_ok(), "the honest case");
}

/// Attack: T-53
/// By: a thief of Ben's account at his issuer, to whom Ben's laptop said no
/// Does: leaves the veto out, waits it out, and says no to a reset with a key that is not of before
/// Holds: the veto stands for who saw it, and only keys of before have one
#[test]
fn a_veto_is_not_left_out_and_not_anybodys() {
    let (mut story, _, laptop, evidence) = reset("ben-7", NOW);
    let Err(VerifyError::ResetPending(seen)) = story.verify(&evidence) else { panic!("it does not wait") };
    story.pins.saw_reset(seen.persona, seen.reset, NOW);
    let mut chain = story.chain.clone();
    for (key, by) in [
        (&SigningKey::generate(), Signer::Device(laptop.verifying_key())),
        (&SigningKey::generate(), Signer::Irk),
        (&story.irk, Signer::Irk),
        (&story.device, Signer::Device(story.device.verifying_key())),
    ] {
        assert!(chain.veto(key, by, seen.reset, NOW + HOUR).is_err());
    }
    chain.veto(&laptop, Signer::Device(laptop.verifying_key()), seen.reset, NOW + HOUR).unwrap();
    let vetoed = Evidence { chain: chain.texts(), ..evidence.clone() };
    for later in [HOUR, RESET_DELAY_S, 60 * DAY] {
        story.now = NOW + later;
        assert_eq!(story.verify(&vetoed), Err(VerifyError::ResetVetoed));
    }
    story.pins.saw_head(seen.persona, chain.head());
    story.now = NOW + RESET_DELAY_S;
    assert_eq!(story.verify(&evidence), Err(VerifyError::RolledBack { by: 1 }));
}

/// Attack: T-54
/// By: a thief of an old device, after a reset has come to count
/// Does: says no to it after all, and dates the no back
/// Holds: refused where the new key has spoken since; dated as it must be, it is too late
#[test]
fn a_veto_is_not_dated_back() {
    let (mut story, old, ..) = reset("ben-7", NOW);
    let hash = story.chain.resets().next().unwrap().hash;
    let phone = SigningKey::generate().verifying_key();
    story.chain.add_device(&story.irk, phone, "phone", NOW + 100 * DAY, NOW + RESET_DELAY_S).unwrap();
    let mut payload = next(&story.chain, "veto", json!({ "reset": hash }));
    payload["iat"] = json!(NOW + HOUR);
    let seq = story.chain.head().seq + 1;
    assert_eq!(with(&story.chain, entry(&old, &payload)).unwrap_err(), ChainError::BackInTime { seq });
    payload["iat"] = json!(NOW + RESET_DELAY_S);
    let mut late = with(&story.chain, entry(&old, &payload)).unwrap();
    late.settle(NOW + 9 * DAY, &|_| Some(NOW));
    assert_eq!(late.irk(), story.irk.verifying_key());
}

/// Attack: T-55
/// By: a stolen device, and a stranger
/// Does: puts another root key in the place of Ben's
/// Holds: only the root key and the recovery key replace it
#[test]
fn a_root_key_is_replaced_by_itself_or_the_recovery_key_only() {
    let [irk, rk, device, stranger] = std::array::from_fn(|_| SigningKey::generate());
    let mut chain = Sigchain::create(&irk, Some(rk.verifying_key()), NOW);
    chain.add_device(&irk, device.verifying_key(), "laptop", NOW + DAY, NOW).unwrap();
    let mut payload = next(&chain, "rotate_irk", json!({ "irk": stranger.verifying_key() }));
    assert!(with(&chain, entry(&irk, &payload)).is_ok(), "the honest case");
    for key in [&device, &rk, &stranger] {
        assert_eq!(with(&chain, entry(key, &payload)).unwrap_err(), ChainError::WrongSignature { seq: 2 });
    }
    payload["by"] = json!("rk");
    assert!(with(&chain, entry(&rk, &payload)).is_ok(), "the other honest case");
    for key in [&device, &irk, &stranger] {
        assert_eq!(with(&chain, entry(key, &payload)).unwrap_err(), ChainError::WrongSignature { seq: 2 });
    }
    payload["by"] = json!("dsk");
    assert!(with(&chain, entry(&device, &payload)).is_err());
}

/// Attack: T-56
/// By: a thief of a root key that has been replaced
/// Does: signs further entries with it, and puts it back into force
/// Holds: refused, a key that was replaced never counts again
#[test]
fn a_replaced_root_key_signs_nothing_more() {
    let [old, new, spy_key] = std::array::from_fn(|_| SigningKey::generate());
    let mut chain = Sigchain::create(&old, None, NOW);
    chain.rotate_irk(&old, Signer::Irk, new.verifying_key(), NOW).unwrap();
    for (kind, body) in [
        ("add_device", spy()),
        ("rotate_irk", json!({ "irk": spy_key.verifying_key() })),
        ("link_idp", json!({ "iss": ISSUER, "sub": "mallory-1" })),
    ] {
        let payload = next(&chain, kind, body);
        assert_eq!(with(&chain, entry(&old, &payload)).unwrap_err(), ChainError::WrongSignature { seq: 2 }, "{kind}");
        assert!(with(&chain, entry(&new, &payload)).is_ok(), "{kind} by the key that counts");
    }
    let back = next(&chain, "rotate_irk", json!({ "irk": old.verifying_key() }));
    assert_eq!(with(&chain, entry(&new, &back)).unwrap_err(), ChainError::RootReused { seq: 2 });
}

/// Attack: T-57
/// By: a member who tells how Ben's history goes on
/// Does: tells entries of another history, of a fork, and such as leave some out
/// Holds: nothing of it is taken, the known history stays as it was
#[test]
fn a_history_goes_on_from_its_own_head_only() {
    let story = Story::new();
    let (mut known, irk) = (story.chain.clone(), story.irk.clone());
    let device = |chain: &mut Sigchain, name: &str| {
        chain.add_device(&irk, SigningKey::generate().verifying_key(), name, NOW + DAY, NOW).unwrap();
    };
    let mut fork = known.clone();
    device(&mut fork, "hidden");
    device(&mut fork, "hidden too");
    device(&mut known, "phone");
    let mut longer = known.clone();
    device(&mut longer, "tablet");
    device(&mut longer, "watch");
    let before = known.head();
    let foreign = Story::new().evidence().chain;
    for told in [&foreign[..], &foreign[2..], &fork.suffix(2)[..], &fork.suffix(3)[..], &longer.suffix(4)[..]] {
        assert!(known.extend(told).is_err());
        assert_eq!(known.head(), before);
    }
    assert_eq!(known.extend(&longer.suffix(3)), Ok(2), "the honest case");
}
