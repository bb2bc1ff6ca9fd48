//! The signature algorithms an issuer may use, and checking one.

use std::fmt;

use ring::signature as ring_sig;
use serde::{Deserialize, Serialize};

use crate::jwks::{KeyFault, PublicKey};

/// An algorithm an issuer may sign id_tokens with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// Why an `alg` is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AlgorithmError {
    /// `none`, or one where the verifier could sign as well.
    #[error("an issuer must sign with a key of its own")]
    Forbidden,
    /// One that nobody here checks.
    #[error("the signature algorithm is not one of RS256, PS256, ES256, ES384, EdDSA")]
    Unsupported,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::RS256, Self::PS256, Self::ES256, Self::ES384, Self::EdDsa];

    /// Reads the `alg` of a header.
    pub fn parse(text: &str) -> Result<Self, AlgorithmError> {
        match text {
            "RS256" => Ok(Self::RS256),
            "PS256" => Ok(Self::PS256),
            "ES256" => Ok(Self::ES256),
            "ES384" => Ok(Self::ES384),
            "EdDSA" => Ok(Self::EdDsa),
            _ if text.eq_ignore_ascii_case("none") => Err(AlgorithmError::Forbidden),
            _ if text.get(..2).is_some_and(|start| start.eq_ignore_ascii_case("HS")) => Err(AlgorithmError::Forbidden),
            _ => Err(AlgorithmError::Unsupported),
        }
    }

    /// As it stands in a header.
    pub fn name(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::PS256 => "PS256",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDsa => "EdDSA",
        }
    }

    /// Whether `key` is of the kind this algorithm uses.
    pub(crate) fn fits(self, key: &PublicKey) -> Result<(), KeyFault> {
        let fits = matches!(
            (self, key),
            (Self::RS256 | Self::PS256, PublicKey::Rsa { .. })
                | (Self::ES256, PublicKey::P256(_))
                | (Self::ES384, PublicKey::P384(_))
                | (Self::EdDsa, PublicKey::Ed25519(_))
        );
        if fits { Ok(()) } else { Err(KeyFault::WrongKind) }
    }

    /// Whether `key` signed `data`.
    pub(crate) fn verify(self, key: &PublicKey, data: &[u8], signature: &[u8]) -> bool {
        match (self, key) {
            (Self::RS256, PublicKey::Rsa { n, e }) => rsa(&ring_sig::RSA_PKCS1_2048_8192_SHA256, n, e, data, signature),
            (Self::PS256, PublicKey::Rsa { n, e }) => rsa(&ring_sig::RSA_PSS_2048_8192_SHA256, n, e, data, signature),
            (Self::ES256, PublicKey::P256(point)) => ecdsa(&ring_sig::ECDSA_P256_SHA256_FIXED, point, data, signature),
            (Self::ES384, PublicKey::P384(point)) => ecdsa(&ring_sig::ECDSA_P384_SHA384_FIXED, point, data, signature),
            (Self::EdDsa, PublicKey::Ed25519(key)) => {
                keys::Signature::from_bytes(signature).is_ok_and(|signature| key.verify(data, &signature).is_ok())
            }
            _ => false,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

fn rsa(parameters: &'static ring_sig::RsaParameters, n: &[u8], e: &[u8], data: &[u8], signature: &[u8]) -> bool {
    ring_sig::RsaPublicKeyComponents { n, e }.verify(parameters, data, signature).is_ok()
}

fn ecdsa(
    parameters: &'static ring_sig::EcdsaVerificationAlgorithm,
    point: &[u8],
    data: &[u8],
    signature: &[u8],
) -> bool {
    ring_sig::UnparsedPublicKey::new(parameters, point).verify(data, signature).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_algorithm_without_a_key_of_the_issuers_own_is_forbidden() {
        for alg in ["none", "None", "NONE", "HS256", "HS384", "hs512", "HS999"] {
            assert_eq!(Algorithm::parse(alg), Err(AlgorithmError::Forbidden), "{alg}");
        }
        for alg in ["RS512", "ES256K", "GQ256", "", "Ü", "rs256"] {
            assert_eq!(Algorithm::parse(alg), Err(AlgorithmError::Unsupported), "{alg}");
        }
        for alg in Algorithm::ALL {
            assert_eq!(Algorithm::parse(alg.name()), Ok(alg));
        }
    }
}
