//! Brings the rooms of a domain's node together and starts them.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::serve::{Listener, ListenerExt, TapIo};
use axum::{Json, Router};
use cluster::Link;
use message::Domain;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::admin::{self, Admin, AdminError};
use crate::config::{NodeConfig, Registration, Wire};
use crate::exchange::{Exchange, Stats};
use crate::fleet::{self, Fleet, FleetError};
use crate::gate::{self, GateError};
use crate::issuer::{self, CLIENT_ID, Issuer, IssuerError};
use crate::limits::BODY_LIMIT;
use crate::packages::{Package, PackageError};
use crate::records::{Records, RecordsError};
use crate::routed_log::RoutedLog;
use crate::shelf::{self, Shelf, ShelfError};
use crate::switch::Switch;
use crate::tls::{TlsError, TlsListener};
use crate::watch::{self as watching, Watched};
use crate::wires::{self, Door};
use clock::now_ms;

/// How long a node waits for requests under way and for last words when it shuts down.
const GOODBYE: Duration = Duration::from_secs(3);

/// How long it waits for what it wrote to be safe.
const LAST_ROWS: Duration = Duration::from_secs(8);

/// How often expiring signatures are looked at.
const REFRESH: Duration = Duration::from_secs(3600);

/// The database's file in the data folder.
pub const DATABASE: &str = "node.sqlite";

/// Why a node did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The data folder cannot be used.
    #[error("the data folder cannot be used: {0}")]
    DataDir(std::io::Error),
    /// Another node uses the data folder.
    #[error("another node uses this data folder")]
    InUse,
    /// The port cannot be opened.
    #[error("cannot listen at {listen}: {source}")]
    Listen {
        /// Where.
        listen: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The other nodes.
    #[error(transparent)]
    Fleet(#[from] FleetError),
    /// TLS.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The database.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// The issuer.
    #[error(transparent)]
    Issuer(#[from] IssuerError),
    /// The catalogue.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// The way to other domains.
    #[error(transparent)]
    Gate(#[from] GateError),
    /// A package.
    #[error(transparent)]
    Package(#[from] PackageError),
}

/// Starts nodes.
pub struct Node;

impl Node {
    /// Starts a node; it runs until [`RunningNode::shutdown`] or the drop of its handle.
    pub async fn start(config: NodeConfig) -> Result<RunningNode, StartError> {
        std::fs::create_dir_all(&config.data_dir).map_err(StartError::DataDir)?;
        let lock = lock(&config.data_dir)?;
        let database = config.data_dir.join(DATABASE);
        let records = Records::open(&database)?;
        let listen = config.listen;
        let listener = TcpListener::bind(listen).await.map_err(|source| StartError::Listen { listen, source })?;
        let address = listener.local_addr().map_err(|source| StartError::Listen { listen, source })?;
        let origin = config.origin.clone().unwrap_or_else(|| origin_of(&config.domain, address.port()));
        let wire = wire_in_force(&records, config.wire)?;

        let stop = CancellationToken::new();
        let fleet = join(&config, &database, &records, &stop).await?;
        let shelf = Shelf::open(&config.data_dir, shelf::places(&config.domain, &origin))?;
        let mut offered = vec![Package::stub_for(wire)];
        offered.extend(config.packages.iter().cloned());
        if let Some(folder) = &config.packages_dir {
            offered.extend(Package::read_all(folder)?);
        }
        shelf.stock(offered)?;

        let name = config.name.clone().unwrap_or_else(|| config.domain.to_string());
        let issuer = Issuer::open(
            &config.data_dir,
            &origin,
            &config.domain,
            &name,
            config.registration,
            config.limits.clone(),
            Records::open(&database)?,
        )?;
        let log = config.log_routed.as_deref().map(RoutedLog::open).transpose().map_err(StartError::DataDir)?;
        let mut exchange = Exchange::new(
            config.domain.clone(),
            config.registration,
            config.limits.clone(),
            Records::open(&database)?,
        )?
        .with_relays(config.relays.clone());
        if let Some(fleet) = &fleet {
            exchange.join(fleet.slot, now_ms());
        }
        let meters = exchange.meters().clone();
        let (gate, orders) = gate::orders();
        let gate = config.gate.is_some().then_some(gate);
        if gate.is_some() {
            exchange.open_gate();
        }
        let switch = Switch::start(exchange, wire, log, fleet, gate).map_err(StartError::DataDir)?;
        if let Some(net) = config.gate.clone() {
            gate::open(&config.domain, net, switch.clone(), orders, stop.clone())?;
        }

        let (draining, goodbyes) = (CancellationToken::new(), TaskTracker::new());
        let (wire, watched) = watch::channel(wire);
        let admin = Admin {
            issuer: issuer.clone(),
            shelf: shelf.clone(),
            switch: switch.clone(),
            wire: Arc::new(wire),
            records: Arc::new(Mutex::new(records)),
        };
        let facts = Facts {
            domain: config.domain.clone(),
            name,
            issuer: issuer.identifier().to_owned(),
            registration: config.registration,
            wire: watched.clone(),
        };
        let router = Router::new()
            .route("/.well-known/parlance", get(domain_document))
            .with_state(facts)
            .merge(shelf::routes(shelf.clone()))
            .merge(issuer::routes(issuer))
            .merge(wires::routes(Door { switch: switch.clone(), wire: watched, goodbyes: goodbyes.clone() }))
            .layer(DefaultBodyLimit::max(BODY_LIMIT));
        admin::open_door(&config.data_dir, admin.clone(), stop.clone()).await.map_err(StartError::DataDir)?;
        let watch = match config.watch {
            Some(listen) => {
                let watched = Watched { switch: switch.clone(), meters, draining: draining.clone() };
                let opened = watching::open(listen, watched, stop.clone()).await;
                Some(opened.map_err(|source| StartError::Listen { listen, source })?)
            }
            None => None,
        };
        let server = match &config.tls {
            Some(tls) => {
                let listener = TlsListener::start(listener, tls, &config.domain, &config.data_dir, &stop)?;
                serve(listener.tap_io(|_| {}), router, stop.clone())
            }
            // Answers are small and awaited: each goes out at once instead of waiting for company.
            None => serve(listener.tap_io(|tcp| drop(tcp.set_nodelay(true))), router, stop.clone()),
        };
        tokio::spawn(refresh(shelf, stop.clone()));
        tracing::info!(domain = %config.domain, port = address.port(), wire = admin.wire().as_str(), "the node is ready");
        Ok(RunningNode {
            domain: config.domain,
            origin,
            address,
            admin,
            switch,
            stop,
            draining,
            goodbyes,
            watch,
            server: Some(server),
            _lock: lock,
        })
    }
}

/// A node at work.
pub struct RunningNode {
    domain: Domain,
    origin: String,
    address: SocketAddr,
    admin: Admin,
    switch: Switch,
    stop: CancellationToken,
    draining: CancellationToken,
    goodbyes: TaskTracker,
    watch: Option<SocketAddr>,
    server: Option<JoinHandle<()>>,
    _lock: File,
}

impl RunningNode {
    /// The domain it serves.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The port it listens on.
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// The address it listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where its health and metrics are asked for.
    pub fn watch(&self) -> Option<SocketAddr> {
        self.watch
    }

    /// Its origin as the world sees it, without a slash at the end.
    pub fn origin(&self) -> &str {
        &self.origin
    }

    /// The operator's handle.
    pub fn admin(&self) -> &Admin {
        &self.admin
    }

    /// Publishes a package or its next version.
    pub fn publish(&self, package: &Package) -> Result<(), AdminError> {
        self.admin.publish(package)
    }

    /// Puts another wire in force: publishes its stub, ends the old sessions with 426.
    pub async fn set_wire(&self, wire: Wire) -> Result<(), AdminError> {
        self.admin.set_wire(wire).await
    }

    /// Adds somebody who can sign in.
    pub async fn add_user(&self, name: &str, password: &str) -> Result<(), AdminError> {
        self.admin.add_user(name, password).await
    }

    /// What was counted since the start.
    pub async fn stats(&self) -> Stats {
        self.admin.stats().await
    }

    /// Takes no more sessions, ends those there are, keeping what was not confirmed, lets their sockets say
    /// so, and closes the port.
    pub async fn shutdown(mut self) {
        self.draining.cancel();
        // With several nodes the last rows must reach the servers; without servers they go out at the next start.
        let _ = tokio::time::timeout(LAST_ROWS, self.switch.stop()).await;
        self.goodbyes.close();
        // A socket that nobody reads is not waited for longer; what it would have said was not confirmed.
        let _ = tokio::time::timeout(GOODBYE, self.goodbyes.wait()).await;
        self.stop.cancel();
        if let Some(mut server) = self.server.take()
            && tokio::time::timeout(GOODBYE, &mut server).await.is_err()
        {
            server.abort();
        }
    }
}

impl Drop for RunningNode {
    fn drop(&mut self) {
        self.switch.stop_soon();
        self.stop.cancel();
        if let Some(server) = self.server.take() {
            server.abort();
        }
    }
}

fn serve<L, F>(listener: TapIo<L, F>, router: Router, stop: CancellationToken) -> JoinHandle<()>
where
    L: Listener<Addr = SocketAddr>,
    F: FnMut(&mut L::Io) + Send + 'static,
{
    tokio::spawn(async move {
        let service = router.into_make_service_with_connect_info::<SocketAddr>();
        let served = axum::serve(listener, service).with_graceful_shutdown(stop.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "the node stopped serving");
        }
    })
}

async fn refresh(shelf: Shelf, stop: CancellationToken) {
    let mut hour = tokio::time::interval(REFRESH);
    loop {
        tokio::select! {
            () = stop.cancelled() => return,
            _ = hour.tick() => if let Err(error) = shelf.refresh() {
                tracing::error!(%error, "the catalogue was not signed anew");
            }
        }
    }
}

/// Becomes one of several nodes, or makes sure that this one is alone.
async fn join(
    config: &NodeConfig,
    database: &Path,
    records: &Records,
    stop: &CancellationToken,
) -> Result<Option<Fleet>, StartError> {
    let Some(settings) = &config.nats else {
        records.stop_sharing()?;
        return Ok(None);
    };
    let link = Link::open(settings).await.map_err(FleetError::from)?;
    fleet::share_secrets(&link, &config.data_dir, &config.domain).await?;
    Ok(Some(fleet::join(link, database, records, now_ms(), stop).await?))
}

fn lock(data_dir: &Path) -> Result<File, StartError> {
    let path: PathBuf = data_dir.join("lock");
    let file = File::options().create(true).truncate(false).write(true).open(path).map_err(StartError::DataDir)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(StartError::InUse),
        Err(std::fs::TryLockError::Error(error)) => Err(StartError::DataDir(error)),
    }
}

/// The origin of a domain: loopback names live on their port, all others at https.
pub fn origin_of(domain: &Domain, port: u16) -> String {
    if domain.is_loopback() { format!("http://{domain}:{port}") } else { format!("https://{domain}") }
}

/// The wire set last, or the configured one at the first start.
fn wire_in_force(records: &Records, configured: Wire) -> Result<Wire, RecordsError> {
    match records.setting("wire")? {
        Some(text) => Wire::parse(&text).ok_or(RecordsError::Corrupt("wire")),
        None => {
            records.set_setting("wire", configured.as_str())?;
            Ok(configured)
        }
    }
}

#[derive(Clone)]
struct Facts {
    domain: Domain,
    name: String,
    issuer: String,
    registration: Registration,
    wire: watch::Receiver<Wire>,
}

/// What a runtime reads first of a domain.
async fn domain_document(State(facts): State<Facts>) -> Response {
    let document: Value = json!({
        "domain": facts.domain,
        "name": facts.name,
        "version": 1,
        "issuer": { "issuer": facts.issuer, "clientId": CLIENT_ID },
        "registration": facts.registration.as_str(),
        "wire": facts.wire.borrow().as_str(),
    });
    ([(header::CACHE_CONTROL, "no-cache")], Json(document)).into_response()
}
