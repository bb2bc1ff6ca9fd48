//! The domain's catalogue as it is served, and what it remembers between starts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use axum::Router;
use axum::extract::{Path as UrlPath, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use catalogue::{PackageName, Publisher, PublisherState};
use keys::SigningKey;
use message::Domain;

use crate::packages::{Package, PackageError, Places};
use crate::secret_file;
use clock::now_ms;

/// What the catalogue remembers, its key included.
pub const STATE: &str = "catalogue.json";

/// Where packages published at run time wait for the next start.
const PACKAGES: &str = "packages";

/// Why the catalogue did not take a package.
#[derive(Debug, thiserror::Error)]
pub enum ShelfError {
    /// The package is not one.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// The catalogue's rules forbid it.
    #[error("{name}: {source}")]
    Publish {
        /// Which package.
        name: String,
        /// Which rule.
        source: catalogue::PublishError,
    },
    /// The stored state does not read.
    #[error("the stored state of the catalogue does not read: {0}")]
    State(String),
    /// The disk failed.
    #[error("the catalogue cannot be stored: {0}")]
    Disk(#[from] std::io::Error),
}

/// The catalogue of a domain.
#[derive(Clone)]
pub struct Shelf(Arc<Inner>);

struct Inner {
    publisher: RwLock<Publisher>,
    places: Places,
    state_file: PathBuf,
    packages: PathBuf,
}

impl Shelf {
    /// Opens the catalogue of a data folder, with a new key the first time.
    pub fn open(data_dir: &Path, places: Places) -> Result<Self, ShelfError> {
        let state_file = data_dir.join(STATE);
        let publisher = match secret_file::read(&state_file)? {
            Some(bytes) => {
                let state: PublisherState =
                    serde_json::from_slice(&bytes).map_err(|error| ShelfError::State(error.to_string()))?;
                Publisher::restore(state, now()).map_err(|error| ShelfError::State(error.to_string()))?
            }
            None => Publisher::new(places.domain.clone(), SigningKey::generate(), now()),
        };
        if *publisher.domain() != places.domain {
            return Err(ShelfError::State("it is of another domain".into()));
        }
        let packages = data_dir.join(PACKAGES);
        std::fs::create_dir_all(&packages)?;
        let shelf = Self(Arc::new(Inner { publisher: RwLock::new(publisher), places, state_file, packages }));
        shelf.store()?;
        Ok(shelf)
    }

    /// Publishes, of each package, the newest of those offered and those published at run time before.
    pub fn stock(&self, offered: Vec<Package>) -> Result<(), ShelfError> {
        let mut newest: BTreeMap<PackageName, Package> = BTreeMap::new();
        for package in offered.into_iter().chain(Package::read_all(&self.0.packages)?) {
            match newest.get(package.name()) {
                Some(known) if known.version() >= package.version() => {}
                _ => drop(newest.insert(package.name().clone(), package)),
            }
        }
        newest.values().try_for_each(|package| self.put(package))
    }

    /// Publishes a package or its next version, for this start and all later ones.
    pub fn publish(&self, package: &Package) -> Result<(), ShelfError> {
        self.put(package)?;
        put_into(&self.0.packages, package)
    }

    /// The published version of a package.
    pub fn version_of(&self, name: &PackageName) -> Option<semver::Version> {
        let publisher = self.0.publisher.read().unwrap_or_else(PoisonError::into_inner);
        publisher.packages().find(|(known, _)| *known == name).map(|(_, version)| version.clone())
    }

    /// Signs anew what would expire soon; to be called about once an hour.
    pub fn refresh(&self) -> Result<(), ShelfError> {
        let changed = self.0.publisher.write().unwrap_or_else(PoisonError::into_inner).refresh(now());
        if changed { self.store() } else { Ok(()) }
    }

    /// Hands the catalogue over to a new key, as its owner does after a leak or once a year.
    pub fn rotate_key(&self) -> Result<(), ShelfError> {
        self.0.publisher.write().unwrap_or_else(PoisonError::into_inner).rotate_key(SigningKey::generate(), now());
        self.store()
    }

    fn put(&self, package: &Package) -> Result<(), ShelfError> {
        let draft = package.draft(&self.0.places)?;
        let outcome =
            self.0.publisher.write().unwrap_or_else(PoisonError::into_inner).publish(draft, package.source(), now());
        outcome.map_err(|source| ShelfError::Publish { name: package.name().to_string(), source })?;
        self.store()
    }

    fn store(&self) -> Result<(), ShelfError> {
        let state = self.0.publisher.read().unwrap_or_else(PoisonError::into_inner).state();
        let bytes = serde_json::to_vec(&state).map_err(|error| ShelfError::State(error.to_string()))?;
        Ok(secret_file::write(&self.0.state_file, &bytes)?)
    }

    fn file(&self, path: &str) -> Option<catalogue::File> {
        self.0.publisher.read().unwrap_or_else(PoisonError::into_inner).file(path)
    }
}

/// Puts a package where the next start publishes it.
pub fn put_by(data_dir: &Path, package: &Package) -> Result<(), ShelfError> {
    let folder = data_dir.join(PACKAGES);
    std::fs::create_dir_all(&folder)?;
    put_into(&folder, package)
}

fn put_into(folder: &Path, package: &Package) -> Result<(), ShelfError> {
    let file = format!("{}-{}", package.name().kind(), package.name().name());
    std::fs::write(folder.join(format!("{file}.js")), package.source())?;
    std::fs::write(folder.join(format!("{file}.json")), package.descriptor())?;
    Ok(())
}

/// The catalogue's documents below `/.well-known/`.
pub fn routes(shelf: Shelf) -> Router {
    Router::new().route("/.well-known/{*path}", get(serve)).with_state(shelf)
}

async fn serve(State(shelf): State<Shelf>, UrlPath(path): UrlPath<String>) -> Response {
    match shelf.file(&format!("/.well-known/{path}")) {
        Some(file) => {
            let headers = [
                (header::CONTENT_TYPE, file.content_type),
                (header::CACHE_CONTROL, "no-cache"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ];
            (headers, file.bytes).into_response()
        }
        None => StatusCode::NOT_FOUND.into_response(),
    }
}

fn now() -> u64 {
    now_ms().unsigned_abs()
}

/// The places of a domain's own packages.
pub fn places(domain: &Domain, origin: &str) -> Places {
    Places { domain: domain.clone(), origin: origin.to_owned() }
}
