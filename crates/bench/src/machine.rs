//! Says on what machine, and beside how much other work, something was measured.

use std::fmt;
use std::fs;

/// What figures cannot be compared without.
pub(crate) struct Conditions {
    /// Processor, cores and memory.
    pub(crate) machine: String,
    /// Load averages of the last 1, 5 and 15 minutes before the benchmark began.
    pub(crate) load: Vec<f64>,
}

impl Conditions {
    /// The conditions of this moment. What the system does not tell is called unknown.
    pub(crate) fn now() -> Self {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let machine = format!("{}, {cores} cores, {} memory", processor(), memory());
        let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
        Self { machine, load: load.split(' ').take(3).filter_map(|part| part.parse().ok()).collect() }
    }
}

impl fmt::Display for Conditions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let load: Vec<String> = self.load.iter().map(f64::to_string).collect();
        write!(f, "{}; load before {}", self.machine, load.join(" "))
    }
}

fn processor() -> String {
    field("/proc/cpuinfo", "model name").unwrap_or_else(|| format!("unknown {} processor", std::env::consts::ARCH))
}

fn memory() -> String {
    let kilobytes = field("/proc/meminfo", "MemTotal").and_then(|text| text.split(' ').next()?.parse::<f64>().ok());
    kilobytes.map_or_else(|| "unknown".into(), |kilobytes| format!("{:.0} GiB", kilobytes / 1024.0 / 1024.0))
}

/// The value of the first `name : value` line.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}
