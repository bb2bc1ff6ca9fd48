//! Holds what all requests of this process share.

use std::sync::Arc;

use message::Domain;
use reqwest::Client;
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use url::Url;

use crate::config::NetConfig;
use crate::limits::{CONNECT_DEADLINE, HEADER_LIMIT};
use crate::reach::Reach;
use crate::resolve::Resolver;
use crate::tls;

/// Why there is no network.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The TLS library refuses its own configuration.
    #[error("TLS cannot be set up: {0}")]
    Tls(String),
    /// The HTTP client refuses its configuration.
    #[error("the HTTP client cannot be set up")]
    Client(#[source] reqwest::Error),
    /// An extra authority is no certificate.
    #[error("an extra certificate authority is not a certificate")]
    Authority,
}

/// What this program calls itself.
const USER_AGENT: &str = concat!("Parlance/", env!("CARGO_PKG_VERSION"));

/// A name that is never resolved (RFC 6761, 6.4).
const NOWHERE: &str = "https://no-such-domain.invalid/";

/// The way out; cheap to clone.
#[derive(Clone)]
pub struct Net {
    shared: Arc<Shared>,
}

struct Shared {
    config: NetConfig,
    public: Client,
    loopback: Client,
    web_socket_tls: Arc<ClientConfig>,
    relay_tls: Arc<ClientConfig>,
}

impl std::fmt::Debug for Net {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Net")
    }
}

impl Net {
    /// Opens the network with the system's certificate authorities.
    pub fn new(config: NetConfig) -> Result<Self, NetError> {
        Self::trusting(config, Vec::new())
    }

    /// The same, trusting further authorities (DER), as an organisation may have.
    pub fn trusting(config: NetConfig, authorities: Vec<Vec<u8>>) -> Result<Self, NetError> {
        let extra = authorities.into_iter().map(CertificateDer::from).collect();
        let tls = tls::client_config(extra)?;
        let shared = Shared {
            public: client(&tls, Reach::Public)?,
            loopback: client(&tls, Reach::Loopback)?,
            web_socket_tls: Arc::new(tls::speaking(tls.clone(), &["http/1.1"])),
            // RFC 7443: so that a relay may share port 443 with a web server.
            relay_tls: Arc::new(tls::speaking(tls, &["stun.turn"])),
            config,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Where a domain is found: `https://D/`, or `http://D:PORT/` for `*.localhost`.
    ///
    /// A host name that makes no URL (`1.2.3.999`, a broken `xn--` label) gives
    /// a name that is never resolved, so that fetching it fails in the usual way.
    pub fn origin(&self, domain: &Domain) -> Url {
        let text = if domain.is_loopback() {
            format!("http://{domain}:{}/", self.shared.config.port(domain))
        } else {
            format!("https://{domain}/")
        };
        Url::parse(&text).unwrap_or_else(|_| Url::parse(NOWHERE).expect("a constant that is a URL"))
    }

    pub(crate) fn client(&self, reach: Reach) -> &Client {
        match reach {
            Reach::Public => &self.shared.public,
            Reach::Loopback => &self.shared.loopback,
        }
    }

    pub(crate) fn web_socket_tls(&self) -> Arc<ClientConfig> {
        self.shared.web_socket_tls.clone()
    }

    pub(crate) fn relay_tls(&self) -> Arc<ClientConfig> {
        self.shared.relay_tls.clone()
    }
}

fn client(tls: &ClientConfig, reach: Reach) -> Result<Client, NetError> {
    Client::builder()
        .tls_backend_preconfigured(tls::speaking(tls.clone(), &["h2", "http/1.1"]))
        .dns_resolver(Resolver(reach))
        // The environment must not be able to send a person's traffic elsewhere.
        .no_proxy()
        .referer(false)
        // Followed by hand, each hop judged: see redirect.rs.
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_DEADLINE)
        .http2_max_header_list_size(HEADER_LIMIT)
        .pool_max_idle_per_host(4)
        .user_agent(USER_AGENT)
        .build()
        .map_err(NetError::Client)
}
