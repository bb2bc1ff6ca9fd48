//! Compiles and links the C sources to one WebAssembly module with three imports.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;
use crate::sources::{C_FLAGS, LINK_FLAGS, Recipe};

/// Builds the engine; returns the module.
pub fn engine(recipe: &Recipe, out: &Path) -> Outcome<Vec<u8>> {
    let objects: Vec<PathBuf> =
        recipe.c_files().iter().map(|file| compile(recipe, file, out)).collect::<Outcome<_>>()?;
    let module = out.join("engine.wasm");
    let mut link = Command::new(&recipe.lld);
    link.args(LINK_FLAGS).args(objects).arg(recipe.vendor.join("vendor/wasi-libc/lib/libc.a"));
    run(link.arg("-o").arg(&module))?;
    Ok(std::fs::read(module)?)
}

fn compile(recipe: &Recipe, file: &Path, out: &Path) -> Outcome<PathBuf> {
    let name = file.file_name().ok_or("a C file without a name")?;
    let object = out.join(name).with_extension("o");
    run(Command::new(&recipe.clang)
        .args(C_FLAGS)
        .arg("-isystem")
        .arg(recipe.vendor.join("vendor/wasi-libc/include"))
        .arg("-I")
        .arg(recipe.vendor.join("quickjs"))
        .arg("-c")
        .arg(file)
        .arg("-o")
        .arg(&object))?;
    Ok(object)
}

fn run(command: &mut Command) -> Outcome<()> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?} failed:\n{}", String::from_utf8_lossy(&output.stderr)).into())
}
