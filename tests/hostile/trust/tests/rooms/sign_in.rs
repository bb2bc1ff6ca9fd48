//! Attacks on the sign-in: other states, other issuers, other hosts, codes and tokens of others.

use std::sync::Arc;

use identity::{EnrolError, NewPersona};
use keys::{SigningKey, b64url};
use serde_json::{Value, json};
use signin::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::sign_in_story::{Answer, Browser, net};

const OURS: &str = "our nonce";

/// An issuer of a few lines, on a loopback port of its own: each path is answered with status line and body.
async fn issuer(answer: impl Fn(&str, &str) -> (String, String) + Send + Sync + 'static) -> String {
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
                let (head, body) = answer(&own, request.split(' ').nth(1).unwrap_or("/"));
                let length = body.len();
                let text = format!(
                    "HTTP/1.1 {head}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}"
                );
                // Who asked may be gone.
                let _ = stream.write_all(text.as_bytes()).await;
            });
        }
    });
    name
}

fn ok(body: impl ToString) -> (String, String) {
    ("200 OK".into(), body.to_string())
}

fn description(own: &str) -> Value {
    json!({
        "issuer": own,
        "authorization_endpoint": format!("{own}/auth"),
        "token_endpoint": format!("{own}/token"),
        "jwks_uri": format!("{own}/jwks"),
        "authorization_response_iss_parameter_supported": true,
    })
}

/// An issuer that signs everybody in, with these claims changed.
async fn signing(change: Value) -> String {
    let key = SigningKey::generate();
    let jwk =
        json!({ "kty": "OKP", "crv": "Ed25519", "x": key.verifying_key(), "kid": "k", "use": "sig", "alg": "EdDSA" });
    issuer(move |own, path| match path {
        "/.well-known/openid-configuration" => ok(description(own)),
        "/jwks" => ok(json!({ "keys": [jwk] })),
        _ => {
            let mut claims =
                json!({ "iss": own, "sub": "ben", "aud": "parlance", "iat": now(), "exp": now() + 3600, "nonce": OURS });
            claims.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
            let header = b64url(br#"{"alg":"EdDSA","kid":"k"}"#);
            let signed = format!("{header}.{}", b64url(claims.to_string().as_bytes()));
            let id_token = format!("{signed}.{}", key.sign(signed.as_bytes()));
            ok(json!({ "access_token": "a", "token_type": "Bearer", "id_token": id_token }))
        }
    })
    .await
}

fn now() -> i64 {
    i64::try_from(std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs()).unwrap()
}

/// A sign-in that waits for the browser.
struct Waiting {
    redirect: Url,
    state: String,
    end: tokio::task::JoinHandle<Result<SignedIn, SignInError>>,
}

impl Waiting {
    async fn at(issuer: &str) -> Self {
        let pending = SignIn::begin(&net(), IssuerConfig::new(issuer), OURS.into()).await.unwrap();
        let authorize = pending.authorize_url().clone();
        let word = |wanted: &str| authorize.query_pairs().find(|(name, _)| name == wanted).unwrap().1.into_owned();
        assert_eq!(word("code_challenge_method"), "S256");
        let redirect = Url::parse(&word("redirect_uri")).unwrap();
        Self { redirect, state: word("state"), end: tokio::spawn(pending.finish(CancellationToken::new())) }
    }

    /// A browser comes to the listener with this query.
    async fn comes(&self, query: &[(&str, &str)]) -> Answer {
        Browser::default().get(&Url::parse_with_params(self.redirect.as_str(), query).unwrap()).await
    }

    async fn ends(self) -> Result<SignedIn, SignInError> {
        self.end.await.unwrap()
    }
}

/// Attack: S-01
/// By: a page in the person's browser
/// Does: sends the browser to the listener with a code and a state of another sign-in
/// Holds: refused, the code is not redeemed
#[tokio::test]
async fn an_answer_to_another_sign_in_is_refused() {
    let issuer = signing(json!({})).await;
    for state in ["x", "", "0123456789012345678901"] {
        let waiting = Waiting::at(&issuer).await;
        let page = waiting.comes(&[("code", "c"), ("state", state), ("iss", &issuer)]).await;
        assert_eq!((page.status, waiting.ends().await.unwrap_err()), (400, SignInError::WrongState));
    }
}

/// Attack: S-02
/// By: another issuer the person signs in at
/// Does: sends the browser back with its own code for the honest issuer (mix-up), or hides who it is
/// Holds: refused by RFC 9207
#[tokio::test]
async fn an_answer_of_another_issuer_is_refused() {
    let issuer = signing(json!({})).await;
    for iss in [Some("https://evil.example"), Some(""), None] {
        let waiting = Waiting::at(&issuer).await;
        let state = waiting.state.clone();
        let mut query = vec![("code", "c"), ("state", state.as_str())];
        query.extend(iss.map(|iss| ("iss", iss)));
        let page = waiting.comes(&query).await;
        assert_eq!((page.status, waiting.ends().await.unwrap_err()), (400, SignInError::WrongIssuer), "{iss:?}");
    }
}

/// Attack: S-03
/// By: somebody who injects a code of a sign-in of her own
/// Does: lets the person's app redeem it, so that the person is signed in as her
/// Holds: refused, the token commits to another nonce
#[tokio::test]
async fn a_code_of_somebody_else_signs_nobody_in() {
    for nonce in [json!("her nonce"), Value::Null, json!("")] {
        let issuer = signing(json!({ "nonce": nonce })).await;
        let waiting = Waiting::at(&issuer).await;
        let state = waiting.state.clone();
        waiting.comes(&[("code", "hers"), ("state", &state), ("iss", &issuer)]).await;
        assert_eq!(waiting.ends().await.unwrap_err(), SignInError::BadToken("it does not verify"));
    }
}

/// Attack: S-04
/// By: an issuer
/// Does: answers the code with a token for another client, of another issuer, or dated hours away
/// Holds: refused
#[tokio::test]
async fn a_token_for_somebody_else_is_not_taken() {
    for change in [json!({ "aud": "sign-in-to-win" }), json!({ "iss": "https://evil.example" })] {
        let issuer = signing(change).await;
        let waiting = Waiting::at(&issuer).await;
        let state = waiting.state.clone();
        waiting.comes(&[("code", "c"), ("state", &state), ("iss", &issuer)]).await;
        assert_eq!(waiting.ends().await.unwrap_err(), SignInError::BadToken("it does not verify"));
    }
    let issuer = signing(json!({ "iat": now() + 7200, "exp": now() + 9000 })).await;
    let waiting = Waiting::at(&issuer).await;
    let state = waiting.state.clone();
    waiting.comes(&[("code", "c"), ("state", &state), ("iss", &issuer)]).await;
    assert!(matches!(waiting.ends().await, Err(SignInError::ClockWrong { .. })));
}

/// Attack: S-05
/// By: a program or page on the same machine
/// Does: sends stray requests, another method, another host (DNS rebinding), doubled parameters; and comes a second time
/// Holds: none of them is the answer, the true one still is, and after it nobody listens
#[tokio::test]
async fn the_listener_takes_one_answer_and_is_gone() {
    let issuer = signing(json!({})).await;
    let waiting = Waiting::at(&issuer).await;
    let port = waiting.redirect.port().unwrap();
    let target = format!("/cb?code=c&state={}&iss={issuer}", waiting.state);
    for request in [
        "GET /favicon.ico HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".to_owned(),
        format!("POST {target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Length: 0\r\n\r\n"),
        format!("GET {target} HTTP/1.1\r\nHost: evil.example:{port}\r\n\r\n"),
        format!("GET {target} HTTP/1.1\r\n\r\n"),
        format!("GET {target}&state=x HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"),
        format!("GET http://evil.example{target} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n\r\n"),
    ] {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 404"), "{request}: {answer}");
    }
    let state = waiting.state.clone();
    let page = waiting.comes(&[("code", "c"), ("state", &state), ("iss", &issuer)]).await;
    assert_eq!(page.status, 200);
    assert!(waiting.ends().await.is_ok());
    assert!(TcpStream::connect(("127.0.0.1", port)).await.is_err(), "nobody listens any more");
}

/// Attack: S-06
/// By: an issuer, or who took over its name
/// Does: redirects its description to another host, calls itself differently, or names addresses elsewhere
/// Holds: nobody is led there
#[tokio::test]
async fn an_issuer_leads_nobody_elsewhere() {
    let honest = signing(json!({})).await;
    let target = honest.clone();
    let redirecting = issuer(move |_, path| (format!("302 Found\r\nLocation: {target}{path}"), String::new())).await;
    assert!(matches!(discover(&net(), &redirecting).await, Err(IssuerError::Unreachable(_))));
    let other = honest.clone();
    let renamed = issuer(move |_, _| ok(description(&other))).await;
    assert_eq!(discover(&net(), &renamed).await.unwrap_err(), IssuerError::OtherName);
    for name in ["authorization_endpoint", "token_endpoint", "jwks_uri"] {
        let leading = issuer(move |own, _| {
            let mut text = description(own);
            text[name] = json!("https://evil.example/x");
            ok(text)
        })
        .await;
        assert!(matches!(discover(&net(), &leading).await, Err(IssuerError::UnsafeEndpoint(_))), "{name}");
    }
    for bad in
        ["http://issuer.example", "ftp://issuer.example", "https://issuer.example/?x", "https://user@issuer.example"]
    {
        assert!(discover(&net(), bad).await.is_err(), "{bad}");
    }
}

/// Attack: S-07
/// By: a proxy to another kind of issuer, fetched as a package
/// Does: returns a genuine token that was made for another persona, or none at all
/// Holds: the core does not enrol with it
#[test]
fn a_proxy_that_returns_another_persons_token_enrols_nobody() {
    let persona = || NewPersona::create("laptop", 1_800_086_400, None, 1_800_000_000).unwrap();
    let token = |nonce: &str| {
        let claims = json!({ "iss": "https://i.example", "sub": "ben", "iat": 1_800_000_000, "nonce": nonce });
        format!("{}.{}.AAAA", b64url(br#"{"alg":"ES256","kid":"k"}"#), b64url(claims.to_string().as_bytes()))
    };
    let (mine, another) = (persona(), persona());
    let theirs = token(&another.nonce());
    assert_eq!(mine.finish(&theirs, 1_800_000_000).unwrap_err(), EnrolError::Claim("nonce"));
    let mine = persona();
    let own = token(&mine.nonce());
    assert!(mine.finish(&own, 1_800_000_000).is_ok(), "the honest case");
    for nonsense in ["", "x", "a.b.c", "e30.e30.", "<xml/>", &"A".repeat(100_000)] {
        assert!(persona().finish(nonsense, 1_800_000_000).is_err());
    }
}
