//! Files that are written for the person: into their documents, readable by nobody else.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::trouble::{Failure, Outcome};

/// The folder that was asked for, or the person's documents.
pub(crate) fn folder(asked: Option<&str>) -> Outcome<PathBuf> {
    let folder = match asked.map(str::trim).filter(|text| !text.is_empty()) {
        Some(asked) => PathBuf::from(asked),
        None => {
            let none = || Failure::new("no-directory", "this user has no home folder");
            let user = directories::UserDirs::new().ok_or_else(none)?;
            user.document_dir().filter(|dir| dir.is_dir()).unwrap_or_else(|| user.home_dir()).to_owned()
        }
    };
    if folder.is_dir() { Ok(folder) } else { Err(Failure::new("no-directory", "there is no such folder")) }
}

/// Writes a whole file that only its owner reads; what was there under the name goes.
pub(crate) fn write_private(path: &Path, text: &str) -> Outcome<()> {
    // Made anew, so that rights which somebody gave to the old file do not stay, nor a link is followed.
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(failed(error)),
        _ => {}
    }
    let mut file = create_private(path)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(failed)
}

/// Makes a new file that only its owner reads; one that is there already is not touched.
pub(crate) fn create_private(path: &Path) -> Outcome<std::fs::File> {
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(failed)
}

/// A file that got its name in this folder keeps it after a power cut, where the system can promise that.
pub(crate) fn sync_folder(folder: &Path) {
    // Windows opens no folders; a name that is lost there leaves the file under the one before.
    let _ = std::fs::File::open(folder).and_then(|folder| folder.sync_all());
}

fn failed(error: std::io::Error) -> Failure {
    let code = if error.kind() == std::io::ErrorKind::StorageFull { "disk-full" } else { "not-written" };
    Failure::new(code, error.kind())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_owner_reads_what_is_written() {
        let dir = tempfile::TempDir::new().unwrap();
        let path = folder(dir.path().to_str()).unwrap().join("sheet.txt");
        std::fs::write(&path, "old").unwrap();
        write_private(&path, "new").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "new");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        }
        assert_eq!(folder(Some("/no/such/folder")).unwrap_err().code, "no-directory");
    }
}
