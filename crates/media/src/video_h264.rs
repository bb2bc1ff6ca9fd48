//! Reads packets of H.264 (RFC 6184): single units, several in one, and parts of one.
//!
//! What comes out are units with start codes (ITU-T H.264, Annex B); what they say is judged before they are decoded.

use bytes::{BufMut, Bytes, BytesMut};

/// What stands before each unit in a stream of bytes.
const START: [u8; 4] = [0, 0, 0, 1];

const SLICE: u8 = 1;
const IDR_SLICE: u8 = 5;
const SEQUENCE: u8 = 7;
const AGGREGATE: u8 = 24;
const FRAGMENT: u8 = 28;

/// Why a packet is no H.264 of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum PieceError {
    /// It ends before it should.
    #[error("it is too short")]
    Short,
    /// A kind of packet or unit that was not agreed on.
    #[error("it is of a kind that was not agreed on")]
    Kind,
}

/// What one packet carries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Piece {
    /// A frame may begin with it.
    pub(crate) begins: bool,
    /// …and that frame needs no other.
    pub(crate) key: bool,
    /// Bytes to be put after those of the packets before it: whole units with their start codes, or a part of one.
    pub(crate) data: Bytes,
}

/// Reads the payload of a packet: a single unit, several (STAP-A) or a part of one (FU-A), as `packetization-mode=1`
/// allows them (RFC 6184, 5.4).
pub(crate) fn piece(payload: &Bytes) -> Result<Piece, PieceError> {
    let head = *payload.first().ok_or(PieceError::Short)?;
    match kind(head)? {
        1..=23 => {
            let mut data = BytesMut::with_capacity(START.len() + payload.len());
            data.put_slice(&START);
            data.put_slice(payload);
            Ok(Piece { begins: is_beginning(payload), key: is_key(payload), data: data.freeze() })
        }
        AGGREGATE => aggregate(payload),
        FRAGMENT => fragment(head, payload),
        _ => Err(PieceError::Kind),
    }
}

fn aggregate(payload: &Bytes) -> Result<Piece, PieceError> {
    let mut rest = payload.get(1..).filter(|rest| !rest.is_empty()).ok_or(PieceError::Short)?;
    let mut data = BytesMut::with_capacity(payload.len() * 2);
    let (mut begins, mut key) = (None, false);
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let length = usize::from(u16::from_be_bytes(*length));
        let (unit, after) = after.split_at_checked(length).ok_or(PieceError::Short)?;
        // An aggregate holds whole units only.
        if !matches!(kind(*unit.first().ok_or(PieceError::Short)?)?, 1..=23) {
            return Err(PieceError::Kind);
        }
        data.put_slice(&START);
        data.put_slice(unit);
        begins = begins.or(Some(is_beginning(unit)));
        key |= is_key(unit);
        rest = after;
    }
    if !rest.is_empty() {
        return Err(PieceError::Short);
    }
    let begins = begins.ok_or(PieceError::Short)?;
    Ok(Piece { begins, key: begins && key, data: data.freeze() })
}

fn fragment(head: u8, payload: &Bytes) -> Result<Piece, PieceError> {
    let [_, part, rest @ ..] = payload.as_ref() else { return Err(PieceError::Short) };
    let (starts, ends) = (part & 0x80 != 0, part & 0x40 != 0);
    let unit = head & 0x60 | part & 0x1f;
    if !matches!(kind(unit)?, 1..=23) || starts && ends {
        return Err(PieceError::Kind);
    }
    if rest.is_empty() {
        return Err(PieceError::Short);
    }
    if !starts {
        return Ok(Piece { begins: false, key: false, data: payload.slice(2..) });
    }
    let mut data = BytesMut::with_capacity(START.len() + payload.len());
    data.put_slice(&START);
    data.put_u8(unit);
    data.put_slice(rest);
    let start = [unit, *rest.first().unwrap_or(&0)];
    Ok(Piece { begins: is_beginning(&start), key: is_key(&start), data: data.freeze() })
}

/// Whether a frame may begin with a unit: with anything but a slice that is not the first of its picture.
fn is_beginning(unit: &[u8]) -> bool {
    // A slice that begins at the first macroblock has a one there (7.3.3, `first_mb_in_slice`).
    let is_first = unit.get(1).is_some_and(|next| next & 0x80 != 0);
    is_first || unit.first().is_none_or(|head| !matches!(head & 0x1f, SLICE | IDR_SLICE))
}

/// Whether a frame that begins with a unit needs no other: the parameters stand before each key frame.
fn is_key(unit: &[u8]) -> bool {
    unit.first().is_some_and(|head| head & 0x1f == SEQUENCE)
}

/// The kind of a unit; one that is marked as damaged has none.
fn kind(head: u8) -> Result<u8, PieceError> {
    if head & 0x80 != 0 { Err(PieceError::Kind) } else { Ok(head & 0x1f) }
}

#[cfg(test)]
#[path = "video_h264_tests.rs"]
mod tests;
