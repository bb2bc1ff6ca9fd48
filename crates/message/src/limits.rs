//! The bounds that hold everywhere a stranger can fill something.

/// Longest address in bytes; a URL longer than this is no address.
pub const ADDRESS_LIMIT: usize = 512;

/// Largest message in bytes, envelope and body together.
///
/// Large enough for an MLS Welcome of a 1,000-member group with its tree,
/// small enough that a hundred of them fit in memory while they wait.
pub const MESSAGE_LIMIT: usize = 1024 * 1024;

/// Deepest nesting of a message body; a parser never recurses further.
pub const DEPTH_LIMIT: usize = 32;

/// How long a request waits for its answer before the sender gets a 408.
pub const REPLY_DEADLINE_MS: u64 = 15_000;

/// How long a request may wait in all, however many provisional answers it gets.
pub const PROVISIONAL_DEADLINE_MS: u64 = 600_000;
