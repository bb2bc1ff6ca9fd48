//! Writes a backup of an open store, while the store is in use.

use std::fs::{self, File, OpenOptions};
use std::io::{BufWriter, Write};
use std::ops::ControlFlow;
use std::path::Path;

use keys::recovery::BackupPublic;

use super::format::Entry;
use super::frame::{Writer, unwritten};
use super::{BackupError, BackupProgress, BackupSummary, TELL_EVERY};
use crate::Store;

/// What becomes of a record.
#[derive(Clone, PartialEq, Eq)]
pub enum Keep {
    /// It goes into the backup as it is.
    AsItIs,
    /// This JSON text goes into the backup in its place, such as one without a secret.
    As(String),
    /// It stays out.
    LeaveOut,
}

/// What goes into a backup.
pub struct BackupPlan<'a> {
    /// When it is made, Unix milliseconds.
    pub made_at: i64,
    /// The kinds of records. What is of no kind named here stays out and is counted.
    pub kinds: &'a [&'a str],
    /// Is shown each record of these kinds (kind, key, JSON text) and decides.
    pub record: &'a mut dyn FnMut(&str, &str, &str) -> Keep,
}

impl Store {
    /// Writes a backup that only the words behind `to` open: all records of the kinds that `plan`
    /// names, and all children. The state of the groups, the outbox and the marks stay out.
    ///
    /// It is one consistent state, and the store can be used meanwhile. `out` gets small writes of
    /// up to 64 KiB. If this fails, what was written is no backup and never restores as one.
    pub fn backup(
        &self,
        to: &BackupPublic,
        plan: BackupPlan<'_>,
        out: &mut dyn Write,
        progress: &mut dyn FnMut(BackupProgress) -> ControlFlow<()>,
    ) -> Result<BackupSummary, BackupError> {
        self.copy(|tx, copying| {
            let mut of = tx.count_children()?;
            for kind in plan.kinds {
                of += tx.count_records(Some(kind))?;
            }
            let mut summary = BackupSummary { made_at: plan.made_at, ..BackupSummary::default() };
            let mut done = 0;
            let mut step = || {
                copying.go_on()?;
                done += 1;
                tell(progress, BackupProgress { done, of })
            };
            let mut writer = Writer::new(out, to)?;
            writer.entry(&Entry::Head { made_at: plan.made_at, rows: of })?;
            for kind in plan.kinds {
                tx.each_record(kind, |key, value| {
                    let value = match (plan.record)(kind, key, value) {
                        Keep::AsItIs => value.to_owned(),
                        Keep::As(changed) => changed,
                        Keep::LeaveOut => return step(),
                    };
                    writer.entry(&Entry::Record { kind: (*kind).to_owned(), key: key.to_owned(), value })?;
                    summary.records += 1;
                    step()
                })?;
            }
            summary.left_out = tx.count_records(None)?.saturating_sub(summary.records);
            tx.each_child(|row| {
                writer.entry(&Entry::Child(row.into()))?;
                summary.children += 1;
                step()
            })?;
            writer.entry(&Entry::End { records: summary.records, children: summary.children })?;
            writer.finish()?;
            Ok(summary)
        })
    }

    /// The same into a file. The name is taken only once the backup is whole and on the disk; what
    /// was there before stays until then.
    pub fn backup_to_file(
        &self,
        to: &BackupPublic,
        plan: BackupPlan<'_>,
        path: &Path,
        progress: &mut dyn FnMut(BackupProgress) -> ControlFlow<()>,
    ) -> Result<BackupSummary, BackupError> {
        let mut name = path.file_name().ok_or_else(|| BackupError::Unwritable("it has no name".into()))?.to_owned();
        name.push(".part");
        let part = path.with_file_name(name);
        let file = private(&part).map_err(|error| unwritten(&error))?;
        let done = self.whole_file(to, plan, file, progress).and_then(|summary| {
            fs::rename(&part, path).map_err(|error| unwritten(&error))?;
            Ok(summary)
        });
        if done.is_err() {
            let _ = fs::remove_file(&part);
        }
        done
    }

    fn whole_file(
        &self,
        to: &BackupPublic,
        plan: BackupPlan<'_>,
        file: File,
        progress: &mut dyn FnMut(BackupProgress) -> ControlFlow<()>,
    ) -> Result<BackupSummary, BackupError> {
        let mut out = BufWriter::new(file);
        let summary = self.backup(to, plan, &mut out, progress)?;
        let file = out.into_inner().map_err(|error| unwritten(error.error()))?;
        file.sync_all().map_err(|error| unwritten(&error))?;
        Ok(summary)
    }
}

/// Tells how far it is from time to time, and at the end.
pub(super) fn tell(
    progress: &mut dyn FnMut(BackupProgress) -> ControlFlow<()>,
    at: BackupProgress,
) -> Result<(), BackupError> {
    if !at.done.is_multiple_of(TELL_EVERY) && at.done != at.of {
        return Ok(());
    }
    match progress(at) {
        ControlFlow::Continue(()) => Ok(()),
        ControlFlow::Break(()) => Err(BackupError::Stopped),
    }
}

fn private(path: &Path) -> std::io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}
