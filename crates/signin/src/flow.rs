//! The sign-in itself: authorise in the browser, come back, exchange the code, check the id_token.

use std::fmt;

use message::Private;
use openidconnect::core::{CoreAuthPrompt, CoreAuthenticationFlow};
use openidconnect::{
    AuthorizationCode, CsrfToken, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope,
    TokenResponse,
};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use transport::Net;
use url::Url;

use crate::claims::Unverified;
use crate::client::{Client, as_a_stranger, bindable, client, of_token_error, prover, refused};
use crate::clock::too_far;
use crate::config::{IssuerConfig, OfflineBy};
use crate::discovery::{Discovered, discover_with_keys};
use crate::error::{IssuerError, SignInError};
use crate::http::Wire;
use crate::listener::{Callback, Listener, SIGN_IN_DEADLINE};
use crate::page::Page;
use crate::proof::{BOUND_KEY, KeyBinding, binding};

const OFFLINE_ACCESS: &str = "offline_access";

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
    config: IssuerConfig,
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
    /// For silent renewal, if it was asked for and the issuer gives one. A secret: seal it.
    pub refresh_token: Option<Private<String>>,
    /// Whether the token names the root key.
    pub binding: KeyBinding,
    /// The issuer's name.
    pub issuer: String,
    /// The issuer's key set as fetched for this sign-in.
    pub jwks: String,
}

/// Shows no token.
impl fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedIn").field("issuer", &self.issuer).field("binding", &self.binding).finish_non_exhaustive()
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
        let (discovered, keys) = discover_with_keys(net, &config.issuer).await?;
        if let Some(by_s) = too_far(keys.ahead_s) {
            // Said before the person goes to the trouble: no verifier would take what comes of it.
            return Err(SignInError::ClockWrong { by_s });
        }
        let listener = Listener::open(&config.redirect_ports).await?;
        let redirect = RedirectUrl::new(listener.redirect_uri());
        let redirect = redirect.map_err(|_| SignInError::BadIssuer(IssuerError::BadName))?;
        let client = client(&config, &discovered, &keys.text)?.set_redirect_uri(redirect);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (authorize_url, state, nonce) = authorize(&client, &config, &discovered, Nonce::new(nonce), challenge);
        let exchange =
            Exchange { net: net.clone(), config, discovered, jwks: keys.text, client, state, nonce, verifier };
        Ok(Pending { listener, authorize_url, deadline: Instant::now() + SIGN_IN_DEADLINE, exchange })
    }
}

/// Where the browser goes, and what must come back from there.
fn authorize(
    client: &Client,
    config: &IssuerConfig,
    issuer: &Discovered,
    nonce: Nonce,
    challenge: PkceCodeChallenge,
) -> (Url, CsrfToken, Nonce) {
    let mut request = client
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, move || nonce)
        .add_scopes(config.scopes.iter().filter(|scope| *scope != "openid").cloned().map(Scope::new))
        .set_pkce_challenge(challenge);
    if issuer.selects_account {
        request = request.add_prompt(CoreAuthPrompt::SelectAccount);
    }
    match config.offline_by {
        _ if !config.silent_renewal => {}
        OfflineBy::AccessType => request = request.add_extra_param("access_type", "offline"),
        // Without a prompt for consent the scope counts for nothing (OpenID Connect Core, section 11).
        OfflineBy::Scope if issuer.grants_offline => {
            request = request.add_scope(Scope::new(OFFLINE_ACCESS.into())).add_prompt(CoreAuthPrompt::Consent);
        }
        OfflineBy::Scope => {}
    }
    if let Some(key) = bindable(config, issuer) {
        request = request.add_scope(Scope::new(BOUND_KEY.into())).add_extra_param("dpop_jkt", key.thumbprint());
    }
    request.url()
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
        let wire = Wire::new(
            &self.net,
            self.discovered.reach,
            prover(&self.config, &self.discovered, Some(code.secret().clone())),
        );
        let http = wire.as_client();
        let answer = self.client.exchange_code(code).set_pkce_verifier(self.verifier).request_async(&http).await;
        let tokens = answer.map_err(|error| of_token_error(error, wire.ahead_s()))?;
        let id_token = tokens.id_token().ok_or(SignInError::BadToken("there is none"))?;
        let text = id_token.to_string();
        let unverified = Unverified::read(&text)?;
        unverified.check_clock()?;
        let offered = bindable(&self.config, &self.discovered);
        let verifier = as_a_stranger(self.client.id_token_verifier(), offered.is_some());
        let claims =
            id_token.claims(&verifier, &self.nonce).map_err(|_| SignInError::BadToken("it does not verify"))?;
        if claims.subject().as_str().is_empty() {
            return Err(SignInError::BadToken("it names nobody"));
        }
        let refresh_token = tokens.refresh_token().filter(|_| self.config.silent_renewal);
        Ok(SignedIn {
            binding: binding(&unverified, offered)?,
            id_token: text,
            refresh_token: refresh_token.map(|token| Private(token.secret().clone())),
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
