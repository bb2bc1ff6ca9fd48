//! Describes one package: what it is, may do, and runs.

use keys::{b64url, sha256};
use message::{Domain, Grants};
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::envelope::{Part, Unverified, malformed};
use crate::error::VerifyError;
use crate::grants::check_grants;
use crate::limits::SOURCE_LIMIT;
use crate::memory::Memory;
use crate::package::{PackageKind, PackageName};
use crate::snapshot::{Snapshot, only_forward};

/// How the source of a package is entered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Entry {
    /// Whatever the source turns out to be.
    #[default]
    Auto,
    /// A UMD bundle with `activate(url, bus, config[, factory])`.
    Umd,
    /// An ES class with `_start`.
    Class,
    /// A SystemJS module with such a class.
    SystemJs,
}

/// Where the source is and what it must be.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceRef {
    /// Its place within the domain's origin, such as `/.well-known/hyperty/chat/sourcePackage`.
    pub url: String,
    /// SHA-256 of its bytes, base64url.
    pub sha256: String,
    /// Its length in bytes.
    pub length: usize,
}

/// What one package is, may do, and runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Descriptor {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: PackageKind,
    /// Its name among its kind.
    pub name: String,
    /// Whose it is.
    pub domain: Domain,
    /// Its version.
    pub version: Version,
    /// Its language; `javascript` is the only one.
    pub language: String,
    /// How its source is entered.
    #[serde(default)]
    pub entry: Entry,
    /// Its source.
    pub source: SourceRef,
    /// What it asks for. Nothing is granted by being asked for.
    #[serde(default)]
    pub grants: Grants,
    /// Whether it is a stub towards a service outside, and so may ask for other domains' origins.
    #[serde(default)]
    pub interworking: bool,
    /// What its maker wants to tell it at its start.
    #[serde(default)]
    pub configuration: serde_json::Value,
    /// Schemes of the data objects a hyperty works with, such as `comm`.
    #[serde(default)]
    pub data_objects: Vec<String>,
}

impl Descriptor {
    /// Which package it describes.
    pub fn package(&self) -> Result<PackageName, VerifyError> {
        PackageName::new(self.kind, &self.name).map_err(|error| malformed(Part::Descriptor, &error.to_string()))
    }

    fn check_shape(&self) -> Result<(), VerifyError> {
        if self.language != "javascript" {
            return Err(malformed(Part::Descriptor, "its language is not javascript"));
        }
        if self.source.length > SOURCE_LIMIT {
            return Err(VerifyError::TooLarge { part: Part::Source, limit: SOURCE_LIMIT });
        }
        if self.data_objects.len() > 16 {
            return Err(malformed(Part::Descriptor, "it names too many data objects"));
        }
        check_grants(self)
    }
}

/// Reads a descriptor that a verified snapshot lists, and says what to remember.
pub fn verify_descriptor(
    bytes: &[u8],
    package: &PackageName,
    snapshot: &Snapshot,
    memory: &Memory,
) -> Result<(Descriptor, Memory), VerifyError> {
    let root = memory.root.as_ref().ok_or(VerifyError::NoRoot)?;
    let listed = snapshot.find(package)?;
    let unverified = Unverified::parse(Part::Descriptor, bytes)?;
    unverified.check(&root.keys, root.threshold)?;
    let descriptor: Descriptor = unverified.read()?;
    if descriptor.domain != snapshot.domain {
        let (expected, got) = (snapshot.domain.clone(), descriptor.domain);
        return Err(VerifyError::WrongDomain { part: Part::Descriptor, expected, got });
    }
    let got = descriptor.package()?;
    if got != *package {
        return Err(VerifyError::WrongPackage { expected: package.clone(), got });
    }
    // A genuine but older descriptor deserves its own word before the hash refuses it.
    only_forward(&listed.version, &descriptor.version)?;
    if let Some(have) = memory.packages.get(package) {
        only_forward(have, &descriptor.version)?;
    }
    if b64url(&sha256(bytes)) != listed.descriptor_sha256 || descriptor.version != listed.version {
        return Err(VerifyError::Tampered { part: Part::Descriptor });
    }
    descriptor.check_shape()?;
    let mut memory = memory.clone();
    memory.packages.insert(package.clone(), descriptor.version.clone());
    Ok((descriptor, memory))
}
