//! Ben signs in at an issuer without OpenID Connect; the proxy is played by the test, well and badly.

use crate::common::*;
use serde_json::{Value, json};
use signin::proxy::*;
use signin::*;
use url::Url;

/// Takes a ticket, as the proxy does when it is told this.
async fn ticket(office: &Issuer, ask: &Value) -> Value {
    let (nonce, audience) = (&ask["params"]["nonce"], &ask["params"]["audience"]);
    let url = Url::parse(&format!("{}/tickets", office.name)).unwrap();
    let given = Browser::default().send("POST", &url, &json!({ "nonce": nonce, "audience": audience })).await;
    serde_json::from_str(&given.body).unwrap()
}

async fn state(office: &Issuer, ticket: &Value) -> Value {
    let url = Url::parse(&format!("{}/tickets/{}", office.name, ticket["ticket"].as_str().unwrap())).unwrap();
    serde_json::from_str(&Browser::default().get(&url).await.body).unwrap()
}

async fn at_the_desk(page: &Url, form: &str) -> String {
    Browser::default().post(page, form).await.body
}

fn ok(value: Value) -> String {
    json!({ "code": 200, "value": value }).to_string()
}

/// Begins, and leads Ben to the desk.
async fn begin(office: &Issuer, nonce: String) -> (ProxySignIn, Value, Url) {
    let (mut sign_in, ask) = ProxySignIn::begin(IssuerConfig::new(&office.name), nonce, None, now()).unwrap();
    let given = ticket(office, &ask).await;
    let value = json!({ "ticket": given["ticket"], "loginUrl": given["url"] });
    let ProxyStep::Open { page, .. } = sign_in.answered(&ok(value), now()).unwrap() else { panic!("no page") };
    (sign_in, given, page.unwrap())
}

async fn keys(office: &Issuer) -> IssuerKeys {
    fetch_jwks_of(&net(), &office.name, IssuerKind::Proxy).await.unwrap()
}

#[tokio::test]
async fn a_stranger_recognises_ben_by_the_pass_office() {
    let office = Issuer::pass_office(&[]);
    let persona = new_ben();
    let (mut sign_in, given, page) = begin(&office, persona.nonce()).await;
    assert_eq!(state(&office, &given).await, json!({ "state": "open" }));
    assert!(at_the_desk(&page, "name=ben&pin=000000").await.contains("not the next PIN"));
    assert!(at_the_desk(&page, "name=ben&pin=100001").await.contains("is issued"));
    let assertion = state(&office, &given).await["assertion"].clone();
    let step = sign_in.answered(&ok(json!({ "idToken": assertion })), now()).unwrap();
    let ProxyStep::Check(token) = step else { panic!("no token") };
    let signed_in = sign_in.check(token, &keys(&office).await).unwrap();
    let ben = persona.finish(&signed_in.id_token, now()).unwrap();
    let seen = stranger(&evidence(&ben), &office.name, IssuerKind::Proxy).await.unwrap();
    assert_eq!((seen.issuer(), seen.persona()), (office.name.as_str(), ben.chain.persona()));
    assert!(seen.subject().starts_with("ben-"));
}

#[tokio::test]
async fn a_pin_is_good_once_and_a_person_may_say_no() {
    let office = Issuer::pass_office(&[]);
    let (_, _, first) = begin(&office, "n".into()).await;
    assert!(at_the_desk(&first, "name=ben&pin=100001").await.contains("is issued"));
    let (_, given, second) = begin(&office, "n".into()).await;
    assert!(at_the_desk(&second, "name=ben&pin=100001").await.contains("not the next PIN"));
    at_the_desk(&second, "refuse=1").await;
    assert_eq!(state(&office, &given).await, json!({ "state": "refused" }));
}

#[tokio::test]
async fn a_proxy_that_lets_ben_sign_for_somebody_elses_keys_gets_nowhere() {
    let office = Issuer::pass_office(&[]);
    let (mut sign_in, ask) =
        ProxySignIn::begin(IssuerConfig::new(&office.name), "bens nonce".into(), None, now()).unwrap();
    assert_eq!(ask["params"]["nonce"], "bens nonce");
    // The proxy takes a ticket for a nonce of its own, and Ben, unknowing, fills it in.
    let given = ticket(&office, &json!({ "params": { "nonce": "the proxys", "audience": "parlance" } })).await;
    let value = json!({ "ticket": given["ticket"], "loginUrl": given["url"] });
    let ProxyStep::Open { page: Some(page), .. } = sign_in.answered(&ok(value), now()).unwrap() else { panic!() };
    at_the_desk(&page, "name=ben&pin=100001").await;
    let assertion = state(&office, &given).await["assertion"].clone();
    let step = sign_in.answered(&ok(json!({ "idToken": assertion })), now()).unwrap();
    let ProxyStep::Check(token) = step else { panic!("no token") };
    let refused = sign_in.check(token, &keys(&office).await).unwrap_err();
    assert_eq!(refused, ProxyError::Token(SignInError::BadToken("it does not verify")));
}
