//! The people of a group are verified by each member for itself, before a leaf of theirs comes in.
//!
//! The Reporter shows everybody what it was shown: tokens, history, name. It is a claim like any other; the
//! issuers' keys are asked of the issuers, and what does not hold lets nobody in, whatever the Reporter says.

use std::collections::{BTreeMap, BTreeSet};

use contract::ContactState;
use message::{Address, Domain, MessageType, UserAddress};
use serde_json::json;
use store::Tx;

use super::shown::{forget_shown, unmet_key};
use super::{Circle, is_met};
use crate::asking;
use crate::doors;
use crate::gate::{self, Entry};
use crate::histories::groups_of;
use crate::home::{Home, Ready, body, now_ms, now_u64};
use crate::inbox::{WaitingEvidence, hyperty_of, identity_of, release_held};
use crate::key_changes;
use crate::members::{Chains, Named};
use crate::objects::Follow;
use crate::persons::{PINS, flush, get_or_new, name_of, show_verified, system_row};
use crate::records::{Object, Side, Standing, kind};
use crate::resync::ask_for_missing;
use crate::sending::{
    Introduction, acceptance_message, below, find_person, get_object, pumps, put_object, put_person, seal_and_queue,
};
use crate::trouble::{Failure, Outcome};
use crate::verdicts::Policy;
use crate::vouching::is_temporary;

/// Devices of which it is kept where they receive while people are being checked.
const NAMED_LIMIT: usize = 4096;

/// Whether everybody in a group is verified here.
pub(crate) fn knows_all(tx: &Tx<'_>, circle: &Circle) -> Outcome<bool> {
    for user in circle.others() {
        let person = find_person(tx, user)?;
        if !person.as_ref().is_some_and(is_met) {
            return Ok(false);
        }
    }
    Ok(circle.asks.is_some())
}

impl Home {
    /// Checks the people of a group who are not verified here yet, and goes on with what waited for them.
    ///
    /// Whoever cannot be checked now does not hold up the others; those of their domain are tried later with them.
    pub(crate) async fn verify_circle(&self, url: &Address) -> Outcome<()> {
        let mut later: BTreeMap<Domain, Failure> = BTreeMap::new();
        loop {
            let next = {
                let state = self.state();
                state.store()?.read(|tx| {
                    let object = get_object(tx, url)?;
                    let Some(circle) = &object.circle else { return Ok(None) };
                    let Some(user) = circle.to_meet(|user| !later.contains_key(&user.domain())) else {
                        return Ok(None);
                    };
                    let shown = tx.get(kind::UNMET, &unmet_key(url, user)).map_err(Failure::store)?;
                    let shown: Introduction = shown.ok_or_else(|| Failure::unknown("person"))?;
                    Ok::<_, Failure>(Some((shown, object)))
                })?
            };
            let Some((introduction, object)) = next else { break };
            match self.meet(&object, &introduction).await {
                Ok(()) => {}
                Err(failure) if is_temporary(&failure) => {
                    later.insert(introduction.evidence.user.domain(), failure);
                }
                Err(failure) => return Err(failure),
            }
        }
        let mut state = self.state();
        let state = &mut *state;
        let (Some(me), Some(store)) = (&state.me, &state.store) else { return Ok(()) };
        let follow = store.write(|tx| go_on(tx, me, url, now_ms()))?;
        self.follow_up(state, follow);
        later.into_values().next().map_or(Ok(()), Err)
    }

    async fn meet(&self, object: &Object, introduction: &Introduction) -> Outcome<()> {
        let evidence = &introduction.evidence;
        let (leaf, pins) = {
            let state = self.state();
            let pins = state.store()?.read(crate::settling::pins).map_err(Failure::store)?;
            (speaker(object, &evidence.user)?, pins)
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
        self.to_meet(|_| true).is_some()
    }

    /// The next one to be checked: somebody in it, or who is to come in.
    fn to_meet(&self, may: impl Fn(&UserAddress) -> bool) -> Option<&UserAddress> {
        let concerns = |user: &UserAddress| self.said.people.contains_key(user) || self.wanted.contains_key(user);
        self.unmet.iter().find(|user| concerns(user) && may(user))
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
    let known = find_person(tx, &user)?;
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
    let mut pins = crate::settling::pins(tx)?;
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
    forget_shown(tx, url, &user)?;
    if is_reporter && circle.asks.is_none() {
        circle.asks = Some(entry == Entry::Ask);
    }
    put_object(tx, &object)?;
    follow.push(Follow::PersonShown(user.clone()));
    if grew {
        follow.extend(groups_of(tx, &user)?);
    }
    Ok(follow)
}

/// What waited for people to be verified goes on.
pub(super) fn go_on(tx: &Tx<'_>, me: &Ready, url: &Address, now: i64) -> Outcome<Vec<Follow>> {
    let mut object = get_object(tx, url)?;
    let Some(circle) = &object.circle else { return Ok(Vec::new()) };
    let Standing::Verifying { evidence } = &object.standing else {
        let mut follow = admit_wanted(tx, me, &mut object, now)?;
        follow.extend([Follow::RetryEarly(url.clone()), Follow::ChatShown(url.clone())]);
        return Ok(follow);
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

/// Who was to come in and is verified now comes in: all that somebody wished in one change.
fn admit_wanted(tx: &Tx<'_>, me: &Ready, object: &mut Object, now: i64) -> Outcome<Vec<Follow>> {
    let Some(circle) = object.circle.as_mut().filter(|circle| !circle.wanted.is_empty()) else { return Ok(Vec::new()) };
    let mut come: BTreeMap<UserAddress, Vec<UserAddress>> = BTreeMap::new();
    for (user, by) in &circle.wanted {
        if !circle.unmet.contains(user) {
            come.entry(by.clone()).or_default().push(user.clone());
        }
    }
    circle.wanted.retain(|user, _| circle.unmet.contains(user));
    if come.is_empty() {
        return Ok(Vec::new());
    }
    put_object(tx, object)?;
    let mut follow = Vec::new();
    for (by, users) in come {
        follow.extend(super::changes::add(tx, me, object, &by, &users, now)?);
    }
    follow.push(Follow::Reconcile(object.url.clone()));
    Ok(follow)
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
    // A commit names those who came with it, an introduction names all.
    let named: BTreeSet<&str> = members.iter().map(|one| one.device.as_str()).collect();
    waiting.members.retain(|one| !named.contains(one.device.as_str()));
    waiting.members.extend(members);
    waiting.members.truncate(NAMED_LIMIT);
    object.standing = waiting.standing();
    put_object(tx, object)?;
    Ok(vec![Follow::Verify(object.url.clone())])
}
