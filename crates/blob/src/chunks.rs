//! Cuts a file, seals each chunk for its place, and puts it together again.
//!
//! The STREAM construction over XChaCha20-Poly1305 with a fresh key for each file: the nonce of a chunk holds its
//! number and whether it is the last, and the size of the whole is bound to each. So a chunk that was moved,
//! left out, cut, repeated or put into another file does not open; at the end the digest of the whole is compared.

use std::fmt;

use keys::{Chunks, SealKey};
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use zeroize::Zeroizing;

use crate::limits::{CHUNK, SEALED_CHUNK, SIZE_LIMIT};

const CONTEXT: &[u8] = b"parlance-file-v1\n";

/// SHA-256 of a whole plain file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Digest(pub [u8; 32]);

/// What opens one file, and seals it once.
#[derive(Clone)]
pub struct FileKey(SealKey);

impl FileKey {
    /// A fresh key; every file gets its own.
    pub fn generate() -> Self {
        Self(SealKey::generate())
    }

    /// A key that was kept or sent.
    pub fn from_bytes(bytes: &[u8; 32]) -> Self {
        Self(SealKey::from_bytes(bytes))
    }

    /// Its bytes, to be kept sealed.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }
}

impl PartialEq for FileKey {
    fn eq(&self, other: &Self) -> bool {
        keys::constant_time_eq(self.as_bytes(), other.as_bytes())
    }
}

impl Eq for FileKey {}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileKey(…)")
    }
}

/// The file is larger than any may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a file has at most {SIZE_LIMIT} bytes")]
pub struct ShapeError;

/// How a file of a certain size is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    size: u64,
}

impl Shape {
    /// Of a file with so many bytes.
    pub fn of(size: u64) -> Result<Self, ShapeError> {
        if size <= SIZE_LIMIT { Ok(Self { size }) } else { Err(ShapeError) }
    }

    /// Bytes of the plain file.
    pub fn size(self) -> u64 {
        self.size
    }

    /// How many chunks; an empty file has one.
    pub fn chunks(self) -> u32 {
        u32::try_from(self.size.div_ceil(CHUNK as u64).max(1)).unwrap_or(u32::MAX)
    }

    /// Bytes of all sealed chunks.
    pub fn sealed_size(self) -> u64 {
        self.size + u64::from(self.chunks()) * keys::STREAM_OVERHEAD as u64
    }

    /// Where a sealed chunk begins when all lie behind each other.
    pub fn sealed_offset(self, chunk: u32) -> u64 {
        u64::from(chunk) * SEALED_CHUNK as u64
    }

    /// Bytes of a plain chunk; nothing for one there is not.
    pub fn plain_length(self, chunk: u32) -> Option<usize> {
        let last = self.chunks() - 1;
        if chunk > last {
            return None;
        }
        let rest = self.size - u64::from(chunk) * CHUNK as u64;
        Some(usize::try_from(rest.min(CHUNK as u64)).unwrap_or(CHUNK))
    }

    /// Bytes of a sealed chunk; nothing for one there is not.
    pub fn sealed_length(self, chunk: u32) -> Option<usize> {
        Some(self.plain_length(chunk)? + keys::STREAM_OVERHEAD)
    }

    fn is_last(self, chunk: u32) -> bool {
        chunk + 1 == self.chunks()
    }

    fn context(self) -> Vec<u8> {
        [CONTEXT, &self.size.to_be_bytes()].concat()
    }
}

/// Why a file that came is not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Wrong {
    /// The file has no such chunk.
    #[error("the file has no such chunk")]
    NoSuchChunk,
    /// A chunk of another length than its place has.
    #[error("the chunk has another length than it must have")]
    Length,
    /// Changed, moved, of another file or another size.
    #[error("the chunk was changed, or belongs to another place")]
    Forged,
    /// All chunks open, and yet it is not the file that was described.
    #[error("the file is not the one that was described")]
    Digest,
    /// The file ended too early, or went on too long.
    #[error("the file does not have the size that was said")]
    Size,
}

/// Seals and opens the chunks of one file, in any order.
pub struct Sealed {
    shape: Shape,
    chunks: Chunks,
}

impl Sealed {
    /// The file that is sealed with this key.
    pub fn new(key: &FileKey, shape: Shape) -> Self {
        Self { shape, chunks: Chunks::new(&key.0, &shape.context()) }
    }

    /// Opens the chunk of a place.
    pub fn open(&self, chunk: u32, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, Wrong> {
        let length = self.shape.sealed_length(chunk).ok_or(Wrong::NoSuchChunk)?;
        if sealed.len() != length {
            return Err(Wrong::Length);
        }
        self.chunks.open(chunk, self.shape.is_last(chunk), sealed).map_err(|_| Wrong::Forged)
    }

    fn seal(&self, chunk: u32, plain: &[u8]) -> Result<Vec<u8>, Wrong> {
        self.chunks.seal(chunk, self.shape.is_last(chunk), plain).map_err(|_| Wrong::Size)
    }
}

/// Cuts and seals a file whose bytes come piece by piece; its size is known before.
pub struct Cutter {
    sealed: Sealed,
    rest: Zeroizing<Vec<u8>>,
    next: u32,
    taken: u64,
    digest: sha2::Sha256,
}

impl Cutter {
    /// Begins a file. The key must be fresh.
    pub fn new(key: &FileKey, shape: Shape) -> Self {
        let rest = Zeroizing::new(Vec::with_capacity(CHUNK));
        Self { sealed: Sealed::new(key, shape), rest, next: 0, taken: 0, digest: sha2::Sha256::new() }
    }

    /// Takes the next bytes; gives the sealed chunks that are whole now.
    pub fn take(&mut self, mut bytes: &[u8]) -> Result<Vec<Vec<u8>>, Wrong> {
        let shape = self.sealed.shape;
        self.taken = self.taken.saturating_add(bytes.len() as u64);
        if self.taken > shape.size() {
            return Err(Wrong::Size);
        }
        self.digest.update(bytes);
        let mut whole = Vec::new();
        while !bytes.is_empty() {
            let length = shape.plain_length(self.next).ok_or(Wrong::Size)?;
            let (now, later) = bytes.split_at(bytes.len().min(length - self.rest.len()));
            self.rest.extend_from_slice(now);
            bytes = later;
            if self.rest.len() == length {
                whole.push(self.sealed.seal(self.next, &self.rest)?);
                self.rest.clear();
                self.next += 1;
            }
        }
        Ok(whole)
    }

    /// Bytes it has taken.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Ends the file: its digest, and for an empty one its only chunk.
    pub fn end(self) -> Result<(Digest, Option<Vec<u8>>), Wrong> {
        if self.taken != self.sealed.shape.size() {
            return Err(Wrong::Size);
        }
        let only = (self.taken == 0).then(|| self.sealed.seal(0, &[])).transpose()?;
        Ok((Digest(self.digest.finalize().into()), only))
    }
}

/// Compares a file that is put together with what was said of it, chunk by chunk from the first to the last.
pub struct Verifier {
    shape: Shape,
    next: u32,
    digest: sha2::Sha256,
}

impl Verifier {
    /// Begins.
    pub fn new(shape: Shape) -> Self {
        Self { shape, next: 0, digest: sha2::Sha256::new() }
    }

    /// Takes the next plain chunk.
    pub fn take(&mut self, plain: &[u8]) -> Result<(), Wrong> {
        if self.shape.plain_length(self.next) != Some(plain.len()) {
            return Err(Wrong::Length);
        }
        self.next += 1;
        self.digest.update(plain);
        Ok(())
    }

    /// Whether it was the file.
    pub fn end(self, said: Digest) -> Result<(), Wrong> {
        if self.next != self.shape.chunks() {
            return Err(Wrong::Size);
        }
        let found: [u8; 32] = self.digest.finalize().into();
        if keys::constant_time_eq(&found, &said.0) { Ok(()) } else { Err(Wrong::Digest) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cut(key: &FileKey, file: &[u8], pieces: usize) -> (Vec<Vec<u8>>, Digest) {
        let mut cutter = Cutter::new(key, Shape::of(file.len() as u64).unwrap());
        let mut chunks = Vec::new();
        for piece in file.chunks(pieces.max(1)) {
            chunks.extend(cutter.take(piece).unwrap());
        }
        let (digest, only) = cutter.end().unwrap();
        chunks.extend(only);
        (chunks, digest)
    }

    fn file(length: usize) -> Vec<u8> {
        (0..length).map(|at| (at * 31 % 251) as u8).collect()
    }

    #[test]
    fn a_file_of_any_length_comes_out_as_it_went_in() {
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK] {
            let (key, plain) = (FileKey::generate(), file(length));
            let shape = Shape::of(length as u64).unwrap();
            let (chunks, digest) = cut(&key, &plain, 50_000);
            assert_eq!(chunks.len(), shape.chunks() as usize);
            assert_eq!(chunks.iter().map(Vec::len).sum::<usize>() as u64, shape.sealed_size());
            let (sealed, mut verifier, mut out) = (Sealed::new(&key, shape), Verifier::new(shape), Vec::new());
            for (at, chunk) in chunks.iter().enumerate() {
                let opened = sealed.open(at as u32, chunk).unwrap();
                verifier.take(&opened).unwrap();
                out.extend_from_slice(&opened);
            }
            verifier.end(digest).unwrap();
            assert_eq!(out, plain);
        }
    }

    #[test]
    fn a_chunk_that_was_moved_changed_cut_or_borrowed_is_refused() {
        let (key, plain) = (FileKey::generate(), file(3 * CHUNK));
        let (chunks, _) = cut(&key, &plain, CHUNK);
        let sealed = Sealed::new(&key, Shape::of(plain.len() as u64).unwrap());
        assert_eq!(sealed.open(0, &chunks[1]).unwrap_err(), Wrong::Forged, "moved");
        assert_eq!(sealed.open(2, &chunks[1]).unwrap_err(), Wrong::Forged, "made the last");
        assert_eq!(sealed.open(3, &chunks[2]).unwrap_err(), Wrong::NoSuchChunk);
        assert_eq!(sealed.open(u32::MAX, &chunks[2]).unwrap_err(), Wrong::NoSuchChunk);
        assert_eq!(sealed.open(0, &chunks[0][1..]).unwrap_err(), Wrong::Length, "cut");
        let mut changed = chunks[0].clone();
        changed[77] ^= 1;
        assert_eq!(sealed.open(0, &changed).unwrap_err(), Wrong::Forged, "changed");
        let shorter = Sealed::new(&key, Shape::of(2 * CHUNK as u64).unwrap());
        assert_eq!(shorter.open(0, &chunks[0]).unwrap_err(), Wrong::Forged, "of a file of another size");
        let (others, _) = cut(&FileKey::generate(), &plain, CHUNK);
        assert_eq!(sealed.open(0, &others[0]).unwrap_err(), Wrong::Forged, "of another file");
    }

    #[test]
    fn who_lies_about_size_or_digest_is_found_out() {
        let mut cutter = Cutter::new(&FileKey::generate(), Shape::of(10).unwrap());
        assert_eq!(cutter.take(&[0; 11]).unwrap_err(), Wrong::Size);
        let mut cutter = Cutter::new(&FileKey::generate(), Shape::of(10).unwrap());
        cutter.take(&[0; 9]).unwrap();
        assert_eq!(cutter.end().unwrap_err(), Wrong::Size);
        let shape = Shape::of(2 * CHUNK as u64).unwrap();
        let mut verifier = Verifier::new(shape);
        verifier.take(&file(CHUNK)).unwrap();
        assert_eq!(verifier.end(Digest([0; 32])).unwrap_err(), Wrong::Size);
        let mut verifier = Verifier::new(Shape::of(3).unwrap());
        verifier.take(b"abc").unwrap();
        assert_eq!(verifier.end(Digest([0; 32])).unwrap_err(), Wrong::Digest);
        assert_eq!(Shape::of(SIZE_LIMIT + 1).unwrap_err(), ShapeError);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(24))]
        #[test]
        fn the_shape_of_a_file_adds_up(size in prop_oneof![0..=5 * CHUNK as u64, 0..=SIZE_LIMIT]) {
            let shape = Shape::of(size).unwrap();
            let last = shape.chunks() - 1;
            let before = u64::from(last) * CHUNK as u64;
            prop_assert_eq!(before + shape.plain_length(last).unwrap() as u64, size);
            prop_assert_eq!(shape.sealed_offset(last) + shape.sealed_length(last).unwrap() as u64, shape.sealed_size());
            prop_assert_eq!(shape.plain_length(shape.chunks()), None);
        }

        #[test]
        fn it_does_not_matter_in_which_pieces_a_file_comes(length in 0..3 * CHUNK, pieces in 1..2 * CHUNK) {
            let (key, plain) = (FileKey::generate(), file(length));
            prop_assert_eq!(cut(&key, &plain, pieces), cut(&key, &plain, CHUNK));
        }
    }
}
