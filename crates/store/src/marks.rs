//! How far children have come, by their authors' numbers, and when they end.

use rusqlite::params;

use crate::children::{COLUMNS, Raw};
use crate::{ChildRow, ChildState, StoreError, Tx};

/// Most children one change tells about: who looks at an older one asks for it.
const TOLD_LIMIT: usize = 200;

impl Tx<'_> {
    /// Moves an author's children on to `state`, never back: those after number `from` up to `to`, and those
    /// up to `to` that had not even left. Gives the newest of those that changed, the oldest first.
    pub fn advance_up_to(
        &self,
        object: &str,
        author: &str,
        from: i64,
        to: i64,
        state: ChildState,
    ) -> Result<Vec<ChildRow>, StoreError> {
        self.writable()?;
        let (object, author) = (self.object(object), self.cipher.child.blind("author", &[author.as_bytes()]));
        let mut found = Vec::new();
        // Named, since SQLite knows too little of the rows to choose well: few are on their way, many are not.
        for (index, range) in [
            ("sqlite_autoindex_child_2", "author = ?2 AND seq > ?3 AND seq <= ?4 AND state < ?5"),
            ("child_on_its_way", "author = ?2 AND ?3 >= 0 AND seq <= ?4 AND state < 3 AND state < ?5"),
        ] {
            let values = params![object, author, from, to, state.number()];
            let mut query = self.db.prepare_cached(&format!(
                "SELECT {COLUMNS} FROM child INDEXED BY {index} WHERE object = ?1 AND {range} AND hidden = 0
                 ORDER BY seq DESC LIMIT {TOLD_LIMIT}"
            ))?;
            let rows = query.query_map(values, Raw::read)?;
            for raw in rows {
                let mut row = self.open_child(raw?)?;
                row.state = state;
                found.push(row);
            }
            self.db
                .prepare_cached(&format!(
                    "UPDATE child INDEXED BY {index} SET state = ?5 WHERE object = ?1 AND {range}"
                ))?
                .execute(values)?;
        }
        found.sort_by_key(|row| row.ordinal);
        Ok(found)
    }

    /// Marks an author's children up to a number as read; how many were not.
    pub fn mark_read_up_to(&self, object: &str, author: &str, to: i64) -> Result<usize, StoreError> {
        self.writable()?;
        let (object, author) = (self.object(object), self.cipher.child.blind("author", &[author.as_bytes()]));
        Ok(self
            .db
            .prepare_cached("UPDATE child INDEXED BY child_unread SET unread = 0 WHERE object = ?1 AND unread = 1 AND author = ?2 AND seq <= ?3")?
            .execute(params![object, author, to])?)
    }

    /// Marks one child as read.
    pub fn mark_child_read(&self, id: &str) -> Result<(), StoreError> {
        self.writable()?;
        self.db.prepare_cached("UPDATE child SET unread = 0 WHERE id = ?1")?.execute([self.child_id(id)])?;
        Ok(())
    }

    /// The unread children of an object, the oldest first, at most `limit`.
    pub fn unread_children(&self, object: &str, limit: usize) -> Result<Vec<ChildRow>, StoreError> {
        let mut query = self.db.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM child INDEXED BY child_unread WHERE object = ?1 AND unread = 1 ORDER BY ordinal LIMIT ?2"
        ))?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = query.query_map(params![self.object(object), limit], Raw::read)?;
        rows.map(|raw| self.open_child(raw?)).collect()
    }

    /// Says when a child is to be gone.
    pub fn set_child_end(&self, id: &str, ends: Option<i64>) -> Result<(), StoreError> {
        self.writable()?;
        self.db
            .prepare_cached("UPDATE child SET ends = ?2 WHERE id = ?1")?
            .execute(params![self.child_id(id), ends])?;
        Ok(())
    }

    /// The children whose end has come, at most `limit`.
    pub fn ended_children(&self, now: i64, limit: usize) -> Result<Vec<ChildRow>, StoreError> {
        let mut query =
            self.db.prepare_cached(&format!("SELECT {COLUMNS} FROM child WHERE ends <= ?1 ORDER BY ends LIMIT ?2"))?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let rows = query.query_map(params![now, limit], Raw::read)?;
        rows.map(|raw| self.open_child(raw?)).collect()
    }
}
