//! A reset: how long it waits, and what a veto does to it.
//!
//! Whoever lost every key can only sign in again, and so can an issuer that was broken into. What tells
//! them apart is time: for 72 hours any key of before can say no.

use keys::VerifyingKey;

use crate::digest::Digest;

use super::body::Reset;
use super::entry::Entry;

/// How long a reset waits: 72 hours.
pub const RESET_DELAY_S: i64 = 72 * 3600;

/// Most resets of one chain, vetoed ones too.
pub const RESETS_LIMIT: usize = 8;

/// A reset as a chain holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResetRecord {
    /// Hash of the entry; its name.
    pub hash: Digest,
    /// Place of the entry.
    pub seq: u64,
    /// The root key it brings.
    pub irk: VerifyingKey,
    /// The root key it takes the place of.
    pub old: VerifyingKey,
    /// The token in which an issuer vouches for the new key.
    pub pkt_hash: Digest,
    /// When it was signed, by its signer's clock.
    pub iat: i64,
    /// When it was vetoed, by that signer's clock.
    pub vetoed_at: Option<i64>,
}

/// What a reset is to one verifier at one time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ResetStanding {
    /// No issuer the verifier believes stands behind it: as if it were not there.
    Unfounded,
    /// It waits.
    Pending {
        /// Until when.
        until: i64,
    },
    /// It counts.
    Effective {
        /// Since when.
        since: i64,
    },
    /// A key of before said no in time: it never counts.
    Vetoed,
}

impl ResetRecord {
    pub(super) fn new(entry: &Entry, body: &Reset) -> Self {
        Self {
            hash: entry.hash(),
            seq: entry.seq(),
            irk: body.irk,
            old: body.old,
            pkt_hash: body.pkt_hash,
            iat: entry.iat(),
            vetoed_at: None,
        }
    }

    /// When it begins to count for a verifier who first saw it at `first_seen`: a date its signer chose
    /// does not shorten the wait.
    pub fn effective_at(&self, first_seen: i64) -> i64 {
        self.iat.max(first_seen).saturating_add(RESET_DELAY_S)
    }

    /// The earliest it can count for anybody.
    pub(super) fn earliest(&self) -> i64 {
        self.effective_at(self.iat)
    }

    /// Whether it waits for everybody at a time its chain tells.
    pub(super) fn waits_at(&self, at: i64) -> bool {
        self.vetoed_at.is_none() && at < self.earliest()
    }

    /// What it is at `now` to a verifier who first saw it, with an issuer behind it, at `first_seen`.
    pub fn standing(&self, now: i64, first_seen: Option<i64>) -> ResetStanding {
        let Some(first_seen) = first_seen else { return ResetStanding::Unfounded };
        let effective = self.effective_at(first_seen);
        match self.vetoed_at {
            Some(at) if at < effective => ResetStanding::Vetoed,
            _ if now < effective => ResetStanding::Pending { until: effective },
            _ => ResetStanding::Effective { since: effective },
        }
    }
}
