//! The servers that are measured, each a process of its own in a folder of its own.

use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use super::wait_for_port;
use crate::Failed;

/// A process and its folder; both go away together.
struct Running {
    child: Child,
    folder: PathBuf,
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn free_port() -> Result<u16, Failed> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn folder(name: &str, port: u16) -> Result<PathBuf, Failed> {
    let folder = std::env::temp_dir().join(format!("parlance-bench-{name}-{port}"));
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn start(program: &str, arguments: &[&str], folder: PathBuf, port: u16) -> Result<Running, Failed> {
    let mut command = Command::new(program);
    command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null());
    let child = command.spawn().map_err(|error| format!("{program}: {error}"))?;
    let running = Running { child, folder };
    wait_for_port(port)?;
    Ok(running)
}

/// Resident memory of a process in bytes.
pub(crate) fn memory(pid: u32) -> Result<u64, Failed> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    let kib: u64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib * 1024)
}

macro_rules! server {
    ($name:ident, $what:literal) => {
        #[doc = $what]
        pub(crate) struct $name {
            running: Running,
            pub(crate) port: u16,
        }

        impl $name {
            pub(crate) fn pid(&self) -> u32 {
                self.running.child.id()
            }
        }
    };
}

server!(Node, "Ours.");
server!(Mosquitto, "An MQTT broker.");
server!(Prosody, "An XMPP server.");

impl Node {
    pub(crate) fn start() -> Result<Self, Failed> {
        let port = free_port()?;
        let folder = folder("node", port)?;
        let program = std::env::current_exe()?.with_file_name("parlance-node");
        let data = folder.join("data");
        let (data, at) = (data.to_string_lossy(), port.to_string());
        let arguments = ["--data", &data, "serve", "--domain", "a.localhost", "--laboratory", "--port", &at];
        let running = start(&program.to_string_lossy(), &arguments, folder, port)?;
        Ok(Self { running, port })
    }
}

impl Mosquitto {
    pub(crate) fn start() -> Result<Self, Failed> {
        let port = free_port()?;
        let folder = folder("mosquitto", port)?;
        let passwords = folder.join("passwords");
        let made =
            Command::new("mosquitto_passwd").args(["-b", "-c"]).arg(&passwords).args(["bench", "bench"]).status()?;
        if !made.success() {
            return Err("mosquitto_passwd failed".into());
        }
        let config = folder.join("mosquitto.conf");
        let text = format!(
            "listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {}\nuser root\n\
             max_inflight_messages 256\nmax_queued_messages 100000\nset_tcp_nodelay true\n",
            passwords.display()
        );
        fs::write(&config, text)?;
        let running = start("mosquitto", &["-c", &config.to_string_lossy()], folder, port)?;
        Ok(Self { running, port })
    }
}

impl Prosody {
    /// With the accounts `s0…` and `r0…`, password `bench`.
    pub(crate) fn start(pairs: usize) -> Result<Self, Failed> {
        let port = free_port()?;
        let folder = folder("prosody", port)?;
        fs::create_dir_all(folder.join("data"))?;
        fs::create_dir_all(folder.join("certs"))?;
        let config = folder.join("prosody.cfg.lua");
        let text = format!(
            "daemonize = false\nrun_as_root = true\npidfile = \"{0}/prosody.pid\"\ndata_path = \"{0}/data\"\n\
             certificates = \"{0}/certs\"\nlog = {{ error = \"{0}/prosody.log\" }}\n\
             interfaces = {{ \"127.0.0.1\" }}\nlocal_interfaces = {{ \"127.0.0.1\" }}\nc2s_ports = {{ {port} }}\n\
             modules_enabled = {{ \"saslauth\", \"disco\", \"posix\" }}\n\
             modules_disabled = {{ \"tls\", \"s2s\", \"offline\" }}\n\
             c2s_require_encryption = false\nallow_unencrypted_plain_auth = true\n\
             authentication = \"internal_plain\"\nstorage = \"internal\"\nnetwork_backend = \"epoll\"\n\
             VirtualHost \"xmpp.localhost\"\n",
            folder.display()
        );
        fs::write(&config, text)?;
        for name in (0..pairs).flat_map(|at| [format!("s{at}"), format!("r{at}")]) {
            let mut register = Command::new("prosodyctl");
            register.arg("--config").arg(&config).args(["register", &name, "xmpp.localhost", "bench"]);
            if !register.stdout(Stdio::null()).stderr(Stdio::null()).status()?.success() {
                return Err("prosodyctl could not make an account".into());
            }
        }
        let running = start("prosody", &["--config", &config.to_string_lossy()], folder, port)?;
        Ok(Self { running, port })
    }
}
