//! The words about other people: who was found, who they are, and whether they may write.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{ContactState, IdentityLine, KeyChange, PersonDevice};

/// What a search by address found.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct FoundPerson {
    /// `name@domain`.
    pub user: String,
    /// The protocol stub that reaches them: `b.localhost 1.0.0`.
    pub reached_by: String,
    /// The conversation, if there is one already.
    pub chat: Option<String>,
}

/// What is known of a person.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct PersonCard {
    /// `name@domain`.
    pub user: String,
    /// How they are called.
    pub name: String,
    /// Where the contact stands.
    pub contact: ContactState,
    /// Who vouches, once both sides are checked.
    pub identity: Option<IdentityLine>,
    /// All who vouch.
    pub issuers: Vec<IdentityLine>,
    /// Their devices, as their history names them.
    pub devices: Vec<PersonDevice>,
    /// Unix milliseconds of when the codes were compared.
    #[ts(type = "number | null")]
    pub compared_at: Option<i64>,
    /// A change of their keys that one should know of, or that waits for a decision.
    pub change: Option<KeyChange>,
    /// The protocol stub that reaches them: `b.localhost 1.0.0`.
    pub reached_by: Option<String>,
    /// The conversation with them.
    pub chat: Option<String>,
}

/// A question only a person can answer (screen S10).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct Consent {
    /// To answer it.
    pub id: String,
    /// Whom it is needed for: `ben@b.localhost`.
    pub for_whom: Option<String>,
    /// Who signed the package.
    pub domain: String,
    /// The package: `protocolstub/default`.
    pub package: String,
    /// Its version.
    pub version: String,
    /// Origins it may talk to, as host names.
    pub may_talk_to: Vec<String>,
    /// Whether it may ask for calls.
    pub media: bool,
    /// Bytes it may keep on disk.
    #[ts(type = "number")]
    pub storage: u64,
}

/// A person's decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum ConsentChoice {
    /// Until the app is closed.
    Once,
    /// Until revoked.
    Always,
    /// No.
    Deny,
}
