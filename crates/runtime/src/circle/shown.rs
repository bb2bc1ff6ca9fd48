//! What the Reporter shows a group of its people, in pieces, and how it is kept until each member has checked it.

use message::{Address, MessageType, UserAddress};
use serde::{Deserialize, Serialize};
use store::Tx;

use super::people::named_meanwhile;
use super::rules::PEOPLE_LIMIT;
use super::{Circle, is_met};
use crate::home::Ready;
use crate::members::{Author, Chains, Named, said};
use crate::objects::Follow;
use crate::records::{Member, Object, Standing, kind};
use crate::sending::{Introduction, find_person, inner_message, put_object, seal_and_queue, seal_to};
use crate::trouble::{Failure, Outcome};

/// Bytes of what is shown of one person.
const SHOWN_LIMIT: usize = 64 * 1024;

/// Bytes of what is shown at once, unless one person alone takes more.
const TOGETHER_BYTES: usize = 128 * 1024;

/// People who are shown at once.
const TOGETHER_LIMIT: usize = 256;

/// The body of `update <object>/people`: some of the group, as the Reporter was shown them.
#[derive(Serialize, Deserialize)]
struct Shown {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    people: Vec<Introduction>,
    /// Where devices receive.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    places: Vec<Named>,
}

/// Under which name it is kept what was shown of somebody until it is checked.
pub(super) fn unmet_key(url: &Address, user: &UserAddress) -> String {
    format!("{url} {user}")
}

fn keep_shown(tx: &Tx<'_>, url: &Address, introduction: &Introduction) -> Outcome<()> {
    tx.put(kind::UNMET, &unmet_key(url, &introduction.evidence.user), introduction).map_err(Failure::store)
}

/// What was shown of somebody is of no use any more.
pub(super) fn forget_shown(tx: &Tx<'_>, url: &Address, user: &UserAddress) -> Outcome<()> {
    tx.delete(kind::UNMET, &unmet_key(url, user)).map_err(Failure::store)?;
    Ok(())
}

/// What we were shown of a contact, for those who are to know them in a group.
pub(super) fn introduction_of(tx: &Tx<'_>, user: &UserAddress) -> Outcome<Introduction> {
    let person = find_person(tx, user)?;
    let person = person.filter(|person| is_met(person) && !person.tokens.is_empty());
    let person = person.ok_or_else(|| Failure::new("not-checked-yet", "that person is not verified here yet"))?;
    let chain = identity::Sigchain::parse(&person.chain).map_err(|e| Failure::new("database-damaged", e))?;
    let device = chain.devices().last().map(|device| device.dsk);
    let device = device.ok_or_else(|| Failure::new("not-found", "the person has no device"))?;
    let evidence = identity::Evidence {
        user: person.user.clone(),
        inbox: None,
        tokens: person.tokens.clone(),
        renewals: person.renewals.clone(),
        chain: person.chain.clone(),
        device,
    };
    Ok(Introduction { name: person.name, evidence })
}

/// What is shown of people, as few messages as it fits into.
fn shown_messages(url: &Address, people: Vec<Introduction>) -> Outcome<Vec<message::Message>> {
    let message = |people| inner_message(MessageType::Update, url, "people", &Shown { people, places: Vec::new() });
    pieces(people).into_iter().map(message).collect()
}

/// A list in pieces, each as large as may be.
fn pieces<T: Serialize>(all: Vec<T>) -> Vec<Vec<T>> {
    let mut pieces: Vec<Vec<T>> = Vec::new();
    let mut size = 0;
    for one in all {
        let bytes = serde_json::to_string(&one).map_or(0, |text| text.len());
        match pieces.last_mut() {
            Some(piece) if size + bytes <= TOGETHER_BYTES && piece.len() < TOGETHER_LIMIT => piece.push(one),
            _ => {
                size = 0;
                pieces.push(vec![one]);
            }
        }
        size += bytes;
    }
    pieces
}

/// Where everybody's devices receive in a large group, for those who come: more than one message has room for.
pub(crate) fn tell_places(tx: &Tx<'_>, me: &Ready, object: &Object, whom: &dyn Fn(&Member) -> bool) -> Outcome<()> {
    for places in pieces(object.named_members(me)) {
        let shown = Shown { people: Vec::new(), places };
        seal_to(tx, me, object, &inner_message(MessageType::Update, &object.url, "people", &shown)?, whom)?;
    }
    Ok(())
}

/// Before the devices of people come in, those who are there are shown whose they are.
///
/// In a large group they were shown that as soon as they were to come in; only who has a longer history now is shown
/// again.
pub(crate) fn before_invitation(tx: &Tx<'_>, me: &Ready, object: &mut Object, users: &[UserAddress]) -> Outcome<()> {
    let Some(circle) = &object.circle else { return Ok(()) };
    let mut people = Vec::new();
    for user in users.iter().filter(|user| **user != me.record.user) {
        let one = introduction_of(tx, user)?;
        if !object.is_large() || circle.shown.get(user).is_none_or(|entries| *entries < one.evidence.chain.len() as u64)
        {
            people.push(one);
        }
    }
    show(tx, me, object, people)
}

/// Everybody who is there is shown these people.
pub(super) fn show(tx: &Tx<'_>, me: &Ready, object: &mut Object, people: Vec<Introduction>) -> Outcome<()> {
    shown(object, &people);
    if object.members.is_empty() {
        return Ok(());
    }
    for message in shown_messages(&object.url, people)? {
        seal_and_queue(tx, me, object, &message, None)?;
    }
    Ok(())
}

/// Everybody in a large group was shown these people, or will be with the invitation.
pub(super) fn shown(object: &mut Object, people: &[Introduction]) {
    if !object.is_large() {
        return;
    }
    let Some(circle) = &mut object.circle else { return };
    for one in people {
        circle.shown.insert(one.evidence.user.clone(), one.evidence.chain.len() as u64);
    }
}

/// Devices that came in are shown everybody.
pub(crate) fn after_invitation(tx: &Tx<'_>, me: &Ready, object: &Object, devices: &[String]) -> Outcome<()> {
    let Some(circle) = &object.circle else { return Ok(()) };
    let mut people = Vec::with_capacity(circle.said.people.len());
    for user in circle.others() {
        people.push(introduction_of(tx, user)?);
    }
    if object.is_large() {
        tell_places(tx, me, object, &|member| devices.contains(&member.device))?;
    }
    for message in shown_messages(&object.url, people)? {
        seal_to(tx, me, object, &message, &|member| devices.contains(&member.device))?;
    }
    Ok(())
}

/// The Reporter shows who people are.
pub(crate) fn hear_people(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    author: &Author,
    inner: &message::Message,
    now: i64,
) -> Outcome<Vec<Follow>> {
    if !author.is_holder {
        return Err(Failure::new("not-reporter", "only the Reporter says who is in a group"));
    }
    let Shown { people, places } = said(inner)?;
    if people.len() > TOGETHER_LIMIT || places.len() > TOGETHER_LIMIT {
        return Err(Failure::new("too-many", "more people than are shown at once"));
    }
    let mut follow = Vec::new();
    if !places.is_empty() && object.circle.is_some() {
        if matches!(object.standing, Standing::Verifying { .. }) {
            follow.extend(named_meanwhile(tx, object, places)?);
        } else {
            let chains = Chains::of(tx, me, object)?;
            object.set_members(tx, me, &chains, &places, now / 1000)?;
            put_object(tx, object)?;
        }
    }
    follow.extend(keep_unmet(tx, object, people)?);
    Ok(follow)
}

/// Keeps what was shown of people until it is checked; of who is known there is nothing to check.
pub(super) fn keep_unmet(tx: &Tx<'_>, object: &mut Object, people: Vec<Introduction>) -> Outcome<Vec<Follow>> {
    let circle = object.circle.as_mut().ok_or_else(|| Failure::new("malformed", "it is a conversation of two"))?;
    let mut any = false;
    for introduction in &people {
        let evidence = &introduction.evidence;
        let size = serde_json::to_string(introduction).map_or(usize::MAX, |text| text.len());
        if size > SHOWN_LIMIT {
            return Err(Failure::new("too-large", "more than anybody needs to show who they are"));
        }
        let user = &evidence.user;
        let known = find_person(tx, user)?;
        let known = known.filter(|person| is_met(person) && person.chain.len() >= evidence.chain.len());
        let same = known.is_some_and(|person| person.chain.first() == evidence.chain.first());
        if *user == circle.own || same {
            continue;
        }
        if circle.unmet.len() >= PEOPLE_LIMIT && !circle.unmet.contains(user) {
            return Err(Failure::new("too-many", "more people than a group has"));
        }
        keep_shown(tx, &object.url, introduction)?;
        circle.unmet.insert(user.clone());
        any = true;
    }
    if !any {
        return Ok(Vec::new());
    }
    put_object(tx, object)?;
    Ok(vec![Follow::Verify(object.url.clone())])
}

/// The Reporter introduced itself with the group: that is checked first.
pub(crate) fn hear_reporter(
    tx: &Tx<'_>,
    url: &Address,
    circle: &mut Circle,
    introduction: &Introduction,
) -> Outcome<()> {
    let user = &introduction.evidence.user;
    if circle.said.owner() != Some(user) || !circle.said.people.contains_key(&circle.own) {
        return Err(Failure::new("malformed", "the group is not theirs, or not for us"));
    }
    keep_shown(tx, url, introduction)?;
    circle.unmet.insert(user.clone());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_goes_in_pieces_that_are_bounded_and_hold_all_of_it_in_order() {
        for (count, bytes) in [(0, 10), (1, TOGETHER_BYTES * 2), (1000, 100), (1000, 3000), (40, TOGETHER_BYTES / 3)] {
            let all: Vec<String> = (0..count).map(|n| format!("{n:04}{}", "x".repeat(bytes))).collect();
            let pieces = pieces(all.clone());
            assert!(pieces.iter().all(|piece| {
                let size: usize = piece.iter().map(|one| one.len() + 2).sum();
                piece.len() == 1 || piece.len() <= TOGETHER_LIMIT && size <= TOGETHER_BYTES
            }));
            assert!(pieces.len() <= 1 + count * (bytes + 6) / (TOGETHER_BYTES / 2) + count / TOGETHER_LIMIT);
            assert_eq!(pieces.concat(), all);
        }
    }
}
