//! Bounds what one answer may cost.

use std::time::Duration;

/// Where an answer may send us.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Redirect {
    /// Nowhere: a redirect is an error.
    #[default]
    None,
    /// To another path of the same scheme, host and port.
    SameHost,
    /// To any host within the same reach, checked like the first.
    Checked,
}

/// What one answer may cost in bytes and time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GetLimits {
    /// Most bytes of the body.
    pub bytes: u64,
    /// Longest time from the first attempt to the last byte.
    pub total: Duration,
    /// Longest silence between two pieces of the answer.
    pub idle: Duration,
    /// Where redirects may lead.
    pub redirect: Redirect,
}

impl GetLimits {
    /// Limits of a small document: 10 s in all, 5 s of silence, no redirects.
    pub fn of_bytes(bytes: u64) -> Self {
        Self { bytes, total: Duration::from_secs(10), idle: Duration::from_secs(5), redirect: Redirect::None }
    }

    /// The same with another total; the silence is never longer than the total.
    pub fn within(mut self, total: Duration) -> Self {
        self.total = total;
        self.idle = self.idle.min(total);
        self
    }

    /// The same with another bound for silence.
    pub fn silent_for(mut self, idle: Duration) -> Self {
        self.idle = idle;
        self
    }

    /// The same, following redirects as told.
    pub fn following(mut self, redirect: Redirect) -> Self {
        self.redirect = redirect;
        self
    }
}

/// Redirects followed at most; honest servers need one.
pub(crate) const REDIRECT_LIMIT: usize = 3;

/// How long a connection may take to stand, TLS included.
pub(crate) const CONNECT_DEADLINE: Duration = Duration::from_secs(10);

/// How long a streaming request waits for the head of its answer.
pub(crate) const HEAD_DEADLINE: Duration = Duration::from_secs(30);

/// How long a stream may be silent; longer than the usual 30–60 s heartbeats.
pub(crate) const STREAM_IDLE: Duration = Duration::from_secs(120);

/// Most bytes of response headers; the usual bound of servers is 8 to 16 KiB.
pub(crate) const HEADER_LIMIT: u32 = 64 * 1024;

/// Largest WebSocket message: a message of ours and room for a foreign wire's envelope.
pub(crate) const FRAME_LIMIT: usize = message::MESSAGE_LIMIT + 64 * 1024;
