//! Compares a source with what its descriptor promises.

use keys::{b64url, sha256};

use crate::descriptor::Descriptor;
use crate::envelope::{Part, malformed};
use crate::error::VerifyError;
use crate::limits::SOURCE_LIMIT;

/// Gives the text of a source if it is the one its descriptor names.
pub fn verify_source(bytes: &[u8], descriptor: &Descriptor) -> Result<String, VerifyError> {
    let part = Part::Source;
    if bytes.len() > SOURCE_LIMIT {
        return Err(VerifyError::TooLarge { part, limit: SOURCE_LIMIT });
    }
    let promised = &descriptor.source;
    if bytes.len() != promised.length || b64url(&sha256(bytes)) != promised.sha256 {
        return Err(VerifyError::Tampered { part });
    }
    std::str::from_utf8(bytes).map(str::to_owned).map_err(|_| malformed(part, "it is not UTF-8"))
}
