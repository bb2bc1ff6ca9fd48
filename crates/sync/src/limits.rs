//! The bounds of one data object.

/// Bytes of a value as JSON.
pub const VALUE_LIMIT: usize = 256 * 1024;

/// Nesting of a value.
pub const VALUE_DEPTH: usize = 16;

/// Keys and array elements of a value, at all depths.
pub const KEYS_LIMIT: usize = 8192;

/// Bytes of one key.
pub const KEY_LIMIT: usize = 128;

/// Changes a Reporter remembers for those who come back; older ones are replaced by a snapshot.
pub const HISTORY_LIMIT: usize = 256;

/// Bytes of changes a Reporter remembers.
pub const HISTORY_BYTES: usize = 512 * 1024;

/// Observers of one object.
pub const OBSERVERS_LIMIT: usize = 4096;

/// Authors of children of one object.
pub const AUTHORS_LIMIT: usize = 4097;

/// Children of one author that wait for an earlier one.
pub const HELD_PER_AUTHOR: usize = 64;

/// Children of all authors that wait for an earlier one.
pub const HELD_LIMIT: usize = 1024;
