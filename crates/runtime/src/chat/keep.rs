//! Keeps what is said in a conversation: words become rows, words about words change the row they name.

use contract::News;
use message::Address;
use serde_json::{Value, json};
use store::{ChildRow, Tx};

use super::after::{Act, Stamp, Void};
use super::body::{Body, Text};
use super::extra::{Early, Extra, extra_of, put_extra};
use super::search;
use super::view::words_of;
use crate::files;
use crate::home::Home;
use crate::members::author_user;
use crate::objects::Follow;
use crate::records::{ChildValue, Object};
use crate::trouble::{Failure, Outcome};

/// Messages that end in one go; more follow a moment later.
const END_AT_ONCE: usize = 100;

/// What became of a word about a message.
enum Applied {
    Changed,
    Same,
    /// The message is not here, or not yet.
    NotHere,
    Void(Void),
}

/// Keeps a child that arrived; `at` is what its author's clock said.
pub(crate) fn heard(tx: &Tx<'_>, object: &Object, row: ChildRow, value: &Value, at: i64) -> Outcome<Vec<Follow>> {
    let stamp = stamp_of(&row, at);
    match Body::parse(value, &object.url) {
        Body::Act { to, act } => {
            let who = author_user(&row.author).to_owned();
            match apply(tx, object, &to, &who, &act, stamp.clone())? {
                Applied::Changed => return Ok(vec![Follow::ChildShown(to)]),
                Applied::Same => {}
                Applied::NotHere => {
                    let mut extra = extra_of(tx, &object.url)?;
                    extra.wait(Early { to, who, act, stamp });
                    put_extra(tx, &object.url, &extra)?;
                }
                Applied::Void(why) => tracing::info!(?why, "a word about a message does not count"),
            }
            Ok(Vec::new())
        }
        Body::Timer { seconds } => {
            set_timer(tx, object, stamp, seconds)?;
            tx.add_child(&ChildRow { unread: false, ..row }).map_err(Failure::store)?;
            Ok(Vec::new())
        }
        body => {
            // What our other device wrote ends from its writing on, what others wrote from our reading on.
            let ends = if row.mine { end_of(&body, row.at) } else { None };
            let id = row.id.clone();
            if let Body::File(attached) = &body {
                files::came(tx, &row, &attached.file)?;
            }
            if !row.mine && names_us(object, &body) {
                let mut extra = extra_of(tx, &object.url)?;
                extra.names_us(&id);
                put_extra(tx, &object.url, &extra)?;
            }
            tx.add_child(&ChildRow { ends, ..row }).map_err(Failure::store)?;
            catch_up(tx, object, &id)?;
            Ok(Vec::new())
        }
    }
}

/// Keeps a child of ours before it leaves. What we may not say is refused.
pub(crate) fn spoken(tx: &Tx<'_>, object: &Object, row: ChildRow, value: &Value) -> Outcome<Vec<Follow>> {
    let stamp = stamp_of(&row, row.at);
    let id = row.id.clone();
    match Body::parse(value, &object.url) {
        Body::Act { to, act } => {
            match apply(tx, object, &to, author_user(&row.author), &act, stamp)? {
                Applied::Changed | Applied::Same => {}
                Applied::NotHere => return Err(Failure::unknown("message")),
                Applied::Void(Void::NotTheAuthor) => {
                    return Err(Failure::new("not-the-author", "only who wrote a message changes it"));
                }
                Applied::Void(Void::NotAMessage) => {
                    return Err(Failure::new("not-a-message", "there is nothing that could be answered"));
                }
                Applied::Void(Void::Closed) => return Err(Failure::new("poll-closed", "no more votes are taken")),
                Applied::Void(Void::NoSuchChoice) => {
                    return Err(Failure::new("no-such-choice", "the poll has no such answer"));
                }
                Applied::Void(Void::TooMany) => return Err(Failure::new("too-many", "too many reactions")),
            }
            let row = if matches!(act, Act::Edit { .. }) { without_words(row, &to)? } else { row };
            tx.add_child(&ChildRow { hidden: true, ..row }).map_err(Failure::store)?;
            Ok(vec![Follow::ChildShown(to)])
        }
        Body::Timer { seconds } => {
            set_timer(tx, object, stamp, seconds)?;
            tx.add_child(&row).map_err(Failure::store)?;
            Ok(vec![Follow::ChildShown(id)])
        }
        body => {
            let ends = end_of(&body, row.at);
            tx.add_child(&ChildRow { ends, ..row }).map_err(Failure::store)?;
            Ok(vec![Follow::ChildShown(id)])
        }
    }
}

/// The words of an edit stand only in the message they are about, so that they are gone when it is.
fn without_words(row: ChildRow, to: &str) -> Outcome<ChildRow> {
    let mut child: ChildValue = serde_json::from_str(&row.value).map_err(|e| Failure::new("malformed", e))?;
    child.value = json!({ "type": "edit", "to": to });
    let value = serde_json::to_string(&child).map_err(|e| Failure::new("malformed", e))?;
    Ok(ChildRow { value, ..row })
}

/// What a kept child of ours says when it is sent again: an edit with the words its message has now.
pub(crate) fn sent_again(tx: &Tx<'_>, value: Value) -> Outcome<Value> {
    let field = |name: &str| value.get(name).and_then(Value::as_str);
    let (Some("edit"), Some(to), None) = (field("type"), field("to"), field("text")) else { return Ok(value) };
    let words = tx.child(to).map_err(Failure::store)?.and_then(|row| words_of(&row));
    Ok(words.map_or_else(|| json!({ "type": "gone" }), |text| json!({ "type": "edit", "to": to, "text": text })))
}

fn stamp_of(row: &ChildRow, at: i64) -> Stamp {
    let tag = row.author.rsplit(' ').next().unwrap_or_default().to_owned();
    Stamp { at, tag, seq: row.seq.unsigned_abs() }
}

/// When words that end are gone, if their time runs from `now` on.
pub(super) fn end_of(body: &Body, now: i64) -> Option<i64> {
    match body {
        Body::Text(Text { ends_after, .. }) if *ends_after > 0 => Some(now + i64::from(*ends_after) * 1000),
        Body::Poll { ends_after, .. } if *ends_after > 0 => Some(now + i64::from(*ends_after) * 1000),
        Body::File(attached) if attached.said.ends_after > 0 => Some(now + i64::from(attached.said.ends_after) * 1000),
        _ => None,
    }
}

fn set_timer(tx: &Tx<'_>, object: &Object, stamp: Stamp, seconds: u32) -> Outcome<()> {
    let mut extra = extra_of(tx, &object.url)?;
    extra.set_timer(stamp, seconds);
    put_extra(tx, &object.url, &extra)
}

/// Words about this message came before it.
fn catch_up(tx: &Tx<'_>, object: &Object, id: &str) -> Outcome<()> {
    let mut extra = extra_of(tx, &object.url)?;
    let waited = extra.waited_for(id);
    if waited.is_empty() {
        return Ok(());
    }
    put_extra(tx, &object.url, &extra)?;
    for early in waited {
        if let Applied::Void(why) = apply(tx, object, id, &early.who, &early.act, early.stamp)? {
            tracing::info!(?why, "a word about a message does not count");
        }
    }
    Ok(())
}

/// Changes the row of the message that a word is about.
fn apply(tx: &Tx<'_>, object: &Object, to: &str, who: &str, act: &Act, stamp: Stamp) -> Outcome<Applied> {
    let Some(row) = tx.child(to).map_err(Failure::store)? else { return Ok(Applied::NotHere) };
    if row.object != object.url.as_str() || row.hidden {
        return Ok(Applied::Void(Void::NotAMessage));
    }
    let mut child: ChildValue = serde_json::from_str(&row.value).map_err(|e| Failure::new("malformed", e))?;
    if !child.after.is_deleted()
        && let Some(why) = misplaced(&Body::parse(&child.value, &object.url), act)
    {
        return Ok(Applied::Void(why));
    }
    match child.after.take(author_user(&row.author), who, act, stamp) {
        Err(why) => return Ok(Applied::Void(why)),
        Ok(false) => {}
        Ok(true) => {
            if *act == Act::Delete {
                files::forget(tx, &row)?;
                // Who asks for it again is told that it is gone.
                child.value = json!({ "type": "gone" });
                tx.mark_child_read(to).map_err(Failure::store)?;
                tx.set_child_end(to, None).map_err(Failure::store)?;
            }
            if matches!(act, Act::Delete | Act::Pin { .. }) {
                let mut extra: Extra = extra_of(tx, &object.url)?;
                extra.named.retain(|id| *act != Act::Delete || id != to);
                extra.pin(to, child.after.is_pinned());
                put_extra(tx, &object.url, &extra)?;
            }
            keep_row(tx, &row, &child)?;
            return Ok(Applied::Changed);
        }
    }
    // A later word that says the same still moves the stamp on.
    keep_row(tx, &row, &child)?;
    Ok(Applied::Same)
}

/// Why a word cannot be about such a message at all.
fn misplaced(body: &Body, act: &Act) -> Option<Void> {
    match (body, act) {
        (Body::Poll { poll, .. }, Act::Vote { choices }) => (!poll.takes(choices)).then_some(Void::NoSuchChoice),
        // What was voted about stays as it was asked.
        (Body::Poll { .. }, Act::Edit { .. }) => Some(Void::NotAMessage),
        (Body::Text(_) | Body::File(_), Act::Vote { .. } | Act::Close) => Some(Void::NotAMessage),
        (Body::Text(_) | Body::File(_) | Body::Poll { .. }, _) => None,
        _ => Some(Void::NotAMessage),
    }
}

/// Whether words name us, in a group.
fn names_us(object: &Object, body: &Body) -> bool {
    let Some(own) = object.circle.as_ref().map(crate::circle::Circle::own) else { return false };
    let said = match body {
        Body::Text(said) => said,
        Body::File(attached) => &attached.said,
        _ => return false,
    };
    said.mentions.iter().any(|mention| mention.user == *own)
}

fn keep_row(tx: &Tx<'_>, row: &ChildRow, child: &ChildValue) -> Outcome<()> {
    let text = serde_json::to_string(child).map_err(|e| Failure::new("malformed", e))?;
    tx.replace_child(&row.id, &text).map_err(Failure::store)?;
    search::said_anew(tx, &ChildRow { value: text, ..row.clone() })
}

/// Ends what has come to its time; says which messages of which conversations.
fn end_due(tx: &Tx<'_>, now: i64) -> Outcome<Vec<(String, String)>> {
    let mut gone = Vec::new();
    for row in tx.ended_children(now, END_AT_ONCE).map_err(Failure::store)? {
        files::forget(tx, &row)?;
        tx.empty_child(&row.id).map_err(Failure::store)?;
        search::said_anew(tx, &ChildRow { value: String::new(), ..row.clone() })?;
        if let Ok(chat) = Address::parse(&row.object) {
            let mut extra = extra_of(tx, &chat)?;
            if extra.pins.contains(&row.id) {
                extra.pin(&row.id, false);
                put_extra(tx, &chat, &extra)?;
            }
        }
        gone.push((row.object, row.id));
    }
    Ok(gone)
}

/// Takes messages away whose time has come, and tells the shells.
pub(crate) fn end_children(home: &Home, now: i64) {
    let mut state = home.state();
    let Ok(store) = state.store() else { return };
    let due = store.read(|tx| tx.ended_children(now, 1)).is_ok_and(|due| !due.is_empty());
    if !due {
        return;
    }
    match store.erase(|tx| end_due(tx, now)) {
        Ok(gone) => {
            let mut chats: Vec<String> = gone.iter().map(|(chat, _)| chat.clone()).collect();
            chats.dedup();
            for (chat, id) in gone {
                home.tell(News::MessageGone { chat, id });
            }
            let follow = chats.iter().filter_map(|chat| Address::parse(chat).ok()).map(Follow::ChatShown).collect();
            home.follow_up(&mut state, follow);
        }
        Err(failure) => tracing::warn!(code = failure.code, "messages could not end"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::chat::message_of;
    use crate::members::{row_author, tag_of};
    use crate::records::{ObjectUse, Side, Standing};
    use crate::sending::child_json;
    use contract::{Content, TrustMark};
    use message::UserAddress;
    use store::{ChildState, KeySource, MasterKey, Store};

    struct Room {
        _folder: tempfile::TempDir,
        store: Store,
        object: Object,
    }

    const URL: &str = "comm://a.localhost/one";

    fn user(name: &str) -> UserAddress {
        UserAddress::parse(name).unwrap()
    }

    fn room() -> Room {
        let folder = tempfile::TempDir::new().unwrap();
        let key = MasterKey::open(folder.path(), KeySource::Unprotected).unwrap();
        let store = Store::open(&folder.path().join("parlance.db"), &key).unwrap();
        let url = Address::parse(URL).unwrap();
        let side = Side::Reporter(sync::Reporter::new(url.clone(), "comm", json!({})).unwrap());
        let peer = user("ben@b.localhost");
        let object = Object::new(url, ObjectUse::Chat, "comm".into(), peer, Standing::Open, side, 0);
        Room { _folder: folder, store, object }
    }

    fn id(device: &str, seq: i64) -> String {
        format!("{URL}/children/{}-{seq}", tag_of(device))
    }

    fn row(who: &str, device: &str, seq: i64, value: &Value) -> ChildRow {
        ChildRow {
            id: id(device, seq),
            object: URL.into(),
            author: row_author(&user(who), &tag_of(device)),
            seq,
            at: seq,
            state: ChildState::Received,
            value: child_json(value, TrustMark::Introduced),
            mine: who.starts_with("ana"),
            unread: !who.starts_with("ana"),
            ..ChildRow::default()
        }
    }

    impl Room {
        fn hears(&self, who: &str, device: &str, seq: i64, value: Value) {
            self.store.write(|tx| heard(tx, &self.object, row(who, device, seq, &value), &value, seq)).unwrap();
        }

        fn says(&self, seq: i64, value: Value) -> Outcome<Vec<Follow>> {
            self.store.write(|tx| spoken(tx, &self.object, row("ana@a.localhost", "laptop", seq, &value), &value))
        }

        fn shows(&self, id: &str) -> contract::ChatMessage {
            self.store.read(|tx| message_of(tx, &tx.child(id)?.unwrap())).unwrap()
        }

        fn text(&self, id: &str) -> Content {
            self.shows(id).content
        }
    }

    const BEN: &str = "ben@b.localhost";
    const ANA: &str = "ana@a.localhost";

    fn text(text: &str) -> Value {
        json!({ "type": "text", "text": text })
    }

    fn words(text: &str) -> Content {
        Content::Text { text: text.into() }
    }

    #[test]
    fn an_edit_of_anothers_message_changes_nothing_and_one_of_any_own_device_does() {
        let room = room();
        room.says(1, text("I owe you nothing")).unwrap();
        let of_ana = id("laptop", 1);
        room.hears(BEN, "bens", 1, json!({ "type": "edit", "to": of_ana, "text": "I owe you all" }));
        room.hears(BEN, "bens", 2, json!({ "type": "delete", "to": of_ana }));
        assert_eq!(room.text(&of_ana), words("I owe you nothing"));
        room.hears(ANA, "phone", 1, json!({ "type": "edit", "to": of_ana, "text": "I owe you a coffee" }));
        assert_eq!(room.text(&of_ana), words("I owe you a coffee"));
        assert!(room.shows(&of_ana).edited);
    }

    #[test]
    fn we_do_not_even_try_to_change_what_is_not_ours() {
        let room = room();
        room.hears(BEN, "bens", 1, text("mine"));
        let code = |value| room.says(9, value).err().map(|failure| failure.code);
        assert_eq!(
            code(json!({ "type": "edit", "to": id("bens", 1), "text": "x" })).as_deref(),
            Some("not-the-author")
        );
        assert_eq!(code(json!({ "type": "delete", "to": id("bens", 1) })).as_deref(), Some("not-the-author"));
        assert_eq!(code(json!({ "type": "delete", "to": id("bens", 7) })).as_deref(), Some("unknown"));
        assert_eq!(code(json!({ "type": "react", "to": id("bens", 1), "emoji": "👍", "on": true })), None);
    }

    #[test]
    fn what_comes_before_its_message_waits_for_it() {
        let room = room();
        room.hears(BEN, "phone", 1, json!({ "type": "react", "to": id("bens", 1), "emoji": "🎉", "on": true }));
        room.hears(BEN, "phone", 2, json!({ "type": "edit", "to": id("bens", 1), "text": "better" }));
        room.hears(ANA, "phone", 1, json!({ "type": "edit", "to": id("bens", 1), "text": "not hers" }));
        room.hears(BEN, "bens", 1, text("good"));
        let shown = room.shows(&id("bens", 1));
        assert_eq!((shown.content, shown.edited, shown.reactions.len()), (words("better"), true, 1));
        assert_eq!(shown.reactions[0].who, [BEN]);
    }

    #[test]
    fn what_is_taken_back_leaves_its_number_and_no_words() {
        let room = room();
        room.hears(BEN, "bens", 1, text("a secret"));
        room.hears(BEN, "bens", 2, json!({ "type": "delete", "to": id("bens", 1) }));
        assert_eq!(room.text(&id("bens", 1)), Content::Deleted);
        let kept = room.store.read(|tx| tx.child(&id("bens", 1))).unwrap().unwrap();
        assert!(!kept.value.contains("secret") && !kept.unread);
        room.hears(BEN, "bens", 3, json!({ "type": "edit", "to": id("bens", 1), "text": "back again" }));
        assert_eq!(room.text(&id("bens", 1)), Content::Deleted);
    }

    #[test]
    fn an_answer_shows_what_it_answers_and_says_when_that_is_not_here() {
        let room = room();
        room.says(1, text("Shall we?")).unwrap();
        let answer = |seq: i64, to: String| {
            room.hears(BEN, "bens", seq, json!({ "type": "text", "text": "yes", "reply": to }));
            room.shows(&id("bens", seq)).reply.unwrap()
        };
        let quote = answer(1, id("laptop", 1));
        assert_eq!((quote.text.as_deref(), quote.mine, quote.author.as_deref()), (Some("Shall we?"), true, Some(ANA)));
        assert_eq!(answer(2, id("laptop", 77)).text, None, "an answer to what does not exist");
        let own = answer(3, id("bens", 3));
        assert_eq!(own.text.as_deref(), Some("yes"), "an answer to itself is no circle");
        room.says(2, json!({ "type": "delete", "to": id("laptop", 1) })).unwrap();
        let quote = room.shows(&id("bens", 1)).reply.unwrap();
        assert_eq!((quote.text, quote.author.as_deref()), (None, Some(ANA)));
    }

    #[test]
    fn a_word_about_a_word_is_nothing() {
        let room = room();
        room.says(1, text("Hello")).unwrap();
        room.says(2, json!({ "type": "react", "to": id("laptop", 1), "emoji": "👍", "on": true })).unwrap();
        let failure = room.says(3, json!({ "type": "delete", "to": id("laptop", 2) })).err().unwrap();
        assert_eq!(failure.code, "not-a-message");
        room.hears(BEN, "bens", 1, json!({ "type": "react", "to": id("laptop", 2), "emoji": "👍", "on": true }));
        let shown = room.store.read(|tx| tx.children(URL, None, 9)).unwrap();
        assert_eq!(shown.len(), 1, "words about words are no lines");
    }

    #[test]
    fn the_words_of_an_edit_are_kept_once_and_go_with_their_message() {
        let room = room();
        room.says(1, text("first words")).unwrap();
        room.says(2, json!({ "type": "edit", "to": id("laptop", 1), "text": "second words" })).unwrap();
        let kept = |seq| room.store.read(|tx| tx.child(&id("laptop", seq))).unwrap().unwrap().value;
        let again = || {
            let child: ChildValue = serde_json::from_str(&kept(2)).unwrap();
            room.store.read(|tx| sent_again(tx, child.value)).unwrap()
        };
        assert!(!kept(2).contains("second words"));
        assert_eq!(again(), json!({ "type": "edit", "to": id("laptop", 1), "text": "second words" }));
        room.says(3, json!({ "type": "delete", "to": id("laptop", 1) })).unwrap();
        assert!(!kept(1).contains("first words") && !kept(1).contains("second words"));
        assert_eq!(again(), json!({ "type": "gone" }));
    }

    #[test]
    fn messages_end_at_their_time_and_not_before() {
        let room = room();
        room.says(1, json!({ "type": "timer", "seconds": 60 })).unwrap();
        room.says(1_000, json!({ "type": "text", "text": "soon gone", "ends": 60 })).unwrap();
        room.says(2_000, text("stays")).unwrap();
        let ended = |now| room.store.write(|tx| end_due(tx, now)).unwrap().len();
        assert_eq!((ended(60_999), ended(61_000), ended(i64::MAX)), (0, 1, 0));
        let kept = room.store.read(|tx| tx.child(&id("laptop", 1_000))).unwrap().unwrap();
        assert!(kept.value.is_empty());
    }
}
