//! The lines of a chain: one history per root key that may turn out to be the persona's.
//!
//! A chain without resets has one line. A reset opens a second one beside it, and which of the two counts
//! depends on when a verifier saw the reset and whether it was vetoed in time ([`ResetRecord::standing`]).
//! Both are kept, so that a chain is read the same way everywhere and judged by each verifier.

use keys::VerifyingKey;

use super::body::{EntryBody, Genesis, Reset, Veto};
use super::entry::{Entry, Signer};
use super::error::ChainError;
use super::reset::{RESETS_LIMIT, ResetRecord, ResetStanding};
use super::state::{Device, Root, RootOrigin, State};

/// The lines an entry belongs to, one bit for each.
pub(super) type Mask = u16;

const _: () = assert!(RESETS_LIMIT < Mask::BITS as usize, "one bit for the first line and one for each reset");

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    /// The reset that opened it; the first line has none.
    pub reset: Option<ResetRecord>,
    /// The line it is to take the place of.
    pub base: usize,
    pub state: State,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Lines {
    rk: Option<VerifyingKey>,
    all: Vec<Line>,
}

impl Lines {
    pub fn new(genesis: &Genesis, at: i64) -> Self {
        Self { rk: genesis.rk, all: vec![Line { reset: None, base: 0, state: State::new(genesis, at) }] }
    }

    pub fn get(&self, line: usize) -> &Line {
        &self.all[line]
    }

    pub fn all(&self) -> &[Line] {
        &self.all
    }

    pub fn resets(&self) -> impl Iterator<Item = &ResetRecord> {
        self.all.iter().filter_map(|line| line.reset.as_ref())
    }

    /// The line that counts for a verifier who saw the resets when `first_seen` says.
    pub fn in_force(&self, now: i64, first_seen: &dyn Fn(&ResetRecord) -> Option<i64>) -> usize {
        let counts = |line: &Line| {
            let reset = line.reset.as_ref();
            reset.is_some_and(|reset| matches!(reset.standing(now, first_seen(reset)), ResetStanding::Effective { .. }))
        };
        let mut line = 0;
        while let Some(next) =
            (line + 1..self.all.len()).find(|next| self.all[*next].base == line && counts(&self.all[*next]))
        {
            line = next;
        }
        line
    }

    /// Checks who signed an entry and takes it; says to which lines it belongs, and whether it opened one
    /// beside another.
    pub fn apply(&mut self, entry: &Entry) -> Result<Applied, ChainError> {
        match entry.body() {
            EntryBody::Genesis(_) => Err(ChainError::SecondGenesis { seq: entry.seq() }),
            EntryBody::Reset(body) => self.reset(body, entry),
            EntryBody::Veto(body) => self.veto(body, entry),
            _ => self.ordinary(entry),
        }
    }

    fn ordinary(&mut self, entry: &Entry) -> Result<Applied, ChainError> {
        let lines = self.signed_lines(entry)?;
        if let EntryBody::RotateIrk(body) = entry.body()
            && self.knows_root(&body.irk)
        {
            return Err(ChainError::RootReused { seq: entry.seq() });
        }
        let (mut mask, mut refused) = (0, ChainError::WrongSigner { seq: entry.seq() });
        for line in lines {
            match self.all[line].state.apply(entry) {
                Ok(()) => mask |= 1 << line,
                Err(error) => refused = error,
            }
        }
        if mask == 0 { Err(refused) } else { Ok(Applied { mask, opened: None }) }
    }

    /// The lines whose key signed the entry and that may still be written.
    fn signed_lines(&self, entry: &Entry) -> Result<Vec<usize>, ChainError> {
        let seq = entry.seq();
        let (closed, open): (Vec<usize>, Vec<usize>) = (0..self.all.len()).partition(|line| self.is_closed(*line));
        match (entry.by(), self.rk) {
            (Signer::Irk, _) => {
                let signed = |line: &usize| entry.check_signature(&self.all[*line].state.root().irk).is_ok();
                let Some(newest) = open.iter().rev().find(|line| signed(line)) else {
                    let before = closed.iter().any(signed);
                    return Err(if before {
                        ChainError::ResetWaits { seq }
                    } else {
                        ChainError::WrongSignature { seq }
                    });
                };
                let key = self.all[*newest].state.root().irk;
                Ok(open.into_iter().filter(|line| self.all[*line].state.root().irk == key).collect())
            }
            (Signer::Rk, Some(rk)) if may_recover(entry.body()) => {
                entry.check_signature(&rk)?;
                let waits = self.resets().any(|reset| reset.waits_at(entry.iat()));
                if waits { Err(ChainError::ResetWaits { seq }) } else { Ok(open) }
            }
            (Signer::Rk | Signer::Device(_), _) => Err(ChainError::WrongSigner { seq }),
        }
    }

    /// Signed by the key it brings: all others are lost. Whether an issuer stands behind it is for the
    /// verifier to see, who has the token.
    fn reset(&mut self, body: &Reset, entry: &Entry) -> Result<Applied, ChainError> {
        let seq = entry.seq();
        if entry.by() != Signer::Irk {
            return Err(ChainError::WrongSigner { seq });
        }
        entry.check_signature(&body.irk)?;
        if self.all.len() > RESETS_LIMIT {
            return Err(ChainError::TooManyResets { seq });
        }
        if self.knows_root(&body.irk) {
            return Err(ChainError::RootReused { seq });
        }
        let base = self.all.iter().rposition(|line| line.state.root().irk == body.old);
        let base = base.ok_or(ChainError::NothingToReset { seq })?;
        let line = &self.all[base];
        if self.is_closed(base) || line.reset.as_ref().is_some_and(|reset| entry.iat() < reset.earliest()) {
            return Err(ChainError::ResetWaits { seq });
        }
        if line.state.attestations.iter().all(|one| one.withdrawn) {
            return Err(ChainError::NothingToReset { seq });
        }
        let root = Root { irk: body.irk, seq, at: entry.iat(), origin: RootOrigin::Reset };
        let state = line.state.after_reset(root);
        self.all.push(Line { reset: Some(ResetRecord::new(entry, body)), base, state });
        Ok(Applied { mask: 1 << (self.all.len() - 1), opened: Some(base) })
    }

    /// By any key of before the reset: its root key, the recovery key, or a device that was alive.
    fn veto(&mut self, body: &Veto, entry: &Entry) -> Result<Applied, ChainError> {
        let seq = entry.seq();
        let line = self.all.iter().position(|line| line.reset.as_ref().is_some_and(|reset| reset.hash == body.reset));
        let line = line.ok_or(ChainError::UnknownReset { seq })?;
        let base = self.all[line].base;
        let state = &self.all[base].state;
        let key = match (entry.by(), self.rk) {
            (Signer::Irk, _) => state.root().irk,
            (Signer::Rk, Some(rk)) => rk,
            (Signer::Device(dsk), _) if state.devices.get(&dsk).is_some_and(|one| is_alive(one, entry.iat())) => dsk,
            _ => return Err(ChainError::WrongSigner { seq }),
        };
        entry.check_signature(&key)?;
        match &mut self.all[line].reset {
            Some(reset) if reset.vetoed_at.is_none() => reset.vetoed_at = Some(entry.iat()),
            _ => return Err(ChainError::AlreadyVetoed { seq }),
        }
        Ok(Applied { mask: 1 << base, opened: None })
    }

    /// A line over which a reset stands that nobody vetoed: its keys may do nothing but veto.
    fn is_closed(&self, line: usize) -> bool {
        let over = |one: &Line| one.base == line && one.reset.as_ref().is_some_and(|reset| reset.vetoed_at.is_none());
        self.all.iter().any(over)
    }

    fn knows_root(&self, key: &VerifyingKey) -> bool {
        self.rk == Some(*key) || self.all.iter().any(|line| line.state.roots.iter().any(|root| root.irk == *key))
    }

    /// The lines whose owner signed `entry` as the next one. Nobody's for a reset: anybody can sign one. A
    /// veto belongs to the line it defends, so that it and the entries it meets are not taken for one
    /// person's two stories.
    pub fn owners(&self, entry: &Entry) -> Mask {
        let signed = |key: &VerifyingKey| entry.check_signature(key).is_ok();
        let lines = |signs: &dyn Fn(&Line) -> bool| {
            let all = self.all.iter().enumerate().filter(|(_, line)| signs(line));
            all.fold(0, |mask: Mask, (at, _)| mask | (1 << at))
        };
        let defended = match entry.body() {
            EntryBody::Reset(_) | EntryBody::Genesis(_) => 0,
            EntryBody::Veto(body) => self
                .all
                .iter()
                .find(|line| line.reset.as_ref().is_some_and(|reset| reset.hash == body.reset))
                .map_or(0, |line| 1 << line.base),
            _ => Mask::MAX,
        };
        let by = match entry.by() {
            Signer::Irk => lines(&|line| signed(&line.state.root().irk)),
            Signer::Rk => lines(&|_| self.rk.is_some_and(|rk| signed(&rk))),
            Signer::Device(dsk) => lines(&|line| line.state.devices.contains_key(&dsk) && signed(&dsk)),
        };
        by & defended
    }
}

/// What an entry did.
pub(super) struct Applied {
    pub mask: Mask,
    /// The line beside which it opened the newest one.
    pub opened: Option<usize>,
}

fn may_recover(body: &EntryBody) -> bool {
    matches!(body, EntryBody::RevokeDevice(_) | EntryBody::RotateIrk(_))
}

fn is_alive(device: &Device, at: i64) -> bool {
    !device.revoked && !device.replaced && device.expires > at
}
