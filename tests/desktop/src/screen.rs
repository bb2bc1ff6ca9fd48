//! A screen nobody looks at, with a window manager, and what stands on it.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use x11rb::connection::Connection;
use x11rb::protocol::xproto::{AtomEnum, ClientMessageEvent, ConfigureWindowAux, ConnectionExt, EventMask, Window};
use x11rb::rust_connection::RustConnection;

use crate::process::{Crew, Program};
use crate::programs::system;
use crate::{Outcome, StageError};

const START: Duration = Duration::from_secs(60);

/// Room for two windows side by side, and below them for one in the middle.
const SIZE: &str = "2300x2000x24";

/// The most windows that are looked at.
const WINDOWS: u32 = 256;

pub(crate) struct Screen {
    display: String,
    _manager: Program,
    _server: Program,
}

/// A window as the window manager knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) id: u32,
    /// Its process, as the window says itself.
    pub(crate) process: u32,
    /// Whether it is kept above all others.
    pub(crate) above: bool,
}

impl Screen {
    /// Starts a screen of its own and a window manager on it.
    pub(crate) async fn start(crew: &Crew) -> Outcome<Self> {
        let mut command = Command::new(system("Xvfb", "xvfb")?);
        command.args(["-displayfd", "1", "-screen", "0", SIZE, "-nolisten", "tcp", "-noreset"]);
        let mut server = crew.start("screen", command)?;
        let number: u32 = server.says(START, |line| line.trim().parse().ok()).await?;
        let display = format!(":{number}");
        let mut command = Command::new(system("openbox", "openbox")?);
        command.arg("--sm-disable").env("DISPLAY", &display).env_remove("DBUS_SESSION_BUS_ADDRESS");
        let manager = crew.start("window-manager", command)?;
        let screen = Self { display, _manager: manager, _server: server };
        screen.wait_for_manager().await?;
        Ok(screen)
    }

    /// `:7`
    pub(crate) fn display(&self) -> &str {
        &self.display
    }

    async fn wait_for_manager(&self) -> Outcome<()> {
        let until = Instant::now() + START;
        loop {
            let (connection, root) = self.connect()?;
            if !property(&connection, root, b"_NET_SUPPORTING_WM_CHECK", AtomEnum::WINDOW.into())?.is_empty() {
                return Ok(());
            }
            if Instant::now() > until {
                return Err(StageError::Screen("no window manager answered".into()));
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// The windows the window manager manages.
    pub(crate) fn windows(&self) -> Outcome<Vec<Seen>> {
        let (connection, root) = self.connect()?;
        let above = atom(&connection, b"_NET_WM_STATE_ABOVE")?;
        let mut seen = Vec::new();
        for id in property(&connection, root, b"_NET_CLIENT_LIST", AtomEnum::WINDOW.into())? {
            let process = property(&connection, id, b"_NET_WM_PID", AtomEnum::CARDINAL.into())?.first().copied();
            let states = property(&connection, id, b"_NET_WM_STATE", AtomEnum::ATOM.into())?;
            seen.push(Seen { id, process: process.unwrap_or_default(), above: states.contains(&above) });
        }
        Ok(seen)
    }

    /// Moves a window, so that it covers no other.
    pub(crate) fn place(&self, id: u32, x: i32) -> Outcome<()> {
        let (connection, _) = self.connect()?;
        let place = ConfigureWindowAux::new().x(x).y(0);
        connection.configure_window(id, &place).map_err(trouble)?.check().map_err(trouble)
    }

    /// Closes a window as its button does.
    pub(crate) fn close(&self, id: u32) -> Outcome<()> {
        let (connection, root) = self.connect()?;
        let event = ClientMessageEvent::new(32, id, atom(&connection, b"_NET_CLOSE_WINDOW")?, [0, 1, 0, 0, 0]);
        let mask = EventMask::SUBSTRUCTURE_REDIRECT | EventMask::SUBSTRUCTURE_NOTIFY;
        connection.send_event(false, root, mask, event).map_err(trouble)?.check().map_err(trouble)
    }

    /// Takes a picture of the whole screen.
    pub(crate) fn picture(&self, path: &Path) -> Outcome<()> {
        let failed = |source| StageError::DidNotStart { program: "import".into(), source };
        let status = Command::new(system("import", "imagemagick")?)
            .args(["-window", "root"])
            .arg(path)
            .env("DISPLAY", &self.display)
            .status()
            .map_err(failed)?;
        if status.success() { Ok(()) } else { Err(StageError::Screen(format!("no picture ({status})"))) }
    }

    fn connect(&self) -> Outcome<(RustConnection, Window)> {
        let (connection, number) = RustConnection::connect(Some(&self.display)).map_err(trouble)?;
        let root = connection.setup().roots.get(number).ok_or_else(|| trouble("it has no root"))?.root;
        Ok((connection, root))
    }
}

fn atom(connection: &RustConnection, name: &[u8]) -> Outcome<u32> {
    Ok(connection.intern_atom(false, name).map_err(trouble)?.reply().map_err(trouble)?.atom)
}

/// A property that is a list of numbers; a window that is gone has none.
fn property(connection: &RustConnection, window: Window, name: &[u8], kind: u32) -> Outcome<Vec<u32>> {
    let name = atom(connection, name)?;
    let reply = connection.get_property(false, window, name, kind, 0, WINDOWS).map_err(trouble)?.reply();
    Ok(reply.ok().and_then(|reply| Some(reply.value32()?.collect())).unwrap_or_default())
}

pub(crate) fn trouble(error: impl std::fmt::Display) -> StageError {
    StageError::Screen(error.to_string())
}
