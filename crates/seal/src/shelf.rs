//! Lays what openmls must remember on the shelves of a vault, as CBOR.

mod lines;

use std::cell::{Cell, RefCell};

use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::{Vault, VaultError, secrets};

/// The table of our key packages with their private halves.
pub(crate) const KEY_PACKAGES: &str = "key_package";

/// The keys of the messages of the present epoch.
const SECRETS: &str = "message_secrets";

/// The keys and members of past epochs, in pieces that fit into any vault, and how many pieces there are.
const PAST_SECRETS: &str = "past_message_secrets";
pub(crate) const PIECE: usize = if cfg!(test) { 32 * 1024 } else { 1024 * 1024 };

/// Under which name the private half of a key package is kept.
pub(crate) fn name_of_key_package(reference: &impl Serialize) -> Result<Vec<u8>, VaultError> {
    Ok(encode(KEY_PACKAGES, reference)?.to_vec())
}

/// A vault as openmls sees it.
pub(crate) struct Shelf<'v> {
    vault: &'v dyn Vault,
    hide_proposals: bool,
    puts_off: Cell<bool>,
    present_only: Cell<bool>,
    owes: Cell<bool>,
    failure: RefCell<Option<VaultError>>,
}

impl<'v> Shelf<'v> {
    pub(crate) fn new(vault: &'v dyn Vault) -> Self {
        Self {
            vault,
            hide_proposals: false,
            puts_off: Cell::new(false),
            present_only: Cell::new(false),
            owes: Cell::new(false),
            failure: RefCell::new(None),
        }
    }

    pub(crate) fn blind_to_proposals(vault: &'v dyn Vault) -> Self {
        Self { hide_proposals: true, ..Self::new(vault) }
    }

    /// From now on the keys of messages are written only when this is taken back: between two
    /// messages of one transaction nobody reads them, and to encode them costs more than a step.
    pub(crate) fn put_off(&self, puts_off: bool) {
        self.puts_off.set(puts_off);
    }

    /// Whether the keys of past epochs are as the vault has them, so that they need not be written again.
    pub(crate) fn present_only(&self, present_only: bool) {
        self.present_only.set(present_only);
    }

    /// Whether the last keys of messages are in memory only.
    pub(crate) fn owes(&self) -> bool {
        self.owes.get()
    }

    /// The first failure of the vault itself; openmls hides it in its own errors.
    pub(crate) fn take_failure(&self) -> Option<VaultError> {
        self.failure.borrow_mut().take()
    }

    fn write<K: Serialize, T: Serialize>(&self, table: &str, key: &K, value: &T) -> Result<(), VaultError> {
        let value = encode(table, value)?;
        self.noting(self.vault.put(table, &encode(table, key)?, &value))
    }

    fn read<K: Serialize, T: DeserializeOwned>(&self, table: &str, key: &K) -> Result<Option<T>, VaultError> {
        let Some(bytes) = self.noting(self.vault.get(table, &encode(table, key)?))? else {
            return Ok(None);
        };
        let bytes = Zeroizing::new(bytes);
        self.noting(ciborium::from_reader(bytes.as_slice()).map_err(|_| damaged(table))).map(Some)
    }

    fn delete<K: Serialize>(&self, table: &str, key: &K) -> Result<(), VaultError> {
        self.noting(self.vault.delete(table, &encode(table, key)?))
    }

    fn read_list<T: DeserializeOwned>(&self, table: &str, key: &impl Serialize) -> Result<Vec<T>, VaultError> {
        Ok(self.read(table, key)?.unwrap_or_default())
    }

    fn proposal_refs<T: DeserializeOwned>(&self, group: &impl Serialize) -> Result<Vec<T>, VaultError> {
        if self.hide_proposals { Ok(Vec::new()) } else { self.read_list("proposal_refs", group) }
    }

    fn append<T: Serialize>(&self, table: &str, key: &impl Serialize, item: &T) -> Result<(), VaultError> {
        let mut list: Vec<ciborium::Value> = self.read_list(table, key)?;
        list.push(to_value(table, item)?);
        self.write(table, key, &list)
    }

    fn remove_item<T: Serialize>(&self, table: &str, key: &impl Serialize, item: &T) -> Result<(), VaultError> {
        let gone = to_value(table, item)?;
        let mut list: Vec<ciborium::Value> = self.read_list(table, key)?;
        list.retain(|one| *one != gone);
        self.write(table, key, &list)
    }

    fn write_secrets(&self, group: &impl Serialize, keys: &impl Serialize) -> Result<(), VaultError> {
        let parts = self.noting(secrets::split(keys, self.present_only.get()).map_err(|_| damaged(SECRETS)))?;
        if let Some(past) = &parts.past {
            let pieces = past.chunks(PIECE);
            let count = pieces.len();
            for (at, piece) in pieces.enumerate() {
                self.noting(self.vault.put(PAST_SECRETS, &encode(PAST_SECRETS, &(group, at))?, piece))?;
            }
            for at in count..self.past_pieces(group)? {
                self.delete(PAST_SECRETS, &(group, at))?;
            }
            self.write(PAST_SECRETS, group, &count)?;
        }
        self.noting(self.vault.put(SECRETS, &encode(SECRETS, group)?, &parts.present))
    }

    fn read_secrets<T: DeserializeOwned>(&self, group: &impl Serialize) -> Result<Option<T>, VaultError> {
        let Some(present) = self.noting(self.vault.get(SECRETS, &encode(SECRETS, group)?))? else {
            return Ok(None);
        };
        let present = Zeroizing::new(present);
        let mut past = Zeroizing::new(Vec::new());
        for at in 0..self.past_pieces(group)? {
            let piece = self.noting(self.vault.get(PAST_SECRETS, &encode(PAST_SECRETS, &(group, at))?))?;
            past.extend(Zeroizing::new(self.noting(piece.ok_or_else(|| damaged(PAST_SECRETS)))?).iter());
        }
        let past = (!past.is_empty()).then_some(past.as_slice());
        let keys = secrets::join(&present, past).and_then(|whole| ciborium::from_reader(whole.as_slice()).ok());
        self.noting(keys.ok_or_else(|| damaged(SECRETS))).map(Some)
    }

    fn delete_past(&self, group: &impl Serialize) -> Result<(), VaultError> {
        for at in 0..self.past_pieces(group)? {
            self.delete(PAST_SECRETS, &(group, at))?;
        }
        self.delete(PAST_SECRETS, group)
    }

    fn past_pieces(&self, group: &impl Serialize) -> Result<usize, VaultError> {
        Ok(self.read(PAST_SECRETS, group)?.unwrap_or_default())
    }

    fn noting<T>(&self, result: Result<T, VaultError>) -> Result<T, VaultError> {
        if let Err(error) = &result {
            self.failure.borrow_mut().get_or_insert_with(|| error.clone());
        }
        result
    }
}

fn damaged(table: &str) -> VaultError {
    VaultError::Damaged { table: table.to_owned() }
}

fn encode<T: Serialize + ?Sized>(table: &str, value: &T) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let mut bytes = Zeroizing::new(Vec::new());
    ciborium::into_writer(value, &mut *bytes).map_err(|_| damaged(table))?;
    Ok(bytes)
}

fn to_value<T: Serialize>(table: &str, item: &T) -> Result<ciborium::Value, VaultError> {
    ciborium::Value::serialized(item).map_err(|_| damaged(table))
}
