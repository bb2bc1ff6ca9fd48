//! Conversations of several people: who is in them, how everybody is verified, and how that changes.
//!
//! The people and their roles stand in the object's value, so only the Reporter writes them, one change after the
//! other; each change names whose wish it was, and everybody judges it by the same rules ([`rules`]). Who may read is
//! another matter: those whose devices are leaves of the object's MLS group. A leaf comes in only if it belongs to
//! somebody in the value whom this device has verified itself ([`people`]); who is not in the value any more is
//! taken out by the Reporter's next commit.

mod admin;
mod changes;
mod hand;
mod large;
mod people;
mod reach;
mod rules;
mod shown;
mod view;

use std::collections::{BTreeMap, BTreeSet};

use contract::{ContactState, GroupRole};
use message::UserAddress;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::Tx;

use crate::chat::our_tags;
use crate::home::Ready;
use crate::records::{Member, Object, Person, Side};
use crate::sending::find_person;
use crate::trouble::{Failure, Outcome};

pub(crate) use admin::{let_in, no_group, on_wish};
pub(crate) use changes::{judge, left, recast, settle_left, took};
pub(crate) use hand::{handed_over, pass_on};
pub(crate) use large::guesses;
pub(crate) use people::{named_meanwhile, open};
pub(crate) use reach::{Counts, Reached, before, heard_of, is_before};
pub(crate) use rules::{PEOPLE_LIMIT, Said, clean_name};
pub(crate) use shown::{after_invitation, before_invitation, hear_people, hear_reporter, tell_places};
pub(crate) use view::{line, view};

/// What this device keeps of a group besides its value.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Circle {
    /// Who we are in it.
    own: UserAddress,
    /// What the Reporter said last.
    pub(crate) said: Said,
    /// Who was in it and is not any more, to call them by their names.
    #[serde(default)]
    past: BTreeSet<UserAddress>,
    /// Of whom the Reporter showed something, and who are not verified here yet; what it was is kept apart (`shown`).
    #[serde(default)]
    unmet: BTreeSet<UserAddress>,
    /// On the device that writes a large group: how many entries of whose history everybody in it was shown.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    shown: BTreeMap<UserAddress, u64>,
    /// How far our own children went when somebody came: those are not for them.
    #[serde(default)]
    before: BTreeMap<UserAddress, BTreeMap<sync::Author, u64>>,
    /// Who said that they leave, and still stands in the value.
    #[serde(default)]
    left: BTreeSet<UserAddress>,
    /// Who is to come in once they are verified here, and whose wish that was.
    #[serde(default)]
    wanted: BTreeMap<UserAddress, UserAddress>,
    /// Whether a person has to say yes first; known once the Reporter is verified.
    #[serde(default)]
    asks: Option<bool>,
    /// We own it, and leave as soon as another device of ours has handed it over.
    #[serde(default)]
    leaving: bool,
}

impl Circle {
    pub(crate) fn new(own: &UserAddress, said: Said) -> Self {
        Self {
            own: own.clone(),
            said,
            past: BTreeSet::new(),
            unmet: BTreeSet::new(),
            shown: BTreeMap::new(),
            before: BTreeMap::new(),
            left: BTreeSet::new(),
            wanted: BTreeMap::new(),
            asks: None,
            leaving: false,
        }
    }

    /// Reads a group from an object's value; `None` if it is a conversation of two.
    pub(crate) fn of(own: &UserAddress, value: &Value) -> Outcome<Option<Self>> {
        let said = Said::of(value).transpose();
        let said = said.map_err(|why| Failure::new(why.code(), "the object is no proper group"))?;
        Ok(said.map(|said| Self::new(own, said)))
    }

    /// The same in place of what was known of the group before: who came after what, and who was in it once.
    pub(crate) fn after(self, known: Option<Self>) -> Self {
        match known {
            Some(known) => Self { before: known.before, past: known.past, ..self },
            None => self,
        }
    }

    /// One that another device of ours introduced: there is nobody to ask, and nothing of ours to check.
    pub(crate) fn ours(mut self) -> Self {
        self.unmet.remove(&self.own);
        Self { asks: Some(false), ..self }
    }

    /// Who we are in it.
    pub(crate) fn own(&self) -> &UserAddress {
        &self.own
    }

    /// The others who are in it.
    pub(crate) fn others(&self) -> impl Iterator<Item = &UserAddress> {
        self.said.people.keys().filter(|user| **user != self.own && !self.left.contains(*user))
    }

    /// Whether somebody is in it, and did not say that they leave.
    pub(crate) fn has(&self, user: &UserAddress) -> bool {
        self.said.people.contains_key(user) && !self.left.contains(user)
    }

    /// Whether somebody was in it once, and went or was taken out.
    pub(crate) fn was_in(&self, user: &UserAddress) -> bool {
        self.past.contains(user)
    }

    pub(crate) fn role(&self, user: &UserAddress) -> GroupRole {
        self.said.role(user).unwrap_or(GroupRole::Member)
    }

    /// The last of our children that somebody in it may not read; what is said again to all begins after it.
    pub(crate) fn begins_after(&self, tag: &sync::Author) -> u64 {
        let marks = self.others().filter_map(|user| self.before.get(user)?.get(tag));
        marks.copied().max().unwrap_or(0)
    }

    /// The last of our children that this person may not read.
    pub(crate) fn begins_for(&self, user: &UserAddress, tag: &sync::Author) -> u64 {
        self.before.get(user).and_then(|marks| marks.get(tag)).copied().unwrap_or(0)
    }
}

impl Object {
    /// Whether this person is of the other side: in a group, everybody but us.
    pub(crate) fn is_with(&self, user: &UserAddress) -> bool {
        match &self.circle {
            Some(circle) => *user != circle.own && circle.has(user),
            None => *user == self.peer,
        }
    }

    /// The people of the other side.
    pub(crate) fn with(&self) -> Vec<UserAddress> {
        match &self.circle {
            Some(circle) => circle.others().cloned().collect(),
            None => vec![self.peer.clone()],
        }
    }

    /// Somebody came who had no device here before: what we said until now is not for them.
    pub(crate) fn greet(&mut self, me: &Ready, before: &[Member]) {
        let known: BTreeSet<&UserAddress> = before.iter().map(|known| &known.user).collect();
        let is_new = |member: &&Member| !known.contains(&member.user);
        let users: Vec<UserAddress> = self.members.iter().filter(is_new).map(|member| member.user.clone()).collect();
        let have = self.children.have();
        let tags = our_tags(me, self).into_iter();
        let marks: BTreeMap<_, _> = tags.filter_map(|tag| Some((tag.clone(), *have.get(&tag)?))).collect();
        let Some(circle) = &mut self.circle else { return };
        for user in users.iter().filter(|user| **user != circle.own) {
            circle.before.insert(user.clone(), marks.clone());
        }
    }

    /// The version of the value as it stands here.
    pub(crate) fn version(&self) -> u64 {
        match &self.side {
            Side::Reporter(reporter) => reporter.version(),
            Side::Observer(observer) | Side::Standby(observer) => observer.version(),
        }
    }

    /// The value as it stands here.
    pub(crate) fn value(&self) -> &Value {
        match &self.side {
            Side::Reporter(reporter) => reporter.value(),
            Side::Observer(observer) | Side::Standby(observer) => observer.value(),
        }
    }
}

/// Whether somebody is verified here: then their history vouches for their devices.
pub(crate) fn is_met(person: &Person) -> bool {
    person.identity.is_some() && !person.chain.is_empty()
}

/// Whether what this person writes is not shown.
pub(crate) fn is_blocked(tx: &Tx<'_>, user: &UserAddress) -> Outcome<bool> {
    let known = find_person(tx, user)?;
    Ok(known.is_some_and(|person| person.contact == ContactState::Blocked))
}

#[cfg(test)]
mod tests;
