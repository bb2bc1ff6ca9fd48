//! Messages that wait for one session's socket, bounded in number and in bytes.
//!
//! Whoever reads more slowly than others write loses the queue and the session, not the messages: what
//! was not confirmed goes into the mailbox.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use crate::limits::{OUTBOX_BYTES, OUTBOX_MESSAGES};
use crate::switch::Outgoing;

/// The queue is full; it is empty and closed now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Overflow;

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Outgoing>,
    bytes: usize,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    more: Notify,
    overflow: CancellationToken,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The end that is written to; the queue closes with it.
pub struct OutboxSender(Arc<Shared>);

/// The end of the socket; the queue closes with it.
pub struct Outbox(Arc<Shared>);

/// A queue for one session.
pub fn outbox() -> (OutboxSender, Outbox) {
    let shared = Arc::<Shared>::default();
    (OutboxSender(shared.clone()), Outbox(shared))
}

fn size(outgoing: &Outgoing) -> usize {
    match outgoing {
        Outgoing::Message(message) => message.body.as_str().len(),
        Outgoing::Closed(_) => 0,
    }
}

impl OutboxSender {
    /// Puts one more into the queue; nothing happens when nobody reads it any more.
    pub fn push(&self, outgoing: Outgoing) -> Result<(), Overflow> {
        let mut queue = self.0.lock();
        if queue.closed {
            return Ok(());
        }
        let bytes = queue.bytes + size(&outgoing);
        // One message is always taken: its size has a limit of its own.
        if queue.waiting.len() >= OUTBOX_MESSAGES || (bytes > OUTBOX_BYTES && !queue.waiting.is_empty()) {
            *queue = Queue { closed: true, ..Queue::default() };
            self.0.overflow.cancel();
            self.0.more.notify_one();
            return Err(Overflow);
        }
        queue.bytes = bytes;
        queue.waiting.push_back(outgoing);
        self.0.more.notify_one();
        Ok(())
    }
}

impl Drop for OutboxSender {
    fn drop(&mut self) {
        self.0.lock().closed = true;
        self.0.more.notify_one();
    }
}

impl Outbox {
    /// Waits for up to `limit` of what is next; says how many there were, 0 when the queue is closed and empty.
    pub async fn recv_many(&mut self, batch: &mut Vec<Outgoing>, limit: usize) -> usize {
        loop {
            {
                let mut queue = self.0.lock();
                let taken = limit.min(queue.waiting.len());
                if taken > 0 {
                    batch.extend(queue.waiting.drain(..taken));
                    queue.bytes = queue.waiting.iter().map(size).sum();
                    return taken;
                }
                if queue.closed {
                    return 0;
                }
            }
            self.0.more.notified().await;
        }
    }

    /// Whether nothing more will come.
    pub fn is_closed(&self) -> bool {
        self.0.lock().closed
    }

    /// Fires when the queue overflowed, so that a socket nobody reads is let go.
    pub fn overflow(&self) -> CancellationToken {
        self.0.overflow.clone()
    }
}

impl Drop for Outbox {
    fn drop(&mut self) {
        *self.0.lock() = Queue { closed: true, ..Queue::default() };
    }
}

#[cfg(test)]
mod tests {
    use message::{Address, Body, Message, MessageType};

    use super::*;

    fn of_size(bytes: usize) -> Outgoing {
        let address = Address::parse("hyperty://a.localhost/x").unwrap();
        let body = Body::of(&"A".repeat(bytes)).unwrap();
        Outgoing::Message(Message { id: 1, kind: MessageType::Create, from: address.clone(), to: address, body })
    }

    #[tokio::test]
    async fn messages_come_out_in_the_order_in_which_they_went_in() {
        let (sender, mut outbox) = outbox();
        sender.push(of_size(1)).unwrap();
        sender.push(of_size(2)).unwrap();
        drop(sender);
        let mut batch = Vec::new();
        assert_eq!(outbox.recv_many(&mut batch, 1).await, 1);
        assert_eq!(outbox.recv_many(&mut batch, 9).await, 1);
        assert_eq!(outbox.recv_many(&mut batch, 9).await, 0);
        assert!(size(&batch[0]) < size(&batch[1]));
    }

    #[tokio::test]
    async fn a_socket_nobody_reads_holds_no_memory() {
        let (sender, mut outbox) = outbox();
        let half = OUTBOX_BYTES / 2;
        sender.push(of_size(half)).unwrap();
        assert_eq!(sender.push(of_size(half + 1)), Err(Overflow));
        assert!(outbox.overflow().is_cancelled());
        assert_eq!(outbox.recv_many(&mut Vec::new(), 9).await, 0, "it was let go at once");
        assert_eq!(sender.push(of_size(1)), Ok(()), "and takes nothing more");
        assert_eq!(outbox.0.lock().waiting.len(), 0);
    }

    #[tokio::test]
    async fn many_small_messages_have_a_bound_too() {
        let (sender, _outbox) = outbox();
        for _ in 0..OUTBOX_MESSAGES {
            sender.push(of_size(1)).unwrap();
        }
        assert_eq!(sender.push(of_size(1)), Err(Overflow));
    }
}
