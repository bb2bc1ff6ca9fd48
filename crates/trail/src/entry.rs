//! One verdict, as it is recorded.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Longest subject in bytes; what is longer is cut.
pub const SUBJECT_LIMIT: usize = 600;

/// Longest code, and longest name of a rule, in bytes; what is longer is cut.
pub const CODE_LIMIT: usize = 64;

/// What was decided about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Kind {
    /// A person.
    Person,
    /// A person, and a call with them.
    Call,
    /// A package.
    Module,
    /// Somebody's keys, which are others than before.
    KeyChange,
    /// The rules themselves: a setting, or the organisation's policy.
    Rules,
    /// More than could be recorded within a minute; only their number is.
    Flood,
}

/// What was decided.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Word {
    /// It passed.
    Allow,
    /// A person was asked.
    Ask,
    /// It did not pass.
    Deny,
}

/// One verdict.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub struct Entry {
    /// What it is about.
    pub kind: Kind,
    /// Whom or which: an address, or the name of a package.
    pub subject: String,
    /// What was decided.
    pub verdict: Word,
    /// Why, as a stable word.
    pub code: String,
    /// By which rule, as `user/whoMayCall`.
    pub rule: String,
}

impl Entry {
    /// A verdict; texts that are too long are cut, so that it always fits in a line.
    pub fn new(kind: Kind, subject: &str, verdict: Word, code: &str, rule: &str) -> Self {
        Self {
            kind,
            subject: cut(subject, SUBJECT_LIMIT),
            verdict,
            code: cut(code, CODE_LIMIT),
            rule: cut(rule, CODE_LIMIT),
        }
    }
}

/// Shows the kind and the verdict: the subject is a person.
impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Entry({:?} {:?} {})", self.kind, self.verdict, self.code)
    }
}

/// Cuts at a character; JSON would write a control character six times as long, so none is kept.
fn cut(text: &str, limit: usize) -> String {
    let plain: String = text.chars().filter(|c| !c.is_control()).collect();
    plain[..plain.floor_char_boundary(limit)].to_owned()
}
