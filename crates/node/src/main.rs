//! `parlance-node`: the node of a domain as a program.

use std::io::Read;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use message::Domain;
use node::{
    Command as Wish, ConfigFile, Limits, NatsSettings, Node, NodeConfig, Package, Registration, Relays, RelaysPart,
    Tls, TlsPart, Wire,
};

/// The node of a domain: routes messages, registers people, publishes packages, signs people in.
#[derive(Parser)]
#[command(name = "parlance-node", version)]
struct Cli {
    /// Folder in which the node keeps everything.
    #[arg(long, global = true, env = "PARLANCE_NODE_DATA", default_value = "parlance-node-data")]
    data: PathBuf,
    #[command(subcommand)]
    command: Sub,
}

#[derive(Subcommand)]
enum Sub {
    /// Runs the node.
    Serve(Box<Serve>),
    /// People who can sign in.
    #[command(subcommand)]
    User(User),
    /// Names of the domain and the personas they are bound to.
    #[command(subcommand)]
    Account(Account),
    /// Makes an invitation and prints it.
    Invite,
    /// Publishes packages (`NAME.json` with `NAME.js`), or their next versions.
    Publish {
        /// Folder of the packages.
        #[arg(long)]
        dir: PathBuf,
        /// Only these; all of the folder otherwise.
        names: Vec<String>,
    },
    /// The protocol between stubs and this node.
    #[command(subcommand)]
    Wire(WireSub),
    /// Hands the catalogue over to a new key.
    RotateKey,
    /// Prints what the node has counted since its start.
    Stats,
}

#[derive(Args)]
struct Serve {
    /// A config file (TOML); what stands on the command line wins.
    #[arg(long)]
    config: Option<PathBuf>,
    /// The domain.
    #[arg(long)]
    domain: Option<String>,
    /// The port; 0 takes a free one. 7780 without a word.
    #[arg(long)]
    port: Option<u16>,
    /// The network address to listen on. Behind a proxy that speaks TLS, leave it at 127.0.0.1.
    #[arg(long)]
    listen: Option<IpAddr>,
    /// The protocol at the first start.
    #[arg(long, value_enum)]
    wire: Option<Wire>,
    /// Who may have an account: `open` without a word.
    #[arg(long, value_enum)]
    registration: Option<Registration>,
    /// What people read as the domain's name.
    #[arg(long)]
    name: Option<String>,
    /// The origin as the world sees it.
    #[arg(long)]
    origin: Option<String>,
    /// Folder of built packages to publish.
    #[arg(long)]
    packages: Option<PathBuf>,
    /// Where health and metrics are asked for, such as 127.0.0.1:9464. They have no password.
    #[arg(long)]
    watch: Option<SocketAddr>,
    /// NATS servers that make this node one of several of its domain: `nats://[user:password@]host:port,…`.
    #[arg(long, value_delimiter = ',', env = "PARLANCE_NODE_NATS")]
    nats: Vec<String>,
    /// How many of those servers keep each row; 3 without a word.
    #[arg(long, requires = "nats")]
    nats_replicas: Option<usize>,
    /// Certificate chain for TLS on the public port (PEM).
    #[arg(long, requires = "tls_key")]
    tls_certificate: Option<PathBuf>,
    /// Its key (PEM).
    #[arg(long, requires = "tls_certificate")]
    tls_key: Option<PathBuf>,
    /// Gets a certificate by ACME; the mail address the authority may write to.
    #[arg(long, conflicts_with = "tls_certificate")]
    acme_contact: Option<String>,
    /// Directory of the ACME server; Let's Encrypt without one.
    #[arg(long, requires = "acme_contact")]
    acme_directory: Option<String>,
    /// The authority behind that server's own certificate (PEM), if it is a private one.
    #[arg(long, requires = "acme_contact")]
    acme_root: Option<PathBuf>,
    /// Writes every routed message into this file, as the node sees it.
    #[arg(long)]
    log_routed: Option<PathBuf>,
    /// Brings nobody to other domains; by default members are, whose network reaches only this node.
    #[arg(long)]
    no_gate: bool,
    /// A relay (TURN) for calls, as turn:HOST:PORT?transport=udp or turns:HOST:PORT; up to four.
    #[arg(long, requires = "relay_secret_file")]
    relay: Vec<String>,
    /// The file with the secret that those relays know (coturn: static-auth-secret).
    #[arg(long, requires = "relay")]
    relay_secret_file: Option<PathBuf>,
    /// No rates: for tests and measurements only.
    #[arg(long, hide = true)]
    laboratory: bool,
}

#[derive(Subcommand)]
enum User {
    /// Adds somebody.
    Add(UserArgs),
    /// Gives somebody another password.
    Password(UserArgs),
}

#[derive(Subcommand)]
enum Account {
    /// Prints every account, one JSON object per line.
    List,
    /// Frees a name: its devices are signed out and what waits for them is deleted.
    Forget {
        /// The name before the @.
        name: String,
    },
    /// Lets the owner of a name who lost every key begin anew within a day. Devices that are left may veto.
    Reset {
        /// The name before the @.
        name: String,
    },
}

#[derive(Args)]
struct UserArgs {
    /// The name before the @.
    name: String,
    /// Reads the password from standard input (the only way: arguments are seen by others).
    #[arg(long, required = true)]
    password_stdin: bool,
}

#[derive(Subcommand)]
enum WireSub {
    /// Puts another protocol in force.
    Set {
        /// Which.
        #[arg(value_enum)]
        wire: Wire,
    },
}

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env().unwrap_or_else(|_| "info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).init();
    match run(Cli::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("parlance-node: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run(cli: Cli) -> Result<(), Failure> {
    let wishes = match cli.command {
        Sub::Serve(options) => return serve(cli.data, *options).await,
        Sub::User(User::Add(user)) => vec![Wish::AddUser { password: password()?, name: user.name }],
        Sub::User(User::Password(user)) => vec![Wish::SetPassword { password: password()?, name: user.name }],
        Sub::Account(Account::List) => vec![Wish::Accounts],
        Sub::Account(Account::Forget { name }) => vec![Wish::ForgetAccount { name }],
        Sub::Account(Account::Reset { name }) => vec![Wish::AllowReset { name }],
        Sub::Invite => vec![Wish::Invite],
        Sub::Publish { dir, names } => publish(&dir, &names)?,
        Sub::Wire(WireSub::Set { wire }) => vec![Wish::SetWire { wire }],
        Sub::RotateKey => vec![Wish::RotateKey],
        Sub::Stats => vec![Wish::Stats],
    };
    for wish in wishes {
        let answer = match node::ask_running(&cli.data, &wish).await? {
            Some(answer) => answer,
            None => node::do_offline(&cli.data, wish).await?,
        };
        if !answer.is_empty() {
            println!("{answer}");
        }
    }
    Ok(())
}

fn publish(dir: &std::path::Path, names: &[String]) -> Result<Vec<Wish>, Failure> {
    let packages = if names.is_empty() {
        Package::read_all(dir)?
    } else {
        names.iter().map(|name| Package::read(dir, name)).collect::<Result<_, _>>()?
    };
    let wish =
        |package: &Package| Wish::Publish { descriptor: package.descriptor().into(), source: package.source().into() };
    Ok(packages.iter().map(wish).collect())
}

fn password() -> Result<String, Failure> {
    let mut text = String::new();
    std::io::stdin().take(4096).read_to_string(&mut text)?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// The config: the command line, then the file, then what a small node needs.
fn configure(data: PathBuf, options: Serve) -> Result<NodeConfig, Failure> {
    let file = options.config.as_deref().map(ConfigFile::read).transpose()?.unwrap_or_default();
    let domain = options.domain.or(file.domain).ok_or("name the domain: --domain, or `domain` in the config file")?;
    let mut config = NodeConfig::new(Domain::parse(&domain)?, data);
    let listen = options.listen.or(file.listen).unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
    config.listen = SocketAddr::new(listen, options.port.or(file.port).unwrap_or(7780));
    config.wire = options.wire.or(file.wire).unwrap_or(Wire::Ws);
    config.registration = options.registration.or(file.registration).unwrap_or(Registration::Open);
    config.name = options.name.or(file.name);
    config.origin = options.origin.or(file.origin);
    config.packages_dir = options.packages.or(file.packages);
    config.watch = options.watch.or(file.watch);
    config.log_routed = options.log_routed;
    if !options.no_gate && file.gate.unwrap_or(true) {
        config.gate = Some(node::NetConfig::from_env()?);
    }
    let servers = if options.nats.is_empty() { file.nats.servers } else { options.nats };
    let replicas = options.nats_replicas.or(file.nats.replicas).unwrap_or(3);
    config.nats = (!servers.is_empty()).then_some(NatsSettings { servers, domain, replicas });
    let asked = TlsPart {
        certificate: options.tls_certificate,
        key: options.tls_key,
        acme_contact: options.acme_contact,
        acme_directory: options.acme_directory,
        acme_root: options.acme_root,
    };
    config.tls = tls(asked)?.map_or_else(|| tls(file.tls), |tls| Ok(Some(tls)))?;
    config.relays = relays(RelaysPart { uris: options.relay, secret_file: options.relay_secret_file }.or(file.relays))?;
    config.limits = if options.laboratory { Limits::laboratory() } else { file.limits.over(Limits::default()) };
    Ok(config)
}

fn relays(part: RelaysPart) -> Result<Option<Relays>, Failure> {
    match part {
        RelaysPart { uris, secret_file: Some(file) } => {
            let secret = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
            Ok(Some(Relays::new(uris, secret.trim().as_bytes())?))
        }
        RelaysPart { uris, secret_file: None } if uris.is_empty() => Ok(None),
        RelaysPart { .. } => Err("relays take a file with the secret they know".into()),
    }
}

fn tls(asked: TlsPart) -> Result<Option<Tls>, Failure> {
    match asked {
        TlsPart { certificate: Some(certificate), key: Some(key), acme_contact: None, .. } => {
            Ok(Some(Tls::Files { certificate, key }))
        }
        TlsPart { certificate: None, key: None, acme_contact: Some(contact), acme_directory, acme_root } => {
            Ok(Some(Tls::Acme { contact, directory: acme_directory, root: acme_root }))
        }
        TlsPart { certificate: None, key: None, acme_contact: None, .. } => Ok(None),
        _ => Err("TLS takes a certificate with its key, or ACME, and not both".into()),
    }
}

async fn serve(data: PathBuf, options: Serve) -> Result<(), Failure> {
    let config = configure(data, options)?;
    let running = Node::start(config).await?;
    // The one line on standard output: whoever started us waits for it.
    println!("parlance-node ready {}", running.origin());
    stop_signal().await;
    running.shutdown().await;
    Ok(())
}

#[cfg(unix)]
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

#[cfg(not(unix))]
async fn stop_signal() {
    let _ = tokio::signal::ctrl_c().await;
}
