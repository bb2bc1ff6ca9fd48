//! How an invited device looks at a Welcome first and joins second.

use openmls::prelude::{MlsGroup, MlsMessageBodyIn, MlsMessageIn, StagedWelcome, Welcome, WelcomeError};
use tls_codec::DeserializeBytes;

use crate::config::{self, MEMBER_LIMIT, SUITE, WELCOME_LIMIT};
use crate::desk::{Desk, at_once};
use crate::provider::Provider;
use crate::{Candidate, Check, Device, GroupId, JoinError, Kept, Member, Vault, VaultError, lease, turn};

/// A Welcome that was read but not believed yet.
pub struct PendingJoin {
    group: GroupId,
    members: Vec<Member>,
    inviter: Member,
    own_leaf: u32,
    staged: Box<StagedWelcome>,
}

impl std::fmt::Debug for PendingJoin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PendingJoin({} members)", self.members.len())
    }
}

/// Opens a Welcome with one of our key packages, which is used up by it.
///
/// The vault then already misses that key package: to be able to look at the same Welcome again
/// later, roll back.
pub fn inspect_welcome(vault: &dyn Vault, device: &Device, bytes: &[u8]) -> Result<PendingJoin, JoinError> {
    inspect(vault, device, bytes, false)
}

/// As [`inspect_welcome`]; a group we are in is an error unless it is to be replaced.
pub(crate) fn inspect(
    vault: &dyn Vault,
    device: &Device,
    bytes: &[u8],
    replaces: bool,
) -> Result<PendingJoin, JoinError> {
    if bytes.len() > WELCOME_LIMIT {
        return Err(JoinError::TooLarge);
    }
    let message = MlsMessageIn::tls_deserialize_exact_bytes(bytes).map_err(|_| JoinError::Malformed)?;
    let MlsMessageBodyIn::Welcome(welcome) = message.extract() else {
        return Err(JoinError::Malformed);
    };
    if welcome.ciphersuite() != SUITE {
        return Err(JoinError::Invalid("it is for another cipher suite".into()));
    }
    at_once(vault, |desk| stage(desk, device, welcome, replaces))
}

fn stage(vault: &dyn Vault, device: &Device, welcome: Welcome, replaces: bool) -> Result<PendingJoin, JoinError> {
    let provider = Provider::new(vault);
    let refused = |error: WelcomeError<VaultError>| match provider.failure() {
        Some(failure) => JoinError::Vault(failure),
        None => refusal(&error),
    };
    // The lifetime in a leaf says until when its key package could be used. A leaf that has been
    // in a group for a year is fine: whether its device still is, is for `check` to say.
    let builder = StagedWelcome::build_from_welcome(&provider, &config::join_config(), welcome)
        .map_err(refused)?
        .skip_lifetime_validation();
    let builder = if replaces { builder.replace_old_group() } else { builder };
    let staged = builder.build().map_err(refused)?;
    read(device, staged)
}

fn read(device: &Device, staged: StagedWelcome) -> Result<PendingJoin, JoinError> {
    if staged.group_context().extensions().iter().next().is_some() {
        return Err(JoinError::Invalid("its group has extensions".into()));
    }
    let group = GroupId::new(staged.group_context().group_id().as_slice())
        .ok_or_else(|| JoinError::Invalid("its group id is empty or too long".into()))?;
    if staged.members().nth(MEMBER_LIMIT).is_some() {
        return Err(JoinError::Full);
    }
    let members = staged
        .members()
        .map(|member| {
            Member::of_mls(&member).map_err(|reason| JoinError::Unverified { leaf: member.index.u32(), reason })
        })
        .collect::<Result<Vec<_>, _>>()?;
    let own_leaf = staged.own_leaf_index().u32();
    if !members.iter().any(|member| member.leaf == own_leaf && member.dsk == device.verifying_key()) {
        return Err(JoinError::NotForUs);
    }
    let sender = staged.welcome_sender_index().u32();
    let inviter = members.iter().find(|member| member.leaf == sender && sender != own_leaf);
    let inviter = inviter.cloned().ok_or(JoinError::NotFromMember)?;
    Ok(PendingJoin { group, members, inviter, own_leaf, staged: Box::new(staged) })
}

impl PendingJoin {
    /// The group it invites to.
    pub fn group(&self) -> &GroupId {
        &self.group
    }

    /// Who is in it, this device too; nobody verified yet.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Who invites. Only the holder of the lease can, so it is taken for the holder.
    pub fn inviter(&self) -> &Member {
        &self.inviter
    }

    /// Joins, if `check` accepts every member but ourselves; one that it refuses stops all.
    ///
    /// The inviter is taken for the holder of the lease; see [`crate::adopt_lease`].
    pub fn join(self, vault: &dyn Vault, check: Check<'_>) -> Result<GroupId, JoinError> {
        self.join_and_keep(vault, check).map(|kept| kept.group().clone())
    }

    /// As `join`, and keeps the group in memory.
    pub fn join_and_keep(self, vault: &dyn Vault, check: Check<'_>) -> Result<Kept, JoinError> {
        self.judge(check)?;
        at_once(vault, |desk| {
            let (group, mls) = self.enter(desk)?;
            Ok(Kept::hold(group, mls))
        })
    }

    /// Everybody but ourselves passes `check`.
    pub(crate) fn judge(&self, check: Check<'_>) -> Result<(), JoinError> {
        for member in self.members.iter().filter(|member| member.leaf != self.own_leaf) {
            check(&Candidate::new(member, b""))
                .map_err(|reason| JoinError::Unverified { leaf: member.leaf, reason })?;
        }
        Ok(())
    }

    /// Makes it our group.
    pub(crate) fn enter(self, desk: &Desk<'_>) -> Result<(GroupId, MlsGroup), JoinError> {
        let provider = Provider::new(desk);
        let mls = self
            .staged
            .into_group(&provider)
            .map_err(|error| provider.failure().map_or_else(|| refusal(&error), JoinError::Vault))?;
        lease::begin(desk, &self.group, self.inviter.dsk, 0)?;
        turn::arrived(desk, &mls)?;
        Ok((self.group, mls))
    }
}

fn refusal(error: &WelcomeError<VaultError>) -> JoinError {
    match error {
        WelcomeError::NoMatchingKeyPackage | WelcomeError::JoinerSecretNotFound => JoinError::NotForUs,
        WelcomeError::GroupAlreadyExists => JoinError::AlreadyJoined,
        WelcomeError::NotAWelcomeMessage | WelcomeError::MalformedWelcomeMessage => JoinError::Malformed,
        other => JoinError::Invalid(other.to_string()),
    }
}
