//! The side of whoever has a link: reads what it says, and asks to be let in when the person says so.

use contract::{ContactState, GroupJoining, GroupJoiningState, GroupOffer};
use message::{Address, UserAddress};
use serde_json::json;
use store::Tx;

use super::answer::Door;
use super::link::{Read, read};
use super::{Joining, joining, put_joining};
use crate::brought;
use crate::comparing;
use crate::gate;
use crate::histories;
use crate::home::{Home, Ready, now_ms, now_u64};
use crate::objects::{Follow, invite_devices, new_object_address};
use crate::persons::{self, name_of};
use crate::records::{Object, ObjectUse, Side, Standing, kind};
use crate::registry::{Packages, RegistryEntry};
use crate::sending::{find_object, find_person, pumps, put_object, put_person, sealing};
use crate::trouble::{Failure, Outcome};

/// The schema of doors.
const SCHEMA: &str = "door";

/// Groups that may be waited for at once.
const JOINING_LIMIT: usize = 50;

impl Home {
    /// Question `group.offer`: nobody hears of it but the registry of the one who invites.
    pub(crate) async fn group_offer(&self, link: &str) -> Outcome<GroupOffer> {
        let link = self.link_that_holds(link)?;
        self.signer_of(&link, &Packages::None).await?;
        let state = self.state();
        state.store()?.read(|tx| {
            let known = find_person(tx, &link.by)?;
            let known = known.filter(crate::circle::is_met);
            Ok(GroupOffer {
                chat: link.said.chat.to_string(),
                name: link.said.name.clone(),
                people: link.said.people,
                by: link.by.handle(),
                by_name: known.as_ref().map(name_of),
                by_mark: known.as_ref().map(comparing::mark),
                until: link.said.until,
                approval: link.said.approval,
                inside: is_inside(tx, &link.said.chat)?,
            })
        })
    }

    /// Question `group.ask`.
    pub(crate) async fn group_ask(&self, link: &str) -> Outcome<GroupJoining> {
        let link = self.link_that_holds(link)?;
        let chat = link.said.chat.clone();
        let (url, persona) = {
            let mut state = self.state();
            gate::may_reach(&mut state.policy, now_u64(), &link.by, ObjectUse::Door)?;
            let (inside, asked, count) = state.store()?.read(|tx| {
                let all: Vec<(String, Joining)> = tx.list(kind::GROUP_JOINING).map_err(Failure::store)?;
                Ok::<_, Failure>((is_inside(tx, &chat)?, joining(tx, &chat)?, all.len()))
            })?;
            if inside {
                return Err(Failure::new("invite-inside", "that is a group we are in"));
            }
            if let Some(asked) = asked.filter(|asked| asked.state != GroupJoiningState::Refused) {
                return Ok(asked.view());
            }
            if count >= JOINING_LIMIT {
                return Err(Failure::new("too-many", "too many groups are waited for"));
            }
            let me = state.me()?;
            (new_object_address(me, ObjectUse::Door)?, me.chain.persona().to_string())
        };
        let packages = Packages::Of(vec![link.device.to_string()]);
        let (entry, code) = (self.signer_of(&link, &packages).await?, link.code()?);
        let brings = brought::Words::made(&persona, &link.by, &url, Some(code)).await;
        let mut state = self.state();
        let state = &mut *state;
        let me = state.me.as_ref().ok_or_else(Failure::not_ready)?;
        let store = state.store.as_ref().ok_or_else(Failure::not_ready)?;
        let follow = store.write(|tx| knock(tx, me, &link, (url, brings), &entry, now_ms()))?;
        self.follow_up(state, follow);
        let asked = state.store()?.read(|tx| joining(tx, &chat))?;
        asked.map(|asked| asked.view()).ok_or_else(|| Failure::unknown("group"))
    }

    /// Question `group.joining`.
    pub(crate) fn group_joining(&self) -> Outcome<Vec<GroupJoining>> {
        let state = self.state();
        let all: Vec<(String, Joining)> =
            state.store()?.read(|tx| tx.list(kind::GROUP_JOINING)).map_err(Failure::store)?;
        let mut all: Vec<GroupJoining> = all.into_iter().map(|(_, asked)| asked.view()).collect();
        all.sort_by_key(|asked| std::cmp::Reverse(asked.at));
        Ok(all)
    }

    /// Question `group.forget`.
    pub(crate) fn group_forget(&self, chat: &Address) -> Outcome<()> {
        let mut state = self.state();
        let asked = state.store()?.write(|tx| {
            let asked = joining(tx, chat)?.ok_or_else(|| Failure::unknown("group"))?;
            tx.delete(kind::GROUP_JOINING, chat.as_str()).map_err(Failure::store)?;
            Ok::<_, Failure>(asked)
        })?;
        match asked.state {
            GroupJoiningState::Asked | GroupJoiningState::Waits => self.close_object(&mut state, &asked.door, "left"),
            _ => Ok(()),
        }
    }

    /// A link that is well formed, not our own, and not over by what it says itself.
    fn link_that_holds(&self, link: &str) -> Outcome<Read> {
        let link = read(link)?;
        if self.state().me()?.record.user == link.by {
            return Err(Failure::new("yourself", "this is a link of your own"));
        }
        if link.said.until <= now_ms() {
            return Err(Failure::new("invite-expired", "the link says that it is over"));
        }
        Ok(link)
    }

    /// The one who invites, as their registry has them; the link is signed by a device that their history names.
    async fn signer_of(&self, link: &Read, packages: &Packages) -> Outcome<RegistryEntry> {
        let entry = self.look_up(&link.by, packages).await?;
        match entry.chain.device(&link.device, now_ms() / 1000) {
            Ok(_) => Ok(entry),
            Err(error) => Err(Failure::new("invite-forged", error)),
        }
    }
}

fn is_inside(tx: &Tx<'_>, chat: &Address) -> Outcome<bool> {
    let object = find_object(tx, chat)?;
    Ok(object.is_some_and(|object| !matches!(object.standing, Standing::Closed { .. } | Standing::Request)))
}

/// Asks the one device that made the link.
fn knock(
    tx: &Tx<'_>,
    me: &Ready,
    link: &Read,
    (url, brings): (Address, brought::Words),
    entry: &RegistryEntry,
    now: i64,
) -> Outcome<Vec<Follow>> {
    let user: &UserAddress = &link.by;
    let mut person = persons::get_or_new(tx, user)?;
    if person.persona.as_ref().is_some_and(|known| *known != entry.persona) {
        return Err(Failure::new("key-change", "the registry names another persona than the one we know"));
    }
    if person.persona.is_none() {
        // Nobody asked for contact.
        person.contact = ContactState::Met;
    }
    person.persona.get_or_insert_with(|| entry.persona.clone());
    histories::saw_chain(&mut person, &entry.chain)?;
    put_person(tx, &person)?;
    let door = json!(Door { group: link.said.chat.clone(), link: link.said.id.clone() });
    let reporter = sync::Reporter::new(url.clone(), SCHEMA, door).map_err(|error| Failure::new("bad-object", error))?;
    let side = Side::Reporter(reporter);
    let mut object = Object::new(url, ObjectUse::Door, SCHEMA.into(), user.clone(), Standing::Invited, side, now);
    object.peer_persona = Some(entry.persona.clone());
    object.brought = brings;
    seal::create(tx, &me.device, &object.group()?, now / 1000).map_err(sealing)?;
    let maker = link.device.to_string();
    invite_devices(tx, me, &mut object, entry.devices.iter().filter(|one| one.device == maker), now)?;
    if object.peer_devices().next().is_none() {
        return Err(Failure::new("invite-unknown", "the device that made the link cannot be reached any more"));
    }
    put_object(tx, &object)?;
    let asked = Joining {
        chat: link.said.chat.clone(),
        name: link.said.name.clone(),
        by: user.clone(),
        at: now,
        state: GroupJoiningState::Asked,
        code: None,
        door: object.url.clone(),
    };
    let mut follow: Vec<Follow> = pumps(&object).collect();
    follow.extend([Follow::Listen(object.url), put_joining(tx, &asked)?]);
    Ok(follow)
}
