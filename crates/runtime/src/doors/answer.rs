//! The side of whoever made a link: somebody is at the door, is verified, and hears yes, no or "wait".

use contract::{ContactState, GroupGuestState, GroupJoiningState};
use message::{Address, MessageType, UserAddress};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::Tx;

use super::ours::{Guest, Judged, get_link, put_link};
use super::{joining, put_joining};
use crate::brought;
use crate::circle;
use crate::home::Ready;
use crate::members::Author;
use crate::objects::Follow;
use crate::persons::{GUEST_WAITS, name_of, system_row};
use crate::records::{Object, Person, Side, Standing, kind};
use crate::sending::{
    find_object, get_object, inner_message, pumps, put_object, put_person, queue_sealed, seal_and_queue, sealing,
};
use crate::trouble::{Failure, Outcome};

/// Strangers who are told in one hour that a link is none; the rest hear nothing.
const KNOCKS_PER_HOUR: u32 = 30;

/// The one record of them.
const KNOCKS: &str = "knocks";

/// What somebody at the door hears: a code and a word.
type Said = (u16, &'static str);

/// They may come in.
pub(super) const ADMITTED: Said = (200, "admitted");

/// A person is asked.
const WAITS: Said = (182, "waits");

/// A person said no.
pub(super) const DECLINED: Said = (403, "invite-declined");

/// What a data object of this kind says of itself.
#[derive(Serialize, Deserialize)]
pub(super) struct Door {
    /// The group.
    pub(super) group: Address,
    /// Which link.
    pub(super) link: String,
}

#[derive(Default, Serialize, Deserialize)]
struct Knocks {
    since: i64,
    count: u32,
}

fn door_of(value: &Value) -> Option<Door> {
    serde_json::from_value(value.clone()).ok()
}

/// Whether somebody shows that they have the link they name.
pub(crate) fn has_link(
    tx: &Tx<'_>,
    me: &Ready,
    brought: &brought::Words,
    persona: &str,
    url: &Address,
    value: &Value,
) -> Outcome<bool> {
    let Some(door) = door_of(value) else { return Ok(false) };
    let code = get_link(tx, &door.link)?.and_then(|link| link.code());
    Ok(code.is_some_and(|code| brought.shows(&code, url, persona, &me.record.user)))
}

/// Somebody is at the door and is not verified yet: what can be refused without that, is. `None`: they are checked next.
#[allow(clippy::too_many_arguments, reason = "all of it is judged together")]
pub(crate) fn knocked(
    tx: &Tx<'_>,
    me: &Ready,
    url: &Address,
    user: &UserAddress,
    inbox: &Address,
    value: &Value,
    shows: bool,
    now: i64,
) -> Outcome<Option<Vec<Follow>>> {
    let refused = match (shows, judged(tx, me, value, user, now)?) {
        (false, _) => "invite-unknown",
        (true, Judged::Refused(code)) => code,
        (true, _) => return Ok(None),
    };
    if refused == "invite-unknown" && !may_tell(tx, now)? {
        return Err(Failure::new(refused, "no link of this device"));
    }
    tracing::info!(code = refused, "somebody at the door is refused");
    let inner = answer_message(url, (403, refused))?;
    let group = seal::GroupId::of(url);
    let sealed = seal::seal(tx, &me.device, &group, inner.to_json().as_bytes()).map_err(sealing)?;
    queue_sealed(tx, inbox, &sealed, true, None)?;
    Ok(Some(vec![Follow::Pump(inbox.domain())]))
}

fn may_tell(tx: &Tx<'_>, now: i64) -> Outcome<bool> {
    let mut knocks: Knocks = tx.get(kind::KNOCKS, KNOCKS).map_err(Failure::store)?.unwrap_or_default();
    if (now - knocks.since).abs() > 3_600_000 {
        knocks = Knocks { since: now, count: 0 };
    }
    knocks.count = knocks.count.saturating_add(1);
    tx.put(kind::KNOCKS, KNOCKS, &knocks).map_err(Failure::store)?;
    Ok(knocks.count <= KNOCKS_PER_HOUR)
}

fn judged(tx: &Tx<'_>, me: &Ready, value: &Value, user: &UserAddress, now: i64) -> Outcome<Judged> {
    let Some(door) = door_of(value) else { return Ok(Judged::Refused("invite-unknown")) };
    let Some(link) = get_link(tx, &door.link)? else { return Ok(Judged::Refused("invite-unknown")) };
    if link.chat != door.group {
        return Ok(Judged::Refused("invite-wrong-group"));
    }
    let group = find_object(tx, &link.chat)?;
    Ok(group.map_or(Judged::Refused("invite-revoked"), |group| link.judge(&me.record.user, &group, user, now)))
}

/// Whoever is at the door is who they say: they come in, or a person is asked, or they hear why not.
pub(crate) fn come_in(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    person: &mut Person,
    now: i64,
) -> Outcome<Vec<Follow>> {
    if person.contact == ContactState::Asked && person.chat.is_none() {
        // Whom we know only from a group is no contact.
        person.contact = ContactState::Met;
    }
    put_person(tx, person)?;
    let value = object.value().clone();
    let verdict = judged(tx, me, &value, &person.user, now)?;
    let door = door_of(&value).ok_or_else(|| Failure::new("malformed", "no door"))?;
    let link = get_link(tx, &door.link)?;
    let mut follow = Vec::new();
    let said = match verdict {
        Judged::Refused(code) => (403, code),
        Judged::Enters => {
            follow.extend(circle::let_in(tx, me, &door.group, &person.user, now)?);
            ADMITTED
        }
        Judged::Asks => WAITS,
    };
    follow.extend(answer(tx, me, object, said)?);
    let state = match verdict {
        Judged::Refused(_) => return Ok(follow),
        Judged::Enters => GroupGuestState::In,
        Judged::Asks => GroupGuestState::Waits,
    };
    let Some(mut link) = link else { return Ok(follow) };
    link.came(Guest { user: person.user.clone(), at: now, state, door: object.url.clone() });
    put_link(tx, &link)?;
    let mut group = get_object(tx, &link.chat)?;
    let line = if state == GroupGuestState::In { "group-came-by-link" } else { GUEST_WAITS };
    let id = system_row(tx, &mut group, line, &[("by", &name_of(person))], now)?;
    put_object(tx, &group)?;
    follow.extend([Follow::ChildShown(id), Follow::ChatShown(group.url), Follow::Invite(link.id)]);
    Ok(follow)
}

fn answer_message(url: &Address, (code, reason): Said) -> Outcome<message::Message> {
    inner_message(MessageType::Event, url, "subscription", &json!({ "code": code, "reason": reason }))
}

/// Answers somebody at the door, who stays there only if they are to wait.
pub(super) fn answer(tx: &Tx<'_>, me: &Ready, door: &mut Object, said: Said) -> Outcome<Vec<Follow>> {
    door.standing = match said {
        WAITS => Standing::Request,
        (_, reason) => Standing::Closed { reason: reason.to_owned() },
    };
    put_object(tx, door)?;
    seal_and_queue(tx, me, door, &answer_message(&door.url, said)?, None)?;
    Ok(pumps(door).collect())
}

/// A word at a door: an answer to us, or whoever asked does not want to wait any longer.
pub(crate) fn on_word(
    tx: &Tx<'_>,
    object: &mut Object,
    author: &Author,
    code: u16,
    reason: Option<&str>,
) -> Outcome<Vec<Follow>> {
    if !author.is_of(object, &object.peer) {
        return Err(Failure::new("wrong-author", "somebody else answers at the door"));
    }
    let Some(door) = door_of(object.value()) else { return Err(Failure::new("malformed", "no door")) };
    if matches!(object.side, Side::Observer(_)) {
        return gone(tx, object, &door);
    }
    let Some(mut asked) = joining(tx, &door.group)?.filter(|asked| asked.door == object.url) else {
        return Ok(Vec::new());
    };
    asked.state = match code {
        182 => GroupJoiningState::Waits,
        200 => GroupJoiningState::Admitted,
        _ => GroupJoiningState::Refused,
    };
    asked.code = (asked.state == GroupJoiningState::Refused).then(|| known_refusal(reason.unwrap_or_default()).into());
    if code != 182 {
        object.standing = Standing::Closed { reason: "answered".into() };
        put_object(tx, object)?;
    }
    Ok(vec![put_joining(tx, &asked)?])
}

/// Whoever asked goes away.
fn gone(tx: &Tx<'_>, object: &mut Object, door: &Door) -> Outcome<Vec<Follow>> {
    object.standing = Standing::Closed { reason: "left".into() };
    put_object(tx, object)?;
    let Some(mut link) = get_link(tx, &door.link)? else { return Ok(Vec::new()) };
    let waits = link.guest(&object.peer).filter(|guest| guest.state == GroupGuestState::Waits);
    let Some(guest) = waits else { return Ok(Vec::new()) };
    guest.state = GroupGuestState::Gone;
    put_link(tx, &link)?;
    Ok(vec![Follow::Invite(link.id)])
}

/// The other side's word, as one of those there are sentences for.
fn known_refusal(reason: &str) -> &'static str {
    const KNOWN: [&str; 7] = [
        "invite-expired",
        "invite-revoked",
        "invite-used-up",
        "invite-unknown",
        "invite-wrong-group",
        "invite-declined",
        "group-full",
    ];
    KNOWN.into_iter().find(|known| *known == reason).unwrap_or("invite-declined")
}
