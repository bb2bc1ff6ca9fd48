//! The words about code of another domain that is loaded.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::Trouble;

/// A guest and its rights (settings, Modules).
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct ModuleView {
    /// `domain/kind/name`.
    pub module: String,
    /// Who signed it.
    pub domain: String,
    /// `protocolstub`, `hyperty` or `idp-proxy`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `running`, `starting`, `parked` (with a reason) or `stopped`.
    pub state: String,
    /// Why it does not run.
    pub trouble: Option<Trouble>,
    /// Origins it may talk to.
    pub may_talk_to: Vec<String>,
}
