//! What travels as `sealed`: an MLS message, and before it what its sender says of its epoch, if it can say something.
//! Or several of these for one inbox, in their order.
//!
//! A Node takes a body with nothing beside `sealed`, and sees one piece of bytes.

/// Begins a parcel; an MLS message begins with its version, 0 and 1 (RFC 9420, section 6).
const MARK: u8 = 0xF7;

/// Begins several parcels that travel together, each after its length.
const MANY: u8 = 0xF8;

/// Parcels that travel together.
pub const TOGETHER_LIMIT: usize = 64;

/// Why bytes that begin like several parcels are none: a length that is wrong, an empty one, or too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("these are no parcels")]
pub struct NoParcels;

/// Several parcels as one piece; one alone is left as it is.
pub fn join(parcels: &[Vec<u8>]) -> Vec<u8> {
    if let [one] = parcels {
        return one.clone();
    }
    let mut joined = vec![MANY];
    for parcel in parcels {
        // A message is far smaller than 4 GiB.
        joined.extend_from_slice(&(parcel.len() as u32).to_be_bytes());
        joined.extend_from_slice(parcel);
    }
    joined
}

/// The parcels in what arrived.
pub fn split(bytes: &[u8]) -> Result<Vec<&[u8]>, NoParcels> {
    let Some(mut rest) = bytes.strip_prefix(&[MANY]) else { return Ok(vec![bytes]) };
    let mut parcels = Vec::new();
    while !rest.is_empty() {
        let (length, after) = rest.split_first_chunk::<4>().ok_or(NoParcels)?;
        let (parcel, after) = after.split_at_checked(u32::from_be_bytes(*length) as usize).ok_or(NoParcels)?;
        if parcel.is_empty() || parcels.len() == TOGETHER_LIMIT {
            return Err(NoParcels);
        }
        parcels.push(parcel);
        rest = after;
    }
    if parcels.is_empty() { Err(NoParcels) } else { Ok(parcels) }
}

/// The bytes that travel.
pub fn pack(sealed: &[u8], said: Option<&[u8]>) -> Vec<u8> {
    match said.and_then(|said| Some((said, u16::try_from(said.len()).ok()?))) {
        Some((said, length)) => [&[MARK], length.to_be_bytes().as_slice(), said, sealed].concat(),
        None => sealed.to_vec(),
    }
}

/// The MLS message, and what was said before it. What is no parcel is taken for a message.
pub fn unpack(bytes: &[u8]) -> (&[u8], Option<&[u8]>) {
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

    #[test]
    fn parcels_that_travel_together_come_apart_as_they_were_and_everything_else_is_refused() {
        let parcels: Vec<Vec<u8>> =
            (1..=TOGETHER_LIMIT as u8).map(|number| vec![number; usize::from(number)]).collect();
        for count in [1, 2, TOGETHER_LIMIT] {
            assert_eq!(split(&join(&parcels[..count])).unwrap(), parcels[..count]);
        }
        let mut many = parcels.clone();
        many.push(vec![1]);
        let short = [MANY, 0, 0, 0, 9, 1];
        for bad in [join(&many).as_slice(), &[MANY], &[MANY, 0, 0], &[MANY, 0, 0, 0, 0], &short] {
            assert_eq!(split(bad), Err(NoParcels));
        }
    }
}
