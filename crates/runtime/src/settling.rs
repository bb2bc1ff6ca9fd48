//! Which keys of a history count now: a reset waits, and then puts an end to what was before it.
//!
//! The wait begins when a reset was first seen here. Of people we know, the pins remember that; of ourselves, our
//! own record. A date that somebody wrote into a reset shortens nothing.

use std::collections::BTreeMap;

use identity::{ChainError, Digest, PinBook, Pins, Sigchain};
use store::{StoreError, Tx};

use crate::persons::PINS;
use crate::records::{Me, kind};

/// When the resets of our own history were first seen here, in Unix seconds.
pub(crate) type OwnResets = BTreeMap<Digest, i64>;

/// Our own history, as our record has it.
pub(crate) fn own(me: &Me, now_s: i64) -> Result<Sigchain, ChainError> {
    let mut chain = Sigchain::parse(&me.chain)?;
    settle_own(&mut chain, &me.resets, now_s);
    Ok(chain)
}

/// The same of a longer one.
pub(crate) fn settle_own(chain: &mut Sigchain, seen: &OwnResets, now_s: i64) {
    chain.settle(now_s, &|reset| seen.get(&reset.hash).copied());
}

/// What a history that we begin with holds already: every reset in it is as old as it says.
pub(crate) fn dated(chain: &Sigchain) -> OwnResets {
    chain.resets().map(|reset| (reset.hash, reset.iat)).collect()
}

/// Somebody else's history.
pub(crate) fn theirs(chain: &[String], pins: &PinBook, now_s: i64) -> Result<Sigchain, ChainError> {
    let mut chain = Sigchain::parse(chain)?;
    settle(&mut chain, pins, now_s);
    Ok(chain)
}

/// The same of one that was read already.
pub(crate) fn settle(chain: &mut Sigchain, pins: &PinBook, now_s: i64) {
    let persona = chain.persona();
    chain.settle(now_s, &|reset| pins.reset_seen(&persona, &reset.hash));
}

/// The pins.
pub(crate) fn pins(tx: &Tx<'_>) -> Result<PinBook, StoreError> {
    Ok(tx.recall(kind::PINS, PINS)?.unwrap_or_default())
}
