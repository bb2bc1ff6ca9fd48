//! Sealing of a long text in chunks: cut, reordered, repeated or changed chunks do not open.
//!
//! The STREAM construction of Hoang, Reyhanitabar, Rogaway and Vizár over XChaCha20-Poly1305: the
//! nonce of a chunk holds its number and whether it is the last one.

use std::fmt;

use chacha20poly1305::XChaCha20Poly1305;
use chacha20poly1305::aead::Payload;
use chacha20poly1305::aead::stream::{DecryptorBE32, EncryptorBE32, NewStream, Nonce, StreamBE32, StreamPrimitive};
use zeroize::Zeroizing;

use crate::{OpenError, SealError, SealKey};

/// By how many bytes a sealed chunk is longer than the plain one.
pub const STREAM_OVERHEAD: usize = 16;

/// Seals one stream. The key is consumed: it seals this stream and nothing else, so the first part
/// of the nonce can be the same for all.
pub struct SealStream(EncryptorBE32<XChaCha20Poly1305>);

impl SealStream {
    /// A stream under a key of its own.
    pub fn new(key: SealKey) -> Self {
        Self(EncryptorBE32::from_aead(key.cipher(), &prefix()))
    }

    /// Seals the next chunk, which is not the last one.
    pub fn next(&mut self, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        self.0.encrypt_next(plain).map_err(|_| SealError::TooLong)
    }

    /// Seals the last chunk.
    pub fn last(self, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        self.0.encrypt_last(plain).map_err(|_| SealError::TooLong)
    }
}

impl fmt::Debug for SealStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealStream(…)")
    }
}

/// Opens one stream, chunk by chunk, in the order they were sealed.
pub struct OpenStream(DecryptorBE32<XChaCha20Poly1305>);

impl OpenStream {
    /// The stream that was sealed with this key.
    pub fn new(key: SealKey) -> Self {
        Self(DecryptorBE32::from_aead(key.cipher(), &prefix()))
    }

    /// Opens the next chunk, which must not be the last one.
    pub fn next(&mut self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        opened(sealed, self.0.decrypt_next(sealed))
    }

    /// Opens the last chunk; one that was not sealed as the last is refused.
    pub fn last(self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        opened(sealed, self.0.decrypt_last(sealed))
    }
}

impl fmt::Debug for OpenStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OpenStream(…)")
    }
}

/// The same construction for chunks that come and go in any order: a chunk is named by its place.
///
/// The key must seal one stream only, as with [`SealStream`]; `context` is bound to every chunk.
pub struct Chunks {
    stream: StreamBE32<XChaCha20Poly1305>,
    context: Vec<u8>,
}

impl Chunks {
    /// The chunks under a key of their own.
    pub fn new(key: &SealKey, context: &[u8]) -> Self {
        Self { stream: StreamBE32::from_aead(key.clone().cipher(), &prefix()), context: context.to_vec() }
    }

    /// Seals the chunk at a place. The same place must not be sealed twice with different bytes.
    pub fn seal(&self, place: u32, last: bool, plain: &[u8]) -> Result<Vec<u8>, SealError> {
        let payload = Payload { msg: plain, aad: &self.context };
        self.stream.encrypt(place, last, payload).map_err(|_| SealError::TooLong)
    }

    /// Opens the chunk of a place.
    pub fn open(&self, place: u32, last: bool, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        opened(sealed, self.stream.decrypt(place, last, Payload { msg: sealed, aad: &self.context }))
    }
}

impl fmt::Debug for Chunks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chunks(…)")
    }
}

fn prefix() -> Nonce<XChaCha20Poly1305, StreamBE32<XChaCha20Poly1305>> {
    Nonce::<XChaCha20Poly1305, StreamBE32<XChaCha20Poly1305>>::default()
}

fn opened<E>(sealed: &[u8], plain: Result<Vec<u8>, E>) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    match plain {
        Ok(plain) => Ok(Zeroizing::new(plain)),
        Err(_) if sealed.len() < STREAM_OVERHEAD => Err(OpenError::TooShort),
        Err(_) => Err(OpenError::Forged),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sealed(key: &SealKey) -> [Vec<u8>; 3] {
        let mut stream = SealStream::new(key.clone());
        [stream.next(b"one").unwrap(), stream.next(b"two").unwrap(), stream.last(b"three").unwrap()]
    }

    #[test]
    fn a_stream_opens_in_its_order_to_its_end() {
        let key = SealKey::generate();
        let [one, two, three] = sealed(&key);
        assert_eq!(one.len(), 3 + STREAM_OVERHEAD);
        let mut stream = OpenStream::new(key);
        assert_eq!(stream.next(&one).unwrap().as_slice(), b"one");
        assert_eq!(stream.next(&two).unwrap().as_slice(), b"two");
        assert_eq!(stream.last(&three).unwrap().as_slice(), b"three");
    }

    #[test]
    fn a_chunk_opens_at_its_place_and_in_its_context_only() {
        let key = SealKey::generate();
        let chunks = Chunks::new(&key, b"3 chunks");
        let sealed = chunks.seal(1, false, b"two").unwrap();
        assert_eq!(chunks.open(1, false, &sealed).unwrap().as_slice(), b"two");
        for (place, last) in [(0, false), (2, false), (1, true)] {
            assert_eq!(chunks.open(place, last, &sealed).unwrap_err(), OpenError::Forged);
        }
        assert_eq!(Chunks::new(&key, b"4 chunks").open(1, false, &sealed).unwrap_err(), OpenError::Forged);
        let plain = SealStream::new(key.clone()).next(b"one").unwrap();
        assert_eq!(Chunks::new(&key, b"").open(0, false, &plain).unwrap().as_slice(), b"one", "one construction");
    }

    #[test]
    fn a_stream_that_was_cut_reordered_or_continued_does_not_open() {
        let key = SealKey::generate();
        let [one, two, three] = sealed(&key);
        let open = || OpenStream::new(key.clone());
        assert_eq!(open().last(&one).unwrap_err(), OpenError::Forged, "cut after the first chunk");
        assert_eq!(open().next(&two).unwrap_err(), OpenError::Forged, "the first chunk is missing");
        let mut stream = open();
        stream.next(&one).unwrap();
        assert_eq!(stream.next(&one).unwrap_err(), OpenError::Forged, "the first chunk again");
        let mut stream = open();
        stream.next(&one).unwrap();
        stream.next(&two).unwrap();
        assert_eq!(stream.next(&three).unwrap_err(), OpenError::Forged, "something after the end");
        assert_eq!(open().last(&one[..8]).unwrap_err(), OpenError::TooShort);
        assert_eq!(OpenStream::new(SealKey::generate()).next(&one).unwrap_err(), OpenError::Forged);
        for at in 0..one.len() {
            let mut changed = one.clone();
            changed[at] ^= 0x80;
            assert_eq!(open().next(&changed).unwrap_err(), OpenError::Forged);
        }
    }
}
