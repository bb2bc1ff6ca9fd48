//! How much one bus holds at a time.

/// Requests and held messages of one sandboxed port; the next one is answered with 429.
///
/// Core ports are bound by [`OPEN_LIMIT`] alone: one object may have a thousand observers.
pub const OPEN_PER_PORT: usize = 1024;

/// Requests and held messages of all ports; the next one is answered with 503.
pub const OPEN_LIMIT: usize = 65_536;

/// Bytes of bodies held for one sandboxed port while they wait for a verdict or a route.
pub const HELD_BYTES_PER_PORT: usize = 4 * 1024 * 1024;

/// Bytes of bodies held for all ports.
pub const HELD_BYTES_LIMIT: usize = 64 * 1024 * 1024;

/// Messages that wait for the stub of one domain; the next one is answered with 503.
pub const PARKED_PER_DOMAIN: usize = 1024;

/// Domains whose stubs are waited for at a time; messages to others get a 503.
pub const WAITING_DOMAINS: usize = 64;

/// Provisional answers passed on for one request; further ones are dropped.
pub const PROVISIONAL_PER_REQUEST: u32 = 16;

/// Listeners of one address.
pub const LISTENERS_PER_PLACE: usize = 256;

/// Places listened to by one port.
pub const PLACES_PER_PORT: usize = 65_536;

/// Segments of a path that are looked at when a listener for everything below a place is sought.
pub const PLACE_DEPTH: usize = 16;
