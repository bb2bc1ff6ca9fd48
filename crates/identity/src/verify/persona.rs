//! Steps 12 to 15: the chain, what was pinned, what was seen, and what the verifier asks beyond.

use crate::CLOCK_SKEW_S;
use crate::chain::{Device, Sigchain, Standing};
use crate::cic::Cic;
use crate::context::Context;
use crate::digest::Digest;
use crate::error::{KeyChange, KeyChangeKind, PendingReset, VerifyError};
use crate::evidence::Evidence;
use crate::pins::{Comparison, Pin};
use crate::renewal::Renewal;
use crate::verified::{Attested, PinState, VerifiedIdentity};

use super::resets::Resets;
use super::{Admitted, renewals};

pub(super) fn check(
    evidence: &Evidence,
    admitted: &[Admitted<'_>],
    attested: Vec<Attested>,
    renewals: &[Renewal],
    context: &Context<'_>,
) -> Result<VerifiedIdentity, VerifyError> {
    let Known { chain, device, resets, pending_reset } = chain(evidence, admitted, &attested, renewals, context)?;
    let pin_state = pins(evidence, &chain, &attested, context)?;
    history(&chain, context)?;
    policy(&attested, context)?;
    let mut who = VerifiedIdentity {
        user: evidence.user.clone(),
        persona: chain.persona(),
        irk: chain.irk(),
        attested,
        device,
        head: chain.settled_head(),
        pin_state,
        fresh: false,
        resets,
        pending_reset,
        chain,
    };
    who.fresh = context.now.saturating_sub(who.attested_at()) <= context.policy.fresh_age_s;
    Ok(who)
}

/// What step 12 finds.
struct Known {
    chain: Sigchain,
    device: Device,
    resets: Vec<(Digest, i64)>,
    pending_reset: Option<PendingReset>,
}

/// Step 12.
fn chain(
    evidence: &Evidence,
    admitted: &[Admitted<'_>],
    attested: &[Attested],
    renewals: &[Renewal],
    context: &Context<'_>,
) -> Result<Known, VerifyError> {
    let mut chain = Sigchain::parse(&evidence.chain).map_err(VerifyError::Chain)?;
    let ahead = chain.updated_at().saturating_sub(context.now);
    if ahead > CLOCK_SKEW_S {
        return Err(VerifyError::ChainFromTheFuture { by_s: ahead });
    }
    let mut tokens = Vec::with_capacity(admitted.len());
    for (one, word) in admitted.iter().zip(attested) {
        let cic = Cic::from_members(&one.token.cic_protected, &one.token.cic).map_err(VerifyError::Cic)?;
        if cic.chain() != chain.genesis_hash() {
            return Err(VerifyError::ForeignChain);
        }
        tokens.push((one, word, cic));
    }
    let resets = Resets::read(&chain, evidence, &tokens, context);
    chain.settle(context.now, &|reset| resets.first_seen(reset));
    for (one, word, cic) in &tokens {
        own_token(&chain, one, word, cic, &resets, context)?;
        renewals::signed(one, renewals, &chain)?;
    }
    let device = chain.device(&evidence.device, context.now).map_err(VerifyError::Device)?.clone();
    match context.leaf {
        Some(leaf) if *leaf != evidence.device => Err(VerifyError::NotTheLeaf),
        _ => Ok(Known { device, pending_reset: resets.pending(&chain), resets: resets.backed, chain }),
    }
}

/// The token was made for the root key this chain had when its owner recorded it.
fn own_token(
    chain: &Sigchain,
    one: &Admitted<'_>,
    word: &Attested,
    cic: &Cic,
    resets: &Resets<'_>,
    context: &Context<'_>,
) -> Result<(), VerifyError> {
    let records = || chain.attestations().iter().filter(|record| record.pkt_hash == word.pkt_hash);
    let Some(record) = records().next_back() else {
        let refusal = resets.refusal(chain, word, cic);
        let otherwise =
            if chain.was_root_key(cic.upk()) { VerifyError::NotAttested } else { VerifyError::ForeignRootKey };
        return Err(refusal.unwrap_or(otherwise));
    };
    if !records().any(|record| chain.irk_at(record.seq) == *cic.upk()) {
        return Err(VerifyError::ForeignRootKey);
    }
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
            known.push(follow(KeyChangeKind::Subject, pin, evidence, chain, word)?);
        }
    }
    if let Some(pin) = context.pins.address(&evidence.user) {
        known.push(follow(KeyChangeKind::Address, pin, evidence, chain, &attested[0])?);
    }
    Ok(match known.into_iter().max() {
        None => PinState::New,
        Some(Comparison::Introduced) => PinState::Introduced,
        Some(Comparison::Verified) => PinState::Verified,
    })
}

/// How sure we still are of a pin: the same keys, or new ones that the pinned ones lead to. Anything else is
/// an alarm.
fn follow(
    kind: KeyChangeKind,
    pinned: Pin,
    evidence: &Evidence,
    chain: &Sigchain,
    word: &Attested,
) -> Result<Comparison, VerifyError> {
    if pinned.persona == chain.persona()
        && let Some(comparison) = pinned.followed(chain)
    {
        return Ok(comparison);
    }
    Err(VerifyError::KeyChange(Box::new(KeyChange {
        kind,
        issuer: word.subject.issuer.clone(),
        subject: word.subject.clone(),
        user: evidence.user.clone(),
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
