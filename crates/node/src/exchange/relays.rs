//! Gives the domain's own people short-lived credentials for its relays (TURN), which carry calls
//! through networks that let nothing else through.
//!
//! The Node and the relay share a secret and nothing else ("TURN REST API",
//! draft-uberti-behave-turn-rest-00): the user name is the time it ends and a word, the password its
//! HMAC-SHA1. The word is random, so that who runs the relay does not learn who calls.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use message::{Code, Message, MessageType, Response};
use ring::hmac;

use super::session::Role;
use super::{Exchange, SessionId};
use crate::records::RecordsError;

/// The most relays a domain names.
pub const RELAYS: usize = 4;
/// The longest URI of one.
const URI_BYTES: usize = 300;
/// The shortest secret.
const SECRET_BYTES: usize = 16;
/// How long a credential is good, in seconds: longer than people speak in one call, and a relay asks
/// for it again and again meanwhile.
pub const CREDENTIAL_LIFE_S: i64 = 12 * 3_600;

/// The relays of a domain and the secret it shares with them.
#[derive(Clone)]
pub struct Relays {
    uris: Vec<String>,
    secret: hmac::Key,
    life_s: i64,
}

/// Why a domain cannot have such relays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RelaysError {
    /// None, too many, or no `turn:` or `turns:` URI.
    #[error("a domain names 1 to {RELAYS} relays, each as turn:<host>… or turns:<host>…")]
    Uris,
    /// A secret that can be guessed.
    #[error("the secret of the relays has at least {SECRET_BYTES} bytes")]
    Secret,
}

impl Relays {
    /// The relays at these URIs (RFC 7065), which know this secret.
    pub fn new(uris: Vec<String>, secret: &[u8]) -> Result<Self, RelaysError> {
        let named = |uri: &String| {
            let scheme = uri.starts_with("turn:") || uri.starts_with("turns:");
            scheme && uri.len() <= URI_BYTES && uri.bytes().all(|byte| byte.is_ascii_graphic())
        };
        if uris.is_empty() || uris.len() > RELAYS || !uris.iter().all(named) {
            return Err(RelaysError::Uris);
        }
        if secret.len() < SECRET_BYTES {
            return Err(RelaysError::Secret);
        }
        let secret = hmac::Key::new(hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY, secret);
        Ok(Self { uris, secret, life_s: CREDENTIAL_LIFE_S })
    }

    /// The same with credentials that are good for so many seconds, and never longer than usual.
    pub fn good_for(self, seconds: u32) -> Self {
        Self { life_s: i64::from(seconds).min(CREDENTIAL_LIFE_S), ..self }
    }

    /// A user name and its password, good until `until_s` (Unix seconds).
    fn credential(&self, until_s: i64, word: &str) -> (String, String) {
        let username = format!("{until_s}:{word}");
        let password = STANDARD.encode(hmac::sign(&self.secret, username.as_bytes()));
        (username, password)
    }
}

impl fmt::Debug for Relays {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Relays").field("count", &self.uris.len()).finish_non_exhaustive()
    }
}

impl Exchange {
    /// The same with relays for its people.
    pub fn with_relays(mut self, relays: Option<Relays>) -> Self {
        self.relays = relays;
        self
    }

    pub(super) fn on_relays(&mut self, id: SessionId, message: &Message, now_ms: i64) -> Result<(), RecordsError> {
        let Some(proven) = self.proven(id) else { return Ok(()) };
        if proven.role != Role::Member || proven.user.is_none() {
            self.refuse(id, message, Code::FORBIDDEN, "the relays are for people of this domain");
            return Ok(());
        }
        if message.kind != MessageType::Read {
            self.refuse(id, message, Code::BAD_REQUEST, "credentials are read");
            return Ok(());
        }
        let Some(relays) = &self.relays else {
            self.refuse(id, message, Code::NOT_FOUND, "this domain has no relays");
            return Ok(());
        };
        let mut word = [0u8; 8];
        let drawn = ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut word);
        if drawn.is_err() {
            self.refuse(id, message, Code::FAILED, "no randomness");
            return Ok(());
        }
        let word: String = word.iter().map(|byte| format!("{byte:02x}")).collect();
        let (username, credential) = relays.credential(now_ms / 1_000 + relays.life_s, &word);
        let given = serde_json::json!({
            "uris": relays.uris, "username": username, "credential": credential, "ttl": relays.life_s,
        });
        self.answer(id, message, &Response::ok(given));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_credential_is_what_coturn_computes() {
        let relays = Relays::new(vec!["turn:r.example".into()], b"a secret of sixteen").unwrap();
        // printf '1700000000:ana' | openssl dgst -sha1 -hmac 'a secret of sixteen' -binary | base64
        let (username, password) = relays.credential(1_700_000_000, "ana");
        assert_eq!((username.as_str(), password.as_str()), ("1700000000:ana", "1Qa6wQVGxjrpmhC6Ri6rTAtEkxY="));
    }

    #[test]
    fn a_domain_names_few_relays_and_a_secret_that_is_one() {
        let uris = |count| vec!["turns:r.example".to_owned(); count];
        let secret = b"a secret of sixteen";
        for wrong in [uris(0), uris(5), vec!["http://r".into()], vec!["turn: r".into()]] {
            assert_eq!(Relays::new(wrong, secret).unwrap_err(), RelaysError::Uris);
        }
        assert_eq!(Relays::new(uris(1), b"short").unwrap_err(), RelaysError::Secret);
        assert!(!format!("{:?}", Relays::new(uris(1), secret).unwrap()).contains("secret"));
    }
}
