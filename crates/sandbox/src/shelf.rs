//! Where a guest keeps things between two starts.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

/// Why something could not be kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShelfError {
    /// The place behind the shelf failed.
    #[error("the storage failed: {0}")]
    Failed(String),
}

/// A shelf for one guest. The sandbox minds the quota; the shelf only keeps.
///
/// Called on the guest's own thread, so it may wait for a disk.
pub trait Shelf: Send + Sync {
    /// What stands under a key.
    fn get(&self, key: &str) -> Option<String>;
    /// Puts a value under a key.
    fn put(&self, key: &str, value: &str) -> Result<(), ShelfError>;
    /// Takes a key away.
    fn delete(&self, key: &str);
    /// All keys.
    fn keys(&self) -> Vec<String>;
    /// Bytes of all keys and values.
    fn used(&self) -> u64;
}

/// A shelf that is gone with the process.
#[derive(Default)]
pub struct MemoryShelf(Mutex<BTreeMap<String, String>>);

impl MemoryShelf {
    fn with<T>(&self, work: impl FnOnce(&mut BTreeMap<String, String>) -> T) -> T {
        work(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Shelf for MemoryShelf {
    fn get(&self, key: &str) -> Option<String> {
        self.with(|map| map.get(key).cloned())
    }

    fn put(&self, key: &str, value: &str) -> Result<(), ShelfError> {
        self.with(|map| map.insert(key.into(), value.into()));
        Ok(())
    }

    fn delete(&self, key: &str) {
        self.with(|map| map.remove(key));
    }

    fn keys(&self) -> Vec<String> {
        self.with(|map| map.keys().cloned().collect())
    }

    fn used(&self) -> u64 {
        self.with(|map| map.iter().map(|(key, value)| (key.len() + value.len()) as u64).sum())
    }
}
