//! Files that leave with a history, plain, and those that come with one.

use std::io::{Error, ErrorKind, Read};

use blob::{CHUNK, Descriptor, FileName, Shape, Verifier};
use message::Domain;
use zeroize::Zeroizing;

use super::look::opened;
use super::staging::{About, Cutting};
use super::{Shelf, place_of};
use crate::trouble::{Failure, Outcome};

/// The bytes of a file that is here.
pub(crate) struct Plain<'a> {
    shelf: &'a Shelf,
    file: &'a Descriptor,
    next: u32,
    chunk: Zeroizing<Vec<u8>>,
    at: usize,
}

/// Opens a file that is here, whole and what its message says; nothing if it is not.
pub(crate) fn plain<'a>(shelf: &'a Shelf, file: &'a Descriptor) -> Option<Plain<'a>> {
    let (_, blob) = place_of(file)?;
    if !shelf.has(&blob, file.shape) {
        return None;
    }
    let mut verifier = Verifier::new(file.shape);
    for index in 0..file.shape.chunks() {
        verifier.take(&opened(shelf, file, index).ok()?).ok()?;
    }
    verifier.end(file.digest).ok()?;
    Some(Plain { shelf, file, next: 0, chunk: Zeroizing::default(), at: 0 })
}

impl Read for Plain<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        while self.at == self.chunk.len() {
            if self.next == self.file.shape.chunks() {
                return Ok(0);
            }
            let opened = opened(self.shelf, self.file, self.next);
            self.chunk = opened.map_err(|failure| Error::new(ErrorKind::InvalidData, failure))?;
            (self.next, self.at) = (self.next + 1, 0);
            if self.chunk.is_empty() {
                return Ok(0);
            }
        }
        let read = buffer.len().min(self.chunk.len() - self.at);
        buffer[..read].copy_from_slice(&self.chunk[self.at..self.at + read]);
        self.at += read;
        Ok(read)
    }
}

/// A file that came with a history: sealed here, and not yet a part of a message. It goes when it is dropped.
pub(crate) struct Brought {
    shelf: Shelf,
    blob: String,
    descriptor: Descriptor,
    file: std::fs::File,
    kept: bool,
}

impl Brought {
    /// Seals what comes.
    pub(crate) fn take(shelf: Shelf, domain: &Domain, size: u64, bytes: &mut dyn Read) -> Outcome<Self> {
        let mut cutting = Cutting::begin(&shelf, size)?;
        let mut chunk = Zeroizing::new(vec![0; CHUNK]);
        let taken = loop {
            match bytes.read(&mut chunk) {
                Ok(0) => break Ok(()),
                Ok(read) => {
                    if let Err(failure) = cutting.take(&chunk[..read]) {
                        break Err(failure);
                    }
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => break Err(Failure::new("history-damaged", error.kind())),
            }
        };
        let blob = cutting.blob();
        let ended = taken.and_then(|()| cutting.end(domain.clone(), FileName::of("file"), About::default()));
        match ended {
            Ok((blob, descriptor, file)) => Ok(Self { shelf, blob, descriptor, file, kept: false }),
            Err(failure) => {
                shelf.remove(&blob)?;
                Err(failure)
            }
        }
    }

    /// It stays; how a message tells of it, but for what is known of it besides its bytes.
    pub(crate) fn keep(mut self) -> Outcome<Descriptor> {
        self.shelf.keep_staged(&self.blob, &self.file)?;
        self.kept = true;
        Ok(self.descriptor.clone())
    }
}

impl Drop for Brought {
    fn drop(&mut self) {
        if !self.kept && self.shelf.remove(&self.blob).is_err() {
            tracing::info!("a file that was not kept is thrown away at the next start");
        }
    }
}

/// A file that was not in the history: all that is known of it is told, and that it is nowhere.
pub(crate) fn absent(size: u64, digest: [u8; 32]) -> Outcome<Descriptor> {
    Ok(Descriptor {
        key: blob::FileKey::generate(),
        shape: Shape::of(size).map_err(|_| Failure::new("history-damaged", "no file is so large"))?,
        digest: blob::Digest(digest),
        media_type: String::new(),
        name: FileName::of("file"),
        pixels: None,
        duration_ms: None,
        wave: Vec::new(),
        preview: Vec::new(),
        places: Vec::new(),
    })
}
