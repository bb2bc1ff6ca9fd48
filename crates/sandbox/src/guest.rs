//! The handle on a running guest.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use message::{Address, Message};
use tokio_util::sync::CancellationToken;

use crate::inbox::Inbox;

/// Why a guest did not take a message.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum PostError {
    /// Too many wait already; here it is back.
    #[error("the guest's inbox is full")]
    Full(Message),
    /// The guest runs no longer.
    #[error("the guest has stopped")]
    Stopped,
}

/// What a guest did so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Messages it was given.
    pub delivered: u64,
    /// Messages it sent.
    pub sent: u64,
    /// Messages of it that were refused or dropped.
    pub refused: u64,
    /// Deliveries that were interrupted.
    pub interrupted: u64,
    /// Messages that wait for it now.
    pub unread: u64,
    /// Bytes of its memory.
    pub memory: u64,
}

#[derive(Default)]
pub(crate) struct Counters {
    pub delivered: AtomicU64,
    pub sent: AtomicU64,
    pub refused: AtomicU64,
    pub interrupted: AtomicU64,
    pub memory: AtomicU64,
}

impl Counters {
    pub fn add(counter: &AtomicU64, more: u64) {
        counter.fetch_add(more, Ordering::Relaxed);
    }
}

/// A running guest; it stops when the last handle is gone.
#[derive(Clone)]
pub struct Guest(Arc<Inner>);

struct Inner {
    address: Address,
    inbox: Arc<Inbox>,
    counters: Arc<Counters>,
    cancel: CancellationToken,
}

impl Guest {
    pub(crate) fn new(address: Address, inbox: Arc<Inbox>, counters: Arc<Counters>, cancel: CancellationToken) -> Self {
        Self(Arc::new(Inner { address, inbox, counters, cancel }))
    }

    /// Its address.
    pub fn address(&self) -> &Address {
        &self.0.address
    }

    /// Gives it a message; never waits.
    pub fn post(&self, message: Message) -> Result<(), PostError> {
        self.0.inbox.post(message)
    }

    /// Stops it, even in the middle of its work.
    pub fn stop(&self) {
        self.0.stop();
    }

    /// What it did so far.
    pub fn stats(&self) -> Stats {
        let Counters { delivered, sent, refused, interrupted, memory } = &*self.0.counters;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Stats {
            delivered: read(delivered),
            sent: read(sent),
            refused: read(refused),
            interrupted: read(interrupted),
            unread: self.0.inbox.unread() as u64,
            memory: read(memory),
        }
    }
}

impl std::fmt::Debug for Guest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Guest").field(&self.0.address).finish()
    }
}

impl Inner {
    fn stop(&self) {
        self.inbox.stop();
        self.cancel.cancel();
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.stop();
    }
}
