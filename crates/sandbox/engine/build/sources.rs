//! Finds the C sources, the compiler, the linker and the prelude, and hashes them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

use sha2::{Digest, Sha256};

use crate::Outcome;

/// Everything the WebAssembly engine is made of.
pub struct Recipe {
    /// The folder of the vendored QuickJS-NG (crate `rquickjs-sys`).
    pub vendor: PathBuf,
    /// Our glue.
    pub glue: PathBuf,
    /// A clang with the wasm32 back end.
    pub clang: PathBuf,
    /// The Rust toolchain's own lld.
    pub lld: PathBuf,
}

/// QuickJS-NG without its shell, relative to the vendor folder.
pub const C_FILES: [&str; 5] =
    ["quickjs/quickjs.c", "quickjs/libregexp.c", "quickjs/libunicode.c", "quickjs/dtoa.c", "wasm-shim/shim.c"];

/// Flags of every compilation.
pub const C_FLAGS: [&str; 7] = [
    "--target=wasm32-unknown-unknown",
    "-O2",
    "-w",
    "-D_GNU_SOURCE",
    "-DEMSCRIPTEN=1",
    "-DFE_DOWNWARD=0",
    "-DFE_UPWARD=0",
];

/// Flags of the link: a 1 MiB shadow stack below everything else, so that its overflow traps.
pub const LINK_FLAGS: [&str; 6] =
    ["-flavor", "wasm", "--no-entry", "--strip-all", "--stack-first", "-zstack-size=1048576"];

impl Recipe {
    /// Looks for all parts on this machine.
    pub fn find(home: &Path) -> Outcome<Self> {
        Ok(Self {
            vendor: vendor_folder(home)?,
            glue: home.join("engine/glue.c"),
            clang: find_clang()?,
            lld: find_lld()?,
        })
    }

    /// A name for what will be built: the same inputs give the same hash.
    pub fn hash(&self) -> Outcome<String> {
        let mut hash = Sha256::new();
        for file in self.c_files() {
            hash.update(fs::read(file)?);
        }
        hash.update(fs::read(self.vendor.join("Cargo.toml"))?);
        hash.update(C_FLAGS.join(" "));
        hash.update(LINK_FLAGS.join(" "));
        hash.update(Command::new(&self.clang).arg("--version").output()?.stdout);
        Ok(hex(&hash.finalize()))
    }

    /// All C files.
    pub fn c_files(&self) -> Vec<PathBuf> {
        C_FILES.iter().map(|file| self.vendor.join(file)).chain([self.glue.clone()]).collect()
    }
}

/// The first half of a hash, in hexadecimal.
pub fn hex(hash: &[u8]) -> String {
    hash.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// Asks cargo where it unpacked the crate that carries the C sources.
fn vendor_folder(home: &Path) -> Outcome<PathBuf> {
    let metadata = metadata(home, true).or_else(|_| metadata(home, false))?;
    let packages = metadata["packages"].as_array().ok_or("cargo metadata lists no packages")?;
    let manifest = packages
        .iter()
        .find(|package| package["name"] == "rquickjs-sys")
        .and_then(|package| package["manifest_path"].as_str())
        .ok_or("cargo metadata does not know rquickjs-sys")?;
    Ok(Path::new(manifest).parent().ok_or("a manifest without a folder")?.to_path_buf())
}

fn metadata(home: &Path, offline: bool) -> Outcome<serde_json::Value> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(["metadata", "--format-version", "1", "--manifest-path"]).arg(home.join("Cargo.toml"));
    if offline {
        command.arg("--offline");
    }
    let output = command.output()?;
    if !output.status.success() {
        return Err(format!("cargo metadata failed: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    Ok(serde_json::from_slice(&output.stdout)?)
}

fn find_clang() -> Outcome<PathBuf> {
    if let Some(clang) = env::var_os("PARLANCE_CLANG") {
        return Ok(clang.into());
    }
    let names = ["clang-16", "clang", "clang-17", "clang-18", "clang-19", "clang-20", "clang-21"];
    let homes = ["", "/opt/homebrew/opt/llvm/bin/", "/usr/local/opt/llvm/bin/", "C:\\Program Files\\LLVM\\bin\\"];
    homes
        .iter()
        .flat_map(|home| names.iter().map(move |name| format!("{home}{name}")))
        .find(|clang| has_wasm_backend(clang))
        .map(PathBuf::from)
        .ok_or_else(|| {
            "no clang with a wasm32 back end: install LLVM's clang (Debian: apt install clang-16; \
             macOS: brew install llvm) or name one in PARLANCE_CLANG"
                .into()
        })
}

fn has_wasm_backend(clang: &str) -> bool {
    Command::new(clang)
        .arg("--print-targets")
        .output()
        .is_ok_and(|output| String::from_utf8_lossy(&output.stdout).contains("wasm32"))
}

fn find_lld() -> Outcome<PathBuf> {
    let rustc = env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let sysroot = Command::new(rustc).args(["--print", "sysroot"]).output()?.stdout;
    let name = format!("rust-lld{}", env::consts::EXE_SUFFIX);
    let lld = Path::new(String::from_utf8(sysroot)?.trim())
        .join("lib/rustlib")
        .join(env::var("HOST")?)
        .join("bin")
        .join(name);
    if lld.exists() { Ok(lld) } else { Err(format!("the Rust toolchain has no {}", lld.display()).into()) }
}

/// The prelude's files in the order of their names, each with its source wrapped as a function.
pub fn prelude(home: &Path) -> Outcome<Vec<(String, String)>> {
    let mut names: Vec<String> = fs::read_dir(home.join("prelude"))?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.ends_with(".js"))
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|name| {
            let source = fs::read_to_string(home.join("prelude").join(&name))?;
            Ok((name, format!("(function (host, internal) {{ 'use strict'; {source}\n}})")))
        })
        .collect()
}
