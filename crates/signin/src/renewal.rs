//! Renews an attestation without a login, and gives the right to do so back.

use std::fmt;

use message::Private;
use openidconnect::{ClaimsVerificationError, Nonce, OAuth2TokenResponse, RefreshToken, TokenResponse};
use transport::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderValue};
use transport::{FetchError, GetLimits, Method, Net, Request};
use url::form_urlencoded;

use crate::claims::Unverified;
use crate::client::{as_a_stranger, bindable, client, of_token_error, prover, refused};
use crate::clock::too_far;
use crate::config::IssuerConfig;
use crate::discovery::{Discovered, discover, discover_with_keys};
use crate::error::RenewError;
use crate::http::{Wire, error_of, is_busy};
use crate::proof::{KeyBinding, binding};

const ANSWER_LIMIT: u64 = 64 * 1024;

/// Whom the renewed token must be about: what the first token said.
#[derive(Clone, PartialEq, Eq)]
pub struct Expected {
    /// `iss` of the first token.
    pub issuer: String,
    /// `sub` of the first token.
    pub subject: String,
    /// `aud` of the first token: this app's client id there.
    pub audience: String,
    /// `nonce` of the first token, if it is at hand: a renewed one may repeat it or be silent.
    pub nonce: Option<String>,
}

/// Shows nobody.
impl fmt::Debug for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Expected").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// A later id_token about the same person, without a login. The access token is thrown away.
#[derive(Clone)]
pub struct Renewed {
    /// The id_token in compact form; it commits to nothing, so show it only next to the first one.
    pub id_token: String,
    /// The next refresh token, if the issuer exchanged it: the old one is of no use any more.
    pub refresh_token: Option<Private<String>>,
    /// Whether the token names the root key.
    pub binding: KeyBinding,
    /// The issuer's key set as fetched for this renewal.
    pub jwks: String,
}

/// Shows no token.
impl fmt::Debug for Renewed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Renewed").field("binding", &self.binding).finish_non_exhaustive()
    }
}

/// What became of a refresh token that is not wanted any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Forgotten {
    /// The issuer takes it no longer.
    Revoked,
    /// The issuer has no way to give it back; it dies of age.
    NotSupported,
}

/// Asks the issuer for a later id_token about the same person.
///
/// The issuer may exchange the refresh token while it answers: keep [`Renewed::refresh_token`] before
/// anything else.
pub async fn renew(
    net: &Net,
    config: &IssuerConfig,
    refresh_token: &Private<String>,
    expected: &Expected,
) -> Result<Renewed, RenewError> {
    if config.issuer != expected.issuer {
        return Err(RenewError::Mismatch("issuer"));
    }
    if config.client_id != expected.audience {
        return Err(RenewError::Mismatch("audience"));
    }
    let (discovered, keys) = discover_with_keys(net, &config.issuer).await?;
    if let Some(by_s) = too_far(keys.ahead_s) {
        // Before the token is used up for an answer that could not be accepted.
        return Err(RenewError::ClockWrong { by_s });
    }
    let client = client(config, &discovered, &keys.text)?;
    let wire = Wire::new(net, discovered.reach, prover(config, &discovered, None));
    let http = wire.as_client();
    let token = RefreshToken::new(refresh_token.0.clone());
    let answer = client.exchange_refresh_token(&token).request_async(&http).await;
    let tokens = answer.map_err(|error| of_token_error(error, wire.ahead_s()))?;
    let id_token = tokens.id_token().ok_or(RenewError::Refused { error: String::new() })?;
    let text = id_token.to_string();
    let unverified = Unverified::read(&text)?;
    unverified.check_clock()?;
    let offered = bindable(config, &discovered);
    let verifier = as_a_stranger(client.id_token_verifier(), offered.is_some());
    let nonce = |found: Option<&Nonce>| same_nonce(found, expected);
    let claims = id_token.claims(&verifier, nonce).map_err(of_claims)?;
    if claims.subject().as_str() != expected.subject {
        return Err(RenewError::Mismatch("subject"));
    }
    let next = tokens.refresh_token().map(|token| token.secret()).filter(|next| **next != refresh_token.0);
    Ok(Renewed {
        binding: binding(&unverified, offered)?,
        id_token: text,
        refresh_token: next.cloned().map(Private),
        jwks: keys.text,
    })
}

fn same_nonce(found: Option<&Nonce>, expected: &Expected) -> Result<(), String> {
    match (found, &expected.nonce) {
        (Some(found), Some(first)) if found.secret() != first => Err("another nonce".into()),
        _ => Ok(()),
    }
}

fn of_claims(error: ClaimsVerificationError) -> RenewError {
    match error {
        ClaimsVerificationError::InvalidIssuer(_) => RenewError::Mismatch("issuer"),
        ClaimsVerificationError::InvalidAudience(_) => RenewError::Mismatch("audience"),
        ClaimsVerificationError::InvalidNonce(_) => RenewError::Mismatch("nonce"),
        ClaimsVerificationError::InvalidSubject(_) => RenewError::Mismatch("subject"),
        _ => RenewError::BadToken("it does not verify"),
    }
}

/// Gives a refresh token back (RFC 7009), so that nobody who finds it later can use it.
pub async fn forget(
    net: &Net,
    config: &IssuerConfig,
    refresh_token: &Private<String>,
) -> Result<Forgotten, RenewError> {
    let discovered = discover(net, &config.issuer).await?;
    let Some(url) = discovered.revocation_endpoint.clone() else { return Ok(Forgotten::NotSupported) };
    let (headers, body) = revocation(config, &discovered, &refresh_token.0)?;
    let request = Request { method: Method::POST, url, headers, body: Some(body.into()) };
    let answer = net.send(request, &GetLimits::of_bytes(ANSWER_LIMIT), &discovered.reach).await;
    let answer = answer.map_err(RenewError::Unreachable)?;
    match answer.status {
        status if status.is_success() => Ok(Forgotten::Revoked),
        status if is_busy(status) => Err(RenewError::Unreachable(FetchError::Status(status.as_u16()))),
        _ => Err(refused(&error_of(&answer.bytes)).into()),
    }
}

fn revocation(config: &IssuerConfig, issuer: &Discovered, token: &str) -> Result<(HeaderMap, String), RenewError> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-www-form-urlencoded"));
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("token", token).append_pair("token_type_hint", "refresh_token");
    match &config.client_secret {
        Some(secret) if !issuer.secret_in_body => {
            headers.insert(AUTHORIZATION, basic(&config.client_id, &secret.0)?);
        }
        secret => {
            form.append_pair("client_id", &config.client_id);
            if let Some(secret) = secret {
                form.append_pair("client_secret", &secret.0);
            }
        }
    }
    Ok((headers, form.finish()))
}

/// Both parts are form-encoded first (RFC 6749, section 2.3.1).
fn basic(id: &str, secret: &str) -> Result<HeaderValue, RenewError> {
    let encode = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = data_encoding::BASE64.encode(format!("{}:{}", encode(id), encode(secret)).as_bytes());
    let mut value = HeaderValue::try_from(format!("Basic {pair}"))
        .map_err(|_| RenewError::Refused { error: "invalid_client".into() })?;
    value.set_sensitive(true);
    Ok(value)
}
