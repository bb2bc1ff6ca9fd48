//! Fetches a package, verifying each step before the next.

use std::sync::Arc;
use std::time::Duration;

use catalogue::{
    Descriptor, Memory, PackageName, Part, ROOT_CHAIN_LIMIT, Snapshot, paths, verify_descriptor, verify_root,
    verify_snapshot, verify_source,
};
use transport::{FetchError, GetLimits, Net, Reach, Redirect};
use url::Url;

use crate::cache::{NoCache, SourceCache};
use crate::error::StartGuestError;
use crate::package::{PackageRef, VerifiedPackage};

/// How long one of the small documents may take.
const DOCUMENT_DEADLINE: Duration = Duration::from_secs(10);

/// How long a source may take: 2 MiB at 70 kB/s.
const SOURCE_DEADLINE: Duration = Duration::from_secs(30);

/// Longest silence within an answer.
const SILENCE: Duration = Duration::from_secs(5);

/// Fetches and verifies packages; cheap to clone.
#[derive(Clone)]
pub struct Fetcher {
    net: Net,
    cache: Arc<dyn SourceCache>,
    document_deadline: Duration,
    source_deadline: Duration,
}

impl Fetcher {
    /// A fetcher that keeps nothing.
    pub fn new(net: Net) -> Self {
        Self { net, cache: Arc::new(NoCache), document_deadline: DOCUMENT_DEADLINE, source_deadline: SOURCE_DEADLINE }
    }

    /// The same, keeping sources.
    pub fn with_cache(mut self, cache: Arc<dyn SourceCache>) -> Self {
        self.cache = cache;
        self
    }

    /// The same, with other deadlines for the small documents and for the source.
    pub fn with_deadlines(mut self, document: Duration, source: Duration) -> Self {
        (self.document_deadline, self.source_deadline) = (document, source);
        self
    }

    /// Fetches the newest version of a package: root, snapshot, descriptor, source.
    ///
    /// `now_ms` is the time in Unix **milliseconds**. The memory of the domain
    /// comes back changed inside the package and must be saved.
    pub async fn fetch(
        &self,
        package: &PackageRef,
        memory: &Memory,
        now_ms: u64,
    ) -> Result<VerifiedPackage, StartGuestError> {
        let errand = self.errand(package)?;
        let (snapshot, memory) = errand.snapshot(memory, now_ms).await?;
        let (descriptor, memory) = errand.descriptor(&snapshot, &memory).await?;
        let source = errand.source(&descriptor).await?;
        Ok(VerifiedPackage::new(package.clone(), descriptor, source, memory))
    }

    /// Looks only whether the catalogue has a newer version than the one that runs.
    pub async fn is_newer(
        &self,
        package: &PackageRef,
        running: &semver::Version,
        memory: &Memory,
        now_ms: u64,
    ) -> Result<bool, StartGuestError> {
        let errand = self.errand(package)?;
        let (snapshot, _) = errand.snapshot(memory, now_ms).await?;
        let listed = snapshot.find(&errand.name).map_err(|error| StartGuestError::of_verify(package, error))?;
        Ok(listed.version.cmp_precedence(running).is_gt())
    }

    fn errand<'a>(&'a self, package: &'a PackageRef) -> Result<Errand<'a>, StartGuestError> {
        let name = package.package().map_err(|error| StartGuestError::Malformed {
            package: package.clone(),
            part: Part::Descriptor,
            reason: error.to_string(),
        })?;
        let reach = Reach::for_domain(&package.domain);
        Ok(Errand { fetcher: self, package, name, origin: self.net.origin(&package.domain), reach })
    }
}

/// One way to a domain's catalogue and back.
struct Errand<'a> {
    fetcher: &'a Fetcher,
    package: &'a PackageRef,
    name: PackageName,
    origin: Url,
    reach: Reach,
}

impl Errand<'_> {
    async fn snapshot(&self, memory: &Memory, now_ms: u64) -> Result<(Snapshot, Memory), StartGuestError> {
        let memory = self.roots(memory).await?;
        let bytes = self.get(Part::Snapshot, &paths::snapshot()).await?;
        verify_snapshot(&bytes, &self.package.domain, &memory, now_ms).map_err(|error| self.doubt(error))
    }

    /// Follows the keys from the one we know to the newest, or believes the first.
    async fn roots(&self, memory: &Memory) -> Result<Memory, StartGuestError> {
        let domain = &self.package.domain;
        if memory.root.is_none() {
            let bytes = self.get(Part::Root, &paths::root()).await?;
            return verify_root(&bytes, domain, memory).map_err(|error| self.doubt(error));
        }
        let mut memory = memory.clone();
        for _ in 0..ROOT_CHAIN_LIMIT {
            let next = memory.root.as_ref().map_or(1, |root| root.version.saturating_add(1));
            let bytes = match self.get(Part::Root, &paths::root_version(next)).await {
                Ok(bytes) => bytes,
                Err(StartGuestError::NotFound { .. }) => return Ok(memory),
                Err(error) => return Err(error),
            };
            memory = verify_root(&bytes, domain, &memory).map_err(|error| self.doubt(error))?;
        }
        let reason = format!("more than {ROOT_CHAIN_LIMIT} changes of keys at once");
        Err(StartGuestError::Malformed { package: self.package.clone(), part: Part::Root, reason })
    }

    async fn descriptor(&self, snapshot: &Snapshot, memory: &Memory) -> Result<(Descriptor, Memory), StartGuestError> {
        // Refuse an unlisted package before asking for it: whatever came would not count.
        snapshot.find(&self.name).map_err(|error| self.doubt(error))?;
        let bytes = self.get(Part::Descriptor, &paths::descriptor(&self.name)).await?;
        verify_descriptor(&bytes, &self.name, snapshot, memory).map_err(|error| self.doubt(error))
    }

    async fn source(&self, descriptor: &Descriptor) -> Result<String, StartGuestError> {
        let promised = &descriptor.source;
        if let Some(kept) = self.fetcher.cache.load(&promised.sha256)
            && let Ok(source) = verify_source(&kept, descriptor)
        {
            return Ok(source);
        }
        let limits = GetLimits {
            bytes: promised.length as u64,
            total: self.fetcher.source_deadline,
            idle: SILENCE,
            redirect: Redirect::SameHost,
        };
        let bytes = self.get_within(Part::Source, &promised.url, &limits).await?;
        let source = verify_source(&bytes, descriptor).map_err(|error| self.doubt(error))?;
        self.fetcher.cache.keep(&promised.sha256, &bytes);
        Ok(source)
    }

    async fn get(&self, part: Part, path: &str) -> Result<Vec<u8>, StartGuestError> {
        let limits = GetLimits {
            bytes: part.limit() as u64,
            total: self.fetcher.document_deadline,
            idle: SILENCE,
            redirect: Redirect::SameHost,
        };
        self.get_within(part, path, &limits).await
    }

    async fn get_within(&self, part: Part, place: &str, limits: &GetLimits) -> Result<Vec<u8>, StartGuestError> {
        let failed = |error| StartGuestError::of_fetch(self.package, part, error);
        let url = self.origin.join(place).map_err(|_| failed(FetchError::BadUrl))?;
        // A descriptor names its own source; it must stay with the domain that signed it.
        if url.origin() != self.origin.origin() {
            let host = |url: &Url| url.host_str().unwrap_or("?").to_owned();
            return Err(failed(FetchError::Redirect { from: host(&self.origin), to: host(&url) }));
        }
        let fetched = self.fetcher.net.get(&url, limits, &self.reach).await.map_err(failed)?;
        Ok(fetched.bytes.to_vec())
    }

    fn doubt(&self, error: catalogue::VerifyError) -> StartGuestError {
        StartGuestError::of_verify(self.package, error)
    }
}
