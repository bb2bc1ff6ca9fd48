//! What arrives sealed: opened, judged, numbered and kept before it is acknowledged.
//!
//! The answer to the node is sent only after the transaction is committed, so a
//! message is either still in the mailbox or whole in our store, never lost.

use std::collections::BTreeMap;

use contract::ContactState;
use message::{Address, Code, Message, MessageType, Response, UserAddress};
use policy::{Contact, Policy};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{ChildRow, ChildState, Tx};

use crate::gate;
use crate::home::{Home, Ready, State, body, now_ms, now_u64};
use crate::objects::{
    Follow, Introduction, below, child_json, get_object, get_person, inner_message, put_object, put_person,
    seal_and_queue,
};
use crate::persons;
use crate::records::{Held, Object, ObjectUse, Person, Side, Standing};
use crate::resync::{Resent, ask_for_missing, is_gone, on_resent, on_resync};
use crate::trouble::{Failure, Outcome};

/// Sealed messages of one object that may wait for the check of their sender.
const HELD_LIMIT: usize = 256;

/// Contact requests of strangers that may be open at once; more are refused.
const REQUESTS_LIMIT: usize = 50;

#[derive(Deserialize)]
struct Sealed {
    v: u32,
    sealed: String,
}

/// The body of an invitation or an acceptance.
#[derive(Deserialize)]
struct Introduced {
    introduction: Introduction,
    #[serde(default)]
    schema: String,
    #[serde(default)]
    version: u64,
    #[serde(default)]
    value: Value,
}

#[derive(Deserialize)]
struct Child {
    resource: String,
    seq: u64,
    value: Value,
    #[serde(default)]
    at: i64,
}

#[derive(Deserialize)]
struct Receipt {
    /// The author's children up to here are kept at the other side.
    #[serde(default)]
    delivered: BTreeMap<UserAddress, u64>,
    /// How far a page of the other side's own children went.
    #[serde(default)]
    resent: BTreeMap<UserAddress, Resent>,
}

#[derive(Deserialize)]
struct Ended {
    code: u16,
    #[serde(default)]
    reason: Option<String>,
}

/// What `Object::peer` evidence looks like while it waits to be checked.
#[derive(serde::Serialize, Deserialize)]
pub(crate) struct WaitingEvidence {
    pub(crate) name: String,
    pub(crate) evidence: identity::Evidence,
    /// Whether we were invited by them (or they accepted our invitation).
    pub(crate) invited_us: bool,
}

impl Home {
    /// A message to an inbox of this device, or to a Hyperty that is not there.
    pub(crate) fn on_inbox(&self, state: &mut State, message: Message) {
        let ours = state.me.as_ref().is_some_and(|me| me.record.inbox == message.to);
        if !ours || message.kind != MessageType::Create {
            self.answer(state, &message, &Response::code(Code::NOT_FOUND));
            return;
        }
        let response = match self.open_sealed(state, &message) {
            Ok(follow) => {
                self.follow_up(state, follow);
                Response::code(Code::OK)
            }
            Err(failure) => {
                tracing::info!(code = failure.code, "a sealed message was refused");
                match failure.code.as_str() {
                    // Kept by the node until our store works again.
                    "store-failed" => Response::code(Code::UNAVAILABLE),
                    // Hostile or stale: acknowledged, so that it is not sent for ever.
                    _ => Response::because(Code::OK, failure.code),
                }
            }
        };
        self.answer(state, &message, &response);
    }

    fn open_sealed(&self, state: &mut State, message: &Message) -> Outcome<Vec<Follow>> {
        let me = state.me.as_ref().ok_or_else(Failure::not_ready)?;
        let store = state.store.as_ref().ok_or_else(Failure::not_ready)?;
        let policy = &mut state.policy;
        let sealed: Sealed = message.body.parse().map_err(|e| Failure::new("malformed", e))?;
        if sealed.v != 1 {
            return Err(Failure::new("newer-version", "the sealed message is of a newer version"));
        }
        let bytes = keys::from_b64url(&sealed.sealed).map_err(|e| Failure::new("malformed", e))?;
        let mark = keys::b64url(&keys::sha256(&bytes));
        let now = now_ms();
        store.write(|tx| {
            if tx.seen(&mark).map_err(Failure::store)? {
                return Ok(Vec::new());
            }
            let group = match seal::peek(&bytes).map_err(|e| Failure::new("malformed", e))? {
                seal::Sealed::Welcome => return join(tx, me, &bytes, now),
                seal::Sealed::Message { group, .. } => group,
            };
            let url = group.as_str().and_then(|text| Address::parse(text).ok());
            let url = url.ok_or_else(|| Failure::new("malformed", "the group is not named by an address"))?;
            let known: Option<Object> = tx.get(crate::records::kind::OBJECT, url.as_str()).map_err(Failure::store)?;
            if let Some(object) = &known {
                gate::admit_sealed(policy, now_u64(), object)?;
            }
            let opened = seal::open(tx, &me.device, &bytes, &mut |_| Err("nobody is added here".into()))
                .map_err(|e| Failure::new(e.code(), e))?;
            let seal::What::Application(plaintext) = opened.what else { return Ok(Vec::new()) };
            let inner = Message::from_json(&plaintext).map_err(|e| Failure::new("malformed", e))?;
            if inner.to.base() != url {
                return Err(Failure::new("malformed", "the message is for another object than its group"));
            }
            let author = Author { device: opened.sender.dsk.to_string(), is_reporter: opened.sender.is_reporter() };
            match known {
                Some(_) => on_inner(tx, me, &url, &author, inner, now),
                None => first_word(tx, me, policy, &url, &author, &inner, now),
            }
        })
    }
}

/// Who wrote a sealed message, as the group's signature says.
pub(crate) struct Author {
    pub(crate) device: String,
    pub(crate) is_reporter: bool,
}

/// Joins a group; what it is for comes with the introduction.
fn join(tx: &Tx<'_>, me: &Ready, welcome: &[u8], now: i64) -> Outcome<Vec<Follow>> {
    let pending = seal::inspect_welcome(tx, &me.device, welcome).map_err(|e| Failure::new(e.code(), e))?;
    pending
        .join(tx, &mut |member| persons::check_leaf(member, None, now).map(|_| ()))
        .map_err(|e| Failure::new(e.code(), e))?;
    Ok(vec![Follow::KeyPackageUsed])
}

/// Takes one opened message of an object, in its transaction.
pub(crate) fn on_inner(
    tx: &Tx<'_>,
    me: &Ready,
    url: &Address,
    author: &Author,
    inner: Message,
    now: i64,
) -> Outcome<Vec<Follow>> {
    let part = inner.to.as_str()[url.as_str().len()..].trim_matches('/').to_owned();
    let mut object = get_object(tx, url)?;
    if inner.kind == MessageType::Subscribe && part == "subscription" {
        return accepted(tx, &mut object, author, &inner);
    }
    if matches!(object.standing, Standing::Closed { .. }) {
        return Ok(Vec::new());
    }
    if !object.is_open() && (inner.kind, part.as_str()) != (MessageType::Event, "subscription") {
        // Nothing of a person is shown or acted upon before they are verified.
        if object.held.len() >= HELD_LIMIT {
            return Err(Failure::new("too-many", "too much before the introduction was checked"));
        }
        object.held.push(Held { device: author.device.clone(), message: inner.to_json() });
        put_object(tx, &object)?;
        return Ok(Vec::new());
    }
    if object.is_open() && object.peer_device.as_deref() != Some(author.device.as_str()) {
        return Err(Failure::new("wrong-author", "the message is by a device that was not verified"));
    }
    match (inner.kind, part.as_str()) {
        (MessageType::Create, "children") => on_child(tx, me, &mut object, &inner, now),
        (MessageType::Event, "children") => on_receipt(tx, me, &mut object, &inner),
        (MessageType::Update, "changes") if author.is_reporter => on_change(tx, me, &mut object, &inner),
        (MessageType::Update, "") if author.is_reporter => on_snapshot(tx, &mut object, &inner),
        (MessageType::Update, _) => Err(Failure::new("not-reporter", "only the Reporter changes an object")),
        (MessageType::Event, "subscription") => on_ended(tx, me, &mut object, &inner),
        (MessageType::Read, "") => on_resync(tx, me, &object, &inner),
        _ => Err(Failure::new("malformed", "no such inner message")),
    }
}

/// The first message of an object we do not know is the introduction of its Reporter, and nothing else.
fn first_word(
    tx: &Tx<'_>,
    me: &Ready,
    policy: &mut Policy,
    url: &Address,
    author: &Author,
    inner: &Message,
    now: i64,
) -> Outcome<Vec<Follow>> {
    if inner.kind != MessageType::Create || !inner.to.as_str().ends_with("/subscription") || !author.is_reporter {
        return Err(Failure::new("unknown-object", "a message before its introduction"));
    }
    let said: Introduced = inner.body.parse().map_err(|e| Failure::new("malformed", e))?;
    let purpose = match url.scheme() {
        "comm" => ObjectUse::Chat,
        "connection" => ObjectUse::Call,
        _ => return Err(Failure::new("malformed", "no Hyperty for this kind of object")),
    };
    let evidence = said.introduction.evidence;
    let user = evidence.user.clone();
    if user == me.record.user {
        return Err(Failure::new("malformed", "an invitation from oneself"));
    }
    let inbox_domain = evidence.inbox.as_ref().map(Address::domain);
    if inbox_domain != Some(user.domain()) || url.domain() != user.domain() {
        return Err(Failure::new("wrong-domain", "the address, the inbox and the object are of one domain"));
    }
    // Nothing is kept about the claimed person before the claim is checked: anybody can claim anything.
    gate::admit_claim(policy, now_u64(), &user, purpose)?;
    let contact = policy.rules().contacts.get(&user) == Some(&Contact::Accepted);
    if !contact && persons::open_requests(tx)? >= REQUESTS_LIMIT {
        return Err(Failure::new("too-many", "too many contact requests are open"));
    }
    let snapshot = sync::Snapshot { version: said.version, value: said.value };
    let observer =
        sync::Observer::new(url.clone(), &said.schema, snapshot).map_err(|e| Failure::new("bad-object", e))?;
    let waiting = WaitingEvidence { name: said.introduction.name, evidence, invited_us: true };
    let standing = Standing::Verifying { evidence: serde_json::to_string(&waiting).unwrap_or_default() };
    let side = Side::Observer(observer);
    let mut object = Object::new(url.clone(), purpose, said.schema, user, standing, side, now);
    object.peer_device = Some(author.device.clone());
    put_object(tx, &object)?;
    Ok(vec![Follow::Listen(url.clone()), Follow::Verify(url.clone())])
}

/// The person we invited introduces themselves.
fn accepted(tx: &Tx<'_>, object: &mut Object, author: &Author, inner: &Message) -> Outcome<Vec<Follow>> {
    if !matches!(object.standing, Standing::Invited) {
        return Ok(Vec::new());
    }
    let said: Introduced = inner.body.parse().map_err(|e| Failure::new("malformed", e))?;
    if said.introduction.evidence.user != object.peer {
        return Err(Failure::new("wrong-author", "somebody else accepted"));
    }
    if object.peer_device.as_deref() != Some(author.device.as_str()) {
        return Err(Failure::new("wrong-author", "another device accepted than the one that was invited"));
    }
    let waiting =
        WaitingEvidence { name: said.introduction.name, evidence: said.introduction.evidence, invited_us: false };
    object.standing = Standing::Verifying { evidence: serde_json::to_string(&waiting).unwrap_or_default() };
    put_object(tx, object)?;
    Ok(vec![Follow::Verify(object.url.clone())])
}

/// A child by the other side.
fn on_child(tx: &Tx<'_>, me: &Ready, object: &mut Object, inner: &Message, now: i64) -> Outcome<Vec<Follow>> {
    let child: Child = inner.body.parse().map_err(|e| Failure::new("malformed", e))?;
    if !child.resource.starts_with(object.url.as_str()) {
        return Err(Failure::new("malformed", "the child is not of this object"));
    }
    let held = json!({ "resource": child.resource, "seq": child.seq, "value": child.value, "at": child.at });
    let mut follow = Vec::new();
    match object.children.on_child(&object.peer, child.seq, held) {
        sync::ChildOutcome::Ready(ready) => {
            let mut last = 0;
            for (seq, value) in ready {
                last = seq;
                let child: Child = serde_json::from_value(value).map_err(|e| Failure::new("malformed", e))?;
                follow.extend(keep_child(tx, me, object, child, now)?);
            }
            if object.purpose == ObjectUse::Chat {
                receipt(tx, me, object, last)?;
            }
        }
        sync::ChildOutcome::Duplicate => {}
        sync::ChildOutcome::Held(missing) | sync::ChildOutcome::TooFar(missing) => {
            tracing::info!(first = missing.first, last = missing.last, "children are missing; asking for them");
            ask_for_missing(tx, me, object)?;
        }
        sync::ChildOutcome::Refused => return Err(Failure::new("malformed", "the child has no proper number")),
    }
    object.at = now;
    put_object(tx, object)?;
    follow.push(Follow::Pump(object.peer.domain()));
    Ok(follow)
}

fn keep_child(tx: &Tx<'_>, me: &Ready, object: &mut Object, child: Child, now: i64) -> Outcome<Vec<Follow>> {
    if is_gone(&child.value) {
        // Its number is taken; there is nothing to show.
        return Ok(Vec::new());
    }
    let row = ChildRow {
        id: child.resource.clone(),
        object: object.url.to_string(),
        author: object.peer.to_string(),
        seq: child.seq as i64,
        // The author's clock may be wrong or lie: never later than now.
        at: child.at.clamp(0, now),
        state: ChildState::Received,
        value: child_json(&child.value),
        mine: false,
        unread: true,
        ..ChildRow::default()
    };
    if object.purpose == ObjectUse::Chat {
        tx.add_child(&row).map_err(Failure::store)?;
    } else if child.value.get("type").and_then(Value::as_str) == Some("answer") {
        // Media takes no other description than the one that came sealed.
        object.sealed_answer = child.value.get("sdp").and_then(Value::as_str).map(str::to_owned);
    }
    let person = get_person(tx, &object.peer)?;
    let tell = json!({
        "resource": child.resource, "seq": child.seq, "author": object.peer, "value": child.value,
        "at": row.at, "identity": identity_of(&person),
    });
    Ok(vec![Follow::Tell {
        to: hyperty_of(me, object.purpose),
        kind: MessageType::Create,
        from: below(&object.url, "children/")?,
        body: body(&tell),
    }])
}

/// What a Hyperty is told about a verified person.
pub(crate) fn identity_of(person: &Person) -> Value {
    match &person.identity {
        Some(line) => json!({ "user": person.user, "name": person.name, "issuer": line.issuer, "state": line.state }),
        None => Value::Null,
    }
}

pub(crate) fn hyperty_of(me: &Ready, purpose: ObjectUse) -> Address {
    match purpose {
        ObjectUse::Chat => me.record.chat.clone(),
        ObjectUse::Call => me.record.connector.clone(),
    }
}

/// Tells the author that their children up to `seq` are kept here.
fn receipt(tx: &Tx<'_>, me: &Ready, object: &Object, seq: u64) -> Outcome<()> {
    let person = get_person(tx, &object.peer)?;
    let value = json!({ "delivered": { object.peer.to_string(): seq } });
    let inner = inner_message(MessageType::Event, &object.url, "children/", &value)?;
    seal_and_queue(tx, me, object, &person, &inner, None)
}

fn on_receipt(tx: &Tx<'_>, me: &Ready, object: &mut Object, inner: &Message) -> Outcome<Vec<Follow>> {
    let receipt: Receipt = inner.body.parse().map_err(|e| Failure::new("malformed", e))?;
    if let Some(resent) = receipt.resent.get(&object.peer) {
        return on_resent(tx, me, object, resent);
    }
    let Some(seq) = receipt.delivered.get(&me.record.user) else { return Ok(Vec::new()) };
    let seq = i64::try_from(*seq).unwrap_or(0);
    let mut follow = Vec::new();
    for state in [ChildState::Sent, ChildState::Queued] {
        for row in tx.children_in(object.url.as_str(), state)? {
            if row.mine && row.seq <= seq && tx.advance_child(&row.id, ChildState::Delivered)? {
                follow.push(Follow::ChildShown(row.id));
            }
        }
    }
    Ok(follow)
}

/// The Reporter changed the object.
fn on_change(tx: &Tx<'_>, me: &Ready, object: &mut Object, inner: &Message) -> Outcome<Vec<Follow>> {
    let change: sync::Change = inner.body.parse().map_err(|e| Failure::new("malformed", e))?;
    let Side::Observer(observer) = &mut object.side else {
        return Err(Failure::new("malformed", "we are the Reporter"));
    };
    match observer.on_change(&change) {
        Ok(sync::Outcome::Applied) => {
            put_object(tx, object)?;
            Ok(vec![Follow::Tell {
                to: hyperty_of(me, object.purpose),
                kind: MessageType::Update,
                from: below(&object.url, "changes")?,
                body: body(&change),
            }])
        }
        Ok(sync::Outcome::Duplicate) => Ok(Vec::new()),
        Ok(sync::Outcome::Gap { .. }) => {
            ask_for_missing(tx, me, object)?;
            put_object(tx, object)?;
            Ok(vec![Follow::Pump(object.peer.domain())])
        }
        Err(error) => Err(Failure::new("bad-change", error)),
    }
}

/// The other side refused, left or ended the object.
fn on_ended(tx: &Tx<'_>, me: &Ready, object: &mut Object, inner: &Message) -> Outcome<Vec<Follow>> {
    let ended: Ended = inner.body.parse().map_err(|e| Failure::new("malformed", e))?;
    let reason = match ended.code {
        403 => "declined".to_owned(),
        486 => "busy".to_owned(),
        _ => ended.reason.unwrap_or_else(|| "left".into()),
    };
    let was_asked = matches!(object.standing, Standing::Invited);
    object.standing = Standing::Closed { reason: reason.clone() };
    put_object(tx, object)?;
    let from = below(&object.url, "subscription")?;
    let (kind, said) = if was_asked {
        (MessageType::Event, json!({ "code": ended.code, "user": object.peer }))
    } else {
        (MessageType::Delete, json!({ "reason": reason }))
    };
    let tell = Follow::Tell { to: hyperty_of(me, object.purpose), kind, from, body: body(&said) };
    let mut follow = vec![tell, Follow::ObjectClosed { url: object.url.clone(), reason }];
    if object.purpose == ObjectUse::Chat && was_asked {
        let mut person = get_person(tx, &object.peer)?;
        person.contact = ContactState::Declined;
        put_person(tx, &person)?;
        follow.push(Follow::PersonShown(person.user.clone()));
        follow.push(Follow::ChatShown(object.url.clone()));
    }
    Ok(follow)
}

/// The Reporter sends its whole value, because we were too far behind.
fn on_snapshot(tx: &Tx<'_>, object: &mut Object, inner: &Message) -> Outcome<Vec<Follow>> {
    let snapshot: sync::Snapshot = inner.body.parse().map_err(|e| Failure::new("malformed", e))?;
    let Side::Observer(observer) = &mut object.side else {
        return Err(Failure::new("malformed", "we are the Reporter"));
    };
    observer.on_snapshot(snapshot).map_err(|e| Failure::new("bad-change", e))?;
    put_object(tx, object)?;
    Ok(Vec::new())
}

/// Takes what was held while its sender was being verified.
pub(crate) fn release_held(tx: &Tx<'_>, me: &Ready, url: &Address, now: i64) -> Outcome<Vec<Follow>> {
    let mut object = get_object(tx, url)?;
    let held = std::mem::take(&mut object.held);
    put_object(tx, &object)?;
    let is_reporter = matches!(object.side, Side::Observer(_));
    let mut follow = Vec::new();
    for one in held {
        let Ok(inner) = Message::from_json(one.message.as_bytes()) else { continue };
        let author = Author { device: one.device, is_reporter };
        match on_inner(tx, me, url, &author, inner, now) {
            Ok(more) => follow.extend(more),
            Err(failure) if failure.code == "store-failed" => return Err(failure),
            Err(failure) => tracing::info!(code = failure.code, "a held message was refused"),
        }
    }
    Ok(follow)
}
