//! A file as it comes, piece by piece and from wherever: each piece is checked, and none that is here comes twice.

use std::fs::File;

use blob::{Descriptor, Sealed, Shape, Verifier, Wrong};

use super::shelf::{Shelf, read_chunk, write_chunk};
use crate::trouble::{Failure, Outcome};

/// What came so far of a file.
pub(super) struct Taking {
    shelf: Shelf,
    blob: String,
    shape: Shape,
    digest: blob::Digest,
    sealed: Sealed,
    verifier: Verifier,
    kept: File,
    next: u32,
}

impl Taking {
    /// Goes on behind what is here already, which is checked like what comes.
    pub(super) fn begin(shelf: Shelf, blob: &str, file: &Descriptor) -> Outcome<Self> {
        let shape = file.shape;
        let (kept, here) = shelf.partial(blob, shape)?;
        let (sealed, verifier) = (Sealed::new(&file.key, shape), Verifier::new(shape));
        let mut taking =
            Self { shelf, blob: blob.to_owned(), shape, digest: file.digest, sealed, verifier, kept, next: 0 };
        while taking.next < here {
            let kept = read_chunk(&mut taking.kept, shape, taking.next)?;
            let Ok(plain) = taking.sealed.open(taking.next, &kept) else { break };
            taking.verifier.take(&plain).map_err(tampered)?;
            taking.next += 1;
        }
        Ok(taking)
    }

    pub(super) fn blob(&self) -> &str {
        &self.blob
    }

    pub(super) fn shape(&self) -> Shape {
        self.shape
    }

    /// The first piece that is missing.
    pub(super) fn next(&self) -> u32 {
        self.next
    }

    pub(super) fn is_whole(&self) -> bool {
        self.next == self.shape.chunks()
    }

    /// Plain bytes that are here.
    pub(super) fn done(&self) -> u64 {
        (u64::from(self.next) * blob::CHUNK as u64).min(self.shape.size())
    }

    /// Takes the next piece.
    pub(super) fn take(&mut self, piece: u32, sealed: &[u8]) -> Outcome<()> {
        if piece != self.next {
            return Err(tampered(Wrong::NoSuchChunk));
        }
        let plain = self.sealed.open(piece, sealed).map_err(tampered)?;
        self.verifier.take(&plain).map_err(tampered)?;
        write_chunk(&mut self.kept, self.shape, piece, sealed)?;
        self.next += 1;
        Ok(())
    }

    /// All of it came: it stays if it is the file that was described.
    pub(super) fn end(self) -> Outcome<()> {
        if let Err(wrong) = self.verifier.end(self.digest) {
            self.shelf.drop_partial(&self.blob);
            return Err(tampered(wrong));
        }
        self.shelf.keep_partial(&self.blob, &self.kept, self.shape)
    }
}

pub(super) fn tampered(wrong: Wrong) -> Failure {
    Failure::new("file-tampered", wrong)
}

#[cfg(test)]
mod tests {
    use blob::{Cutter, FileKey, FileName};

    use super::*;

    /// A file of so many bytes, and its sealed pieces.
    fn cut(size: usize) -> (Descriptor, Vec<Vec<u8>>) {
        let (key, shape) = (FileKey::generate(), Shape::of(size as u64).unwrap());
        let mut cutter = Cutter::new(&key, shape);
        let mut pieces = cutter.take(&vec![7; size]).unwrap();
        let (digest, only) = cutter.end().unwrap();
        pieces.extend(only);
        let mut file = super::super::carry::absent(size as u64, digest.0).unwrap();
        (file.key, file.name) = (key, FileName::of("film"));
        (file, pieces)
    }

    #[test]
    fn what_came_before_does_not_come_again_and_a_wrong_piece_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let shelf = || Shelf::at(folder.path().to_owned());
        let (file, pieces) = cut(blob::CHUNK * 3 + 10);
        let mut taking = Taking::begin(shelf(), "b", &file).unwrap();
        taking.take(0, &pieces[0]).unwrap();
        assert_eq!(taking.take(1, &pieces[2]).unwrap_err().code, "file-tampered", "a piece of another place");
        assert_eq!(taking.take(2, &pieces[2]).unwrap_err().code, "file-tampered", "a piece ahead of its turn");
        taking.take(1, &pieces[1]).unwrap();
        drop(taking);
        let mut taking = Taking::begin(shelf(), "b", &file).unwrap();
        assert_eq!((taking.next(), taking.done()), (2, 2 * blob::CHUNK as u64), "two pieces are here");
        taking.take(2, &pieces[2]).unwrap();
        assert!(!taking.is_whole());
        taking.take(3, &pieces[3]).unwrap();
        assert!(taking.is_whole());
        taking.end().unwrap();
        assert!(shelf().has("b", file.shape));
    }
}
