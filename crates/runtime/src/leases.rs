//! Who holds an object: the lease moves between devices of its Reporter, and never to anybody else unasked.

use message::{Address, Message, MessageType};
use serde_json::Value;
use store::Tx;

use crate::behind::{catch_up, stand_by};
use crate::circle;
use crate::commits;
use crate::home::{Home, Ready, now_ms};
use crate::members::{Author, Chains, persona_of, said};
use crate::objects::Follow;
use crate::paths;
use crate::records::{Object, Side, Standing, kind};
use crate::resync::ask_for_missing;
use crate::sending::{LeaseWords, inner_message, pumps, put_object, queue_to_all, seal_and_queue};
use crate::trouble::{Failure, Outcome};

/// Longest reason for which a call ends.
const REASON_LIMIT: usize = 64;

/// A lease that ends sooner than this is renewed, in seconds.
const RENEW_BEFORE_S: i64 = 5 * 86_400;

/// Learns who holds an object from its introduction, which its holder signed.
pub(crate) fn adopt(tx: &Tx<'_>, url: &Address, said: &LeaseWords) -> Outcome<()> {
    let lease = seal::Lease { holder: said.holder, seq: said.seq, until: said.until };
    let group = seal::GroupId::of(url);
    seal::adopt_lease(tx, &group, &lease, now_ms() / 1000).map_err(|e| Failure::new(e.code(), e)).map(|_| ())
}

/// The same from whoever holds it already: what is older than what is known is no news.
pub(crate) fn adopt_again(tx: &Tx<'_>, url: &Address, said: Option<&LeaseWords>) -> Outcome<()> {
    match said.map(|said| adopt(tx, url, said)) {
        Some(Err(failure)) if failure.code == "store-failed" => Err(failure),
        _ => Ok(()),
    }
}

/// A device says that it holds the object from now on.
pub(crate) fn on_lease(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    author: &Author,
    inner: &Message,
    now: i64,
) -> Outcome<Vec<Follow>> {
    let step: seal::LeaseMove = said(inner)?;
    if step.hand_over {
        return circle::handed_over(tx, me, object, author, inner, now);
    }
    let moved = move_lease(tx, me, object, &step, &author.key()?, now)?;
    let url = object.url.clone();
    if moved.outranked {
        // What that device did under its claim is void; if it was needed, whoever holds the object does it.
        object.asked = None;
        ask_for_missing(tx, me, object)?;
        put_object(tx, object)?;
        let mut follow: Vec<Follow> = pumps(object).collect();
        let group = object.group()?;
        let failed = |e: seal::GroupError| Failure::new(e.code(), e);
        if seal::holds_lease(tx, &me.device, &group).map_err(failed)? {
            // It cannot know of ours: else it would not have made its own.
            let from = seal::epoch(tx, &group).map_err(failed)?.saturating_sub(seal::COMMITS_UNDONE);
            follow.extend(commits::send_again(tx, object, &author.device, from, now)?);
        }
        follow.push(Follow::Reconcile(url));
        return Ok(follow);
    }
    // Whoever wrote the object here does so no more.
    if step.holder != me.dsk.verifying_key() {
        stand_by(object)?;
    }
    let mut follow = Vec::new();
    if moved.undone > 0 {
        went_back(tx, me, object)?;
        follow.extend(pumps(object));
        follow.push(Follow::ChatShown(url.clone()));
    }
    put_object(tx, object)?;
    follow.push(Follow::RetryEarly(url));
    Ok(follow)
}

/// Whether a message says that an object goes to another person.
pub(crate) fn is_hand_over(inner: &Message) -> bool {
    inner.kind == MessageType::Update
        && inner.to.as_str().ends_with("/lease")
        && said::<seal::LeaseMove>(inner).is_ok_and(|step| step.hand_over)
}

/// Commits were taken back: who came with them is not there, and what was said after them is said again.
pub(crate) fn went_back(tx: &Tx<'_>, me: &Ready, object: &mut Object) -> Outcome<()> {
    let (group, failed) = (object.group()?, |e: seal::GroupError| Failure::new(e.code(), e));
    commits::forget_from(tx, &object.url, seal::epoch(tx, &group).map_err(failed)?)?;
    let leaves = seal::members(tx, &group).map_err(failed)?;
    object.members.retain(|member| leaves.iter().any(|leaf| leaf.dsk.to_string() == member.device));
    catch_up(tx, me, object)
}

pub(crate) fn move_lease(
    tx: &Tx<'_>,
    me: &Ready,
    object: &Object,
    step: &seal::LeaseMove,
    by: &keys::VerifyingKey,
    now: i64,
) -> Outcome<seal::Moved> {
    let chains = Chains::of(tx, me, object)?;
    let now_s = now / 1000;
    let judge = seal::LeaseJudge {
        // A dead device still belongs to somebody: the chain that once named it says to whom.
        same_persona: &|one, other| persona_of(one).is_some() && persona_of(one) == persona_of(other),
        is_dead: &|leaf| chains.is_dead(leaf, now_s),
        now: now_s,
    };
    seal::move_lease(tx, &object.group()?, step, by, &judge).map_err(|e| Failure::new(e.code(), e))
}

/// Takes an object over from another device of ours that is gone or whose lease ran out.
///
/// Says whether this device holds it now.
pub(crate) fn take_over(tx: &Tx<'_>, me: &Ready, object: &mut Object, now: i64) -> Outcome<bool> {
    let Side::Standby(observer) = &object.side else { return Ok(false) };
    let group = object.group()?;
    let step = seal::next_step(tx, &me.device, &group, now / 1000).map_err(|e| Failure::new(e.code(), e))?;
    let own = me.dsk.verifying_key();
    match move_lease(tx, me, object, &step, &own, now) {
        Ok(moved) if moved.lease.holder == own => {}
        Ok(_) => return Ok(false),
        Err(failure) if failure.code == "store-failed" => return Err(failure),
        // Still held by a device that may come back.
        Err(_) => return Ok(false),
    }
    let snapshot = observer.snapshot();
    let reporter = sync::Reporter::resume(object.url.clone(), &object.schema, snapshot);
    object.side = Side::Reporter(reporter.map_err(|e| Failure::new("bad-object", e))?);
    let inner = inner_message(MessageType::Update, &object.url, "lease", &step)?;
    let sealed =
        seal::seal(tx, &me.device, &group, inner.to_json().as_bytes()).map_err(|e| Failure::new(e.code(), e))?;
    // Kept with the commits: nobody could read it if it were sealed after one of them.
    let epoch = seal::epoch(tx, &group).map_err(|e| Failure::new(e.code(), e))?;
    commits::log_commit(tx, &object.url, epoch, &sealed)?;
    queue_to_all(tx, object, &sealed)?;
    put_object(tx, object)?;
    Ok(true)
}

/// Holds an object for longer before the lease runs out, so that no other device of ours takes it meanwhile.
///
/// Says whether the others have to hear of it.
fn hold_on(tx: &Tx<'_>, me: &Ready, object: &Object, now: i64) -> Outcome<bool> {
    let failed = |e: seal::GroupError| Failure::new(e.code(), e);
    let (group, now_s) = (object.group()?, now / 1000);
    // Nobody else could take it; but while it is contested, the keys to go back with are kept.
    let alone = me.live_others().is_empty() && !seal::is_contested(tx, &group).map_err(failed)?;
    if alone || !matches!(object.side, Side::Reporter(_)) {
        return Ok(false);
    }
    let lease = seal::lease(tx, &group).map_err(failed)?;
    if lease.holder != me.dsk.verifying_key() || lease.until - now_s > RENEW_BEFORE_S {
        return Ok(false);
    }
    let step = seal::renew(tx, &me.device, &group, now_s).map_err(|e| Failure::new(e.code(), e))?;
    let inner = inner_message(MessageType::Update, &object.url, "lease", &step)?;
    seal_and_queue(tx, me, object, &inner, None)?;
    Ok(true)
}

impl Home {
    /// Takes over what lies with devices of ours that are gone, and brings all groups up to date.
    pub(crate) fn tidy_groups(&self) {
        let mut state = self.state();
        let state = &mut *state;
        let (Some(me), Some(store)) = (&state.me, &state.store) else { return };
        let done = store.write(|tx| {
            let objects: Vec<(String, Object)> = tx.list(kind::OBJECT).map_err(Failure::store)?;
            let mut follow = Vec::new();
            for (_, mut object) in objects {
                if matches!(object.standing, Standing::Closed { .. } | Standing::Copied) {
                    continue;
                }
                if take_over(tx, me, &mut object, now_ms())? || hold_on(tx, me, &object, now_ms())? {
                    follow.extend(pumps(&object));
                }
                follow.push(Follow::Reconcile(object.url.clone()));
            }
            Ok::<_, Failure>(follow)
        });
        match done {
            Ok(follow) => self.follow_up(state, follow),
            Err(failure) => tracing::warn!(code = failure.code, "the groups could not be tidied"),
        }
    }
}

/// What is done with a child of a call.
pub(crate) enum CallChild {
    /// The connector hears it.
    Heard,
    /// It is of a device that does not take part.
    Ignored,
    /// Another device of ours took the call.
    TakenElsewhere,
}

/// Judges a child of a call where several devices ring: the first answer is the one.
pub(crate) fn call_child(object: &mut Object, author: &Author, mine: bool, value: &Value) -> CallChild {
    let word = value.get("type").and_then(Value::as_str);
    if mine {
        return if word == Some("answer") { CallChild::TakenElsewhere } else { CallChild::Ignored };
    }
    let several = object.peer_devices().count() > 1;
    match &object.answered_by {
        Some(device) if *device != author.device => return CallChild::Ignored,
        Some(_) => {}
        None if word == Some("answer") => object.answered_by = Some(author.device.clone()),
        // Who has not answered sends no path, and one device that is busy does not speak for the others.
        None if several && word == Some("candidate") => return CallChild::Ignored,
        None if several && word == Some("bye") => {
            let reason = value.get("reason").and_then(Value::as_str).unwrap_or_default();
            if reason != "declined" {
                object.members.retain(|member| member.device != author.device);
                return CallChild::Ignored;
            }
        }
        None => {}
    }
    if word == Some("answer") {
        // Media takes no other description than the one that came sealed.
        object.sealed_answer = value.get("sdp").and_then(Value::as_str).map(str::to_owned);
    }
    if word == Some("bye") {
        // The end itself may come in the same moment, before the Hyperty had its turn.
        let reason = value.get("reason").and_then(Value::as_str).filter(|reason| reason.len() <= REASON_LIMIT);
        object.bye = reason.map(str::to_owned);
    }
    paths::note_sealed_path(object, value);
    CallChild::Heard
}

/// Whether what one device says ends a call for everybody.
pub(crate) fn ends_call(me: &Ready, object: &mut Object, author: &Author, reason: &str) -> bool {
    let Some(member) = object.member(&author.device) else { return true };
    let ours = member.user == me.record.user;
    let by_other = object.answered_by.as_ref().is_some_and(|device| *device != author.device);
    if ours || by_other {
        // Our other device said no for all of us, or goes its own way; one that did not answer has no say.
        return ours && reason == "declined";
    }
    let several = object.peer_devices().count() > 1;
    let rings_on = several && object.answered_by.is_none() && matches!(object.side, Side::Reporter(_));
    if rings_on && reason != "declined" {
        object.members.retain(|member| member.device != author.device);
        return false;
    }
    true
}
