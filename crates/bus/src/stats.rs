//! What a bus has counted since it began.

/// Counts of one bus; they only grow.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Messages posted by ports.
    pub posted: u64,
    /// Messages handed to ports, answers included.
    pub delivered: u64,
    /// Verdicts asked for.
    pub judged: u64,
    /// Messages refused by a verdict.
    pub denied: u64,
    /// Messages refused because something was full.
    pub full: u64,
    /// Messages for which nobody listened.
    pub unheard: u64,
    /// Messages with a sender their port may not claim.
    pub misattributed: u64,
    /// Requests that got a 408 from the bus.
    pub timed_out: u64,
    /// Answers to requests that were over or never made.
    pub late_answers: u64,
    /// Answers from a port that was not asked.
    pub foreign_answers: u64,
    /// Provisional answers beyond [`crate::PROVISIONAL_PER_REQUEST`].
    pub idle_answers: u64,
}
