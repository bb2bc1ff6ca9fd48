//! What guests bring in one moment is done in one transaction, and answered once it is on disk.
//!
//! Two things come in numbers: children that a Hyperty writes, and sealed messages that a stub brings. One at a
//! time, each would cost a flush of the disk and a turn of the group's ratchet. Together, children for one object are
//! sealed as one message, and what arrived is opened in its order; each is refused alone, and a transaction that fails
//! is answered to all of them, so that nothing is acknowledged that is not kept.

use message::{Address, Code, Message, MessageType, Response};
use serde_json::Value;

use crate::bundles::BUNDLE_LIMIT;
use crate::commits::After;
use crate::home::{Home, State, now_ms};
use crate::inbox::{self, Taken};
use crate::objects::{Follow, child_of, refusal, write_children, written};
use crate::trouble::{Failure, Outcome};
use crate::{linking, parcel};

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
    /// Children of which shells are to be told.
    shown: Vec<String>,
}

impl Together {
    /// Tells shells of a child with the next that are shown.
    pub(crate) fn show(&mut self, id: String) {
        self.shown.push(id);
    }
}

/// How a request went, to be answered.
enum Done {
    Wrote(Message, Outcome<(String, u64)>),
    Took(Message, Vec<u8>, Outcome<Vec<Taken>>),
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
        self.do_together(state);
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
        let taken = match (message.kind, message.to.scheme()) {
            (MessageType::Create, "comm" | "connection" | "ctxt") if is_children(&message.to) => child_of(&message)
                .map(|value| {
                    let url = message.to.base();
                    state.together.children.push((message.clone(), url, value));
                }),
            (MessageType::Create, "hyperty") if state.me.is_some() && state.inbox() == Some(&message.to) => {
                match inbox::sealed_bytes(&message) {
                    Ok(bytes) if !linking::is_link_request(&bytes) => {
                        state.together.parcels += parcel::split(&bytes).map_or(1, |parcels| parcels.len());
                        state.together.sealed.push((message.clone(), bytes));
                        Ok(())
                    }
                    _ => Err(Failure::not_ready()),
                }
            }
            _ => Err(Failure::not_ready()),
        };
        if taken.is_err() {
            self.do_together(state);
            return Some(message);
        }
        if !state.together.is_open || state.together.parcels >= PARCELS_LIMIT {
            self.do_together(state);
        }
        None
    }

    fn do_together(&self, state: &mut State) {
        let sealed = std::mem::take(&mut state.together.sealed);
        let children = std::mem::take(&mut state.together.children);
        if sealed.is_empty() && children.is_empty() {
            return;
        }
        state.together.parcels = 0;
        let (mut done, mut follow) = self.transact(state, sealed, children);
        for one in &mut done {
            if let Done::Took(_, _, Ok(taken)) = one {
                taken.iter_mut().for_each(|taken| follow.append(&mut taken.follow));
            }
        }
        self.follow_up(state, follow);
        for one in done {
            match one {
                Done::Wrote(message, outcome) => {
                    let response = match outcome {
                        Ok((resource, seq)) => written(&resource, seq),
                        Err(failure) => refusal(&failure),
                    };
                    self.answer(state, &message, &response);
                }
                Done::Took(message, bytes, outcome) => {
                    let response = self.what_became(state, &bytes, outcome);
                    self.answer(state, &message, &response);
                }
            }
        }
    }

    /// One transaction; if it fails, all of it failed.
    fn transact(
        &self,
        state: &mut State,
        sealed: Vec<(Message, Vec<u8>)>,
        children: Vec<(Message, Address, Value)>,
    ) -> (Vec<Done>, Vec<Follow>) {
        let now = now_ms();
        let (Some(me), Some(store)) = (&state.me, &state.store) else {
            return (all_failed(sealed, children, &Failure::not_ready()), Vec::new());
        };
        let policy = &mut state.policy;
        let lists = by_object(&children);
        let outcome = store.write(|tx| {
            let mut took = Vec::with_capacity(sealed.len());
            for (_, bytes) in &sealed {
                let parcels = match parcel::split(bytes) {
                    Ok(parcels) => parcels,
                    Err(failure) => {
                        took.push(Err(failure));
                        continue;
                    }
                };
                let each =
                    parcels.into_iter().map(|one| inbox::take(tx, me, policy, parcel::unpack(one).0, After::News, now));
                took.push(Ok(each.collect::<Outcome<Vec<Taken>>>()?));
            }
            let mut wrote: Vec<Option<Outcome<(String, u64)>>> = children.iter().map(|_| None).collect();
            let mut follow = Vec::new();
            for list in &lists {
                let (url, values) = (&children[list[0]].1, list.iter().map(|at| children[*at].2.clone()).collect());
                let outcomes = match tx.part(|| write_children(tx, me, url, values, now)) {
                    Ok((outcomes, more)) => {
                        follow.extend(more);
                        outcomes
                    }
                    Err(failure) if failure.code == "store-failed" => return Err(failure),
                    Err(failure) => list.iter().map(|_| Err(failure.clone())).collect(),
                };
                list.iter().zip(outcomes).for_each(|(at, outcome)| wrote[*at] = Some(outcome));
            }
            Ok((took, wrote, follow))
        });
        let (took, wrote, follow) = match outcome {
            Ok(done) => done,
            Err(failure) => return (all_failed(sealed, children, &failure), Vec::new()),
        };
        let took = sealed.into_iter().zip(took).map(|((message, bytes), outcome)| Done::Took(message, bytes, outcome));
        let wrote = children
            .into_iter()
            .zip(wrote)
            .map(|((message, ..), outcome)| Done::Wrote(message, outcome.unwrap_or_else(|| Err(Failure::not_ready()))));
        (took.chain(wrote).collect(), follow)
    }

    /// What the bringer of sealed bytes is told.
    fn what_became(&self, state: &mut State, bytes: &[u8], outcome: Outcome<Vec<Taken>>) -> Response {
        let taken = match outcome {
            Ok(taken) => taken,
            Err(failure) => return inbox::acknowledged(&failure),
        };
        let mut response = Response::code(Code::OK);
        let parcels = parcel::split(bytes).unwrap_or_default();
        for (taken, parcel) in taken.into_iter().zip(parcels) {
            let Some(failure) = taken.refused else { continue };
            tracing::info!(code = failure.code, "a sealed message was refused");
            // Whoever was opened is where we are; of who was not, it says whether they went another way.
            if let (sealed, Some(said)) = parcel::unpack(parcel) {
                self.hear_testimony(state, sealed, said);
            }
            response = inbox::acknowledged(&failure);
        }
        response
    }
}

fn is_children(to: &Address) -> bool {
    to.as_str()[to.base().as_str().len()..].trim_matches('/') == "children"
}

/// The places of children for one object, in their order, a bundle at a time.
fn by_object(children: &[(Message, Address, Value)]) -> Vec<Vec<usize>> {
    let mut lists: Vec<Vec<usize>> = Vec::new();
    for (at, (_, url, _)) in children.iter().enumerate() {
        let same = lists.iter_mut().rev().find(|list| children[list[0]].1 == *url);
        match same.filter(|list| list.len() < BUNDLE_LIMIT) {
            Some(list) => list.push(at),
            None => lists.push(vec![at]),
        }
    }
    lists
}

fn all_failed(
    sealed: Vec<(Message, Vec<u8>)>,
    children: Vec<(Message, Address, Value)>,
    failure: &Failure,
) -> Vec<Done> {
    let took = sealed.into_iter().map(|(message, bytes)| Done::Took(message, bytes, Err(failure.clone())));
    let wrote = children.into_iter().map(|(message, ..)| Done::Wrote(message, Err(failure.clone())));
    took.chain(wrote).collect()
}
