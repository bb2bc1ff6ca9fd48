//! The one lock between the network and people's ears and mouths.

use std::sync::atomic::{AtomicU8, Ordering};

const CLOSED: u8 = 0;
const OPEN: u8 = 1;
const SHUT: u8 = 2;

/// Opens once, after the certificate was verified; once shut it never opens again.
#[derive(Debug, Default)]
pub(crate) struct Gate(AtomicU8);

impl Gate {
    /// Opens a gate that was never shut; says whether it is open now.
    pub(crate) fn open(&self) -> bool {
        let _ = self.0.compare_exchange(CLOSED, OPEN, Ordering::AcqRel, Ordering::Acquire);
        self.is_open()
    }

    /// Shuts it for ever.
    pub(crate) fn shut(&self) {
        self.0.store(SHUT, Ordering::Release);
    }

    pub(crate) fn is_open(&self) -> bool {
        self.0.load(Ordering::Acquire) == OPEN
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_that_was_shut_never_opens_again() {
        let gate = Gate::default();
        assert!(!gate.is_open());
        assert!(gate.open());
        gate.shut();
        assert!(!gate.open() && !gate.is_open());
    }
}
