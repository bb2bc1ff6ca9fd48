//! Runs other programs, says what runs, and stops at the first that fails.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

/// Something did not work; the text is for the person who ran `./dev`.
#[derive(Debug)]
pub struct Failed(pub String);

/// The root of the checkout.
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).map_or_else(|| here.to_owned(), Path::to_owned)
}

/// A program to run in the checkout.
pub fn program(name: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(arguments).current_dir(root());
    command
}

/// Cargo, as the one that runs us.
pub fn cargo(arguments: &[&str]) -> Command {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    program(&cargo, arguments)
}

/// npm in a folder of the checkout.
pub fn npm(folder: &str, arguments: &[&str]) -> Command {
    let mut command = program("npm", arguments);
    command.current_dir(root().join(folder));
    crate::setup::with_node(&mut command);
    command
}

/// Says what is done now.
pub fn title(text: &str) {
    eprintln!("\n\x1b[1m== {text}\x1b[0m");
}

/// Runs a step with its output shown; its time is printed at its end.
pub fn step(name: &str, command: &mut Command) -> Result<(), Failed> {
    title(name);
    let started = Instant::now();
    let status = command
        .stdin(Stdio::null())
        .status()
        .map_err(|error| Failed(format!("{name}: {} did not start: {error}", command.get_program().display())))?;
    eprintln!("   {name}: {:.0} s", started.elapsed().as_secs_f64());
    if status.success() { Ok(()) } else { Err(Failed(format!("{name} failed ({status})"))) }
}

/// Runs a program and returns what it printed.
pub fn output(command: &mut Command) -> Result<String, Failed> {
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| Failed(format!("{} did not start: {error}", command.get_program().display())))?;
    if !output.status.success() {
        return Err(Failed(format!("{} failed ({})", command.get_program().display(), output.status)));
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// Whether a program is there.
pub fn has(program: &str) -> bool {
    std::env::var_os("PATH")
        .is_some_and(|path| std::env::split_paths(&path).any(|folder| folder.join(program).is_file()))
}
