//! How sure we are of somebody: compared or only introduced, and what waits until a person decides.

use contract::{KeyChangeKind, TrustMark};
use store::Tx;

use crate::persons::PINS;
use crate::records::{Object, Person, kind};
use crate::trouble::{Failure, Outcome};

/// How sure one can be of a conversation now.
///
/// Green only when the person was compared: every device in the group is named by the compared persona's chain,
/// or it would not be in the group.
pub(crate) fn mark_of(tx: &Tx<'_>, object: &Object) -> Outcome<TrustMark> {
    let person: Option<Person> = tx.get(kind::PERSON, object.peer.address().as_str()).map_err(Failure::store)?;
    Ok(person.map_or(TrustMark::Introduced, |person| mark(&person)))
}

pub(crate) fn mark(person: &Person) -> TrustMark {
    match &person.change {
        Some(change) if change.kind != KeyChangeKind::Rotated => TrustMark::Changed,
        _ if person.compared_at.is_some() => TrustMark::Verified,
        _ => TrustMark::Introduced,
    }
}

/// Whether words may leave for this person: not while a change of keys waits for a decision.
pub(crate) fn may_send(tx: &Tx<'_>, object: &Object) -> Outcome<()> {
    let person: Option<Person> = tx.get(kind::PERSON, object.peer.address().as_str()).map_err(Failure::store)?;
    if person.and_then(|person| person.change).is_some_and(|change| change.stops) {
        return Err(Failure::new("needs-decision", "the keys of this person changed; decide first"));
    }
    Ok(())
}

/// Another device of ours compared this persona.
pub(crate) fn pin_compared(tx: &Tx<'_>, persona: &str, _at: i64) -> Outcome<()> {
    let Ok(persona) = identity::PersonaId::parse(persona) else { return Ok(()) };
    let mut pins: identity::PinBook = tx.get(kind::PINS, PINS)?.unwrap_or_default();
    pins.compared(&persona);
    tx.put(kind::PINS, PINS, &pins).map_err(Failure::store)
}
