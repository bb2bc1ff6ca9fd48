//! This device as MLS sees it: a signer, a credential, and key packages to be invited with.

use std::fmt;

use keys::{SigningKey, VerifyingKey};
use openmls::prelude::{
    Credential, CredentialType, CredentialWithKey, KeyPackage, KeyPackageIn, OpenMlsProvider, ProtocolVersion,
};
use openmls_traits::signatures::{Signer, SignerError};
use openmls_traits::types::SignatureScheme;
use tls_codec::{Deserialize, Serialize};

use crate::config::{self, CREDENTIAL_LIMIT, CREDENTIAL_TYPE, KEY_PACKAGE_LIMIT, SUITE};
use crate::member::Member;
use crate::provider::Provider;
use crate::shelf::{self, KEY_PACKAGES};
use crate::{InviteError, KeyPackageError, Vault, VaultError};

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
    make_key_package(vault, device, last_resort).map(|made| made.bytes)
}

/// A key package of this device, and the name under which the vault keeps its private half.
pub struct OwnKeyPackage {
    /// What is published.
    pub bytes: Vec<u8>,
    /// Names the private half in [`has_key_package`] and [`forget_key_package`].
    pub name: Vec<u8>,
    /// After this nobody accepts it any more, Unix seconds.
    pub not_after: i64,
}

impl fmt::Debug for OwnKeyPackage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OwnKeyPackage(…)")
    }
}

/// As [`key_package`], for who wants to forget its private half one day.
pub fn make_key_package(
    vault: &dyn Vault,
    device: &Device,
    last_resort: bool,
) -> Result<OwnKeyPackage, KeyPackageError> {
    if !device.fits() {
        return Err(KeyPackageError::CredentialTooLarge);
    }
    let provider = Provider::new(vault);
    let mls = |error: &dyn fmt::Display| KeyPackageError::Mls(error.to_string());
    let builder = KeyPackage::builder().leaf_node_capabilities(config::capabilities());
    let builder = if last_resort { builder.mark_as_last_resort() } else { builder };
    let bundle = builder
        .build(SUITE, &provider, device, device.credential_with_key())
        .map_err(|error| provider.failure().map_or_else(|| mls(&error), KeyPackageError::Vault))?;
    let package = bundle.key_package();
    let reference = package.hash_ref(provider.crypto()).map_err(|error| mls(&error))?;
    Ok(OwnKeyPackage {
        bytes: package.tls_serialize_detached().map_err(|error| mls(&error))?,
        name: shelf::name_of_key_package(&reference).map_err(KeyPackageError::Vault)?,
        not_after: i64::try_from(package.life_time().not_after()).unwrap_or(i64::MAX),
    })
}

/// Whether the private half of a key package is still here; the first Welcome uses it up,
/// unless it is the last resort.
pub fn has_key_package(vault: &dyn Vault, name: &[u8]) -> Result<bool, VaultError> {
    // What was read is a secret.
    Ok(vault.get(KEY_PACKAGES, name)?.map(zeroize::Zeroizing::new).is_some())
}

/// Forgets the private half of a key package: Welcomes made with it open no more.
pub fn forget_key_package(vault: &dyn Vault, name: &[u8]) -> Result<(), VaultError> {
    vault.delete(KEY_PACKAGES, name)
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
    // Not from a slice: with that, a debug build of tls_codec asserts that a length fits.
    let mut rest = bytes;
    let package = KeyPackageIn::tls_deserialize(&mut rest).map_err(|error| bad(&error))?;
    if !rest.is_empty() {
        return Err(InviteError::BadKeyPackage("something follows it".into()));
    }
    let package = package.validate(crypto, ProtocolVersion::Mls10).map_err(|error| bad(&error))?;
    if package.ciphersuite() != SUITE {
        return Err(InviteError::BadKeyPackage("it is for another cipher suite".into()));
    }
    if !package.life_time().has_acceptable_range() {
        return Err(InviteError::BadKeyPackage("it would live too long".into()));
    }
    Ok(package)
}
