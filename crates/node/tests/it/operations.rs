//! What those who run a node see of it: health, metrics, TLS, stopping.

use std::path::Path;
use std::sync::Arc;

use crate::common::oidc::http;
use crate::common::{House, Person, Session, config, sealed};
use message::{Code, MessageType};
use node::{Node, RunningNode, Tls};
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn watched() -> House {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&folder);
    config.watch = Some(([127, 0, 0, 1], 0).into());
    House { node: Node::start(config).await.unwrap(), folder }
}

async fn look(node: &RunningNode, path: &str) -> (u16, String) {
    let response = http().get(format!("http://{}{path}", node.watch().unwrap())).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

#[tokio::test]
async fn a_node_says_that_it_lives_and_what_it_has_done() {
    let house = watched().await;
    assert_eq!(look(&house.node, "/health/live").await, (200, "live\n".into()));
    assert_eq!(look(&house.node, "/health/ready").await, (200, "ready\n".into()));
    let ana = Person::new("ana");
    let (mut session, inbox) = ana.settle(&house).await;
    let mut ben = Session::visit(&house).await;
    let from = ben.address.clone();
    let id = ben.post(MessageType::Create, &from, inbox.as_str(), sealed("hello"));
    session.take().await;
    assert_eq!(ben.answer_to(id).await.code, Code::OK);
    drop(session);
    while ben.deliver(&inbox, "waits").await.code != Code::ACCEPTED {}
    let answer = ben.ask_as(&inbox, MessageType::Create, inbox.as_str(), sealed("I am Ana")).await;
    assert_eq!(answer.code, Code::FORBIDDEN);
    let (_, page) = look(&house.node, "/metrics").await;
    for line in [
        "parlance_node_sessions 1",
        "parlance_node_accounts 1",
        "parlance_node_registered_inboxes 1",
        "parlance_node_mailboxes 1",
        "parlance_node_forged_total 1",
        "parlance_node_delivery_duration_seconds_count 1",
        r#"parlance_node_refused_total{code="403",reason="this address was not allocated to this session"} 1"#,
    ] {
        assert!(page.lines().any(|one| one == line), "{line} is not in:\n{page}");
    }
    assert!(!page.contains("ana"), "nobody stands in it by name");
}

#[tokio::test]
async fn health_and_metrics_are_not_on_the_public_port() {
    let house = watched().await;
    for path in ["/metrics", "/health/ready"] {
        let public = http().get(format!("http://127.0.0.1:{}{path}", house.node.port())).send().await.unwrap();
        assert_eq!(public.status(), 404);
    }
}

#[tokio::test]
async fn a_session_that_sends_too_many_bytes_is_slowed_down() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&folder);
    config.limits.byte_burst = 10_000.0;
    config.limits.bytes_per_second = 0.001;
    let house = House { node: Node::start(config).await.unwrap(), folder };
    let mut ben = Session::visit(&house).await;
    let nobody = message::Address::parse("hyperty://a.localhost/x").unwrap();
    assert_eq!(ben.deliver(&nobody, &"x".repeat(4_000)).await.code, Code::NOT_FOUND);
    assert_eq!(ben.deliver(&nobody, &"x".repeat(4_000)).await.code, Code::TOO_MANY);
}

/// A recipient who does not read: its socket is let go, and what it had not confirmed waits in the mailbox.
#[tokio::test]
async fn who_does_not_read_loses_the_session_but_no_message() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&folder);
    config.limits = node::Limits::laboratory();
    let house = House { node: Node::start(config).await.unwrap(), folder };
    let ana = Person::new("ana");
    let (mut session, inbox) = ana.settle(&house).await;
    let own = session.address.clone();
    let mut ben = Session::visit(&house).await;
    let from = ben.address.clone();
    let first = ben.post(MessageType::Create, &from, inbox.as_str(), sealed("before the flood"));
    let unread = session.next().await;
    session.link.stop_reading();
    let flood = json!({ "noise": "x".repeat(900_000) });
    while house.node.stats().await.slow == 0 {
        ben.post(MessageType::Event, &from, own.as_str(), flood.clone());
        ben.settled().await;
    }
    assert_eq!(ben.answer_to(first).await.code, Code::ACCEPTED);
    drop(session);
    let mut again = Session::open(&house, node::Role::Member, &ana.device).await;
    let kept = again.take().await;
    assert_eq!((kept.id, crate::common::unsealed(&kept)), (unread.id, "before the flood".into()));
}

/// Speaks TLS with a node as one who trusts this authority only; gives the answer's text.
async fn https(port: u16, name: &str, root: &CertificateDer<'static>) -> std::io::Result<String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let tcp = TcpStream::connect(("127.0.0.1", port)).await?;
    let name = ServerName::try_from(name.to_owned()).unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
    let request = "GET /.well-known/parlance HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n";
    stream.write_all(request.as_bytes()).await?;
    let mut text = String::new();
    // The peer may end the connection without a last word.
    let _ = stream.read_to_string(&mut text).await;
    Ok(text)
}

fn write_certificate(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["a.localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("chain.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

#[tokio::test]
async fn a_node_speaks_tls_with_the_operators_certificate() {
    let folder = tempfile::tempdir().unwrap();
    let root = write_certificate(folder.path());
    let mut config = config(&folder);
    config.tls = Some(Tls::Files { certificate: folder.path().join("chain.pem"), key: folder.path().join("key.pem") });
    let node = Node::start(config).await.unwrap();
    let answer = https(node.port(), "a.localhost", &root).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(https(node.port(), "b.localhost", &root).await.is_err(), "the certificate names one domain");
    let stranger = tempfile::tempdir().unwrap();
    assert!(https(node.port(), "a.localhost", &write_certificate(stranger.path())).await.is_err());
    let mut plain = TcpStream::connect(("127.0.0.1", node.port())).await.unwrap();
    plain.write_all(b"GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer).await;
    assert!(!answer.starts_with(b"HTTP"), "nothing is said in the clear");
}

#[tokio::test]
async fn a_key_that_does_not_fit_its_certificate_is_told_at_the_start() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write_certificate(one.path());
    write_certificate(other.path());
    let mut config = config(&one);
    config.tls = Some(Tls::Files { certificate: one.path().join("chain.pem"), key: other.path().join("key.pem") });
    assert!(matches!(Node::start(config).await, Err(node::StartError::Tls(_))));
}
