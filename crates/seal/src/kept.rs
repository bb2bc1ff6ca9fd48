//! A group in memory between its messages, and many messages in one go.
//!
//! To read a group from the vault means to read its whole tree, which in a group of a thousand
//! takes longer than a thousand messages. Who writes or reads more than once keeps it.

use std::collections::HashMap;

use openmls::prelude::MlsGroup;

use crate::config::PLAINTEXT_LIMIT;
use crate::desk::{Desk, at_once};
use crate::group::active;
use crate::open::{self, Incoming};
use crate::provider::Provider;
use crate::{Check, Device, GroupError, GroupId, OpenError, Opened, SealError, Vault, VaultError};

/// What was sealed or opened of several, each by itself.
pub type Each<T, E> = Vec<Result<T, E>>;

/// A group that is held in memory while its state is in the vault.
///
/// One vault and one holder at a time: whoever changes the group otherwise, or **rolls back a
/// transaction** in which it was used, drops it and loads it again.
pub struct Kept {
    id: GroupId,
    /// Missing after a message that was refused half-way.
    mls: Option<MlsGroup>,
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
        Ok(Self { id: group.clone(), mls: Some(mls) })
    }

    pub(crate) fn hold(id: GroupId, mls: MlsGroup) -> Self {
        Self { id, mls: Some(mls) }
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
        let held = self.mls.take().filter(|mls| mls.pending_proposals().next().is_none());
        at_once(vault, |desk| {
            let provider = Provider::blind_to_proposals(desk);
            let waiting = held.is_none();
            let mut mls = match held {
                Some(mls) => mls,
                None => active(&provider, &self.id)?,
            };
            let sealed = seal_all(&provider, &mut mls, device, plaintexts)?;
            // One that is blind to proposals must not be used to read.
            self.mls = if waiting { None } else { Some(mls) };
            Ok(sealed)
        })
    }

    /// As [`open_many`]; a message of another group is refused as [`OpenError::UnknownGroup`].
    pub fn open_many(
        &mut self,
        vault: &dyn Vault,
        _device: &Device,
        messages: &[&[u8]],
        check: Check<'_>,
    ) -> Result<Each<Opened, OpenError>, VaultError> {
        let mut mls = self.mls.take();
        let opened = at_once(vault, |desk| {
            let one = |bytes: &&[u8]| {
                let incoming = match Incoming::read(bytes) {
                    Ok(incoming) if *incoming.group() == self.id => incoming,
                    Ok(_) => return Ok(Err(OpenError::UnknownGroup)),
                    Err(error) => return Ok(Err(error)),
                };
                open_next(desk, &mut mls, incoming, check)
            };
            messages.iter().map(one).collect()
        })?;
        self.mls = mls;
        Ok(opened)
    }
}

/// Seals texts for all members, in this order. The group is read once, and its state is written
/// once, at the end.
pub fn seal_many(
    vault: &dyn Vault,
    device: &Device,
    group: &GroupId,
    plaintexts: &[&[u8]],
) -> Result<Vec<Vec<u8>>, SealError> {
    at_once(vault, |desk| {
        let provider = Provider::blind_to_proposals(desk);
        let mut mls = active(&provider, group)?;
        seal_all(&provider, &mut mls, device, plaintexts)
    })
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
    let mut groups: HashMap<GroupId, Option<MlsGroup>> = HashMap::new();
    at_once(vault, |desk| {
        let one = |bytes: &&[u8]| match Incoming::read(bytes) {
            Ok(incoming) => {
                let mls = groups.entry(incoming.group().clone()).or_default();
                open_next(desk, mls, incoming, check)
            }
            Err(error) => Ok(Err(error)),
        };
        messages.iter().map(one).collect()
    })
}

fn seal_all(
    provider: &Provider<'_>,
    mls: &mut MlsGroup,
    device: &Device,
    plaintexts: &[&[u8]],
) -> Result<Vec<Vec<u8>>, SealError> {
    let seal = |text: &&[u8]| {
        if text.len() > PLAINTEXT_LIMIT {
            return Err(SealError::TooLarge);
        }
        let sealed = mls
            .create_message(provider, device, text)
            .map_err(|error| provider.failure().map_or_else(|| SealError::Mls(error.to_string()), SealError::Vault))?;
        sealed.to_bytes().map_err(|error| SealError::Mls(error.to_string()))
    };
    plaintexts.iter().map(seal).collect()
}

/// Opens the next message of a group that may be in memory already.
///
/// After a refusal desk and memory are as before the message, so that it can be tried again.
fn open_next(
    desk: &Desk<'_>,
    mls: &mut Option<MlsGroup>,
    incoming: Incoming<'_>,
    check: Check<'_>,
) -> Result<Result<Opened, OpenError>, VaultError> {
    let mark = desk.mark();
    match open::one(desk, mls, incoming, check) {
        Err(OpenError::Vault(failure)) => Err(failure),
        Err(refused) => {
            desk.back_to(mark);
            Ok(Err(refused))
        }
        opened => Ok(opened),
    }
}
