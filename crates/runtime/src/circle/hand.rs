//! The Reporter's role goes from a group's owner to somebody else in it.
//!
//! One sealed message says both: the move of the lease, which decides who commits, and the group as it is from then on,
//! which decides whose wishes count. It is signed by the device that held the group, so nobody else can say it; whoever
//! gets the group passes that message on before a word of their own, so that everybody hears it first.

use message::{Address, Message, MessageType, UserAddress};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::Tx;

use super::admin;
use super::changes::{LEFT, circle_of, took};
use super::rules::{ATTRIBUTE, Refused, Said, Step};
use crate::commits;
use crate::home::{Ready, now_ms};
use crate::leases::move_lease;
use crate::members::{Author, said};
use crate::objects::Follow;
use crate::records::{Object, Side, Standing};
use crate::sending::{get_object, inner_message, pumps, put_object, queue_to_all, seal_and_queue, sealing};
use crate::trouble::{Failure, Outcome};

/// The body of `update <object>/lease` when the group goes to another person.
#[derive(Serialize, Deserialize)]
struct HandOver {
    #[serde(flatten)]
    step: seal::LeaseMove,
    /// The object from then on.
    object: sync::Snapshot,
}

fn wrong(why: Refused) -> Failure {
    Failure::new(why.code(), "the group is not handed over so")
}

/// The device that writes the group gives it to a device of somebody in it, because its owner wishes so.
pub(super) fn give(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    by: &UserAddress,
    to: &UserAddress,
    now: i64,
) -> Outcome<Vec<Follow>> {
    let circle = circle_of(object)?;
    let after = circle.said.handed(by, to).map_err(wrong)?;
    if *by != me.record.user || circle.left.contains(to) {
        return Err(wrong(Refused::NotEntitled));
    }
    let holder = crate::behind::heard_last(tx, object, to)?;
    let holder = holder.ok_or_else(|| Failure::new("nobody-there", "they have no device in the group yet"))?;
    let holder = keys::VerifyingKey::parse(&holder).map_err(|e| Failure::new("malformed", e))?;
    let group = object.group()?;
    let lease = seal::lease(tx, &group).map_err(sealing)?;
    let step = seal::LeaseMove {
        holder,
        seq: lease.seq.saturating_add(1),
        until: (now / 1000).saturating_add(seal::LEASE_LIFE_S),
        hand_over: true,
    };
    let Side::Reporter(reporter) = &mut object.side else {
        return Err(Failure::new("not-reporter", "another device writes the group"));
    };
    reporter.change(ATTRIBUTE, Some(json!(after)), None).map_err(|error| Failure::new("bad-change", error))?;
    let snapshot = reporter.snapshot();
    move_lease(tx, me, object, &step, &me.dsk.verifying_key(), now)?;
    let inner = inner_message(
        MessageType::Update,
        &object.url,
        "lease",
        &HandOver { step: step.clone(), object: snapshot.clone() },
    )?;
    seal_and_queue(tx, me, object, &inner, None)?;
    let mut follow: Vec<Follow> = pumps(object).collect();
    follow.extend(settle(tx, me, object, after, to, snapshot, step.holder == me.dsk.verifying_key(), now)?);
    put_object(tx, object)?;
    Ok(follow)
}

/// The owner's device says that somebody else writes the group from now on; what it says is judged before the lease moves.
pub(crate) fn handed_over(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    author: &Author,
    inner: &Message,
    now: i64,
) -> Outcome<Vec<Follow>> {
    let HandOver { step, object: snapshot } = said(inner)?;
    if matches!(object.standing, Standing::Closed { .. }) {
        return Ok(Vec::new());
    }
    if matches!(object.standing, Standing::Verifying { .. }) {
        // Whose device that is, is not known yet; it is looked at again once it is.
        return Err(Failure::new("unverified", "the people of the group are still being checked"));
    }
    let Some(circle) = &object.circle else { return Err(wrong(Refused::NotEntitled)) };
    let after = Said::of(&snapshot.value).ok_or_else(|| wrong(Refused::Malformed))?.map_err(wrong)?;
    if after.value() != snapshot.value {
        return Err(wrong(Refused::Malformed));
    }
    let by = &author.member(object)?.user;
    let missed = object.version().saturating_add(1) < snapshot.version;
    let heir = circle.said.heir(&after, missed).map_err(wrong)?;
    if *by != after.by || snapshot.version <= object.version() {
        return Err(wrong(Refused::NotEntitled));
    }
    let own = me.dsk.verifying_key();
    let to_us = step.holder == own;
    let user = if to_us { Some(&me.record.user) } else { object.member(&step.holder.to_string()).map(|one| &one.user) };
    match user {
        Some(user) if *user == heir => {}
        Some(_) => return Err(wrong(Refused::NotEntitled)),
        None => return Err(Failure::new("unverified", "the device that gets the group is not known here yet")),
    }
    let moved = move_lease(tx, me, object, &step, &author.key()?, now)?;
    if moved.outranked {
        return Err(Failure::new("outranked", "another claim to the lease counts"));
    }
    let mut follow = settle(tx, me, object, after, &heir, snapshot, to_us, now)?;
    put_object(tx, object)?;
    if moved.undone > 0 {
        crate::leases::went_back(tx, me, object)?;
        follow.extend(pumps(object));
    }
    let leaves = object.circle.as_ref().is_some_and(|circle| circle.leaving) && *by_of(object)? != me.record.user;
    if leaves && object.is_open() {
        follow.extend(admin::go(tx, me, object, LEFT, now)?);
    }
    follow.extend([Follow::RetryEarly(object.url.clone()), Follow::Reconcile(object.url.clone())]);
    Ok(follow)
}

/// Who owns the group now.
fn by_of(object: &Object) -> Outcome<&UserAddress> {
    let owner = object.circle.as_ref().and_then(|circle| circle.said.owner());
    owner.ok_or_else(|| wrong(Refused::Malformed))
}

/// The group is another person's from now on: who writes it here, who reads, and a line that says so.
#[allow(clippy::too_many_arguments, reason = "all of it is one step")]
fn settle(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    after: Said,
    heir: &UserAddress,
    snapshot: sync::Snapshot,
    to_us: bool,
    now: i64,
) -> Outcome<Vec<Follow>> {
    let bad = |error: sync::ChangeError| Failure::new("bad-object", error);
    let (url, schema) = (object.url.clone(), object.schema.clone());
    object.side = if to_us {
        Side::Reporter(sync::Reporter::resume(url, &schema, snapshot).map_err(bad)?)
    } else {
        let observer = sync::Observer::new(url, &schema, snapshot).map_err(bad)?;
        if *heir == me.record.user { Side::Standby(observer) } else { Side::Observer(observer) }
    };
    object.peer = heir.clone();
    let circle = circle_of(object)?;
    // Who was to come in is asked for again: what the last owner was shown of them is not here.
    circle.wanted.clear();
    let before = circle.said.clone();
    let meanwhile =
        before.handed(&after.by, heir).and_then(|said| said.steps(&Said { by: heir.clone(), ..after.clone() }));
    let mut steps = meanwhile.unwrap_or_default();
    steps.push(Step::HandedOver(heir.clone()));
    took(tx, me, object, after, &steps, now)
}

/// Who got a group passes the message that says so on to everybody, before anything of their own.
///
/// The device that gave it away may be gone before it reached all; and without that message nobody believes what follows.
pub(crate) fn pass_on(tx: &Tx<'_>, me: &Ready, url: &Address, epoch: u64, bytes: &[u8]) -> Outcome<Vec<Follow>> {
    let object = get_object(tx, url)?;
    if !matches!(object.side, Side::Reporter(_))
        || !seal::holds_lease(tx, &me.device, &object.group()?).map_err(sealing)?
    {
        return Ok(Vec::new());
    }
    commits::log_commit(tx, url, epoch, bytes)?;
    queue_to_all(tx, &object, bytes)?;
    tracing::info!(at = now_ms(), "a group was handed over to us");
    Ok(pumps(&object).collect())
}
