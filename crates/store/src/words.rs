//! Finds rows by their words: a full-text index (FTS5) that lives in memory only.
//!
//! The disk learns nothing of it, not even which rows share a word, as an index of hashed words would tell. The
//! price is that it is made anew each time the store is opened, page by page, while others read and write; whoever
//! searches before that is done is told so. It ends with the store, and its memory is overwritten then.

use rusqlite::{Connection, OptionalExtension, params};

use crate::children::{COLUMNS, Raw};
use crate::{ChildRow, StoreError, Tx};

/// Most words of one question; more are left out.
const WORDS_LIMIT: usize = 16;

/// Makes the index of a store that was just opened.
pub(crate) fn begin(db: &Connection) -> Result<(), StoreError> {
    db.execute_batch(
        "ATTACH DATABASE ':memory:' AS words;
         PRAGMA words.secure_delete = ON;
         CREATE TABLE words.reached (id INTEGER PRIMARY KEY CHECK (id = 1), ordinal INTEGER NOT NULL);
         INSERT INTO words.reached VALUES (1, 0);
         CREATE VIRTUAL TABLE words.said USING fts5 (
             text, room, content = '', contentless_delete = 1, prefix = '2 3', tokenize = 'unicode61 remove_diacritics 2'
         );",
    )?;
    Ok(())
}

/// Overwrites what the index held.
pub(crate) fn end(db: &Connection) {
    // What cannot be overwritten is freed all the same.
    let _ = db.execute_batch("INSERT INTO words.said (said) VALUES ('delete-all'); DROP TABLE words.said;");
}

impl Tx<'_> {
    /// Shown children that the index does not know yet, in the order they were kept; none when it knows all.
    pub fn children_to_index(&self, limit: usize) -> Result<Vec<ChildRow>, StoreError> {
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut query = self.db.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM child WHERE ordinal > (SELECT ordinal FROM words.reached) ORDER BY ordinal LIMIT ?1"
        ))?;
        let rows = query.query_map([limit], Raw::read)?;
        rows.map(|raw| self.open_child(raw?)).collect()
    }

    /// Indexes the words of the next children, as [`Tx::children_to_index`] gave them.
    pub fn index_next<'r>(&self, rows: impl Iterator<Item = (&'r ChildRow, Option<String>)>) -> Result<(), StoreError> {
        self.writable()?;
        let mut last = None;
        for (row, words) in rows {
            last = last.max(Some(row.ordinal));
            if let Some(words) = words {
                self.add_words(row, &words)?;
            }
        }
        if let Some(last) = last {
            self.db.prepare_cached("UPDATE words.reached SET ordinal = max(ordinal, ?1)")?.execute([last])?;
        }
        Ok(())
    }

    /// A child says something else now, or nothing. One that the index does not know yet is left for later.
    pub fn index_again(&self, row: &ChildRow, words: Option<&str>) -> Result<(), StoreError> {
        let known: Option<i64> = self
            .db
            .prepare_cached("SELECT ordinal FROM words.reached WHERE ordinal >= ?1")?
            .query_row([row.ordinal], |row| row.get(0))
            .optional()?;
        if known.is_some() { self.put_words(row, words) } else { Ok(()) }
    }

    fn put_words(&self, row: &ChildRow, words: Option<&str>) -> Result<(), StoreError> {
        self.writable()?;
        self.db.prepare_cached("DELETE FROM words.said WHERE rowid = ?1")?.execute([row.ordinal])?;
        words.map_or(Ok(()), |words| self.add_words(row, words))
    }

    fn add_words(&self, row: &ChildRow, words: &str) -> Result<(), StoreError> {
        self.db.prepare_cached("INSERT INTO words.said (rowid, text, room) VALUES (?1, ?2, ?3)")?.execute(params![
            row.ordinal,
            words,
            self.room(&row.object)
        ])?;
        Ok(())
    }

    /// A row goes, and its words with it.
    pub(crate) fn forget_words(&self, row: &ChildRow) -> Result<(), StoreError> {
        self.db.prepare_cached("DELETE FROM words.said WHERE rowid = ?1")?.execute([row.ordinal])?;
        Ok(())
    }

    /// All rows of an object go, and their words with them.
    pub(crate) fn forget_words_of(&self, object: &str) -> Result<(), StoreError> {
        self.db
            .prepare_cached("DELETE FROM words.said WHERE rowid IN (SELECT ordinal FROM child WHERE object = ?1)")?
            .execute([self.object(object)])?;
        Ok(())
    }

    /// The newest children before ordinal `before` that have all these words, each perhaps only the beginning of one;
    /// of one object, or of all. The newest first.
    pub fn find_words(
        &self,
        words: &[String],
        object: Option<&str>,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<ChildRow>, StoreError> {
        let said = |word: &String| format!("text:\"{}\"*", word.replace('"', " "));
        let mut terms: Vec<String> = words.iter().take(WORDS_LIMIT).map(said).collect();
        if terms.is_empty() {
            return Ok(Vec::new());
        }
        if let Some(object) = object {
            terms.push(format!("room:{}", self.room(object)));
        }
        let mut query = self.db.prepare_cached(
            "SELECT rowid FROM words.said WHERE said MATCH ?1 AND rowid < ?2 ORDER BY rowid DESC LIMIT ?3",
        )?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = params![terms.join(" AND "), before.unwrap_or(i64::MAX), limit];
        let found = query.query_map(values, |row| row.get(0))?.collect::<Result<Vec<i64>, _>>()?;
        let mut one =
            self.db.prepare_cached(&format!("SELECT {COLUMNS} FROM child WHERE ordinal = ?1 AND hidden = 0"))?;
        let mut rows = Vec::with_capacity(found.len());
        for ordinal in found {
            if let Some(raw) = one.query_row([ordinal], Raw::read).optional()? {
                rows.push(self.open_child(raw)?);
            }
        }
        Ok(rows)
    }

    /// A word that stands for an object, and is no word of any language.
    fn room(&self, object: &str) -> String {
        let name = self.object(object);
        name.iter().take(10).fold(String::from("room"), |text, byte| format!("{text}{byte:02x}"))
    }
}
