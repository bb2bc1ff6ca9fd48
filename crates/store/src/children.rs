//! The children of objects: the messages of a conversation, in the order they came.

use rusqlite::{OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use crate::{StoreError, Tx};

/// Most rows one question is answered with.
const PAGE_LIMIT: usize = 1000;

/// How far a child has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum ChildState {
    /// Ours; waits in the outbox.
    #[default]
    Queued,
    /// Ours; refused for good.
    Failed,
    /// Ours; the other side's node has it.
    Sent,
    /// Ours; the other side has it.
    Delivered,
    /// Somebody else's.
    Received,
    /// Ours; the other side has read it.
    Read,
}

impl ChildState {
    pub(crate) fn number(self) -> i64 {
        match self {
            Self::Queued => 0,
            Self::Failed => 1,
            Self::Sent => 2,
            Self::Delivered => 3,
            Self::Received => 4,
            Self::Read => 5,
        }
    }

    pub(crate) fn of_number(number: i64) -> Option<Self> {
        [Self::Queued, Self::Failed, Self::Sent, Self::Delivered, Self::Received, Self::Read]
            .into_iter()
            .find(|state| state.number() == number)
    }
}

/// One child of an object.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct ChildRow {
    /// Its place in the order they were kept, counted over all objects; given by the store.
    pub ordinal: i64,
    /// Its id, unique everywhere.
    pub id: String,
    /// The object it belongs to.
    pub object: String,
    /// Who wrote it.
    pub author: String,
    /// The author's number, unique for object and author.
    pub seq: i64,
    /// When it was written, Unix milliseconds.
    pub at: i64,
    /// How far it has come.
    pub state: ChildState,
    /// What it says, as JSON text.
    pub value: String,
    /// Whether we wrote it.
    pub mine: bool,
    /// Whether somebody still has to read it.
    pub unread: bool,
    /// Whether it is kept for others only, and is no line of its own: a word about another child.
    pub hidden: bool,
    /// When it is to be gone, Unix milliseconds.
    pub ends: Option<i64>,
}

impl std::fmt::Debug for ChildRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ChildRow({}, {:?})", self.ordinal, self.state)
    }
}

/// What of a child is sealed. Its number is inside too: the column is only for the order.
#[derive(Serialize, Deserialize)]
struct Kept {
    id: String,
    object: String,
    author: String,
    seq: i64,
    at: i64,
    mine: bool,
    value: String,
}

pub(crate) const COLUMNS: &str = "ordinal, id, state, unread, hidden, ends, sealed";

impl Tx<'_> {
    /// Keeps a child and returns its ordinal. A second one with its id, or with its author and
    /// number, is refused as [`StoreError::Duplicate`].
    pub fn add_child(&self, row: &ChildRow) -> Result<i64, StoreError> {
        self.writable()?;
        let kept = Kept {
            id: row.id.clone(),
            object: row.object.clone(),
            author: row.author.clone(),
            seq: row.seq,
            at: row.at,
            mine: row.mine,
            value: row.value.clone(),
        };
        let id = self.child_id(&row.id);
        let author = self.cipher.child.blind("author", &[row.author.as_bytes()]);
        let sealed = self.cipher.child.seal_value("sealed", &id, &kept)?;
        self.db
            .prepare_cached(
                "INSERT INTO child (id, object, author, seq, state, unread, hidden, ends, sealed)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
            )?
            .execute(params![
                id,
                self.object(&row.object),
                author,
                row.seq,
                row.state.number(),
                row.unread,
                row.hidden,
                row.ends,
                sealed
            ])?;
        Ok(self.db.last_insert_rowid())
    }

    /// The child with this id.
    pub fn child(&self, id: &str) -> Result<Option<ChildRow>, StoreError> {
        let mut query = self.db.prepare_cached(&format!("SELECT {COLUMNS} FROM child WHERE id = ?1"))?;
        let raw = query.query_row([self.child_id(id)], Raw::read).optional()?;
        raw.map(|raw| self.open_child(raw)).transpose()
    }

    /// The last `limit` children of an object before ordinal `before`, the oldest first; hidden ones are not shown.
    pub fn children(&self, object: &str, before: Option<i64>, limit: usize) -> Result<Vec<ChildRow>, StoreError> {
        let mut query = self.db.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM child WHERE object = ?1 AND hidden = 0 AND ordinal < ?2 ORDER BY ordinal DESC LIMIT ?3"
        ))?;
        let limit = i64::try_from(limit.min(PAGE_LIMIT)).unwrap_or(0);
        let before = before.unwrap_or(i64::MAX);
        let rows = query.query_map(params![self.object(object), before, limit], Raw::read)?;
        let mut page = rows.map(|raw| self.open_child(raw?)).collect::<Result<Vec<_>, _>>()?;
        page.reverse();
        Ok(page)
    }

    /// The children of an object after a place in it, the oldest first; hidden ones are not shown.
    pub fn children_after(&self, object: &str, after: i64, limit: usize) -> Result<Vec<ChildRow>, StoreError> {
        let mut query = self.db.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM child WHERE object = ?1 AND hidden = 0 AND ordinal > ?2 ORDER BY ordinal LIMIT ?3"
        ))?;
        let limit = i64::try_from(limit.min(PAGE_LIMIT)).unwrap_or(0);
        let rows = query.query_map(params![self.object(object), after, limit], Raw::read)?;
        rows.map(|raw| self.open_child(raw?)).collect()
    }

    /// How many children an object has that are shown.
    pub fn count_children_of(&self, object: &str) -> Result<usize, StoreError> {
        let count: i64 = self
            .db
            .prepare_cached("SELECT count(*) FROM child WHERE object = ?1 AND hidden = 0")?
            .query_row([self.object(object)], |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// The children of one author after number `after`, in the order of their numbers.
    pub fn children_of(
        &self,
        object: &str,
        author: &str,
        after: i64,
        limit: usize,
    ) -> Result<Vec<ChildRow>, StoreError> {
        let mut query = self.db.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM child WHERE object = ?1 AND author = ?2 AND seq > ?3 ORDER BY seq LIMIT ?4"
        ))?;
        let limit = i64::try_from(limit.min(PAGE_LIMIT)).unwrap_or(0);
        let author = self.cipher.child.blind("author", &[author.as_bytes()]);
        let rows = query.query_map(params![self.object(object), author, after, limit], Raw::read)?;
        rows.map(|raw| self.open_child(raw?)).collect()
    }

    /// The newest child of an object.
    pub fn last_child(&self, object: &str) -> Result<Option<ChildRow>, StoreError> {
        Ok(self.children(object, None, 1)?.pop())
    }

    /// The children of an object in one state, the oldest first, at most a page of them.
    pub fn children_in(&self, object: &str, state: ChildState) -> Result<Vec<ChildRow>, StoreError> {
        // Said twice, so that the index of what is on its way is found.
        let on_its_way = if state.number() < 3 { "AND state < 3" } else { "" };
        let mut query = self.db.prepare_cached(&format!(
            "SELECT {COLUMNS} FROM child WHERE object = ?1 AND state = ?2 {on_its_way} ORDER BY ordinal LIMIT ?3"
        ))?;
        let limit = i64::try_from(PAGE_LIMIT).unwrap_or(0);
        let rows = query.query_map(params![self.object(object), state.number(), limit], Raw::read)?;
        rows.map(|raw| self.open_child(raw?)).collect()
    }

    /// Sets how far a child has come.
    pub fn set_child_state(&self, id: &str, state: ChildState) -> Result<(), StoreError> {
        self.writable()?;
        let found = self
            .db
            .prepare_cached("UPDATE child SET state = ?2 WHERE id = ?1")?
            .execute(params![self.child_id(id), state.number()])?;
        if found == 0 { Err(StoreError::NoSuchRow) } else { Ok(()) }
    }

    /// Moves a child on, never back: what is read does not become sent again. Says whether
    /// anything changed; no such child is no change.
    pub fn advance_child(&self, id: &str, state: ChildState) -> Result<bool, StoreError> {
        self.writable()?;
        let changed = self
            .db
            .prepare_cached("UPDATE child SET state = ?2 WHERE id = ?1 AND state < ?2")?
            .execute(params![self.child_id(id), state.number()])?;
        Ok(changed > 0)
    }

    /// Takes the words out of a child and shows it no more; its id, author and number stay.
    pub fn empty_child(&self, id: &str) -> Result<(), StoreError> {
        self.writable()?;
        let row = self.child(id)?.ok_or(StoreError::NoSuchRow)?;
        self.forget_words(&row)?;
        self.reseal(row, String::new())?;
        self.db
            .prepare_cached("UPDATE child SET unread = 0, hidden = 1, ends = NULL WHERE id = ?1")?
            .execute([self.child_id(id)])?;
        Ok(())
    }

    /// Says something else in a child; its id, author and number stay.
    pub fn replace_child(&self, id: &str, value: &str) -> Result<(), StoreError> {
        self.writable()?;
        let row = self.child(id)?.ok_or(StoreError::NoSuchRow)?;
        self.reseal(row, value.to_owned())
    }

    fn reseal(&self, row: ChildRow, value: String) -> Result<(), StoreError> {
        let name = self.child_id(&row.id);
        let ChildRow { id, object, author, seq, at, mine, .. } = row;
        let kept = Kept { id, object, author, seq, at, mine, value };
        let sealed = self.cipher.child.seal_value("sealed", &name, &kept)?;
        self.db.prepare_cached("UPDATE child SET sealed = ?2 WHERE id = ?1")?.execute(params![name, sealed])?;
        Ok(())
    }

    /// Forgets one child; whether there was one. With [`crate::Store::erase`] its sealed bytes are
    /// gone from the disk too.
    pub fn delete_child(&self, id: &str) -> Result<bool, StoreError> {
        self.writable()?;
        if let Some(row) = self.child(id)? {
            self.forget_words(&row)?;
        }
        Ok(self.db.prepare_cached("DELETE FROM child WHERE id = ?1")?.execute([self.child_id(id)])? > 0)
    }

    /// Puts the children of an object into the order of their times, those of one time as they lie. Shows each that
    /// moved: its words are to be indexed again. For what was brought in several files; what lives lies as it came.
    pub fn order_children<E: From<StoreError>>(
        &self,
        object: &str,
        mut moved: impl FnMut(&ChildRow) -> Result<(), E>,
    ) -> Result<(), E> {
        self.writable()?;
        let mut places: Vec<(i64, i64)> = Vec::new();
        let mut after = i64::MIN;
        loop {
            let page = self.children_after(object, after, PAGE_LIMIT)?;
            let Some(last) = page.last() else { break };
            after = last.ordinal;
            places.extend(page.iter().map(|row| (row.at, row.ordinal)));
        }
        let ordinals: Vec<i64> = places.iter().map(|(_, ordinal)| *ordinal).collect();
        places.sort_unstable();
        let moves = || places.iter().zip(&ordinals).filter(|((_, from), to)| from != *to);
        let prepare = |statement: &str| self.db.prepare_cached(statement).map_err(StoreError::from);
        let mut one = prepare("UPDATE child SET ordinal = ?2 WHERE ordinal = ?1")?;
        let mut forget = prepare("DELETE FROM words.said WHERE rowid = ?1")?;
        let mut read = prepare(&format!("SELECT {COLUMNS} FROM child WHERE ordinal = ?1"))?;
        // By way of places that nothing has, since each place is taken by another.
        for ((_, from), to) in moves() {
            forget.execute([from]).map_err(StoreError::from)?;
            one.execute([from, &-to]).map_err(StoreError::from)?;
        }
        for (_, to) in moves() {
            one.execute([&-to, to]).map_err(StoreError::from)?;
            moved(&self.open_child(read.query_row([to], Raw::read).map_err(StoreError::from)?)?)?;
        }
        Ok(())
    }

    /// How many children there are of all objects.
    pub(crate) fn count_children(&self) -> Result<u64, StoreError> {
        let count: i64 = self.db.query_row("SELECT count(*) FROM child", [], |row| row.get(0))?;
        Ok(u64::try_from(count).unwrap_or(0))
    }

    /// Shows all children, one after the other, in the order they were kept.
    pub(crate) fn each_child<E: From<StoreError>>(
        &self,
        mut show: impl FnMut(ChildRow) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut query = self
            .db
            .prepare_cached(&format!("SELECT {COLUMNS} FROM child ORDER BY ordinal"))
            .map_err(StoreError::from)?;
        let rows = query.query_map([], Raw::read).map_err(StoreError::from)?;
        for raw in rows {
            show(self.open_child(raw.map_err(StoreError::from)?)?)?;
        }
        Ok(())
    }

    /// Forgets all children of an object; how many there were.
    pub fn delete_children(&self, object: &str) -> Result<usize, StoreError> {
        self.writable()?;
        self.forget_words_of(object)?;
        Ok(self.db.prepare_cached("DELETE FROM child WHERE object = ?1")?.execute([self.object(object)])?)
    }

    /// How many children of an object are unread.
    pub fn count_unread(&self, object: &str) -> Result<usize, StoreError> {
        let count: i64 = self
            .db
            .prepare_cached("SELECT count(*) FROM child WHERE object = ?1 AND unread = 1")?
            .query_row([self.object(object)], |row| row.get(0))?;
        Ok(usize::try_from(count).unwrap_or(0))
    }

    /// Marks all children of an object as read; how many were not.
    pub fn mark_read(&self, object: &str) -> Result<usize, StoreError> {
        self.writable()?;
        Ok(self
            .db
            .prepare_cached("UPDATE child SET unread = 0 WHERE object = ?1 AND unread = 1")?
            .execute([self.object(object)])?)
    }

    pub(crate) fn child_id(&self, id: &str) -> [u8; 32] {
        self.cipher.child.blind("id", &[id.as_bytes()])
    }

    pub(crate) fn object(&self, object: &str) -> [u8; 32] {
        self.cipher.child.blind("object", &[object.as_bytes()])
    }

    pub(crate) fn open_child(&self, raw: Raw) -> Result<ChildRow, StoreError> {
        let kept: Kept = self.cipher.child.open_value("sealed", &raw.id, &raw.sealed)?;
        let state = ChildState::of_number(raw.state).ok_or_else(|| StoreError::damaged("child"))?;
        Ok(ChildRow {
            ordinal: raw.ordinal,
            id: kept.id,
            object: kept.object,
            author: kept.author,
            seq: kept.seq,
            at: kept.at,
            state,
            value: kept.value,
            mine: kept.mine,
            unread: raw.unread,
            hidden: raw.hidden,
            ends: raw.ends,
        })
    }
}

/// A row as it lies in the file.
pub(crate) struct Raw {
    ordinal: i64,
    id: [u8; 32],
    state: i64,
    unread: bool,
    hidden: bool,
    ends: Option<i64>,
    sealed: Vec<u8>,
}

impl Raw {
    pub(crate) fn read(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            ordinal: row.get(0)?,
            id: row.get(1)?,
            state: row.get(2)?,
            unread: row.get(3)?,
            hidden: row.get(4)?,
            ends: row.get(5)?,
            sealed: row.get(6)?,
        })
    }
}
