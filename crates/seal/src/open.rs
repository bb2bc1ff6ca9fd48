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
use crate::desk::Desk;
use crate::kept::{self, Memory};
use crate::member;
use crate::provider::Provider;
use crate::{
    Candidate, Check, Device, GroupError, GroupId, Member, OpenError, Vault, VaultError, contest, lease, note, turn,
    wishes,
};

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
    /// The holder of the lease changed the members; merged already.
    Commit {
        /// The epoch the group is in now.
        epoch: u64,
        /// Who is new.
        added: Vec<Member>,
        /// Who is gone.
        removed: Vec<Member>,
        /// Whose keys are new: those who asked for it, and the committer if it renewed itself.
        renewed: Vec<Member>,
        /// Whether we are among the removed: nothing more can be read or written.
        removed_us: bool,
        /// What the committer let travel with it.
        aad: Vec<u8>,
    },
    /// A member asks to be renewed or let go; kept until the holder of the lease commits.
    Proposal,
}

impl fmt::Debug for What {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Application(text) => write!(f, "Application({} bytes)", text.len()),
            Self::Commit { epoch, added, removed, renewed, removed_us, aad } => f
                .debug_struct("Commit")
                .field("epoch", epoch)
                .field("added", added)
                .field("removed", removed)
                .field("renewed", renewed)
                .field("removed_us", removed_us)
                .field("aad_bytes", &aad.len())
                .finish(),
            Self::Proposal => f.write_str("Proposal"),
        }
    }
}

/// Opens a message. A commit is merged when this returns, after `check` accepted every leaf that
/// is new or renewed. What is refused has changed nothing.
///
/// `_device` is not needed to read; it is asked for so that nobody reads without being someone.
pub fn open(vault: &dyn Vault, _device: &Device, bytes: &[u8], check: Check<'_>) -> Result<Opened, OpenError> {
    kept::open_one(vault, Incoming::read(bytes)?, check)
}

/// A message of a group, parsed but not opened.
pub(crate) struct Incoming<'b> {
    bytes: &'b [u8],
    group: GroupId,
    message: ProtocolMessage,
}

impl<'b> Incoming<'b> {
    pub(crate) fn read(bytes: &'b [u8]) -> Result<Self, OpenError> {
        if bytes.len() > MESSAGE_LIMIT {
            return Err(OpenError::TooLarge);
        }
        let message = MlsMessageIn::tls_deserialize_exact_bytes(bytes).map_err(|_| OpenError::Malformed)?;
        let message = private(message)?;
        Ok(Self { bytes, group: id_of(&message)?, message })
    }

    pub(crate) fn group(&self) -> &GroupId {
        &self.group
    }

    /// Whether this is a text of the epoch the group is in.
    pub(crate) fn is_text_of(&self, group: &MlsGroup) -> bool {
        is_text_of(&self.message, group)
    }
}

fn is_text_of(message: &ProtocolMessage, group: &MlsGroup) -> bool {
    message.content_type() == ContentType::Application && message.epoch() == group.epoch()
}

/// Opens one message of a group, which is loaded unless it is in `memory`; there it stays unless
/// the message was refused after it had changed something.
///
/// A provider that puts off writing is for texts of the present epoch only.
pub(crate) fn one(
    desk: &Desk<'_>,
    provider: &Provider<'_>,
    memory: &mut Memory,
    incoming: Incoming<'_>,
    check: Check<'_>,
) -> Result<Opened, OpenError> {
    let Incoming { bytes, group: id, message } = incoming;
    let mut group = match memory.mls.take() {
        Some(group) => group,
        None => provider.load(&id)?.ok_or(OpenError::UnknownGroup)?,
    };
    provider.present_only(is_text_of(&message, &group));
    let processed = match process(provider, &mut group, message) {
        Ok(processed) => processed,
        Err(error) => {
            // openmls changes nothing before it has believed a message.
            memory.mls = Some(group);
            return Err(error);
        }
    };
    let sender = match sender_of(&group, &processed, memory.sender.as_ref()) {
        Ok(sender) => sender,
        Err(error) => {
            // What the texts before this one used up is nowhere else. No member can bring us here:
            // every leaf of the present epoch was read when it came in.
            memory.mls = provider.owes().then_some(group);
            return Err(error);
        }
    };
    let note = note::open(provider.crypto(), &group, processed.aad());
    let what = match processed.into_content() {
        ProcessedMessageContent::ApplicationMessage(text) => What::Application(text.into_bytes()),
        ProcessedMessageContent::ProposalMessage(proposal) => {
            let holder = holds(desk, &group, &own(&group)?)?;
            let what = keep(provider, &mut group, &sender, *proposal, holder, check)?;
            if holder {
                wishes::add(desk, id.as_bytes(), bytes)?;
            }
            what
        }
        ProcessedMessageContent::StagedCommitMessage(commit) => {
            if !holds(desk, &group, &sender)? {
                if contest::has_lost(desk, id.as_bytes(), &sender.dsk)? {
                    return Err(OpenError::Outranked { leaf: sender.leaf });
                }
                return Err(OpenError::CommitFromObserver { leaf: sender.leaf });
            }
            let ending = turn::ending(desk, provider.crypto(), &group).map_err(OpenError::Invalid)?;
            let merged = merge(provider, &mut group, &sender, *commit, note.map_err(OpenError::Invalid)?, check)?;
            turn::begun(desk, ending, &group)?;
            merged
        }
        _ => return Err(OpenError::ExternalCommit),
    };
    memory.mls = Some(group);
    memory.sender = Some(sender.clone());
    Ok(Opened { group: id, sender, what })
}

/// Decrypts and verifies.
fn process(
    provider: &Provider<'_>,
    group: &mut MlsGroup,
    message: ProtocolMessage,
) -> Result<ProcessedMessage, OpenError> {
    if !group.is_active() {
        return Err(OpenError::Removed);
    }
    let (epoch, ours) = (message.epoch().as_u64(), group.epoch().as_u64());
    fits_epoch(epoch, ours, message.content_type())?;
    let processed = group
        .process_message(provider, message)
        .map_err(|error| provider.failure().map_or_else(|| refusal(&error, epoch, ours), OpenError::Vault))?;
    match processed.content() {
        ProcessedMessageContent::OwnPrivateMessage | ProcessedMessageContent::OwnPendingCommit => Err(OpenError::Own),
        _ => Ok(processed),
    }
}

/// Whether a member may commit now.
fn holds(desk: &Desk<'_>, group: &MlsGroup, member: &Member) -> Result<bool, OpenError> {
    lease::may_commit(desk, group, &member.dsk).map_err(|error| match error {
        GroupError::Vault(failure) => OpenError::Vault(failure),
        other => OpenError::Invalid(other.to_string()),
    })
}

fn own(group: &MlsGroup) -> Result<Member, OpenError> {
    member_at(group, group.own_leaf_index().u32())
}

/// Takes a sealed message and nothing else.
pub(crate) fn private(message: MlsMessageIn) -> Result<ProtocolMessage, OpenError> {
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

pub(crate) fn id_of(message: &ProtocolMessage) -> Result<GroupId, OpenError> {
    GroupId::new(message.group_id().as_slice()).ok_or(OpenError::Malformed)
}

/// A text may come late; a commit or proposal of another epoch can no longer or not yet be used.
fn fits_epoch(epoch: u64, ours: u64, kind: ContentType) -> Result<(), OpenError> {
    if epoch > ours {
        return Err(OpenError::FromTheFuture { epoch, ours });
    }
    match kind {
        ContentType::Application => Ok(()),
        ContentType::Commit if epoch < ours => Err(OpenError::Replayed),
        _ if epoch < ours => Err(OpenError::TooOld { epoch, ours }),
        _ => Ok(()),
    }
}

/// The member that signed, as it sits in the group now.
///
/// A text of a past epoch is signed by whoever sat at the leaf then. After a removal another
/// device may sit there, so the credential of then must be the one of now.
///
/// To read a key takes as long as to open a text, so the sender of the message before is asked first.
fn sender_of(group: &MlsGroup, processed: &ProcessedMessage, before: Option<&Member>) -> Result<Member, OpenError> {
    let Sender::Member(leaf) = processed.sender() else {
        return Err(OpenError::ExternalCommit);
    };
    let now = group.member_at(*leaf).ok_or(OpenError::NotAMember)?;
    let renewed_since = processed.epoch() < group.epoch() && now.credential != *processed.credential();
    if renewed_since {
        return Err(OpenError::NotAMember);
    }
    match before.filter(|member| member.is(&now)) {
        Some(same) => Ok(same.clone()),
        None => Member::of_mls(&now).map_err(|reason| OpenError::Unverified { leaf: leaf.u32(), reason }),
    }
}

/// Keeps a wish to be renewed or let go for the next commit; `ours` if we shall make it.
fn keep(
    provider: &Provider<'_>,
    group: &mut MlsGroup,
    sender: &Member,
    proposal: QueuedProposal,
    ours: bool,
    check: Check<'_>,
) -> Result<What, OpenError> {
    match proposal.proposal() {
        Proposal::Update(update) => renewal(group, sender.leaf, update.leaf_node(), b"", check)?,
        // One that holds the lease and wants to leave moves it first: nobody could let it go.
        Proposal::Remove(remove) if remove.removed().u32() == sender.leaf => {}
        Proposal::Remove(_) => return Err(OpenError::Forbidden("only the holder of the lease removes others".into())),
        _ => {
            return Err(OpenError::Forbidden("an observer may only renew itself or leave".into()));
        }
    }
    let own = Sender::Member(LeafNodeIndex::new(sender.leaf));
    let limit = if ours { 1 } else { PROPOSAL_LIMIT };
    if group.pending_proposals().filter(|waiting| *waiting.sender() == own).count() >= limit {
        return Err(OpenError::Forbidden("the observer has asked already".into()));
    }
    group.store_pending_proposal(provider.storage(), proposal)?;
    Ok(What::Proposal)
}

/// Merges a commit of the holder of the lease.
fn merge(
    provider: &Provider<'_>,
    group: &mut MlsGroup,
    sender: &Member,
    commit: StagedCommit,
    aad: Vec<u8>,
    check: Check<'_>,
) -> Result<What, OpenError> {
    let (added, removed) = judge(group, sender, &commit, &aad, check)?;
    let removed_us = commit.self_removed();
    let mut leaves: Vec<u32> = commit
        .queued_proposals()
        .filter_map(|proposal| match (proposal.proposal(), proposal.sender()) {
            (Proposal::Update(_), Sender::Member(leaf)) => Some(leaf.u32()),
            _ => None,
        })
        .collect();
    leaves.extend(commit.update_path_leaf_node().map(|_| sender.leaf));
    let renewed = leaves.into_iter().map(|leaf| member_at(group, leaf)).collect::<Result<_, _>>()?;
    group
        .merge_staged_commit(provider, commit)
        .map_err(|error| provider.failure().map_or_else(|| OpenError::Invalid(error.to_string()), OpenError::Vault))?;
    Ok(What::Commit { epoch: group.epoch().as_u64(), added, removed, renewed, removed_us, aad })
}

/// Who comes and who goes, if all of it is allowed.
fn judge(
    group: &MlsGroup,
    sender: &Member,
    commit: &StagedCommit,
    aad: &[u8],
    check: Check<'_>,
) -> Result<(Vec<Member>, Vec<Member>), OpenError> {
    let mut gone = Vec::new();
    for proposal in commit.queued_proposals() {
        match (proposal.proposal(), proposal.sender()) {
            (Proposal::Add(_), Sender::Member(_)) => {}
            (Proposal::Update(update), Sender::Member(leaf)) => {
                renewal(group, leaf.u32(), update.leaf_node(), aad, check)?;
            }
            (Proposal::Remove(remove), Sender::Member(_)) => gone.push(remove.removed().u32()),
            _ => {
                return Err(OpenError::Forbidden("a commit may only add, renew and remove members".into()));
            }
        }
    }
    if gone.contains(&sender.leaf) {
        return Err(OpenError::Forbidden("the holder of the lease stays".into()));
    }
    if commit.group_context().extensions().iter().next().is_some() {
        return Err(OpenError::Forbidden("a group has no extensions".into()));
    }
    if let Some(leaf) = commit.update_path_leaf_node() {
        renewal(group, sender.leaf, leaf, aad, check)?;
    }
    gone.sort_unstable();
    let removed = gone.iter().map(|leaf| member_at(group, *leaf)).collect::<Result<_, _>>()?;
    let added = newcomers(group, commit, &gone, aad, check)?;
    Ok((added, removed))
}

fn newcomers(
    group: &MlsGroup,
    commit: &StagedCommit,
    gone: &[u32],
    aad: &[u8],
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
        check(&Candidate::new(&member, aad)).map_err(unverified)?;
        added.push(member);
    }
    Ok(added)
}

/// A leaf may change its encryption key and its credential, never its device key.
fn renewal(
    group: &MlsGroup,
    leaf: u32,
    node: &openmls::prelude::LeafNode,
    aad: &[u8],
    check: Check<'_>,
) -> Result<(), OpenError> {
    let before = member_at(group, leaf)?;
    let unverified = |reason| OpenError::Unverified { leaf, reason };
    let after = Member::of_leaf_node(leaf, node).map_err(unverified)?;
    if after.dsk != before.dsk {
        return Err(OpenError::Forbidden("a leaf may not change its device key".into()));
    }
    if after != before { check(&Candidate::new(&after, aad)).map_err(unverified) } else { Ok(()) }
}

fn member_at(group: &MlsGroup, leaf: u32) -> Result<Member, OpenError> {
    member::at(group, leaf).map_err(|reason| OpenError::Unverified { leaf, reason })
}

fn refusal(error: &ProcessMessageError<VaultError>, epoch: u64, ours: u64) -> OpenError {
    use ValidationError as Bad;
    let ProcessMessageError::ValidationError(bad) = error else {
        return OpenError::Invalid(error.to_string());
    };
    match bad {
        Bad::UnableToDecrypt(MessageDecryptionError::SecretTreeError(secret)) => match secret {
            SecretTreeError::SecretReuseError => OpenError::Replayed,
            SecretTreeError::TooDistantInThePast => OpenError::TooOld { epoch, ours },
            SecretTreeError::TooDistantInTheFuture => OpenError::TooFarAhead,
            _ => OpenError::Tampered,
        },
        Bad::UnableToDecrypt(MessageDecryptionError::GenerationOutOfBound) => OpenError::TooOld { epoch, ours },
        Bad::UnableToDecrypt(_) | Bad::InvalidSignature => OpenError::Tampered,
        Bad::NoPastEpochData => OpenError::TooOld { epoch, ours },
        Bad::UnknownMember => OpenError::NotAMember,
        Bad::WrongWireFormat | Bad::UnencryptedApplicationMessage => OpenError::NotSealed,
        other => OpenError::Invalid(other.to_string()),
    }
}
