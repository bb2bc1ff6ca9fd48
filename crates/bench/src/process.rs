//! What this process holds, and what another one used, as the system counts it.

use std::fs;

/// Memory that is really used, in megabytes.
pub(crate) fn memory_mb() -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kilobytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<f64>().ok());
    kilobytes.unwrap_or(f64::NAN) / 1_024.0
}

/// Seconds of a core that were used so far.
pub(crate) fn cpu_seconds() -> f64 {
    cpu_seconds_of("self")
}

/// The same of a process, by its number.
pub(crate) fn cpu_seconds_of(process: &str) -> f64 {
    // Field 14 and 15 after the name in brackets: ticks in user and in system mode, a hundred a second.
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(f64::NAN);
    (ticks(11) + ticks(12)) / 100.0
}

/// Threads there are.
pub(crate) fn threads() -> usize {
    fs::read_dir("/proc/self/task").map(Iterator::count).unwrap_or_default()
}

/// Sockets that are open.
pub(crate) fn sockets() -> usize {
    let open = fs::read_dir("/proc/self/fd").into_iter().flatten().flatten();
    open.filter_map(|entry| fs::read_link(entry.path()).ok())
        .filter(|target| target.to_string_lossy().starts_with("socket:"))
        .count()
}
