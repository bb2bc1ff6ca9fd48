//! The root key is replaced: by itself, or by the recovery key; what it signed before stays good.

use crate::common::{DAY, NOW, Story};
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

#[test]
fn the_new_root_key_signs_and_the_old_one_no_longer() {
    let mut ben = ben();
    let new = SigningKey::generate();
    ben.chain.rotate_irk(&ben.irk, Signer::Irk, new.verifying_key(), NOW).unwrap();
    let phone = SigningKey::generate().verifying_key();
    let old_key = ben.chain.add_device(&ben.irk, phone, "phone", NOW + DAY, NOW).unwrap_err();
    assert_eq!(old_key, ChainError::WrongSignature { seq: 3 });
    ben.chain.add_device(&new, phone, "phone", NOW + DAY, NOW).unwrap();
    let read = Sigchain::parse(&ben.chain.texts()).unwrap();
    assert_eq!((read.irk(), read.persona()), (new.verifying_key(), ben.chain.persona()));
    assert_eq!((read.irk_at(1), read.irk_at(2)), (ben.irk.verifying_key(), new.verifying_key()));
    assert!(read.was_root_key(&ben.irk.verifying_key()) && !read.was_root_key(&ben.rk.verifying_key()));
    assert!(read.device(&ben.laptop.verifying_key(), NOW).is_ok(), "devices of before stay");
}

#[test]
fn the_recovery_key_takes_the_root_key_back_from_a_thief() {
    let mut ben = ben();
    let (thief, new) = (SigningKey::generate(), SigningKey::generate());
    ben.chain.rotate_irk(&ben.irk, Signer::Irk, thief.verifying_key(), NOW).unwrap();
    ben.chain.rotate_irk(&ben.rk, Signer::Rk, new.verifying_key(), NOW).unwrap();
    let origins: Vec<_> = ben.chain.roots().iter().map(|root| root.origin).collect();
    assert_eq!(origins, [RootOrigin::Genesis, RootOrigin::Rotated, RootOrigin::Recovered]);
    let again = ben.chain.rotate_irk(&thief, Signer::Irk, SigningKey::generate().verifying_key(), NOW);
    assert_eq!(again.unwrap_err(), ChainError::WrongSignature { seq: 4 });
}

#[test]
fn strangers_and_devices_rotate_nothing() {
    let mut ben = ben();
    let new = SigningKey::generate().verifying_key();
    for key in [SigningKey::generate(), ben.laptop.clone(), ben.rk.clone()] {
        let refused = ben.chain.rotate_irk(&key, Signer::Irk, new, NOW).unwrap_err();
        assert_eq!(refused, ChainError::WrongSignature { seq: 2 });
    }
    let stranger = SigningKey::generate();
    let refused = ben.chain.rotate_irk(&stranger, Signer::Rk, new, NOW).unwrap_err();
    assert_eq!(refused, ChainError::WrongSignature { seq: 2 });
    let by_device = Signer::Device(ben.laptop.verifying_key());
    let refused = ben.chain.rotate_irk(&ben.laptop, by_device, new, NOW).unwrap_err();
    assert_eq!(refused, ChainError::WrongSigner { seq: 2 });
    assert_eq!(ben.chain.entries().len(), 2);
}

#[test]
fn without_a_recovery_key_nobody_recovers() {
    let irk = SigningKey::generate();
    let mut chain = Sigchain::create(&irk, None, NOW);
    let refused = chain.rotate_irk(&irk, Signer::Rk, SigningKey::generate().verifying_key(), NOW).unwrap_err();
    assert_eq!(refused, ChainError::WrongSigner { seq: 1 });
}

#[test]
fn a_key_that_was_the_root_key_never_is_again() {
    let mut ben = ben();
    let new = SigningKey::generate();
    ben.chain.rotate_irk(&ben.irk, Signer::Irk, new.verifying_key(), NOW).unwrap();
    for old in [&ben.irk, &new, &ben.rk] {
        let refused = ben.chain.rotate_irk(&new, Signer::Irk, old.verifying_key(), NOW).unwrap_err();
        assert_eq!(refused, ChainError::RootReused { seq: 3 });
    }
}

#[test]
fn a_credential_of_before_a_rotation_stays_good() {
    let mut ben = ben();
    let laptop = ben.laptop.verifying_key();
    let before = DeviceCredential::of(&ben.chain, &laptop, &[], NOW).unwrap();
    let new = SigningKey::generate();
    ben.chain.rotate_irk(&ben.irk, Signer::Irk, new.verifying_key(), NOW).unwrap();
    assert_eq!(before.check(&ben.chain, &laptop, NOW), Ok(()));
    let after = DeviceCredential::of(&ben.chain, &laptop, &[], NOW).unwrap();
    assert_eq!(after.irk(), &ben.irk.verifying_key(), "the key that certified it");
    assert_eq!(DeviceCredential::decode(&after.encode()).unwrap().check(&ben.chain, &laptop, NOW), Ok(()));
    ben.chain.revoke_device(&new, Signer::Irk, laptop, NOW).unwrap();
    assert_eq!(before.check(&ben.chain, &laptop, NOW), Err(CredentialError::Device(DeviceError::Revoked)));
}

#[test]
fn an_old_root_key_certifies_no_device_after_its_time() {
    // The thief of the old key certifies a device at a place where that key no longer counts.
    let mut ben = ben();
    let mut forged = ben.chain.clone();
    let new = SigningKey::generate();
    ben.chain.rotate_irk(&ben.irk, Signer::Irk, new.verifying_key(), NOW).unwrap();
    let spy = SigningKey::generate().verifying_key();
    forged.add_device(&ben.irk, spy, "spy", NOW + DAY, NOW).unwrap();
    let credential = DeviceCredential::of(&forged, &spy, &[], NOW).unwrap();
    assert_eq!(credential.check(&ben.chain, &spy, NOW), Err(CredentialError::ForeignChain));
}

/// Ben of the stories, whose chain has a recovery key.
fn recoverable() -> (Story, SigningKey) {
    let rk = SigningKey::generate();
    let mut story = Story::new();
    let at = story.chain.updated_at();
    story.chain = Sigchain::create(&story.irk, Some(rk.verifying_key()), at);
    story.chain.add_device(&story.irk, story.device.verifying_key(), "Ben's laptop", NOW + 200 * DAY, at).unwrap();
    story.cic = Cic::new(story.irk.verifying_key(), story.chain.genesis_hash());
    let nonce = story.cic.nonce();
    (story.claim("nonce", nonce.into()), rk)
}

#[test]
fn a_token_of_before_a_rotation_still_introduces() {
    let (mut story, _) = recoverable();
    let mut evidence = story.evidence();
    let new = SigningKey::generate();
    story.chain.rotate_irk(&story.irk, Signer::Irk, new.verifying_key(), NOW).unwrap();
    evidence.chain = story.chain.texts();
    assert_eq!(*story.verify(&evidence).unwrap().irk(), new.verifying_key());
}

#[test]
fn a_token_for_an_old_root_key_recorded_after_its_time_does_not() {
    let (mut story, _) = recoverable();
    let token = story.token_text();
    let new = SigningKey::generate();
    story.chain.rotate_irk(&story.irk, Signer::Irk, new.verifying_key(), NOW - 3600).unwrap();
    story.irk = new;
    story.attest(&token);
    assert_eq!(story.verify(&story.showing(vec![token])), Err(VerifyError::ForeignRootKey));
}

#[test]
fn a_rotation_alarms_nobody_and_a_recovery_asks_for_another_comparison() {
    for (by, comparison, change) in
        [(Signer::Irk, PinState::Verified, "rotated"), (Signer::Rk, PinState::Introduced, "recovered")]
    {
        let (mut story, rk) = recoverable();
        let mut evidence = story.evidence();
        let known = story.verify(&evidence).unwrap();
        story.pins.remember(&known, NOW);
        story.pins.compared(&known.persona());
        let new = SigningKey::generate();
        let key = if by == Signer::Irk { story.irk.clone() } else { rk };
        story.chain.rotate_irk(&key, by, new.verifying_key(), NOW).unwrap();
        evidence.chain = story.chain.texts();
        let again = story.verify(&evidence).unwrap();
        assert_eq!(again.pin_state(), comparison);
        let changes = story.pins.changes(&again);
        assert_eq!(changes.iter().map(Change::kind).collect::<Vec<_>>(), [change]);
        story.pins.remember(&again, NOW);
        assert_eq!(story.pins.was_verified(&again.persona()), by == Signer::Rk);
        assert_eq!(story.pins.subject(&again.primary().subject).unwrap().irk, new.verifying_key());
        assert_eq!(story.verify(&evidence).unwrap().pin_state(), comparison, "and so it stays");
        assert!(story.pins.changes(&again).is_empty(), "told once");
    }
}
