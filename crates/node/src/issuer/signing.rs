//! The issuer's ES256 key: signs id_tokens, shows its public half as a JWK.

use std::path::Path;

use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

use super::IssuerError;
use crate::secret_file;

/// The key of an issuer.
pub(super) struct TokenKey {
    pair: EcdsaKeyPair,
    kid: String,
    jwk: Value,
}

impl TokenKey {
    /// Reads the key of a file, or makes one the first time.
    pub(super) fn open(path: &Path) -> Result<Self, IssuerError> {
        let random = SystemRandom::new();
        let stored = match secret_file::read(path)? {
            Some(bytes) => bytes,
            None => {
                let made = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random)
                    .map_err(|_| IssuerError::Key("no randomness".into()))?;
                secret_file::write(path, made.as_ref())?;
                made.as_ref().to_vec()
            }
        };
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &stored, &random)
            .map_err(|error| IssuerError::Key(error.to_string()))?;
        let point = pair.public_key().as_ref();
        // An uncompressed point: 4, then two coordinates of 32 bytes (SEC 1, 2.3.3).
        let (x, y) = match point {
            [4, rest @ ..] if rest.len() == 64 => (keys::b64url(&rest[..32]), keys::b64url(&rest[32..])),
            _ => return Err(IssuerError::Key("not an uncompressed point".into())),
        };
        // RFC 7638: the required members in alphabetic order.
        let thumbprint = format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let kid = keys::b64url(&keys::sha256(thumbprint.as_bytes()));
        let jwk = json!({ "kty": "EC", "crv": "P-256", "alg": "ES256", "use": "sig", "kid": kid, "x": x, "y": y });
        Ok(Self { pair, kid, jwk })
    }

    pub(super) fn jwks(&self) -> Value {
        json!({ "keys": [self.jwk] })
    }

    /// A compact JWS over these claims.
    pub(super) fn sign(&self, claims: &Value) -> Result<String, IssuerError> {
        let header = json!({ "alg": "ES256", "kid": self.kid, "typ": "JWT" });
        let signed =
            format!("{}.{}", keys::b64url(header.to_string().as_bytes()), keys::b64url(claims.to_string().as_bytes()));
        let signature = self
            .pair
            .sign(&SystemRandom::new(), signed.as_bytes())
            .map_err(|_| IssuerError::Key("no randomness".into()))?;
        Ok(format!("{signed}.{}", keys::b64url(signature.as_ref())))
    }
}
