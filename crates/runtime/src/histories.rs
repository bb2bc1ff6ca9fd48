//! Sigchains of people, ours too, as they grow: told inside the seal, checked entry by entry, and acted upon.

use contract::{DeviceState, PersonDevice};
use message::{Address, Message, MessageType, UserAddress};
use serde::{Deserialize, Serialize};
use store::Tx;

use crate::commits::After;
use crate::home::{Home, Ready, now_ms};
use crate::key_changes;
use crate::members::{Author, said};
use crate::objects::Follow;
use crate::persons::{PINS, system_row};
use crate::records::{Me, Object, Person, Standing, kind};
use crate::registry::Packages;
use crate::sending::{find_person, get_object, inner_message, pumps, put_object, put_person, seal_and_queue};
use crate::settling;
use crate::trouble::{Failure, Outcome};

/// Newest entries that are told unasked; who lacks more asks the registry.
const TOLD_ENTRIES: usize = 64;

/// The body of `update <object>/identity`.
#[derive(Serialize, Deserialize)]
struct Told {
    user: UserAddress,
    entries: Vec<String>,
    /// Of the own history: who vouches for it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    tokens: Vec<String>,
    /// Later words of the same issuers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    renewals: Vec<String>,
}

/// Remembers a checked chain of a person if it tells more than the known one.
pub(crate) fn saw_chain(person: &mut Person, chain: &identity::Sigchain) -> Outcome<()> {
    if person.chain.is_empty() {
        person.chain = chain.texts();
        return Ok(());
    }
    let known = identity::Sigchain::parse(&person.chain).map_err(|e| Failure::new("database-damaged", e))?;
    match chain.compare(&known.head()) {
        identity::Standing::Ahead { .. } => person.chain = chain.texts(),
        identity::Standing::Same | identity::Standing::Behind { .. } => {}
        identity::Standing::Forked(_) => {
            return Err(Failure::new("equivocation", "two histories of one persona contradict each other"));
        }
    }
    Ok(())
}

/// A person's devices as their chain names them, the newest first.
pub(crate) fn devices_of(chain: &[String], pins: &identity::PinBook, now_s: i64) -> Vec<PersonDevice> {
    let Ok(chain) = settling::theirs(chain, pins, now_s) else { return Vec::new() };
    let mut devices: Vec<PersonDevice> = chain
        .devices()
        .map(|device| PersonDevice {
            name: device.name.clone(),
            added_at: device.added * 1000,
            state: state_of(&chain, device, now_s),
        })
        .collect();
    devices.sort_by_key(|device| std::cmp::Reverse(device.added_at));
    devices
}

pub(crate) fn state_of(chain: &identity::Sigchain, device: &identity::Device, now_s: i64) -> DeviceState {
    match chain.device(&device.dsk, now_s) {
        Ok(_) => DeviceState::Active,
        Err(identity::DeviceError::Expired { .. }) => DeviceState::Expired,
        Err(_) => DeviceState::Revoked,
    }
}

/// Tells the others in an object how somebody's chain goes on.
fn tell_chain(tx: &Tx<'_>, me: &Ready, object: &Object, user: &UserAddress, chain: &[String]) -> Outcome<()> {
    let newest = chain.len().saturating_sub(TOLD_ENTRIES);
    let entries = chain[newest..].to_vec();
    let told = Told { user: user.clone(), entries, tokens: Vec::new(), renewals: Vec::new() };
    tell(tx, me, object, &told)
}

fn tell(tx: &Tx<'_>, me: &Ready, object: &Object, told: &Told) -> Outcome<()> {
    let inner = inner_message(MessageType::Update, &object.url, "identity", told)?;
    seal_and_queue(tx, me, object, &inner, None)
}

/// Before a device is invited, all in the group hear which chain names it.
pub(crate) fn relay_chain(tx: &Tx<'_>, me: &Ready, object: &Object, user: &UserAddress) -> Outcome<()> {
    if *user == me.record.user {
        return tell_chain(tx, me, object, user, &me.record.chain);
    }
    let person = find_person(tx, user)?;
    match person {
        Some(person) if !person.chain.is_empty() => tell_chain(tx, me, object, user, &person.chain),
        _ => Ok(()),
    }
}

/// Our own chain grew: everybody we share something with hears it.
pub(crate) fn tell_all(tx: &Tx<'_>, me: &Ready) -> Outcome<Vec<Follow>> {
    let objects: Vec<(String, Object)> = tx.list(kind::OBJECT).map_err(Failure::store)?;
    let mut follow = Vec::new();
    for (_, object) in objects {
        if matches!(object.standing, Standing::Open | Standing::Invited) && !object.purpose.is_brief() {
            let newest = me.record.chain.len().saturating_sub(TOLD_ENTRIES);
            let told = Told {
                user: me.record.user.clone(),
                entries: me.record.chain[newest..].to_vec(),
                tokens: me.record.tokens.clone(),
                renewals: me.record.renewals.clone(),
            };
            tell(tx, me, &object, &told)?;
            follow.extend(pumps(&object));
            follow.push(Follow::Reconcile(object.url));
        }
    }
    Ok(follow)
}

/// Somebody in an object tells how their chain, or ours, goes on.
pub(crate) fn on_identity(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    author: &Author,
    inner: &Message,
    now: i64,
) -> Outcome<Vec<Follow>> {
    let told: Told = said(inner)?;
    let many = told.tokens.len() > identity::TOKENS_LIMIT || told.renewals.len() > identity::RENEWALS_LIMIT;
    if told.entries.len() > TOLD_ENTRIES || many {
        return Err(Failure::new("too-large", "more entries than are told at once"));
    }
    if object.circle.is_some() && !object.is_open() {
        // Nobody in it is known yet; who they are, with all of their history, is shown by the Reporter.
        return Ok(Vec::new());
    }
    let by = author.member(object)?;
    if told.user == me.record.user {
        if by.user == me.record.user {
            return on_own_chain(tx, me, &told.entries);
        }
        // Of our own history nobody else is believed: anybody can write a reset that no issuer stands behind.
        // If it goes on at all, our own domain knows it.
        let told = go_on(&me.record.chain, &told.entries)?;
        let news = told.is_none_or(|chain| chain.entries().len() > me.record.chain.len());
        let user = me.record.user.clone();
        let url = object.url.clone();
        return Ok(if news { vec![Follow::RefreshChain { users: vec![user], url }] } else { Vec::new() });
    }
    let is_known = object.peer_persona.is_some() || object.circle.is_some();
    if !object.is_with(&told.user) || !is_known {
        return Err(Failure::new("malformed", "a history of somebody who is not here"));
    }
    let Some(mut person) = find_person(tx, &told.user)? else {
        return Ok(Vec::new());
    };
    let Some(mut chain) = go_on(&person.chain, &told.entries)? else {
        // What is told does not join on: the registry has what is between.
        return Ok(vec![Follow::RefreshChain { users: vec![told.user], url: object.url.clone() }]);
    };
    settling::settle(&mut chain, &settling::pins(tx)?, now / 1000);
    let mut follow = person_went_on(tx, &mut person, &chain, now)?;
    if object.is_open() && !told.tokens.is_empty() {
        let evidence = identity::Evidence {
            user: told.user,
            inbox: None,
            tokens: told.tokens,
            renewals: told.renewals,
            chain: chain.texts(),
            device: author.key()?,
        };
        follow.push(Follow::Recheck(Box::new(evidence)));
    }
    Ok(follow)
}

/// The chain with what was told, if that joins on and brings something new; the same one if it brings nothing.
fn go_on(known: &[String], told: &[String]) -> Outcome<Option<identity::Sigchain>> {
    let mut chain = identity::Sigchain::parse(known).map_err(|e| Failure::new("database-damaged", e))?;
    for text in told {
        let entry = identity::Entry::parse(text).map_err(|e| Failure::new("bad-chain", e))?;
        let at = usize::try_from(entry.seq()).unwrap_or(usize::MAX);
        match chain.entries().get(at) {
            Some(same) if same.hash() == entry.hash() => {}
            Some(_) => return Err(Failure::new("equivocation", "two histories of one persona contradict each other")),
            None if at > chain.entries().len() => return Ok(None),
            None => chain.append(entry).map_err(|e| Failure::new("bad-chain", e))?,
        }
    }
    Ok(Some(chain))
}

/// A person's chain grew: what changed is shown where it concerns somebody, and groups follow.
pub(crate) fn person_went_on(
    tx: &Tx<'_>,
    person: &mut Person,
    chain: &identity::Sigchain,
    now: i64,
) -> Outcome<Vec<Follow>> {
    let mut pins = settling::pins(tx)?;
    let before = devices_of(&person.chain, &pins, now / 1000);
    if chain.entries().len() <= person.chain.len() {
        return Ok(Vec::new());
    }
    if chain.updated_at() > now / 1000 + identity::CLOCK_SKEW_S {
        return Err(Failure::new("chain-from-the-future", "the history is ahead of the clock"));
    }
    let told = key_changes::differences(&person.chain, chain, &pins, now / 1000);
    saw_chain(person, chain)?;
    key_changes::mark(tx, person, &told, now)?;
    pins.saw_head(chain.persona(), chain.head());
    tx.put(kind::PINS, PINS, &pins)?;
    put_person(tx, person)?;
    let after = devices_of(&person.chain, &pins, now / 1000);
    let mut follow = key_changes::verdicts(person, &told);
    follow.push(Follow::PersonShown(person.user.clone()));
    for (code, detail) in told.iter().map(key_changes::Told::line) {
        follow.extend(key_changes::line(tx, person, code, &detail, now)?);
    }
    follow.extend(tell_devices(tx, person, &before, &after, now)?);
    follow.extend(groups_of(tx, &person.user)?);
    Ok(follow)
}

/// All groups with a person follow their chain.
pub(crate) fn groups_of(tx: &Tx<'_>, user: &UserAddress) -> Outcome<Vec<Follow>> {
    let objects: Vec<(String, Object)> = tx.list(kind::OBJECT).map_err(Failure::store)?;
    let theirs = objects.into_iter().filter(|(_, object)| object.is_with(user));
    Ok(theirs.flat_map(|(_, object)| [Follow::RetryEarly(object.url.clone()), Follow::Reconcile(object.url)]).collect())
}

/// A quiet line in the conversation for each device that came or went.
fn tell_devices(
    tx: &Tx<'_>,
    person: &Person,
    before: &[PersonDevice],
    after: &[PersonDevice],
    now: i64,
) -> Outcome<Vec<Follow>> {
    let Some(chat) = &person.chat else { return Ok(Vec::new()) };
    let Ok(mut object) = get_object(tx, chat) else { return Ok(Vec::new()) };
    let is_active = |list: &[PersonDevice], one: &PersonDevice| {
        list.iter().any(|other| {
            (&other.name, other.added_at) == (&one.name, one.added_at) && other.state == DeviceState::Active
        })
    };
    let mut follow = Vec::new();
    for device in after {
        let code = match (is_active(before, device), device.state) {
            (false, DeviceState::Active) => "device-added",
            (true, DeviceState::Revoked) => "device-revoked",
            _ => continue,
        };
        let id = system_row(tx, &mut object, code, &[("detail", &device.name)], now)?;
        follow.push(Follow::ChildShown(id));
    }
    put_object(tx, &object)?;
    Ok(follow)
}

/// Our chain as another device of ours or our own domain tells it.
pub(crate) fn on_own_chain(tx: &Tx<'_>, me: &Ready, entries: &[String]) -> Outcome<Vec<Follow>> {
    let now_s = now_ms() / 1000;
    let Some(chain) = go_on(&me.record.chain, entries)? else {
        return Ok(vec![Follow::MyselfChanged]);
    };
    if chain.entries().len() <= me.record.chain.len() {
        return Ok(Vec::new());
    }
    let mut record: Me = me.record.clone();
    // What is new here begins to wait now, whatever date it bears.
    for reset in chain.resets() {
        record.resets.entry(reset.hash).or_insert(now_s);
    }
    record.chain = chain.texts();
    tx.put(kind::ME, "me", &record).map_err(Failure::store)?;
    Ok(vec![Follow::MyselfChanged])
}

impl Home {
    /// Asks the registries of people how their chains go on, and tries once again what waited for that.
    pub(crate) fn refresh_chains_later(&self, users: Vec<UserAddress>, url: Address) {
        let home = self.clone();
        self.rooms.tasks.start("history", async move {
            let mut heard = true;
            for user in &users {
                if let Err(failure) = home.refresh_chain(user).await {
                    tracing::info!(code = failure.code, "a history could not be asked for");
                    heard = false;
                }
            }
            if heard {
                let mut state = home.state();
                home.retry_early(&mut state, &url, After::Histories);
            }
        });
    }

    pub(crate) async fn refresh_chain(&self, user: &UserAddress) -> Outcome<()> {
        let entry = self.look_up(user, &Packages::None).await?;
        let mut state = self.state();
        let state = &mut *state;
        let (Some(me), Some(store)) = (&state.me, &state.store) else { return Ok(()) };
        let follow = store.write(|tx| {
            if *user == me.record.user {
                return if entry.chain.persona() == me.chain.persona() {
                    on_own_chain(tx, me, &entry.chain.texts())
                } else {
                    Err(Failure::new("wrong-person", "the own domain names another persona for our address"))
                };
            }
            let Some(mut person) = find_person(tx, user)? else {
                return Ok(Vec::new());
            };
            if person.persona.as_ref() != Some(&entry.persona) {
                return Err(Failure::new("key-change", "the registry names another persona than the one we know"));
            }
            person_went_on(tx, &mut person, &entry.chain, now_ms())
        })?;
        self.follow_up(state, follow);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    /// A chain with a laptop, and the same with a phone as well.
    fn chains() -> (identity::Sigchain, identity::Sigchain) {
        let irk = keys::SigningKey::generate();
        let mut chain = identity::Sigchain::create(&irk, None, 0);
        let device = || keys::SigningKey::generate().verifying_key();
        chain.add_device(&irk, device(), "laptop", DAY, 1).unwrap();
        let before = chain.clone();
        chain.add_device(&irk, device(), "phone", DAY, 2).unwrap();
        (before, chain)
    }

    #[test]
    fn what_is_told_joins_on_or_is_asked_for() {
        let (before, after) = chains();
        let texts = after.texts();
        let joined = go_on(&before.texts(), &texts[2..]).unwrap().unwrap();
        assert_eq!(joined.head(), after.head());
        assert_eq!(go_on(&before.texts(), &texts).unwrap().unwrap().head(), after.head(), "known entries are no harm");
        assert!(go_on(&before.texts()[..1], &texts[2..]).unwrap().is_none(), "one is missing between");
    }

    #[test]
    fn two_stories_are_noticed_and_strangers_entries_refused() {
        let (before, after) = chains();
        let (_, other) = chains();
        assert_eq!(go_on(&after.texts(), &other.texts()[2..]).unwrap_err().code, "equivocation");
        assert_eq!(go_on(&before.texts(), &other.texts()[2..]).unwrap_err().code, "bad-chain");
    }
}
