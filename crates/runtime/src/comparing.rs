//! How sure we are of somebody: compared or only introduced, and what waits until a person decides.

use contract::{KeyChange, KeyChangeKind, PersonCard, SafetyCode, ScanOutcome, TrustMark, TrustState};
use identity::{PersonaId, SafetyNumber, Scanned, Sigchain};
use message::UserAddress;
use store::Tx;
use trail::Word;

use crate::home::{Home, Ready, now_ms};
use crate::key_changes;
use crate::objects::Follow;
use crate::own::OwnStep;
use crate::persons::{PINS, flush};
use crate::records::{Me, Member, Object, ObjectUse, Person, kind};
use crate::sending::{find_person, get_person, pumps, put_person};
use crate::settling;
use crate::trouble::{Failure, Outcome};

/// One side of a comparison: a persona and the root key it has now.
type Side = (PersonaId, keys::VerifyingKey);

/// How sure one can be of a conversation now.
///
/// Green only when the person was compared and the chain of the compared persona, or ours, names every device
/// in the group.
pub(crate) fn mark_of(tx: &Tx<'_>, object: &Object) -> Outcome<TrustMark> {
    if object.circle.is_some() {
        return mark_of_group(tx, object);
    }
    let person = find_person(tx, &object.peer)?;
    let Some(person) = person else { return Ok(TrustMark::Introduced) };
    let mark = mark(&person);
    if mark == TrustMark::Verified && !all_named(tx, object, &person)? {
        return Ok(TrustMark::Introduced);
    }
    Ok(mark)
}

/// What waits for a decision, or is to be seen, by person: of a thousand people, only those are looked at.
pub(crate) type Changed = std::collections::BTreeMap<UserAddress, Change>;

/// What a change of somebody's keys comes to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(crate) struct Change {
    /// It is shown.
    marks: bool,
    /// Nothing goes to them.
    stops: bool,
}

/// The one record of them.
const CHANGED: &str = "all";

/// Keeps whose keys changed.
pub(crate) fn note_change(tx: &Tx<'_>, person: &Person) -> Outcome<()> {
    let change = person.change.as_ref();
    let change = change.map(|change| Change { marks: change.kind != KeyChangeKind::Rotated, stops: change.stops });
    let mut all = changed(tx)?;
    if all.get(&person.user) == change.as_ref() {
        return Ok(());
    }
    match change {
        Some(change) => all.insert(person.user.clone(), change),
        None => all.remove(&person.user),
    };
    tx.put(kind::CHANGED, CHANGED, &all).map_err(Failure::store)
}

fn changed(tx: &Tx<'_>) -> Outcome<Changed> {
    Ok(tx.recall(kind::CHANGED, CHANGED).map_err(Failure::store)?.unwrap_or_default())
}

/// Green in a group only when everybody in it was compared; a large one, of which nobody looks at all, is never.
fn mark_of_group(tx: &Tx<'_>, object: &Object) -> Outcome<TrustMark> {
    if object.is_large() {
        let any = changed(tx)?.iter().any(|(user, change)| change.marks && object.is_with(user));
        return Ok(if any { TrustMark::Changed } else { TrustMark::Introduced });
    }
    let mut worst = TrustMark::Verified;
    for user in object.with() {
        let person = find_person(tx, &user)?;
        match person.as_ref().map_or(TrustMark::Introduced, mark) {
            TrustMark::Changed => return Ok(TrustMark::Changed),
            // Of a file nobody becomes more than that.
            TrustMark::Introduced | TrustMark::Imported => worst = TrustMark::Introduced,
            TrustMark::Verified => {}
        }
    }
    Ok(worst)
}

pub(crate) fn mark(person: &Person) -> TrustMark {
    match &person.change {
        Some(change) if change.kind != KeyChangeKind::Rotated => TrustMark::Changed,
        _ if person.compared_at.is_some() => TrustMark::Verified,
        _ => TrustMark::Introduced,
    }
}

fn all_named(tx: &Tx<'_>, object: &Object, person: &Person) -> Outcome<bool> {
    if object.peer_persona.as_ref().is_some_and(|persona| Some(persona) != person.persona.as_ref()) {
        return Ok(false);
    }
    let me: Option<Me> = tx.get(kind::ME, "me").map_err(Failure::store)?;
    let (pins, now_s) = (settling::pins(tx)?, now_ms() / 1000);
    let own = me.and_then(|me| settling::own(&me, now_s).ok());
    let theirs = settling::theirs(&person.chain, &pins, now_s).ok();
    let chains: Vec<Sigchain> = own.into_iter().chain(theirs).collect();
    Ok(are_named(&chains, &object.members, now_s))
}

/// Whether some chain names every one of these devices now.
fn are_named(chains: &[Sigchain], members: &[Member], now_s: i64) -> bool {
    members.iter().all(|member| {
        let device = keys::VerifyingKey::parse(&member.device);
        device.is_ok_and(|device| chains.iter().any(|chain| chain.device(&device, now_s).is_ok()))
    })
}

/// What is shown of who vouches follows from how sure we are.
pub(crate) fn restate(person: &mut Person) {
    let state = match mark(person) {
        TrustMark::Verified => TrustState::Verified,
        TrustMark::Introduced | TrustMark::Imported => TrustState::Introduced,
        TrustMark::Changed => TrustState::Changed,
    };
    person.identity.iter_mut().chain(person.issuers.iter_mut()).for_each(|line| line.state = state);
}

/// Whether words may leave for this person: not while a change of keys waits for a decision.
pub(crate) fn may_send(tx: &Tx<'_>, object: &Object) -> Outcome<()> {
    if object.circle.is_none() {
        return may_send_to(tx, &object.peer);
    }
    let stops = changed(tx)?.iter().any(|(user, change)| change.stops && object.is_with(user));
    if stops { Err(needs_decision()) } else { Ok(()) }
}

fn needs_decision() -> Failure {
    Failure::new("needs-decision", "the keys of this person changed; decide first")
}

/// The same, by the person.
pub(crate) fn may_send_to(tx: &Tx<'_>, user: &UserAddress) -> Outcome<()> {
    let person = find_person(tx, user)?;
    if person.and_then(|person| person.change).is_some_and(|change| change.stops) {
        return Err(needs_decision());
    }
    Ok(())
}

/// Another device of ours compared this persona.
pub(crate) fn pin_compared(tx: &Tx<'_>, persona: &str, _at: i64) -> Outcome<()> {
    pin(tx, persona, true)
}

fn pin(tx: &Tx<'_>, persona: &str, compared: bool) -> Outcome<()> {
    let Ok(persona) = PersonaId::parse(persona) else { return Ok(()) };
    let mut pins = settling::pins(tx)?;
    if compared {
        pins.compared(&persona)
    } else {
        pins.uncompared(&persona)
    }
    tx.put(kind::PINS, PINS, &pins).map_err(Failure::store)
}

/// What a person decided about somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Decision {
    /// The codes are the same.
    Same,
    /// They are not.
    Differ,
    /// The comparison counts no more.
    Forget,
    /// Go on with the keys they have now, without comparing.
    GoOn,
}

impl Home {
    /// Question `verify.code`.
    pub(crate) fn verify_code(&self, user: &UserAddress) -> Outcome<SafetyCode> {
        let (mine, theirs) = self.sides(user)?;
        let number = SafetyNumber::of(&mine, &theirs);
        Ok(SafetyCode {
            digits: number.digits().to_vec(),
            words: number.words().iter().map(|word| (*word).to_owned()).collect(),
            qr: number.qr().to_owned(),
        })
    }

    /// Question `verify.scanned`.
    pub(crate) fn verify_scanned(&self, user: &UserAddress, text: &str) -> Outcome<ScanOutcome> {
        let (mine, theirs) = self.sides(user)?;
        match SafetyNumber::check_scanned(&mine, &theirs, text.trim()) {
            Scanned::Match => {
                self.decide(user, Decision::Same)?;
                Ok(ScanOutcome::Match)
            }
            // It may be the code of somebody else: whether they differ, the person says.
            Scanned::Mismatch => Ok(ScanOutcome::Mismatch),
            Scanned::Malformed => Ok(ScanOutcome::NoCode),
        }
    }

    /// Question `verify.compared`.
    pub(crate) fn verify_compared(&self, user: &UserAddress, same: bool) -> Outcome<PersonCard> {
        self.decide(user, if same { Decision::Same } else { Decision::Differ })
    }

    /// Question `verify.forget`.
    pub(crate) fn verify_forget(&self, user: &UserAddress) -> Outcome<PersonCard> {
        self.decide(user, Decision::Forget)
    }

    /// Question `keychange.accept`.
    pub(crate) fn key_change_accept(&self, user: &UserAddress) -> Outcome<PersonCard> {
        self.decide(user, Decision::GoOn)
    }

    fn sides(&self, user: &UserAddress) -> Outcome<(Side, Side)> {
        let state = self.state();
        let me = state.me()?;
        let theirs = state.store()?.read(|tx| side_of(tx, &get_person(tx, user)?))?;
        Ok(((me.chain.persona(), me.chain.irk()), theirs))
    }

    fn decide(&self, user: &UserAddress, decision: Decision) -> Outcome<PersonCard> {
        let mut state = self.state();
        let state = &mut *state;
        let me = state.me.as_ref().ok_or_else(Failure::not_ready)?;
        let store = state.store.as_ref().ok_or_else(Failure::not_ready)?;
        let follow = store.write(|tx| decided(tx, me, user, decision, now_ms()))?;
        self.follow_up(state, follow);
        self.person_card(state, user)
    }
}

/// The keys that are compared: those that wait for a decision, if some do.
fn side_of(tx: &Tx<'_>, person: &Person) -> Outcome<Side> {
    let chain = person.next.as_ref().map_or(&person.chain, |next| &next.chain);
    if person.identity.is_none() || chain.is_empty() {
        return Err(Failure::new("not-checked-yet", "nobody vouched for this person yet"));
    }
    let chain = settling::theirs(chain, &settling::pins(tx)?, now_ms() / 1000)
        .map_err(|e| Failure::new("database-damaged", e))?;
    Ok((chain.persona(), chain.irk()))
}

/// Does what the person decided, in one transaction.
fn decided(tx: &Tx<'_>, me: &Ready, user: &UserAddress, decision: Decision, now: i64) -> Outcome<Vec<Follow>> {
    let mut person = get_person(tx, user)?;
    let mut follow = Vec::new();
    match decision {
        Decision::Same => {
            side_of(tx, &person)?;
            follow.push(key_changes::judged(&person, Word::Allow, "keys-compared", "contact/keys"));
            follow.extend(key_changes::line(tx, &person, "compared", "", now)?);
            follow.extend(key_changes::take_next(tx, &mut person)?);
            person.change = None;
            person.compared_at = Some(now);
            pin(tx, person.persona.as_deref().unwrap_or_default(), true)?;
        }
        Decision::Differ => {
            follow.push(key_changes::judged(&person, Word::Deny, "keys-differ", "contact/keys"));
            follow.extend(key_changes::refuse_next(tx, &mut person)?);
            person.compared_at = None;
            person.change = Some(KeyChange { kind: KeyChangeKind::Mismatch, at: now, issuer: None, stops: true });
            pin(tx, person.persona.as_deref().unwrap_or_default(), false)?;
            follow.extend(key_changes::line(tx, &person, "key-mismatch", "", now)?);
        }
        Decision::Forget => {
            person.compared_at = None;
            pin(tx, person.persona.as_deref().unwrap_or_default(), false)?;
        }
        Decision::GoOn => {
            if person.change.take().is_none() {
                return Err(Failure::new("no-change", "nothing waits for a decision"));
            }
            follow.push(key_changes::judged(&person, Word::Allow, "keys-accepted", "contact/keys"));
            follow.extend(key_changes::take_next(tx, &mut person)?);
            person.compared_at = None;
            pin(tx, person.persona.as_deref().unwrap_or_default(), false)?;
        }
    }
    restate(&mut person);
    put_person(tx, &person)?;
    follow.extend(what_waited(tx, me, &person)?);
    follow.push(Follow::PersonShown(user.clone()));
    follow.extend(person.chat.clone().map(Follow::ChatShown));
    follow.push(Follow::Own(OwnStep::Person(user.clone())));
    Ok(follow)
}

/// What was written while a decision was awaited leaves now, if it may.
fn what_waited(tx: &Tx<'_>, me: &Ready, person: &Person) -> Outcome<Vec<Follow>> {
    if person.change.as_ref().is_some_and(|change| change.stops) {
        return Ok(Vec::new());
    }
    let objects: Vec<(String, Object)> = tx.list(kind::OBJECT).map_err(Failure::store)?;
    let mut follow = Vec::new();
    for (_, object) in objects {
        if object.is_with(&person.user) && object.purpose == ObjectUse::Chat && object.is_open() {
            flush(tx, me, &object)?;
            follow.extend(pumps(&object));
        }
    }
    Ok(follow)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_device_that_no_chain_names_takes_the_green_away() {
        let irk = keys::SigningKey::generate();
        let mut chain = Sigchain::create(&irk, None, 0);
        let device = || keys::SigningKey::generate().verifying_key();
        let (laptop, phone, stranger) = (device(), device(), device());
        chain.add_device(&irk, laptop, "laptop", 86_400, 1).unwrap();
        chain.add_device(&irk, phone, "phone", 86_400, 1).unwrap();
        let member = |device: &keys::VerifyingKey| Member {
            device: device.to_string(),
            user: UserAddress::parse("ben@b.localhost").unwrap(),
            inbox: None,
        };
        let chains = [chain.clone()];
        assert!(are_named(&chains, &[member(&laptop), member(&phone)], 10));
        assert!(!are_named(&chains, &[member(&laptop), member(&stranger)], 10));
        chain.revoke_device(&irk, identity::Signer::Irk, phone, 20).unwrap();
        assert!(!are_named(&[chain], &[member(&laptop), member(&phone)], 30), "a revoked one counts no more");
    }
}
