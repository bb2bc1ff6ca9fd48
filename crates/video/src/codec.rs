//! What encodes and decodes the pictures of a call, whichever codec both sides agreed on.

use bytes::Bytes;

use crate::h264::{self, Openh264};
use crate::picture::Picture;
use crate::vp8;

/// The most that one encoded picture may have; a call's largest key frame has a tenth of that.
pub(crate) const MOST_BYTES: usize = 1 << 20;

/// A codec that can be had here. Of H.264 there is none without its library.
#[derive(Debug, Clone)]
pub enum Codec {
    /// By the system's libvpx; always.
    Vp8,
    /// By openh264.
    H264(Openh264),
}

/// The name of a codec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CodecKind {
    /// RFC 6386.
    Vp8,
    /// ITU-T H.264, Constrained Baseline.
    H264,
}

impl CodecKind {
    /// What people call it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vp8 => "VP8",
            Self::H264 => "H.264",
        }
    }
}

impl Codec {
    /// Which one it is.
    pub fn kind(&self) -> CodecKind {
        match self {
            Self::Vp8 => CodecKind::Vp8,
            Self::H264(_) => CodecKind::H264,
        }
    }

    /// The largest picture that may be sent with it: what both sides announce of H.264 is level 3.1 (ITU-T H.264, A.3.1).
    pub fn most(&self) -> Option<(u32, u32)> {
        match self {
            Self::Vp8 => None,
            Self::H264(_) => Some((1_280, 720)),
        }
    }
}

/// Why a codec refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The library could not be opened.
    #[error("the video codec could not be opened")]
    Open,
    /// The library could not encode.
    #[error("a picture could not be encoded")]
    Encode,
    /// The frame is too long, too large, or nothing of this codec.
    #[error("a frame is refused")]
    Refused,
    /// A frame that needs one that is not there.
    #[error("a frame waits for a key frame")]
    NeedsKey,
    /// The frame is damaged; only a key frame helps.
    #[error("a frame is damaged")]
    Damaged,
}

/// An encoded picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Encoded {
    /// The frame, without anything of RTP: of H.264 with start codes (ITU-T H.264, Annex B).
    pub data: Bytes,
    /// It needs no other.
    pub key: bool,
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

/// What is to be seen in pictures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// People: that it moves matters most.
    Camera,
    /// Letters and lines: that they can be read matters most.
    Screen,
}

/// Encodes pictures of one size.
pub struct Encoder(AnyEncoder);

enum AnyEncoder {
    Vp8(Box<vp8::Encoder>),
    H264(Box<h264::Encoder>),
}

impl Encoder {
    /// Opens an encoder for a size (even sides), at a rate in bits per second, with so many threads.
    pub fn new(
        codec: &Codec,
        content: Content,
        size: (u32, u32),
        bits_per_second: u32,
        threads: u32,
    ) -> Result<Self, CodecError> {
        Ok(Self(match codec {
            Codec::Vp8 => AnyEncoder::Vp8(Box::new(vp8::Encoder::of(content, size, bits_per_second, threads)?)),
            Codec::H264(library) => {
                AnyEncoder::H264(Box::new(h264::Encoder::of(library, content, size, bits_per_second)?))
            }
        }))
    }

    /// Changes the rate, from the next picture on.
    pub fn set_rate(&mut self, bits_per_second: u32) -> Result<(), CodecError> {
        match &mut self.0 {
            AnyEncoder::Vp8(encoder) => encoder.set_rate(bits_per_second),
            AnyEncoder::H264(encoder) => encoder.set_rate(bits_per_second),
        }
    }

    /// The size it was opened for.
    pub fn size(&self) -> (u32, u32) {
        match &self.0 {
            AnyEncoder::Vp8(encoder) => encoder.size(),
            AnyEncoder::H264(encoder) => encoder.size(),
        }
    }

    /// Encodes a picture that is shown for so many microseconds; none if it was left out to keep the rate.
    pub fn encode(&mut self, picture: &Picture, shown_us: u32, key: bool) -> Result<Option<Encoded>, CodecError> {
        match &mut self.0 {
            AnyEncoder::Vp8(encoder) => encoder.encode(picture, shown_us, key),
            AnyEncoder::H264(encoder) => encoder.encode(picture, shown_us, key),
        }
    }
}

/// Decodes what a peer sends. Sizes are judged before a library sees a frame.
pub struct Decoder(AnyDecoder);

enum AnyDecoder {
    Vp8(vp8::Decoder),
    H264(Box<h264::Decoder>),
}

impl Decoder {
    /// Opens a decoder.
    pub fn new(codec: &Codec) -> Result<Self, CodecError> {
        Ok(Self(match codec {
            Codec::Vp8 => AnyDecoder::Vp8(vp8::Decoder::new()?),
            Codec::H264(library) => AnyDecoder::H264(Box::new(h264::Decoder::of(library)?)),
        }))
    }

    /// A frame is missing: nothing is decoded before the next key frame.
    pub fn miss(&mut self) {
        match &mut self.0 {
            AnyDecoder::Vp8(decoder) => decoder.miss(),
            AnyDecoder::H264(decoder) => decoder.miss(),
        }
    }

    /// Decodes a frame; none if it is not to be shown.
    pub fn decode(&mut self, frame: &[u8]) -> Result<Option<Picture>, CodecError> {
        match &mut self.0 {
            AnyDecoder::Vp8(decoder) => decoder.decode(frame),
            AnyDecoder::H264(decoder) => decoder.decode(frame),
        }
    }
}
