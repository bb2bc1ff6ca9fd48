//! Says what a sealed thing is before anything is opened.

use openmls::prelude::{MlsMessageIn, WireFormat};
use tls_codec::DeserializeBytes;

use crate::config::MESSAGE_LIMIT;
use crate::open::{id_of, private};
use crate::{GroupId, OpenError};

/// What a sealed thing is, read from its unsealed and unproven header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sealed {
    /// An invitation, for [`crate::inspect_welcome`].
    Welcome,
    /// A message of a group, for [`crate::open`].
    Message {
        /// The group.
        group: GroupId,
        /// The epoch it was sealed in.
        epoch: u64,
    },
}

/// Says what a sealed thing is and which group it claims to belong to, opening nothing.
pub fn peek(bytes: &[u8]) -> Result<Sealed, OpenError> {
    if bytes.len() > MESSAGE_LIMIT {
        return Err(OpenError::TooLarge);
    }
    let message = MlsMessageIn::tls_deserialize_exact_bytes(bytes).map_err(|_| OpenError::Malformed)?;
    if matches!(message.wire_format(), WireFormat::Welcome) {
        return Ok(Sealed::Welcome);
    }
    let message = private(message)?;
    Ok(Sealed::Message { group: id_of(&message)?, epoch: message.epoch().as_u64() })
}

/// Whether this is an invitation rather than a message; proves nothing.
pub fn is_welcome(bytes: &[u8]) -> bool {
    matches!(peek(bytes), Ok(Sealed::Welcome))
}

/// The group a message claims to belong to.
pub fn group_of(bytes: &[u8]) -> Result<GroupId, OpenError> {
    match peek(bytes)? {
        Sealed::Message { group, .. } => Ok(group),
        Sealed::Welcome => Err(OpenError::IsWelcome),
    }
}
