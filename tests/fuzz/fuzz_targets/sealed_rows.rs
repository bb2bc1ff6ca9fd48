//! Rows of a profile that somebody wrote who has the disk and not the key.
#![no_main]

use std::cell::RefCell;

use libfuzzer_sys::fuzz_target;
use rusqlite::{Connection, params};
use store::{KeySource, MasterKey, Store, StoreError};
use tempfile::TempDir;

struct World {
    store: Store,
    /// The stranger's own view of the same file.
    disk: Connection,
    sealed: Vec<u8>,
    _dir: TempDir,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a folder");
        let master = MasterKey::open(dir.path(), KeySource::Unprotected).expect("a key");
        let path = dir.path().join("store.db");
        let store = Store::open(&path, &master).expect("a store");
        store.write(|tx| tx.put("note", "1", &"hello")).expect("a record");
        let disk = Connection::open(&path).expect("the same file");
        disk.pragma_update(None, "synchronous", "OFF").expect("a setting");
        let sealed = disk.query_row("SELECT sealed FROM record", [], |row| row.get(0)).expect("the row");
        Self { store, disk, sealed, _dir: dir }
    }
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

fuzz_target!(|data: &[u8]| {
    WORLD.with_borrow(|world| {
        // The true row with some bytes changed is worth more than a row of noise.
        let mut row = world.sealed.clone();
        if let Some((0, changes)) = data.split_first().map(|(first, rest)| (first % 2, rest)) {
            row.iter_mut().zip(changes).for_each(|(byte, by)| *byte ^= by);
        } else {
            row = data.get(1..).unwrap_or_default().to_vec();
        }
        world.disk.execute("UPDATE record SET sealed = ?1", params![row]).expect("a stranger writes");
        let read = world.store.read(|tx| tx.get::<String>("note", "1"));
        if row == world.sealed {
            assert_eq!(read.ok().flatten().as_deref(), Some("hello"));
        } else {
            assert!(matches!(read, Err(StoreError::Damaged { .. })), "a changed row was read");
            assert!(world.store.read(|tx| tx.list::<String>("note")).is_err());
        }
    });
});
