//! The words every room uses: addresses, messages, limits, grants and verdicts.
//!
//! Plain data only: this crate does no I/O, reads no clock and starts no task.
//! The shapes follow the reference system's data model (paper, section II.A).

mod address;
mod code;
mod envelope;
mod grants;
mod limits;
mod private;
mod verdict;

pub use address::{Address, AddressError, Domain, UserAddress};
pub use code::Code;
pub use envelope::{Body, ID_LIMIT, Message, MessageError, MessageId, MessageType, Response};
pub use grants::{AddressPattern, Grants, GrantsError, Origin};
pub use limits::*;
pub use private::Private;
pub use verdict::{ConsentQuestion, Reason, Verdict};
