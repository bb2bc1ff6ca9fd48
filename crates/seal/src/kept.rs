//! A group in memory between its messages, and many messages in one go.
//!
//! To read a group from the vault means to read its whole tree, which in a group of a thousand
//! takes longer than a thousand messages. Who writes or reads more than once keeps it.

use std::collections::HashMap;
use std::time::SystemTime;

use openmls::group::PastEpochDeletion;
use openmls::prelude::MlsGroup;

use crate::config::PLAINTEXT_LIMIT;
use crate::desk::{Desk, at_once};
use crate::group::active;
use crate::open::{self, Incoming};
use crate::provider::Provider;
use crate::{Check, Device, GroupError, GroupId, Member, OpenError, Opened, SealError, Vault, VaultError};

/// What was sealed or opened of several, each by itself.
pub type Each<T, E> = Vec<Result<T, E>>;

/// A group that is held in memory while its state is in the vault.
///
/// One vault and one holder at a time: whoever changes the group otherwise, or **rolls back a
/// transaction** in which it was used, drops it and loads it again.
pub struct Kept {
    id: GroupId,
    memory: Memory,
}

/// What is known of a group between two of its messages.
#[derive(Default)]
pub(crate) struct Memory {
    /// The group; missing before the first message, and after one that was refused half-way.
    pub(crate) mls: Option<MlsGroup>,
    /// Who wrote last.
    pub(crate) sender: Option<Member>,
    /// The vault has not got its last keys.
    owes: bool,
}

impl Memory {
    fn of(mls: MlsGroup) -> Self {
        Self { mls: Some(mls), ..Self::default() }
    }

    /// Lays the keys into the vault if it has not got them.
    fn settle(&mut self, vault: &dyn Vault) -> Result<(), VaultError> {
        if let Some(mls) = self.mls.as_mut().filter(|_| self.owes) {
            let provider = Provider::new(vault);
            provider.present_only(true);
            // The one call of openmls that writes them and nothing else: no epoch ended before 1970.
            mls.delete_past_epoch_secrets(&provider, PastEpochDeletion::before_timestamp(SystemTime::UNIX_EPOCH))
                .map_err(|error| provider.failure().unwrap_or_else(|| VaultError::Failed(error.to_string())))?;
            self.owes = false;
        }
        Ok(())
    }
}

impl std::fmt::Debug for Kept {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Kept(…)")
    }
}

impl Kept {
    /// Loads a group we are in.
    pub fn load(vault: &dyn Vault, group: &GroupId) -> Result<Self, GroupError> {
        let mls = active(&Provider::new(vault), group)?;
        Ok(Self::hold(group.clone(), mls))
    }

    pub(crate) fn hold(id: GroupId, mls: MlsGroup) -> Self {
        Self { id, memory: Memory::of(mls) }
    }

    /// The group.
    pub fn group(&self) -> &GroupId {
        &self.id
    }

    /// As [`seal_many`].
    pub fn seal_many(
        &mut self,
        vault: &dyn Vault,
        device: &Device,
        plaintexts: &[&[u8]],
    ) -> Result<Vec<Vec<u8>>, SealError> {
        let Memory { mls, sender, .. } = std::mem::take(&mut self.memory);
        let held = mls.filter(|mls| mls.pending_proposals().next().is_none());
        at_once(vault, |desk| {
            let provider = Provider::blind_to_proposals(desk);
            let waiting = held.is_none();
            let mut mls = match held {
                Some(mls) => mls,
                None => active(&provider, &self.id)?,
            };
            let sealed = seal_all(&provider, &mut mls, device, plaintexts)?;
            // One that is blind to proposals must not be used to read.
            self.memory = Memory { mls: (!waiting).then_some(mls), sender, owes: false };
            Ok(sealed)
        })
    }

    /// The group as the vault holds it, or as nothing is known of it yet.
    fn taken(vault: &dyn Vault, group: &GroupId) -> Self {
        vault.take_held(group).unwrap_or_else(|| Self { id: group.clone(), memory: Memory::default() })
    }

    /// Lets the vault hold it, if there is anything to hold and the vault has got all of it.
    fn give(self, vault: &dyn Vault) {
        if self.memory.mls.is_some() && !self.memory.owes {
            vault.hold(self);
        }
    }

    /// As [`open_many`]; a message of another group is refused as [`OpenError::UnknownGroup`].
    pub fn open_many(
        &mut self,
        vault: &dyn Vault,
        _device: &Device,
        messages: &[&[u8]],
        check: Check<'_>,
    ) -> Result<Each<Opened, OpenError>, VaultError> {
        let mut memory = std::mem::take(&mut self.memory);
        let opened = at_once(vault, |desk| {
            let one = |bytes: &&[u8]| {
                let incoming = match Incoming::read(bytes) {
                    Ok(incoming) if *incoming.group() == self.id => incoming,
                    Ok(_) => return Ok(Err(OpenError::UnknownGroup)),
                    Err(error) => return Ok(Err(error)),
                };
                open_next(desk, &mut memory, incoming, check)
            };
            let opened = messages.iter().map(one).collect::<Result<_, VaultError>>()?;
            memory.settle(desk)?;
            Ok::<_, VaultError>(opened)
        })?;
        self.memory = memory;
        Ok(opened)
    }
}

/// Opens one message as [`crate::open`] does, with the group that the vault holds.
pub(crate) fn open_one(vault: &dyn Vault, incoming: Incoming<'_>, check: Check<'_>) -> Result<Opened, OpenError> {
    let mut kept = Kept::taken(vault, incoming.group());
    let opened = at_once(vault, |desk| open::one(desk, &Provider::new(desk), &mut kept.memory, incoming, check))?;
    kept.give(vault);
    Ok(opened)
}

/// Seals texts for all members, in this order. The group is read once, unless the vault holds it, and its state is
/// written once, at the end.
pub fn seal_many(
    vault: &dyn Vault,
    device: &Device,
    group: &GroupId,
    plaintexts: &[&[u8]],
) -> Result<Vec<Vec<u8>>, SealError> {
    let mut kept = Kept::taken(vault, group);
    let sealed = kept.seal_many(vault, device, plaintexts)?;
    kept.give(vault);
    Ok(sealed)
}

/// Opens messages of any groups in this order, each as [`crate::open`] would. Each group is read
/// once, and what changed is written once, at the end.
///
/// A message that is refused is refused alone. If the vault fails, nothing was opened.
pub fn open_many(
    vault: &dyn Vault,
    _device: &Device,
    messages: &[&[u8]],
    check: Check<'_>,
) -> Result<Each<Opened, OpenError>, VaultError> {
    let mut groups: HashMap<GroupId, Memory> = HashMap::new();
    at_once(vault, |desk| {
        let one = |bytes: &&[u8]| match Incoming::read(bytes) {
            Ok(incoming) => {
                let memory = groups.entry(incoming.group().clone()).or_default();
                open_next(desk, memory, incoming, check)
            }
            Err(error) => Ok(Err(error)),
        };
        let opened = messages.iter().map(one).collect::<Result<_, VaultError>>()?;
        groups.values_mut().try_for_each(|memory| memory.settle(desk))?;
        Ok(opened)
    })
}

fn seal_all(
    provider: &Provider<'_>,
    mls: &mut MlsGroup,
    device: &Device,
    plaintexts: &[&[u8]],
) -> Result<Vec<Vec<u8>>, SealError> {
    let last = plaintexts.len().saturating_sub(1);
    provider.present_only(true);
    let seal = |(at, text): (usize, &&[u8])| {
        provider.put_off(at < last);
        if text.len() > PLAINTEXT_LIMIT {
            return Err(SealError::TooLarge);
        }
        let sealed = mls
            .create_message(provider, device, text)
            .map_err(|error| provider.failure().map_or_else(|| SealError::Mls(error.to_string()), SealError::Vault))?;
        sealed.to_bytes().map_err(|error| SealError::Mls(error.to_string()))
    };
    plaintexts.iter().enumerate().map(seal).collect()
}

/// Opens the next message of a group that may be in memory already.
///
/// After a refusal desk and memory are as before the message, so that it can be tried again. The
/// keys that a text of the present epoch leaves are laid on the desk later, by [`Memory::settle`];
/// whatever else comes finds them there, to come back to.
fn open_next(
    desk: &Desk<'_>,
    memory: &mut Memory,
    incoming: Incoming<'_>,
    check: Check<'_>,
) -> Result<Result<Opened, OpenError>, VaultError> {
    let provider = Provider::new(desk);
    let text = memory.mls.as_ref().is_some_and(|mls| incoming.is_text_of(mls));
    if !text {
        memory.settle(desk)?;
    }
    provider.put_off(text);
    let mark = desk.mark();
    let opened = open::one(desk, &provider, memory, incoming, check);
    memory.owes |= provider.owes();
    match opened {
        Err(OpenError::Vault(failure)) => Err(failure),
        Err(refused) => {
            desk.back_to(mark);
            Ok(Err(refused))
        }
        opened => Ok(opened),
    }
}
