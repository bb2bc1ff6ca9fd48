//! The stable word for each error, for logs and for shells.

use crate::{CreateError, GroupError, InviteError, JoinError, KeyPackageError, LeaseError, OpenError, SealError};

impl LeaseError {
    /// A stable word for it, for logs and for shells.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownGroup => "unknown-group",
            Self::Removed => "removed",
            Self::Stale { .. } => "lease-stale",
            Self::Ahead { .. } => "lease-ahead",
            Self::NotAMember => "not-a-member",
            Self::NotHolder => "not-holder",
            Self::OtherPersona => "lease-other-persona",
            Self::StillHeld { .. } => "lease-held",
            Self::Dead => "device-dead",
            Self::TooLong => "lease-too-long",
            Self::Vault(_) => "store-failed",
            Self::Mls(_) => "sealing-failed",
        }
    }
}

impl KeyPackageError {
    /// A stable word for it, for logs and for shells.
    pub fn code(&self) -> &'static str {
        match self {
            Self::CredentialTooLarge => "too-large",
            Self::Vault(_) => "store-failed",
            Self::Mls(_) => "sealing-failed",
        }
    }
}

impl CreateError {
    /// A stable word for it, for logs and for shells.
    pub fn code(&self) -> &'static str {
        match self {
            Self::AlreadyExists => "already-exists",
            Self::CredentialTooLarge => "too-large",
            Self::Vault(_) => "store-failed",
            Self::Mls(_) => "sealing-failed",
        }
    }
}

impl GroupError {
    /// A stable word for it, for logs and for shells.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownGroup => "unknown-group",
            Self::Removed => "removed",
            Self::Vault(_) => "store-failed",
            Self::Mls(_) => "sealing-failed",
        }
    }
}

impl InviteError {
    /// A stable word for it, for logs and for shells.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownGroup => "unknown-group",
            Self::NotHolder => "not-holder",
            Self::TooLarge => "too-large",
            Self::BadKeyPackage(_) => "bad-key-package",
            Self::Unverified(_) => "unverified",
            Self::AlreadyMember => "already-member",
            Self::NoSuchMember(_) => "no-such-member",
            Self::Full => "group-full",
            Self::Nobody => "nobody",
            Self::AadTooLarge => "too-large",
            Self::Nth { reason, .. } => reason.code(),
            Self::Vault(_) => "store-failed",
            Self::Mls(_) => "sealing-failed",
        }
    }
}

impl JoinError {
    /// A stable word for it, for logs and for shells.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
            Self::Malformed => "malformed",
            Self::NotForUs => "not-for-us",
            Self::AlreadyJoined => "already-joined",
            Self::NotEntitled => "not-holder",
            Self::Old => "replayed",
            Self::NotFromMember => "not-from-member",
            Self::Full => "group-full",
            Self::Unverified { .. } => "unverified",
            Self::Invalid(_) => "invalid-welcome",
            Self::Vault(_) => "store-failed",
        }
    }
}

impl SealError {
    /// A stable word for it, for logs and for shells.
    pub fn code(&self) -> &'static str {
        match self {
            Self::UnknownGroup => "unknown-group",
            Self::Removed => "removed",
            Self::TooLarge => "too-large",
            Self::Vault(_) => "store-failed",
            Self::Mls(_) => "sealing-failed",
        }
    }
}

impl OpenError {
    /// A stable word for it, for logs and for shells.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLarge => "too-large",
            Self::Malformed | Self::IsWelcome => "malformed",
            Self::NotSealed => "not-sealed",
            Self::ExternalCommit => "external-commit",
            Self::UnknownGroup => "unknown-group",
            Self::Removed => "removed",
            Self::Own => "own-message",
            Self::Replayed => "replayed",
            Self::TooOld { .. } => "too-old",
            Self::FromTheFuture { .. } => "from-the-future",
            Self::TooFarAhead => "too-far-ahead",
            Self::Tampered => "tampered",
            Self::NotAMember => "not-a-member",
            Self::CommitFromObserver { .. } => "commit-from-observer",
            Self::Outranked { .. } => "outranked",
            Self::Forbidden(_) => "forbidden-change",
            Self::Unverified { .. } => "unverified",
            Self::Invalid(_) => "invalid-message",
            Self::Vault(_) => "store-failed",
        }
    }
}
