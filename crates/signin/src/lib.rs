//! Signs a person in at an issuer, in the person's own browser, and renews that without one.
//!
//! Code flow with PKCE and a one-time listener on the loopback interface (RFC 8252). The nonce is given by
//! the caller and commits to the person's root key; what comes back is only an id_token, which the caller
//! verifies as a stranger would. Everything goes through [`transport::Net`], within bounds. An issuer that
//! speaks another language is reached through a sandboxed package ([`proxy`]).

mod browser;
mod claims;
mod client;
mod clock;
mod config;
mod discovery;
mod error;
mod flow;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod http;
mod listener;
mod page;
mod proof;
pub mod proxy;
mod renewal;

pub use browser::{BROWSER_VARIABLE, BrowserError, open_in_browser};
pub use config::{IssuerConfig, OfflineBy};
pub use discovery::{Discovered, IssuerKeys, IssuerKind, discover, fetch_jwks, fetch_jwks_of};
pub use error::{IssuerError, RenewError, SignInError};
pub use flow::{Pending, SignIn, SignedIn};
pub use proof::{KeyBinding, ProofAlgorithm, RootKey};
pub use renewal::{Expected, Forgotten, Renewed, forget, renew};
