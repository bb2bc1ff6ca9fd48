//! Where the sealed chunks of files lie on this disk.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use blob::Shape;

use crate::trouble::{Failure, Outcome};

/// The folder with the files, each under a name that tells nothing.
pub(crate) struct Shelf {
    folder: PathBuf,
}

impl Shelf {
    pub(crate) fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    fn path(&self, blob: &str, ending: &str) -> PathBuf {
        let name = keys::base32(&keys::sha256(format!("parlance-file-name-v1\n{blob}").as_bytes())[..20]);
        self.folder.join(format!("{name}{ending}"))
    }

    /// Throws away what a run before `begun` began to take from a shell, and never came to an end. What is handed over
    /// now may be older than the first look at the folder.
    pub(crate) fn sweep(&self, begun: SystemTime) {
        let Ok(entries) = fs::read_dir(&self.folder) else { return };
        let is_older = |entry: &fs::DirEntry| entry.metadata().and_then(|it| it.modified()).is_ok_and(|at| at < begun);
        for entry in entries.flatten() {
            if entry.path().extension().is_some_and(|ending| ending == "stage") && is_older(&entry) {
                // What cannot be removed now is tried again at the next start.
                let _ = fs::remove_file(entry.path());
            }
        }
    }

    /// Begins a file that a shell hands over.
    pub(crate) fn stage(&self, blob: &str) -> Outcome<File> {
        store::create_private_dir(&self.folder).map_err(failed)?;
        private().create_new(true).write(true).open(self.path(blob, ".stage")).map_err(failed)
    }

    /// What was handed over is whole: it stays.
    pub(crate) fn keep_staged(&self, blob: &str, file: &File) -> Outcome<()> {
        file.sync_all().map_err(failed)?;
        fs::rename(self.path(blob, ".stage"), self.path(blob, "")).map_err(failed)
    }

    /// Opens what came of a file so far, to go on behind its last whole chunk; says how many there are.
    pub(crate) fn partial(&self, blob: &str, shape: Shape) -> Outcome<(File, u32)> {
        store::create_private_dir(&self.folder).map_err(failed)?;
        let file = private()
            .create(true)
            .truncate(false)
            .read(true)
            .write(true)
            .open(self.path(blob, ".part"))
            .map_err(failed)?;
        let length = file.metadata().map_err(failed)?.len();
        let whole = length / blob::SEALED_CHUNK as u64;
        // The last chunk may be shorter; it is asked for again.
        let whole = u32::try_from(whole).unwrap_or(u32::MAX).min(shape.chunks() - 1);
        Ok((file, whole))
    }

    /// What came is whole and checked: it stays.
    pub(crate) fn keep_partial(&self, blob: &str, file: &File, shape: Shape) -> Outcome<()> {
        file.set_len(shape.sealed_size()).map_err(failed)?;
        file.sync_all().map_err(failed)?;
        fs::rename(self.path(blob, ".part"), self.path(blob, "")).map_err(failed)
    }

    /// Forgets what came so far.
    pub(crate) fn drop_partial(&self, blob: &str) {
        // Nothing is lost when this fails: whatever lies there is checked before it is used.
        let _ = fs::remove_file(self.path(blob, ".part"));
    }

    /// Whether a file is here, whole.
    pub(crate) fn has(&self, blob: &str, shape: Shape) -> bool {
        fs::metadata(self.path(blob, "")).is_ok_and(|meta| meta.is_file() && meta.len() == shape.sealed_size())
    }

    /// Plain bytes in the whole chunks that came of a file.
    pub(crate) fn came(&self, blob: &str) -> u64 {
        let sealed = fs::metadata(self.path(blob, ".part")).map_or(0, |meta| meta.len());
        sealed / blob::SEALED_CHUNK as u64 * blob::CHUNK as u64
    }

    /// A sealed chunk of a whole file.
    pub(crate) fn chunk(&self, blob: &str, shape: Shape, index: u32) -> Outcome<Vec<u8>> {
        let mut file = File::open(self.path(blob, "")).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Failure::new("file-away", "the file is not here"),
            _ => failed(error),
        })?;
        read_chunk(&mut file, shape, index)
    }

    /// Takes a file away, in whatever state it is.
    pub(crate) fn remove(&self, blob: &str) -> Outcome<()> {
        for ending in ["", ".part", ".stage"] {
            match fs::remove_file(self.path(blob, ending)) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(failed(error)),
                _ => {}
            }
        }
        Ok(())
    }
}

/// Reads the sealed chunk of a place.
pub(crate) fn read_chunk(file: &mut File, shape: Shape, index: u32) -> Outcome<Vec<u8>> {
    let length = shape.sealed_length(index).ok_or_else(|| Failure::unknown("part"))?;
    let mut chunk = vec![0; length];
    file.seek(SeekFrom::Start(shape.sealed_offset(index))).map_err(failed)?;
    file.read_exact(&mut chunk).map_err(failed)?;
    Ok(chunk)
}

/// Writes the sealed chunk of a place.
pub(crate) fn write_chunk(file: &mut File, shape: Shape, index: u32, sealed: &[u8]) -> Outcome<()> {
    file.seek(SeekFrom::Start(shape.sealed_offset(index))).map_err(failed)?;
    file.write_all(sealed).map_err(failed)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

pub(crate) fn failed(error: std::io::Error) -> Failure {
    let code = if error.kind() == ErrorKind::StorageFull { "disk-full" } else { "not-written" };
    Failure::new(code, error.kind())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_an_earlier_run_began_is_thrown_away_and_not_what_is_handed_over_before_the_first_look() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = Shelf::at(folder.path().to_owned());
        let begun = SystemTime::now();
        shelf.stage("earlier").unwrap().set_modified(begun - Duration::from_secs(1)).unwrap();
        let now = shelf.stage("now").unwrap();
        now.set_modified(begun + Duration::from_millis(50)).unwrap();
        shelf.sweep(begun);
        assert!(!shelf.path("earlier", ".stage").exists());
        shelf.keep_staged("now", &now).unwrap();
    }
}
