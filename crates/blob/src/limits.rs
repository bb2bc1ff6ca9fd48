//! The bounds of a file and of what is said about it.

/// Bytes of a plain chunk; the last one may be shorter. Sealed and as text it is far below the largest message.
pub const CHUNK: usize = 128 * 1024;

/// Bytes of a sealed chunk.
pub const SEALED_CHUNK: usize = CHUNK + keys::STREAM_OVERHEAD;

/// Largest file in bytes: 1 TiB, far below what the chunks' counter can number.
pub const SIZE_LIMIT: u64 = 1 << 40;

/// Longest name in bytes; file systems take 255.
pub const NAME_LIMIT: usize = 180;

/// Bytes of the small picture that is shown until the file is here.
pub const PREVIEW_LIMIT: usize = 8 * 1024;

/// Bars of the waveform of a voice note.
pub const WAVE_LIMIT: usize = 64;

/// Places at which the chunks may be found.
pub const PLACES_LIMIT: usize = 4;

/// Longest media type in bytes (RFC 6838 allows 127 for each half; none that is shown has so many).
pub(crate) const TYPE_LIMIT: usize = 100;

/// Largest width or height that is believed, in pixels.
pub(crate) const SIDE_LIMIT: u32 = 65_535;

/// Longest sound that is believed, in milliseconds: a day.
pub(crate) const DURATION_LIMIT_MS: u32 = 24 * 3_600_000;
