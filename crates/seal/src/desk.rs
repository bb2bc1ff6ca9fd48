//! Collects what an operation writes and lays it into the vault once, at its end.
//!
//! openmls writes with every step it takes. Here a value that changes ten times is sealed and
//! written once, and an operation that fails has written nothing.

use std::cell::RefCell;

use zeroize::Zeroizing;

use crate::{Vault, VaultError};

/// A vault that is written to when all is done.
pub(crate) struct Desk<'v> {
    vault: &'v dyn Vault,
    log: RefCell<Log>,
}

/// What was written, oldest first; the last entry for a key counts.
#[derive(Default)]
struct Log {
    entries: Vec<Entry>,
    /// Entries before this one can be returned to and are not touched.
    mark: usize,
}

/// A value as it was at some moment.
pub(crate) struct Before {
    pub(crate) table: String,
    pub(crate) key: Vec<u8>,
    /// `None` was not there.
    pub(crate) value: Option<Zeroizing<Vec<u8>>>,
}

struct Entry {
    table: String,
    key: Vec<u8>,
    /// `None` is forgotten.
    value: Option<Zeroizing<Vec<u8>>>,
}

impl Entry {
    fn is_for(&self, table: &str, key: &[u8]) -> bool {
        self.key == key && self.table == table
    }
}

/// Does `work` on a desk, and keeps what it wrote if it succeeds.
pub(crate) fn at_once<T, E: From<VaultError>>(
    vault: &dyn Vault,
    work: impl FnOnce(&Desk<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let desk = Desk::new(vault);
    let done = work(&desk)?;
    desk.keep()?;
    Ok(done)
}

impl<'v> Desk<'v> {
    pub(crate) fn new(vault: &'v dyn Vault) -> Self {
        Self { vault, log: RefCell::default() }
    }

    /// A point to come back to.
    pub(crate) fn mark(&self) -> usize {
        let mut log = self.log.borrow_mut();
        log.mark = log.entries.len();
        log.mark
    }

    /// Undoes what was written since `mark`.
    pub(crate) fn back_to(&self, mark: usize) {
        let mut log = self.log.borrow_mut();
        log.entries.truncate(mark);
        log.mark = mark;
    }

    /// How everything that was written since `mark` was before it.
    pub(crate) fn before(&self, mark: usize) -> Result<Vec<Before>, VaultError> {
        let log = self.log.borrow();
        let (earlier, since) = log.entries.split_at(mark.min(log.entries.len()));
        let mut all: Vec<Before> = Vec::new();
        for Entry { table, key, .. } in since {
            if all.iter().any(|one| one.table == *table && one.key == *key) {
                continue;
            }
            let value = match earlier.iter().rev().find(|entry| entry.is_for(table, key)) {
                Some(entry) => entry.value.clone(),
                None => self.vault.get(table, key)?.map(Zeroizing::new),
            };
            all.push(Before { table: table.clone(), key: key.clone(), value });
        }
        Ok(all)
    }

    /// Lays everything into the vault.
    pub(crate) fn keep(self) -> Result<(), VaultError> {
        let entries = self.log.into_inner().entries;
        for (at, entry) in entries.iter().enumerate() {
            if entries.iter().skip(at + 1).any(|later| later.is_for(&entry.table, &entry.key)) {
                continue;
            }
            match &entry.value {
                Some(value) => self.vault.put(&entry.table, &entry.key, value)?,
                None => self.vault.delete(&entry.table, &entry.key)?,
            }
        }
        Ok(())
    }

    fn note(&self, table: &str, key: &[u8], value: Option<Zeroizing<Vec<u8>>>) {
        let mut log = self.log.borrow_mut();
        let mark = log.mark;
        match log.entries.iter_mut().skip(mark).find(|entry| entry.is_for(table, key)) {
            Some(entry) => entry.value = value,
            None => log.entries.push(Entry { table: table.to_owned(), key: key.to_vec(), value }),
        }
    }
}

impl Vault for Desk<'_> {
    fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, VaultError> {
        match self.log.borrow().entries.iter().rev().find(|entry| entry.is_for(table, key)) {
            Some(entry) => Ok(entry.value.as_ref().map(|value| value.to_vec())),
            None => self.vault.get(table, key),
        }
    }

    fn put(&self, table: &str, key: &[u8], value: &[u8]) -> Result<(), VaultError> {
        self.note(table, key, Some(Zeroizing::new(value.to_vec())));
        Ok(())
    }

    fn delete(&self, table: &str, key: &[u8]) -> Result<(), VaultError> {
        self.note(table, key, None);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::MemoryVault;

    #[test]
    fn what_changes_often_is_written_once_and_what_fails_never() {
        let vault = MemoryVault::new();
        vault.put("t", b"gone", b"x").unwrap();
        let desk = Desk::new(&vault);
        desk.put("t", b"a", b"1").unwrap();
        desk.delete("t", b"gone").unwrap();
        let mark = desk.mark();
        desk.put("t", b"a", b"2").unwrap();
        desk.put("t", b"b", b"2").unwrap();
        assert_eq!(desk.get("t", b"a").unwrap().unwrap(), b"2");
        desk.back_to(mark);
        assert_eq!(desk.get("t", b"a").unwrap().unwrap(), b"1");
        assert_eq!((desk.get("t", b"gone").unwrap(), vault.len()), (None, 1));
        desk.put("t", b"a", b"3").unwrap();
        desk.keep().unwrap();
        assert_eq!(vault.get("t", b"a").unwrap().unwrap(), b"3");
        assert_eq!((vault.get("t", b"gone").unwrap(), vault.len()), (None, 1));
        let failed: Result<(), VaultError> = at_once(&vault, |desk| {
            desk.put("t", b"a", b"4")?;
            Err(VaultError::Failed("elsewhere".into()))
        });
        assert!(failed.is_err() && vault.get("t", b"a").unwrap().unwrap() == b"3");
    }
}
