//! What a person does with a group: begin it, name it, take people in and out, say yes, leave.

use std::collections::BTreeMap;

use contract::{ChatSummary, ContactState, GroupDone, GroupRole, GroupView};
use message::{Address, MessageType, UserAddress};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::changes::{ENDED, LEFT, change, over};
use super::hand;
use super::people::open;
use super::rules::{PEOPLE_LIMIT, Refused, Said, Wish, clean_name};
use super::shown::{introduction_of, keep_unmet, shown};
use super::{Circle, is_met, view};
use crate::gate;
use crate::home::{Home, Ready, now_ms, now_u64};
use crate::members::{Author, said};
use crate::objects::{Follow, invite_devices, new_object_address};
use crate::persons::system_row;
use crate::records::{Object, ObjectUse, Side, Standing};
use crate::registry::{Packages, RegistryEntry};
use crate::sending::{
    Introduction, find_person, get_object, get_person, inner_message, pumps, put_object, put_person, seal_and_queue,
    sealing,
};
use crate::trouble::{Failure, Outcome};
use store::Tx;

/// The schema of conversations.
const SCHEMA: &str = "comm";

/// People who are taken in with one change: everybody in the group hears who they are, in one transaction.
const ADDED_AT_ONCE: usize = 32;

/// People whose devices a group begins with; those of the others come in step by step.
const BEGUN_WITH: usize = 16;

/// The body of `execute <object>/circle`: a wish, and of who is to come in what the asker was shown of them.
#[derive(Serialize, Deserialize)]
struct Asked {
    wish: Wish,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    introduction: Option<Introduction>,
}

impl Home {
    /// Question `group.create`.
    pub(crate) async fn group_create(&self, name: &str, people: &[String]) -> Outcome<ChatSummary> {
        let (me, people) = {
            let state = self.state();
            let me = state.me()?.record.user.clone();
            let people = users(people, &me)?;
            (me, people)
        };
        let name = clean_name(name).ok_or_else(|| Failure::new("empty", "a group has a name"))?;
        let said = Said::new(&name, &me, &people).map_err(refused)?;
        {
            let mut state = self.state();
            for user in &people {
                gate::may_reach(&mut state.policy, now_u64(), user, ObjectUse::Chat)?;
            }
            state.store()?.read(|tx| people.iter().try_for_each(|user| may_come(tx, user)))?;
        }
        let mut entries: BTreeMap<UserAddress, RegistryEntry> = BTreeMap::new();
        for user in people.iter().take(BEGUN_WITH) {
            entries.insert(user.clone(), self.look_up(user, &Packages::All).await?);
        }
        let own = self.own_others(ObjectUse::Chat).await?;
        let url = {
            let mut state = self.state();
            let state = &mut *state;
            let me = state.me.as_ref().ok_or_else(Failure::not_ready)?;
            let store = state.store.as_ref().ok_or_else(Failure::not_ready)?;
            let url = new_object_address(me, ObjectUse::Chat)?;
            let follow = store.write(|tx| create(tx, me, &url, &said, &entries, &own, now_ms()))?;
            self.follow_up(state, follow);
            url
        };
        // The Hyperty takes it up now, or when something is said in it.
        if let Err(failure) = self.execute_chat("join", json!({ "conversation": url })).await {
            tracing::info!(code = failure.code, "the chat Hyperty takes the group up later");
        }
        self.chat_of(&url)
    }

    /// Question `group.look`.
    pub(crate) fn group_look(&self, chat: &Address) -> Outcome<GroupView> {
        let state = self.state();
        let me = state.me()?;
        state.store()?.read(|tx| {
            let object = get_object(tx, chat)?;
            view(tx, me, &object)?.ok_or_else(no_group)
        })
    }

    /// Questions `group.rename`, `group.remove` and `group.role`.
    pub(crate) fn group_wish(&self, chat: &Address, wish: Wish) -> Outcome<GroupDone> {
        self.group_wishes(chat, vec![wish])
    }

    /// Question `group.rename`.
    pub(crate) fn group_rename(&self, chat: &Address, name: &str) -> Outcome<GroupDone> {
        let name = clean_name(name).ok_or_else(|| Failure::new("empty", "a group has a name"))?;
        self.group_wish(chat, Wish::Rename(name))
    }

    /// Question `group.add`.
    pub(crate) fn group_add(&self, chat: &Address, people: &[String]) -> Outcome<GroupDone> {
        let people = {
            let mut state = self.state();
            let people = users(people, &state.me()?.record.user)?;
            for user in &people {
                gate::may_reach(&mut state.policy, now_u64(), user, ObjectUse::Chat)?;
            }
            state.store()?.read(|tx| people.iter().try_for_each(|user| may_come(tx, user)))?;
            people
        };
        let mut done = GroupDone::Done;
        for some in people.chunks(ADDED_AT_ONCE) {
            done = self.group_wishes(chat, some.iter().cloned().map(Wish::Add).collect())?;
        }
        Ok(done)
    }

    /// Question `group.remove`.
    pub(crate) fn group_remove(&self, chat: &Address, user: &UserAddress) -> Outcome<GroupDone> {
        self.group_wish(chat, Wish::Remove(user.clone()))
    }

    /// Question `group.role`.
    pub(crate) fn group_role(&self, chat: &Address, user: &UserAddress, role: GroupRole) -> Outcome<GroupDone> {
        self.group_wish(chat, Wish::Role(user.clone(), role))
    }

    /// Question `group.hand-over`: somebody else owns and writes the group from now on; `leave`: and we are out of it.
    pub(crate) fn group_hand_over(&self, chat: &Address, to: &UserAddress, leave: bool) -> Outcome<GroupDone> {
        let done = self.group_wish(chat, Wish::HandOver(to.clone()))?;
        match (leave, done) {
            (false, _) => {}
            (true, GroupDone::Done) => self.group_leave(chat)?,
            // The device of ours that writes the group was asked; we go once that is done.
            (true, GroupDone::Asked) => {
                let state = self.state();
                state.store()?.write(|tx| {
                    let mut object = get_object(tx, chat)?;
                    object.circle.as_mut().ok_or_else(no_group)?.leaving = true;
                    put_object(tx, &object)
                })?;
            }
        }
        Ok(done)
    }

    /// Does what the person wishes, or asks the device that writes the group to do it.
    fn group_wishes(&self, chat: &Address, wishes: Vec<Wish>) -> Outcome<GroupDone> {
        let mut state = self.state();
        let state = &mut *state;
        let me = state.me.as_ref().ok_or_else(Failure::not_ready)?;
        let store = state.store.as_ref().ok_or_else(Failure::not_ready)?;
        let (done, follow) = store.write(|tx| {
            let mut object = get_object(tx, chat)?;
            if !object.is_open() {
                return Err(Failure::new("group-over", "nothing is changed here any more"));
            }
            let mut follow = Vec::new();
            let writes = matches!(object.side, Side::Reporter(_));
            let by = &me.record.user;
            if writes {
                let said = object.circle.as_ref().ok_or_else(no_group)?.said.clone();
                wishes.iter().try_fold(said, |said, wish| said.wished(by, wish)).map_err(refused)?;
                follow.extend(done(tx, me, &mut object, by, &wishes, now_ms())?);
                follow.push(Follow::Reconcile(chat.clone()));
            } else {
                for wish in &wishes {
                    let circle = object.circle.as_ref().ok_or_else(no_group)?;
                    // Refused here at once, and once more where it is done.
                    circle.said.wished(by, wish).map_err(refused)?;
                    ask(tx, me, &object, wish)?;
                }
            }
            follow.extend(pumps(&object));
            Ok::<_, Failure>((if writes { GroupDone::Done } else { GroupDone::Asked }, follow))
        })?;
        self.follow_up(state, follow);
        Ok(done)
    }

    /// Question `group.join`.
    pub(crate) fn group_join(&self, chat: &Address) -> Outcome<GroupView> {
        {
            let mut state = self.state();
            let state = &mut *state;
            let me = state.me.as_ref().ok_or_else(Failure::not_ready)?;
            let store = state.store.as_ref().ok_or_else(Failure::not_ready)?;
            let follow = store.write(|tx| {
                let object = get_object(tx, chat)?;
                if object.circle.is_none() || !matches!(object.standing, Standing::Request) {
                    return Err(Failure::new("no-request", "nobody asks us into this group"));
                }
                open(tx, me, chat, true, now_ms())
            })?;
            self.follow_up(state, follow);
        }
        self.group_look(chat)
    }

    /// Question `group.leave`.
    pub(crate) fn group_leave(&self, chat: &Address) -> Outcome<()> {
        self.group_over(chat, LEFT)
    }

    /// Question `group.end`.
    pub(crate) fn group_end(&self, chat: &Address) -> Outcome<()> {
        self.group_over(chat, ENDED)
    }

    fn group_over(&self, chat: &Address, reason: &str) -> Outcome<()> {
        let mut state = self.state();
        let state = &mut *state;
        let me = state.me.as_ref().ok_or_else(Failure::not_ready)?;
        let store = state.store.as_ref().ok_or_else(Failure::not_ready)?;
        let follow = store.write(|tx| go(tx, me, &mut get_object(tx, chat)?, reason, now_ms()))?;
        self.follow_up(state, follow);
        Ok(())
    }
}

/// We leave a group, or end it for everybody.
pub(super) fn go(tx: &Tx<'_>, me: &Ready, object: &mut Object, reason: &str, now: i64) -> Outcome<Vec<Follow>> {
    let circle = object.circle.as_ref().ok_or_else(no_group)?;
    let is_owner = circle.said.owner() == Some(&me.record.user);
    match (reason, is_owner) {
        (LEFT, true) => return Err(Failure::new("owner-stays", "whoever owns a group hands it over or ends it")),
        (ENDED, false) => return Err(Failure::new("not-entitled", "only the owner ends a group")),
        _ => {}
    }
    if !matches!(object.standing, Standing::Open | Standing::Request) {
        return Err(Failure::new("group-over", "nothing is said here any more"));
    }
    let said = json!({ "code": 410, "reason": reason });
    let inner = inner_message(MessageType::Event, &object.url, "subscription", &said)?;
    seal_and_queue(tx, me, object, &inner, None)?;
    let mut follow: Vec<Follow> = pumps(object).collect();
    let code = if reason == ENDED { "group-ended" } else { "group-left-you" };
    let id = system_row(tx, object, code, &[("by", "")], now)?;
    follow.push(Follow::ChildShown(id));
    follow.extend(over(object, reason));
    put_object(tx, object)?;
    Ok(follow)
}

/// Does what somebody wished, if they may; on the device that writes the group.
fn done(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    by: &UserAddress,
    wishes: &[Wish],
    now: i64,
) -> Outcome<Vec<Follow>> {
    match wishes {
        [Wish::HandOver(to)] => hand::give(tx, me, object, by, to, now),
        _ => change(tx, me, object, by, wishes, now),
    }
}

fn refused(why: Refused) -> Failure {
    match why {
        Refused::NotEntitled => Failure::new("not-entitled", "that is not for you to change"),
        Refused::Malformed => Failure::new("group-full", format!("a group has at most {PEOPLE_LIMIT} people")),
    }
}

pub(crate) fn no_group() -> Failure {
    Failure::new("not-a-group", "it is a conversation of two")
}

/// The people somebody chose, each once.
fn users(texts: &[String], me: &UserAddress) -> Outcome<Vec<UserAddress>> {
    let parsed = texts.iter().map(|text| UserAddress::parse(text).map_err(|e| Failure::new("bad-address", e)));
    let mut users = parsed.collect::<Outcome<Vec<_>>>()?;
    users.sort();
    users.dedup();
    users.retain(|user| user != me);
    if users.is_empty() { Err(Failure::new("nobody-chosen", "a group is with somebody")) } else { Ok(users) }
}

/// Only contacts are taken in: they agreed to hear from us, and we know what vouches for them.
fn may_come(tx: &Tx<'_>, user: &UserAddress) -> Outcome<()> {
    let person = get_person(tx, user)?;
    if person.contact != ContactState::Accepted {
        return Err(Failure::new("not-a-contact", "only contacts are taken into a group"));
    }
    introduction_of(tx, user).map(|_| ())
}

#[allow(clippy::too_many_arguments, reason = "all of it is one transaction")]
pub(super) fn create(
    tx: &Tx<'_>,
    me: &Ready,
    url: &Address,
    said: &Said,
    entries: &BTreeMap<UserAddress, RegistryEntry>,
    own: &[crate::registry::RegistryDevice],
    now: i64,
) -> Outcome<Vec<Follow>> {
    for (user, entry) in entries {
        let mut person = get_person(tx, user)?;
        if person.persona.as_ref() != Some(&entry.persona) {
            return Err(Failure::new("key-change", "the registry names another persona than the one we know"));
        }
        crate::histories::saw_chain(&mut person, &entry.chain)?;
        put_person(tx, &person)?;
    }
    let reporter =
        sync::Reporter::new(url.clone(), SCHEMA, said.value()).map_err(|error| Failure::new("bad-object", error))?;
    let (user, side) = (me.record.user.clone(), Side::Reporter(reporter));
    let mut object = Object::new(url.clone(), ObjectUse::Chat, SCHEMA.into(), user, Standing::Open, side, now);
    object.circle = Some(Circle { asks: Some(false), ..Circle::new(&me.record.user, said.clone()) });
    let people = said.people.keys().filter(|user| **user != me.record.user);
    let people = people.map(|user| introduction_of(tx, user)).collect::<Outcome<Vec<_>>>()?;
    // Who comes in, and when, is shown all of them.
    shown(&mut object, &people);
    seal::create(tx, &me.device, &object.group()?, now / 1000).map_err(sealing)?;
    let devices = entries.values().flat_map(|entry| &entry.devices).chain(own);
    invite_devices(tx, me, &mut object, devices, now)?;
    let somebody = object.members.iter().any(|member| member.user != me.record.user);
    if !somebody {
        return Err(Failure::new("not-found", "nobody has a device that can be invited"));
    }
    let id = system_row(tx, &mut object, "group-created", &[("detail", &said.name), ("by", "")], now)?;
    put_object(tx, &object)?;
    let mut follow: Vec<Follow> = pumps(&object).collect();
    follow.extend([Follow::Listen(url.clone()), Follow::ChildShown(id), Follow::ChatShown(url.clone())]);
    // Who has nothing to be invited with yet is invited later.
    follow.push(Follow::Reconcile(url.clone()));
    Ok(follow)
}

/// We let somebody into a group who is verified here and no contact; a link of ours said that they may come.
pub(crate) fn let_in(tx: &Tx<'_>, me: &Ready, chat: &Address, user: &UserAddress, now: i64) -> Outcome<Vec<Follow>> {
    let mut object = get_object(tx, chat)?;
    let circle = object.circle.as_ref().ok_or_else(no_group)?;
    if circle.has(user) {
        return Ok(Vec::new());
    }
    let (by, wish) = (&me.record.user, Wish::Add(user.clone()));
    circle.said.wished(by, &wish).map_err(refused)?;
    let mut follow = Vec::new();
    if matches!(object.side, Side::Reporter(_)) {
        follow.extend(change(tx, me, &mut object, by, &[wish], now)?);
        follow.push(Follow::Reconcile(chat.clone()));
    } else {
        ask(tx, me, &object, &wish)?;
    }
    follow.extend(pumps(&object));
    Ok(follow)
}

/// Asks the device that writes the group.
fn ask(tx: &Tx<'_>, me: &Ready, object: &Object, wish: &Wish) -> Outcome<()> {
    let introduction = match wish {
        Wish::Add(user) => Some(introduction_of(tx, user)?),
        _ => None,
    };
    let asked = Asked { wish: wish.clone(), introduction };
    let inner = inner_message(MessageType::Execute, &object.url, "circle", &asked)?;
    seal_and_queue(tx, me, object, &inner, None)
}

/// Somebody asks for a change of the group: the device that writes it does it, if they may.
pub(crate) fn on_wish(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    author: &Author,
    inner: &message::Message,
    now: i64,
) -> Outcome<Vec<Follow>> {
    let Asked { wish, introduction } = said(inner)?;
    let by = author.member(object)?.user.clone();
    let circle = object.circle.as_mut().ok_or_else(no_group)?;
    // Everybody hears what is asked, and refuses it alike; one device does it.
    circle.said.wished(&by, &wish).map_err(refused)?;
    if !matches!(object.side, Side::Reporter(_)) {
        return Ok(Vec::new());
    }
    if let Wish::Add(user) = &wish {
        let known = find_person(tx, user)?;
        if !known.is_some_and(|person| is_met(&person) && !person.tokens.is_empty()) {
            let introduction = introduction.filter(|shown| shown.evidence.user == *user);
            let shown = introduction.ok_or_else(|| Failure::new("malformed", "nobody knows who is to come in"))?;
            if circle.wanted.len() >= PEOPLE_LIMIT {
                return Err(Failure::new("too-many", "more people than a group has"));
            }
            circle.wanted.insert(user.clone(), by);
            return keep_unmet(tx, object, vec![shown]);
        }
    }
    let mut follow = done(tx, me, object, &by, &[wish], now)?;
    follow.push(Follow::Reconcile(object.url.clone()));
    Ok(follow)
}
