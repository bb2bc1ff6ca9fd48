//! An independent issuer in its own process, and a browser of a few lines with a person before it.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(dead_code, reason = "each test file uses a part of it")]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use identity::*;
use message::{Domain, UserAddress};
use signin::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;
use transport::{Net, NetConfig};
use url::Url;

pub fn net() -> Net {
    Net::new(NetConfig { localhost: BTreeMap::new() }).unwrap()
}

/// An issuer in a process of its own, on a free loopback port; ends with this value.
pub struct Issuer {
    child: Child,
    pub name: String,
    /// Ports it accepts a redirect to, if not every one.
    pub ports: Vec<u16>,
}

impl Issuer {
    /// The npm package `oidc-provider`.
    pub fn start(environment: &[(&str, &str)]) -> Self {
        install(&folder());
        Self::run(&["op.mjs", "0", "idp.test"], environment)
    }

    /// Debian's Glewlwyd.
    pub fn glewlwyd(environment: &[(&str, &str)]) -> Self {
        Self::run(&["glewlwyd.mjs"], environment)
    }

    /// The pass office, which speaks no OpenID Connect.
    pub fn pass_office(environment: &[(&str, &str)]) -> Self {
        Self::run(&["pass-office.mjs", "0"], environment)
    }

    fn run(arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut child = Command::new("node")
            .args(arguments)
            .current_dir(folder())
            .envs(environment.iter().copied())
            .env("FOLLOW_STDIN", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Node.js is installed");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut ports = Vec::new();
        let name = lines.find_map(|line| {
            let line = line.unwrap();
            if let Some(list) = line.strip_prefix("PORTS ") {
                ports = list.split(',').map(|port| port.parse().unwrap()).collect();
            }
            line.strip_prefix("OP ").map(str::to_owned)
        });
        Self { child, name: name.expect("the issuer starts; see `./dev setup --test` for what it needs"), ports }
    }
}

/// What a verifier that is not ours says of a PK token.
pub fn check_elsewhere(token: &str, jwks_uri: &Url) -> String {
    let mut child = Command::new("node")
        .args(["check-pkt.mjs", jwks_uri.as_str()])
        .current_dir(folder())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::inherit())
        .spawn()
        .expect("Node.js is installed");
    child.stdin.take().unwrap().write_all(token.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap().trim().to_owned()
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/issuer")
}

impl Drop for Issuer {
    fn drop(&mut self) {
        // Its end of the pipe closes: it tidies up and ends by itself.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Installs the issuer's packages once, however many tests start at the same time.
fn install(folder: &PathBuf) {
    let lock = File::create(std::env::temp_dir().join("parlance-test-issuer.lock")).unwrap();
    lock.lock().unwrap();
    if !folder.join("node_modules/oidc-provider").exists() {
        let done = Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(folder).status().unwrap();
        assert!(done.success(), "npm ci in tests/issuer");
    }
}

pub struct Answer {
    pub status: u16,
    pub location: Option<Url>,
    pub body: String,
}

/// Keeps cookies by path and follows nothing by itself.
#[derive(Default)]
pub struct Browser {
    cookies: BTreeMap<(String, String), String>,
}

impl Browser {
    pub async fn get(&mut self, url: &Url) -> Answer {
        self.ask("GET", url, "").await
    }

    pub async fn post(&mut self, url: &Url, form: &str) -> Answer {
        self.ask("POST", url, form).await
    }

    /// Sends JSON, as an issuer's own pages do it.
    pub async fn send(&mut self, method: &str, url: &Url, json: &serde_json::Value) -> Answer {
        self.ask_as(method, url, "application/json", &json.to_string()).await
    }

    async fn ask(&mut self, method: &str, url: &Url, form: &str) -> Answer {
        self.ask_as(method, url, "application/x-www-form-urlencoded", form).await
    }

    async fn ask_as(&mut self, method: &str, url: &Url, kind: &str, form: &str) -> Answer {
        let host = format!("{}:{}", url.host_str().unwrap(), url.port().unwrap());
        let target = &url[url::Position::BeforePath..url::Position::AfterQuery];
        let cookies: Vec<String> = self
            .cookies
            .iter()
            .filter(|((path, _), _)| url.path().starts_with(path.as_str()))
            .map(|((_, name), value)| format!("{name}={value}"))
            .collect();
        let request = format!(
            "{method} {target} HTTP/1.1\r\nHost: {host}\r\nCookie: {}\r\nContent-Type: {kind}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n{form}",
            cookies.join("; "),
            form.len(),
        );
        let mut stream = TcpStream::connect(("127.0.0.1", url.port().unwrap())).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).await.unwrap();
        self.read(url, &String::from_utf8(bytes).unwrap())
    }

    fn read(&mut self, url: &Url, text: &str) -> Answer {
        let (head, body) = text.split_once("\r\n\r\n").expect("an HTTP answer");
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let mut location = None;
        for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
            match name.to_ascii_lowercase().as_str() {
                "location" => location = Some(url.join(value).unwrap()),
                "set-cookie" => self.keep(value),
                _ => {}
            }
        }
        Answer { status, location, body: body.to_owned() }
    }

    fn keep(&mut self, cookie: &str) {
        let mut parts = cookie.split("; ");
        let (name, value) = parts.next().unwrap().split_once('=').unwrap();
        let path = parts.find_map(|part| part.strip_prefix("path=").or(part.strip_prefix("Path="))).unwrap_or("/");
        self.cookies.insert((path.to_owned(), name.to_owned()), value.to_owned());
    }

    async fn follow(&mut self, url: &Url) -> Url {
        let answer = self.get(url).await;
        answer.location.unwrap_or_else(|| panic!("{} without a way on: {}", answer.status, answer.body))
    }

    /// Signs in at oidc-provider's own pages; returns where the issuer sends the browser in the end.
    pub async fn sign_in(&mut self, authorize: &Url, name: &str) -> Url {
        let login = self.follow(authorize).await;
        let resume = self.post(&login, &format!("prompt=login&login={name}&password=x")).await.location.unwrap();
        let consent = self.follow(&resume).await;
        let resume = self.post(&consent, "prompt=consent").await.location.unwrap();
        self.follow(&resume).await
    }

    /// Presses "cancel" at the issuer's first page.
    pub async fn refuse(&mut self, authorize: &Url) -> Url {
        let login = self.follow(authorize).await;
        let abort = Url::parse(&format!("{login}/abort")).unwrap();
        let resume = self.follow(&abort).await;
        self.follow(&resume).await
    }
}

pub fn now() -> i64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs() as i64
}

/// Signs Ben in at oidc-provider, in his browser, with an id_token that commits to `nonce`.
pub async fn ben_signs_in(config: IssuerConfig, nonce: String) -> Result<SignedIn, SignInError> {
    let pending = SignIn::begin(&net(), config, nonce).await?;
    let authorize = pending.authorize_url().clone();
    let waiting = tokio::spawn(pending.finish(CancellationToken::new()));
    let mut browser = Browser::default();
    let callback = browser.sign_in(&authorize, "ben").await;
    let page = browser.get(&callback).await;
    assert!(page.body.contains("You can close this window"), "{}", page.body);
    let result = waiting.await.unwrap();
    assert_eq!(page.status == 200, result.is_ok(), "the page says how it ended");
    result
}

/// What a stranger makes of Ben's evidence, fetching the issuer's keys by itself.
pub async fn stranger(evidence: &Evidence, trusted: &str, kind: IssuerKind) -> Result<VerifiedIdentity, VerifyError> {
    let mut table = IssuerTable::new();
    table.add(IssuerEntry::new(trusted)).unwrap();
    let domain_issuer = |domain: &Domain| format!("https://{domain}");
    let mut jwks = JwksBook::default();
    for issuer in evidence.issuers(&table, &domain_issuer) {
        jwks.learn(&issuer, &fetch_jwks_of(&net(), &issuer, kind).await.unwrap().jwks, now());
    }
    let (pins, policy) = (PinBook::new(), Policy::default());
    let domain_issuer = &domain_issuer;
    verify(
        evidence,
        &Context { now: now(), table: &table, domain_issuer, jwks: &jwks, pins: &pins, policy: &policy, leaf: None },
    )
}

/// What Ben shows to strangers.
pub fn evidence(ben: &Enrolled) -> Evidence {
    Evidence {
        user: UserAddress::parse("ben@b.localhost").unwrap(),
        inbox: None,
        tokens: vec![ben.token.text().to_owned()],
        chain: ben.chain.texts(),
        device: ben.device.verifying_key(),
        renewals: Vec::new(),
    }
}

pub fn new_ben() -> NewPersona {
    NewPersona::create("laptop", now() + 86_400, None, now()).unwrap()
}

/// A part of a compact token: 0 is its header, 1 its claims.
pub fn part(token: &str, index: usize) -> serde_json::Value {
    serde_json::from_slice(&keys::from_b64url(token.split('.').nth(index).unwrap()).unwrap()).unwrap()
}
