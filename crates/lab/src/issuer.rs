//! An independent, certified issuer: npm's oidc-provider in a process of its own.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use crate::root;

/// A running issuer; it ends with this value.
pub struct Issuer {
    child: Child,
    /// Its URL.
    pub url: String,
}

impl Issuer {
    /// Starts one on a free loopback port.
    pub fn start() -> Self {
        Self::of("op.mjs", "idp.test")
    }

    /// Starts one that speaks no OpenID Connect, under this host name of the machine.
    pub fn pass_office(host: &str) -> Self {
        Self::of("pass-office.mjs", host)
    }

    fn of(program: &str, domain: &str) -> Self {
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
            .args([program, "0", domain])
            .current_dir(&folder)
            .env("FOLLOW_STDIN", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Node.js is installed");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let url = lines.find_map(|line| line.unwrap().strip_prefix("OP ").map(str::to_owned)).expect("it starts");
        Self { child, url }
    }

    /// Ends it now.
    pub fn stop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.stop();
    }
}
