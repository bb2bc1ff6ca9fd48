//! Packages a domain publishes: a descriptor with places to fill in, and a source.

use std::path::Path;

use catalogue::{Draft, PackageKind, PackageName};
use message::Domain;
use semver::Version;
use serde_json::Value;

use crate::config::Wire;

/// Why a package cannot be published.
#[derive(Debug, thiserror::Error)]
pub enum PackageError {
    /// Its files cannot be read.
    #[error("the package {name} cannot be read: {source}")]
    Unreadable {
        /// Which.
        name: String,
        /// Why.
        source: std::io::Error,
    },
    /// Its descriptor is none.
    #[error("the descriptor of {name} is not one: {reason}")]
    Descriptor {
        /// Which.
        name: String,
        /// Why.
        reason: String,
    },
}

/// A package before it is published: `{origin}`, `{wsOrigin}` and `{domain}` stand where the domain's own go.
#[derive(Debug, Clone, PartialEq)]
pub struct Package {
    descriptor: String,
    source: String,
    name: PackageName,
    version: Version,
}

/// What is filled in at publication.
#[derive(Debug, Clone)]
pub struct Places {
    /// The domain.
    pub domain: Domain,
    /// Its origin, `https://D`.
    pub origin: String,
}

impl Places {
    fn fill(&self, text: &str) -> String {
        let web_socket = self.origin.replacen("http", "ws", 1);
        text.replace("{origin}", &self.origin)
            .replace("{wsOrigin}", &web_socket)
            .replace("{domain}", self.domain.as_str())
    }
}

impl Package {
    /// Takes a descriptor's JSON text (`type`, `name`, `version`, `entry`, `grants`…) and a source.
    pub fn new(descriptor: &str, source: &str) -> Result<Self, PackageError> {
        let value: Value = serde_json::from_str(descriptor).map_err(|error| wrong("a package", &error.to_string()))?;
        let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
        let kind = if text("type").is_empty() { Ok(PackageKind::Hyperty) } else { PackageKind::parse(text("type")) };
        let name = kind
            .and_then(|kind| PackageName::new(kind, text("name")))
            .map_err(|error| wrong(text("name"), &error.to_string()))?;
        let version = Version::parse(text("version")).map_err(|error| wrong(text("name"), &error.to_string()))?;
        let mut value = value;
        if let Some(object) = value.as_object_mut() {
            object.insert("type".into(), name.kind().as_str().into());
        }
        Ok(Self { descriptor: value.to_string(), source: source.to_owned(), name, version })
    }

    /// Reads `<name>.json` and `<name>.js` of a folder.
    pub fn read(folder: &Path, name: &str) -> Result<Self, PackageError> {
        let file = |extension: &str| {
            std::fs::read_to_string(folder.join(format!("{name}.{extension}")))
                .map_err(|source| PackageError::Unreadable { name: name.to_owned(), source })
        };
        Self::new(&file("json")?, &file("js")?)
    }

    /// Reads every package of a folder.
    pub fn read_all(folder: &Path) -> Result<Vec<Self>, PackageError> {
        let unreadable = |source| PackageError::Unreadable { name: folder.display().to_string(), source };
        let mut names = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(unreadable)? {
            let path = entry.map_err(unreadable)?.path();
            let is_descriptor =
                path.extension().is_some_and(|extension| extension == "json") && path.with_extension("js").exists();
            if let Some(name) = path.file_stem().and_then(|stem| stem.to_str()).filter(|_| is_descriptor) {
                names.push(name.to_owned());
            }
        }
        names.sort();
        names.iter().map(|name| Self::read(folder, name)).collect()
    }

    /// The stub that comes with the node for a wire.
    pub fn stub_for(wire: Wire) -> Self {
        let (descriptor, source) = match wire {
            Wire::Ws => (
                include_str!("../../../hyperties/protostubs/a-ws.json"),
                include_str!("../../../hyperties/protostubs/a-ws.js"),
            ),
            Wire::Sse => (
                include_str!("../../../hyperties/protostubs/b-sse.json"),
                include_str!("../../../hyperties/protostubs/b-sse.js"),
            ),
            Wire::Sse2 => (
                include_str!("../../../hyperties/protostubs/b-sse2.json"),
                include_str!("../../../hyperties/protostubs/b-sse2.js"),
            ),
        };
        Self::new(descriptor, source).expect("the stubs that come with the node are tested")
    }

    /// Its kind and name.
    pub fn name(&self) -> &PackageName {
        &self.name
    }

    /// Its version.
    pub fn version(&self) -> &Version {
        &self.version
    }

    /// Its source.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// Its descriptor's JSON text, places not filled in.
    pub fn descriptor(&self) -> &str {
        &self.descriptor
    }

    /// What the catalogue is given, places filled in.
    pub fn draft(&self, places: &Places) -> Result<Draft, PackageError> {
        serde_json::from_str(&places.fill(&self.descriptor))
            .map_err(|error| wrong(self.name.name(), &error.to_string()))
    }
}

fn wrong(name: &str, reason: &str) -> PackageError {
    PackageError::Descriptor { name: name.to_owned(), reason: reason.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_stubs_ask_only_for_their_own_domain() {
        let places = Places { domain: Domain::parse("b.localhost").unwrap(), origin: "http://b.localhost:7102".into() };
        for wire in [Wire::Ws, Wire::Sse, Wire::Sse2] {
            let package = Package::stub_for(wire);
            assert_eq!(*package.name(), PackageName::default_stub());
            let draft = package.draft(&places).unwrap();
            assert!(draft.grants.timers, "a stub that comes back needs timers");
            assert!(draft.grants.fetch.iter().all(|origin| origin.as_str() == places.origin));
            assert!(draft.grants.web_socket.iter().all(|origin| origin.as_str() == "ws://b.localhost:7102"));
        }
    }

    #[test]
    fn protocol_two_is_newer_than_both_others() {
        let version = |wire| Package::stub_for(wire).version().clone();
        assert!(version(Wire::Sse2) > version(Wire::Ws) && version(Wire::Sse2) > version(Wire::Sse));
    }
}
