//! What a bus has open: requests without an answer, and messages it holds.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use message::{Code, Domain, Message, MessageType};

use crate::port::PortId;

/// Names a message that waits for its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(pub(crate) u64);

/// Where a message goes.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// Ports of this runtime.
    Local(Arc<[PortId]>),
    /// Whoever leads to this domain.
    Domain(Domain),
}

/// How far an open message has come.
#[derive(Debug)]
pub(crate) enum Stage {
    /// Waits for a verdict. Leaves for `Parked` or `Asked`, or ends.
    Judging { target: Target },
    /// Waits for a stub. Leaves for `Asked`, or ends.
    Parked,
    /// A request that these ports have got. Ends with the first final answer.
    Asked { ports: Arc<[PortId]> },
    /// An answer that waits for its verdict.
    Answer { request: u64, code: Code },
}

/// A message that is not over.
#[derive(Debug)]
pub(crate) struct Entry {
    /// Who sent it and is charged for it.
    pub port: PortId,
    /// The message with its sender's own id; without its body once it is `Asked`.
    pub message: Message,
    /// The domain whose stub brought it.
    pub via: Option<Domain>,
    pub born: u64,
    pub deadline: u64,
    /// Bytes of the body that are charged.
    pub held: usize,
    /// Provisional answers passed on.
    pub provisional: u32,
    pub stage: Stage,
}

impl Entry {
    /// Whether its sender waits for an answer.
    pub fn is_request(&self) -> bool {
        self.message.kind != MessageType::Response && self.message.kind.wants_response()
    }
}

/// All that is open, by number and by deadline.
#[derive(Debug, Default)]
pub(crate) struct Entries {
    by_id: HashMap<u64, Entry>,
    by_deadline: BTreeSet<(u64, u64)>,
}

impl Entries {
    pub fn len(&self) -> usize {
        self.by_id.len()
    }

    pub fn get(&self, id: u64) -> Option<&Entry> {
        self.by_id.get(&id)
    }

    pub fn get_mut(&mut self, id: u64) -> Option<&mut Entry> {
        self.by_id.get_mut(&id)
    }

    pub fn insert(&mut self, id: u64, entry: Entry) {
        self.by_deadline.insert((entry.deadline, id));
        self.by_id.insert(id, entry);
    }

    pub fn remove(&mut self, id: u64) -> Option<Entry> {
        let entry = self.by_id.remove(&id)?;
        self.by_deadline.remove(&(entry.deadline, id));
        Some(entry)
    }

    /// Moves a deadline.
    pub fn reschedule(&mut self, id: u64, deadline: u64) {
        if let Some(entry) = self.by_id.get_mut(&id)
            && entry.deadline != deadline
        {
            self.by_deadline.remove(&(entry.deadline, id));
            entry.deadline = deadline;
            self.by_deadline.insert((deadline, id));
        }
    }

    /// One that is due.
    pub fn due(&self, now: u64) -> Option<u64> {
        self.by_deadline.first().filter(|(deadline, _)| *deadline <= now).map(|(_, id)| *id)
    }

    pub fn next_wake(&self) -> Option<u64> {
        self.by_deadline.first().map(|(deadline, _)| *deadline)
    }

    /// Numbers of the entries that satisfy a test, oldest first.
    pub fn which(&self, test: impl Fn(&Entry) -> bool) -> Vec<u64> {
        let mut ids: Vec<u64> = self.by_id.iter().filter(|(_, entry)| test(entry)).map(|(id, _)| *id).collect();
        ids.sort_unstable();
        ids
    }
}
