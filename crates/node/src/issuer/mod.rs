//! The domain's own OpenID Connect issuer, for domains without another one.
//!
//! Authorization code with PKCE only, for one native client, `parlance`, which comes back to a loopback
//! port (RFC 8252). The issuer remembers which nonce it signed for whom: that is how the registry knows
//! whose name a persona may have.

mod authorize;
mod logins;
mod page;
mod passwords;
mod people;
mod signing;
mod token;

use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Json;
use axum::Router;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use message::Domain;
use serde_json::json;

pub use people::AddPersonError;

use crate::config::Registration;
use crate::limits::Limits;
use crate::records::{Records, RecordsError};
use logins::Logins;
use passwords::Passwords;
use people::Throttle;
use signing::TokenKey;

/// The one client there is (RFC 8252 native application, public).
pub const CLIENT_ID: &str = "parlance";

/// The issuer's key in the data folder.
pub(crate) const KEY: &str = "issuer-key.p8";

/// Makes the key of a data folder if it has none.
pub(crate) fn make_key(data_dir: &Path) -> Result<(), IssuerError> {
    TokenKey::open(&data_dir.join(KEY)).map(drop)
}

/// Why there is no issuer.
#[derive(Debug, thiserror::Error)]
pub enum IssuerError {
    /// Its key cannot be read, made or stored.
    #[error("the issuer's key is not usable: {0}")]
    Key(String),
    /// The disk failed.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// The disk failed.
    #[error("the issuer's key cannot be stored: {0}")]
    Disk(#[from] std::io::Error),
}

/// The issuer of a domain.
#[derive(Clone)]
pub struct Issuer(Arc<Inner>);

struct Inner {
    issuer: String,
    domain: Domain,
    shown_name: String,
    registration: Registration,
    limits: Limits,
    key: TokenKey,
    records: Mutex<Records>,
    logins: Mutex<Logins>,
    throttle: Mutex<Throttle>,
    passwords: Passwords,
}

impl Issuer {
    /// An issuer at `origin` whose key is in the data folder.
    pub fn open(
        data_dir: &Path,
        origin: &str,
        domain: &Domain,
        shown_name: &str,
        registration: Registration,
        limits: Limits,
        records: Records,
    ) -> Result<Self, IssuerError> {
        Ok(Self(Arc::new(Inner {
            issuer: origin.to_owned(),
            domain: domain.clone(),
            shown_name: shown_name.to_owned(),
            registration,
            limits,
            key: TokenKey::open(&data_dir.join(KEY))?,
            records: Mutex::new(records),
            logins: Mutex::default(),
            throttle: Mutex::new(Throttle::new()),
            passwords: Passwords::new(),
        })))
    }

    /// Its identifier: the domain's origin.
    pub fn identifier(&self) -> &str {
        &self.0.issuer
    }

    fn records(&self) -> MutexGuard<'_, Records> {
        self.0.records.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn logins(&self) -> MutexGuard<'_, Logins> {
        self.0.logins.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn throttle(&self) -> MutexGuard<'_, Throttle> {
        self.0.throttle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_secure(&self) -> bool {
        self.0.issuer.starts_with("https:")
    }
}

/// Its endpoints.
pub fn routes(issuer: Issuer) -> Router {
    Router::new()
        .route("/.well-known/openid-configuration", get(discovery))
        .route("/oidc/jwks", get(jwks))
        .route("/oidc/authorize", get(authorize::show))
        .route("/oidc/login", post(authorize::submit))
        .route("/oidc/token", post(token::redeem))
        .with_state(issuer)
}

async fn discovery(State(issuer): State<Issuer>) -> Response {
    let at = &issuer.0.issuer;
    Json(json!({
        "issuer": at,
        "authorization_endpoint": format!("{at}/oidc/authorize"),
        "token_endpoint": format!("{at}/oidc/token"),
        "jwks_uri": format!("{at}/oidc/jwks"),
        "response_types_supported": ["code"],
        "response_modes_supported": ["query"],
        "grant_types_supported": ["authorization_code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "code_challenge_methods_supported": ["S256"],
        "token_endpoint_auth_methods_supported": ["none"],
        "scopes_supported": ["openid", "profile"],
        "claims_supported": ["iss", "sub", "aud", "iat", "exp", "nonce", "auth_time", "name"],
        "prompt_values_supported": ["none", "login", "create", "select_account"],
        "authorization_response_iss_parameter_supported": true,
        "request_parameter_supported": false,
        "request_uri_parameter_supported": false,
    }))
    .into_response()
}

async fn jwks(State(issuer): State<Issuer>) -> Response {
    ([(header::CACHE_CONTROL, "max-age=300")], Json(issuer.0.key.jwks())).into_response()
}
