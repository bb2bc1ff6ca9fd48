//! What a member says of its epoch, in a form that a member on another branch of the group can still read.
//!
//! Two members whom a Reporter gave different commits share no key any more, so nothing inside the seal can tell them.
//! What they still share is the epoch before. There each says, signed, which epoch authenticator (RFC 9420, section
//! 8.7) it arrived at; whoever arrived elsewhere from the same epoch knows that the group was forked.

use keys::{Signature, VerifyingKey};
use openmls_traits::signatures::Signer;

use crate::group::members;
use crate::{Device, GroupError, GroupId, Vault, turn};

/// What is signed and sealed for.
const LABEL: &[u8] = b"parlance-epoch-testimony-v1";

/// Largest testimony that is read.
pub const TESTIMONY_LIMIT: usize = 512;

const KEY: usize = 32;
const MARK: usize = 32;
const SIGNATURE: usize = 64;

/// What somebody's testimony shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Testimony {
    /// They are where we are.
    Same {
        /// Who says so.
        by: VerifyingKey,
    },
    /// From an epoch that we had in common they went another way.
    Forked {
        /// The first epoch that is not the same.
        epoch: u64,
        /// Who says so.
        by: VerifyingKey,
    },
    /// It cannot be read here, or says nothing that counts.
    Unknown,
}

/// What this device says of its epoch; nothing if it joined with it, for it knows no epoch before.
pub fn testify(vault: &dyn Vault, device: &Device, group: &GroupId) -> Result<Option<Vec<u8>>, GroupError> {
    let turns = turn::all(vault, group.as_bytes())?;
    let Some((turn, key)) = turns.last().and_then(|turn| Some((turn, turn.key()?))) else { return Ok(None) };
    let signature = device.sign(&signed(group, turn.epoch, &turn.mark)).map_err(|_| sealing("it was not signed"))?;
    let said = [device.verifying_key().as_bytes().as_slice(), &turn.mark, &signature].concat();
    key.seal(&said, &bound(group, turn.epoch)).map(Some).map_err(sealing)
}

/// Judges what somebody says of their epoch. While a better claim to the lease may come, a fork is nobody's fault: see
/// [`crate::is_contested`].
pub fn hear_testimony(vault: &dyn Vault, group: &GroupId, bytes: &[u8]) -> Result<Testimony, GroupError> {
    if bytes.len() > TESTIMONY_LIMIT {
        return Ok(Testimony::Unknown);
    }
    for turn in turn::all(vault, group.as_bytes())?.iter().rev() {
        let Some(key) = turn.key() else { continue };
        let Ok(said) = key.open(bytes, &bound(group, turn.epoch)) else { continue };
        let Some((by, mark)) = believed(group, turn.epoch, &said) else { return Ok(Testimony::Unknown) };
        if !members(vault, group)?.iter().any(|member| member.dsk == by) {
            return Ok(Testimony::Unknown);
        }
        let same = keys::constant_time_eq(&mark, &turn.mark);
        return Ok(if same { Testimony::Same { by } } else { Testimony::Forked { epoch: turn.epoch, by } });
    }
    Ok(Testimony::Unknown)
}

/// Who says it and what, if they signed it.
fn believed(group: &GroupId, epoch: u64, said: &[u8]) -> Option<(VerifyingKey, Vec<u8>)> {
    if said.len() != KEY + MARK + SIGNATURE {
        return None;
    }
    let (key, rest) = said.split_at(KEY);
    let (mark, signature) = rest.split_at(MARK);
    let by = VerifyingKey::from_bytes(key).ok()?;
    by.verify(&signed(group, epoch, mark), &Signature::from_bytes(signature).ok()?).ok()?;
    Some((by, mark.to_vec()))
}

fn bound(group: &GroupId, epoch: u64) -> Vec<u8> {
    [LABEL, &epoch.to_be_bytes(), group.as_bytes()].concat()
}

fn signed(group: &GroupId, epoch: u64, mark: &[u8]) -> Vec<u8> {
    [bound(group, epoch).as_slice(), b"\0", mark].concat()
}

fn sealing(error: impl std::fmt::Display) -> GroupError {
    GroupError::Mls(error.to_string())
}
