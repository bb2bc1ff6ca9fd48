//! What a verifier knows when it verifies.

use keys::VerifyingKey;
use message::Domain;

use crate::issuers::IssuerTable;
use crate::jwks::JwksBook;
use crate::pins::Pins;

const DAY_S: i64 = 86_400;

/// How strict the verifier is beyond the rules nobody can relax.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Up to this age an attestation is shown as fresh.
    pub fresh_age_s: i64,
    /// Up to this age an attestation introduces a stranger.
    pub first_contact_age_s: i64,
    /// Beyond this age an attestation counts for nobody, contacts included; for organisations.
    pub max_age_s: Option<i64>,
    /// How many issuers must vouch.
    pub issuers_required: usize,
}

impl Default for Policy {
    fn default() -> Self {
        Self { fresh_age_s: 30 * DAY_S, first_contact_age_s: 90 * DAY_S, max_age_s: None, issuers_required: 1 }
    }
}

/// What a verifier knows when it verifies.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// Unix seconds.
    pub now: i64,
    /// The issuers it believes.
    pub table: &'a IssuerTable,
    /// A domain's own issuer: its origin, as `https://example.org` or `http://a.localhost:7101`.
    pub domain_issuer: &'a dyn Fn(&Domain) -> String,
    /// The issuers' keys, as fetched by the verifier itself.
    pub jwks: &'a JwksBook,
    /// What it saw before.
    pub pins: &'a dyn Pins,
    /// How strict it is.
    pub policy: &'a Policy,
    /// The signature key of the MLS leaf that presents the evidence; it must be the evidence's device.
    pub leaf: Option<&'a VerifyingKey>,
}
