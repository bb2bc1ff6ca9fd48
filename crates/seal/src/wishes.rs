//! Keeps, for the Reporter, the sealed proposals of observers exactly as they came.

use crate::{GroupId, Vault, VaultError};

const TABLE: &str = "wishes";

/// Keeps one more.
pub(crate) fn add(vault: &dyn Vault, group: &[u8], sealed: &[u8]) -> Result<(), VaultError> {
    let mut all = read(vault, group)?;
    all.push(sealed.to_vec());
    let mut bytes = Vec::new();
    ciborium::into_writer(&all, &mut bytes).map_err(|_| damaged())?;
    vault.put(TABLE, group, &bytes)
}

/// Gives all back and forgets them.
pub(crate) fn take(vault: &dyn Vault, group: &[u8]) -> Result<Vec<Vec<u8>>, VaultError> {
    let all = read(vault, group)?;
    vault.delete(TABLE, group)?;
    Ok(all)
}

fn read(vault: &dyn Vault, group: &[u8]) -> Result<Vec<Vec<u8>>, VaultError> {
    match vault.get(TABLE, group)? {
        Some(bytes) => ciborium::from_reader(bytes.as_slice()).map_err(|_| damaged()),
        None => Ok(Vec::new()),
    }
}

fn damaged() -> VaultError {
    VaultError::Damaged { table: TABLE.to_owned() }
}

/// Whether somebody asked the holder of the lease for something that is not granted yet.
pub fn has_wishes(vault: &dyn Vault, group: &GroupId) -> Result<bool, VaultError> {
    Ok(!read(vault, group.as_bytes())?.is_empty())
}
