//! Reads H.264 before any library does: what a frame asks of a decoder (ITU-T H.264, 7.3).
//!
//! Only Constrained Baseline passes, since nothing else is agreed on: no layers, no data partitions, no fields, no slice
//! groups. What a decoder does not need (delimiters, supplemental information, filler) is left out.

use crate::picture::{MOST_PIXELS, MOST_SIDE};

/// What stands before each unit in a stream of bytes (Annex B).
const START: [u8; 4] = [0, 0, 0, 1];
/// The most units of one frame: as many slices as a picture of the largest size has rows of blocks, twice.
const MOST_UNITS: usize = 256;
/// A parameter set is not read further than this; what is needed stands at its beginning.
const READ_BYTES: usize = 128;
/// The side of a macroblock.
const BLOCK: u32 = 16;

const SLICE: u8 = 1;
const IDR_SLICE: u8 = 5;
const SEQUENCE: u8 = 7;
const PICTURE: u8 = 8;

/// Why a frame is no H.264 of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum NalError {
    /// It ends before it should.
    #[error("it is too short")]
    Short,
    /// A kind of unit that was not agreed on.
    #[error("it is of a kind that was not agreed on")]
    Kind,
    /// A profile, a size or a way to encode that was not agreed on.
    #[error("its parameters are refused")]
    Parameters,
    /// More units than a frame can have.
    #[error("it has too many units")]
    TooMany,
}

/// The kind of a unit; one that is marked as damaged has none.
fn kind(head: u8) -> Result<u8, NalError> {
    if head & 0x80 != 0 { Err(NalError::Kind) } else { Ok(head & 0x1f) }
}

/// What a frame asks of a decoder, and what of it the decoder is given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Judged {
    /// It needs no other.
    pub(crate) key: bool,
    /// The size that its parameters give.
    pub(crate) size: Option<(u32, u32)>,
    /// The units that are needed, with their start codes.
    pub(crate) data: Vec<u8>,
}

/// Judges a frame of units with start codes.
pub(crate) fn judge(frame: &[u8]) -> Result<Judged, NalError> {
    let mut judged = Judged { key: false, size: None, data: Vec::with_capacity(frame.len()) };
    let mut slices = false;
    for (number, unit) in units(frame).enumerate() {
        if number == MOST_UNITS {
            return Err(NalError::TooMany);
        }
        let Some((head, body)) = unit.split_first() else { continue };
        match kind(*head)? {
            SLICE => slices = true,
            IDR_SLICE => (slices, judged.key) = (true, true),
            SEQUENCE => {
                let size = size_of(body)?;
                // Two sets of one frame may not disagree: which one counts would be for the library to say.
                if judged.size.is_some_and(|known| known != size) {
                    return Err(NalError::Parameters);
                }
                judged.size = Some(size);
            }
            PICTURE => check_picture(body)?,
            // Supplemental information, delimiter, end of sequence and of stream, filler.
            6 | 9..=12 => continue,
            _ => return Err(NalError::Kind),
        }
        judged.data.extend_from_slice(&START);
        judged.data.extend_from_slice(unit);
    }
    // Parameters may only change where nothing is built upon what came before.
    if !slices || judged.size.is_some() && !judged.key {
        return Err(NalError::Parameters);
    }
    Ok(judged)
}

/// The units between start codes of three bytes (those of four have a zero before them, which belongs to nothing).
fn units(frame: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = start(frame).map(|at| &frame[at + 3..]);
    std::iter::from_fn(move || {
        let from = rest?;
        let next = start(from);
        rest = next.map(|at| &from[at + 3..]);
        let unit = &from[..next.unwrap_or(from.len())];
        // A unit ends with a bit that is one (7.4.1).
        let end = unit.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        Some(&unit[..end])
    })
}

fn start(bytes: &[u8]) -> Option<usize> {
    bytes.windows(3).position(|three| three == [0, 0, 1])
}

/// The size that a sequence parameter set gives (7.3.2.1.1), if it is one of those we take.
fn size_of(body: &[u8]) -> Result<(u32, u32), NalError> {
    let mut bits = Bits::of(body);
    let profile = bits.read(8)?;
    let constraints = bits.read(8)?;
    let _level = bits.read(8)?;
    // Baseline, Main and Extended, the second and third only as far as they are Baseline too (RFC 6184, table 5).
    let baseline =
        profile == 66 || profile == 77 && constraints & 0x80 != 0 || profile == 88 && constraints & 0xc0 == 0xc0;
    if !baseline {
        return Err(NalError::Parameters);
    }
    bits.golomb(31)?;
    bits.golomb(12)?;
    match bits.golomb(2)? {
        0 => drop(bits.golomb(12)?),
        1 => {
            bits.read(1)?;
            bits.skip_golomb()?;
            bits.skip_golomb()?;
            for _ in 0..bits.golomb(255)? {
                bits.skip_golomb()?;
            }
        }
        _ => {}
    }
    bits.golomb(16)?;
    bits.read(1)?;
    let (columns, rows) = (bits.golomb(MOST_SIDE / BLOCK)? + 1, bits.golomb(MOST_SIDE / BLOCK)? + 1);
    let frames_only = bits.read(1)? == 1;
    let (width, height) = (columns * BLOCK, rows * BLOCK);
    if !frames_only || width > MOST_SIDE || height > MOST_SIDE || width * height > MOST_PIXELS {
        return Err(NalError::Parameters);
    }
    bits.read(1)?;
    let mut cut = [0; 4];
    if bits.read(1)? == 1 {
        for side in &mut cut {
            // In pairs of pixels, since the colours have half the size.
            *side = bits.golomb(MOST_SIDE / 2)? * 2;
        }
    }
    let [left, right, top, bottom] = cut;
    match (width.checked_sub(left + right), height.checked_sub(top + bottom)) {
        (Some(width @ 2..), Some(height @ 2..)) => Ok((width, height)),
        _ => Err(NalError::Parameters),
    }
}

/// Refuses slice groups, which Constrained Baseline does not have (7.3.2.2).
fn check_picture(body: &[u8]) -> Result<(), NalError> {
    let mut bits = Bits::of(body);
    bits.golomb(255)?;
    bits.golomb(31)?;
    bits.read(2)?;
    bits.golomb(0).map(|_| ())
}

/// The bits of a unit, without the bytes that keep start codes out of it (7.3.1).
struct Bits {
    bytes: Vec<u8>,
    at: usize,
}

impl Bits {
    fn of(body: &[u8]) -> Self {
        let mut zeros = 0;
        let escaped = body.iter().take(READ_BYTES).filter(|byte| {
            let keeps = !(zeros >= 2 && **byte == 3);
            zeros = if **byte == 0 { zeros + 1 } else { 0 };
            keeps
        });
        Self { bytes: escaped.copied().collect(), at: 0 }
    }

    fn read(&mut self, count: u32) -> Result<u32, NalError> {
        let mut value = 0;
        for _ in 0..count {
            let byte = *self.bytes.get(self.at / 8).ok_or(NalError::Short)?;
            value = value << 1 | u32::from(byte >> (7 - self.at % 8) & 1);
            self.at += 1;
        }
        Ok(value)
    }

    /// A number in Exp-Golomb code (9.1), no more than `most`.
    fn golomb(&mut self, most: u32) -> Result<u32, NalError> {
        let mut zeros = 0;
        while self.read(1)? == 0 {
            zeros += 1;
            if zeros > 30 {
                return Err(NalError::Parameters);
            }
        }
        let value = (1 << zeros) - 1 + self.read(zeros)?;
        if value > most { Err(NalError::Parameters) } else { Ok(value) }
    }

    fn skip_golomb(&mut self) -> Result<(), NalError> {
        self.golomb(u32::MAX).map(|_| ())
    }
}

#[cfg(test)]
#[path = "nal_tests.rs"]
mod tests;
