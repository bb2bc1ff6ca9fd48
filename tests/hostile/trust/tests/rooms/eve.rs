//! Eve: speaks MLS with the library below `seal`, and so without any of our rules.

use keys::SigningKey;
use openmls::prelude::*;
use openmls_rust_crypto::OpenMlsRustCrypto;
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::SignatureScheme;
use seal::{CREDENTIAL_TYPE, GroupId, PADDING};
use tls_codec::DeserializeBytes;

const SUITE: Ciphersuite = Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;

/// Somebody who speaks MLS without our rules.
pub struct Eve {
    pub provider: OpenMlsRustCrypto,
    pub key: Key,
}

pub struct Key(SigningKey);

impl Signer for Key {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.0.sign(payload).as_bytes().to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

impl Eve {
    pub fn new() -> Self {
        Self { provider: OpenMlsRustCrypto::default(), key: Key(SigningKey::generate()) }
    }

    pub fn credential(&self) -> CredentialWithKey {
        CredentialWithKey {
            credential: Credential::new(CredentialType::Other(CREDENTIAL_TYPE), b"Eve".to_vec()),
            signature_key: self.key.0.verifying_key().as_bytes().as_slice().into(),
        }
    }

    pub fn package(&self) -> KeyPackage {
        let builder = KeyPackage::builder().leaf_node_capabilities(capabilities());
        let bundle = builder.build(SUITE, &self.provider, &self.key, self.credential()).unwrap();
        bundle.key_package().clone()
    }

    pub fn joins(&self, welcome: &[u8], wire: WireFormatPolicy) -> MlsGroup {
        let message = MlsMessageIn::tls_deserialize_exact_bytes(welcome).unwrap();
        let MlsMessageBodyIn::Welcome(welcome) = message.extract() else { panic!("no Welcome") };
        let staged = StagedWelcome::new_from_welcome(&self.provider, &join_config(wire), welcome, None).unwrap();
        staged.into_group(&self.provider).unwrap()
    }

    /// A group of her own under any id.
    pub fn group(&self, id: &GroupId) -> MlsGroup {
        let config = MlsGroupCreateConfig::builder()
            .ciphersuite(SUITE)
            .capabilities(capabilities())
            .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
            .padding_size(PADDING)
            .use_ratchet_tree_extension(true)
            .build();
        let id = openmls::prelude::GroupId::from_slice(id.as_bytes());
        MlsGroup::new_with_group_id(&self.provider, &self.key, &config, id, self.credential()).unwrap()
    }
}

pub fn capabilities() -> Capabilities {
    let (extensions, credentials) = ([ExtensionType::LastResort], [CredentialType::Other(CREDENTIAL_TYPE)]);
    Capabilities::new(None, Some(&[SUITE]), Some(&extensions), None, Some(&credentials))
}

pub fn join_config(wire: WireFormatPolicy) -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(wire)
        .padding_size(PADDING)
        .max_past_epochs(4)
        .use_ratchet_tree_extension(true)
        .sender_ratchet_configuration(SenderRatchetConfiguration::new(64, 1000))
        .build()
}
