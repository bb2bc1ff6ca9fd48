//! One transaction: everything in it is kept together or not at all.

use rusqlite::Connection;

use crate::StoreError;
use crate::cipher::Cipher;
use crate::memo::Memo;

/// An open transaction of a [`crate::Store`]; also the [`seal::Vault`] of its groups.
pub struct Tx<'a> {
    pub(crate) db: &'a Connection,
    pub(crate) cipher: &'a Cipher,
    /// What is known of its records.
    pub(crate) memo: &'a Memo,
    pub(crate) writes: bool,
}

impl Tx<'_> {
    /// Does a part of the transaction that is undone alone if it fails; the rest is kept or lost with the whole.
    pub fn part<R, E: From<StoreError>>(&self, work: impl FnOnce() -> Result<R, E>) -> Result<R, E> {
        self.run("SAVEPOINT part")?;
        let mark = self.memo.mark();
        match work() {
            Ok(done) => {
                self.run("RELEASE part")?;
                Ok(done)
            }
            Err(error) => {
                self.memo.back_to(mark);
                self.run("ROLLBACK TO part")?;
                self.run("RELEASE part")?;
                Err(error)
            }
        }
    }

    fn run(&self, statement: &str) -> Result<(), StoreError> {
        self.db.prepare_cached(statement)?.execute([])?;
        Ok(())
    }

    /// Everything that changes a row asks this first.
    pub(crate) fn writable(&self) -> Result<(), StoreError> {
        if self.writes { Ok(()) } else { Err(StoreError::ReadOnly) }
    }
}

impl std::fmt::Debug for Tx<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Tx(…)")
    }
}
