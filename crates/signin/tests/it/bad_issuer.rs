//! Issuers that lie, fall silent, lead elsewhere or live in another time.

use std::sync::Arc;

use crate::common::net;
use serde_json::{Value, json};
use signin::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use transport::FetchError;

/// Answers each path with what `answer` says: status line, extra headers, body.
async fn issuer(answer: impl Fn(&str, &str) -> Option<(String, String)> + Send + Sync + 'static) -> String {
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let name = format!("http://127.0.0.1:{}", socket.local_addr().unwrap().port());
    let (own, answer) = (name.clone(), Arc::new(answer));
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = socket.accept().await {
            let (own, answer) = (own.clone(), answer.clone());
            tokio::spawn(async move {
                let mut bytes = vec![0; 8192];
                let got = stream.read(&mut bytes).await.unwrap_or(0);
                let request = String::from_utf8_lossy(&bytes[..got]).into_owned();
                let path = request.split(' ').nth(1).unwrap_or("/");
                let (head, body) = answer(&own, path).unwrap_or_else(|| ("404 Not Found".into(), String::new()));
                let text = format!(
                    "HTTP/1.1 {head}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                    body.len()
                );
                let _gone = stream.write_all(text.as_bytes()).await;
            });
        }
    });
    name
}

fn ok(body: impl ToString) -> Option<(String, String)> {
    Some(("200 OK".into(), body.to_string()))
}

fn description(own: &str) -> Value {
    json!({
        "issuer": own,
        "authorization_endpoint": format!("{own}/auth"),
        "token_endpoint": format!("{own}/token"),
        "jwks_uri": format!("{own}/jwks"),
    })
}

fn well(path: &str) -> bool {
    path == "/.well-known/openid-configuration"
}

#[tokio::test]
async fn an_issuer_that_is_not_there_is_unreachable() {
    let port = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap().port();
    let begun = SignIn::begin(&net(), IssuerConfig::new(&format!("http://127.0.0.1:{port}")), "n".into()).await;
    assert!(matches!(begun.unwrap_err(), SignInError::IssuerUnreachable(FetchError::Unreachable(_))));
}

#[tokio::test]
async fn a_server_that_is_no_issuer_is_told_apart() {
    let silent = issuer(|_, _| None).await;
    let html = issuer(|_, _| ok("<html>")).await;
    let huge = issuer(|_, _| ok("x".repeat(70_000))).await;
    assert_eq!(discover(&net(), &silent).await.unwrap_err(), IssuerError::Malformed("it does not describe itself"));
    assert_eq!(discover(&net(), &html).await.unwrap_err(), IssuerError::Malformed("its description cannot be read"));
    assert!(matches!(
        discover(&net(), &huge).await.unwrap_err(),
        IssuerError::Unreachable(FetchError::TooLarge { .. })
    ));
}

#[tokio::test]
async fn a_redirect_to_another_host_is_refused() {
    let elsewhere = issuer(|own, _| ok(description(own))).await;
    let target = elsewhere.clone();
    let name = issuer(move |_, _| {
        Some((format!("302 Found\r\nLocation: {target}/.well-known/openid-configuration"), String::new()))
    })
    .await;
    assert!(matches!(
        discover(&net(), &name).await.unwrap_err(),
        IssuerError::Unreachable(FetchError::Redirect { .. })
    ));
}

#[tokio::test]
async fn an_issuer_on_this_machine_leads_nobody_to_the_internet() {
    let name = issuer(|own, _| {
        let mut text = description(own);
        text["jwks_uri"] = "https://evil.example/jwks".into();
        ok(text)
    })
    .await;
    assert_eq!(fetch_jwks(&net(), &name).await.unwrap_err(), IssuerError::UnsafeEndpoint("key address"));
}

#[tokio::test]
async fn keys_that_are_none_are_refused() {
    let name = issuer(|own, path| if well(path) { ok(description(own)) } else { ok("{}") }).await;
    assert_eq!(fetch_jwks(&net(), &name).await.unwrap_err(), IssuerError::Keys(identity::JwksError::NoKeys));
}

#[tokio::test]
async fn keys_without_a_description_are_those_of_a_proxys_issuer_only() {
    let set = json!({ "keys": [] });
    let bare = issuer(move |_, path| (path == "/.well-known/jwks.json").then(|| ok(&set)).flatten()).await;
    let undescribed = IssuerError::Malformed("it does not describe itself");
    assert_eq!(fetch_jwks(&net(), &bare).await.unwrap_err(), undescribed);
    assert!(fetch_jwks_of(&net(), &bare, IssuerKind::Proxy).await.unwrap().jwks.keys().is_empty());
    // One that describes itself is believed as it does so, or not at all.
    for said in [json!({}), json!({ "issuer": "https://other.example" })] {
        let set = json!({ "keys": [] });
        let odd = issuer(move |own, path| {
            let mut text = description(own);
            said.as_object().unwrap().iter().for_each(|(name, value)| text[name] = value.clone());
            if well(path) { ok(text) } else { (path == "/.well-known/jwks.json").then(|| ok(&set)).flatten() }
        })
        .await;
        assert!(fetch_jwks_of(&net(), &odd, IssuerKind::Proxy).await.is_err());
    }
}

/// An answer of a server whose clock is `by` seconds behind ours.
fn behind(by: u64, status: &str, body: &Value) -> Option<(String, String)> {
    let date = httpdate::fmt_http_date(std::time::SystemTime::now() - std::time::Duration::from_secs(by));
    Some((format!("{status}\r\nDate: {date}"), body.to_string()))
}

#[tokio::test]
async fn a_wrong_clock_is_told_before_anybody_goes_to_the_browser() {
    for (by, wrong) in [(7200, true), (60, false)] {
        let name = issuer(move |own, path| {
            let body = if well(path) { description(own) } else { json!({ "keys": [] }) };
            behind(by, "200 OK", &body)
        })
        .await;
        let begun = SignIn::begin(&net(), IssuerConfig::new(&name), "n".into()).await;
        let found = matches!(begun, Err(SignInError::ClockWrong { by_s }) if (by_s - 7200).abs() < 60);
        assert_eq!((found, begun.is_err()), (wrong, wrong));
        // A stranger's token is checked all the same: only for a sign-in is the present time worth stopping for.
        assert!(fetch_jwks(&net(), &name).await.is_ok());
    }
}

#[tokio::test]
async fn what_an_issuer_refuses_because_of_the_clock_is_told_as_the_clocks_fault() {
    let name = issuer(|own, path| match path {
        path if well(path) => ok(description(own)),
        "/jwks" => ok(json!({ "keys": [] })),
        _ => behind(7200, "400 Bad Request", &json!({ "error": "invalid_dpop_proof" })),
    })
    .await;
    let refused = sign_in(&name).await.unwrap_err();
    assert!(matches!(refused, SignInError::ClockWrong { by_s } if (by_s - 7200).abs() < 60), "{refused:?}");
}

#[tokio::test]
async fn an_issuer_that_is_busy_is_asked_later() {
    for (status, error) in [("503 Service Unavailable", "x"), ("400 Bad Request", "temporarily_unavailable")] {
        let name = issuer(move |own, path| match path {
            path if well(path) => ok(description(own)),
            "/jwks" => ok(json!({ "keys": [] })),
            _ => Some((status.into(), json!({ "error": error }).to_string())),
        })
        .await;
        assert_eq!(sign_in(&name).await.unwrap_err().code(), "issuer-unreachable");
    }
}

/// An issuer whose token endpoint gives the id_token with these claims, signed by `key` as kid `k`.
async fn token_issuer(key: keys::SigningKey, claims: Value) -> String {
    let jwk =
        json!({ "kty": "OKP", "crv": "Ed25519", "x": key.verifying_key(), "kid": "k", "use": "sig", "alg": "EdDSA" });
    issuer(move |own, path| match path {
        path if well(path) => ok(description(own)),
        "/jwks" => ok(json!({ "keys": [jwk] })),
        _ => {
            let mut claims = claims.clone();
            claims["iss"] = own.into();
            let signed = format!(
                "{}.{}",
                keys::b64url(br#"{"alg":"EdDSA","kid":"k"}"#),
                keys::b64url(claims.to_string().as_bytes())
            );
            let id_token = format!("{signed}.{}", key.sign(signed.as_bytes()));
            ok(json!({ "access_token": "a", "token_type": "Bearer", "id_token": id_token }))
        }
    })
    .await
}

async fn sign_in(name: &str) -> Result<SignedIn, SignInError> {
    let pending = SignIn::begin(&net(), IssuerConfig::new(name), "our nonce".into()).await?;
    let authorize = pending.authorize_url().clone();
    let word = |wanted: &str| authorize.query_pairs().find(|(name, _)| name == wanted).unwrap().1.into_owned();
    let callback =
        url::Url::parse_with_params(&word("redirect_uri"), [("code", "c"), ("state", &word("state"))]).unwrap();
    let waiting = tokio::spawn(pending.finish(CancellationToken::new()));
    crate::common::Browser::default().get(&callback).await;
    waiting.await.unwrap()
}

fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64
}

fn claims(issued: i64) -> Value {
    json!({ "sub": "ben", "aud": "parlance", "iat": issued, "exp": issued + 3600, "nonce": "our nonce" })
}

#[tokio::test]
async fn a_good_token_is_accepted() {
    let name = token_issuer(keys::SigningKey::generate(), claims(now())).await;
    assert_eq!(sign_in(&name).await.unwrap().issuer, name);
}

#[tokio::test]
async fn a_clock_that_goes_wrong_is_named_as_such() {
    for by in [-7200, 7200] {
        let name = token_issuer(keys::SigningKey::generate(), claims(now() - by)).await;
        let Err(SignInError::ClockWrong { by_s }) = sign_in(&name).await else { panic!("not noticed") };
        assert!((by_s - by).abs() < 60, "{by_s}");
    }
}

#[tokio::test]
async fn a_token_for_another_sign_in_or_app_is_refused() {
    for (name, value) in [("nonce", json!("another")), ("aud", json!("another")), ("nonce", Value::Null)] {
        let mut bad = claims(now());
        bad[name] = value;
        let issuer = token_issuer(keys::SigningKey::generate(), bad).await;
        assert_eq!(sign_in(&issuer).await.unwrap_err(), SignInError::BadToken("it does not verify"), "{name}");
    }
}

#[tokio::test]
async fn an_answer_without_an_id_token_is_refused() {
    let name = issuer(|own, path| match path {
        path if well(path) => ok(description(own)),
        "/jwks" => ok(json!({ "keys": [] })),
        _ => ok(json!({ "access_token": "a", "token_type": "Bearer" })),
    })
    .await;
    assert_eq!(sign_in(&name).await.unwrap_err(), SignInError::BadToken("there is none"));
}

#[tokio::test]
async fn an_issuers_error_is_shown_in_plain_letters() {
    let name = issuer(|own, path| match path {
        path if well(path) => ok(description(own)),
        "/jwks" => ok(json!({ "keys": [] })),
        _ => Some(("400 Bad Request".into(), json!({ "error": "<b>no\u{202e} way</b>" }).to_string())),
    })
    .await;
    assert_eq!(sign_in(&name).await.unwrap_err(), SignInError::Refused { error: "bnowayb".into() });
}
