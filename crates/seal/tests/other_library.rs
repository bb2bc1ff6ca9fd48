//! A member whose app is built on another MLS library, `mls-rs`, takes part in our groups and keeps our rules.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on says so by panicking")]

use std::convert::Infallible;
use std::time::Duration;

use keys::SigningKey;
use mls_rs::client_builder::{MlsConfig, PaddingMode};
use mls_rs::group::ReceivedMessage;
use mls_rs::mls_rules::{DefaultMlsRules, EncryptionOptions};
use mls_rs::{CipherSuite, CipherSuiteProvider, Client, CryptoProvider, ExtensionList, Group, MlsMessage};
use mls_rs_core::identity::{
    Credential, CredentialType, CustomCredential, IdentityProvider, MemberValidationContext, SigningIdentity,
};
use mls_rs_core::time::MlsTime;
use mls_rs_crypto_rustcrypto::RustCryptoProvider;
use seal::{
    CREDENTIAL_TYPE, Candidate, Device, GroupId, Invitation, MemoryVault, OpenError, What, create, epoch,
    epoch_authenticator, export, inspect_welcome, invite, key_package, members, open, remove, seal,
};

const SUITE: CipherSuite = CipherSuite::CURVE25519_AES128;
const NOW: i64 = 1_800_000_000;

/// Believes everybody; who may be in is decided by our side.
#[derive(Clone, Copy)]
struct Believing;

impl IdentityProvider for Believing {
    type Error = Infallible;

    fn validate_member(
        &self,
        _: &SigningIdentity,
        _: Option<MlsTime>,
        _: MemberValidationContext<'_>,
    ) -> Result<(), Infallible> {
        Ok(())
    }

    fn validate_external_sender(
        &self,
        _: &SigningIdentity,
        _: Option<MlsTime>,
        _: Option<&ExtensionList>,
    ) -> Result<(), Infallible> {
        Ok(())
    }

    fn identity(&self, signing_identity: &SigningIdentity, _: &ExtensionList) -> Result<Vec<u8>, Infallible> {
        Ok(signing_identity.signature_key.to_vec())
    }

    fn valid_successor(&self, _: &SigningIdentity, _: &SigningIdentity, _: &ExtensionList) -> Result<bool, Infallible> {
        Ok(true)
    }

    fn supported_types(&self) -> Vec<CredentialType> {
        vec![CredentialType::new(CREDENTIAL_TYPE)]
    }
}

fn foreign_client(credential: &[u8]) -> Client<impl MlsConfig + use<>> {
    let crypto = RustCryptoProvider::new();
    let (secret, public) = crypto.cipher_suite_provider(SUITE).unwrap().signature_key_generate().unwrap();
    let custom = CustomCredential::new(CredentialType::new(CREDENTIAL_TYPE), credential.to_vec());
    let rules = DefaultMlsRules::new().with_encryption_options(EncryptionOptions::new(true, PaddingMode::StepFunction));
    Client::builder()
        .identity_provider(Believing)
        .crypto_provider(crypto)
        .mls_rules(rules)
        .key_package_lifetime(Duration::from_secs(30 * 24 * 3600))
        .signing_identity(SigningIdentity::new(Credential::Custom(custom), public), secret, SUITE)
        .build()
}

/// One of ours.
struct Person {
    vault: MemoryVault,
    device: Device,
}

impl Person {
    fn new(name: &str) -> Self {
        let device = Device::new(&SigningKey::generate(), format!("credential of {name}").into_bytes());
        Self { vault: MemoryVault::new(), device }
    }

    fn invites(&self, key_package: &[u8]) -> Invitation {
        invite(&self.vault, &self.device, &chat(), key_package, &mut |_: &Candidate<'_>| Ok(())).unwrap()
    }

    fn writes(&self, text: &str) -> Vec<u8> {
        seal(&self.vault, &self.device, &chat(), text.as_bytes()).unwrap()
    }

    fn opens(&self, sealed: &[u8]) -> Result<What, OpenError> {
        open(&self.vault, &self.device, sealed, &mut |_: &Candidate<'_>| Ok(())).map(|opened| opened.what)
    }

    fn reads(&self, sealed: &[u8]) -> String {
        match self.opens(sealed).unwrap() {
            What::Application(text) => String::from_utf8(text).unwrap(),
            other => panic!("not a text: {other:?}"),
        }
    }
}

fn chat() -> GroupId {
    GroupId::new("comm://a.localhost/one").unwrap()
}

fn foreign_reads(group: &mut Group<impl MlsConfig>, sealed: &[u8]) -> String {
    match group.process_incoming_message(MlsMessage::from_bytes(sealed).unwrap()).unwrap() {
        ReceivedMessage::ApplicationMessage(text) => String::from_utf8(text.data().to_vec()).unwrap(),
        other => panic!("not a text: {other:?}"),
    }
}

/// A key package as it is published with us: without the head of an MLS message.
fn bare(package: &MlsMessage) -> Vec<u8> {
    let bytes = package.to_bytes().unwrap();
    assert_eq!(bytes[..4], [0, 1, 0, 5], "protocol 1.0, a key package");
    bytes[4..].to_vec()
}

/// Ana, who holds the lease, Ben, and Olga with another library.
fn ana_ben_and_olga() -> (Person, Person, Group<impl MlsConfig>) {
    let (ana, ben, olga) = (Person::new("Ana"), Person::new("Ben"), foreign_client(b"credential of Olga"));
    create(&ana.vault, &ana.device, &chat(), NOW).unwrap();
    let welcome = ana.invites(&key_package(&ben.vault, &ben.device, false).unwrap()).welcome;
    let pending = inspect_welcome(&ben.vault, &ben.device, &welcome).unwrap();
    pending.join(&ben.vault, &mut |_| Ok(())).unwrap();
    let package = olga.generate_key_package_message(Default::default(), Default::default(), None).unwrap();
    let invited = ana.invites(&bare(&package));
    ben.opens(&invited.commit).unwrap();
    let (group, _) = olga.join_group(None, &MlsMessage::from_bytes(&invited.welcome).unwrap(), None).unwrap();
    (ana, ben, group)
}

#[test]
fn somebody_with_another_library_joins_reads_and_is_read() {
    let (ana, ben, mut olga) = ana_ben_and_olga();
    assert_eq!(foreign_reads(&mut olga, &ana.writes("hello Olga")), "hello Olga");
    assert_eq!(foreign_reads(&mut olga, &ben.writes("hello from Ben")), "hello from Ben");
    let sealed = olga.encrypt_application_message(b"hello both", Vec::new()).unwrap().to_bytes().unwrap();
    assert_eq!([ana.reads(&sealed), ben.reads(&sealed)], ["hello both"; 2]);
    assert_eq!(members(&ana.vault, &chat()).unwrap()[2].credential, b"credential of Olga");
    // Both libraries agree on the group and derive the same secrets from it.
    assert_eq!(epoch_authenticator(&ana.vault, &chat()).unwrap(), olga.epoch_authenticator().unwrap().to_vec());
    let ours = export(&ana.vault, &chat(), "dfi-sas", b"fingerprints", 32).unwrap();
    assert_eq!(ours.as_slice(), olga.export_secret(b"dfi-sas", b"fingerprints", 32).unwrap().as_bytes());
}

#[test]
fn somebody_with_another_library_is_refused_when_they_commit() {
    let (ana, ben, mut olga) = ana_ben_and_olga();
    let stranger = foreign_client(b"credential of Eve");
    let package = stranger.generate_key_package_message(Default::default(), Default::default(), None).unwrap();
    let attacks: [Vec<u8>; 3] = std::array::from_fn(|attack| {
        let builder = olga.commit_builder();
        let commit = match attack {
            0 => builder.remove_member(0).unwrap().build(),
            1 => builder.add_member(package.clone()).unwrap().build(),
            _ => builder.build(),
        };
        olga.clear_pending_commit();
        commit.unwrap().commit_message.to_bytes().unwrap()
    });
    for commit in attacks {
        for honest in [&ana, &ben] {
            assert_eq!(honest.opens(&commit).unwrap_err(), OpenError::CommitFromObserver { leaf: 2 });
            assert_eq!(epoch(&honest.vault, &chat()).unwrap(), 2);
        }
    }
    assert_eq!(ben.reads(&ana.writes("unharmed")), "unharmed");
    assert_eq!(foreign_reads(&mut olga, &ana.writes("and you are still in")), "and you are still in");
}

#[test]
fn somebody_with_another_library_reads_nothing_once_removed() {
    let (ana, ben, mut olga) = ana_ben_and_olga();
    let removal = remove(&ana.vault, &ana.device, &chat(), &[2], b"why").unwrap();
    ben.opens(&removal).unwrap();
    let later = ana.writes("without Olga");
    assert_eq!(ben.reads(&later), "without Olga");
    // Before she has seen the removal, and after.
    assert!(olga.process_incoming_message(MlsMessage::from_bytes(&later).unwrap()).is_err());
    olga.process_incoming_message(MlsMessage::from_bytes(&removal).unwrap()).unwrap();
    assert!(olga.process_incoming_message(MlsMessage::from_bytes(&later).unwrap()).is_err());
    // Her library lets her write on; nobody listens.
    let after = olga.encrypt_application_message(b"still here", Vec::new()).unwrap().to_bytes().unwrap();
    assert_eq!(
        [ana.opens(&after), ben.opens(&after)].map(Result::unwrap_err),
        [OpenError::NotAMember, OpenError::NotAMember]
    );
}
