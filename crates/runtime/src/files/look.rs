//! Shows files that are here: opened chunk by chunk, told by their own bytes, saved where the person wants.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};

use ::base64::Engine;
use ::base64::engine::general_purpose::STANDARD;
use blob::{CHUNK, Descriptor, FileName, Sealed, Verifier};
use contract::{FileBytes, FileKind, Gallery, SavedFile};
use message::Address;
use pictures::PictureError;
use zeroize::Zeroizing;

use super::shelf::failed;
use super::{Carried, NODE_LIMIT, Shelf, attached_of, file_view, place_of, voice};
use crate::chat::message_of;
use crate::documents;
use crate::home::Home;
use crate::trouble::{Failure, Outcome};

/// The head of a picture: what it is and how large stands in here.
const HEAD_CHUNKS: u32 = 8;

/// Rows looked through for one page of a gallery.
const GALLERY_ROWS: usize = 400;

/// Files on one page.
const GALLERY_PAGE: usize = 60;

/// Names that are tried when a folder has one already.
const NAMES_LIMIT: u32 = 1_000;

pub(crate) fn base64(bytes: &[u8]) -> String {
    STANDARD.encode(bytes)
}

/// Bytes from a shell.
pub(super) fn from_base64(text: &str, limit: usize) -> Outcome<Vec<u8>> {
    if text.len() > limit.div_ceil(3) * 4 {
        return Err(Failure::new("too-large", "the part is too large"));
    }
    STANDARD.decode(text).map_err(|error| Failure::new("malformed", error))
}

/// As what a whole file may be shown: told by its own first bytes, never by its name.
pub(super) fn shown_as(shelf: &Shelf, file: &Descriptor) -> Option<String> {
    let said = file_view(file).kind;
    if said == FileKind::Other || file.shape.size() > pictures::BYTES_LIMIT as u64 {
        return None;
    }
    let mut head = Zeroizing::new(Vec::new());
    for index in 0..file.shape.chunks().min(HEAD_CHUNKS) {
        head.extend_from_slice(&opened(shelf, file, index).ok()?);
        if said == FileKind::Voice {
            return head.starts_with(b"OggS").then(|| voice::MEDIA_TYPE.to_owned());
        }
        match pictures::look(&head) {
            Ok(seen) => return Some(seen.kind.media_type().to_owned()),
            // Its size may stand further on.
            Err(PictureError::Damaged) => {}
            Err(PictureError::Unknown | PictureError::TooLarge) => return None,
        }
    }
    None
}

/// A plain chunk of a file that is here.
pub(super) fn opened(shelf: &Shelf, file: &Descriptor, index: u32) -> Outcome<Zeroizing<Vec<u8>>> {
    let (_, blob) = place_of(file).ok_or_else(|| Failure::unknown("file"))?;
    let sealed = shelf.chunk(&blob, file.shape, index)?;
    Sealed::new(&file.key, file.shape).open(index, &sealed).map_err(|wrong| Failure::new("file-tampered", wrong))
}

/// All bytes of a file that is here, checked once more: somebody may have changed the disk.
pub(super) fn whole(shelf: &Shelf, file: &Descriptor) -> Outcome<Zeroizing<Vec<u8>>> {
    if file.shape.size() > NODE_LIMIT {
        return Err(Failure::new("too-large", "the file is not opened as a whole"));
    }
    let mut all = Zeroizing::new(Vec::with_capacity(usize::try_from(file.shape.size()).unwrap_or(0)));
    let mut verifier = Verifier::new(file.shape);
    for index in 0..file.shape.chunks() {
        let plain = opened(shelf, file, index)?;
        verifier.take(&plain).map_err(|wrong| Failure::new("file-tampered", wrong))?;
        all.extend_from_slice(&plain);
    }
    verifier.end(file.digest).map_err(|wrong| Failure::new("file-tampered", wrong))?;
    Ok(all)
}

impl Home {
    /// Question `file.read`.
    pub(crate) fn file_read(&self, message: &str, part: u32) -> Outcome<FileBytes> {
        let Carried { attached, .. } = self.state().carried(message)?;
        let plain = opened(&self.shelf(), &attached.file, part)?;
        Ok(FileBytes { data: base64(&plain), parts: attached.file.shape.chunks() })
    }

    /// Question `file.save`.
    pub(crate) async fn file_save(&self, message: &str, folder: Option<String>) -> Outcome<SavedFile> {
        let Carried { attached, .. } = self.state().carried(message)?;
        let shelf = self.shelf();
        let saving = tokio::task::spawn_blocking(move || save(&shelf, &attached.file, folder.as_deref()));
        let path = saving.await.map_err(|error| Failure::new("not-written", error))??;
        Ok(SavedFile { path: path.display().to_string() })
    }

    /// Question `file.gallery`.
    pub(crate) fn file_gallery(&self, chat: &Address, before: Option<i64>) -> Outcome<Gallery> {
        let state = self.state();
        state.store()?.read(|tx| {
            let mut rows = tx.children(chat.as_str(), before, GALLERY_ROWS).map_err(Failure::store)?;
            rows.reverse();
            let mut messages = Vec::new();
            let mut last = None;
            for row in &rows {
                last = Some(row.ordinal);
                if attached_of(row).is_some() {
                    messages.push(message_of(tx, row)?);
                }
                if messages.len() == GALLERY_PAGE {
                    break;
                }
            }
            let all = rows.len() < GALLERY_ROWS && last == rows.last().map(|row| row.ordinal);
            let before = last.filter(|_| !all).and_then(|ordinal| i32::try_from(ordinal).ok());
            Ok(Gallery { messages, before })
        })
    }
}

/// Bytes of a made file, such as the sound of a voice note, part by part.
pub(super) fn part_of(bytes: &[u8], part: u32) -> Outcome<FileBytes> {
    let parts = u32::try_from(bytes.len().div_ceil(CHUNK).max(1)).unwrap_or(u32::MAX);
    let from = (part as usize).saturating_mul(CHUNK);
    if part >= parts {
        return Err(Failure::unknown("part"));
    }
    Ok(FileBytes { data: base64(&bytes[from..bytes.len().min(from + CHUNK)]), parts })
}

fn save(shelf: &Shelf, file: &Descriptor, folder: Option<&str>) -> Outcome<PathBuf> {
    let folder = match folder.map(str::trim).filter(|text| !text.is_empty()) {
        Some(asked) => documents::folder(Some(asked))?,
        None => downloads()?,
    };
    let (path, mut out) = create(&folder, &file.name)?;
    let mut verifier = Verifier::new(file.shape);
    let written = (0..file.shape.chunks()).try_for_each(|index| {
        let plain = opened(shelf, file, index)?;
        verifier.take(&plain).map_err(|wrong| Failure::new("file-tampered", wrong))?;
        out.write_all(&plain).map_err(failed)
    });
    let written = written
        .and_then(|()| verifier.end(file.digest).map_err(|wrong| Failure::new("file-tampered", wrong)))
        .and_then(|()| out.sync_all().map_err(failed));
    if let Err(failure) = written {
        // Half a file is none.
        let _ = std::fs::remove_file(&path);
        return Err(failure);
    }
    Ok(path)
}

fn downloads() -> Outcome<PathBuf> {
    let user = directories::UserDirs::new();
    match user.as_ref().and_then(|user| user.download_dir()).filter(|folder| folder.is_dir()) {
        Some(folder) => Ok(folder.to_owned()),
        None => documents::folder(None),
    }
}

/// A new file under this name, or the next one that is free; nothing that is there is touched, no link followed.
fn create(folder: &Path, name: &FileName) -> Outcome<(PathBuf, std::fs::File)> {
    for number in 1..NAMES_LIMIT {
        let path = folder.join(if number == 1 { name.as_str().to_owned() } else { name.numbered(number) });
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        match options.open(&path) {
            Ok(file) => return Ok((path, file)),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(failed(error)),
        }
    }
    Err(Failure::new("not-written", "the folder has too many files of this name"))
}
