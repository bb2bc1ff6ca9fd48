//! Ben signs in at an issuer we did not write, and a stranger recognises him by what came out.

use std::time::Duration;

use crate::common::*;
use identity::*;
use message::Private;
use signin::*;
use tokio_util::sync::CancellationToken;
use url::Url;

async fn ben_signs_in_and_is_recognised(alg: &str) {
    let issuer = Issuer::start(&[("ALG", alg)]);
    let persona = new_ben();
    let signed_in = ben_signs_in(IssuerConfig::new(&issuer.name), persona.nonce()).await.unwrap();
    let ben = persona.finish(&signed_in.id_token, now()).unwrap();
    let evidence = evidence(&ben);
    let keys = discover(&net(), &issuer.name).await.unwrap().jwks_uri;
    assert_eq!(
        crate::common::check_elsewhere(ben.token.text(), &keys),
        "OK ben",
        "another JOSE library reads the same token"
    );

    let seen = stranger(&evidence, &issuer.name, IssuerKind::OpenId).await.unwrap();
    assert_eq!((seen.issuer(), seen.subject(), seen.persona()), (issuer.name.as_str(), "ben", ben.chain.persona()));
    assert_eq!(seen.display(), &Display::default(), "only the subject was asked for");

    // A stranger who trusts somebody else does not even ask this issuer.
    let refused = stranger(&evidence, "https://elsewhere.example", IssuerKind::OpenId).await.unwrap_err();
    assert_eq!(refused, VerifyError::UnknownIssuer { issuer: issuer.name.clone() });
}

#[tokio::test]
async fn a_stranger_recognises_ben_by_an_rsa_issuer() {
    ben_signs_in_and_is_recognised("RS256").await;
}

#[tokio::test]
async fn a_stranger_recognises_ben_by_an_elliptic_curve_issuer() {
    ben_signs_in_and_is_recognised("ES256").await;
}

#[tokio::test]
async fn a_stranger_recognises_ben_by_an_ed25519_issuer() {
    ben_signs_in_and_is_recognised("EdDSA").await;
}

#[tokio::test]
async fn ben_may_show_his_name_and_address() {
    let issuer = Issuer::start(&[]);
    let scopes = ["openid", "email", "profile"].map(str::to_owned).to_vec();
    let config = IssuerConfig { scopes, ..IssuerConfig::new(&issuer.name) };
    let persona = new_ben();
    let signed_in = ben_signs_in(config, persona.nonce()).await.unwrap();
    let claims = part(&signed_in.id_token, 1);
    assert_eq!((claims["email"].as_str(), claims["name"].as_str()), (Some("ben@idp.test"), Some("Ben Brown")));
    assert_eq!(claims["nonce"].as_str(), Some(persona.nonce().as_str()));
    assert_eq!(signed_in.refresh_token, None, "offline_access was not asked for");
    assert!(!format!("{signed_in:?}").contains(&signed_in.id_token));
}

#[tokio::test]
async fn a_native_client_with_a_secret_signs_in_too() {
    let issuer = Issuer::start(&[("CLIENT_SECRET", "not really one")]);
    let with =
        |secret: &str| IssuerConfig { client_secret: Some(Private(secret.into())), ..IssuerConfig::new(&issuer.name) };
    ben_signs_in(with("not really one"), "n".into()).await.unwrap();
    let refused = ben_signs_in(with("another"), "n".into()).await.unwrap_err();
    assert_eq!(refused, SignInError::Refused { error: "invalid_client".into() });
}

#[tokio::test]
async fn a_person_who_says_no_is_not_signed_in() {
    let issuer = Issuer::start(&[]);
    let pending = SignIn::begin(&net(), IssuerConfig::new(&issuer.name), "n".into()).await.unwrap();
    let authorize = pending.authorize_url().clone();
    let waiting = tokio::spawn(pending.finish(CancellationToken::new()));
    let mut browser = Browser::default();
    let callback = browser.refuse(&authorize).await;
    assert_eq!(browser.get(&callback).await.status, 400);
    assert_eq!(waiting.await.unwrap().unwrap_err(), SignInError::Declined);
}

/// The redirect address in an authorize URL, with a query of our own.
fn callback(authorize: &Url, query: &[(&str, &str)]) -> Url {
    let redirect = authorize.query_pairs().find(|(name, _)| name == "redirect_uri").unwrap().1.into_owned();
    Url::parse_with_params(&redirect, query).unwrap()
}

#[tokio::test]
async fn what_the_browser_brings_back_is_checked() {
    let issuer = Issuer::start(&[]);
    let other = "https://evil.example";
    for (case, expected) in [
        ("another state", SignInError::WrongState),
        ("another issuer", SignInError::WrongIssuer),
        ("no issuer", SignInError::WrongIssuer),
        ("invented code", SignInError::Refused { error: "invalid_grant".into() }),
    ] {
        let pending = SignIn::begin(&net(), IssuerConfig::new(&issuer.name), "n".into()).await.unwrap();
        let authorize = pending.authorize_url().clone();
        let state = authorize.query_pairs().find(|(name, _)| name == "state").unwrap().1.into_owned();
        let waiting = tokio::spawn(pending.finish(CancellationToken::new()));
        let query = match case {
            "another state" => vec![("code", "c"), ("state", "x"), ("iss", issuer.name.as_str())],
            "another issuer" => vec![("code", "c"), ("state", state.as_str()), ("iss", other)],
            "no issuer" => vec![("code", "c"), ("state", state.as_str())],
            _ => vec![("code", "c"), ("state", state.as_str()), ("iss", issuer.name.as_str())],
        };
        let page = Browser::default().get(&callback(&authorize, &query)).await;
        assert_eq!((page.status, waiting.await.unwrap().unwrap_err()), (400, expected), "{case}");
    }
}

#[tokio::test]
async fn a_stray_request_does_not_end_the_sign_in() {
    let issuer = Issuer::start(&[]);
    let pending = SignIn::begin(&net(), IssuerConfig::new(&issuer.name), "n".into()).await.unwrap();
    let authorize = pending.authorize_url().clone();
    let waiting = tokio::spawn(pending.finish(CancellationToken::new()));
    let mut browser = Browser::default();
    let mut icon = callback(&authorize, &[]);
    icon.set_path("/favicon.ico");
    assert_eq!(browser.get(&icon).await.status, 404);
    assert_eq!(browser.get(&callback(&authorize, &[])).await.status, 404);
    let back = browser.sign_in(&authorize, "ben").await;
    assert_eq!(browser.get(&back).await.status, 200);
    assert!(waiting.await.unwrap().is_ok());
}

#[tokio::test]
async fn a_sign_in_ends_when_told_or_when_nobody_comes() {
    let issuer = Issuer::start(&[]);
    let begin = || async { SignIn::begin(&net(), IssuerConfig::new(&issuer.name), "n".into()).await.unwrap() };
    let late = begin().await.within(Duration::from_millis(20)).finish(CancellationToken::new()).await;
    assert_eq!(late.unwrap_err(), SignInError::TimedOut);
    let cancel = CancellationToken::new();
    let waiting = tokio::spawn(begin().await.finish(cancel.clone()));
    cancel.cancel();
    assert_eq!(waiting.await.unwrap().unwrap_err(), SignInError::Cancelled);
}

#[tokio::test]
async fn an_issuer_under_another_name_is_refused() {
    let issuer = Issuer::start(&[]);
    let renamed = issuer.name.replace("127.0.0.1", "b.localhost");
    assert_eq!(fetch_jwks(&net(), &renamed).await.unwrap_err(), IssuerError::OtherName);
    let slash = format!("{}/", issuer.name);
    assert_eq!(discover(&net(), &slash).await.unwrap_err(), IssuerError::OtherName);
    let begun = SignIn::begin(&net(), IssuerConfig::new(&renamed), "n".into()).await;
    assert_eq!(begun.unwrap_err(), SignInError::BadIssuer(IssuerError::OtherName));
}
