//! Which of several claims to one lease counts, so that all members who heard the same claims say the same.
//!
//! Devices that were cut from each other may make the same step. A step that the holder made in time goes first; then
//! the claim of the device with the lower key. What was committed under a claim that lost is taken back.

use std::cmp::Reverse;

use keys::VerifyingKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::desk::Desk;
use crate::turn::BACK;
use crate::{GroupError, GroupId, LEASE_LIFE_S, LEASE_SKEW_S, Lease, LeaseMove, Member, Vault, VaultError};

/// The table of the claims.
const TABLE: &str = "lease-claim";

/// Claims that lost and are remembered, for one step.
const LOST_LIMIT: usize = 8;

/// How the present lease came about.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Claim {
    /// The lease before.
    pub(crate) base: Lease,
    /// What its holder said of itself: a commit under the claim may have removed it.
    credential: Option<Vec<u8>>,
    /// The step that was made.
    pub(crate) step: LeaseMove,
    /// Who made it.
    pub(crate) by: VerifyingKey,
    /// Other claims to the same step.
    pub(crate) lost: Vec<(VerifyingKey, LeaseMove)>,
    /// Whether a better claim could still come.
    pub(crate) open: bool,
    /// Commits that were merged under it.
    pub(crate) commits: u32,
}

/// The order of claims: the least one counts.
type Rank = (u8, [u8; 32], [u8; 32], Reverse<i64>);

impl Claim {
    /// The first claim to a step.
    pub(crate) fn new(base: Lease, holder: Option<&Member>, step: LeaseMove, by: VerifyingKey) -> Self {
        let open = class(&base, &step, &by) >= TAKEN;
        let credential = holder.map(|holder| holder.credential.clone());
        Self { base, credential, step, by, lost: Vec::new(), open, commits: 0 }
    }

    /// The holder of the lease before, as it was in the group.
    pub(crate) fn holder(&self) -> Option<Member> {
        self.credential.clone().map(|credential| Member { leaf: u32::MAX, credential, dsk: self.base.holder })
    }

    /// The same contest, with another claim in front.
    pub(crate) fn won_by(self, step: LeaseMove, by: VerifyingKey) -> Self {
        let mut next = Self { step, by, open: true, commits: 0, ..self.clone() };
        next.lost(&self.step, &self.by);
        next
    }

    /// Whether this very claim was heard before.
    pub(crate) fn knows(&self, step: &LeaseMove, by: &VerifyingKey) -> bool {
        (self.by == *by && self.step == *step) || self.lost.iter().any(|(who, what)| who == by && what == step)
    }

    /// Whether another claim to the same step goes before this one.
    pub(crate) fn yields_to(
        &self,
        step: &LeaseMove,
        by: &VerifyingKey,
        is_dead: impl Fn(&VerifyingKey) -> bool,
    ) -> bool {
        let rank = |step: &LeaseMove, by: &VerifyingKey| -> Rank {
            let class = class(&self.base, step, by);
            let class = if class > GIVEN_AWAY && is_dead(by) { DEAD } else { class };
            (class, *by.as_bytes(), *step.holder.as_bytes(), Reverse(step.until))
        };
        rank(step, by) < rank(&self.step, &self.by)
    }

    /// Notes a claim that lost.
    pub(crate) fn lost(&mut self, step: &LeaseMove, by: &VerifyingKey) {
        if self.lost.len() < LOST_LIMIT {
            self.lost.push((*by, step.clone()));
        }
    }

    /// The lease of a device whose claim lost here: what it says next is judged by that.
    pub(crate) fn lease_of_loser(&self, by: &VerifyingKey) -> Option<Lease> {
        let step = self.lost.iter().map(|(_, step)| step).find(|step| step.holder == *by)?;
        Some(Lease { holder: step.holder, seq: step.seq, until: step.until })
    }
}

/// The holder gave it to another persona: that is final.
const GIVEN_AWAY: u8 = 0;
/// The holder renewed it, or gave it to another own device, in time.
const IN_TIME: u8 = 1;
/// It had run out or its holder was dead: another device took it, or the holder came back.
const TAKEN: u8 = 2;
/// Whoever claims it has no word any more.
const DEAD: u8 = 3;

fn class(base: &Lease, step: &LeaseMove, by: &VerifyingKey) -> u8 {
    // A step says until when it lasts, and with it when it was made; no clock of a receiver is asked.
    let in_time = step.until.saturating_sub(LEASE_LIFE_S) <= base.until.saturating_add(LEASE_SKEW_S);
    match (*by == base.holder, step.hand_over, in_time) {
        (true, true, _) => GIVEN_AWAY,
        (true, false, true) => IN_TIME,
        _ => TAKEN,
    }
}

/// A commit was merged. Says whether it may have to be taken back.
pub(crate) fn committed(desk: &Desk<'_>, id: &[u8]) -> Result<bool, VaultError> {
    let Some(mut claim) = read(desk, id)? else { return Ok(false) };
    claim.commits = claim.commits.saturating_add(1);
    claim.open &= claim.commits <= BACK;
    write(desk, id, &claim)?;
    Ok(claim.open)
}

/// Whether a better claim to the lease may still come, and take back what was committed since the last one.
pub fn is_contested(vault: &dyn Vault, group: &GroupId) -> Result<bool, GroupError> {
    Ok(read(vault, group.as_bytes())?.is_some_and(|claim| claim.open))
}

/// Whether a device claimed the present step of the lease and lost.
pub(crate) fn has_lost(vault: &dyn Vault, id: &[u8], dsk: &VerifyingKey) -> Result<bool, VaultError> {
    Ok(read(vault, id)?.is_some_and(|claim| claim.lost.iter().any(|(_, step)| step.holder == *dsk)))
}

pub(crate) fn read(vault: &dyn Vault, id: &[u8]) -> Result<Option<Claim>, VaultError> {
    let Some(bytes) = vault.get(TABLE, id)?.map(Zeroizing::new) else { return Ok(None) };
    ciborium::from_reader(bytes.as_slice()).map(Some).map_err(|_| damaged())
}

pub(crate) fn write(vault: &dyn Vault, id: &[u8], claim: &Claim) -> Result<(), VaultError> {
    let mut bytes = Vec::new();
    ciborium::into_writer(claim, &mut bytes).map_err(|_| damaged())?;
    vault.put(TABLE, id, &bytes)
}

pub(crate) fn forget(vault: &dyn Vault, id: &[u8]) -> Result<(), VaultError> {
    vault.delete(TABLE, id)
}

fn damaged() -> VaultError {
    VaultError::Damaged { table: TABLE.to_owned() }
}
