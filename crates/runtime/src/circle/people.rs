//! The people of a group are verified by each member for itself, before a leaf of theirs comes in.
//!
//! The Reporter shows everybody what it was shown: tokens, history, name. It is a claim like any other; the
//! issuers' keys are asked of the issuers, and what does not hold lets nobody in, whatever the Reporter says.

use contract::ContactState;
use message::{Address, MessageType, UserAddress};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::Tx;

use super::{Circle, is_met};
use crate::asking;
use crate::circle::rules::{PEOPLE_LIMIT, Wish};
use crate::doors;
use crate::gate::{self, Entry};
use crate::histories::groups_of;
use crate::home::{Home, Ready, body, now_ms, now_u64};
use crate::inbox::{WaitingEvidence, hyperty_of, identity_of, release_held};
use crate::key_changes;
use crate::members::{Author, Chains, Named, said};
use crate::objects::Follow;
use crate::persons::{PINS, flush, get_or_new, name_of, show_verified, system_row};
use crate::records::{Object, Person, Side, Standing, kind};
use crate::resync::ask_for_missing;
use crate::sending::{
    Introduction, acceptance_message, below, get_object, inner_message, pumps, put_object, put_person, seal_and_queue,
    seal_to,
};
use crate::trouble::{Failure, Outcome};
use crate::verdicts::Policy;

/// Bytes of what is shown of one person.
const SHOWN_LIMIT: usize = 64 * 1024;

/// The body of `update <object>/people`: somebody of the group, as the Reporter was shown them.
#[derive(Serialize, Deserialize)]
struct Shown {
    introduction: Introduction,
}

/// What we were shown of a contact, for those who are to know them in a group.
pub(super) fn introduction_of(tx: &Tx<'_>, user: &UserAddress) -> Outcome<Introduction> {
    let person: Option<Person> = tx.get(kind::PERSON, user.address().as_str()).map_err(Failure::store)?;
    let person = person.filter(|person| is_met(person) && !person.tokens.is_empty());
    let person = person.ok_or_else(|| Failure::new("not-checked-yet", "that person is not verified here yet"))?;
    let chain = identity::Sigchain::parse(&person.chain).map_err(|e| Failure::new("database-damaged", e))?;
    let device = chain.devices().last().map(|device| device.dsk);
    let device = device.ok_or_else(|| Failure::new("not-found", "the person has no device"))?;
    let evidence = identity::Evidence {
        user: person.user.clone(),
        inbox: None,
        tokens: person.tokens.clone(),
        renewals: person.renewals.clone(),
        chain: person.chain.clone(),
        device,
    };
    Ok(Introduction { name: person.name, evidence })
}

fn shown_message(url: &Address, introduction: Introduction) -> Outcome<message::Message> {
    inner_message(MessageType::Update, url, "people", &Shown { introduction })
}

/// Before somebody's devices come in, those who are there are shown whose they are.
pub(crate) fn before_invitation(tx: &Tx<'_>, me: &Ready, object: &Object, user: &UserAddress) -> Outcome<()> {
    if object.circle.is_none() || *user == me.record.user || object.members.is_empty() {
        return Ok(());
    }
    let message = shown_message(&object.url, introduction_of(tx, user)?)?;
    seal_and_queue(tx, me, object, &message, None)
}

/// Devices that came in are shown everybody; who showed themselves already knows that.
pub(crate) fn after_invitation(tx: &Tx<'_>, me: &Ready, object: &Object, devices: &[String]) -> Outcome<()> {
    let Some(circle) = &object.circle else { return Ok(()) };
    for user in circle.others() {
        let message = shown_message(&object.url, introduction_of(tx, user)?)?;
        seal_to(tx, me, object, &message, &|member| devices.contains(&member.device) && member.user != *user)?;
    }
    Ok(())
}

/// The Reporter shows who somebody is.
pub(crate) fn hear_person(
    tx: &Tx<'_>,
    object: &mut Object,
    author: &Author,
    inner: &message::Message,
) -> Outcome<Vec<Follow>> {
    if !author.is_holder {
        return Err(Failure::new("not-reporter", "only the Reporter says who is in a group"));
    }
    let Shown { introduction } = said(inner)?;
    keep_unmet(tx, object, introduction)
}

/// Keeps what was shown of somebody until it is checked; of who is known there is nothing to check.
pub(super) fn keep_unmet(tx: &Tx<'_>, object: &mut Object, introduction: Introduction) -> Outcome<Vec<Follow>> {
    let evidence = &introduction.evidence;
    let size = serde_json::to_string(&introduction).map_or(usize::MAX, |text| text.len());
    if size > SHOWN_LIMIT {
        return Err(Failure::new("too-large", "more than anybody needs to show who they are"));
    }
    let user = evidence.user.clone();
    let known: Option<Person> = tx.get(kind::PERSON, user.address().as_str()).map_err(Failure::store)?;
    let known = known.filter(|person| is_met(person) && person.chain.len() >= evidence.chain.len());
    let circle = object.circle.as_mut().ok_or_else(|| Failure::new("malformed", "it is a conversation of two"))?;
    let same = known.is_some_and(|person| person.chain.first() == evidence.chain.first());
    if user == circle.own || same {
        return Ok(Vec::new());
    }
    if circle.unmet.len() >= PEOPLE_LIMIT && !circle.unmet.contains_key(&user) {
        return Err(Failure::new("too-many", "more people than a group has"));
    }
    circle.unmet.insert(user, introduction);
    put_object(tx, object)?;
    Ok(vec![Follow::Verify(object.url.clone())])
}

/// The Reporter introduced itself with the group: that is checked first.
pub(crate) fn hear_reporter(circle: &mut Circle, introduction: &Introduction) -> Outcome<()> {
    let user = &introduction.evidence.user;
    if circle.said.owner() != Some(user) || !circle.said.people.contains_key(&circle.own) {
        return Err(Failure::new("malformed", "the group is not theirs, or not for us"));
    }
    circle.unmet.insert(user.clone(), introduction.clone());
    Ok(())
}

/// Whether everybody in a group is verified here.
pub(crate) fn knows_all(tx: &Tx<'_>, circle: &Circle) -> Outcome<bool> {
    for user in circle.others() {
        let person: Option<Person> = tx.get(kind::PERSON, user.address().as_str()).map_err(Failure::store)?;
        if !person.as_ref().is_some_and(is_met) {
            return Ok(false);
        }
    }
    Ok(circle.asks.is_some())
}

impl Home {
    /// Checks the people of a group who are not verified here yet, and goes on with what waited for them.
    pub(crate) async fn verify_circle(&self, url: &Address) -> Outcome<()> {
        loop {
            let next = {
                let state = self.state();
                let object = state.store()?.read(|tx| get_object(tx, url))?;
                let Some(circle) = &object.circle else { return Ok(()) };
                circle.to_meet().cloned().zip(Some(object))
            };
            let Some((introduction, object)) = next else { break };
            self.meet(&object, &introduction).await?;
        }
        let mut state = self.state();
        let state = &mut *state;
        let (Some(me), Some(store)) = (&state.me, &state.store) else { return Ok(()) };
        let follow = store.write(|tx| go_on(tx, me, url, now_ms()))?;
        self.follow_up(state, follow);
        Ok(())
    }

    async fn meet(&self, object: &Object, introduction: &Introduction) -> Outcome<()> {
        let evidence = &introduction.evidence;
        let (leaf, pins) = {
            let state = self.state();
            let pins = state.store()?.read(|tx| tx.get(kind::PINS, PINS)).map_err(Failure::store)?;
            (speaker(object, &evidence.user)?, pins.unwrap_or_default())
        };
        let domain = evidence.user.domain();
        if !asking::is_reachable(&domain, &self.rooms.config.net.localhost) {
            return Err(Failure::new("private-address", "the domain is on this machine, and nobody set it up here"));
        }
        let table = self.issuer_table();
        let verified = self.verify_evidence(evidence, &table, leaf.as_ref(), &pins, Some(&domain)).await?;
        let mut state = self.state();
        let state = &mut *state;
        let (Some(me), Some(store)) = (&state.me, &state.store) else { return Ok(()) };
        let policy = &mut state.policy;
        let follow = store.write(|tx| met(tx, me, policy, &object.url, introduction, &verified, now_ms()))?;
        self.follow_up(state, follow);
        Ok(())
    }
}

impl Circle {
    /// Whether somebody is still to be checked.
    pub(crate) fn awaits_somebody(&self) -> bool {
        self.to_meet().is_some()
    }

    /// The next one to be checked: somebody in it, or who is to come in.
    fn to_meet(&self) -> Option<&Introduction> {
        let concerns = |user: &UserAddress| self.said.people.contains_key(user) || self.wanted.contains_key(user);
        self.unmet.iter().find(|(user, _)| concerns(user)).map(|(_, introduction)| introduction)
    }
}

/// Of the Reporter: the device that introduced the group, which must be theirs.
fn speaker(object: &Object, user: &UserAddress) -> Outcome<Option<keys::VerifyingKey>> {
    match &object.standing {
        Standing::Verifying { evidence } if *user == object.peer => {
            let waiting = WaitingEvidence::parse(evidence)?;
            keys::VerifyingKey::parse(&waiting.device).map(Some).map_err(|e| Failure::new("wrong-author", e))
        }
        _ => Ok(None),
    }
}

/// Somebody in a group is who they are said to be.
fn met(
    tx: &Tx<'_>,
    me: &Ready,
    policy: &mut Policy,
    url: &Address,
    introduction: &Introduction,
    verified: &identity::VerifiedIdentity,
    now: i64,
) -> Outcome<Vec<Follow>> {
    let mut object = get_object(tx, url)?;
    let user = verified.user().clone();
    let known: Option<Person> = tx.get(kind::PERSON, user.address().as_str())?;
    let is_reporter = user == object.peer;
    // The Reporter came to us; of the others it only says that they are there.
    let came = match &object.standing {
        Standing::Verifying { evidence } if is_reporter => {
            let waiting = WaitingEvidence::parse(evidence)?;
            let brought = waiting.brought.judged(tx, me, &user, &verified.persona().to_string(), url)?;
            Some(policy::Brought { group_link: doors::asked_into(tx, url, object.circle.as_ref())?, ..brought })
        }
        _ => None,
    };
    let entry = gate::admit_verified(policy, now_u64(), verified, object.purpose, came, gate::keys_of(known.as_ref()));
    let entry = match entry {
        // That somebody is in the same group is no reason to leave it: what they write is not shown.
        Err(failure) if failure.code == "blocked" && !is_reporter => Entry::Open,
        judged => judged?,
    };
    let mut pins: identity::PinBook = tx.get(kind::PINS, PINS)?.unwrap_or_default();
    let is_new = known.is_none();
    let mut person = get_or_new(tx, &user)?;
    if is_new {
        person.contact = ContactState::Met;
    }
    let (told, grew) = show_verified(tx, &mut pins, &mut person, verified, introduction, now)?;
    tx.put(kind::PINS, PINS, &pins)?;
    put_person(tx, &person)?;
    let mut follow = key_changes::verdicts(&person, &told);
    for (code, detail) in told.iter().map(key_changes::Told::line) {
        follow.extend(key_changes::line(tx, &person, code, &detail, now)?);
    }
    let circle = object.circle.as_mut().ok_or_else(|| Failure::new("malformed", "it is a conversation of two"))?;
    circle.unmet.remove(&user);
    if is_reporter && circle.asks.is_none() {
        circle.asks = Some(entry == Entry::Ask);
    }
    let wanted = circle.wanted.remove(&user);
    put_object(tx, &object)?;
    if let Some(by) = wanted {
        follow.extend(super::changes::change(tx, me, &mut object, &by, &Wish::Add(user.clone()), now)?);
        follow.push(Follow::Reconcile(url.clone()));
    }
    follow.push(Follow::PersonShown(user.clone()));
    if grew {
        follow.extend(groups_of(tx, &user)?);
    }
    Ok(follow)
}

/// What waited for people to be verified goes on.
fn go_on(tx: &Tx<'_>, me: &Ready, url: &Address, now: i64) -> Outcome<Vec<Follow>> {
    let mut object = get_object(tx, url)?;
    let Some(circle) = &object.circle else { return Ok(Vec::new()) };
    let Standing::Verifying { evidence } = &object.standing else {
        return Ok(vec![Follow::RetryEarly(url.clone()), Follow::ChatShown(url.clone())]);
    };
    if !knows_all(tx, circle)? {
        return Ok(Vec::new());
    }
    let waiting = WaitingEvidence::parse(evidence)?;
    let reporter = if matches!(object.side, Side::Observer(_)) { object.peer.clone() } else { me.record.user.clone() };
    let (asks, inbox) = (circle.asks == Some(true), waiting.evidence.inbox.clone());
    let speaker = Named { device: waiting.device.clone(), user: reporter.clone(), inbox };
    let named: Vec<Named> = std::iter::once(speaker).chain(waiting.members).collect();
    let chains = Chains::of(tx, me, &object)?;
    if let Err(failure) = object.set_members(tx, me, &chains, &named, now / 1000) {
        tracing::info!(code = failure.code, "somebody in the group is not known yet");
        return Ok(Vec::new());
    }
    if object.member(&waiting.device).is_none_or(|member| member.user != reporter) {
        return Err(Failure::new("wrong-author", "another device introduced the group than one of its owner"));
    }
    if asks && object.answered_by.is_none() {
        object.standing = Standing::Request;
        added_you(tx, &mut object, now)?;
        put_object(tx, &object)?;
        return Ok(vec![Follow::ChatShown(url.clone())]);
    }
    put_object(tx, &object)?;
    // Our other devices do not know that the person asked for it.
    let asked = doors::asked_into(tx, url, object.circle.as_ref())?;
    open(tx, me, url, asked, now)
}

/// The first line of a group: whose it is.
fn added_you(tx: &Tx<'_>, object: &mut Object, now: i64) -> Outcome<()> {
    let owner = get_or_new(tx, &object.peer)?;
    system_row(tx, object, "group-added-you", &[("by", &name_of(&owner))], now).map(|_| ())
}

/// We are in the group from now on. `aloud`: our other devices hear that the person said yes.
pub(crate) fn open(tx: &Tx<'_>, me: &Ready, url: &Address, aloud: bool, now: i64) -> Outcome<Vec<Follow>> {
    let mut object = get_object(tx, url)?;
    if aloud {
        seal_and_queue(tx, me, &object, &acceptance_message(me, url)?, None)?;
    }
    object.standing = Standing::Open;
    object.at = now;
    let mut follow = Vec::new();
    if matches!(object.side, Side::Observer(_)) {
        let person = get_or_new(tx, &object.peer)?;
        if object.system_lines == 0 {
            added_you(tx, &mut object, now)?;
        }
        let invitation = json!({
            "schema": object.schema, "value": object.value(), "version": object.watched()?.version(),
            "source": object.peer, "identity": identity_of(&person),
        });
        follow.push(Follow::Tell {
            to: hyperty_of(me, object.purpose),
            kind: MessageType::Create,
            from: below(url, "subscription")?,
            body: body(&invitation),
        });
    }
    put_object(tx, &object)?;
    flush(tx, me, &object)?;
    follow.extend(release_held(tx, me, url, now)?);
    // What somebody said before we knew what the group is for did not stay: it is asked for.
    let mut object = get_object(tx, url)?;
    object.asked = None;
    ask_for_missing(tx, me, &mut object)?;
    put_object(tx, &object)?;
    follow.extend(pumps(&object));
    follow.extend(doors::entered(tx, url)?);
    follow.extend([Follow::RetryEarly(url.clone()), Follow::Echo(url.clone()), Follow::ChatShown(url.clone())]);
    Ok(follow)
}

/// The Reporter let more devices in while people were still being checked: where they receive is kept.
pub(crate) fn named_meanwhile(tx: &Tx<'_>, object: &mut Object, members: Vec<Named>) -> Outcome<Vec<Follow>> {
    let Standing::Verifying { evidence } = &object.standing else { return Ok(Vec::new()) };
    let mut waiting = WaitingEvidence::parse(evidence)?;
    waiting.members = members;
    object.standing = waiting.standing();
    put_object(tx, object)?;
    Ok(vec![Follow::Verify(object.url.clone())])
}
