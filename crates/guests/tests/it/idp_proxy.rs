//! Ben signs in at the pass office: a real office, its real proxy in a real sandbox, and nothing believed.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::shelf::{NOW, Shelf, TestPublisher, domain};
use catalogue::{Draft, Memory, PackageKind, Publisher};
use guests::{Fetcher, GuestId, GuestNews, GuestPlan, News, PackageRef, StartGuestError, Supervisor, VerifiedPackage};
use identity::NewPersona;
use keys::SigningKey;
use message::{Address, AddressPattern, Body, Grants, Message, MessageType, Origin};
use sandbox::Engine;
use semver::Version;
use serde_json::{Value, json};
use signin::proxy::{ProxyError, ProxySignIn, ProxyStep};
use signin::{IssuerConfig, IssuerKind, SignInError, fetch_jwks_of};
use tokio::runtime::Handle;
use transport::{GetLimits, Net, Reach};
use url::Url;

const PROXY: &str = "runtime://a.localhost/idp-proxy/b.localhost";
const CORE: &str = "runtime://a.localhost/signin";

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../..").join(name)
}

fn built(name: &str) -> String {
    let file = folder("hyperties/dist/idp-proxies").join(name);
    std::fs::read_to_string(&file).unwrap_or_else(|_| panic!("{}: run `npm run build` in hyperties", file.display()))
}

/// The office, under a name of the domain whose package the proxy is.
struct Office {
    child: Child,
    name: String,
}

impl Office {
    fn start() -> Self {
        let mut child = Command::new("node")
            .args(["pass-office.mjs", "0", "pass.b.localhost"])
            .current_dir(folder("tests/issuer"))
            .env("FOLLOW_STDIN", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("Node.js is installed");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let name = lines.find_map(|line| line.unwrap().strip_prefix("OP ").map(str::to_owned)).expect("it opens");
        Self { child, name }
    }
}

impl Drop for Office {
    fn drop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() as i64
}

fn new_ben() -> NewPersona {
    NewPersona::create("laptop", now() + 86_400, None, now()).unwrap()
}

/// Publishes a proxy and fetches it, verified, over a socket.
async fn package(grants: Grants, source: &str, issuer: &str) -> (Net, VerifiedPackage) {
    let configuration = json!({ "issuer": issuer });
    let draft =
        Draft { grants, configuration, ..Draft::new(PackageKind::IdpProxy, "pass-office", Version::new(1, 0, 0)) };
    let mut publisher = Publisher::new(domain(), SigningKey::generate(), NOW);
    publisher.publish(draft, source, NOW).unwrap();
    let shelf = Shelf::of(TestPublisher(publisher)).await;
    let proxy = PackageRef::idp_proxy(domain(), "pass-office");
    (shelf.net(), Fetcher::new(shelf.net()).fetch(&proxy, &Memory::default(), NOW).await.unwrap())
}

/// A core with one proxy, and one sign-in.
struct Core {
    net: Net,
    supervisor: Supervisor,
    news: News,
    proxy: GuestId,
    sign_in: ProxySignIn,
}

impl Core {
    /// Starts the proxy and a sign-in, and tells what to ask first.
    async fn with(source: &str, issuer: &str, nonce: String) -> (Self, Value) {
        let fetch = vec![Origin::parse(Url::parse(issuer).unwrap().origin().ascii_serialization().as_str()).unwrap()];
        let (net, package) = package(Grants { fetch, timers: true, ..Grants::none() }, source, issuer).await;
        let (supervisor, supervision, news) = Supervisor::new(Engine::new().unwrap(), net.clone(), Handle::current());
        tokio::spawn(supervision.run());
        let plan = GuestPlan::idp_proxy(package, Address::parse(PROXY).unwrap()).unwrap();
        let proxy = supervisor.start(plan).unwrap();
        let (sign_in, ask) = ProxySignIn::begin(IssuerConfig::new(issuer), nonce, None, now()).unwrap();
        (Self { net, supervisor, news, proxy, sign_in }, ask)
    }

    /// Carries a question to the proxy, and its answers back until one is more than "wait".
    async fn ask(&mut self, ask: &Value) -> Result<ProxyStep, ProxyError> {
        self.send(ask);
        loop {
            match self.hear().await {
                Ok(ProxyStep::Wait) => {}
                step => return step,
            }
        }
    }

    fn send(&self, ask: &Value) {
        let [from, to] = [CORE, PROXY].map(|text| Address::parse(text).unwrap());
        let message = Message { id: 7, kind: MessageType::Execute, from, to, body: Body::of(ask).unwrap() };
        self.supervisor.post(self.proxy, message).unwrap();
    }

    async fn hear(&mut self) -> Result<ProxyStep, ProxyError> {
        loop {
            match self.news.recv().await.expect("the supervisor is gone").1 {
                GuestNews::Message(message) => return self.sign_in.answered(message.body.as_str(), now()),
                GuestNews::Ready | GuestNews::Log { .. } => {}
                other => panic!("{other:?} instead of an answer"),
            }
        }
    }

    async fn at_the_desk(&self, page: &Url, form: &[(&str, &str)]) {
        self.net.post_form(page, form, &GetLimits::of_bytes(65_536), &Reach::for_url(page)).await.unwrap();
    }

    async fn check(&self, step: ProxyStep, issuer: &str) -> Result<String, ProxyError> {
        let ProxyStep::Check(token) = step else { panic!("no token") };
        let keys = fetch_jwks_of(&self.net, issuer, IssuerKind::Proxy).await.unwrap();
        self.sign_in.check(token, &keys).map(|signed_in| signed_in.id_token)
    }
}

#[tokio::test]
async fn ben_signs_in_at_an_issuer_without_openid_connect() {
    let office = Office::start();
    let persona = new_ben();
    let (mut core, ask) = Core::with(&built("pass-office.js"), &office.name, persona.nonce()).await;
    let ProxyStep::Open { page: Some(page), ask } = core.ask(&ask).await.unwrap() else { panic!("no page") };
    assert!(page.as_str().starts_with(&format!("{}/desk/", office.name)));
    core.send(&ask);
    assert_eq!(core.hear().await, Ok(ProxyStep::Wait), "Ben is on his way to the desk");
    core.at_the_desk(&page, &[("name", "ben"), ("pin", "100001")]).await;
    let step = loop {
        match core.hear().await.unwrap() {
            ProxyStep::Wait => {}
            step => break step,
        }
    };
    let id_token = core.check(step, &office.name).await.unwrap();
    let ben = persona.finish(&id_token, now()).unwrap();
    assert!(ben.token.claimed_subject().unwrap().starts_with("ben-"));
}

#[tokio::test]
async fn ben_may_say_no_at_the_desk() {
    let office = Office::start();
    let (mut core, ask) = Core::with(&built("pass-office.js"), &office.name, "n".into()).await;
    let ProxyStep::Open { page: Some(page), ask } = core.ask(&ask).await.unwrap() else { panic!("no page") };
    core.at_the_desk(&page, &[("refuse", "1")]).await;
    assert_eq!(core.ask(&ask).await, Err(ProxyError::Declined));
}

/// A proxy that answers every question with this.
fn liar(begun: &str, finished: &str) -> String {
    format!(
        "export default class {{
           _start(url, bus) {{
             bus.addListener(url, (message, reply) => reply({{ code: 200, value: message.body.method === 'begin' ? {begun} : {finished} }}));
           }}
         }}"
    )
}

#[tokio::test]
async fn a_malicious_proxy_can_refuse_and_cannot_forge() {
    let office = Office::start();
    let (mut core, ask) =
        Core::with(&liar("{ ticket: 't', loginUrl: 'https://evil.example/' }", "{}"), &office.name, "n".into()).await;
    assert_eq!(core.ask(&ask).await, Err(ProxyError::ForeignPage));

    let huge = liar("{ ticket: 't' }", "{ idToken: 'x'.repeat(1 << 19) }");
    let (mut core, ask) = Core::with(&huge, &office.name, "n".into()).await;
    let ProxyStep::Open { page: None, ask } = core.ask(&ask).await.unwrap() else { panic!("it began") };
    assert_eq!(core.ask(&ask).await, Err(ProxyError::TooLarge));

    // A genuine word of the office about Ben, for another nonce: stolen, or asked for by the proxy itself.
    let (mut honest, ask) = Core::with(&built("pass-office.js"), &office.name, "anothers".into()).await;
    let ProxyStep::Open { page: Some(page), ask } = honest.ask(&ask).await.unwrap() else { panic!("no page") };
    honest.at_the_desk(&page, &[("name", "ben"), ("pin", "100001")]).await;
    let step = honest.ask(&ask).await.unwrap();
    let stolen = honest.check(step, &office.name).await.unwrap();
    let (mut core, ask) =
        Core::with(&liar("{ ticket: 't' }", &format!("{{ idToken: '{stolen}' }}")), &office.name, "bens".into()).await;
    let ProxyStep::Open { ask, .. } = core.ask(&ask).await.unwrap() else { panic!("it began") };
    let step = core.ask(&ask).await.unwrap();
    let refused = core.check(step, &office.name).await.unwrap_err();
    assert_eq!(refused, ProxyError::Token(SignInError::BadToken("it does not verify")));
}

#[tokio::test]
async fn a_proxy_gets_nothing_but_its_origins_and_time() {
    let office = Office::start();
    let greedy = Grants {
        speak_to: vec![AddressPattern::parse("runtime://*").unwrap()],
        timers: true,
        storage: 1024,
        media: true,
        ..Grants::none()
    };
    // It tries to make the core sign something, and tells what came of it.
    let source = "export default class {
        _start(url, bus) {
          bus.addListener(url, (question, reply) => {
            const message = { type: 'execute', from: url, to: 'runtime://a.localhost/idm', body: { method: 'proveSession' } };
            bus.postMessage(message, (answer) => reply({ code: 200, value: { ticket: 'code-' + answer.body.code } }));
          });
        }
      }";
    let (net, package) = package(greedy, source, &office.name).await;
    let (supervisor, supervision, mut news) = Supervisor::new(Engine::new().unwrap(), net, Handle::current());
    tokio::spawn(supervision.run());
    let proxy = supervisor.start(GuestPlan::idp_proxy(package, Address::parse(PROXY).unwrap()).unwrap()).unwrap();
    let [from, to] = [CORE, PROXY].map(|text| Address::parse(text).unwrap());
    let body = Body::of(&json!({ "method": "begin", "params": {} })).unwrap();
    supervisor.post(proxy, Message { id: 7, kind: MessageType::Execute, from, to, body }).unwrap();
    loop {
        match news.recv().await.unwrap().1 {
            GuestNews::Message(message) => {
                let body: Value = message.body.parse().unwrap();
                assert_eq!((message.to.as_str(), &body["value"]["ticket"]), (CORE, &json!("code-403")));
                return;
            }
            GuestNews::Ready | GuestNews::Log { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_stub_is_not_taken_for_a_proxy() {
    let mut publisher = Publisher::new(domain(), SigningKey::generate(), NOW);
    publisher.publish(crate::shelf::stub("1.0.0"), crate::shelf::SOURCE, NOW).unwrap();
    let shelf = Shelf::of(TestPublisher(publisher)).await;
    let stub = PackageRef::default_stub(domain());
    let package = Fetcher::new(shelf.net()).fetch(&stub, &Memory::default(), NOW).await.unwrap();
    let plan = GuestPlan::idp_proxy(package, Address::parse(PROXY).unwrap());
    assert!(matches!(plan.err(), Some(StartGuestError::NotStarted { .. })));
}
