//! Opens the parsers of what strangers send to a node to the fuzzers of `tests/fuzz`.

use std::path::Path;

use axum::Router;
use message::{Domain, Message, MessageError};

use crate::issuer::{self, Issuer};
use crate::{IssuerError, Limits, Records, Registration};

pub use crate::wires::fuzzing::{read_batch, write_row};

/// What bytes that are no message are answered.
pub fn answer_malformed(bytes: &[u8], error: &MessageError) -> Option<Message> {
    crate::wires::answer_malformed(bytes, error)
}

/// The endpoints of an issuer with its key in `data_dir`.
pub fn issuer(data_dir: &Path, origin: &str, domain: &Domain) -> Result<Router, IssuerError> {
    let records = Records::in_memory()?;
    let issuer = Issuer::open(data_dir, origin, domain, "B", Registration::Open, Limits::laboratory(), records)?;
    Ok(issuer::routes(issuer))
}
