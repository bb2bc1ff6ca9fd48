//! The links into groups that this device made: how long they hold, for how many, and who came by them.

use contract::{ContactState, GroupGuest, GroupGuestState, GroupInvite, GroupInviteState, GroupRole, News};
use message::{Address, UserAddress};
use policy::ContactCode;
use serde::{Deserialize, Serialize};
use store::Tx;

use super::answer::{ADMITTED, DECLINED, answer};
use super::link::Payload;
use crate::circle::{self, PEOPLE_LIMIT};
use crate::comparing;
use crate::home::{Home, Ready, now_ms};
use crate::persons::{get_or_new, name_of};
use crate::records::{Object, Standing, kind};
use crate::sending::get_object;
use crate::trouble::{Failure, Outcome};

/// Hours a link may hold: a month.
const HOURS_LIMIT: u32 = 720;

/// Links of one group that hold at once.
const OPEN_LIMIT: usize = 10;

/// Links of one group that are kept, those that ended too.
const KEPT_LIMIT: usize = 30;

/// People who are remembered with one link.
const CAME_LIMIT: usize = 2 * PEOPLE_LIMIT;

/// A link into a group that this device made.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Link {
    pub(super) id: String,
    pub(super) chat: Address,
    code: String,
    text: String,
    made_at: i64,
    until: i64,
    uses: Option<u32>,
    approval: bool,
    #[serde(default)]
    revoked: bool,
    #[serde(default)]
    came: Vec<Guest>,
}

/// Somebody who came by it.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct Guest {
    pub(super) user: UserAddress,
    pub(super) at: i64,
    pub(super) state: GroupGuestState,
    /// Where they are answered.
    pub(super) door: Address,
}

/// Whether somebody may come in by a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judged {
    /// At once.
    Enters,
    /// When the person says so.
    Asks,
    /// Not; the word says why.
    Refused(&'static str),
}

impl Link {
    /// The secret that whoever has the link knows.
    pub(super) fn code(&self) -> Option<ContactCode> {
        ContactCode::parse(&self.code).ok()
    }

    fn counted(&self) -> impl Iterator<Item = &Guest> {
        self.came.iter().filter(|guest| matches!(guest.state, GroupGuestState::In | GroupGuestState::Waits))
    }

    fn state(&self, now: i64) -> GroupInviteState {
        if self.revoked {
            GroupInviteState::Revoked
        } else if self.until <= now {
            GroupInviteState::Expired
        } else if self.uses.is_some_and(|uses| self.counted().count() >= uses as usize) {
            GroupInviteState::UsedUp
        } else {
            GroupInviteState::Open
        }
    }

    /// Whether this person may come into that group by it now.
    pub(super) fn judge(&self, me: &UserAddress, group: &Object, user: &UserAddress, now: i64) -> Judged {
        let Some(circle) = group.circle.as_ref().filter(|_| group.url == self.chat) else {
            return Judged::Refused("invite-wrong-group");
        };
        let known = self.came.iter().find(|guest| guest.user == *user).map(|guest| guest.state);
        let counts = matches!(known, Some(GroupGuestState::In | GroupGuestState::Waits));
        match self.state(now) {
            GroupInviteState::Revoked => return Judged::Refused("invite-revoked"),
            GroupInviteState::Expired => return Judged::Refused("invite-expired"),
            // Whoever counts already asks once more, perhaps because the answer was lost.
            GroupInviteState::UsedUp if !counts => return Judged::Refused("invite-used-up"),
            GroupInviteState::UsedUp | GroupInviteState::Open => {}
        }
        if !matches!(group.standing, Standing::Open) || circle.role(me) < GroupRole::Admin {
            // Whoever made it may not let anybody in any more.
            return Judged::Refused("invite-revoked");
        }
        if known == Some(GroupGuestState::Refused) {
            return Judged::Refused("invite-declined");
        }
        if circle.has(user) {
            return Judged::Enters;
        }
        if circle.said.people.len() >= PEOPLE_LIMIT || self.came.len() >= CAME_LIMIT {
            return Judged::Refused("group-full");
        }
        // Who was taken out does not come back by a link alone.
        if self.approval || circle.was_in(user) { Judged::Asks } else { Judged::Enters }
    }

    /// Keeps that somebody came.
    pub(super) fn came(&mut self, guest: Guest) {
        self.came.retain(|known| known.user != guest.user);
        self.came.push(guest);
    }

    pub(super) fn guest(&mut self, user: &UserAddress) -> Option<&mut Guest> {
        self.came.iter_mut().find(|guest| guest.user == *user)
    }

    pub(super) fn view(&self, tx: &Tx<'_>, now: i64) -> Outcome<GroupInvite> {
        let state = self.state(now);
        let mut came = Vec::with_capacity(self.came.len());
        for guest in self.came.iter().rev() {
            let person = get_or_new(tx, &guest.user)?;
            came.push(GroupGuest {
                user: guest.user.handle(),
                name: name_of(&person),
                identity: person.identity.clone(),
                mark: comparing::mark(&person),
                at: guest.at,
                state: guest.state,
            });
        }
        Ok(GroupInvite {
            id: self.id.clone(),
            chat: self.chat.to_string(),
            link: if state == GroupInviteState::Open { self.text.clone() } else { String::new() },
            made_at: self.made_at,
            until: self.until,
            uses: self.uses,
            used: u32::try_from(self.counted().count()).unwrap_or(u32::MAX),
            approval: self.approval,
            state,
            came,
        })
    }
}

pub(super) fn get_link(tx: &Tx<'_>, id: &str) -> Outcome<Option<Link>> {
    tx.get(kind::GROUP_INVITE, id).map_err(Failure::store)
}

pub(super) fn put_link(tx: &Tx<'_>, link: &Link) -> Outcome<()> {
    tx.put(kind::GROUP_INVITE, &link.id, link).map_err(Failure::store)
}

/// The links of a group, the newest first.
fn links(tx: &Tx<'_>, chat: &Address) -> Outcome<Vec<Link>> {
    let all: Vec<(String, Link)> = tx.list(kind::GROUP_INVITE).map_err(Failure::store)?;
    let mut links: Vec<Link> = all.into_iter().map(|(_, link)| link).filter(|link| link.chat == *chat).collect();
    links.sort_by_key(|link| std::cmp::Reverse(link.made_at));
    Ok(links)
}

fn known(tx: &Tx<'_>, id: &str) -> Outcome<Link> {
    get_link(tx, id)?.ok_or_else(|| Failure::new("invite-unknown", "no link of this device"))
}

fn make(tx: &Tx<'_>, me: &Ready, chat: &Address, wish: &Wish, now: i64) -> Outcome<Link> {
    let group = get_object(tx, chat)?;
    let circle = group.circle.as_ref().ok_or_else(circle::no_group)?;
    if !group.is_open() {
        return Err(Failure::new("group-over", "nothing is changed here any more"));
    }
    if circle.role(&me.record.user) < GroupRole::Admin {
        return Err(Failure::new("not-entitled", "only who may add people makes a link"));
    }
    let before = links(tx, chat)?;
    if before.iter().filter(|link| link.state(now) == GroupInviteState::Open).count() >= OPEN_LIMIT {
        return Err(Failure::new("invite-limits", format!("a group has at most {OPEN_LIMIT} links that hold")));
    }
    for old in before.iter().skip(KEPT_LIMIT - 1).filter(|link| link.state(now) != GroupInviteState::Open) {
        tx.delete(kind::GROUP_INVITE, &old.id).map_err(Failure::store)?;
    }
    let id = keys::base32(&keys::random::<8>());
    let code = ContactCode::new(keys::random()).to_text().to_string();
    let until = now + i64::from(wish.hours) * 3_600_000;
    let payload = Payload {
        chat: chat.clone(),
        name: circle.said.name.clone(),
        people: u32::try_from(circle.said.people.len()).unwrap_or(u32::MAX),
        until,
        id: id.clone(),
        code: code.clone(),
        device: me.dsk.verifying_key().to_string(),
        approval: wish.approval,
    };
    let text = payload.text(&me.record.user, &me.dsk)?;
    let (chat, uses, approval) = (chat.clone(), wish.uses, wish.approval);
    let link = Link { id, chat, code, text, made_at: now, until, uses, approval, revoked: false, came: Vec::new() };
    put_link(tx, &link)?;
    Ok(link)
}

/// What a link is to be like.
pub(crate) struct Wish {
    pub(crate) hours: u32,
    pub(crate) uses: Option<u32>,
    pub(crate) approval: bool,
}

impl Home {
    /// Question `group.invite.make`.
    pub(crate) fn group_invite_make(&self, chat: &Address, wish: &Wish) -> Outcome<GroupInvite> {
        let people = 1..=u32::try_from(PEOPLE_LIMIT).unwrap_or(u32::MAX);
        if !(1..=HOURS_LIMIT).contains(&wish.hours) || wish.uses.is_some_and(|uses| !people.contains(&uses)) {
            return Err(Failure::new(
                "invite-limits",
                "a link holds for an hour to a month, and for 1 to 1,000 people",
            ));
        }
        let state = self.state();
        let (me, now) = (state.me()?, now_ms());
        state.store()?.write(|tx| make(tx, me, chat, wish, now)?.view(tx, now))
    }

    /// Question `group.invite.list`.
    pub(crate) fn group_invite_list(&self, chat: &Address) -> Outcome<Vec<GroupInvite>> {
        let state = self.state();
        let now = now_ms();
        state.store()?.read(|tx| links(tx, chat)?.iter().map(|link| link.view(tx, now)).collect())
    }

    /// Question `group.invite.revoke`.
    pub(crate) fn group_invite_revoke(&self, id: &str) -> Outcome<GroupInvite> {
        let state = self.state();
        state.store()?.write(|tx| {
            let mut link = known(tx, id)?;
            link.revoked = true;
            put_link(tx, &link)?;
            link.view(tx, now_ms())
        })
    }

    /// Question `group.invite.answer`.
    pub(crate) fn group_invite_answer(&self, id: &str, user: &UserAddress, yes: bool) -> Outcome<GroupInvite> {
        let mut state = self.state();
        let state = &mut *state;
        let me = state.me.as_ref().ok_or_else(Failure::not_ready)?;
        let store = state.store.as_ref().ok_or_else(Failure::not_ready)?;
        let now = now_ms();
        let (view, follow) = store.write(|tx| {
            let mut link = known(tx, id)?;
            let waits = link.guest(user).filter(|guest| guest.state == GroupGuestState::Waits);
            let guest = waits.ok_or_else(|| Failure::new("no-request", "nobody waits for an answer"))?;
            let enters = yes && get_or_new(tx, user)?.contact != ContactState::Blocked;
            let guest =
                Guest { state: if enters { GroupGuestState::In } else { GroupGuestState::Refused }, ..guest.clone() };
            let mut follow = if enters { circle::let_in(tx, me, &link.chat, user, now)? } else { Vec::new() };
            let mut door = get_object(tx, &guest.door)?;
            follow.extend(answer(tx, me, &mut door, if enters { ADMITTED } else { DECLINED })?);
            link.came(guest);
            put_link(tx, &link)?;
            Ok::<_, Failure>((link.view(tx, now)?, follow))
        })?;
        self.follow_up(state, follow);
        self.tell(News::GroupInvite(view.clone()));
        Ok(view)
    }

    /// A link of ours changed: the shells hear of it.
    pub(crate) fn show_invite(&self, state: &crate::home::State, id: &str) {
        let view = state.store().and_then(|store| store.read(|tx| known(tx, id)?.view(tx, now_ms())));
        if let Ok(view) = view {
            self.tell(News::GroupInvite(view));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::circle::{Circle, Said};
    use crate::records::{ObjectUse, Side};

    fn user(name: &str) -> UserAddress {
        UserAddress::parse(&format!("{name}@a.localhost")).unwrap()
    }

    fn choir() -> Address {
        Address::parse("comm://a.localhost/choir").unwrap()
    }

    fn group(people: &[UserAddress]) -> Object {
        let said = Said::new("Choir", &user("ana"), people).unwrap();
        let reporter = sync::Reporter::new(choir(), "comm", said.value()).unwrap();
        let side = Side::Reporter(reporter);
        let mut object = Object::new(choir(), ObjectUse::Chat, "comm".into(), user("ana"), Standing::Open, side, 0);
        object.circle = Some(Circle::new(&user("ana"), said));
        object
    }

    fn link() -> Link {
        Link {
            id: "one".into(),
            chat: choir(),
            code: String::new(),
            text: "parlance:…".into(),
            made_at: 0,
            until: 100,
            uses: Some(2),
            approval: false,
            revoked: false,
            came: Vec::new(),
        }
    }

    fn guest(name: &str, state: GroupGuestState) -> Guest {
        Guest { user: user(name), at: 1, state, door: Address::parse("door://a.localhost/d").unwrap() }
    }

    #[test]
    fn a_link_lets_in_while_it_holds_and_says_why_it_does_not() {
        let (ana, dora) = (user("ana"), user("dora"));
        let judge = |link: &Link, group: &Object, now| link.judge(&ana, group, &dora, now);
        assert_eq!(judge(&link(), &group(&[]), 50), Judged::Enters);
        assert_eq!(judge(&Link { approval: true, ..link() }, &group(&[]), 50), Judged::Asks);
        assert_eq!(judge(&link(), &group(&[]), 100), Judged::Refused("invite-expired"));
        assert_eq!(judge(&Link { revoked: true, ..link() }, &group(&[]), 50), Judged::Refused("invite-revoked"));
        let other = Link { chat: Address::parse("comm://a.localhost/board").unwrap(), ..link() };
        assert_eq!(judge(&other, &group(&[]), 50), Judged::Refused("invite-wrong-group"));
        let full: Vec<UserAddress> = (0..PEOPLE_LIMIT - 1).map(|n| user(&format!("p{n}"))).collect();
        assert_eq!(judge(&link(), &group(&full), 50), Judged::Refused("group-full"));
        let over = Object { standing: Standing::Closed { reason: "left".into() }, ..group(&[]) };
        assert_eq!(judge(&link(), &over, 50), Judged::Refused("invite-revoked"));
        assert_eq!(link().judge(&user("ben"), &group(&[user("ben")]), &dora, 50), Judged::Refused("invite-revoked"));
    }

    #[test]
    fn a_use_is_counted_once_for_each_person_and_a_no_stands() {
        let (ana, dora) = (user("ana"), user("dora"));
        let came = vec![guest("ben", GroupGuestState::In), guest("cleo", GroupGuestState::Waits)];
        let used = Link { came, ..link() };
        assert_eq!(used.judge(&ana, &group(&[]), &dora, 50), Judged::Refused("invite-used-up"));
        assert_eq!(used.judge(&ana, &group(&[]), &user("cleo"), 50), Judged::Enters, "she counts already");
        let refused = Link { came: vec![guest("dora", GroupGuestState::Refused)], ..link() };
        assert_eq!(refused.judge(&ana, &group(&[]), &dora, 50), Judged::Refused("invite-declined"));
        let gone =
            Link { came: vec![guest("ben", GroupGuestState::Gone), guest("cleo", GroupGuestState::In)], ..link() };
        assert_eq!(gone.judge(&ana, &group(&[]), &dora, 50), Judged::Enters);
    }
}
