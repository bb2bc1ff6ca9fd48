//! Why a sigchain or one of its devices is refused.

use crate::json::JsonError;

use super::equivocation::Equivocation;

/// Why a chain or an entry is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChainError {
    /// No entry at all.
    #[error("the chain is empty")]
    Empty,
    /// More entries than a chain may have.
    #[error("the chain has too many entries")]
    TooManyEntries,
    /// One entry is too long.
    #[error("an entry is too long")]
    EntryTooLong,
    /// Not of the form of an entry.
    #[error("an entry is malformed: {0}")]
    Malformed(&'static str),
    /// The payload is not acceptable JSON.
    #[error("an entry's payload: {0}")]
    Json(JsonError),
    /// A kind of entry nobody here knows.
    #[error("an entry is of an unknown kind")]
    UnknownKind,
    /// The first entry does not begin a persona.
    #[error("the first entry is not a genesis")]
    NoGenesis,
    /// A second beginning.
    #[error("entry {seq} begins the persona a second time")]
    SecondGenesis {
        /// Where.
        seq: u64,
    },
    /// Numbers are missing or double.
    #[error("entry {expected} is numbered {got}")]
    WrongNumber {
        /// The number due.
        expected: u64,
        /// The number found.
        got: u64,
    },
    /// It does not follow from the entry before it.
    #[error("entry {seq} does not follow from the one before it")]
    BrokenLink {
        /// Where.
        seq: u64,
    },
    /// Older than the entry before it.
    #[error("entry {seq} is older than the one before it")]
    BackInTime {
        /// Where.
        seq: u64,
    },
    /// Signed by a key that may not sign this kind.
    #[error("entry {seq} is signed by a key that may not sign it")]
    WrongSigner {
        /// Where.
        seq: u64,
    },
    /// The signature does not fit.
    #[error("entry {seq} has a wrong signature")]
    WrongSignature {
        /// Where.
        seq: u64,
    },
    /// A reset waits for its time: until then only a veto, or entries by the key it brings, may follow.
    #[error("entry {seq} comes while a reset waits for its time")]
    ResetWaits {
        /// Where.
        seq: u64,
    },
    /// A veto of something that is no reset of this chain.
    #[error("entry {seq} vetoes no reset of this chain")]
    UnknownReset {
        /// Where.
        seq: u64,
    },
    /// A second veto.
    #[error("entry {seq} vetoes what was vetoed already")]
    AlreadyVetoed {
        /// Where.
        seq: u64,
    },
    /// A reset of another key than a root key of this chain, or of one no issuer ever vouched for.
    #[error("entry {seq} resets what no issuer ever vouched for")]
    NothingToReset {
        /// Where.
        seq: u64,
    },
    /// A root key that was one before: keys do not come back.
    #[error("entry {seq} brings back a key that was a root key before")]
    RootReused {
        /// Where.
        seq: u64,
    },
    /// More resets than a chain may have.
    #[error("entry {seq} is one reset too many")]
    TooManyResets {
        /// Where.
        seq: u64,
    },
    /// A device's name, life or state does not allow the entry.
    #[error("entry {seq}: {fault}")]
    Device {
        /// Where.
        seq: u64,
        /// Why.
        fault: &'static str,
    },
    /// The issuer or subject of an entry is not one.
    #[error("entry {seq} names no issuer or no subject")]
    BadSubject {
        /// Where.
        seq: u64,
    },
}

/// Why a chain does not take entries somebody handed over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExtendError {
    /// An entry does not follow.
    #[error(transparent)]
    Chain(ChainError),
    /// The owner signed two entries for one place.
    #[error("the chain tells another story than before")]
    Equivocation(Box<Equivocation>),
    /// Another entry than the known one, which proves nothing against the owner.
    #[error("entry {seq} is another than the known one")]
    Contradiction {
        /// Where.
        seq: u64,
    },
}

/// Why a key may not speak for a persona.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DeviceError {
    /// The chain never added it.
    #[error("the chain never added this device")]
    Unknown,
    /// The chain revoked it.
    #[error("the device was revoked")]
    Revoked,
    /// A reset ended it, and it was not added again.
    #[error("the device is from before a reset")]
    BeforeReset,
    /// It was not renewed.
    #[error("the device expired at {since}")]
    Expired {
        /// When.
        since: i64,
    },
}
