//! The file of a profile: opened by one process, changed in whole transactions.

use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags, OptionalExtension, TransactionBehavior, params};

use crate::cipher::Cipher;
use crate::memo::Memo;
use crate::{MasterKey, StoreError, Tx, schema, words};

/// How long another connection of this process is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// After so many transactions the WAL is emptied, so that old ratchet states do not linger in it.
const SCRUB_EVERY: u32 = 128;

/// But not more often than this while many are written: to empty it takes as long as several transactions.
const SCRUB_PAUSE: Duration = Duration::from_secs(1);

/// What the proof row holds; it opens only with the right key.
const PROOF: &[u8] = b"parlance-store";

/// An open profile, until [`Store::close`].
pub struct Store {
    path: PathBuf,
    flusher: Flusher,
    inner: Mutex<Option<Inner>>,
    closed: AtomicBool,
    /// Held for reading by whoever copies the store beside the lock; closing waits for them.
    copies: RwLock<()>,
}

/// What has happened to a transaction when it is answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Synchronous {
    /// It is on disk.
    Full,
    /// The system has it: a killed process loses nothing, a power cut may.
    Normal,
}

impl Synchronous {
    fn word(self) -> &'static str {
        match self {
            Self::Full => "FULL",
            Self::Normal => "NORMAL",
        }
    }
}

struct Inner {
    db: Connection,
    cipher: Arc<Cipher>,
    memo: Memo,
    /// How the connection is set now.
    synchronous: Synchronous,
    /// Transactions since the log was emptied.
    writes: u32,
    emptied: Instant,
    /// Something deleted may still be in the log.
    unclean: bool,
    /// Held as long as the store is open; the system frees it when the process dies.
    _lock: File,
}

/// A transaction that is undone unless it is committed. Its statements are kept ready: to parse them would take
/// as long as to begin and end it.
struct Open<'a> {
    db: &'a Connection,
    memo: &'a Memo,
    is_committed: bool,
}

impl<'a> Open<'a> {
    fn begin(db: &'a Connection, memo: &'a Memo, how: &str) -> Result<Self, StoreError> {
        db.prepare_cached(how)?.execute([])?;
        Ok(Self { db, memo, is_committed: false })
    }

    fn commit(mut self) -> Result<(), StoreError> {
        self.db.prepare_cached("COMMIT")?.execute([])?;
        self.is_committed = true;
        self.memo.committed();
        Ok(())
    }
}

impl Drop for Open<'_> {
    /// Also after a panic, and after a commit that failed.
    fn drop(&mut self) {
        if !self.is_committed {
            self.memo.back_to(0);
            if !self.db.is_autocommit() {
                let _ = self.db.prepare_cached("ROLLBACK").and_then(|mut end| end.execute([]));
            }
        }
    }
}

impl Store {
    /// Opens the store at `path`, or makes it. Brings an older version up to date.
    pub fn open(path: &Path, master: &MasterKey) -> Result<Store, StoreError> {
        let lock = lock(&path.with_extension("lock"))?;
        private_file(path)?;
        let mut db = Connection::open(path)?;
        db.busy_timeout(BUSY)?;
        db.set_prepared_statement_cache_capacity(64);
        // Plans hold for every value: what is prepared once is not prepared anew for each.
        db.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
        db.pragma_update(None, "secure_delete", "ON")?;
        db.pragma_update(None, "foreign_keys", "ON")?;
        db.pragma_update(None, "trusted_schema", "OFF")?;
        db.pragma_update(None, "temp_store", "MEMORY")?;
        let synchronous = Synchronous::Full;
        db.pragma_update(None, "synchronous", synchronous.word())?;
        db.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
        schema::migrate(&mut db)?;
        let cipher = Arc::new(Cipher::new(master));
        prove(&mut db, &cipher)?;
        words::begin(&db)?;
        let mut log = path.as_os_str().to_owned();
        log.push("-wal");
        // It is there: the proof was looked at in a transaction, and it stays until the store is closed.
        let flusher = Flusher { log: Arc::new(OpenOptions::new().write(true).open(log)?) };
        let memo = Memo::default();
        let inner =
            Inner { db, cipher, memo, synchronous, writes: 0, emptied: Instant::now(), unclean: false, _lock: lock };
        Ok(Store {
            path: path.to_owned(),
            flusher,
            inner: Mutex::new(Some(inner)),
            closed: AtomicBool::new(false),
            copies: RwLock::new(()),
        })
    }

    /// Changes the store in one transaction: kept if `work` returns `Ok`, undone otherwise.
    pub fn write<R, E: From<StoreError>>(&self, work: impl FnOnce(&Tx<'_>) -> Result<R, E>) -> Result<R, E> {
        self.write_and(Synchronous::Full, false, work)
    }

    /// The same without waiting for the disk: what a power cut may take is kept from the next [`Flusher::flush`],
    /// [`Store::write`] or [`Store::close`] on. Nothing that follows from it may leave this device before.
    pub fn write_soon<R, E: From<StoreError>>(&self, work: impl FnOnce(&Tx<'_>) -> Result<R, E>) -> Result<R, E> {
        self.write_and(Synchronous::Normal, false, work)
    }

    /// As [`Store::write`], and what it deletes or replaces leaves the file and the log at once, sealed bytes
    /// too. While somebody copies the store, the log is emptied with the next change after that.
    pub fn erase<R, E: From<StoreError>>(&self, work: impl FnOnce(&Tx<'_>) -> Result<R, E>) -> Result<R, E> {
        self.write_and(Synchronous::Full, true, work)
    }

    /// Brings to disk what was committed, beside whoever reads and writes.
    pub fn flusher(&self) -> Flusher {
        self.flusher.clone()
    }

    fn write_and<R, E: From<StoreError>>(
        &self,
        synchronous: Synchronous,
        clean: bool,
        work: impl FnOnce(&Tx<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let mut guard = self.inner();
        let inner = guard.as_mut().ok_or(StoreError::Closed)?;
        if inner.synchronous != synchronous {
            inner.db.pragma_update(None, "synchronous", synchronous.word()).map_err(StoreError::from)?;
            inner.synchronous = synchronous;
        }
        let done = {
            let open = Open::begin(&inner.db, &inner.memo, "BEGIN IMMEDIATE")?;
            let done = work(&Tx { db: &inner.db, cipher: &inner.cipher, memo: &inner.memo, writes: true })?;
            open.commit()?;
            done
        };
        inner.writes += 1;
        inner.unclean |= clean || (inner.writes >= SCRUB_EVERY && inner.emptied.elapsed() >= SCRUB_PAUSE);
        if inner.unclean && self.copies.try_write().is_ok() {
            // Not emptied now is emptied the next time: the transaction itself is safe.
            inner.unclean = scrub(&inner.db).is_err();
            if !inner.unclean {
                (inner.writes, inner.emptied) = (0, Instant::now());
            }
        }
        Ok(done)
    }

    /// Reads one consistent state; a write in it is refused as [`StoreError::ReadOnly`].
    pub fn read<R, E: From<StoreError>>(&self, work: impl FnOnce(&Tx<'_>) -> Result<R, E>) -> Result<R, E> {
        let mut guard = self.inner();
        let inner = guard.as_mut().ok_or(StoreError::Closed)?;
        let open = Open::begin(&inner.db, &inner.memo, "BEGIN")?;
        let done = work(&Tx { db: &inner.db, cipher: &inner.cipher, memo: &inner.memo, writes: false })?;
        open.commit()?;
        Ok(done)
    }

    /// Reads one consistent state for a long time, while others go on to read and write. `work`
    /// asks [`Copying::go_on`] often, since closing the store waits for it.
    pub(crate) fn copy<R, E: From<StoreError>>(
        &self,
        work: impl FnOnce(&Tx<'_>, &Copying<'_>) -> Result<R, E>,
    ) -> Result<R, E> {
        let _copying = self.copies.read().unwrap_or_else(PoisonError::into_inner);
        let cipher = Arc::clone(&self.inner().as_ref().ok_or(StoreError::Closed)?.cipher);
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut db = Connection::open_with_flags(&self.path, flags).map_err(StoreError::from)?;
        db.busy_timeout(BUSY).map_err(StoreError::from)?;
        let tx = db.transaction().map_err(StoreError::from)?;
        work(&Tx { db: &tx, cipher: &cipher, memo: &Memo::default(), writes: false }, &Copying { closed: &self.closed })
    }

    /// Closes the file and wipes the keys, also while others still hold the store: whatever they
    /// ask from now on is answered with [`StoreError::Closed`]. The profile is free for the next.
    pub fn close(&self) {
        self.closed.store(true, Ordering::SeqCst);
        drop(self.copies.write().unwrap_or_else(PoisonError::into_inner));
        if let Some(inner) = self.inner().take() {
            words::end(&inner.db);
            let _ = scrub(&inner.db);
        }
        keys::wipe_stack();
    }

    /// Empties the write-ahead log, and with it what was deleted or replaced.
    pub fn scrub(&self) -> Result<(), StoreError> {
        scrub(&self.inner().as_ref().ok_or(StoreError::Closed)?.db)
    }

    /// Reads the whole file and says whether it is sound.
    pub fn check(&self) -> Result<(), StoreError> {
        let guard = self.inner();
        let db = &guard.as_ref().ok_or(StoreError::Closed)?.db;
        let said: String = db.pragma_query_value(None, "integrity_check", |row| row.get(0))?;
        if said == "ok" { Ok(()) } else { Err(StoreError::damaged("the file")) }
    }

    /// The version of the schema.
    pub fn version(&self) -> Result<u32, StoreError> {
        schema::version(&self.inner().as_ref().ok_or(StoreError::Closed)?.db)
    }

    /// A panic in a transaction has rolled it back, so the connection is as good as before.
    fn inner(&self) -> MutexGuard<'_, Option<Inner>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Store {
    fn drop(&mut self) {
        self.close();
    }
}

/// Brings a store's log to disk without its lock.
#[derive(Debug, Clone)]
pub struct Flusher {
    /// Opened once: a failure to write is told to who had the file open when it happened.
    log: Arc<File>,
}

impl Flusher {
    /// Returns when all that was committed before the call is on disk. After an error nobody knows what is:
    /// the system may have let go of what it could not write, and a second call would not say so.
    pub fn flush(&self) -> Result<(), StoreError> {
        Ok(self.log.sync_data()?)
    }
}

/// What a long copy looks at between two rows.
pub(crate) struct Copying<'a> {
    closed: &'a AtomicBool,
}

impl Copying<'_> {
    /// [`StoreError::Closed`] once the store is to be closed.
    pub(crate) fn go_on(&self) -> Result<(), StoreError> {
        if self.closed.load(Ordering::SeqCst) { Err(StoreError::Closed) } else { Ok(()) }
    }
}

impl std::fmt::Debug for Store {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Store(…)")
    }
}

fn scrub(db: &Connection) -> Result<(), StoreError> {
    let busy: bool = db.query_row("PRAGMA main.wal_checkpoint(TRUNCATE)", [], |row| row.get(0))?;
    if busy { Err(StoreError::InUse) } else { Ok(()) }
}

/// Writes the proof of the key into a new store, checks it in an old one.
fn prove(db: &mut Connection, cipher: &Cipher) -> Result<(), StoreError> {
    let tx = db.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let sealed: Option<Vec<u8>> =
        tx.query_row("SELECT sealed FROM proof WHERE id = 1", [], |row| row.get(0)).optional()?;
    match sealed {
        Some(sealed) => {
            let proof = cipher.check.open("sealed", b"1", &sealed).map_err(|_| StoreError::WrongKey)?;
            if proof.as_slice() != PROOF {
                return Err(StoreError::WrongKey);
            }
        }
        None => {
            let sealed = cipher.check.seal("sealed", b"1", PROOF)?;
            tx.execute("INSERT INTO proof (id, sealed) VALUES (1, ?1)", params![sealed])?;
        }
    }
    Ok(tx.commit()?)
}

/// One process at a time: two cores on one profile would step over each other's ratchets.
fn lock(path: &Path) -> Result<File, StoreError> {
    let file = private(path)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::InUse),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

fn private_file(path: &Path) -> Result<(), StoreError> {
    private(path).map(drop)
}

/// Opens or makes a file only the user can read.
fn private(path: &Path) -> Result<File, StoreError> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    Ok(options.open(path)?)
}
