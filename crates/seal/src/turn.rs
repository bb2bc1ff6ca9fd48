//! What is kept when an epoch ends: the mark of the one that began and, while the lease is contested, the way back.
//!
//! A commit that was merged cannot be taken back by MLS: the keys of the epoch before are gone with it. As long as a
//! better claim to the lease may still come, they are therefore kept, for [`BACK`] commits at most.

use keys::SealKey;
use openmls::prelude::MlsGroup;
use openmls_rust_crypto::RustCrypto;
use serde::{Deserialize, Serialize};
use zeroize::{Zeroize, Zeroizing};

use crate::contest;
use crate::desk::{Before, Desk};
use crate::{GroupId, Vault, VaultError};

/// The table of the marks.
const TURNS: &str = "turns";

/// The table of what was before a commit.
const WAY_BACK: &str = "way-back";

/// Epochs whose marks are kept.
pub(crate) const KEPT: usize = 8;

/// Commits that can be taken back: no claim that is older can be read by who merged more.
pub(crate) const BACK: u32 = 4;

/// The same, for who keeps what has to be sent again.
pub const COMMITS_UNDONE: u64 = BACK as u64;

/// What the key of an epoch is derived for, under which the mark of the next one is told.
const LABEL: &str = "parlance-epoch-mark";

/// The beginning of an epoch.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Turn {
    /// The epoch that began.
    pub(crate) epoch: u64,
    /// The epoch authenticator (RFC 9420, section 8.7) of it.
    pub(crate) mark: Vec<u8>,
    /// A key of the epoch before; none if we joined with this one.
    key: Option<Vec<u8>>,
    /// Whether the way back from it is kept.
    #[serde(default)]
    undoable: bool,
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.key.zeroize();
    }
}

impl Turn {
    /// What only members of the epoch before can open.
    pub(crate) fn key(&self) -> Option<SealKey> {
        let bytes: &[u8; 32] = self.key.as_deref()?.try_into().ok()?;
        Some(SealKey::from_bytes(bytes))
    }
}

/// An epoch that is about to end.
pub(crate) struct Ending {
    key: Zeroizing<Vec<u8>>,
    since: usize,
}

/// To be called before anything of a commit is written.
pub(crate) fn ending(desk: &Desk<'_>, crypto: &RustCrypto, group: &MlsGroup) -> Result<Ending, String> {
    let key = group.export_secret(crypto, LABEL, b"", 32).map(Zeroizing::new).map_err(|error| error.to_string())?;
    Ok(Ending { key, since: desk.mark() })
}

/// To be called once the commit is merged.
pub(crate) fn begun(desk: &Desk<'_>, ending: Ending, group: &MlsGroup) -> Result<(), VaultError> {
    let id = group.group_id().as_slice();
    if !group.is_active() {
        return forget(desk, id);
    }
    let epoch = group.epoch().as_u64();
    let undoable = contest::committed(desk, id)?;
    if undoable {
        desk.put(WAY_BACK, &way_key(id, epoch), &encode(&desk.before(ending.since)?)?)?;
    } else {
        forget_ways_back(desk, id)?;
    }
    let mark = group.epoch_authenticator().as_slice().to_vec();
    push(desk, id, Turn { epoch, mark, key: Some(ending.key.to_vec()), undoable })
}

/// We joined: nothing is known of the epoch before.
pub(crate) fn arrived(desk: &Desk<'_>, group: &MlsGroup) -> Result<(), VaultError> {
    let id = group.group_id().as_slice();
    forget_ways_back(desk, id)?;
    let mark = group.epoch_authenticator().as_slice().to_vec();
    push(desk, id, Turn { epoch: group.epoch().as_u64(), mark, key: None, undoable: false })
}

fn push(desk: &Desk<'_>, id: &[u8], turn: Turn) -> Result<(), VaultError> {
    let mut turns = all(desk, id)?;
    turns.push(turn);
    let surplus = turns.len().saturating_sub(KEPT);
    turns.drain(..surplus);
    write(desk, id, &turns)
}

/// The last epochs, the newest last.
pub(crate) fn all(vault: &dyn Vault, id: &[u8]) -> Result<Vec<Turn>, VaultError> {
    match vault.get(TURNS, id)?.map(Zeroizing::new) {
        Some(bytes) => ciborium::from_reader(bytes.as_slice()).map_err(|_| damaged(TURNS)),
        None => Ok(Vec::new()),
    }
}

/// Takes the last `commits` commits back; the group is then as it was before the first of them.
///
/// Says whether that could be done; if not, nothing was changed.
pub(crate) fn go_back(desk: &Desk<'_>, group: &GroupId, commits: u32) -> Result<bool, VaultError> {
    let id = group.as_bytes();
    let mut turns = all(desk, id)?;
    let count = commits as usize;
    if count > turns.len() || turns.iter().rev().take(count).any(|turn| !turn.undoable) {
        return Ok(commits == 0);
    }
    for turn in turns.drain(turns.len() - count..).rev() {
        let key = way_key(id, turn.epoch);
        let bytes = desk.get(WAY_BACK, &key)?.map(Zeroizing::new).ok_or_else(|| damaged(WAY_BACK))?;
        for Before { table, key, value } in decode(&bytes)? {
            match value {
                Some(value) => desk.put(&table, &key, &value)?,
                None => desk.delete(&table, &key)?,
            }
        }
        desk.delete(WAY_BACK, &key)?;
    }
    write(desk, id, &turns)?;
    Ok(true)
}

/// Nobody goes back any more: the keys of what was are gone.
pub(crate) fn forget_ways_back(desk: &Desk<'_>, id: &[u8]) -> Result<(), VaultError> {
    let mut turns = all(desk, id)?;
    let mut any = false;
    for turn in turns.iter_mut().filter(|turn| turn.undoable) {
        desk.delete(WAY_BACK, &way_key(id, turn.epoch))?;
        (turn.undoable, any) = (false, true);
    }
    if any { write(desk, id, &turns) } else { Ok(()) }
}

pub(crate) fn forget(desk: &Desk<'_>, id: &[u8]) -> Result<(), VaultError> {
    forget_ways_back(desk, id)?;
    desk.delete(TURNS, id)
}

fn write(desk: &Desk<'_>, id: &[u8], turns: &[Turn]) -> Result<(), VaultError> {
    let mut bytes = Zeroizing::new(Vec::new());
    ciborium::into_writer(turns, &mut *bytes).map_err(|_| damaged(TURNS))?;
    desk.put(TURNS, id, &bytes)
}

fn way_key(id: &[u8], epoch: u64) -> Vec<u8> {
    [id, b"\0", &epoch.to_be_bytes()].concat()
}

/// Each part with its length before it; a missing value as the largest length.
fn encode(all: &[Before]) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let mut bytes = Zeroizing::new(Vec::new());
    for one in all {
        for part in [Some(one.table.as_bytes()), Some(one.key.as_slice()), one.value.as_deref().map(Vec::as_slice)] {
            let length = part.map_or(Ok(u32::MAX), |part| u32::try_from(part.len()));
            bytes.extend_from_slice(&length.map_err(|_| damaged(WAY_BACK))?.to_be_bytes());
            bytes.extend_from_slice(part.unwrap_or_default());
        }
    }
    Ok(bytes)
}

fn decode(mut bytes: &[u8]) -> Result<Vec<Before>, VaultError> {
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let table = String::from_utf8(part(&mut bytes)?.ok_or_else(|| damaged(WAY_BACK))?.to_vec());
        let table = table.map_err(|_| damaged(WAY_BACK))?;
        let key = part(&mut bytes)?.ok_or_else(|| damaged(WAY_BACK))?.to_vec();
        let value = part(&mut bytes)?.map(|value| Zeroizing::new(value.to_vec()));
        all.push(Before { table, key, value });
    }
    Ok(all)
}

fn part<'b>(bytes: &mut &'b [u8]) -> Result<Option<&'b [u8]>, VaultError> {
    let (length, rest) = bytes.split_first_chunk::<4>().ok_or_else(|| damaged(WAY_BACK))?;
    let length = u32::from_be_bytes(*length);
    if length == u32::MAX {
        *bytes = rest;
        return Ok(None);
    }
    let (part, rest) = rest.split_at_checked(length as usize).ok_or_else(|| damaged(WAY_BACK))?;
    *bytes = rest;
    Ok(Some(part))
}

fn damaged(table: &str) -> VaultError {
    VaultError::Damaged { table: table.to_owned() }
}
