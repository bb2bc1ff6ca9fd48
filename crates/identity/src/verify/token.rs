//! Steps 2 to 7: whose token it is, for whom, and to which key it is bound.

use keys::Signature;
use serde_json::Value;

use crate::cic::{Cic, ed25519_jwk, nonce_of};
use crate::error::VerifyError;
use crate::jwks::{JwksBook, PublicKey};
use crate::token::{PkToken, word};

use super::Admitted;

const AUDIENCES_LIMIT: usize = 16;
const KEY_BINDING_TYP: &str = "dpop+id_token";

/// Step 2: the claims are acceptable and their key signed them together with the payload.
pub(super) fn client_claims(token: &PkToken) -> Result<Cic, VerifyError> {
    let cic = Cic::from_members(&token.cic_protected, &token.cic).map_err(VerifyError::Cic)?;
    let signature = Signature::parse(&token.cic_signature).map_err(|_| VerifyError::CicSignature)?;
    cic.upk().verify(&token.cic_signed(), &signature).map_err(|_| VerifyError::CicSignature)?;
    Ok(cic)
}

/// Steps 3 and 4: the issuer's key is known and fit, and signed the payload.
pub(super) fn issuer_signature(one: &Admitted<'_>, jwks: &JwksBook) -> Result<(), VerifyError> {
    let keys = issuer_keys(one, jwks)?;
    let (alg, signed) = (one.id.op.alg, one.id.signed());
    let signature = &one.id.signature;
    if keys.into_iter().any(|key| alg.verify(key, &signed, signature)) {
        Ok(())
    } else {
        Err(VerifyError::IssuerSignature)
    }
}

/// The keys the issuer ever called by the token's `kid` that fit its algorithm.
fn issuer_keys<'a>(one: &'a Admitted<'_>, jwks: &'a JwksBook) -> Result<Vec<&'a PublicKey>, VerifyError> {
    let (entry, alg) = (&one.admission.entry, one.id.op.alg);
    if !entry.algorithms.contains(&alg) {
        return Err(VerifyError::AlgorithmNotAllowed { alg });
    }
    let kid = one.id.op.kid.as_deref().ok_or(VerifyError::MissingKid)?;
    let found: Vec<_> = jwks.find(&entry.issuer, kid).map(|jwk| jwk.usable_for(alg)).collect();
    let Some(first) = found.first().copied() else {
        return Err(VerifyError::NeedsJwks { issuer: entry.issuer.clone() });
    };
    let usable: Vec<_> = found.into_iter().filter_map(Result::ok).collect();
    match first {
        Err(fault) if usable.is_empty() => Err(VerifyError::Key(fault)),
        _ => Ok(usable),
    }
}

/// Step 5: the issuer in the signed payload is the one of the table entry (it was looked up by it); an
/// Entra token must also be of that issuer's tenant.
pub(super) fn tenant(one: &Admitted<'_>) -> Result<(), VerifyError> {
    match one.admission.tenant() {
        Some(tenant) if word(&one.id.claims, "tid") != Some(tenant.0) => Err(VerifyError::WrongTenant),
        _ => Ok(()),
    }
}

/// Step 6: made for this app and nobody else. Whoever runs another app chooses the nonce of its tokens.
pub(super) fn audience(one: &Admitted<'_>) -> Result<(), VerifyError> {
    let allowed = |client: &str| one.admission.entry.client_ids.iter().any(|id| id == client);
    let audiences = match one.id.claims.get("aud") {
        Some(Value::String(single)) => vec![single.as_str()],
        Some(Value::Array(list)) if list.len() <= AUDIENCES_LIMIT => {
            list.iter().map(Value::as_str).collect::<Option<Vec<_>>>().ok_or(VerifyError::NoAudience)?
        }
        _ => return Err(VerifyError::NoAudience),
    };
    if audiences.is_empty() {
        return Err(VerifyError::NoAudience);
    }
    if !audiences.iter().all(|client| allowed(client)) {
        return Err(VerifyError::ForeignAudience);
    }
    match one.id.claims.get("azp") {
        None if audiences.len() > 1 => Err(VerifyError::AmbiguousAudience),
        None => Ok(()),
        Some(Value::String(party)) if allowed(party) => Ok(()),
        Some(_) => Err(VerifyError::ForeignParty),
    }
}

/// Step 7: the token commits to exactly these claims, and, where the issuer binds keys, to this key.
pub(super) fn binding(one: &Admitted<'_>, cic: &Cic) -> Result<(), VerifyError> {
    key_binding(one, cic)?;
    let nonce = word(&one.id.claims, "nonce").ok_or(VerifyError::NoNonce)?;
    let expected = nonce_of(cic.text());
    if keys::constant_time_eq(nonce.as_bytes(), expected.as_bytes()) { Ok(()) } else { Err(VerifyError::ForeignNonce) }
}

/// The draft's name of the type changed before, so an issuer's entry may say how that issuer spells it.
pub(super) fn key_binding(one: &Admitted<'_>, cic: &Cic) -> Result<(), VerifyError> {
    match one.id.op.typ.as_deref() {
        typ if typ.is_some() && typ == one.admission.entry.key_binding_typ.as_deref() => bound_key(one, cic),
        None => Ok(()),
        Some(typ) if typ.eq_ignore_ascii_case("JWT") => Ok(()),
        Some(KEY_BINDING_TYP) => bound_key(one, cic),
        Some(_) => Err(VerifyError::WrongTokenType),
    }
}

/// `cnf.jwk` is the root key. Both are Ed25519, so equal keys and equal RFC 7638 thumbprints are the same.
fn bound_key(one: &Admitted<'_>, cic: &Cic) -> Result<(), VerifyError> {
    let cnf = one.id.claims.get("cnf").and_then(|cnf| cnf.get("jwk")).and_then(Value::as_object);
    match cnf.and_then(ed25519_jwk) {
        Some(key) if key == *cic.upk() => Ok(()),
        _ => Err(VerifyError::ForeignBoundKey),
    }
}
