//! Says under which path of its origin a domain shows each document.

use crate::package::PackageName;

/// The newest root.
pub fn root() -> String {
    "/.well-known/parlance/root.json".into()
}

/// The root of one version.
pub fn root_version(version: u64) -> String {
    format!("/.well-known/parlance/root/{version}.json")
}

/// The snapshot.
pub fn snapshot() -> String {
    "/.well-known/parlance/snapshot.json".into()
}

/// The descriptor of a package.
pub fn descriptor(package: &PackageName) -> String {
    format!("/.well-known/{package}")
}

/// The source of a package.
pub fn source(package: &PackageName) -> String {
    format!("/.well-known/{package}/sourcePackage")
}
