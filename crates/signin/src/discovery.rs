//! What an issuer says of itself, and its keys: fetched by us, bounded, and believed only under its name.

use identity::{JWKS_LIMIT, Jwks};
use serde::Deserialize;
use transport::{FetchError, GetLimits, Net, Reach, Redirect, Request};
use url::Url;

use crate::clock::{ahead_of, unix_now};
use crate::error::IssuerError;
use crate::proof::{BOUND_KEY, ProofAlgorithm};

/// What an issuer says of itself, and the most bytes of it.
const DESCRIPTION: (&str, u64) = ("openid-configuration", 64 * 1024);
/// The keys of one that says nothing of itself.
const KEYS: (&str, u64) = ("jwks.json", JWKS_LIMIT as u64);
const UNDESCRIBED: IssuerError = IssuerError::Malformed("it does not describe itself");
const KEYLESS: IssuerError = IssuerError::Malformed("it has no keys");
const LIST_LIMIT: usize = 128;
const ISSUER_LIMIT: usize = 512;

/// An issuer as it describes itself, checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Discovered {
    /// Its name, byte for byte the one asked for.
    pub issuer: String,
    /// Where people sign in.
    pub authorization_endpoint: Url,
    /// Where codes become tokens.
    pub token_endpoint: Url,
    /// Where its keys are.
    pub jwks_uri: Url,
    /// Whether its answers name it (RFC 9207).
    pub names_itself: bool,
    /// Whether it can let people choose an account.
    pub selects_account: bool,
    /// Whether a client secret goes into the body rather than into a header.
    pub secret_in_body: bool,
    /// Whether it lists the scope by which a refresh token is asked for.
    pub grants_offline: bool,
    /// Where refresh tokens are revoked (RFC 7009), if it says so and the place is safe.
    pub revocation_endpoint: Option<Url>,
    /// How it wants possession of a root key proved, if it binds keys (OpenID Connect Key Binding).
    pub binds_keys: Option<ProofAlgorithm>,
    /// How far requests to it may go.
    pub reach: Reach,
}

/// How an issuer makes itself known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum IssuerKind {
    /// It describes itself, as OpenID Connect asks.
    #[default]
    OpenId,
    /// It speaks a language of its own, through an IdP proxy; of the description it may have its keys only.
    Proxy,
}

/// An issuer's keys, as fetched now.
#[derive(Debug, Clone)]
pub struct IssuerKeys {
    /// The key set's text.
    pub text: String,
    /// The key set.
    pub jwks: Jwks,
    /// How far this machine's clock is ahead of the issuer's, if it tells the time.
    pub ahead_s: Option<i64>,
}

#[derive(Deserialize)]
struct Metadata {
    issuer: String,
    authorization_endpoint: String,
    token_endpoint: String,
    jwks_uri: String,
    #[serde(default)]
    code_challenge_methods_supported: Option<Vec<String>>,
    #[serde(default)]
    authorization_response_iss_parameter_supported: bool,
    #[serde(default)]
    prompt_values_supported: Vec<String>,
    #[serde(default)]
    token_endpoint_auth_methods_supported: Vec<String>,
    #[serde(default)]
    scopes_supported: Vec<String>,
    #[serde(default)]
    dpop_signing_alg_values_supported: Vec<String>,
    #[serde(default)]
    revocation_endpoint: Option<String>,
}

/// Asks an issuer to describe itself. Redirects to another host are refused.
pub async fn discover(net: &Net, issuer: &str) -> Result<Discovered, IssuerError> {
    let place = Place::of(issuer)?;
    let answer = place.ask(net, DESCRIPTION).await?;
    read(&answer.bytes, issuer, place.reach)
}

pub(crate) fn read(bytes: &[u8], issuer: &str, reach: Reach) -> Result<Discovered, IssuerError> {
    let metadata: Metadata =
        serde_json::from_slice(bytes).map_err(|_| IssuerError::Malformed("its description cannot be read"))?;
    check(metadata, issuer, reach)
}

/// Fetches an issuer's keys, for whoever verifies its tokens.
///
/// Ask only issuers that [`identity::Evidence::issuers`] names: a stranger must not choose whom we ask.
pub async fn fetch_jwks(net: &Net, issuer: &str) -> Result<IssuerKeys, IssuerError> {
    fetch_jwks_of(net, issuer, IssuerKind::OpenId).await
}

/// Fetches the keys of an issuer of this kind.
///
/// Only an issuer that the person, or the app, knows as [`IssuerKind::Proxy`] is asked for keys without a
/// description: elsewhere whoever can write one file of a host would speak for all of it.
pub async fn fetch_jwks_of(net: &Net, issuer: &str, kind: IssuerKind) -> Result<IssuerKeys, IssuerError> {
    match discover_with_keys(net, issuer).await {
        Ok((_, keys)) => Ok(keys),
        Err(UNDESCRIBED) if kind == IssuerKind::Proxy => keys(Place::of(issuer)?.ask(net, KEYS).await?),
        Err(error) => Err(error),
    }
}

pub(crate) async fn discover_with_keys(net: &Net, issuer: &str) -> Result<(Discovered, IssuerKeys), IssuerError> {
    let discovered = discover(net, issuer).await?;
    let answer = fetch(net, &discovered.jwks_uri, JWKS_LIMIT as u64, discovered.reach).await;
    let answer = answer.map_err(|error| if error == UNDESCRIBED { KEYLESS } else { error })?;
    Ok((discovered, keys(answer)?))
}

fn keys(answer: Answer) -> Result<IssuerKeys, IssuerError> {
    let text = String::from_utf8(answer.bytes).map_err(|_| IssuerError::Malformed("its keys are no text"))?;
    let jwks = Jwks::parse(&text).map_err(IssuerError::Keys)?;
    Ok(IssuerKeys { text, jwks, ahead_s: answer.ahead_s })
}

/// A document and how far this machine's clock is ahead of whoever sent it.
struct Answer {
    bytes: Vec<u8>,
    ahead_s: Option<i64>,
}

async fn fetch(net: &Net, url: &Url, limit: u64, reach: Reach) -> Result<Answer, IssuerError> {
    let limits = GetLimits::of_bytes(limit).following(Redirect::SameHost);
    let answer = net.send(Request::get(url.clone()), &limits, &reach).await.map_err(IssuerError::Unreachable)?;
    match answer.status.as_u16() {
        200..=299 => Ok(Answer { ahead_s: ahead_of(&answer.headers, unix_now()), bytes: answer.bytes.to_vec() }),
        404 => Err(UNDESCRIBED),
        code => Err(IssuerError::Unreachable(FetchError::Status(code))),
    }
}

/// Where an issuer keeps what everybody may know.
pub(crate) struct Place<'a> {
    base: &'a str,
    pub reach: Reach,
}

impl<'a> Place<'a> {
    /// The place of an issuer, if that is a name of one.
    pub fn of(issuer: &'a str) -> Result<Self, IssuerError> {
        let url = Url::parse(issuer).map_err(|_| IssuerError::BadName)?;
        let bare =
            url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
        let reach = Reach::for_url(&url);
        if issuer.len() > ISSUER_LIMIT || !bare || !is_safe(&url, reach) {
            return Err(IssuerError::BadName);
        }
        Ok(Self { base: issuer.trim_end_matches('/'), reach })
    }

    fn document(&self, name: &str) -> Result<Url, IssuerError> {
        Url::parse(&format!("{}/.well-known/{name}", self.base)).map_err(|_| IssuerError::BadName)
    }

    async fn ask(&self, net: &Net, (name, limit): (&str, u64)) -> Result<Answer, IssuerError> {
        fetch(net, &self.document(name)?, limit, self.reach).await
    }
}

/// Encrypted and public, or on this machine like the issuer itself.
fn is_safe(url: &Url, reach: Reach) -> bool {
    match (reach, url.scheme()) {
        (Reach::Public, "https") | (Reach::Loopback, "https" | "http") => Reach::for_url(url) == reach,
        _ => false,
    }
}

fn check(metadata: Metadata, issuer: &str, reach: Reach) -> Result<Discovered, IssuerError> {
    if metadata.issuer != issuer {
        return Err(IssuerError::OtherName);
    }
    let endpoint = |text: &str, name| {
        Url::parse(text).ok().filter(|url| is_safe(url, reach)).ok_or(IssuerError::UnsafeEndpoint(name))
    };
    // Silence about PKCE is common among issuers that support it; a list without S256 is not.
    if metadata.code_challenge_methods_supported.as_ref().is_some_and(|list| !has(list, "S256")) {
        return Err(IssuerError::NoPkce);
    }
    let methods = &metadata.token_endpoint_auth_methods_supported;
    Ok(Discovered {
        issuer: metadata.issuer,
        authorization_endpoint: endpoint(&metadata.authorization_endpoint, "authorization endpoint")?,
        token_endpoint: endpoint(&metadata.token_endpoint, "token endpoint")?,
        jwks_uri: endpoint(&metadata.jwks_uri, "key address")?,
        names_itself: metadata.authorization_response_iss_parameter_supported,
        selects_account: has(&metadata.prompt_values_supported, "select_account"),
        secret_in_body: has(methods, "client_secret_post") && !has(methods, "client_secret_basic"),
        grants_offline: has(&metadata.scopes_supported, "offline_access"),
        revocation_endpoint: metadata
            .revocation_endpoint
            .and_then(|text| Url::parse(&text).ok())
            .filter(|url| is_safe(url, reach)),
        binds_keys: has(&metadata.scopes_supported, BOUND_KEY)
            .then(|| ProofAlgorithm::among(bounded(&metadata.dpop_signing_alg_values_supported)))
            .flatten(),
        reach,
    })
}

fn bounded(list: &[String]) -> &[String] {
    list.get(..LIST_LIMIT).unwrap_or(list)
}

fn has(list: &[String], word: &str) -> bool {
    bounded(list).iter().any(|one| one == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn description(change: impl FnOnce(&mut Value)) -> Metadata {
        let mut value = json!({
            "issuer": "https://i.example",
            "authorization_endpoint": "https://i.example/auth",
            "token_endpoint": "https://tokens.example/token",
            "jwks_uri": "https://keys.example/jwks",
        });
        change(&mut value);
        serde_json::from_value(value).unwrap()
    }

    fn read(change: impl FnOnce(&mut Value)) -> Result<Discovered, IssuerError> {
        check(description(change), "https://i.example", Reach::Public)
    }

    #[test]
    fn an_issuer_may_keep_its_keys_elsewhere() {
        let found = read(|_| {}).unwrap();
        assert_eq!(found.jwks_uri.as_str(), "https://keys.example/jwks");
        assert!(!found.names_itself && !found.secret_in_body && !found.selects_account);
    }

    #[test]
    fn an_issuer_that_calls_itself_differently_is_refused() {
        for other in ["https://i.example/", "https://I.example", "https://evil.example"] {
            assert_eq!(read(|value| value["issuer"] = other.into()), Err(IssuerError::OtherName), "{other}");
        }
    }

    #[test]
    fn a_public_issuer_leads_nobody_onto_this_machine_or_off_encryption() {
        for url in [
            "http://i.example/t",
            "https://127.0.0.1/t",
            "http://a.localhost:1/t",
            "javascript:alert(1)",
            "file:///etc/passwd",
            "",
        ] {
            let error = read(|value| value["token_endpoint"] = url.into()).unwrap_err();
            assert_eq!(error, IssuerError::UnsafeEndpoint("token endpoint"), "{url}");
        }
    }

    #[test]
    fn an_issuer_without_proof_keys_is_refused() {
        assert_eq!(
            read(|value| value["code_challenge_methods_supported"] = json!(["plain"])),
            Err(IssuerError::NoPkce)
        );
        assert!(read(|value| value["code_challenge_methods_supported"] = json!(["plain", "S256"])).is_ok());
    }

    #[test]
    fn an_issuer_that_binds_keys_says_so_twice() {
        let found = |scopes: &[&str], algorithms: &[&str]| {
            read(|value| {
                value["scopes_supported"] = json!(scopes);
                value["dpop_signing_alg_values_supported"] = json!(algorithms);
            })
            .unwrap()
            .binds_keys
        };
        assert_eq!(found(&["openid", "bound_key"], &["ES256", "Ed25519", "EdDSA"]), Some(ProofAlgorithm::EdDsa));
        assert_eq!(found(&["openid", "bound_key"], &["Ed25519"]), Some(ProofAlgorithm::Ed25519));
        assert_eq!(found(&["openid", "bound_key"], &["ES256"]), None, "root keys are Ed25519");
        assert_eq!(found(&["openid"], &["EdDSA"]), None, "proofs for access tokens alone bind no identity");
    }

    #[test]
    fn a_refresh_token_is_never_sent_to_an_unsafe_place() {
        let found = |url: &str| read(|value| value["revocation_endpoint"] = url.into()).unwrap().revocation_endpoint;
        assert!(found("https://i.example/revoke").is_some());
        for url in ["http://i.example/revoke", "https://127.0.0.1/revoke", "x"] {
            assert_eq!(found(url), None, "{url}");
        }
    }

    #[test]
    fn only_an_https_or_loopback_name_is_an_issuer() {
        for bad in [
            "http://i.example",
            "https://i.example?x",
            "https://i.example#x",
            "https://u:p@i.example",
            "ftp://i.example",
            "x",
            "",
        ] {
            assert!(matches!(Place::of(bad), Err(IssuerError::BadName)), "{bad}");
        }
        for good in ["https://i.example/realms/x", "http://127.0.0.1:7", "http://a.localhost:7101", "http://[::1]:7"] {
            let document = Place::of(good).unwrap().document("openid-configuration").unwrap();
            assert_eq!(document.as_str(), format!("{good}/.well-known/openid-configuration"));
        }
    }
}
