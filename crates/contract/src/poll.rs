//! The words about polls, and about whom a message names.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// A question with answers to choose from, as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct PollView {
    /// What is asked.
    pub question: String,
    /// The answers.
    pub options: Vec<PollOption>,
    /// Whether one may choose more than one.
    pub several: bool,
    /// Whether it is not shown who chose what. The apps of all who are in the conversation know it all the same.
    pub hidden: bool,
    /// Whether no more votes are taken.
    pub closed: bool,
    /// How many people voted.
    pub voters: u32,
}

/// One answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct PollOption {
    /// Its words.
    pub text: String,
    /// How many chose it.
    pub votes: u32,
    /// Who else chose it, by address; nobody if names are hidden.
    pub who: Vec<String>,
    /// Whether we did.
    pub mine: bool,
}

/// Somebody whom a message names.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct MentionView {
    /// Their address.
    pub user: String,
    /// How they are called in the words, after the sign.
    pub name: String,
}
