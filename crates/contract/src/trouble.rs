//! What went wrong, as a shell can act upon it.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Something went wrong, in words for a person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct Trouble {
    /// A stable word such as `issuer-unreachable`; can be copied into a report,
    /// and the key of the sentence in the UI's catalogue (`trouble.<code>`).
    pub code: String,
    /// The fact in English, for a log or as the fallback sentence.
    pub detail: String,
}

/// The answer to a question that could not be answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS, thiserror::Error)]
#[ts(export)]
#[error("{code}: {detail}")]
#[serde(rename_all = "camelCase")]
pub struct ApiError {
    /// What a shell can act upon.
    pub code: String,
    /// The fact in English.
    pub detail: String,
}
