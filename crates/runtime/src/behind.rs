//! Members that lost the group of an object are brought back, and who is brought back catches up.
//!
//! The holder keeps the last commits for who missed some ([`crate::commits`]). Who missed more, or stands on another
//! branch, cannot be helped with commits: its leaf goes and comes again in one commit, with a fresh key package. It
//! keeps what it read; what was said meanwhile comes through the object's history, and what does not come is told.

use std::collections::{BTreeMap, BTreeSet};

use message::{Address, MessageType, UserAddress};
use serde::{Deserialize, Serialize};
use store::{ChildState, Tx};

use crate::commits::{self, count_refusal};
use crate::home::{Home, Ready, State, now_ms};
use crate::members::{Author, Chains, Named};
use crate::objects::Follow;
use crate::persons::system_row;
use crate::records::{ChildValue, Object, ObjectUse, Side, Standing, kind};
use crate::registry::{Packages, RegistryDevice};
use crate::resync::ask_for_missing;
use crate::sending::{
    child_message, find_object, get_object, inner_message, introduction_message, own_tag, pumps, put_object,
    queue_sealed, queue_to, seal_and_queue, seal_to, sealing,
};
use crate::trouble::{Failure, Outcome};
use crate::{circle, histories, members};

/// A member that lost the group is brought back at most this often, in milliseconds.
const AGAIN_MS: i64 = 60_000;

/// A device that was let in says something within this time, or it heard nothing.
const SILENT_FOR: std::time::Duration = std::time::Duration::from_secs(10);

/// Own children that are said again at once; who misses more asks.
const SAY_AGAIN: usize = 100;

/// Devices of which it is remembered when they were heard: those of a group of a thousand.
const DEVICES_LIMIT: usize = 1024;

/// Authors of which a holder may say how far they came.
pub(crate) const AUTHORS_TOLD: usize = 1024;

/// What is remembered of the members of one object's group.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Heard {
    /// By device.
    devices: BTreeMap<String, Device>,
    /// Let in by another device, and silent since.
    #[serde(default)]
    awaited: BTreeSet<String>,
    /// We were brought back, and have not heard yet how far everybody had come.
    #[serde(default)]
    returned: bool,
    /// Numbers that were answered for with nothing since a person was told.
    #[serde(default)]
    unreadable: u64,
}

#[derive(Clone, Default, Serialize, Deserialize)]
struct Device {
    /// The last epoch in which it said something.
    epoch: u64,
    /// Unix milliseconds of when it was brought back last.
    #[serde(default)]
    welcomed_at: i64,
    /// The last epoch of which it is known that it had another one.
    #[serde(default)]
    forked: Option<u64>,
    /// Unix milliseconds of when it got our commits again last.
    #[serde(default)]
    resent_at: i64,
}

fn heard_of(tx: &Tx<'_>, url: &Address) -> Outcome<Heard> {
    Ok(tx.recall(kind::HEARD, url.as_str()).map_err(Failure::store)?.unwrap_or_default())
}

fn keep(tx: &Tx<'_>, url: &Address, heard: &Heard) -> Outcome<()> {
    tx.put(kind::HEARD, url.as_str(), heard).map_err(Failure::store)
}

impl Heard {
    fn device(&mut self, device: &str) -> Option<&mut Device> {
        if self.devices.len() >= DEVICES_LIMIT && !self.devices.contains_key(device) {
            return None;
        }
        Some(self.devices.entry(device.to_owned()).or_default())
    }

    fn guesses(&self, object: &Object, devices: &[String]) -> Vec<String> {
        let last = |device: &String| self.devices.get(device).map_or(0, |known| known.epoch);
        circle::guesses(object, devices.iter().map(|one| (last(one), one.clone())).collect())
    }

    /// Who said nothing since `epoch` and was not brought back a moment ago; from now on they were.
    fn lost_since(&mut self, members: &[String], epoch: u64, now: i64) -> Vec<String> {
        let mut lost = Vec::new();
        for name in members {
            let Some(device) = self.device(name) else { continue };
            if device.epoch <= epoch && !(0..AGAIN_MS).contains(&(now - device.welcomed_at)) {
                device.welcomed_at = now;
                lost.push(name.clone());
            }
        }
        lost
    }
}

/// Of devices that may be behind those that are helped.
pub(crate) fn guesses(tx: &Tx<'_>, object: &Object, devices: &[String]) -> Outcome<Vec<String>> {
    Ok(heard_of(tx, &object.url)?.guesses(object, devices))
}

/// A device said something in this epoch, or was let in with it.
pub(crate) fn heard(tx: &Tx<'_>, url: &Address, device: &str, epoch: u64) -> Outcome<()> {
    let mut heard = heard_of(tx, url)?;
    let is_news = heard.awaited.remove(device);
    match heard.device(device) {
        Some(known) if known.epoch < epoch => known.epoch = epoch,
        _ if is_news => {}
        _ => return Ok(()),
    }
    keep(tx, url, &heard)
}

/// The device of somebody in the group that said something last, as far as is known here.
pub(crate) fn heard_last(tx: &Tx<'_>, object: &Object, user: &UserAddress) -> Outcome<Option<String>> {
    let heard = heard_of(tx, &object.url)?;
    let theirs = object.members.iter().filter(|member| member.user == *user && member.inbox.is_some());
    let last = theirs.max_by_key(|member| heard.devices.get(&member.device).map_or(0, |device| device.epoch));
    Ok(last.map(|member| member.device.clone()))
}

/// Another device let these in.
pub(crate) fn let_in(tx: &Tx<'_>, object: &Object, devices: impl Iterator<Item = String>) -> Outcome<()> {
    let mut heard = heard_of(tx, &object.url)?;
    heard.awaited.extend(devices);
    heard.awaited.retain(|device| object.member(device).is_some());
    keep(tx, &object.url, &heard)
}

/// Whether a device may get our commits again; if so, it is noted that it did.
pub(crate) fn may_send_again(tx: &Tx<'_>, url: &Address, device: &str, now: i64, pause: i64) -> Outcome<bool> {
    let mut heard = heard_of(tx, url)?;
    let Some(known) = heard.device(device) else { return Ok(false) };
    if (0..pause).contains(&(now - known.resent_at)) {
        return Ok(false);
    }
    known.resent_at = now;
    keep(tx, url, &heard)?;
    Ok(true)
}

/// Members that were let in by another device and never said a word: only that one knows whether they heard what the
/// group is for. If it is lost, whoever holds the object now brings them back, unless they are heard soon.
pub(crate) fn unheard(tx: &Tx<'_>, object: &Object) -> Outcome<Vec<Follow>> {
    let awaited = heard_of(tx, &object.url)?.awaited;
    let devices: Vec<String> = awaited.into_iter().filter(|device| object.member(device).is_some()).collect();
    if !object.is_open() || devices.is_empty() {
        return Ok(Vec::new());
    }
    Ok(vec![Follow::Await { url: object.url.clone(), devices }])
}

/// Somebody of these writes in an epoch that is over here and whose commits nobody has any more.
pub(crate) fn lost_since(
    tx: &Tx<'_>,
    object: &Object,
    members: &[String],
    epoch: u64,
    now: i64,
) -> Outcome<Vec<Follow>> {
    let mut heard = heard_of(tx, &object.url)?;
    let members = heard.guesses(object, members);
    let lost = heard.lost_since(&members, epoch, now);
    if lost.is_empty() {
        return Ok(Vec::new());
    }
    keep(tx, &object.url, &heard)?;
    Ok(vec![Follow::BringBack { url: object.url.clone(), devices: lost }])
}

/// What a member says of its epoch differs from ours: that is counted and shown, and whoever leads acts.
fn forked(tx: &Tx<'_>, me: &Ready, url: &Address, said: &[u8], now: i64) -> Outcome<Vec<Follow>> {
    let Some(mut object) = find_object(tx, url)? else {
        return Ok(Vec::new());
    };
    let (group, failed) = (object.group()?, |e: seal::GroupError| Failure::new(e.code(), e));
    if matches!(object.standing, Standing::Closed { .. }) || !seal::is_member(tx, &group).map_err(failed)? {
        return Ok(Vec::new());
    }
    let seal::Testimony::Forked { epoch, by } = seal::hear_testimony(tx, &group, said).map_err(failed)? else {
        return Ok(Vec::new());
    };
    let by = by.to_string();
    let leads = seal::holds_lease(tx, &me.device, &group).map_err(failed)?;
    if seal::is_contested(tx, &group).map_err(failed)? {
        // Two devices took the lease, and one of the claims got lost: with ours, everybody judges alike.
        let before = epoch.saturating_sub(1);
        return if leads { commits::send_again(tx, &object, &by, before, now) } else { Ok(Vec::new()) };
    }
    let mut heard = heard_of(tx, url)?;
    let Some(device) = heard.device(&by) else { return Ok(Vec::new()) };
    let is_news = device.forked.is_none_or(|known| known < epoch);
    device.forked = Some(epoch);
    let brings = leads && !(0..AGAIN_MS).contains(&(now - device.welcomed_at));
    if brings {
        device.welcomed_at = now;
    }
    keep(tx, url, &heard)?;
    let mut follow = Vec::new();
    if is_news {
        tracing::warn!("members of a group were given different commits");
        follow.extend(count_refusal(tx, url, "group-forked", now)?);
        object = get_object(tx, url)?;
        ask_for_missing(tx, me, &mut object)?;
        put_object(tx, &object)?;
        follow.extend(pumps(&object));
    }
    if brings {
        follow.push(Follow::BringBack { url: url.clone(), devices: vec![by] });
    }
    Ok(follow)
}

/// A Welcome into a group that we are in: whoever leads it brings us back.
pub(crate) fn come_back(tx: &Tx<'_>, me: &Ready, welcome: &[u8], now: i64) -> Outcome<Vec<Follow>> {
    let failed = |e: seal::JoinError| Failure::new(e.code(), e);
    let pending = seal::inspect_return(tx, &me.device, welcome).map_err(failed)?;
    let url = pending.group().address();
    let url = url.ok_or_else(|| Failure::new("malformed", "the group is not named by an address"))?;
    let now_s = now / 1000;
    let mut object = match find_object(tx, &url)? {
        None | Some(Object { standing: Standing::Copied, .. }) => return let_in_again(tx, pending, now_s),
        Some(Object { standing: Standing::Closed { .. }, .. }) => {
            return Err(Failure::new("unknown-object", "an object that is over takes nobody back"));
        }
        Some(object) => object,
    };
    let chains = Chains::of(tx, me, &object)?;
    // Between whose devices the lease may have moved while we were away.
    let reporter = match object.side {
        Side::Observer(_) => object.peer.clone(),
        Side::Reporter(_) | Side::Standby(_) => me.record.user.clone(),
    };
    let leads = |_: Option<&seal::Member>, inviter: &seal::Member| chains.is_of(inviter, &reporter, now_s);
    let check = &mut |leaf: &seal::Candidate<'_>| chains.owner_of(leaf, now_s).map(|_| ());
    pending.rejoin(tx, check, &leads).map_err(failed)?;
    stand_by(&mut object)?;
    commits::forget_from(tx, &url, 0)?;
    object.set_members(tx, me, &chains, &[], now_s)?;
    let mut heard = heard_of(tx, &url)?;
    heard.returned = true;
    keep(tx, &url, &heard)?;
    if matches!(object.standing, Standing::Open | Standing::Invited) {
        catch_up(tx, me, &mut object)?;
    } else {
        // Nobody who is not verified learns from us what we have.
        put_object(tx, &object)?;
    }
    let mut follow: Vec<Follow> = pumps(&object).collect();
    follow.extend([Follow::KeyPackageUsed, Follow::RetryEarly(url.clone())]);
    follow.extend([Follow::Echo(url.clone()), Follow::ChatShown(url)]);
    Ok(follow)
}

/// Who let us in was lost before it said what the group is for; another device of the same persona lets us in again.
///
/// Nothing of the group was shown, and nothing is: the introduction that follows is judged like any other.
fn let_in_again(tx: &Tx<'_>, pending: seal::PendingReturn, now_s: i64) -> Outcome<Vec<Follow>> {
    let leads = |holder: Option<&seal::Member>, inviter: &seal::Member| {
        holder.and_then(members::persona_of).is_some_and(|led| members::persona_of(inviter) == Some(led))
    };
    let check = &mut |leaf: &seal::Candidate<'_>| members::check_alone(leaf, now_s);
    pending.rejoin(tx, check, &leads).map_err(|e| Failure::new(e.code(), e))?;
    Ok(vec![Follow::KeyPackageUsed])
}

/// Another device of ours writes the object from now on.
pub(crate) fn stand_by(object: &mut Object) -> Outcome<()> {
    if let Side::Reporter(reporter) = &object.side {
        let observer = sync::Observer::new(object.url.clone(), &object.schema, reporter.snapshot());
        object.side = Side::Standby(observer.map_err(|e| Failure::new("bad-object", e))?);
    }
    Ok(())
}

/// After a change of branch: what nobody there may have read is said again, and what we miss is asked for.
pub(crate) fn catch_up(tx: &Tx<'_>, me: &Ready, object: &mut Object) -> Outcome<()> {
    if object.is_open() && object.purpose == ObjectUse::Chat && crate::comparing::may_send(tx, object).is_ok() {
        let author = members::row_author(&me.record.user, &own_tag(me));
        let mut rows = Vec::new();
        for state in [ChildState::Queued, ChildState::Sent] {
            rows.extend(tx.children_in(object.url.as_str(), state)?.into_iter().filter(|row| row.author == author));
        }
        if let Some(circle) = &object.circle {
            // What is said to all is not what was said before somebody came.
            let begins = circle.begins_after(&own_tag(me));
            rows.retain(|row| row.seq.unsigned_abs() > begins);
        }
        rows.sort_by_key(|row| row.seq);
        let surplus = rows.len().saturating_sub(SAY_AGAIN);
        for row in rows.iter().skip(surplus) {
            let child: ChildValue = serde_json::from_str(&row.value).map_err(|e| Failure::new("malformed", e))?;
            let inner = child_message(me, object, &row.id, row.seq.unsigned_abs(), row.at, &child.value)?;
            seal_and_queue(tx, me, object, &inner, Some(&row.id))?;
        }
    }
    object.asked = None;
    ask_for_missing(tx, me, object)?;
    put_object(tx, object)
}

/// How far everybody's children go that the holder has, for who comes back.
pub(crate) fn told_have(object: &Object) -> BTreeMap<sync::Author, u64> {
    object.children.have().into_iter().take(AUTHORS_TOLD).collect()
}

/// The holder said how far everybody had come. What authors said who are gone is out of reach, and a person is told.
pub(crate) fn hear_have(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    have: &BTreeMap<sync::Author, u64>,
    now: i64,
) -> Outcome<Vec<Follow>> {
    let mut heard = heard_of(tx, &object.url)?;
    if !std::mem::take(&mut heard.returned) {
        return Ok(Vec::new());
    }
    keep(tx, &object.url, &heard)?;
    let here: Vec<sync::Author> =
        object.members.iter().map(|member| members::tag_of(&member.device)).chain([own_tag(me)]).collect();
    let known = object.children.have();
    let gone: BTreeMap<sync::Author, u64> = have
        .iter()
        .filter(|(author, last)| known.get(author).is_some_and(|ours| ours < last) && !here.contains(author))
        .map(|(author, last)| (author.clone(), *last))
        .take(AUTHORS_TOLD)
        .collect();
    let missed = gone.iter().map(|(author, last)| last - known[author]).fold(0u64, u64::saturating_add);
    object.children.adopt(&gone);
    if missed == 0 { Ok(Vec::new()) } else { unreadable(tx, object, missed, now) }
}

/// A number was answered for with nothing.
pub(crate) fn was_gone(tx: &Tx<'_>, url: &Address) -> Outcome<()> {
    let mut heard = heard_of(tx, url)?;
    heard.unreadable = heard.unreadable.saturating_add(1);
    keep(tx, url, &heard)
}

/// Tells a person of what was answered for with nothing.
pub(crate) fn tell_unreadable(tx: &Tx<'_>, object: &mut Object, now: i64) -> Outcome<Vec<Follow>> {
    let mut heard = heard_of(tx, &object.url)?;
    let count = std::mem::take(&mut heard.unreadable);
    if count == 0 {
        return Ok(Vec::new());
    }
    keep(tx, &object.url, &heard)?;
    unreadable(tx, object, count, now)
}

fn unreadable(tx: &Tx<'_>, object: &mut Object, count: u64, now: i64) -> Outcome<Vec<Follow>> {
    if object.purpose != ObjectUse::Chat {
        return Ok(Vec::new());
    }
    let id = system_row(tx, object, "messages-unreadable", &[("detail", &count.to_string())], now)?;
    put_object(tx, object)?;
    Ok(vec![Follow::ChildShown(id), Follow::ChatShown(object.url.clone())])
}

/// The object of a Welcome into a group that we are in; nothing is used up by looking.
pub(crate) fn object_of_return(tx: &Tx<'_>, me: &Ready, welcome: &[u8]) -> Option<Address> {
    let mut found = None;
    let looked = tx.part(|| {
        let pending = seal::inspect_return(tx, &me.device, welcome).map_err(|e| Failure::new(e.code(), e))?;
        // Of an object that nobody told us of there is nothing to come back to.
        found = pending.group().address().filter(|url| get_object(tx, url).is_ok());
        Err::<(), _>(Failure::new("looked", "nothing is kept"))
    });
    looked.err().filter(|failure| failure.code == "looked").and(found)
}

impl Home {
    /// Judges what a member says of its epoch, whatever became of the message it came with.
    pub(crate) fn hear_testimony(&self, state: &mut State, sealed: &[u8], said: &[u8]) {
        let (Some(me), Some(store)) = (&state.me, &state.store) else { return };
        let Some(url) = seal::group_of(sealed).ok().and_then(|group| group.address()) else { return };
        match store.write(|tx| forked(tx, me, &url, said, now_ms())) {
            Ok(follow) => self.follow_up(state, follow),
            Err(failure) => tracing::info!(code = failure.code, "what a member says of its epoch could not be judged"),
        }
    }

    /// Fetches fresh key packages of devices that lost a group of ours, and brings them back.
    pub(crate) fn bring_back_later(&self, url: Address, devices: Vec<String>) {
        let home = self.clone();
        self.rooms.tasks.start("bring back", async move {
            if let Err(failure) = home.bring_back(&url, &devices).await {
                tracing::info!(code = failure.code, "a member could not be brought back yet");
            }
        });
    }

    /// Gives devices that were let in a while ago the time to say something, and brings back who is silent.
    pub(crate) fn await_later(&self, url: Address, devices: Vec<String>) {
        let home = self.clone();
        self.rooms.tasks.start("await", async move {
            tokio::time::sleep(SILENT_FOR).await;
            let still = {
                let state = home.state();
                state.store().and_then(|store| store.read(|tx| heard_of(tx, &url))).map(|heard| heard.awaited)
            };
            let silent = |awaited: BTreeSet<String>| devices.into_iter().filter(|one| awaited.contains(one)).collect();
            let silent: Vec<String> = still.map(silent).unwrap_or_default();
            if silent.is_empty() {
                return;
            }
            if let Err(failure) = home.bring_back(&url, &silent).await {
                tracing::info!(code = failure.code, "a silent member could not be brought back yet");
            }
        });
    }

    async fn bring_back(&self, url: &Address, devices: &[String]) -> Outcome<()> {
        let mut owners: BTreeMap<UserAddress, Vec<String>> = BTreeMap::new();
        for member in &self.state().store()?.read(|tx| get_object(tx, url))?.members {
            if devices.contains(&member.device) {
                owners.entry(member.user.clone()).or_default().push(member.device.clone());
            }
        }
        for (user, devices) in owners {
            let entry = self.look_up(&user, &Packages::Of(devices.clone())).await?;
            let back: Vec<RegistryDevice> = entry
                .devices
                .into_iter()
                .filter(|one| devices.contains(&one.device) && one.key_package.is_some())
                .collect();
            let mut state = self.state();
            let state = &mut *state;
            let (Some(me), Some(store)) = (&state.me, &state.store) else { return Ok(()) };
            let follow = store.write(|tx| readmit(tx, me, url, &user, &back, now_ms()))?;
            self.follow_up(state, follow);
        }
        Ok(())
    }
}

/// Takes devices out and lets them in again, in one commit, and tells them all they need to go on.
fn readmit(
    tx: &Tx<'_>,
    me: &Ready,
    url: &Address,
    user: &UserAddress,
    back: &[RegistryDevice],
    now: i64,
) -> Outcome<Vec<Follow>> {
    let mut object = get_object(tx, url)?;
    let (group, now_s) = (object.group()?, now / 1000);
    let failed = |e: seal::GroupError| Failure::new(e.code(), e);
    if !matches!(object.standing, Standing::Open | Standing::Invited)
        || !seal::holds_lease(tx, &me.device, &group).map_err(failed)?
    {
        return Ok(Vec::new());
    }
    let chains = Chains::of(tx, me, &object)?;
    let present = seal::members(tx, &group).map_err(failed)?;
    let leaf_of = |device: &str| present.iter().find(|leaf| leaf.dsk.to_string() == device).map(|leaf| leaf.leaf);
    let (mut leaves, mut packages, mut named) = (Vec::new(), Vec::new(), Vec::new());
    for one in back {
        if let (Some(leaf), Some(package)) = (leaf_of(&one.device), one.key_package.as_deref()) {
            leaves.push(leaf);
            packages.push(package);
            named.push(Named { device: one.device.clone(), user: user.clone(), inbox: Some(one.inbox.clone()) });
        }
    }
    if leaves.is_empty() {
        return Ok(Vec::new());
    }
    // Who stays hears which chain names the device, who comes back hears all once it is there.
    histories::relay_chain(tx, me, &object, user)?;
    let aad = serde_json::to_vec(&named).map_err(sealing)?;
    let ended = seal::epoch(tx, &group).map_err(sealing)?;
    let check = &mut |leaf: &seal::Candidate<'_>| {
        if chains.is_of(leaf, user, now_s) { Ok(()) } else { Err("it is not a device of that person".to_owned()) }
    };
    let invitation = seal::readmit(tx, &me.device, &group, &leaves, &packages, &aad, check).map_err(sealing)?;
    commits::log_commit(tx, url, ended, &invitation.commit)?;
    let returns = |device: &str| named.iter().any(|one| one.device == device);
    queue_to(tx, &object, &invitation.commit, |member| !returns(&member.device))?;
    object.set_members(tx, me, &chains, &named, now_s)?;
    for one in &named {
        heard(tx, url, &one.device, ended + 1)?;
    }
    for inbox in named.iter().filter_map(|one| one.inbox.as_ref()) {
        queue_sealed(tx, inbox, &invitation.welcome, object.is_with(user), None)?;
    }
    let introduction = introduction_message(tx, me, &object)?;
    if object.is_large() {
        // The others know it all, and who comes back hears of everybody in few pieces.
        let devices: Vec<String> = named.iter().map(|one| one.device.clone()).collect();
        seal_to(tx, me, &object, &introduction, &|member| returns(&member.device))?;
        circle::after_invitation(tx, me, &object, &devices)?;
    } else {
        for user in object.with() {
            histories::relay_chain(tx, me, &object, &user)?;
        }
        histories::relay_chain(tx, me, &object, &me.record.user)?;
        seal_and_queue(tx, me, &object, &introduction, None)?;
    }
    ask_for_missing(tx, me, &mut object)?;
    put_object(tx, &object)?;
    let mut follow: Vec<Follow> = pumps(&object).collect();
    follow.push(Follow::ChatShown(url.clone()));
    Ok(follow)
}

/// After a change of members each says that it is there, so that a holder knows who follows, and a fork shows.
pub(crate) fn echo(tx: &Tx<'_>, me: &Ready, url: &Address) -> Outcome<Vec<Follow>> {
    let Some(object) = find_object(tx, url)? else {
        return Ok(Vec::new());
    };
    let group = object.group()?;
    let is_member = seal::is_member(tx, &group).map_err(|e| Failure::new(e.code(), e))?;
    if !object.is_open() || !is_member || object.purpose.is_brief() {
        return Ok(Vec::new());
    }
    seal_to(tx, me, &object, &echo_message(me, &object)?, &object.hears_echo())?;
    Ok(pumps(&object).collect())
}

fn echo_message(me: &Ready, object: &Object) -> Outcome<message::Message> {
    let said = Echo { said: object.children.have_of(&own_tag(me)) };
    inner_message(MessageType::Event, &object.url, "epoch", &said)
}

/// Much of ours went to some only: a word to everybody lets all of them follow our ratchet.
pub(crate) fn take_along(tx: &Tx<'_>, me: &Ready, object: &Object) -> Outcome<()> {
    seal_and_queue(tx, me, object, &echo_message(me, object)?, None)
}

/// What a member says after a change of members.
#[derive(Default, Serialize, Deserialize)]
struct Echo {
    /// How many children it wrote: what it said in an epoch that others were not in would else be missed in silence.
    #[serde(default)]
    said: u64,
}

/// A member is there, and says how far its own children go: what is missing of them is asked for.
pub(crate) fn on_echo(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    author: &Author,
    inner: &message::Message,
) -> Outcome<Vec<Follow>> {
    let echo: Echo = members::said(inner)?;
    if object.children.have_of(&members::tag_of(&author.device)) >= echo.said {
        return Ok(Vec::new());
    }
    // What was asked a moment ago may have been asked where they were not.
    object.asked = None;
    ask_for_missing(tx, me, object)?;
    put_object(tx, object)?;
    Ok(pumps(object).collect())
}

#[cfg(test)]
pub(crate) mod tests;
