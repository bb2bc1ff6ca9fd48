//! Compares the certificate that was shown with the ones that were vouched for.

use call::Fingerprint;
use sha2::{Digest, Sha256};

/// Why a handshake proves nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BindingError {
    #[error("no certificate was shown")]
    NoCertificate,
    #[error("the certificate shown is not a vouched one")]
    Mismatch,
}

/// Gives the fingerprint of the shown chain's first certificate if it is among `vouched`.
pub(crate) fn verify(shown: &[Vec<u8>], vouched: &[Fingerprint]) -> Result<Fingerprint, BindingError> {
    let leaf = shown.first().ok_or(BindingError::NoCertificate)?;
    let fingerprint = Fingerprint::from_digest(Sha256::digest(leaf).into());
    if vouched.contains(&fingerprint) { Ok(fingerprint) } else { Err(BindingError::Mismatch) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(certificate: &[u8]) -> Fingerprint {
        Fingerprint::from_digest(Sha256::digest(certificate).into())
    }

    #[test]
    fn only_the_first_certificate_counts_and_only_a_vouched_one() {
        let (ours, other) = (b"certificate".to_vec(), b"other".to_vec());
        let vouched = [of(b"spare"), of(&ours)];
        assert_eq!(verify(&[ours.clone(), other.clone()], &vouched), Ok(of(&ours)));
        assert_eq!(verify(&[other, ours.clone()], &vouched), Err(BindingError::Mismatch));
        assert_eq!(verify(&[], &vouched), Err(BindingError::NoCertificate));
        assert_eq!(verify(&[ours], &[]), Err(BindingError::Mismatch));
    }
}
