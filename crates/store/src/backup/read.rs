//! Restores a backup into an empty store.

use std::io::Read;
use std::ops::ControlFlow;

use keys::recovery::RecoveryWords;

use super::format::Entry;
use super::frame::Reader;
use super::write::tell;
use super::{BackupError, BackupProgress, BackupSummary};
use crate::{ChildRow, StoreError, Tx};

/// The tables that must be empty.
const TABLES: [&str; 4] = ["record", "child", "outbox", "vault"];

impl Tx<'_> {
    /// Restores a backup into this store, which must be empty. Records of kinds that are not in
    /// `kinds` are left out and counted.
    ///
    /// Runs in the caller's transaction, so that what the app adds (a new device key) is kept
    /// together with it: **on an error return it**, and nothing of it stays. The states of the
    /// children are restored as they were; a queued one has no row in the outbox.
    pub fn restore(
        &self,
        input: &mut dyn Read,
        words: &RecoveryWords,
        kinds: &[&str],
        progress: &mut dyn FnMut(BackupProgress) -> ControlFlow<()>,
    ) -> Result<BackupSummary, BackupError> {
        self.writable()?;
        if !self.is_empty()? {
            return Err(BackupError::NotEmpty);
        }
        let mut reader = Reader::new(input, words)?;
        let Entry::Head { made_at, rows: of } = reader.entry()? else { return Err(BackupError::Damaged) };
        let mut summary = BackupSummary { made_at, ..BackupSummary::default() };
        loop {
            match reader.entry()? {
                Entry::Record { kind, key, value } if kinds.contains(&kind.as_str()) => {
                    serde_json::from_str::<serde::de::IgnoredAny>(&value).map_err(|_| BackupError::Damaged)?;
                    self.put_json(&kind, &key, value.into_bytes())?;
                    summary.records += 1;
                }
                Entry::Record { .. } => summary.left_out += 1,
                Entry::Child(child) => {
                    self.add_child(&ChildRow::try_from(child)?).map_err(twice)?;
                    summary.children += 1;
                }
                Entry::End { records, children } => {
                    let counted = (summary.records + summary.left_out, summary.children);
                    if counted != (records, children) {
                        return Err(BackupError::Damaged);
                    }
                    reader.finish()?;
                    return Ok(summary);
                }
                Entry::Head { .. } => return Err(BackupError::Damaged),
            }
            let done = summary.records + summary.left_out + summary.children;
            tell(progress, BackupProgress { done, of: of.max(done) })?;
        }
    }

    fn is_empty(&self) -> Result<bool, StoreError> {
        for table in TABLES {
            let empty = format!("SELECT NOT EXISTS (SELECT 1 FROM {table})");
            if !self.db.query_row(&empty, [], |row| row.get(0))? {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

/// No store has a child twice, so no backup of one has.
fn twice(error: StoreError) -> BackupError {
    match error {
        StoreError::Duplicate => BackupError::Damaged,
        other => other.into(),
    }
}
