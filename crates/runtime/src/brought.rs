//! What somebody who is not a contact brings along: a tag made with a contact link, work that was done, or a word of
//! somebody both know.
//!
//! A contact link is an address and a code (trust.md 2.6: a pre-filter without an identity). Who has it proves that with
//! a tag over who they are and the conversation they begin, so a tag is of no use to anybody else. Work is the same with
//! a stamp, as in hashcash; the address of the conversation is new each time, so no work counts twice, however long it
//! waited for us. Neither says who somebody is: that is verified as for anybody.

use contract::ContactLink;
use message::{Address, Message, UserAddress};
use policy::{ContactCode, ProofOfWork};
use serde::{Deserialize, Serialize};
use serde_json::json;
use store::Tx;

use crate::home::{Home, Ready, State, now_ms, now_u64};
use crate::members::{self, Author, said};
use crate::objects::Follow;
use crate::own::OwnStep;
use crate::persons::system_row;
use crate::records::{Object, Person, kind};
use crate::sending::{find_person, get_object, get_person, inner_message, pumps, put_object, seal_and_queue};
use crate::trouble::{Failure, Outcome};

/// Zeros that work done here shows, in bits: a quarter of a million hashes on average.
pub(crate) const WORK_BITS: u8 = 18;

/// Where a contact link's name ends and its code begins.
const CODE: &str = "?code=";

/// How a contact link begins.
const SCHEME: &str = "parlance:";

/// The one record of our own link.
const OURS: &str = "ours";

/// Links of others that are kept until somebody is asked for contact.
const KEPT_LIMIT: usize = 64;

/// What an introduction brings along.
#[derive(Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Words {
    /// Proves that a contact link is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tag: Option<String>,
    /// Work that was done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    work: Option<Stamp>,
}

/// Work for one conversation.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stamp {
    stamp: String,
    /// The day it was done, counted from the beginning of 1970.
    day: u32,
}

/// The code of our contact link, the same on all our devices.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Code {
    code: String,
    /// Unix milliseconds; a newer one takes the place of an older.
    made_at: i64,
}

/// Somebody whom a contact of ours introduced.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Vouched {
    /// Whose keys.
    pub(crate) persona: String,
    /// Who said so.
    pub(crate) by: UserAddress,
}

/// Who asks whom; a tag is bound to that, and to the conversation.
fn asking(persona: &str, to: &UserAddress) -> Vec<u8> {
    json!([persona, to]).to_string().into_bytes()
}

/// Does the work: blocks for some ten milliseconds.
fn worked(url: &Address, bits: u8, day: u32) -> Option<Stamp> {
    let stamp = ProofOfWork::challenge(url, day).solve(bits, keys::random(), 0, u64::MAX);
    stamp.map(|stamp| Stamp { stamp, day })
}

impl Stamp {
    /// The zeros it shows for this conversation.
    fn bits(&self, url: &Address) -> u8 {
        ProofOfWork::challenge(url, self.day).check(&self.stamp, 0).map_or(0, |work| work.bits)
    }
}

impl Words {
    /// What we bring to somebody who may not know us.
    pub(crate) async fn made(persona: &str, to: &UserAddress, url: &Address, code: Option<ContactCode>) -> Self {
        let tag = code.map(|code| code.tag(url, &asking(persona, to)));
        let (place, day) = (url.clone(), ProofOfWork::day_of(now_u64()));
        let work = tokio::task::spawn_blocking(move || worked(&place, WORK_BITS, day)).await.ok().flatten();
        Self { tag, work }
    }

    /// Whether it was made with this code, by this persona for us and for this object.
    pub(crate) fn shows(&self, code: &ContactCode, url: &Address, persona: &str, to: &UserAddress) -> bool {
        self.tag.as_ref().is_some_and(|tag| code.check(url, &asking(persona, to), tag))
    }

    /// What of it holds; `persona` is the one of the leaf that says it.
    pub(crate) fn judged(
        &self,
        tx: &Tx<'_>,
        me: &Ready,
        from: &UserAddress,
        persona: &str,
        url: &Address,
    ) -> Outcome<policy::Brought> {
        let ours = own_code(tx)?.and_then(|ours| ContactCode::parse(&ours.code).ok());
        let known = |said: &String| ours.is_some_and(|ours| ours.check(url, &asking(persona, &me.record.user), said));
        Ok(policy::Brought {
            proof_of_work_bits: self.work.as_ref().map_or(0, |work| work.bits(url)),
            contact_code: self.tag.as_ref().is_some_and(known),
            known_to_verified: is_vouched_for(tx, from, persona)?,
            joint_call: false,
            group_link: false,
        })
    }
}

/// The persona of the leaf of a device in an object's group.
pub(crate) fn persona_of(tx: &Tx<'_>, url: &Address, device: &str) -> Outcome<String> {
    let leaves = seal::members(tx, &seal::GroupId::of(url)).map_err(|e| Failure::new(e.code(), e))?;
    let leaf = leaves.iter().find(|leaf| leaf.dsk.to_string() == device);
    let persona = leaf.and_then(members::persona_of).map(|persona| persona.to_string());
    persona.ok_or_else(|| Failure::new("wrong-author", "no such member"))
}

/// Whether somebody whose keys were compared introduced exactly these keys.
fn is_vouched_for(tx: &Tx<'_>, user: &UserAddress, persona: &str) -> Outcome<bool> {
    let vouched: Option<Vouched> = tx.get(kind::VOUCHED, user.address().as_str()).map_err(Failure::store)?;
    let Some(vouched) = vouched.filter(|vouched| vouched.persona == persona) else { return Ok(false) };
    let by = find_person(tx, &vouched.by)?;
    Ok(by.is_some_and(|by| is_trusted(&by)))
}

/// A contact whose code was compared, and whose keys are still those.
fn is_trusted(person: &Person) -> bool {
    person.contact == contract::ContactState::Accepted && person.compared_at.is_some() && person.change.is_none()
}

/// What a contact tells of somebody it introduces.
#[derive(Serialize, Deserialize)]
pub(crate) struct Introduces {
    user: UserAddress,
    persona: String,
}

/// A contact introduces somebody. It counts only while that contact's own keys are compared ones.
pub(crate) fn on_introduces(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    author: &Author,
    inner: &Message,
) -> Outcome<Vec<Follow>> {
    let said: Introduces = said(inner)?;
    let theirs = author.is_of(object, &object.peer);
    if !theirs || said.user == me.record.user || said.user == object.peer || said.persona.len() > 128 {
        return Ok(Vec::new());
    }
    let vouched = Vouched { persona: said.persona.clone(), by: object.peer.clone() };
    tx.put(kind::VOUCHED, said.user.address().as_str(), &vouched).map_err(Failure::store)?;
    let id = system_row(tx, object, "introduced", &[("detail", &said.user.handle())], now_ms())?;
    put_object(tx, object)?;
    Ok(vec![Follow::ChildShown(id), Follow::ChatShown(object.url.clone())])
}

/// Reads a contact link, or an address alone.
pub(crate) fn read(text: &str) -> Outcome<(UserAddress, Option<ContactCode>)> {
    let text = text.trim();
    let link = text.strip_prefix(SCHEME).unwrap_or(text);
    let (user, code) = match link.split_once(CODE) {
        Some((user, code)) => (user, Some(code)),
        None => (link, None),
    };
    let user = UserAddress::parse(user).map_err(|e| Failure::new("bad-address", e))?;
    let code = code.map(|code| ContactCode::parse(code).map_err(|e| Failure::new("bad-address", e)));
    Ok((user, code.transpose()?))
}

/// Codes of links that were pasted here, until those people are asked for contact.
#[derive(Default)]
pub(crate) struct Pasted(Vec<(UserAddress, ContactCode)>);

impl Pasted {
    pub(crate) fn keep(&mut self, user: &UserAddress, code: ContactCode) {
        self.0.retain(|(known, _)| known != user);
        if self.0.len() >= KEPT_LIMIT {
            self.0.remove(0);
        }
        self.0.push((user.clone(), code));
    }

    /// The code for this person: kept, for asking may have to be tried again.
    pub(crate) fn of(&self, user: &UserAddress) -> Option<ContactCode> {
        let (_, code) = self.0.iter().find(|(known, _)| known == user)?;
        ContactCode::parse(&code.to_text()).ok()
    }
}

/// Another device of ours has this link: the newer one counts for all.
pub(crate) fn hear_code(tx: &Tx<'_>, told: &Code) -> Outcome<()> {
    let ours = own_code(tx)?;
    if ContactCode::parse(&told.code).is_err() || ours.is_some_and(|ours| ours.made_at >= told.made_at) {
        return Ok(());
    }
    tx.put(kind::CONTACT_CODE, OURS, told).map_err(Failure::store)
}

/// Our link's code, for our other devices.
pub(crate) fn own_code(tx: &Tx<'_>) -> Outcome<Option<Code>> {
    tx.get(kind::CONTACT_CODE, OURS).map_err(Failure::store)
}

impl Home {
    /// Questions `contact.link` and `contact.link.renew`: the link, made at the first question and anew if wished.
    pub(crate) fn contact_link(&self, anew: bool) -> Outcome<ContactLink> {
        let mut state = self.state();
        let state = &mut *state;
        let user = state.me()?.record.user.clone();
        let (code, made) = state.store()?.write(|tx| {
            if let Some(code) = own_code(tx)?.filter(|_| !anew) {
                return Ok((code, false));
            }
            let code = Code { code: ContactCode::new(keys::random()).to_text().to_string(), made_at: now_ms() };
            tx.put(kind::CONTACT_CODE, OURS, &code).map_err(Failure::store)?;
            Ok::<_, Failure>((code, true))
        })?;
        if made {
            self.own_step(state, OwnStep::ContactCode);
        }
        Ok(ContactLink { link: format!("{SCHEME}{}{CODE}{}", user.handle(), code.code), made_at: code.made_at })
    }

    /// Question `person.introduce`: tells a contact whose keys somebody has, and that it is them.
    pub(crate) fn introduce(&self, user: &UserAddress, to: &UserAddress) -> Outcome<()> {
        let mut state = self.state();
        let state: &mut State = &mut state;
        let (me, store) = (state.me.as_ref().ok_or_else(Failure::not_ready)?, state.store()?);
        let follow = store.write(|tx| {
            let person = get_person(tx, user)?;
            let persona = person.persona.clone().filter(|_| person.contact == contract::ContactState::Accepted);
            let persona = persona.ok_or_else(|| Failure::new("not-a-contact", "only contacts are introduced"))?;
            let chat = get_person(tx, to)?.chat.filter(|_| user != to);
            let chat = chat.ok_or_else(|| Failure::new("not-a-contact", "there is no conversation with them"))?;
            let mut object = get_object(tx, &chat)?;
            if !object.is_open() {
                return Err(Failure::new("not-a-contact", "the conversation is not open"));
            }
            crate::comparing::may_send(tx, &object)?;
            let said = Introduces { user: user.clone(), persona };
            let inner = inner_message(message::MessageType::Event, &object.url, "introduces", &said)?;
            seal_and_queue(tx, me, &object, &inner, None)?;
            let id = system_row(tx, &mut object, "introduced-by-us", &[("detail", &user.handle())], now_ms())?;
            put_object(tx, &object)?;
            let mut follow: Vec<Follow> = pumps(&object).collect();
            follow.extend([Follow::ChildShown(id), Follow::ChatShown(object.url)]);
            Ok::<_, Failure>(follow)
        })?;
        self.follow_up(state, follow);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(text: &str) -> UserAddress {
        UserAddress::parse(text).unwrap()
    }

    fn ben() -> UserAddress {
        user("ben@b.localhost")
    }

    #[test]
    fn a_link_is_read_with_its_code_and_an_address_without_one() {
        let code = ContactCode::new([7; 16]).to_text();
        let (user, read_code) = read(&format!(" parlance:ben@b.localhost?code={}\n", *code)).unwrap();
        assert_eq!((user, read_code.unwrap().to_text()), (ben(), code));
        let (user, none) = read("ben@b.localhost").unwrap();
        assert!(user == ben() && none.is_none());
        for wrong in ["parlance:ben@b.localhost?code=", "parlance:ben@b.localhost?code=abc", "parlance:?code=x", ""] {
            assert_eq!(read(wrong).err().unwrap().code, "bad-address", "{wrong}");
        }
    }

    #[tokio::test]
    async fn what_is_brought_counts_for_one_conversation_of_one_person() {
        let url = |name: &str| Address::parse(&format!("comm://a.localhost/{name}")).unwrap();
        let code = || ContactCode::new([7; 16]);
        let words = Words::made("ana", &ben(), &url("one"), Some(code())).await;
        let (work, tag) = (words.work.unwrap(), words.tag.unwrap());
        assert!(work.bits(&url("one")) >= WORK_BITS);
        assert!(work.bits(&url("two")) < WORK_BITS);
        assert!(Stamp { day: work.day + 1000, ..work.clone() }.bits(&url("one")) < WORK_BITS, "its day is part of it");
        assert!(code().check(&url("one"), &asking("ana", &ben()), &tag));
        assert!(!code().check(&url("two"), &asking("ana", &ben()), &tag));
        assert!(!code().check(&url("one"), &asking("mallory", &ben()), &tag));
        assert!(!code().check(&url("one"), &asking("ana", &user("cleo@b.localhost")), &tag));
    }

    #[test]
    fn the_newest_code_of_a_pasted_link_is_kept_and_not_more_than_some() {
        let mut pasted = Pasted::default();
        pasted.keep(&ben(), ContactCode::new([1; 16]));
        pasted.keep(&ben(), ContactCode::new([2; 16]));
        assert_eq!(pasted.of(&ben()).unwrap().to_text(), ContactCode::new([2; 16]).to_text());
        for n in 0..KEPT_LIMIT {
            pasted.keep(&user(&format!("p{n}@b.localhost")), ContactCode::new([1; 16]));
        }
        assert!(pasted.0.len() == KEPT_LIMIT && pasted.of(&ben()).is_none());
    }
}
