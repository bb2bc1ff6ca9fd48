//! The keys of a person and a device, and the few primitives everything else is made of.
//!
//! Every secret type wipes itself and never shows itself in `Debug`. Every public key that can be
//! held is canonical and not of small order, so no caller has to ask again. No I/O except the
//! operating system's random source.

mod digest;
mod passphrase;
pub mod recovery;
mod seal;
pub mod sealed_box;
mod sign;
mod stream;
mod text;

pub use digest::{constant_time_eq, hkdf_sha256, hmac_sha256, sha3_256, sha256};
pub use passphrase::{PassphraseError, PassphraseParams, passphrase_key};
pub use seal::{OpenError, SEAL_OVERHEAD, SealError, SealKey};
pub use sign::{KeyError, Signature, SignatureError, SigningKey, VerifyingKey};
pub use stream::{Chunks, OpenStream, STREAM_OVERHEAD, SealStream};
pub use text::{TextError, b64url, base32, from_b64url, from_base32};

/// Bytes from the operating system's random source.
///
/// # Panics
/// When the system has no randomness to give: no key made afterwards could be trusted.
pub fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0u8; N];
    fill_random(&mut bytes);
    bytes
}

pub(crate) fn fill_random<const N: usize>(bytes: &mut [u8; N]) {
    getrandom::fill(bytes).expect("the operating system always has randomness for a running program");
}

/// Overwrites the part of the stack that functions called before have left behind.
///
/// Hashes and ciphers of other crates work on copies of the key on the stack and do not wipe them.
/// Best effort: no secret may depend on it, but what is left in memory after a lock does.
#[inline(never)]
pub fn wipe_stack() {
    let mut used = [0u8; 32 * 1024];
    zeroize::Zeroize::zeroize(&mut used);
    std::hint::black_box(&used);
}
