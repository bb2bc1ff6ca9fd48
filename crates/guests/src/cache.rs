//! Keeps sources on disk by their hash, so that each is fetched once.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use keys::{base32, from_b64url};

/// Keeps sources by hash. What it returns is verified again, so that a bad cache costs time and nothing else.
pub trait SourceCache: Send + Sync {
    /// The source with this SHA-256 (base64url), if it is kept.
    fn load(&self, sha256: &str) -> Option<Vec<u8>>;
    /// Keeps a verified source.
    fn keep(&self, sha256: &str, source: &[u8]);
}

/// Keeps nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoCache;

impl SourceCache for NoCache {
    fn load(&self, _: &str) -> Option<Vec<u8>> {
        None
    }

    fn keep(&self, _: &str, _: &[u8]) {}
}

/// Most sources kept; the oldest goes first. At 2 MiB each at most 128 MiB, in practice a few.
const KEPT_LIMIT: usize = 64;

/// Keeps sources as files of one folder.
#[derive(Debug, Clone)]
pub struct DiskCache {
    folder: PathBuf,
}

impl DiskCache {
    /// Uses a folder, which is made if it is not there.
    pub fn open(folder: &Path) -> io::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self { folder: folder.to_owned() })
    }

    /// The file of a hash; `None` if the text is no hash and could be a path.
    fn file(&self, sha256: &str) -> Option<PathBuf> {
        let hash = from_b64url(sha256).ok().filter(|bytes| bytes.len() == 32)?;
        Some(self.folder.join(base32(&hash)).with_extension("js"))
    }

    fn write(&self, file: &Path, source: &[u8]) -> io::Result<()> {
        self.make_room()?;
        // Renamed into place, so that nobody reads half a file; unique, so that two writers do not meet.
        let unfinished = file.with_extension(format!("{}.part", base32(&keys::random::<8>())));
        fs::write(&unfinished, source)?;
        fs::rename(&unfinished, file)
    }

    fn make_room(&self) -> io::Result<()> {
        let mut kept: Vec<(SystemTime, PathBuf)> = fs::read_dir(&self.folder)?
            .filter_map(Result::ok)
            .filter_map(|entry| Some((entry.metadata().ok()?.modified().ok()?, entry.path())))
            .collect();
        kept.sort();
        let surplus = (kept.len() + 1).saturating_sub(KEPT_LIMIT);
        kept.iter().take(surplus).try_for_each(|(_, path)| fs::remove_file(path))
    }
}

impl SourceCache for DiskCache {
    fn load(&self, sha256: &str) -> Option<Vec<u8>> {
        let file = self.file(sha256)?;
        let length = fs::metadata(&file).ok()?.len();
        if length > catalogue::SOURCE_LIMIT as u64 { None } else { fs::read(file).ok() }
    }

    fn keep(&self, sha256: &str, source: &[u8]) {
        if let Some(file) = self.file(sha256)
            && let Err(error) = self.write(&file, source)
        {
            tracing::debug!(kind = %error.kind(), "a source could not be kept and will be fetched again");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keys::{b64url, sha256};

    #[test]
    fn a_kept_source_is_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let cache = DiskCache::open(folder.path()).unwrap();
        let hash = b64url(&sha256(b"source"));
        assert_eq!(cache.load(&hash), None);
        cache.keep(&hash, b"source");
        assert_eq!(cache.load(&hash).unwrap(), b"source");
    }

    #[test]
    fn a_name_that_is_no_hash_touches_no_file() {
        let folder = tempfile::tempdir().unwrap();
        let cache = DiskCache::open(folder.path()).unwrap();
        cache.keep("../../escape", b"x");
        assert_eq!(cache.load("../../escape"), None);
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn the_folder_does_not_grow_for_ever() {
        let folder = tempfile::tempdir().unwrap();
        let cache = DiskCache::open(folder.path()).unwrap();
        for n in 0..KEPT_LIMIT + 10 {
            cache.keep(&b64url(&sha256(&n.to_be_bytes())), b"x");
        }
        assert!(fs::read_dir(folder.path()).unwrap().count() <= KEPT_LIMIT);
    }
}
