//! How the Reporter changes the members, and how an observer asks for it.

use std::fmt::Display;

use openmls::prelude::{
    CommitMessageBundle, LeafNodeIndex, LeafNodeParameters, MlsGroup, MlsMessageOut, OpenMlsProvider, Proposal, Sender,
};

use crate::config::MEMBER_LIMIT;
use crate::device::valid_key_package;
use crate::group::active;
use crate::member::{self, REPORTER_LEAF};
use crate::provider::Provider;
use crate::{Check, Device, GroupId, InviteError, Member, Vault, wishes};

/// What an invitation sends: one thing to the new member, another to the old ones.
pub struct Invitation {
    /// For the invited device.
    pub welcome: Vec<u8>,
    /// For everybody who was in the group before.
    pub commit: Vec<u8>,
}

impl std::fmt::Debug for Invitation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Invitation(welcome of {} bytes, commit of {})", self.welcome.len(), self.commit.len())
    }
}

/// Adds a device to our group. The commit is merged when this returns.
pub fn invite(
    vault: &dyn Vault,
    device: &Device,
    group: &GroupId,
    key_package: &[u8],
    check: Check<'_>,
) -> Result<Invitation, InviteError> {
    let provider = Provider::new(vault);
    let mut group = ours(&provider, group)?;
    let package = valid_key_package(&provider, key_package)?;
    let present = member::all(&group).map_err(InviteError::Mls)?;
    if present.len() >= MEMBER_LIMIT {
        return Err(InviteError::Full);
    }
    let leaf = member::next_leaves(&group, &[], 1).first().copied().unwrap_or(u32::MAX);
    let candidate = Member::of_leaf_node(leaf, package.leaf_node()).map_err(InviteError::BadKeyPackage)?;
    if present.iter().any(|member| member.dsk == candidate.dsk) {
        return Err(InviteError::AlreadyMember);
    }
    check(&candidate).map_err(InviteError::Unverified)?;
    drop_wishes(&provider, vault, &mut group)?;
    let refused = refusal(&provider);
    // Path-less: an add costs some 700 bytes whatever the size of the group.
    let (commit, welcome, _) = group
        .add_members_without_update(&provider, device, std::slice::from_ref(&package))
        .map_err(|error| refused(&error))?;
    group.merge_pending_commit(&provider).map_err(|error| refused(&error))?;
    Ok(Invitation { welcome: bytes(&welcome)?, commit: bytes(&commit)? })
}

/// A commit and what it rests on, for everybody and in this order.
pub struct Renewal {
    /// The wishes of observers that are granted. A wish travels from its observer to each member
    /// by itself; sending it once more keeps an observer that withheld it from some members from
    /// locking them out. Who has seen one already answers [`crate::OpenError::Replayed`].
    pub wishes: Vec<Vec<u8>>,
    /// The commit.
    pub commit: Vec<u8>,
}

impl std::fmt::Debug for Renewal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Renewal({} wishes, commit of {} bytes)", self.wishes.len(), self.commit.len())
    }
}

/// Removes members from our group by leaf; they read nothing that follows. Returns the commit
/// for everybody, the removed ones too.
///
/// What observers asked for in this epoch is void, as after every commit that is not
/// [`commit_pending`]; they may ask again.
pub fn remove(vault: &dyn Vault, device: &Device, group: &GroupId, leaves: &[u32]) -> Result<Vec<u8>, InviteError> {
    let provider = Provider::new(vault);
    let mut group = ours(&provider, group)?;
    for leaf in leaves {
        if *leaf == REPORTER_LEAF || group.member_at(LeafNodeIndex::new(*leaf)).is_none() {
            return Err(InviteError::NoSuchMember(*leaf));
        }
    }
    drop_wishes(&provider, vault, &mut group)?;
    let refused = refusal(&provider);
    let indices: Vec<LeafNodeIndex> = leaves.iter().map(|leaf| LeafNodeIndex::new(*leaf)).collect();
    let (commit, _, _) = group.remove_members(&provider, device, &indices).map_err(|error| refused(&error))?;
    group.merge_pending_commit(&provider).map_err(|error| refused(&error))?;
    bytes(&commit)
}

/// Commits what observers asked for and renews our own leaf, so that a key stolen before opens
/// nothing after.
///
/// A renewed leaf that `check` refuses makes the whole call fail; the Reporter then removes it.
pub fn commit_pending(
    vault: &dyn Vault,
    device: &Device,
    group: &GroupId,
    check: Check<'_>,
) -> Result<Renewal, InviteError> {
    let provider = Provider::new(vault);
    let mut group = ours(&provider, group)?;
    for proposal in group.pending_proposals() {
        if let (Proposal::Update(update), Sender::Member(leaf)) = (proposal.proposal(), proposal.sender()) {
            let member = Member::of_leaf_node(leaf.u32(), update.leaf_node()).map_err(InviteError::Unverified)?;
            check(&member).map_err(InviteError::Unverified)?;
        }
    }
    let refused = refusal(&provider);
    let bundle: CommitMessageBundle =
        group.self_update(&provider, device, renewed(device)).map_err(|error| refused(&error))?;
    let commit = bytes(bundle.commit())?;
    group.merge_pending_commit(&provider).map_err(|error| refused(&error))?;
    let wishes = wishes::take(vault, group.group_id().as_slice())?;
    Ok(Renewal { wishes, commit })
}

/// Asks the Reporter to renew our leaf: new encryption key, and the device's present credential.
pub fn propose_refresh(vault: &dyn Vault, device: &Device, group: &GroupId) -> Result<Vec<u8>, InviteError> {
    let provider = Provider::new(vault);
    let mut group = active(&provider, group)?;
    let refused = refusal(&provider);
    let (proposal, _) =
        group.propose_self_update(&provider, device, renewed(device)).map_err(|error| refused(&error))?;
    bytes(&proposal)
}

/// Asks the Reporter to let us go.
pub fn propose_leave(vault: &dyn Vault, device: &Device, group: &GroupId) -> Result<Vec<u8>, InviteError> {
    let provider = Provider::new(vault);
    let mut group = active(&provider, group)?;
    if group.own_leaf_index().u32() == REPORTER_LEAF {
        return Err(InviteError::NoSuchMember(REPORTER_LEAF));
    }
    let refused = refusal(&provider);
    let proposal = group.leave_group(&provider, device).map_err(|error| refused(&error))?;
    bytes(&proposal)
}

/// The group, if this device is its Reporter.
fn ours(provider: &Provider<'_>, group: &GroupId) -> Result<MlsGroup, InviteError> {
    let group = active(provider, group)?;
    if group.own_leaf_index().u32() == REPORTER_LEAF { Ok(group) } else { Err(InviteError::NotReporter) }
}

fn renewed(device: &Device) -> LeafNodeParameters {
    LeafNodeParameters::builder()
        .with_credential_with_key(device.credential_with_key())
        .with_capabilities(crate::config::capabilities())
        .build()
}

fn drop_wishes(provider: &Provider<'_>, vault: &dyn Vault, group: &mut MlsGroup) -> Result<(), InviteError> {
    wishes::take(vault, group.group_id().as_slice())?;
    group.clear_pending_proposals(provider.storage()).map_err(InviteError::Vault)
}

/// Turns an error of the library into ours; the vault's own failure goes first.
fn refusal<'p>(provider: &'p Provider<'_>) -> impl Fn(&dyn Display) -> InviteError + use<'p> {
    |error| provider.failure().map_or_else(|| InviteError::Mls(error.to_string()), InviteError::Vault)
}

fn bytes(message: &MlsMessageOut) -> Result<Vec<u8>, InviteError> {
    message.to_bytes().map_err(|error| InviteError::Mls(error.to_string()))
}
