//! What a person shows to be recognised: address, tokens, sigchain, device.

use std::fmt;

use keys::VerifyingKey;
use message::{Address, Domain, UserAddress};
use serde::{Deserialize, Serialize};

use crate::chain::CHAIN_LIMIT;
use crate::issuers::IssuerTable;
use crate::token::PkToken;

/// Largest evidence in bytes of JSON.
pub const EVIDENCE_LIMIT: usize = 512 * 1024;
/// Most tokens one person shows.
pub const TOKENS_LIMIT: usize = 4;
/// Most renewals one person shows.
pub const RENEWALS_LIMIT: usize = 4;

/// Why a text is no evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EvidenceError {
    /// More bytes than allowed.
    #[error("evidence has at most {EVIDENCE_LIMIT} bytes")]
    TooLarge,
    /// Not JSON of the form of evidence.
    #[error("not of the form of evidence")]
    Malformed,
    /// No token, or too many.
    #[error("evidence has 1 to {TOKENS_LIMIT} tokens")]
    Tokens,
    /// Too many renewals.
    #[error("evidence has at most {RENEWALS_LIMIT} renewals")]
    Renewals,
    /// No entry, or too many.
    #[error("evidence has 1 to {CHAIN_LIMIT} chain entries")]
    Chain,
}

/// What a person shows to be recognised; nothing in it is verified. As JSON it is an *Introduction*.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evidence {
    /// The address the person claims.
    pub user: UserAddress,
    /// Where the person receives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inbox: Option<Address>,
    /// PK tokens, each the exact text.
    pub tokens: Vec<String>,
    /// Renewals of these tokens, each the exact text.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub renewals: Vec<String>,
    /// Sigchain entries, each the exact text.
    pub chain: Vec<String>,
    /// The key of the device that speaks.
    pub device: VerifyingKey,
}

impl Evidence {
    /// Reads evidence within its bounds.
    pub fn parse(json: &str) -> Result<Self, EvidenceError> {
        if json.len() > EVIDENCE_LIMIT {
            return Err(EvidenceError::TooLarge);
        }
        let evidence: Self = serde_json::from_str(json).map_err(|_| EvidenceError::Malformed)?;
        evidence.check()
    }

    /// Reads evidence that came inside a message.
    pub fn from_value(value: &serde_json::Value) -> Result<Self, EvidenceError> {
        let evidence = Self::deserialize(value).map_err(|_| EvidenceError::Malformed)?;
        evidence.check()
    }

    fn check(self) -> Result<Self, EvidenceError> {
        let size: usize = self.tokens.iter().chain(&self.renewals).chain(&self.chain).map(String::len).sum();
        if size > EVIDENCE_LIMIT {
            return Err(EvidenceError::TooLarge);
        }
        if !(1..=TOKENS_LIMIT).contains(&self.tokens.len()) {
            return Err(EvidenceError::Tokens);
        }
        if self.renewals.len() > RENEWALS_LIMIT {
            return Err(EvidenceError::Renewals);
        }
        if !(1..=CHAIN_LIMIT).contains(&self.chain.len()) {
            return Err(EvidenceError::Chain);
        }
        Ok(self)
    }

    /// As JSON.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::to_value(self).expect("evidence is a plain struct of texts")
    }

    /// The issuers whose keys are needed: only those believed about this person, as in their table entries.
    pub fn issuers(&self, table: &IssuerTable, domain_issuer: &dyn Fn(&Domain) -> String) -> Vec<String> {
        let own = domain_issuer(&self.user.domain());
        let mut found: Vec<String> = Vec::new();
        for token in self.tokens.iter().filter_map(|text| PkToken::parse(text).ok()) {
            let admission =
                token.claimed_issuer().and_then(|iss| table.admit(iss, &self.user, own.trim_end_matches('/')));
            if let Some(admission) = admission.filter(|one| !found.contains(&one.entry.issuer)) {
                found.push(admission.entry.issuer.clone());
            }
        }
        found
    }
}

/// Shows nothing of the person.
impl fmt::Debug for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Evidence({} tokens, {} entries)", self.tokens.len(), self.chain.len())
    }
}
