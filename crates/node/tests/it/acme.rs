//! A Node gets its certificate from a real ACME authority (Pebble, the one of Let's Encrypt's own tests).

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::common::config;
use node::{Node, Tls};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PATIENCE: Duration = Duration::from_secs(60);

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn run(program: &str, arguments: &[&str]) -> Running {
    let mut command = Command::new(program);
    command.args(arguments).env("PEBBLE_VA_NOSLEEP", "1").stdout(Stdio::null()).stderr(Stdio::null());
    Running(command.spawn().unwrap_or_else(|error| panic!("{program}: {error}; it is in the package pebble")))
}

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// An authority that finds every domain on this machine and looks for proofs on one port.
struct Authority {
    _programs: [Running; 2],
    directory: String,
    roots: String,
    own_root: CertificateDer<'static>,
}

impl Authority {
    fn start(folder: &Path, proofs: u16) -> Self {
        let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        std::fs::write(folder.join("authority.pem"), own.cert.pem()).unwrap();
        std::fs::write(folder.join("authority.key"), own.signing_key.serialize_pem()).unwrap();
        let (acme, management, dns, names) = (free_port(), free_port(), free_port(), free_port());
        let settings = json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{acme}"), "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": folder.join("authority.pem"), "privateKey": folder.join("authority.key"),
            "httpPort": free_port(), "tlsPort": proofs, "ocspResponderURL": "", "externalAccountBindingRequired": false,
        } });
        let file = folder.join("pebble.json");
        std::fs::write(&file, settings.to_string()).unwrap();
        let (dns, names) = (format!("127.0.0.1:{dns}"), format!("127.0.0.1:{names}"));
        let resolver = ["-dns01", &dns, "-management", &names, "-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""];
        let resolver = [&resolver[..], &["-http01", "", "-https01", "", "-tlsalpn01", ""]].concat();
        let programs = [
            run("pebble-challtestsrv", &resolver),
            run("pebble", &["-config", file.to_str().unwrap(), "-dnsserver", &dns, "-strict"]),
        ];
        Self {
            _programs: programs,
            directory: format!("https://localhost:{acme}/dir"),
            roots: format!("https://localhost:{management}/roots/0"),
            own_root: own.cert.der().clone(),
        }
    }

    /// The authority's root, which it makes anew at each start.
    async fn root(&self) -> CertificateDer<'static> {
        let trusted = reqwest::Certificate::from_der(&self.own_root).unwrap();
        let client = reqwest::Client::builder().tls_certs_only([trusted]).build().unwrap();
        let begun = Instant::now();
        loop {
            match client.get(&self.roots).send().await {
                Ok(answer) => return CertificateDer::from_pem_slice(&answer.bytes().await.unwrap()).unwrap(),
                Err(error) => assert!(begun.elapsed() < PATIENCE, "the authority does not answer: {error:?}"),
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }
}

async fn status(port: u16, root: &CertificateDer<'static>) -> std::io::Result<String> {
    let mut roots = rustls::RootCertStore::empty();
    roots.add(root.clone()).unwrap();
    let config = rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let tcp = TcpStream::connect(("127.0.0.1", port)).await?;
    let name = ServerName::try_from("a.localhost").unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await?;
    stream.write_all(b"GET /.well-known/parlance HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n").await?;
    let mut text = String::new();
    // The peer may end the connection without a last word.
    let _ = stream.read_to_string(&mut text).await;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn a_node_gets_its_certificate_by_itself_and_keeps_it_over_a_restart() {
    crate::common::oidc::http(); // the default provider of TLS
    let folder = tempfile::tempdir().unwrap();
    let port = free_port();
    let authority = Authority::start(folder.path(), port);
    let root = authority.root().await;
    let mut config = config(&folder).on_port(port);
    config.tls = Some(Tls::Acme {
        contact: "ops@a.localhost".into(),
        directory: Some(authority.directory.clone()),
        root: Some(folder.path().join("authority.pem")),
    });
    let node = Node::start(config.clone()).await.unwrap();
    let begun = Instant::now();
    loop {
        match status(port, &root).await {
            Ok(line) => break assert_eq!(line, "HTTP/1.1 200 OK"),
            Err(error) => assert!(begun.elapsed() < PATIENCE, "no certificate came: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    node.shutdown().await;
    drop(authority);
    let node = Node::start(config).await.unwrap();
    let begun = Instant::now();
    while status(port, &root).await.is_err() {
        assert!(begun.elapsed() < PATIENCE, "the certificate was not kept");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    node.shutdown().await;
}
