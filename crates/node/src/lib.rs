//! The Node of a domain: routes and keeps messages, registers people, publishes packages, signs people in.
//!
//! [`Node::start`] runs one inside any program; `parlance-node` is the program of its own. The message node
//! itself ([`Exchange`]) knows no socket: the wires around it are thin, and only one is in force at a time.
//! It never learns who writes to whom: visitors come under keys made for the visit, and what they bring
//! is sealed.

mod admin;
mod config;
mod config_file;
mod driver;
mod exchange;
mod fleet;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod gate;
mod issuer;
pub mod limits;
mod metrics;
mod node;
mod outbox;
mod packages;
mod records;
mod routed_log;
mod secret_file;
mod shelf;
mod switch;
mod tls;
mod watch;
mod wires;

pub use admin::{Admin, AdminError, Command, ask_running};
pub use cluster::Settings as NatsSettings;
pub use config::{NodeConfig, Registration, Tls, Wire};
pub use config_file::{ConfigFile, ConfigFileError, LimitsPart, RelaysPart, TlsPart};
pub use exchange::{ConnectError, Exchange, Output, Proof, Relays, RelaysError, Role, SessionId, Stats};
pub use issuer::{AddPersonError, CLIENT_ID, IssuerError};
pub use limits::Limits;
pub use node::{Node, RunningNode, StartError, origin_of};
pub use packages::{Package, PackageError, Places};
pub use records::{Records, RecordsError};
pub use shelf::ShelfError;
pub use transport::NetConfig;

use std::path::Path;

use message::{Domain, Private};

/// Does an operator's wish on the data folder of a node that does not run.
pub async fn do_offline(data_dir: &Path, command: Command) -> Result<String, AdminError> {
    std::fs::create_dir_all(data_dir).map_err(AdminError::Unreachable)?;
    let records = Records::open(&data_dir.join(node::DATABASE))?;
    match command {
        Command::AddUser { name, password } => {
            offline_issuer(data_dir, records)?.add_person(&name, Private(password)).await?;
        }
        Command::SetPassword { name, password } => {
            offline_issuer(data_dir, records)?.set_password(&name, Private(password)).await?;
        }
        Command::Invite => return admin::invite(&records),
        Command::Publish { descriptor, source } => {
            shelf::put_by(data_dir, &Package::new(&descriptor, &source)?)?;
        }
        Command::SetWire { wire } => set_wire_offline(&records, wire)?,
        Command::Accounts => return admin::accounts(&records),
        Command::ForgetAccount { name } => admin::forget_account(&records, &name)?,
        Command::AllowReset { name } => admin::allow_reset(&records, &name)?,
        Command::RotateKey | Command::Stats => return Err(AdminError::Refused("the node does not run".into())),
    }
    Ok(String::new())
}

fn offline_issuer(data_dir: &Path, records: Records) -> Result<issuer::Issuer, AdminError> {
    let nowhere = Domain::parse("offline.invalid").expect("a reserved name is a host name");
    issuer::Issuer::open(data_dir, "", &nowhere, "", Registration::Invite, Limits::default(), records)
        .map_err(|error| AdminError::Refused(error.to_string()))
}

fn set_wire_offline(records: &Records, wire: Wire) -> Result<(), AdminError> {
    let now = records.setting("wire")?.as_deref().and_then(Wire::parse);
    let is_step_back =
        now.is_some_and(|now| now != wire && Package::stub_for(wire).version() <= Package::stub_for(now).version());
    if is_step_back {
        return Err(AdminError::StubNotNewer { to: wire.as_str() });
    }
    Ok(records.set_setting("wire", wire.as_str())?)
}
