//! Erases a profile: first the key, so that whatever else remains on the disk is noise.

use std::fs::{self, File, TryLockError};
use std::io::Read;
use std::path::Path;
use std::time::Duration;

use crate::attempts;
use crate::header::{self, ERASING, Header, Place, write_private};
use crate::keeping::{self, OPEN_FILE};
use crate::keyring::{KeyringPlace, KeyringTrouble};

/// Larger than this the list of places is not ours.
const LIMIT: u64 = 16 * 1024;

/// How long a keyring is waited for.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why a profile is not erased, or not wholly.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EraseError {
    /// It is open, here or in another process; nothing was touched.
    #[error("the profile is open")]
    InUse,
    /// All files are gone, but the keyring still has the key, which opens nothing any more. Erasing
    /// once more tries again.
    #[error("the keyring did not give up the key: {0}")]
    Keyring(KeyringTrouble),
    /// The file system failed; erasing once more goes on where it stopped.
    #[error("the profile could not be erased: {0}")]
    Failed(String),
}

impl From<std::io::Error> for EraseError {
    fn from(error: std::io::Error) -> Self {
        Self::Failed(error.kind().to_string())
    }
}

/// The steps, each named before it is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    Announce,
    Key,
    Description,
    Keyring,
    Files,
    Folder,
}

/// Erases the profile in `dir` with all its files and its entry in the keyring.
///
/// The key goes first. After a crash in the middle the profile says [`crate::KeyError::HalfErased`]
/// and opens no more; erasing it once more finishes the work. Not there is no error.
pub fn erase_profile(dir: &Path) -> Result<(), EraseError> {
    erase_steps(dir, &mut |_| Ok(()))
}

pub(crate) fn erase_steps(
    dir: &Path,
    before: &mut dyn FnMut(Step) -> Result<(), EraseError>,
) -> Result<(), EraseError> {
    if !dir.exists() {
        return Ok(());
    }
    let locks = lock_all(dir)?;
    before(Step::Announce)?;
    let places = announce(dir)?;
    before(Step::Key)?;
    keeping::wipe_file(&dir.join(OPEN_FILE))?;
    keeping::wipe_file(&dir.join(format!("{OPEN_FILE}.new")))?;
    before(Step::Description)?;
    keeping::wipe_file(&dir.join(header::FILE))?;
    keeping::wipe_file(&dir.join(format!("{}.new", header::FILE)))?;
    before(Step::Keyring)?;
    let kept = forget(dir, &places);
    before(Step::Files)?;
    drop(locks);
    remove_all_but_the_announcement(dir)?;
    if let Some(trouble) = kept {
        return Err(EraseError::Keyring(trouble));
    }
    before(Step::Folder)?;
    fs::remove_dir_all(dir)?;
    Ok(())
}

/// A store that is open holds a lock in the folder.
fn lock_all(dir: &Path) -> Result<Vec<File>, EraseError> {
    let mut locks = Vec::new();
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.extension().is_some_and(|end| end == "lock") && path.file_name() != Some(attempts::LOCK.as_ref()) {
            let file = File::open(&path)?;
            match file.try_lock() {
                Ok(()) => locks.push(file),
                Err(TryLockError::WouldBlock) => return Err(EraseError::InUse),
                Err(TryLockError::Error(error)) => return Err(error.into()),
            }
        }
    }
    Ok(locks)
}

/// Writes down where the key may be, before that is forgotten with `key.json`.
fn announce(dir: &Path) -> Result<Vec<Place>, EraseError> {
    if let Some(places) = announced(dir)? {
        return Ok(places);
    }
    let mut places: Vec<Place> = match Header::read(dir) {
        Ok(Some(header)) => header.clear.iter().cloned().chain(header.kept.place()).collect(),
        // Without a description that can be read the key may be wherever a key can be.
        _ => guesses(dir),
    };
    places.retain(|place| *place != Place::File);
    let text = serde_json::to_vec(&places).map_err(|_| EraseError::Failed("it cannot be announced".into()))?;
    write_private(dir, ERASING, &text).map_err(|error| EraseError::Failed(error.to_string()))?;
    Ok(places)
}

fn announced(dir: &Path) -> Result<Option<Vec<Place>>, EraseError> {
    let file = match File::open(dir.join(ERASING)) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let mut text = Vec::new();
    file.take(LIMIT).read_to_end(&mut text)?;
    Ok(Some(serde_json::from_slice(&text).unwrap_or_else(|_| guesses(dir))))
}

fn guesses(dir: &Path) -> Vec<Place> {
    let service = KeyringPlace::default().service;
    let entries = keeping::open_entry(dir).into_iter().chain(keeping::locked_entries(dir).into_iter().flatten());
    entries.map(|entry| Place::Keyring { service: service.clone(), entry }).collect()
}

/// Empties the keyring; what it said if it would not.
fn forget(dir: &Path, places: &[Place]) -> Option<KeyringTrouble> {
    let mut trouble = None;
    for place in places {
        if let Err(crate::KeyError::Keyring(why)) = keeping::remove(dir, place, PATIENCE) {
            // No keyring has no key.
            if !matches!(why, KeyringTrouble::Absent(_)) {
                trouble = Some(why);
            }
        }
    }
    trouble
}

fn remove_all_but_the_announcement(dir: &Path) -> Result<(), EraseError> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_name() == ERASING {
            continue;
        }
        if entry.file_type()?.is_dir() {
            fs::remove_dir_all(entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
