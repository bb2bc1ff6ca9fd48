//! A later word of the issuer about a token's subject, without a new sign-in.
//!
//! Issuers that give refresh tokens give newer id_tokens for them, which commit to no key any more. Such a
//! one counts only beside the PK token it renews, and only when the root key says so. As text
//! `pkt_hash.id_token.signature`: the hash and the signature base64url, the id_token compact as it came.
//! Signed is `parlance-renewal-v1\n` and everything before the last dot.

use std::fmt;

use keys::{Signature, SigningKey, VerifyingKey};

use crate::digest::Digest;
use crate::token::{IdToken, PKT_LIMIT, PkToken, TokenError, word};

/// Longest renewal in bytes.
pub const RENEWAL_LIMIT: usize = PKT_LIMIT + 256;

/// What keeps a signature of a renewal from being one of anything else.
const SIGNING_CONTEXT: &str = "parlance-renewal-v1\n";

/// Why a renewal does not renew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RenewalError {
    /// Not of the form of a renewal.
    #[error("not of the form of a renewal")]
    Malformed,
    /// The id_token in it is not one.
    #[error("the renewal: {0}")]
    Token(TokenError),
    /// The token it renews is not shown.
    #[error("the renewed token is missing")]
    Orphan,
    /// Another issuer, client or subject than the token it renews.
    #[error("the renewal differs from its token in {0}")]
    Differs(&'static str),
    /// Not later than the token it renews.
    #[error("the renewal is not later than its token")]
    NotLater,
    /// The current root key did not sign it.
    #[error("the renewal is not signed by the root key")]
    WrongSignature,
}

impl RenewalError {
    /// A stable word for counters, logs and the user interface.
    pub fn code(self) -> &'static str {
        match self {
            Self::Malformed => "renewal-malformed",
            Self::Token(_) => "renewal-token",
            Self::Orphan => "renewal-orphan",
            Self::Differs(_) => "renewal-differs",
            Self::NotLater => "renewal-not-later",
            Self::WrongSignature => "renewal-signature",
        }
    }
}

/// A renewal that was read, and not yet verified.
#[derive(Clone)]
pub struct Renewal {
    text: String,
    pkt_hash: Digest,
    pub(crate) id: IdToken,
    signature: Signature,
}

impl Renewal {
    /// Signs that `id_token` (compact) renews `original`. What a stranger would refuse is refused here.
    pub fn sign(original: &PkToken, id_token: &str, irk: &SigningKey) -> Result<Self, RenewalError> {
        let signed = format!("{}.{id_token}", original.hash());
        let signature = irk.sign(format!("{SIGNING_CONTEXT}{signed}").as_bytes());
        let renewal = Self::parse(&format!("{signed}.{signature}"))?;
        renewal.fits(original)?;
        Ok(renewal)
    }

    /// Reads a renewal within its bounds; no signature is checked.
    pub fn parse(text: &str) -> Result<Self, RenewalError> {
        if text.len() > RENEWAL_LIMIT {
            return Err(RenewalError::Malformed);
        }
        let (signed, signature) = text.rsplit_once('.').ok_or(RenewalError::Malformed)?;
        let (pkt_hash, id_token) = signed.split_once('.').ok_or(RenewalError::Malformed)?;
        Ok(Self {
            text: text.to_owned(),
            pkt_hash: Digest::parse(pkt_hash).map_err(|_| RenewalError::Malformed)?,
            id: IdToken::parse(id_token).map_err(RenewalError::Token)?,
            signature: Signature::parse(signature).map_err(|_| RenewalError::Malformed)?,
        })
    }

    /// Whether it speaks of the same person for the same client as `original`, and later.
    pub(crate) fn fits(&self, original: &PkToken) -> Result<(), RenewalError> {
        if original.hash() != self.pkt_hash {
            return Err(RenewalError::Orphan);
        }
        let (old, new) = (&original.id.claims, &self.id.claims);
        if let Some(name) = ["iss", "aud", "sub"].into_iter().find(|name| old.get(*name) != new.get(*name)) {
            return Err(RenewalError::Differs(name));
        }
        // Refreshed tokens carry no nonce, or the one of the sign-in (OpenID Connect Core, 12.2).
        if new.contains_key("nonce") && word(new, "nonce") != word(old, "nonce") {
            return Err(RenewalError::Differs("nonce"));
        }
        let at = |claims: &serde_json::Map<String, serde_json::Value>| claims.get("iat").and_then(|iat| iat.as_f64());
        match (at(old), at(new)) {
            (Some(old), Some(new)) if new > old => Ok(()),
            _ => Err(RenewalError::NotLater),
        }
    }

    pub(crate) fn check_signature(&self, irk: &VerifyingKey) -> Result<(), RenewalError> {
        let signed = self.text.rsplit_once('.').map_or("", |(signed, _)| signed);
        let signed = format!("{SIGNING_CONTEXT}{signed}");
        irk.verify(signed.as_bytes(), &self.signature).map_err(|_| RenewalError::WrongSignature)
    }

    /// Hash of the token it renews.
    pub fn pkt_hash(&self) -> Digest {
        self.pkt_hash
    }

    /// The renewal as it travels.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Shows nothing: a token is a person's secret.
impl fmt::Debug for Renewal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Renewal(…)")
    }
}
