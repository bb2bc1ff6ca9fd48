//! The one who writes a data object.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;

use message::{Address, UserAddress};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::change::{Change, ChangeError, Operation, Snapshot};
use crate::document::Document;
use crate::limits::{HISTORY_BYTES, HISTORY_LIMIT, OBSERVERS_LIMIT};

/// The writing side of a data object.
#[derive(Clone, Serialize, Deserialize)]
pub struct Reporter {
    url: Address,
    schema: String,
    value: Document,
    version: u64,
    observers: BTreeSet<UserAddress>,
    /// The latest changes, oldest first, without gaps up to `version`.
    #[serde(default)]
    history: VecDeque<Change>,
    #[serde(default)]
    history_bytes: usize,
}

/// What brings an Observer from its version to the Reporter's.
#[derive(Debug, Clone, PartialEq)]
pub enum Since {
    /// It has everything.
    Nothing,
    /// These changes, in this order.
    Changes(Vec<Change>),
    /// The whole value, because it is too far behind (or claims to be ahead).
    Snapshot(Snapshot),
}

impl Reporter {
    /// A new object at version 0.
    pub fn new(url: Address, schema: impl Into<String>, value: Value) -> Result<Self, ChangeError> {
        Ok(Self {
            url,
            schema: schema.into(),
            value: Document::new(value)?,
            version: 0,
            observers: BTreeSet::new(),
            history: VecDeque::new(),
            history_bytes: 0,
        })
    }

    /// Goes on from what an Observer had: another device of the same person takes the object over.
    pub fn resume(url: Address, schema: impl Into<String>, from: Snapshot) -> Result<Self, ChangeError> {
        Ok(Self { version: from.version, ..Self::new(url, schema, from.value)? })
    }

    /// Its address.
    pub fn url(&self) -> &Address {
        &self.url
    }

    /// The name of its schema.
    pub fn schema(&self) -> &str {
        &self.schema
    }

    /// Its value now.
    pub fn value(&self) -> &Value {
        self.value.value()
    }

    /// The number of its last change.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// Changes the value: sets what the dot-path names, or removes it when there
    /// is no value; with an operation, adds to or removes from an array.
    pub fn change(
        &mut self,
        attribute: &str,
        value: Option<Value>,
        operation: Option<Operation>,
    ) -> Result<Change, ChangeError> {
        let version = self.version.checked_add(1).ok_or(ChangeError::NoMoreVersions)?;
        let value = value.filter(|value| !value.is_null());
        let change = Change { version, attribute: attribute.into(), value, operation };
        self.value.apply(&change)?;
        self.version = version;
        self.remember(change.clone());
        Ok(change)
    }

    /// The whole value with its version.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { version: self.version, value: self.value.value().clone() }
    }

    /// What an Observer at a version misses.
    pub fn since(&self, version: u64) -> Since {
        if version == self.version {
            return Since::Nothing;
        }
        let oldest = self.history.front().map(|change| change.version);
        match oldest {
            Some(oldest) if version < self.version && version.checked_add(1).is_some_and(|next| next >= oldest) => {
                Since::Changes(self.history.iter().filter(|change| change.version > version).cloned().collect())
            }
            _ => Since::Snapshot(self.snapshot()),
        }
    }

    /// Who observes it.
    pub fn observers(&self) -> &BTreeSet<UserAddress> {
        &self.observers
    }

    /// Lets someone observe it; false when it has [`OBSERVERS_LIMIT`] observers.
    pub fn add_observer(&mut self, user: UserAddress) -> bool {
        if self.observers.len() >= OBSERVERS_LIMIT && !self.observers.contains(&user) {
            return false;
        }
        self.observers.insert(user);
        true
    }

    /// Whether someone had observed it, and does no longer.
    pub fn remove_observer(&mut self, user: &UserAddress) -> bool {
        self.observers.remove(user)
    }

    fn remember(&mut self, change: Change) {
        self.history_bytes += weight(&change);
        self.history.push_back(change);
        while self.history.len() > HISTORY_LIMIT || self.history_bytes > HISTORY_BYTES {
            let Some(oldest) = self.history.pop_front() else { break };
            self.history_bytes = self.history_bytes.saturating_sub(weight(&oldest));
        }
    }
}

fn weight(change: &Change) -> usize {
    let value = change.value.as_ref().map_or(0, |value| value.to_string().len());
    change.attribute.len() + value
}

/// Shows the version only: values are what people wrote.
impl fmt::Debug for Reporter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reporter")
            .field("version", &self.version)
            .field("observers", &self.observers.len())
            .finish_non_exhaustive()
    }
}
