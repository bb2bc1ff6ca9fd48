//! Remembers records between transactions as they were read, so that nobody opens and parses the same one again.
//!
//! Whatever is done to a record forgets it here; what a transaction that is undone has touched is forgotten as well,
//! since somebody may have read it meanwhile. Only one connection writes to a store, so nothing changes behind it.

use std::any::Any;
use std::cell::RefCell;
use std::collections::HashMap;

use seal::{GroupId, Kept};

/// Larger records are read anew: few are, and seldom.
const VALUE_LIMIT: usize = 256 * 1024;

/// What all may take, measured as they are kept on disk. Beyond it everything is forgotten and begins again.
const TOTAL_LIMIT: usize = 8 * 1024 * 1024;

/// What a record counts beside its own size.
const ENTRY_COST: usize = 256;

/// The records that were read or found missing.
#[derive(Default)]
pub(crate) struct Memo {
    inner: RefCell<Inner>,
}

#[derive(Default)]
struct Inner {
    /// By kind and key.
    values: HashMap<String, HashMap<String, Known>>,
    size: usize,
    /// The kinds and keys that the open transaction has changed, oldest first.
    changed: Vec<(String, String)>,
    /// The group that was used last, as the vault has it now.
    group: Option<Kept>,
}

struct Known {
    /// `None` is not there.
    value: Option<Box<dyn Any + Send>>,
    size: usize,
}

impl Memo {
    /// What is known of a record: nothing, that it is not there, or what it says, if it was read as this type.
    pub(crate) fn get<T: Clone + 'static>(&self, kind: &str, key: &str) -> Option<Option<T>> {
        match &self.inner.borrow().values.get(kind)?.get(key)?.value {
            None => Some(None),
            Some(value) => value.downcast_ref::<T>().map(|value| Some(value.clone())),
        }
    }

    /// Keeps in mind what was read; `size` as it is kept on disk.
    pub(crate) fn read<T: Clone + Send + 'static>(&self, kind: &str, key: &str, value: Option<&T>, size: usize) {
        if size > VALUE_LIMIT {
            return;
        }
        let size = size + ENTRY_COST;
        let mut inner = self.inner.borrow_mut();
        if inner.size + size > TOTAL_LIMIT {
            inner.values.clear();
            inner.size = 0;
        }
        let value = value.map(|value| Box::new(value.clone()) as Box<dyn Any + Send>);
        inner.size += size;
        let of_kind = inner.values.entry(kind.to_owned()).or_default();
        if let Some(before) = of_kind.insert(key.to_owned(), Known { value, size }) {
            inner.size -= before.size;
        }
    }

    /// A record is being changed.
    pub(crate) fn changes(&self, kind: &str, key: &str) {
        let mut inner = self.inner.borrow_mut();
        inner.forget(kind, key);
        inner.changed.push((kind.to_owned(), key.to_owned()));
    }

    /// A point in the open transaction to come back to.
    pub(crate) fn mark(&self) -> usize {
        self.inner.borrow().changed.len()
    }

    /// What was changed since `mark` is as it was before.
    pub(crate) fn back_to(&self, mark: usize) {
        let mut inner = self.inner.borrow_mut();
        inner.group = None;
        for (kind, key) in inner.changed.split_off(mark) {
            inner.forget(&kind, &key);
        }
    }

    /// The group is held as the vault has it.
    pub(crate) fn hold(&self, group: Kept) {
        self.inner.borrow_mut().group = Some(group);
    }

    /// The group if it is held; it is not any more.
    pub(crate) fn take_held(&self, group: &GroupId) -> Option<Kept> {
        let mut inner = self.inner.borrow_mut();
        inner.group.take_if(|held| held.group() == group)
    }

    /// The vault has something else now.
    pub(crate) fn let_go(&self) {
        self.inner.borrow_mut().group = None;
    }

    /// What was changed is kept.
    pub(crate) fn committed(&self) {
        self.inner.borrow_mut().changed.clear();
    }
}

impl Inner {
    fn forget(&mut self, kind: &str, key: &str) {
        if let Some(known) = self.values.get_mut(kind).and_then(|of_kind| of_kind.remove(key)) {
            self.size -= known.size;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(memo: &Memo, key: &str) -> Option<Option<String>> {
        memo.get("kind", key)
    }

    #[test]
    fn what_was_read_is_known_until_it_changes_and_after_a_change_that_was_undone_it_is_read_anew() {
        let memo = Memo::default();
        let read = |key: &str, value: Option<&str>| memo.read("kind", key, value.map(str::to_owned).as_ref(), 3);
        assert_eq!(known(&memo, "a"), None);
        read("a", Some("one"));
        read("b", None);
        assert_eq!((known(&memo, "a"), known(&memo, "b")), (Some(Some("one".into())), Some(None)));
        assert_eq!(memo.get::<u64>("kind", "a"), None, "as something else it was never read");
        memo.changes("kind", "a");
        assert_eq!(known(&memo, "a"), None);
        let mark = memo.mark();
        memo.changes("kind", "b");
        read("a", Some("two"));
        read("b", Some("two"));
        memo.back_to(mark);
        assert_eq!((known(&memo, "a"), known(&memo, "b")), (Some(Some("two".into())), None));
        memo.back_to(0);
        assert_eq!(known(&memo, "a"), None, "the whole transaction was undone");
    }

    #[test]
    fn it_does_not_grow_without_bound() {
        let memo = Memo::default();
        memo.read("kind", "large", Some(&0_u32), VALUE_LIMIT + 1);
        assert_eq!(memo.get::<u32>("kind", "large"), None);
        for number in 0..1000_u32 {
            memo.read("kind", &number.to_string(), Some(&number), VALUE_LIMIT / 2);
        }
        let inner = memo.inner.borrow();
        let counted: usize = inner.values.values().flat_map(HashMap::values).map(|known| known.size).sum();
        assert!(inner.size <= TOTAL_LIMIT && counted == inner.size);
        assert!(inner.values["kind"].contains_key("999"));
    }
}
