//! How far messages came: what the other side says of ours, and what it hears of theirs.

use std::collections::BTreeMap;

use contract::Settings;
use message::{Address, MessageType};
use serde_json::json;
use store::{ChildState, Tx};

use super::body::Body;
use super::extra::{extra_of, put_extra};
use super::keep::end_of;
use crate::comparing;
use crate::home::Ready;
use crate::members::{row_author, tag_of};
use crate::objects::Follow;
use crate::persons::SYSTEM;
use crate::records::{ChildValue, Object, kind};
use crate::sending::{get_object, inner_message, own_tag, seal_and_queue};
use crate::trouble::{Failure, Outcome};

/// Unread messages whose time to end begins when they are read together; others never had one.
const UNREAD_LIMIT: usize = 1000;

/// Marks by who numbers children: up to which number.
pub(crate) type Marks = BTreeMap<sync::Author, u64>;

/// What reading a conversation came to.
pub(crate) struct Settled {
    /// How many messages were unread.
    pub(crate) changed: usize,
    /// How far the children of the others are read now.
    pub(crate) have: Marks,
}

/// All that is here counts as read; the other side learns it if the person likes.
pub(crate) fn mark_read(tx: &Tx<'_>, me: &Ready, object: &Object, now: i64) -> Outcome<Settled> {
    begin_to_end(tx, object, now)?;
    forget_names(tx, &object.url)?;
    let changed = tx.mark_read(object.url.as_str()).map_err(Failure::store)?;
    let ours = our_tags(me, object);
    let have: Marks = object.children.have().into_iter().filter(|(tag, _)| !ours.contains(tag)).collect();
    let settings: Option<Settings> = tx.recall(kind::SETTINGS, "settings").map_err(Failure::store)?;
    let tells = settings.unwrap_or_default().read_receipts;
    if changed > 0 && tells && object.is_open() && !object.is_large() && comparing::may_send(tx, object).is_ok() {
        let inner = inner_message(MessageType::Event, &object.url, "children/", &json!({ "read": have }))?;
        seal_and_queue(tx, me, object, &inner, None)?;
    }
    Ok(Settled { changed, have })
}

/// Another device of ours read a conversation so far; what came since is still unread.
pub(crate) fn read_elsewhere(tx: &Tx<'_>, chat: &Address, have: &Marks, now: i64) -> Outcome<()> {
    let object = get_object(tx, chat)?;
    begin_to_end(tx, &object, now)?;
    forget_names(tx, chat)?;
    for (tag, seq) in have {
        let by = object.members.iter().find(|member| tag_of(&member.device) == *tag);
        let author = row_author(by.map_or(&object.peer, |member| &member.user), tag);
        let seq = i64::try_from(*seq).unwrap_or(i64::MAX);
        tx.mark_read_up_to(chat.as_str(), &author, seq).map_err(Failure::store)?;
    }
    tx.mark_read_up_to(chat.as_str(), SYSTEM, i64::MAX).map_err(Failure::store)?;
    Ok(())
}

/// Messages that name us are no news any more.
fn forget_names(tx: &Tx<'_>, chat: &Address) -> Outcome<()> {
    let mut extra = extra_of(tx, chat)?;
    if extra.named.is_empty() {
        return Ok(());
    }
    extra.named.clear();
    put_extra(tx, chat, &extra)
}

/// What others wrote ends from our reading on.
fn begin_to_end(tx: &Tx<'_>, object: &Object, now: i64) -> Outcome<()> {
    for row in tx.unread_children(object.url.as_str(), UNREAD_LIMIT).map_err(Failure::store)? {
        let Ok(child) = serde_json::from_str::<ChildValue>(&row.value) else { continue };
        if let Some(ends) = end_of(&Body::parse(&child.value, &object.url), now) {
            tx.set_child_end(&row.id, Some(ends)).map_err(Failure::store)?;
        }
    }
    Ok(())
}

pub(crate) fn our_tags(me: &Ready, object: &Object) -> Vec<sync::Author> {
    let ours = object.members.iter().filter(|member| member.user == me.record.user);
    ours.map(|member| tag_of(&member.device)).chain([own_tag(me)]).collect()
}

/// The other side tells how far it has our children, and how far it read them.
pub(crate) fn on_receipt(
    tx: &Tx<'_>,
    me: &Ready,
    object: &Object,
    delivered: &Marks,
    read: &Marks,
) -> Outcome<Vec<Follow>> {
    let mut extra = extra_of(tx, &object.url)?;
    let mut follow = Vec::new();
    let mut changed = false;
    for (told, known, state) in
        [(delivered, &mut extra.delivered, ChildState::Delivered), (read, &mut extra.read, ChildState::Read)]
    {
        for tag in our_tags(me, object) {
            // Nobody has what was not written yet, or it would count as read before it is sent.
            let Some(to) = told.get(&tag).map(|seq| (*seq).min(object.children.have_of(&tag))) else { continue };
            let before = known.get(&tag).copied().unwrap_or(0);
            let (from, up_to) = (i64::try_from(before).unwrap_or(0), i64::try_from(to).unwrap_or(0));
            let author = row_author(&me.record.user, &tag);
            let rows = tx.advance_up_to(object.url.as_str(), &author, from, up_to, state).map_err(Failure::store)?;
            follow.extend(rows.into_iter().map(|row| Follow::ChildShown(row.id)));
            if to > before {
                known.insert(tag, to);
                changed = true;
            }
        }
    }
    if changed {
        put_extra(tx, &object.url, &extra)?;
    }
    Ok(follow)
}
