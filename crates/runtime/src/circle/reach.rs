//! How far our messages came in a group: by person, and for all together.

use std::collections::BTreeMap;

use contract::{GroupCount, GroupReach};
use message::{Address, UserAddress};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use store::{ChildRow, ChildState, Tx};

use super::Circle;
use crate::chat::{Extra, Marks, extra_of, our_tags, put_extra};
use crate::home::{Home, Ready};
use crate::members::row_author;
use crate::objects::Follow;
use crate::records::Object;
use crate::sending::get_object;
use crate::trouble::{Failure, Outcome};

/// Rows that are shown anew for one receipt, the newest.
const SHOWN_AT_ONCE: u64 = 20;

/// How far one person has our children, by who numbers them.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Reached {
    delivered: Marks,
    read: Marks,
}

/// The value of a child that was said before somebody came.
pub(crate) fn before() -> Value {
    serde_json::json!({ "type": "before" })
}

/// Whether a child says that it was said before we came: nothing of ours is lost with it.
pub(crate) fn is_before(value: &Value) -> bool {
    value.get("type").and_then(Value::as_str) == Some("before")
}

/// Somebody in a group says how far they have our children, and how far they read them.
pub(crate) fn heard_of(
    tx: &Tx<'_>,
    me: &Ready,
    object: &Object,
    user: &UserAddress,
    (delivered, read): (&Marks, &Marks),
) -> Outcome<Vec<Follow>> {
    let Some(circle) = object.circle.as_ref().filter(|circle| circle.has(user)) else { return Ok(Vec::new()) };
    if circle.said.is_large() {
        return somebody_has(tx, me, object, delivered);
    }
    let mut extra = extra_of(tx, &object.url)?;
    let reached = extra.reached.entry(user.clone()).or_default();
    let mut follow = Vec::new();
    for (told, known) in [(delivered, &mut reached.delivered), (read, &mut reached.read)] {
        for tag in our_tags(me, object) {
            // Nobody has what was not written yet.
            let Some(to) = told.get(&tag).map(|seq| (*seq).min(object.children.have_of(&tag))) else { continue };
            let before = known.get(&tag).copied().unwrap_or_else(|| circle.begins_for(user, &tag));
            if to > before {
                for seq in (before + 1).max(to.saturating_sub(SHOWN_AT_ONCE) + 1)..=to {
                    follow.push(Follow::ChildShown(format!("{}/children/{tag}-{seq}", object.url)));
                }
                known.insert(tag, to);
            }
        }
    }
    if follow.is_empty() {
        return Ok(Vec::new());
    }
    put_extra(tx, &object.url, &extra)?;
    advance(tx, me, object, circle, &extra)?;
    Ok(follow)
}

/// In a large group a message is delivered once anybody says that they have it; who read it is not told.
fn somebody_has(tx: &Tx<'_>, me: &Ready, object: &Object, delivered: &Marks) -> Outcome<Vec<Follow>> {
    let mut follow = Vec::new();
    for tag in our_tags(me, object) {
        // Nobody has what was not written yet.
        let Some(to) = delivered.get(&tag).map(|seq| (*seq).min(object.children.have_of(&tag))) else { continue };
        let author = row_author(&me.record.user, &tag);
        let up_to = i64::try_from(to).unwrap_or(0);
        let rows =
            tx.advance_up_to(object.url.as_str(), &author, 0, up_to, ChildState::Delivered).map_err(Failure::store)?;
        follow.extend(rows.into_iter().map(|row| Follow::ChildShown(row.id)));
    }
    Ok(follow)
}

/// Somebody is not in the group any more: what only they did not have, all have.
pub(super) fn recount(tx: &Tx<'_>, me: &Ready, object: &Object) -> Outcome<Vec<Follow>> {
    let Some(circle) = object.circle.as_ref().filter(|circle| !circle.said.is_large()) else { return Ok(Vec::new()) };
    let mut extra = extra_of(tx, &object.url)?;
    if extra.reached.is_empty() {
        return Ok(Vec::new());
    }
    extra.reached.retain(|user, _| circle.has(user));
    put_extra(tx, &object.url, &extra)?;
    let changed = advance(tx, me, object, circle, &extra)?;
    Ok(changed.into_iter().map(Follow::ChildShown).collect())
}

/// What everybody has is delivered, and what everybody read is read.
fn advance(tx: &Tx<'_>, me: &Ready, object: &Object, circle: &Circle, extra: &Extra) -> Outcome<Vec<String>> {
    let mut changed = Vec::new();
    for tag in our_tags(me, object) {
        let author = row_author(&me.record.user, &tag);
        for (state, of) in [
            (ChildState::Delivered, (|reached| &reached.delivered) as fn(&Reached) -> &Marks),
            (ChildState::Read, |reached| &reached.read),
        ] {
            let everybody = circle.others().map(|user| {
                let mark = extra.reached.get(user).and_then(|reached| of(reached).get(&tag)).copied().unwrap_or(0);
                mark.max(circle.begins_for(user, &tag))
            });
            let up_to = everybody.min().and_then(|to| i64::try_from(to).ok()).unwrap_or(0);
            let rows = tx.advance_up_to(object.url.as_str(), &author, 0, up_to, state).map_err(Failure::store)?;
            changed.extend(rows.into_iter().map(|row| row.id));
        }
    }
    Ok(changed)
}

/// A group, and how far everybody in it has our children.
type Everybody = (Circle, BTreeMap<UserAddress, Reached>);

/// How far rows of ours came, one after the other: what those of one conversation share is read once.
#[derive(Default)]
pub(crate) struct Counts(Option<(String, Option<Everybody>)>);

impl Counts {
    /// How far one row of ours came in a group; `None` elsewhere, and while nobody has said anything.
    pub(crate) fn of(&mut self, tx: &Tx<'_>, row: &ChildRow) -> Outcome<Option<GroupCount>> {
        let number = |list: &[String]| u32::try_from(list.len()).unwrap_or(u32::MAX);
        let reach = self.reach(tx, row)?;
        Ok(reach.map(|reach| GroupCount {
            of: number(&reach.of),
            delivered: number(&reach.delivered),
            read: number(&reach.read),
        }))
    }

    fn reach(&mut self, tx: &Tx<'_>, row: &ChildRow) -> Outcome<Option<GroupReach>> {
        if !row.mine {
            return Ok(None);
        }
        if self.0.as_ref().is_none_or(|(chat, _)| *chat != row.object) {
            self.0 = Some((row.object.clone(), everybody(tx, &row.object)?));
        }
        let Some((_, Some((circle, reached)))) = &self.0 else { return Ok(None) };
        let tag = row.author.rsplit(' ').next().and_then(|tag| sync::Author::parse(tag).ok());
        Ok(tag.map(|tag| reach_of(circle, reached, &tag, row.seq.unsigned_abs())))
    }
}

fn everybody(tx: &Tx<'_>, chat: &str) -> Outcome<Option<Everybody>> {
    let Ok(chat) = Address::parse(chat) else { return Ok(None) };
    let extra = extra_of(tx, &chat)?;
    if extra.reached.is_empty() {
        return Ok(None);
    }
    let circle = get_object(tx, &chat)?.circle.filter(|circle| !circle.said.is_large());
    Ok(circle.map(|circle| (circle, extra.reached)))
}

fn reach_of(circle: &Circle, reached: &BTreeMap<UserAddress, Reached>, tag: &sync::Author, seq: u64) -> GroupReach {
    let of: Vec<&UserAddress> = circle.others().filter(|user| circle.begins_for(user, tag) < seq).collect();
    let who = |marks: fn(&Reached) -> &Marks| {
        let has = |user: &&&UserAddress| {
            reached.get(**user).and_then(|reached| marks(reached).get(tag)).is_some_and(|mark| *mark >= seq)
        };
        of.iter().filter(has).map(|user| user.handle()).collect()
    };
    let (delivered, read) = (who(|reached| &reached.delivered), who(|reached| &reached.read));
    GroupReach { of: of.iter().map(|user| user.handle()).collect(), delivered, read }
}

impl Home {
    /// Question `group.reach`.
    pub(crate) fn group_reach(&self, message: &str) -> Outcome<GroupReach> {
        let state = self.state();
        state.store()?.read(|tx| {
            let row = tx.child(message).map_err(Failure::store)?.filter(|row| row.mine && !row.hidden);
            let row = row.ok_or_else(|| Failure::unknown("message"))?;
            let chat = Address::parse(&row.object).map_err(|e| Failure::new("bad-address", e))?;
            let circle = get_object(tx, &chat)?.circle;
            if circle.as_ref().is_some_and(|circle| circle.said.is_large()) {
                return Err(Failure::new("large-group", "in a large group it is not told who has a message"));
            }
            let of = circle.map(|circle| circle.others().map(UserAddress::handle).collect()).unwrap_or_default();
            // While nobody has said anything, it is for everybody and nobody has it.
            Ok(Counts::default().reach(tx, &row)?.unwrap_or(GroupReach { of, delivered: Vec::new(), read: Vec::new() }))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::circle::rules::Said;

    fn user(name: &str) -> UserAddress {
        UserAddress::parse(&format!("{name}@a.localhost")).unwrap()
    }

    fn marks(tag: &sync::Author, seq: u64) -> Marks {
        [(tag.clone(), seq)].into()
    }

    #[test]
    fn a_message_is_for_who_was_there_and_counts_who_said_that_they_have_it() {
        let tag = crate::members::tag_of("laptop");
        let said = Said::new("Choir", &user("ana"), &[user("ben"), user("cleo"), user("dan")]).unwrap();
        let mut circle = Circle::new(&user("ana"), said);
        // Dan came after the third message.
        circle.before.insert(user("dan"), marks(&tag, 3));
        let reached = BTreeMap::from([
            (user("ben"), Reached { delivered: marks(&tag, 4), read: marks(&tag, 2) }),
            (user("dan"), Reached { delivered: marks(&tag, 4), read: Marks::new() }),
        ]);
        let reach = |seq| reach_of(&circle, &reached, &tag, seq);
        assert_eq!(reach(2).of, ["ben@a.localhost", "cleo@a.localhost"]);
        assert_eq!(reach(2).read, ["ben@a.localhost"]);
        assert_eq!(reach(4).of.len(), 3);
        assert_eq!(reach(4).delivered, ["ben@a.localhost", "dan@a.localhost"]);
        assert!(reach(4).read.is_empty() && reach(5).delivered.is_empty());
    }

    #[test]
    fn what_is_said_again_to_all_begins_after_the_last_who_came() {
        let tag = crate::members::tag_of("laptop");
        let said = Said::new("Choir", &user("ana"), &[user("ben"), user("dan")]).unwrap();
        let mut circle = Circle::new(&user("ana"), said);
        assert_eq!(circle.begins_after(&tag), 0);
        circle.before.insert(user("dan"), marks(&tag, 7));
        assert_eq!((circle.begins_after(&tag), circle.begins_for(&user("ben"), &tag)), (7, 0));
        circle.left.insert(user("dan"));
        assert_eq!(circle.begins_after(&tag), 0);
    }
}
