//! A proxy may refuse; whatever else it tries, it gets nowhere.

use super::*;
use crate::clock::unix_now;
use identity::Jwks;
use keys::SigningKey;

const ISSUER: &str = "https://pass.example/office";
const NONCE: &str = "our nonce";

fn begun() -> ProxySignIn {
    ProxySignIn::begin(IssuerConfig::new(ISSUER), NONCE.into(), None, 0).unwrap().0
}

fn ok(value: Value) -> String {
    json!({ "code": 200, "value": value }).to_string()
}

fn waiting() -> ProxySignIn {
    let mut sign_in = begun();
    sign_in.answered(&ok(json!({ "ticket": "t" })), 0).unwrap();
    sign_in
}

fn keys_of(key: &SigningKey) -> IssuerKeys {
    let jwk =
        json!({ "kty": "OKP", "crv": "Ed25519", "x": key.verifying_key(), "kid": "k", "use": "sig", "alg": "EdDSA" });
    let text = json!({ "keys": [jwk] }).to_string();
    IssuerKeys { jwks: Jwks::parse(&text).unwrap(), text, ahead_s: None }
}

fn token(key: &SigningKey, change: impl FnOnce(&mut Value)) -> String {
    let now = unix_now();
    let mut claims =
        json!({ "iss": ISSUER, "sub": "ben", "aud": "parlance", "nonce": NONCE, "iat": now, "exp": now + 3600 });
    change(&mut claims);
    let signed = [r#"{"alg":"EdDSA","kid":"k"}"#.to_owned(), claims.to_string()]
        .map(|part| keys::b64url(part.as_bytes()))
        .join(".");
    format!("{signed}.{}", key.sign(signed.as_bytes()))
}

/// What becomes of this token when the proxy hands it over.
fn handed_over(text: &str, keys: &IssuerKeys) -> Result<SignedIn, ProxyError> {
    let mut sign_in = waiting();
    let ProxyStep::Check(token) = sign_in.answered(&ok(json!({ "idToken": text })), 1)? else { panic!("no token") };
    sign_in.check(token, keys)
}

#[test]
fn a_proxy_is_told_the_nonce_and_leads_to_the_issuers_page_and_a_token() {
    let key = SigningKey::generate();
    let (mut sign_in, ask) = ProxySignIn::begin(IssuerConfig::new(ISSUER), NONCE.into(), Some("ben\u{7}"), 0).unwrap();
    let told = json!({ "nonce": NONCE, "audience": "parlance", "loginHint": "ben" });
    assert_eq!(ask, json!({ "method": "begin", "params": told }), "and nothing else");
    assert_eq!(sign_in.answered(r#"{"code":100}"#, 1), Ok(ProxyStep::Wait));
    let page = "https://pass.example/desk/7";
    let step = sign_in.answered(&ok(json!({ "ticket": "t", "loginUrl": page })), 2).unwrap();
    let ask = json!({ "method": "finish", "params": { "ticket": "t" } });
    assert_eq!(step, ProxyStep::Open { page: Some(Url::parse(page).unwrap()), ask: ask.clone() });
    assert_eq!(sign_in.answered(r#"{"code":100,"value":{"idToken":"early"}}"#, 3), Ok(ProxyStep::Wait));
    assert_eq!(sign_in.answered(r#"{"code":408}"#, 4), Ok(ProxyStep::Ask(ask)));
    let text = token(&key, |_| {});
    let ProxyStep::Check(given) = sign_in.answered(&ok(json!({ "idToken": text })), 5).unwrap() else { panic!() };
    assert!(!format!("{given:?} {sign_in:?}").contains(&text) && !format!("{sign_in:?}").contains(NONCE));
    let signed_in = sign_in.check(given, &keys_of(&key)).unwrap();
    assert_eq!((signed_in.id_token, signed_in.issuer), (text, ISSUER.to_owned()));
}

#[test]
fn a_proxy_leads_nobody_to_a_page_that_is_not_the_issuers() {
    for page in [
        "https://evil.example/desk",
        "http://pass.example/desk",
        "https://pass.example:444/desk",
        "https://pass.example@evil.example/",
        "https://user:word@pass.example/",
        "https://pass.example.evil.example/",
        "javascript:alert(1)",
        "file:///etc/passwd",
    ] {
        let step = begun().answered(&ok(json!({ "ticket": "t", "loginUrl": page })), 0);
        assert_eq!(step, Err(ProxyError::ForeignPage), "{page}");
    }
    let long = format!("https://pass.example/{}", "x".repeat(PAGE_LIMIT));
    for page in [json!(7), json!("desk"), json!(long)] {
        let step = begun().answered(&ok(json!({ "ticket": "t", "loginUrl": page })), 0);
        assert_eq!(step, Err(ProxyError::Malformed("page")));
    }
}

#[test]
fn a_proxy_cannot_forge_a_token() {
    let (key, other) = (SigningKey::generate(), SigningKey::generate());
    let keys = keys_of(&key);
    assert!(handed_over(&token(&key, |_| {}), &keys).is_ok());
    let unverified = |text: &str| {
        let error = handed_over(text, &keys).err();
        assert_eq!(error, Some(ProxyError::Token(SignInError::BadToken("it does not verify"))), "{text}");
    };
    unverified(&token(&other, |_| {}));
    for (name, value) in [
        ("nonce", json!("another")),
        ("nonce", Value::Null),
        ("iss", json!("https://other.example")),
        ("iss", json!("https://pass.example")),
        ("aud", json!("another")),
        ("aud", json!(["parlance", "another"])),
        ("exp", json!(unix_now() - 60)),
    ] {
        unverified(&token(&key, |claims| claims[name] = value));
    }
    let old = token(&key, |claims| claims["iat"] = json!(unix_now() - 7200));
    assert!(matches!(handed_over(&old, &keys), Err(ProxyError::Token(SignInError::ClockWrong { .. }))));
    let nobody = token(&key, |claims| claims["sub"] = json!(""));
    assert!(matches!(handed_over(&nobody, &keys), Err(ProxyError::Token(_))));
    for garbage in ["", "garbage", "e30.e30.", "a.b.c.d", &"x".repeat(ID_TOKEN_LIMIT + 1)] {
        assert!(matches!(handed_over(garbage, &keys), Err(ProxyError::Token(_))), "{garbage:.20}");
    }
    let unsigned = format!("{}.", token(&key, |_| {}).rsplit_once('.').unwrap().0);
    unverified(&unsigned);
}

#[test]
fn an_answer_of_a_megabyte_is_not_even_read() {
    let huge = ok(json!({ "idToken": "x".repeat(1 << 20) }));
    assert_eq!(waiting().answered(&huge, 0), Err(ProxyError::TooLarge));
    assert_eq!(begun().answered(&huge, 0), Err(ProxyError::TooLarge));
}

#[test]
fn what_is_no_answer_ends_the_sign_in() {
    for body in ["", "null", "[]", "{}", r#"{"code":"200"}"#, r#"{"code":-1}"#] {
        let mut sign_in = begun();
        assert_eq!(sign_in.answered(body, 0), Err(ProxyError::Malformed("answer")), "{body}");
        assert_eq!(sign_in.answered(&ok(json!({ "ticket": "t" })), 0), Err(ProxyError::OutOfTurn));
    }
    let long = "x".repeat(TICKET_LIMIT + 1);
    for ticket in [json!(""), json!("a b"), json!("a\n"), json!(7), json!(long), Value::Null] {
        let step = begun().answered(&ok(json!({ "ticket": ticket })), 0);
        assert_eq!(step, Err(ProxyError::Malformed("ticket")));
    }
    assert_eq!(waiting().answered(&ok(json!({ "ticket": "t" })), 0), Err(ProxyError::Malformed("token")));
}

#[test]
fn a_proxy_may_refuse() {
    let refused = |code: u16| waiting().answered(&json!({ "code": code }).to_string(), 0).unwrap_err();
    assert_eq!(refused(403), ProxyError::Declined);
    assert_eq!(refused(503), ProxyError::Unreachable);
    assert_eq!(refused(500), ProxyError::Refused { code: 500 });
    assert_eq!(begun().answered(r#"{"code":408}"#, 0), Err(ProxyError::Unreachable), "it never began");
}

#[test]
fn a_proxy_cannot_keep_a_person_waiting_for_ever() {
    let mut sign_in = waiting();
    assert_eq!(sign_in.answered(r#"{"code":100}"#, sign_in.deadline()), Ok(ProxyStep::Wait));
    let late = ok(json!({ "idToken": "x" }));
    assert_eq!(sign_in.answered(&late, sign_in.deadline() + 1), Err(ProxyError::TimedOut));
    let mut sign_in = waiting();
    for _ in 0..ASKS_LIMIT {
        assert!(matches!(sign_in.answered(r#"{"code":408}"#, 0), Ok(ProxyStep::Ask(_))));
    }
    assert_eq!(sign_in.answered(r#"{"code":408}"#, 0), Err(ProxyError::TimedOut));
}

#[test]
fn a_proxy_is_for_issuers_only() {
    for issuer in ["http://pass.example", "https://pass.example?x", "ftp://pass.example", ""] {
        let begun = ProxySignIn::begin(IssuerConfig::new(issuer), NONCE.into(), None, 0);
        assert!(matches!(begun, Err(ProxyError::BadIssuer(_))), "{issuer}");
    }
}
