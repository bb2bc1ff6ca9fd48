//! What a home hears of its guests.

use std::fmt;
use std::time::Duration;

use message::Message;
use sandbox::{LogLevel, StopCause};
use semver::Version;

use crate::crash_log::Restarts;
use crate::package::PackageRef;

/// One guest of a supervisor; stays the same over restarts and versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GuestId(pub(crate) u64);

impl fmt::Display for GuestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "guest {}", self.0)
    }
}

/// Why a guest crashed, in words for people; what the guest itself said is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Crash {
    /// It used too much time.
    #[error("it used more time than it may")]
    Time,
    /// It used too much memory.
    #[error("it used more memory than it may")]
    Memory,
    /// It nested calls too deeply.
    #[error("it nested calls too deeply")]
    Stack,
    /// It failed, or could not start.
    #[error("it failed")]
    Failure,
}

impl Crash {
    pub(crate) fn of(cause: &StopCause) -> Self {
        match cause {
            StopCause::Timeout => Self::Time,
            StopCause::Memory => Self::Memory,
            StopCause::Stack => Self::Stack,
            StopCause::Asked | StopCause::Crash(_) => Self::Failure,
        }
    }
}

/// Why a guest does not run any more until somebody wants it back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it stopped {crashes} times within {} s; the last time {last}", within.as_secs())]
pub struct ParkReason {
    /// How often it crashed.
    pub crashes: usize,
    /// Within which time.
    pub within: Duration,
    /// The last of its crashes.
    pub last: Crash,
}

impl ParkReason {
    pub(crate) fn new(rule: &Restarts, last: Crash) -> Self {
        Self { crashes: rule.pauses.len() + 1, within: rule.window, last }
    }
}

/// Something that happened to a guest.
#[derive(Clone, PartialEq)]
pub enum GuestNews {
    /// It has started, for the first time or anew, and listens.
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
    /// It crashed and starts again by itself. What it knew is gone; messages to it wait.
    Restarting {
        /// Why it crashed.
        crash: Crash,
        /// What the sandbox says about it; may hold words of the guest.
        detail: String,
        /// When it starts.
        after: Duration,
    },
    /// It crashed too often and is left alone; see [`Supervisor::resume`](crate::Supervisor::resume).
    Parked {
        /// Why.
        reason: ParkReason,
        /// What the sandbox says about the last crash; may hold words of the guest.
        detail: String,
        /// Messages that waited for it; their senders should get an answer.
        undelivered: Vec<Message>,
    },
}

/// Leaves out what a guest wrote.
impl fmt::Debug for GuestNews {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ready => f.write_str("Ready"),
            Self::Message(message) => f.debug_tuple("Message").field(message).finish(),
            Self::Log { level, text } => write!(f, "Log({level:?}, {} bytes)", text.len()),
            Self::Restarting { crash, after, .. } => write!(f, "Restarting({crash:?}, {after:?})"),
            Self::Parked { reason, .. } => write!(f, "Parked({:?})", reason.last),
        }
    }
}

/// How a guest is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuestStatus {
    /// What runs.
    pub package: PackageRef,
    /// Which version of it.
    pub version: Version,
    /// Whether it runs.
    pub life: GuestLife,
    /// How often it was started again.
    pub restarts: u64,
}

/// Whether a guest runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GuestLife {
    /// It runs. Leaves for `Resting` or `Parked` when it crashes.
    Running(sandbox::Stats),
    /// It crashed and starts again soon.
    Resting,
    /// It crashed too often. Leaves for `Running` when it is resumed or swapped.
    Parked(ParkReason),
}

/// Why a guest did not take a message; here it is back.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PostError {
    /// Too many wait for it already.
    #[error("too many messages wait for the guest")]
    Full(Message),
    /// It crashed too often.
    #[error("the guest is parked")]
    Parked(Message),
    /// There is no such guest, or not any more.
    #[error("there is no such guest")]
    Gone(Message),
}
