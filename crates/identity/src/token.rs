//! The PK token: an issuer's id_token and the root key's own signature over the same payload.
//!
//! OpenPubkey's general-JWS JSON form, byte for byte. Reading one proves nothing yet; that is for
//! [`verify`](crate::verify).

use std::fmt;

use keys::SigningKey;
use serde::Serialize;
use serde_json::{Map, Value};

use crate::cic::Cic;
use crate::digest::Digest;
use crate::json::{Bounds, JsonError, object};
use crate::jws::{Algorithm, AlgorithmError};

/// Largest PK token in bytes.
pub const PKT_LIMIT: usize = 16 * 1024;
const DEPTH_LIMIT: usize = 8;
const KID_LIMIT: usize = 256;

/// Header members by which a token would choose its own verifier.
const FORBIDDEN_HEADERS: [&str; 8] = ["crit", "jku", "jwk", "x5u", "x5c", "x5t", "x5t#S256", "b64"];

/// Why a text is not a PK token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Size, depth, duplicates or syntax.
    #[error("the token: {0}")]
    Json(JsonError),
    /// Not of the form of a PK token.
    #[error("the token has no proper {0}")]
    Malformed(&'static str),
    /// `alg` is `none` or symmetric.
    #[error("the token is signed with no key of the issuer's own")]
    ForbiddenAlgorithm,
    /// `alg` is none of those checked here.
    #[error("the token's signature algorithm is not supported")]
    UnsupportedAlgorithm,
    /// A header member by which the token would choose its own verifier.
    #[error("the token's header must not contain {0}")]
    ForbiddenHeader(&'static str),
    /// A compact id_token was expected.
    #[error("the id_token is not a compact JWS")]
    NotCompact,
}

/// A PK token that was read, and not yet verified.
#[derive(Clone)]
pub struct PkToken {
    text: String,
    pub(crate) id: IdToken,
    pub(crate) cic: Map<String, Value>,
    pub(crate) cic_protected: String,
    pub(crate) cic_signature: String,
}

/// What the issuer made: an id_token that was read, and not yet verified.
#[derive(Clone)]
pub(crate) struct IdToken {
    payload: String,
    pub claims: Map<String, Value>,
    pub op: OpHeader,
    protected: String,
    pub signature: Vec<u8>,
}

/// The issuer's protected header.
#[derive(Debug, Clone)]
pub(crate) struct OpHeader {
    pub alg: Algorithm,
    pub kid: Option<String>,
    pub typ: Option<String>,
}

#[derive(Serialize)]
struct GeneralJws<'a> {
    payload: &'a str,
    signatures: [JwsSignature<'a>; 2],
}

#[derive(Serialize)]
struct JwsSignature<'a> {
    protected: &'a str,
    signature: &'a str,
}

impl PkToken {
    /// Joins an id_token (compact) with the client's claims, signed by the root key they name.
    pub fn assemble(id_token: &str, cic: &Cic, irk: &SigningKey) -> Result<Self, TokenError> {
        let [protected, payload, signature] = compact(id_token)?;
        let own = cic.sign(irk, payload);
        let jws = GeneralJws {
            payload,
            signatures: [
                JwsSignature { protected, signature },
                JwsSignature { protected: cic.text(), signature: &own },
            ],
        };
        Self::parse(&serde_json::to_string(&jws).expect("three texts make JSON"))
    }

    /// Reads a PK token within all bounds; no signature is checked.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let outer = json(text.as_bytes())?;
        only(&outer, &["payload", "signatures"], "envelope")?;
        let payload = word(&outer, "payload").ok_or(TokenError::Malformed("payload"))?;
        let [op, cic] = split_signatures(outer.get("signatures"))?;
        refuse_headers(&cic.header)?;
        Ok(Self {
            text: text.to_owned(),
            id: IdToken::read(op, payload)?,
            cic: cic.header,
            cic_protected: cic.protected,
            cic_signature: cic.signature,
        })
    }

    /// The token as it travels.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the token as it travels.
    pub fn hash(&self) -> Digest {
        Digest::of(self.text.as_bytes())
    }

    /// The issuer it claims to come from; nothing is verified yet.
    pub fn claimed_issuer(&self) -> Option<&str> {
        word(&self.id.claims, "iss")
    }

    /// The subject it claims to be about; nothing is verified yet.
    pub fn claimed_subject(&self) -> Option<&str> {
        word(&self.id.claims, "sub")
    }

    /// When it claims to have been issued; nothing is verified yet.
    pub fn claimed_time(&self) -> Option<i64> {
        self.id.claims.get("iat").and_then(Value::as_i64)
    }

    /// What the root key signed.
    pub(crate) fn cic_signed(&self) -> Vec<u8> {
        format!("{}.{}", self.cic_protected, self.id.payload).into_bytes()
    }
}

impl IdToken {
    /// Reads a compact id_token within all bounds; no signature is checked.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        if text.len() > PKT_LIMIT {
            return Err(TokenError::Json(JsonError::TooLarge { limit: PKT_LIMIT }));
        }
        let [protected, payload, signature] = compact(text)?;
        let header = keys::from_b64url(protected).map_err(|_| TokenError::Malformed("protected header"))?;
        let (protected, signature) = (protected.to_owned(), signature.to_owned());
        Self::read(OneSignature { protected, header: json(&header)?, signature }, payload)
    }

    fn read(op: OneSignature, payload: &str) -> Result<Self, TokenError> {
        let header = read_op_header(&op.header)?;
        let bytes = keys::from_b64url(payload).map_err(|_| TokenError::Malformed("payload"))?;
        Ok(Self {
            claims: json(&bytes)?,
            payload: payload.to_owned(),
            op: header,
            protected: op.protected,
            signature: keys::from_b64url(&op.signature).map_err(|_| TokenError::Malformed("signature"))?,
        })
    }

    /// What the issuer signed.
    pub fn signed(&self) -> Vec<u8> {
        format!("{}.{}", self.protected, self.payload).into_bytes()
    }
}

fn compact(text: &str) -> Result<[&str; 3], TokenError> {
    let mut parts = text.split('.');
    match (parts.next(), parts.next(), parts.next(), parts.next()) {
        (Some(protected), Some(payload), Some(signature), None) => Ok([protected, payload, signature]),
        _ => Err(TokenError::NotCompact),
    }
}

/// Shows nothing: a token is a person's secret.
impl fmt::Debug for PkToken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PkToken(…)")
    }
}

struct OneSignature {
    protected: String,
    header: Map<String, Value>,
    signature: String,
}

/// The issuer's signature and the client's, in that order, whichever comes first in the text.
fn split_signatures(list: Option<&Value>) -> Result<[OneSignature; 2], TokenError> {
    let Some([first, second]) = list.and_then(Value::as_array).map(Vec::as_slice) else {
        return Err(TokenError::Malformed("pair of signatures"));
    };
    let (first, second) = (read_signature(first)?, read_signature(second)?);
    match (is_cic(&first), is_cic(&second)) {
        (false, true) => Ok([first, second]),
        (true, false) => Ok([second, first]),
        // Two of one kind: the second is taken as the client's, whose claims are then refused for their typ.
        (false, false) => Ok([first, second]),
        (true, true) => Err(TokenError::Malformed("issuer's signature")),
    }
}

fn is_cic(one: &OneSignature) -> bool {
    word(&one.header, "typ") == Some("CIC")
}

fn read_signature(value: &Value) -> Result<OneSignature, TokenError> {
    let members = value.as_object().ok_or(TokenError::Malformed("signature"))?;
    // An unprotected header is refused whole: nobody signed it.
    only(members, &["protected", "signature"], "signature")?;
    let protected = word(members, "protected").ok_or(TokenError::Malformed("protected header"))?;
    let signature = word(members, "signature").ok_or(TokenError::Malformed("signature"))?;
    let header = keys::from_b64url(protected).map_err(|_| TokenError::Malformed("protected header"))?;
    Ok(OneSignature { protected: protected.to_owned(), header: json(&header)?, signature: signature.to_owned() })
}

fn read_op_header(header: &Map<String, Value>) -> Result<OpHeader, TokenError> {
    let alg = word(header, "alg").ok_or(TokenError::Malformed("alg"))?;
    let alg = Algorithm::parse(alg).map_err(|error| match error {
        AlgorithmError::Forbidden => TokenError::ForbiddenAlgorithm,
        AlgorithmError::Unsupported => TokenError::UnsupportedAlgorithm,
    })?;
    refuse_headers(header)?;
    let text = |name: &'static str| match header.get(name) {
        None => Ok(None),
        Some(Value::String(text)) if text.len() <= KID_LIMIT => Ok(Some(text.clone())),
        Some(_) => Err(TokenError::Malformed(name)),
    };
    Ok(OpHeader { alg, kid: text("kid")?, typ: text("typ")? })
}

fn refuse_headers(header: &Map<String, Value>) -> Result<(), TokenError> {
    match FORBIDDEN_HEADERS.into_iter().find(|name| header.contains_key(*name)) {
        Some(name) => Err(TokenError::ForbiddenHeader(name)),
        None => Ok(()),
    }
}

fn only(members: &Map<String, Value>, allowed: &[&str], what: &'static str) -> Result<(), TokenError> {
    if members.keys().all(|name| allowed.contains(&name.as_str())) { Ok(()) } else { Err(TokenError::Malformed(what)) }
}

fn json(bytes: &[u8]) -> Result<Map<String, Value>, TokenError> {
    object(bytes, Bounds { bytes: PKT_LIMIT, depth: DEPTH_LIMIT }).map_err(TokenError::Json)
}

pub(crate) fn word<'a>(members: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    members.get(name).and_then(Value::as_str)
}
