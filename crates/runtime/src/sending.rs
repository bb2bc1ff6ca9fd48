//! What leaves an object: inner messages, sealed once for the whole group and queued for each of its devices.

use std::collections::BTreeMap;

use message::{Address, Message, MessageType, UserAddress};
use seal::parcel;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::{OutboxRow, StoreError, Tx};
use sync::bundle::{self, BUNDLE_BYTES, BUNDLE_LIMIT};

use crate::apart;
use crate::home::{Ready, body};
use crate::members::{Named, tag_of};
use crate::objects::Follow;
use crate::persons;
use crate::records::{ChildValue, Member, Object, Person, Side, kind};
use crate::trouble::{Failure, Outcome};
use contract::TrustMark;

/// What stands in [`OutboxRow::kind`] of what goes to the other side; the rest goes to our own devices.
pub(crate) const TO_PEER: &str = "peer";

/// What travels beside a Welcome: who I am, so that the other side can check before anything else.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Introduction {
    pub(crate) name: String,
    /// Address, inbox, tokens, sigchain and device.
    #[serde(flatten)]
    pub(crate) evidence: identity::Evidence,
}

/// The body of an invitation or an acceptance.
#[derive(Serialize, Deserialize)]
pub(crate) struct Introduced {
    pub(crate) introduction: Introduction,
    /// Of an invitation: what the object is.
    #[serde(default)]
    pub(crate) schema: String,
    #[serde(default)]
    pub(crate) version: u64,
    #[serde(default)]
    pub(crate) value: Value,
    /// Of an invitation: whom the object is with; our own other devices must be told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) with: Option<UserAddress>,
    /// Of an invitation: where the devices in the group receive.
    #[serde(default)]
    pub(crate) members: Vec<Named>,
    /// Of an invitation: who holds the object.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lease: Option<LeaseWords>,
    /// Of an invitation: how far everybody's children go, for who was away.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) have: BTreeMap<sync::Author, u64>,
    /// Of an invitation: what speaks for somebody who is not a contact.
    #[serde(default)]
    pub(crate) brought: crate::brought::Words,
}

/// Who holds an object, as it is told.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct LeaseWords {
    pub(crate) holder: keys::VerifyingKey,
    pub(crate) seq: u64,
    pub(crate) until: i64,
}

/// Names the children of this device.
pub(crate) fn own_tag(me: &Ready) -> sync::Author {
    tag_of(&me.dsk.verifying_key().to_string())
}

pub(crate) fn child_json(value: &Value, mark: TrustMark) -> String {
    let child = ChildValue { value: value.clone(), detail: Default::default(), mark, after: Default::default() };
    serde_json::to_string(&child).unwrap_or_else(|_| "{}".into())
}

/// A message inside the seal: from the object, to a part of it.
pub(crate) fn inner_message<T: Serialize>(kind: MessageType, url: &Address, part: &str, value: &T) -> Outcome<Message> {
    let to = if part.is_empty() { url.clone() } else { below(url, part)? };
    Ok(Message { id: 0, kind, from: url.clone(), to, body: body(value) })
}

pub(crate) fn below(url: &Address, part: &str) -> Outcome<Address> {
    url.below(part).map_err(|e| Failure::new("bad-address", e))
}

pub(crate) fn child_message(
    me: &Ready,
    object: &Object,
    id: &str,
    seq: u64,
    at: i64,
    value: &Value,
) -> Outcome<Message> {
    let child = json!({ "resource": id, "seq": seq, "value": value, "at": at });
    Ok(Message {
        from: me.record.user.address().clone(),
        ..inner_message(MessageType::Create, &object.url, "children/", &child)?
    })
}

/// Who I am, what the object is, who is in it and who holds it.
pub(crate) fn introduction_message(tx: &Tx<'_>, me: &Ready, object: &Object) -> Outcome<Message> {
    let (version, value) = match &object.side {
        Side::Reporter(reporter) => (reporter.version(), reporter.value().clone()),
        Side::Observer(_) | Side::Standby(_) => {
            return Err(Failure::new("not-reporter", "only the Reporter invites"));
        }
    };
    let lease = seal::lease(tx, &object.group()?).map_err(sealing)?;
    let introduced = Introduced {
        introduction: introduction(me),
        schema: object.schema.clone(),
        version,
        value,
        with: Some(object.peer.clone()),
        // Of a thousand people it is told in pieces of their own.
        members: if object.is_large() { Vec::new() } else { object.named_members(me) },
        lease: Some(LeaseWords { holder: lease.holder, seq: lease.seq, until: lease.until }),
        have: crate::behind::told_have(object),
        brought: object.brought.clone(),
    };
    inner_message(MessageType::Create, &object.url, "subscription", &introduced)
}

/// Who I am, to somebody who invited me.
pub(crate) fn acceptance_message(me: &Ready, url: &Address) -> Outcome<Message> {
    inner_message(MessageType::Subscribe, url, "subscription", &json!({ "introduction": introduction(me) }))
}

/// Who I am.
fn introduction(me: &Ready) -> Introduction {
    Introduction { name: me.record.name.clone(), evidence: persons::my_evidence(me) }
}

/// Seals an inner message for the object's members and queues it, in the caller's transaction.
pub(crate) fn seal_and_queue(
    tx: &Tx<'_>,
    me: &Ready,
    object: &Object,
    inner: &Message,
    child: Option<&str>,
) -> Outcome<()> {
    let children: Vec<String> = child.into_iter().map(str::to_owned).collect();
    seal_for(tx, me, object, &inner.to_json(), &children, &|_| true)
}

/// Seals children that were said in one moment and queues them, as few messages as they fit into.
pub(crate) fn seal_children(
    tx: &Tx<'_>,
    me: &Ready,
    object: &Object,
    inner: &[Message],
    children: &[String],
) -> Outcome<()> {
    let mut begin = 0;
    while begin < inner.len() {
        let mut bytes = 0;
        let fits = |one: &&Message| {
            bytes += one.body.as_str().len() + one.to.as_str().len() + one.from.as_str().len();
            bytes <= BUNDLE_BYTES
        };
        let fitting = inner[begin..].iter().take(BUNDLE_LIMIT).take_while(fits).count().max(1);
        let end = begin + fitting;
        seal_for(tx, me, object, &bundle::write(&inner[begin..end]), &children[begin..end], &|_| true)?;
        begin = end;
    }
    Ok(())
}

/// The same for some of them: what is sealed for all is brought to these only.
pub(crate) fn seal_to(
    tx: &Tx<'_>,
    me: &Ready,
    object: &Object,
    inner: &Message,
    whom: &dyn Fn(&Member) -> bool,
) -> Outcome<()> {
    if !object.members.iter().any(whom) {
        return Ok(());
    }
    seal_for(tx, me, object, &inner.to_json(), &[], whom)
}

fn seal_for(
    tx: &Tx<'_>,
    me: &Ready,
    object: &Object,
    inner: &str,
    children: &[String],
    whom: &dyn Fn(&Member) -> bool,
) -> Outcome<()> {
    let group = object.group()?;
    let sealed = seal::seal(tx, &me.device, &group, inner.as_bytes()).map_err(sealing)?;
    // Before what is sealed: who was given another epoch than we can read this, and nothing else.
    let said = seal::testify(tx, &me.device, &group).map_err(sealing)?;
    let mut to = 0;
    for member in object.members.iter().filter(|member| whom(member)) {
        to += 1;
        if let Some(inbox) = &member.inbox {
            // Whether a message arrived is told by the other side's devices, not by our own.
            let to_peer = object.is_with(&member.user);
            queue(tx, inbox, &sealed, said.as_deref(), to_peer, if to_peer { children } else { &[] })?;
        }
    }
    if object.circle.is_none() {
        return Ok(());
    }
    if to == object.members.len() {
        return apart::for_all(tx, &object.url);
    }
    if apart::for_some(tx, &object.url, &group)? { crate::behind::take_along(tx, me, object) } else { Ok(()) }
}

/// Queues sealed bytes for an inbox.
pub(crate) fn queue_sealed(
    tx: &Tx<'_>,
    inbox: &Address,
    sealed: &[u8],
    to_peer: bool,
    child: Option<&str>,
) -> Outcome<()> {
    let children: Vec<String> = child.into_iter().map(str::to_owned).collect();
    queue(tx, inbox, sealed, None, to_peer, &children)
}

fn queue(
    tx: &Tx<'_>,
    inbox: &Address,
    sealed: &[u8],
    said: Option<&[u8]>,
    to_peer: bool,
    children: &[String],
) -> Outcome<()> {
    let row = OutboxRow {
        to_domain: inbox.domain().to_string(),
        to: inbox.to_string(),
        message: keys::b64url(&parcel::pack(sealed, said)),
        children: children.to_vec(),
        kind: if to_peer { TO_PEER.to_owned() } else { String::new() },
        ..OutboxRow::default()
    };
    tx.outbox_push(&row).map_err(Failure::store)?;
    Ok(())
}

/// Queues sealed bytes, such as a commit, for every device that was in the group.
pub(crate) fn queue_to_all(tx: &Tx<'_>, object: &Object, sealed: &[u8]) -> Outcome<()> {
    queue_to(tx, object, sealed, |_| true)
}

/// The same for some of those devices.
pub(crate) fn queue_to(tx: &Tx<'_>, object: &Object, sealed: &[u8], whom: impl Fn(&Member) -> bool) -> Outcome<()> {
    for member in object.members.iter().filter(|member| whom(member)) {
        if let Some(inbox) = &member.inbox {
            queue_sealed(tx, inbox, sealed, object.is_with(&member.user), None)?;
        }
    }
    Ok(())
}

/// Empties the outbox towards everybody in an object.
pub(crate) fn pumps(object: &Object) -> impl Iterator<Item = Follow> + use<> {
    object.domains().into_iter().map(Follow::Pump)
}

pub(crate) fn sealing(error: impl std::fmt::Display) -> Failure {
    Failure::new("sealing-failed", error)
}

/// An object, if it is known here.
pub(crate) fn find_object(tx: &Tx<'_>, url: &Address) -> Result<Option<Object>, StoreError> {
    tx.recall(kind::OBJECT, url.as_str())
}

pub(crate) fn get_object(tx: &Tx<'_>, url: &Address) -> Outcome<Object> {
    find_object(tx, url)?.ok_or_else(|| Failure::unknown("conversation"))
}

pub(crate) fn put_object(tx: &Tx<'_>, object: &Object) -> Outcome<()> {
    tx.put(kind::OBJECT, object.url.as_str(), object).map_err(Failure::store)
}

/// A person, if they are known here.
pub(crate) fn find_person(tx: &Tx<'_>, user: &UserAddress) -> Result<Option<Person>, StoreError> {
    tx.recall(kind::PERSON, user.address().as_str())
}

pub(crate) fn get_person(tx: &Tx<'_>, user: &UserAddress) -> Outcome<Person> {
    find_person(tx, user)?.ok_or_else(|| Failure::unknown("person"))
}

pub(crate) fn put_person(tx: &Tx<'_>, person: &Person) -> Outcome<()> {
    crate::comparing::note_change(tx, person)?;
    tx.put(kind::PERSON, person.user.address().as_str(), person).map_err(Failure::store)
}
