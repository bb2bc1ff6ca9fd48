//! A real Wayland desktop that nobody sits at: compositor, portal and PipeWire on a bus and in folders of their own.

#![allow(clippy::unwrap_used, reason = "a test may")]

mod card;

use std::fs::{Permissions, set_permissions, write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};
use screen::Screens;
use tempfile::TempDir;
use zbus::blocking::{connection::Builder, fdo::DBusProxy};

/// Longer than anything here may take, even on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// The user that is nobody, who runs the compositor where the tests run as root, which it refuses.
const NOBODY: &str = "65534";

/// What the person at this desktop answers when they are asked.
#[derive(Debug, Clone, Copy)]
pub enum Person {
    /// The only screen.
    Agrees,
    /// They close the dialog.
    Declines,
    /// They do not answer.
    Thinks,
}

/// With one screen of 640 x 480, gone when it is dropped.
pub struct Desktop {
    /// In the order in which they began.
    running: Vec<(&'static str, Child)>,
    folder: TempDir,
}

impl Desktop {
    pub fn start(person: Person) -> Self {
        let mut desktop = Self::bare();
        desktop.write_settings(person);
        desktop.run("pipewire", &[]);
        desktop.until("PipeWire", || desktop.path("run/pipewire-0").exists());
        // Only what links streams; nothing that would look for this machine's devices.
        desktop.run("wireplumber", &["-c", "policy.conf"]);
        desktop.run_compositor();
        let (behind, before) = (desktop.path("run/wayland-behind"), desktop.path("run/wayland-before"));
        desktop.until("the compositor", || desktop.path("run/wayland-1").exists());
        std::os::unix::fs::symlink(desktop.path("run/wayland-1"), &behind).unwrap();
        card::stand_before(&behind, &before);
        desktop.run("/usr/libexec/xdg-desktop-portal-wlr", &[]);
        desktop.until_named("org.freedesktop.impl.portal.desktop.wlr");
        desktop.run("/usr/libexec/xdg-desktop-portal", &[]);
        desktop.until_named("org.freedesktop.portal.Desktop");
        desktop
    }

    /// Only its bus.
    pub fn bare() -> Self {
        let folder = tempfile::Builder::new().prefix("desk").tempdir().unwrap();
        let mut desktop = Self { running: Vec::new(), folder };
        for (name, mode) in [("", 0o755), ("run", 0o777), ("home", 0o755), ("home/xdg-desktop-portal-wlr", 0o755)] {
            let folder = desktop.path(name);
            std::fs::create_dir_all(&folder).unwrap();
            set_permissions(&folder, Permissions::from_mode(mode)).unwrap();
        }
        // Starts nothing by itself, so that all that runs is known and ended.
        let settings = format!(
            "<busconfig><type>session</type><listen>{}</listen><auth>EXTERNAL</auth><policy context=\"default\">\
             <allow send_destination=\"*\" eavesdrop=\"true\"/><allow eavesdrop=\"true\"/><allow own=\"*\"/></policy></busconfig>",
            desktop.bus()
        );
        write(desktop.path("home/bus.conf"), settings).unwrap();
        let config = format!("--config-file={}", desktop.path("home/bus.conf").display());
        desktop.run("dbus-daemon", &[&config, "--nofork", "--nopidfile"]);
        desktop.until("the bus", || desktop.path("run/bus").exists());
        desktop
    }

    pub fn screens(&self) -> Screens {
        Screens::Portal(Some(self.bus()))
    }

    /// Fills the screen with a colour.
    pub fn paint(&self, colour: u32) {
        self.order(&["output", "HEADLESS-1", "bg", &format!("#{colour:06x}"), "solid_color"]);
    }

    pub fn resize(&self, width: u32, height: u32) {
        self.order(&["output", "HEADLESS-1", "mode", &format!("{width}x{height}")]);
    }

    /// Ends one of the programs that make up this desktop.
    pub fn lose(&mut self, name: &str) {
        let at = self.running.iter().position(|(running, _)| running.ends_with(name)).unwrap();
        end(self.running.remove(at).1);
    }

    /// Whether pictures of this desktop are on their way to anybody.
    pub fn is_shown(&self) -> bool {
        let listed = self.command("pw-dump").arg("-N").stderr(Stdio::null()).output().unwrap();
        String::from_utf8_lossy(&listed.stdout).contains("\"node.name\": \"parlance-screen\"")
    }

    /// Waits until something is so.
    pub fn until(&self, what: &str, is: impl Fn() -> bool) {
        let began = Instant::now();
        while !is() {
            assert!(began.elapsed() < PATIENCE, "{what} is awaited in vain");
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn bus(&self) -> String {
        format!("unix:path={}", self.path("run/bus").display())
    }

    fn until_named(&self, name: &str) {
        let connection = Builder::address(self.bus().as_str()).unwrap().build().unwrap();
        let bus = DBusProxy::new(&connection).unwrap();
        self.until(name, || bus.name_has_owner(name.try_into().unwrap()).unwrap());
    }

    fn write_settings(&self, person: Person) {
        let answer = match person {
            Person::Agrees => "chooser_type=none",
            Person::Declines => "chooser_type=simple\nchooser_cmd=true",
            Person::Thinks => "chooser_type=simple\nchooser_cmd=exec sleep 600",
        };
        let settings = format!("[screencast]\noutput_name=HEADLESS-1\n{answer}\n");
        write(self.path("home/xdg-desktop-portal-wlr/config"), settings).unwrap();
        let screen = "xwayland disable\noutput HEADLESS-1 mode 640x480@60Hz bg #d02020 solid_color\n";
        write(self.path("home/sway.conf"), screen).unwrap();
    }

    fn run_compositor(&mut self) {
        let settings = self.path("home/sway.conf");
        let mut command = if rustix::process::getuid().is_root() {
            let mut command = self.command("setpriv");
            command.args(["--reuid", NOBODY, "--regid", NOBODY, "--clear-groups", "sway"]);
            command
        } else {
            self.command("sway")
        };
        command.env("WLR_BACKENDS", "headless").env("WLR_RENDERER", "pixman").env("WLR_LIBINPUT_NO_DEVICES", "1");
        command.arg("-c").arg(settings);
        self.running.push(("sway", started(command)));
    }

    fn run(&mut self, name: &'static str, arguments: &[&str]) {
        let mut command = self.command(name);
        command.args(arguments).env("WAYLAND_DISPLAY", "wayland-before");
        self.running.push((name, started(command)));
    }

    /// Tells the compositor to do something.
    fn order(&self, words: &[&str]) {
        let done = self.command("swaymsg").args(words).stdout(Stdio::null()).status();
        assert!(done.unwrap().success(), "{words:?}");
    }

    /// A program that knows this desktop and no other.
    fn command(&self, name: &str) -> Command {
        let mut command = Command::new(name);
        let home = self.path("home");
        command.env_clear().envs(std::env::vars_os().filter(|(name, _)| name == "PATH"));
        for name in ["HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"] {
            command.env(name, &home);
        }
        command
            .env("XDG_RUNTIME_DIR", self.path("run"))
            .env("SWAYSOCK", self.path("run/sway"))
            .env("DBUS_SESSION_BUS_ADDRESS", self.bus())
            .env("XDG_CURRENT_DESKTOP", "sway")
            .env("XDG_SESSION_TYPE", "wayland");
        command
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        while let Some((_, child)) = self.running.pop() {
            end(child);
        }
    }
}

fn started(mut command: Command) -> Child {
    let out = if std::env::var_os("PARLANCE_DESKTOP_LOUD").is_some() { Stdio::inherit } else { Stdio::null };
    let name = Path::new(command.get_program()).display().to_string();
    let child = command.process_group(0).stdin(Stdio::null()).stdout(out()).stderr(out()).spawn();
    child.unwrap_or_else(|error| panic!("{name} is installed (./dev setup names its package): {error}"))
}

/// Ends a program and whatever it started.
fn end(mut child: Child) {
    let _ = kill_process_group(Pid::from_child(&child), Signal::KILL);
    let _ = child.wait();
}
