//! Builds the guest engine: QuickJS-NG to WebAssembly, snapshot with the prelude, native code.
//!
//! The two slow steps are kept in `target/engine-cache`, named by the hash of
//! everything that goes into them, so that a clean build of this crate is quick.

use std::path::{Path, PathBuf};
use std::{env, fs};

use sha2::{Digest, Sha256};

#[path = "engine/build/compile.rs"]
mod compile;
#[path = "engine/config.rs"]
mod config;
#[path = "engine/build/snapshot.rs"]
mod snapshot;
#[path = "engine/build/sources.rs"]
mod sources;

type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

fn main() -> Outcome<()> {
    let home = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for path in ["build.rs", "engine", "prelude"] {
        println!("cargo:rerun-if-changed={path}");
    }
    println!("cargo:rerun-if-env-changed=PARLANCE_CLANG");
    let cache = cache_folder(&out)?;

    let recipe = sources::Recipe::find(&home)?;
    let wasm_name = format!("{}.wasm", recipe.hash()?);
    let wasm = cached(&cache, &wasm_name, || compile::engine(&recipe, &out))?;

    let prelude = sources::prelude(&home)?;
    let target = env::var("TARGET")?;
    let cwasm_name = format!("{}.cwasm", cwasm_hash(&wasm, &prelude, &target, &home)?);
    let cwasm = cached(&cache, &cwasm_name, || snapshot::native(&wasm, &prelude, &target))?;
    fs::write(out.join("engine.cwasm"), cwasm)?;
    Ok(())
}

/// `target/engine-cache`, found from `target/debug/build/sandbox-…/out`.
fn cache_folder(out: &Path) -> Outcome<PathBuf> {
    let folder = out.ancestors().nth(4).unwrap_or(out).join("engine-cache");
    fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn cached(folder: &Path, name: &str, make: impl FnOnce() -> Outcome<Vec<u8>>) -> Outcome<Vec<u8>> {
    let path = folder.join(name);
    if let Ok(bytes) = fs::read(&path) {
        return Ok(bytes);
    }
    let bytes = make()?;
    let unfinished = folder.join(format!("{name}.{}", std::process::id()));
    fs::write(&unfinished, &bytes)?;
    fs::rename(&unfinished, &path)?;
    Ok(bytes)
}

fn cwasm_hash(wasm: &[u8], prelude: &[(String, String)], target: &str, home: &Path) -> Outcome<String> {
    let mut hash = Sha256::new();
    hash.update(wasm);
    hash.update(target);
    hash.update(wasmtime_version());
    hash.update(fs::read(home.join("engine/config.rs"))?);
    hash.update(fs::read(home.join("engine/build/snapshot.rs"))?);
    for (name, source) in prelude {
        hash.update((name.len() as u64).to_le_bytes());
        hash.update(name);
        hash.update((source.len() as u64).to_le_bytes());
        hash.update(source);
    }
    Ok(sources::hex(&hash.finalize()))
}

/// The exact version is pinned in Cargo.toml; a change of it must change the hash.
fn wasmtime_version() -> &'static str {
    include_str!("Cargo.toml")
}
