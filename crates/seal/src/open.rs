//! Opens what others sealed, and merges a commit only if every rule allows it.

use std::fmt;

use openmls::framing::errors::{MessageDecryptionError, SecretTreeError};
use openmls::prelude::{
    ContentType, LeafNodeIndex, MlsGroup, MlsMessageBodyIn, MlsMessageIn, OpenMlsProvider, ProcessMessageError,
    ProcessedMessage, ProcessedMessageContent, Proposal, ProtocolMessage, QueuedProposal, Sender, StagedCommit,
    ValidationError,
};
use tls_codec::DeserializeBytes;

use crate::config::{MEMBER_LIMIT, MESSAGE_LIMIT, PROPOSAL_LIMIT};
use crate::member::{self, REPORTER_LEAF};
use crate::provider::Provider;
use crate::{Check, Device, GroupId, Member, OpenError, Vault, VaultError, wishes};

/// What a sealed thing is, read from its unsealed and unproven header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sealed {
    /// An invitation, for [`crate::inspect_welcome`].
    Welcome,
    /// A message of a group, for [`open`].
    Message {
        /// The group.
        group: GroupId,
        /// The epoch it was sealed in.
        epoch: u64,
    },
}

/// A message that was opened.
#[derive(Debug)]
pub struct Opened {
    /// The group it belongs to.
    pub group: GroupId,
    /// Who signed it.
    pub sender: Member,
    /// What it says.
    pub what: What,
}

/// What an opened message is.
pub enum What {
    /// A text.
    Application(Vec<u8>),
    /// The Reporter changed the members; merged already.
    Commit {
        /// The epoch the group is in now.
        epoch: u64,
        /// Who is new.
        added: Vec<Member>,
        /// Who is gone.
        removed: Vec<Member>,
        /// Whether we are among the removed: nothing more can be read or written.
        removed_us: bool,
    },
    /// An observer asks to be renewed or let go; kept until the Reporter commits.
    Proposal,
}

impl fmt::Debug for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Application(text) => write!(f, "Application({} bytes)", text.len()),
            Self::Commit { epoch, added, removed, removed_us } => f
                .debug_struct("Commit")
                .field("epoch", epoch)
                .field("added", added)
                .field("removed", removed)
                .field("removed_us", removed_us)
                .finish(),
            Self::Proposal => f.write_str("Proposal"),
        }
    }
}

/// Says what a sealed thing is and which group it claims to belong to, opening nothing.
pub fn peek(bytes: &[u8]) -> Result<Sealed, OpenError> {
    if bytes.len() > MESSAGE_LIMIT {
        return Err(OpenError::TooLarge);
    }
    let message = MlsMessageIn::tls_deserialize_exact_bytes(bytes).map_err(|_| OpenError::Malformed)?;
    if matches!(message.wire_format(), openmls::prelude::WireFormat::Welcome) {
        return Ok(Sealed::Welcome);
    }
    let message = private(message)?;
    Ok(Sealed::Message { group: id_of(&message)?, epoch: message.epoch().as_u64() })
}

/// Whether this is an invitation rather than a message; proves nothing.
pub fn is_welcome(bytes: &[u8]) -> bool {
    matches!(peek(bytes), Ok(Sealed::Welcome))
}

/// The group a message claims to belong to.
pub fn group_of(bytes: &[u8]) -> Result<GroupId, OpenError> {
    match peek(bytes)? {
        Sealed::Message { group, .. } => Ok(group),
        Sealed::Welcome => Err(OpenError::IsWelcome),
    }
}

/// Opens a message. A commit is merged when this returns, after `check` accepted every leaf that
/// is new or renewed.
///
/// `_device` is not needed to read; it is asked for so that nobody reads without being someone.
pub fn open(vault: &dyn Vault, _device: &Device, bytes: &[u8], check: Check<'_>) -> Result<Opened, OpenError> {
    if bytes.len() > MESSAGE_LIMIT {
        return Err(OpenError::TooLarge);
    }
    let message = MlsMessageIn::tls_deserialize_exact_bytes(bytes).map_err(|_| OpenError::Malformed)?;
    let message = private(message)?;
    let id = id_of(&message)?;
    let provider = Provider::new(vault);
    let mut group = provider.load(&id)?.ok_or(OpenError::UnknownGroup)?;
    if !group.is_active() {
        return Err(OpenError::Removed);
    }
    fits_epoch(&group, &message)?;
    let processed = group
        .process_message(&provider, message)
        .map_err(|error| provider.failure().map_or_else(|| refusal(&error), OpenError::Vault))?;
    if matches!(
        processed.content(),
        ProcessedMessageContent::OwnPrivateMessage | ProcessedMessageContent::OwnPendingCommit
    ) {
        return Err(OpenError::Own);
    }
    let sender = sender_of(&group, &processed)?;
    let what = match processed.into_content() {
        ProcessedMessageContent::ApplicationMessage(text) => What::Application(text.into_bytes()),
        ProcessedMessageContent::ProposalMessage(proposal) => {
            let what = keep(&provider, &mut group, &sender, *proposal, check)?;
            if group.own_leaf_index().u32() == REPORTER_LEAF {
                wishes::add(vault, id.as_bytes(), bytes)?;
            }
            what
        }
        ProcessedMessageContent::StagedCommitMessage(commit) => merge(&provider, &mut group, &sender, *commit, check)?,
        _ => return Err(OpenError::ExternalCommit),
    };
    Ok(Opened { group: id, sender, what })
}

/// Takes a sealed message and nothing else.
fn private(message: MlsMessageIn) -> Result<ProtocolMessage, OpenError> {
    match message.extract() {
        MlsMessageBodyIn::PrivateMessage(message) => Ok(message.into()),
        MlsMessageBodyIn::PublicMessage(message) => match message.sender() {
            Sender::Member(_) => Err(OpenError::NotSealed),
            _ => Err(OpenError::ExternalCommit),
        },
        MlsMessageBodyIn::Welcome(_) => Err(OpenError::IsWelcome),
        _ => Err(OpenError::Malformed),
    }
}

fn id_of(message: &ProtocolMessage) -> Result<GroupId, OpenError> {
    GroupId::new(message.group_id().as_slice()).ok_or(OpenError::Malformed)
}

/// A text may come late; a commit or proposal of another epoch can no longer or not yet be used.
fn fits_epoch(group: &MlsGroup, message: &ProtocolMessage) -> Result<(), OpenError> {
    let (epoch, ours) = (message.epoch().as_u64(), group.epoch().as_u64());
    if epoch > ours {
        return Err(OpenError::FromTheFuture { epoch, ours });
    }
    match message.content_type() {
        ContentType::Application => Ok(()),
        ContentType::Commit if epoch < ours => Err(OpenError::Replayed),
        _ if epoch < ours => Err(OpenError::TooOld),
        _ => Ok(()),
    }
}

/// The member that signed, as it sits in the group now.
///
/// A text of a past epoch is signed by whoever sat at the leaf then. After a removal another
/// device may sit there, so the credential of then must be the one of now.
fn sender_of(group: &MlsGroup, processed: &ProcessedMessage) -> Result<Member, OpenError> {
    let Sender::Member(leaf) = processed.sender() else {
        return Err(OpenError::ExternalCommit);
    };
    let now = group.member_at(*leaf).ok_or(OpenError::NotAMember)?;
    let renewed_since = processed.epoch() < group.epoch() && now.credential != *processed.credential();
    if renewed_since {
        return Err(OpenError::NotAMember);
    }
    Member::of_mls(&now).map_err(|reason| OpenError::Unverified { leaf: leaf.u32(), reason })
}

/// Keeps an observer's wish to be renewed or let go, for the Reporter's next commit.
fn keep(
    provider: &Provider<'_>,
    group: &mut MlsGroup,
    sender: &Member,
    proposal: QueuedProposal,
    check: Check<'_>,
) -> Result<What, OpenError> {
    match proposal.proposal() {
        Proposal::Update(update) => renewal(group, sender.leaf, update.leaf_node(), check)?,
        Proposal::Remove(remove) if remove.removed().u32() == sender.leaf && !sender.is_reporter() => {}
        Proposal::Remove(_) => return Err(OpenError::Forbidden("only the Reporter removes others".into())),
        _ => {
            return Err(OpenError::Forbidden("an observer may only renew itself or leave".into()));
        }
    }
    let own = Sender::Member(LeafNodeIndex::new(sender.leaf));
    let limit = if group.own_leaf_index().u32() == REPORTER_LEAF { 1 } else { PROPOSAL_LIMIT };
    if group.pending_proposals().filter(|waiting| *waiting.sender() == own).count() >= limit {
        return Err(OpenError::Forbidden("the observer has asked already".into()));
    }
    group.store_pending_proposal(provider.storage(), proposal)?;
    Ok(What::Proposal)
}

/// Merges a commit of the Reporter.
fn merge(
    provider: &Provider<'_>,
    group: &mut MlsGroup,
    sender: &Member,
    commit: StagedCommit,
    check: Check<'_>,
) -> Result<What, OpenError> {
    if sender.leaf != REPORTER_LEAF {
        return Err(OpenError::CommitFromObserver { leaf: sender.leaf });
    }
    let (added, removed) = judge(group, &commit, check)?;
    let removed_us = commit.self_removed();
    group
        .merge_staged_commit(provider, commit)
        .map_err(|error| provider.failure().map_or_else(|| OpenError::Invalid(error.to_string()), OpenError::Vault))?;
    Ok(What::Commit { epoch: group.epoch().as_u64(), added, removed, removed_us })
}

/// Who comes and who goes, if all of it is allowed.
fn judge(group: &MlsGroup, commit: &StagedCommit, check: Check<'_>) -> Result<(Vec<Member>, Vec<Member>), OpenError> {
    let mut gone = Vec::new();
    for proposal in commit.queued_proposals() {
        match (proposal.proposal(), proposal.sender()) {
            (Proposal::Add(_), Sender::Member(_)) => {}
            (Proposal::Update(update), Sender::Member(leaf)) => renewal(group, leaf.u32(), update.leaf_node(), check)?,
            (Proposal::Remove(remove), Sender::Member(_)) => gone.push(remove.removed().u32()),
            _ => {
                return Err(OpenError::Forbidden("a commit may only add, renew and remove members".into()));
            }
        }
    }
    if commit.group_context().extensions().iter().next().is_some() {
        return Err(OpenError::Forbidden("a group has no extensions".into()));
    }
    if let Some(leaf) = commit.update_path_leaf_node() {
        renewal(group, REPORTER_LEAF, leaf, check)?;
    }
    let removed = gone.iter().map(|leaf| member_at(group, *leaf)).collect::<Result<_, _>>()?;
    let added = newcomers(group, commit, &gone, check)?;
    Ok((added, removed))
}

fn newcomers(
    group: &MlsGroup,
    commit: &StagedCommit,
    gone: &[u32],
    check: Check<'_>,
) -> Result<Vec<Member>, OpenError> {
    let packages: Vec<_> = commit.add_proposals().collect();
    let leaves = member::next_leaves(group, gone, packages.len());
    if group.members().count() + packages.len() > MEMBER_LIMIT + gone.len() {
        return Err(OpenError::Forbidden("the group would be too large".into()));
    }
    let mut added = Vec::with_capacity(packages.len());
    for (package, leaf) in packages.iter().zip(leaves) {
        let node = package.add_proposal().key_package().leaf_node();
        let unverified = |reason| OpenError::Unverified { leaf, reason };
        let member = Member::of_leaf_node(leaf, node).map_err(unverified)?;
        check(&member).map_err(unverified)?;
        added.push(member);
    }
    Ok(added)
}

/// A leaf may change its encryption key and its credential, never its device key.
fn renewal(group: &MlsGroup, leaf: u32, node: &openmls::prelude::LeafNode, check: Check<'_>) -> Result<(), OpenError> {
    let before = member_at(group, leaf)?;
    let unverified = |reason| OpenError::Unverified { leaf, reason };
    let after = Member::of_leaf_node(leaf, node).map_err(unverified)?;
    if after.dsk != before.dsk {
        return Err(OpenError::Forbidden("a leaf may not change its device key".into()));
    }
    if after != before { check(&after).map_err(unverified) } else { Ok(()) }
}

fn member_at(group: &MlsGroup, leaf: u32) -> Result<Member, OpenError> {
    let member = group.member_at(LeafNodeIndex::new(leaf)).ok_or(OpenError::NotAMember)?;
    Member::of_mls(&member).map_err(|reason| OpenError::Unverified { leaf, reason })
}

fn refusal(error: &ProcessMessageError<VaultError>) -> OpenError {
    use ValidationError as Bad;
    let ProcessMessageError::ValidationError(bad) = error else {
        return OpenError::Invalid(error.to_string());
    };
    match bad {
        Bad::UnableToDecrypt(MessageDecryptionError::SecretTreeError(secret)) => match secret {
            SecretTreeError::SecretReuseError => OpenError::Replayed,
            SecretTreeError::TooDistantInThePast => OpenError::TooOld,
            SecretTreeError::TooDistantInTheFuture => OpenError::TooFarAhead,
            _ => OpenError::Tampered,
        },
        Bad::UnableToDecrypt(MessageDecryptionError::GenerationOutOfBound) => OpenError::TooOld,
        Bad::UnableToDecrypt(_) | Bad::InvalidSignature => OpenError::Tampered,
        Bad::NoPastEpochData => OpenError::TooOld,
        Bad::UnknownMember => OpenError::NotAMember,
        Bad::WrongWireFormat | Bad::UnencryptedApplicationMessage => OpenError::NotSealed,
        other => OpenError::Invalid(other.to_string()),
    }
}
