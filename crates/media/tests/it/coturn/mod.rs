//! A real relay: coturn, with the short-lived credentials that a Node gives out.

#![allow(clippy::unwrap_used, reason = "a test may")]
#![allow(dead_code, reason = "each test file uses its part")]

use std::net::{IpAddr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use media::{RelayServer, RelayUri};
use sha1::Sha1;
use tempfile::TempDir;
use transport::{Net, NetConfig};

/// What it shares with Nodes.
pub const SECRET: &str = "a secret of the node and its relay";
/// What its certificate names.
pub const NAME: &str = "relay.localhost";
pub const PORT: u16 = 3478;
pub const TLS_PORT: u16 = 5349;

/// A running relay; it ends with its owner.
pub struct Coturn {
    child: Child,
    folder: TempDir,
    pub ip: IpAddr,
    pub port: u16,
    pub tls_port: u16,
    certificate: Vec<u8>,
}

impl Coturn {
    /// Starts one on this machine.
    pub fn on_loopback() -> Self {
        let free = |kind: &str| {
            let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
            let port = socket.local_addr().unwrap().port();
            eprintln!("coturn {kind} at {port}");
            port
        };
        Self::start(Command::new("turnserver"), IpAddr::from([127, 0, 0, 1]), free("plain"), free("TLS"))
    }

    /// Starts one with a command that may first go elsewhere (`ip netns exec … turnserver`).
    pub fn start(mut command: Command, ip: IpAddr, port: u16, tls_port: u16) -> Self {
        let there = Command::new("turnserver").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
        assert!(there.is_ok(), "coturn is installed (./dev setup --test)");
        let folder = tempfile::tempdir().unwrap();
        let certified = rcgen::generate_simple_self_signed([NAME.to_owned(), ip.to_string()]).unwrap();
        let file = |name: &str, kind: &str, der: &[u8]| {
            let path = folder.path().join(name);
            let text = STANDARD.encode(der);
            std::fs::write(&path, format!("-----BEGIN {kind}-----\n{text}\n-----END {kind}-----\n")).unwrap();
            path.to_str().unwrap().to_owned()
        };
        let certificate = file("cert.pem", "CERTIFICATE", certified.cert.der());
        let key = file("key.pem", "PRIVATE KEY", &certified.signing_key.serialize_der());
        let at = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let log = std::fs::File::create(at("out")).unwrap();
        command
            .args(["-n", "--no-cli", "--no-dtls", "--fingerprint", "--allow-loopback-peers", "--realm=parlance"])
            .args(["--use-auth-secret".to_owned(), format!("--static-auth-secret={SECRET}")])
            .args([format!("--listening-ip={ip}"), format!("--relay-ip={ip}")])
            .args([format!("--listening-port={port}"), format!("--tls-listening-port={tls_port}")])
            .args([format!("--cert={certificate}"), format!("--pkey={key}")])
            .args([format!("--userdb={}", at("db")), format!("--pidfile={}", at("pid"))])
            .args(["--log-file=stdout", "--verbose"])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log);
        let child = command.spawn().unwrap();
        let certificate = certified.cert.der().to_vec();
        Self { child, folder, ip, port, tls_port, certificate }
    }

    /// Waits until it answers, from where the caller is.
    pub fn until_ready(&self) {
        let begun = Instant::now();
        while TcpStream::connect(SocketAddr::from((self.ip, self.port))).is_err() {
            assert!(begun.elapsed() < Duration::from_secs(25), "coturn does not begin: {}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// The relay under this URI scheme and transport, for one of its people.
    pub fn server(&self, how: &str) -> RelayServer {
        let port = if how.starts_with("turns") { self.tls_port } else { self.port };
        let (scheme, query) = how.split_once('?').unwrap_or((how, "transport=tcp"));
        let uri = RelayUri::parse(&format!("{scheme}:{}:{port}?{query}", self.ip)).unwrap();
        let (username, credential) = self.credential(Duration::from_secs(600));
        RelayServer { uri, username, credential, reach: None }
    }

    /// What a Node gives out: `expiry:user` and its HMAC-SHA1 with the shared secret.
    pub fn credential(&self, life: Duration) -> (String, String) {
        let expiry = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap() + life;
        let username = format!("{}:ana", expiry.as_secs());
        let mut mac = Hmac::<Sha1>::new_from_slice(SECRET.as_bytes()).unwrap();
        mac.update(username.as_bytes());
        (username, STANDARD.encode(mac.finalize().into_bytes()))
    }

    /// A network that trusts this relay's certificate.
    pub fn net(&self) -> Net {
        Net::trusting(NetConfig::default(), vec![self.certificate.clone()]).unwrap()
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("out")).unwrap_or_default()
    }
}

impl Drop for Coturn {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
