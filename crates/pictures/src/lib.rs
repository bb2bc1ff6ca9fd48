//! Looks at the bytes of pictures: what they are, how large, and what of them may leave.
//!
//! A picture that a person sends is drawn anew, so that nothing but its pixels leaves: no place, no camera, no
//! thumbnail of what was cut away, nothing hidden behind its end. A picture that comes is only measured.

mod clean;
mod small;
mod sniff;

pub use clean::{Clean, clean, jpeg_of};
pub use small::small;
pub use sniff::{Kind, Seen, is_small_jpeg, kind_of, look};

/// Most pixels of a picture that is drawn, here or in a window: 64 million.
pub const PIXELS_LIMIT: u64 = 64_000_000;

/// Largest picture that is drawn anew, in bytes.
pub const BYTES_LIMIT: usize = 32 * 1024 * 1024;

/// Why a picture is not drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PictureError {
    /// No kind that is drawn.
    #[error("this is no picture of a kind that is shown")]
    Unknown,
    /// It would fill the memory.
    #[error("the picture has more pixels than are drawn")]
    TooLarge,
    /// It ends too early or contradicts itself.
    #[error("the picture is damaged")]
    Damaged,
}
