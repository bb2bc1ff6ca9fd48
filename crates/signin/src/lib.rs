//! Signs a person in at an OpenID Connect issuer, in the person's own browser.
//!
//! Code flow with PKCE and a one-time listener on the loopback interface (RFC 8252). The nonce is given by
//! the caller and commits to the person's root key; what comes back is only an id_token, which the caller
//! verifies as a stranger would. Everything goes through [`transport::Net`], within bounds.

mod browser;
mod discovery;
mod error;
mod flow;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod http;
mod listener;
mod page;

pub use browser::{BROWSER_VARIABLE, BrowserError, open_in_browser};
pub use discovery::{Discovered, IssuerKeys, discover, fetch_jwks};
pub use error::{IssuerError, SignInError};
pub use flow::{IssuerConfig, Pending, SignIn, SignedIn};
