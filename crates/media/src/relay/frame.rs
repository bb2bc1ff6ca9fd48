//! Finds the messages of TURN in a stream (RFC 8656, section 12.5; RFC 8489, section 7.2.2).

use bytes::{Buf, Bytes, BytesMut};

/// The header of a STUN message.
const STUN_HEADER: usize = 20;
/// The header of a ChannelData message.
const CHANNEL_HEADER: usize = 4;

/// The stream is not one of TURN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("this is no stream of TURN messages")]
pub struct FrameError;

/// Cuts a stream into messages. No message is longer than its 16-bit length says, so no more than
/// that is ever kept.
#[derive(Debug, Default)]
pub struct Deframer {
    buffer: BytesMut,
}

impl Deframer {
    /// Where the next bytes of the stream belong.
    pub fn buffer(&mut self) -> &mut BytesMut {
        &mut self.buffer
    }

    /// The next whole message, as it would stand in a datagram (RFC 8656: without padding).
    pub fn next_message(&mut self) -> Result<Option<Bytes>, FrameError> {
        let Some(head) = self.buffer.first_chunk::<4>() else {
            return Ok(None);
        };
        let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
        let (message, padded) = match head[0] >> 6 {
            0b00 if length % 4 == 0 => (STUN_HEADER + length, STUN_HEADER + length),
            0b01 => (CHANNEL_HEADER + length, CHANNEL_HEADER + length.next_multiple_of(4)),
            _ => return Err(FrameError),
        };
        if self.buffer.len() < padded {
            return Ok(None);
        }
        let found = self.buffer.split_to(message).freeze();
        self.buffer.advance(padded - message);
        Ok(Some(found))
    }
}

/// The zeros that follow a message of this length in a stream.
pub(crate) fn padding(message: &[u8]) -> &'static [u8] {
    // A STUN message is a multiple of four anyway.
    &[0; 3][..message.len().next_multiple_of(4) - message.len()]
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn stun(body: usize) -> Vec<u8> {
        let mut message = vec![0x00, 0x01];
        message.extend((body as u16).to_be_bytes());
        message.resize(STUN_HEADER + body, 7);
        message
    }

    fn channel(body: usize) -> Vec<u8> {
        let mut message = vec![0x40, 0x00];
        message.extend((body as u16).to_be_bytes());
        message.resize(CHANNEL_HEADER + body, 9);
        message
    }

    fn stream(messages: &[Vec<u8>]) -> Vec<u8> {
        messages.iter().flat_map(|message| [message.as_slice(), padding(message)].concat()).collect()
    }

    #[test]
    fn a_stream_of_another_protocol_is_left() {
        for text in ["HTTP/1.1 400 Bad Request\r\n\r\n", "\u{3}\u{0}\u{0}\u{1}", "\u{0}\u{1}\u{0}\u{3}....."] {
            let mut deframer = Deframer::default();
            deframer.buffer().extend_from_slice(text.as_bytes());
            // "HT" looks like the number of a channel; what follows cannot be told apart from data.
            let outcome = deframer.next_message();
            assert!(outcome == Err(FrameError) || outcome == Ok(None), "{text:?}");
        }
        let mut deframer = Deframer::default();
        deframer.buffer().extend_from_slice(&[0x80, 0, 0, 0]);
        assert_eq!(deframer.next_message(), Err(FrameError));
    }

    proptest! {
        #[test]
        fn messages_come_out_as_they_went_in_however_the_stream_is_cut(
            sizes in prop::collection::vec((any::<bool>(), 0usize..300), 1..20),
            cut in 1usize..50,
        ) {
            let messages: Vec<_> = sizes.into_iter()
                .map(|(is_stun, size)| if is_stun { stun(size * 4) } else { channel(size) })
                .collect();
            let mut deframer = Deframer::default();
            let mut found = Vec::new();
            for piece in stream(&messages).chunks(cut) {
                deframer.buffer().extend_from_slice(piece);
                while let Some(message) = deframer.next_message().unwrap() {
                    found.push(message.to_vec());
                }
            }
            prop_assert_eq!(found, messages);
            prop_assert!(deframer.buffer().is_empty());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
            let mut deframer = Deframer::default();
            deframer.buffer().extend_from_slice(&bytes);
            while let Ok(Some(message)) = deframer.next_message() {
                prop_assert!(message.len() >= CHANNEL_HEADER);
            }
        }
    }
}
