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
server!(Synapse, "A Matrix homeserver.");

/// The version that is measured, from PyPI.
const SYNAPSE: &str = "matrix-synapse==1.163.2";

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

impl Synapse {
    /// With no limit on how much may be written, and accounts for whoever knows the secret.
    pub(crate) fn start() -> Result<Self, Failed> {
        let python = Self::installed()?.to_string_lossy().into_owned();
        let port = free_port()?;
        let folder = folder("synapse", port)?;
        let at = folder.display();
        let log = folder.join("log.yaml");
        fs::write(
            &log,
            format!(
                "version: 1\nhandlers: {{f: {{class: logging.FileHandler, filename: {at}/synapse.log}}}}\n\
                 root: {{level: ERROR, handlers: [f]}}\ndisable_existing_loggers: false\n"
            ),
        )?;
        let free = "{per_second: 100000, burst_count: 100000}";
        let secret = super::matrix::SECRET;
        let text = format!(
            "server_name: matrix.localhost\npublic_baseurl: http://127.0.0.1:{port}/\npid_file: {at}/pid\n\
             listeners:\n- {{bind_addresses: [127.0.0.1], port: {port}, tls: false, type: http, \
             resources: [{{names: [client], compress: false}}]}}\n\
             database: {{name: sqlite3, args: {{database: {at}/homeserver.db}}}}\n\
             log_config: {at}/log.yaml\nmedia_store_path: {at}/media\nsigning_key_path: {at}/signing.key\n\
             registration_shared_secret: {secret}\nmacaroon_secret_key: {secret}\nform_secret: {secret}\n\
             bcrypt_rounds: 4\nreport_stats: false\ntrusted_key_servers: []\nsuppress_key_server_warning: true\n\
             presence: {{enabled: false}}\nrc_message: {free}\nrc_registration: {free}\n\
             rc_login: {{address: {free}, account: {free}, failed_attempts: {free}}}\n\
             rc_joins: {{local: {free}, remote: {free}}}\nrc_joins_per_room: {free}\n\
             rc_room_creation: {free}\nenable_registration: false\n"
        );
        let config = folder.join("homeserver.yaml");
        fs::write(&config, text)?;
        let config = config.to_string_lossy().into_owned();
        let module = ["-m", "synapse.app.homeserver", "-c", &config];
        let keys = Command::new(&python).args(module).arg("--generate-keys").stdout(Stdio::null()).status()?;
        if !keys.success() {
            return Err("synapse could not make its key".into());
        }
        let running = start(&python, &module, folder, port)?;
        Ok(Self { running, port })
    }

    /// Its Python, in a folder of its own below `target`; made at the first run, which takes minutes.
    fn installed() -> Result<PathBuf, Failed> {
        let folder = lab::root().join("target/tools/synapse");
        let (python, whole) = (folder.join("bin/python"), folder.join(SYNAPSE));
        if !whole.exists() {
            let venv = Command::new("python3").args(["-m", "venv"]).arg(&folder).status();
            if !venv.is_ok_and(|status| status.success()) {
                return Err("no Python environment could be made; the package python3-venv is needed".into());
            }
            let pip = Command::new(&python).args(["-m", "pip", "install", "--quiet", SYNAPSE]).status()?;
            if !pip.success() {
                return Err(format!("{SYNAPSE} could not be installed").into());
            }
            fs::write(whole, "")?;
        }
        Ok(python)
    }
}
