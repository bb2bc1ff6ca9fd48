//! What this process holds, and what another one used, as the system counts it.

use std::fs;

/// Memory that is really used, in megabytes.
pub(crate) fn memory_mb() -> f64 {
    megabytes("VmRSS:")
}

/// The most of it there was since [`forget_peak`].
pub(crate) fn peak_memory_mb() -> f64 {
    megabytes("VmHWM:")
}

/// From now on the peak is counted anew.
pub(crate) fn forget_peak() -> std::io::Result<()> {
    fs::write("/proc/self/clear_refs", "5")
}

fn megabytes(field: &str) -> f64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(field));
    let kilobytes = line.and_then(|line| line.trim().split(' ').next()?.parse::<f64>().ok());
    kilobytes.unwrap_or(f64::NAN) / 1_024.0
}

/// Seconds of a core that were used so far.
pub(crate) fn cpu_seconds() -> f64 {
    cpu_seconds_of("self")
}

/// The same of a process, by its number.
pub(crate) fn cpu_seconds_of(process: &str) -> f64 {
    seconds(process, [11, 12])
}

/// The same of all programs that this one began and that ended.
pub(crate) fn cpu_seconds_of_ended() -> f64 {
    seconds("self", [13, 14])
}

/// What two fields after the name in brackets count in ticks, a hundred a second: in user and in system mode.
fn seconds(process: &str, [user, system]: [usize; 2]) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<f64>().ok()).unwrap_or(f64::NAN);
    (ticks(user) + ticks(system)) / 100.0
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
