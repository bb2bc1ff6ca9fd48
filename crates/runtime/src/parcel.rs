//! What travels as `sealed`: an MLS message, and before it what its sender says of its epoch, if it can say something.
//!
//! A Node takes a body with nothing beside `sealed`, and sees one piece of bytes.

/// Begins a parcel; an MLS message begins with its version, 0 and 1 (RFC 9420, section 6).
const MARK: u8 = 0xF7;

/// The bytes that travel.
pub(crate) fn pack(sealed: &[u8], said: Option<&[u8]>) -> Vec<u8> {
    match said.and_then(|said| Some((said, u16::try_from(said.len()).ok()?))) {
        Some((said, length)) => [&[MARK], length.to_be_bytes().as_slice(), said, sealed].concat(),
        None => sealed.to_vec(),
    }
}

/// The MLS message, and what was said before it. What is no parcel is taken for a message.
pub(crate) fn unpack(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
    let parts = || {
        let (length, rest) = bytes.strip_prefix(&[MARK])?.split_first_chunk::<2>()?;
        let (said, sealed) = rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))?;
        Some((sealed, Some(said)))
    };
    parts().unwrap_or((bytes, None))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_parcel_opens_as_it_was_packed_and_everything_else_is_left_as_it_is() {
        for said in [None, Some(b"".as_slice()), Some(b"here".as_slice())] {
            assert_eq!(unpack(&pack(b"\0\x01sealed", said)), (b"\0\x01sealed".as_slice(), said));
        }
        for other in [b"".as_slice(), &[MARK], &[MARK, 0], &[MARK, 0, 9, 1], b"\0\x01"] {
            assert_eq!(unpack(other), (other, None));
        }
        assert_eq!(pack(b"x", Some(&vec![0; 70_000])), b"x");
    }
}
