//! This device as MLS sees it: a signer, a credential, and key packages to be invited with.

use std::fmt;

use keys::{SigningKey, VerifyingKey};
use openmls::prelude::{
    Credential, CredentialType, CredentialWithKey, KeyPackage, KeyPackageIn, OpenMlsProvider, ProtocolVersion,
};
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::SignatureScheme;
use tls_codec::{DeserializeBytes, Serialize};

use crate::config::{self, CREDENTIAL_LIMIT, CREDENTIAL_TYPE, KEY_PACKAGE_LIMIT, SUITE};
use crate::member::Member;
use crate::provider::Provider;
use crate::{InviteError, KeyPackageError, Vault};

/// The device that acts: its signing key and what it says of itself.
#[derive(Clone)]
pub struct Device {
    dsk: SigningKey,
    credential: Vec<u8>,
}

impl Device {
    /// A device with its signing key and its credential.
    pub fn new(dsk: &SigningKey, credential: Vec<u8>) -> Self {
        Self { dsk: dsk.clone(), credential }
    }

    /// What it says of itself.
    pub fn credential(&self) -> &[u8] {
        &self.credential
    }

    /// The public half of its signing key.
    pub fn verifying_key(&self) -> VerifyingKey {
        self.dsk.verifying_key()
    }

    pub(crate) fn fits(&self) -> bool {
        self.credential.len() <= CREDENTIAL_LIMIT
    }

    pub(crate) fn credential_with_key(&self) -> CredentialWithKey {
        CredentialWithKey {
            credential: Credential::new(CredentialType::Other(CREDENTIAL_TYPE), self.credential.clone()),
            signature_key: self.dsk.verifying_key().as_bytes().as_slice().into(),
        }
    }
}

impl Signer for Device {
    fn sign(&self, payload: &[u8]) -> Result<Vec<u8>, SignerError> {
        Ok(self.dsk.sign(payload).as_bytes().to_vec())
    }

    fn signature_scheme(&self) -> SignatureScheme {
        SignatureScheme::ED25519
    }
}

impl fmt::Debug for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Device(…)")
    }
}

/// Makes a key package with which this device can be invited once, or, as the last resort, when
/// all others are used up, again and again.
pub fn key_package(vault: &dyn Vault, device: &Device, last_resort: bool) -> Result<Vec<u8>, KeyPackageError> {
    if !device.fits() {
        return Err(KeyPackageError::CredentialTooLarge);
    }
    let provider = Provider::new(vault);
    let builder = KeyPackage::builder().leaf_node_capabilities(config::capabilities());
    let builder = if last_resort { builder.mark_as_last_resort() } else { builder };
    let bundle = builder.build(SUITE, &provider, device, device.credential_with_key()).map_err(|error| {
        provider.failure().map_or_else(|| KeyPackageError::Mls(error.to_string()), KeyPackageError::Vault)
    })?;
    bundle.key_package().tls_serialize_detached().map_err(|error| KeyPackageError::Mls(error.to_string()))
}

/// Reads a key package without believing who it says it is: whom would it invite?
///
/// The signatures, the lifetime and the kind are verified; the credential is for the caller.
pub fn inspect_key_package(bytes: &[u8]) -> Result<Member, InviteError> {
    let package = read_key_package(&openmls_rust_crypto::RustCrypto::default(), bytes)?;
    Member::of_leaf_node(u32::MAX, package.leaf_node()).map_err(InviteError::BadKeyPackage)
}

pub(crate) fn valid_key_package(provider: &Provider<'_>, bytes: &[u8]) -> Result<KeyPackage, InviteError> {
    read_key_package(provider.crypto(), bytes)
}

fn read_key_package(crypto: &openmls_rust_crypto::RustCrypto, bytes: &[u8]) -> Result<KeyPackage, InviteError> {
    if bytes.len() > KEY_PACKAGE_LIMIT {
        return Err(InviteError::TooLarge);
    }
    let bad = |error: &dyn fmt::Display| InviteError::BadKeyPackage(error.to_string());
    let package = KeyPackageIn::tls_deserialize_exact_bytes(bytes).map_err(|error| bad(&error))?;
    let package = package.validate(crypto, ProtocolVersion::Mls10).map_err(|error| bad(&error))?;
    if package.ciphersuite() != SUITE {
        return Err(InviteError::BadKeyPackage("it is for another cipher suite".into()));
    }
    if !package.life_time().has_acceptable_range() {
        return Err(InviteError::BadKeyPackage("it would live too long".into()));
    }
    Ok(package)
}
