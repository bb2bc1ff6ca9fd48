//! What one member does with its group: create it, write in it, ask it, forget it.

use openmls::group::GroupContext;
use openmls::prelude::{MlsGroup, NewGroupError, OpenMlsProvider};
use openmls_traits::public_storage::PublicStorageProvider;
use zeroize::Zeroizing;

use crate::config;
use crate::desk::at_once;
use crate::kept::seal_many;
use crate::member;
use crate::provider::Provider;
use crate::{CreateError, Device, GroupError, GroupId, LEASE_LIFE_S, Member, SealError, Vault, lease, turn, wishes};

/// Creates the group of a new object; this device holds its lease, from `now` (Unix seconds) on
/// for [`LEASE_LIFE_S`].
pub fn create(vault: &dyn Vault, device: &Device, group: &GroupId, now: i64) -> Result<(), CreateError> {
    if !device.fits() {
        return Err(CreateError::CredentialTooLarge);
    }
    at_once(vault, |desk| {
        let provider = Provider::new(desk);
        let config = config::create_config();
        let who = device.credential_with_key();
        match MlsGroup::new_with_group_id(&provider, device, &config, group.to_mls(), who) {
            Ok(_) => Ok(lease::begin(desk, group, device.verifying_key(), now.saturating_add(LEASE_LIFE_S))?),
            Err(NewGroupError::GroupAlreadyExists) => Err(CreateError::AlreadyExists),
            Err(error) => {
                Err(provider.failure().map_or_else(|| CreateError::Mls(error.to_string()), CreateError::Vault))
            }
        }
    })
}

/// Seals a text for all members. The step of the ratchet is in the vault when this returns.
pub fn seal(vault: &dyn Vault, device: &Device, group: &GroupId, plaintext: &[u8]) -> Result<Vec<u8>, SealError> {
    let sealed = seal_many(vault, device, group, &[plaintext])?;
    sealed.into_iter().next().ok_or_else(|| SealError::Mls("nothing was sealed".into()))
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

/// The epoch of the group: how many commits it has seen.
pub fn epoch(vault: &dyn Vault, group: &GroupId) -> Result<u64, GroupError> {
    // Asked with every message: without the tree and the keys, which are most of what a group is.
    let provider = Provider::new(vault);
    let context: Option<GroupContext> = PublicStorageProvider::group_context(provider.storage(), &group.to_mls())?;
    Ok(context.ok_or(GroupError::UnknownGroup)?.epoch().as_u64())
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
    at_once(vault, |desk| {
        let provider = Provider::new(desk);
        known(&provider, group)?.delete(provider.storage())?;
        wishes::take(desk, group.as_bytes())?;
        turn::forget(desk, group.as_bytes())?;
        Ok(lease::forget(desk, group)?)
    })
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
