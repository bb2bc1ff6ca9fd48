//! Who has a leaf in an object's group follows who has a device: some come, with one commit for many, and some go.

use std::collections::{BTreeSet, HashSet};

use message::{Address, UserAddress};
use store::Tx;

use crate::commits::log_commit;
use crate::home::{Home, Ready, State, now_ms};
use crate::members::Chains;
use crate::objects::Follow;
use crate::records::{ObjectUse, Standing};
use crate::registry::RegistryDevice;
use crate::sending::{get_object, pumps, put_object, queue_to_all};
use crate::trouble::{Failure, Outcome};
use crate::{behind, refreshing};

impl Home {
    /// Compares the group's leaves with the devices that both sides have now, and invites or removes.
    pub(crate) fn reconcile_later(&self, state: &mut State, url: Address) {
        let Some(wake) = state.upkeep.reconciling.begin(&url) else { return };
        let home = self.clone();
        self.rooms.tasks.start("members", async move {
            let mut attempt = 0;
            loop {
                let mut moved = false;
                let pause = match home.reconcile(&url, &mut moved).await {
                    Ok(()) => None,
                    Err(failure) if comes_later(&failure) => {
                        tracing::info!(code = failure.code, "devices are compared later");
                        // A registry answers only so often; as long as somebody comes, it is asked again.
                        attempt = if moved { 1 } else { attempt + 1 };
                        (attempt <= ATTEMPTS).then_some(PAUSE * attempt)
                    }
                    Err(failure) => {
                        tracing::info!(code = failure.code, "the members of an object were not changed");
                        None
                    }
                };
                match pause {
                    Some(pause) => {
                        let _ = tokio::time::timeout(pause, wake.notified()).await;
                    }
                    None if home.state().upkeep.reconciling.end(&url) => return,
                    // Somebody came or went meanwhile.
                    None => attempt = 0,
                }
            }
        });
    }

    /// `moved`: whether somebody came.
    async fn reconcile(&self, url: &Address, moved: &mut bool) -> Outcome<()> {
        let lacking = {
            let mut state = self.state();
            let state = &mut *state;
            let (Some(me), Some(store)) = (&state.me, &state.store) else { return Ok(()) };
            let (lacking, mut follow) = store.write(|tx| drop_dead_and_find_lacking(tx, me, url, now_ms()))?;
            follow.extend(store.write(|tx| refreshing::keep_fresh(tx, me, url, now_ms()))?);
            self.follow_up(state, follow);
            lacking
        };
        let (mut failed, mut awaited) = (None, None);
        let mut silent: BTreeSet<message::Domain> = BTreeSet::new();
        for some in lacking.chunks(ASKED_AT_ONCE) {
            let some: Vec<&(UserAddress, Vec<String>)> =
                some.iter().filter(|(user, _)| !silent.contains(&user.domain())).collect();
            let asked = some.into_iter().map(|(user, devices)| async move {
                (user, devices, self.look_up(user, &crate::registry::Packages::Of(devices.clone())).await)
            });
            let mut found: Vec<(UserAddress, Vec<RegistryDevice>)> = Vec::new();
            for (user, devices, entry) in futures_util::future::join_all(asked).await {
                let entry = match entry {
                    Ok(entry) => entry,
                    Err(failure) => {
                        // The others do not wait for who cannot be asked.
                        if comes_later(&failure) {
                            silent.insert(user.domain());
                            awaited.get_or_insert(failure);
                        } else {
                            failed.get_or_insert(failure);
                        }
                        continue;
                    }
                };
                // An inbox is registered a moment before the first key packages. Who is there does not wait for who
                // is not.
                let mut there = entry.devices;
                there.retain(|one| devices.contains(&one.device) && one.key_package.is_some());
                if there.len() < devices.len() {
                    let why = "a new device has no place to receive yet";
                    awaited.get_or_insert_with(|| Failure::new(NOT_THERE_YET, why));
                }
                if !there.is_empty() {
                    found.push((user.clone(), there));
                }
            }
            for step in steps(found) {
                self.until_some_left().await;
                if let Err(failure) = self.let_in(url, &step) {
                    if step.len() == 1 {
                        failed.get_or_insert(failure);
                        continue;
                    }
                    tracing::info!(code = failure.code, "people are let in one by one");
                    for (user, devices) in step {
                        if let Err(failure) = self.let_in(url, &[(user, devices)]) {
                            failed.get_or_insert(failure);
                        }
                    }
                }
                *moved = true;
            }
        }
        awaited.or(failed).map_or(Ok(()), Err)
    }

    /// Waits until not too much waits to leave, or for a while: who comes to a large group gets megabytes.
    async fn until_some_left(&self) {
        for _ in 0..LEFT_TRIES {
            let waits =
                self.state().store().and_then(|store| store.read(|tx| tx.outbox_bytes()).map_err(Failure::store));
            if waits.is_ok_and(|bytes| bytes < WAITING_BYTES) {
                return;
            }
            tokio::time::sleep(LEFT_PAUSE).await;
        }
    }

    /// Lets devices of people in with one commit.
    fn let_in(&self, url: &Address, people: &[(UserAddress, Vec<RegistryDevice>)]) -> Outcome<()> {
        let mut state = self.state();
        let state = &mut *state;
        let (Some(me), Some(store)) = (&state.me, &state.store) else { return Ok(()) };
        let follow = store.write(|tx| let_in(tx, me, url, people, now_ms()))?;
        self.follow_up(state, follow);
        Ok(())
    }
}

/// Lets devices of people in with one commit, after those who are there heard whose they are.
pub(crate) fn let_in(
    tx: &Tx<'_>,
    me: &Ready,
    url: &Address,
    people: &[(UserAddress, Vec<RegistryDevice>)],
    now: i64,
) -> Outcome<Vec<Follow>> {
    let mut object = get_object(tx, url)?;
    let there: HashSet<&str> = object.members.iter().map(|member| member.device.as_str()).collect();
    let wanted: Vec<&RegistryDevice> =
        people.iter().flat_map(|(_, devices)| devices).filter(|one| !there.contains(one.device.as_str())).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let known: HashSet<&UserAddress> = object.members.iter().map(|member| &member.user).collect();
    let large = object.is_large();
    let users: Vec<UserAddress> = people.iter().map(|(user, _)| user.clone()).collect();
    // In a large group who comes for the first time is shown with their whole history.
    let relayed: Vec<&UserAddress> = users.iter().filter(|user| !large || known.contains(user)).collect();
    for user in relayed {
        crate::histories::relay_chain(tx, me, &object, user)?;
    }
    crate::circle::before_invitation(tx, me, &mut object, &users)?;
    crate::objects::invite_devices(tx, me, &mut object, wanted.into_iter(), now)?;
    put_object(tx, &object)?;
    let mut follow: Vec<Follow> = pumps(&object).collect();
    if object.purpose == ObjectUse::Own {
        follow.push(Follow::Own(crate::own::OwnStep::Joined));
    }
    Ok(follow)
}

/// People are let in some at a time: where their devices receive has room beside one commit.
pub(crate) fn steps(people: Vec<(UserAddress, Vec<RegistryDevice>)>) -> Vec<Vec<(UserAddress, Vec<RegistryDevice>)>> {
    let mut steps: Vec<Vec<(UserAddress, Vec<RegistryDevice>)>> = Vec::new();
    let mut room = 0;
    let each = people.into_iter().flat_map(|(user, devices)| devices.into_iter().map(move |one| (user.clone(), one)));
    for (user, device) in each {
        let names = [device.device.as_str(), user.address().as_str(), device.inbox.as_str()];
        let bytes = names.iter().map(|name| name.len()).sum::<usize>() + NAMED_BYTES;
        if bytes > room {
            steps.push(Vec::new());
            room = seal::AAD_LIMIT - NAMED_BYTES;
        }
        room = room.saturating_sub(bytes);
        let Some(step) = steps.last_mut() else { continue };
        match step.last_mut() {
            Some((last, devices)) if *last == user => devices.push(device),
            _ => step.push((user, vec![device])),
        }
    }
    steps
}

/// Bytes that wait to leave, beyond which nobody more is let in for a while.
const WAITING_BYTES: u64 = 64 * 1024 * 1024;

/// How often and after which pause it is looked whether some of it left; what a domain that is away does not take holds
/// nobody up for ever.
const LEFT_TRIES: u32 = 120;
const LEFT_PAUSE: std::time::Duration = std::time::Duration::from_millis(500);

/// Whether it is worth trying again soon.
fn comes_later(failure: &Failure) -> bool {
    matches!(failure.code.as_str(), "domain-unreachable" | "offline" | NOT_THERE_YET)
}

/// People whose registries are asked at the same time.
const ASKED_AT_ONCE: usize = 16;

/// What a device takes beside a commit besides its key and its addresses.
const NAMED_BYTES: usize = 48;

/// How often the registry of somebody is tried before a device is left for the next occasion.
const ATTEMPTS: u32 = 15;

/// The pause after the first attempt; each is longer than the one before by as much.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(400);

/// A device that its chain names and its registry does not know yet.
const NOT_THERE_YET: &str = "device-not-there";

pub(crate) type Lacking = Vec<(UserAddress, Vec<String>)>;

/// Removes the leaves of devices that no chain allows any more, and says which devices have no leaf.
pub(crate) fn drop_dead_and_find_lacking(
    tx: &Tx<'_>,
    me: &Ready,
    url: &Address,
    now: i64,
) -> Outcome<(Lacking, Vec<Follow>)> {
    let mut object = get_object(tx, url)?;
    let (group, now_s) = (object.group()?, now / 1000);
    let failed = |e: seal::GroupError| Failure::new(e.code(), e);
    let closed = matches!(object.standing, Standing::Closed { .. } | Standing::Verifying { .. } | Standing::Copied);
    if closed || !seal::holds_lease(tx, &me.device, &group).map_err(failed)? {
        return Ok((Vec::new(), Vec::new()));
    }
    let mut follow = crate::circle::settle_left(tx, me, &mut object, now)?;
    let chains = Chains::of(tx, me, &object)?;
    let own = me.dsk.verifying_key();
    let leaves = seal::members(tx, &group).map_err(failed)?;
    let dead: Vec<u32> =
        leaves.iter().filter(|leaf| leaf.dsk != own && chains.is_dead(leaf, now_s)).map(|leaf| leaf.leaf).collect();
    if !dead.is_empty() {
        let ended = seal::epoch(tx, &group).map_err(failed)?;
        let commit = seal::remove(tx, &me.device, &group, &dead, &[]).map_err(|e| Failure::new(e.code(), e))?;
        log_commit(tx, url, ended, &commit)?;
        queue_to_all(tx, &object, &commit)?;
        follow.extend(pumps(&object));
        let gone: Vec<String> =
            leaves.iter().filter(|leaf| dead.contains(&leaf.leaf)).map(|leaf| leaf.dsk.to_string()).collect();
        object.members.retain(|member| !gone.contains(&member.device));
        put_object(tx, &object)?;
        follow.push(Follow::ChatShown(url.clone()));
    }
    if object.purpose.is_brief() {
        // A call is over before a new device could be of use in it.
        return Ok((Vec::new(), follow));
    }
    follow.extend(behind::unheard(tx, &object)?);
    let there: HashSet<String> = leaves.iter().map(|leaf| leaf.dsk.to_string()).collect();
    let lacking = chains.live_devices(now_s).into_iter().filter_map(|(user, devices)| {
        let lacks = |device: &String| !there.contains(device);
        let devices: Vec<String> = devices.into_iter().filter(lacks).collect();
        (!devices.is_empty()).then_some((user, devices))
    });
    Ok((lacking.collect(), follow))
}
