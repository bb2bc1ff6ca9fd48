//! A domain with a real node, which can be stopped and started again.

use std::path::PathBuf;

use node::{Node, NodeConfig, Relays, RunningNode, Wire};
use tempfile::TempDir;

use crate::root;

/// A domain of a story.
pub struct Domain {
    /// Its name.
    pub name: message::Domain,
    /// Where the world reaches it, the same over restarts.
    pub port: u16,
    /// Where its node listens, if somebody else listens at `port`.
    behind: Option<u16>,
    wire: Wire,
    folder: TempDir,
    packages: PathBuf,
    gate: Option<runtime::NetConfig>,
    relays: Option<Relays>,
    blob_bytes: Option<u64>,
    is_logged: bool,
    running: Option<RunningNode>,
}

impl Domain {
    /// Starts a domain that speaks this protocol.
    pub async fn start(name: &str, wire: Wire) -> Self {
        Self::publishing(name, wire, root().join("hyperties/dist")).await
    }

    /// Starts a domain that publishes the packages of this folder.
    pub async fn publishing(name: &str, wire: Wire, packages: PathBuf) -> Self {
        Self::begin(name, wire, packages, (0, None)).await
    }

    /// A domain to be measured: nobody writes down what its node routed.
    pub async fn unlogged(name: &str, wire: Wire) -> Self {
        let mut domain = Self::planned(name, wire, root().join("hyperties/dist"), (0, None));
        domain.is_logged = false;
        domain.resume().await;
        domain
    }

    /// A domain that has relays for the calls of its people.
    pub async fn with_relays(name: &str, wire: Wire, relays: Relays) -> Self {
        let mut domain = Self::planned(name, wire, root().join("hyperties/dist"), (0, None));
        domain.relays = Some(relays);
        domain.resume().await;
        domain
    }

    /// A domain where somebody listens at `port` in its place and passes on what they like.
    pub async fn start_behind(name: &str, wire: Wire, port: u16) -> Self {
        Self::begin(name, wire, root().join("hyperties/dist"), (port, Some(0))).await
    }

    async fn begin(name: &str, wire: Wire, packages: PathBuf, ports: (u16, Option<u16>)) -> Self {
        let mut domain = Self::planned(name, wire, packages, ports);
        domain.resume().await;
        domain
    }

    fn planned(name: &str, wire: Wire, packages: PathBuf, (port, behind): (u16, Option<u16>)) -> Self {
        let name = message::Domain::parse(name).unwrap();
        let folder = TempDir::new().unwrap();
        Self {
            name,
            port,
            behind,
            wire,
            folder,
            packages,
            gate: None,
            relays: None,
            blob_bytes: None,
            is_logged: true,
            running: None,
        }
    }

    /// Starts its node again, with all it has kept.
    pub async fn resume(&mut self) {
        let port = self.behind.unwrap_or(self.port);
        let mut config = NodeConfig::new(self.name.clone(), self.folder.path()).with_wire(self.wire).on_port(port);
        config.origin = self.behind.map(|_| node::origin_of(&self.name, self.port));
        config.packages_dir = Some(self.packages.clone());
        config.gate = self.gate.clone();
        config.relays = self.relays.clone();
        if let Some(bytes) = self.blob_bytes {
            config.limits.blob_bytes_per_account = bytes;
        }
        config.log_routed = self.is_logged.then(|| self.routed_log());
        let running = Node::start(config).await.unwrap();
        let place = self.behind.as_mut().unwrap_or(&mut self.port);
        *place = running.port();
        self.running = Some(running);
    }

    /// Its node keeps so many bytes of files for each of its people from now on.
    pub async fn keeps_of_files(&mut self, bytes: u64) {
        self.blob_bytes = Some(bytes);
        self.stop().await;
        self.resume().await;
    }

    /// Its node brings members to these domains from now on.
    pub async fn opens_gate_to(&mut self, others: &[&Self]) {
        let localhost = others.iter().map(|other| (other.name.clone(), other.port)).collect();
        self.gate = Some(runtime::NetConfig { localhost });
        self.stop().await;
        self.resume().await;
    }

    /// Stops its node.
    pub async fn stop(&mut self) {
        if let Some(running) = self.running.take() {
            running.shutdown().await;
        }
    }

    /// Its node.
    pub fn node(&self) -> &RunningNode {
        self.running.as_ref().expect("the node runs")
    }

    /// Where its node keeps its files.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// Everything its node routed, as the node saw it.
    pub fn routed(&self) -> String {
        std::fs::read_to_string(self.routed_log()).unwrap_or_default()
    }

    fn routed_log(&self) -> PathBuf {
        self.folder.path().join("routed.log")
    }
}
