//! Ben signs in at Glewlwyd: an issuer in another language by other people, with habits of its own.

use crate::common::*;
use serde_json::json;
use signin::*;
use tokio_util::sync::CancellationToken;
use url::Url;

fn config(issuer: &Issuer) -> IssuerConfig {
    IssuerConfig { redirect_ports: issuer.ports.clone(), ..IssuerConfig::new(&issuer.name) }
}

/// Does what Glewlwyd's own pages do: name and password, then what the app may know. Returns where it
/// sends the browser in the end.
async fn at_the_login_page(browser: &mut Browser, authorize: &Url, password: &str) -> Answer {
    let login = browser.get(authorize).await.location.unwrap();
    assert_eq!(login.path(), "/login.html");
    let way_on = login.query_pairs().find(|(name, _)| name == "callback_url").unwrap().1.into_owned();
    let person = json!({ "username": "ben", "password": password });
    let signed_in = browser.send("POST", &login.join("/api/auth/").unwrap(), &person).await;
    assert_eq!(signed_in.status == 200, password == "password");
    let grant = login.join("/api/auth/grant/parlance").unwrap();
    browser.send("PUT", &grant, &json!({ "scope": "openid" })).await;
    browser.get(&Url::parse(&format!("{way_on}&g_continue")).unwrap()).await
}

async fn ben_signs_in_at(issuer: &Issuer, config: IssuerConfig, nonce: String) -> SignedIn {
    let pending = SignIn::begin(&net(), config, nonce).await.unwrap();
    let authorize = pending.authorize_url().clone();
    let waiting = tokio::spawn(pending.finish(CancellationToken::new()));
    let mut browser = Browser::default();
    let callback = at_the_login_page(&mut browser, &authorize, "password").await.location.unwrap();
    let page = browser.get(&callback).await;
    assert_eq!(page.status, 200, "{}", page.body);
    let signed_in = waiting.await.unwrap().unwrap();
    assert_eq!(signed_in.issuer, issuer.name);
    signed_in
}

async fn ben_signs_in_and_is_recognised(alg: &str) {
    let issuer = Issuer::glewlwyd(&[("ALG", alg)]);
    let persona = new_ben();
    let signed_in = ben_signs_in_at(&issuer, config(&issuer), persona.nonce()).await;
    assert_eq!(part(&signed_in.id_token, 0)["alg"], alg);
    let ben = persona.finish(&signed_in.id_token, now()).unwrap();
    let seen = stranger(&evidence(&ben), &issuer.name, IssuerKind::OpenId).await.unwrap();
    assert_eq!((seen.issuer(), seen.persona()), (issuer.name.as_str(), ben.chain.persona()));
    let keys = discover(&net(), &issuer.name).await.unwrap().jwks_uri;
    assert_eq!(check_elsewhere(ben.token.text(), &keys), format!("OK {}", seen.subject()));
}

#[tokio::test]
async fn a_stranger_recognises_ben_by_an_rsa_glewlwyd() {
    ben_signs_in_and_is_recognised("RS256").await;
}

#[tokio::test]
async fn a_stranger_recognises_ben_by_an_elliptic_curve_glewlwyd() {
    ben_signs_in_and_is_recognised("ES256").await;
}

#[tokio::test]
async fn a_stranger_recognises_ben_by_an_ed25519_glewlwyd() {
    ben_signs_in_and_is_recognised("EdDSA").await;
}

#[tokio::test]
async fn a_wrong_password_leads_nowhere() {
    let issuer = Issuer::glewlwyd(&[]);
    let pending = SignIn::begin(&net(), config(&issuer), "n".into()).await.unwrap();
    let authorize = pending.authorize_url().clone();
    let answer = at_the_login_page(&mut Browser::default(), &authorize, "another").await;
    assert!(answer.location.is_none_or(|url| url.path() != "/cb"), "no way back to the app");
}

#[tokio::test]
async fn an_issuer_that_compares_ports_is_met_at_one_it_knows() {
    let issuer = Issuer::glewlwyd(&[]);
    // RFC 8252 asks it to take any port; it does not, and says so to the person instead of redirecting.
    let any = SignIn::begin(&net(), IssuerConfig::new(&issuer.name), "n".into()).await.unwrap();
    assert_eq!(Browser::default().get(any.authorize_url()).await.status, 403);
    let known = SignIn::begin(&net(), config(&issuer), "n".into()).await.unwrap();
    assert_eq!(Browser::default().get(known.authorize_url()).await.status, 302);
}

#[tokio::test]
async fn an_issuer_that_refreshes_without_an_id_token_leads_to_the_browser() {
    let issuer = Issuer::glewlwyd(&[]);
    let config = IssuerConfig { silent_renewal: true, ..config(&issuer) };
    let signed_in = ben_signs_in_at(&issuer, config.clone(), "n".into()).await;
    // It does not list offline_access, and gives a refresh token all the same; but for an access token only.
    let token = signed_in.refresh_token.unwrap();
    let claims = part(&signed_in.id_token, 1);
    let subject = claims["sub"].as_str().unwrap().to_owned();
    let expected =
        Expected { issuer: issuer.name.clone(), subject, audience: "parlance".into(), nonce: Some("n".into()) };
    let refused = renew(&net(), &config, &token, &expected).await.unwrap_err();
    assert_eq!(refused, RenewError::Refused { error: String::new() });
    assert!(refused.needs_browser());
}
