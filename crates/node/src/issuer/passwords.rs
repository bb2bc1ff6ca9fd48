//! Password hashes: Argon2id, a few at a time.

use keys::{PassphraseParams, constant_time_eq, passphrase_key};
use message::Private;
use tokio::sync::Semaphore;

use crate::limits::HASHES_AT_ONCE;

/// The hashes cannot be computed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the node is too busy to check a password")]
pub(super) struct Busy;

/// A stored hash.
#[derive(Clone)]
pub(super) struct Hashed {
    pub(super) params: String,
    pub(super) hash: Vec<u8>,
}

/// Computes hashes beside the async threads, never more than [`HASHES_AT_ONCE`].
pub(super) struct Passwords {
    places: Semaphore,
    /// Compared against when there is no such person, so that the answer takes as long.
    nobody: Hashed,
}

impl Passwords {
    pub(super) fn new() -> Self {
        let params = serde_json::to_string(&server_params()).unwrap_or_default();
        Self { places: Semaphore::new(HASHES_AT_ONCE), nobody: Hashed { params, hash: keys::random::<32>().to_vec() } }
    }

    /// Hashes a new password.
    pub(super) async fn hash(&self, password: Private<String>) -> Result<Hashed, Busy> {
        let params = server_params();
        let hash = self.compute(password, params.clone()).await?;
        Ok(Hashed { params: serde_json::to_string(&params).map_err(|_| Busy)?, hash })
    }

    /// Whether a password is the one that was hashed.
    pub(super) async fn check(&self, password: Private<String>, stored: Option<Hashed>) -> Result<bool, Busy> {
        let exists = stored.is_some();
        let stored = stored.unwrap_or_else(|| self.nobody.clone());
        let params: PassphraseParams = serde_json::from_str(&stored.params).map_err(|_| Busy)?;
        let hash = self.compute(password, params).await?;
        Ok(constant_time_eq(&hash, &stored.hash) && exists)
    }

    async fn compute(&self, password: Private<String>, params: PassphraseParams) -> Result<Vec<u8>, Busy> {
        let _place = self.places.acquire().await.map_err(|_| Busy)?;
        let key = tokio::task::spawn_blocking(move || passphrase_key(&password.0, &params)).await.map_err(|_| Busy)?;
        Ok(key.map_err(|_| Busy)?.as_bytes().to_vec())
    }
}

/// OWASP's Argon2id for servers: 19 MiB, two passes, one lane.
fn server_params() -> PassphraseParams {
    PassphraseParams { memory_kib: 19 * 1024, passes: 2, ..PassphraseParams::desktop() }
}
