//! Decides whether a message, a stranger or a module may pass.
//!
//! Rules and a verified identity go in, a [`message::Verdict`] comes out. What no
//! rule allows is denied. Rights are the package's grants ∩ the organisation's
//! ceiling ∩ the user's ceiling ∩ what the contact may; a denial anywhere wins,
//! and says why in words.
//!
//! **Invariants.** Never reads a clock and never asks a person itself: it says
//! [`message::Verdict::Ask`], and is told the answer as a changed rule. An
//! identity that is not verified never passes. How often people are asked is
//! bounded per domain and in all.

mod case;
mod ceiling;
mod module;
mod peer;
mod policy;
mod prompts;
mod reasons;
mod rules;

pub use case::Case;
pub use ceiling::{Ceiling, common};
pub use module::ModuleWish;
pub use peer::{Identity, Peer, Wish};
pub use policy::Policy;
pub use prompts::{CONTACT_PROMPTS_PER_DOMAIN, MODULE_PROMPTS_PER_DOMAIN, PROMPT_WINDOW_MS, PROMPTS_IN_ALL};
pub use rules::{Consent, Contact, ModuleName, Rules};
