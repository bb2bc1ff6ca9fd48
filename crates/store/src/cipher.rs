//! Seals the values of a table and hides the names they are looked up by.

use keys::{SealKey, hmac_sha256};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::{MasterKey, StoreError};

/// Largest value of one row, sealed or not.
pub(crate) const VALUE_LIMIT: usize = 4 * 1024 * 1024;

/// Which generation of keys sealed a value; its first byte.
const KEY_VERSION: u8 = 1;

/// A name that can be looked up but not read: HMAC-SHA256 of what it stands for.
pub(crate) type Blind = [u8; 32];

/// The keys of one table.
pub(crate) struct TableKey {
    name: &'static str,
    seal: SealKey,
    index: SealKey,
}

/// The keys of all tables.
pub(crate) struct Cipher {
    pub(crate) check: TableKey,
    pub(crate) record: TableKey,
    pub(crate) vault: TableKey,
    pub(crate) child: TableKey,
    pub(crate) outbox: TableKey,
    pub(crate) seen: TableKey,
}

impl Cipher {
    pub(crate) fn new(master: &MasterKey) -> Self {
        let key = master.key();
        let table = |name| TableKey::new(&key, name);
        let cipher = Self {
            check: table("check"),
            record: table("record"),
            vault: table("vault"),
            child: table("child"),
            outbox: table("outbox"),
            seen: table("seen"),
        };
        keys::wipe_stack();
        cipher
    }
}

impl TableKey {
    fn new(master: &SealKey, name: &'static str) -> Self {
        let derive = |use_: &str| master.derive(&format!("store/{name}/{use_}/v{KEY_VERSION}"));
        Self { name, seal: derive("seal"), index: derive("index") }
    }

    /// The blind name of `parts` in `column`.
    pub(crate) fn blind(&self, column: &str, parts: &[&[u8]]) -> Blind {
        let mut named = Zeroizing::new(Vec::new());
        for part in [column.as_bytes()].iter().chain(parts) {
            named.extend_from_slice(&(part.len() as u64).to_be_bytes());
            named.extend_from_slice(part);
        }
        hmac_sha256(self.index.as_bytes(), &named)
    }

    /// Seals bytes for one column of one row: moved elsewhere they do not open.
    pub(crate) fn seal(&self, column: &str, row: &[u8], plain: &[u8]) -> Result<Vec<u8>, StoreError> {
        if plain.len() > VALUE_LIMIT {
            return Err(StoreError::TooLarge);
        }
        let sealed = self.seal.seal(plain, &self.place(column, row)).map_err(|_| StoreError::TooLarge)?;
        Ok([&[KEY_VERSION], sealed.as_slice()].concat())
    }

    /// Opens what was sealed for this place.
    pub(crate) fn open(&self, column: &str, row: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, StoreError> {
        match sealed.split_first() {
            Some((&KEY_VERSION, sealed)) => {
                self.seal.open(sealed, &self.place(column, row)).map_err(|_| StoreError::damaged(self.name))
            }
            _ => Err(StoreError::damaged(self.name)),
        }
    }

    /// Seals a value as CBOR.
    pub(crate) fn seal_value<T: Serialize>(&self, column: &str, row: &[u8], value: &T) -> Result<Vec<u8>, StoreError> {
        let mut plain = Zeroizing::new(Vec::new());
        ciborium::into_writer(value, &mut *plain).map_err(|_| StoreError::Codec { place: self.name })?;
        self.seal(column, row, &plain)
    }

    /// Opens a value that was sealed as CBOR.
    pub(crate) fn open_value<T: DeserializeOwned>(
        &self,
        column: &str,
        row: &[u8],
        sealed: &[u8],
    ) -> Result<T, StoreError> {
        let plain = self.open(column, row, sealed)?;
        ciborium::from_reader(plain.as_slice()).map_err(|_| StoreError::Codec { place: self.name })
    }

    fn place(&self, column: &str, row: &[u8]) -> Vec<u8> {
        [self.name.as_bytes(), b"\0", column.as_bytes(), b"\0", row, &[KEY_VERSION]].concat()
    }
}
