//! The answer of a policy: allow, ask a person, or deny.

use serde::{Deserialize, Serialize};

/// Why something was refused, in a stable word and a sentence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// A stable word that programs may act on, such as `not-granted`.
    pub code: String,
    /// A sentence for people.
    pub text: String,
}

impl Reason {
    /// Puts a reason into words.
    pub fn new(code: &str, text: impl Into<String>) -> Self {
        Self { code: code.into(), text: text.into() }
    }
}

/// What a person is asked before something may happen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum ConsentQuestion {
    /// May this domain's package run with these rights? (screen S10)
    Module {
        /// Name of the package within its domain.
        package: String,
        /// Who signed it.
        domain: crate::Domain,
        /// Its version.
        version: String,
        /// What it may do.
        grants: crate::Grants,
    },
    /// May this stranger write to me? (first contact)
    Contact {
        /// The stranger's address.
        user: crate::UserAddress,
    },
}

/// What a policy says of a message or a wish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It may pass.
    Allow,
    /// A person decides; the sender waits with a provisional answer.
    Ask {
        /// What to ask.
        question: ConsentQuestion,
    },
    /// It may not pass.
    Deny {
        /// Why not.
        because: Reason,
    },
}

impl Verdict {
    /// Shorthand for a refusal.
    pub fn deny(code: &str, text: impl Into<String>) -> Self {
        Self::Deny { because: Reason::new(code, text) }
    }
}
