//! Opens the parsers of what an issuer and a browser send to the fuzzers of `tests/fuzz`.

use crate::{Discovered, IssuerError, discovery, listener};

/// What the browser came back with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Callback {
    /// The state.
    pub state: Option<String>,
    /// The code.
    pub code: Option<String>,
    /// The error instead of a code.
    pub error: Option<String>,
    /// Who says it.
    pub iss: Option<String>,
}

/// Reads the head of a request to the listener at `port`.
pub fn callback(head: &str, port: u16) -> Option<Callback> {
    let listener::Callback { state, code, error, iss } = listener::callback_of(head, port)?;
    Some(Callback { state, code, error, iss })
}

/// Reads what an issuer of this name says of itself.
pub fn description(bytes: &[u8], issuer: &str) -> Result<Discovered, IssuerError> {
    let reach = discovery::Place::of(issuer)?.reach;
    discovery::read(bytes, issuer, reach)
}
