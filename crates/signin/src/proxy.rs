//! The core's half of a sign-in through an IdP proxy: what is asked of it, and how little of the answer is
//! believed.
//!
//! A proxy is a sandboxed package that speaks the language of an issuer without OpenID Connect. It gets the
//! nonce and gives back a token; it sees no key. What it gives is checked as from any issuer, with keys that
//! the core fetched itself, so that a proxy can refuse and cannot forge. Pure: the caller carries the
//! messages, opens the browser and knows the time (Unix seconds).

use std::fmt;
use std::str::FromStr;

use message::Private;
use openidconnect::core::{CoreIdToken, CoreIdTokenVerifier};
use openidconnect::{ClientId, IssuerUrl, Nonce};
use serde::Deserialize;
use serde_json::{Value, json};
use url::Url;

use crate::claims::{ID_TOKEN_LIMIT, Unverified};
use crate::client::{as_a_stranger, key_set};
use crate::config::IssuerConfig;
use crate::discovery::{IssuerKeys, Place};
use crate::error::{IssuerError, SignInError};
use crate::flow::SignedIn;
use crate::proof::KeyBinding;

/// How long a person may take.
const DEADLINE_S: i64 = 600;
/// Longest answer: a token, with room.
const ANSWER_LIMIT: usize = 2 * ID_TOKEN_LIMIT;
const TICKET_LIMIT: usize = 256;
const PAGE_LIMIT: usize = 2048;
const HINT_LIMIT: usize = 256;
/// How often a request that ended without an answer is made again; each may last as long as the bus lets it.
const ASKS_LIMIT: u32 = 60;

/// Why a sign-in through a proxy did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProxyError {
    /// The issuer is none.
    #[error(transparent)]
    BadIssuer(IssuerError),
    /// The proxy's answer is longer than any proper one.
    #[error("the proxy's answer is too large")]
    TooLarge,
    /// The proxy's answer is not what was asked for.
    #[error("the proxy gave no proper {0}")]
    Malformed(&'static str),
    /// The page it wants opened is not the issuer's.
    #[error("the proxy would lead the person elsewhere than to the issuer")]
    ForeignPage,
    /// It answers after it was over.
    #[error("the proxy answers out of turn")]
    OutOfTurn,
    /// The person said no at the issuer.
    #[error("the person said no")]
    Declined,
    /// The proxy, or the issuer behind it, cannot be reached now.
    #[error("the proxy or its issuer cannot be reached")]
    Unreachable,
    /// The proxy refused, with the code of its answer.
    #[error("the proxy refused with {code}")]
    Refused {
        /// As in any answer of the bus.
        code: u16,
    },
    /// Nobody signed in in time.
    #[error("nobody signed in in time")]
    TimedOut,
    /// The token is not one of this issuer for this sign-in.
    #[error(transparent)]
    Token(SignInError),
}

impl ProxyError {
    /// A stable word for logs and the user interface.
    pub fn code(&self) -> &'static str {
        match self {
            Self::BadIssuer(error) => error.code(),
            Self::TooLarge | Self::Malformed(_) | Self::OutOfTurn | Self::Refused { .. } => "proxy-failed",
            Self::ForeignPage => "proxy-foreign-page",
            Self::Declined => "signin-declined",
            Self::Unreachable => "issuer-unreachable",
            Self::TimedOut => "timed-out",
            Self::Token(error) => error.code(),
        }
    }
}

/// A sign-in through a proxy.
pub struct ProxySignIn {
    config: IssuerConfig,
    home: Url,
    nonce: String,
    deadline: i64,
    asks: u32,
    stage: Stage,
}

/// Shows neither nonce nor ticket.
impl fmt::Debug for ProxySignIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ProxySignIn").field("issuer", &self.config.issuer).finish_non_exhaustive()
    }
}

enum Stage {
    /// `begin` was asked. Leaves for `Waiting` with a proper ticket.
    Beginning,
    /// `finish` was asked, with this ticket. Leaves for `Over` with a token.
    Waiting { ticket: String },
    /// There is no way back.
    Over,
}

/// What the caller does next.
#[derive(Debug, Clone, PartialEq)]
pub enum ProxyStep {
    /// Open this page of the issuer's in the person's browser, if there is one, then send the proxy this body.
    Open {
        /// The page.
        page: Option<Url>,
        /// Body of the next `execute`.
        ask: Value,
    },
    /// The request is still open: wait for its next answer.
    Wait,
    /// The request ended without an answer: send this body.
    Ask(Value),
    /// There is a token: fetch the issuer's keys, then [`ProxySignIn::check`] it.
    Check(ProxyToken),
}

/// A token out of a proxy; worth nothing before it is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProxyToken(Private<String>);

/// The body of an answer on the bus.
#[derive(Deserialize)]
struct Answer {
    code: u16,
    #[serde(default)]
    value: Value,
}

impl ProxySignIn {
    /// Begins at this issuer, with what the proxy is told first: the body of an `execute` to its address.
    ///
    /// `login_hint` is what the person typed about themselves, if anything; a proxy learns nothing else.
    pub fn begin(
        config: IssuerConfig,
        nonce: String,
        login_hint: Option<&str>,
        now: i64,
    ) -> Result<(Self, Value), ProxyError> {
        Place::of(&config.issuer).map_err(ProxyError::BadIssuer)?;
        let home = Url::parse(&config.issuer).map_err(|_| ProxyError::BadIssuer(IssuerError::BadName))?;
        let mut params = json!({ "nonce": nonce, "audience": config.client_id });
        if let Some(hint) = login_hint {
            params["loginHint"] = hint.chars().filter(|c| !c.is_control()).take(HINT_LIMIT).collect::<String>().into();
        }
        let ask = json!({ "method": "begin", "params": params });
        let (deadline, stage) = (now.saturating_add(DEADLINE_S), Stage::Beginning);
        Ok((Self { config, home, nonce, deadline, asks: 0, stage }, ask))
    }

    /// When it is too late (Unix seconds).
    pub fn deadline(&self) -> i64 {
        self.deadline
    }

    /// Takes an answer of the proxy, provisional or final: the text of its body. After an error it is over.
    pub fn answered(&mut self, body: &str, now: i64) -> Result<ProxyStep, ProxyError> {
        let step = self.take(body, now);
        if matches!(step, Err(_) | Ok(ProxyStep::Check(_))) {
            self.stage = Stage::Over;
        }
        step
    }

    fn take(&mut self, body: &str, now: i64) -> Result<ProxyStep, ProxyError> {
        if matches!(self.stage, Stage::Over) {
            return Err(ProxyError::OutOfTurn);
        }
        if now > self.deadline {
            return Err(ProxyError::TimedOut);
        }
        if body.len() > ANSWER_LIMIT {
            return Err(ProxyError::TooLarge);
        }
        let answer: Answer = serde_json::from_str(body).map_err(|_| ProxyError::Malformed("answer"))?;
        match answer.code {
            100..=199 => Ok(ProxyStep::Wait),
            200..=299 => self.value(&answer.value),
            403 => Err(ProxyError::Declined),
            408 => self.again(),
            503 => Err(ProxyError::Unreachable),
            code => Err(ProxyError::Refused { code }),
        }
    }

    fn value(&mut self, value: &Value) -> Result<ProxyStep, ProxyError> {
        if let Stage::Waiting { .. } = &self.stage {
            let token = value.get("idToken").and_then(Value::as_str).ok_or(ProxyError::Malformed("token"))?;
            return Ok(ProxyStep::Check(ProxyToken(Private(token.to_owned()))));
        }
        let ticket = value.get("ticket").and_then(Value::as_str).filter(|ticket| is_ticket(ticket));
        let ticket = ticket.ok_or(ProxyError::Malformed("ticket"))?.to_owned();
        let page = match value.get("loginUrl") {
            None | Some(Value::Null) => None,
            Some(page) => Some(self.page(page.as_str().ok_or(ProxyError::Malformed("page"))?)?),
        };
        let ask = finish(&ticket);
        self.stage = Stage::Waiting { ticket };
        Ok(ProxyStep::Open { page, ask })
    }

    /// The person's browser shows them whose page it is, so it must be the issuer's.
    fn page(&self, text: &str) -> Result<Url, ProxyError> {
        if text.len() > PAGE_LIMIT {
            return Err(ProxyError::Malformed("page"));
        }
        let page = Url::parse(text).map_err(|_| ProxyError::Malformed("page"))?;
        let bare = page.username().is_empty() && page.password().is_none();
        if bare && page.origin() == self.home.origin() { Ok(page) } else { Err(ProxyError::ForeignPage) }
    }

    fn again(&mut self) -> Result<ProxyStep, ProxyError> {
        let Stage::Waiting { ticket } = &self.stage else { return Err(ProxyError::Unreachable) };
        self.asks += 1;
        if self.asks > ASKS_LIMIT { Err(ProxyError::TimedOut) } else { Ok(ProxyStep::Ask(finish(ticket))) }
    }

    /// Checks the token with keys that [`fetch_jwks_of`](crate::fetch_jwks_of) brought from the issuer itself.
    pub fn check(&self, token: ProxyToken, keys: &IssuerKeys) -> Result<SignedIn, ProxyError> {
        self.verified(token.0.0, keys).map_err(ProxyError::Token)
    }

    fn verified(&self, text: String, keys: &IssuerKeys) -> Result<SignedIn, SignInError> {
        Unverified::read(&text)?.check_clock()?;
        let id_token = CoreIdToken::from_str(&text).map_err(|_| SignInError::BadToken("it cannot be read"))?;
        let issuer = IssuerUrl::new(self.config.issuer.clone());
        let issuer = issuer.map_err(|_| SignInError::BadIssuer(IssuerError::BadName))?;
        let client = ClientId::new(self.config.client_id.clone());
        let verifier = CoreIdTokenVerifier::new_public_client(client, issuer, key_set(&keys.text)?);
        let nonce = Nonce::new(self.nonce.clone());
        let claims = id_token.claims(&as_a_stranger(verifier, false), &nonce);
        let claims = claims.map_err(|_| SignInError::BadToken("it does not verify"))?;
        if claims.subject().as_str().is_empty() {
            return Err(SignInError::BadToken("it names nobody"));
        }
        Ok(SignedIn {
            id_token: text,
            refresh_token: None,
            binding: KeyBinding::NotOffered,
            issuer: self.config.issuer.clone(),
            jwks: keys.text.clone(),
        })
    }
}

fn is_ticket(text: &str) -> bool {
    (1..=TICKET_LIMIT).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

fn finish(ticket: &str) -> Value {
    json!({ "method": "finish", "params": { "ticket": ticket } })
}

#[cfg(test)]
mod tests;
