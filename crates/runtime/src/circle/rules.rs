//! What a group says of itself, and who may change what of it. Pure.

use std::collections::BTreeMap;

use contract::GroupRole;
use message::UserAddress;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// People in one group; more are not taken in.
pub(crate) const PEOPLE_LIMIT: usize = 1000;

/// A group of more people than this is a large one: what everybody told everybody else would be more than anybody reads.
///
/// The tests of this crate make do with fewer, each of whom is a leaf.
pub(crate) const LARGE: usize = if cfg!(test) { 20 } else { 100 };

/// Characters of a group's name.
pub(crate) const NAME_LIMIT: usize = 64;

/// Where it stands in the object's value.
pub(crate) const ATTRIBUTE: &str = "circle";

/// What the Reporter says of a group, and whose wish it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said {
    /// How it is called.
    pub(crate) name: String,
    /// Who is in it, and what they may change.
    pub(crate) people: BTreeMap<UserAddress, GroupRole>,
    /// Who wished it so.
    pub(crate) by: UserAddress,
}

/// One thing that a change does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Step {
    Renamed,
    Added(UserAddress),
    Removed(UserAddress),
    Role(UserAddress, GroupRole),
    /// Somebody else owns and writes it from now on; never a part of an ordinary change.
    HandedOver(UserAddress),
}

/// Why a change does not count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Whoever wished it may not.
    NotEntitled,
    /// It is no group: nobody owns it, or several do, or there are too many in it.
    Malformed,
}

impl Refused {
    pub(crate) fn code(self) -> &'static str {
        match self {
            Self::NotEntitled => "not-entitled",
            Self::Malformed => "malformed",
        }
    }
}

/// What somebody asks of the device that writes a group; [`Said::wished`] says what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Wish {
    Rename(String),
    Add(UserAddress),
    Remove(UserAddress),
    Role(UserAddress, GroupRole),
    HandOver(UserAddress),
}

impl Said {
    /// A group as it begins.
    pub(crate) fn new(name: &str, owner: &UserAddress, people: &[UserAddress]) -> Result<Self, Refused> {
        let members = people.iter().map(|user| (user.clone(), GroupRole::Member));
        let people = members.chain([(owner.clone(), GroupRole::Owner)]).collect();
        Self { name: name.to_owned(), people, by: owner.clone() }.checked()
    }

    /// Reads it from an object's value; `None` if that is no group.
    pub(crate) fn of(value: &Value) -> Option<Result<Self, Refused>> {
        let said = value.get(ATTRIBUTE)?;
        let parsed = serde_json::from_value::<Self>(said.clone()).map_err(|_| Refused::Malformed);
        Some(parsed.and_then(Self::checked))
    }

    /// The object's value as it begins.
    pub(crate) fn value(&self) -> Value {
        json!({ "type": "group", ATTRIBUTE: self })
    }

    fn checked(self) -> Result<Self, Refused> {
        let owners = self.people.values().filter(|role| **role == GroupRole::Owner).count();
        let named = clean_name(&self.name).is_some_and(|name| name == self.name);
        if owners == 1 && named && self.people.len() <= PEOPLE_LIMIT { Ok(self) } else { Err(Refused::Malformed) }
    }

    /// Whether not everybody tells everybody how far they are; all judge it alike, by what the Reporter says.
    pub(crate) fn is_large(&self) -> bool {
        self.people.len() > LARGE
    }

    pub(crate) fn owner(&self) -> Option<&UserAddress> {
        self.people.iter().find(|(_, role)| **role == GroupRole::Owner).map(|(user, _)| user)
    }

    pub(crate) fn role(&self, user: &UserAddress) -> Option<GroupRole> {
        self.people.get(user).copied()
    }

    /// The same after somebody's wish, if they may.
    pub(crate) fn wished(&self, by: &UserAddress, wish: &Wish) -> Result<Self, Refused> {
        let mut after = Self { by: by.clone(), ..self.clone() };
        match wish {
            Wish::Rename(name) => after.name = clean_name(name).ok_or(Refused::Malformed)?,
            Wish::Add(user) => {
                after.people.entry(user.clone()).or_insert(GroupRole::Member);
            }
            Wish::Remove(user) => {
                after.people.remove(user);
            }
            Wish::Role(user, role) => {
                if let Some(known) = after.people.get_mut(user) {
                    *known = *role;
                }
            }
            Wish::HandOver(to) => return self.handed(by, to),
        }
        self.steps(&after)?;
        after.checked()
    }

    /// The same owned by somebody else who is in it. Whoever owned it stays as an admin.
    pub(crate) fn handed(&self, by: &UserAddress, to: &UserAddress) -> Result<Self, Refused> {
        if self.owner() != Some(by) || by == to || !self.people.contains_key(to) {
            return Err(Refused::NotEntitled);
        }
        let mut after = Self { by: by.clone(), ..self.clone() };
        after.people.insert(by.clone(), GroupRole::Admin);
        after.people.insert(to.clone(), GroupRole::Owner);
        after.checked()
    }

    /// Who owns a group after its owner handed it over, if that is all that was done.
    ///
    /// `missed`: changes lie between that we did not see; then only whose word it is, and that it is a group, is judged.
    pub(crate) fn heir(&self, after: &Self, missed: bool) -> Result<UserAddress, Refused> {
        let heir = after.owner().filter(|heir| Some(*heir) != self.owner()).ok_or(Refused::NotEntitled)?;
        let same = if missed { self.owner() == Some(&after.by) } else { self.handed(&after.by, heir)? == *after };
        if same { Ok(heir.clone()) } else { Err(Refused::NotEntitled) }
    }

    /// What a change does, if whoever wished it may do all of it.
    ///
    /// Everybody judges it alike: the device that writes the group, and each that reads what it wrote.
    pub(crate) fn steps(&self, after: &Self) -> Result<Vec<Step>, Refused> {
        let role = self.role(&after.by).ok_or(Refused::NotEntitled)?;
        let mut steps = Vec::new();
        if self.name != after.name {
            steps.push(Step::Renamed);
        }
        for (user, now) in &after.people {
            match self.role(user) {
                None if *now == GroupRole::Member => steps.push(Step::Added(user.clone())),
                None => return Err(Refused::NotEntitled),
                Some(before) if before != *now => steps.push(Step::Role(user.clone(), *now)),
                Some(_) => {}
            }
        }
        let gone = self.people.keys().filter(|user| !after.people.contains_key(*user));
        steps.extend(gone.cloned().map(Step::Removed));
        let may = |step: &Step| match step {
            Step::Renamed | Step::Added(_) => role >= GroupRole::Admin,
            Step::Removed(user) => match self.role(user) {
                Some(GroupRole::Owner) | None => false,
                // Everybody may leave; of others, one takes out who may change less than oneself.
                Some(theirs) => *user == after.by || (role >= GroupRole::Admin && theirs < role),
            },
            // Who owns it stays the owner, and nobody else becomes one.
            Step::Role(user, now) => role == GroupRole::Owner && *user != after.by && *now != GroupRole::Owner,
            Step::HandedOver(_) => false,
        };
        if steps.iter().all(may) { Ok(steps) } else { Err(Refused::NotEntitled) }
    }
}

/// A name as it is kept: bounded, on one line, without tricks of direction.
pub(crate) fn clean_name(name: &str) -> Option<String> {
    plain::name(name, NAME_LIMIT)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserAddress {
        UserAddress::parse(&format!("{name}@a.localhost")).unwrap()
    }

    /// Ana owns it, Ben is an admin, Cleo and Dan are members.
    fn group() -> Said {
        let said = Said::new("Choir", &user("ana"), &[user("ben"), user("cleo"), user("dan")]).unwrap();
        said.wished(&user("ana"), &Wish::Role(user("ben"), GroupRole::Admin)).unwrap()
    }

    #[test]
    fn an_admin_names_adds_and_takes_out_and_a_member_only_leaves() {
        let add = Wish::Add(user("eve"));
        let rename = Wish::Rename("Band".into());
        let remove = Wish::Remove(user("dan"));
        for wish in [&add, &rename, &remove] {
            assert!(group().wished(&user("ana"), wish).is_ok(), "{wish:?}");
            assert!(group().wished(&user("ben"), wish).is_ok(), "{wish:?}");
            assert_eq!(group().wished(&user("cleo"), wish), Err(Refused::NotEntitled), "{wish:?}");
            assert_eq!(group().wished(&user("mallory"), wish), Err(Refused::NotEntitled), "{wish:?}");
        }
        let left = group().wished(&user("cleo"), &Wish::Remove(user("cleo"))).unwrap();
        assert_eq!(left.role(&user("cleo")), None);
        assert_eq!(group().steps(&left), Ok(vec![Step::Removed(user("cleo"))]));
    }

    #[test]
    fn nobody_takes_the_owner_out_or_becomes_one() {
        for by in ["ana", "ben", "cleo"] {
            assert_eq!(group().wished(&user(by), &Wish::Remove(user("ana"))), Err(Refused::NotEntitled), "{by}");
            for who in ["ben", "cleo"] {
                let own = Wish::Role(user(who), GroupRole::Owner);
                assert_eq!(group().wished(&user(by), &own), Err(Refused::NotEntitled), "{by} {who}");
            }
        }
        assert_eq!(
            group().wished(&user("ana"), &Wish::Role(user("ana"), GroupRole::Member)),
            Err(Refused::NotEntitled)
        );
    }

    #[test]
    fn only_the_owner_hands_it_over_and_nothing_else_changes_with_that() {
        let handed = group().wished(&user("ana"), &Wish::HandOver(user("ben"))).unwrap();
        assert_eq!((handed.owner(), handed.role(&user("ana"))), (Some(&user("ben")), Some(GroupRole::Admin)));
        assert_eq!(group().heir(&handed, false), Ok(user("ben")));
        assert_eq!(group().steps(&handed), Err(Refused::NotEntitled), "it is no ordinary change");
        for (by, to) in [("ben", "ben"), ("cleo", "ben"), ("ana", "ana"), ("ana", "mallory")] {
            assert_eq!(group().wished(&user(by), &Wish::HandOver(user(to))), Err(Refused::NotEntitled), "{by} {to}");
        }
        let renamed = Said { name: "Band".into(), ..handed.clone() };
        assert_eq!(group().heir(&renamed, false), Err(Refused::NotEntitled));
        assert_eq!(group().heir(&renamed, true), Ok(user("ben")), "it may have been renamed meanwhile");
        let forged = Said { by: user("cleo"), ..handed };
        for missed in [false, true] {
            assert_eq!(group().heir(&forged, missed), Err(Refused::NotEntitled));
            assert_eq!(group().heir(&group(), missed), Err(Refused::NotEntitled), "it stays with its owner");
        }
    }

    #[test]
    fn roles_are_the_owners_business_and_admins_do_not_take_each_other_out() {
        let admin = Wish::Role(user("cleo"), GroupRole::Admin);
        assert_eq!(group().wished(&user("ben"), &admin), Err(Refused::NotEntitled));
        let two = group().wished(&user("ana"), &admin).unwrap();
        assert_eq!(two.wished(&user("ben"), &Wish::Remove(user("cleo"))), Err(Refused::NotEntitled));
        assert!(two.wished(&user("ana"), &Wish::Remove(user("cleo"))).is_ok());
    }

    #[test]
    fn somebody_new_is_a_member_whatever_is_said_of_them() {
        let mut after = group();
        after.people.insert(user("eve"), GroupRole::Admin);
        assert_eq!(group().steps(&after), Err(Refused::NotEntitled));
    }

    #[test]
    fn a_value_without_an_owner_with_two_or_with_too_many_people_is_no_group() {
        let many: Vec<UserAddress> = (0..PEOPLE_LIMIT).map(|n| user(&format!("p{n}"))).collect();
        assert_eq!(many.len() + 1, 1_001);
        assert_eq!(Said::new("Choir", &user("ana"), &many), Err(Refused::Malformed));
        let full = Said::new("Choir", &user("ana"), &many[1..]).unwrap();
        assert_eq!(full.wished(&user("ana"), &Wish::Add(user("eve"))), Err(Refused::Malformed));
        assert_eq!(Said::of(&full.value()), Some(Ok(full)));
        for name in ["", "  ", "\u{202e}", "a\nb", &"x".repeat(NAME_LIMIT + 1)] {
            assert_eq!(Said::new(name, &user("ana"), &[]), Err(Refused::Malformed), "{name:?}");
        }
        let mut value = group().value();
        assert_eq!(Said::of(&value), Some(Ok(group())));
        value[ATTRIBUTE]["people"]["user://a.localhost/ben"] = json!("owner");
        assert_eq!(Said::of(&value), Some(Err(Refused::Malformed)));
        value[ATTRIBUTE] = json!("choir");
        assert_eq!(Said::of(&value), Some(Err(Refused::Malformed)));
        assert_eq!(Said::of(&json!({ "type": "chat" })), None);
    }

    #[test]
    fn a_group_is_large_beyond_a_number_of_people() {
        let people = |count| -> Vec<UserAddress> { (1..count).map(|n| user(&format!("p{n}"))).collect() };
        let said = |count| Said::new("Choir", &user("ana"), &people(count)).unwrap();
        assert!(!said(LARGE).is_large() && said(LARGE + 1).is_large());
    }

    #[test]
    fn a_name_is_short_and_on_one_line() {
        assert_eq!(clean_name("  Choir\n\u{202e}2026 "), Some("Choir 2026".into()));
        assert_eq!(clean_name(&"x".repeat(500)).unwrap().len(), NAME_LIMIT);
        assert_eq!(clean_name("\u{200b}\n"), None);
    }
}
