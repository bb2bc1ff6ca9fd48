//! A web site of this machine, over TLS, that remembers who came; apps of this process make cards of its links.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// Whom the certificate of this process is for.
const NAMES: [&str; 2] = ["site.localhost", "other.localhost"];

/// What a site answers to a path.
pub enum Answer {
    /// These bytes, head and body.
    Whole(Vec<u8>),
    /// These bytes and then silence.
    Silence(Vec<u8>),
    /// These bytes and then letters without end.
    Endless(Vec<u8>),
}

impl Answer {
    /// A document.
    pub fn of(media_type: &str, body: &[u8]) -> Self {
        let head = format!("HTTP/1.1 200 OK\r\ncontent-type: {media_type}\r\ncontent-length: {}\r\n", body.len());
        Self::Whole([head.as_bytes(), b"connection: close\r\n\r\n", body].concat())
    }

    /// A page.
    pub fn page(html: &str) -> Self {
        Self::of("text/html; charset=utf-8", html.as_bytes())
    }

    /// Another place to look at.
    pub fn see(place: &str) -> Self {
        Self::Whole(
            format!("HTTP/1.1 302 Found\r\nlocation: {place}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
                .into_bytes(),
        )
    }

    /// There is nothing.
    pub fn nothing() -> Self {
        Self::Whole(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n".to_vec())
    }
}

/// A web site.
pub struct Pages {
    port: u16,
    visits: Arc<Mutex<Vec<String>>>,
    listening: tokio::task::JoinHandle<()>,
}

impl Pages {
    /// Opens a site that answers paths so.
    pub async fn open(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let acceptor = acceptor();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (visits, answer) = (Arc::new(Mutex::new(Vec::new())), Arc::new(answer));
        let heard = visits.clone();
        let listening = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let (acceptor, heard, answer) = (acceptor.clone(), heard.clone(), answer.clone());
                tokio::spawn(async move {
                    let Ok(mut tls) = acceptor.accept(tcp).await else { return };
                    let Some(head) = head_of(&mut tls).await else { return };
                    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                    heard.lock().unwrap_or_else(PoisonError::into_inner).push(head);
                    give(&mut tls, answer(&path)).await;
                });
            }
        });
        Self { port, visits, listening }
    }

    /// A link to a page of it.
    pub fn link(&self, path: &str) -> String {
        format!("https://site.localhost:{}{path}", self.port)
    }

    /// The same under its other name.
    pub fn other(&self, path: &str) -> String {
        format!("https://other.localhost:{}{path}", self.port)
    }

    /// What was asked for, each with all its headers.
    pub fn visits(&self) -> Vec<String> {
        self.visits.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The paths that were asked for.
    pub fn paths(&self) -> Vec<String> {
        self.visits().iter().filter_map(|head| head.split(' ').nth(1)).map(str::to_owned).collect()
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

/// One certificate for all sites of this process, which its apps trust.
fn acceptor() -> TlsAcceptor {
    static ACCEPTOR: OnceLock<TlsAcceptor> = OnceLock::new();
    let make = || {
        let rcgen::CertifiedKey { cert, signing_key } =
            rcgen::generate_simple_self_signed(NAMES.map(str::to_owned)).unwrap();
        preview::look_near(cert.der().to_vec()).unwrap();
        let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![cert.der().clone()], key)
            .unwrap();
        TlsAcceptor::from(Arc::new(config))
    };
    ACCEPTOR.get_or_init(make).clone()
}

async fn head_of(tls: &mut TlsStream<TcpStream>) -> Option<String> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(tls.read_u8().await.ok()?);
    }
    String::from_utf8(head).ok()
}

async fn give(tls: &mut TlsStream<TcpStream>, answer: Answer) {
    match answer {
        Answer::Whole(bytes) => {
            let _gone = tls.write_all(&bytes).await;
            let _gone = tls.shutdown().await;
        }
        Answer::Silence(bytes) => {
            let _gone = tls.write_all(&bytes).await;
            let _gone = tls.flush().await;
            // Until the other side gives up.
            let _gone = tls.read_u8().await;
        }
        Answer::Endless(bytes) => {
            let _gone = tls.write_all(&bytes).await;
            while tls.write_all(&[b'x'; 4096]).await.is_ok() {}
        }
    }
}
