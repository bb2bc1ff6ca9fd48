//! Signs in at a node's issuer the way an app and a browser do.

use std::sync::OnceLock;

use node::RunningNode;
use serde_json::Value;
use url::Url;

pub const VERIFIER: &str = "correct-horse-battery-staple-correct-horse-battery";
pub const REDIRECT: &str = "http://127.0.0.1:49152/cb";

/// A client that follows no redirect, so that tests see it.
pub fn http() -> &'static reqwest::Client {
    static CLIENT: OnceLock<reqwest::Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        // Another test of this process may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let builder = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).pool_max_idle_per_host(0);
        builder.build().unwrap()
    })
}

/// A login under way.
pub struct Login<'a> {
    pub node: &'a RunningNode,
    pub parameters: Vec<(String, String)>,
}

/// A login page in a browser.
pub struct Page {
    pub status: u16,
    pub html: String,
    pub cookie: String,
    pub policy: String,
    pub location: Option<Url>,
}

impl<'a> Login<'a> {
    pub fn new(node: &'a RunningNode, nonce: &str) -> Self {
        let challenge = keys::b64url(&keys::sha256(VERIFIER.as_bytes()));
        let pairs = [
            ("client_id", "parlance"),
            ("redirect_uri", REDIRECT),
            ("response_type", "code"),
            ("scope", "openid"),
            ("state", "state-1"),
            ("nonce", nonce),
            ("code_challenge", &challenge),
            ("code_challenge_method", "S256"),
        ];
        Self { node, parameters: pairs.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect() }
    }

    pub fn with(mut self, key: &str, value: &str) -> Self {
        self.parameters.retain(|(known, _)| known != key);
        self.parameters.push((key.into(), value.into()));
        self
    }

    pub async fn show(&self) -> Page {
        let mut url = Url::parse(&format!("http://127.0.0.1:{}/oidc/authorize", self.node.port())).unwrap();
        url.query_pairs_mut().extend_pairs(&self.parameters);
        let response = http().get(url).send().await.unwrap();
        let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
        let cookie =
            header("set-cookie").map(|cookie| cookie.split(';').next().unwrap().to_owned()).unwrap_or_default();
        let location = header("location").map(|location| Url::parse(&location).unwrap());
        let policy = header("content-security-policy").unwrap_or_default();
        Page { status: response.status().as_u16(), cookie, location, policy, html: response.text().await.unwrap() }
    }

    /// Fills the form; gives the status and where the browser is sent.
    pub async fn submit(&self, page: &Page, action: &str, name: &str, password: &str) -> (u16, Option<Url>, String) {
        let form = [
            ("page", page.hidden("page")),
            ("csrf", page.hidden("csrf")),
            ("action", action.to_owned()),
            ("name", name.to_owned()),
            ("password", password.to_owned()),
        ];
        self.post(page, &form).await
    }

    pub async fn post(&self, page: &Page, form: &[(&str, String)]) -> (u16, Option<Url>, String) {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let response = http()
            .post(format!("http://127.0.0.1:{}/oidc/login", self.node.port()))
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", &page.cookie)
            .header("origin", self.node.origin())
            .body(body)
            .send()
            .await
            .unwrap();
        let location = response.headers().get("location").map(|value| Url::parse(value.to_str().unwrap()).unwrap());
        (response.status().as_u16(), location, response.text().await.unwrap())
    }

    /// Signs in and gives the code.
    pub async fn code(&self, action: &str, name: &str, password: &str) -> String {
        let page = self.show().await;
        let (status, location, html) = self.submit(&page, action, name, password).await;
        assert_eq!(status, 303, "{html}");
        query(&location.unwrap(), "code").unwrap()
    }

    pub async fn redeem(&self, code: &str, verifier: &str, redirect: &str) -> (u16, Value) {
        let form = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("redirect_uri", redirect),
            ("client_id", "parlance"),
            ("code_verifier", verifier),
        ];
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let response = http()
            .post(format!("http://127.0.0.1:{}/oidc/token", self.node.port()))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body)
            .send()
            .await
            .unwrap();
        (response.status().as_u16(), response.json().await.unwrap())
    }
}

impl Page {
    pub fn hidden(&self, name: &str) -> String {
        let start = self.html.split_once(&format!(r#"name="{name}" value=""#)).expect("the form has the field").1;
        start.split_once('"').unwrap().0.to_owned()
    }
}

pub fn query(url: &Url, key: &str) -> Option<String> {
    url.query_pairs().find(|(known, _)| known == key).map(|(_, value)| value.into_owned())
}

/// A whole sign-in: the id_token.
pub async fn sign_in(node: &RunningNode, action: &str, name: &str, password: &str, nonce: &str) -> String {
    let login = Login::new(node, nonce);
    let code = login.code(action, name, password).await;
    let (status, body) = login.redeem(&code, VERIFIER, REDIRECT).await;
    assert_eq!(status, 200, "{body}");
    body["id_token"].as_str().unwrap().to_owned()
}
