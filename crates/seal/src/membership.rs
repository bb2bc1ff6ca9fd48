//! How the holder of the lease changes the members, and how others ask for it.

use std::collections::HashSet;
use std::fmt::Display;

use openmls::prelude::{
    KeyPackage, LeafNodeIndex, LeafNodeParameters, MlsGroup, MlsMessageOut, OpenMlsProvider, Proposal, Sender,
};

use crate::config::{AAD_LIMIT, MEMBER_LIMIT};
use crate::desk::{Desk, at_once};
use crate::device::valid_key_package;
use crate::group::active;
use crate::member;
use crate::provider::Provider;
use crate::{Candidate, Check, Device, GroupId, InviteError, Member, Vault, VaultError, lease, note, turn, wishes};

/// What an invitation sends: one thing to the new members, another to the old ones.
pub struct Invitation {
    /// For the invited devices, the same for each.
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
    invite_many(vault, device, group, &[key_package], b"", check).map_err(|error| match error {
        InviteError::Nth { reason, .. } => *reason,
        other => other,
    })
}

/// Adds devices to our group in one commit, all of them or none. The commit is merged when this
/// returns; `aad` travels with it, for members only.
pub fn invite_many(
    vault: &dyn Vault,
    device: &Device,
    group: &GroupId,
    key_packages: &[&[u8]],
    aad: &[u8],
    check: Check<'_>,
) -> Result<Invitation, InviteError> {
    at_once(vault, |desk| {
        let provider = Provider::new(desk);
        let mut group = ours(&provider, desk, device, group)?;
        let packages = candidates(&provider, &group, &[], key_packages, aad, check)?;
        let refused = refusal(&provider);
        let (commit, welcome, _) = commit_ours(&provider, desk, &mut group, aad, Wishes::Void, |group| {
            // Path-less: an add costs some 700 bytes whatever the size of the group.
            group.add_members_without_update(&provider, device, &packages).map_err(|error| refused(&error))
        })?;
        Ok(Invitation { welcome: bytes(&welcome)?, commit: bytes(&commit)? })
    })
}

/// What becomes of what others asked for in this epoch.
#[derive(PartialEq)]
pub(crate) enum Wishes {
    /// It is void.
    Void,
    /// It stands in this commit.
    Granted,
}

/// One commit of ours from the end of its epoch to the beginning of the next: `aad` travels with it, `make` builds it,
/// and it is merged when this returns.
pub(crate) fn commit_ours<T>(
    provider: &Provider<'_>,
    desk: &Desk<'_>,
    group: &mut MlsGroup,
    aad: &[u8],
    wishes: Wishes,
    make: impl FnOnce(&mut MlsGroup) -> Result<T, InviteError>,
) -> Result<T, InviteError> {
    let ending = turn::ending(desk, provider.crypto(), group).map_err(InviteError::Mls)?;
    if wishes == Wishes::Void {
        drop_wishes(provider, desk, group)?;
    }
    attach(provider, group, aad)?;
    let made = make(group)?;
    group.merge_pending_commit(provider).map_err(|error| refusal(provider)(&error))?;
    turn::begun(desk, ending, group)?;
    Ok(made)
}

/// The key packages, each read and checked; who sits at `gone` goes with the same commit.
pub(crate) fn candidates(
    provider: &Provider<'_>,
    group: &MlsGroup,
    gone: &[u32],
    key_packages: &[&[u8]],
    aad: &[u8],
    check: Check<'_>,
) -> Result<Vec<KeyPackage>, InviteError> {
    if key_packages.is_empty() {
        return Err(InviteError::Nobody);
    }
    let mut present = member::all(group).map_err(InviteError::Mls)?;
    present.retain(|member| !gone.contains(&member.leaf));
    if present.len() + key_packages.len() > MEMBER_LIMIT {
        return Err(InviteError::Full);
    }
    let mut taken: HashSet<_> = present.iter().map(|member| member.dsk).collect();
    let leaves = member::next_leaves(group, gone, key_packages.len());
    let mut read = |bytes: &[u8], leaf| {
        let package = valid_key_package(provider, bytes)?;
        let candidate = Member::of_leaf_node(leaf, package.leaf_node()).map_err(InviteError::BadKeyPackage)?;
        if !taken.insert(candidate.dsk) {
            return Err(InviteError::AlreadyMember);
        }
        check(&Candidate::new(&candidate, aad)).map_err(InviteError::Unverified)?;
        Ok(package)
    };
    let one = |(at, (bytes, leaf)): (usize, (&&[u8], u32))| {
        read(bytes, leaf).map_err(|reason| InviteError::Nth { at, reason: Box::new(reason) })
    };
    key_packages.iter().zip(leaves).enumerate().map(one).collect()
}

/// A commit and what it rests on, for everybody and in this order.
pub struct Renewal {
    /// The wishes of members that are granted. A wish travels from its member to each other
    /// by itself; sending it once more keeps one that withheld it from some from locking
    /// them out. Who has seen one already answers [`crate::OpenError::Replayed`].
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
/// for everybody, the removed ones too; `aad` travels with it, for members only.
///
/// What others asked for in this epoch is void, as after every commit that is not
/// [`commit_pending`]; they may ask again.
pub fn remove(
    vault: &dyn Vault,
    device: &Device,
    group: &GroupId,
    leaves: &[u32],
    aad: &[u8],
) -> Result<Vec<u8>, InviteError> {
    at_once(vault, |desk| {
        let provider = Provider::new(desk);
        let mut group = ours(&provider, desk, device, group)?;
        if leaves.is_empty() {
            return Err(InviteError::Nobody);
        }
        for leaf in leaves {
            let index = LeafNodeIndex::new(*leaf);
            if index == group.own_leaf_index() || group.member_at(index).is_none() {
                return Err(InviteError::NoSuchMember(*leaf));
            }
        }
        let indices: Vec<LeafNodeIndex> = leaves.iter().map(|leaf| LeafNodeIndex::new(*leaf)).collect();
        let refused = refusal(&provider);
        let (commit, _, _) = commit_ours(&provider, desk, &mut group, aad, Wishes::Void, |group| {
            group.remove_members(&provider, device, &indices).map_err(|error| refused(&error))
        })?;
        bytes(&commit)
    })
}

/// Commits what others asked for and renews our own leaf, so that a key stolen before opens
/// nothing after; `aad` travels with it, for members only.
///
/// A renewed leaf that `check` refuses makes the whole call fail; the holder then removes it.
pub fn commit_pending(
    vault: &dyn Vault,
    device: &Device,
    group: &GroupId,
    aad: &[u8],
    check: Check<'_>,
) -> Result<Renewal, InviteError> {
    at_once(vault, |desk| {
        let provider = Provider::new(desk);
        let mut group = ours(&provider, desk, device, group)?;
        for proposal in group.pending_proposals() {
            if let (Proposal::Update(update), Sender::Member(leaf)) = (proposal.proposal(), proposal.sender()) {
                let member = Member::of_leaf_node(leaf.u32(), update.leaf_node()).map_err(InviteError::Unverified)?;
                check(&Candidate::new(&member, aad)).map_err(InviteError::Unverified)?;
            }
        }
        let refused = refusal(&provider);
        let bundle = commit_ours(&provider, desk, &mut group, aad, Wishes::Granted, |group| {
            group.self_update(&provider, device, renewed(device)).map_err(|error| refused(&error))
        })?;
        let commit = bytes(bundle.commit())?;
        let wishes = wishes::take(desk, group.group_id().as_slice())?;
        Ok(Renewal { wishes, commit })
    })
}

/// Asks the holder of the lease to renew our leaf: new encryption key, and the device's present
/// credential.
pub fn propose_refresh(vault: &dyn Vault, device: &Device, group: &GroupId) -> Result<Vec<u8>, InviteError> {
    at_once(vault, |desk| {
        let provider = Provider::new(desk);
        let mut group = active(&provider, group)?;
        let refused = refusal(&provider);
        let (proposal, _) =
            group.propose_self_update(&provider, device, renewed(device)).map_err(|error| refused(&error))?;
        bytes(&proposal)
    })
}

/// Asks the holder of the lease to let us go. The holder itself moves its lease first.
pub fn propose_leave(vault: &dyn Vault, device: &Device, group: &GroupId) -> Result<Vec<u8>, InviteError> {
    at_once(vault, |desk| {
        let provider = Provider::new(desk);
        let mut group = active(&provider, group)?;
        if lease::may_commit(desk, &group, &device.verifying_key())? {
            return Err(InviteError::NoSuchMember(group.own_leaf_index().u32()));
        }
        let refused = refusal(&provider);
        let proposal = group.leave_group(&provider, device).map_err(|error| refused(&error))?;
        bytes(&proposal)
    })
}

/// The group, if this device holds its lease.
pub(crate) fn ours(
    provider: &Provider<'_>,
    desk: &Desk<'_>,
    device: &Device,
    group: &GroupId,
) -> Result<MlsGroup, InviteError> {
    let group = active(provider, group)?;
    if lease::may_commit(desk, &group, &device.verifying_key())? { Ok(group) } else { Err(InviteError::NotHolder) }
}

/// Lets `aad` travel with the next commit.
fn attach(provider: &Provider<'_>, group: &mut MlsGroup, aad: &[u8]) -> Result<(), InviteError> {
    if aad.len() > AAD_LIMIT {
        return Err(InviteError::AadTooLarge);
    }
    let sealed = note::seal(provider.crypto(), group, aad).map_err(InviteError::Mls)?;
    group.set_aad(sealed);
    Ok(())
}

fn renewed(device: &Device) -> LeafNodeParameters {
    LeafNodeParameters::builder()
        .with_credential_with_key(device.credential_with_key())
        .with_capabilities(crate::config::capabilities())
        .build()
}

/// Forgets what others asked for.
pub(crate) fn drop_wishes(provider: &Provider<'_>, desk: &Desk<'_>, group: &mut MlsGroup) -> Result<(), VaultError> {
    wishes::take(desk, group.group_id().as_slice())?;
    group.clear_pending_proposals(provider.storage())
}

/// Turns an error of the library into ours; the vault's own failure goes first.
pub(crate) fn refusal<'p>(provider: &'p Provider<'_>) -> impl Fn(&dyn Display) -> InviteError + use<'p> {
    |error| provider.failure().map_or_else(|| InviteError::Mls(error.to_string()), InviteError::Vault)
}

pub(crate) fn bytes(message: &MlsMessageOut) -> Result<Vec<u8>, InviteError> {
    message.to_bytes().map_err(|error| InviteError::Mls(error.to_string()))
}
