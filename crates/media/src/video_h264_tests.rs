//! Packets of H.264, honest and hostile.

use proptest::prelude::*;

use super::*;

const IDR: &[u8] = &[0x65, 0x88, 1, 2, 3];
const DELTA: &[u8] = &[0x41, 0x9a, 1, 2, 3];

fn frame(units: &[&[u8]]) -> Vec<u8> {
    units.iter().flat_map(|unit| START.iter().chain(*unit)).copied().collect()
}

fn read(payload: &[u8]) -> Result<Piece, PieceError> {
    piece(&Bytes::copy_from_slice(payload))
}

#[test]
fn single_units_aggregates_and_fragments_become_units_again() {
    let whole = |unit: &[u8]| Ok(Piece { begins: true, key: false, data: frame(&[unit]).into() });
    // A key frame is one that has its parameters with it.
    assert_eq!(read(IDR), whole(IDR));
    assert_eq!(read(DELTA), whole(DELTA));
    // The second slice of a picture.
    assert!(!read(&[0x41, 0x1a, 1]).unwrap().begins);
    let (set, pictures) = ([0x67, 0x42, 0xc0, 0x1f], [0x68, 0xce]);
    let mut together = vec![0x78];
    for unit in [&set[..], &pictures] {
        together.extend((unit.len() as u16).to_be_bytes());
        together.extend(unit);
    }
    assert_eq!(read(&together), Ok(Piece { begins: true, key: true, data: frame(&[&set, &pictures]).into() }));
    let parts = [&[0x7c, 0x85, 0x88, 1][..], &[0x7c, 0x05, 2], &[0x7c, 0x45, 3]].map(|part| read(part).unwrap());
    assert_eq!(parts.each_ref().map(|part| (part.begins, part.key)), [(true, false), (false, false), (false, false)]);
    assert_eq!(parts.map(|part| part.data).concat(), frame(&[IDR]));
}

#[test]
fn packets_that_end_too_soon_or_were_not_agreed_on_are_refused() {
    for (payload, why) in [
        (&[][..], PieceError::Short),
        (&[0x78], PieceError::Short),
        (&[0x78, 0], PieceError::Short),
        (&[0x78, 0, 2, 0x41, 0x9a, 0], PieceError::Short),
        (&[0x78, 0, 3, 0x41, 0x9a], PieceError::Short),
        (&[0x78, 0, 0], PieceError::Short),
        (&[0x78, 0, 3, 0x7c, 0x85, 1], PieceError::Kind),
        (&[0x7c], PieceError::Short),
        (&[0x7c, 0x85], PieceError::Short),
        (&[0x7c, 0x9c, 1], PieceError::Kind),
        (&[0x7c, 0xc5, 1], PieceError::Kind),
        (&[0x79, 0, 0, 1], PieceError::Kind),
        (&[0x7d, 0x85, 1], PieceError::Kind),
        (&[0x40, 1], PieceError::Kind),
        (&[0xe1, 1], PieceError::Kind),
    ] {
        assert_eq!(read(payload), Err(why), "{payload:x?}");
    }
}

proptest! {
    #[test]
    fn any_bytes_are_read_without_harm(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(piece) = read(&bytes) {
            prop_assert!(!piece.data.is_empty() && piece.data.len() <= 2 * bytes.len() + START.len());
            prop_assert!(piece.begins || !piece.key);
        }
    }
}
