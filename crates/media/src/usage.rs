//! Counts what calls hold, so that "everything is released" can be checked.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What all calls of one engine hold at this moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize)]
pub struct InUse {
    /// Calls that are not closed.
    pub calls: usize,
    /// Tasks on the async runtime.
    pub tasks: usize,
    /// UDP sockets.
    pub sockets: usize,
    /// Voice, device and tone threads.
    pub threads: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Usage {
    calls: AtomicUsize,
    tasks: AtomicUsize,
    sockets: AtomicUsize,
    threads: AtomicUsize,
}

#[derive(Debug, Clone, Copy)]
pub(crate) enum Held {
    Call,
    Task,
    Socket,
    Thread,
}

impl Usage {
    fn counter(&self, held: Held) -> &AtomicUsize {
        match held {
            Held::Call => &self.calls,
            Held::Task => &self.tasks,
            Held::Socket => &self.sockets,
            Held::Thread => &self.threads,
        }
    }

    /// Counts one more until the result is dropped.
    pub(crate) fn hold(self: &Arc<Self>, held: Held) -> Hold {
        self.counter(held).fetch_add(1, Ordering::AcqRel);
        Hold { usage: Arc::clone(self), held }
    }

    /// The same, but not more than `limit`.
    pub(crate) fn hold_up_to(self: &Arc<Self>, held: Held, limit: usize) -> Option<Hold> {
        let hold = self.hold(held);
        (self.counter(held).load(Ordering::Acquire) <= limit).then_some(hold)
    }

    pub(crate) fn now(&self) -> InUse {
        InUse {
            calls: self.calls.load(Ordering::Acquire),
            tasks: self.tasks.load(Ordering::Acquire),
            sockets: self.sockets.load(Ordering::Acquire),
            threads: self.threads.load(Ordering::Acquire),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Hold {
    usage: Arc<Usage>,
    held: Held,
}

impl Drop for Hold {
    fn drop(&mut self) {
        self.usage.counter(self.held).fetch_sub(1, Ordering::AcqRel);
    }
}
