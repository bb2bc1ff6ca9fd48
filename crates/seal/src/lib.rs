//! Seals every data object as one MLS group whose only committer holds its lease.
//!
//! The room is pure: it opens no file and no socket. All state goes through a [`Vault`], which in
//! the app is one database transaction, so a ratchet step and the message that used it are kept
//! or lost together. What a function writes it writes once, at its end: one that refuses has
//! written nothing. **If the vault itself fails, the caller rolls the transaction back.**
//!
//! What this room does not know: identities (a credential is opaque bytes that a `check` given by
//! the caller judges), addresses, and networks. The one clock that is read is inside openmls,
//! for the lifetime of key packages.
//!
//! Rules a receiver enforces here (trust, section 3.1):
//! 1. only the holder of the [`Lease`], at first the device that created the group, commits; a
//!    commit of anybody else is never merged; the lease moves by [`move_lease`] only;
//! 2. everything is a PrivateMessage: external commits, external proposals and plain messages are
//!    refused before they touch the group;
//! 3. every leaf that comes in, by invitation, Welcome, commit or renewal, passes `check` first;
//! 4. a leaf may renew its credential, never its device key;
//! 5. a commit only adds, removes or renews leaves: nothing else about a group ever changes;
//! 6. of several claims to one step of the lease the same one counts for everybody who heard them, and what was
//!    committed under another is taken back.

mod code;
mod config;
mod contest;
mod desk;
mod device;
mod error;
mod group;
mod join;
mod kept;
mod lease;
mod member;
mod membership;
mod note;
mod open;
pub mod parcel;
mod peek;
mod provider;
mod rejoin;
mod secrets;
mod shelf;
mod testimony;
mod turn;
mod vault;
mod wishes;

#[cfg(test)]
mod stories;

pub use config::{
    AAD_LIMIT, CREDENTIAL_LIMIT, CREDENTIAL_TYPE, GROUP_ID_LIMIT, KEY_PACKAGE_LIMIT, MEMBER_LIMIT, MESSAGE_LIMIT,
    PADDING, PLAINTEXT_LIMIT, PROPOSAL_LIMIT, WELCOME_LIMIT,
};
pub use contest::is_contested;
pub use device::{
    Device, OwnKeyPackage, forget_key_package, has_key_package, inspect_key_package, key_package, make_key_package,
};
pub use error::{CreateError, GroupError, InviteError, JoinError, KeyPackageError, LeaseError, OpenError, SealError};
pub use group::{create, epoch, epoch_authenticator, export, forget, is_member, members, seal};
pub use join::{PendingJoin, inspect_welcome};
pub use kept::{Each, Kept, open_many, seal_many};
pub use lease::{
    LEASE_LIFE_S, LEASE_SKEW_S, Lease, LeaseJudge, LeaseMove, Moved, adopt_lease, holds_lease, lease, move_lease,
    next_step, renew,
};
pub use member::{Candidate, Check, GroupId, Member};
pub use membership::{
    Invitation, Renewal, commit_pending, invite, invite_many, propose_leave, propose_refresh, remove,
};
pub use open::{Opened, What, open};
pub use peek::{Sealed, group_of, is_welcome, peek};
pub use rejoin::{PendingReturn, inspect_return, readmit};
pub use testimony::{TESTIMONY_LIMIT, Testimony, hear_testimony, testify};
pub use turn::COMMITS_UNDONE;
pub use vault::{MemoryVault, Vault, VaultError};
pub use wishes::has_wishes;
