//! What a node is told when it starts.

use std::net::SocketAddr;
use std::path::PathBuf;

use message::Domain;
use serde::{Deserialize, Serialize};

use crate::exchange::Relays;
use crate::limits::Limits;
use crate::packages::Package;

/// The protocol between the domain's stub and its node. Only one is in force at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Wire {
    /// JSON messages over one WebSocket.
    Ws,
    /// HTTP POST one way, Server-Sent Events the other.
    Sse,
    /// Protocol 2: batches of arrays, in no way compatible with the others.
    Sse2,
}

impl Wire {
    /// The word in the domain document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ws => "ws",
            Self::Sse => "sse",
            Self::Sse2 => "sse2",
        }
    }

    /// Reads the word.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Ws, Self::Sse, Self::Sse2].into_iter().find(|wire| wire.as_str() == text)
    }
}

/// Who may have an account at the domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum Registration {
    /// Everybody, first come first served.
    Open,
    /// Who has an invitation, or was added by the operator.
    Invite,
}

impl Registration {
    /// The word in the domain document.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Invite => "invite",
        }
    }
}

/// Where the certificate of the public port comes from.
#[derive(Debug, Clone)]
pub enum Tls {
    /// From files of the operator, which are read again when they change.
    Files {
        /// The chain, PEM.
        certificate: PathBuf,
        /// Its key, PEM.
        key: PathBuf,
    },
    /// From an ACME server (RFC 8555).
    Acme {
        /// The mail address it may write to.
        contact: String,
        /// Its directory; Let's Encrypt without one.
        directory: Option<String>,
        /// The authority that signed the directory's own certificate, PEM; the public ones without one.
        root: Option<PathBuf>,
    },
}

/// Everything a node is told when it starts.
#[derive(Debug, Clone)]
pub struct NodeConfig {
    /// The domain it serves.
    pub domain: Domain,
    /// Where it listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Its origin as the world sees it. Without one: `http://D:PORT` for `*.localhost`, else `https://D`.
    pub origin: Option<String>,
    /// Where it keeps everything.
    pub data_dir: PathBuf,
    /// The protocol in force at the first start; later starts keep what was set since.
    pub wire: Wire,
    /// Who may have an account.
    pub registration: Registration,
    /// What people read as the domain's name.
    pub name: Option<String>,
    /// Packages to publish beside the domain's stub (`hyperty/chat`, `hyperty/connector`).
    pub packages: Vec<Package>,
    /// A folder of built packages, `<name>.js` with `<name>.json`, published as well.
    pub packages_dir: Option<PathBuf>,
    /// Writes every routed message into this file, as the node sees it.
    pub log_routed: Option<PathBuf>,
    /// NATS servers that make this node one of several; without any it is alone.
    pub nats: Option<cluster::Settings>,
    /// TLS on the public port; without it, a proxy in front speaks TLS.
    pub tls: Option<Tls>,
    /// Where health and metrics are asked for; without one, nowhere.
    pub watch: Option<SocketAddr>,
    /// How the stubs of other domains reach them for members whose network reaches only this node; without it,
    /// there is no such way.
    pub gate: Option<transport::NetConfig>,
    /// The relays (TURN) of its people's calls.
    pub relays: Option<Relays>,
    /// Rates and counts.
    pub limits: Limits,
}

impl NodeConfig {
    /// A node for `domain` on a free loopback port, open to everybody, speaking `ws`.
    pub fn new(domain: Domain, data_dir: impl Into<PathBuf>) -> Self {
        Self {
            domain,
            listen: SocketAddr::from(([127, 0, 0, 1], 0)),
            origin: None,
            data_dir: data_dir.into(),
            wire: Wire::Ws,
            registration: Registration::Open,
            name: None,
            packages: Vec::new(),
            packages_dir: None,
            log_routed: None,
            nats: None,
            tls: None,
            watch: None,
            gate: None,
            relays: None,
            limits: Limits::default(),
        }
    }

    /// The same on a given loopback port.
    pub fn on_port(mut self, port: u16) -> Self {
        self.listen.set_port(port);
        self
    }

    /// The same with another wire.
    pub fn with_wire(mut self, wire: Wire) -> Self {
        self.wire = wire;
        self
    }
}
