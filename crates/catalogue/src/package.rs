//! Names packages: a kind and a name.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// Longest name of a package; a stub may be named after a domain.
const NAME_LIMIT: usize = 128;

/// Why a text does not name a package.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PackageNameError {
    /// The kind is none of the catalogue's.
    #[error("a package is a hyperty, a protocolstub or an idp-proxy")]
    Kind,
    /// The name has characters a name cannot have.
    #[error("a package's name is made of a-z, A-Z, 0-9, '-', '_' and '.', and begins with a letter or digit")]
    Name,
}

/// What a package is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum PackageKind {
    /// A service for the person, such as chat.
    #[serde(rename = "hyperty")]
    Hyperty,
    /// Speaks a domain's protocol.
    #[serde(rename = "protocolstub")]
    ProtoStub,
    /// Speaks with an identity provider.
    #[serde(rename = "idp-proxy")]
    IdpProxy,
}

impl PackageKind {
    /// The kind as it stands in a path.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hyperty => "hyperty",
            Self::ProtoStub => "protocolstub",
            Self::IdpProxy => "idp-proxy",
        }
    }

    /// Reads a kind.
    pub fn parse(text: &str) -> Result<Self, PackageNameError> {
        [Self::Hyperty, Self::ProtoStub, Self::IdpProxy]
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or(PackageNameError::Kind)
    }
}

impl fmt::Display for PackageKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// One package of a catalogue, as text `protocolstub/default`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PackageName {
    kind: PackageKind,
    name: String,
}

impl PackageName {
    /// Names a package.
    pub fn new(kind: PackageKind, name: &str) -> Result<Self, PackageNameError> {
        let good = name.len() <= NAME_LIMIT
            && name.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric())
            && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'.'));
        if good { Ok(Self { kind, name: name.into() }) } else { Err(PackageNameError::Name) }
    }

    /// Reads `kind/name`.
    pub fn parse(text: &str) -> Result<Self, PackageNameError> {
        let (kind, name) = text.split_once('/').ok_or(PackageNameError::Kind)?;
        Self::new(PackageKind::parse(kind)?, name)
    }

    /// The stub that a domain offers for its own protocol.
    pub fn default_stub() -> Self {
        Self { kind: PackageKind::ProtoStub, name: "default".into() }
    }

    /// What it is.
    pub fn kind(&self) -> PackageKind {
        self.kind
    }

    /// Its name among its kind.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Display for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.kind, self.name)
    }
}

impl fmt::Debug for PackageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for PackageName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for PackageName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_cannot_leave_its_folder() {
        for bad in [
            "protocolstub/..",
            "protocolstub/a/b",
            "protocolstub/",
            "other/default",
            "default",
            "hyperty/.x",
            "hyperty/a%2f",
        ] {
            assert!(PackageName::parse(bad).is_err(), "{bad}");
        }
        assert_eq!(PackageName::parse("protocolstub/default").unwrap(), PackageName::default_stub());
        assert!(PackageName::parse("protocolstub/slack.example").is_ok());
    }
}
