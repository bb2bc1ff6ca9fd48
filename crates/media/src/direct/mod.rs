//! A connection of two devices on which the pieces of one file are asked for and given, and nothing else.
//!
//! It is made as a call is: two descriptions that travel sealed, each with the fingerprint of a certificate made for
//! this connection alone, and the paths that [`crate::NetworkConfig`] allows. Which file it is for, and who may have it, is not
//! known here.

mod channel;
mod error;
mod frame;
mod opening;
mod pieces;

pub use channel::DirectChannel;
pub use error::DirectError;
pub use frame::{BadFrame, Frame, Refusal, parts};
pub use opening::{DESCRIPTION_BYTES, DIRECT_CONNECTIONS, DirectAnswer, DirectOffer};
pub use pieces::Pieces;

#[cfg(test)]
mod tests;
