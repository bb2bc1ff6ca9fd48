//! How objects begin: the first word of a Reporter, the acceptance of an Observer, and what of them waits to be checked.

use contract::ContactState;
use message::{Address, Message, MessageType};
use policy::Contact;
use serde::Deserialize;
use serde_json::{Value, json};
use store::Tx;

use crate::circle::{self, Circle};
use crate::home::{Ready, now_ms, now_u64};
use crate::members::{Author, Chains, said};
use crate::objects::Follow;
use crate::records::{Object, ObjectUse, Person, Side, Standing};
use crate::resync::ask_for_missing;
use crate::sending::{Introduced, find_person, pumps, put_object, put_person};
use crate::trouble::{Failure, Outcome};
use crate::verdicts::Policy;
use crate::{behind, brought, doors, gate, leases, own, persons};

/// Contact requests of strangers that may be open at once; more are refused.
const REQUESTS_LIMIT: usize = 50;

/// What `Object::peer` evidence looks like while it waits to be checked.
#[derive(serde::Serialize, Deserialize)]
pub(crate) struct WaitingEvidence {
    pub(crate) name: String,
    pub(crate) evidence: identity::Evidence,
    /// Whether we were invited by them (or they accepted our invitation).
    pub(crate) invited_us: bool,
    /// The device that says so.
    pub(crate) device: String,
    /// Of an invitation: who is said to be in the group.
    #[serde(default)]
    pub(crate) members: Vec<crate::members::Named>,
    /// Of an invitation: what a stranger brings along.
    #[serde(default)]
    pub(crate) brought: brought::Words,
}

impl WaitingEvidence {
    /// What waits to be checked, as [`Standing::Verifying`] keeps it.
    pub(crate) fn parse(evidence: &str) -> Outcome<Self> {
        serde_json::from_str(evidence).map_err(|e| Failure::new("malformed", e))
    }

    /// How an object stands while this is checked.
    pub(crate) fn standing(&self) -> Standing {
        Standing::Verifying { evidence: serde_json::to_string(self).unwrap_or_default() }
    }
}

/// The first message of an object we do not know is the introduction of its Reporter, and nothing else.
#[allow(clippy::too_many_arguments, reason = "all of it is judged together")]
pub(super) fn first_word(
    tx: &Tx<'_>,
    me: &Ready,
    policy: &mut Policy,
    copied: Option<Object>,
    url: &Address,
    author: &Author,
    inner: &Message,
    now: i64,
) -> Outcome<Vec<Follow>> {
    if inner.kind != MessageType::Create || !inner.to.as_str().ends_with("/subscription") || !author.is_holder {
        return Err(Failure::new("unknown-object", "a message before its introduction"));
    }
    let said: Introduced = said(inner)?;
    let purpose = match url.scheme() {
        "comm" => ObjectUse::Chat,
        "connection" => ObjectUse::Call,
        "door" => ObjectUse::Door,
        "ctxt" => return own::first_word(tx, me, url, author, &said, now),
        _ => return Err(Failure::new("malformed", "no Hyperty for this kind of object")),
    };
    let evidence = &said.introduction.evidence;
    if evidence.device.to_string() != author.device {
        return Err(Failure::new("wrong-author", "a device introduces another than itself"));
    }
    if let Some(lease) = &said.lease {
        leases::adopt(tx, url, lease)?;
    }
    let mut circle = match purpose {
        ObjectUse::Chat => Circle::of(&me.record.user, &said.value)?,
        ObjectUse::Call | ObjectUse::Own | ObjectUse::Door => None,
    };
    if evidence.user == me.record.user {
        if let Some(circle) = circle {
            return our_group_elsewhere(tx, me, copied, url, circle, author, said, now);
        }
        return ours_elsewhere(tx, me, copied, url, purpose, author, said, now);
    }
    let user = evidence.user.clone();
    let inbox_domain = evidence.inbox.as_ref().map(Address::domain);
    // A group keeps its address when it is handed over: its domain is where it began, and says nothing of who writes it.
    let wanders = circle.is_some();
    let foreign_object = !wanders && url.domain() != user.domain() && url.domain() != me.domain();
    if inbox_domain != Some(user.domain())
        || foreign_object
        || said.with.is_some_and(|with| with != me.record.user && with != user)
    {
        return Err(Failure::new("wrong-domain", "the address, the inbox and the object are of one domain"));
    }
    if url.domain() != user.domain() && copied.is_none() && !wanders {
        return Err(Failure::new("wrong-domain", "the object is of another domain than its Reporter"));
    }
    // Nothing is kept about the claimed person before the claim is checked: anybody can claim anything.
    let persona = brought::persona_of(tx, url, &author.device)?;
    let mut brings = said.brought.judged(tx, me, &user, &persona, url)?;
    brings.group_link = match &circle {
        Some(circle) => doors::asked_into(tx, url, Some(circle))?,
        None => purpose == ObjectUse::Door && doors::has_link(tx, me, &said.brought, &persona, url, &said.value)?,
    };
    gate::admit_claim(policy, now_u64(), &user, purpose, brings)?;
    if let (ObjectUse::Door, Some(inbox)) = (purpose, &evidence.inbox)
        && let Some(refused) = doors::knocked(tx, me, url, &user, inbox, &said.value, brings.group_link, now)?
    {
        return Ok(refused);
    }
    let contact = policy.rules().contacts.get(&user) == Some(&Contact::Accepted);
    if !contact && persons::open_requests(tx)? >= REQUESTS_LIMIT {
        return Err(Failure::new("too-many", "too many contact requests are open"));
    }
    let snapshot = sync::Snapshot { version: said.version, value: said.value };
    let observer =
        sync::Observer::new(url.clone(), &said.schema, snapshot).map_err(|e| Failure::new("bad-object", e))?;
    if let Some(circle) = &mut circle {
        circle::hear_reporter(tx, url, circle, &said.introduction)?;
    }
    let waiting = WaitingEvidence {
        name: said.introduction.name,
        evidence: said.introduction.evidence,
        invited_us: true,
        device: author.device.clone(),
        members: said.members,
        brought: said.brought,
    };
    let side = Side::Observer(observer);
    let is_new = copied.as_ref().is_none_or(|before| !matches!(before.standing, Standing::Copied));
    let mut object = begun(copied, Object::new(url.clone(), purpose, said.schema, user, waiting.standing(), side, now));
    object.circle = circle.map(|circle| circle.after(object.circle.take()));
    if object.circle.is_some() && is_new {
        // What was said before we came is not for us.
        object.children.adopt(&said.have);
    }
    put_object(tx, &object)?;
    Ok(vec![Follow::Listen(url.clone()), Follow::Verify(url.clone())])
}

/// New devices came: the object is introduced once more, and who is in it learns where they receive.
pub(super) fn introduced_again(
    tx: &Tx<'_>,
    me: &Ready,
    mut object: Object,
    author: &Author,
    inner: &Message,
    now: i64,
) -> Outcome<Vec<Follow>> {
    let is_known = object.peer_persona.is_some() || object.circle.is_some();
    if !author.is_holder || !is_known || matches!(object.standing, Standing::Closed { .. }) {
        return Ok(Vec::new());
    }
    let said: Introduced = said(inner)?;
    if object.circle.is_some() && matches!(object.standing, Standing::Verifying { .. }) {
        return circle::named_meanwhile(tx, &mut object, said.members);
    }
    let chains = Chains::of(tx, me, &object)?;
    let reached = |object: &Object| object.members.iter().filter(|member| member.inbox.is_some()).count();
    let before = reached(&object);
    object.set_members(tx, me, &chains, &said.members, now / 1000)?;
    leases::adopt_again(tx, &object.url, said.lease.as_ref())?;
    let mut follow = behind::hear_have(tx, me, &mut object, &said.have, now)?;
    put_object(tx, &object)?;
    if reached(&object) > before {
        // Who could not be reached missed what we said; it hears now how much that was.
        follow.push(Follow::Echo(object.url));
    }
    Ok(follow)
}

/// An object begins here; what another device told of it before stays.
fn begun(copied: Option<Object>, new: Object) -> Object {
    let Some(before) = copied else { return new };
    Object {
        children: before.children,
        draft: before.draft,
        system_lines: before.system_lines,
        at: before.at,
        circle: before.circle,
        ..new
    }
}

/// Another device of ours made a group, or writes it: we stand by, and check its people ourselves.
#[allow(clippy::too_many_arguments, reason = "all of it is judged together")]
fn our_group_elsewhere(
    tx: &Tx<'_>,
    me: &Ready,
    copied: Option<Object>,
    url: &Address,
    mut circle: Circle,
    author: &Author,
    said: Introduced,
    now: i64,
) -> Outcome<Vec<Follow>> {
    author.own(me, now / 1000)?;
    circle::hear_reporter(tx, url, &mut circle, &said.introduction)?;
    let snapshot = sync::Snapshot { version: said.version, value: said.value };
    let observer =
        sync::Observer::new(url.clone(), &said.schema, snapshot).map_err(|e| Failure::new("bad-object", e))?;
    let is_new = copied.is_none();
    let waiting = WaitingEvidence {
        name: said.introduction.name,
        evidence: said.introduction.evidence,
        invited_us: false,
        brought: brought::Words::default(),
        device: author.device.clone(),
        members: said.members,
    };
    let (peer, side) = (me.record.user.clone(), Side::Standby(observer));
    let mut object =
        begun(copied, Object::new(url.clone(), ObjectUse::Chat, said.schema, peer, waiting.standing(), side, now));
    object.circle = Some(circle.ours().after(object.circle.take()));
    if is_new {
        object.children.adopt(&said.have);
    }
    put_object(tx, &object)?;
    Ok(vec![Follow::Listen(url.clone()), Follow::Verify(url.clone())])
}

/// Another device of ours made this object, or holds it: we stand by.
#[allow(clippy::too_many_arguments, reason = "all of it is judged together")]
fn ours_elsewhere(
    tx: &Tx<'_>,
    me: &Ready,
    copied: Option<Object>,
    url: &Address,
    purpose: ObjectUse,
    author: &Author,
    said: Introduced,
    now: i64,
) -> Outcome<Vec<Follow>> {
    author.own(me, now / 1000)?;
    let peer = said.with.filter(|with| *with != me.record.user);
    let peer = peer.ok_or_else(|| Failure::new("malformed", "an object with nobody"))?;
    let snapshot = sync::Snapshot { version: said.version, value: said.value };
    let observer =
        sync::Observer::new(url.clone(), &said.schema, snapshot).map_err(|e| Failure::new("bad-object", e))?;
    let side = Side::Standby(observer);
    let known = find_person(tx, &peer)?;
    let accepted = known.as_ref().is_some_and(|person| person.contact == ContactState::Accepted);
    let was_copied = copied.is_some();
    let standing = if accepted && was_copied { Standing::Open } else { Standing::Invited };
    let mut object = begun(copied, Object::new(url.clone(), purpose, said.schema, peer.clone(), standing, side, now));
    let mut follow = vec![Follow::Listen(url.clone()), Follow::ChatShown(url.clone())];
    // Whom our other device invited is known by the persona of their leaves until they introduce themselves.
    object.peer_persona = own::leaves_of_peer(tx, me, &object)?;
    if object.is_open() {
        let chains = Chains::of(tx, me, &object)?;
        object.set_members(tx, me, &chains, &said.members, now / 1000)?;
        put_object(tx, &object)?;
        persons::flush(tx, me, &object)?;
        ask_for_missing(tx, me, &mut object)?;
        put_object(tx, &object)?;
        follow.extend(pumps(&object));
        return Ok(follow);
    }
    object.members = said
        .members
        .iter()
        .filter(|one| one.inbox.as_ref().is_some_and(|inbox| inbox.domain() == one.user.domain()))
        .filter(|one| one.user == peer || one.user == me.record.user)
        .map(|one| crate::records::Member {
            device: one.device.clone(),
            user: one.user.clone(),
            inbox: one.inbox.clone(),
        })
        .collect();
    if known.is_none() {
        let mut person = persons::get_or_new(tx, &peer)?;
        person.chat = Some(url.clone());
        put_person(tx, &person)?;
        follow.push(Follow::PersonShown(peer));
    }
    put_object(tx, &object)?;
    Ok(follow)
}

/// The person we invited introduces themselves, or another device of ours accepted for us.
pub(super) fn accepted(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    author: &Author,
    inner: &Message,
) -> Outcome<Vec<Follow>> {
    let said: Introduced = said(inner)?;
    let evidence = said.introduction.evidence;
    if evidence.device.to_string() != author.device {
        return Err(Failure::new("wrong-author", "a device introduces another than itself"));
    }
    if evidence.user == me.record.user {
        return persons::accepted_elsewhere(tx, me, object, author, now_ms());
    }
    if !matches!(object.standing, Standing::Invited) {
        return Ok(Vec::new());
    }
    if evidence.user != object.peer {
        return Err(Failure::new("wrong-author", "somebody else accepted"));
    }
    if !author.is_of(object, &object.peer) {
        return Err(Failure::new("wrong-author", "another device accepted than those that were invited"));
    }
    let waiting = WaitingEvidence {
        name: said.introduction.name,
        evidence,
        invited_us: false,
        device: author.device.clone(),
        members: Vec::new(),
        brought: brought::Words::default(),
    };
    object.standing = waiting.standing();
    put_object(tx, object)?;
    Ok(vec![Follow::Verify(object.url.clone())])
}

/// What a Hyperty is told about a verified person.
pub(crate) fn identity_of(person: &Person) -> Value {
    match &person.identity {
        Some(line) => json!({ "user": person.user, "name": person.name, "issuer": line.issuer, "state": line.state }),
        None => Value::Null,
    }
}

pub(crate) fn hyperty_of(me: &Ready, purpose: ObjectUse) -> Address {
    match purpose {
        ObjectUse::Call => me.record.connector.clone(),
        ObjectUse::Chat | ObjectUse::Own | ObjectUse::Door => me.record.chat.clone(),
    }
}
