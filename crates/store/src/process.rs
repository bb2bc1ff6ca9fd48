//! Keeps the memory of this process to itself: no core dump, no other program that reads along.

/// What the system agreed to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Hardening {
    /// A crash leaves no core file.
    pub no_core: bool,
    /// Other programs of the same user can neither trace the process nor read its memory.
    pub not_dumpable: bool,
}

/// Asks the system to keep the memory of this process to itself. To be called first of all.
///
/// On Linux `RLIMIT_CORE` becomes 0 and the process not dumpable; programs started by it can be
/// traced again, but leave no core file either. Elsewhere nothing happens: macOS and Windows dump
/// no memory unless a person set that up.
pub fn harden_process() -> Hardening {
    harden()
}

#[cfg(target_os = "linux")]
fn harden() -> Hardening {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    Hardening {
        no_core: setrlimit(Resource::Core, none).is_ok(),
        not_dumpable: set_dumpable_behavior(DumpableBehavior::NotDumpable).is_ok(),
    }
}

#[cfg(not(target_os = "linux"))]
fn harden() -> Hardening {
    Hardening::default()
}
