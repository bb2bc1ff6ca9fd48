//! Independent issuers by others, each in a process of its own: npm's oidc-provider, and Debian's Glewlwyd.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::root;

/// A running issuer; it ends with this value.
pub struct Issuer {
    child: Child,
    /// Its URL.
    pub url: String,
    /// Ports it leads back to, if not to every one.
    pub ports: Vec<u16>,
}

impl Issuer {
    /// Starts one on a free loopback port.
    pub fn start() -> Self {
        Self::of(&["op.mjs", "0", "idp.test"])
    }

    /// Starts one that speaks no OpenID Connect, under this host name of the machine.
    pub fn pass_office(host: &str) -> Self {
        Self::of(&["pass-office.mjs", "0", host])
    }

    /// Starts Glewlwyd, which knows Alice and Ben and compares redirect addresses byte for byte.
    pub fn glewlwyd() -> Self {
        Self::of(&["glewlwyd.mjs"])
    }

    fn of(arguments: &[&str]) -> Self {
        let folder = root().join("tests/issuer");
        // Tests of several processes may come here at the same time.
        let lock = File::create(std::env::temp_dir().join("parlance-test-issuer.lock")).unwrap();
        lock.lock().unwrap();
        if !folder.join("node_modules/oidc-provider").exists() {
            let done =
                Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder).status().unwrap();
            assert!(done.success(), "npm ci in tests/issuer");
        }
        drop(lock);
        let mut child = Command::new("node")
            .args(arguments)
            .current_dir(&folder)
            .env("FOLLOW_STDIN", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Node.js is installed");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut ports = Vec::new();
        let url = lines.find_map(|line| {
            let line = line.unwrap();
            if let Some(list) = line.strip_prefix("PORTS ") {
                ports = list.split(',').map(|port| port.parse().unwrap()).collect();
            }
            line.strip_prefix("OP ").map(str::to_owned)
        });
        Self { child, url: url.expect("it starts; see `./dev setup --test` for what it needs"), ports }
    }

    /// Ends it now: its end of the pipe closes, so it tidies up and goes.
    pub fn stop(&mut self) {
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.stop();
    }
}
