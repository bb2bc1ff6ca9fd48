//! The sign-in itself: authorise in the browser, come back, exchange the code, check the id_token.

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

use identity::CLOCK_SKEW_S;
use message::Private;
use openidconnect::core::{
    CoreAuthPrompt, CoreAuthenticationFlow, CoreClient, CoreErrorResponseType, CoreJsonWebKeySet,
    CoreJwsSigningAlgorithm,
};
use openidconnect::{
    AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet, IssuerUrl,
    Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RequestTokenError, Scope,
    StandardErrorResponse, TokenResponse, TokenUrl,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use transport::{FetchError, Net};
use url::Url;

use crate::discovery::{Discovered, fetch_jwks};
use crate::error::{IssuerError, SignInError};
use crate::http;
use crate::listener::{Callback, Listener, SIGN_IN_DEADLINE};
use crate::page::Page;

/// Longest id_token; it must fit into a PK token.
const ID_TOKEN_LIMIT: usize = 12 * 1024;
const ERROR_LIMIT: usize = 64;
/// What a stranger's verifier accepts as well.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 5] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

type Client = CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;
type TokenError = RequestTokenError<FetchError, StandardErrorResponse<CoreErrorResponseType>>;

/// An issuer and this app's client there.
#[derive(Debug, Clone)]
pub struct IssuerConfig {
    /// The issuer's name, as `https://accounts.google.com`.
    pub issuer: String,
    /// The client id; [`identity::CLIENT_ID`] unless the issuer assigns one.
    pub client_id: String,
    /// Some issuers want a secret from native clients, though it is none.
    pub client_secret: Option<Private<String>>,
    /// Scopes beside `openid`.
    pub scopes: Vec<String>,
}

impl IssuerConfig {
    /// An issuer that knows this app by its own client id; asks for the subject only.
    pub fn new(issuer: &str) -> Self {
        let client_id = identity::CLIENT_ID.to_owned();
        Self { issuer: issuer.to_owned(), client_id, client_secret: None, scopes: Vec::new() }
    }
}

/// Begins sign-ins.
#[derive(Debug)]
pub struct SignIn;

/// A sign-in that waits for the person. Dropping it closes its port.
pub struct Pending {
    listener: Listener,
    authorize_url: Url,
    deadline: Instant,
    exchange: Exchange,
}

/// What is left to do once the browser is back.
struct Exchange {
    net: Net,
    discovered: Discovered,
    jwks: String,
    client: Client,
    state: CsrfToken,
    nonce: Nonce,
    verifier: PkceCodeVerifier,
}

/// What a sign-in gave. The access token is thrown away.
#[derive(Clone)]
pub struct SignedIn {
    /// The id_token in compact form.
    pub id_token: String,
    /// For silent renewal, if the issuer gives one.
    pub refresh_token: Option<String>,
    /// The issuer's name.
    pub issuer: String,
    /// The issuer's key set as fetched for this sign-in.
    pub jwks: String,
}

/// Shows no token.
impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedIn").field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

/// Shows neither state nor address.
impl fmt::Debug for Pending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pending").field("issuer", &self.exchange.discovered.issuer).finish_non_exhaustive()
    }
}

impl SignIn {
    /// Prepares a sign-in whose id_token will commit to `nonce`. Open [`Pending::authorize_url`] in the
    /// person's browser, then await [`Pending::finish`].
    pub async fn begin(net: &Net, config: IssuerConfig, nonce: String) -> Result<Pending, SignInError> {
        let keys = fetch_jwks(net, &config.issuer).await?;
        let jwks: CoreJsonWebKeySet = serde_json::from_str(&keys.text)
            .map_err(|_| SignInError::BadIssuer(IssuerError::Malformed("its keys cannot be read")))?;
        let listener = Listener::open().await?;
        let client = client(&config, &keys.discovered, &listener, jwks)?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let wanted = Nonce::new(nonce);
        let given = wanted.clone();
        let mut request = client
            .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, move || given)
            .add_scopes(config.scopes.iter().filter(|scope| *scope != "openid").cloned().map(Scope::new))
            .set_pkce_challenge(challenge);
        if keys.discovered.selects_account {
            request = request.add_prompt(CoreAuthPrompt::SelectAccount);
        }
        let (authorize_url, state, nonce) = request.url();
        let (net, discovered, jwks) = (net.clone(), keys.discovered, keys.text);
        let exchange = Exchange { net, discovered, jwks, client, state, nonce, verifier };
        Ok(Pending { listener, authorize_url, deadline: Instant::now() + SIGN_IN_DEADLINE, exchange })
    }
}

fn client(
    config: &IssuerConfig,
    issuer: &Discovered,
    listener: &Listener,
    jwks: CoreJsonWebKeySet,
) -> Result<Client, SignInError> {
    let bad = |_| SignInError::BadIssuer(IssuerError::BadName);
    let name = IssuerUrl::new(config.issuer.clone()).map_err(bad)?;
    let redirect = RedirectUrl::new(listener.redirect_uri()).map_err(bad)?;
    let auth_type = if issuer.secret_in_body { AuthType::RequestBody } else { AuthType::BasicAuth };
    let client = CoreClient::new(ClientId::new(config.client_id.clone()), name, jwks)
        .set_auth_uri(AuthUrl::from_url(issuer.authorization_endpoint.clone()))
        .set_token_uri(TokenUrl::from_url(issuer.token_endpoint.clone()))
        .set_redirect_uri(redirect)
        .set_auth_type(auth_type);
    Ok(match &config.client_secret {
        Some(secret) => client.set_client_secret(ClientSecret::new(secret.0.clone())),
        None => client,
    })
}

impl Pending {
    /// What to open in the browser.
    pub fn authorize_url(&self) -> &Url {
        &self.authorize_url
    }

    /// Shortens the time the person has (ten minutes otherwise).
    pub fn within(mut self, time: std::time::Duration) -> Self {
        self.deadline = Instant::now() + time.min(SIGN_IN_DEADLINE);
        self
    }

    /// Waits for the browser to come back, exchanges the code and checks the id_token. The browser is told
    /// how it ended.
    pub async fn finish(self, cancel: CancellationToken) -> Result<SignedIn, SignInError> {
        let (callback, browser) = self.listener.callback(self.deadline, &cancel).await?;
        let result = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(SignInError::Cancelled),
            result = self.exchange.run(callback) => result,
        };
        browser.show(if result.is_ok() { Page::Done } else { Page::Failed }).await;
        result
    }
}

impl Exchange {
    async fn run(self, callback: Callback) -> Result<SignedIn, SignInError> {
        let code = self.code(callback)?;
        let (net, reach) = (self.net.clone(), self.discovered.reach);
        let http = move |request| http::send(net.clone(), reach, request);
        let answer = self.client.exchange_code(code).set_pkce_verifier(self.verifier).request_async(&http).await;
        let tokens = answer.map_err(of_token_error)?;
        let id_token = tokens.id_token().ok_or(SignInError::BadToken("there is none"))?;
        let text = id_token.to_string();
        check_clock(&text)?;
        let verifier = self.client.id_token_verifier().set_allowed_algs(ALGORITHMS);
        let claims =
            id_token.claims(&verifier, &self.nonce).map_err(|_| SignInError::BadToken("it does not verify"))?;
        if claims.subject().as_str().is_empty() {
            return Err(SignInError::BadToken("it names nobody"));
        }
        Ok(SignedIn {
            id_token: text,
            refresh_token: tokens.refresh_token().map(|token| token.secret().clone()),
            issuer: self.discovered.issuer,
            jwks: self.jwks,
        })
    }

    fn code(&self, callback: Callback) -> Result<AuthorizationCode, SignInError> {
        let state = callback.state.unwrap_or_default();
        if !keys::constant_time_eq(state.as_bytes(), self.state.secret().as_bytes()) {
            return Err(SignInError::WrongState);
        }
        let named = callback.iss.as_deref();
        if named.is_some_and(|iss| iss != self.discovered.issuer) || (named.is_none() && self.discovered.names_itself) {
            return Err(SignInError::WrongIssuer);
        }
        match (callback.code, callback.error) {
            (Some(code), None) => Ok(AuthorizationCode::new(code)),
            (_, error) => Err(refused(&error.unwrap_or_default())),
        }
    }
}

/// Only the letters of a code: an issuer's error text is shown to a person.
fn refused(error: &str) -> SignInError {
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    SignInError::Refused { error: error.chars().filter(plain).take(ERROR_LIMIT).collect() }
}

fn of_token_error(error: TokenError) -> SignInError {
    match error {
        RequestTokenError::ServerResponse(answer) => refused(answer.error().as_ref()),
        RequestTokenError::Request(cause) => SignInError::IssuerUnreachable(cause),
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => {
            SignInError::BadToken("the answer cannot be read")
        }
    }
}

/// A token that was issued a moment ago tells how this machine's clock goes.
fn check_clock(id_token: &str) -> Result<(), SignInError> {
    if id_token.len() > ID_TOKEN_LIMIT {
        return Err(SignInError::BadToken("it is too large"));
    }
    let payload = id_token.split('.').nth(1).and_then(|text| keys::from_b64url(text).ok());
    let claims: Option<serde_json::Value> = payload.and_then(|bytes| serde_json::from_slice(&bytes).ok());
    let issued = claims.as_ref().and_then(|claims| claims.get("iat")).and_then(serde_json::Value::as_f64);
    let issued = issued.ok_or(SignInError::BadToken("it has no time"))? as i64;
    let by_s = unix_now().saturating_sub(issued);
    if by_s.abs() > CLOCK_SKEW_S { Err(SignInError::ClockWrong { by_s }) } else { Ok(()) }
}

fn unix_now() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
