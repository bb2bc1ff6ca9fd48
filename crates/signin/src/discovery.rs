//! What an issuer says of itself, and its keys: fetched by us, bounded, and believed only under its name.

use identity::{JWKS_LIMIT, Jwks};
use serde::Deserialize;
use transport::{FetchError, GetLimits, Net, Reach, Redirect};
use url::Url;

use crate::error::IssuerError;

const METADATA_LIMIT: u64 = 64 * 1024;
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
    /// How far requests to it may go.
    pub reach: Reach,
}

/// An issuer's keys, as fetched now.
#[derive(Debug, Clone)]
pub struct IssuerKeys {
    /// The key set's text.
    pub text: String,
    /// The key set.
    pub jwks: Jwks,
    /// The issuer.
    pub discovered: Discovered,
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
}

/// Asks an issuer to describe itself. Redirects to another host are refused.
pub async fn discover(net: &Net, issuer: &str) -> Result<Discovered, IssuerError> {
    let (url, reach) = well_known(issuer)?;
    let bytes = fetch(net, &url, METADATA_LIMIT, reach).await?;
    read(&bytes, issuer, reach)
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
    let discovered = discover(net, issuer).await?;
    let bytes = fetch(net, &discovered.jwks_uri, JWKS_LIMIT as u64, discovered.reach).await?;
    let text = String::from_utf8(bytes).map_err(|_| IssuerError::Malformed("its keys are no text"))?;
    let jwks = Jwks::parse(&text).map_err(IssuerError::Keys)?;
    Ok(IssuerKeys { text, jwks, discovered })
}

async fn fetch(net: &Net, url: &Url, limit: u64, reach: Reach) -> Result<Vec<u8>, IssuerError> {
    let limits = GetLimits::of_bytes(limit).following(Redirect::SameHost);
    match net.get(url, &limits, &reach).await {
        Ok(fetched) => Ok(fetched.bytes.to_vec()),
        Err(FetchError::Status(404)) => Err(IssuerError::Malformed("it does not describe itself")),
        Err(error) => Err(IssuerError::Unreachable(error)),
    }
}

pub(crate) fn well_known(issuer: &str) -> Result<(Url, Reach), IssuerError> {
    let url = Url::parse(issuer).map_err(|_| IssuerError::BadName)?;
    let bare =
        url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    let reach = Reach::for_url(&url);
    if issuer.len() > ISSUER_LIMIT || !bare || !is_safe(&url, reach) {
        return Err(IssuerError::BadName);
    }
    let text = format!("{}/.well-known/openid-configuration", issuer.trim_end_matches('/'));
    Url::parse(&text).map(|url| (url, reach)).map_err(|_| IssuerError::BadName)
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
        reach,
    })
}

fn has(list: &[String], word: &str) -> bool {
    list.iter().take(LIST_LIMIT).any(|one| one == word)
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
            assert_eq!(well_known(bad).unwrap_err(), IssuerError::BadName, "{bad}");
        }
        for good in ["https://i.example/realms/x", "http://127.0.0.1:7", "http://a.localhost:7101", "http://[::1]:7"] {
            assert!(well_known(good).unwrap().0.as_str().ends_with("/.well-known/openid-configuration"), "{good}");
        }
    }
}
