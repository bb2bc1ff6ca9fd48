//! The bounds of a card and of what is read to make one.

use std::time::Duration;

/// Longest link in bytes.
pub const URL_LIMIT: usize = 2048;

/// Longest title in characters.
pub const TITLE_LIMIT: usize = 160;

/// Longest description in characters.
pub const DESCRIPTION_LIMIT: usize = 300;

/// The longer side of a card's picture, in pixels: twice the size at which it is drawn.
pub const PICTURE_SIDE: u32 = 240;

/// Bytes of a card's picture.
pub const PICTURE_LIMIT: usize = 24 * 1024;

/// Links of one text that are looked at.
pub(crate) const LINKS_LIMIT: usize = 64;

/// Bytes that are read of a page. What it says of itself stands at its beginning; the rest is not fetched.
pub(crate) const PAGE_BYTES: usize = 512 * 1024;

/// Bytes of the picture that a page names; a larger one is left out.
pub(crate) const PICTURE_BYTES: usize = 1024 * 1024;

/// Bytes of a page that may pass without a tag or a word being complete.
///
/// The reader compares each attribute of a tag with those before it, so one endless tag would keep it busy.
pub(crate) const UNFINISHED_LIMIT: usize = 32 * 1024;

/// Attributes of one tag; a page with more of them is read no further, for the same reason.
pub(crate) const ATTRIBUTES_LIMIT: usize = 128;

/// Times that a page may send us on.
pub(crate) const HOPS_LIMIT: usize = 3;

/// Longest time from the first question to the last byte, the picture included.
pub(crate) const PATIENCE: Duration = Duration::from_secs(6);
