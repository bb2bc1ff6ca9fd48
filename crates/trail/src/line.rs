//! One line of the trail: its text, its hash and its place.

use keys::{Signature, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::entry::Entry;

/// Longest line in bytes.
pub const LINE_LIMIT: usize = 2048;

const HASH_CONTEXT: &str = "parlance-trail-v1\n";
const CHECKPOINT_CONTEXT: &str = "parlance-trail-checkpoint-v1\n";

/// A line as it is kept and exported; the text has no line break in it.
#[derive(Clone, PartialEq, Eq)]
pub struct Line {
    seq: u64,
    text: String,
}

impl Line {
    pub(crate) fn write(wire: &Wire) -> Self {
        let text = serde_json::to_string(wire).expect("a line is a plain struct of texts and numbers");
        Self { seq: wire.seq, text }
    }

    /// Its place in the trail, from 0; keep it as the key.
    pub fn seq(&self) -> u64 {
        self.seq
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

/// Shows its place: the text names people.
impl std::fmt::Debug for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Line({})", self.seq)
    }
}

/// Hash of a line's text.
pub(crate) fn hash(text: &str) -> String {
    keys::b64url(&keys::sha256(format!("{HASH_CONTEXT}{text}").as_bytes()))
}

/// A line as JSON; exactly one of the last three members is there.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Wire {
    pub seq: u64,
    /// Hash of the line before; none at the very beginning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub prev: Option<String>,
    /// Milliseconds since 1970, by the device's clock.
    pub at: u64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verdict: Option<Verdict>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub checkpoint: Option<Checkpoint>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carry: Option<Carry>,
}

/// A verdict, or several equal ones.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Verdict {
    pub entry: Entry,
    /// How many more of the same there were until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Again>,
}

/// More of the same.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Again {
    pub count: u64,
    pub until: u64,
}

/// The device signs everything before.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Checkpoint {
    pub by: VerifyingKey,
    /// Whether it is the last line of an export.
    pub end: bool,
    pub sig: Signature,
}

/// A new segment begins; those before may have been forgotten.
#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
pub(crate) struct Carry {
    pub segment: u64,
}

/// What the device signs: the place, the hash of everything before, the time, and whether it is the end.
pub(crate) fn signed(seq: u64, prev: Option<&str>, at: u64, by: &VerifyingKey, end: bool) -> Vec<u8> {
    format!("{CHECKPOINT_CONTEXT}{seq}\n{}\n{at}\n{by}\n{end}", prev.unwrap_or("")).into_bytes()
}
