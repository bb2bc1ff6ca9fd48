//! Names packages across domains, carrying the verified ones.

use std::fmt;

use catalogue::{Descriptor, Memory, PackageKind, PackageName, PackageNameError};
use message::{Domain, Grants};
use semver::Version;
use serde::{Deserialize, Serialize};

/// One package of one domain, as text `protocolstub/default@b.example`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PackageRef {
    /// Whose catalogue it stands in.
    pub domain: Domain,
    /// What it is.
    pub kind: PackageKind,
    /// Its name among its kind.
    pub name: String,
}

impl PackageRef {
    /// Names a package.
    pub fn new(domain: Domain, kind: PackageKind, name: &str) -> Self {
        Self { domain, kind, name: name.into() }
    }

    /// The stub a domain offers for its own protocol.
    pub fn default_stub(domain: Domain) -> Self {
        Self::new(domain, PackageKind::ProtoStub, "default")
    }

    /// The proxy by which people sign in at an issuer without OpenID Connect.
    pub fn idp_proxy(domain: Domain, name: &str) -> Self {
        Self::new(domain, PackageKind::IdpProxy, name)
    }

    /// Its name within its catalogue.
    pub fn package(&self) -> Result<PackageName, PackageNameError> {
        PackageName::new(self.kind, &self.name)
    }
}

impl fmt::Display for PackageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}@{}", self.kind, self.name, self.domain)
    }
}

/// A package that is what its domain signed. There is no other way to get one than to fetch it.
#[derive(Clone)]
pub struct VerifiedPackage {
    /// Which package.
    pub reference: PackageRef,
    /// What it is and may ask for.
    pub descriptor: Descriptor,
    /// What it runs.
    pub source: String,
    /// What must be remembered of the domain from now on; save it before running the package.
    pub memory: Memory,
    _proof: Proof,
}

/// Keeps others from building a [`VerifiedPackage`].
#[derive(Clone)]
struct Proof;

impl VerifiedPackage {
    pub(crate) fn new(reference: PackageRef, descriptor: Descriptor, source: String, memory: Memory) -> Self {
        Self { reference, descriptor, source, memory, _proof: Proof }
    }

    /// Its version.
    pub fn version(&self) -> &Version {
        &self.descriptor.version
    }

    /// What it asks for.
    pub fn grants(&self) -> &Grants {
        &self.descriptor.grants
    }

    /// Whose it is.
    pub fn domain(&self) -> &Domain {
        &self.reference.domain
    }
}

impl fmt::Debug for VerifiedPackage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.reference, self.descriptor.version)
    }
}
