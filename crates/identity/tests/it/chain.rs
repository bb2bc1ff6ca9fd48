//! The history of a persona: what may be appended to it, by whom, and how two copies compare.

use crate::common::{DAY, NOW};
use identity::*;
use keys::SigningKey;

struct Ben {
    irk: SigningKey,
    rk: SigningKey,
    laptop: SigningKey,
    chain: Sigchain,
}

fn ben() -> Ben {
    let (irk, rk, laptop) = (SigningKey::generate(), SigningKey::generate(), SigningKey::generate());
    let mut chain = Sigchain::create(&irk, Some(rk.verifying_key()), NOW);
    chain.add_device(&irk, laptop.verifying_key(), "laptop", NOW + DAY, NOW).unwrap();
    Ben { irk, rk, laptop, chain }
}

/// An entry written by hand: any payload, signed with any key.
fn entry(key: &SigningKey, payload: &serde_json::Value) -> String {
    let payload = keys::b64url(payload.to_string().as_bytes());
    let signature = key.sign(format!("parlance-sigchain-v1\n{payload}").as_bytes());
    format!("{payload}.{signature}")
}

fn next(ben: &Ben, kind: &str, body: serde_json::Value) -> serde_json::Value {
    let head = ben.chain.head();
    serde_json::json!({ "v": 1, "seq": head.seq + 1, "prev": head.hash, "type": kind, "iat": NOW, "body": body })
}

fn append(ben: &Ben, key: &SigningKey, payload: &serde_json::Value) -> Result<Sigchain, ChainError> {
    let mut texts = ben.chain.texts();
    texts.push(entry(key, payload));
    Sigchain::parse(&texts)
}

#[test]
fn a_chain_travels_as_text_and_keeps_its_name() {
    let ben = ben();
    let read = Sigchain::parse(&ben.chain.texts()).unwrap();
    assert_eq!(
        (read.persona(), read.head(), read.irk()),
        (ben.chain.persona(), ben.chain.head(), ben.irk.verifying_key())
    );
    let name = read.persona().to_string();
    assert_eq!(name, keys::base32(&keys::sha256(ben.chain.texts()[0].as_bytes())));
    assert_eq!(PersonaId::parse(&name), Ok(read.persona()));
}

#[test]
fn a_handwritten_entry_of_the_documented_form_is_accepted() {
    let ben = ben();
    let phone = SigningKey::generate().verifying_key();
    let body = serde_json::json!({ "dsk": phone, "name": "phone", "expires": NOW + DAY });
    let chain = append(&ben, &ben.irk, &next(&ben, "add_device", body)).unwrap();
    assert_eq!(chain.device(&phone, NOW).unwrap().name, "phone");
}

#[test]
fn only_the_root_key_adds_devices() {
    let ben = ben();
    let body =
        serde_json::json!({ "dsk": SigningKey::generate().verifying_key(), "name": "spy", "expires": NOW + DAY });
    let mut payload = next(&ben, "add_device", body);
    for key in [&ben.laptop, &ben.rk, &SigningKey::generate()] {
        assert_eq!(append(&ben, key, &payload).unwrap_err(), ChainError::WrongSignature { seq: 2 });
    }
    payload["by"] = "rk".into();
    assert_eq!(append(&ben, &ben.rk, &payload).unwrap_err(), ChainError::WrongSigner { seq: 2 });
}

#[test]
fn the_recovery_key_can_revoke_a_lost_device() {
    let mut ben = ben();
    ben.chain.revoke_device(&ben.rk, Signer::Rk, ben.laptop.verifying_key(), NOW).unwrap();
    let read = Sigchain::parse(&ben.chain.texts()).unwrap();
    assert_eq!(read.device(&ben.laptop.verifying_key(), NOW), Err(DeviceError::Revoked));
}

#[test]
fn a_revoked_device_never_comes_back() {
    let mut ben = ben();
    let laptop = ben.laptop.verifying_key();
    ben.chain.revoke_device(&ben.irk, Signer::Irk, laptop, NOW).unwrap();
    let again = ben.chain.add_device(&ben.irk, laptop, "laptop", NOW + DAY, NOW);
    assert!(matches!(again, Err(ChainError::Device { seq: 3, .. })));
    assert_eq!(ben.chain.entries().len(), 3, "a refused entry is not kept");
}

#[test]
fn a_device_is_renewed_before_it_expires() {
    let mut ben = ben();
    let laptop = ben.laptop.verifying_key();
    assert_eq!(ben.chain.device(&laptop, NOW + DAY), Err(DeviceError::Expired { since: NOW + DAY }));
    ben.chain.add_device(&ben.irk, laptop, "laptop", NOW + 3 * DAY, NOW + DAY).unwrap();
    let device = ben.chain.device(&laptop, NOW + 2 * DAY).unwrap();
    assert_eq!((device.added, device.expires), (NOW, NOW + 3 * DAY));
}

#[test]
fn a_device_is_added_for_a_year_at_most_and_under_a_plain_name() {
    let mut ben = ben();
    let phone = SigningKey::generate().verifying_key();
    let long = "x".repeat(DEVICE_NAME_LIMIT + 1);
    for (name, expires) in [
        ("phone", NOW),
        ("phone", NOW + DEVICE_LIFE_LIMIT_S + 1),
        ("phone", i64::MAX),
        ("", NOW + DAY),
        (long.as_str(), NOW + DAY),
        ("a\nb", NOW + DAY),
    ] {
        assert!(
            matches!(ben.chain.add_device(&ben.irk, phone, name, expires, NOW), Err(ChainError::Device { .. })),
            "{name} {expires}"
        );
    }
}

#[test]
fn entries_stand_in_their_order_and_nothing_is_missing() {
    let ben = ben();
    let texts = ben.chain.texts();
    let [genesis, device] = texts.as_slice() else { panic!("two entries") };
    let other = Sigchain::create(&SigningKey::generate(), None, NOW).texts().remove(0);
    for (chain, error) in [
        (vec![], ChainError::Empty),
        (vec![device.clone()], ChainError::NoGenesis),
        (vec![genesis.clone(), genesis.clone()], ChainError::WrongNumber { expected: 1, got: 0 }),
        (vec![genesis.clone(), device.clone(), device.clone()], ChainError::WrongNumber { expected: 2, got: 1 }),
        (vec![other, device.clone()], ChainError::BrokenLink { seq: 1 }),
    ] {
        assert_eq!(Sigchain::parse(&chain).unwrap_err(), error);
    }
}

#[test]
fn time_does_not_run_backwards_in_a_chain() {
    let mut ben = ben();
    let mut payload = next(&ben, "revoke_device", serde_json::json!({ "dsk": ben.laptop.verifying_key() }));
    payload["iat"] = (NOW - 1).into();
    assert_eq!(append(&ben, &ben.irk, &payload).unwrap_err(), ChainError::BackInTime { seq: 2 });
    // A device whose clock is behind still signs an entry that follows.
    ben.chain.revoke_device(&ben.irk, Signer::Irk, ben.laptop.verifying_key(), NOW - DAY).unwrap();
    assert_eq!(ben.chain.updated_at(), NOW);
}

#[test]
fn a_persona_begins_once_and_with_known_kinds() {
    let ben = ben();
    let irk = SigningKey::generate().verifying_key();
    let payload = next(&ben, "genesis", serde_json::json!({ "irk": irk }));
    assert_eq!(append(&ben, &ben.irk, &payload).unwrap_err(), ChainError::SecondGenesis { seq: 2 });
    let payload = next(&ben, "gift", serde_json::json!({}));
    assert_eq!(append(&ben, &ben.irk, &payload).unwrap_err(), ChainError::UnknownKind);
}

#[test]
fn malformed_entries_are_refused() {
    let ben = ben();
    let dsk = ben.laptop.verifying_key();
    let good = next(&ben, "revoke_device", serde_json::json!({ "dsk": dsk }));
    for (path, odd) in [
        ("/v", 2.into()),
        ("/iat", "now".into()),
        ("/seq", (-1).into()),
        ("/prev", "x".into()),
        ("/by", "me".into()),
        ("/by", serde_json::json!({ "device": "AAAA" })),
        ("/body", serde_json::json!({ "dsk": dsk, "x": 1 })),
        ("/body", serde_json::json!({ "dsk": "AAAA" })),
    ] {
        let mut bad = good.clone();
        match bad.pointer_mut(path) {
            Some(place) => *place = odd,
            None => bad["by"] = odd,
        }
        assert!(matches!(append(&ben, &ben.irk, &bad), Err(ChainError::Malformed(_))), "{path}");
    }
    let long = format!("{}.x", "A".repeat(ENTRY_LIMIT));
    assert_eq!(Entry::parse(&long).unwrap_err(), ChainError::EntryTooLong);
    for text in ["", "x", ".", "e30.AAAA", "e30.e30"] {
        assert!(matches!(Entry::parse(text), Err(ChainError::Malformed(_))), "{text}");
    }
}

#[test]
fn a_chain_does_not_grow_beyond_its_limit() {
    let genesis = ben().chain.texts().remove(0);
    assert_eq!(Sigchain::parse(&vec![genesis; CHAIN_LIMIT + 1]).unwrap_err(), ChainError::TooManyEntries);
}

#[test]
fn two_copies_of_a_chain_compare() {
    let mut ben = ben();
    let before = ben.chain.head();
    assert_eq!(ben.chain.compare(&before), Standing::Same);
    let old = ben.chain.clone();
    ben.chain.revoke_device(&ben.irk, Signer::Irk, ben.laptop.verifying_key(), NOW).unwrap();
    assert_eq!(ben.chain.compare(&before), Standing::Ahead { by: 1 });
    assert_eq!(old.compare(&ben.chain.head()), Standing::Behind { by: 1 });
    let mut fork = old;
    fork.add_device(&ben.irk, SigningKey::generate().verifying_key(), "hidden", NOW + DAY, NOW).unwrap();
    assert!(matches!(fork.compare(&ben.chain.head()), Standing::Forked(proof) if proof.seq == 2));
}

#[test]
fn a_new_persona_enrols_with_what_its_issuer_signed() {
    let new = NewPersona::create("laptop", NOW + DAY, None, NOW).unwrap();
    let payload = serde_json::json!({ "iss": "https://i.example", "sub": "ben", "iat": NOW, "nonce": new.nonce() });
    let id_token = |payload: &serde_json::Value| {
        format!(
            "{}.{}.AAAA",
            keys::b64url(br#"{"alg":"ES256","kid":"k"}"#),
            keys::b64url(payload.to_string().as_bytes())
        )
    };
    let enrolled = new.finish(&id_token(&payload), NOW).unwrap();
    let record = enrolled.chain.attestation(&enrolled.token.hash()).unwrap();
    assert_eq!((record.sub.as_str(), record.until), ("ben", NOW + ATTESTATION_LIFE_S));

    let another = NewPersona::create("laptop", NOW + DAY, None, NOW).unwrap();
    assert_eq!(another.finish(&id_token(&payload), NOW).unwrap_err(), EnrolError::Claim("nonce"));
    let third = NewPersona::create("laptop", NOW + DAY, None, NOW).unwrap();
    assert_eq!(third.finish("not.a-token", NOW).unwrap_err(), EnrolError::Token(TokenError::NotCompact));
}
