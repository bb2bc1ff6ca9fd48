//! The quick half of the tests: formatting, lints, floors, habits; and the fuzzers when asked.

use std::process::Stdio;
use std::sync::{Mutex, PoisonError};

use crate::floors;
use crate::setup::{Purpose, ensure, fuzzer, with_tools};
use crate::shell::{Failed, cargo, root, step, title};
use crate::suite;
use crate::tidy;

/// How long each parser is fuzzed.
const FUZZ_SECONDS: u32 = 60;

/// An input that a parser needs longer for is a finding.
const INPUT_SECONDS: u32 = 10;

/// How much of a fuzzer's words is shown when it finds something.
const FINDING_LINES: usize = 20;

/// Runs the checks.
pub fn run(fuzz: bool, install: bool) -> Result<(), Failed> {
    ensure(Purpose::Build, install)?;
    if fuzz {
        fuzzer(install)?;
    }
    // The app does not compile without the built interface.
    suite::prepare()?;
    shape()?;
    lints()?;
    if fuzz { fuzz_all() } else { Ok(()) }
}

/// Formatting, floors and habits.
pub fn shape() -> Result<(), Failed> {
    step("Formatting", &mut cargo(&["fmt", "--all", "--check"]))?;
    // A workspace of its own, which `--all` does not reach.
    step(
        "Formatting of the fuzz targets",
        &mut cargo(&["fmt", "--manifest-path", "tests/fuzz/Cargo.toml", "--check"]),
    )?;
    title("Floors");
    floors::check()?;
    title("Habits");
    tidy::check()
}

/// What the compiler and clippy warn of.
pub fn lints() -> Result<(), Failed> {
    let mut lints = suite::everything(&["clippy", "--all-targets"]);
    step("Lints", lints.args(["--", "-D", "warnings"]))
}

/// The fuzz targets, each for a minute, as many at once as there are processors.
fn fuzz_all() -> Result<(), Failed> {
    let folder = root().join("tests/fuzz/fuzz_targets");
    let mut targets: Vec<String> = std::fs::read_dir(&folder)
        .map_err(|error| Failed(format!("{}: {error}", folder.display())))?
        .filter_map(|entry| entry.ok()?.path().file_stem()?.to_str().map(str::to_owned))
        .collect();
    targets.sort();
    step("Building the fuzz targets", &mut cargo_fuzz("build", &[]))?;
    title(&format!("Fuzzing {} targets for {FUZZ_SECONDS} s each", targets.len()));
    let (waiting, findings) = (Mutex::new(targets.iter()), Mutex::new(Vec::new()));
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).next();
    let workers = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..workers {
            scope.spawn(|| {
                while let Some(target) = next() {
                    match fuzz_one(target) {
                        Ok(inputs) => eprintln!("   {target}: {inputs} inputs"),
                        Err(Failed(text)) => {
                            eprintln!("   {target}: FOUND SOMETHING");
                            findings.lock().unwrap_or_else(PoisonError::into_inner).push(text);
                        }
                    }
                }
            });
        }
    });
    let findings = findings.into_inner().unwrap_or_else(PoisonError::into_inner);
    if !findings.is_empty() {
        return Err(Failed(findings.join("\n\n")));
    }
    println!("\n{} fuzz targets, {FUZZ_SECONDS} s each, no findings", targets.len());
    Ok(())
}

/// Fuzzes one target and says how many inputs it read. What it learns goes into the first folder; the
/// second one, which is committed, is only read.
fn fuzz_one(target: &str) -> Result<u64, Failed> {
    let (learnt, seeds) = (format!("tests/fuzz/corpus/{target}"), format!("tests/fuzz/seeds/{target}"));
    for folder in [&learnt, &seeds] {
        std::fs::create_dir_all(root().join(folder)).map_err(|error| Failed(format!("{folder}: {error}")))?;
    }
    let time = format!("-max_total_time={FUZZ_SECONDS}");
    let one_input = format!("-timeout={INPUT_SECONDS}");
    let options = [target, &learnt, &seeds, "--", &time, &one_input, "-print_final_stats=1"];
    let output = cargo_fuzz("run", &options)
        .stdin(Stdio::null())
        .output()
        .map_err(|error| Failed(format!("{target} did not start: {error}")))?;
    let said = String::from_utf8_lossy(&output.stderr);
    let inputs = said.lines().find_map(executed);
    match inputs.filter(|_| output.status.success()) {
        Some(inputs) => Ok(inputs),
        None => Err(Failed(format!("{target} ({}):\n{}", output.status, finding(&said)))),
    }
}

/// Of all a fuzzer says: what went wrong, and where the input is.
fn finding(said: &str) -> String {
    let begins = |line: &&str| line.contains("panicked at") || line.contains("ERROR: libFuzzer");
    let lines: Vec<&str> = said.lines().collect();
    let from = lines.iter().position(begins).unwrap_or(lines.len().saturating_sub(FINDING_LINES));
    let input = lines.iter().filter(|line| line.contains("Test unit written to"));
    lines[from..].iter().take(FINDING_LINES).chain(input).copied().collect::<Vec<_>>().join("\n")
}

/// `stat::number_of_executed_units: 12`
fn executed(line: &str) -> Option<u64> {
    line.strip_prefix("stat::number_of_executed_units:")?.trim().parse().ok()
}

/// cargo-fuzz without a sanitizer; a stable compiler is told to allow what it needs.
fn cargo_fuzz(verb: &str, options: &[&str]) -> std::process::Command {
    let mut command = cargo(&["fuzz", verb, "--fuzz-dir", "tests/fuzz", "--sanitizer", "none"]);
    command.args(options).env("RUSTC_BOOTSTRAP", "1");
    with_tools(&mut command);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_finding_is_shown_from_its_panic_on() {
        let said = format!(
            "noise\nthread panicked at x.rs:1\nwhy\n{}artifact: Test unit written to crash-1",
            "at\n".repeat(99)
        );
        let shown = finding(&said);
        assert!(shown.starts_with("thread panicked at x.rs:1\nwhy") && shown.ends_with("crash-1"));
        assert!(shown.lines().count() <= FINDING_LINES + 1);
    }

    #[test]
    fn a_fuzzer_tells_how_many_inputs_it_read() {
        assert_eq!(executed("stat::number_of_executed_units: 12"), Some(12));
        assert_eq!(executed("stat::average_exec_per_sec:     7"), None);
    }
}
