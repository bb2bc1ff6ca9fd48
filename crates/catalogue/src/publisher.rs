//! Signs and publishes the catalogue of a domain.

use std::collections::BTreeMap;

use keys::{SigningKey, b64url, sha256};
use message::{Domain, Grants};
use semver::Version;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::descriptor::{Descriptor, Entry, SourceRef};
use crate::envelope::{Part, seal};
use crate::error::VerifyError;
use crate::grants::check_grants;
use crate::limits::{DESCRIPTOR_LIMIT, PACKAGE_LIMIT, ROOT_LIFE_MS, SNAPSHOT_LIFE_MS, SOURCE_LIMIT};
use crate::package::{PackageKind, PackageName, PackageNameError};
use crate::paths;
use crate::root::Root;
use crate::snapshot::{Listed, Snapshot};

/// Why a package was not published.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The name is none.
    #[error(transparent)]
    Name(#[from] PackageNameError),
    /// No visitor would accept it.
    #[error("no visitor would accept it: {0}")]
    Unacceptable(#[from] VerifyError),
    /// A newer version is already published.
    #[error("version {have} is already published, {got} would go back")]
    Older {
        /// The published version.
        have: Version,
        /// The version offered.
        got: Version,
    },
    /// The same version with other content is already published.
    #[error("version {version} is already published with other content")]
    SameVersion {
        /// That version.
        version: Version,
    },
    /// The catalogue is full.
    #[error("a catalogue has at most {PACKAGE_LIMIT} packages")]
    Full,
    /// What was stored is not a publisher's state.
    #[error("the stored state of the catalogue cannot be read: {0}")]
    State(String),
}

/// What the maker of a package says about it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Draft {
    /// What it is.
    #[serde(rename = "type")]
    pub kind: PackageKind,
    /// Its name among its kind.
    pub name: String,
    /// Its version.
    pub version: Version,
    /// How its source is entered.
    #[serde(default)]
    pub entry: Entry,
    /// What it asks for, with origins written out.
    #[serde(default)]
    pub grants: Grants,
    /// Whether it is a stub towards a service outside.
    #[serde(default)]
    pub interworking: bool,
    /// What it is told at its start.
    #[serde(default)]
    pub configuration: Value,
    /// Schemes of the data objects it works with.
    #[serde(default)]
    pub data_objects: Vec<String>,
}

impl Draft {
    /// A package that asks for nothing.
    pub fn new(kind: PackageKind, name: &str, version: Version) -> Self {
        Self {
            kind,
            name: name.into(),
            version,
            entry: Entry::Auto,
            grants: Grants::none(),
            interworking: false,
            configuration: Value::Null,
            data_objects: Vec::new(),
        }
    }
}

/// One document as it is served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Its path within the domain's origin.
    pub path: String,
    /// Its media type.
    pub content_type: &'static str,
    /// Its content.
    pub bytes: Vec<u8>,
}

/// What a publisher must keep between runs. Holds the **secret key**: seal it.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PublisherState {
    domain: Domain,
    key: String,
    root: Root,
    /// All roots ever published, so that a visitor of any age can follow.
    roots: Vec<String>,
    snapshot_version: u64,
}

impl std::fmt::Debug for PublisherState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "PublisherState({}, root {})", self.domain, self.root.version)
    }
}

/// Signs and publishes the catalogue of a domain.
///
/// The roots and the snapshot's number are its memory ([`Publisher::state`]);
/// the packages are published anew at each start of the node.
#[derive(Debug)]
pub struct Publisher {
    domain: Domain,
    key: SigningKey,
    root: Root,
    roots: Vec<Vec<u8>>,
    snapshot_version: u64,
    snapshot_expires: u64,
    snapshot: Vec<u8>,
    packages: BTreeMap<PackageName, Package>,
}

#[derive(Debug)]
struct Package {
    descriptor: Descriptor,
    signed: Vec<u8>,
    source: Vec<u8>,
}

impl Publisher {
    /// Begins a catalogue with its first root.
    pub fn new(domain: Domain, key: SigningKey, now_ms: u64) -> Self {
        let root = root_of(&domain, &key, 1, now_ms);
        let roots = vec![seal(Part::Root, &root, &[&key])];
        Self::assemble(domain, key, root, roots, 0, now_ms)
    }

    /// Goes on with what [`Publisher::state`] gave.
    pub fn restore(state: PublisherState, now_ms: u64) -> Result<Self, PublishError> {
        let bad = |what: &str| PublishError::State(what.into());
        let seed = keys::from_b64url(&state.key).map_err(|_| bad("the key is not base64url"))?;
        let seed = <[u8; 32]>::try_from(seed).map_err(|_| bad("the key has not 32 bytes"))?;
        let key = SigningKey::from_bytes(&seed);
        if !state.root.keys.contains(&key.verifying_key()) || state.roots.len() as u64 != state.root.version {
            return Err(bad("the key does not fit the root"));
        }
        let roots = state.roots.into_iter().map(String::into_bytes).collect();
        let mut publisher = Self::assemble(state.domain, key, state.root, roots, state.snapshot_version, now_ms);
        publisher.refresh(now_ms);
        Ok(publisher)
    }

    fn assemble(
        domain: Domain,
        key: SigningKey,
        root: Root,
        roots: Vec<Vec<u8>>,
        snapshot_version: u64,
        now_ms: u64,
    ) -> Self {
        let (snapshot, packages) = (Vec::new(), BTreeMap::new());
        let mut publisher =
            Self { domain, key, root, roots, snapshot_version, snapshot_expires: 0, snapshot, packages };
        publisher.sign_snapshot(now_ms);
        publisher
    }

    /// What must be kept, sealed, between runs; changes with every publication.
    pub fn state(&self) -> PublisherState {
        PublisherState {
            domain: self.domain.clone(),
            key: b64url(self.key.to_bytes().as_ref()),
            root: self.root.clone(),
            roots: self.roots.iter().map(|bytes| String::from_utf8_lossy(bytes).into_owned()).collect(),
            snapshot_version: self.snapshot_version,
        }
    }

    /// Publishes a package, or its next version.
    ///
    /// The same version with the same content changes nothing.
    pub fn publish(&mut self, draft: Draft, source: &str, now_ms: u64) -> Result<Vec<File>, PublishError> {
        let package = PackageName::new(draft.kind, &draft.name)?;
        let descriptor = self.describe(&package, draft, source);
        match self.packages.get(&package) {
            Some(now) if now.descriptor == descriptor => return Ok(self.files()),
            Some(now) => check_successor(&now.descriptor, &descriptor)?,
            None if self.packages.len() >= PACKAGE_LIMIT => return Err(PublishError::Full),
            None => {}
        }
        check_grants(&descriptor)?;
        if source.len() > SOURCE_LIMIT {
            return Err(VerifyError::TooLarge { part: Part::Source, limit: SOURCE_LIMIT }.into());
        }
        let signed = seal(Part::Descriptor, &descriptor, &[&self.key]);
        if signed.len() > DESCRIPTOR_LIMIT {
            return Err(VerifyError::TooLarge { part: Part::Descriptor, limit: DESCRIPTOR_LIMIT }.into());
        }
        self.packages.insert(package, Package { descriptor, signed, source: source.as_bytes().to_vec() });
        self.sign_snapshot(now_ms);
        Ok(self.files())
    }

    /// Takes a package out of the catalogue.
    pub fn withdraw(&mut self, package: &PackageName, now_ms: u64) {
        if self.packages.remove(package).is_some() {
            self.sign_snapshot(now_ms);
        }
    }

    /// Hands over to a new key: the old one signs the new root with it, and never again.
    pub fn rotate_key(&mut self, key: SigningKey, now_ms: u64) {
        let root = root_of(&self.domain, &key, self.root.version + 1, now_ms);
        let old = std::mem::replace(&mut self.key, key);
        self.roots.push(seal(Part::Root, &root, &[&old, &self.key]));
        self.root = root;
        for package in self.packages.values_mut() {
            package.signed = seal(Part::Descriptor, &package.descriptor, &[&self.key]);
        }
        self.sign_snapshot(now_ms);
    }

    /// Renews what would expire soon; call it about once an hour. Says whether anything changed.
    pub fn refresh(&mut self, now_ms: u64) -> bool {
        let half_over = |expires: u64, life: u64| expires < now_ms.saturating_add(life / 2);
        let root_is_old = half_over(self.root.expires, ROOT_LIFE_MS);
        if root_is_old {
            self.root = root_of(&self.domain, &self.key, self.root.version + 1, now_ms);
            self.roots.push(seal(Part::Root, &self.root, &[&self.key]));
        }
        let snapshot_is_old = half_over(self.snapshot_expires, SNAPSHOT_LIFE_MS);
        if snapshot_is_old {
            self.sign_snapshot(now_ms);
        }
        root_is_old || snapshot_is_old
    }

    /// Whose catalogue it is.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The published packages and their versions.
    pub fn packages(&self) -> impl Iterator<Item = (&PackageName, &Version)> {
        self.packages.iter().map(|(name, package)| (name, &package.descriptor.version))
    }

    /// One document by its path; what a server asks for.
    pub fn file(&self, path: &str) -> Option<File> {
        let json = |bytes: &[u8]| Some(file(path, "application/json", bytes));
        if path == paths::root() {
            return json(self.roots.last()?);
        }
        if path == paths::snapshot() {
            return json(&self.snapshot);
        }
        let rest = path.strip_prefix("/.well-known/")?;
        if let Some(version) = rest.strip_prefix("parlance/root/").and_then(|name| name.strip_suffix(".json")) {
            let version: usize = version.parse().ok()?;
            return json(self.roots.get(version.checked_sub(1)?)?);
        }
        let (name, is_source) = rest.strip_suffix("/sourcePackage").map_or((rest, false), |name| (name, true));
        let package = self.packages.get(&PackageName::parse(name).ok()?)?;
        if is_source {
            Some(file(path, "text/javascript; charset=utf-8", &package.source))
        } else {
            json(&package.signed)
        }
    }

    /// All documents as they are served.
    pub fn files(&self) -> Vec<File> {
        let mut all = vec![paths::root(), paths::snapshot()];
        all.extend((1..=self.root.version).map(paths::root_version));
        for package in self.packages.keys() {
            all.extend([paths::descriptor(package), paths::source(package)]);
        }
        all.iter().filter_map(|path| self.file(path)).collect()
    }

    fn describe(&self, package: &PackageName, draft: Draft, source: &str) -> Descriptor {
        Descriptor {
            kind: draft.kind,
            name: draft.name,
            domain: self.domain.clone(),
            version: draft.version,
            language: "javascript".into(),
            entry: draft.entry,
            source: SourceRef {
                url: paths::source(package),
                sha256: b64url(&sha256(source.as_bytes())),
                length: source.len(),
            },
            grants: draft.grants,
            interworking: draft.interworking,
            configuration: draft.configuration,
            data_objects: draft.data_objects,
        }
    }

    /// Numbers snapshots by the clock's seconds, so that a node which lost its state still moves forward.
    fn sign_snapshot(&mut self, now_ms: u64) {
        self.snapshot_version = (self.snapshot_version + 1).max(now_ms / 1000);
        self.snapshot_expires = now_ms.saturating_add(SNAPSHOT_LIFE_MS);
        let listed = |package: &Package| Listed {
            version: package.descriptor.version.clone(),
            descriptor_sha256: b64url(&sha256(&package.signed)),
        };
        let snapshot = Snapshot {
            domain: self.domain.clone(),
            version: self.snapshot_version,
            expires: self.snapshot_expires,
            packages: self.packages.iter().map(|(name, package)| (name.clone(), listed(package))).collect(),
        };
        self.snapshot = seal(Part::Snapshot, &snapshot, &[&self.key]);
    }
}

fn root_of(domain: &Domain, key: &SigningKey, version: u64, now_ms: u64) -> Root {
    Root {
        domain: domain.clone(),
        version,
        expires: now_ms.saturating_add(ROOT_LIFE_MS),
        keys: vec![key.verifying_key()],
        threshold: 1,
    }
}

fn check_successor(now: &Descriptor, next: &Descriptor) -> Result<(), PublishError> {
    match next.version.cmp_precedence(&now.version) {
        std::cmp::Ordering::Greater => Ok(()),
        std::cmp::Ordering::Equal => Err(PublishError::SameVersion { version: next.version.clone() }),
        std::cmp::Ordering::Less => Err(PublishError::Older { have: now.version.clone(), got: next.version.clone() }),
    }
}

fn file(path: &str, content_type: &'static str, bytes: &[u8]) -> File {
    File { path: path.into(), content_type, bytes: bytes.to_vec() }
}
