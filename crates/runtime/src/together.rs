//! What guests bring in one moment is done in one transaction, and answered once it is on disk.
//!
//! Two things come in numbers: children that a Hyperty writes, and sealed messages that a stub brings. One at a
//! time, each would cost a flush of the disk and a turn of the group's ratchet. Together, children for one object are
//! sealed as one message; while something of ours is under way they gather for a moment. What arrived is opened in its order, until something follows from it by which the next may
//! be judged otherwise. Each is refused alone. What a transaction that failed should have kept is tried one by one, so
//! that nothing is acknowledged that is not kept, and nothing holds up what can be kept.

use std::sync::atomic::Ordering;
use std::time::Duration;

use message::{Address, Code, Message, MessageType, Response};
use seal::parcel;
use serde_json::Value;
use store::Tx;
use sync::bundle::BUNDLE_LIMIT;

use crate::commits::After;
use crate::home::{Home, Ready, State, now_ms};
use crate::inbox::{self, Taken};
use crate::linking;
use crate::objects::{Follow, Written, child_of, refusal, write_children, written};
use crate::trouble::{Failure, Outcome};
use crate::verdicts::Policy;

#[cfg(test)]
mod tests;

/// How long children gather while something is under way. Each bundle costs every program on its way as much as a
/// dozen children do, so they leave at this beat, and not whenever an answer comes.
const GATHER: Duration = Duration::from_millis(4);

/// Parcels opened in one transaction: others want the lock as well.
const PARCELS_LIMIT: usize = 256;

/// Requests that wait to be done together, while guests are heard.
#[derive(Default)]
pub(crate) struct Together {
    /// Whether more may come in this moment.
    is_open: bool,
    sealed: Vec<(Message, Vec<u8>)>,
    /// In what is sealed.
    parcels: usize,
    children: Vec<(Message, Address, Value)>,
    /// The moment for which children gather goes on.
    is_gathering: bool,
    /// Children of which shells are to be told.
    shown: Vec<String>,
}

impl Together {
    /// Tells shells of a child with the next that are shown.
    pub(crate) fn show(&mut self, id: String) {
        self.shown.push(id);
    }
}

/// What can be done with others.
enum Shared {
    Child(Value),
    Sealed(Vec<u8>),
}

/// One sealed message in what a stub brought.
struct Parcel<'a> {
    /// Which of the requests brought it.
    request: usize,
    bytes: &'a [u8],
}

/// Children for one object.
struct Wish<'a> {
    url: &'a Address,
    /// Which of the requests they are.
    places: Vec<usize>,
    values: Vec<Value>,
}

/// What one transaction did.
struct Kept {
    /// Of as many parcels as it took, from the first.
    taken: Vec<Taken>,
    /// Of each list of children.
    written: Vec<Outcome<Written>>,
    follow: Vec<Follow>,
}

/// What the requests are answered.
struct Answers {
    sealed: Vec<Response>,
    children: Vec<Response>,
}

impl Home {
    /// Waits with what can be done together until [`Home::end_together`].
    pub(crate) fn begin_together(&self, state: &mut State) {
        state.together.is_open = true;
    }

    /// Does all that waited.
    pub(crate) fn end_together(&self, state: &mut State) {
        // What follows from it waits for nobody.
        state.together.is_open = false;
        if self.may_gather(state) {
            let children = std::mem::take(&mut state.together.children);
            self.do_together(state);
            state.together.children = children;
        } else {
            self.do_together(state);
        }
        self.show_what_waits(state);
    }

    /// Tells shells of what is to be shown, unless more may come in this moment.
    pub(crate) fn show_what_waits(&self, state: &mut State) {
        if !state.together.is_open {
            let shown = std::mem::take(&mut state.together.shown);
            self.show_children(state, &shown);
        }
    }

    /// Takes a request of the core that can be done with others; gives back any other, which then comes after all
    /// that waited.
    pub(crate) fn join_others(&self, state: &mut State, message: Message) -> Option<Message> {
        let may_be_sealed = || state.me.is_some() && state.inbox() == Some(&message.to);
        let wish = match (message.kind, message.to.scheme()) {
            (MessageType::Create, "comm" | "connection" | "ctxt") if is_children(&message.to) => {
                child_of(&message).ok().map(Shared::Child)
            }
            (MessageType::Create, "hyperty") if may_be_sealed() => {
                inbox::sealed_bytes(&message).ok().filter(|bytes| !linking::is_link_request(bytes)).map(Shared::Sealed)
            }
            _ => None,
        };
        match wish {
            Some(Shared::Child(value)) => {
                let url = message.to.base();
                state.together.children.push((message, url, value));
            }
            Some(Shared::Sealed(bytes)) => {
                state.together.parcels += parcel::split(&bytes).map_or(1, |parcels| parcels.len());
                state.together.sealed.push((message, bytes));
            }
            None => {
                self.do_together(state);
                return Some(message);
            }
        }
        if !state.together.is_open || state.together.parcels >= PARCELS_LIMIT {
            self.do_together(state);
        }
        None
    }

    /// Whether the children that wait do so a little longer, for others to be sealed with: who waits already waits
    /// to the end, and who comes while something is under way begins to.
    fn may_gather(&self, state: &mut State) -> bool {
        let together = &mut state.together;
        let few = (1..BUNDLE_LIMIT).contains(&together.children.len());
        if !few || together.is_gathering {
            return few;
        }
        together.is_gathering = self.rooms.under_way.load(Ordering::Relaxed) > 0;
        if together.is_gathering {
            let home = self.clone();
            self.rooms.tasks.start("gathering", async move {
                tokio::time::sleep(GATHER).await;
                let mut state = home.state();
                state.together.is_gathering = false;
                home.write_what_gathered(&mut state);
            });
        }
        together.is_gathering
    }

    /// Does what gathered, unless a moment is being heard that will do so.
    fn write_what_gathered(&self, state: &mut State) {
        if !state.together.is_open && !state.together.children.is_empty() {
            self.do_together(state);
            self.show_what_waits(state);
        }
    }

    fn do_together(&self, state: &mut State) {
        let sealed = std::mem::take(&mut state.together.sealed);
        let children = std::mem::take(&mut state.together.children);
        state.together.parcels = 0;
        if sealed.is_empty() && children.is_empty() {
            return;
        }
        let mut answers = Answers {
            sealed: sealed.iter().map(|_| Response::code(Code::OK)).collect(),
            children: children.iter().map(|_| refusal(&Failure::not_ready())).collect(),
        };
        let mut parcels = Vec::with_capacity(sealed.len());
        for (request, (_, bytes)) in sealed.iter().enumerate() {
            match parcel::split(bytes) {
                Ok(parts) => parcels.extend(parts.into_iter().map(|bytes| Parcel { request, bytes })),
                Err(error) => answers.sealed[request] = inbox::acknowledged(&error.into()),
            }
        }
        self.take_and_write(state, &parcels, &wishes(&children), &mut answers);
        let asked = sealed.iter().map(|(message, _)| message).chain(children.iter().map(|(message, ..)| message));
        for (message, response) in asked.zip(answers.sealed.iter().chain(&answers.children)) {
            self.answer(state, message, response);
        }
    }

    /// Does it in as few transactions as it can be done in; after each comes what follows from it.
    fn take_and_write(&self, state: &mut State, parcels: &[Parcel<'_>], wishes: &[Wish<'_>], answers: &mut Answers) {
        let mut parcels = parcels;
        loop {
            let Kept { taken, written, mut follow } = match kept_of(state, parcels, wishes) {
                Ok(kept) => kept,
                Err(failure) if parcels.len() + wishes.len() <= 1 => return answers.none(parcels, wishes, &failure),
                Err(_) => {
                    // Whatever the store cannot keep is no harm to what it can.
                    for parcel in parcels {
                        self.take_and_write(state, std::slice::from_ref(parcel), &[], answers);
                    }
                    for wish in wishes {
                        self.take_and_write(state, &[], std::slice::from_ref(wish), answers);
                    }
                    return;
                }
            };
            let (now, later) = parcels.split_at(taken.len());
            let mut refused = Vec::new();
            for (mut taken, parcel) in taken.into_iter().zip(now) {
                follow.append(&mut taken.follow);
                refused.extend(taken.refused.map(|failure| (parcel, failure)));
            }
            self.follow_up(state, follow);
            for (parcel, failure) in refused {
                tracing::info!(code = failure.code, "a sealed message was refused");
                // Whoever was opened is where we are; of who was not, it says whether they went another way.
                if let (sealed, Some(said)) = parcel::unpack(parcel.bytes) {
                    self.hear_testimony(state, sealed, said);
                }
                answers.took(parcel, &failure);
            }
            if later.is_empty() {
                return answers.wrote(wishes, written);
            }
            parcels = later;
        }
    }
}

fn kept_of(state: &mut State, parcels: &[Parcel<'_>], wishes: &[Wish<'_>]) -> Outcome<Kept> {
    let (Some(me), Some(store)) = (&state.me, &state.store) else { return Err(Failure::not_ready()) };
    let (policy, now) = (&mut state.policy, now_ms());
    if state.held.is_long() {
        let kept = store.write(|tx| transact(tx, me, policy, parcels, wishes, now))?;
        state.held.all_flushed();
        return Ok(kept);
    }
    let kept = store.write_soon(|tx| transact(tx, me, policy, parcels, wishes, now))?;
    state.held.committed();
    Ok(kept)
}

/// What one transaction does: all of it is kept or nothing. It ends with a parcel after which the next may be judged
/// otherwise; the children are written in the last.
fn transact(
    tx: &Tx<'_>,
    me: &Ready,
    policy: &mut Policy,
    parcels: &[Parcel<'_>],
    wishes: &[Wish<'_>],
    now: i64,
) -> Outcome<Kept> {
    let mut kept = Kept { taken: Vec::with_capacity(parcels.len()), written: Vec::new(), follow: Vec::new() };
    for parcel in parcels {
        let taken = inbox::take(tx, me, policy, parcel::unpack(parcel.bytes).0, After::News, now)?;
        let is_last = taken.refused.is_some() || !taken.follow.iter().all(Follow::leaves_judgement);
        kept.taken.push(taken);
        if is_last {
            break;
        }
    }
    if kept.taken.len() < parcels.len() {
        return Ok(kept);
    }
    for wish in wishes {
        kept.written.push(match tx.part(|| write_children(tx, me, wish.url, wish.values.clone(), now)) {
            Ok((written, more)) => {
                kept.follow.extend(more);
                Ok(written)
            }
            Err(failure) if failure.code == "store-failed" => return Err(failure),
            Err(failure) => Err(failure),
        });
    }
    Ok(kept)
}

impl Answers {
    /// A parcel was not believed, or not kept. What is not kept is brought again, and so the rest of its load.
    fn took(&mut self, parcel: &Parcel<'_>, failure: &Failure) {
        let answer = &mut self.sealed[parcel.request];
        if answer.code == Code::OK {
            *answer = inbox::acknowledged(failure);
        }
    }

    fn wrote(&mut self, wishes: &[Wish<'_>], outcomes: Vec<Outcome<Written>>) {
        for (wish, outcome) in wishes.iter().zip(outcomes) {
            match outcome {
                Ok(each) => {
                    for (place, one) in wish.places.iter().zip(each) {
                        self.children[*place] = match one {
                            Ok((resource, seq)) => written(&resource, seq),
                            Err(failure) => refusal(&failure),
                        };
                    }
                }
                Err(failure) => self.none(&[], std::slice::from_ref(wish), &failure),
            }
        }
    }

    /// Nothing of it was kept.
    fn none(&mut self, parcels: &[Parcel<'_>], wishes: &[Wish<'_>], failure: &Failure) {
        parcels.iter().for_each(|parcel| self.took(parcel, failure));
        for place in wishes.iter().flat_map(|wish| &wish.places) {
            self.children[*place] = refusal(failure);
        }
    }
}

fn is_children(to: &Address) -> bool {
    to.as_str()[to.base().as_str().len()..].trim_matches('/') == "children"
}

/// Children by their object, in their order, a bundle at a time.
fn wishes(children: &[(Message, Address, Value)]) -> Vec<Wish<'_>> {
    let mut wishes: Vec<Wish<'_>> = Vec::new();
    for (place, (_, url, value)) in children.iter().enumerate() {
        let same = wishes.iter_mut().rev().find(|wish| wish.url == url);
        match same.filter(|wish| wish.places.len() < BUNDLE_LIMIT) {
            Some(wish) => {
                wish.places.push(place);
                wish.values.push(value.clone());
            }
            None => wishes.push(Wish { url, places: vec![place], values: vec![value.clone()] }),
        }
    }
    wishes
}
