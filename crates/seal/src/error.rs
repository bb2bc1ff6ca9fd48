//! What can go wrong, one enum for each operation. None carries key material or text.

use crate::VaultError;

/// Why no key package was made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyPackageError {
    /// The credential is larger than [`crate::CREDENTIAL_LIMIT`].
    #[error("the credential is too large")]
    CredentialTooLarge,
    /// The vault failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The MLS library refused.
    #[error("no key package was made: {0}")]
    Mls(String),
}

/// Why a group was not created.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CreateError {
    /// There is one with this id.
    #[error("the group exists already")]
    AlreadyExists,
    /// The credential is larger than [`crate::CREDENTIAL_LIMIT`].
    #[error("the credential is too large")]
    CredentialTooLarge,
    /// The vault failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The MLS library refused.
    #[error("the group was not created: {0}")]
    Mls(String),
}

/// Why a question about a group has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    /// We are in no such group.
    #[error("there is no such group")]
    UnknownGroup,
    /// We were removed from it.
    #[error("we are no longer in the group")]
    Removed,
    /// The vault failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The MLS library refused.
    #[error("the group gave no answer: {0}")]
    Mls(String),
}

/// Why the members of a group were not changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InviteError {
    /// We are in no such group.
    #[error("there is no such group")]
    UnknownGroup,
    /// Only the holder of the lease changes the members.
    #[error("only the holder of the lease changes the members")]
    NotHolder,
    /// The key package is larger than [`crate::KEY_PACKAGE_LIMIT`].
    #[error("the key package is too large")]
    TooLarge,
    /// The key package is not one, is expired, or is not signed by its device.
    #[error("the key package is not valid: {0}")]
    BadKeyPackage(String),
    /// The check refused the leaf.
    #[error("the device could not be verified: {0}")]
    Unverified(String),
    /// The device is in the group already.
    #[error("the device is in the group already")]
    AlreadyMember,
    /// Nobody sits at this leaf, or it is our own.
    #[error("there is no member to remove at leaf {0}")]
    NoSuchMember(u32),
    /// The group has [`crate::MEMBER_LIMIT`] members.
    #[error("the group is full")]
    Full,
    /// Nobody was named.
    #[error("nobody is to be invited or removed")]
    Nobody,
    /// What shall travel with the commit is larger than [`crate::AAD_LIMIT`].
    #[error("what shall travel with the commit is too large")]
    AadTooLarge,
    /// One of several key packages was refused, and so nobody was invited.
    #[error("key package {at}: {reason}")]
    Nth {
        /// Which, from 0.
        at: usize,
        /// Why.
        reason: Box<InviteError>,
    },
    /// The vault failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The MLS library refused.
    #[error("the members were not changed: {0}")]
    Mls(String),
}

/// Why an invitation was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum JoinError {
    /// Larger than [`crate::WELCOME_LIMIT`].
    #[error("the Welcome is too large")]
    TooLarge,
    /// Not a Welcome of ours.
    #[error("this is no Welcome")]
    Malformed,
    /// It names none of our key packages, or one that was used before.
    #[error("the Welcome is not for us, or was used before")]
    NotForUs,
    /// We are in this group.
    #[error("we are in the group already")]
    AlreadyJoined,
    /// It would bring us back into a group, and whoever made it does not lead that group.
    #[error("who made the Welcome does not lead the group")]
    NotEntitled,
    /// It would bring us back to where we have been.
    #[error("the Welcome is of an epoch that is over")]
    Old,
    /// It was not made by another member of the group.
    #[error("the Welcome was not made by a member")]
    NotFromMember,
    /// The group has more than [`crate::MEMBER_LIMIT`] members.
    #[error("the group is too large")]
    Full,
    /// The check refused a leaf.
    #[error("the member at leaf {leaf} could not be verified: {reason}")]
    Unverified {
        /// The leaf.
        leaf: u32,
        /// Why.
        reason: String,
    },
    /// Its content contradicts itself or our rules.
    #[error("the Welcome is not valid: {0}")]
    Invalid(String),
    /// The vault failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// Why a text was not sealed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// We are in no such group.
    #[error("there is no such group")]
    UnknownGroup,
    /// We were removed from it.
    #[error("we are no longer in the group")]
    Removed,
    /// Larger than [`crate::PLAINTEXT_LIMIT`].
    #[error("the text is too large to seal")]
    TooLarge,
    /// The vault failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The MLS library refused.
    #[error("the text was not sealed: {0}")]
    Mls(String),
}

/// Why a sealed message was not opened. Nothing of it was believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    /// Larger than [`crate::MESSAGE_LIMIT`].
    #[error("the message is too large")]
    TooLarge,
    /// Not an MLS message of ours.
    #[error("this is no sealed message")]
    Malformed,
    /// It is a Welcome: see [`crate::inspect_welcome`].
    #[error("this is a Welcome, not a message")]
    IsWelcome,
    /// It is signed but not sealed; we take nothing that is not sealed.
    #[error("the message is not sealed")]
    NotSealed,
    /// Somebody outside tried to commit or to propose.
    #[error("somebody outside the group tried to change it")]
    ExternalCommit,
    /// We are in no such group.
    #[error("there is no such group")]
    UnknownGroup,
    /// We were removed from the group.
    #[error("we are no longer in the group")]
    Removed,
    /// We sent it ourselves.
    #[error("this is our own message")]
    Own,
    /// It was opened before.
    #[error("the message was opened before")]
    Replayed,
    /// Its keys are gone. If its epoch is an earlier one, its sender lives behind our commits;
    /// else too many later messages of the same sender came first.
    #[error("the message of epoch {epoch} is too old to open, the group is in {ours}")]
    TooOld {
        /// The epoch of the message; unproven.
        epoch: u64,
        /// The epoch of the group.
        ours: u64,
    },
    /// It belongs to a later epoch: a commit is still on its way. Keep it and try again.
    #[error("the message belongs to epoch {epoch}, the group is in {ours}")]
    FromTheFuture {
        /// The epoch of the message; unproven.
        epoch: u64,
        /// The epoch of the group.
        ours: u64,
    },
    /// Too many messages of its sender are missing before it.
    #[error("too many messages before this one are missing")]
    TooFarAhead,
    /// It was changed, or was not sealed by a member for this group.
    #[error("the message was changed on its way or is forged")]
    Tampered,
    /// Its sender is no member now, or another device sits at its leaf.
    #[error("the sender is no longer in the group")]
    NotAMember,
    /// Somebody who does not hold the lease tried to commit. Worth an alarm.
    #[error("the member at leaf {leaf} tried to commit without the lease")]
    CommitFromObserver {
        /// Who.
        leaf: u32,
    },
    /// A device that claimed the lease and lost to a better claim committed before it knew.
    #[error("the member at leaf {leaf} committed under a claim to the lease that lost")]
    Outranked {
        /// Who.
        leaf: u32,
    },
    /// The commit or proposal would change something that never changes.
    #[error("the group may not be changed like this: {0}")]
    Forbidden(String),
    /// The check refused a leaf.
    #[error("the device at leaf {leaf} could not be verified: {reason}")]
    Unverified {
        /// The leaf.
        leaf: u32,
        /// Why.
        reason: String,
    },
    /// Its content contradicts itself.
    #[error("the message is not valid: {0}")]
    Invalid(String),
    /// The vault failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// Why a lease was not moved. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LeaseError {
    /// We are in no such group.
    #[error("there is no such group")]
    UnknownGroup,
    /// We were removed from it.
    #[error("we are no longer in the group")]
    Removed,
    /// The step was made already, or another one was.
    #[error("step {seq} of the lease is over, it is at {ours}")]
    Stale {
        /// The step.
        seq: u64,
        /// Where the lease is.
        ours: u64,
    },
    /// Earlier steps are still on their way. Keep it and try again.
    #[error("step {seq} of the lease comes early, it is at {ours}")]
    Ahead {
        /// The step.
        seq: u64,
        /// Where the lease is.
        ours: u64,
    },
    /// Who asks, or who shall have it, is not in the group.
    #[error("the device is not in the group")]
    NotAMember,
    /// Who asks does not hold the lease and wants it for somebody else, or says so.
    #[error("the device does not hold the lease")]
    NotHolder,
    /// It would go to another persona, and the holder has not said that this is meant.
    #[error("the lease would go to another persona")]
    OtherPersona,
    /// It is not over yet, and its holder lives.
    #[error("the lease is held until {until}")]
    StillHeld {
        /// Until when, Unix seconds.
        until: i64,
    },
    /// The device of who asks, or of who shall have it, was revoked or has expired.
    #[error("the device was revoked or has expired")]
    Dead,
    /// It would last longer than [`crate::LEASE_LIFE_S`].
    #[error("the lease would last too long")]
    TooLong,
    /// The vault failed.
    #[error(transparent)]
    Vault(#[from] VaultError),
    /// The MLS library refused.
    #[error("the group gave no answer: {0}")]
    Mls(String),
}

impl From<GroupError> for LeaseError {
    fn from(error: GroupError) -> Self {
        match error {
            GroupError::UnknownGroup => Self::UnknownGroup,
            GroupError::Removed => Self::Removed,
            GroupError::Vault(error) => Self::Vault(error),
            GroupError::Mls(reason) => Self::Mls(reason),
        }
    }
}

impl From<GroupError> for SealError {
    fn from(error: GroupError) -> Self {
        match error {
            GroupError::UnknownGroup => Self::UnknownGroup,
            GroupError::Removed => Self::Removed,
            GroupError::Vault(error) => Self::Vault(error),
            GroupError::Mls(reason) => Self::Mls(reason),
        }
    }
}

impl From<GroupError> for InviteError {
    fn from(error: GroupError) -> Self {
        match error {
            GroupError::UnknownGroup => Self::UnknownGroup,
            GroupError::Removed => Self::NotHolder,
            GroupError::Vault(error) => Self::Vault(error),
            GroupError::Mls(reason) => Self::Mls(reason),
        }
    }
}
