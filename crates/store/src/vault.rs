//! Gives the groups their vault: sealed rows under blind names, in the caller's transaction.

use rusqlite::{OptionalExtension, params};
use seal::{GroupId, Kept, Vault, VaultError};

use crate::{StoreError, Tx};

impl Vault for Tx<'_> {
    fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, VaultError> {
        Ok(self.vault_get(table, key)?)
    }

    fn put(&self, table: &str, key: &[u8], value: &[u8]) -> Result<(), VaultError> {
        Ok(self.vault_put(table, key, value)?)
    }

    fn delete(&self, table: &str, key: &[u8]) -> Result<(), VaultError> {
        Ok(self.vault_delete(table, key)?)
    }

    fn hold(&self, group: Kept) {
        if self.writes {
            self.memo.hold(group);
        }
    }

    fn take_held(&self, group: &GroupId) -> Option<Kept> {
        self.memo.take_held(group)
    }
}

impl Tx<'_> {
    fn vault_get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        let name = self.vault_name(table, key);
        let sealed: Option<Vec<u8>> = self
            .db
            .prepare_cached("SELECT sealed FROM vault WHERE name = ?1")?
            .query_row([name], |row| row.get(0))
            .optional()?;
        sealed.map(|sealed| Ok(self.cipher.vault.open("sealed", &name, &sealed)?.to_vec())).transpose()
    }

    fn vault_put(&self, table: &str, key: &[u8], value: &[u8]) -> Result<(), StoreError> {
        self.writable()?;
        self.memo.let_go();
        let name = self.vault_name(table, key);
        let sealed = self.cipher.vault.seal("sealed", &name, value)?;
        self.db
            .prepare_cached(
                "INSERT INTO vault (name, sealed) VALUES (?1, ?2)
                 ON CONFLICT (name) DO UPDATE SET sealed = excluded.sealed",
            )?
            .execute(params![name, sealed])?;
        Ok(())
    }

    fn vault_delete(&self, table: &str, key: &[u8]) -> Result<(), StoreError> {
        self.writable()?;
        self.memo.let_go();
        self.db.prepare_cached("DELETE FROM vault WHERE name = ?1")?.execute([self.vault_name(table, key)])?;
        Ok(())
    }

    fn vault_name(&self, table: &str, key: &[u8]) -> [u8; 32] {
        self.cipher.vault.blind("name", &[table.as_bytes(), key])
    }
}
