//! One issuer that an organisation or a user trusts, as a row of a policy.

use identity::{Algorithm, IssuerEntry, IssuerTable};
use serde::{Deserialize, Serialize};

/// The most that one issuer's word can count.
pub const WEIGHT_LIMIT: u8 = 4;

/// An issuer, the clients whose tokens count, and what is asked of the tokens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct IssuerRule {
    /// Exactly as in its tokens.
    pub issuer: String,
    /// Native loopback clients whose tokens count.
    pub client_ids: Vec<String>,
    /// Algorithms it signs with; none listed: all that are supported.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub algorithms: Vec<Algorithm>,
    /// Oldest token that counts from it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age_s: Option<i64>,
    /// One of these must be the token's `acr`, if any stands here.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub acr: Vec<String>,
    /// All of these must be in the token's `amr`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub amr: Vec<String>,
    /// Domains whose e-mail addresses it can speak for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub email_domains: Vec<String>,
    /// How much its word counts where several issuers are asked for; 0: not at all.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub weight: u8,
}

fn one() -> u8 {
    1
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_one(weight: &u8) -> bool {
    *weight == 1
}

impl IssuerRule {
    /// An issuer of which nothing special is asked.
    pub fn new(issuer: &str, client_ids: &[&str]) -> Self {
        Self {
            issuer: issuer.to_owned(),
            client_ids: client_ids.iter().map(|id| (*id).to_owned()).collect(),
            algorithms: Vec::new(),
            max_age_s: None,
            acr: Vec::new(),
            amr: Vec::new(),
            email_domains: Vec::new(),
            weight: 1,
        }
    }

    /// The row for the verifier's table.
    pub fn entry(&self) -> IssuerEntry {
        let mut entry = IssuerEntry::new(&self.issuer);
        entry.client_ids.clone_from(&self.client_ids);
        if !self.algorithms.is_empty() {
            entry.algorithms.clone_from(&self.algorithms);
        }
        entry.max_age_s = self.max_age_s;
        entry.acr.clone_from(&self.acr);
        entry.amr.clone_from(&self.amr);
        entry.email_domains.clone_from(&self.email_domains);
        entry
    }

    /// Whether the verifier's table would take it, and its numbers are within their bounds.
    pub(crate) fn fits(&self) -> bool {
        self.weight <= WEIGHT_LIMIT
            && self.max_age_s.is_none_or(|age| age >= 60)
            && IssuerTable::new().add(self.entry()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_becomes_an_entry_of_the_verifiers_table() {
        let rule = IssuerRule {
            amr: vec!["hwk".to_owned()],
            max_age_s: Some(86_400),
            algorithms: vec![Algorithm::ES256],
            ..IssuerRule::new("https://login.acme.example", &["parlance-acme"])
        };
        let entry = rule.entry();
        assert_eq!((entry.client_ids, entry.amr), (vec!["parlance-acme".to_owned()], vec!["hwk".to_owned()]));
        assert_eq!((entry.max_age_s, entry.algorithms), (Some(86_400), vec![Algorithm::ES256]));
        assert!(rule.fits());
    }

    #[test]
    fn what_the_verifier_would_not_take_is_no_rule() {
        for rule in [
            IssuerRule::new("http://login.acme.example", &["x"]),
            IssuerRule::new("https://login.acme.example", &[]),
            IssuerRule { weight: 5, ..IssuerRule::new("https://login.acme.example", &["x"]) },
            IssuerRule { max_age_s: Some(-1), ..IssuerRule::new("https://login.acme.example", &["x"]) },
        ] {
            assert!(!rule.fits(), "{rule:?}");
        }
    }
}
