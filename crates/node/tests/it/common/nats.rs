//! Three NATS servers with JetStream, as an operator runs them.

use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use node::NatsSettings;

/// How often ports are looked for.
const ATTEMPTS: u32 = 10;

/// A server listens within a second, or this machine is very busy.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ports that nobody has; all are held until all are known, so that none comes twice.
pub fn free_ports<const COUNT: usize>() -> [u16; COUNT] {
    let held: [TcpListener; COUNT] = std::array::from_fn(|_| TcpListener::bind("127.0.0.1:0").unwrap());
    held.map(|listener| listener.local_addr().unwrap().port())
}

/// One of them.
pub fn free_port() -> u16 {
    let [port] = free_ports();
    port
}

pub struct Servers {
    running: Vec<Option<Child>>,
    configs: Vec<PathBuf>,
    ports: Vec<u16>,
    routes: Vec<u16>,
    _folder: tempfile::TempDir,
}

impl Servers {
    pub fn start() -> Self {
        // A port that was free a moment ago may be somebody's own by now: tests run side by side.
        for _ in 0..ATTEMPTS {
            let mut servers = Self::configured();
            if (0..3).all(|at| servers.runs(at)) {
                return servers;
            }
        }
        panic!("no three NATS servers found ports in {ATTEMPTS} attempts");
    }

    fn configured() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports = free_ports::<6>();
        let (ports, routes) = (ports[..3].to_vec(), ports[3..].to_vec());
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
        Self { running: vec![None, None, None], configs, ports, routes, _folder: folder }
    }

    /// Starts one again.
    pub fn run(&mut self, at: usize) {
        assert!((0..ATTEMPTS).any(|_| self.runs(at)), "the port of a NATS server is not free any more");
    }

    /// Starts one; false if it ended, as it does where a port is taken.
    fn runs(&mut self, at: usize) -> bool {
        let mut command = Command::new("nats-server");
        command.arg("-c").arg(&self.configs[at]).stdout(Stdio::null()).stderr(Stdio::null());
        let child = self.running[at].insert(command.spawn().expect("nats-server; it is in the package nats-server"));
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let listens = [self.ports[at], self.routes[at]]
                .into_iter()
                .all(|port| TcpStream::connect(("127.0.0.1", port)).is_ok());
            std::thread::sleep(Duration::from_millis(50));
            if child.try_wait().unwrap().is_some() {
                self.running[at] = None;
                return false;
            }
            // Who answered there was this one, or it had ended by now.
            if listens {
                return true;
            }
        }
        panic!("a NATS server neither listened nor ended in {PATIENCE:?}");
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
