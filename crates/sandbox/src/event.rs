//! What a guest lets us know.

use std::fmt;

use message::Message;

/// How serious a line of a guest's log is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    /// `console.debug`, and the stacks of errors.
    Debug,
    /// `console.log` and `console.info`.
    Info,
    /// `console.warn`.
    Warn,
    /// `console.error`, and errors nobody caught.
    Error,
}

impl LogLevel {
    pub(crate) fn of(number: u32) -> Self {
        match number {
            0 => Self::Debug,
            1 => Self::Info,
            2 => Self::Warn,
            _ => Self::Error,
        }
    }
}

/// Why a guest stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StopCause {
    /// It was told to.
    Asked,
    /// It used more time than its budget has.
    Timeout,
    /// It used more memory than its budget has.
    Memory,
    /// It nested calls deeper than the stack is.
    Stack,
    /// It could not start, or its engine gave up; the words may be the guest's own.
    Crash(String),
}

impl StopCause {
    /// The cause in one word, without what the guest said of it.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Asked => "asked",
            Self::Timeout => "timeout",
            Self::Memory => "memory",
            Self::Stack => "stack",
            Self::Crash(_) => "crash",
        }
    }
}

/// Something a guest did.
#[derive(Clone, PartialEq)]
pub enum GuestEvent {
    /// It has started and listens.
    Ready,
    /// It says something; the sender is stamped and the addressee is granted.
    Message(Message),
    /// It wrote a line; may hold anything, so never goes to a log of ours at info or above.
    Log {
        /// How serious it is.
        level: LogLevel,
        /// The line.
        text: String,
    },
    /// It runs no longer; the last event.
    Stopped(StopCause),
}

/// Leaves out what a guest wrote.
impl fmt::Debug for GuestEvent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("Ready"),
            Self::Message(message) => f.debug_tuple("Message").field(message).finish(),
            Self::Log { level, text } => write!(f, "Log({level:?}, {} bytes)", text.len()),
            Self::Stopped(cause) => f.debug_tuple("Stopped").field(cause).finish(),
        }
    }
}
