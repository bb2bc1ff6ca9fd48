//! Blocking somebody, which they are not told, and taking that back.

use contract::ContactState;
use message::UserAddress;
use store::Tx;

use crate::home::{Home, Ready};
use crate::objects::Follow;
use crate::own::OwnStep;
use crate::persons::{get_or_new, unchecked_request};
use crate::records::{Object, Person, Side, Standing, kind};
use crate::resync::ask_for_missing;
use crate::sending::{get_object, get_person, pumps, put_object, put_person};
use crate::trouble::{Failure, Outcome};

impl Home {
    /// Question `person.block`. Who is blocked is not told.
    pub(crate) fn block(&self, user: &UserAddress) -> Outcome<()> {
        let mut state = self.state();
        let follow = state.store()?.write(|tx| block(tx, user))?;
        self.follow_up(&mut state, follow);
        self.hang_up_on(&mut state, user);
        Ok(())
    }

    /// Question `person.unblock`. Somebody who is not blocked stays as they are.
    pub(crate) fn unblock(&self, user: &UserAddress) -> Outcome<()> {
        let mut state = self.state();
        let state = &mut *state;
        let me = state.me.as_ref().ok_or_else(Failure::not_ready)?;
        let store = state.store.as_ref().ok_or_else(Failure::not_ready)?;
        let follow = store.write(|tx| unblock(tx, me, user))?;
        self.follow_up(state, follow);
        Ok(())
    }
}

fn block(tx: &Tx<'_>, user: &UserAddress) -> Outcome<Vec<Follow>> {
    let claimed = unchecked_request(tx, user)?;
    let mut person = if claimed.is_some() { get_or_new(tx, user)? } else { get_person(tx, user)? };
    if person.contact == ContactState::Blocked {
        return Ok(Vec::new());
    }
    person.before_block = Some(person.contact);
    person.contact = ContactState::Blocked;
    if person.chat.is_none() {
        person.chat = claimed.as_ref().map(|object| object.url.clone());
    }
    put_person(tx, &person)?;
    if let Some(object) = claimed {
        close(tx, object)?;
    }
    if let Some(chat) = &person.chat {
        close(tx, get_object(tx, chat)?)?;
    }
    let mut follow = vec![Follow::PersonShown(user.clone()), Follow::Own(OwnStep::Person(user.clone()))];
    follow.extend(person.chat.map(Follow::ChatShown));
    Ok(follow)
}

fn close(tx: &Tx<'_>, mut object: Object) -> Outcome<()> {
    if object.before_block.is_none() {
        let standing = std::mem::replace(&mut object.standing, Standing::Closed { reason: "blocked".into() });
        object.before_block = Some(standing);
    }
    put_object(tx, &object)
}

fn unblock(tx: &Tx<'_>, me: &Ready, user: &UserAddress) -> Outcome<Vec<Follow>> {
    let mut person = get_person(tx, user)?;
    if person.contact != ContactState::Blocked {
        return Ok(Vec::new());
    }
    // Without a word of what was before, one may ask them anew.
    person.contact = person.before_block.take().unwrap_or(ContactState::Declined);
    keep(tx, &person)?;
    let mut follow = vec![Follow::PersonShown(user.clone()), Follow::Own(OwnStep::Person(user.clone()))];
    let objects: Vec<(String, Object)> = tx.list(kind::OBJECT).map_err(Failure::store)?;
    for (_, mut object) in objects.into_iter().filter(|(_, object)| object.peer == *user) {
        let Some(standing) = object.before_block.take() else { continue };
        object.standing = standing;
        if may_have_missed(&object) {
            object.asked = None;
            ask_for_missing(tx, me, &mut object)?;
        }
        put_object(tx, &object)?;
        if matches!(object.standing, Standing::Verifying { .. }) {
            follow.push(Follow::Verify(object.url.clone()));
        }
        follow.extend(pumps(&object));
        follow.push(Follow::ChatShown(object.url));
    }
    Ok(follow)
}

/// Of somebody who was never more than a claim, nothing is kept.
fn keep(tx: &Tx<'_>, person: &Person) -> Outcome<()> {
    if person.persona.is_some() {
        return put_person(tx, person);
    }
    tx.delete(kind::PERSON, person.user.address().as_str()).map_err(Failure::store).map(|_| ())
}

/// Whether the other side may have said something while nothing of theirs was heard.
///
/// Who waits for our answer has said nothing since, and learns nothing of us before it.
fn may_have_missed(object: &Object) -> bool {
    match object.standing {
        Standing::Open => true,
        Standing::Invited | Standing::Verifying { .. } => matches!(object.side, Side::Reporter(_)),
        Standing::Request | Standing::Copied | Standing::Closed { .. } => false,
    }
}
