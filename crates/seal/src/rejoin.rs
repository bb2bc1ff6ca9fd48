//! Brings back a member that lost the group: its leaf goes and comes again in one commit, with a fresh key package.
//!
//! For who missed more commits than anybody keeps, or stands on another branch. It keeps what it read; the group in
//! its vault is replaced by the one of the Welcome.

use keys::VerifyingKey;
use openmls::prelude::{LeafNodeIndex, OpenMlsProvider};

use crate::desk::at_once;
use crate::group::active;
use crate::join::{PendingJoin, inspect};
use crate::membership::{Wishes, bytes, candidates, commit_ours, ours, refusal};
use crate::provider::Provider;
use crate::{
    Check, Device, GroupError, GroupId, Invitation, InviteError, JoinError, Member, Vault, lease, member, turn, wishes,
};

/// Removes members by leaf and invites the same devices again, in one commit. The commit is merged when this returns;
/// it is for all others, the Welcome for who comes back.
///
/// A key package of a device that does not sit at one of the leaves is refused.
pub fn readmit(
    vault: &dyn Vault,
    device: &Device,
    group: &GroupId,
    leaves: &[u32],
    key_packages: &[&[u8]],
    aad: &[u8],
    check: Check<'_>,
) -> Result<Invitation, InviteError> {
    at_once(vault, |desk| {
        let provider = Provider::new(desk);
        let mut group = ours(&provider, desk, device, group)?;
        let mut back: Vec<VerifyingKey> = Vec::with_capacity(leaves.len());
        for leaf in leaves {
            if *leaf == group.own_leaf_index().u32() {
                return Err(InviteError::NoSuchMember(*leaf));
            }
            back.push(member::at(&group, *leaf).map_err(|_| InviteError::NoSuchMember(*leaf))?.dsk);
        }
        let packages = candidates(&provider, &group, leaves, key_packages, aad, &mut |leaf| {
            if back.contains(&leaf.dsk) { check(leaf) } else { Err("it was not in the group before".into()) }
        })?;
        let refused = refusal(&provider);
        let bundle = commit_ours(&provider, desk, &mut group, aad, Wishes::Void, |group| {
            group
                .commit_builder()
                .propose_removals(leaves.iter().map(|leaf| LeafNodeIndex::new(*leaf)))
                .propose_adds(packages)
                .load_psks(provider.storage())
                .map_err(|error| refused(&error))?
                .build(provider.rand(), provider.crypto(), device, |_| true)
                .map_err(|error| refused(&error))?
                .stage_commit(&provider)
                .map_err(|error| refused(&error))
        })?;
        let welcome = bundle.to_welcome_msg().ok_or_else(|| InviteError::Mls("there is no Welcome".into()))?;
        let (commit, _, _) = bundle.into_contents();
        Ok(Invitation { welcome: bytes(&welcome)?, commit: bytes(&commit)? })
    })
}

/// A Welcome into a group that we are in, read but not believed yet.
#[derive(Debug)]
pub struct PendingReturn(PendingJoin);

/// Opens a Welcome that would bring us back into a group we have lost. As with [`crate::inspect_welcome`], the key
/// package is used up.
pub fn inspect_return(vault: &dyn Vault, device: &Device, bytes: &[u8]) -> Result<PendingReturn, JoinError> {
    inspect(vault, device, bytes, true).map(PendingReturn)
}

impl PendingReturn {
    /// The group it brings us back to.
    pub fn group(&self) -> &GroupId {
        self.0.group()
    }

    /// Who made it.
    pub fn inviter(&self) -> &Member {
        self.0.inviter()
    }

    /// Takes the group of the Welcome in place of ours, if `check` accepts every member but ourselves.
    ///
    /// Whoever made it holds the lease as far as we know, or `may_lead` says that it may have got it since: it is given
    /// the holder we know of, if that is still a member here. Of two devices that both hold it the one with the lower
    /// key brings the other back. Nobody is brought back to an epoch in which they have been.
    pub fn rejoin(
        self,
        vault: &dyn Vault,
        check: Check<'_>,
        may_lead: &dyn Fn(Option<&Member>, &Member) -> bool,
    ) -> Result<GroupId, JoinError> {
        self.0.judge(check)?;
        at_once(vault, |desk| {
            let provider = Provider::new(desk);
            let id = self.0.group().clone();
            let mut before = active(&provider, &id).map_err(lost)?;
            let held = lease::lease(desk, &id).map_err(lost)?;
            let members = member::all(&before).map_err(JoinError::Invalid)?;
            let own = member::at(&before, before.own_leaf_index().u32()).map_err(JoinError::Invalid)?;
            let inviter = self.0.inviter().clone();
            let holder = members.iter().find(|member| member.dsk == held.holder);
            let leads = inviter.dsk == held.holder || may_lead(holder, &inviter);
            let both = held.holder == own.dsk && own.dsk.as_bytes() <= inviter.dsk.as_bytes();
            if !leads || both {
                return Err(JoinError::NotEntitled);
            }
            let epoch = before.epoch().as_u64();
            let been = turn::all(desk, id.as_bytes())?;
            before.delete(provider.storage())?;
            wishes::take(desk, id.as_bytes())?;
            let (id, mls) = self.0.enter(desk)?;
            let now = mls.epoch().as_u64();
            let mark = mls.epoch_authenticator();
            let again = been.iter().any(|turn| turn.epoch == now && turn.mark == mark.as_slice());
            if again || now.saturating_add(turn::KEPT as u64) <= epoch {
                return Err(JoinError::Old);
            }
            Ok(id)
        })
    }
}

fn lost(error: GroupError) -> JoinError {
    match error {
        GroupError::Vault(failure) => JoinError::Vault(failure),
        GroupError::Removed => JoinError::AlreadyJoined,
        other => JoinError::Invalid(other.to_string()),
    }
}
