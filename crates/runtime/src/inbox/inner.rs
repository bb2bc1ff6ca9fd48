//! What is said in an object once it is opened: words, changes, ends, and what was held until its sender was checked.

use contract::ContactState;
use message::{Address, Message, MessageType};
use serde::Deserialize;
use serde_json::json;
use store::Tx;

use super::children::{on_children, on_receipt};
use super::introductions::{accepted, hyperty_of, introduced_again};
use crate::circle;
use crate::home::{Ready, body, now_ms};
use crate::members::{Author, said};
use crate::objects::Follow;
use crate::records::{Held, Object, ObjectUse, Side, Standing};
use crate::resync::{ask_for_missing, ask_where_they_are, on_resync};
use crate::sending::{below, get_object, get_person, pumps, put_object, put_person};
use crate::trouble::{Failure, Outcome};
use crate::{behind, brought, commits, doors, histories, leases, own};

/// Sealed messages of one object that may wait for the check of their sender.
const HELD_LIMIT: usize = 256;

#[derive(Deserialize)]
struct Ended {
    code: u16,
    #[serde(default)]
    reason: Option<String>,
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
    if object.purpose == ObjectUse::Own {
        return own::on_own(tx, me, &mut object, author, &part, &inner, now);
    }
    match (inner.kind, part.as_str()) {
        (MessageType::Subscribe, "subscription") => return accepted(tx, me, &mut object, author, &inner),
        (MessageType::Create, "subscription") => return introduced_again(tx, me, object, author, &inner, now),
        (MessageType::Update, "identity") => return histories::on_identity(tx, me, &mut object, author, &inner, now),
        (MessageType::Update, "lease") => return leases::on_lease(tx, me, &mut object, author, &inner, now),
        _ => {}
    }
    if matches!(object.standing, Standing::Closed { .. }) {
        return Ok(Vec::new());
    }
    if (inner.kind, part.as_str()) == (MessageType::Update, "people") {
        return circle::hear_people(tx, me, &mut object, author, &inner, now);
    }
    let of_ours = author.is_of(&object, &me.record.user);
    let is_end = (inner.kind, part.as_str()) == (MessageType::Event, "subscription");
    if !object.is_open() && !of_ours && (!is_end || end_waits(&object)) {
        // Nothing of a person is shown or acted upon before they are verified.
        if object.held.len() >= HELD_LIMIT {
            return Err(Failure::new("too-many", "too much before the introduction was checked"));
        }
        object.held.push(Held { device: author.device.clone(), message: inner.to_json() });
        put_object(tx, &object)?;
        return Ok(Vec::new());
    }
    let mut follow = Vec::new();
    if object.is_open() {
        let member = author.member(&object)?;
        if object.circle.is_some() && is_words(&inner, &part) && circle::is_blocked(tx, &member.user)? {
            // Who is blocked is in the group all the same; what they say comes when that is taken back.
            return Ok(Vec::new());
        }
        follow.extend(ask_where_they_are(tx, me, &mut object, now)?);
    }
    follow.extend(on_word(tx, me, object, author, &part, &inner, now)?);
    Ok(follow)
}

/// Whether the end waits: who answered our invitation is being checked, and said things before they left, such as why.
fn end_waits(object: &Object) -> bool {
    matches!(object.standing, Standing::Verifying { .. })
        && matches!(object.side, Side::Reporter(_))
        && object.circle.is_none()
        && object.purpose != ObjectUse::Door
        && object.held.len() < HELD_LIMIT
}

/// Takes what is said in an object that is open, or by a device of our own.
fn on_word(
    tx: &Tx<'_>,
    me: &Ready,
    mut object: Object,
    author: &Author,
    part: &str,
    inner: &Message,
    now: i64,
) -> Outcome<Vec<Follow>> {
    match (inner.kind, part) {
        (MessageType::Create, "children") => on_children(tx, me, &mut object, author, std::slice::from_ref(inner), now),
        (MessageType::Event, "introduces") if object.purpose == ObjectUse::Chat && object.circle.is_none() => {
            brought::on_introduces(tx, me, &mut object, author, inner)
        }
        (MessageType::Event, "behind") => commits::on_behind(tx, me, &object, author, inner, now),
        (MessageType::Event, "epoch") => behind::on_echo(tx, me, &mut object, author, inner),
        (MessageType::Event, "typing") if object.purpose == ObjectUse::Chat => {
            let user = object.member(&author.device).map(|member| member.user.clone());
            let theirs = user.filter(|user| object.is_with(user));
            Ok(theirs.map(|user| Follow::Typing { url: object.url.clone(), user: user.handle() }).into_iter().collect())
        }
        (MessageType::Event, crate::calls::PART) => crate::calls::on_word(&object, author, inner),
        (MessageType::Event, crate::files::PART) => crate::files::on_word(&object, author, inner),
        (MessageType::Event, "sas") => crate::spoken::on_word(&object, author, inner),
        (MessageType::Event, "children") => on_receipt(tx, me, &mut object, author, inner),
        (MessageType::Update, "changes") if author.is_holder => on_change(tx, me, &mut object, inner, now),
        (MessageType::Update, "") if author.is_holder => on_snapshot(tx, me, &mut object, inner, now),
        (MessageType::Update, _) => Err(Failure::new("not-reporter", "only the Reporter changes an object")),
        (MessageType::Event, "subscription") => on_ended(tx, me, &mut object, author, inner),
        (MessageType::Execute, "circle") if object.is_open() => {
            circle::on_wish(tx, me, &mut object, author, inner, now)
        }
        (MessageType::Read, "") => on_resync(tx, me, &object, author, inner),
        _ => Err(Failure::new("malformed", "no such inner message")),
    }
}

/// Whether it is something that a person said or did, and no word about the group itself.
fn is_words(inner: &Message, part: &str) -> bool {
    matches!((inner.kind, part), (MessageType::Create, "children") | (MessageType::Event, "typing"))
}

/// The Reporter changed the object.
fn on_change(tx: &Tx<'_>, me: &Ready, object: &mut Object, inner: &Message, now: i64) -> Outcome<Vec<Follow>> {
    let change: sync::Change = said(inner)?;
    let is_next = change.version == object.watched()?.version().saturating_add(1);
    // What is not believed is not applied, and nothing that builds on it.
    let judged = if is_next { circle::judge(object, &change)? } else { None };
    match object.watched()?.on_change(&change) {
        Ok(sync::Outcome::Applied) => {
            let mut follow = vec![Follow::Tell {
                to: hyperty_of(me, object.purpose),
                kind: MessageType::Update,
                from: below(&object.url, "changes")?,
                body: body(&change),
            }];
            if let Some((after, steps)) = judged {
                follow.extend(circle::took(tx, me, object, after, &steps, now)?);
                follow.extend([Follow::Verify(object.url.clone()), Follow::RetryEarly(object.url.clone())]);
            }
            put_object(tx, object)?;
            Ok(follow)
        }
        Ok(sync::Outcome::Duplicate) => Ok(Vec::new()),
        Ok(sync::Outcome::Gap { .. }) => {
            ask_for_missing(tx, me, object)?;
            put_object(tx, object)?;
            Ok(pumps(object).collect())
        }
        Err(error) => Err(Failure::new("bad-change", error)),
    }
}

/// The other side refused, left or ended the object.
fn on_ended(tx: &Tx<'_>, me: &Ready, object: &mut Object, author: &Author, inner: &Message) -> Outcome<Vec<Follow>> {
    let ended: Ended = said(inner)?;
    if object.circle.is_some() {
        return circle::left(tx, me, object, author, ended.reason.as_deref().unwrap_or_default(), now_ms());
    }
    if object.purpose == ObjectUse::Door {
        return doors::on_word(tx, object, author, ended.code, ended.reason.as_deref());
    }
    let reason = match ended.code {
        403 => "declined".to_owned(),
        486 => "busy".to_owned(),
        _ => ended.reason.unwrap_or_else(|| "left".into()),
    };
    let reason = object.bye.clone().filter(|_| object.purpose == ObjectUse::Call && reason == "left").unwrap_or(reason);
    if object.purpose == ObjectUse::Call && !leases::ends_call(me, object, author, &reason) {
        // One of several devices cannot take the call; the others still ring.
        put_object(tx, object)?;
        return Ok(Vec::new());
    }
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
fn on_snapshot(tx: &Tx<'_>, me: &Ready, object: &mut Object, inner: &Message, now: i64) -> Outcome<Vec<Follow>> {
    let snapshot: sync::Snapshot = said(inner)?;
    let outcome = object.watched()?.on_snapshot(snapshot).map_err(|e| Failure::new("bad-change", e))?;
    let mut follow = Vec::new();
    if outcome == sync::Outcome::Applied {
        follow = circle::recast(tx, me, object, now)?;
        follow.extend([Follow::Verify(object.url.clone()), Follow::RetryEarly(object.url.clone())]);
    }
    put_object(tx, object)?;
    Ok(follow)
}

/// Takes what was held while its sender was being verified.
pub(crate) fn release_held(tx: &Tx<'_>, me: &Ready, url: &Address, now: i64) -> Outcome<Vec<Follow>> {
    let mut object = get_object(tx, url)?;
    let held = std::mem::take(&mut object.held);
    put_object(tx, &object)?;
    let holder = seal::lease(tx, &object.group()?).map_err(|e| Failure::new(e.code(), e))?.holder.to_string();
    let mut follow = Vec::new();
    for one in held {
        let Ok(inner) = Message::from_json(one.message.as_bytes()) else { continue };
        let author = Author { is_holder: one.device == holder, device: one.device };
        match on_inner(tx, me, url, &author, inner, now) {
            Ok(more) => follow.extend(more),
            Err(failure) if failure.code == "store-failed" => return Err(failure),
            Err(failure) => tracing::info!(code = failure.code, "a held message was refused"),
        }
    }
    Ok(follow)
}
