//! Hashes bytes for a guest.

use bytes::Bytes;
use sha2::{Digest, Sha256, Sha384, Sha512};

use crate::control::CallError;

/// The digest by one of the algorithms of Web Crypto; SHA-1 is left out on purpose.
pub fn digest(algorithm: &str, bytes: &[u8]) -> Result<Bytes, CallError> {
    Ok(match algorithm {
        "SHA-256" => Bytes::copy_from_slice(&Sha256::digest(bytes)),
        "SHA-384" => Bytes::copy_from_slice(&Sha384::digest(bytes)),
        "SHA-512" => Bytes::copy_from_slice(&Sha512::digest(bytes)),
        _ => return Err(CallError::new("NotSupportedError", "the algorithm is not supported")),
    })
}
