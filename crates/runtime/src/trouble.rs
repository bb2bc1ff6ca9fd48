//! Turns what went wrong below into words a shell can act upon.

use contract::{ApiError, Trouble};

/// A failure with a stable code; `detail` never names a person, an address or a key.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{code}: {detail}")]
pub struct Failure {
    /// A stable word; see `docs/protocol/troubles.md`.
    pub code: String,
    /// The fact in English.
    pub detail: String,
}

impl Failure {
    /// Puts a failure into words.
    pub fn new(code: impl Into<String>, detail: impl std::fmt::Display) -> Self {
        Self { code: code.into(), detail: detail.to_string() }
    }

    /// The store could not do its work.
    pub fn store(error: impl std::fmt::Display) -> Self {
        Self::new("store-failed", error)
    }

    /// Not possible before the first run is over.
    pub fn not_ready() -> Self {
        Self::new("not-ready", "there is no account on this device yet")
    }

    /// What was asked for does not exist.
    pub fn unknown(what: &str) -> Self {
        Self::new("unknown", format!("no such {what}"))
    }
}

impl From<store::StoreError> for Failure {
    fn from(error: store::StoreError) -> Self {
        Self::store(error)
    }
}

impl From<seal::parcel::NoParcels> for Failure {
    fn from(error: seal::parcel::NoParcels) -> Self {
        Self::new("malformed", error)
    }
}

impl From<sync::bundle::BundleError> for Failure {
    fn from(error: sync::bundle::BundleError) -> Self {
        Self::new("malformed", error)
    }
}

impl From<Failure> for ApiError {
    fn from(failure: Failure) -> Self {
        ApiError { code: failure.code, detail: failure.detail }
    }
}

impl From<&Failure> for Trouble {
    fn from(failure: &Failure) -> Self {
        Trouble { code: failure.code.clone(), detail: failure.detail.clone() }
    }
}

/// Result of most things the runtime does.
pub type Outcome<T> = Result<T, Failure>;
