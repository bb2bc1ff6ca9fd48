//! Who may commit: the right wanders between devices by moves that every member judges alike.

use keys::VerifyingKey;
use openmls::prelude::MlsGroup;
use serde::{Deserialize, Serialize};

use crate::contest::{self, Claim};
use crate::desk::{Desk, at_once};
use crate::group::{active, known};
use crate::member;
use crate::membership::drop_wishes;
use crate::provider::Provider;
use crate::{Device, GroupError, GroupId, LeaseError, Member, Vault, VaultError, turn};

/// How long a lease lasts unless it is renewed: a week.
pub const LEASE_LIFE_S: i64 = 7 * 24 * 3600;

/// How far another device's clock may be from ours.
pub const LEASE_SKEW_S: i64 = 120;

/// The table of the leases.
const TABLE: &str = "lease";

/// The right to commit to a group, and with it to invite and to remove.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lease {
    /// The device that has it.
    pub holder: VerifyingKey,
    /// How often it was moved or renewed.
    pub seq: u64,
    /// Until when nobody else may take it, Unix seconds.
    pub until: i64,
}

/// A step of a lease, as the device that makes it tells all members in a sealed message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseMove {
    /// Who shall have it; the present holder, to renew it.
    pub holder: VerifyingKey,
    /// One more than the lease it moves.
    pub seq: u64,
    /// Until when nobody else may take it, Unix seconds.
    pub until: i64,
    /// Whether the present holder means to give it to another persona.
    #[serde(default)]
    pub hand_over: bool,
}

/// What became of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Moved {
    /// The lease now.
    pub lease: Lease,
    /// It may be made, but a better claim to it was heard before: the lease stays where it is.
    pub outranked: bool,
    /// Commits that were taken back, because they rested on a claim that lost.
    pub undone: u32,
}

/// What the caller knows of people and time, to judge a [`LeaseMove`] by.
pub struct LeaseJudge<'a> {
    /// Whether two members are devices of one persona.
    pub same_persona: &'a dyn Fn(&Member, &Member) -> bool,
    /// Whether a member's device was revoked or has expired.
    pub is_dead: &'a dyn Fn(&Member) -> bool,
    /// Now, Unix seconds.
    pub now: i64,
}

impl Lease {
    /// Whether another device of the holder's persona may take it.
    pub fn has_run_out(&self, now: i64) -> bool {
        now > self.until.saturating_add(LEASE_SKEW_S)
    }
}

/// The lease of a group. One that ran out stays with its holder until somebody takes it.
pub fn lease(vault: &dyn Vault, group: &GroupId) -> Result<Lease, GroupError> {
    match read(vault, group.as_bytes())? {
        Some(lease) => Ok(lease),
        None => of_creator(&known(&Provider::new(vault), group)?),
    }
}

/// Whether this device may commit.
pub fn holds_lease(vault: &dyn Vault, device: &Device, group: &GroupId) -> Result<bool, GroupError> {
    let mls = active(&Provider::new(vault), group)?;
    may_commit(vault, &mls, &device.verifying_key())
}

/// Believes what the inviter said of its lease in the introduction.
///
/// Who joins knows from the Welcome who invited, and takes that device for the holder; how often
/// the lease has moved, and until when it lasts, only the inviter can say. The caller makes sure
/// that it was that device which said it.
pub fn adopt_lease(vault: &dyn Vault, group: &GroupId, said: &Lease, now: i64) -> Result<(), LeaseError> {
    let ours = lease(vault, group)?;
    if said.holder != ours.holder {
        return Err(LeaseError::NotHolder);
    }
    if said.seq < ours.seq {
        return Err(LeaseError::Stale { seq: said.seq, ours: ours.seq });
    }
    if said.until > now.saturating_add(LEASE_LIFE_S + LEASE_SKEW_S) {
        return Err(LeaseError::TooLong);
    }
    Ok(write(vault, group.as_bytes(), said)?)
}

/// Moves the lease, if the device `by`, which signed the message with the move, may do so.
///
/// The holder may renew it, hand it to another device of its persona, or, saying so, to another
/// persona. Another device of the holder's persona may take it once it ran out or the holder is
/// dead. Everything else is refused.
/// Of several claims to the same step the same one counts for everybody; see [`Moved`].
pub fn move_lease(
    vault: &dyn Vault,
    group: &GroupId,
    step: &LeaseMove,
    by: &VerifyingKey,
    judge: &LeaseJudge<'_>,
) -> Result<Moved, LeaseError> {
    at_once(vault, |desk| {
        let mls = active(&Provider::new(desk), group)?;
        let before = lease(desk, group)?;
        let claim = contest::read(desk, group.as_bytes())?;
        let moved = match claim {
            Some(claim) if step.seq == before.seq => compete(desk, group, &mls, claim, step, by, judge)?,
            // One that lost here without knowing it goes on from its own claim: the longer line counts. We do know it.
            Some(claim) if claim.lease_of_loser(by).is_some() && before.holder != *by && !is_own(&mls, by) => {
                let theirs = claim.lease_of_loser(by).unwrap_or(before.clone());
                advance(desk, group, &mls, theirs, claim.commits, step, by, judge)?
            }
            _ => advance(desk, group, &mls, before.clone(), 0, step, by, judge)?,
        };
        if moved.lease.holder != before.holder || moved.undone > 0 {
            let provider = Provider::new(desk);
            let mut mls = active(&provider, group)?;
            if is_own(&mls, &moved.lease.holder) {
                // What was asked of the holder before is not ours to grant: we may not have all of it.
                drop_wishes(&provider, desk, &mut mls)?;
            }
        }
        Ok(moved)
    })
}

/// Whether this is the device whose vault it is.
fn is_own(mls: &MlsGroup, dsk: &VerifyingKey) -> bool {
    member::at(mls, mls.own_leaf_index().u32()).is_ok_and(|own| own.dsk == *dsk)
}

/// The next step of a lease; `undo` commits were made in another line and are taken back.
#[allow(clippy::too_many_arguments, reason = "all of it is judged together")]
fn advance(
    desk: &Desk<'_>,
    group: &GroupId,
    mls: &MlsGroup,
    base: Lease,
    undo: u32,
    step: &LeaseMove,
    by: &VerifyingKey,
    judge: &LeaseJudge<'_>,
) -> Result<Moved, LeaseError> {
    let lease = judged(mls, &base, None, step, by, judge)?;
    let holder = member::all(mls).map_err(LeaseError::Mls)?.into_iter().find(|member| member.dsk == base.holder);
    if !turn::go_back(desk, group, undo)? {
        return Err(LeaseError::Stale { seq: step.seq, ours: base.seq });
    }
    turn::forget_ways_back(desk, group.as_bytes())?;
    write(desk, group.as_bytes(), &lease)?;
    contest::write(desk, group.as_bytes(), &Claim::new(base, holder.as_ref(), step.clone(), *by))?;
    Ok(Moved { lease, outranked: false, undone: undo })
}

/// Another claim to the step that was made last.
fn compete(
    desk: &Desk<'_>,
    group: &GroupId,
    mls: &MlsGroup,
    mut claim: Claim,
    step: &LeaseMove,
    by: &VerifyingKey,
    judge: &LeaseJudge<'_>,
) -> Result<Moved, LeaseError> {
    let stale = LeaseError::Stale { seq: step.seq, ours: claim.step.seq };
    if claim.knows(step, by) {
        return Err(stale);
    }
    let lease = judged(mls, &claim.base, claim.holder(), step, by, judge)?;
    let mut members = member::all(mls).map_err(LeaseError::Mls)?;
    members.extend(claim.holder());
    let is_dead =
        |dsk: &VerifyingKey| members.iter().find(|member| member.dsk == *dsk).is_none_or(|one| (judge.is_dead)(one));
    if !claim.yields_to(step, by, is_dead) {
        claim.lost(step, by);
        contest::write(desk, group.as_bytes(), &claim)?;
        let present = Lease { holder: claim.step.holder, seq: claim.step.seq, until: claim.step.until };
        return Ok(Moved { lease: present, outranked: true, undone: 0 });
    }
    if !turn::go_back(desk, group, claim.commits)? {
        // Too much followed: who still stands at the fork is brought back by a Welcome.
        return Err(stale);
    }
    write(desk, group.as_bytes(), &lease)?;
    let undone = claim.commits;
    contest::write(desk, group.as_bytes(), &claim.won_by(step.clone(), *by))?;
    Ok(Moved { lease, outranked: false, undone })
}

/// The lease as it would be after a step, if it is allowed; `gone` is its holder if that left the group since.
fn judged(
    mls: &MlsGroup,
    ours: &Lease,
    gone: Option<Member>,
    step: &LeaseMove,
    by: &VerifyingKey,
    judge: &LeaseJudge<'_>,
) -> Result<Lease, LeaseError> {
    let mut members = member::all(mls).map_err(LeaseError::Mls)?;
    members.extend(gone);
    let find = |dsk: &VerifyingKey| members.iter().find(|member| member.dsk == *dsk);
    let (by, next) = (find(by).ok_or(LeaseError::NotAMember)?, find(&step.holder).ok_or(LeaseError::NotAMember)?);
    in_turn(step, ours)?;
    if (judge.is_dead)(by) || (judge.is_dead)(next) {
        return Err(LeaseError::Dead);
    }
    if step.until > judge.now.saturating_add(LEASE_LIFE_S + LEASE_SKEW_S) {
        return Err(LeaseError::TooLong);
    }
    let present = find(&ours.holder);
    let kin = present.is_some_and(|present| next.dsk == present.dsk || (judge.same_persona)(present, next));
    if by.dsk == ours.holder {
        if !kin && !step.hand_over {
            return Err(LeaseError::OtherPersona);
        }
    } else {
        may_take(by, next, kin, present, ours, judge)?;
    }
    Ok(Lease { holder: step.holder, seq: step.seq, until: step.until })
}

fn in_turn(step: &LeaseMove, ours: &Lease) -> Result<(), LeaseError> {
    match ours.seq.checked_add(1) {
        Some(expected) if step.seq == expected => Ok(()),
        _ if step.seq <= ours.seq => Err(LeaseError::Stale { seq: step.seq, ours: ours.seq }),
        _ => Err(LeaseError::Ahead { seq: step.seq, ours: ours.seq }),
    }
}

/// A device takes the lease for itself, from a holder that is gone.
fn may_take(
    by: &Member,
    next: &Member,
    kin: bool,
    present: Option<&Member>,
    ours: &Lease,
    judge: &LeaseJudge<'_>,
) -> Result<(), LeaseError> {
    if by.dsk != next.dsk {
        return Err(LeaseError::NotHolder);
    }
    if !kin {
        return Err(LeaseError::OtherPersona);
    }
    if !ours.has_run_out(judge.now) && !present.is_some_and(|present| (judge.is_dead)(present)) {
        return Err(LeaseError::StillHeld { until: ours.until });
    }
    Ok(())
}

/// The step by which this device renews its lease, or takes one that is free, for
/// [`LEASE_LIFE_S`]: judge it by [`move_lease`] like anybody's, then seal it for all.
pub fn next_step(vault: &dyn Vault, device: &Device, group: &GroupId, now: i64) -> Result<LeaseMove, GroupError> {
    let ours = lease(vault, group)?;
    Ok(LeaseMove {
        holder: device.verifying_key(),
        seq: ours.seq.saturating_add(1),
        until: now.saturating_add(LEASE_LIFE_S),
        hand_over: false,
    })
}

/// Renews the lease of this device and returns the step, to be sealed for all.
pub fn renew(vault: &dyn Vault, device: &Device, group: &GroupId, now: i64) -> Result<LeaseMove, LeaseError> {
    let step = next_step(vault, device, group, now)?;
    let myself = device.verifying_key();
    if lease(vault, group)?.holder != myself {
        return Err(LeaseError::NotHolder);
    }
    // The same persona by nature; whether this device still lives, others judge.
    let judge = LeaseJudge { same_persona: &|_, _| true, is_dead: &|_| false, now };
    move_lease(vault, group, &step, &myself, &judge)?;
    Ok(step)
}

/// The lease of a group that has begun: with its first device.
pub(crate) fn begin(vault: &dyn Vault, group: &GroupId, holder: VerifyingKey, until: i64) -> Result<(), VaultError> {
    contest::forget(vault, group.as_bytes())?;
    write(vault, group.as_bytes(), &Lease { holder, seq: 0, until })
}

/// Whether a device may commit to this group now.
pub(crate) fn may_commit(vault: &dyn Vault, group: &MlsGroup, dsk: &VerifyingKey) -> Result<bool, GroupError> {
    match read(vault, group.group_id().as_slice())? {
        Some(lease) => Ok(lease.holder == *dsk),
        None => Ok(of_creator(group)?.holder == *dsk),
    }
}

pub(crate) fn forget(vault: &dyn Vault, group: &GroupId) -> Result<(), VaultError> {
    contest::forget(vault, group.as_bytes())?;
    vault.delete(TABLE, group.as_bytes())
}

/// A group from before there were leases: its creator holds it, and has promised no time.
fn of_creator(group: &MlsGroup) -> Result<Lease, GroupError> {
    let creator = member::at(group, 0).map_err(GroupError::Mls)?;
    Ok(Lease { holder: creator.dsk, seq: 0, until: 0 })
}

fn read(vault: &dyn Vault, group: &[u8]) -> Result<Option<Lease>, VaultError> {
    let Some(bytes) = vault.get(TABLE, group)? else { return Ok(None) };
    ciborium::from_reader(bytes.as_slice()).map(Some).map_err(|_| damaged())
}

fn write(vault: &dyn Vault, group: &[u8], lease: &Lease) -> Result<(), VaultError> {
    let mut bytes = Vec::new();
    ciborium::into_writer(lease, &mut bytes).map_err(|_| damaged())?;
    vault.put(TABLE, group, &bytes)
}

fn damaged() -> VaultError {
    VaultError::Damaged { table: TABLE.to_owned() }
}
