//! Runs the benchmarks in a release build; each prints a table and writes target/figures/NAME.json.

use crate::setup::{Purpose, ensure};
use crate::shell::{Failed, cargo, step};
use crate::suite;

/// The benchmarks there are.
const NAMES: &[&str] = &[
    "bus",
    "call",
    "files",
    "first-contact",
    "history",
    "impaired",
    "kills",
    "messages",
    "node",
    "soak",
    "sync",
    "trust",
];

/// Kills of one run, unless another number is wanted.
const KILLS: u32 = 1_000;

/// Runs the named ones, one after the other so that they do not disturb each other.
pub fn run(names: &[String], minutes: Option<f64>, count: Option<u32>, install: bool) -> Result<(), Failed> {
    if let Some(unknown) = names.iter().find(|name| !NAMES.contains(&name.as_str())) {
        return Err(Failed(format!("no benchmark {unknown}; there are {}", NAMES.join(", "))));
    }
    let any_of = |some: &[&str]| names.iter().any(|name| some.contains(&name.as_str()));
    let with_node = any_of(&["node", "sync"]);
    // Other servers, a sound server and a browser are only needed by tests and by measurements beside them.
    let beside_others = with_node || any_of(&["call", "files", "soak"]);
    ensure(if beside_others { Purpose::Test } else { Purpose::Build }, install)?;
    suite::prepare()?;
    if with_node {
        step("Building the Node", &mut cargo(&["build", "--release", "-p", "node"]))?;
    }
    for name in names {
        if name == "kills" {
            kill(count.unwrap_or(KILLS))?;
            continue;
        }
        let mut command = cargo(&["run", "--release", "-p", "bench", "--", name]);
        if let Some(minutes) = minutes {
            command.env("PARLANCE_SOAK_MINUTES", minutes.to_string());
        }
        step(&format!("Benchmark {name}"), &mut command)?;
    }
    Ok(())
}

/// The story of the kills, many times as long: it fails if a message is lost or doubled.
fn kill(count: u32) -> Result<(), Failed> {
    // Not by nextest, which ends what takes minutes.
    let story = "kills::fifty_kills_lose_no_message_and_double_none";
    let mut command = cargo(&["test", "-p", "stories", "--test", "stories", "--", "--exact", story, "--nocapture"]);
    command.env("PARLANCE_KILLS", count.to_string());
    step(&format!("{count} kills"), &mut command)
}
