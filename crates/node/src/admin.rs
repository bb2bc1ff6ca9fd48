//! What an operator may do, on a running node or on its data folder.
//!
//! A running node listens on a loopback port of its own; port and token stand in `admin.json` of the
//! data folder, which only the node's user may read. One JSON line asks, one answers.

use std::path::Path;
use std::sync::Arc;

use message::Private;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::config::Wire;
use crate::exchange::Stats;
use crate::issuer::{AddPersonError, Issuer};
use crate::limits::{ADMIN_LINE, RESET_LEAVE_MS};
use crate::packages::{Package, PackageError};
use crate::records::{Records, RecordsError};
use crate::secret_file;
use crate::shelf::{Shelf, ShelfError};
use crate::switch::Switch;
use clock::now_ms;

/// Where port and token of a running node stand.
pub const ADMIN_FILE: &str = "admin.json";

/// Why an operator's wish was not done.
#[derive(Debug, thiserror::Error)]
pub enum AdminError {
    /// Somebody could not be added or changed.
    #[error(transparent)]
    Person(#[from] AddPersonError),
    /// A package was not published.
    #[error(transparent)]
    Shelf(#[from] ShelfError),
    /// A package is none.
    #[error(transparent)]
    Package(#[from] PackageError),
    /// Visitors would not take the stub of that wire, because it is not newer than the one they have.
    #[error("the stub of {to} is not newer than the one published; publish a newer one with it")]
    StubNotNewer {
        /// The wire asked for.
        to: &'static str,
    },
    /// Nobody has that name.
    #[error("there is no account of that name")]
    NoAccount,
    /// The disk failed.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// The node cannot be reached.
    #[error("the running node cannot be reached: {0}")]
    Unreachable(std::io::Error),
    /// The node answered that it did not do it.
    #[error("{0}")]
    Refused(String),
}

/// What an operator wishes.
#[derive(Clone, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Command {
    /// Adds somebody who can sign in.
    AddUser {
        /// The name.
        name: String,
        /// The password.
        password: String,
    },
    /// Gives somebody another password.
    SetPassword {
        /// The name.
        name: String,
        /// The password.
        password: String,
    },
    /// Makes an invitation; the answer is its text.
    Invite,
    /// Publishes a package or its next version.
    Publish {
        /// The descriptor's JSON text.
        descriptor: String,
        /// The source.
        source: String,
    },
    /// Puts another wire in force.
    SetWire {
        /// Which.
        wire: Wire,
    },
    /// Lists the accounts; the answer has one JSON object per line.
    Accounts,
    /// Frees a name with all that was kept for its devices.
    ForgetAccount {
        /// The name.
        name: String,
    },
    /// Lets an account begin anew for a day, without the word of the domain's own issuer.
    AllowReset {
        /// The name.
        name: String,
    },
    /// Hands the catalogue over to a new key.
    RotateKey,
    /// Asks what was counted; the answer is JSON.
    Stats,
}

/// The operator's handle to a running node; cheap to clone.
#[derive(Clone)]
pub struct Admin {
    pub(crate) issuer: Issuer,
    pub(crate) shelf: Shelf,
    pub(crate) switch: Switch,
    pub(crate) wire: Arc<watch::Sender<Wire>>,
    pub(crate) records: Arc<std::sync::Mutex<Records>>,
}

impl Admin {
    /// Adds somebody who can sign in.
    pub async fn add_user(&self, name: &str, password: &str) -> Result<(), AdminError> {
        self.issuer.add_person(name, Private(password.to_owned())).await?;
        Ok(())
    }

    /// Gives somebody another password.
    pub async fn set_password(&self, name: &str, password: &str) -> Result<(), AdminError> {
        Ok(self.issuer.set_password(name, Private(password.to_owned())).await?)
    }

    /// Makes an invitation.
    pub fn invite(&self) -> Result<String, AdminError> {
        invite(&self.records())
    }

    /// Lists the accounts, one JSON object per line.
    pub fn accounts(&self) -> Result<String, AdminError> {
        accounts(&self.records())
    }

    /// Frees a name: its sessions end, what was kept for its devices is deleted, and anybody may have it
    /// whom the registration admits.
    pub async fn forget_account(&self, name: &str) -> Result<(), AdminError> {
        if self.switch.forget_account(name).await { Ok(()) } else { Err(AdminError::NoAccount) }
    }

    /// Lets an account begin anew for a day; its devices are told and may veto as always.
    pub fn allow_reset(&self, name: &str) -> Result<(), AdminError> {
        allow_reset(&self.records(), name)
    }

    /// Publishes a package or its next version; runtimes take it at their next look.
    pub fn publish(&self, package: &Package) -> Result<(), AdminError> {
        Ok(self.shelf.publish(package)?)
    }

    /// Puts another wire in force with the stub that comes with the node, and ends the old sessions with 426.
    pub async fn set_wire(&self, wire: Wire) -> Result<(), AdminError> {
        self.set_wire_with(wire, &Package::stub_for(wire)).await
    }

    /// The same with a stub of the operator's own.
    pub async fn set_wire_with(&self, wire: Wire, stub: &Package) -> Result<(), AdminError> {
        if *self.wire.borrow() == wire {
            return Ok(());
        }
        let published = self.shelf.version_of(stub.name());
        if published.is_some_and(|published| *stub.version() <= published) {
            return Err(AdminError::StubNotNewer { to: wire.as_str() });
        }
        // The stub first: who is told 426 must find it.
        self.shelf.publish(stub)?;
        self.records().set_setting("wire", wire.as_str())?;
        self.wire.send_replace(wire);
        self.switch.set_wire(wire).await;
        Ok(())
    }

    /// Hands the catalogue over to a new key.
    pub fn rotate_catalogue_key(&self) -> Result<(), AdminError> {
        Ok(self.shelf.rotate_key()?)
    }

    /// What was counted since the start.
    pub async fn stats(&self) -> Stats {
        self.switch.stats().await
    }

    /// The wire in force.
    pub fn wire(&self) -> Wire {
        *self.wire.borrow()
    }

    fn records(&self) -> std::sync::MutexGuard<'_, Records> {
        self.records.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    async fn run(&self, command: Command) -> Result<String, AdminError> {
        match command {
            Command::AddUser { name, password } => self.add_user(&name, &password).await?,
            Command::SetPassword { name, password } => self.set_password(&name, &password).await?,
            Command::Invite => return self.invite(),
            Command::Publish { descriptor, source } => self.publish(&Package::new(&descriptor, &source)?)?,
            Command::SetWire { wire } => self.set_wire(wire).await?,
            Command::Accounts => return self.accounts(),
            Command::ForgetAccount { name } => self.forget_account(&name).await?,
            Command::AllowReset { name } => self.allow_reset(&name)?,
            Command::RotateKey => self.rotate_catalogue_key()?,
            Command::Stats => return Ok(serde_json::to_string(&self.stats().await).unwrap_or_default()),
        }
        Ok(String::new())
    }
}

/// Makes an invitation in these records.
pub fn invite(records: &Records) -> Result<String, AdminError> {
    let text = keys::base32(&keys::random::<16>());
    records.add_invite(&keys::sha256(text.as_bytes()), now_ms())?;
    Ok(text)
}

/// Lists the accounts of these records.
pub fn accounts(records: &Records) -> Result<String, AdminError> {
    let lines = records.accounts(now_ms() / 1000)?;
    let lines: Vec<String> = lines.iter().filter_map(|line| serde_json::to_string(line).ok()).collect();
    Ok(lines.join("\n"))
}

/// Frees a name in the records of a node that does not run.
pub fn forget_account(records: &Records, name: &str) -> Result<(), AdminError> {
    for device in records.forget_account(name)?.ok_or(AdminError::NoAccount)? {
        records.release_all(&device)?;
    }
    Ok(())
}

/// Lets an account of these records begin anew.
pub fn allow_reset(records: &Records, name: &str) -> Result<(), AdminError> {
    records.account(name)?.ok_or(AdminError::NoAccount)?;
    Ok(records.allow_reset(name, now_ms() + RESET_LEAVE_MS)?)
}

#[derive(Serialize, Deserialize)]
struct Door {
    port: u16,
    token: String,
}

#[derive(Serialize, Deserialize)]
struct Asked {
    token: String,
    command: Command,
}

#[derive(Serialize, Deserialize)]
struct Answered {
    ok: bool,
    text: String,
}

/// Opens the admin door of a running node; it closes with the token.
pub(crate) async fn open_door(data_dir: &Path, admin: Admin, stop: CancellationToken) -> std::io::Result<()> {
    let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
    let door = Door { port: listener.local_addr()?.port(), token: keys::b64url(&keys::random::<32>()) };
    let path = data_dir.join(ADMIN_FILE);
    secret_file::write(&path, &serde_json::to_vec(&door)?)?;
    tokio::spawn(async move {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                Ok((socket, _)) = listener.accept() => {
                    let (admin, token) = (admin.clone(), door.token.clone());
                    tokio::spawn(async move {
                        // Whoever sends no whole line in this time is no operator.
                        let _ = tokio::time::timeout(std::time::Duration::from_secs(30), answer(socket, &admin, &token)).await;
                    });
                }
            }
        }
        // A stale file is harmless: the port is closed and the token forgotten.
        let _ = std::fs::remove_file(path);
    });
    Ok(())
}

async fn answer(mut socket: TcpStream, admin: &Admin, token: &str) -> std::io::Result<()> {
    let (reader, mut writer) = socket.split();
    let mut line = String::new();
    BufReader::new(reader.take(ADMIN_LINE as u64)).read_line(&mut line).await?;
    let Ok(asked) = serde_json::from_str::<Asked>(&line) else { return Ok(()) };
    if !keys::constant_time_eq(asked.token.as_bytes(), token.as_bytes()) {
        return Ok(());
    }
    let answered = match admin.run(asked.command).await {
        Ok(text) => Answered { ok: true, text },
        Err(error) => Answered { ok: false, text: error.to_string() },
    };
    let mut text = serde_json::to_string(&answered)?;
    text.push('\n');
    writer.write_all(text.as_bytes()).await
}

/// Asks the running node of a data folder; `None` when none runs.
pub async fn ask_running(data_dir: &Path, command: &Command) -> Result<Option<String>, AdminError> {
    let Some(bytes) = secret_file::read(&data_dir.join(ADMIN_FILE)).map_err(AdminError::Unreachable)? else {
        return Ok(None);
    };
    let door: Door = serde_json::from_slice(&bytes).map_err(|error| AdminError::Refused(error.to_string()))?;
    let Ok(mut socket) = TcpStream::connect((std::net::Ipv4Addr::LOCALHOST, door.port)).await else { return Ok(None) };
    let asked = Asked { token: door.token, command: command.clone() };
    let mut text = serde_json::to_string(&asked).map_err(|error| AdminError::Refused(error.to_string()))?;
    text.push('\n');
    socket.write_all(text.as_bytes()).await.map_err(AdminError::Unreachable)?;
    let mut line = String::new();
    BufReader::new(socket.take(ADMIN_LINE as u64)).read_line(&mut line).await.map_err(AdminError::Unreachable)?;
    let answered: Answered =
        serde_json::from_str(&line).map_err(|_| AdminError::Refused("the node did not answer".into()))?;
    if answered.ok { Ok(Some(answered.text)) } else { Err(AdminError::Refused(answered.text)) }
}
