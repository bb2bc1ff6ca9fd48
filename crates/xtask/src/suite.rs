//! Everything that is tested, in the order in which it is cheapest to fail.

use crate::check;
use crate::setup::{Purpose, ensure};
use crate::shell::{Failed, cargo, counted_step, npm, root, step};

/// Runs everything and ends with a plain line of counts.
pub fn run(install: bool) -> Result<(), Failed> {
    ensure(Purpose::Test, install)?;
    prepare()?;
    let mut passed = 0;
    passed += counted_step("Hyperties", &mut npm("hyperties", &["test"]), vitest)?;
    passed += counted_step("Interface: components", &mut npm("ui", &["test"]), vitest)?;
    step("Interface: types and accessibility", &mut npm("ui", &["run", "check"]))?;
    step("Hyperties: types", &mut npm("hyperties", &["run", "check"]))?;
    check::shape()?;
    if !lints_while_building() {
        check::lints()?;
    }
    // One selection of packages and features for all that follows, so that nothing is built twice.
    step("Building everything", &mut everything(&["build", "--all-targets"]))?;
    passed += counted_step(
        "Units and stories",
        &mut everything(&["nextest", "run", "--no-fail-fast", "-E", "not package(desktop)"]),
        nextest,
    )?;
    step(
        "Interface: every screen, light, dark, in high contrast, right to left, with large letters",
        &mut npm("ui", &["run", "e2e:demo", "--", "--look=light,dark,contrast,rtl,large", "--no-pictures"]),
    )?;
    passed += two_people()?;
    println!("\n{passed} passed, 0 failed");
    Ok(())
}

/// Two people in two browsers, then in two windows of the app.
fn two_people() -> Result<u64, Failed> {
    let browsers = counted_step("Two people in two browsers", &mut npm("tests/browser", &["test"]), plain)?;
    let windows = counted_step(
        "Two people in two windows",
        &mut everything(&["nextest", "run", "--no-fail-fast", "--test-threads", "1", "-E", "package(desktop)"]),
        nextest,
    )?;
    Ok(browsers + windows)
}

/// Cargo on the whole workspace, always with the same features.
pub fn everything(arguments: &[&str]) -> std::process::Command {
    let mut command = cargo(arguments);
    command.args(["--workspace", "--features", "parlance/e2e"]);
    if lints_while_building() {
        // What `cargo clippy -- -D warnings` sets for the compiler it calls.
        let driver = std::path::Path::new(command.get_program()).with_file_name("clippy-driver");
        command.env("RUSTC_WORKSPACE_WRAPPER", driver);
        command.env("CLIPPY_ARGS", "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__");
    }
    command
}

/// Whether the compiler that reads the lints also makes the programs.
///
/// A server begins with nothing each time, and reading all dependencies once for the lints and once for the programs
/// costs it minutes. At home the two are apart, so that a lint does not stand in the way of a test.
fn lints_while_building() -> bool {
    std::env::var_os("PARLANCE_LINT_WHILE_BUILDING").is_some()
}

/// Fetches and builds what the tests and the programs read: Hyperties and the interface.
pub fn prepare() -> Result<(), Failed> {
    for folder in ["hyperties", "ui", "tests/issuer", "tests/browser"] {
        if !root().join(folder).join("package.json").is_file() {
            continue;
        }
        let lock = root().join(folder).join("package-lock.json");
        let done = root().join(folder).join("node_modules/.package-lock.json");
        let modified = |path: &std::path::Path| std::fs::metadata(path).and_then(|data| data.modified()).ok();
        // Installing again takes a minute; a newer lock file says when it is needed.
        if modified(&done).is_none_or(|done| modified(&lock).is_none_or(|lock| lock > done)) {
            step(&format!("Packages of {folder}"), &mut npm(folder, &["ci", "--no-audit", "--no-fund"]))?;
        }
    }
    step("Building the Hyperties", &mut npm("hyperties", &["run", "build"]))?;
    step("Building the interface", &mut npm("ui", &["run", "build"]))
}

/// Takes pictures of every screen.
pub fn shots(install: bool) -> Result<(), Failed> {
    ensure(Purpose::Test, install)?;
    prepare()?;
    step("Pictures of every screen", &mut npm("ui", &["run", "e2e:demo"]))?;
    eprintln!("   pictures are in {}", root().join("ui/e2e/shots").display());
    Ok(())
}

/// `     Summary [   1.2s] 12 tests run: 12 passed, 0 skipped`
fn nextest(line: &str) -> Option<u64> {
    let line = strip_colour(line);
    let (before, after) = line.split_once(" tests run: ").or_else(|| line.split_once(" test run: "))?;
    before.trim_start().starts_with("Summary").then_some(())?;
    after.split_whitespace().next()?.parse().ok()
}

/// `      Tests  12 passed (12)`
fn vitest(line: &str) -> Option<u64> {
    let line = strip_colour(line);
    let mut words = line.split_whitespace();
    (words.next() == Some("Tests")).then_some(())?;
    let number = words.next()?.parse().ok()?;
    (words.next() == Some("passed")).then_some(number)
}

/// `12 passed, 0 failed`
fn plain(line: &str) -> Option<u64> {
    let line = strip_colour(line);
    let (number, rest) = line.trim().split_once(' ')?;
    rest.starts_with("passed").then(|| number.parse().ok()).flatten()
}

fn strip_colour(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut in_escape = false;
    for c in line.chars() {
        match (in_escape, c) {
            (false, '\u{1b}') => in_escape = true,
            (false, c) => out.push(c),
            (true, c) => in_escape = !c.is_ascii_alphabetic(),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runners_tell_how_many_passed() {
        assert_eq!(nextest("     Summary [   0.047s] 12 tests run: 11 passed, 1 failed, 0 skipped"), Some(11));
        assert_eq!(nextest("PASS [ 0.1s] tests run: nothing"), None);
        assert_eq!(
            vitest("\u{1b}[2m      Tests \u{1b}[22m \u{1b}[1m\u{1b}[32m7 passed\u{1b}[39m\u{1b}[22m (7)"),
            Some(7)
        );
        assert_eq!(plain("30 passed, 0 failed"), Some(30));
        assert_eq!(plain("passed"), None);
    }
}
