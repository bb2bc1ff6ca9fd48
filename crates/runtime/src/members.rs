//! The devices in an object's group: whose they are, where they receive, and whose words count.

use std::cell::OnceCell;
use std::collections::HashMap;

use message::{Address, Message, UserAddress};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use store::Tx;

use crate::circle::is_met;
use crate::home::{Ready, now_ms};
use crate::records::{Member, Object, Person};
use crate::sending::find_person;
use crate::settling;
use crate::trouble::{Failure, Outcome};

/// Who wrote a sealed message, as the group's signature says.
pub(crate) struct Author {
    /// The device's key.
    pub(crate) device: String,
    /// Whether it holds the object: it alone changes value and members.
    pub(crate) is_holder: bool,
}

impl Author {
    /// Its key.
    pub(crate) fn key(&self) -> Outcome<keys::VerifyingKey> {
        keys::VerifyingKey::parse(&self.device).map_err(|e| Failure::new("malformed", e))
    }

    /// The verified member of the object that this is; whoever is none has no word in it.
    pub(crate) fn member<'o>(&self, object: &'o Object) -> Outcome<&'o Member> {
        let known = object.member(&self.device);
        known.ok_or_else(|| Failure::new("wrong-author", "the message is by a device that was not verified"))
    }

    /// Whether it is a verified device of this person.
    pub(crate) fn is_of(&self, object: &Object, user: &UserAddress) -> bool {
        object.member(&self.device).is_some_and(|member| member.user == *user)
    }

    /// One of our own devices, as our history says.
    pub(crate) fn own(&self, me: &Ready, now_s: i64) -> Outcome<keys::VerifyingKey> {
        let device = self.key()?;
        me.chain.device(&device, now_s).map_err(|e| Failure::new("wrong-author", e))?;
        Ok(device)
    }
}

/// What a sealed message says, as its type.
pub(crate) fn said<T: DeserializeOwned>(inner: &Message) -> Outcome<T> {
    inner.body.parse().map_err(|e| Failure::new("malformed", e))
}

/// Names the children of a device, so that two devices never use a number twice.
pub(crate) fn tag_of(device: &str) -> sync::Author {
    // Half a hash: nobody finds a second key with the same name.
    let tag = keys::base32(&keys::sha256(device.as_bytes())[..16]);
    sync::Author::parse(&tag).expect("base32 is visible ASCII")
}

/// How the store names the author of a child: the person, and the device that numbers it.
pub(crate) fn row_author(user: &UserAddress, tag: &sync::Author) -> String {
    format!("{user} {tag}")
}

/// The person in what [`row_author`] wrote.
pub(crate) fn author_user(author: &str) -> &str {
    author.split(' ').next().unwrap_or_default()
}

/// The sigchains by which leaves of an object's group are judged.
///
/// Each is read when it is first asked for: of a thousand people, one wrote the message.
pub(crate) struct Chains<'t> {
    /// From where they are read.
    from: Option<Shelves<'t>>,
    people: Vec<Known>,
    /// Whose a device is as far as is known, to look there first.
    hints: HashMap<String, usize>,
}

/// Where histories are kept.
struct Shelves<'t> {
    tx: &'t Tx<'t>,
    me: &'t Ready,
    is_known: fn(&Person) -> bool,
    pins: OnceCell<identity::PinBook>,
    now_s: i64,
}

/// Somebody, and their history once it was asked for; nothing if they are not known well enough.
struct Known {
    user: UserAddress,
    chain: OnceCell<Option<identity::Sigchain>>,
}

impl Known {
    fn with(user: &UserAddress, chain: identity::Sigchain) -> Self {
        Self { user: user.clone(), chain: OnceCell::from(Some(chain)) }
    }
}

impl Shelves<'_> {
    fn chain(&self, user: &UserAddress) -> Outcome<Option<identity::Sigchain>> {
        let person = find_person(self.tx, user)?;
        let chain = person.filter(self.is_known).and_then(|person| self.me.parsed.chain(&person.chain).ok());
        let Some(mut chain) = chain else { return Ok(None) };
        let pins = match self.pins.get() {
            Some(pins) => pins,
            None => {
                let pins = settling::pins(self.tx)?;
                self.pins.get_or_init(|| pins)
            }
        };
        settling::settle(&mut chain, pins, self.now_s);
        Ok(Some(chain))
    }
}

impl<'t> Chains<'t> {
    /// Ours, and those of everybody else in an object.
    ///
    /// Of a conversation of two it is the other side's as far as it was seen; in a group only who is verified here
    /// vouches for devices, and only while they are in it.
    pub(crate) fn of(tx: &'t Tx<'t>, me: &'t Ready, object: &Object) -> Outcome<Self> {
        let now_s = now_ms() / 1000;
        let Some(circle) = &object.circle else { return Self::at(tx, me, &object.peer, now_s) };
        let mut chains = Self::ours(me, now_s).with(tx, me, circle.said.people.keys(), is_met, now_s);
        let places: HashMap<&UserAddress, usize> =
            chains.people.iter().enumerate().map(|(at, known)| (&known.user, at)).collect();
        let hint = |member: &Member| Some((member.device.clone(), *places.get(&member.user)?));
        chains.hints = object.members.iter().filter_map(hint).collect();
        Ok(chains)
    }

    /// Ours, and one other person's, as they stand at a time.
    pub(crate) fn at(tx: &'t Tx<'t>, me: &'t Ready, peer: &UserAddress, now_s: i64) -> Outcome<Self> {
        Ok(Self::ours(me, now_s).with(tx, me, std::iter::once(peer), |person| !person.chain.is_empty(), now_s))
    }

    /// Our own only.
    fn ours(me: &Ready, now_s: i64) -> Self {
        let mut own = me.chain.clone();
        settling::settle_own(&mut own, &me.record.resets, now_s);
        Self::one(&me.record.user, own)
    }

    /// Adds those of other people who are known well enough, as far as they were seen.
    fn with<'u>(
        mut self,
        tx: &'t Tx<'t>,
        me: &'t Ready,
        people: impl Iterator<Item = &'u UserAddress>,
        is_known: fn(&Person) -> bool,
        now_s: i64,
    ) -> Self {
        let others = people.filter(|user| **user != me.record.user);
        self.people.extend(others.map(|user| Known { user: user.clone(), chain: OnceCell::new() }));
        self.from = Some(Shelves { tx, me, is_known, pins: OnceCell::new(), now_s });
        self
    }

    /// One person's only.
    pub(crate) fn one(user: &UserAddress, chain: identity::Sigchain) -> Self {
        Self { from: None, people: vec![Known::with(user, chain)], hints: HashMap::new() }
    }

    /// Whether a leaf is of a device of this person that may speak.
    pub(crate) fn is_of(&self, leaf: &seal::Member, user: &UserAddress, now_s: i64) -> bool {
        self.owner_of(leaf, now_s).is_ok_and(|owner| owner == user)
    }

    /// Adds a person's.
    pub(crate) fn and(mut self, user: &UserAddress, chain: &identity::Sigchain) -> Self {
        self.people.push(Known::with(user, chain.clone()));
        self
    }

    /// Somebody's history, read now if it was not before.
    fn chain<'c>(&'c self, known: &'c Known) -> Option<&'c identity::Sigchain> {
        let read = || {
            let chain = self.from.as_ref().map(|from| from.chain(&known.user));
            chain.and_then(|chain| {
                // Nobody is believed for want of a store; what is kept meanwhile fails with it.
                chain.inspect_err(|failure| tracing::warn!(code = failure.code, "a history cannot be read")).ok()
            })
        };
        known.chain.get_or_init(|| read().flatten()).as_ref()
    }

    /// The one whose persona this is; looked for first where the device was seen before.
    fn of_persona(
        &self,
        persona: identity::PersonaId,
        device: &keys::VerifyingKey,
    ) -> Option<(&UserAddress, &identity::Sigchain)> {
        let hint = self.hints.get(&device.to_string()).and_then(|at| self.people.get(*at));
        let theirs = |known| self.chain(known).filter(|chain| chain.persona() == persona).map(|chain| (known, chain));
        let found = hint.and_then(theirs).or_else(|| self.people.iter().find_map(theirs));
        found.map(|(known, chain)| (&known.user, chain))
    }

    /// Whose device a leaf is, if one of the chains says so and its credential holds.
    pub(crate) fn owner_of(&self, leaf: &seal::Member, now_s: i64) -> Result<&UserAddress, String> {
        let credential = identity::DeviceCredential::decode(&leaf.credential).map_err(|error| error.to_string())?;
        let owner = self.of_persona(credential.persona(), &leaf.dsk);
        let (user, chain) = owner.ok_or("nobody here vouches for that device")?;
        credential.check(chain, &leaf.dsk, now_s).map_err(|error| error.to_string())?;
        Ok(user)
    }

    /// The devices that may speak now, by person.
    pub(crate) fn live_devices(&self, now_s: i64) -> Vec<(UserAddress, Vec<String>)> {
        let live = |chain: &identity::Sigchain| {
            let devices = chain.devices().filter(|device| chain.device(&device.dsk, now_s).is_ok());
            devices.map(|device| device.dsk.to_string()).collect()
        };
        let people = self.people.iter();
        people.filter_map(|known| Some((known.user.clone(), live(self.chain(known)?)))).collect()
    }

    /// Whether a leaf's device may no longer speak: revoked, expired, or of nobody we know.
    ///
    /// Only its own persona's chain is asked: a device's key can be written into anybody's.
    pub(crate) fn is_dead(&self, leaf: &seal::Member, now_s: i64) -> bool {
        self.own_chain_of(leaf).is_none_or(|chain| chain.device(&leaf.dsk, now_s).is_err())
    }

    /// Whether the chain of a leaf's persona, if it is known here, takes its word away.
    pub(crate) fn is_put_out(&self, leaf: &seal::Member, now_s: i64) -> bool {
        self.own_chain_of(leaf).is_some_and(|chain| chain.device(&leaf.dsk, now_s).is_err())
    }

    fn own_chain_of(&self, leaf: &seal::Member) -> Option<&identity::Sigchain> {
        self.of_persona(persona_of(leaf)?, &leaf.dsk).map(|(_, chain)| chain)
    }
}

/// The persona that a leaf's credential names; a claim, until a chain or a check bears it out.
pub(crate) fn persona_of(leaf: &seal::Member) -> Option<identity::PersonaId> {
    identity::DeviceCredential::decode(&leaf.credential).ok().map(|credential| credential.persona())
}

/// A leaf's credential holds by itself: its device is certified by the root key it names.
///
/// Who the persona is, is checked with the introduction; until then nothing of the group is shown.
pub(crate) fn check_alone(leaf: &seal::Member, now_s: i64) -> Result<(), String> {
    let credential = identity::DeviceCredential::decode(&leaf.credential).map_err(|error| error.to_string())?;
    let device = credential.device();
    if *device.dsk() == leaf.dsk && device.expires() > now_s {
        Ok(())
    } else {
        Err("the leaf is not the device its certificate names".into())
    }
}

/// A device as an introduction names it: a claim about where it receives.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Named {
    pub(crate) device: String,
    pub(crate) user: UserAddress,
    #[serde(default)]
    pub(crate) inbox: Option<Address>,
}

impl Object {
    /// Who is in the group, for those who join: everybody but the reader knows it all.
    pub(crate) fn named_members(&self, me: &Ready) -> Vec<Named> {
        let own = Named {
            device: me.dsk.verifying_key().to_string(),
            user: me.record.user.clone(),
            inbox: Some(me.record.inbox.clone()),
        };
        let others = self.members.iter();
        let others =
            others.map(|one| Named { device: one.device.clone(), user: one.user.clone(), inbox: one.inbox.clone() });
        std::iter::once(own).chain(others).collect()
    }

    /// Takes the members from the group's leaves, and where they receive from what was said of them.
    ///
    /// An inbox of another domain than its person's is not taken: nobody is sent what is meant for somebody else.
    pub(crate) fn set_members(
        &mut self,
        tx: &Tx<'_>,
        me: &Ready,
        chains: &Chains<'_>,
        named: &[Named],
        now_s: i64,
    ) -> Outcome<()> {
        let own = me.dsk.verifying_key();
        let leaves = seal::members(tx, &self.group()?).map_err(|e| Failure::new("sealing-failed", e))?;
        let said: HashMap<(&str, &UserAddress), &Named> =
            named.iter().rev().map(|one| ((one.device.as_str(), &one.user), one)).collect();
        let before: HashMap<&str, &Member> = self.members.iter().map(|one| (one.device.as_str(), one)).collect();
        let (mut members, large) = (Vec::with_capacity(leaves.len()), self.is_large());
        for leaf in leaves.iter().filter(|leaf| leaf.dsk != own) {
            let device = leaf.dsk.to_string();
            let user = match before.get(device.as_str()).filter(|_| large) {
                // It was judged when it came in, and is again with each of its words.
                Some(known) => known.user.clone(),
                None => chains.owner_of(leaf, now_s).map_err(|why| Failure::new("unverified-leaf", why))?.clone(),
            };
            let said = said.get(&(device.as_str(), &user));
            let inbox = said.and_then(|one| one.inbox.clone()).filter(|inbox| inbox.domain() == user.domain());
            if self.circle.as_ref().is_some_and(|circle| user != me.record.user && !circle.has(&user)) {
                // They said that they leave: nothing goes there any more.
                continue;
            }
            let before = before.get(device.as_str()).and_then(|member| member.inbox.clone());
            members.push(Member { device, user, inbox: inbox.or(before) });
        }
        self.members = members;
        Ok(())
    }

    /// The devices of the other side.
    pub(crate) fn peer_devices(&self) -> impl Iterator<Item = &Member> {
        self.members.iter().filter(|member| self.is_with(&member.user))
    }

    /// The domains in which members receive.
    pub(crate) fn domains(&self) -> Vec<message::Domain> {
        let mut domains: Vec<message::Domain> =
            self.members.iter().filter_map(|member| member.inbox.as_ref().map(Address::domain)).collect();
        domains.sort();
        domains.dedup();
        domains
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_author_is_a_person_and_a_device() {
        let user = UserAddress::parse("ana@a.localhost").unwrap();
        let (laptop, phone) = (tag_of("laptop"), tag_of("phone"));
        assert_ne!(row_author(&user, &laptop), row_author(&user, &phone));
        assert_eq!(author_user(&row_author(&user, &laptop)), user.to_string());
        assert_eq!(author_user(&user.to_string()), user.to_string());
    }
}
