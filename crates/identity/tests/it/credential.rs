//! What an MLS leaf says about its owner, and what it cannot pretend.

use crate::common::{DAY, NOW};
use identity::*;
use keys::{SigningKey, VerifyingKey};

fn ben() -> (SigningKey, VerifyingKey, Sigchain) {
    let (irk, laptop) = (SigningKey::generate(), SigningKey::generate().verifying_key());
    let mut chain = Sigchain::create(&irk, None, NOW);
    chain.add_device(&irk, laptop, "laptop", NOW + DAY, NOW).unwrap();
    (irk, laptop, chain)
}

#[test]
fn a_credential_is_small_and_comes_back_as_it_was() {
    let (_, laptop, chain) = ben();
    let credential = DeviceCredential::of(&chain, &laptop, &[Digest([7; 32])], NOW).unwrap();
    let bytes = credential.encode();
    assert!(bytes.len() < 768, "{} bytes", bytes.len());
    let read = DeviceCredential::decode(&bytes).unwrap();
    assert_eq!(read, credential);
    assert_eq!(
        (read.device().dsk(), read.device().name(), read.pkt_hashes()),
        (&laptop, "laptop", &[Digest([7; 32])][..])
    );
    assert_eq!(read.check(&chain, &laptop, NOW), Ok(()));
}

#[test]
fn a_credential_stays_good_while_its_chain_grows() {
    let (irk, laptop, mut chain) = ben();
    let credential = DeviceCredential::of(&chain, &laptop, &[], NOW).unwrap();
    chain.add_device(&irk, SigningKey::generate().verifying_key(), "phone", NOW + DAY, NOW).unwrap();
    assert_eq!(credential.check(&chain, &laptop, NOW), Ok(()));
    chain.revoke_device(&irk, Signer::Irk, laptop, NOW).unwrap();
    assert_eq!(credential.check(&chain, &laptop, NOW), Err(CredentialError::Device(DeviceError::Revoked)));
}

#[test]
fn a_leaf_cannot_borrow_a_credential() {
    let (_, laptop, chain) = ben();
    let credential = DeviceCredential::of(&chain, &laptop, &[], NOW).unwrap();
    let thief = SigningKey::generate().verifying_key();
    assert_eq!(credential.check(&chain, &thief, NOW), Err(CredentialError::NotTheLeaf));
    assert_eq!(credential.check(&ben().2, &laptop, NOW), Err(CredentialError::ForeignChain));
    assert_eq!(DeviceCredential::of(&chain, &thief, &[], NOW), Err(CredentialError::Device(DeviceError::Unknown)));
}

#[test]
fn a_certificate_of_another_key_is_refused() {
    // Mallory's root key beside a certificate that Ben's root key signed.
    let (_, laptop, chain) = ben();
    let (_, other_laptop, other_chain) = ben();
    let mine = DeviceCredential::of(&chain, &laptop, &[], NOW).unwrap().encode();
    let theirs = DeviceCredential::of(&other_chain, &other_laptop, &[], NOW).unwrap().encode();
    let key = chain.irk();
    let at = mine.windows(32).position(|bytes| bytes == key.as_bytes()).unwrap();
    let mut mixed = mine.clone();
    mixed[at..at + 32].copy_from_slice(other_chain.irk().as_bytes());
    assert_eq!(mine.len(), theirs.len());
    assert_eq!(
        DeviceCredential::decode(&mixed),
        Err(CredentialError::Certificate(ChainError::WrongSignature { seq: 1 }))
    );
}

#[test]
fn what_is_no_credential_is_refused() {
    let (_, laptop, chain) = ben();
    let bytes = DeviceCredential::of(&chain, &laptop, &[], NOW).unwrap().encode();
    assert_eq!(DeviceCredential::decode(&[0; CREDENTIAL_LIMIT + 1]), Err(CredentialError::TooLarge));
    assert_eq!(DeviceCredential::decode(&[]), Err(CredentialError::Malformed));
    assert_eq!(DeviceCredential::decode(&[&bytes[..], &[0]].concat()), Err(CredentialError::Malformed));
    for cut in 0..bytes.len() {
        assert!(DeviceCredential::decode(&bytes[..cut]).is_err());
    }
}
