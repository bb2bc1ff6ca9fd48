//! Decides whether a message, a stranger or a module may pass.
//!
//! Rules and a verified identity go in, a [`message::Verdict`] comes out, with an [`Explanation`] of
//! what each layer said. What no rule allows is denied. Rights are the package's grants ∩ the
//! organisation's ceiling ∩ the user's ceiling ∩ what the contact may; a denial anywhere wins, and
//! says why in words.
//!
//! **Invariants.** Never reads a clock and never asks a person itself: it says
//! [`message::Verdict::Ask`], and is told the answer as a changed rule. An
//! identity that is not verified never passes. How often people are asked is
//! bounded per domain and in all. An organisation's policy never permits what would be denied without it.

mod case;
mod ceiling;
mod change;
mod contact_code;
mod error;
mod explanation;
mod issuer_rule;
mod issuers;
mod item;
mod module;
mod organisation;
mod peer;
mod people;
mod policy;
mod prompts;
mod reasons;
mod rules;
mod settings;
mod side;
mod strictness;
mod who;
mod work;

pub use case::Case;
pub use ceiling::{Ceiling, common};
pub use contact_code::{CONTACT_SECRET_BYTES, ContactCode, ContactCodeError};
pub use error::PolicyError;
pub use explanation::{Because, Explanation, Judgement, Layer, RuleRef, Step, Word};
pub use issuer_rule::{IssuerRule, WEIGHT_LIMIT};
pub use item::Item;
pub use module::ModuleWish;
pub use organisation::{Charter, ORG_POLICY_LIMIT, OrgPolicy, OrgPolicyError};
pub use peer::{Assurance, Brought, Identity, KeyChange, Keys, Peer, Wish};
pub use people::{DAY_S, FIRST_CONTACT_AGE_S, FRESH_AGE_S, ISSUERS_REQUIRED_LIMIT, PeopleRules, RULE_LIST_LIMIT};
pub use policy::Policy;
pub use prompts::{CONTACT_PROMPTS_PER_DOMAIN, MODULE_PROMPTS_PER_DOMAIN, PROMPT_WINDOW_MS, PROMPTS_IN_ALL};
pub use rules::{Consent, Contact, ModuleName, Rules};
pub use settings::PolicySettings;
pub use who::{PROOF_OF_WORK_BITS_LIMIT, WHO_LIST_LIMIT, WhoMay};
pub use work::{ProofOfWork, SALT_BYTES, STAMP_LIMIT, WorkError, Worked};
