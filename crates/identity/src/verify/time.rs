//! Steps 8 and 9: when the issuer spoke, and how the person had authenticated.

use serde_json::Value;

use crate::CLOCK_SKEW_S;
use crate::context::Context;
use crate::error::VerifyError;
use crate::token::{IdToken, word};

use super::{Admitted, claims};

/// Longest time between `iat` and `exp`.
const LIFE_LIMIT_S: i64 = 86_400;
const AMR_LIMIT: usize = 32;
/// Times beyond the year 9999 are no times.
const LATEST_S: f64 = 253_402_300_800.0;

pub(super) struct Times {
    pub iat: i64,
    exp: i64,
    nbf: Option<i64>,
    auth_time: Option<i64>,
}

impl Times {
    pub fn read(token: &IdToken) -> Result<Self, VerifyError> {
        Ok(Self {
            iat: number(token, "iat")?.ok_or(VerifyError::BadTime("iat"))?,
            exp: number(token, "exp")?.ok_or(VerifyError::BadTime("exp"))?,
            nbf: number(token, "nbf")?,
            auth_time: number(token, "auth_time")?,
        })
    }

    /// A token past `exp` is no failure: it is evidence of what was so at `iat`, not a session.
    pub fn check(&self, now: i64) -> Result<(), VerifyError> {
        if self.iat > now.saturating_add(CLOCK_SKEW_S) {
            return Err(VerifyError::FromTheFuture { by_s: self.iat.saturating_sub(now) });
        }
        if self.exp <= self.iat {
            return Err(VerifyError::ExpiresBeforeIssue);
        }
        if self.exp - self.iat > LIFE_LIMIT_S {
            return Err(VerifyError::LivesTooLong);
        }
        match self.nbf {
            Some(nbf) if nbf > now.saturating_add(CLOCK_SKEW_S) => Err(VerifyError::NotYetValid),
            _ => Ok(()),
        }
    }

    /// How old the issuer's word may be that was given at `at`, by a token or by a renewal of it. Strangers
    /// need recent evidence; people already pinned do not, unless the issuer's entry or the policy says so.
    pub fn check_age(at: i64, one: &Admitted<'_>, context: &Context<'_>) -> Result<(), VerifyError> {
        let age_s = context.now.saturating_sub(at);
        if let Some(limit_s) = context.policy.max_age_s.filter(|limit_s| age_s > *limit_s) {
            return Err(VerifyError::Stale { age_s, limit_s });
        }
        let stranger = claims::subject_key(one).is_none_or(|subject| context.pins.subject(&subject).is_none());
        let for_strangers = stranger.then_some(context.policy.first_contact_age_s);
        let limit = [one.admission.entry.max_age_s, for_strangers].into_iter().flatten().min();
        match limit {
            Some(limit_s) if age_s > limit_s => Err(VerifyError::TooOld { age_s, limit_s }),
            _ => Ok(()),
        }
    }
}

/// Step 9, where the issuer's entry asks for it.
pub(super) fn authentication(one: &Admitted<'_>, times: &Times) -> Result<(), VerifyError> {
    let entry = &one.admission.entry;
    if let Some(limit) = entry.max_auth_age_s {
        let recent = times.auth_time.is_some_and(|at| at >= times.iat.saturating_sub(limit));
        if !recent {
            return Err(VerifyError::AuthenticationTooOld);
        }
    }
    let acr = word(&one.id.claims, "acr");
    if !entry.acr.is_empty() && !entry.acr.iter().any(|required| acr == Some(required)) {
        return Err(VerifyError::WrongAcr);
    }
    let amr = one.id.claims.get("amr").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let has = |required: &String| amr.iter().take(AMR_LIMIT).any(|means| means.as_str() == Some(required));
    if entry.amr.iter().all(has) { Ok(()) } else { Err(VerifyError::WrongAmr) }
}

/// A NumericDate: whole or not, never negative.
fn number(token: &IdToken, name: &'static str) -> Result<Option<i64>, VerifyError> {
    match token.claims.get(name) {
        None => Ok(None),
        Some(value) => match value.as_f64() {
            Some(seconds) if (0.0..LATEST_S).contains(&seconds) => Ok(Some(seconds as i64)),
            _ => Err(VerifyError::BadTime(name)),
        },
    }
}
