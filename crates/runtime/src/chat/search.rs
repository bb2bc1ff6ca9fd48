//! Looks for words in conversations. The index is in memory only (`store::words`).

use std::sync::atomic::Ordering;
use std::time::Duration;

use contract::SearchAnswer;
use message::Address;
use store::{ChildRow, Tx};

use super::view::{messages_of, words_of};
use crate::home::Home;
use crate::trouble::{Failure, Outcome};

/// Messages of one answer.
const PAGE: usize = 50;

/// Messages indexed in one go; others read and write in between. The index is put in order once for each go, which
/// takes as long as a few messages.
const INDEX_AT_ONCE: usize = 100;

/// The same while messages are on their way: who writes and who is written to wait for no more than these.
const INDEX_BESIDE: usize = 16;

/// How long the others have the lock for themselves then. Whoever gives a lock back and asks for it at once has it
/// again before those that were woken.
const INDEX_PAUSE: Duration = Duration::from_millis(2);

/// Messages indexed before a search is answered.
const INDEX_FIRST: usize = 2_000;

/// Longest text that is looked for, in characters.
const TEXT_LIMIT: usize = 256;

impl Home {
    /// Question `chat.search`.
    pub(crate) fn chat_search(&self, text: &str, chat: Option<&Address>, before: Option<i64>) -> Outcome<SearchAnswer> {
        let words = words_to_find(text);
        let state = self.state();
        state.store()?.write(|tx| {
            let complete = index(tx, INDEX_FIRST)?;
            let object = chat.map(Address::as_str);
            let mut rows = tx.find_words(&words, object, before, PAGE + 1).map_err(Failure::store)?;
            let more = rows.len() > PAGE;
            rows.truncate(PAGE);
            let found = messages_of(tx, &rows)?;
            Ok(SearchAnswer { found, more, complete })
        })
    }

    /// Indexes what is not indexed yet, a little at a time.
    pub(crate) fn index_later(&self) {
        {
            let mut state = self.state();
            if state.upkeep.indexing || state.me.is_none() {
                return;
            }
            // Asked every second: a transaction that writes nothing still costs, and counts towards the next scrub.
            let waits =
                state.store().and_then(|store| store.read(|tx| tx.children_to_index(1)).map_err(Failure::store));
            if waits.is_ok_and(|rows| rows.is_empty()) {
                return;
            }
            state.upkeep.indexing = true;
        }
        let home = self.clone();
        self.rooms.tasks.start("index", async move {
            loop {
                let is_busy = home.rooms.under_way.load(Ordering::Relaxed) > 0;
                let at_once = if is_busy { INDEX_BESIDE } else { INDEX_AT_ONCE };
                let done = match home.state().store() {
                    // It lies in memory: no disk is waited for.
                    Ok(store) => store.write_soon(|tx| index(tx, at_once)),
                    Err(failure) => Err(failure),
                };
                if !matches!(done, Ok(false)) {
                    break;
                }
                if is_busy {
                    tokio::time::sleep(INDEX_PAUSE).await;
                } else {
                    tokio::task::yield_now().await;
                }
            }
            home.state().upkeep.indexing = false;
        });
    }
}

/// Indexes the next messages; whether all are indexed then.
fn index(tx: &Tx<'_>, limit: usize) -> Outcome<bool> {
    let rows = tx.children_to_index(limit).map_err(Failure::store)?;
    tx.index_next(rows.iter().map(|row| (row, words_of(row).map(|words| fold(&words))))).map_err(Failure::store)?;
    Ok(rows.len() < limit)
}

/// A message says something else now, or nothing.
pub(crate) fn said_anew(tx: &Tx<'_>, row: &ChildRow) -> Outcome<()> {
    let words = words_of(row).map(|words| fold(&words));
    tx.index_again(row, words.as_deref()).map_err(Failure::store)
}

/// The words of a question, each as the index knows it.
fn words_to_find(text: &str) -> Vec<String> {
    let text: String = text.chars().take(TEXT_LIMIT).collect();
    let folded = text.split_whitespace().map(fold);
    folded.filter(|word| word.chars().any(char::is_alphanumeric)).collect()
}

/// Writes a text as the index reads it: Arabic letters without their marks and variants, so that it does not matter
/// how carefully somebody wrote; signs of languages without blanks one by one. The index itself takes case and the
/// accents of Latin letters away.
fn fold(text: &str) -> String {
    let mut folded = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            // Vowel signs, the dagger alif and the stretching sign.
            '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{640}' => {}
            '\u{622}' | '\u{623}' | '\u{625}' | '\u{671}' => folded.push('\u{627}'),
            '\u{649}' => folded.push('\u{64a}'),
            '\u{629}' => folded.push('\u{647}'),
            '\u{e00}'..='\u{e7f}' | '\u{3040}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' => {
                folded.extend([' ', c, ' ']);
            }
            c => folded.push(c),
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sending::child_json;
    use contract::TrustMark;
    use serde_json::json;
    use store::{ChildState, KeySource, MasterKey, Store};

    const CHAT: &str = "comm://a.localhost/one";
    const OTHER: &str = "comm://a.localhost/two";

    fn store(folder: &std::path::Path) -> Store {
        let key = MasterKey::open(folder, KeySource::Unprotected).unwrap();
        Store::open(&folder.join("parlance.db"), &key).unwrap()
    }

    fn row(chat: &str, seq: i64, text: &str) -> ChildRow {
        ChildRow {
            id: format!("{chat}/children/t-{seq}"),
            object: chat.into(),
            author: "user://b.localhost/ben t".into(),
            seq,
            at: seq,
            state: ChildState::Received,
            value: child_json(&json!({ "type": "text", "text": text }), TrustMark::Introduced),
            ..ChildRow::default()
        }
    }

    fn says(store: &Store, chat: &str, seq: i64, text: &str) {
        store.write(|tx| tx.add_child(&row(chat, seq, text))).unwrap();
    }

    fn finds(store: &Store, text: &str, chat: Option<&str>) -> Vec<String> {
        let words = words_to_find(text);
        let found = store.write(|tx| {
            assert!(index(tx, 10_000)?);
            tx.find_words(&words, chat, None, 50).map_err(Failure::store)
        });
        found.unwrap().iter().filter_map(words_of).collect()
    }

    #[test]
    fn words_are_found_however_they_are_written() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = store(folder.path());
        for (seq, text) in
            ["Café at noon?", "The MEETING is off", "كِتَابٌ جديد", "إلى المدرسة", "明日は会議です", "a \"quoted\" AND b*"]
                .into_iter()
                .enumerate()
        {
            says(&store, CHAT, seq as i64 + 1, text);
        }
        for (asked, found) in [
            ("cafe", "Café at noon?"),
            ("NOON caf", "Café at noon?"),
            ("meet", "The MEETING is off"),
            ("كتاب", "كِتَابٌ جديد"),
            ("المدرسه", "إلى المدرسة"),
            ("会議", "明日は会議です"),
            ("\"quoted\" AND", "a \"quoted\" AND b*"),
        ] {
            assert_eq!(finds(&store, asked, None), [found], "{asked}");
        }
        for asked in ["", "   ", "\"", "*", "NEAR(", "text:meeting OR", "zebra", "off OR noon", "\0"] {
            assert!(finds(&store, asked, None).is_empty(), "{asked}");
        }
    }

    #[test]
    fn one_conversation_or_all_are_looked_through_the_newest_first() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = store(folder.path());
        says(&store, CHAT, 1, "tea one");
        says(&store, OTHER, 1, "tea two");
        says(&store, CHAT, 2, "tea three");
        assert_eq!(finds(&store, "tea", Some(CHAT)), ["tea three", "tea one"]);
        assert_eq!(finds(&store, "tea", None), ["tea three", "tea two", "tea one"]);
    }

    #[test]
    fn what_is_edited_is_found_by_its_new_words_and_what_is_gone_by_none() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = store(folder.path());
        says(&store, CHAT, 1, "first words");
        assert_eq!(finds(&store, "first", None).len(), 1);
        let anew = |text: &str| {
            let changed = row(CHAT, 1, text);
            store
                .write(|tx| {
                    let kept = tx.child(&changed.id)?.unwrap();
                    tx.replace_child(&changed.id, &changed.value)?;
                    said_anew(tx, &ChildRow { value: changed.value.clone(), ..kept })
                })
                .unwrap();
        };
        anew("second words");
        assert_eq!((finds(&store, "first", None).len(), finds(&store, "second", None).len()), (0, 1));
        anew("");
        assert!(finds(&store, "words", None).is_empty());
    }

    #[test]
    fn nothing_of_the_index_reaches_the_disk_and_it_is_made_anew() {
        let folder = tempfile::TempDir::new().unwrap();
        let open = store(folder.path());
        says(&open, CHAT, 1, "xylophonist rehearsal");
        assert_eq!(finds(&open, "xylo", None).len(), 1);
        open.close();
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let bytes = std::fs::read(file.unwrap().path()).unwrap();
            assert!(!bytes.windows(8).any(|part| part.eq_ignore_ascii_case(b"xylophon")));
        }
        drop(open);
        assert_eq!(finds(&store(folder.path()), "xylophonist", None).len(), 1);
    }
}
