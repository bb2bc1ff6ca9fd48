//! What is said on a direct connection: a piece is asked for, given in parts, or refused.

use bytes::{BufMut, Bytes, BytesMut};

/// Bytes of one part; every implementation of data channels takes messages as large as this (RFC 8831, 6.6).
pub const PART_BYTES: usize = 16 * 1024 - 16;

/// Bytes of the largest piece: twice what a file's sealed chunk has.
pub const PIECE_BYTES: usize = 256 * 1024;

/// Pieces that are asked for before the first of them has come.
pub const ASKED: usize = 6;

const ASK: u8 = 1;
const PART: u8 = 2;
const REFUSED: u8 = 3;
const READY: u8 = 4;

/// One message of a direct connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// "Give me this piece." Pieces come in the order in which they were asked for.
    Ask {
        /// Its number.
        piece: u32,
    },
    /// The next bytes of a piece.
    Part {
        /// Its number.
        piece: u32,
        /// How many bytes of it came before.
        offset: u32,
        /// At least one, at most [`PART_BYTES`].
        bytes: Bytes,
    },
    /// "I listen from now on." Whoever answered says it once, before anything is asked for.
    Ready,
    /// "You do not get this piece."
    Refused {
        /// Its number.
        piece: u32,
        /// Why.
        why: Refusal,
    },
}

/// Why a piece is not given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// The file is not for who asks, or is no more.
    NotForYou,
    /// The file has no such piece, or the piece cannot be read.
    NoPiece,
}

/// Why a message is no frame, or none that was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadFrame {
    /// A text, too short, too long, or of an unknown kind.
    #[error("the message is no frame")]
    Malformed,
    /// A frame that nobody asked for, or that does not continue what came before.
    #[error("the frame is not what was asked for")]
    Unasked,
    /// More pieces, or a larger one, than may be asked for.
    #[error("more is asked for than may be")]
    TooMuch,
}

impl Frame {
    /// Reads a message.
    pub fn read(mut message: BytesMut) -> Result<Self, BadFrame> {
        if message.as_ref() == [READY] {
            return Ok(Self::Ready);
        }
        let mut head = [0; 9];
        let head_length = if message.first() == Some(&PART) { 9 } else { 5 };
        let head = head.get_mut(..head_length).ok_or(BadFrame::Malformed)?;
        head.copy_from_slice(message.get(..head_length).ok_or(BadFrame::Malformed)?);
        let number = |from: usize| {
            let bytes = head.get(from..from + 4).and_then(|bytes| bytes.try_into().ok());
            bytes.map(u32::from_be_bytes).ok_or(BadFrame::Malformed)
        };
        let (kind, piece) = (head[0], number(1)?);
        let rest = message.split_off(head_length).freeze();
        match (kind, rest.as_ref()) {
            (ASK, []) => Ok(Self::Ask { piece }),
            (PART, [_, ..]) if rest.len() <= PART_BYTES => Ok(Self::Part { piece, offset: number(5)?, bytes: rest }),
            (REFUSED, [1]) => Ok(Self::Refused { piece, why: Refusal::NotForYou }),
            (REFUSED, [2]) => Ok(Self::Refused { piece, why: Refusal::NoPiece }),
            _ => Err(BadFrame::Malformed),
        }
    }

    /// The message that [`Frame::read`] reads.
    pub fn write(&self) -> BytesMut {
        let mut message = BytesMut::new();
        match self {
            Self::Ask { piece } => {
                message.put_u8(ASK);
                message.put_u32(*piece);
            }
            Self::Ready => message.put_u8(READY),
            Self::Part { piece, offset, bytes } => {
                message.reserve(9 + bytes.len());
                message.put_u8(PART);
                message.put_u32(*piece);
                message.put_u32(*offset);
                message.put_slice(bytes);
            }
            Self::Refused { piece, why } => {
                message.put_u8(REFUSED);
                message.put_u32(*piece);
                message.put_u8(match why {
                    Refusal::NotForYou => 1,
                    Refusal::NoPiece => 2,
                });
            }
        }
        message
    }
}

/// A piece as the frames that bring it.
pub fn parts(piece: u32, bytes: Vec<u8>) -> impl Iterator<Item = Frame> {
    let mut rest = Bytes::from(bytes);
    let mut offset = 0u32;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let bytes = rest.split_to(rest.len().min(PART_BYTES));
        let frame = Frame::Part { piece, offset, bytes };
        offset = offset.saturating_add(PART_BYTES as u32);
        Some(frame)
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let part = Frame::Part { piece: 7, offset: 32, bytes: Bytes::from_static(b"sealed") };
        let refused = |why| Frame::Refused { piece: u32::MAX, why };
        let all = [Frame::Ready, Frame::Ask { piece: 1 }, part, refused(Refusal::NotForYou), refused(Refusal::NoPiece)];
        for frame in all {
            assert_eq!(Frame::read(frame.write()), Ok(frame));
        }
    }

    #[test]
    fn what_is_too_short_too_long_or_unknown_is_no_frame() {
        let long = Frame::Part { piece: 0, offset: 0, bytes: vec![0; PART_BYTES + 1].into() }.write();
        let empty = Frame::Part { piece: 0, offset: 0, bytes: Bytes::new() }.write();
        let mut trailing = Frame::Ask { piece: 0 }.write();
        trailing.put_u8(0);
        let rest: [&[u8]; 7] =
            [b"", b"\x04\0", b"\x01", b"\x01\0\0\0", b"\x02\0\0\0\0\0\0\0", b"\x03\0\0\0\0\x09", b"\x09\0\0\0\0"];
        let all = rest.into_iter().map(BytesMut::from).chain([long, empty, trailing]);
        for message in all {
            assert_eq!(Frame::read(message.clone()), Err(BadFrame::Malformed), "{:?}", message.get(..9));
        }
    }

    #[test]
    fn a_piece_is_all_its_parts_in_order() {
        let piece: Vec<u8> = (0..PART_BYTES * 2 + 5).map(|at| at as u8).collect();
        let mut whole = Vec::new();
        for frame in parts(3, piece.clone()) {
            let Frame::Part { piece: 3, offset, bytes } = frame else { panic!("a part of piece 3") };
            assert_eq!(offset as usize, whole.len());
            whole.extend_from_slice(&bytes);
        }
        assert_eq!(whole, piece);
    }

    proptest! {
        #[test]
        fn no_message_is_too_odd(message in proptest::collection::vec(any::<u8>(), 0..64)) {
            if let Ok(frame) = Frame::read(BytesMut::from(message.as_slice())) {
                let written = frame.write();
                prop_assert_eq!(written.as_ref(), message.as_slice());
            }
        }
    }
}
