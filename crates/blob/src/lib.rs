//! Files as they travel: cut into chunks, each sealed for its place, and described inside a sealed message.
//!
//! Whoever keeps or carries chunks learns how many there are and how long; what opens them stands only in the
//! [`Descriptor`]. A chunk is the same wherever it comes from, a Node or the other device itself.

mod chunks;
mod descriptor;
mod limits;
mod name;

pub use chunks::{Cutter, Digest, FileKey, Sealed, Shape, ShapeError, Verifier, Wrong};
pub use descriptor::{Descriptor, DescriptorError, Place};
pub use limits::{CHUNK, NAME_LIMIT, PLACES_LIMIT, PREVIEW_LIMIT, SEALED_CHUNK, SIZE_LIMIT, WAVE_LIMIT};
pub use name::FileName;
