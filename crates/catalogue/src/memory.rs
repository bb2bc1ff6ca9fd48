//! Remembers what has been seen of a domain's catalogue.

use std::collections::BTreeMap;

use keys::VerifyingKey;
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::package::PackageName;

/// What has been seen of a domain's catalogue. Keep it for good: it is what makes going back impossible.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Memory {
    /// The root believed now; `None` before the first visit.
    pub root: Option<TrustedRoot>,
    /// The newest snapshot seen; 0 before the first.
    pub snapshot_version: u64,
    /// The newest version seen of each package that was verified here.
    pub packages: BTreeMap<PackageName, Version>,
}

/// The root that is believed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct TrustedRoot {
    /// Its version.
    pub version: u64,
    /// Its keys.
    pub keys: Vec<VerifyingKey>,
    /// How many of them must sign.
    pub threshold: usize,
    /// When it ends, in Unix milliseconds.
    pub expires: u64,
}
