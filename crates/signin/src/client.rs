//! This app as one issuer's client: what the flows have in common.

use openidconnect::core::{
    CoreClient, CoreErrorResponseType, CoreIdTokenVerifier, CoreJsonWebKeySet, CoreJwsSigningAlgorithm,
};
use openidconnect::{
    AuthType, AuthUrl, ClientId, ClientSecret, EndpointNotSet, EndpointSet, IssuerUrl, JsonWebTokenType,
    RequestTokenError, StandardErrorResponse, TokenUrl,
};
use transport::FetchError;

use crate::clock::too_far;
use crate::config::IssuerConfig;
use crate::discovery::Discovered;
use crate::error::{IssuerError, SignInError};
use crate::proof::{BOUND_TYPES, Prover, RootKey};

const ERROR_LIMIT: usize = 64;

/// What a stranger's verifier accepts as well.
const ALGORITHMS: [CoreJwsSigningAlgorithm; 5] = [
    CoreJwsSigningAlgorithm::RsaSsaPkcs1V15Sha256,
    CoreJwsSigningAlgorithm::RsaSsaPssSha256,
    CoreJwsSigningAlgorithm::EcdsaP256Sha256,
    CoreJwsSigningAlgorithm::EcdsaP384Sha384,
    CoreJwsSigningAlgorithm::EdDsa,
];

pub(crate) type Client = CoreClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;
pub(crate) type TokenError = RequestTokenError<FetchError, StandardErrorResponse<CoreErrorResponseType>>;

/// This app's client at an issuer whose key set is `jwks`.
pub(crate) fn client(config: &IssuerConfig, issuer: &Discovered, jwks: &str) -> Result<Client, SignInError> {
    let name = IssuerUrl::new(config.issuer.clone()).map_err(|_| SignInError::BadIssuer(IssuerError::BadName))?;
    let auth_type = if issuer.secret_in_body { AuthType::RequestBody } else { AuthType::BasicAuth };
    let client = CoreClient::new(ClientId::new(config.client_id.clone()), name, key_set(jwks)?)
        .set_auth_uri(AuthUrl::from_url(issuer.authorization_endpoint.clone()))
        .set_token_uri(TokenUrl::from_url(issuer.token_endpoint.clone()))
        .set_auth_type(auth_type);
    Ok(match &config.client_secret {
        Some(secret) => client.set_client_secret(ClientSecret::new(secret.0.clone())),
        None => client,
    })
}

/// Accepts what a stranger's verifier accepts: its algorithms, and the types of plain and, if a key was
/// offered, of bound tokens.
pub(crate) fn as_a_stranger(verifier: CoreIdTokenVerifier<'_>, offered: bool) -> CoreIdTokenVerifier<'_> {
    let bound = BOUND_TYPES.into_iter().filter(|_| offered);
    let types = std::iter::once("JWT").chain(bound).map(|name| JsonWebTokenType::new(name.to_owned()));
    verifier.set_allowed_algs(ALGORITHMS).set_allowed_jose_types(types.filter_map(|name| name.normalize().ok()))
}

pub(crate) fn key_set(jwks: &str) -> Result<CoreJsonWebKeySet, SignInError> {
    serde_json::from_str(jwks).map_err(|_| SignInError::BadIssuer(IssuerError::Malformed("its keys cannot be read")))
}

/// The key to bind, if there is one and the issuer binds keys.
pub(crate) fn bindable<'a>(config: &'a IssuerConfig, issuer: &Discovered) -> Option<&'a RootKey> {
    config.root_key.as_ref().filter(|_| issuer.binds_keys.is_some())
}

/// Proves possession of the key that [`bindable`] names.
pub(crate) fn prover(config: &IssuerConfig, issuer: &Discovered, code: Option<String>) -> Option<Prover> {
    let (key, algorithm) = (config.root_key.clone()?, issuer.binds_keys?);
    Some(Prover { key, algorithm, code })
}

/// Only the letters of a code: an issuer's error text is shown to a person.
pub(crate) fn refused(error: &str) -> SignInError {
    let plain = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
    let error: String = error.chars().filter(plain).take(ERROR_LIMIT).collect();
    match error.as_str() {
        "access_denied" => SignInError::Declined,
        // By these an issuer says that it is the moment that is wrong (OAuth 2.0, section 4.1.2.1).
        "temporarily_unavailable" | "server_error" => SignInError::IssuerUnreachable(FetchError::Status(503)),
        _ => SignInError::Refused { error },
    }
}

/// Why there are no tokens. With a clock that goes wrong, whatever the issuer says is a consequence of it.
pub(crate) fn of_token_error(error: TokenError, ahead_s: Option<i64>) -> SignInError {
    match error {
        RequestTokenError::Request(cause) => SignInError::IssuerUnreachable(cause),
        error => match (too_far(ahead_s), error) {
            (Some(by_s), _) => SignInError::ClockWrong { by_s },
            (None, RequestTokenError::ServerResponse(answer)) => refused(answer.error().as_ref()),
            (None, _) => SignInError::BadToken("the answer cannot be read"),
        },
    }
}
