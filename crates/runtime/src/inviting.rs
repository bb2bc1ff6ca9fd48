//! Shows a Hyperty an invitation, and before that nothing of what follows it.
//!
//! An invitation may have to wait: of two calls that cross one is withdrawn first. What its object brings meanwhile, such
//! as the first candidates of a call, would make the Hyperty take the object up by itself, and then the invitation would be
//! one it knows already.

use std::collections::HashMap;

use message::{Address, Body, Code, MessageType};

use crate::home::{Home, State};
use crate::objects::told_child;
use crate::sending::get_object;

/// What may wait for all invitations together; beyond it nothing waits.
const LIMIT: usize = 1_024;

/// What a Hyperty is to be told.
pub(crate) struct Told {
    pub(crate) kind: MessageType,
    pub(crate) from: Address,
    pub(crate) to: Address,
    pub(crate) body: Body,
}

/// The invitations that are being shown, by their objects, and what waits for each.
#[derive(Default)]
pub(crate) struct Inviting {
    waiting: HashMap<Address, Vec<Told>>,
    count: usize,
}

impl Inviting {
    /// An invitation is about to be shown; says whether it is the only one to this object.
    fn begin(&mut self, object: &Address) -> bool {
        if self.waiting.contains_key(object) {
            return false;
        }
        self.waiting.insert(object.clone(), Vec::new());
        true
    }

    /// Keeps what follows an invitation that is being shown; gives back what may be told now.
    pub(crate) fn keep(&mut self, told: Told) -> Option<Told> {
        let Some(list) = self.waiting.get_mut(&told.from.base()) else { return Some(told) };
        if self.count >= LIMIT {
            return Some(told);
        }
        self.count += 1;
        list.push(told);
        None
    }

    /// The Hyperty answered; gives what waited, in its order.
    fn end(&mut self, object: &Address) -> Vec<Told> {
        let waited = self.waiting.remove(object).unwrap_or_default();
        self.count -= waited.len();
        waited
    }
}

impl Home {
    /// Shows a Hyperty an invitation; what it refuses is closed, and the other side hears why.
    pub(crate) fn invite_hyperty(&self, state: &mut State, from: Address, to: Address, body: Body) {
        let object = from.base();
        if !state.inviting.begin(&object) {
            tracing::debug!("an invitation came again before it was answered");
            return;
        }
        let home = self.clone();
        self.rooms.tasks.start("invitation", async move {
            let is_shown = home.show_invitation(&object, from, to, body).await;
            let mut state = home.state();
            for Told { kind, from, to, body } in state.inviting.end(&object) {
                if is_shown {
                    home.tell_hyperty(&mut state, kind, from, to, body);
                } else if let Some(child) = told_child(&body) {
                    home.show_children(&state, &[child]);
                }
            }
        });
    }

    /// Says whether the Hyperty has the object now.
    async fn show_invitation(&self, object: &Address, from: Address, to: Address, body: Body) -> bool {
        if object.scheme() == "connection" {
            let peer = self.state().store().and_then(|store| store.read(|tx| get_object(tx, object)));
            let shown = match peer {
                Ok(kept) => self.meet_crossing_call(object, &kept.peer).await,
                Err(failure) => Err(failure),
            };
            match shown {
                Ok(true) => {}
                Ok(false) => return false,
                Err(failure) => tracing::info!(code = failure.code, "a crossing call was not looked for"),
            }
        }
        let answer = self.request(MessageType::Create, from, to, body).await;
        let reason = match answer.code {
            code if code.is_success() => return true,
            Code(486) => "busy",
            _ => "declined",
        };
        if let Err(failure) = self.close_object(&mut self.state(), object, reason) {
            tracing::info!(code = failure.code, "a refused invitation was not closed");
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(name: &str) -> Address {
        Address::parse(&format!("connection://a.localhost/{name}")).unwrap()
    }

    fn child(of: &Address, number: u64) -> Told {
        Told {
            kind: MessageType::Create,
            from: Address::parse(&format!("{of}/children/")).unwrap(),
            to: Address::parse("hyperty://b.localhost/connector").unwrap(),
            body: Body::of(&number).unwrap(),
        }
    }

    fn numbers(waited: Vec<Told>) -> Vec<u64> {
        waited.iter().map(|told| told.body.parse().unwrap()).collect()
    }

    #[test]
    fn what_follows_an_invitation_waits_until_it_is_answered_and_keeps_its_order() {
        let (mut inviting, call) = (Inviting::default(), object("call"));
        assert!(inviting.begin(&call));
        assert!(inviting.keep(child(&call, 1)).is_none());
        assert!(inviting.keep(child(&object("other"), 7)).is_some(), "nothing is shown of that one");
        assert!(inviting.keep(child(&call, 2)).is_none());
        assert_eq!(numbers(inviting.end(&call)), [1, 2]);
        assert!(inviting.keep(child(&call, 3)).is_some());
    }

    #[test]
    fn an_invitation_that_comes_twice_is_shown_once() {
        let (mut inviting, call) = (Inviting::default(), object("call"));
        assert!(inviting.begin(&call));
        inviting.keep(child(&call, 1));
        assert!(!inviting.begin(&call));
        assert_eq!(numbers(inviting.end(&call)), [1]);
    }

    #[test]
    fn what_waits_has_an_end() {
        let (mut inviting, call) = (Inviting::default(), object("call"));
        inviting.begin(&call);
        for number in 0..LIMIT as u64 {
            assert!(inviting.keep(child(&call, number)).is_none());
        }
        assert!(inviting.keep(child(&call, 0)).is_some());
        assert_eq!(inviting.end(&call).len(), LIMIT);
        inviting.begin(&call);
        assert!(inviting.keep(child(&call, 0)).is_none(), "there is room again");
    }
}
