//! Writes and reads the frames that cross into and out of the engine.
//!
//! A frame is `[length: u32 LE][kind: u8][payload]`; a crossing carries many.

/// What a frame holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A message as text (`Message::to_frame`).
    Message,
    /// A header in JSON, a line break, and bytes.
    Control,
    /// Nothing: a deadline of the guest has come.
    Tick,
    /// 32 random bytes, the heap limit and the stack limit.
    Seed,
}

impl Kind {
    fn code(self) -> u8 {
        match self {
            Self::Message => b'm',
            Self::Control => b'c',
            Self::Tick => b't',
            Self::Seed => b's',
        }
    }
}

const HEAD: usize = 5;

/// Appends a frame whose payload comes in parts.
pub fn write(batch: &mut Vec<u8>, kind: Kind, parts: &[&[u8]]) {
    let length: usize = parts.iter().map(|part| part.len()).sum();
    let length = u32::try_from(length).expect("payloads are bounded far below 4 GiB");
    batch.extend_from_slice(&length.to_le_bytes());
    batch.push(kind.code());
    for part in parts {
        batch.extend_from_slice(part);
    }
}

/// A frame that a guest wrote; anything may stand in it.
#[derive(Debug, PartialEq, Eq)]
pub enum Frame<'a> {
    /// Perhaps a message.
    Message(&'a [u8]),
    /// Perhaps a call to the host: header and bytes.
    Control(&'a [u8], &'a [u8]),
    /// Neither.
    Unknown,
}

/// Reads the frames of a batch; stops at the first one that is cut short.
pub fn read(mut batch: &[u8]) -> impl Iterator<Item = Frame<'_>> {
    std::iter::from_fn(move || {
        let (head, rest) = batch.split_at_checked(HEAD)?;
        let length = u32::from_le_bytes([head[0], head[1], head[2], head[3]]);
        let (payload, rest) = rest.split_at_checked(length as usize)?;
        batch = rest;
        Some(match head[4] {
            b'm' => Frame::Message(payload),
            b'c' => control(payload),
            _ => Frame::Unknown,
        })
    })
}

fn control(payload: &[u8]) -> Frame<'_> {
    match payload.iter().position(|&byte| byte == b'\n') {
        Some(end) => Frame::Control(&payload[..end], &payload[end + 1..]),
        None => Frame::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn many_frames_cross_at_once() {
        let mut batch = Vec::new();
        write(&mut batch, Kind::Message, &[b"1\n", b"create"]);
        write(&mut batch, Kind::Control, &[b"{}", b"\n", b"a\nb"]);
        write(&mut batch, Kind::Tick, &[]);
        let frames: Vec<_> = read(&batch).collect();
        assert_eq!(frames, [Frame::Message(b"1\ncreate"), Frame::Control(b"{}", b"a\nb"), Frame::Unknown]);
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert!(read(&bytes).count() <= bytes.len() / HEAD);
        }
    }
}
