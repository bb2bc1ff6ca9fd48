//! Fills gaps: says what we have, and sends what the other side misses, page by page and without a hole.
//!
//! The other side asks with the number of our last child that it has. It gets the next page, in
//! order, and then a word on how far the page went and how far there is to go; so it asks for the
//! next page, and nobody sends more than a page unasked. A child whose words are gone here is sent
//! as `gone`: its number is answered for, so the other side waits for nothing that never comes.

use std::collections::{BTreeMap, BTreeSet};

use message::{Address, Message, MessageType};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{ChildRow, Tx};

use crate::behind::AUTHORS_TOLD;
use crate::chat;
use crate::circle;
use crate::home::{Ready, now_ms};
use crate::members::{Author, row_author, said, tag_of};
use crate::objects::Follow;
use crate::records::{Asked, ChildValue, Member, Object, Side};
use crate::sending::{
    acceptance_message, child_message, inner_message, introduction_message, own_tag, pumps, put_object, seal_and_queue,
    seal_to,
};
use crate::trouble::{Failure, Outcome};

/// Children sent for one question.
const PAGE: u64 = 100;

/// The same gap is asked about again after this time, in milliseconds.
const ASK_AGAIN_MS: i64 = 30_000;

/// Where members receive is asked at most this often, in milliseconds.
const ASK_PLACES_MS: i64 = 2_000;

/// How far a page went; stands in an event of the children.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Resent {
    /// The last child of the page.
    pub(crate) to: u64,
    /// The last child there is.
    pub(crate) last: u64,
}

/// What is asked beside [`sync::Resync`].
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Wanted {
    /// Of some member it is not known where it receives: what was said of that got lost.
    #[serde(default)]
    inboxes: bool,
}

/// One child to be sent again.
struct Again {
    id: String,
    seq: u64,
    at: i64,
    value: Value,
}

/// The value of a child whose words are gone.
fn gone() -> Value {
    json!({ "type": "gone" })
}

/// Whether a child says that its words are gone at its author's.
pub(crate) fn is_gone(value: &Value) -> bool {
    value.get("type").and_then(Value::as_str) == Some("gone")
}

/// What of one author's children follows `have`, every number once, and how far that goes.
fn page_after(
    tx: &Tx<'_>,
    url: &Address,
    author: &str,
    tag: &sync::Author,
    (have, last, begins): (u64, u64, u64),
) -> Outcome<(Vec<Again>, Resent)> {
    let to = last.min(have.saturating_add(PAGE));
    let first = i64::try_from(have).unwrap_or(i64::MAX);
    let limit = usize::try_from(to.saturating_sub(have)).unwrap_or(0);
    let rows = tx.children_of(url.as_str(), author, first, limit).map_err(Failure::store)?;
    let mut kept: BTreeMap<u64, ChildRow> = rows.into_iter().map(|row| (row.seq.unsigned_abs(), row)).collect();
    let again = (have.saturating_add(1)..=to).map(|seq| match kept.remove(&seq) {
        // Said before the asker came: not for them.
        _ if seq <= begins => Again { id: format!("{url}/children/{tag}-{seq}"), seq, at: 0, value: circle::before() },
        Some(row) => {
            let child = serde_json::from_str::<ChildValue>(&row.value).ok();
            let value = child.and_then(|child| chat::sent_again(tx, child.value).ok()).unwrap_or_else(gone);
            Again { id: row.id, seq, at: row.at, value }
        }
        None => Again { id: format!("{url}/children/{tag}-{seq}"), seq, at: 0, value: gone() },
    });
    Ok((again.collect(), Resent { to: to.max(have), last }))
}

/// The other side misses something: what is asked for is sealed anew and sent again.
///
/// In a group it is brought to the one who asks and to nobody else: others may have come later than what it says.
pub(crate) fn on_resync(
    tx: &Tx<'_>,
    me: &Ready,
    object: &Object,
    author: &Author,
    inner: &Message,
) -> Outcome<Vec<Follow>> {
    let ask: sync::Resync = said(inner)?;
    let wanted: Wanted = said(inner)?;
    if crate::comparing::may_send(tx, object).is_err() {
        // They ask again, and are answered once a person has decided.
        return Ok(Vec::new());
    }
    let (tag, user) = (own_tag(me), &me.record.user);
    let asker = author.member(object)?.user.clone();
    let begins = object.circle.as_ref().map_or(0, |circle| circle.begins_for(&asker, &tag));
    let is_for = |member: &Member| object.circle.is_none() || member.user == asker;
    let say = |inner: &Message| seal_to(tx, me, object, inner, &is_for);
    let have = ask.have.get(&tag).copied().unwrap_or(0);
    if matches!(object.side, Side::Observer(_)) && !ask.have.contains_key(&tag) && object.circle.is_none() {
        // Who has nothing of ours may have missed that we accepted; who knows it drops this.
        seal_and_queue(tx, me, object, &acceptance_message(me, &object.url)?, None)?;
    }
    let last = object.children.have_of(&tag);
    if have < last {
        let (again, resent) = page_after(tx, &object.url, &row_author(user, &tag), &tag, (have, last, begins))?;
        for child in again {
            say(&child_message(me, object, &child.id, child.seq, child.at, &child.value)?)?;
        }
        let word = json!({ "resent": { tag.as_str(): resent } });
        say(&inner_message(MessageType::Event, &object.url, "children/", &word)?)?;
    }
    if let Side::Reporter(reporter) = &object.side {
        if wanted.inboxes {
            let introduction = introduction_message(tx, me, object)?;
            if object.is_large() {
                say(&introduction)?;
                circle::tell_places(tx, me, object, &is_for)?;
            } else {
                seal_and_queue(tx, me, object, &introduction, None)?;
            }
        }
        if object.is_large() {
            tell_of_more(object, &ask, &tag, &say)?;
        }
        match reporter.since(ask.version) {
            sync::Since::Nothing => {}
            sync::Since::Changes(changes) => {
                for change in changes {
                    say(&inner_message(MessageType::Update, &object.url, "changes", &change)?)?;
                }
            }
            sync::Since::Snapshot(snapshot) => {
                say(&inner_message(MessageType::Update, &object.url, "", &snapshot)?)?;
            }
        }
    }
    Ok(pumps(object).collect())
}

/// Whoever writes a large group is asked by all; it says whose words there are more of, and those people have them.
fn tell_of_more(
    object: &Object,
    ask: &sync::Resync,
    own: &sync::Author,
    say: &dyn Fn(&Message) -> Outcome<()>,
) -> Outcome<()> {
    let more = object.children.missing_at(&ask.have).into_iter().filter(|gap| gap.author != *own);
    let have: BTreeMap<sync::Author, u64> = more.map(|gap| (gap.author, gap.last)).take(AUTHORS_TOLD).collect();
    if have.is_empty() {
        return Ok(());
    }
    say(&inner_message(MessageType::Event, &object.url, "children/", &json!({ "have": have }))?)
}

/// Whoever writes a large group says whose words there are more of: those people are asked, and nobody else.
pub(crate) fn hear_of_more(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    have: &BTreeMap<sync::Author, u64>,
) -> Outcome<Vec<Follow>> {
    let more = have.iter().filter(|(author, last)| object.children.have_of(author) < **last);
    let of: BTreeSet<sync::Author> = more.map(|(author, _)| author.clone()).take(AUTHORS_TOLD).collect();
    if of.is_empty() || !object.is_large() {
        return Ok(Vec::new());
    }
    let of_these = of.clone();
    ask(tx, me, object, of, &move |member: &Member| of_these.contains(&tag_of(&member.device)))?;
    put_object(tx, object)?;
    Ok(pumps(object).collect())
}

/// The other side told how far its page went: the next one is asked for.
pub(crate) fn on_resent(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    author: &sync::Author,
    resent: &Resent,
) -> Outcome<Vec<Follow>> {
    // Only after progress, or two broken sides could ask each other for ever.
    if object.children.have_of(author) < resent.to || resent.to >= resent.last {
        return Ok(Vec::new());
    }
    ask_for_missing(tx, me, object)?;
    put_object(tx, object)?;
    Ok(pumps(object).collect())
}

/// Says what we have, so that the other side sends what we miss; once for each gap.
pub(crate) fn ask_for_missing(tx: &Tx<'_>, me: &Ready, object: &mut Object) -> Outcome<()> {
    let whom = object.knows_missing();
    ask(tx, me, object, BTreeSet::new(), &whom)
}

/// The same for one author of whom something is missing.
pub(crate) fn ask_author_for_missing(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    author: &sync::Author,
) -> Outcome<()> {
    if !object.is_large() {
        return ask_for_missing(tx, me, object);
    }
    let known = object.knows_missing();
    let whom = |member: &Member| known(member) || tag_of(&member.device) == *author;
    ask(tx, me, object, BTreeSet::from([author.clone()]), &whom)
}

fn ask(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    of: BTreeSet<sync::Author>,
    whom: &dyn Fn(&Member) -> bool,
) -> Outcome<()> {
    let version = match &object.side {
        Side::Observer(observer) | Side::Standby(observer) => observer.version(),
        Side::Reporter(reporter) => reporter.version(),
    };
    let ask = Asked { version, have: object.children.have(), of, at: now_ms() };
    if object.asked.as_ref().is_some_and(|before| before.answers_soon(&ask)) {
        return Ok(());
    }
    let mut have = serde_json::to_value(sync::Resync { version, have: object.children.have() })
        .map_err(|e| Failure::new("malformed", e))?;
    if object.members.iter().any(|member| member.inbox.is_none()) {
        have["inboxes"] = Value::Bool(true);
    }
    let message = inner_message(MessageType::Read, &object.url, "", &have)?;
    object.asked = Some(ask);
    seal_to(tx, me, object, &message, whom)
}

/// Members whose place is not known get nothing of ours; whoever holds the object is asked where they are.
pub(crate) fn ask_where_they_are(tx: &Tx<'_>, me: &Ready, object: &mut Object, now: i64) -> Outcome<Vec<Follow>> {
    let asked_soon = object.asked.as_ref().is_some_and(|asked| (0..ASK_PLACES_MS).contains(&(now - asked.at)));
    if asked_soon || object.members.iter().all(|member| member.inbox.is_some()) {
        return Ok(Vec::new());
    }
    object.asked = None;
    ask_for_missing(tx, me, object)?;
    put_object(tx, object)?;
    Ok(pumps(object).collect())
}

impl Asked {
    /// Whether the same was asked a moment ago.
    fn answers_soon(&self, now: &Self) -> bool {
        (self.version, &self.have, &self.of) == (now.version, &now.have, &now.of)
            && (0..ASK_AGAIN_MS).contains(&(now.at - self.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use store::{ChildState, KeySource, MasterKey, Store};

    fn author(text: &str) -> sync::Author {
        sync::Author::parse(text).unwrap()
    }

    fn chat() -> Address {
        Address::parse("comm://a.localhost/one").unwrap()
    }

    fn row(author: &str, seq: i64) -> ChildRow {
        ChildRow {
            id: format!("{}/children/{}-{seq}", chat(), author.len()),
            object: chat().to_string(),
            author: author.to_string(),
            seq,
            at: seq,
            state: ChildState::Sent,
            value: json!({ "value": { "type": "text", "text": format!("no. {seq}") } }).to_string(),
            mine: true,
            ..ChildRow::default()
        }
    }

    /// Ana wrote 450 and Ben, who talks a lot, 2,000 in between; two of Ana's are not here any more.
    fn long_talk(folder: &std::path::Path) -> Store {
        let key = MasterKey::open(folder, KeySource::Unprotected).unwrap();
        let store = Store::open(&folder.join("parlance.db"), &key).unwrap();
        let (ana, ben) = ("ana laptop", "benjamin phone");
        store
            .write(|tx| {
                for seq in 1..=450 {
                    if seq != 120 {
                        tx.add_child(&row(ana, seq))?;
                    }
                }
                tx.empty_child(&row(ana, 7).id)?;
                for seq in 1..=2000 {
                    tx.add_child(&row(ben, seq))?;
                }
                Ok::<_, Failure>(())
            })
            .unwrap();
        store
    }

    #[test]
    fn who_missed_everything_gets_every_number_once_and_in_order() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = long_talk(folder.path());
        let mut heard: Vec<(u64, bool)> = Vec::new();
        let mut have = 0;
        let mut pages = 0;
        loop {
            let (page, resent) =
                store.read(|tx| page_after(tx, &chat(), "ana laptop", &author("tag"), (have, 450, 0))).unwrap();
            assert!(page.len() as u64 <= PAGE);
            heard.extend(page.iter().map(|child| (child.seq, is_gone(&child.value))));
            have = resent.to;
            pages += 1;
            if resent.to >= resent.last {
                break;
            }
        }
        assert_eq!(pages, 5);
        assert_eq!(heard.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), (1..=450).collect::<Vec<_>>());
        let gone: Vec<u64> = heard.iter().filter(|(_, gone)| *gone).map(|(seq, _)| *seq).collect();
        assert_eq!(gone, [7, 120], "what is out of reach is said to be");
    }

    #[test]
    fn who_claims_to_have_more_than_there_is_gets_nothing() {
        let folder = tempfile::TempDir::new().unwrap();
        let store = long_talk(folder.path());
        for have in [450, 451, u64::MAX] {
            let (page, resent) =
                store.read(|tx| page_after(tx, &chat(), "ana laptop", &author("tag"), (have, 450, 0))).unwrap();
            assert!(page.is_empty() && resent.to >= resent.last, "{have}");
        }
    }

    #[test]
    fn one_gap_is_asked_about_once_in_a_while_and_a_new_one_at_once() {
        let asked = |version, have, at| Asked {
            version,
            have: BTreeMap::from([(author("tag"), have)]),
            of: BTreeSet::new(),
            at,
        };
        let first = asked(3, 10, 1_000);
        assert!(first.answers_soon(&asked(3, 10, 2_000)));
        assert!(!first.answers_soon(&asked(3, 10, 1_000 + ASK_AGAIN_MS)));
        assert!(!first.answers_soon(&asked(3, 110, 2_000)));
        assert!(!first.answers_soon(&asked(4, 10, 2_000)));
    }
}
