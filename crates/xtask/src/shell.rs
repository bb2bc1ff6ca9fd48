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

/// Runs a step, shows its output and counts the tests its lines tell of.
pub fn counted_step(name: &str, command: &mut Command, count: fn(&str) -> Option<u64>) -> Result<u64, Failed> {
    use std::io::{BufRead, BufReader};
    title(name);
    let started = Instant::now();
    let failed = |error: std::io::Error| Failed(format!("{name}: {error}"));
    // One pipe for both streams, so that the lines keep their order.
    let (reader, writer) = std::io::pipe().map_err(failed)?;
    let errors = writer.try_clone().map_err(failed)?;
    let mut child = command.stdin(Stdio::null()).stdout(writer).stderr(errors).spawn().map_err(failed)?;
    // The command holds the writing ends; it must let go of them for the reading to end.
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut total = 0;
    for line in BufReader::new(reader).split(b'\n') {
        let line = String::from_utf8_lossy(&line.map_err(failed)?).into_owned();
        eprintln!("{line}");
        total += count(&line).unwrap_or(0);
    }
    let status = child.wait().map_err(failed)?;
    eprintln!("   {name}: {total} tests, {:.0} s", started.elapsed().as_secs_f64());
    match (status.success(), total) {
        (true, 0) => Err(Failed(format!("{name} ran no test"))),
        (true, total) => Ok(total),
        (false, _) => Err(Failed(format!("{name} failed ({status})"))),
    }
}
