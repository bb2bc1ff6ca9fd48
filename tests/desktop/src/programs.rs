//! Finds the programs of the stage, or says how to get them.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Outcome, StageError};

/// Version of `tauri-driver` the tests are written for.
pub const TAURI_DRIVER: &str = "2.1.0";

/// The root of the checkout.
pub(crate) fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map_or_else(|| here.to_owned(), Path::to_owned)
}

/// A program of this workspace, as cargo built it.
pub(crate) fn ours(name: &str) -> Outcome<PathBuf> {
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), PathBuf::from);
    let path = target.join("debug").join(name);
    let remedy = "build it with `cargo build -p node -p cli -p parlance --features parlance/e2e`";
    if path.is_file() { Ok(path) } else { Err(StageError::Missing { program: name.into(), remedy: remedy.into() }) }
}

/// A program of the system.
pub(crate) fn system(name: &str, package: &str) -> Outcome<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .map(|folder| folder.join(name))
        .find(|path| path.is_file())
        .ok_or_else(|| StageError::Missing { program: name.into(), remedy: format!("apt-get install {package}") })
}

/// `tauri-driver`, which `./dev` installs into `target/tools`.
pub(crate) fn tauri_driver() -> Outcome<PathBuf> {
    let own = root().join("target/tools/bin/tauri-driver");
    if own.is_file() {
        return Ok(own);
    }
    system("tauri-driver", "").map_err(|_| StageError::Missing {
        program: "tauri-driver".into(),
        remedy: format!("cargo install --locked --root target/tools tauri-driver@{TAURI_DRIVER}"),
    })
}

/// Node.js: our own if there is one, as `./dev` prefers it.
pub(crate) fn node_js() -> Outcome<PathBuf> {
    let own = root().join("target/node/bin/node");
    if own.is_file() { Ok(own) } else { system("node", "nodejs") }
}

/// The independent issuer of the tests.
pub(crate) fn issuer(port: u16) -> Outcome<Command> {
    let folder = root().join("tests/issuer");
    if !folder.join("node_modules/oidc-provider").is_dir() {
        let remedy = "npm ci --prefix tests/issuer".into();
        return Err(StageError::Missing { program: "the issuer's packages".into(), remedy });
    }
    let mut command = Command::new(node_js()?);
    command.arg("op.mjs").arg(port.to_string()).current_dir(folder);
    Ok(command)
}
