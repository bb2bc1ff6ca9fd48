//! What one member does with its group: create it, write in it, ask it, forget it.

use openmls::prelude::{MlsGroup, NewGroupError, OpenMlsProvider};
use zeroize::Zeroizing;

use crate::config::{self, PLAINTEXT_LIMIT};
use crate::member::{self, REPORTER_LEAF};
use crate::provider::Provider;
use crate::{CreateError, Device, GroupError, GroupId, Member, SealError, Vault};

/// Creates the group of a new object; this device is its Reporter.
pub fn create(vault: &dyn Vault, device: &Device, group: &GroupId) -> Result<(), CreateError> {
    if !device.fits() {
        return Err(CreateError::CredentialTooLarge);
    }
    let provider = Provider::new(vault);
    let made = MlsGroup::new_with_group_id(
        &provider,
        device,
        &config::create_config(),
        group.to_mls(),
        device.credential_with_key(),
    );
    match made {
        Ok(_) => Ok(()),
        Err(NewGroupError::GroupAlreadyExists) => Err(CreateError::AlreadyExists),
        Err(error) => Err(provider.failure().map_or_else(|| CreateError::Mls(error.to_string()), CreateError::Vault)),
    }
}

/// Seals a text for all members. The step of the ratchet is in the vault when this returns.
pub fn seal(vault: &dyn Vault, device: &Device, group: &GroupId, plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
    if plaintext.len() > PLAINTEXT_LIMIT {
        return Err(SealError::TooLarge);
    }
    let provider = Provider::blind_to_proposals(vault);
    let mut group = active(&provider, group)?;
    let sealed = group
        .create_message(&provider, device, plaintext)
        .map_err(|error| provider.failure().map_or_else(|| SealError::Mls(error.to_string()), SealError::Vault))?;
    sealed.to_bytes().map_err(|error| SealError::Mls(error.to_string()))
}

/// Who is in the group, by leaf. This list, not one from an envelope, is what a person is shown.
pub fn members(vault: &dyn Vault, group: &GroupId) -> Result<Vec<Member>, GroupError> {
    let provider = Provider::new(vault);
    member::all(&known(&provider, group)?).map_err(GroupError::Mls)
}

/// Whether we are in the group and were not removed.
pub fn is_member(vault: &dyn Vault, group: &GroupId) -> Result<bool, GroupError> {
    match active(&Provider::new(vault), group) {
        Ok(_) => Ok(true),
        Err(GroupError::UnknownGroup | GroupError::Removed) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Whether this device is the group's Reporter.
pub fn is_reporter(vault: &dyn Vault, group: &GroupId) -> Result<bool, GroupError> {
    Ok(active(&Provider::new(vault), group)?.own_leaf_index().u32() == REPORTER_LEAF)
}

/// The epoch of the group: how many commits it has seen.
pub fn epoch(vault: &dyn Vault, group: &GroupId) -> Result<u64, GroupError> {
    Ok(known(&Provider::new(vault), group)?.epoch().as_u64())
}

/// A secret all members of this epoch can derive and nobody else, for `label` and `context`.
pub fn export(
    vault: &dyn Vault,
    group: &GroupId,
    label: &str,
    context: &[u8],
    length: usize,
) -> Result<Zeroizing<Vec<u8>>, GroupError> {
    let provider = Provider::new(vault);
    active(&provider, group)?
        .export_secret(provider.crypto(), label, context, length)
        .map(Zeroizing::new)
        .map_err(|error| GroupError::Mls(error.to_string()))
}

/// Bytes that are equal for two members only if they see the same group; for comparing aloud.
pub fn epoch_authenticator(vault: &dyn Vault, group: &GroupId) -> Result<Vec<u8>, GroupError> {
    Ok(active(&Provider::new(vault), group)?.epoch_authenticator().as_slice().to_vec())
}

/// Forgets a group and all its keys; what is still sealed for it can never be opened.
pub fn forget(vault: &dyn Vault, group: &GroupId) -> Result<(), GroupError> {
    let provider = Provider::new(vault);
    let mut group = known(&provider, group)?;
    group.delete(provider.storage()).map_err(GroupError::Vault)
}

/// The group, even if we were removed from it.
pub(crate) fn known(provider: &Provider<'_>, group: &GroupId) -> Result<MlsGroup, GroupError> {
    provider.load(group)?.ok_or(GroupError::UnknownGroup)
}

/// The group, if we are in it now.
pub(crate) fn active(provider: &Provider<'_>, group: &GroupId) -> Result<MlsGroup, GroupError> {
    let group = known(provider, group)?;
    if group.is_active() { Ok(group) } else { Err(GroupError::Removed) }
}
