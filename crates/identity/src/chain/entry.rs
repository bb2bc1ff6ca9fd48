//! One signed entry of a sigchain, kept as the exact text that travels.
//!
//! The text is `payload.signature`, both base64url. What is hashed and signed is that text, never a
//! second serialisation of it.

use std::fmt;

use keys::{Signature, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::digest::Digest;
use crate::json::{Bounds, object};

use super::ChainError;
use super::body::EntryBody;

/// Longest entry in bytes of text.
pub const ENTRY_LIMIT: usize = 4096;

/// What keeps a signature of an entry from being one of anything else.
const SIGNING_CONTEXT: &str = "parlance-sigchain-v1\n";

/// Which key signed an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Signer {
    /// The identity root key.
    #[default]
    Irk,
    /// The recovery key.
    Rk,
    /// A device, by its key: for a veto only. In JSON `{"device": key}`.
    Device(VerifyingKey),
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Payload {
    v: u8,
    seq: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    prev: Option<Digest>,
    #[serde(rename = "type")]
    kind: String,
    #[serde(default, skip_serializing_if = "is_irk")]
    by: Signer,
    iat: i64,
    body: Value,
}

fn is_irk(signer: &Signer) -> bool {
    *signer == Signer::Irk
}

/// One entry: read, but its signature is checked only by [`Entry::check_signature`].
#[derive(Clone, PartialEq, Eq)]
pub struct Entry {
    text: String,
    hash: Digest,
    payload_length: usize,
    signature: Signature,
    seq: u64,
    prev: Option<Digest>,
    iat: i64,
    by: Signer,
    body: EntryBody,
}

impl Entry {
    /// Signs a new entry.
    pub(crate) fn sign(
        key: &SigningKey,
        by: Signer,
        seq: u64,
        prev: Option<Digest>,
        iat: i64,
        body: EntryBody,
    ) -> Self {
        let payload = Payload { v: 1, seq, prev, kind: body.kind().to_owned(), by, iat, body: body.value() };
        let json = serde_json::to_vec(&payload).expect("a payload is a plain struct of texts and numbers");
        let payload = keys::b64url(&json);
        let signature = key.sign(format!("{SIGNING_CONTEXT}{payload}").as_bytes());
        let text = format!("{payload}.{signature}");
        let hash = Digest::of(text.as_bytes());
        Self { text, hash, payload_length: payload.len(), signature, seq, prev, iat, by, body }
    }

    /// Reads an entry from its text.
    pub fn parse(text: &str) -> Result<Self, ChainError> {
        if text.len() > ENTRY_LIMIT {
            return Err(ChainError::EntryTooLong);
        }
        let (payload_text, signature) = text.split_once('.').ok_or(ChainError::Malformed("no signature"))?;
        let signature = Signature::parse(signature).map_err(|_| ChainError::Malformed("signature"))?;
        let json = keys::from_b64url(payload_text).map_err(|_| ChainError::Malformed("payload"))?;
        let members = object(&json, Bounds { bytes: ENTRY_LIMIT, depth: 4 }).map_err(ChainError::Json)?;
        let payload: Payload =
            serde_json::from_value(Value::Object(members)).map_err(|_| ChainError::Malformed("payload"))?;
        if payload.v != 1 {
            return Err(ChainError::Malformed("version"));
        }
        let body = EntryBody::read(&payload.kind, payload.body)
            .ok_or(ChainError::UnknownKind)?
            .map_err(|_| ChainError::Malformed("body"))?;
        Ok(Self {
            hash: Digest::of(text.as_bytes()),
            payload_length: payload_text.len(),
            text: text.to_owned(),
            signature,
            seq: payload.seq,
            prev: payload.prev,
            iat: payload.iat,
            by: payload.by,
            body,
        })
    }

    /// Whether `key` signed exactly this text.
    pub fn check_signature(&self, key: &VerifyingKey) -> Result<(), ChainError> {
        let signed = format!("{SIGNING_CONTEXT}{}", &self.text[..self.payload_length]);
        key.verify(signed.as_bytes(), &self.signature).map_err(|_| ChainError::WrongSignature { seq: self.seq })
    }

    /// The text as it travels.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// SHA-256 of the text.
    pub fn hash(&self) -> Digest {
        self.hash
    }

    /// Place in the chain, from 0.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// Hash of the entry before it.
    pub fn prev(&self) -> Option<Digest> {
        self.prev
    }

    /// When it was signed, by the signer's clock.
    pub fn iat(&self) -> i64 {
        self.iat
    }

    /// Which key signed it.
    pub fn by(&self) -> Signer {
        self.by
    }

    /// What it says.
    pub fn body(&self) -> &EntryBody {
        &self.body
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({} {:?})", self.seq, self.body)
    }
}
