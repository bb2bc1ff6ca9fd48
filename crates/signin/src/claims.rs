//! Reads what an id_token says before anybody has verified it, within bounds.

use serde_json::{Map, Value};

use crate::clock::{too_far, unix_now};
use crate::error::SignInError;

/// Longest id_token; it must fit into a PK token.
pub(crate) const ID_TOKEN_LIMIT: usize = 12 * 1024;

/// An id_token taken apart; nothing in it is verified.
pub(crate) struct Unverified {
    pub header: Map<String, Value>,
    pub claims: Map<String, Value>,
}

impl Unverified {
    /// Takes a compact token apart.
    pub fn read(token: &str) -> Result<Self, SignInError> {
        if token.len() > ID_TOKEN_LIMIT {
            return Err(SignInError::BadToken("it is too large"));
        }
        let mut parts = token.split('.');
        let (Some(header), Some(claims), Some(_), None) = (parts.next(), parts.next(), parts.next(), parts.next())
        else {
            return Err(SignInError::BadToken("it is no compact token"));
        };
        Ok(Self { header: object(header)?, claims: object(claims)? })
    }

    /// A token that was issued a moment ago tells how this machine's clock goes.
    pub fn check_clock(&self) -> Result<(), SignInError> {
        let issued = self.claims.get("iat").and_then(Value::as_f64).ok_or(SignInError::BadToken("it has no time"))?;
        match too_far(Some(unix_now().saturating_sub(issued as i64))) {
            Some(by_s) => Err(SignInError::ClockWrong { by_s }),
            None => Ok(()),
        }
    }
}

fn object(part: &str) -> Result<Map<String, Value>, SignInError> {
    let unreadable = SignInError::BadToken("it cannot be read");
    let bytes = keys::from_b64url(part).map_err(|_| unreadable.clone())?;
    serde_json::from_slice(&bytes).map_err(|_| unreadable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_token_is_not_taken_apart() {
        let object = keys::b64url(b"{}");
        let long = format!("{object}.{object}.{}", "x".repeat(ID_TOKEN_LIMIT));
        for bad in ["", "a.b", "{}.{}.x", "W10.e30.x", &format!("{object}.{object}.x.y"), &long] {
            assert!(Unverified::read(bad).is_err(), "{bad:.20}");
        }
        assert!(Unverified::read(&format!("{object}.{object}.x")).is_ok());
    }
}
