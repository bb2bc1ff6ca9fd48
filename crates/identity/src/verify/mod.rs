//! The one way to recognise somebody: every check in its order, stopping at the first that fails.
//!
//! | step | where |
//! |---|---|
//! | 0 bounds, 1 issuer | here |
//! | 2 client claims, 3–4 issuer's key and signature, 5–7 issuer, audience, binding | `token` |
//! | 8–9 time, renewals, and authentication | `time`, `renewals` |
//! | 10–11 subject and display | `claims` |
//! | 12–15 chain, pin, history, policy | `persona`; resets in `resets` |

mod claims;
mod persona;
mod renewals;
mod resets;
mod time;
mod token;

use message::Domain;

use crate::context::Context;
use crate::error::VerifyError;
use crate::evidence::Evidence;
use crate::issuers::Admission;
use crate::renewal::Renewal;
use crate::token::{IdToken, PkToken};
use crate::verified::{Attested, VerifiedIdentity, Vouching};

/// Recognises whoever shows `evidence`, or says at which check it failed.
///
/// Tokens of issuers the table does not know are passed over as long as one is known; a token of a known
/// issuer that fails is a failure.
pub fn verify(evidence: &Evidence, context: &Context<'_>) -> Result<VerifiedIdentity, VerifyError> {
    let tokens = read_tokens(evidence)?;
    let renewals = renewals::read(evidence, &tokens)?;
    let admitted = admit(evidence, &tokens, context)?;
    let check = |one: &Admitted<'_>| check_token(evidence, one, &renewals, context);
    let attested = admitted.iter().map(check).collect::<Result<Vec<_>, _>>()?;
    persona::check(evidence, &admitted, attested, &renewals, context)
}

/// A token whose issuer may speak about the person.
struct Admitted<'a> {
    token: &'a PkToken,
    /// What the issuer signed: the token's own, or a renewal of it.
    id: &'a IdToken,
    admission: Admission<'a>,
}

/// Step 0.
fn read_tokens(evidence: &Evidence) -> Result<Vec<PkToken>, VerifyError> {
    evidence.tokens.iter().map(|text| PkToken::parse(text).map_err(VerifyError::Token)).collect()
}

/// Step 1.
fn admit<'a>(
    evidence: &Evidence,
    tokens: &'a [PkToken],
    context: &Context<'a>,
) -> Result<Vec<Admitted<'a>>, VerifyError> {
    let own = (context.domain_issuer)(&evidence.user.domain());
    let (mut admitted, mut refused) = (Vec::new(), None);
    for token in tokens {
        let issuer = token.claimed_issuer().ok_or(VerifyError::NoIssuer)?;
        match context.table.admit(issuer, &evidence.user, own.trim_end_matches('/')) {
            Some(admission) => admitted.push(Admitted { token, id: &token.id, admission }),
            None => refused = refused.or_else(|| Some(issuer.chars().take(ISSUER_SHOWN).collect())),
        }
    }
    match (admitted.is_empty(), refused) {
        (true, Some(issuer)) => Err(VerifyError::UnknownIssuer { issuer }),
        (true, None) => Err(VerifyError::NoIssuer),
        (false, _) => Ok(admitted),
    }
}

/// How much of an unknown issuer's name is shown.
const ISSUER_SHOWN: usize = 512;

/// Steps 2 to 11.
fn check_token(
    evidence: &Evidence,
    one: &Admitted<'_>,
    renewals: &[Renewal],
    context: &Context<'_>,
) -> Result<Attested, VerifyError> {
    let cic = token::client_claims(one.token)?;
    token::issuer_signature(one, context.jwks)?;
    token::tenant(one)?;
    token::audience(one)?;
    token::binding(one, &cic)?;
    let times = time::Times::read(one.id)?;
    times.check(context.now)?;
    let at = renewals::newest(one, &cic, times.iat, renewals, context)?;
    time::Times::check_age(at, one, context)?;
    time::authentication(one, &times)?;
    let subject = claims::subject(evidence, one)?;
    let display = claims::display(evidence, one)?;
    Ok(Attested {
        entra: claims::entra(one),
        vouching: vouching(evidence.user.domain(), &one.admission),
        subject,
        display,
        at,
        pkt_hash: one.token.hash(),
    })
}

fn vouching(domain: Domain, admission: &Admission<'_>) -> Vouching {
    if admission.own_domain { Vouching::Domain(domain) } else { Vouching::Issuer(admission.entry.issuer.clone()) }
}
