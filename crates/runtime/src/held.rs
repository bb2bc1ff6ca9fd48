//! Holds back what the core gives to guests until everything that was committed before is on disk.
//!
//! Only guests reach a network with what was sealed, and only they acknowledge to a node. So a power cut never takes
//! back what somebody else has seen: not a step of the ratchet with whose key something left, and not a message that a
//! node was told to forget. The lock is free while the disk works, and one flush serves all that came meanwhile.

use std::collections::VecDeque;

use bus::PortId;
use contract::News;
use message::Message;
use store::{Flusher, StoreError};

use crate::home::{Home, State};
use crate::trouble::Failure;

/// What may wait; beyond it a change waits for the disk under the lock, and whoever brings more waits with it. Half of
/// what a guest takes in one go.
const LIMIT: usize = 512;

/// What waits for the disk, in its order.
#[derive(Default)]
pub(crate) struct Held {
    /// Changes that were committed before the disk had them.
    committed: u64,
    /// How many of them the disk has.
    durable: u64,
    /// The disk failed: nobody knows what it has, and nothing leaves any more.
    is_broken: bool,
    waiting: VecDeque<(u64, PortId, Message)>,
}

impl Held {
    /// Something was committed that the disk may not have.
    pub(crate) fn committed(&mut self) {
        self.committed += 1;
    }

    /// Whether so much waits that the next change is brought to disk at once.
    pub(crate) fn is_long(&self) -> bool {
        self.waiting.len() >= LIMIT
    }

    /// Gives a message back that may go now.
    fn pass(&mut self, port: PortId, message: Message) -> Option<Message> {
        if self.is_broken {
            return None;
        }
        if self.committed == self.durable && self.waiting.is_empty() {
            return Some(message);
        }
        self.waiting.push_back((self.committed, port, message));
        None
    }

    /// The disk has all of them.
    pub(crate) fn all_flushed(&mut self) {
        self.durable = self.committed;
    }

    /// Another profile begins, or none. The numbers go on, so that a flush that is still under way counts for nothing
    /// that comes after it.
    pub(crate) fn forget(&mut self) {
        self.waiting.clear();
        self.all_flushed();
        self.is_broken = false;
    }

    /// The disk has so many of the changes.
    fn flushed(&mut self, upto: u64) {
        self.durable = self.durable.max(upto);
    }

    /// The next that may go.
    fn next(&mut self) -> Option<(PortId, Message)> {
        let (after, ..) = self.waiting.front()?;
        if self.is_broken || *after > self.durable {
            return None;
        }
        self.waiting.pop_front().map(|(_, port, message)| (port, message))
    }

    fn break_off(&mut self) {
        self.is_broken = true;
        self.waiting.clear();
    }
}

impl Home {
    /// Lets a message go to its guest now, or once the disk has what it follows from.
    pub(crate) fn hold_back(&self, state: &mut State, port: PortId, message: Message) -> Option<Message> {
        let passed = state.held.pass(port, message);
        if passed.is_none() {
            self.rooms.flushing.notify_one();
        }
        passed
    }

    /// Brings to disk what somebody waits for, until the runtime closes.
    pub(crate) async fn keep_on_disk(self) {
        loop {
            self.rooms.flushing.notified().await;
            while let Some((flusher, upto)) = self.what_waits_for_disk() {
                let flushed = tokio::task::spawn_blocking(move || flusher.flush()).await;
                match flushed {
                    Ok(Ok(())) => self.let_go(upto),
                    Ok(Err(error)) => self.break_off(upto, &error),
                    // The runtime is closing.
                    Err(_) => return,
                }
            }
        }
    }

    fn what_waits_for_disk(&self) -> Option<(Flusher, u64)> {
        let state = self.state();
        let flusher = state.store.as_ref()?.flusher();
        (!state.held.waiting.is_empty()).then_some((flusher, state.held.committed))
    }

    fn let_go(&self, upto: u64) {
        let mut state = self.state();
        state.held.flushed(upto);
        while let Some((port, message)) = state.held.next() {
            let actions = self.give_to_guest(&mut state, port, message);
            self.follow(&mut state, actions);
        }
    }

    fn break_off(&self, upto: u64, error: &StoreError) {
        let mut state = self.state();
        if upto <= state.held.durable {
            // Of a profile that was left meanwhile, or on disk by now.
            return;
        }
        tracing::error!(%error, "the disk failed; nothing leaves this device until the profile is opened again");
        state.held.break_off();
        state.damaged = Some(Failure::store(error));
        self.tell(News::App(self.app_state(&state)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bus::{Bus, PortKind};
    use message::{Address, Body, Domain, MessageType};

    fn port() -> PortId {
        Bus::new(Domain::parse("a.localhost").unwrap()).add_port(PortKind::Core { name: "core".into() })
    }

    fn message(id: u64) -> Message {
        let address = Address::parse("hyperty://a.localhost/1").unwrap();
        Message { id, kind: MessageType::Create, from: address.clone(), to: address, body: Body::empty() }
    }

    fn goes(held: &mut Held) -> Vec<u64> {
        std::iter::from_fn(|| held.next()).map(|(_, message)| message.id).collect()
    }

    #[test]
    fn nothing_waits_where_the_disk_has_everything() {
        let mut held = Held::default();
        assert!(held.pass(port(), message(1)).is_some());
        held.committed();
        held.flushed(1);
        assert!(held.pass(port(), message(2)).is_some());
    }

    #[test]
    fn what_follows_from_a_change_leaves_when_the_disk_has_it_and_not_before() {
        let mut held = Held::default();
        held.committed();
        assert!(held.pass(port(), message(1)).is_none());
        let began = held.committed;
        // Somebody else commits while the disk works.
        held.committed();
        assert!(held.pass(port(), message(2)).is_none());
        assert_eq!(goes(&mut held), [0; 0]);
        held.flushed(began);
        assert_eq!(goes(&mut held), [1]);
        held.flushed(2);
        assert_eq!(goes(&mut held), [2]);
    }

    #[test]
    fn what_comes_later_does_not_overtake_what_waits() {
        let mut held = Held::default();
        held.committed();
        held.pass(port(), message(1));
        held.flushed(1);
        // The first may go and has not gone yet.
        assert!(held.pass(port(), message(2)).is_none());
        assert_eq!(goes(&mut held), [1, 2]);
    }

    #[test]
    fn a_flush_of_the_profile_before_counts_for_nothing_of_the_next() {
        let mut held = Held::default();
        held.committed();
        held.pass(port(), message(1));
        let began = held.committed;
        held.forget();
        assert!(held.pass(port(), message(2)).is_some(), "nothing waits in the new one");
        held.committed();
        held.pass(port(), message(3));
        held.flushed(began);
        assert_eq!(goes(&mut held), [0; 0]);
        held.flushed(held.committed);
        assert_eq!(goes(&mut held), [3]);
    }

    #[test]
    fn after_a_failure_of_the_disk_nothing_leaves() {
        let mut held = Held::default();
        held.committed();
        held.pass(port(), message(1));
        held.break_off();
        held.flushed(9);
        assert_eq!(goes(&mut held), [0; 0]);
        assert!(held.pass(port(), message(2)).is_none());
    }
}
