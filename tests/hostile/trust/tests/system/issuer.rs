//! Attacks on a domain's own issuer by pages and programs that are not the app.

use lab::Domain;
use node::Wire;

use crate::oidc::{Login, Page, REDIRECT, VERIFIER, http, query};

const PASSWORD: &str = "correct horse battery";

async fn domain() -> Domain {
    let domain = Domain::start("a.localhost", Wire::Ws).await;
    domain.node().add_user("ana", PASSWORD).await.unwrap();
    domain
}

/// Attack: S-10
/// By: a web page in Ana's browser
/// Does: sends the sign-in form from another origin, without the page's mark, with another page's, or from another browser
/// Holds: refused, nobody is signed in by a page
#[tokio::test]
async fn a_form_from_elsewhere_signs_nobody_in() {
    let domain = domain().await;
    let login = Login::new(domain.node(), "nonce");
    let page = login.show().await;
    let other = login.show().await;
    let filled = |page: &str, csrf: &str| {
        [("page", page), ("csrf", csrf), ("action", "sign-in"), ("name", "ana"), ("password", PASSWORD)]
            .map(|(name, value)| (name, value.to_owned()))
    };
    let own = filled(&page.hidden("page"), &page.hidden("csrf"));
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        let body = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs(own.iter().map(|(name, value)| (*name, value.as_str())))
            .finish();
        let answer = http()
            .post(format!("http://127.0.0.1:{}/oidc/login", domain.node().port()))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", &page.cookie)
            .header("origin", origin)
            .body(body)
            .send()
            .await
            .unwrap();
        assert!(answer.status().is_client_error(), "{origin}: {}", answer.status());
    }
    let stranger = Page {
        status: 200,
        html: page.html.clone(),
        cookie: "parlance-login=AAAA".into(),
        policy: String::new(),
        location: None,
    };
    assert_eq!(login.post(&page, &filled(&page.hidden("page"), "wrong")).await.0, 400);
    assert_eq!(login.post(&page, &filled(&page.hidden("page"), &other.hidden("csrf"))).await.0, 400);
    assert_eq!(login.post(&stranger, &own).await.0, 400);
    assert_eq!(login.post(&page, &own).await.0, 303, "the honest case");
    assert_eq!(login.post(&page, &own).await.0, 400, "and it works once");
}

/// Attack: S-11
/// By: a page, or an app that asks in the name of ours
/// Does: asks the issuer to send the code to another host, another scheme, or another path of this machine
/// Holds: the browser is sent nowhere
#[tokio::test]
async fn a_code_is_sent_to_nobody_else() {
    let domain = domain().await;
    for redirect in [
        "https://evil.example/cb",
        "http://evil.example/cb",
        "http://127.0.0.1.evil.example/cb",
        "http://127.0.0.1@evil.example/cb",
        "http://localhost:1/cb",
        "http://127.0.0.2:1/cb",
        "parlance://cb",
        "javascript:alert(1)",
        "http://127.0.0.1:49152/cb#x",
    ] {
        let page = Login::new(domain.node(), "nonce").with("redirect_uri", redirect).show().await;
        assert!(page.status >= 400 && page.location.is_none(), "{redirect}: {}", page.status);
    }
    for (name, value) in [
        ("client_id", "sign-in-to-win"),
        ("response_type", "token"),
        ("code_challenge_method", "plain"),
        ("code_challenge", ""),
    ] {
        let page = Login::new(domain.node(), "nonce").with(name, value).show().await;
        let sent = page.location.as_ref().and_then(|location| query(location, "code"));
        assert!(page.status != 200 && sent.is_none(), "{name}={value}: {}", page.status);
    }
}

/// Attack: S-12
/// By: somebody who saw the code on its way
/// Does: redeems it without the verifier, with another one, for another address, and a second time
/// Holds: it works once, for who asked for it; a wrong attempt spends it
#[tokio::test]
async fn a_stolen_code_is_worth_nothing() {
    let domain = domain().await;
    let login = Login::new(domain.node(), "nonce");
    let other = "another-horse-battery-staple-another-horse-battery";
    for (verifier, redirect) in [(other, REDIRECT), ("", REDIRECT), (VERIFIER, "http://127.0.0.1:49153/cb")] {
        let code = login.code("sign-in", "ana", PASSWORD).await;
        assert_eq!(login.redeem(&code, verifier, redirect).await.0, 400, "{verifier} {redirect}");
        assert_eq!(login.redeem(&code, VERIFIER, REDIRECT).await.0, 400, "it is spent");
    }
    let code = login.code("sign-in", "ana", PASSWORD).await;
    assert_eq!(login.redeem(&code, VERIFIER, REDIRECT).await.0, 200, "the honest case");
    assert_eq!(login.redeem(&code, VERIFIER, REDIRECT).await.0, 400);
}
