//! A browser of a few lines with a person before it, who signs in where they are told to.

use std::collections::BTreeMap;
use std::sync::OnceLock;

use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use url::Url;

/// What the person types into every password field.
pub const PASSWORD: &str = "correct horse battery";

fn client() -> &'static Client {
    static CLIENT: OnceLock<Client> = OnceLock::new();
    CLIENT.get_or_init(|| {
        // Another part of this process may have been first.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Client::builder().redirect(reqwest::redirect::Policy::none()).pool_max_idle_per_host(0).build().unwrap()
    })
}

/// Opens a sign-in page and signs in as `name`, whichever of the issuers of the tests it is.
pub async fn sign_in(authorize: Url, name: String) {
    let mut tab = Tab::default();
    let page = tab.get(&authorize).await;
    if page.html.contains("<h1>Pass office</h1>") {
        return desk(&mut tab, &authorize, &name).await;
    }
    if page.location.as_ref().is_some_and(|to| to.path() == "/login.html") {
        glewlwyd(&mut tab, page, &name).await
    } else if page.location.is_some() {
        independent(&mut tab, page, &name).await
    } else {
        embedded(&mut tab, &authorize, page, &name).await
    }
}

/// The desk of the pass office: a name, and a PIN from that person's sheet, each good once.
async fn desk(tab: &mut Tab, page: &Url, name: &str) {
    static USED: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(1);
    let number = USED.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
    // Whoever is not Ben has the sheet of Alice.
    let (sheet, first) = if name == "ben" { ("ben", 100_000) } else { ("alice", 200_000) };
    let form = [("name", sheet.to_owned()), ("pin", (first + number).to_string())];
    let answer = tab.post(page, &form).await;
    assert!(answer.html.contains("is issued"), "{}", answer.html);
}

/// The node's own page: one form to make an account or to sign in.
async fn embedded(tab: &mut Tab, authorize: &Url, page: Page, name: &str) {
    let form = |action: &str| {
        vec![
            ("page", page.hidden("page")),
            ("csrf", page.hidden("csrf")),
            ("action", action.to_owned()),
            ("name", name.to_owned()),
            ("password", PASSWORD.to_owned()),
        ]
    };
    let login = authorize.join("/oidc/login").unwrap();
    let mut answer = tab.post(&login, &form("create")).await;
    if answer.location.is_none() {
        answer = tab.post(&login, &form("signin")).await;
    }
    let back = answer.location.unwrap_or_else(|| panic!("the issuer did not sign {name} in: {}", answer.html));
    tab.get(&back).await;
}

/// The pages of npm's oidc-provider: log in, consent, and back.
async fn independent(tab: &mut Tab, page: Page, name: &str) {
    let login = page.location.unwrap();
    let form = [("prompt", "login".into()), ("login", name.to_owned()), ("password", "x".into())];
    let resume = tab.post(&login, &form).await.location.unwrap();
    let consent = tab.get(&resume).await.location.unwrap();
    let resume = tab.post(&consent, &[("prompt", "consent".into())]).await.location.unwrap();
    let back = tab.get(&resume).await.location.unwrap();
    tab.get(&back).await;
}

/// Does what Glewlwyd's pages do: name and password, then what the app may know, and back.
async fn glewlwyd(tab: &mut Tab, page: Page, name: &str) {
    let login = page.location.unwrap();
    let way_on = login.query_pairs().find(|(name, _)| name == "callback_url").unwrap().1.into_owned();
    // Whoever is not Ben is Alice there.
    let name = if name == "ben" { "ben" } else { "alice" };
    let person = json!({ "username": name, "password": "password" });
    tab.send(Method::POST, &login.join("/api/auth/").unwrap(), &person).await;
    let grant = login.join("/api/auth/grant/parlance").unwrap();
    tab.send(Method::PUT, &grant, &json!({ "scope": "openid" })).await;
    let back = tab.get(&Url::parse(&format!("{way_on}&g_continue")).unwrap()).await;
    let back = back.location.unwrap_or_else(|| panic!("the issuer did not sign {name} in: {}", back.html));
    tab.get(&back).await;
}

#[derive(Default)]
struct Tab {
    cookies: BTreeMap<(String, String), String>,
}

struct Page {
    location: Option<Url>,
    html: String,
}

impl Page {
    fn hidden(&self, name: &str) -> String {
        let start = self.html.split_once(&format!(r#"name="{name}" value=""#)).expect("the form has the field").1;
        start.split_once('"').unwrap().0.to_owned()
    }
}

impl Tab {
    async fn get(&mut self, url: &Url) -> Page {
        let request = client().get(reachable(url)).header("host", host(url)).header("cookie", self.cookies(url));
        let response = request.send().await.unwrap();
        self.read(url, response).await
    }

    async fn post(&mut self, url: &Url, form: &[(&str, String)]) -> Page {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = client()
            .post(reachable(url))
            .header("host", host(url))
            .header("origin", url.origin().ascii_serialization())
            .header("cookie", self.cookies(url))
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        let response = request.send().await.unwrap();
        self.read(url, response).await
    }

    /// Sends JSON, as an issuer's own pages do it.
    async fn send(&mut self, method: Method, url: &Url, json: &Value) -> Page {
        let request = client()
            .request(method, reachable(url))
            .header("host", host(url))
            .header("cookie", self.cookies(url))
            .header("content-type", "application/json")
            .body(json.to_string());
        let response = request.send().await.unwrap();
        self.read(url, response).await
    }

    async fn read(&mut self, url: &Url, response: Response) -> Page {
        for cookie in response.headers().get_all("set-cookie") {
            let mut parts = cookie.to_str().unwrap().split("; ");
            let (name, value) = parts.next().unwrap().split_once('=').unwrap();
            let path = parts.find_map(|part| part.to_ascii_lowercase().strip_prefix("path=").map(str::to_owned));
            self.cookies.insert((path.unwrap_or_else(|| "/".into()), name.into()), value.into());
        }
        let location = response.headers().get("location").map(|to| url.join(to.to_str().unwrap()).unwrap());
        Page { location, html: response.text().await.unwrap_or_default() }
    }

    fn cookies(&self, url: &Url) -> String {
        let path = url.path().to_ascii_lowercase();
        let mine = self.cookies.iter().filter(|((below, _), _)| path.starts_with(below.as_str()));
        mine.map(|((_, name), value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }
}

/// Names below localhost are this machine (RFC 6761), whatever the system's resolver thinks.
fn reachable(url: &Url) -> Url {
    let mut url = url.clone();
    if url.host_str().is_some_and(|host| host.ends_with("localhost")) {
        url.set_host(Some("127.0.0.1")).unwrap();
    }
    url
}

fn host(url: &Url) -> String {
    format!("{}:{}", url.host_str().unwrap(), url.port_or_known_default().unwrap())
}
