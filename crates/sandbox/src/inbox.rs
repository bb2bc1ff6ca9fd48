//! The bounded queue of what waits for a guest.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use bytes::Bytes;
use message::Message;

use crate::control::HostNews;
use crate::guest::PostError;

/// Frames handed over in one crossing.
const BATCH_FRAMES: usize = 64;

/// Bytes handed over in one crossing, unless a single frame is larger.
const BATCH_BYTES: usize = 256 * 1024;

/// Bytes of message bodies that may wait.
const UNREAD_BYTES_LIMIT: usize = 8 * 1024 * 1024;

/// Answers of the host that may wait. Only a guest that floods the host reaches
/// this; it then loses answers, and harms itself alone.
const NEWS_LIMIT: usize = 16_384;

/// The queue of one guest.
pub struct Inbox {
    state: Mutex<State>,
    bell: Condvar,
    stopping: Arc<AtomicBool>,
    unread_limit: usize,
}

#[derive(Default)]
struct State {
    /// From the bus: bounded here.
    messages: VecDeque<Message>,
    unread_bytes: usize,
    /// From the host itself: bounded by what the guest asked for.
    news: VecDeque<News>,
    sleeping: bool,
}

/// Something from the host itself.
pub enum News {
    /// A refusal of a message the guest sent.
    Refusal(Message),
    /// A header and its bytes.
    Control(String, Bytes),
}

/// What is to be done next.
pub enum Taken {
    /// These wait.
    Batch {
        /// From the host.
        news: Vec<News>,
        /// From the bus.
        messages: Vec<Message>,
    },
    /// The alarm rang, and nothing waits.
    Alarm,
    /// The guest is to stop.
    Stop,
}

impl Inbox {
    /// An empty queue for so many messages.
    pub fn new(unread_limit: usize) -> Self {
        Self { state: Mutex::default(), bell: Condvar::new(), stopping: Arc::default(), unread_limit }
    }

    /// Set when the guest is to stop, also while it runs.
    pub fn stopping(&self) -> Arc<AtomicBool> {
        self.stopping.clone()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn ring(&self, state: MutexGuard<'_, State>) {
        if state.sleeping {
            self.bell.notify_one();
        }
    }

    /// Adds a message, if there is room.
    pub fn post(&self, message: Message) -> Result<(), PostError> {
        if self.stopping.load(Ordering::Acquire) {
            return Err(PostError::Stopped);
        }
        let mut state = self.lock();
        let size = message.body.as_str().len();
        let full = state.messages.len() >= self.unread_limit
            || (!state.messages.is_empty() && state.unread_bytes + size > UNREAD_BYTES_LIMIT);
        if full {
            return Err(PostError::Full(message));
        }
        state.unread_bytes += size;
        state.messages.push_back(message);
        self.ring(state);
        Ok(())
    }

    /// Adds something from the host.
    pub fn tell(&self, news: &HostNews<'_>, bytes: Bytes) {
        self.add(News::Control(news.to_json(), bytes));
    }

    /// Adds something from the host that is ready.
    pub fn add(&self, news: News) {
        let mut state = self.lock();
        if state.news.len() < NEWS_LIMIT {
            state.news.push_back(news);
        }
        self.ring(state);
    }

    /// Tells the guest to stop, even while it runs.
    pub fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        let _state = self.lock();
        self.bell.notify_one();
    }

    /// How many messages wait.
    pub fn unread(&self) -> usize {
        self.lock().messages.len()
    }

    /// Waits until something is there, or the alarm rings.
    pub fn take(&self, alarm: Option<Instant>) -> Taken {
        let mut state = self.lock();
        loop {
            if self.stopping.load(Ordering::Acquire) {
                return Taken::Stop;
            }
            if !state.news.is_empty() || !state.messages.is_empty() {
                return state.batch();
            }
            let left = alarm.map(|alarm| alarm.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                return Taken::Alarm;
            }
            state.sleeping = true;
            state = match left {
                Some(left) => self.bell.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0,
                None => self.bell.wait(state).unwrap_or_else(PoisonError::into_inner),
            };
            state.sleeping = false;
        }
    }
}

impl State {
    fn batch(&mut self) -> Taken {
        let (mut news, mut messages) = (Vec::new(), Vec::new());
        let mut bytes = 0;
        while news.len() < BATCH_FRAMES && bytes < BATCH_BYTES {
            let Some(one) = self.news.pop_front() else { break };
            bytes += match &one {
                News::Refusal(message) => message.body.as_str().len(),
                News::Control(header, body) => header.len() + body.len(),
            };
            news.push(one);
        }
        while news.len() + messages.len() < BATCH_FRAMES && bytes < BATCH_BYTES {
            let Some(message) = self.messages.pop_front() else { break };
            let size = message.body.as_str().len();
            bytes += size;
            self.unread_bytes -= size;
            messages.push(message);
        }
        Taken::Batch { news, messages }
    }
}

#[cfg(test)]
mod tests {
    use message::{Address, Body, MessageType};

    use super::*;

    fn message(body: &str) -> Message {
        Message {
            id: 1,
            kind: MessageType::Event,
            from: Address::parse("hyperty://a/1").unwrap(),
            to: Address::parse("hyperty://a/2").unwrap(),
            body: Body::from_json(body).unwrap(),
        }
    }

    #[test]
    fn a_full_inbox_gives_the_message_back() {
        let inbox = Inbox::new(2);
        inbox.post(message("1")).unwrap();
        inbox.post(message("2")).unwrap();
        assert_eq!(inbox.post(message("3")), Err(PostError::Full(message("3"))));
        assert!(matches!(inbox.take(None), Taken::Batch { messages, .. } if messages.len() == 2));
        inbox.post(message("3")).unwrap();
    }

    #[test]
    fn large_messages_fill_an_inbox_sooner() {
        let inbox = Inbox::new(1000);
        let large = message(&format!("\"{}\"", "x".repeat(1_000_000)));
        let taken = (0..20).take_while(|_| inbox.post(large.clone()).is_ok()).count();
        assert_eq!(taken, 8);
        assert!(matches!(inbox.take(None), Taken::Batch { messages, .. } if messages.len() == 1));
    }

    #[test]
    fn a_stopped_inbox_takes_nothing() {
        let inbox = Inbox::new(2);
        inbox.post(message("1")).unwrap();
        inbox.stop();
        assert!(matches!(inbox.take(None), Taken::Stop));
        assert_eq!(inbox.post(message("2")), Err(PostError::Stopped));
    }
}
