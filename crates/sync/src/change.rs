//! What goes from a Reporter to its Observers.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::attribute::AttributeError;
use crate::author::Author;
use crate::limits::{KEYS_LIMIT, VALUE_DEPTH, VALUE_LIMIT};

/// What a change does to an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Operation {
    /// Appends the value; makes the array if it is not there.
    Add,
    /// Removes every element that equals the value.
    Remove,
}

/// One numbered change of a value, as it stands in the body of an `update`.
///
/// Without an operation the value is set, or removed if there is none (`null` is none).
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The version that the value has after it.
    pub version: u64,
    /// Where, as a dot-path.
    pub attribute: String,
    /// What.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Value>,
    /// How, for arrays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<Operation>,
}

/// Shows the version only: values are what people wrote.
impl fmt::Debug for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Change")
            .field("version", &self.version)
            .field("operation", &self.operation)
            .finish_non_exhaustive()
    }
}

/// A whole value with its version.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Its version.
    pub version: u64,
    /// The value, an object.
    pub value: Value,
}

/// Shows the version only: values are what people wrote.
impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("version", &self.version).finish_non_exhaustive()
    }
}

/// What an Observer says it has, when it asks for what it misses: the body of a `read`.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Resync {
    /// Its version of the value.
    pub version: u64,
    /// The last child it has of each author.
    #[serde(default)]
    pub have: BTreeMap<Author, u64>,
}

/// Why a change or a value was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// The attribute, or a key inside the value, is no name.
    #[error(transparent)]
    Name(#[from] AttributeError),
    /// The value of an object is an object.
    #[error("the value of a data object is a JSON object")]
    NotAnObject,
    /// The path leads through a text, a number or the like.
    #[error("the attribute leads through something that has no attributes")]
    NoSuchPlace,
    /// An array operation on something else.
    #[error("only an array can be added to or removed from")]
    NotAnArray,
    /// An array operation needs a value.
    #[error("there is nothing to add or to remove")]
    NoValue,
    /// Larger than [`VALUE_LIMIT`].
    #[error("a value has at most {VALUE_LIMIT} bytes")]
    TooLarge,
    /// Nested deeper than [`VALUE_DEPTH`].
    #[error("a value is nested at most {VALUE_DEPTH} deep")]
    TooDeep,
    /// More than [`KEYS_LIMIT`] keys.
    #[error("a value has at most {KEYS_LIMIT} keys and elements")]
    TooManyKeys,
    /// No version follows 2^64 - 1.
    #[error("the versions of this object are used up")]
    NoMoreVersions,
}
