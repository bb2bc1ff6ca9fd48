//! The one who follows a data object.

use std::fmt;

use message::Address;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::change::{Change, ChangeError, Snapshot};
use crate::document::Document;

/// The reading side of a data object.
#[derive(Clone, Serialize, Deserialize)]
pub struct Observer {
    url: Address,
    schema: String,
    value: Document,
    version: u64,
}

/// What became of something that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The value is up to it now.
    Applied,
    /// It was there already.
    Duplicate,
    /// Something before it is missing: ask for a resync.
    Gap {
        /// The version of the value.
        have: u64,
        /// The version that came.
        got: u64,
    },
}

impl Observer {
    /// Follows an object from a snapshot on.
    pub fn new(url: Address, schema: impl Into<String>, from: Snapshot) -> Result<Self, ChangeError> {
        Ok(Self { url, schema: schema.into(), value: Document::new(from.value)?, version: from.version })
    }

    /// Its address.
    pub fn url(&self) -> &Address {
        &self.url
    }

    /// The name of its schema.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// The value as far as it is known.
    pub fn value(&self) -> &Value {
        self.value.value()
    }

    /// Its version.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The value with its version.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { version: self.version, value: self.value.value().clone() }
    }

    /// A change has arrived. One that cannot be applied changes nothing; its
    /// Reporter broke the rules, or a snapshot is needed.
    pub fn on_change(&mut self, change: &Change) -> Result<Outcome, ChangeError> {
        let (have, got) = (self.version, change.version);
        if got <= have {
            return Ok(Outcome::Duplicate);
        }
        if got - have > 1 {
            return Ok(Outcome::Gap { have, got });
        }
        self.value.apply(change)?;
        self.version = got;
        Ok(Outcome::Applied)
    }

    /// A whole value has arrived; an older one, or the same again, changes nothing.
    pub fn on_snapshot(&mut self, snapshot: Snapshot) -> Result<Outcome, ChangeError> {
        if snapshot.version <= self.version {
            return Ok(Outcome::Duplicate);
        }
        self.value = Document::new(snapshot.value)?;
        self.version = snapshot.version;
        Ok(Outcome::Applied)
    }
}

/// Shows the version only: values are what people wrote.
impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").field("version", &self.version).finish_non_exhaustive()
    }
}
