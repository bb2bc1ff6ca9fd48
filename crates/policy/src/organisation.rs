//! The organisation's policy: a signed document, pinned to one key, whose version only goes forward.
//!
//! The text is `payload.signature`, both base64url. What is signed is that text of the payload,
//! never a second serialisation of it. See `docs/protocol/policy.md`.

use std::collections::BTreeSet;

use keys::{Signature, SigningKey, VerifyingKey};
use message::AddressPattern;
use serde::{Deserialize, Serialize};

use crate::ceiling::Ceiling;
use crate::item::Item;

/// Longest document in bytes of text.
pub const ORG_POLICY_LIMIT: usize = 64 * 1024;

/// What keeps a signature of a policy from being one of anything else.
const SIGNING_CONTEXT: &str = "parlance-organisation-policy-v1\n";

const NAME_LIMIT: usize = 100;
const ESCROW_LIMIT: usize = 1000;
const ISSUER_LIMIT: usize = 512;
const PATTERNS_LIMIT: usize = 256;
const RETENTION_LIMIT_DAYS: u32 = 36_500;

/// Why a document is not in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum OrgPolicyError {
    /// More bytes than [`ORG_POLICY_LIMIT`].
    #[error("an organisation's policy has at most {ORG_POLICY_LIMIT} bytes")]
    TooLong,
    /// Not `payload.signature`, or the payload is not a document of ours; says where.
    #[error("the organisation's policy is malformed: {0}")]
    Malformed(&'static str),
    /// Of a version of the format that is not known here.
    #[error("the organisation's policy is of format {v}, known is 1")]
    UnknownFormat {
        /// Which.
        v: u64,
    },
    /// Not signed by the pinned key.
    #[error("the organisation's policy is not signed by the organisation's key")]
    WrongKey,
    /// An older version than one that was in force before.
    #[error("the organisation's policy is of version {version}, seen was {newest} already")]
    Rollback {
        /// Of this document.
        version: u64,
        /// The newest that was seen.
        newest: u64,
    },
    /// Its time is over.
    #[error("the organisation's policy has expired")]
    Expired,
    /// A rule in it is out of its bounds.
    #[error("the organisation's policy has {0} out of its bounds")]
    OutOfBounds(Item),
}

impl OrgPolicyError {
    /// The stable word that programs may act on.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooLong => "org-policy-too-long",
            Self::Malformed(_) => "org-policy-malformed",
            Self::UnknownFormat { .. } => "org-policy-format",
            Self::WrongKey => "org-policy-wrong-key",
            Self::Rollback { .. } => "org-policy-rollback",
            Self::Expired => "org-policy-expired",
            Self::OutOfBounds(_) => "org-policy-bounds",
        }
    }
}

/// What people are told of their organisation's policy, and what is no rule about messages or people.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Charter {
    /// The organisation's name.
    pub name: String,
    /// Goes forward only.
    pub version: u64,
    /// Unix seconds; a document is not taken later. One in force stays so until another replaces it.
    pub expires: i64,
    /// Settings the user cannot relax, shown with a lock.
    #[serde(default)]
    pub lock: BTreeSet<Item>,
    /// Where the members sign in.
    #[serde(default)]
    pub forced_issuer: Option<String>,
    /// How long messages are kept.
    #[serde(default)]
    pub retention_days: Option<u32>,
    /// If somebody else can read what is written: who, how and why, in words for people.
    #[serde(default)]
    pub escrow: Option<String>,
}

/// An organisation's policy: checked, and in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrgPolicy {
    /// What people are told of it.
    pub charter: Charter,
    /// Its rules.
    pub rules: Ceiling,
}

/// As it is written.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
struct Document {
    v: u64,
    name: String,
    version: u64,
    expires: i64,
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    lock: BTreeSet<Item>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    forced_issuer: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retention_days: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    escrow: Option<String>,
    #[serde(default)]
    rules: Ceiling,
}

/// The one member that is read before all others.
#[derive(Deserialize)]
struct Format {
    v: u64,
}

impl OrgPolicy {
    /// Reads a document: bounds, signature by the pinned key, form, time, version.
    ///
    /// The caller keeps the newest version it has seen, apart from the document. `now` is in Unix seconds.
    pub fn verify(
        text: &str,
        pinned: &VerifyingKey,
        newest_seen_version: Option<u64>,
        now: i64,
    ) -> Result<Self, OrgPolicyError> {
        if text.len() > ORG_POLICY_LIMIT {
            return Err(OrgPolicyError::TooLong);
        }
        let text = text.trim();
        let (payload, signature) = text.split_once('.').ok_or(OrgPolicyError::Malformed("no signature"))?;
        let signature = Signature::parse(signature).map_err(|_| OrgPolicyError::Malformed("signature"))?;
        let signed = format!("{SIGNING_CONTEXT}{payload}");
        pinned.verify(signed.as_bytes(), &signature).map_err(|_| OrgPolicyError::WrongKey)?;
        let json = keys::from_b64url(payload).map_err(|_| OrgPolicyError::Malformed("payload"))?;
        let policy = Self::read(&json)?;
        if policy.charter.expires <= now {
            return Err(OrgPolicyError::Expired);
        }
        match newest_seen_version {
            Some(newest) if policy.charter.version < newest => {
                Err(OrgPolicyError::Rollback { version: policy.charter.version, newest })
            }
            _ => Ok(policy),
        }
    }

    fn read(json: &[u8]) -> Result<Self, OrgPolicyError> {
        let Format { v } = serde_json::from_slice(json).map_err(|_| OrgPolicyError::Malformed("not JSON with v"))?;
        if v != 1 {
            return Err(OrgPolicyError::UnknownFormat { v });
        }
        let document: Document =
            serde_json::from_slice(json).map_err(|_| OrgPolicyError::Malformed("a member is not as it should be"))?;
        let Document { v: _, name, version, expires, lock, forced_issuer, retention_days, escrow, rules } = document;
        let charter = Charter { name, version, expires, lock, forced_issuer, retention_days, escrow };
        let policy = Self { charter, rules };
        policy.check()?;
        Ok(policy)
    }

    fn check(&self) -> Result<(), OrgPolicyError> {
        let Charter { name, escrow, forced_issuer, retention_days, .. } = &self.charter;
        if !is_plain(name, NAME_LIMIT) {
            return Err(OrgPolicyError::Malformed("name"));
        }
        if escrow.as_ref().is_some_and(|note| !is_plain(note, ESCROW_LIMIT)) {
            return Err(OrgPolicyError::Malformed("escrow"));
        }
        if forced_issuer.as_ref().is_some_and(|issuer| !is_plain(issuer, ISSUER_LIMIT)) {
            return Err(OrgPolicyError::OutOfBounds(Item::ForcedIssuer));
        }
        if retention_days.is_some_and(|days| !(1..=RETENTION_LIMIT_DAYS).contains(&days)) {
            return Err(OrgPolicyError::OutOfBounds(Item::RetentionDays));
        }
        let Ceiling { never, blocked_domains, people, .. } = &self.rules;
        let patterns: &[AddressPattern] = never;
        if patterns.len() > PATTERNS_LIMIT || blocked_domains.len() > PATTERNS_LIMIT {
            return Err(OrgPolicyError::Malformed("rules"));
        }
        people.misfit().map_or(Ok(()), |item| Err(OrgPolicyError::OutOfBounds(item)))
    }

    /// Writes and signs the document, for whoever holds the organisation's key.
    pub fn sign(&self, key: &SigningKey) -> Result<String, OrgPolicyError> {
        self.check()?;
        let Charter { name, version, expires, lock, forced_issuer, retention_days, escrow } = self.charter.clone();
        let rules = self.rules.clone();
        let document = Document { v: 1, name, version, expires, lock, forced_issuer, retention_days, escrow, rules };
        let json = serde_json::to_vec(&document).map_err(|_| OrgPolicyError::Malformed("not to be written"))?;
        let payload = keys::b64url(&json);
        let signature = key.sign(format!("{SIGNING_CONTEXT}{payload}").as_bytes());
        let text = format!("{payload}.{signature}");
        if text.len() > ORG_POLICY_LIMIT { Err(OrgPolicyError::TooLong) } else { Ok(text) }
    }
}

/// Something to show: not empty, not long, no control or direction characters.
fn is_plain(text: &str, limit: usize) -> bool {
    (1..=limit).contains(&text.len()) && !text.trim().is_empty() && !text.chars().any(plain::hides)
}
