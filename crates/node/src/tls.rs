//! TLS of the public port: with the operator's certificate, or with one that ACME (RFC 8555) brings.
//!
//! Certificate files are read again when they change. ACME proves the domain on the port itself
//! (tls-alpn-01, RFC 8737), so nothing else has to be open; account and certificate are kept in `acme/`.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use axum::serve::Listener;
use message::Domain;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_acme::caches::DirCache;
use rustls_acme::{AcmeConfig, is_tls_alpn_challenge};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, mpsc};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;
use tokio_stream::StreamExt;
use tokio_util::sync::CancellationToken;

use crate::config::Tls;
use crate::limits::{HANDSHAKE_MS, HANDSHAKES};

/// Let's Encrypt.
const DIRECTORY: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// How often the files of a certificate are looked at.
const RELOAD: Duration = Duration::from_secs(60);

/// Why there is no TLS.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file does not read.
    #[error("{path} is no PEM file of the kind it should be: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// Certificate and key do not work.
    #[error("the certificate cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// What a handshake is done with.
#[derive(Clone)]
struct Handshakes {
    normal: Arc<ServerConfig>,
    /// For the ACME server's question only.
    challenge: Option<Arc<ServerConfig>>,
}

/// Connections whose handshake is done.
pub struct TlsListener {
    done: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl TlsListener {
    /// Speaks TLS on a port until the token fires.
    pub fn start(
        listener: TcpListener,
        tls: &Tls,
        domain: &Domain,
        data_dir: &Path,
        stop: &CancellationToken,
    ) -> Result<Self, TlsError> {
        let handshakes = match tls {
            Tls::Files { certificate, key } => from_files(certificate, key, stop)?,
            Tls::Acme { contact, directory, root } => {
                acme(domain, contact, directory.as_deref(), root.as_deref(), data_dir, stop)?
            }
        };
        // The listener was bound by us a moment ago.
        let address = listener.local_addr().unwrap_or_else(|_| SocketAddr::from(([0, 0, 0, 0], 0)));
        let (sender, done) = mpsc::channel(HANDSHAKES);
        tokio::spawn(accept(listener, handshakes, sender, stop.clone()));
        Ok(Self { done, address })
    }
}

impl Listener for TlsListener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.done.recv().await {
            Some(connection) => connection,
            // The node stops; the server is told so by its own token.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

async fn accept(
    mut listener: TcpListener,
    handshakes: Handshakes,
    done: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(HANDSHAKES));
    loop {
        let Ok(place) = places.clone().acquire_owned().await else { return };
        let (tcp, peer) = tokio::select! {
            () = stop.cancelled() => return,
            accepted = Listener::accept(&mut listener) => accepted,
        };
        let _slower = tcp.set_nodelay(true);
        let (handshakes, done) = (handshakes.clone(), done.clone());
        tokio::spawn(async move {
            let _place = place;
            let in_time = tokio::time::timeout(Duration::from_millis(HANDSHAKE_MS), handshake(tcp, &handshakes));
            // Whoever does not manage a handshake is not told why twice: TLS has alerts for that.
            if let Ok(Ok(Some(stream))) = in_time.await {
                let _ = done.send((stream, peer)).await;
            }
        });
    }
}

/// A connection, or nothing when it was the ACME server, whose question the handshake itself answers.
async fn handshake(tcp: TcpStream, handshakes: &Handshakes) -> io::Result<Option<TlsStream<TcpStream>>> {
    let hello = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), tcp).await?;
    match &handshakes.challenge {
        Some(challenge) if is_tls_alpn_challenge(&hello.client_hello()) => {
            let mut stream = hello.into_stream(challenge.clone()).await?;
            tokio::io::AsyncWriteExt::shutdown(&mut stream).await?;
            Ok(None)
        }
        _ => Ok(Some(hello.into_stream(handshakes.normal.clone()).await?)),
    }
}

fn provider() -> Arc<rustls::crypto::CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn from_files(certificate: &Path, key: &Path, stop: &CancellationToken) -> Result<Handshakes, TlsError> {
    let files = Files { certificate: certificate.to_owned(), key: key.to_owned() };
    let resolver = Arc::new(Current(RwLock::new(Arc::new(files.read()?))));
    let mut config = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(resolver.clone());
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    tokio::spawn(reload(files, resolver, stop.clone()));
    Ok(Handshakes { normal: Arc::new(config), challenge: None })
}

struct Files {
    certificate: PathBuf,
    key: PathBuf,
}

impl Files {
    fn read(&self) -> Result<CertifiedKey, TlsError> {
        let fault = |path: &Path| {
            let path = path.to_owned();
            |source| TlsError::File { path, source }
        };
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&self.certificate)
            .and_then(Iterator::collect)
            .map_err(fault(&self.certificate))?;
        let key = PrivateKeyDer::from_pem_file(&self.key).map_err(fault(&self.key))?;
        Ok(CertifiedKey::from_der(chain, key, &provider())?)
    }

    fn changed(&self) -> Option<SystemTime> {
        let of = |path: &Path| std::fs::metadata(path).and_then(|facts| facts.modified()).ok();
        of(&self.certificate).max(of(&self.key))
    }
}

/// The certificate that counts now.
#[derive(Debug)]
struct Current(RwLock<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.0.read().unwrap_or_else(PoisonError::into_inner).clone())
    }
}

async fn reload(files: Files, current: Arc<Current>, stop: CancellationToken) {
    let mut seen = files.changed();
    let mut minute = tokio::time::interval(RELOAD);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = minute.tick() => {}
        }
        let now = files.changed();
        if now == seen {
            continue;
        }
        match files.read() {
            Ok(fresh) => {
                *current.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(fresh);
                seen = now;
                tracing::info!("the certificate was read anew");
            }
            // Half of it may be written yet: the old one serves on, and in a minute we look again.
            Err(error) => tracing::warn!(%error, "the changed certificate is not used"),
        }
    }
}

fn acme(
    domain: &Domain,
    contact: &str,
    directory: Option<&str>,
    root: Option<&Path>,
    data_dir: &Path,
    stop: &CancellationToken,
) -> Result<Handshakes, TlsError> {
    let mut config = AcmeConfig::new_with_provider([domain.as_str()], provider())
        .contact([format!("mailto:{contact}")])
        .directory(directory.unwrap_or(DIRECTORY))
        .cache(DirCache::new(data_dir.join("acme")));
    if let Some(root) = root {
        config = config.client_tls_config(Arc::new(trusting(root)?));
    }
    let mut state = config.state();
    let mut normal = ServerConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(state.resolver());
    normal.alpn_protocols = vec![b"http/1.1".to_vec()];
    let challenge = state.challenge_rustls_config_with_provider(provider());
    let stop = stop.clone();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                event = state.next() => match event {
                    Some(Ok(event)) => tracing::info!(?event, "ACME"),
                    // It tries again by itself, with growing pauses.
                    Some(Err(error)) => tracing::warn!(?error, "ACME"),
                    None => return,
                },
            }
        }
    });
    Ok(Handshakes { normal: Arc::new(normal), challenge: Some(challenge) })
}

/// Trusts one authority only: for a private ACME server.
fn trusting(root: &Path) -> Result<ClientConfig, TlsError> {
    let fault = |source| TlsError::File { path: root.to_owned(), source };
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(root).map_err(fault)?)?;
    Ok(ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
