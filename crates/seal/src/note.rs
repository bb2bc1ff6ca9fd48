//! What a committer lets travel with a commit: authenticated by MLS, and sealed here.
//!
//! MLS sends the authenticated data of a sealed message in the clear. Chain heads and entries of
//! chains are not for nodes to read, so they are sealed for the members of the epoch the commit
//! ends, and padded.

use keys::SealKey;
use openmls::prelude::MlsGroup;
use openmls_rust_crypto::RustCrypto;
use zeroize::Zeroizing;

use crate::config::{AAD_LIMIT, PADDING};

/// What the sealing key of an epoch is derived for.
const LABEL: &str = "parlance-commit-note";

/// Bytes before the text: its length.
const HEAD: usize = 2;

/// Seals a note for the members of the present epoch; an empty one stays empty.
pub(crate) fn seal(crypto: &RustCrypto, group: &MlsGroup, note: &[u8]) -> Result<Vec<u8>, String> {
    if note.is_empty() {
        return Ok(Vec::new());
    }
    let length = u16::try_from(note.len()).ok().filter(|_| note.len() <= AAD_LIMIT);
    let length = length.ok_or_else(|| "the note is too large".to_owned())?;
    let whole = (HEAD + note.len()).next_multiple_of(PADDING);
    let mut padded = Zeroizing::new(Vec::with_capacity(whole));
    padded.extend_from_slice(&length.to_be_bytes());
    padded.extend_from_slice(note);
    padded.resize(whole, 0);
    key(crypto, group)?.seal(&padded, LABEL.as_bytes()).map_err(|error| error.to_string())
}

/// Opens the note of a commit that ends the present epoch.
pub(crate) fn open(crypto: &RustCrypto, group: &MlsGroup, sealed: &[u8]) -> Result<Vec<u8>, String> {
    if sealed.is_empty() {
        return Ok(Vec::new());
    }
    let padded = key(crypto, group)?.open(sealed, LABEL.as_bytes()).map_err(|error| error.to_string())?;
    let bad = || "its note is malformed".to_owned();
    let (head, rest) = padded.split_first_chunk::<HEAD>().ok_or_else(bad)?;
    let length = usize::from(u16::from_be_bytes(*head));
    if length > AAD_LIMIT {
        return Err(bad());
    }
    rest.get(..length).map(<[u8]>::to_vec).ok_or_else(bad)
}

fn key(crypto: &RustCrypto, group: &MlsGroup) -> Result<SealKey, String> {
    let secret = group.export_secret(crypto, LABEL, b"", 32).map(Zeroizing::new).map_err(|error| error.to_string())?;
    let bytes: &[u8; 32] = secret.as_slice().try_into().map_err(|_| "the key is of another size".to_owned())?;
    Ok(SealKey::from_bytes(bytes))
}
