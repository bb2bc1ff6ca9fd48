//! What is otherwise in a large group: what everybody would tell everybody, some tell a few.
//!
//! In a group of n people a receipt of each for each message is n messages for one, to n people each. So a few people,
//! the same for all who look, say that a message came; nobody says that it was read; what is missing is asked of those
//! who have it. See `docs/decisions/0032-groups-of-a-thousand.md`.

use std::collections::BTreeSet;

use message::UserAddress;

use super::rules::Said;
use crate::members::tag_of;
use crate::records::{Member, Object};

/// People who say that a message came.
const WITNESSES: usize = 8;

/// Devices that are helped when somebody is behind and nobody knows who.
const GUESSES: usize = 8;

impl Said {
    /// Whether this person says that a message of that one came: in a large group those who follow its author in the
    /// list do, so that whoever is away is not the only one.
    pub(crate) fn is_witness(&self, user: &UserAddress, author: &UserAddress) -> bool {
        if !self.is_large() {
            return true;
        }
        let after = self.people.range((std::ops::Bound::Excluded(author.clone()), std::ops::Bound::Unbounded));
        let round = after.chain(self.people.range(..author.clone()));
        round.take(WITNESSES).any(|(one, _)| one == user)
    }
}

impl Object {
    /// Whether it is a group so large that not everybody tells everybody how far they are.
    pub(crate) fn is_large(&self) -> bool {
        self.circle.as_ref().is_some_and(|circle| circle.said.is_large())
    }

    /// Who is asked for what is missing: everybody; in a large group whoever writes it, and the authors of what is.
    pub(crate) fn knows_missing(&self) -> impl Fn(&Member) -> bool + use<> {
        let large = self.is_large();
        let missing: BTreeSet<sync::Author> =
            if large { self.children.missing().into_iter().map(|gap| gap.author).collect() } else { BTreeSet::new() };
        let owner = self.peer.clone();
        move |member| !large || member.user == owner || missing.contains(&tag_of(&member.device))
    }

    /// Whose history may tell what cannot be opened: everybody's; in a large group that of who writes it, and of some
    /// who have no device in it yet.
    pub(crate) fn whose_history(&self) -> Vec<UserAddress> {
        if !self.is_large() {
            return self.with();
        }
        let there: BTreeSet<&UserAddress> = self.members.iter().map(|member| &member.user).collect();
        let absent = self.with().into_iter().filter(|user| !there.contains(user) && *user != self.peer);
        absent.take(GUESSES).chain([self.peer.clone()]).collect()
    }

    /// Who hears that we are there: everybody; in a large group whoever writes it.
    pub(crate) fn hears_echo(&self) -> impl Fn(&Member) -> bool + use<> {
        let (large, owner) = (self.is_large(), self.peer.clone());
        move |member| !large || member.user == owner
    }
}

/// Of devices that may be behind those that are helped: in a large group a few, those that were heard longest ago.
pub(crate) fn guesses(object: &Object, mut devices: Vec<(u64, String)>) -> Vec<String> {
    if object.is_large() {
        devices.sort();
        devices.truncate(GUESSES);
    }
    devices.into_iter().map(|(_, device)| device).collect()
}

#[cfg(test)]
mod tests {
    use super::super::rules::LARGE;
    use super::*;

    fn user(name: &str) -> UserAddress {
        UserAddress::parse(&format!("{name}@a.localhost")).unwrap()
    }

    fn of(count: usize) -> Said {
        let people: Vec<UserAddress> = (1..count).map(|n| user(&format!("p{n:04}"))).collect();
        Said::new("Choir", &user("ana"), &people).unwrap()
    }

    #[test]
    fn in_a_small_group_everybody_says_that_a_message_came_and_in_a_large_one_a_few() {
        let witnesses = |said: &Said, author: &str| -> Vec<UserAddress> {
            said.people.keys().filter(|one| said.is_witness(one, &user(author))).cloned().collect()
        };
        assert_eq!(witnesses(&of(LARGE), "ana").len(), LARGE);
        let large = of(1000);
        for author in ["ana", "p0001", "p0500", "p0996", "p0999"] {
            let few = witnesses(&large, author);
            assert_eq!(few.len(), WITNESSES, "{author}");
            assert!(!few.contains(&user(author)), "nobody bears witness of themselves");
        }
        assert!(large.is_witness(&user("ana"), &user("p0999")), "after the last comes the first");
    }
}
