//! The history that a new device gets, page by page: it says how far it is, and gets what follows.

use message::{Address, MessageType, UserAddress};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{ChildRow, ChildState, Tx};

use super::{COPY, OwnStep, PACKAGES_LIMIT};
use crate::chat::{self, Extra};
use crate::home::Ready;
use crate::members::Author;
use crate::muting;
use crate::objects::Follow;
use crate::records::{Object, ObjectUse, Person, Side, Standing, kind};
use crate::sending::{find_object, find_person, inner_message, pumps, put_object, put_person, seal_and_queue};
use crate::trouble::{Failure, Outcome};

/// Rows of history in one page.
const PAGE_ROWS: usize = 100;

/// Characters of rows in one page; one row always fits.
const PAGE_BYTES: usize = 64 * 1024;

/// People in one page; each brings their history.
const PAGE_PEOPLE: usize = 16;

/// How far a copy is: what to send next.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cursor {
    /// People that came so far.
    #[serde(default)]
    people: usize,
    /// The conversation that is being copied; none before all people came.
    #[serde(default)]
    object: Option<Address>,
    /// The last row of it that came, by the sender's count.
    #[serde(default)]
    after: i64,
    /// Rows that came so far.
    #[serde(default)]
    done: u32,
    /// Rows in all.
    #[serde(default)]
    pub(crate) total: u32,
    /// Everything is here.
    #[serde(default)]
    pub(crate) all: bool,
}

/// One page of a copy.
#[derive(Serialize, Deserialize)]
pub(super) struct Page {
    cursor: Cursor,
    #[serde(default)]
    persons: Vec<Person>,
    #[serde(default)]
    objects: Vec<Skeleton>,
    #[serde(default)]
    rows: Vec<Row>,
}

/// A conversation without its words.
#[derive(Serialize, Deserialize)]
struct Skeleton {
    url: Address,
    schema: String,
    peer: UserAddress,
    have: std::collections::BTreeMap<sync::Author, u64>,
    value: Value,
    version: u64,
    ours: bool,
    system_lines: u64,
    draft: String,
    at: i64,
    #[serde(default)]
    extra: Extra,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    mute: Option<muting::Mute>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    circle: Option<crate::circle::Circle>,
}

/// A row of history.
#[derive(Serialize, Deserialize)]
struct Row {
    id: String,
    object: Address,
    author: String,
    seq: i64,
    at: i64,
    state: String,
    value: String,
    mine: bool,
    unread: bool,
    #[serde(default)]
    ends: Option<i64>,
}

/// The next page after a cursor.
pub(super) fn send_page(
    tx: &Tx<'_>,
    me: &Ready,
    object: &Object,
    from: &Cursor,
    author: &Author,
) -> Outcome<Vec<Follow>> {
    if from.all {
        return Ok(vec![Follow::Own(OwnStep::Copied { device: author.device.clone() })]);
    }
    let page = page_after(tx, from)?;
    let (done, total) = (page.cursor.done, page.cursor.total);
    let inner = inner_message(MessageType::Update, &object.url, "copy", &page)?;
    seal_and_queue(tx, me, object, &inner, None)?;
    let mut follow: Vec<Follow> = pumps(object).collect();
    follow.push(Follow::Own(OwnStep::Progress { done, total }));
    Ok(follow)
}

fn page_after(tx: &Tx<'_>, from: &Cursor) -> Outcome<Page> {
    let objects: Vec<(String, Object)> = tx.list(kind::OBJECT).map_err(Failure::store)?;
    let mut chats: Vec<Object> =
        objects.into_iter().map(|(_, object)| object).filter(|object| object.purpose == ObjectUse::Chat).collect();
    chats.sort_by(|a, b| a.url.as_str().cmp(b.url.as_str()));
    let mut cursor = from.clone();
    let Some(current) = &from.object else {
        let mut persons: Vec<(String, Person)> = tx.list(kind::PERSON).map_err(Failure::store)?;
        persons.sort_by(|(a, _), (b, _)| a.cmp(b));
        let total: usize = chats.iter().map(|chat| tx.count_children_of(chat.url.as_str()).unwrap_or(0)).sum();
        cursor.total = u32::try_from(total).unwrap_or(u32::MAX);
        let page: Vec<Person> =
            persons.into_iter().skip(from.people).take(PAGE_PEOPLE).map(|(_, person)| person).collect();
        cursor.people = from.people.saturating_add(page.len());
        if page.len() < PAGE_PEOPLE {
            cursor.object = chats.first().map(|chat| chat.url.clone());
            cursor.all = cursor.object.is_none();
        }
        return Ok(Page { cursor, persons: page, objects: Vec::new(), rows: Vec::new() });
    };
    let mut rows = Vec::new();
    let mut bytes = 0;
    for row in tx.children_after(current.as_str(), from.after, PAGE_ROWS).map_err(Failure::store)? {
        bytes += row.value.len();
        if bytes > PAGE_BYTES && !rows.is_empty() {
            break;
        }
        cursor.after = row.ordinal;
        cursor.done = cursor.done.saturating_add(1);
        rows.push(Row::of(row, current)?);
    }
    let mut skeletons = Vec::new();
    if rows.is_empty() {
        // The conversation is through; its state goes with it, so that nothing is asked for again.
        if let Some(chat) = chats.iter().find(|chat| chat.url == *current) {
            let skeleton = Skeleton::of(chat, chat::extra_of(tx, &chat.url)?.told());
            skeletons.push(Skeleton { mute: muting::mute_of(tx, &chat.url)?, ..skeleton });
        }
        let next = chats.iter().map(|chat| &chat.url).find(|url| url.as_str() > current.as_str());
        cursor.all = next.is_none();
        cursor.object = next.cloned();
        cursor.after = 0;
    }
    Ok(Page { cursor, persons: Vec::new(), objects: skeletons, rows })
}

/// A page of the copy came: it is kept, and the next one asked for.
pub(super) fn on_page(tx: &Tx<'_>, me: &Ready, object: &Object, page: Page) -> Outcome<Vec<Follow>> {
    let before: Option<Cursor> = tx.get(kind::SETTINGS, COPY).map_err(Failure::store)?;
    if before.as_ref().is_none_or(|cursor| cursor.all) {
        // Nobody asked.
        return Ok(Vec::new());
    }
    let mut follow = Vec::new();
    for person in &page.persons {
        let known = find_person(tx, &person.user)?;
        if known.is_none() {
            put_person(tx, person)?;
            if let Some(at) = person.compared_at.filter(|_| person.persona.is_some()) {
                crate::comparing::pin_compared(tx, person.persona.as_deref().unwrap_or_default(), at)?;
            }
            follow.push(Follow::PersonShown(person.user.clone()));
        }
    }
    for row in page.rows {
        row.keep(tx)?;
    }
    for skeleton in page.objects {
        let url = skeleton.url.clone();
        skeleton.keep(tx)?;
        follow.push(Follow::ChatShown(url));
    }
    tx.put(kind::SETTINGS, COPY, &page.cursor).map_err(Failure::store)?;
    let inner = inner_message(MessageType::Read, &object.url, "copy", &page.cursor)?;
    seal_and_queue(tx, me, object, &inner, None)?;
    follow.extend(pumps(object));
    let (done, total) = (page.cursor.done, page.cursor.total);
    follow.push(Follow::Own(if page.cursor.all { OwnStep::Arrived } else { OwnStep::Progress { done, total } }));
    Ok(follow)
}

impl Skeleton {
    fn of(object: &Object, extra: Extra) -> Self {
        let (value, version) = match &object.side {
            Side::Reporter(reporter) => (reporter.value().clone(), reporter.version()),
            Side::Observer(observer) | Side::Standby(observer) => (observer.value().clone(), observer.version()),
        };
        Self {
            url: object.url.clone(),
            schema: object.schema.clone(),
            peer: object.peer.clone(),
            have: object.children.have(),
            value,
            version,
            ours: !matches!(object.side, Side::Observer(_)),
            system_lines: object.system_lines,
            draft: object.draft.clone(),
            at: object.at,
            extra,
            mute: None,
            circle: object.circle.clone(),
        }
    }

    fn keep(self, tx: &Tx<'_>) -> Outcome<()> {
        if find_object(tx, &self.url)?.is_some() {
            return Ok(());
        }
        tx.put(kind::CHAT, self.url.as_str(), &self.extra).map_err(Failure::store)?;
        if let Some(mute) = self.mute {
            muting::hear(tx, &self.url, mute)?;
        }
        let snapshot = sync::Snapshot { version: self.version, value: self.value };
        let observer =
            sync::Observer::new(self.url.clone(), &self.schema, snapshot).map_err(|e| Failure::new("bad-object", e))?;
        let side = if self.ours { Side::Standby(observer) } else { Side::Observer(observer) };
        let purpose = ObjectUse::Chat;
        let mut object = Object::new(self.url, purpose, self.schema, self.peer, Standing::Copied, side, self.at);
        object.children.adopt(&self.have);
        object.system_lines = self.system_lines;
        object.draft = self.draft;
        object.circle = self.circle;
        put_object(tx, &object)
    }
}

impl Row {
    fn of(row: ChildRow, object: &Address) -> Outcome<Self> {
        Ok(Self {
            id: row.id,
            object: object.clone(),
            author: row.author,
            seq: row.seq,
            at: row.at,
            state: word_of(row.state).to_owned(),
            value: row.value,
            mine: row.mine,
            unread: row.unread,
            ends: row.ends,
        })
    }

    fn keep(self, tx: &Tx<'_>) -> Outcome<()> {
        if tx.child(&self.id).map_err(Failure::store)?.is_some() {
            return Ok(());
        }
        let row = ChildRow {
            id: self.id,
            object: self.object.to_string(),
            author: self.author,
            seq: self.seq,
            at: self.at,
            state: state_of(&self.state),
            value: self.value,
            mine: self.mine,
            unread: self.unread,
            ends: self.ends,
            ..ChildRow::default()
        };
        tx.add_child(&row).map(|_| ()).map_err(Failure::store)
    }
}

fn word_of(state: ChildState) -> &'static str {
    match state {
        // What another device has not sent yet, it sends.
        ChildState::Queued | ChildState::Sent => "sent",
        ChildState::Delivered => "delivered",
        ChildState::Read => "read",
        ChildState::Failed => "failed",
        ChildState::Received => "received",
    }
}

fn state_of(word: &str) -> ChildState {
    match word {
        "delivered" => ChildState::Delivered,
        "read" => ChildState::Read,
        "failed" => ChildState::Failed,
        "received" => ChildState::Received,
        _ => ChildState::Sent,
    }
}

#[derive(Deserialize)]
pub(super) struct Wanted {
    pub(super) count: usize,
    pub(super) device: String,
}

/// Another device of ours wants to invite us into conversations.
pub(super) fn send_packages(tx: &Tx<'_>, me: &Ready, object: &Object, wanted: &Wanted) -> Outcome<Vec<Follow>> {
    if wanted.device != me.dsk.verifying_key().to_string() {
        return Ok(Vec::new());
    }
    let mut packages = Vec::new();
    for _ in 0..wanted.count.min(PACKAGES_LIMIT) {
        let made = seal::key_package(tx, &me.device, false).map_err(|e| Failure::new(e.code(), e))?;
        packages.push(keys::b64url(&made));
    }
    let inner = inner_message(MessageType::Update, &object.url, "packages", &json!({ "packages": packages }))?;
    seal_and_queue(tx, me, object, &inner, None)?;
    Ok(pumps(object).collect())
}
