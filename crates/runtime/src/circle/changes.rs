//! A group changes: the Reporter does what somebody wished, and everybody judges what it did.

use message::{Address, MessageType, UserAddress};
use serde_json::json;
use store::Tx;

use super::rules::{ATTRIBUTE, Said, Step, Wish};
use super::shown::{forget_shown, introduction_of, show};
use super::{Circle, reach};
use crate::home::Ready;
use crate::members::Author;
use crate::objects::Follow;
use crate::persons::{get_or_new, name_of, system_row};
use crate::records::{Object, Side, Standing};
use crate::sending::{inner_message, pumps, put_object, seal_and_queue};
use crate::trouble::{Failure, Outcome};

/// Why a group is over for somebody who was taken out of it.
pub(crate) const REMOVED: &str = "group-removed";

/// Why it is over for everybody.
pub(crate) const ENDED: &str = "group-ended";

/// Why it is over for who went.
pub(crate) const LEFT: &str = "left";

pub(super) fn circle_of(object: &mut Object) -> Outcome<&mut Circle> {
    object.circle.as_mut().ok_or_else(|| Failure::new("not-a-group", "it is a conversation of two"))
}

/// The device that writes the group takes in those whom somebody wished in, in one change; who may not come, or finds no
/// room, is left out.
pub(crate) fn add(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    by: &UserAddress,
    users: &[UserAddress],
    now: i64,
) -> Outcome<Vec<Follow>> {
    let mut after = circle_of(object)?.said.clone();
    for user in users {
        match after.wished(by, &Wish::Add(user.clone())) {
            Ok(more) => after = more,
            Err(why) => tracing::info!(code = why.code(), "somebody is not taken in"),
        }
    }
    recorded(tx, me, object, after, now)
}

/// The device that writes the group does what somebody wished, if they may, and tells everybody, those who go too.
pub(crate) fn change(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    by: &UserAddress,
    wishes: &[Wish],
    now: i64,
) -> Outcome<Vec<Follow>> {
    let mut after = circle_of(object)?.said.clone();
    for wish in wishes {
        after = after.wished(by, wish).map_err(|why| Failure::new(why.code(), "the group is not changed so"))?;
    }
    recorded(tx, me, object, after, now)
}

/// The group is so from now on, and everybody hears it.
fn recorded(tx: &Tx<'_>, me: &Ready, object: &mut Object, after: Said, now: i64) -> Outcome<Vec<Follow>> {
    let before = circle_of(object)?.said.clone();
    let steps = before.steps(&after).map_err(|why| Failure::new(why.code(), "the group is not changed so"))?;
    if steps.is_empty() {
        return Ok(Vec::new());
    }
    if after.is_large() {
        // Everybody begins to check them at once; in a smaller group that is shown with their devices.
        let come = steps.iter().filter_map(|step| if let Step::Added(user) = step { Some(user) } else { None });
        let people = come.map(|user| introduction_of(tx, user)).collect::<Outcome<Vec<_>>>()?;
        show(tx, me, object, people)?;
    }
    let Side::Reporter(reporter) = &mut object.side else {
        return Err(Failure::new("not-reporter", "another device writes the group"));
    };
    let change =
        reporter.change(ATTRIBUTE, Some(json!(after)), None).map_err(|error| Failure::new("bad-change", error))?;
    let inner = inner_message(MessageType::Update, &object.url, "changes", &change)?;
    seal_and_queue(tx, me, object, &inner, None)?;
    let mut follow: Vec<Follow> = pumps(object).collect();
    follow.extend(took(tx, me, object, after, &steps, now)?);
    put_object(tx, object)?;
    Ok(follow)
}

/// Whether an observer believes a change of the Reporter's; what it does not believe is not applied.
pub(crate) fn judge(object: &Object, change: &sync::Change) -> Outcome<Option<(Said, Vec<Step>)>> {
    let Some(circle) = &object.circle else { return Ok(None) };
    let wrong = |code: &'static str| Failure::new(code, "the Reporter may not change the group so");
    let value = change.value.as_ref().filter(|_| change.attribute == ATTRIBUTE && change.operation.is_none());
    let value = value.ok_or_else(|| wrong("bad-change"))?;
    let after = Said::of(&json!({ ATTRIBUTE: value })).ok_or_else(|| wrong("bad-change"))?;
    let after = after.map_err(|why| wrong(why.code()))?;
    let steps = circle.said.steps(&after).map_err(|why| wrong(why.code()))?;
    Ok(Some((after, steps)))
}

/// The whole value came, because we were too far behind: what changed meanwhile is not judged one by one, but the
/// group is still one, and still theirs.
pub(crate) fn recast(tx: &Tx<'_>, me: &Ready, object: &mut Object, now: i64) -> Outcome<Vec<Follow>> {
    let Some(circle) = &object.circle else { return Ok(Vec::new()) };
    let (before, value) = (circle.said.clone(), object.value());
    let after = Said::of(value).ok_or_else(|| Failure::new("bad-change", "it is no group any more"))?;
    let after = after.map_err(|why| Failure::new(why.code(), "it is no group any more"))?;
    if after.owner() != before.owner() {
        return Err(Failure::new("not-entitled", "a group does not change its owner"));
    }
    // Judged as if its owner had done all of it: the lines say so.
    let by = after.owner().cloned().unwrap_or_else(|| after.by.clone());
    let steps = before.steps(&Said { by, ..after.clone() }).unwrap_or_default();
    took(tx, me, object, after, &steps, now)
}

/// The group is so from now on: lines say what changed, and nothing goes to who is not in it any more.
pub(crate) fn took(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    after: Said,
    steps: &[Step],
    now: i64,
) -> Outcome<Vec<Follow>> {
    let (by, name) = (after.by.clone(), after.name.clone());
    let mut follow = Vec::new();
    circle_of(object)?.said = after;
    for step in steps {
        let (code, detail) = match step {
            Step::Renamed => ("group-renamed", name.clone()),
            Step::Added(user) => ("group-added", called(tx, me, user)?),
            Step::Removed(user) if *user == by => ("group-left", called(tx, me, user)?),
            Step::Removed(user) => ("group-removed", called(tx, me, user)?),
            Step::Role(user, contract::GroupRole::Admin) => ("group-admin", called(tx, me, user)?),
            Step::Role(user, _) => ("group-member", called(tx, me, user)?),
            Step::HandedOver(user) => ("group-handed", called(tx, me, user)?),
        };
        if let Step::Removed(user) = step {
            let circle = circle_of(object)?;
            circle.past.insert(user.clone());
            circle.left.remove(user);
            circle.unmet.remove(user);
            circle.shown.remove(user);
            forget_shown(tx, &object.url, user)?;
            // Whoever writes the group takes their devices out in a moment, and lets them hear that.
            if !matches!(object.side, Side::Reporter(_)) {
                object.members.retain(|member| member.user != *user);
            }
        }
        let own = matches!(step, Step::Added(user) | Step::Removed(user) | Step::Role(user, _) | Step::HandedOver(user) if *user == me.record.user);
        let code = if own { format!("{code}-you") } else { code.to_owned() };
        let by = if by == me.record.user { String::new() } else { name_of(&get_or_new(tx, &by)?) };
        let id = system_row(tx, object, &code, &[("detail", &detail), ("by", &by)], now)?;
        follow.push(Follow::ChildShown(id));
    }
    if circle_of(object)?.said.role(&me.record.user).is_none() && !matches!(object.standing, Standing::Closed { .. }) {
        let reason = if by == me.record.user { LEFT } else { REMOVED };
        follow.extend(over(object, reason));
    }
    object.at = now;
    follow.extend(reach::recount(tx, me, object)?);
    follow.push(Follow::ChatShown(object.url.clone()));
    Ok(follow)
}

/// How somebody is called in a line: as they are known here.
fn called(tx: &Tx<'_>, me: &Ready, user: &UserAddress) -> Outcome<String> {
    if *user == me.record.user {
        return Ok(me.record.name.clone());
    }
    Ok(name_of(&get_or_new(tx, user)?))
}

/// Nothing is said here any more.
pub(crate) fn over(object: &mut Object, reason: &str) -> Vec<Follow> {
    object.standing = Standing::Closed { reason: reason.to_owned() };
    object.members.clear();
    object.held.clear();
    object.early.clear();
    let url: Address = object.url.clone();
    vec![Follow::ObjectClosed { url: url.clone(), reason: reason.to_owned() }, Follow::ChatShown(url)]
}

/// Somebody says that they leave, or that the group is over.
pub(crate) fn left(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    author: &Author,
    reason: &str,
    now: i64,
) -> Outcome<Vec<Follow>> {
    let user = author.member(object)?.user.clone();
    let is_owner = circle_of(object)?.said.owner() == Some(&user);
    let mut follow = Vec::new();
    if is_owner && reason == ENDED {
        let by = if user == me.record.user { String::new() } else { name_of(&get_or_new(tx, &user)?) };
        let id = system_row(tx, object, "group-ended", &[("by", &by)], now)?;
        follow.push(Follow::ChildShown(id));
        follow.extend(over(object, ENDED));
    } else if user == me.record.user {
        // Another device of ours said it for all.
        follow.extend(over(object, LEFT));
    } else if !is_owner {
        circle_of(object)?.left.insert(user.clone());
        object.members.retain(|member| member.user != user);
        follow.push(Follow::Reconcile(object.url.clone()));
        follow.push(Follow::ChatShown(object.url.clone()));
    }
    put_object(tx, object)?;
    Ok(follow)
}

/// The device that writes the group takes those out of it who said that they leave.
pub(crate) fn settle_left(tx: &Tx<'_>, me: &Ready, object: &mut Object, now: i64) -> Outcome<Vec<Follow>> {
    let Some(circle) = &object.circle else { return Ok(Vec::new()) };
    if !matches!(object.side, Side::Reporter(_)) {
        return Ok(Vec::new());
    }
    let gone: Vec<UserAddress> =
        circle.left.iter().filter(|user| circle.said.people.contains_key(*user)).cloned().collect();
    let mut follow = Vec::new();
    for user in gone {
        follow.extend(change(tx, me, object, &user, &[Wish::Remove(user.clone())], now)?);
    }
    Ok(follow)
}
