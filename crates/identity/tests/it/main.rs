//! Every story of `identity` in one program, so that a build links it once; each module is a story file of its own.

#![allow(clippy::unwrap_used, reason = "a story that cannot go on has failed")]

mod chain;
mod common;
mod credential;
mod elsewhere;
mod exchange;
mod hostile;
mod recovery;
mod renewal;
mod resets;
mod rotation;
mod verify_failures;
mod verify_order;
