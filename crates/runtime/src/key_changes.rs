//! What becomes of somebody whose keys changed: told in four different ways, and never passed over.
//!
//! A history that goes on explains itself: the keys were rotated, recovered, or begun anew through an issuer.
//! Other keys under a known name explain nothing. They wait, with all that is written under them, until the
//! person decides; what is said in the conversation they know stays there.

use contract::{KeyChange, KeyChangeKind};
use identity::{Pins, RootOrigin, Sigchain};
use message::Address;
use store::{ChildState, Tx};
use trail::{Entry, Kind, Word};

use crate::comparing::restate;
use crate::home::{Home, now_ms};
use crate::inbox::WaitingEvidence;
use crate::objects::Follow;
use crate::persons::{PINS, host_of, system_row};
use crate::records::{NextKeys, Object, ObjectUse, Person, Standing, kind};
use crate::sending::{get_object, put_object, put_person};
use crate::settling;
use crate::trouble::{Failure, Outcome};

/// Why a conversation ended whose person went on with other keys.
pub(crate) const KEYS_CHANGED: &str = "keys-changed";

/// Conversations under other keys that wait for one decision.
const WAITING_LIMIT: usize = 4;

/// What a longer history says beside its devices.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Told {
    /// The root key before named this one.
    Rotated,
    /// The recovery key named it.
    Recovered,
    /// An issuer did, after the delay.
    Reset(String),
    /// One more issuer vouches.
    Linked(String),
    /// An issuer's word was taken back.
    Unlinked(String),
}

impl Told {
    /// The code of its line, and what the sentence needs.
    pub(crate) fn line(&self) -> (&'static str, String) {
        match self {
            Self::Rotated => ("key-rotated", String::new()),
            Self::Recovered => ("key-recovered", String::new()),
            Self::Reset(issuer) => ("key-reset", host_of(issuer)),
            Self::Linked(issuer) => ("issuer-linked", host_of(issuer)),
            Self::Unlinked(issuer) => ("issuer-unlinked", host_of(issuer)),
        }
    }
}

/// What a history says that the known beginning of it did not.
pub(crate) fn differences(before: &[String], after: &Sigchain, pins: &identity::PinBook, now_s: i64) -> Vec<Told> {
    let Ok(before) = settling::theirs(before, pins, now_s) else { return Vec::new() };
    let issuers = |chain: &Sigchain| {
        let vouching = chain.attestations().iter().filter(|one| !one.withdrawn);
        vouching.map(|one| one.iss.clone()).collect::<std::collections::BTreeSet<_>>()
    };
    let mut told = Vec::new();
    let known = after.roots().iter().position(|root| root.irk == before.irk());
    for root in known.map_or(&[][..], |known| &after.roots()[known + 1..]) {
        match root.origin {
            RootOrigin::Rotated => told.push(Told::Rotated),
            RootOrigin::Recovered => told.push(Told::Recovered),
            // A reset counts for whoever saw the issuer's word; the pins remember whether it was told.
            RootOrigin::Genesis | RootOrigin::Reset => {}
        }
    }
    let (old, new) = (issuers(&before), issuers(after));
    told.extend(new.difference(&old).cloned().map(Told::Linked));
    told.extend(old.difference(&new).cloned().map(Told::Unlinked));
    told
}

/// What is told of resets: once, when the pinned keys are followed.
pub(crate) fn resets(pins: &identity::PinBook, verified: &identity::VerifiedIdentity) -> Vec<Told> {
    let changes = pins.changes(verified).into_iter();
    changes
        .filter_map(
            |change| if let identity::Change::Reset { iss, .. } = change { Some(Told::Reset(iss)) } else { None },
        )
        .collect()
}

/// What was told marks the person where it asks for another comparison.
pub(crate) fn mark(tx: &Tx<'_>, person: &mut Person, told: &[Told], now: i64) -> Outcome<()> {
    for one in told {
        let (kind, issuer) = match one {
            Told::Recovered => (KeyChangeKind::Recovered, None),
            Told::Reset(issuer) => (KeyChangeKind::Reset, Some(host_of(issuer))),
            Told::Rotated | Told::Linked(_) | Told::Unlinked(_) => continue,
        };
        // What stops already goes on to stop.
        let stopped = person.change.as_ref().is_some_and(|change| change.stops);
        let stops = stopped || (kind == KeyChangeKind::Reset && person.compared_at.is_some() && is_rule(tx)?);
        person.compared_at = None;
        person.change = Some(KeyChange { kind, at: now, issuer, stops });
    }
    restate(person);
    Ok(())
}

/// What was judged about somebody's keys, for the trail.
pub(crate) fn verdicts(person: &Person, told: &[Told]) -> Vec<Follow> {
    let stops = person.change.as_ref().is_some_and(|change| change.stops);
    let judged = told.iter().filter_map(|one| match one {
        Told::Rotated => Some(judged(person, Word::Allow, "keys-rotated", "builtIn/identity")),
        Told::Recovered => Some(judged(person, Word::Allow, "keys-recovered", "builtIn/identity")),
        Told::Reset(_) if stops => Some(judged(person, Word::Ask, "keys-reset", "user/stopOnKeyChange")),
        Told::Reset(_) => Some(judged(person, Word::Allow, "keys-reset", "builtIn/identity")),
        Told::Linked(_) | Told::Unlinked(_) => None,
    });
    judged.collect()
}

/// One verdict about somebody's keys.
pub(crate) fn judged(person: &Person, word: Word, code: &str, rule: &str) -> Follow {
    Follow::Judged(Entry::new(Kind::KeyChange, &person.user.handle(), word, code, rule))
}

/// Whether changed keys of a compared person stop what is sent.
fn is_rule(tx: &Tx<'_>) -> Outcome<bool> {
    let rules: policy::Rules = tx.get(kind::RULES, "rules").map_err(Failure::store)?.unwrap_or_default();
    Ok(rules.settings().stop_on_key_change)
}

/// A line in the conversation with a person, if there is one.
pub(crate) fn line(tx: &Tx<'_>, person: &Person, code: &str, detail: &str, now: i64) -> Outcome<Vec<Follow>> {
    let Some(chat) = &person.chat else { return Ok(Vec::new()) };
    let Ok(mut object) = get_object(tx, chat) else { return Ok(Vec::new()) };
    let follow = line_in(tx, &mut object, code, detail, now)?;
    put_object(tx, &object)?;
    Ok(vec![follow])
}

/// The same in a conversation that the caller keeps.
pub(crate) fn line_in(tx: &Tx<'_>, object: &mut Object, code: &str, detail: &str, now: i64) -> Outcome<Follow> {
    let details: &[(&str, &str)] = if detail.is_empty() { &[] } else { &[("detail", detail)] };
    system_row(tx, object, code, details, now).map(Follow::ChildShown)
}

impl Home {
    /// Somebody came under a known name with other keys. Says whether what they wrote waits for a decision.
    pub(crate) fn hold_other_keys(&self, url: &Address) -> bool {
        let mut state = self.state();
        let state = &mut *state;
        let Ok(store) = state.store() else { return false };
        match store.write(|tx| hold(tx, url, now_ms())) {
            Ok((held, follow)) => {
                self.follow_up(state, follow);
                held
            }
            Err(failure) => {
                tracing::warn!(code = failure.code, "a change of keys could not be kept");
                false
            }
        }
    }
}

fn hold(tx: &Tx<'_>, url: &Address, now: i64) -> Outcome<(bool, Vec<Follow>)> {
    let object = get_object(tx, url)?;
    let Standing::Verifying { evidence } = &object.standing else { return Ok((false, Vec::new())) };
    let waiting = WaitingEvidence::parse(evidence)?;
    let evidence = waiting.evidence;
    let chain = Sigchain::parse(&evidence.chain).map_err(|e| Failure::new("bad-chain", e))?;
    let persona = chain.persona().to_string();
    let Some(mut person) = known_as(tx, &evidence)? else { return Ok((false, Vec::new())) };
    if person.persona.as_ref() == Some(&persona) {
        return Ok((false, Vec::new()));
    }
    let waits = object.purpose == ObjectUse::Chat;
    match &mut person.next {
        Some(next) if next.persona == persona => {
            if waits && !next.objects.contains(url) && next.objects.len() < WAITING_LIMIT {
                next.objects.push(url.clone());
            }
            let held = next.objects.contains(url);
            put_person(tx, &person)?;
            return Ok((held, Vec::new()));
        }
        // One decision at a time: a third identity under the name is refused.
        Some(_) => return Ok((false, Vec::new())),
        None => {}
    }
    let issuer = evidence.tokens.iter().find_map(|text| subject_of(text)).map(|subject| host_of(&subject.issuer));
    let stops =
        person.change.as_ref().is_some_and(|change| change.stops) || (person.compared_at.is_some() && is_rule(tx)?);
    person.change = Some(KeyChange { kind: KeyChangeKind::Unexplained, at: now, issuer: issuer.clone(), stops });
    person.next = Some(NextKeys {
        user: evidence.user,
        persona,
        chain: evidence.chain,
        objects: waits.then(|| url.clone()).into_iter().collect(),
    });
    restate(&mut person);
    put_person(tx, &person)?;
    let mut follow = line(tx, &person, "key-unexplained", issuer.as_deref().unwrap_or_default(), now)?;
    let rule = if stops { "user/stopOnKeyChange" } else { "builtIn/identity" };
    follow.push(judged(&person, Word::Ask, "keys-unexplained", rule));
    follow.push(Follow::PersonShown(person.user.clone()));
    follow.extend(person.chat.map(Follow::ChatShown));
    Ok((waits, follow))
}

/// Whom we know by the address, or by what an issuer calls them.
fn known_as(tx: &Tx<'_>, evidence: &identity::Evidence) -> Outcome<Option<Person>> {
    let pins = settling::pins(tx)?;
    let by_subject = || evidence.tokens.iter().filter_map(|text| subject_of(text)).find_map(|one| pins.subject(&one));
    let Some(pin) = pins.address(&evidence.user).or_else(by_subject) else { return Ok(None) };
    let known = pin.persona.to_string();
    let persons: Vec<(String, Person)> = tx.list(kind::PERSON).map_err(Failure::store)?;
    let mut persons = persons.into_iter().map(|(_, person)| person);
    Ok(persons.find(|person| person.persona.as_ref() == Some(&known)))
}

fn subject_of(token: &str) -> Option<identity::SubjectKey> {
    let token = identity::PkToken::parse(token).ok()?;
    let (issuer, subject) = (token.claimed_issuer()?.to_owned(), token.claimed_subject()?.to_owned());
    Some(identity::SubjectKey { issuer, client: None, subject })
}

/// The person goes on with the keys that waited: pins follow, the old conversation ends, the new one opens.
pub(crate) fn take_next(tx: &Tx<'_>, person: &mut Person) -> Outcome<Vec<Follow>> {
    let Some(next) = person.next.take() else { return Ok(Vec::new()) };
    let mut pins = settling::pins(tx)?;
    if let Some(old) = person.persona.as_deref().and_then(|text| identity::PersonaId::parse(text).ok()) {
        pins.forget(&old);
    }
    tx.put(kind::PINS, PINS, &pins)?;
    let mut follow: Vec<Follow> = next.objects.into_iter().map(Follow::Verify).collect();
    if next.user != person.user {
        return Ok(follow);
    }
    (person.persona, person.chain) = (Some(next.persona), next.chain);
    let Some(chat) = &person.chat else { return Ok(follow) };
    let Ok(mut object) = get_object(tx, chat) else { return Ok(follow) };
    // Nobody may ever read what the keys of before did not confirm; it stays, to be sent again.
    for state in [ChildState::Queued, ChildState::Sent] {
        for row in tx.children_in(chat.as_str(), state)?.into_iter().filter(|row| row.mine) {
            tx.set_child_state(&row.id, ChildState::Failed)?;
            follow.push(Follow::ChildShown(row.id));
        }
    }
    object.standing = Standing::Closed { reason: KEYS_CHANGED.into() };
    put_object(tx, &object)?;
    follow.push(Follow::ChatShown(chat.clone()));
    Ok(follow)
}

/// The keys that waited are not the person's: what came under them is closed.
pub(crate) fn refuse_next(tx: &Tx<'_>, person: &mut Person) -> Outcome<Vec<Follow>> {
    for url in person.next.take().map(|next| next.objects).unwrap_or_default() {
        let Ok(mut object) = get_object(tx, &url) else { continue };
        object.standing = Standing::Closed { reason: "key-change".into() };
        object.held.clear();
        put_object(tx, &object)?;
    }
    Ok(Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;
    use identity::Signer;

    fn chain() -> (keys::SigningKey, keys::SigningKey, keys::SigningKey, Sigchain) {
        let generate = keys::SigningKey::generate;
        let (irk, rk, dsk) = (generate(), generate(), generate());
        let mut chain = Sigchain::create(&irk, Some(rk.verifying_key()), 0);
        chain.add_device(&irk, dsk.verifying_key(), "laptop", 86_400, 1).unwrap();
        (irk, rk, dsk, chain)
    }

    #[test]
    fn a_rotation_and_a_recovery_are_told_apart_and_once() {
        let (irk, rk, _, mut chain) = chain();
        let pins = identity::PinBook::new();
        let (one, two) = (keys::SigningKey::generate(), keys::SigningKey::generate());
        let first = chain.texts();
        chain.rotate_irk(&irk, Signer::Irk, one.verifying_key(), 2).unwrap();
        assert_eq!(differences(&first, &chain, &pins, 10), [Told::Rotated]);
        let second = chain.texts();
        chain.rotate_irk(&rk, Signer::Rk, two.verifying_key(), 3).unwrap();
        assert_eq!(differences(&second, &chain, &pins, 10), [Told::Recovered]);
        assert_eq!(differences(&first, &chain, &pins, 10), [Told::Rotated, Told::Recovered]);
        assert_eq!(differences(&chain.texts(), &chain, &pins, 10), []);
    }

    #[test]
    fn issuers_that_come_and_go_are_told() {
        let (irk, _, _, mut chain) = chain();
        let pins = identity::PinBook::new();
        let before = chain.texts();
        let attest = identity::Attest {
            pkt_hash: identity::Digest([7; 32]),
            iss: "https://idp.example".into(),
            sub: "ana".into(),
            until: 86_400,
        };
        chain.attest(&irk, attest, 2).unwrap();
        assert_eq!(differences(&before, &chain, &pins, 10), [Told::Linked("https://idp.example".into())]);
        let before = chain.texts();
        let link = identity::IdpLink { iss: "https://idp.example".into(), sub: "ana".into() };
        chain.unlink_idp(&irk, link, 3).unwrap();
        let told = differences(&before, &chain, &pins, 10);
        assert_eq!(told, [Told::Unlinked("https://idp.example".into())]);
        assert_eq!(told[0].line(), ("issuer-unlinked", "idp.example".to_owned()));
    }
}
