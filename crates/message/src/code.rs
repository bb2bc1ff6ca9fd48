//! The codes of responses; they are HTTP's (RFC 9110, section 15), as in the reference.

use serde::{Deserialize, Serialize};

/// The code of a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Code(pub u16);

impl Code {
    /// Provisional: the work goes on, keep waiting.
    pub const TRYING: Code = Code(100);
    /// Provisional: a person is being asked.
    pub const ASKING: Code = Code(180);
    /// Done.
    pub const OK: Code = Code(200);
    /// Kept for later delivery.
    pub const ACCEPTED: Code = Code(202);
    /// The request makes no sense.
    pub const BAD_REQUEST: Code = Code(400);
    /// The session is not proven.
    pub const UNAUTHORIZED: Code = Code(401);
    /// A policy, a grant or a person said no.
    pub const FORBIDDEN: Code = Code(403);
    /// Nobody listens at that address.
    pub const NOT_FOUND: Code = Code(404);
    /// No answer within the deadline.
    pub const TIMEOUT: Code = Code(408);
    /// The state of the addressee does not allow it (a version gap, a name taken).
    pub const CONFLICT: Code = Code(409);
    /// Larger than allowed.
    pub const TOO_LARGE: Code = Code(413);
    /// The domain speaks another protocol now: fetch its stub again.
    pub const UPGRADE_REQUIRED: Code = Code(426);
    /// A queue is full; try again later.
    pub const TOO_MANY: Code = Code(429);
    /// The addressee failed.
    pub const FAILED: Code = Code(500);
    /// The addressee's domain cannot be reached now.
    pub const UNAVAILABLE: Code = Code(503);
    /// Full: the recipient's mailbox takes no more.
    pub const INSUFFICIENT_STORAGE: Code = Code(507);

    /// Below 200: keeps the request open.
    pub fn is_provisional(self) -> bool {
        self.0 < 200
    }

    /// From 200 to 299.
    pub fn is_success(self) -> bool {
        (200..300).contains(&self.0)
    }
}
