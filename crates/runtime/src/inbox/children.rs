//! The children of an object as they come, and how far each side has them.

use std::collections::BTreeMap;

use message::{Message, MessageType};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{ChildRow, ChildState, Tx};

use super::introductions::{hyperty_of, identity_of};
use crate::circle;
use crate::home::{Ready, body, now_ms};
use crate::members::{Author, row_author, said, tag_of};
use crate::objects::Follow;
use crate::records::{Object, ObjectUse, Standing};
use crate::resync::{Resent, ask_author_for_missing, hear_of_more, is_gone, on_resent};
use crate::sending::{below, child_json, get_person, inner_message, pumps, put_object, seal_and_queue, seal_to};
use crate::trouble::{Failure, Outcome};
use crate::{behind, chat, comparing, leases, persons};

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
    /// The authors' children up to here are kept at the other side.
    #[serde(default)]
    delivered: BTreeMap<sync::Author, u64>,
    /// The authors' children up to here are read there.
    #[serde(default)]
    read: BTreeMap<sync::Author, u64>,
    /// How far a page of the other side's own children went.
    #[serde(default)]
    resent: BTreeMap<sync::Author, Resent>,
    /// Of who writes a large group: how far it has the children of others, where the one who asked has fewer.
    #[serde(default)]
    have: BTreeMap<sync::Author, u64>,
}

/// Children by another device: of the other side, or of our own. What came of them is acknowledged once.
pub(super) fn on_children(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    author: &Author,
    inner: &[Message],
    now: i64,
) -> Outcome<Vec<Follow>> {
    let tag = tag_of(&author.device);
    let by_peer = object.member(&author.device).is_some_and(|member| object.is_with(&member.user));
    let mut follow = Vec::new();
    let (mut last, mut is_missing) = (None, false);
    for one in inner {
        let child: Child = said(one)?;
        if child.resource != format!("{}/children/{tag}-{}", object.url, child.seq) {
            return Err(Failure::new("malformed", "the child is not of this object and author"));
        }
        let held = json!({ "resource": child.resource, "seq": child.seq, "value": child.value, "at": child.at });
        match object.children.on_child(&tag, child.seq, held) {
            sync::ChildOutcome::Ready(ready) => {
                for (seq, value) in ready {
                    last = Some(seq);
                    let child: Child = serde_json::from_value(value).map_err(|e| Failure::new("malformed", e))?;
                    follow.extend(keep_child(tx, me, object, author, child, now)?);
                }
            }
            sync::ChildOutcome::Duplicate => {}
            sync::ChildOutcome::Held(missing) | sync::ChildOutcome::TooFar(missing) => {
                tracing::info!(first = missing.first, last = missing.last, "children are missing; asking for them");
                is_missing = true;
            }
            sync::ChildOutcome::Refused => return Err(Failure::new("malformed", "the child has no proper number")),
        }
    }
    if let Some(last) = last.filter(|_| object.purpose == ObjectUse::Chat && by_peer) {
        receipt(tx, me, object, author, last)?;
    }
    if is_missing {
        ask_author_for_missing(tx, me, object, &tag)?;
    }
    object.at = now;
    put_object(tx, object)?;
    follow.extend(pumps(object));
    Ok(follow)
}

fn keep_child(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    author: &Author,
    child: Child,
    now: i64,
) -> Outcome<Vec<Follow>> {
    if object.circle.is_some() && circle::is_before(&child.value) {
        // Its number is taken; it was said to others.
        return Ok(Vec::new());
    }
    if is_gone(&child.value) {
        // Its number is taken; how many there were is told once the page is here.
        behind::was_gone(tx, &object.url)?;
        return Ok(Vec::new());
    }
    let user = object.member(&author.device).map_or_else(|| object.peer.clone(), |member| member.user.clone());
    let mine = user == me.record.user;
    let row = ChildRow {
        id: child.resource.clone(),
        object: object.url.to_string(),
        author: row_author(&user, &tag_of(&author.device)),
        seq: child.seq as i64,
        // The author's clock may be wrong or lie: never later than now.
        at: child.at.clamp(0, now),
        state: if mine { ChildState::Sent } else { ChildState::Received },
        value: child_json(&child.value, comparing::mark_of(tx, object)?),
        mine,
        unread: !mine,
        ..ChildRow::default()
    };
    let mut follow = Vec::new();
    if object.purpose == ObjectUse::Chat {
        follow = chat::heard(tx, object, row.clone(), &child.value, child.at)?;
        if !mine {
            follow.push(Follow::Wrote(object.url.clone()));
        }
    } else {
        match leases::call_child(object, author, mine, &child.value) {
            leases::CallChild::Heard => {}
            leases::CallChild::Ignored => return Ok(Vec::new()),
            leases::CallChild::TakenElsewhere => {
                let reason = "elsewhere".to_owned();
                object.standing = Standing::Closed { reason: reason.clone() };
                put_object(tx, object)?;
                let tell = Follow::Tell {
                    to: hyperty_of(me, object.purpose),
                    kind: MessageType::Delete,
                    from: below(&object.url, "subscription")?,
                    body: body(&json!({ "reason": reason })),
                };
                return Ok(vec![tell, Follow::ObjectClosed { url: object.url.clone(), reason }]);
            }
        }
    }
    let person = match &object.circle {
        Some(_) => persons::get_or_new(tx, &user)?,
        None => get_person(tx, &object.peer)?,
    };
    let tell = json!({
        "resource": child.resource, "seq": child.seq, "author": user, "value": child.value,
        "at": row.at, "identity": identity_of(&person),
    });
    follow.push(Follow::Tell {
        to: hyperty_of(me, object.purpose),
        kind: MessageType::Create,
        from: below(&object.url, "children/")?,
        body: body(&tell),
    });
    Ok(follow)
}

/// Tells all that the children of this author up to `seq` are kept here; in a large group some tell the author alone.
fn receipt(tx: &Tx<'_>, me: &Ready, object: &Object, author: &Author, seq: u64) -> Outcome<()> {
    let value = json!({ "delivered": { tag_of(&author.device).as_str(): seq } });
    let inner = inner_message(MessageType::Event, &object.url, "children/", &value)?;
    let Some(circle) = object.circle.as_ref().filter(|_| object.is_large()) else {
        return seal_and_queue(tx, me, object, &inner, None);
    };
    let user = &author.member(object)?.user;
    if !circle.said.is_witness(&me.record.user, user) {
        return Ok(());
    }
    seal_to(tx, me, object, &inner, &|member| member.user == *user)
}

pub(super) fn on_receipt(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    author: &Author,
    inner: &Message,
) -> Outcome<Vec<Follow>> {
    let receipt: Receipt = said(inner)?;
    let tag = tag_of(&author.device);
    if let Some(resent) = receipt.resent.get(&tag) {
        let mut follow = behind::tell_unreadable(tx, object, now_ms())?;
        follow.extend(on_resent(tx, me, object, &tag, resent)?);
        return Ok(follow);
    }
    if !receipt.have.is_empty() && author.is_holder {
        return hear_of_more(tx, me, object, &receipt.have);
    }
    if object.circle.is_some() {
        let user = author.member(object)?.user.clone();
        return circle::heard_of(tx, me, object, &user, (&receipt.delivered, &receipt.read));
    }
    if !author.is_of(object, &object.peer) {
        // Only the other side's word counts for "delivered".
        return Ok(Vec::new());
    }
    chat::on_receipt(tx, me, object, &receipt.delivered, &receipt.read)
}
