//! The picture of a call: cameras, codecs, and the thought about how much of it a network carries.
//!
//! Nothing in here knows a call, a socket or a clock: the time is an argument, what comes from a peer is hostile.
//! [`Camera`] is where pictures come from, [`Encoder`] and [`Decoder`] are VP8 by the system's libvpx, and H.264 where
//! [`Openh264`] is found, [`Ladder`] chooses size and rate, [`Arrivals`] and [`Estimate`] judge what a path carries, [`Freeze`] and [`LipSync`] watch what arrives.

mod arrivals;
mod camera;
mod codec;
mod counter;
#[cfg(feature = "camera")]
mod device;
mod estimate;
mod freeze;
mod h264;
mod ladder;
mod lip_sync;
mod nal;
mod picture;
#[cfg(test)]
mod trial;
mod vp8;
mod y4m_file;

pub use arrivals::{Arrivals, Arrived, Passed};
pub use camera::{Camera, CameraChoice, CameraError, CameraInfo, cameras, open, size_of};
pub use codec::{Codec, CodecError, CodecKind, Content, Decoder, Encoded, Encoder};
pub use counter::{Counter, read_counter};
pub use estimate::{Estimate, Observation};
pub use freeze::{Freeze, FreezeChange};
pub use h264::{NoH264, Openh264};
pub use ladder::{Ladder, Rung, Setting, Shares, shares};
pub use lip_sync::LipSync;
pub use picture::{MOST_PIXELS, MOST_SIDE, Picture, PictureError, Scaler, fitting};
pub use vp8::{Header as Vp8Header, header as vp8_header};
