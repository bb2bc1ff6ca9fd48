//! A domain whose node is a process of its own.

use std::path::PathBuf;

use tempfile::TempDir;
use tokio::process::Command;

use super::Process;

/// A domain; its data and its port stay the same over restarts.
pub struct NodeProcess {
    pub domain: &'static str,
    wire: &'static str,
    pub port: u16,
    pub origin: String,
    folder: TempDir,
    process: Option<Process>,
}

impl NodeProcess {
    /// Starts a domain that speaks this protocol.
    pub async fn start(domain: &'static str, wire: &'static str) -> Self {
        let folder = TempDir::new().unwrap();
        let mut node = Self { domain, wire, port: 0, origin: String::new(), folder, process: None };
        node.resume().await;
        node
    }

    /// Starts its node again, with all it has kept.
    pub async fn resume(&mut self) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_story-node"));
        let packages = lab::root().join("hyperties/dist");
        command.arg("--data").arg(self.folder.path().join("data"));
        command.args(["serve", "--domain", self.domain, "--wire", self.wire, "--port", &self.port.to_string()]);
        command.arg("--packages").arg(packages).arg("--log-routed").arg(self.routed_log());
        let mut process = Process::start(command, &self.complaints());
        let line = process.line().await;
        let origin = line.strip_prefix("parlance-node ready ");
        let origin = origin.unwrap_or_else(|| panic!("the node of {} starts: {}", self.domain, self.said()));
        self.origin = origin.to_owned();
        self.port = origin.rsplit(':').next().unwrap().parse().unwrap();
        self.process = Some(process);
    }

    /// Kills its node.
    pub async fn kill(&mut self) {
        self.process.take().expect("the node runs").kill().await;
    }

    /// Everything its node routed, as the node saw it.
    pub fn routed(&self) -> String {
        std::fs::read_to_string(self.routed_log()).unwrap()
    }

    /// What it wrote to standard error in all its lives.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.complaints()).unwrap_or_default()
    }

    fn routed_log(&self) -> PathBuf {
        self.folder.path().join("routed.log")
    }

    fn complaints(&self) -> PathBuf {
        self.folder.path().join("errors.log")
    }
}
