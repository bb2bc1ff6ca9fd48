//! Keeps things for a guest, within its quota.

use std::sync::Arc;

use serde_json::Value;

use crate::control::CallError;
use crate::shelf::Shelf;

/// Longest key.
const KEY_LIMIT: usize = 512;

/// A guest's shelf and its quota.
pub struct Storage {
    shelf: Arc<dyn Shelf>,
    quota: u64,
}

impl Storage {
    /// A shelf of so many bytes.
    pub fn new(shelf: Arc<dyn Shelf>, quota: u64) -> Self {
        Self { shelf, quota }
    }

    fn granted(&self) -> Result<(), CallError> {
        if self.quota > 0 { Ok(()) } else { Err(CallError::new("NotAllowedError", "storage is not granted")) }
    }

    /// What stands under a key, or null.
    pub fn get(&self, key: &str) -> Result<Value, CallError> {
        self.granted()?;
        Ok(self.shelf.get(key).map_or(Value::Null, Value::String))
    }

    /// Puts a value under a key.
    pub fn set(&self, key: &str, value: &str) -> Result<Value, CallError> {
        self.granted()?;
        let before = self.shelf.get(key).map_or(0, |old| key.len() + old.len()) as u64;
        let after = self.shelf.used().saturating_sub(before) + (key.len() + value.len()) as u64;
        if key.len() > KEY_LIMIT || after > self.quota {
            return Err(CallError::new("QuotaExceededError", format!("at most {} bytes are granted", self.quota)));
        }
        self.shelf
            .put(key, value)
            .map(|()| Value::Null)
            .map_err(|error| CallError::new("UnknownError", error.to_string()))
    }

    /// Takes a key away.
    pub fn delete(&self, key: &str) -> Result<Value, CallError> {
        self.granted()?;
        self.shelf.delete(key);
        Ok(Value::Null)
    }

    /// All keys.
    pub fn keys(&self) -> Result<Value, CallError> {
        self.granted()?;
        Ok(self.shelf.keys().into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::shelf::MemoryShelf;

    #[test]
    fn a_shelf_holds_what_was_granted_and_no_more() {
        let storage = Storage::new(Arc::new(MemoryShelf::default()), 10);
        storage.set("key", "1234567").unwrap();
        storage.set("key", "7654321").unwrap();
        assert_eq!(storage.set("k", "").unwrap_err().name, "QuotaExceededError");
        assert_eq!(storage.get("key").unwrap(), "7654321");
        storage.delete("key").unwrap();
        storage.set("k", "").unwrap();
    }

    #[test]
    fn without_a_grant_there_is_no_shelf() {
        let storage = Storage::new(Arc::new(MemoryShelf::default()), 0);
        assert_eq!(storage.get("key").unwrap_err().name, "NotAllowedError");
    }
}
