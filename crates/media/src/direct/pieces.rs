//! The pieces that were asked for, as they come: in order, each exactly as long as it must be.

use std::collections::VecDeque;

use super::error::DirectError;
use super::frame::{ASKED, BadFrame, Frame, PIECE_BYTES};

/// What was asked for and has not come yet. No more is kept of what comes than one piece.
#[derive(Debug, Default)]
pub struct Pieces {
    asked: VecDeque<(u32, usize)>,
    so_far: Vec<u8>,
}

impl Pieces {
    /// Whether the answer to something is waited for.
    pub fn is_waiting(&self) -> bool {
        !self.asked.is_empty()
    }

    /// Whether another piece may be asked for now.
    pub fn has_room(&self) -> bool {
        self.asked.len() < ASKED
    }

    /// Asks for a piece of so many bytes; gives what is to be said.
    pub fn ask(&mut self, piece: u32, length: usize) -> Result<Frame, BadFrame> {
        if !self.has_room() || !(1..=PIECE_BYTES).contains(&length) {
            return Err(BadFrame::TooMuch);
        }
        self.asked.push_back((piece, length));
        Ok(Frame::Ask { piece })
    }

    /// Takes what came; gives the piece that is whole now.
    pub fn take(&mut self, frame: Frame) -> Result<Option<(u32, Vec<u8>)>, DirectError> {
        let (wanted, length) = *self.asked.front().ok_or(BadFrame::Unasked)?;
        match frame {
            Frame::Refused { piece, why } if piece == wanted => Err(DirectError::Refused(why)),
            Frame::Part { piece, offset, bytes } if piece == wanted && offset as usize == self.so_far.len() => {
                if bytes.len() > length - self.so_far.len() {
                    return Err(BadFrame::Unasked.into());
                }
                self.so_far.reserve_exact(length - self.so_far.len());
                self.so_far.extend_from_slice(&bytes);
                if self.so_far.len() < length {
                    return Ok(None);
                }
                self.asked.pop_front();
                Ok(Some((piece, std::mem::take(&mut self.so_far))))
            }
            _ => Err(BadFrame::Unasked.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::frame::{PART_BYTES, Refusal, parts};
    use super::*;

    fn given(pieces: &mut Pieces, piece: u32, bytes: Vec<u8>) -> Result<Option<(u32, Vec<u8>)>, DirectError> {
        parts(piece, bytes).try_fold(None, |_, frame| pieces.take(frame))
    }

    #[test]
    fn pieces_come_in_the_order_they_were_asked_for() {
        let mut pieces = Pieces::default();
        assert_eq!(pieces.ask(4, 40_000), Ok(Frame::Ask { piece: 4 }));
        assert_eq!(pieces.ask(5, 3), Ok(Frame::Ask { piece: 5 }));
        assert_eq!(given(&mut pieces, 4, vec![1; 40_000]), Ok(Some((4, vec![1; 40_000]))));
        assert!(pieces.is_waiting());
        assert_eq!(given(&mut pieces, 5, vec![2; 3]), Ok(Some((5, vec![2; 3]))));
        assert!(!pieces.is_waiting());
    }

    #[test]
    fn what_was_not_asked_for_ends_it() {
        let unasked = Err(DirectError::Frame(BadFrame::Unasked));
        let part = |piece, offset, length| Frame::Part { piece, offset, bytes: vec![0; length].into() };
        let fresh = || {
            let mut pieces = Pieces::default();
            pieces.ask(1, 20_000).unwrap();
            pieces
        };
        assert_eq!(Pieces::default().take(part(1, 0, 10)), unasked, "nothing was asked for");
        assert_eq!(fresh().take(part(2, 0, 10)), unasked, "another piece");
        assert_eq!(fresh().take(part(1, 5, 10)), unasked, "a gap");
        assert_eq!(fresh().take(Frame::Ask { piece: 1 }), unasked, "who is asked does not ask");
        assert_eq!(fresh().take(Frame::Refused { piece: 2, why: Refusal::NoPiece }), unasked);
        let mut pieces = fresh();
        pieces.take(part(1, 0, PART_BYTES)).unwrap();
        assert_eq!(pieces.take(part(1, 0, PART_BYTES)), unasked, "the same again");
        assert_eq!(pieces.take(part(1, PART_BYTES as u32, PART_BYTES)), unasked, "longer than it may be");
        let refused = Frame::Refused { piece: 1, why: Refusal::NotForYou };
        assert_eq!(fresh().take(refused), Err(DirectError::Refused(Refusal::NotForYou)));
    }

    #[test]
    fn not_more_is_asked_for_than_may_be() {
        let mut pieces = Pieces::default();
        assert_eq!(pieces.ask(0, 0), Err(BadFrame::TooMuch));
        assert_eq!(pieces.ask(0, PIECE_BYTES + 1), Err(BadFrame::TooMuch));
        (0..ASKED as u32).for_each(|piece| drop(pieces.ask(piece, 10).unwrap()));
        assert!(!pieces.has_room());
        assert_eq!(pieces.ask(99, 10), Err(BadFrame::TooMuch));
    }
}
