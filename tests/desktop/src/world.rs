//! Two domains that know nothing of each other, and an issuer that belongs to neither.

use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use crate::process::{Crew, Program};
use crate::programs::{issuer, ours, root};
use crate::{Outcome, StageError};

const START: Duration = Duration::from_secs(120);

/// Domain of Ana's account; its node speaks WebSocket.
pub(crate) const DOMAIN_A: &str = "a.localhost";

/// Domain of Ben's account; its node speaks Server-Sent Events.
pub(crate) const DOMAIN_B: &str = "b.localhost";

/// What people read as the name of the issuer.
pub(crate) const ISSUER_NAME: &str = "Independent issuer";

/// Which ports are taken; 0 is any free one.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Ports {
    pub(crate) a: u16,
    pub(crate) b: u16,
    pub(crate) issuer: u16,
}

pub(crate) struct World {
    ports: Ports,
    issuer: String,
    _programs: [Program; 3],
}

impl World {
    /// Starts both nodes and the issuer; their data goes into `folder`.
    pub(crate) async fn start(crew: &Crew, folder: &Path, wish: Ports) -> Outcome<Self> {
        let (mut a, mut b) =
            (node(crew, folder, DOMAIN_A, "ws", wish.a)?, node(crew, folder, DOMAIN_B, "sse", wish.b)?);
        let mut provider = crew.start("issuer", issuer(wish.issuer)?)?;
        let ready = |line: &str| port_of(line.strip_prefix("parlance-node ready ")?);
        let (port_a, port_b) = (a.says(START, ready).await?, b.says(START, ready).await?);
        let url = provider.says(START, |line| line.strip_prefix("OP ").map(str::to_owned)).await?;
        let ports = Ports { a: port_a, b: port_b, issuer: port_of(&url).unwrap_or_default() };
        Ok(Self { ports, issuer: url, _programs: [a, b, provider] })
    }

    /// The URL of the independent issuer.
    pub(crate) fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Gives somebody an account at a domain; says whether they had none yet.
    pub(crate) fn give_account(&self, folder: &Path, domain: &str, name: &str, password: &str) -> Outcome<bool> {
        let failed = |source| StageError::DidNotStart { program: "parlance-node user add".into(), source };
        let mut adding = Command::new(ours("parlance-node")?)
            .arg("--data")
            .arg(folder.join(format!("node-{domain}")))
            .args(["user", "add", "--password-stdin", name])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(failed)?;
        if let Some(mut stdin) = adding.stdin.take() {
            stdin.write_all(password.as_bytes()).map_err(failed)?;
        }
        Ok(adding.wait().map_err(failed)?.success())
    }

    /// Where the node of a domain is reached.
    #[cfg(test)]
    pub(crate) fn origin(&self, domain: &str) -> String {
        format!("http://{domain}:{}", if domain == DOMAIN_A { self.ports.a } else { self.ports.b })
    }

    /// What an app is told of this world.
    pub(crate) fn environment(&self) -> Vec<(&'static str, OsString)> {
        vec![
            ("PARLANCE_LOCALHOST", format!("{DOMAIN_A}={},{DOMAIN_B}={}", self.ports.a, self.ports.b).into()),
            ("PARLANCE_ISSUERS", format!("{}={ISSUER_NAME}", self.issuer).into()),
            ("PARLANCE_MEDIA_LOOPBACK", "1".into()),
            // What was said is compared with what is heard: a cleaned voice is understood, but no longer the same sound.
            ("PARLANCE_PROCESSING", "none".into()),
        ]
    }
}

fn node(crew: &Crew, folder: &Path, domain: &str, wire: &str, port: u16) -> Outcome<Program> {
    let data = folder.join(format!("node-{domain}"));
    crate::stage::private_dir(&data)?;
    let mut command = Command::new(ours("parlance-node")?);
    command
        .arg("--data")
        .arg(data)
        .args(["serve", "--domain", domain, "--wire", wire, "--port", &port.to_string(), "--packages"])
        .arg(root().join("hyperties/dist"));
    crew.start(&format!("node-{domain}"), command)
}

fn port_of(url: &str) -> Option<u16> {
    url::Url::parse(url.trim()).ok()?.port()
}
