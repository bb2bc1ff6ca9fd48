//! The ground the measurements stand on: stores on disk, devices, and several vaults in one store.

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

use keys::SigningKey;
use seal::{Candidate, Device, Vault, VaultError};
use store::{KeySource, MasterKey, Store, StoreError};

use crate::Failed;

/// When all of it happens, Unix seconds.
pub(crate) const NOW: i64 = 1_800_000_000;

/// Length of every text that is sealed.
pub(crate) const TEXT: [u8; 300] = [b'x'; 300];

/// Bytes of a credential as ours have them.
const CREDENTIAL: usize = 350;

/// A store in a folder of its own, which goes when this does.
pub(super) struct Ground {
    folder: PathBuf,
    pub(super) store: Store,
}

impl Ground {
    pub(super) fn new() -> Result<Self, Failed> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let folder = lab::root().join("target/bench-trust").join(name);
        let master = MasterKey::open(&folder, KeySource::Unprotected)?;
        let store = Store::open(&folder.join("parlance.db"), &master)?;
        Ok(Self { folder, store })
    }

    /// One transaction.
    pub(super) fn write<R>(&self, work: impl FnOnce(&store::Tx<'_>) -> Result<R, Failed>) -> Result<R, Failed> {
        self.store.write(|tx| work(tx).map_err(Undone)).map_err(|Undone(failed)| failed)
    }
}

impl Drop for Ground {
    fn drop(&mut self) {
        // What cannot be removed lies in the build folder and harms nobody.
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

/// Why a transaction was undone.
struct Undone(Failed);

impl From<StoreError> for Undone {
    fn from(error: StoreError) -> Self {
        Self(error.into())
    }
}

/// A device with a credential as large as a true one.
pub(crate) fn device() -> Device {
    Device::new(&SigningKey::generate(), vec![7; CREDENTIAL])
}

/// Everybody is who they say they are.
pub(crate) fn trusting() -> impl FnMut(&Candidate<'_>) -> Result<(), String> {
    |_: &Candidate<'_>| Ok(())
}

/// The vault of one of many who share a store.
pub(super) struct Of<'v> {
    pub(super) vault: &'v dyn Vault,
    pub(super) number: u32,
}

impl Of<'_> {
    fn key(&self, key: &[u8]) -> Vec<u8> {
        [&self.number.to_be_bytes(), key].concat()
    }
}

impl Vault for Of<'_> {
    fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, VaultError> {
        self.vault.get(table, &self.key(key))
    }

    fn put(&self, table: &str, key: &[u8], value: &[u8]) -> Result<(), VaultError> {
        self.vault.put(table, &self.key(key), value)
    }

    fn delete(&self, table: &str, key: &[u8]) -> Result<(), VaultError> {
        self.vault.delete(table, &self.key(key))
    }
}

/// An answer of ring, whose errors say nothing and are no errors of the standard library.
pub(super) fn ring<T, E: std::fmt::Debug>(answer: Result<T, E>) -> Result<T, Failed> {
    answer.map_err(|error| format!("{error:?}").into())
}

/// Milliseconds since `begun`.
pub(super) fn ms_since(begun: Instant) -> f64 {
    begun.elapsed().as_secs_f64() * 1000.0
}
