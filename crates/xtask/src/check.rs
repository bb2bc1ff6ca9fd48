//! The quick half of the tests: formatting, lints, floors, habits; and the fuzzers when asked.

use crate::floors;
use crate::setup::{Purpose, ensure};
use crate::shell::{Failed, cargo, root, step, title};
use crate::suite;
use crate::tidy;

/// How long each parser is fuzzed.
const FUZZ_SECONDS: u32 = 60;

/// Runs the checks.
pub fn run(fuzz: bool, install: bool) -> Result<(), Failed> {
    ensure(Purpose::Build, install)?;
    quick()?;
    if fuzz { fuzz_all() } else { Ok(()) }
}

/// Formatting, lints, floors and habits.
pub fn quick() -> Result<(), Failed> {
    step("Formatting", &mut cargo(&["fmt", "--all", "--check"]))?;
    title("Floors");
    floors::check()?;
    title("Habits");
    tidy::check()?;
    let mut lints = suite::everything(&["clippy", "--all-targets"]);
    step("Lints", lints.args(["--", "-D", "warnings"]))
}

/// The fuzz targets, each for a minute. They need cargo-fuzz; a stable compiler is told to allow it.
fn fuzz_all() -> Result<(), Failed> {
    let has_fuzz = cargo(&["fuzz", "--version"]).output().is_ok_and(|output| output.status.success());
    if !has_fuzz {
        step("Installing cargo-fuzz", &mut cargo(&["install", "--locked", "cargo-fuzz"]))?;
    }
    let folder = root().join("tests/fuzz/fuzz_targets");
    let mut targets: Vec<String> = std::fs::read_dir(&folder)
        .map_err(|error| Failed(format!("{}: {error}", folder.display())))?
        .filter_map(|entry| entry.ok()?.path().file_stem()?.to_str().map(str::to_owned))
        .collect();
    targets.sort();
    for target in targets {
        let limit = format!("-max_total_time={FUZZ_SECONDS}");
        let mut command =
            cargo(&["fuzz", "run", "--fuzz-dir", "tests/fuzz", "--sanitizer", "none", &target, "--", &limit]);
        step(&format!("Fuzzing {target}"), command.env("RUSTC_BOOTSTRAP", "1"))?;
    }
    Ok(())
}
