//! Runs the benchmarks in a release build; each prints a table and writes target/figures/NAME.json.

use crate::setup::{Purpose, ensure};
use crate::shell::{Failed, cargo, step};
use crate::suite;

/// The benchmarks there are.
const NAMES: &[&str] = &["bus", "call", "first-contact", "history", "impaired", "node", "soak", "trust"];

/// Runs the named ones, one after the other so that they do not disturb each other.
pub fn run(names: &[String], minutes: Option<f64>, install: bool) -> Result<(), Failed> {
    if let Some(unknown) = names.iter().find(|name| !NAMES.contains(&name.as_str())) {
        return Err(Failed(format!("no benchmark {unknown}; there are {}", NAMES.join(", "))));
    }
    // The Node is measured beside servers that only tests and measurements need.
    let beside = names.iter().any(|name| name == "node");
    ensure(if beside { Purpose::Test } else { Purpose::Build }, install)?;
    suite::prepare()?;
    if beside {
        step("Building the Node", &mut cargo(&["build", "--release", "-p", "node"]))?;
    }
    for name in names {
        let mut command = cargo(&["run", "--release", "-p", "bench", "--", name]);
        if let Some(minutes) = minutes {
            command.env("PARLANCE_SOAK_MINUTES", minutes.to_string());
        }
        step(&format!("Benchmark {name}"), &mut command)?;
    }
    Ok(())
}
