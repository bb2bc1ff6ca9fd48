//! Where the state of the groups is kept: a table of bytes by key.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use zeroize::Zeroizing;

use crate::{GroupId, Kept};

/// Keeps what MLS must remember. In the app it is one open database transaction.
///
/// Values are secret key material: an implementation seals them before they touch a disk, and
/// does not keep `key` in the clear either, since it may hold the address of an object.
pub trait Vault {
    /// The value under `key`, if there is one.
    fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, VaultError>;
    /// Keeps `value` under `key`, in place of what was there.
    fn put(&self, table: &str, key: &[u8], value: &[u8]) -> Result<(), VaultError>;
    /// Forgets what is under `key`; nothing there is no error.
    fn delete(&self, table: &str, key: &[u8]) -> Result<(), VaultError>;

    /// Holds a group in memory while its state is here, since to read it anew takes longer than to open a message.
    ///
    /// Whoever holds one lets go of it when anything is put or deleted, and when a change is undone. To hold none is
    /// as good, and slower.
    fn hold(&self, _group: Kept) {}

    /// Gives back the group that is held, if it is this one.
    fn take_held(&self, _group: &GroupId) -> Option<Kept> {
        None
    }
}

/// Why the vault could not keep or give something. Carries no key and no value.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The storage below failed.
    #[error("the vault failed: {0}")]
    Failed(String),
    /// What is stored does not read as what it should be.
    #[error("what is stored in {table} is damaged")]
    Damaged {
        /// The table it is in.
        table: String,
    },
}

/// Values by table and key; wiped when dropped.
type Values = HashMap<(String, Vec<u8>), Zeroizing<Vec<u8>>>;

/// A vault in memory, for tests and for identities that shall leave nothing behind.
#[derive(Default)]
pub struct MemoryVault(Mutex<Values>);

impl MemoryVault {
    /// An empty vault.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many values it holds.
    pub fn len(&self) -> usize {
        self.values().len()
    }

    /// Whether it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A copy of everything, as a transaction that can be thrown away or a disk image.
    pub fn snapshot(&self) -> Self {
        Self(Mutex::new(self.values().clone()))
    }

    fn values(&self) -> std::sync::MutexGuard<'_, Values> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Vault for MemoryVault {
    fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, VaultError> {
        Ok(self.values().get(&(table.to_owned(), key.to_vec())).map(|value| value.to_vec()))
    }

    fn put(&self, table: &str, key: &[u8], value: &[u8]) -> Result<(), VaultError> {
        self.values().insert((table.to_owned(), key.to_vec()), Zeroizing::new(value.to_vec()));
        Ok(())
    }

    fn delete(&self, table: &str, key: &[u8]) -> Result<(), VaultError> {
        self.values().remove(&(table.to_owned(), key.to_vec()));
        Ok(())
    }
}

impl fmt::Debug for MemoryVault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "MemoryVault({} values)", self.len())
    }
}
