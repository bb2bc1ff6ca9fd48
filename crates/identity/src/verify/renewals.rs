//! Part of step 8: whether the issuer spoke again, and when last.

use crate::chain::Sigchain;
use crate::cic::Cic;
use crate::context::Context;
use crate::error::VerifyError;
use crate::evidence::Evidence;
use crate::renewal::{Renewal, RenewalError};
use crate::token::PkToken;

use super::{Admitted, time, token};

/// Step 0 for renewals: each is read, and stands beside the token it renews.
pub(super) fn read(evidence: &Evidence, tokens: &[PkToken]) -> Result<Vec<Renewal>, VerifyError> {
    let read = |text: &String| Renewal::parse(text).map_err(VerifyError::Renewal);
    let renewals = evidence.renewals.iter().map(read).collect::<Result<Vec<_>, _>>()?;
    let is_orphan = |one: &Renewal| !tokens.iter().any(|token| token.hash() == one.pkt_hash());
    if renewals.iter().any(is_orphan) { Err(VerifyError::Renewal(RenewalError::Orphan)) } else { Ok(renewals) }
}

/// When the issuer spoke last about this token's subject: all of steps 3 to 8 for each renewal of it, which
/// needs no nonce. That the root key renewed it is seen in step 12.
pub(super) fn newest(
    one: &Admitted<'_>,
    cic: &Cic,
    at: i64,
    renewals: &[Renewal],
    context: &Context<'_>,
) -> Result<i64, VerifyError> {
    let mut newest = at;
    for renewal in of(one, renewals) {
        renewal.fits(one.token).map_err(VerifyError::Renewal)?;
        let renewed = Admitted { token: one.token, id: &renewal.id, admission: one.admission.clone() };
        token::issuer_signature(&renewed, context.jwks)?;
        token::tenant(&renewed)?;
        token::audience(&renewed)?;
        token::key_binding(&renewed, cic)?;
        let times = time::Times::read(&renewal.id)?;
        times.check(context.now)?;
        newest = newest.max(times.iat);
    }
    Ok(newest)
}

/// Part of step 12: the root key that counts signed every renewal of the token.
pub(super) fn signed(one: &Admitted<'_>, renewals: &[Renewal], chain: &Sigchain) -> Result<(), VerifyError> {
    of(one, renewals).try_for_each(|renewal| renewal.check_signature(&chain.irk())).map_err(VerifyError::Renewal)
}

fn of<'a>(one: &Admitted<'_>, renewals: &'a [Renewal]) -> impl Iterator<Item = &'a Renewal> {
    let hash = one.token.hash();
    renewals.iter().filter(move |renewal| renewal.pkt_hash() == hash)
}
