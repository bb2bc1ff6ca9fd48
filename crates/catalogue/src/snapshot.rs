//! Lists the packages of a catalogue at one moment.

use std::collections::BTreeMap;

use message::Domain;
use semver::Version;
use serde::{Deserialize, Serialize};

use crate::envelope::{Part, Unverified, malformed};
use crate::error::VerifyError;
use crate::limits::PACKAGE_LIMIT;
use crate::memory::Memory;
use crate::package::PackageName;

/// Which packages a catalogue has at one moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Snapshot {
    /// Whose catalogue.
    pub domain: Domain,
    /// Only counts up.
    pub version: u64,
    /// When it must be replaced, in Unix milliseconds.
    pub expires: u64,
    /// The packages.
    pub packages: BTreeMap<PackageName, Listed>,
}

/// What the snapshot says of one package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Listed {
    /// Its newest version.
    pub version: Version,
    /// SHA-256 of its descriptor as transmitted, base64url.
    pub descriptor_sha256: String,
}

impl Snapshot {
    /// What it says of a package.
    pub fn find(&self, package: &PackageName) -> Result<&Listed, VerifyError> {
        self.packages.get(package).ok_or_else(|| VerifyError::NotListed { package: package.clone() })
    }
}

/// Reads a snapshot and says what to remember of it.
pub fn verify_snapshot(
    bytes: &[u8],
    domain: &Domain,
    memory: &Memory,
    now_ms: u64,
) -> Result<(Snapshot, Memory), VerifyError> {
    let root = memory.root.as_ref().ok_or(VerifyError::NoRoot)?;
    if root.expires <= now_ms {
        return Err(VerifyError::Expired { part: Part::Root, at_ms: root.expires });
    }
    let unverified = Unverified::parse(Part::Snapshot, bytes)?;
    unverified.check(&root.keys, root.threshold)?;
    let snapshot: Snapshot = unverified.read()?;
    if snapshot.domain != *domain {
        return Err(VerifyError::WrongDomain { part: Part::Snapshot, expected: domain.clone(), got: snapshot.domain });
    }
    if snapshot.packages.len() > PACKAGE_LIMIT {
        return Err(malformed(Part::Snapshot, "it lists too many packages"));
    }
    // Age before expiry: an old snapshot is a rollback, whether or not it has also expired.
    if snapshot.version < memory.snapshot_version {
        let (have, got) = (memory.snapshot_version.to_string(), snapshot.version.to_string());
        return Err(VerifyError::Older { part: Part::Snapshot, have, got });
    }
    for (package, have) in &memory.packages {
        if let Some(listed) = snapshot.packages.get(package) {
            only_forward(have, &listed.version)?;
        }
    }
    if snapshot.expires <= now_ms {
        return Err(VerifyError::Expired { part: Part::Snapshot, at_ms: snapshot.expires });
    }
    let memory = Memory { snapshot_version: snapshot.version, ..memory.clone() };
    Ok((snapshot, memory))
}

/// Refuses a package version below one seen before.
pub(crate) fn only_forward(have: &Version, got: &Version) -> Result<(), VerifyError> {
    if got.cmp_precedence(have).is_lt() {
        let (have, got) = (have.to_string(), got.to_string());
        return Err(VerifyError::Older { part: Part::Descriptor, have, got });
    }
    Ok(())
}
