//! A catalogue behind a real socket, which can be made to misbehave.
#![allow(dead_code, reason = "each test file uses its own part of it")]

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use catalogue::{Draft, PackageKind, PackageName, Publisher, paths};
use keys::{SigningKey, b64url, base32, sha256};
use message::{Domain, Grants, Origin};
use semver::Version;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use transport::{Net, NetConfig};

pub const NOW: u64 = 1_790_000_000_000;
pub const SOURCE: &str = "function activate(url, bus, config) { return {}; }";

pub fn domain() -> Domain {
    Domain::parse("b.localhost").unwrap()
}

pub fn stub(version: &str) -> Draft {
    let web_socket = vec![Origin::parse("ws://b.localhost:7102").unwrap()];
    let grants = Grants { web_socket, timers: true, ..Grants::none() };
    Draft { grants, ..Draft::new(PackageKind::ProtoStub, "default", Version::parse(version).unwrap()) }
}

/// A publisher that a test can copy.
pub struct TestPublisher(pub Publisher);

impl TestPublisher {
    /// The same key and roots, with the first version of the stub.
    pub fn clone_for_test(&self) -> Self {
        let mut copy = Publisher::restore(self.0.state(), NOW).unwrap();
        copy.publish(stub("1.0.0"), SOURCE, NOW).unwrap();
        Self(copy)
    }
}

pub fn publisher() -> TestPublisher {
    let mut publisher = Publisher::new(domain(), SigningKey::generate(), NOW);
    publisher.publish(stub("1.0.0"), SOURCE, NOW).unwrap();
    TestPublisher(publisher)
}

/// How one path is answered.
#[derive(Clone)]
pub enum Served {
    Bytes(Vec<u8>),
    Redirect(String),
    Missing,
    Failing,
    Endless,
    Drops,
}

/// A catalogue behind a real socket.
pub struct Shelf {
    files: Arc<Mutex<HashMap<String, Served>>>,
    requests: Arc<AtomicUsize>,
    port: u16,
}

impl Shelf {
    pub async fn of(publisher: TestPublisher) -> Self {
        let shelf = Self::empty().await;
        shelf.publish(&publisher);
        shelf
    }

    /// A catalogue whose descriptor the publisher would have refused to sign.
    pub async fn of_forged(draft: Draft) -> Self {
        let key = SigningKey::generate();
        let package = PackageName::new(draft.kind, &draft.name).unwrap();
        let descriptor = json!({
            "type": draft.kind, "name": draft.name, "domain": domain(), "version": draft.version,
            "language": "javascript", "grants": draft.grants,
            "source": { "url": paths::source(&package), "sha256": b64url(&sha256(SOURCE.as_bytes())), "length": SOURCE.len() },
        });
        let descriptor = sign(&key, "descriptor", &descriptor);
        let expires = NOW + 1_000_000;
        let root = json!({ "domain": domain(), "version": 1, "expires": expires, "keys": [key.verifying_key()], "threshold": 1 });
        let snapshot = json!({ "domain": domain(), "version": 1, "expires": expires, "packages": {
            package.to_string(): { "version": draft.version, "descriptorSha256": b64url(&sha256(&descriptor)) },
        }});
        let shelf = Self::empty().await;
        shelf.serve(&paths::root(), Served::Bytes(sign(&key, "root", &root)));
        shelf.serve(&paths::snapshot(), Served::Bytes(sign(&key, "snapshot", &snapshot)));
        shelf.serve(&paths::descriptor(&package), Served::Bytes(descriptor));
        shelf.serve(&paths::source(&package), Served::Bytes(SOURCE.into()));
        shelf
    }

    /// A network in which the domain's port is closed.
    pub fn nowhere() -> Net {
        let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        Net::new(NetConfig { localhost: [(domain(), port)].into() }).unwrap()
    }

    async fn empty() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (files, requests) = (Arc::new(Mutex::new(HashMap::new())), Arc::new(AtomicUsize::new(0)));
        let shelf = Self { files: files.clone(), requests: requests.clone(), port };
        tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                tokio::spawn(answer(tcp, files.clone(), requests.clone()));
            }
        });
        shelf
    }

    pub fn net(&self) -> Net {
        Net::new(NetConfig { localhost: [(domain(), self.port)].into() }).unwrap()
    }

    pub fn url(&self, path: &str) -> String {
        format!("http://b.localhost:{}{path}", self.port)
    }

    /// Shows what a publisher has now.
    pub fn publish(&self, publisher: &TestPublisher) {
        for file in publisher.0.files() {
            self.serve(&file.path, Served::Bytes(file.bytes));
        }
    }

    pub fn serve(&self, path: &str, served: Served) {
        self.files.lock().unwrap().insert(path.into(), served);
    }

    pub fn bytes(&self, path: &str) -> Vec<u8> {
        match &self.files.lock().unwrap()[path] {
            Served::Bytes(bytes) => bytes.clone(),
            _ => panic!("{path} has no bytes"),
        }
    }

    pub fn requests(&self) -> usize {
        self.requests.load(Ordering::SeqCst)
    }
}

fn sign(key: &SigningKey, part: &str, document: &serde_json::Value) -> Vec<u8> {
    let payload = serde_json::to_vec(document).unwrap();
    let signature = key.sign(&[format!("parlance-{part}-v1\n").as_bytes(), &payload].concat());
    let keyid = base32(&sha256(key.verifying_key().as_bytes())[..20]);
    serde_json::to_vec(&json!({ "payload": b64url(&payload), "signatures": [{ "keyid": keyid, "sig": signature }] }))
        .unwrap()
}

async fn answer(mut tcp: TcpStream, files: Arc<Mutex<HashMap<String, Served>>>, requests: Arc<AtomicUsize>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match tcp.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    requests.fetch_add(1, Ordering::SeqCst);
    let path = String::from_utf8_lossy(&head).split(' ').nth(1).unwrap_or("?").to_owned();
    let served = files.lock().unwrap().get(&path).cloned().unwrap_or(Served::Missing);
    let empty = |status: &str| format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n");
    let text = match served {
        Served::Bytes(bytes) => {
            let head = format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", bytes.len());
            let _gone = tcp.write_all(&[head.as_bytes(), &bytes].concat()).await;
            return;
        }
        Served::Redirect(to) => {
            format!("HTTP/1.1 302 Found\r\nconnection: close\r\nlocation: {to}\r\ncontent-length: 0\r\n\r\n")
        }
        Served::Missing => empty("404 Not Found"),
        Served::Failing => empty("503 Service Unavailable"),
        Served::Endless | Served::Drops => "HTTP/1.1 200 OK\r\n\r\n".into(),
    };
    let _gone = tcp.write_all(text.as_bytes()).await;
    if let Some(pace) = served_pace(&files, &path) {
        while tcp.write_all(if pace.is_zero() { &[b'x'; 4096] } else { b"x" }).await.is_ok() {
            tokio::time::sleep(pace).await;
        }
    }
}

fn served_pace(files: &Mutex<HashMap<String, Served>>, path: &str) -> Option<Duration> {
    match files.lock().unwrap().get(path) {
        Some(Served::Endless) => Some(Duration::ZERO),
        Some(Served::Drops) => Some(Duration::from_millis(20)),
        _ => None,
    }
}
