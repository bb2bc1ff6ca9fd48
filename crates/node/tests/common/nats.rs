//! Three NATS servers with JetStream, as an operator runs them.

use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use node::NatsSettings;

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

pub struct Servers {
    running: Vec<Option<Child>>,
    configs: Vec<PathBuf>,
    ports: Vec<u16>,
    _folder: tempfile::TempDir,
}

impl Servers {
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports: Vec<u16> = (0..3).map(|_| free_port()).collect();
        let routes: Vec<u16> = (0..3).map(|_| free_port()).collect();
        let all: Vec<String> = routes.iter().map(|port| format!("nats-route://127.0.0.1:{port}")).collect();
        let mut configs = Vec::new();
        for at in 0..3 {
            let store = folder.path().join(format!("js{at}"));
            let text = format!(
                "server_name: n{at}\nlisten: 127.0.0.1:{}\nmax_payload: 8MB\n\
                 jetstream {{ store_dir: {:?}, max_mem: 64M, max_file: 1G }}\n\
                 cluster {{ name: domain, listen: 127.0.0.1:{}, routes: [ {} ] }}\n",
                ports[at],
                store.to_str().unwrap(),
                routes[at],
                all.join(", ")
            );
            let path = folder.path().join(format!("n{at}.conf"));
            std::fs::write(&path, text).unwrap();
            configs.push(path);
        }
        let mut servers = Self { running: vec![None, None, None], configs, ports, _folder: folder };
        (0..3).for_each(|at| servers.run(at));
        servers
    }

    pub fn run(&mut self, at: usize) {
        let mut command = Command::new("nats-server");
        command.arg("-c").arg(&self.configs[at]).stdout(Stdio::null()).stderr(Stdio::null());
        self.running[at] = Some(command.spawn().expect("nats-server; it is in the package nats-server"));
    }

    /// `kill -9`.
    pub fn kill(&mut self, at: usize) {
        if let Some(mut child) = self.running[at].take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    pub fn urls(&self) -> Vec<String> {
        self.ports.iter().map(|port| format!("nats://127.0.0.1:{port}")).collect()
    }

    pub fn settings(&self) -> NatsSettings {
        NatsSettings { servers: self.urls(), domain: "a.localhost".into(), replicas: 3 }
    }
}

impl Drop for Servers {
    fn drop(&mut self) {
        (0..3).for_each(|at| self.kill(at));
    }
}
