//! Bounds what a catalogue can make us read.

/// Most bytes of a package's source; the largest of the reference's bundles has about 1 MB.
pub const SOURCE_LIMIT: usize = 2 * 1024 * 1024;

/// Most bytes of a descriptor as it is transmitted.
pub const DESCRIPTOR_LIMIT: usize = 64 * 1024;

/// Most bytes of a root as it is transmitted: [`KEY_LIMIT`] keys and twice as many signatures, with room.
pub const ROOT_LIMIT: usize = 16 * 1024;

/// Most bytes of a snapshot as it is transmitted: [`PACKAGE_LIMIT`] packages of about 200 bytes, as base64.
pub const SNAPSHOT_LIMIT: usize = 128 * 1024;

/// Most packages in one catalogue.
pub const PACKAGE_LIMIT: usize = 256;

/// Most keys of one root; an organisation that shares the duty among more people is not one.
pub const KEY_LIMIT: usize = 8;

/// Most signatures that are looked at: each key of an old and of a new root.
pub const SIGNATURE_LIMIT: usize = 2 * KEY_LIMIT;

/// Most roots followed at one visit (a domain that rotates daily, unvisited for two months).
pub const ROOT_CHAIN_LIMIT: usize = 64;

/// Most origins or address patterns in one list of grants; a person could not judge more.
pub const GRANT_LIMIT: usize = 32;

/// Most bytes of storage that a package may ask for.
pub const STORAGE_GRANT_LIMIT: u64 = 16 * 1024 * 1024;

/// How long a published root holds: a year.
pub const ROOT_LIFE_MS: u64 = 365 * DAY_MS;

/// How long a published snapshot holds: a week, so that a node may rest over a weekend
/// and a person is kept from an update no longer than that.
pub const SNAPSHOT_LIFE_MS: u64 = 7 * DAY_MS;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;
