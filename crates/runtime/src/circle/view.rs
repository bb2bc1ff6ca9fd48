//! A group as a shell sees it: the people in it, never more than its leaves and its value both say.

use std::collections::{BTreeMap, BTreeSet};

use contract::{ContactState, GroupLine, GroupMember, GroupStanding, GroupView, TrustMark};
use message::UserAddress;
use store::Tx;

use super::{Circle, is_met};
use crate::comparing;
use crate::home::Ready;
use crate::members::tag_of;
use crate::persons::{get_or_new, name_of};
use crate::records::{Member, Object, Person, Side, Standing};
use crate::trouble::Outcome;

fn standing_of(object: &Object) -> GroupStanding {
    match &object.standing {
        Standing::Closed { reason } => GroupStanding::Over { reason: reason.clone() },
        Standing::Request => GroupStanding::Asked,
        _ => GroupStanding::Open,
    }
}

/// Whether somebody's name may be said: what is not verified is an address.
fn name(person: &Person) -> String {
    if is_met(person) { name_of(person) } else { person.user.handle() }
}

/// What the list shows of a group; `None` for a conversation of two.
pub(crate) fn line(tx: &Tx<'_>, object: &Object) -> Outcome<Option<GroupLine>> {
    let Some(circle) = &object.circle else { return Ok(None) };
    let mut names = BTreeMap::new();
    for user in named(object, circle) {
        names.insert(user.handle(), name(&get_or_new(tx, user)?));
    }
    Ok(Some(GroupLine {
        people: u32::try_from(circle.said.people.len()).unwrap_or(u32::MAX),
        large: circle.said.is_large(),
        role: circle.role(&circle.own),
        standing: standing_of(object),
        names,
    }))
}

/// Whose names go with every word about a group: everybody's; of a large one those who wrote in it.
fn named<'o>(object: &'o Object, circle: &'o Circle) -> Vec<&'o UserAddress> {
    let people = circle.said.people.keys().chain(&circle.past).filter(|user| **user != circle.own);
    if !circle.said.is_large() {
        return people.collect();
    }
    let wrote = object.children.have();
    let wrote = |member: &&Member| wrote.contains_key(&tag_of(&member.device));
    let wrote: BTreeSet<&UserAddress> = object.members.iter().filter(wrote).map(|member| &member.user).collect();
    people.filter(|user| wrote.contains(user) || circle.past.contains(*user) || **user == object.peer).collect()
}

/// Who is in a group; `None` for a conversation of two.
pub(crate) fn view(tx: &Tx<'_>, me: &Ready, object: &Object) -> Outcome<Option<GroupView>> {
    let Some(circle) = &object.circle else { return Ok(None) };
    let mut people = Vec::with_capacity(circle.said.people.len());
    let mut devices: BTreeMap<&UserAddress, usize> = BTreeMap::from([(&circle.own, 1)]);
    for member in &object.members {
        *devices.entry(&member.user).or_default() += 1;
    }
    for (user, role) in &circle.said.people {
        people.push(member(tx, me, circle, user, *role, devices.get(user).copied().unwrap_or(0))?);
    }
    people.sort_by(|a, b| (b.role, &a.name, &a.user).cmp(&(a.role, &b.name, &b.user)));
    Ok(Some(GroupView {
        chat: object.url.to_string(),
        name: circle.said.name.clone(),
        role: circle.role(&circle.own),
        standing: standing_of(object),
        writes: matches!(object.side, Side::Reporter(_)),
        owner: circle.said.owner().map(UserAddress::handle).unwrap_or_default(),
        people,
    }))
}

fn member(
    tx: &Tx<'_>,
    me: &Ready,
    circle: &Circle,
    user: &UserAddress,
    role: contract::GroupRole,
    devices: usize,
) -> Outcome<GroupMember> {
    let own = *user == circle.own;
    let person = get_or_new(tx, user)?;
    Ok(GroupMember {
        user: user.handle(),
        name: if own { me.record.name.clone() } else { name(&person) },
        role,
        me: own,
        contact: person.contact == ContactState::Accepted,
        blocked: person.contact == ContactState::Blocked,
        identity: person.identity.clone().filter(|_| !own),
        mark: if own { TrustMark::Verified } else { comparing::mark(&person) },
        devices: u32::try_from(devices).unwrap_or(u32::MAX),
    })
}
