//! The embedded issuer, end to end by HTTP.

use crate::common::House;
use crate::common::oidc::{Login, REDIRECT, VERIFIER, http, query, sign_in};
use identity::{Jwks, PkToken};
use node::Node;
use serde_json::{Value, json};

async fn get(house: &House, path: &str) -> Value {
    http().get(format!("http://127.0.0.1:{}{path}", house.node.port())).send().await.unwrap().json().await.unwrap()
}

fn claims(token: &str) -> Value {
    let payload = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&keys::from_b64url(payload).unwrap()).unwrap()
}

#[tokio::test]
async fn somebody_new_signs_up_and_gets_a_token_for_her_nonce() {
    let house = House::new().await;
    let token = sign_in(&house.node, "create", "Ana", "correct horse", "nonce-1").await;
    let claims = claims(&token);
    assert_eq!(claims["iss"], json!(house.node.origin()));
    assert_eq!(
        (&claims["sub"], &claims["aud"], &claims["nonce"]),
        (&json!("ana"), &json!("parlance"), &json!("nonce-1"))
    );
    assert_eq!(claims["exp"].as_i64().unwrap() - claims["iat"].as_i64().unwrap(), 3600);
    let again = sign_in(&house.node, "sign-in", "ana", "correct horse", "nonce-2").await;
    assert_eq!(crate::common::oidc::query(&"http://x/?a=1".parse().unwrap(), "a").as_deref(), Some("1"));
    assert_ne!(again, token);
}

#[tokio::test]
async fn a_stranger_verifies_the_token_with_the_published_keys() {
    use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
    let house = House::new().await;
    let token = sign_in(&house.node, "create", "ana", "correct horse", "nonce").await;
    let discovery = get(&house, "/.well-known/openid-configuration").await;
    assert_eq!(discovery["issuer"], json!(house.node.origin()));
    assert_eq!(discovery["authorization_response_iss_parameter_supported"], json!(true));
    let jwks = get(&house, "/oidc/jwks").await;
    let header: Value = serde_json::from_slice(&keys::from_b64url(token.split('.').next().unwrap()).unwrap()).unwrap();
    let key = &jwks["keys"][0];
    assert_eq!((&header["kid"], &header["alg"]), (&key["kid"], &json!("ES256")));
    let part = |name: &str| keys::from_b64url(key[name].as_str().unwrap()).unwrap();
    let point = [vec![4], part("x"), part("y")].concat();
    let (signed, signature) = token.rsplit_once('.').unwrap();
    let signature = keys::from_b64url(signature).unwrap();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(signed.as_bytes(), &signature).unwrap();
    let _ = (std::any::type_name::<Jwks>(), std::any::type_name::<PkToken>());
}

#[tokio::test]
async fn the_browser_comes_back_with_state_and_issuer() {
    let house = House::new().await;
    house.node.add_user("ana", "correct horse").await.unwrap();
    let login = Login::new(&house.node, "nonce");
    let page = login.show().await;
    assert_eq!(page.status, 200);
    assert!(page.policy.contains("default-src 'none'") && page.policy.contains("frame-ancestors 'none'"));
    let (status, location, _) = login.submit(&page, "sign-in", "ana", "correct horse").await;
    let location = location.unwrap();
    assert_eq!(status, 303);
    assert!(location.as_str().starts_with(REDIRECT));
    assert_eq!(query(&location, "state").as_deref(), Some("state-1"));
    assert_eq!(query(&location, "iss").as_deref(), Some(house.node.origin()));
}

#[tokio::test]
async fn a_wrong_password_is_told_on_the_page_and_slows_down() {
    let house = House::new().await;
    house.node.add_user("ana", "correct horse").await.unwrap();
    let login = Login::new(&house.node, "nonce");
    let page = login.show().await;
    let (status, location, html) = login.submit(&page, "sign-in", "ana", "wrong horse").await;
    assert_eq!((status, location), (401, None));
    assert!(html.contains(r#"role="alert""#) && !html.contains("wrong horse"));
    let (unknown, _, other) = login.submit(&page, "sign-in", "nobody", "wrong horse").await;
    assert_eq!(unknown, 401, "who does not exist is told the same");
    assert!(other.contains("do not belong together"));
    for _ in 0..node::limits::FAILURES_PER_NAME {
        login.submit(&page, "sign-in", "ana", "wrong horse").await;
    }
    let (status, _, _) = login.submit(&page, "sign-in", "ana", "correct horse").await;
    assert_eq!(status, 429, "guessing is over for a while");
}

#[tokio::test]
async fn a_code_works_once_with_its_verifier_and_redirect() {
    let house = House::new().await;
    house.node.add_user("ana", "correct horse").await.unwrap();
    let login = Login::new(&house.node, "nonce");
    let wrong = "another-horse-battery-staple-another-horse-battery";
    for (verifier, redirect) in [(wrong, REDIRECT), (VERIFIER, "http://127.0.0.1:49153/cb"), ("short", REDIRECT)] {
        let code = login.code("sign-in", "ana", "correct horse").await;
        assert_eq!(login.redeem(&code, verifier, redirect).await.1["error"], json!("invalid_grant"));
        assert_eq!(login.redeem(&code, VERIFIER, REDIRECT).await.0, 400, "a wrong attempt burns the code");
    }
    let code = login.code("sign-in", "ana", "correct horse").await;
    assert_eq!(login.redeem(&code, VERIFIER, REDIRECT).await.0, 200);
    assert_eq!(login.redeem(&code, VERIFIER, REDIRECT).await.0, 400);
}

#[tokio::test]
async fn nobody_is_sent_anywhere_but_to_this_computer() {
    let house = House::new().await;
    for (key, value) in [
        ("redirect_uri", "https://evil.example/cb"),
        ("redirect_uri", "http://127.0.0.1:1@evil.example/cb"),
        ("redirect_uri", "http://localhost:49152/cb"),
        ("client_id", "evil"),
    ] {
        let page = Login::new(&house.node, "nonce").with(key, value).show().await;
        assert_eq!((page.status, page.location), (400, None), "{value}");
    }
}

#[tokio::test]
async fn a_request_without_pkce_nonce_or_state_is_refused() {
    let house = House::new().await;
    for (key, value, error) in [
        ("code_challenge_method", "plain", "invalid_request"),
        ("code_challenge", "", "invalid_request"),
        ("nonce", "", "invalid_request"),
        ("state", "", "invalid_request"),
        ("response_type", "token", "unsupported_response_type"),
        ("scope", "profile", "invalid_scope"),
        ("prompt", "none", "login_required"),
    ] {
        let page = Login::new(&house.node, "nonce").with(key, value).show().await;
        let location = page.location.expect("the app is told");
        assert_eq!(query(&location, "error").as_deref(), Some(error), "{key}");
        assert_eq!(query(&location, "iss").as_deref(), Some(house.node.origin()));
    }
}

#[tokio::test]
async fn a_form_from_elsewhere_is_refused() {
    let house = House::new().await;
    house.node.add_user("ana", "correct horse").await.unwrap();
    let login = Login::new(&house.node, "nonce");
    let page = login.show().await;
    let filled = |csrf: String| {
        vec![
            ("page", page.hidden("page")),
            ("csrf", csrf),
            ("name", "ana".to_owned()),
            ("password", "correct horse".to_owned()),
        ]
    };
    assert_eq!(login.post(&page, &filled("wrong".into())).await.0, 400, "a wrong mark");
    let other = crate::common::oidc::Page {
        cookie: "parlance-login=AAAA".into(),
        html: page.html.clone(),
        policy: String::new(),
        status: 200,
        location: None,
    };
    assert_eq!(login.post(&other, &filled(page.hidden("csrf"))).await.0, 400, "another browser");
    assert_eq!(login.post(&page, &filled(page.hidden("csrf"))).await.0, 303);
    assert_eq!(login.post(&page, &filled(page.hidden("csrf"))).await.0, 400, "the same form twice");
}

#[tokio::test]
async fn no_account_is_made_where_registration_is_by_invitation() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = crate::common::config(&folder);
    config.registration = node::Registration::Invite;
    let house = House { node: Node::start(config).await.unwrap(), folder };
    let login = Login::new(&house.node, "nonce");
    let page = login.show().await;
    assert!(!page.html.contains("Create an account"));
    assert_eq!(login.submit(&page, "create", "ana", "correct horse").await.0, 401);
}

#[tokio::test]
async fn the_key_survives_a_restart() {
    let house = House::new().await;
    let before = get(&house, "/oidc/jwks").await;
    let house = house.restart().await;
    assert_eq!(get(&house, "/oidc/jwks").await, before);
}
