//! A reset in the chain: who may ask for it, who may say no, and what each verifier makes of it.

use crate::common::{DAY, HOUR, NOW};
use identity::*;
use keys::{SigningKey, VerifyingKey};

const ISS: &str = "https://issuer.example";
const PKT: Digest = Digest([9; 32]);

struct Ben {
    irk: SigningKey,
    rk: SigningKey,
    laptop: SigningKey,
    lost: SigningKey,
    chain: Sigchain,
}

/// Ben with a laptop, a phone that was revoked, and an issuer's word.
fn ben() -> Ben {
    let [irk, rk, laptop, lost] = std::array::from_fn(|_| SigningKey::generate());
    let mut chain = Sigchain::create(&irk, Some(rk.verifying_key()), NOW);
    for (key, name) in [(&laptop, "laptop"), (&lost, "lost phone")] {
        chain.add_device(&irk, key.verifying_key(), name, NOW + 300 * DAY, NOW).unwrap();
    }
    chain.revoke_device(&irk, Signer::Irk, lost.verifying_key(), NOW).unwrap();
    chain.attest(&irk, word(Digest([1; 32])), NOW).unwrap();
    Ben { irk, rk, laptop, lost, chain }
}

fn word(pkt_hash: Digest) -> Attest {
    Attest { pkt_hash, iss: ISS.into(), sub: "ben".into(), until: NOW + 90 * DAY }
}

/// Somebody who signed in at the issuer asks for a reset with a key and a device of their own.
fn reset(chain: &mut Sigchain, now: i64) -> (SigningKey, VerifyingKey, Digest) {
    let (irk, device) = (SigningKey::generate(), SigningKey::generate().verifying_key());
    let hash = chain.reset(&irk, PKT, now).unwrap().hash();
    chain.add_device(&irk, device, "new laptop", now + 300 * DAY, now).unwrap();
    chain.attest(&irk, word(PKT), now).unwrap();
    (irk, device, hash)
}

/// The chain as read by somebody who saw every reset at `seen`.
fn read(chain: &Sigchain, seen: i64, now: i64) -> Sigchain {
    let mut read = Sigchain::parse(&chain.texts()).unwrap();
    read.settle(now, &|_| Some(seen));
    read
}

#[test]
fn a_reset_counts_after_72_hours_and_ends_the_devices_of_before() {
    let mut ben = ben();
    let (new, device, _) = reset(&mut ben.chain, NOW);
    let laptop = ben.laptop.verifying_key();
    let pending = read(&ben.chain, NOW, NOW + RESET_DELAY_S - 1);
    assert_eq!((pending.irk(), pending.device(&laptop, NOW).is_ok()), (ben.irk.verifying_key(), true));
    assert_eq!(pending.device(&device, NOW), Err(DeviceError::Unknown));
    let after = read(&ben.chain, NOW, NOW + RESET_DELAY_S);
    assert_eq!((after.irk(), after.device(&device, NOW).is_ok()), (new.verifying_key(), true));
    assert_eq!(after.device(&laptop, NOW), Err(DeviceError::BeforeReset));
    assert_eq!(after.persona(), ben.chain.persona(), "it is the same persona");
    assert!(after.attestation(&Digest([1; 32])).is_none(), "words of before vouch for keys of before");
}

#[test]
fn a_device_of_before_may_be_added_again_but_a_revoked_one_never() {
    let mut ben = ben();
    let (new, ..) = reset(&mut ben.chain, NOW);
    let (laptop, lost) = (ben.laptop.verifying_key(), ben.lost.verifying_key());
    ben.chain.add_device(&new, laptop, "laptop", NOW + 99 * DAY, NOW).unwrap();
    let refused = ben.chain.add_device(&new, lost, "phone", NOW + 99 * DAY, NOW);
    assert!(matches!(refused, Err(ChainError::Device { .. })));
    assert!(read(&ben.chain, NOW, NOW + RESET_DELAY_S).device(&laptop, NOW).is_ok());
}

#[test]
fn the_wait_begins_when_it_was_seen_whatever_date_it_bears() {
    let mut ben = ben();
    let (new, ..) = reset(&mut ben.chain, NOW + HOUR);
    // Seen ten days later: its date does not make it older.
    let seen = NOW + 10 * DAY;
    assert_eq!(read(&ben.chain, seen, seen + RESET_DELAY_S - 1).irk(), ben.irk.verifying_key());
    assert_eq!(read(&ben.chain, seen, seen + RESET_DELAY_S).irk(), new.verifying_key());
    // Seen before its own date: the date counts.
    assert_eq!(read(&ben.chain, NOW, NOW + RESET_DELAY_S).irk(), ben.irk.verifying_key());
}

#[test]
fn a_reset_no_issuer_stands_behind_never_counts() {
    let mut ben = ben();
    reset(&mut ben.chain, NOW);
    ben.chain.settle(NOW + 365 * DAY, &|_| None);
    assert_eq!(ben.chain.irk(), ben.irk.verifying_key());
    assert_eq!(ben.chain.settled_head().seq, 4, "what follows it is not part of the history");
}

#[test]
fn every_key_of_before_may_say_no() {
    for who in 0..3 {
        let mut ben = ben();
        let (_, device, hash) = reset(&mut ben.chain, NOW);
        let (key, by) = match who {
            0 => (&ben.irk, Signer::Irk),
            1 => (&ben.rk, Signer::Rk),
            _ => (&ben.laptop, Signer::Device(ben.laptop.verifying_key())),
        };
        ben.chain.veto(key, by, hash, NOW + DAY).unwrap();
        let later = read(&ben.chain, NOW, NOW + 365 * DAY);
        assert_eq!(later.irk(), ben.irk.verifying_key());
        assert_eq!(later.device(&device, NOW), Err(DeviceError::Unknown), "its key's entries are void");
        assert!(later.device(&ben.laptop.verifying_key(), NOW).is_ok());
    }
}

#[test]
fn nobody_else_may_say_no() {
    let mut ben = ben();
    let (new, device, hash) = reset(&mut ben.chain, NOW);
    let stranger = SigningKey::generate();
    let mut refused = |key: &SigningKey, by| ben.chain.veto(key, by, hash, NOW + HOUR).unwrap_err();
    let seq = 8;
    assert_eq!(refused(&ben.lost, Signer::Device(ben.lost.verifying_key())), ChainError::WrongSigner { seq });
    assert_eq!(refused(&stranger, Signer::Device(stranger.verifying_key())), ChainError::WrongSigner { seq });
    assert_eq!(refused(&new, Signer::Device(device)), ChainError::WrongSigner { seq });
    assert_eq!(refused(&new, Signer::Irk), ChainError::WrongSignature { seq });
    assert_eq!(refused(&stranger, Signer::Rk), ChainError::WrongSignature { seq });
    assert_eq!(refused(&stranger, Signer::Device(ben.laptop.verifying_key())), ChainError::WrongSignature { seq });
}

#[test]
fn a_device_that_had_expired_may_not_say_no() {
    let mut ben = ben();
    let old = SigningKey::generate();
    ben.chain.add_device(&ben.irk, old.verifying_key(), "old", NOW + HOUR, NOW).unwrap();
    let (.., hash) = reset(&mut ben.chain, NOW);
    let refused = ben.chain.veto(&old, Signer::Device(old.verifying_key()), hash, NOW + HOUR).unwrap_err();
    assert_eq!(refused, ChainError::WrongSigner { seq: 9 });
}

#[test]
fn a_veto_after_72_hours_is_too_late() {
    let mut ben = ben();
    let (new, _, hash) = reset(&mut ben.chain, NOW);
    ben.chain.veto(&ben.irk, Signer::Irk, hash, NOW + RESET_DELAY_S).unwrap();
    assert_eq!(read(&ben.chain, NOW, NOW + 9 * DAY).irk(), new.verifying_key());
    // For somebody who saw the reset an hour later, it came in time.
    assert_eq!(read(&ben.chain, NOW + HOUR, NOW + 9 * DAY).irk(), ben.irk.verifying_key());
    // The recovered identity goes on after it, for those to whom it counts.
    let phone = SigningKey::generate().verifying_key();
    ben.chain.add_device(&new, phone, "phone", NOW + 300 * DAY, NOW + 5 * DAY).unwrap();
    assert!(read(&ben.chain, NOW, NOW + 9 * DAY).device(&phone, NOW).is_ok());
    assert_eq!(read(&ben.chain, NOW + HOUR, NOW + 9 * DAY).device(&phone, NOW), Err(DeviceError::Unknown));
}

#[test]
fn a_veto_cannot_be_dated_before_what_the_new_key_signed_after_the_wait() {
    let mut ben = ben();
    let (new, _, hash) = reset(&mut ben.chain, NOW);
    let phone = SigningKey::generate().verifying_key();
    ben.chain.add_device(&new, phone, "phone", NOW + 300 * DAY, NOW + RESET_DELAY_S).unwrap();
    let head = ben.chain.head();
    let payload = serde_json::json!({ "v": 1, "seq": head.seq + 1, "prev": head.hash, "type": "veto",
        "iat": NOW + HOUR, "body": { "reset": hash } });
    let payload = keys::b64url(payload.to_string().as_bytes());
    let signature = ben.irk.sign(format!("parlance-sigchain-v1\n{payload}").as_bytes());
    let mut texts = ben.chain.texts();
    texts.push(format!("{payload}.{signature}"));
    assert_eq!(Sigchain::parse(&texts).unwrap_err(), ChainError::BackInTime { seq: head.seq + 1 });
    // Dated as it must be, it is too late.
    ben.chain.veto(&ben.irk, Signer::Irk, hash, NOW + HOUR).unwrap();
    assert_eq!(read(&ben.chain, NOW, NOW + 9 * DAY).irk(), new.verifying_key());
}

#[test]
fn while_a_reset_waits_the_keys_of_before_may_only_say_no() {
    let mut ben = ben();
    let (.., hash) = reset(&mut ben.chain, NOW);
    let key = SigningKey::generate().verifying_key();
    let seq = 8;
    let add = ben.chain.add_device(&ben.irk, key, "phone", NOW + DAY, NOW).unwrap_err();
    assert_eq!(add, ChainError::ResetWaits { seq });
    let rotate = ben.chain.rotate_irk(&ben.irk, Signer::Irk, key, NOW).unwrap_err();
    assert_eq!(rotate, ChainError::ResetWaits { seq });
    let recover = ben.chain.rotate_irk(&ben.rk, Signer::Rk, key, NOW).unwrap_err();
    assert_eq!(recover, ChainError::ResetWaits { seq });
    ben.chain.veto(&ben.rk, Signer::Rk, hash, NOW).unwrap();
    ben.chain.add_device(&ben.irk, key, "phone", NOW + DAY, NOW).unwrap();
    assert!(read(&ben.chain, NOW, NOW + HOUR).device(&key, NOW).is_ok());
}

#[test]
fn a_second_reset_waits_for_the_first() {
    let mut ben = ben();
    let (first, _, hash) = reset(&mut ben.chain, NOW);
    let second = SigningKey::generate();
    let refused = ben.chain.reset(&second, PKT, NOW + HOUR).unwrap_err();
    assert_eq!(refused, ChainError::ResetWaits { seq: 8 });
    // On top of the first, before its time.
    let mut hasty = ben.chain.clone();
    hasty.settle(NOW + RESET_DELAY_S, &|_| Some(NOW));
    assert_eq!(hasty.reset(&second, PKT, NOW + RESET_DELAY_S - 1).unwrap_err(), ChainError::ResetWaits { seq: 8 });
    // After it counts, it may be reset in turn.
    let (third, ..) = reset(&mut hasty, NOW + RESET_DELAY_S);
    let at = NOW + 2 * RESET_DELAY_S;
    assert_eq!(read(&hasty, NOW, at - 1).irk(), first.verifying_key());
    assert_eq!(read(&hasty, NOW, at).irk(), third.verifying_key());
    // After a veto, a further one begins where the first had begun.
    ben.chain.veto(&ben.irk, Signer::Irk, hash, NOW + HOUR).unwrap();
    let (fourth, ..) = reset(&mut ben.chain, NOW + HOUR);
    assert_eq!(read(&ben.chain, NOW, NOW + HOUR + RESET_DELAY_S).irk(), fourth.verifying_key());
}

#[test]
fn a_vetoed_key_asks_no_second_time_and_one_veto_is_enough() {
    let mut ben = ben();
    let (new, _, hash) = reset(&mut ben.chain, NOW);
    ben.chain.veto(&ben.irk, Signer::Irk, hash, NOW).unwrap();
    assert_eq!(ben.chain.reset(&new, PKT, NOW).unwrap_err(), ChainError::RootReused { seq: 9 });
    assert_eq!(ben.chain.veto(&ben.rk, Signer::Rk, hash, NOW).unwrap_err(), ChainError::AlreadyVetoed { seq: 9 });
    let unknown = ben.chain.veto(&ben.irk, Signer::Irk, PKT, NOW).unwrap_err();
    assert_eq!(unknown, ChainError::UnknownReset { seq: 9 });
}

#[test]
fn a_reset_of_what_no_issuer_vouched_for_is_refused() {
    let irk = SigningKey::generate();
    let mut chain = Sigchain::create(&irk, None, NOW);
    let new = SigningKey::generate();
    assert_eq!(chain.reset(&new, PKT, NOW).unwrap_err(), ChainError::NothingToReset { seq: 1 });
    chain.attest(&irk, word(Digest([1; 32])), NOW).unwrap();
    chain.unlink_idp(&irk, IdpLink { iss: ISS.into(), sub: "ben".into() }, NOW).unwrap();
    assert_eq!(chain.reset(&new, PKT, NOW).unwrap_err(), ChainError::NothingToReset { seq: 3 });
}

#[test]
fn a_chain_takes_only_so_many_resets() {
    let mut ben = ben();
    for _ in 0..RESETS_LIMIT {
        let (.., hash) = reset(&mut ben.chain, NOW);
        ben.chain.veto(&ben.irk, Signer::Irk, hash, NOW).unwrap();
    }
    let refused = ben.chain.reset(&SigningKey::generate(), PKT, NOW).unwrap_err();
    assert!(matches!(refused, ChainError::TooManyResets { .. }));
    ben.chain.revoke_device(&ben.irk, Signer::Irk, ben.laptop.verifying_key(), NOW).unwrap();
    assert_eq!(
        read(&ben.chain, NOW, NOW + 9 * DAY).device(&ben.laptop.verifying_key(), NOW),
        Err(DeviceError::Revoked)
    );
}

#[test]
fn a_credential_of_a_reset_counts_when_the_reset_does() {
    let mut ben = ben();
    let (_, device, _) = reset(&mut ben.chain, NOW);
    let (laptop, later) = (ben.laptop.verifying_key(), NOW + RESET_DELAY_S);
    let (pending, after) = (read(&ben.chain, NOW, NOW), read(&ben.chain, NOW, later));
    let new = DeviceCredential::of(&after, &device, &[], later).unwrap();
    let old = DeviceCredential::of(&pending, &laptop, &[], NOW).unwrap();
    assert_eq!(new.check(&after, &device, later), Ok(()));
    assert_eq!(new.check(&pending, &device, NOW), Err(CredentialError::ForeignChain));
    assert_eq!(old.check(&pending, &laptop, NOW), Ok(()));
    assert_eq!(old.check(&after, &laptop, later), Err(CredentialError::Device(DeviceError::BeforeReset)));
}
