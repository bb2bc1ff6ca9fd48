//! Changes of a group's members as they travel: kept for those who missed one, waited for, counted when refused.
//!
//! A commit that got lost must not leave a hole that nobody notices. Who gets a message of a later epoch
//! keeps it and asks; who holds the object sends its commits again to whoever is behind.

use message::{Address, MessageType};
use serde::{Deserialize, Serialize};
use store::Tx;

use crate::home::{Home, Ready, State};
use crate::members::{Author, Chains, Named};
use crate::objects::Follow;
use crate::records::{CommitLog, Object, ObjectUse, Refused, Side, Standing, kind};
use crate::resync::ask_for_missing;
use crate::sending::{find_object, get_object, inner_message, pumps, put_object, queue_to, seal_and_queue};
use crate::trouble::{Failure, Outcome};
use crate::{behind, members, refreshing};

/// Commits kept for those who are behind.
const LOG_LIMIT: usize = 64;

/// Bytes of them; the newest stays whatever its size.
const LOG_BYTES: usize = 2 * 1024 * 1024;

/// Sealed messages of one object that may wait for a commit.
const EARLY_LIMIT: usize = 128;

/// The log of an object is sent again at most this often, in milliseconds.
const RESEND_MS: i64 = 10_000;

/// Different reasons of refusals that are counted for one object.
const REASONS_LIMIT: usize = 32;

/// After what a sealed message is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum After {
    /// It came, or something else did which it may have waited for.
    News,
    /// The histories by which it is judged were just asked for.
    Histories,
}

/// What a merged commit changed.
pub(crate) struct Merged {
    pub(crate) added: usize,
    /// Where they receive, as the Reporter's device says.
    pub(crate) named: Vec<Named>,
    pub(crate) removed: Vec<seal::Member>,
    pub(crate) renewed: Vec<seal::Member>,
    pub(crate) removed_us: bool,
}

/// Remembers a commit of ours that ended an epoch.
pub(crate) fn log_commit(tx: &Tx<'_>, url: &Address, ended: u64, commit: &[u8]) -> Outcome<()> {
    let mut log: CommitLog = tx.get(kind::COMMITS, url.as_str()).map_err(Failure::store)?.unwrap_or_default();
    log.commits.push((ended, keys::b64url(commit)));
    let size = |log: &CommitLog| log.commits.iter().map(|(_, text)| text.len()).sum::<usize>();
    while log.commits.len() > LOG_LIMIT || (log.commits.len() > 1 && size(&log) > LOG_BYTES) {
        log.commits.remove(0);
    }
    tx.put(kind::COMMITS, url.as_str(), &log).map_err(Failure::store)
}

/// Commits of ours that others need not have any more: those which ended this epoch, or a later one.
pub(crate) fn forget_from(tx: &Tx<'_>, url: &Address, epoch: u64) -> Outcome<()> {
    let Some(mut log) = tx.get::<CommitLog>(kind::COMMITS, url.as_str()).map_err(Failure::store)? else {
        return Ok(());
    };
    log.commits.retain(|(ended, _)| *ended < epoch);
    tx.put(kind::COMMITS, url.as_str(), &log).map_err(Failure::store)
}

/// The Reporter's side changed who is in the group.
pub(crate) fn merged(
    tx: &Tx<'_>,
    me: &Ready,
    url: &Address,
    known: Option<Object>,
    done: Merged,
    now: i64,
) -> Outcome<Vec<Follow>> {
    // Of a group whose introduction has not come, the group itself remembers its members.
    let Some(mut object) = known else { return Ok(vec![Follow::RetryEarly(url.clone())]) };
    if done.removed_us && object.circle.is_some() && matches!(object.standing, Standing::Closed { .. }) {
        // The Reporter said so before.
        return Ok(Vec::new());
    }
    if done.removed_us {
        object.standing = Standing::Closed { reason: "removed".into() };
        object.members.clear();
        put_object(tx, &object)?;
        return Ok(vec![
            Follow::ObjectClosed { url: url.clone(), reason: "removed".into() },
            Follow::ChatShown(url.clone()),
        ]);
    }
    let chains = Chains::of(tx, me, &object)?;
    let knows = object.peer_persona.is_some() || object.purpose == ObjectUse::Own;
    if done.added > 0 && (knows || object.is_open() && object.circle.is_some()) {
        let before = object.members.clone();
        object.set_members(tx, me, &chains, &done.named, now / 1000)?;
        behind::let_in(tx, &object, done.named.iter().map(|one| one.device.clone()))?;
        object.greet(me, &before);
    } else if done.added > 0 && object.circle.is_some() {
        crate::circle::named_meanwhile(tx, &mut object, done.named)?;
    }
    let gone: Vec<String> = done.removed.iter().map(|leaf| leaf.dsk.to_string()).collect();
    object.members.retain(|member| !gone.contains(&member.device));
    put_object(tx, &object)?;
    refreshing::renewed(tx, me, &object, &done.renewed, now)?;
    let mut follow = vec![Follow::RetryEarly(url.clone())];
    if !object.is_large() {
        // Of a thousand who say that they are there nobody could say anything else.
        follow.push(Follow::Echo(url.clone()));
    }
    if object.purpose == ObjectUse::Chat {
        follow.push(Follow::ChatShown(url.clone()));
    }
    Ok(follow)
}

/// A message that cannot be opened yet is kept, and what is missing is asked for.
pub(crate) fn keep_early(tx: &Tx<'_>, me: &Ready, url: &Address, bytes: &[u8]) -> Outcome<Vec<Follow>> {
    let mut object = get_object(tx, url)?;
    if !waits(&mut object, bytes)? {
        return Ok(Vec::new());
    }
    ask_for_missing(tx, me, &mut object)?;
    put_object(tx, &object)?;
    let mut follow: Vec<Follow> = pumps(&object).collect();
    follow.push(Follow::RefreshChain { users: object.whose_history(), url: url.clone() });
    Ok(follow)
}

/// A message of another branch is kept until the claims to the lease have shown which one counts.
pub(crate) fn keep_contested(tx: &Tx<'_>, url: &Address, bytes: &[u8]) -> Outcome<()> {
    let mut object = get_object(tx, url)?;
    waits(&mut object, bytes)?;
    put_object(tx, &object)
}

/// A claim to a lease that is held as far as we know: its holder may have been put out without our knowledge.
///
/// The histories of both sides are asked for once; see [`Home::retry_early`].
pub(crate) fn keep_claim(tx: &Tx<'_>, me: &Ready, url: &Address, bytes: &[u8]) -> Outcome<Vec<Follow>> {
    let mut object = get_object(tx, url)?;
    if !waits(&mut object, bytes)? {
        return Ok(Vec::new());
    }
    put_object(tx, &object)?;
    let mut users = vec![object.peer, me.record.user.clone()];
    users.dedup();
    Ok(vec![Follow::RefreshChain { users, url: url.clone() }])
}

/// A commit by who does not hold the lease waits behind the claim that does. Says whether there is one.
pub(crate) fn keep_behind_claim(tx: &Tx<'_>, url: &Address, bytes: &[u8]) -> Outcome<bool> {
    let mut object = get_object(tx, url)?;
    if object.early.is_empty() {
        return Ok(false);
    }
    waits(&mut object, bytes)?;
    put_object(tx, &object)?;
    Ok(true)
}

/// Whether the message was not waiting already.
fn waits(object: &mut Object, bytes: &[u8]) -> Outcome<bool> {
    let text = keys::b64url(bytes);
    if object.early.contains(&text) {
        return Ok(false);
    }
    if object.early.len() >= EARLY_LIMIT {
        return Err(Failure::new("too-many", "too much came ahead of a change of members"));
    }
    object.early.push(text);
    Ok(true)
}

/// Somebody wrote in an epoch that is too old to be read here: if we hold the object they get what they missed.
pub(crate) fn sender_is_behind(tx: &Tx<'_>, me: &Ready, url: &Address, bytes: &[u8], now: i64) -> Outcome<Vec<Follow>> {
    let seal::Sealed::Message { group, epoch } = seal::peek(bytes).map_err(|e| Failure::new(e.code(), e))? else {
        return Ok(Vec::new());
    };
    if !seal::holds_lease(tx, &me.device, &group).map_err(|e| Failure::new(e.code(), e))? {
        return Ok(Vec::new());
    }
    let object = get_object(tx, url)?;
    // Which of them it was cannot be known.
    let members: Vec<String> = object.members.iter().map(|member| member.device.clone()).collect();
    help(tx, &object, &members, epoch, now)
}

/// A member wrote in an older epoch than ours: it gets the commits it lacks.
///
/// It may not know whoever holds the object now, and be heard by another device of the same person alone: that one
/// passes it on.
pub(crate) fn author_is_behind(
    tx: &Tx<'_>,
    me: &Ready,
    url: &Address,
    author: &Author,
    epoch: u64,
    now: i64,
) -> Outcome<Vec<Follow>> {
    let Some(object) = find_object(tx, url)? else {
        return Ok(Vec::new());
    };
    let group = object.group()?;
    let failed = |e: seal::GroupError| Failure::new(e.code(), e);
    if epoch >= seal::epoch(tx, &group).map_err(failed)? {
        return Ok(Vec::new());
    }
    if seal::holds_lease(tx, &me.device, &group).map_err(failed)? {
        return help(tx, &object, std::slice::from_ref(&author.device), epoch, now);
    }
    let ours = matches!(object.side, Side::Standby(_)) && object.is_open();
    if !ours || !behind::may_send_again(tx, url, &author.device, now, RESEND_MS)? {
        return Ok(Vec::new());
    }
    let said = Behind { device: author.device.clone(), epoch };
    seal_and_queue(tx, me, &object, &inner_message(MessageType::Event, url, "behind", &said)?, None)?;
    Ok(pumps(&object).collect())
}

/// Which device is in an epoch that is over.
#[derive(Serialize, Deserialize)]
struct Behind {
    device: String,
    epoch: u64,
}

/// Another device of ours heard a member that is behind, and does not hold the object.
pub(crate) fn on_behind(
    tx: &Tx<'_>,
    me: &Ready,
    object: &Object,
    author: &Author,
    inner: &message::Message,
    now: i64,
) -> Outcome<Vec<Follow>> {
    let group = object.group()?;
    let holds = seal::holds_lease(tx, &me.device, &group).map_err(|e| Failure::new(e.code(), e))?;
    if !holds || !author.is_of(object, &me.record.user) {
        return Ok(Vec::new());
    }
    let said: Behind = members::said(inner)?;
    if object.member(&said.device).is_none() {
        return Ok(Vec::new());
    }
    help(tx, object, &[said.device], said.epoch, now)
}

/// Whoever of these is behind gets what it lacks, or is brought back.
fn help(tx: &Tx<'_>, object: &Object, devices: &[String], epoch: u64, now: i64) -> Outcome<Vec<Follow>> {
    if !reaches_back(tx, &object.url, epoch)? {
        return behind::lost_since(tx, object, devices, epoch, now);
    }
    let Some(due) = due(tx, &object.url, epoch, now)? else { return Ok(Vec::new()) };
    let whom = if object.is_large() { behind::guesses(tx, object, devices)? } else { Vec::new() };
    for commit in &due {
        queue_to(tx, object, commit, |member| whom.is_empty() || whom.contains(&member.device))?;
    }
    Ok(pumps(object).collect())
}

/// Whether who is in this epoch can be helped with commits.
fn reaches_back(tx: &Tx<'_>, url: &Address, epoch: u64) -> Outcome<bool> {
    let log = tx.get::<CommitLog>(kind::COMMITS, url.as_str()).map_err(Failure::store)?.unwrap_or_default();
    Ok(log.commits.first().is_some_and(|(ended, _)| *ended <= epoch))
}

/// One member gets again what ended this epoch, and what followed; who is asked more often answers no faster.
pub(crate) fn send_again(tx: &Tx<'_>, object: &Object, device: &str, epoch: u64, now: i64) -> Outcome<Vec<Follow>> {
    let Some(member) = object.member(device) else { return Ok(Vec::new()) };
    if !behind::may_send_again(tx, &object.url, device, now, RESEND_MS)? {
        return Ok(Vec::new());
    }
    let log: CommitLog = tx.get(kind::COMMITS, object.url.as_str()).map_err(Failure::store)?.unwrap_or_default();
    for message in log.from(epoch) {
        queue_to(tx, object, &message, |one| one.device == member.device)?;
    }
    Ok(pumps(object).collect())
}

impl CommitLog {
    /// What ended this epoch, and what followed.
    fn from(&self, epoch: u64) -> Vec<Vec<u8>> {
        let due = self.commits.iter().filter(|(ended, _)| *ended >= epoch);
        due.filter_map(|(_, text)| keys::from_b64url(text).ok()).collect()
    }
}

/// The commits from an epoch on, unless they were sent a moment ago.
fn due(tx: &Tx<'_>, url: &Address, epoch: u64, now: i64) -> Outcome<Option<Vec<Vec<u8>>>> {
    let Some(mut log) = tx.get::<CommitLog>(kind::COMMITS, url.as_str()).map_err(Failure::store)? else {
        return Ok(None);
    };
    if (0..RESEND_MS).contains(&(now - log.resent_at)) {
        return Ok(None);
    }
    log.resent_at = now;
    let due = log.from(epoch);
    tx.put(kind::COMMITS, url.as_str(), &log).map_err(Failure::store)?;
    Ok(Some(due))
}

/// Something of an object was refused: that is counted, and shown to the person.
pub(crate) fn count_refusal(tx: &Tx<'_>, url: &Address, code: &str, now: i64) -> Outcome<Vec<Follow>> {
    let Some(mut object) = find_object(tx, url)? else {
        return Ok(Vec::new());
    };
    if !object.refusals.contains_key(code) && object.refusals.len() >= REASONS_LIMIT {
        return Ok(Vec::new());
    }
    let refused: &mut Refused = object.refusals.entry(code.to_owned()).or_default();
    refused.count = refused.count.saturating_add(1);
    refused.last_at = now;
    put_object(tx, &object)?;
    Ok(vec![Follow::ChatShown(url.clone())])
}

impl Home {
    /// Tries what waited for a commit.
    ///
    /// After the histories were asked for they are not asked for again: what cannot be opened even now waits for
    /// something else, and a claim to a lease is refused.
    pub(crate) fn retry_early(&self, state: &mut State, url: &Address, after: After) {
        let early = state.store().and_then(|store| {
            store.write(|tx| {
                let Some(mut object) = find_object(tx, url)? else {
                    return Ok(Vec::new());
                };
                let early = std::mem::take(&mut object.early);
                if !early.is_empty() {
                    put_object(tx, &object)?;
                }
                Ok::<_, Failure>(early)
            })
        });
        let early = early.unwrap_or_else(|failure| {
            tracing::warn!(code = failure.code, "what waited for a commit could not be read");
            Vec::new()
        });
        for text in early {
            let Ok(bytes) = keys::from_b64url(&text) else { continue };
            match self.take_sealed(state, &bytes, after) {
                Ok(mut follow) => {
                    let asked = after == After::Histories;
                    follow.retain(|step| !(asked && matches!(step, Follow::RefreshChain { .. })));
                    self.follow_up(state, follow);
                }
                Err(failure) => tracing::info!(code = failure.code, "what waited for a commit was refused"),
            }
        }
    }
}
