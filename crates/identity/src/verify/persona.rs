//! Steps 12 to 15: the chain, what was pinned, what was seen, and what the verifier asks beyond.

use crate::CLOCK_SKEW_S;
use crate::chain::{Device, Sigchain, Standing};
use crate::cic::Cic;
use crate::context::Context;
use crate::error::{KeyChange, KeyChangeKind, VerifyError};
use crate::evidence::Evidence;
use crate::pins::{Comparison, Pin};
use crate::verified::{Attested, PinState, VerifiedIdentity};

use super::Admitted;

pub(super) fn check(
    evidence: &Evidence,
    admitted: &[Admitted<'_>],
    attested: Vec<Attested>,
    context: &Context<'_>,
) -> Result<VerifiedIdentity, VerifyError> {
    let (chain, device) = chain(evidence, admitted, &attested, context)?;
    let pin_state = pins(evidence, &chain, &attested, context)?;
    history(&chain, context)?;
    policy(&attested, context)?;
    let mut who = VerifiedIdentity {
        user: evidence.user.clone(),
        persona: chain.persona(),
        irk: chain.irk(),
        attested,
        device,
        head: chain.head(),
        pin_state,
        fresh: false,
    };
    who.fresh = context.now.saturating_sub(who.attested_at()) <= context.policy.fresh_age_s;
    Ok(who)
}

/// Step 12.
fn chain(
    evidence: &Evidence,
    admitted: &[Admitted<'_>],
    attested: &[Attested],
    context: &Context<'_>,
) -> Result<(Sigchain, Device), VerifyError> {
    let chain = Sigchain::parse(&evidence.chain).map_err(VerifyError::Chain)?;
    let ahead = chain.updated_at().saturating_sub(context.now);
    if ahead > CLOCK_SKEW_S {
        return Err(VerifyError::ChainFromTheFuture { by_s: ahead });
    }
    for (one, word) in admitted.iter().zip(attested) {
        own_token(&chain, one, word, context)?;
    }
    let device = chain.device(&evidence.device, context.now).map_err(VerifyError::Device)?.clone();
    match context.leaf {
        Some(leaf) if *leaf != evidence.device => Err(VerifyError::NotTheLeaf),
        _ => Ok((chain, device)),
    }
}

/// The token was made for this chain's root key, and its owner says so too.
fn own_token(chain: &Sigchain, one: &Admitted<'_>, word: &Attested, context: &Context<'_>) -> Result<(), VerifyError> {
    let cic = Cic::from_members(&one.token.cic_protected, &one.token.cic).map_err(VerifyError::Cic)?;
    if cic.chain() != chain.genesis_hash() {
        return Err(VerifyError::ForeignChain);
    }
    if *cic.upk() != chain.irk() {
        return Err(VerifyError::ForeignRootKey);
    }
    let record = chain.attestation(&word.pkt_hash).ok_or(VerifyError::NotAttested)?;
    if Some(record.iss.as_str()) != one.token.claimed_issuer() || record.sub != word.subject.subject {
        return Err(VerifyError::NotAttested);
    }
    if record.withdrawn {
        return Err(VerifyError::Withdrawn);
    }
    if record.until < context.now && context.pins.subject(&word.subject).is_none() {
        return Err(VerifyError::AttestationOver { until: record.until });
    }
    Ok(())
}

/// Step 13: the same names must have the same keys as ever.
fn pins(
    evidence: &Evidence,
    chain: &Sigchain,
    attested: &[Attested],
    context: &Context<'_>,
) -> Result<PinState, VerifyError> {
    let mut known = Vec::new();
    for word in attested {
        if let Some(pin) = context.pins.subject(&word.subject) {
            same_keys(KeyChangeKind::Subject, pin, chain, word)?;
            known.push(pin);
        }
    }
    if let Some(pin) = context.pins.address(&evidence.user) {
        same_keys(KeyChangeKind::Address, pin, chain, &attested[0])?;
        known.push(pin);
    }
    Ok(match known.iter().map(|pin| pin.comparison).max() {
        None => PinState::New,
        Some(Comparison::Introduced) => PinState::Introduced,
        Some(Comparison::Verified) => PinState::Verified,
    })
}

fn same_keys(kind: KeyChangeKind, pinned: Pin, chain: &Sigchain, word: &Attested) -> Result<(), VerifyError> {
    if pinned.persona == chain.persona() && pinned.irk == chain.irk() {
        return Ok(());
    }
    Err(VerifyError::KeyChange(Box::new(KeyChange {
        kind,
        issuer: word.subject.issuer.clone(),
        pinned,
        shown_persona: chain.persona(),
        shown_irk: chain.irk(),
        attested_at: word.at,
    })))
}

/// Step 14: the chain must hold everything that was ever seen of it.
fn history(chain: &Sigchain, context: &Context<'_>) -> Result<(), VerifyError> {
    let Some(seen) = context.pins.head(&chain.persona()) else { return Ok(()) };
    match chain.compare(&seen) {
        Standing::Same | Standing::Ahead { .. } => Ok(()),
        Standing::Behind { by } => Err(VerifyError::RolledBack { by }),
        Standing::Forked(proof) => Err(VerifyError::Equivocation(Box::new(proof))),
    }
}

/// Step 15.
fn policy(attested: &[Attested], context: &Context<'_>) -> Result<(), VerifyError> {
    let mut issuers: Vec<&str> = attested.iter().map(|word| word.subject.issuer.as_str()).collect();
    issuers.sort_unstable();
    issuers.dedup();
    let (required, got) = (context.policy.issuers_required, issuers.len());
    if got < required { Err(VerifyError::TooFewIssuers { required, got }) } else { Ok(()) }
}
